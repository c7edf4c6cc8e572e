"""Windows: what one step of training reads, straight from the memory-mapped shards of a build.

`Windows(build, sequence)[k]` is window k: `input_ids`, `labels` and `position_ids`, int64 tensors of
length `sequence`. It is the same for every rank, batch size and number of machines, so that the
place in the data is one integer: how many windows were read. The order is the order of the build,
which is mixed so that every prefix has the mix's ratio. No text is copied or tokenised here.

Packing
  best-fit  Documents longer than a window are cut at its length; what remains is put where the least
            room stays (best-fit decreasing, arXiv 2404.10830), block by block of 2048 windows' worth of
            tokens, so that the order of the build holds. A window's pieces are kept apart:
            `position_ids` begin anew with each, and the first token of each carries no loss. For a
            transformers model this isolates them only with `use_cache=False` and no
            `attention_mask`; `trainer.model.assert_documents_apart` checks that.
  concat    The stream is cut every `sequence` tokens; windows run across documents (the paper's way).

Every token of the build stands in exactly one window. Tokens before `prompt` carry no loss.
"""

import hashlib
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from corpus import manifest
from corpus.files import BadInput, writing
from corpus.shards import open_shard

IGNORED = -100  # the label that carries no loss, in torch and transformers
BLOCK = 2048  # windows' worth of tokens that are packed together: at most one poorly filled window a block
PIECE = np.dtype([("row", "<u4"), ("start", "<u4"), ("length", "<u4")])
BATCH = np.dtype([("first", "<i8"), ("shard", "<u4"), ("batch", "<u4")])  # first row of a record batch, and where it is
_VERSION = 1  # of the index: goes up when the same build would give other windows


def open_manifest(build: Path) -> Mapping[str, Any]:
    """The manifest of a finished build whose shards are there. Raises BadInput when something is amiss."""
    content = manifest.load(Path(build))
    for entry in [*content["shards"], *content.get("heldout", [])]:
        file = Path(build) / entry["path"]
        size = file.stat().st_size if file.is_file() else None
        if size is None or size != entry.get("bytes", size):
            found = "is missing" if size is None else f"has {size} bytes where the manifest says {entry['bytes']}"
            raise BadInput(f"{file} {found}; run: python -m pipelines.verify {build}")
    return content


def fingerprint(content: Mapping[str, Any]) -> str:
    """A digest of what decides the windows of a build: its shards in order, and its tokenizer."""
    held = [
        [[entry["path"], entry["sha256"], entry["rows"]] for entry in content["shards"]],
        content["tokenizer"]["sha256"],
        content["tokenizer"]["vocabulary"],
    ]
    return hashlib.sha256(json.dumps(held).encode()).hexdigest()


