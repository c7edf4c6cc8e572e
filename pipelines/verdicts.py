"""Writes what became of every document of a part, beside its ledger; the last phase of a resolution."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus import shards
from corpus.files import writing
from pipelines import clusters, identity
from pipelines.columns import array, blocks, mapped, texts, truths
from pipelines.neighbours import Place, read_plan

VERDICT = pa.schema(
    [
        pa.field("status", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("detail", pa.string()),
        pa.field("twin", pa.string()),
        pa.field("similarity", pa.float64()),
        pa.field("family", pa.string()),  # of documents that stay and belong together; null for the others
    ]
)
NAMED = pa.schema([pa.field("id", pa.string())])
REASONS = (*identity.REASONS[1:], *clusters.REASONS[1:])


def names(plan: Path, number: int, asked: Path, out: Path) -> None:
    """Writes the ids of those of the sorted texts in `asked` that part `number` holds."""
    if out.exists():
        return
    place = read_plan(plan)[number]
    every = np.load(asked, mmap_mode="r")
    mine = every[slice(*np.searchsorted(every, (place.text, place.text + place.texts)))] - place.text
    with writing(out, 0o600) as partial, pa.ipc.new_file(str(partial), NAMED, options=shards.ipc_options(None)) as file:
        for first, batch in blocks(place.layer):
            here = mine[slice(*np.searchsorted(mine, (first, first + len(batch))))] - first
            if len(here):
                file.write_batch(pa.RecordBatch.from_arrays([batch.column("id").take(array(here))], schema=NAMED))


def save_names(path: Path, ids: pa.Array | pa.ChunkedArray) -> None:
    """Writes ids as NAMED."""
    with (
        writing(path, 0o600) as partial,
        pa.ipc.new_file(str(partial), NAMED, options=shards.ipc_options(None)) as file,
    ):
        file.write_table(pa.table([ids], schema=NAMED))


def row_ids(places: Sequence[Place], rows: np.ndarray) -> dict[int, str]:
    """The ids of sorted ledger rows."""
    found: dict[int, str] = {}
    for place in places:
        mine = rows[slice(*np.searchsorted(rows, (place.row, place.row + place.rows)))] - place.row
        if len(mine):
            ids = mapped(place.ledger).read_all().column("id").take(array(mine))
            found |= dict(zip((mine + place.row).tolist(), ids.to_pylist(), strict=True))
    return found


def verdict(plan: Path, number: int, work: Path, told: dict[int, str], out: Path) -> dict[str, Any]:
    """Writes a part's verdict; returns how many of its documents stay and why others do not.

    `told` gives, for rows of the part that a retraction takes out, the id that is retracted.
    """
    place = read_plan(plan)[number]
    if not out.exists():
        _write(place, work, told, out)
    kept, reasons = 0, {}
    for _, batch in blocks(out):
        for item in batch.column("reason").value_counts().to_pylist():
            if item["values"] is None:
                kept += item["counts"]
            else:
                reasons[item["values"]] = reasons.get(item["values"], 0) + item["counts"]
    return {"kept": kept, "reasons": reasons}


def _write(place: Place, work: Path, told: dict[int, str], out: Path) -> None:
    every = np.load(work / "decided.npy", mmap_mode="r")
    mine = every[slice(*np.searchsorted(every["text"], (place.text, place.text + place.texts)))]
    goes = mine["text"].astype(np.int64) - place.text
    twins = np.load(work / "twins.npy", mmap_mode="r")
    ids = mapped(work / "twins.arrow").read_all().column("id")
    related, family = np.load(work / "related.npy", mmap_mode="r"), np.load(work / "family.npy", mmap_mode="r")
    both = slice(*np.searchsorted(related, (place.text, place.text + place.texts)))
    related, family = related[both] - place.text, family[both]
    families = mapped(work / "families.arrow").read_all().column("id")
    out_of_play = np.load(work / "out.npy", mmap_mode="r")
    reasons, status = texts(REASONS), texts(["dropped", "kept"])
    text = 0
    with writing(out, Path(place.layer).stat().st_mode & 0o777) as partial:
        with pa.ipc.new_file(str(partial), VERDICT, options=shards.ipc_options("lz4")) as writer:
            for row, batch in blocks(place.ledger):
                kept = identity.equals(batch.column("status"), "kept").astype(bool)
                rows_kept = np.flatnonzero(kept)
                here = slice(*np.searchsorted(goes, (text, text + len(rows_kept))))
                at = rows_kept[goes[here] - text]
                code = np.array(out_of_play[place.row + row : place.row + row + len(batch)], np.int64)
                code[at] = len(identity.REASONS) - 1 + mine["why"][here]
                code[~kept] = 0
                twin = np.full(len(batch), -1, np.int64)
                twin[at] = np.searchsorted(twins, mine["twin"][here])
                similarity = np.full(len(batch), np.nan)
                similarity[at] = mine["similarity"][here]
                belongs = np.full(len(batch), -1, np.int64)
                here = slice(*np.searchsorted(related, (text, text + len(rows_kept))))
                belongs[rows_kept[related[here] - text]] = family[here]
                columns = [
                    status.take(array((kept & (code == 0)).astype(np.int8))),
                    pc.if_else(truths(kept), _taken(reasons, code - 1), batch.column("reason")),
                    _details(batch, row, kept, told),
                    _taken(ids, twin),
                    array(similarity, np.isnan(similarity)),
                    _taken(families, belongs),
                ]
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=VERDICT))
                text += len(rows_kept)


def _details(batch: pa.RecordBatch, first: int, kept: np.ndarray, told: dict[int, str]) -> pa.Array:
    column = batch.column("detail")
    mine = {row - first: id for row, id in told.items() if first <= row < first + len(batch) and kept[row - first]}
    if not mine:
        return column
    held = column.to_pylist()
    for row, id in mine.items():
        held[row] = f"{id} is retracted"
    return pa.array(held, pa.string())


def _taken(values: pa.Array | pa.ChunkedArray, places: np.ndarray) -> pa.Array:
    """Values at places; -1 gives null."""
    taken = values.take(array(places, places < 0))
    return taken.combine_chunks() if isinstance(taken, pa.ChunkedArray) else taken
