"""What was erased stays out: layers without these documents, for the build at hand and for later ones.

The ids that `pipelines.erase` took out of a build are remembered in `erased.txt` beside the builds, one
a line; every later build there leaves them out, from whatever raw files it reads.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from corpus import ledger, manifest, shards
from corpus.files import writing
from corpus.sources.notes import as_read
from pipelines import stages
from pipelines.layer import Layer, do, run
from pipelines.sift import ledger_of, summary_of

REMEMBERED = "erased.txt"
REASON = "erased"


def remembered(out: Path) -> list[str]:
    """The ids that no build in `out` may hold any more."""
    path = out / REMEMBERED
    return sorted(set(path.read_text(encoding="utf-8").split("\n")) - {""}) if path.exists() else []


def remember(out: Path, ids: Iterable[str]) -> None:
    """Adds ids to those that no build in `out` may hold."""
    every = sorted({*remembered(out), *ids})
    with writing(out / REMEMBERED, shards.RESTRICTED) as partial:
        partial.write_text("".join(f"{id}\n" for id in every), encoding="utf-8")


def known(inputs: Sequence[stages.Input], ids: Iterable[str]) -> list[str]:
    """The ids as documents were read under them: a site's key hides what a hospital calls its notes."""
    hidden = {id: [one for one in as_read(id) if one != id] for id in ids}
    named = where(inputs, [one for alike in hidden.values() for one in alike])
    there = {one for these in named.values() for one in these}
    return [one for id, alike in hidden.items() for one in sorted(there.intersection(alike)) or [id]]


def where(inputs: Sequence[stages.Input], ids: Sequence[str]) -> dict[str, list[str]]:
    """`source/file` -> the ids of it that are among `ids`, from the ledgers of the layers."""
    found: dict[str, list[str]] = {}
    for i in inputs:
        name = i.stream.source.name
        wanted = pa.array([one for id in ids if id.startswith(f"{name}:") for one in as_read(id)], pa.string())
        if len(wanted):
            column = ledger.read(ledger_of(i.layer))["id"]
            mine = sorted(set(column.filter(pc.is_in(column, value_set=wanted)).to_pylist()))
            if mine:
                found[f"{name}/{i.raw.name}"] = mine
    return found


@dataclass(frozen=True)
class Without:
    """Writes a layer file, its ledger and its summary again without the text and marks of some documents."""

    ids: tuple[str, ...]
    version: int = 1

    def __call__(self, layer: Path, out: Path, mode: int) -> None:
        gone = pa.array(self.ids, pa.string())
        book = ledger.read(ledger_of(layer))
        mine = pc.is_in(book["id"], value_set=gone)
        # What the row says of the document goes too: nothing of it takes part in identity any more.
        blank = {"status": "dropped", "reason": REASON}
        for name in ("status", "reason", "detail", "marks", "kind", "created", "revision", "aliases", "retracted"):
            type = book.schema.field(name).type
            erased = pc.if_else(mine, pa.scalar(blank.get(name), type), book[name])
            book = book.set_column(book.schema.get_field_index(name), book.schema.field(name), erased)
        book = book.cast(ledger.SIFTED)
        kept = 0
        with writing(out, mode) as partial:
            reader = shards.open_shard(layer)
            with pa.ipc.new_file(str(partial), reader.schema, options=shards.ipc_options(None)) as file:
                for number in range(reader.num_record_batches):
                    batch = reader.get_batch(number)
                    batch = batch.filter(pc.invert(pc.is_in(batch.column("id"), value_set=gone)))
                    kept += len(batch)
                    if len(batch):
                        file.write_batch(batch)
            with writing(ledger_of(out), mode) as beside:
                with pa.ipc.new_file(str(beside), ledger.SIFTED, options=shards.ipc_options("lz4")) as file:
                    for batch in book.to_batches(max_chunksize=ledger.BATCH_ROWS):
                        file.write_batch(batch)
            counts = pc.value_counts(book["reason"].drop_null()).to_pylist()
            dropped = {pair["values"]: pair["counts"] for pair in counts}
            summary = {**manifest.read(summary_of(layer)), "kept": kept, "dropped": dropped}
            manifest.write(summary_of(out), summary, mode)


def without(
    inputs: Sequence[stages.Input], order: stages.Order, out: Path, files: Mapping[str, Sequence[str]]
) -> list[stages.Input]:
    """The inputs, with layers that lack these documents for the files that hold them (made when they are missing)."""
    root = out / "layers"
    count, sign = stages.beside(order, root)
    made, jobs = [], []
    for i in inputs:
        name = i.stream.source.name
        ids = files.get(f"{name}/{i.raw.name}")
        if ids:
            work = Without(tuple(ids))
            layer = Layer(root, f"{name}-erased", repr(work))
            key = layer.key(i.key)
            path = layer.path(i.raw.name, i.key)
            if not path.exists():
                jobs.append((work, i.layer, path, order.mode(i.stream)))
            tokens, signature = count.path(i.raw.name, key), sign.path(i.raw.name, key)
            i = replace(i, layer=path, key=key, tokens=tokens, signature=signature)
        made.append(i)
    if jobs:
        run(do, jobs, "erase")
    return made
