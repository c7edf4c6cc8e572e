"""Which rows of the ledgers are one document, and which documents are one publication.

Rows with one id are revisions of one document: the largest revision stands, a deletion in it
stands for all, and among equal ones the first by file and position. Documents that share a PMID,
a PMCID or a DOI are one publication. A name that two publications bear joins none: where a group
comes to hold two PMIDs or two PMCIDs it is joined again without DOIs, and then by PMID alone.

Rows are numbered through all ledgers, ordered by source, file and key; so every tie has an answer
that does not depend on the order of arrival. Work is cut by ranges of hashes, so that memory stays
within what it is given; what comes out does not depend on the cuts.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from corpus import shards
from corpus.files import writing
from pipelines import buckets, minhash
from pipelines.columns import array, batches, blocks, in_range, joined, numbers, save, strings, texts

KEPT, DELETED, RETRACTED = 1, 2, 4  # flags of a row
ALIASES = ("pmid:", "pmcid:", "doi:")  # strongest first
SUPERSEDED, REPEATED, GONE, WITHDRAWN = 1, 2, 3, 4  # why a row is out of play
REASONS = (None, "identity.superseded", "identity.repeated", "identity.deleted", "identity.retracted")
LOSERS = np.dtype([("row", "<i8"), ("why", "u1")])
JOINS = np.dtype([("one", "<i8"), ("two", "<i8"), ("kind", "u1")])
PUBLICATIONS = np.dtype([("row", "<i8"), ("name", "<i8")])  # a publication is named by its first row
_LOWEST = np.iinfo(np.int64).min

LEDGER = ("id", "status", "reason", "kind", "created", "revision", "aliases", "retracted")  # what is read of it
FACTS = pa.schema(
    [
        *(pa.field(name, pa.uint64()) for name in ("id0", "id1", "pmid", "pmcid", "doi")),
        pa.field("kind", pa.uint8()),  # place in the settings' kinds
        pa.field("created", pa.uint32()),
        pa.field("flags", pa.uint8()),
        pa.field("revision", pa.list_(pa.int64())),
    ]
)


def facts(ledger: Path, out: Path, kinds: Sequence[str]) -> None:
    """Writes what identity needs of a ledger, row for row, as FACTS."""
    with writing(out, 0o600) as partial:
        with pa.ipc.new_file(str(partial), FACTS, options=shards.ipc_options(None)) as writer:
            for _, batch in blocks(ledger, LEDGER):
                writer.write_batch(_facts(batch, kinds))


def _facts(batch: pa.RecordBatch, kinds: Sequence[str]) -> pa.RecordBatch:
    column = {name: batch.column(name) for name in batch.schema.names}
    rows = len(batch)
    ids = minhash.hash_strings(*strings(column["id"]))
    names = np.zeros((len(ALIASES), rows), np.uint64)
    listed = column["aliases"]
    row = np.repeat(np.arange(rows), np.diff(numbers(listed.offsets)))
    data, offsets = strings(listed.flatten())
    hashes = minhash.hash_strings(data, offsets)[0] | np.uint64(1)  # 0 is no alias
    if len(hashes):  # `doi:…`, `pmid:…` or `pmcid:…`: the first and the third letter tell
        first, third = data[offsets[:-1]], data[offsets[:-1] + 2]
        names[np.where(first == ord("d"), 2, np.where(third == ord("c"), 1, 0)), row] = hashes
    kind = np.full(rows, len(kinds), np.uint8)
    of_kind = minhash.hash_strings(*strings(column["kind"]))[0]
    for place, named in enumerate(minhash.hash_strings(*strings(texts(kinds)))[0]):
        kind[of_kind == named] = place
    flags = (
        KEPT * equals(column["status"], "kept")
        + DELETED * equals(column["reason"], "source.deleted")
        + RETRACTED * numbers(column["retracted"].is_valid().cast(pa.uint8()))
    )
    return pa.RecordBatch.from_arrays(
        [
            *(array(values) for values in (*ids, *names)),
            array(kind),
            array(minhash.days(*strings(column["created"]))),
            array(flags.astype(np.uint8)),
            column["revision"],
        ],
        schema=FACTS,
    )


def equals(column: pa.Array, text: str) -> np.ndarray:
    """Which strings are `text`, uint8."""
    return (minhash.hash_strings(*strings(column)) == minhash.hash_strings(*strings(texts([text])))).all(
        axis=0
    ) * np.uint8(1)


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
        for number, batch in blocks(path):
            low, high = np.searchsorted(rows, (start + number, start + number + len(batch)))
            mine = rows[low:high] - start - number
            if not len(mine):
                continue
            taken = batch.column("revision").take(array(mine))
            length = np.diff(numbers(taken.offsets)).astype(np.int64)
            padded = np.full((int(length.max(initial=0)), len(mine)), _LOWEST)
            ends = np.cumsum(length)
            values = numbers(taken.flatten())
            for place in range(len(padded)):
                there = length > place
                padded[place, there] = values[(ends - length + place)[there]]
            pieces.append(padded)
            flags.append(numbers(batch.column("flags"))[mine])
    longest = max((len(piece) for piece in pieces), default=0)
    whole = np.full((longest, len(rows)), _LOWEST)
    at = 0
    for piece in pieces:
        whole[: len(piece), at : at + piece.shape[1]] = piece
        at += piece.shape[1]
    return whole, np.concatenate(flags) if flags else np.zeros(0, np.uint8)


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


def publications(edges: np.ndarray, files: Sequence[tuple[Path, int]]) -> np.ndarray:
    """PUBLICATIONS of the rows that share one with another, sorted by row; `edges` are all JOINS of these rows."""
    rows = np.unique(np.concatenate([edges["one"], edges["two"]])) if len(edges) else np.zeros(0, np.int64)
    one, two = np.searchsorted(rows, edges["one"]), np.searchsorted(rows, edges["two"])
    pmid, pmcid = _names(files, rows)
    group = buckets.components(one, two, len(rows))
    for kinds in (2, 1):  # without DOIs, then by PMID alone
        torn = _conflicts(group, pmid) | (_conflicts(group, pmcid) if kinds == 2 else False)
        if not torn.any():
            break
        weaker = torn[one] & (edges["kind"] >= kinds)
        one, two, edges = one[~weaker], two[~weaker], edges[~weaker]
        group = buckets.components(one, two, len(rows))
    size = np.bincount(group, minlength=len(rows))[group]
    found = np.empty(int((size > 1).sum()), PUBLICATIONS)
    found["row"], found["name"] = rows[size > 1], rows[group[size > 1]]
    return found


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


def retracted(files: Sequence[tuple[Path, int]], out_of_play: np.ndarray) -> np.ndarray:
    """Rows in play that say that they are retracted, sorted, int64."""
    said = [
        start + first + np.flatnonzero(flags & RETRACTED)
        for path, start in files
        for first, (flags,) in batches(path, ("flags",))
    ]
    rows = np.concatenate([np.zeros(0, np.int64), *said])
    return rows[out_of_play[rows] == 0]


def withdrawn(said: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Of PUBLICATIONS: rows that a retraction of theirs takes out, and the row that says so, int64 [n, 2], sorted."""
    grouped = np.flatnonzero(np.isin(found["row"], said))
    retracted, first = np.unique(found["name"][grouped], return_index=True)
    place = np.searchsorted(retracted, found["name"])
    place[place == len(retracted)] = 0
    taken = np.flatnonzero(retracted[place] == found["name"]) if len(retracted) else np.zeros(0, np.int64)
    return np.stack([found["row"][taken], found["row"][grouped[first[place[taken]]]]], axis=1)
