"""Arrays that memory need not hold: mapped files that are read and written a piece at a time."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from pipelines import buckets
from pipelines.columns import building

PIECE = 1 << 20  # rows at a time: 8 to 21 MB


def pieces(values: np.ndarray) -> Iterator[np.ndarray]:
    for first in range(0, len(values), PIECE):
        yield values[first : first + PIECE]


def place_of(values: np.ndarray, field: str, key: int) -> int:
    """Where `key` stands, or would stand, in mapped rows that are sorted by `field`."""
    return bisect_left(range(len(values)), key, key=lambda row: int(values[row][field]))


def between(values: np.ndarray, field: str, low: int, high: int) -> np.ndarray:
    """Those of sorted rows whose `field` is in [low, high)."""
    return values[place_of(values, field, low) : place_of(values, field, high)]


def merge(path: Path, runs: Sequence[np.ndarray], field: str, top: int, share: int) -> None:
    """Writes sorted rows of several runs as one, sorted by `field`, whose values are below `top`."""
    kind = runs[0].dtype
    rows = sum(map(len, runs))
    number = max(1, 4 * rows * kind.itemsize // share)
    with building(path, kind, rows) as out:
        at = 0
        for low, high in pairwise([top * cut // number for cut in range(number + 1)]):
            whole = np.concatenate([between(run, field, low, high) for run in runs])
            whole = whole[np.argsort(whole[field], kind="stable")]
            out[at : at + len(whole)] = whole
            at += len(whole)


def chain(path: Path, kind: np.dtype, runs: Sequence[np.ndarray]) -> None:
    """Writes runs end to end."""
    with building(path, kind, sum(map(len, runs))) as out:
        at = 0
        for run in runs:
            out[at : at + len(run)] = run
            at += len(run)


def link(path: Path, count: int, edges: Iterable[tuple[np.ndarray, np.ndarray]]) -> None:
    """Writes, for each of `count` nodes, the smallest one that edges join it with: uint32 [count]."""
    if path.exists():
        return
    with building(path, np.dtype(np.uint32), count) as mapped:
        parent = np.asarray(mapped)
        for first in range(0, count, PIECE):
            parent[first : first + PIECE] = np.arange(first, min(count, first + PIECE), dtype=np.uint32)
        for one, two in edges:
            buckets.join(parent, one.astype(np.uint32), two.astype(np.uint32))
        buckets.flatten(parent)


def mapped(path: Path) -> np.ndarray:
    """An array as it lies on disk."""
    return np.asarray(np.load(path, mmap_mode="r"))


def raw(path: Path, kind: type) -> np.ndarray:
    """A file of numbers end to end, as it lies on disk."""
    return np.asarray(np.memmap(path, kind, mode="r")) if path.stat().st_size else np.zeros(0, kind)


def inside(
    values: np.ndarray, label: np.ndarray, low: int, high: int, node: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Those of mapped rows whose node's label is in [low, high)."""
    if (low, high) == (0, len(label)):
        return np.array(values)
    found = []
    for piece in pieces(values):
        first = label[node(piece)]
        found.append(piece[(first >= low) & (first < high)])
    return np.concatenate(found) if found else values[:0]
