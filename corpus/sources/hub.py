"""The Hugging Face hub's own listing of a dataset's files (its HTTP interface, `/api/datasets/…/tree/…`)."""

import json
from collections.abc import Callable, Iterator

from corpus.files import BadInput
from corpus.sources import Fetch, Remote


def files(
    base: str,
    dataset: str,
    revision: str,
    fetch: Fetch,
    accepts: Callable[[str], bool],
    *,
    kinds: str,
    license: str | None,
    folder: str = "",
) -> Iterator[Remote]:
    """The files of a revision whose paths are accepted, to lie below `folder`.

    Raises BadInput for an answer that is no listing, and when none is accepted (`kinds` says what was sought).
    """
    where = f"{base}/api/datasets/{dataset}/tree/{revision}?recursive=true"
    listed = fetch(where)
    try:
        entries = json.loads(listed)
    except ValueError as error:
        raise BadInput(f"{where}: not the hub's JSON listing; check the address and your access") from error
    found = [entry for entry in entries if entry.get("type") == "file" and accepts(f"{folder}{entry.get('path')}")]
    if not found:
        raise BadInput(f"{where}: lists no {kinds} file of {dataset}; check the revision")
    for entry in found:
        sha = (entry.get("lfs") or {}).get("oid")
        yield Remote(
            f"{base}/datasets/{dataset}/resolve/{revision}/{entry['path']}",
            f"{folder}{entry['path']}",
            f"sha256:{sha}" if sha else None,
            entry.get("size"),
            license,
        )
