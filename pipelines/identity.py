"""Which rows of the ledgers are one document, and which documents are one publication.

Rows with one id are revisions of one document: the largest revision stands, a deletion in it
stands for all, and among equal ones the first by file and position. Documents that share a PMID,
a PMCID or a DOI are one publication. A name that two publications bear joins none: where a group
comes to hold two PMIDs or two PMCIDs it is joined again without DOIs, and then by PMID alone.

Rows are numbered through all ledgers, ordered by source, file and key; so every tie has an answer
that does not depend on the order of arrival. Work is cut by ranges of hashes, so that memory stays
within what it is given; what comes out does not depend on the cuts.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus import shards
from corpus.files import writing
from pipelines import minhash

KEPT, DELETED, RETRACTED = 1, 2, 4  # flags of a row
ALIASES = ("pmid:", "pmcid:", "doi:")  # strongest first
SUPERSEDED, REPEATED, GONE, WITHDRAWN = 1, 2, 3, 4  # why a row is out of play
REASONS = (None, "identity.superseded", "identity.repeated", "identity.deleted", "identity.retracted")
LOSERS = np.dtype([("row", "<i8"), ("why", "u1")])
JOINS = np.dtype([("one", "<i8"), ("two", "<i8"), ("kind", "u1")])
_LOWEST = np.iinfo(np.int64).min

FACTS = pa.schema(
    [
        *(pa.field(name, pa.uint64()) for name in ("id0", "id1", "pmid", "pmcid", "doi")),
        pa.field("kind", pa.uint8()),  # place in the settings' kinds
        pa.field("created", pa.uint32()),
        pa.field("flags", pa.uint8()),
        pa.field("revision", pa.list_(pa.int64())),
    ]
)


def strings(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Bytes (uint8) and offsets (int64 [n + 1]) of an Arrow string array; null is empty."""
    width = np.int64 if pa.types.is_large_string(column.type) else np.int32
    _, ends, data = column.buffers()
    offsets = np.frombuffer(ends, width)[column.offset : column.offset + len(column) + 1].astype(np.int64)
    held = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(1, np.uint8)[:0]
    return held, offsets


def save(path: Path, array: np.ndarray) -> None:
    with writing(path, 0o600) as partial, open(partial, "wb") as file:
        np.save(file, array, allow_pickle=False)


def facts(ledger: Path, out: Path, kinds: Sequence[str]) -> None:
    """Writes what identity needs of a ledger, row for row, as FACTS."""
    reader = shards.open_shard(ledger)
    with writing(out, 0o600) as partial:
        with pa.ipc.new_file(str(partial), FACTS, options=shards.ipc_options(None)) as writer:
            for number in range(reader.num_record_batches):
                writer.write_batch(_facts(reader.get_batch(number), kinds))


def _facts(batch: pa.RecordBatch, kinds: Sequence[str]) -> pa.RecordBatch:
    column = {name: batch.column(name) for name in batch.schema.names}
    rows = len(batch)
    ids = minhash.hash_strings(*strings(column["id"]))
    names = np.zeros((len(ALIASES), rows), np.uint64)
    listed = column["aliases"]
    row = pc.list_parent_indices(listed).to_numpy()
    flat = listed.flatten()
    hashes = minhash.hash_strings(*strings(flat))[0] | np.uint64(1)  # 0 is no alias
    for place, prefix in enumerate(ALIASES):
        mine = _true(pc.starts_with(flat, prefix))
        names[place, row[mine]] = hashes[mine]
    kind = pc.index_in(column["kind"], pa.array(kinds, pa.string()))
    flags = (
        KEPT * _true(pc.equal(column["status"], "kept")).astype(np.uint8)
        + DELETED * _true(pc.equal(column["reason"], "source.deleted")).astype(np.uint8)
        + RETRACTED * _true(pc.is_valid(column["retracted"])).astype(np.uint8)
    )
    return pa.RecordBatch.from_arrays(
        [
            *(pa.array(values) for values in (*ids, *names)),
            pa.array(pc.fill_null(kind, len(kinds)).to_numpy(zero_copy_only=False).astype(np.uint8)),
            pa.array(minhash.days(*strings(column["created"]))),
            pa.array(flags.astype(np.uint8)),
            column["revision"],
        ],
        schema=FACTS,
    )


