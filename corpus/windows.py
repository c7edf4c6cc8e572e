"""Windows: which pieces of which documents one step of training reads, as an index beside a build.

Packing
  best-fit  Documents longer than a window are cut at its length; what remains is put where the least
            room stays (best-fit decreasing, arXiv 2404.10830), block by block of 2048 windows' worth of
            tokens, so that the order of the build holds. Within a block they come in an order (corpus.pacing)
            in which every prefix has the groups' shares.
  concat    The stream is cut every `sequence` tokens; windows run across documents (the paper's way).

Every token of the build stands in exactly one window, but for instructions (rows with a prompt) that are
longer than a window: best-fit reads them up to its length, because what follows would be an answer to
nothing, and not at all where the prompt alone fills it. The index is the same for every rank, batch
size and machine. The trainer reads windows through it, and `pipelines.trace` says what they hold.
"""

import hashlib
import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from corpus.files import BadInput, writing
from corpus.shards import open_shard

BLOCK = 2048  # windows' worth of tokens that are packed together: at most one poorly filled window a block
PIECE = np.dtype([("row", "<u4"), ("start", "<u4"), ("length", "<u4")])
BATCH = np.dtype([("first", "<i8"), ("shard", "<u4"), ("batch", "<u4")])  # first row of a record batch, and where it is
PACKINGS = ("best-fit", "concat")
_VERSION = 3  # of the index: goes up when the same build would give other windows


