"""The same text counted by other tokenizers (`--count-with`), so that one corpus is planned for several models.

All of them read a layer's file in one pass; the counts stand beside it, a column for each, and leave
the build's own ids, mix and shards as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from corpus import shards
from corpus.document import Document
from corpus.files import writing
from filters.tokens import Count
from pipelines.layer import Layer, do, run
from pipelines.progress import amount
from pipelines.sift import batches
from pipelines.stages import Input, Order


@dataclass(frozen=True)
class Beside:
    """Writes, for every row of a layer's file, its tokens by each tokenizer: a uint32 column for each name."""

    count: Count

    def __call__(self, layer: Path, out: Path, mode: int) -> None:
        names = [tokenizer.name for tokenizer in self.count.tokenizers]
        schema = pa.schema([pa.field(name, pa.uint32(), nullable=False) for name in names])
        with writing(out, mode) as partial:
            with pa.ipc.new_file(str(partial), schema, options=shards.ipc_options("lz4")) as file:
                for documents in batches(layer):
                    marked = self.count.batch(documents)
                    columns = [pa.array(_of(name, marked), pa.uint32()) for name in names]
                    file.write_batch(pa.record_batch(columns, schema=schema))


def _of(name: str, marked: Sequence[Document]) -> list[int]:
    return [document.marks[f"tokens.{name}"] for document in marked]


def paths(order: Order, inputs: Sequence[Input], out: Path) -> list[Path]:
    """Where the counts of each input lie; none without `--count-with`."""
    if order.also is None:
        return []
    layer = Layer(out / "layers", "counts", repr(Beside(order.also)))
    return [layer.path(i.raw.name, i.key) for i in inputs]


def make(order: Order, inputs: Sequence[Input], out: Path) -> None:
    """Makes the missing counts of all inputs."""
    if order.also is None:
        return
    pairs = list(zip(inputs, paths(order, inputs, out), strict=True))
    todo = [(i, path) for i, path in pairs if not path.exists()]
    work = Beside(order.also)
    jobs = [(work, i.layer, path, order.mode(i.stream)) for i, path in todo]
    run(do, jobs, "count with", [i.layer.stat().st_size for i, _ in todo], there=len(pairs) - len(todo))


def table(path: Path) -> dict[str, np.ndarray]:
    """Tokenizer -> tokens of every row of a file that `Beside` wrote, int64 [rows]."""
    found = shards.open_shard(path).read_all()
    return {name: found[name].to_numpy().astype(np.int64) for name in found.column_names}


def sums(
    order: Order, inputs: Sequence[Input], out: Path, rows: Sequence[np.ndarray], times: Sequence[np.ndarray]
) -> dict[str, Any]:
    """Tokenizer -> tokens of the stream by group.

    `rows` are each input's layer rows that may be drawn, `times` how often each of them was.
    """
    found: dict[str, dict[str, int]] = {}
    for i, path, row, time in zip(inputs, paths(order, inputs, out), rows, times, strict=False):
        for name, counts in table(path).items():
            groups = found.setdefault(name, dict.fromkeys(order.weights, 0))
            if i.stream.group in groups:
                groups[i.stream.group] += int((counts[row] * time).sum())
    return {name: {"tokens": sum(groups.values()), "groups": groups} for name, groups in found.items()}


def told(counted: Mapping[str, Any], tokens: int) -> list[str]:
    """What the stream is to other tokenizers, in words."""
    return [
        f"{name}: {amount(of['tokens'])} tokens, {of['tokens'] / max(1, tokens):.3f} of the build's own ("
        + ", ".join(f"{group} {amount(count)}" for group, count in of["groups"].items())
        + ")"
        for name, of in counted.items()
    ]
