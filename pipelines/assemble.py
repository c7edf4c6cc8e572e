"""From layers and verdicts to a build's own files: the index of what may be drawn, shards, ledgers.

An *entry* is one file of the first layer with everything that was made from it. What stands in a shard
is named by (entry, row of its layer file, which tokens of it); the plan of a shard is an array of such
names, so a shard can be written by any worker, and is the same bytes whoever writes it.

A document of more tokens than the recipe's `sequence` stands in the stream as several rows, so that the
ratio holds on the way through it: its ids one after the other are the document's, BOS first and EOS last,
and `meta` says `piece`, `pieces`, and how many tokens are `before` it. Held-out documents are whole.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus import ledger, manifest, shards
from corpus.files import writing
from filters.surface import surface
from filters.tokens import Tokenizer
from pipelines.sift import ledger_of, lengths

CUT = np.dtype([("token", "<u4"), ("character", "<u4")])  # where a piece of a document begins
INDEX = np.dtype([("row", "<u4"), ("tokens", "<u4"), ("order", "<u8"), ("heldout", "?"), ("pieces", "<u4")])
# A piece is the tokens [token, token_end) and the characters [character, character_end) of a document.
NAMES = np.dtype(
    [
        ("entry", "<u4"),
        ("row", "<u4"),
        ("piece", "<u4"),
        ("pieces", "<u4"),
        ("token", "<u4"),
        ("token_end", "<u4"),
        ("character", "<u4"),
        ("character_end", "<u4"),
    ]
)
END = 2**32 - 1  # as an end: all that is left
# `first`: whether a document begins in the row of the stream
PLACES = np.dtype([("entry", "<u4"), ("row", "<u4"), ("shard", "<i4"), ("place", "<i8"), ("first", "?")])
_NOBODY = "patient:"  # the family of a note whose patient is not known
HELDOUT = -1  # in PLACES: kept for validation, in no shard of the stream
OPEN_FILES = 256  # mapped at once by one task, far below the usual limit of 1024 descriptors
GATHER = 16_000_000  # tokens that a task gathers at once: about 250 MB with their text
_AT_ONCE = 256  # long documents that are in memory while they are cut


@dataclass(frozen=True)
class Entry:
    """One raw file's way: its layer file, token ids and verdict, and whose it is."""

    source: str
    group: str
    name: str
    layer: Path
    tokens: Path
    verdict: Path


def save_entries(path: Path, entries: Sequence[Entry], mode: int = 0o644) -> None:
    """Writes the entries once, so that tasks get a path in place of thousands of them."""
    rows = [{name: str(getattr(entry, name)) for name in Entry.__dataclass_fields__} for entry in entries]
    manifest.write(path, rows, mode)


@lru_cache(maxsize=2)
def load_entries(path: Path) -> tuple[Entry, ...]:
    places = ("layer", "tokens", "verdict")
    return tuple(
        Entry(**{name: Path(value) if name in places else value for name, value in row.items()})
        for row in manifest.read(path)
    )


def save(path: Path, array: np.ndarray, mode: int = 0o644) -> None:
    with writing(path, mode) as partial, open(partial, "wb") as file:
        np.save(file, array, allow_pickle=False)


def cuts_of(index: Path) -> Path:
    """Where the pieces of an index's documents begin: CUT [all pieces], document by document."""
    return index.with_name(index.name.replace(".index.", ".cuts."))


