"""Writes what became of every document of a part, beside its ledger; the last phase of a resolution."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus import shards
from corpus.files import writing
from pipelines import identity, runs
from pipelines.columns import array, blocks, truths
from pipelines.columns import texts as texts_of
from pipelines.neighbours import Place, read_plan, slices

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
REASONS = (
    *identity.REASONS[1:],
    *("identity.fulltext", "identity.publication", "duplicate.exact", "duplicate.near"),  # clusters.FULLTEXT to NEAR
)


def ids(plan: Path, texts: np.ndarray) -> pa.Array:
    """The ids of sorted texts."""
    found = [batch.column("id") for place, part in slices(read_plan(plan), texts) for batch in _ids(place, texts[part])]
    return pa.chunked_array(found, pa.string()).combine_chunks()


def _ids(place: Place, texts: np.ndarray) -> Iterator[pa.RecordBatch]:
    """The ids of sorted texts of a part, from its ledger, as batches of NAMED."""
    if place.ledger:
        text = place.text
        for _, batch in blocks(place.ledger, ("id", "status")):
            kept = np.flatnonzero(identity.equals(batch.column("status"), "kept"))
            mine = texts[slice(*np.searchsorted(texts, (text, text + len(kept))))] - text
            if len(mine):
                yield pa.RecordBatch.from_arrays([batch.column("id").take(array(kept[mine]))], schema=NAMED)
            text += len(kept)
    else:  # planted
        yield pa.RecordBatch.from_arrays(
            [texts_of([f"planted:{text - place.text:06d}" for text in texts])], schema=NAMED
        )


def names(plan: Path, number: int, asked: Path, out: Path) -> None:
    """Writes the ids of those of the sorted texts (uint32) in `asked` that part `number` holds."""
    if out.exists():
        return
    place = read_plan(plan)[number]
    mine = within(runs.mapped(asked), place).astype(np.int64)
    with writing(out, 0o600) as partial, pa.ipc.new_file(str(partial), NAMED, options=shards.ipc_options(None)) as file:
        for batch in _ids(place, mine):
            file.write_batch(batch)


def within(texts: np.ndarray, place: Place) -> np.ndarray:
    """Those of sorted texts (uint32) that a part holds."""
    return texts[slice(*np.searchsorted(texts, np.array([place.text, place.text + place.texts], np.uint32)))]


def save_names(path: Path, batches: Iterable[pa.RecordBatch]) -> None:
    """Writes batches of NAMED as one file."""
    with (
        writing(path, 0o600) as partial,
        pa.ipc.new_file(str(partial), NAMED, options=shards.ipc_options(None)) as file,
    ):
        for batch in batches:
            file.write_batch(batch)


def named(path: Path | str, places: np.ndarray) -> pa.Array:
    """The ids at sorted places of an Arrow file with such a column."""
    found = []
    for first, batch in blocks(path, ("id",)):
        mine = places[slice(*np.searchsorted(places, (first, first + len(batch))))] - first
        if len(mine):
            found.append(batch.column("id").take(array(mine)))
    return pa.chunked_array(found, pa.string()).combine_chunks()


def row_ids(places: Sequence[Place], rows: np.ndarray) -> dict[int, str]:
    """The ids of sorted ledger rows."""
    found: dict[int, str] = {}
    for place in places:
        mine = rows[slice(*np.searchsorted(rows, (place.row, place.row + place.rows)))] - place.row
        if len(mine):
            found |= dict(zip((mine + place.row).tolist(), named(place.ledger, mine).to_pylist(), strict=True))
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
    mine = runs.between(runs.mapped(work / "decided.npy"), "text", place.text, place.text + place.texts)
    goes = mine["text"].astype(np.int64) - place.text
    twins, twin_of = np.unique(mine["twin"], return_inverse=True)
    ids = named(work / "twins.arrow", np.searchsorted(runs.mapped(work / "twins.npy"), twins))
    kin = runs.between(runs.mapped(work / "related.npy"), "text", place.text, place.text + place.texts)
    related = kin["text"].astype(np.int64) - place.text
    known, family = np.unique(kin["family"], return_inverse=True)
    families = named(work / "families.arrow", known)
    out_of_play = np.load(work / "out.npy", mmap_mode="r")
    reasons, status = texts_of(REASONS), texts_of(["dropped", "kept"])
    text = 0
    with writing(out, Path(place.ledger).stat().st_mode & 0o777) as partial:
        with pa.ipc.new_file(str(partial), VERDICT, options=shards.ipc_options("lz4")) as writer:
            for row, batch in blocks(place.ledger, ("status", "reason", "detail")):
                kept = identity.equals(batch.column("status"), "kept").astype(bool)
                rows_kept = np.flatnonzero(kept)
                here = slice(*np.searchsorted(goes, (text, text + len(rows_kept))))
                at = rows_kept[goes[here] - text]
                code = np.array(out_of_play[place.row + row : place.row + row + len(batch)], np.int64)
                code[at] = len(identity.REASONS) - 1 + mine["why"][here]
                code[~kept] = 0
                twin = np.full(len(batch), -1, np.int64)
                twin[at] = twin_of[here]
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
