"""The search of finished shards for what was taken out of their notes: nothing of it may stand there.

Looked for are the values of the columns that hold a patient's own name, numbers and dates, and the names that
were found in the patient's notes, as keyed hashes (filters/phi/people.py): there is no list of
them. Ordinary words that are somebody's name are left out, because they cannot be told from themselves; so
are names where surrogates stand for them, because surrogates are names.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from corpus import shards
from corpus.files import BadInput
from filters.deid import Deid
from filters.phi import known, mentions, people
from filters.phi.scan import Scan
from filters.phi.spans import BLANK, masks
from pipelines.layer import run
from pipelines.stages import Input

Tables = Mapping[str, tuple[Deid, Path]]  # source -> its filter and the folder of its tables
_TOLD = 20  # ids of documents in an error


def tables(inputs: Iterable[Input]) -> dict[str, tuple[Deid, Path]]:
    """The tables of the sources whose notes were de-identified, where they lie."""
    named = {i.stream.source.name: i.people for i in inputs if i.people}
    return {name: (one.deid, one.folder) for name, one in named.items() if one.made()}


def searched(build: Path, paths: Sequence[str], tables: Tables) -> dict[str, Any]:
    """Source -> how many rows of these shards were searched, for how many values, and the id of the site's key.

    Raises ValueError with counts and ids when one is found.
    """
    if not tables or not paths:
        return {}
    rows: Counter[str] = Counter()
    found: Counter[str] = Counter()
    ids: set[str] = set()
    for one in run(search, [(build / path, dict(tables)) for path in paths], "search for leaks"):
        rows.update(one["rows"])
        found.update(one["found"])
        ids.update(one["ids"])
    if ids:
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(found.items()))
        told = ", ".join(sorted(ids)[:_TOLD]) + (", …" if len(ids) > _TOLD else "")
        raise ValueError(
            f"{len(ids)} documents still hold what was to be taken out of them ({counts}): {told}. The build is not "
            f"finished; look at these notes, correct the recipe's filters, and delete {build}"
        )
    return {
        name: {
            "rows": rows[name],
            "values": len(people.table(str(folder))),
            "names": deid.style != "surrogate",
            "found": 0,
            "key": deid.key_id,
        }
        for name, (deid, folder) in tables.items()
    }


def search(path: Path, tables: Tables) -> dict[str, Any]:
    """What one shard still holds: rows searched by source, kinds of values found, ids of documents."""
    rows: Counter[str] = Counter()
    found: Counter[str] = Counter()
    ids: set[str] = set()
    reader = shards.open_shard(path)
    for number in range(reader.num_record_batches):
        batch = reader.get_batch(number).select(["id", "source", "text"])
        sources, texts = batch.column("source").to_pylist(), batch.column("text")
        for place, name in enumerate(sources):
            if name not in tables or (text := texts[place].as_py()) is None:
                continue
            rows[name] += 1
            deid, folder = tables[name]
            id, secret = batch.column("id")[place].as_py(), people.table_key(folder, deid.site_key())
            owner = people.table(str(folder)).owner(secret, id)
            if owner is None:
                raise BadInput(
                    f"{folder} does not know {id}, which {path} holds; delete {folder.parent} and build again"
                )
            knows = people.knows(str(folder), secret, owner)
            kinds = [] if knows is None else held(text, knows, names=deid.style != "surrogate")
            found.update(kinds)
            ids.update([id] if kinds else [])
    return {"rows": dict(rows), "found": dict(found), "ids": sorted(ids)}


def held(text: str, knows: people.Knows, names: bool) -> list[str]:
    """The kinds of what a text holds of the values that are known."""
    pieces, at = [], 0
    for mask in masks(text):
        pieces += [text[at : mask.start()], BLANK]
        at = mask.end()
    plain = "".join([*pieces, text[at:]])
    kinds = ["numbers"] * any(knows(f"#{number}") for number in set(known.written(plain)))
    if names and any(mentions.mentions(Scan(plain), knows, only_rare=True)):
        kinds.append("names")
    return kinds