def index(entry: Entry, out: Path, seed: int, heldout: float, tokenizer: Tokenizer, sequence: int, mode: int) -> None:
    """Writes which rows of a layer file stay, their tokens, their place in the draw: INDEX [kept].

    Beside it (`cuts_of`) stands where documents of more than `sequence` tokens are cut; 0 cuts none.

    A family (near copies and what shares a publication, or else a patient, or else the document with all
    that came of the same record: ids up to `#`) is held out when its own hash says so, so that it is
    held out whole, in every build with this seed. A note of a patient who may not be told apart (an empty
    `patient`: there was no key to seal it with) is never held out.
    """
    sifted = ledger.read(ledger_of(entry.layer)).column("status").to_numpy()
    verdicts = ledger.read(entry.verdict)
    verdict, kin = verdicts.column("status").to_numpy(), verdicts.column("family").to_pylist()
    assert len(sifted) == len(verdict), f"{entry.verdict} is not about {entry.layer}"
    stays = np.flatnonzero(verdict[sifted == "kept"] == "kept")
    kin = [kin[row] for row in np.flatnonzero(sifted == "kept")]
    counts = lengths(entry.tokens)
    reader = shards.open_shard(entry.layer)
    ids: list[str] = []
    families: list[str] = []
    for number in range(reader.num_record_batches):
        batch = reader.get_batch(number)
        names = batch.column("id").to_pylist()
        ids += names
        patients = pc.match_substring(batch.column("meta"), '"patient":').to_numpy(zero_copy_only=False)
        families += [
            _patient(batch.column("meta")[row].as_py()) if known else name.partition("#")[0]
            for row, (name, known) in enumerate(zip(names, patients, strict=True))
        ]
    families = [one if one == _NOBODY else other or one for one, other in zip(families, kin, strict=True)]
    assert len(ids) == len(counts) == int((sifted == "kept").sum()), f"{entry.tokens} is not about {entry.layer}"
    found = np.empty(len(stays), INDEX)
    found["row"] = stays
    found["tokens"] = counts[stays]
    found["order"] = [_hash(f"{seed} {ids[row]}") for row in stays]
    edge = int(heldout * 2**64)
    found["heldout"] = [families[row] != _NOBODY and _hash(f"heldout {seed} {families[row]}") < edge for row in stays]
    long = stays[~found["heldout"] & (counts[stays] > sequence)] if sequence else stays[:0]
    pieces = _pieces(entry, long, tokenizer, sequence)
    found["pieces"] = 1
    found["pieces"][np.searchsorted(stays, long)] = [len(piece) for piece in pieces]
    cuts = np.zeros(int(found["pieces"].sum()), CUT)
    if pieces:
        cuts[np.repeat(np.isin(stays, long), found["pieces"])] = np.concatenate(pieces)
    save(cuts_of(out), cuts, mode)
    save(out, found, mode)


def _pieces(entry: Entry, rows: np.ndarray, tokenizer: Tokenizer, sequence: int) -> list[np.ndarray]:
    """Where each document of these rows (sorted) is cut: CUT [pieces]. A prompt and its answer stay together."""
    found = []
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        counted = _rows(entry.tokens).take(some)
        texts = pc.utf8_length(_rows(entry.layer).take(some).column("text")).to_pylist()
        spelled = surface(tokenizer.kind, tokenizer.file, tokenizer.vocabulary)
        for ids, prompt, characters in zip(counted["tokens"], counted["prompt"].to_pylist(), texts, strict=True):
            held = ids.values.to_numpy()
            starts = [0] if prompt else spelled.cuts(held, sequence)
            cut = np.zeros(len(starts), CUT)
            cut["token"], cut["character"] = starts, spelled.places(held, starts, characters or 0)
            found.append(cut)
    return found


def _patient(meta: str) -> str:
    return f"{_NOBODY}{json.loads(meta)['patient']}"


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def write_shard(plan: Path, listed: Path, out: Path, width: int, text: bool, mode: int) -> None:
    """Writes the documents that `plan` (NAMES [rows]) names, in its order, as one Arrow file.

    `listed` is where `save_entries` wrote. Neighbours in the stream lie anywhere in the layers, and a
    batch of a layer costs as much to open for one row as for all: so as many rows as memory may hold
    (GATHER tokens) are gathered at once, and every batch is opened once for all of them.
    """
    entries = load_entries(listed)
    names = np.load(plan, mmap_mode="r")
    schema = shards.schema(width)
    with writing(out, mode) as partial, pa.ipc.new_file(str(partial), schema, options=shards.ipc_options(None)) as file:
        for start, stop in _stretches(names):
            for batch in _gather(names[start:stop], entries, schema, text).to_batches(shards.BATCH_ROWS):
                file.write_batch(batch)


