"""Columns of Arrow files as numpy arrays and back, without copies and without importing pandas.

`pyarrow.array` imports pandas wherever that is installed (0.35 s of CPU in every process); from
buffers it does not.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from corpus import shards
from corpus.files import writing


def mapped(path: Path | str) -> pa.ipc.RecordBatchFileReader:
    """The reader of a finished Arrow file, kept open among the last ones that were asked for."""
    status = os.stat(path)
    return _mapped(str(path), status.st_ino, status.st_mtime_ns)


@lru_cache(maxsize=16)  # mapped pages count as memory, so few files stay
def _mapped(path: str, inode: int, changed: int) -> pa.ipc.RecordBatchFileReader:
    return shards.open_shard(Path(path))


def blocks(path: Path | str, names: Sequence[str] | None = None) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Every record batch of an Arrow file that is read once, with the number of its first row.

    With `names` only these columns are read and unpacked.
    """
    reader = shards.open_shard(Path(path))
    if names is not None:
        options = pa.ipc.IpcReadOptions(included_fields=[reader.schema.get_field_index(name) for name in names])
        reader = pa.ipc.open_file(pa.memory_map(str(path)), options=options)
    first = 0
    for number in range(reader.num_record_batches):
        batch = reader.get_batch(number)
        yield first, batch
        first += len(batch)


def batches(path: Path | str, names: Sequence[str]) -> Iterator[tuple[int, list[np.ndarray]]]:
    """First row and the named columns of numbers without nulls, of every batch of an Arrow file."""
    reader = mapped(path)
    first = 0
    for number in range(reader.num_record_batches):
        batch = reader.get_batch(number)
        yield first, [numbers(batch.column(name)) for name in names]
        first += len(batch)


def numbers(column: pa.Array) -> np.ndarray:
    """An Arrow array of numbers without nulls, as it lies in memory."""
    kind = np.dtype(column.type.to_pandas_dtype())
    return np.frombuffer(column.buffers()[1], kind, len(column), column.offset * kind.itemsize)


def array(values: np.ndarray, missing: np.ndarray | None = None) -> pa.Array:
    """Numbers as an Arrow array; null where `missing`."""
    values = np.ascontiguousarray(values)
    valid = None if missing is None else pa.py_buffer(np.packbits(~missing, bitorder="little"))
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [valid, pa.py_buffer(values)])


def truths(values: np.ndarray) -> pa.Array:
    """Booleans as an Arrow array."""
    packed = pa.py_buffer(np.packbits(values, bitorder="little"))
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, packed])


def texts(values: Sequence[str]) -> pa.Array:
    """Strings as an Arrow array."""
    parts = [value.encode() for value in values]
    ends = np.cumsum([0, *map(len, parts)], dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), len(parts), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(parts))])


def strings(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Bytes (uint8) and offsets (int64 [n + 1]) of an Arrow string array; null is empty."""
    width = np.int64 if pa.types.is_large_string(column.type) else np.int32
    _, ends, data = column.buffers()
    offsets = np.frombuffer(ends, width)[column.offset : column.offset + len(column) + 1].astype(np.int64)
    held = np.frombuffer(data, np.uint8) if data is not None and data.size else np.frombuffer(b"", np.uint8)
    return held, offsets


def save(path: Path, values: np.ndarray) -> None:
    with writing(path, 0o600) as partial, open(partial, "wb") as file:
        np.save(file, values, allow_pickle=False)


@contextlib.contextmanager
def building(path: Path, kind: np.dtype | type, count: int) -> Iterator[np.ndarray]:
    """A mapped array of zeros to fill, saved as `path` when the block ends; memory need not hold it."""
    with writing(path, 0o600) as partial:
        values = np.lib.format.open_memmap(partial, "w+", np.dtype(kind), (count,))
        yield values
        values.flush()


def in_range(values: np.ndarray, low: int, high: int) -> np.ndarray:
    """Whether the top 16 of 64 bits are in [low, high)."""
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