def _true(mask: pa.Array) -> np.ndarray:
    return pc.fill_null(mask, False).to_numpy(zero_copy_only=False).astype(bool)


def batches(path: Path, names: Sequence[str]) -> Iterator[tuple[int, list[np.ndarray]]]:
    """First row and the named columns, mapped, of every batch of an uncompressed Arrow file."""
    reader = shards.open_shard(path)
    first = 0
    for number in range(reader.num_record_batches):
        batch = reader.get_batch(number)
        yield first, [batch.column(name).to_numpy() for name in names]
        first += len(batch)


def revisions(files: Sequence[tuple[Path, int]], low: int, high: int, out: Path) -> None:
    """Writes LOSERS among the rows whose id's top 16 bits are in [low, high): all but one of an id.

    `files` are the facts with their first row's number.
    """
    found: list[list[np.ndarray]] = []
    for path, start in files:
        for first, (id0, id1) in batches(path, ("id0", "id1")):
            mine = np.flatnonzero(in_range(id0, low, high))
            found.append([id0[mine], id1[mine], start + first + mine])
    id0, id1, row = joined(found, (np.uint64, np.uint64, np.int64))
    order = np.argsort(id0, kind="stable")
    same = id0[order[1:]] == id0[order[:-1]]
    several = np.zeros(len(order), bool)
    several[1:] |= same
    several[:-1] |= same
    mine = np.sort(row[order[several]])
    held = order[several][np.argsort(row[order[several]])]
    id0, id1 = id0[held], id1[held]
    revision, flags = _revisions(files, mine)
    order = np.lexsort((mine, *(-revision[::-1] - 1), id1, id0))  # -x - 1 turns the order, without overflow
    id0, id1, mine, flags, revision = id0[order], id1[order], mine[order], flags[order], revision[:, order]
    head = np.ones(len(mine), bool)
    head[1:] = (id0[1:] != id0[:-1]) | (id1[1:] != id1[:-1])
    of = np.flatnonzero(head)[np.cumsum(head) - 1] if len(mine) else np.zeros(0, np.int64)
    equal = (revision == revision[:, of]).all(axis=0)
    why = np.where(flags[of] & DELETED, GONE, np.where(equal, REPEATED, SUPERSEDED)).astype(np.uint8)
    losers = np.zeros(int((~head).sum()), LOSERS)
    losers["row"], losers["why"] = mine[~head], why[~head]
    save(out, np.sort(losers, order="row"))


