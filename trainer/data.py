"""Windows: what one step of training reads, straight from the memory-mapped shards of a build.

`Windows(build, sequence)[k]` is window k: `input_ids`, `labels` and `position_ids`, int64 tensors of
length `sequence`. It is the same for every rank, batch size and number of machines, so that the
place in the data is one integer: how many windows were read. The order is the order of the build,
which is mixed so that every prefix has the mix's ratio. No text is copied or tokenised here.

How documents are packed into windows (best-fit or concat) is `corpus.windows`. With best-fit a
window's pieces are kept apart: `position_ids` begin anew with each, and the first token of each
carries no loss. For a transformers model this isolates them only with `use_cache=False` and no
`attention_mask`; `trainer.model.assert_documents_apart` checks that.

Every token of the build stands in exactly one window, but for instructions that are longer than one
(`shortened`, `left_out`). Tokens before `prompt` carry no loss.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from corpus import manifest, windows
from corpus.files import BadInput
from corpus.shards import open_shard
from trainer import fill

IGNORED = fill.IGNORED


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
        self.pad = int(content["tokenizer"]["eos"])
        self._own = None if cache else tempfile.TemporaryDirectory(prefix="windows-")
        self._cache = Path(cache or self._own.name)  # type: ignore[union-attr]
        self._open(content)

    def _open(self, content: Mapping[str, Any]) -> None:
        self._index = windows.index(self.build, content, self.sequence, self.packing, self._cache, self.part)
        self.shards, self.groups = self._index.shards, list(self._index.groups)
        self.tokens, self.documents, self.count = self._index.tokens, self._index.documents, self._index.count
        self.shortened, self.left_out = self._index.shortened, self._index.left_out
        self._counting = np.arange(self.sequence)
        self._told = np.zeros(len(self._index.batches), fill.BATCH)
        # Readers and batches that are open at once; a block of windows touches a handful.
        self._reader = lru_cache(16)(lambda shard: open_shard(self.shards[shard]))
        self._columns = lru_cache(256)(self._read_columns)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name[0] != "_" or name == "_cache"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._open(manifest.load(self.build))

    def __len__(self) -> int:
        return self.count

    def _read_columns(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Token offsets, token values and prompts of a record batch: views of the mapped file."""
        _, shard, batch = self._index.batches[number]
        held = self._reader(int(shard)).get_batch(int(batch))
        tokens = held.column("tokens")
        columns = tokens.offsets.to_numpy(), tokens.values.to_numpy(), held.column("prompt").to_numpy()
        places = [column.__array_interface__["data"][0] for column in columns]
        self._told[number] = (self._index.first[number], len(held), len(columns[1]), *places)
        return columns

    def document_tokens(self, row: int) -> tuple[np.ndarray, int]:
        """The token ids of the row-th document of the stream (a view), and how many are prompt."""
        number = self._index.batch_of(row)
        offsets, values, prompts = self._columns(number)
        local = row - int(self._index.first[number])
        return values[offsets[local] : offsets[local + 1]], int(prompts[local])

    def place(self, k: int) -> int:
        """Which packed window the k-th to be read is: k itself unless shuffled. k runs on over epochs."""
        return windows.place(k, self.count, self.shuffle, self.seed)

    def pieces(self, k: int) -> np.ndarray:
        """The pieces of window k, in order: row of the document in the stream, start in it, length."""
        return self._index.window(self.place(k))

    def __getitem__(self, k: int) -> dict[str, torch.Tensor]:
        if not 0 <= k < self.count:
            raise IndexError(f"window {k} of {self.count}")
        return {name: held[0] for name, held in self.batch([k]).items()}

    def batch(self, places: Sequence[int]) -> dict[str, torch.Tensor]:
        """Some windows as int64 tensors [windows, sequence]; k may run on into further epochs.

        -1 is an empty window, which carries no loss: what a rank reads when the last step has too few.
        """
        held = np.empty((3, len(places), self.sequence), dtype=np.int64)
        pieces, ends = self._index.windows([self.place(k) if k >= 0 else -1 for k in places])
        which = np.searchsorted(self._index.first, pieces["row"], side="right") - 1
        # Held until they are read: what the cache lets go of, Arrow may unmap.
        columns = [self._columns(number) for number in np.unique(which).tolist()]
        kernel = fill.KERNELS[columns[0][1].itemsize if columns else 2]
        kernel(pieces, ends, which, self._told, self.packing == "best-fit", self.pad, *held, self._counting)
        return dict(zip(("input_ids", "labels", "position_ids"), torch.from_numpy(held), strict=True))

    def group_tokens(self, windows: Sequence[int]) -> np.ndarray:
        """Tokens of each of `groups` in some windows."""
        held = np.zeros(len(self.groups), dtype=np.int64)
        for k in windows:
            pieces = self.pieces(k)
            np.add.at(held, self._index.group[pieces["row"]], pieces["length"])
        return held

    def documents_in(self, k: int) -> list[tuple[str, int, int]]:
        """Id, first token and one past the last of each piece of window k; `pipelines.why ID` tells more."""
        found = []
        for row, start, length in self.pieces(k).tolist():
            first, shard, batch = self._index.batches[self._index.batch_of(row)].tolist()
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
