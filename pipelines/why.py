"""What became of one document: `python -m pipelines.why ID BUILD`."""

import argparse
import difflib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from corpus import ledger, manifest
from corpus.files import BadInput
from corpus.shards import open_shard
from corpus.sources.notes import as_read


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m pipelines.why", description=__doc__)
    parser.add_argument("id", help="a document's id, like pubmed:38012345")
    parser.add_argument("build", type=Path, help="the folder of a finished build")
    given = parser.parse_args(arguments)
    try:
        print(story(given.id, given.build))
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def rows(id: str, build: Path) -> list[dict[str, Any]]:
    """The ledger's rows of an id: one for every revision that was read. BadInput when there is none."""
    content = manifest.load(build)
    source = id.split(":")[0]
    paths = [item["path"] for item in content["ledger"] if item["source"] == source]
    if not paths:
        known = ", ".join(item["source"] for item in content["ledger"])
        raise BadInput(f"{id!r} names no source of this build; an id begins with one of {known} and a colon")
    book = ledger.read(build / paths[0])
    found = book.filter(pc.is_in(book["id"], value_set=pa.array(as_read(id), pa.string())))
    if not len(found):
        alike = book.filter(pc.starts_with(book["id"], id[: max(len(source) + 2, len(id) - 2)]))["id"].to_pylist()
        near = difflib.get_close_matches(id, alike[:10_000], n=1)
        hint = f"; the nearest id is {near[0]}" if near else ""
        raise BadInput(f"no document {id} was read for this build{hint}")
    return found.to_pylist()  # type: ignore[no-any-return]


def story(id: str, build: Path) -> str:
    """The rows of an id in words."""
    lines = []
    content = manifest.load(build)
    shards = [item["path"] for item in content["shards"]]
    for row in rows(id, build):
        lines.append(f"{row['id']}: {row['status']}")
        lines.append(
            f"  read from {row['source']}/{row['file']}, document {row['position']}, {row['chars']:,} characters"
        )
        if row["kind"]:
            lines.append(f"  kind {row['kind']}, group {row['group']} of the mix")
        limits = content["limits"][row["source"]]
        asked = limits.get(row["kind"] or "", limits[""])
        for name, value in json.loads(row["marks"] or "{}").items():
            lines.append(f"  measured {name} = {value}" + (f" (asked: {asked[name]})" if name in asked else ""))
        if row["reason"]:
            lines.append(f"  dropped by {row['reason']}" + (f": {row['detail']}" if row["detail"] else ""))
        if row["twin"]:
            least = content["limits"]["duplicates"]
            alike = f", similarity {row['similarity']:.3f} (copies: {least})" if row["similarity"] is not None else ""
            lines.append(f"  in its place stays {row['twin']}{alike}")
        if row["tokens"] is not None:
            lines.append(f"  {row['tokens']:,} tokens")
        if row["status"] == "heldout":
            lines.append(f"  held out for validation, in heldout/{row['group']}.arrow")
        for shard, place in zip(row["shard"] or [], row["row"] or [], strict=True):
            lines.append(f"  stands in {_place(build, shards[shard], place)}")
    return "\n".join(lines)


def _place(build: Path, path: str, place: int) -> str:
    """A row of a shard in words, with the tokens of the document that it holds."""
    reader = open_shard(build / path)
    first = 0
    for number in range(reader.num_record_batches):
        batch = reader.get_batch(number)
        if place < first + len(batch):
            held, meta = (batch.column(name)[place - first] for name in ("tokens", "meta"))
            before = json.loads(meta.as_py() or "{}").get("before", 0)
            return f"{path}, row {place}, tokens {before:,} to {before + len(held.values):,}"
        first += len(batch)
    raise BadInput(f"{build / path} has no row {place}, which the ledger names; run python -m pipelines.verify {build}")


if __name__ == "__main__":
    sys.exit(main())