def _revisions(files: Sequence[tuple[Path, int]], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Revisions as int64 [longest, rows], padded below every number, and flags, of sorted rows."""
    pieces: list[np.ndarray] = []
    flags: list[np.ndarray] = []
    for path, start in files:
        reader = shards.open_shard(path)
        for number in range(reader.num_record_batches):
            batch = reader.get_batch(number)
            first, last = np.searchsorted(rows, (start, start + len(batch)))
            mine = rows[first:last] - start
            start += len(batch)
            if not len(mine):
                continue
            taken = batch.column("revision").take(pa.array(mine))
            length = pc.fill_null(pc.list_value_length(taken), 0).to_numpy(zero_copy_only=False).astype(np.int64)
            padded = np.full((int(length.max(initial=0)), len(mine)), _LOWEST)
            ends = np.cumsum(length)
            values = taken.flatten().to_numpy()
            for place in range(len(padded)):
                there = length > place
                padded[place, there] = values[(ends - length + place)[there]]
            pieces.append(padded)
            flags.append(batch.column("flags").to_numpy()[mine])
    longest = max((len(piece) for piece in pieces), default=0)
    whole = np.full((longest, len(rows)), _LOWEST)
    at = 0
    for piece in pieces:
        whole[: len(piece), at : at + piece.shape[1]] = piece
        at += piece.shape[1]
    return whole, np.concatenate(flags) if flags else np.zeros(0, np.uint8)


def in_range(values: np.ndarray, low: int, high: int) -> np.ndarray:
    """Whether the top 16 bits of 64 are in [low, high)."""
    if (low, high) == (0, 1 << 16):
        return np.ones(len(values), bool)
    top = values >> np.uint64(48)
    return (top >= low) & (top < high)


def joined(pieces: list[list[np.ndarray]], kinds: Sequence[type]) -> list[np.ndarray]:
    """Pieces of parallel arrays, end to end."""
    return [
        np.concatenate([piece[place] for piece in pieces]) if pieces else np.zeros(0, kind)
        for place, kind in enumerate(kinds)
    ]


def joins(files: Sequence[tuple[Path, int]], out_of_play: Path, low: int, high: int, out: Path) -> None:
    """Writes JOINS: rows in play that share an alias whose top 16 bits are in [low, high)."""
    out_rows = np.load(out_of_play, mmap_mode="r")
    found: list[list[np.ndarray]] = []
    for path, start in files:
        for first, (flags, *names) in batches(path, ("flags", "pmid", "pmcid", "doi")):
            there = start + first
            plays = (out_rows[there : there + len(flags)] == 0) & ((flags & DELETED) == 0)
            for kind, hashes in enumerate(names):
                mine = np.flatnonzero(plays & (hashes != 0) & in_range(hashes, low, high))
                found.append([hashes[mine], there + mine, np.full(len(mine), kind, np.uint8)])
    hashes, row, kind = joined(found, (np.uint64, np.int64, np.uint8))
    order = np.lexsort((row, kind, hashes))
    hashes, row, kind = hashes[order], row[order], kind[order]
    head = np.ones(len(row), bool)
    head[1:] = (hashes[1:] != hashes[:-1]) | (kind[1:] != kind[:-1])
    of = np.flatnonzero(head)[np.cumsum(head) - 1] if len(row) else np.zeros(0, np.int64)
    edges = np.zeros(int((~head).sum()), JOINS)
    edges["one"], edges["two"], edges["kind"] = row[of][~head], row[~head], kind[~head]
    save(out, np.sort(edges, order=("one", "two", "kind")))


def publications(edges: np.ndarray, files: Sequence[tuple[Path, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Rows that share a publication with another (sorted, int64), and the publication of each.

    A publication is named by its first row. `edges` are JOINS.
    """
    rows = np.unique(np.concatenate([edges["one"], edges["two"]])) if len(edges) else np.zeros(0, np.int64)
    one, two = np.searchsorted(rows, edges["one"]), np.searchsorted(rows, edges["two"])
    pmid, pmcid = _names(files, rows)
    group = minhash.components(one, two, len(rows))
    for kinds in (2, 1):  # without DOIs, then by PMID alone
        torn = _conflicts(group, pmid) | (_conflicts(group, pmcid) if kinds == 2 else False)
        if not torn.any():
            break
        weaker = torn[one] & (edges["kind"] >= kinds)
        one, two, edges = one[~weaker], two[~weaker], edges[~weaker]
        group = minhash.components(one, two, len(rows))
    size = np.bincount(group, minlength=len(rows))[group]
    return rows[size > 1], rows[group[size > 1]]


def _conflicts(group: np.ndarray, name: np.ndarray) -> np.ndarray:
    """Whether each row's group holds two different names (0 is none)."""
    torn = np.zeros(len(group), bool)
    named = np.flatnonzero(name)
    order = named[np.lexsort((name[named], group[named]))]
    differs = (group[order[1:]] == group[order[:-1]]) & (name[order[1:]] != name[order[:-1]])
    torn[group[order[1:]][differs]] = True
    return torn[group]


def _names(files: Sequence[tuple[Path, int]], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    pmid, pmcid = np.zeros(len(rows), np.uint64), np.zeros(len(rows), np.uint64)
    for path, start in files:
        for first, (one, two) in batches(path, ("pmid", "pmcid")):
            low, high = np.searchsorted(rows, (start + first, start + first + len(one)))
            mine = rows[low:high] - start - first
            pmid[low:high], pmcid[low:high] = one[mine], two[mine]
    return pmid, pmcid