def _stretches(names: np.ndarray) -> Iterator[tuple[int, int]]:
    """Stretches of whole batches (BATCH_ROWS rows), of about GATHER tokens."""
    ends = np.cumsum(names["token_end"].astype(np.int64) - names["token"])
    start = 0
    while start < len(names):
        begun = int(ends[start - 1]) if start else 0
        rows = int(np.searchsorted(ends, begun + GATHER)) - start
        stop = start + max(1, rows // shards.BATCH_ROWS) * shards.BATCH_ROWS
        yield start, min(stop, len(names))
        start = stop


def _gather(names: np.ndarray, entries: Sequence[Entry], schema: pa.Schema, text: bool) -> pa.Table:
    found: list[pa.Table] = []
    taken: list[np.ndarray] = []
    for number in np.unique(names["entry"]):
        mine = np.flatnonzero(names["entry"] == number)
        entry = entries[number]
        rows, of = np.unique(names["row"][mine], return_inverse=True)
        documents, counted = _rows(entry.layer).take(rows), _rows(entry.tokens).take(rows)
        columns = {field.name: documents.column(field.name) for field in schema if field.name in documents.column_names}
        columns |= {"tokens": counted.column("tokens"), "prompt": counted.column("prompt")}
        if not text:
            columns["text"] = pa.chunked_array([pa.nulls(len(documents), pa.string())])
        table = pa.table([columns[field.name] for field in schema], schema=schema)
        whole = names["pieces"][mine] == 1
        found += [table.take(pa.array(of[whole])), _pieces_of(table, names[mine[~whole]], of[~whole])]
        taken += [mine[whole], mine[~whole]]
    back = np.empty(len(names), np.int64)
    back[np.concatenate(taken)] = np.arange(len(names))
    return pa.concat_tables(found).combine_chunks().take(pa.array(back)).combine_chunks()


def _pieces_of(table: pa.Table, names: np.ndarray, of: np.ndarray) -> pa.Table:
    """The pieces that `names` mean of documents; `of` are their rows in `table`."""
    if not len(names):
        return table.slice(0, 0)
    tokens, texts, metas = [], [], []
    for name, row in zip(names, of.tolist(), strict=True):
        first, last = int(name["token"]), int(name["token_end"])
        tokens.append(table["tokens"][row].values[first:last])
        text = table["text"][row].as_py()
        texts.append(text and text[int(name["character"]) : int(name["character_end"])])
        told = {"piece": int(name["piece"]), "pieces": int(name["pieces"]), "before": first}
        metas.append(shards.meta_json(json.loads(table["meta"][row].as_py() or "{}") | told))
    offsets = np.concatenate([[0], np.cumsum([len(ids) for ids in tokens])]).astype(np.int32)
    kind = table.schema.field("tokens").type
    columns = {
        "text": pa.array(texts, pa.string()),
        "meta": pa.array(metas, pa.string()),
        "tokens": pa.ListArray.from_arrays(pa.array(offsets), pa.concat_arrays(tokens), type=kind),
    }
    rest = table.select([name for name in table.column_names if name not in columns]).take(pa.array(of))
    columns |= {name: rest[name] for name in rest.column_names}
    return pa.table([columns[field.name] for field in table.schema], schema=table.schema)


class _Rows:
    """Single rows of a mapped Arrow file."""

    def __init__(self, path: Path) -> None:
        self.reader = shards.open_shard(path)
        sizes = [self.reader.get_batch(number).num_rows for number in range(self.reader.num_record_batches)]
        self.starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    def take(self, rows: np.ndarray) -> pa.Table:
        """The rows (sorted, repetitions allowed), copied out of the batches that hold them."""
        batch_of, begins = np.unique(np.searchsorted(self.starts, rows, side="right") - 1, return_index=True)
        pieces = []
        for number, some in zip(batch_of.tolist(), np.split(rows, begins[1:]), strict=True):
            batch = self.reader.get_batch(number)
            pieces.append(pa.Table.from_batches([batch]).take(pa.array(some - self.starts[number])))
        return pa.concat_tables(pieces)


@lru_cache(maxsize=OPEN_FILES)
def _rows(path: Path) -> _Rows:
    return _Rows(path)


def write_ledger(source: str, group: str, listed: Path, places: Path, out: Path, mode: int) -> None:
    """Writes the build's ledger of one source, file by file in their order.

    `places` (PLACES, sorted by entry, row, shard, place) says where every drawn row stands.
    """
    spots = np.load(places, mmap_mode="r")
    with writing(out, mode) as partial:
        with pa.ipc.new_file(str(partial), ledger.BUILT, options=shards.ipc_options("lz4")) as file:
            for number, entry in enumerate(load_entries(listed)):
                if entry.source != source:
                    continue
                first, last = np.searchsorted(spots["entry"], [number, number + 1])
                table = _judged(entry, source, group, spots[first:last])
                for batch in table.to_batches(max_chunksize=ledger.BATCH_ROWS):
                    file.write_batch(batch)


def rows_of(path: Path) -> int:
    reader = shards.open_shard(path)
    return sum(reader.get_batch(number).num_rows for number in range(reader.num_record_batches))


def _judged(entry: Entry, source: str, group: str, spots: np.ndarray) -> pa.Table:
    sifted = ledger.read(ledger_of(entry.layer))
    verdict = ledger.read(entry.verdict)
    n = len(sifted)
    status = verdict.column("status").to_numpy().astype(object)
    reason = verdict.column("reason").to_numpy(zero_copy_only=False).astype(object)
    detail = verdict.column("detail").to_numpy(zero_copy_only=False).astype(object)
    kept = np.flatnonzero(sifted.column("status").to_numpy() == "kept")  # layer row -> ledger row
    tokens = np.full(n, -1, np.int64)
    tokens[kept] = lengths(entry.tokens)
    at = kept[spots["row"]]
    inside = spots["shard"] != HELDOUT
    draws = np.bincount(at[inside & spots["first"]], minlength=n).astype(np.int32)
    places = np.bincount(at[inside], minlength=n)
    held = np.zeros(n, bool)
    held[at[~inside]] = True
    stays = status == "kept"
    status[stays & held] = "heldout"
    unused = stays & ~held & (draws == 0)
    status[unused], reason[unused] = "dropped", "mix.unused"
    detail[unused] = "the budget was full before its turn"
    offsets = pa.array(np.concatenate([[0], np.cumsum(places)]).astype(np.int32))
    drawn = spots[inside]
    none = pa.array(draws == 0)
    columns = {name: sifted.column(name) for name in ("id", "source", "file", "position", "marks", "chars", "kind")}
    columns |= {
        "status": pa.array(status, pa.string()),
        "reason": pa.array(reason, pa.string()),
        "detail": pa.array(detail, pa.string()),
        "group": pa.array([group] * n, pa.string()),
        "twin": verdict.column("twin"),
        "similarity": verdict.column("similarity").cast(pa.float64()),
        "tokens": pa.array(tokens, pa.int64(), mask=tokens < 0),
        "draws": pa.array(draws),
        "shard": pa.ListArray.from_arrays(offsets, pa.array(drawn["shard"]), mask=none),
        "row": pa.ListArray.from_arrays(offsets, pa.array(drawn["place"]), mask=none),
    }
    return pa.table([columns[field.name] for field in ledger.BUILT], schema=ledger.BUILT)