class Windows(Dataset[dict[str, torch.Tensor]]):
    """The windows of a build, map-style. `part` names a held-out group instead of the shards.

    `cache` is a folder for the index (12 bytes per piece; made once, then mapped); without one it
    lies in a temporary folder. `shuffle` permutes windows within consecutive buffers of that size.
    Worker processes are not needed: a window costs tens of microseconds.
    """

    def __init__(
        self,
        build: Path | str,
        sequence: int = 4096,
        packing: str = "best-fit",
        *,
        shuffle: int = 0,
        seed: int = 0,
        part: str | None = None,
        cache: Path | None = None,
    ) -> None:
        self.build, self.sequence, self.packing, self.part = Path(build), sequence, packing, part
        self.shuffle, self.seed = shuffle, seed
        content = open_manifest(self.build)
        self.fingerprint = fingerprint(content)
        entries = [e for e in content.get("heldout", []) if e["group"] == part] if part else content["shards"]
        if not entries:
            raise BadInput(f"{build}: the manifest names no held-out shard of the group {part!r}")
        self.shards = [self.build / entry["path"] for entry in entries]
        self.groups = sorted({source["group"] for source in content["sources"]})
        group_of = {source["name"]: self.groups.index(source["group"]) for source in content["sources"]}
        self.pad = int(content["tokenizer"]["eos"])

        named = [_VERSION, [[e["path"], e["sha256"]] for e in entries], sequence, packing, BLOCK, self.groups]
        key = hashlib.sha256(json.dumps(named).encode()).hexdigest()[:16]
        self._own = None if cache else tempfile.TemporaryDirectory(prefix="windows-")
        self.index = Path(cache or self._own.name) / f"{packing}-{sequence}-{key}"  # type: ignore[union-attr]
        if not self.index.exists():
            _write_index(self.index, self.shards, sequence, packing, group_of)
        about = json.loads((self.index / "index.json").read_text())
        self.tokens, self.documents, self.count = about["tokens"], about["documents"], about["windows"]
        if not self.count:
            raise BadInput(f"{build}: its shards hold no tokens; nothing can be trained on")
        self._open()

    def _open(self) -> None:
        def mapped(name: str, dtype: Any) -> np.ndarray:
            return np.memmap(self.index / name, dtype=dtype, mode="r")

        self._pieces, self._ends = mapped("pieces.bin", PIECE), mapped("ends.bin", "<i8")
        self._batches, self._group = np.fromfile(self.index / "batches.bin", dtype=BATCH), mapped("groups.bin", "u1")
        self._first = np.ascontiguousarray(self._batches["first"])
        # Readers and batches that are open at once; a block of windows touches a handful.
        self._reader = lru_cache(16)(lambda shard: open_shard(self.shards[shard]))
        self._columns = lru_cache(256)(self._read_columns)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name[0] != "_" or name == "_own"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._open()

    def __len__(self) -> int:
        return self.count

    def _read_columns(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Token offsets, token values and prompts of a record batch: views of the mapped file."""
        _, shard, batch = self._batches[number]
        held = self._reader(int(shard)).get_batch(int(batch))
        tokens = held.column("tokens")
        return tokens.offsets.to_numpy(), tokens.values.to_numpy(), held.column("prompt").to_numpy()

    def document_tokens(self, row: int) -> tuple[np.ndarray, int]:
        """The token ids of the row-th document of the stream (a view), and how many are prompt."""
        number = int(np.searchsorted(self._first, row, side="right")) - 1
        offsets, values, prompts = self._columns(number)
        local = row - int(self._first[number])
        return values[offsets[local] : offsets[local + 1]], int(prompts[local])

    def place(self, k: int) -> int:
        """Which packed window the k-th to be read is: k itself unless shuffled. k runs on over epochs."""
        epoch, k = divmod(k, self.count)
        if self.shuffle < 2:
            return k
        buffer = k // self.shuffle
        first = buffer * self.shuffle
        size = min(self.shuffle, self.count - first)
        return first + permuted(k - first, size, f"{self.seed}/{epoch}/{buffer}")

    def pieces(self, k: int) -> np.ndarray:
        """The pieces of window k, in order: row of the document in the stream, start in it, length."""
        at = self.place(k)
        return self._pieces[self._ends[at] : self._ends[at + 1]]

    def __getitem__(self, k: int) -> dict[str, torch.Tensor]:
        if not 0 <= k < self.count:
            raise IndexError(f"window {k} of {self.count}")
        return {name: torch.from_numpy(array) for name, array in self.arrays(k).items()}

    def arrays(self, k: int) -> dict[str, np.ndarray]:
        """Window k as int64 arrays; k may run on into further epochs."""
        ids = np.full(self.sequence, self.pad, dtype=np.int64)
        labels = np.full(self.sequence, IGNORED, dtype=np.int64)
        apart = self.packing == "best-fit"
        positions = np.arange(self.sequence, dtype=np.int64)
        at = 0
        for row, start, length in self.pieces(k).tolist():
            tokens, prompt = self.document_tokens(row)
            end = at + length
            ids[at:end] = tokens[start : start + length]
            silent = max(1 if apart else 0, min(prompt - start, length))
            labels[at + silent : end] = ids[at + silent : end]
            if apart:
                positions[at:end] -= at
            at = end
        positions[at:] -= at if apart else 0
        return {"input_ids": ids, "labels": labels, "position_ids": positions}

    def empty(self) -> dict[str, np.ndarray]:
        """A window that carries no loss: what a rank reads when the last step has too few windows."""
        ids = np.full(self.sequence, self.pad, dtype=np.int64)
        positions = np.arange(self.sequence, dtype=np.int64)
        return {"input_ids": ids, "labels": np.full_like(ids, IGNORED), "position_ids": positions}

    def batch(self, windows: Sequence[int]) -> dict[str, torch.Tensor]:
        """Some windows as one batch [windows, sequence]; a window at or beyond the end (-1) is empty."""
        rows = [self.empty() if k < 0 else self.arrays(k) for k in windows]
        return {name: torch.from_numpy(np.stack([row[name] for row in rows])) for name in rows[0]}

    def group_tokens(self, windows: Sequence[int]) -> np.ndarray:
        """Tokens of each of `groups` in some windows."""
        held = np.zeros(len(self.groups), dtype=np.int64)
        for k in windows:
            pieces = self.pieces(k)
            np.add.at(held, self._group[pieces["row"]], pieces["length"])
        return held

    def documents_in(self, k: int) -> list[tuple[str, int, int]]:
        """Id, first and last-but-one token of each piece of window k, as `pipelines.why` takes them."""
        found = []
        for row, start, length in self.pieces(k).tolist():
            first, shard, batch = self._batches[int(np.searchsorted(self._first, row, side="right")) - 1].tolist()
            held = self._reader(shard).get_batch(batch)
            found.append((held.column("id")[row - first].as_py(), start, start + length))
        return found


class Stream(IterableDataset[dict[str, torch.Tensor]]):
    """Every world-th window from a cursor on, once: for loops of your own.

    `state_dict()` is the cursor (windows read by all ranks) and the build's fingerprint; it may be
    loaded with another number of ranks. A build that changed is refused.
    """

    def __init__(self, windows: Windows, rank: int = 0, world: int = 1, cursor: int = 0) -> None:
        self.windows, self.rank, self.world, self.cursor = windows, rank, world, cursor

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        worker = get_worker_info()
        if worker is not None and worker.num_workers > 1:
            raise ValueError(
                f"a Stream is read by one worker, not {worker.num_workers}: use num_workers=0 or 1, "
                "or the map-style Windows with a sampler of your own"
            )
        while self.cursor + self.rank < len(self.windows):
            window = self.windows[self.cursor + self.rank]
            self.cursor += self.world
            yield window

    def state_dict(self) -> dict[str, Any]:
        return {"cursor": self.cursor, "fingerprint": self.windows.fingerprint}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        refuse_changed(state["fingerprint"], self.windows)
        self.cursor = state["cursor"]


def refuse_changed(before: str, windows: Windows) -> None:
    """Raises BadInput when the windows are of another build than the fingerprint `before`."""
    if before != windows.fingerprint:
        raise BadInput(
            f"{windows.build} is not the build that this training began with (its fingerprint is "
            f"{windows.fingerprint[:12]}, the checkpoint's {before[:12]}): windows would repeat or be skipped. "
            "Give the first build again, or begin anew with another --out"
        )


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


# ---- the index: which pieces stand in which window ----


def _lengths(shards: Sequence[Path], group_of: dict[str, int]) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
    """Shard and batch number, token counts and groups of the rows of every record batch in order."""
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
            yield shard, number, np.diff(tokens.offsets.to_numpy()), groups[names.indices.to_numpy()]


def _write_index(folder: Path, shards: Sequence[Path], sequence: int, packing: str, group_of: dict[str, int]) -> None:
    """Writes the index folder, whole or not at all; another process's finished one is as good.

    pieces.bin  every piece, window by window      ends.bin    where each window's pieces end, after a 0
    groups.bin  the group of each document         batches.bin where each record batch begins in the stream
    """
    pack = {"best-fit": best_fit, "concat": concat}[packing]
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = folder.with_name(f"{folder.name}.{socket.gethostname()}-{os.getpid()}.partial")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    rows = packed = tokens = windows = pieces = waiting = 0
    held: list[np.ndarray] = []
    names = ("pieces.bin", "ends.bin", "batches.bin", "groups.bin")
    with ExitStack() as stack:
        files = {name: stack.enter_context(open(beside / name, "wb")) for name in names}
        files["ends.bin"].write(np.zeros(1, dtype="<i8").tobytes())

        def flush(last: bool) -> None:
            nonlocal held, waiting, packed, pieces, windows
            lengths = np.concatenate(held) if held else np.zeros(0, dtype=np.int64)
            found, ends = pack(lengths, sequence, (tokens - waiting) % sequence, last)
            found["row"] += packed
            files["pieces.bin"].write(found.tobytes())
            files["ends.bin"].write((ends + pieces).astype("<i8").tobytes())
            pieces, windows, packed = pieces + len(found), windows + len(ends), packed + len(lengths)
            held, waiting = [], 0

        for shard, number, lengths, groups in _lengths(shards, group_of):
            files["batches.bin"].write(np.array([(rows, shard, number)], dtype=BATCH).tobytes())
            files["groups.bin"].write(groups.tobytes())
            held.append(lengths.astype(np.int64))
            rows, tokens, waiting = rows + len(lengths), tokens + int(lengths.sum()), waiting + int(lengths.sum())
            if waiting >= BLOCK * sequence:
                flush(last=False)
        flush(last=True)
    about = {"windows": windows, "pieces": pieces, "documents": rows, "tokens": tokens}
    with writing(beside / "index.json") as partial:
        partial.write_text(json.dumps(about))
    try:
        os.rename(beside, folder)
    except OSError:
        if not (folder / "index.json").exists():
            raise
        shutil.rmtree(beside)


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