@dataclass(frozen=True)
class Index:
    """The windows of a build (or of a held-out part), mapped from a folder that `index` wrote.

    `pieces` PIECE [pieces], window by window; `ends` int64 [windows + 1] says where each window's pieces
    end, after a 0; `shortened` and `left_out` count instructions that are longer than a window; `batches`
    BATCH [record batches] and their `first` rows; `group` uint8 [rows of the stream].
    """

    shards: tuple[Path, ...]
    groups: tuple[str, ...]
    tokens: int
    documents: int
    count: int
    shortened: int
    left_out: int
    pieces: np.ndarray
    ends: np.ndarray
    batches: np.ndarray
    first: np.ndarray
    group: np.ndarray

    def window(self, place: int) -> np.ndarray:
        """The pieces of the packed window at `place`: row of the document in the stream, start in it, length."""
        return self.pieces[self.ends[place] : self.ends[place + 1]]

    def windows(self, places: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """The pieces of some packed windows, one after the other, and where each window's end in them.

        -1 is a window without any.
        """
        at = np.array(places, np.int64)
        first = self.ends[at]
        many = np.where(at < 0, 0, self.ends[np.minimum(at + 1, self.count)] - first)
        ends = np.cumsum(many)
        if len(at) and (first[1:] == first[:-1] + many[:-1]).all():  # one after the other, as they are read
            return self.pieces[first[0] : first[0] + ends[-1]], ends
        return self.pieces[np.repeat(first - ends + many, many) + np.arange(int(many.sum()))], ends

    def batch_of(self, row: int) -> int:
        """Which of `batches` holds a row of the stream."""
        return int(np.searchsorted(self.first, row, side="right")) - 1


def entries(content: Mapping[str, Any], build: Path, part: str | None = None) -> list[Mapping[str, Any]]:
    """The manifest's shards of the stream, or the held-out ones of a group. Raises BadInput when there are none."""
    found = [item for item in content.get("heldout", []) if item["group"] == part] if part else content["shards"]
    if not found:
        raise BadInput(f"{build}: the manifest names no held-out shard of the group {part!r}")
    return list(found)


def index(
    build: Path, content: Mapping[str, Any], sequence: int, packing: str, cache: Path, part: str | None = None
) -> Index:
    """The index of a build's windows, made in the folder `cache` when it is not there.

    It takes 12 bytes a piece on disk; `content` is the build's manifest. Raises ValueError for an
    unknown packing and BadInput for shards without tokens.
    """
    if packing not in PACKINGS:
        raise ValueError(f"packing {packing!r} is unknown; known are {', '.join(PACKINGS)}")
    held = entries(content, build, part)
    shards = tuple(build / item["path"] for item in held)
    groups = tuple(sorted({source["group"] for source in content["sources"]}))
    group_of = {source["name"]: groups.index(source["group"]) for source in content["sources"]}
    named = [_VERSION, [[item["path"], item["sha256"]] for item in held], sequence, packing, BLOCK, groups]
    key = hashlib.sha256(json.dumps(named).encode()).hexdigest()[:16]
    folder = cache / f"{packing}-{sequence}-{key}"
    if not folder.exists():
        _write(folder, shards, sequence, packing, group_of)
    about = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    if not about["windows"]:
        raise BadInput(f"{build}: its shards hold no tokens; nothing can be trained on")

    def mapped(name: str, dtype: Any) -> np.ndarray:
        return np.asarray(np.memmap(folder / name, dtype=dtype, mode="r"))  # a memmap's own slices are slow

    batches = np.fromfile(folder / "batches.bin", dtype=BATCH)
    return Index(
        shards,
        groups,
        about["tokens"],
        about["documents"],
        about["windows"],
        about["shortened"],
        about["left_out"],
        mapped("pieces.bin", PIECE),
        mapped("ends.bin", "<i8"),
        batches,
        np.ascontiguousarray(batches["first"]),  # searched for every piece: a strided one would be copied
        mapped("groups.bin", "u1"),
    )


def place(k: int, count: int, shuffle: int = 0, seed: int = 0) -> int:
    """Which of `count` packed windows is the k-th to be read: k itself unless shuffled; k runs on over epochs.

    `shuffle` permutes windows within consecutive buffers of that size, anew in every epoch.
    """
    epoch, k = divmod(k, count)
    if shuffle < 2:
        return k
    buffer = k // shuffle
    first = buffer * shuffle
    return first + permuted(k - first, min(shuffle, count - first), f"{seed}/{epoch}/{buffer}")


def permuted(index: int, size: int, key: str) -> int:
    """Where a keyed permutation of range(size) takes an index: a 4-round Feistel network with cycle walking.

    Needs no memory and gives the same order on every machine and version (its rounds are BLAKE2b).
    """
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    mask = (1 << half) - 1
    while True:
        left, right = index >> half, index & mask
        for turn in range(4):
            drawn = hashlib.blake2b(f"{key}/{turn}/{right}".encode(), digest_size=8).digest()
            left, right = right, left ^ (int.from_bytes(drawn, "little") & mask)
        index = left << half | right
        if index < size:
            return index


def _lengths(
    shards: Sequence[Path], group_of: dict[str, int]
) -> Iterator[tuple[int, int, np.ndarray, np.ndarray, np.ndarray]]:
    """Shard and batch number, token counts, prompts and groups of the rows of every record batch in order."""
    for shard, path in enumerate(shards):
        reader = open_shard(path)
        for number in range(reader.num_record_batches):
            batch = reader.get_batch(number)
            tokens = batch.column("tokens")
            if tokens.null_count:
                raise BadInput(f"{path}: {tokens.null_count} rows have no tokens; build again with a tokenizer")
            names = batch.column("source").dictionary_encode()
            known = names.dictionary.to_pylist()
            if unknown := [name for name in known if name not in group_of]:
                raise BadInput(f"{path}: the manifest gives no group for the source {unknown[0]!r}")
            groups = np.array([group_of[name] for name in known], dtype=np.uint8)
            lengths = np.diff(tokens.offsets.to_numpy()).astype(np.int64)
            yield shard, number, lengths, batch.column("prompt").to_numpy(), groups[names.indices.to_numpy()]


def _write(folder: Path, shards: Sequence[Path], sequence: int, packing: str, group_of: dict[str, int]) -> None:
    """Writes the index folder, whole or not at all; another process's finished one is as good.

    pieces.bin  every piece, window by window      ends.bin    where each window's pieces end, after a 0
    groups.bin  the group of each document         batches.bin where each record batch begins in the stream
    """
    pack = {"best-fit": best_fit, "concat": concat}[packing]
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = folder.with_name(f"{folder.name}.{socket.gethostname()}-{os.getpid()}.partial")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    rows = packed = tokens = windows = pieces = waiting = shortened = left_out = 0
    held: list[np.ndarray] = []
    of: list[np.ndarray] = [np.zeros(0, np.uint8)]
    off = np.zeros(max(group_of.values(), default=0) + 1)
    names = ("pieces.bin", "ends.bin", "batches.bin", "groups.bin")
    with ExitStack() as stack:
        files = {name: stack.enter_context(open(beside / name, "wb")) for name in names}
        files["ends.bin"].write(np.zeros(1, dtype="<i8").tobytes())

        def flush(last: bool) -> None:
            nonlocal held, of, waiting, packed, pieces, windows
            lengths = np.concatenate(held) if held else np.zeros(0, dtype=np.int64)
            found, ends = pack(lengths, sequence, (tokens - waiting) % sequence, last)
            if packing == "best-fit":
                found, ends = _paced(found, ends, np.concatenate(of), off)
            found["row"] += packed
            files["pieces.bin"].write(found.tobytes())
            files["ends.bin"].write((ends + pieces).astype("<i8").tobytes())
            pieces, windows, packed = pieces + len(found), windows + len(ends), packed + len(lengths)
            held, of, waiting = [], [np.zeros(0, np.uint8)], 0

        for shard, number, lengths, prompts, groups in _lengths(shards, group_of):
            if packing == "best-fit":
                long = (prompts > 0) & (lengths > sequence)
                silent = long & (prompts >= sequence)
                shortened, left_out = shortened + int((long & ~silent).sum()), left_out + int(silent.sum())
                lengths = np.where(silent, 0, np.where(long, sequence, lengths))
            files["batches.bin"].write(np.array([(rows, shard, number)], dtype=BATCH).tobytes())
            files["groups.bin"].write(groups.tobytes())
            held.append(lengths)
            of.append(groups)
            rows, tokens, waiting = rows + len(lengths), tokens + int(lengths.sum()), waiting + int(lengths.sum())
            if waiting >= BLOCK * sequence:
                flush(last=False)
        flush(last=True)
    about = {"windows": windows, "pieces": pieces, "documents": rows, "tokens": tokens}
    about |= {"shortened": shortened, "left_out": left_out}
    with writing(beside / "index.json") as partial:
        partial.write_text(json.dumps(about))
    try:
        os.rename(beside, folder)
    except OSError:
        if not (folder / "index.json").exists():
            raise
        shutil.rmtree(beside)


def _paced(pieces: np.ndarray, ends: np.ndarray, group: np.ndarray, off: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The windows of a block in an order that keeps the groups' shares; `group` is that of each of its rows."""
    from corpus.pacing import paced  # compiled: only who makes an index waits for it

    counts = np.diff(ends, prepend=0)
    window = np.repeat(np.arange(len(ends)), counts)
    cells = window * len(off) + group[pieces["row"]]
    tokens = np.bincount(cells, pieces["length"], len(ends) * len(off)).astype(np.int64).reshape(-1, len(off))
    order = paced(tokens, off)
    many = counts[order]
    moved = np.cumsum(many)
    return pieces[np.repeat(ends[order] - moved, many) + np.arange(len(pieces))], moved


def best_fit(lengths: np.ndarray, sequence: int, offset: int = 0, last: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Pieces of documents of some lengths, window by window, and where each window ends in them.

    Best-fit decreasing: whole windows are cut off long documents; the rest, longest first, goes to
    the window with the least room that is still enough. Windows are put in the order of their
    longest piece, so that every stretch of the block looks like the stretch of documents it came from.
    """
    whole, rest = np.divmod(lengths, sequence)
    rows = np.repeat(np.arange(len(lengths)), whole)
    first = np.cumsum(whole) - whole
    starts = (np.arange(len(rows)) - np.repeat(first, whole)) * sequence
    tails = np.flatnonzero(rest)
    tails = tails[np.argsort(-rest[tails], kind="stable")]

    window_of = np.empty(len(tails), dtype=np.int64)  # of each tail; whole windows come before
    lead: list[int] = []  # the longest tail of each window
    with_room: list[list[int]] = [[] for _ in range(sequence + 1)]  # windows by the room left in them
    rooms = 0  # bit r is set when some window has room r
    for at, length in enumerate(rest[tails].tolist()):
        fitting = rooms >> length
        if fitting:
            room = length + (fitting & -fitting).bit_length() - 1
            window = with_room[room].pop()
            if not with_room[room]:
                rooms ^= 1 << room
        else:
            room, window = sequence, len(lead)
            lead.append(at)
        window_of[at] = window
        if room > length:
            with_room[room - length].append(window)
            rooms |= 1 << (room - length)

    pieces = np.empty(len(rows) + len(tails), dtype=PIECE)
    pieces["row"] = np.concatenate([rows, tails])
    pieces["start"] = np.concatenate([starts, whole[tails] * sequence])
    pieces["length"] = np.concatenate([np.full(len(rows), sequence), rest[tails]])
    window = np.concatenate([np.arange(len(rows)), len(rows) + window_of])
    leads = np.concatenate([np.arange(len(rows)), len(rows) + np.array(lead, dtype=np.int64)])
    rank = np.empty(len(leads), dtype=np.int64)
    rank[np.lexsort((pieces["start"][leads], pieces["row"][leads]))] = np.arange(len(leads))
    order = np.lexsort((pieces["start"], pieces["row"], rank[window]))
    return pieces[order], np.cumsum(np.bincount(rank[window], minlength=len(leads)))


def concat(lengths: np.ndarray, sequence: int, offset: int = 0, last: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Pieces of a stream that is cut every `sequence` tokens; it begins `offset` tokens into a window."""
    bounds = offset + np.concatenate([[0], np.cumsum(lengths)])
    cuts = np.union1d(bounds, np.arange(sequence, bounds[-1], sequence))
    cuts = cuts[cuts >= offset]
    rows = np.searchsorted(bounds, cuts[:-1], side="right") - 1
    pieces = np.empty(len(rows), dtype=PIECE)
    pieces["row"], pieces["start"], pieces["length"] = rows, cuts[:-1] - bounds[rows], np.diff(cuts)
    ends = np.flatnonzero(cuts[1:] % sequence == 0) + 1
    if last and cuts[-1] % sequence:  # the last window is not full
        ends = np.append(ends, len(pieces))
    return pieces, ends
