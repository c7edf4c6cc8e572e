"""Tokens a second of the data path alone, beside other loaders: `python -m tests.bench.loader [MILLIONS]`.

Writes the same tokens for every loader (documents of a log-normal length, mean about 1,000 tokens)
and reads batches of 8 windows of 4,096 int64 tokens in one process, in order, from a warm page cache.
Ours also makes labels and positions, cuts and packs documents; the others read a stream that was
cut beforehand. CPU seconds of this process and its threads, the better of three, so that a busy
machine disturbs little; then wall seconds. litdata and mosaicml-streaming pin other versions of
torch's family than the trainer: they are measured where they can be imported.
"""

import hashlib
import importlib.util
import json
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from corpus import manifest
from corpus.document import Document
from corpus.shards import ShardWriter
from trainer.data import Stream, Windows

SEQUENCE, BATCH = 4096, 8
ROUNDS = 3


def write_build(folder: Path, lengths: np.ndarray, tokens: np.ndarray) -> None:
    path = folder / "shards/00000.arrow"
    at = 0
    with ShardWriter(path) as writer:
        for number, length in enumerate(lengths.tolist()):
            held = array("H", tokens[at : at + length].tobytes())
            writer.add(Document(id=f"pubmed:{number}", source="pubmed", text="x" * (4 * length), tokens=held))
            at += length
    sha = hashlib.sha256(path.read_bytes()).hexdigest()
    entry = {"path": "shards/00000.arrow", "sha256": sha, "rows": len(lengths), "tokens": at}
    tokenizer = {"sha256": "0", "vocabulary": 32000, "bos": 1, "eos": 2}
    sources = [{"name": "pubmed", "group": "biomedical"}]
    content = {"format": manifest.FORMAT, "shards": [entry], "sources": sources, "tokenizer": tokenizer}
    manifest.write(folder / manifest.NAME, content)


def ours(folder: Path, packing: str) -> Callable[[], Iterator[torch.Tensor]]:
    began = time.process_time()
    windows = Windows(folder, SEQUENCE, packing, cache=folder.parent / "index")
    seconds = time.process_time() - began
    full = windows.tokens / len(windows) / SEQUENCE
    rate = windows.documents / seconds
    print(
        f"index, {packing}: {rate / 1e6:.2f}M documents, {windows.tokens / seconds / 1e6:.0f}M tokens a CPU second",
        end="",
    )
    print(f"; {full:.3%} full")

    def read() -> Iterator[torch.Tensor]:
        for first in range(0, len(windows) - BATCH + 1, BATCH):
            yield windows.batch(range(first, first + BATCH))["input_ids"]

    return read


def ours_torch(folder: Path) -> Callable[[], Iterator[torch.Tensor]]:
    windows = Windows(folder, SEQUENCE, cache=folder.parent / "index")
    return lambda: (b["input_ids"] for b in torch.utils.data.DataLoader(Stream(windows), BATCH, drop_last=True))


def memmap(folder: Path, tokens: np.ndarray) -> Callable[[], Iterator[torch.Tensor]]:
    folder.mkdir()
    tokens.tofile(folder / "tokens.bin")
    held = np.memmap(folder / "tokens.bin", dtype=np.uint16, mode="r").reshape(-1, SEQUENCE)
    return lambda: (
        torch.from_numpy(held[at : at + BATCH].astype(np.int64)) for at in range(0, len(held) - BATCH + 1, BATCH)
    )


def hf_datasets(folder: Path, tokens: np.ndarray) -> Callable[[], Iterator[torch.Tensor]]:
    import datasets

    datasets.disable_progress_bars()
    features = datasets.Features({"input_ids": datasets.List(datasets.Value("uint16"), SEQUENCE)})
    made = datasets.Dataset.from_dict({"input_ids": tokens.reshape(-1, SEQUENCE)}, features=features)
    made.save_to_disk(folder)
    held = datasets.load_from_disk(folder).with_format("numpy")
    return lambda: (
        torch.from_numpy(held[at : at + BATCH]["input_ids"].astype(np.int64))
        for at in range(0, len(held) - BATCH + 1, BATCH)
    )


def chunk(block: np.ndarray) -> Iterator[torch.Tensor]:
    yield torch.from_numpy(block.astype(np.int32))


def litdata(folder: Path, tokens: np.ndarray) -> Callable[[], Iterator[torch.Tensor]]:
    from litdata import StreamingDataset, TokensLoader, optimize

    inputs = list(tokens.reshape(-1, 16 * SEQUENCE))
    loader = TokensLoader(block_size=SEQUENCE)
    optimize(chunk, inputs, str(folder), chunk_bytes="64MB", num_workers=1, item_loader=loader)
    held = StreamingDataset(str(folder), item_loader=TokensLoader(block_size=SEQUENCE), shuffle=False)

    def read() -> Iterator[torch.Tensor]:
        rows = []
        for row in held:
            rows.append(row.long())
            if len(rows) == BATCH:
                yield torch.stack(rows)
                rows = []

    return read


def mosaic(folder: Path, tokens: np.ndarray) -> Callable[[], Iterator[torch.Tensor]]:
    from streaming import MDSWriter, StreamingDataset

    with MDSWriter(out=str(folder), columns={"tokens": f"ndarray:uint16:{SEQUENCE}"}) as writer:
        for row in tokens.reshape(-1, SEQUENCE):
            writer.write({"tokens": row})
    held = StreamingDataset(local=str(folder), shuffle=False, batch_size=BATCH)

    def read() -> Iterator[torch.Tensor]:
        rows = []
        for row in held:
            rows.append(torch.from_numpy(row["tokens"].astype(np.int64)))
            if len(rows) == BATCH:
                yield torch.stack(rows)
                rows = []

    return read


def measured(read: Callable[[], Iterator[torch.Tensor]]) -> tuple[float, float]:
    """Million tokens a CPU second and a wall second, the best of some rounds."""
    best = [0.0, 0.0]
    for _ in range(ROUNDS):
        cpu, wall, count = time.process_time(), time.perf_counter(), 0
        for batch in read():
            assert batch.dtype == torch.int64 and batch.shape == (BATCH, SEQUENCE)
            count += batch.numel()
        spent = time.process_time() - cpu, time.perf_counter() - wall
        best = [max(old, count / seconds / 1e6) for old, seconds in zip(best, spent, strict=True)]
    return best[0], best[1]


def main() -> None:
    torch.set_num_threads(1)
    millions = int(sys.argv[1]) if len(sys.argv) > 1 else 16
    drawn = np.random.default_rng(0)
    size = millions * 1_000_000 // (16 * SEQUENCE) * 16 * SEQUENCE
    lengths = np.minimum(drawn.lognormal(6.2, 1.1, size // 200).astype(np.int64) + 2, 60_000)
    lengths = lengths[: int(np.searchsorted(np.cumsum(lengths), size))]
    lengths[-1] += size - int(lengths.sum())
    tokens = drawn.integers(3, 32000, size).astype(np.uint16)
    with tempfile.TemporaryDirectory(prefix="loader-") as name:
        folder = Path(name)
        write_build(folder / "build", lengths, tokens)
        readers: dict[str, Callable[[], Callable[[], Iterator[torch.Tensor]]]] = {
            "ours, best-fit": lambda: ours(folder / "build", "best-fit"),
            "ours, concat": lambda: ours(folder / "build", "concat"),
            "ours, Stream in a DataLoader": lambda: ours_torch(folder / "build"),
            "numpy memmap, cut beforehand": lambda: memmap(folder / "memmap", tokens),
            "datasets, numpy format": lambda: hf_datasets(folder / "datasets", tokens),
            "litdata": lambda: litdata(folder / "litdata", tokens),
            "streaming": lambda: mosaic(folder / "streaming", tokens),
        }
        rows = {}
        for title, make in readers.items():
            module = title.split(",")[0]
            if module in ("datasets", "litdata", "streaming") and not importlib.util.find_spec(module):
                rows[title] = "not installed here"
                continue
            rows[title] = measured(make())
        base = rows["ours, best-fit"][0]
        print(json.dumps({"tokens": size, "documents": len(lengths), "sequence": SEQUENCE, "batch": BATCH}))
        print(f"{'':32}{'Mtok / CPU s':>14}{'Mtok / s':>12}{'ours is':>10}")
        for title, rate in rows.items():
            if isinstance(rate, str):
                print(f"{title:32}  {rate}")
            else:
                print(f"{title:32}{rate[0]:14.1f}{rate[1]:12.1f}{base / rate[0]:9.1f}x")


if __name__ == "__main__":
    main()
