"""Documents in Arrow IPC files: one schema from the first layer to the last shard.

The file format is Arrow's IPC *file* (random access) format, version V5. Shards of a build are
not compressed, so that a reader maps them into memory and pays only for the columns it touches, and
neither are layers, of which the mix reads single rows; ledgers are compressed with LZ4. The same
documents give the same bytes: batches are cut at fixed numbers of rows and characters, writer options
are pinned, and nothing about the time or the machine is written.
"""

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa

from corpus.document import Document
from corpus.files import BadInput, writing

BATCH_ROWS = 1024
BATCH_CHARS = 16 << 20

PUBLIC, RESTRICTED = 0o644, 0o600


def schema(width: int = 16, metadata: Mapping[str, str] | None = None) -> pa.Schema:
    """The schema of every layer and shard; `width` is the bits of a token id: 16 or 32."""
    token = {16: pa.uint16(), 32: pa.uint32()}[width]
    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("source", pa.string(), nullable=False),
            pa.field("text", pa.string()),
            pa.field("license", pa.string()),
            pa.field("created", pa.string()),
            pa.field("meta", pa.string()),
            pa.field("tokens", pa.list_(pa.field("item", token))),
            pa.field("prompt", pa.int32(), nullable=False),
        ],
        metadata=dict(metadata) if metadata else None,
    )


def ipc_options(compression: str | None) -> pa.ipc.IpcWriteOptions:
    """The pinned writer: V5 metadata, one thread, no dictionaries to unify."""
    return pa.ipc.IpcWriteOptions(
        metadata_version=pa.ipc.MetadataVersion.V5,
        compression=compression,
        use_threads=False,
        unify_dictionaries=False,
    )


def meta_json(meta: Mapping[str, Any]) -> str:
    """`meta` as it is written: sorted, compact, Unicode as it is."""
    private = [key for key in meta if key.startswith("_")]
    assert not private, f"meta keys {private} may exist in memory only"
    return json.dumps(meta, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


class ShardWriter:
    """Writes documents to one Arrow file that exists, under its own name, only when whole.

    Use as a context manager. `mode` is the file's permission bits (RESTRICTED for credentialed
    text), `compression` None, "lz4" or "zstd", `metadata` strings for the schema.
    """

    def __init__(
        self,
        path: Path,
        *,
        width: int = 16,
        compression: str | None = None,
        mode: int = PUBLIC,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self.schema = schema(width, metadata)
        self.rows = 0
        self._width = width
        self._options = ipc_options(compression)
        self._whole = writing(path, mode)
        self._pending: list[Document] = []
        self._chars = 0

    def __enter__(self) -> "ShardWriter":
        partial = self._whole.__enter__()
        self._writer = pa.ipc.new_file(str(partial), self.schema, options=self._options)
        return self

    def add(self, document: Document) -> None:
        self._pending.append(document)
        self.rows += 1
        self._chars += len(document.text) + 4 * len(document.tokens or ())
        if len(self._pending) >= BATCH_ROWS or self._chars >= BATCH_CHARS:
            self._flush()

    def _flush(self) -> None:
        if self._pending:
            self._writer.write_batch(to_batch(self._pending, self.schema))
            self._pending, self._chars = [], 0

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            try:
                self._flush()
                self._writer.close()
            except BaseException as failed:
                self._whole.__exit__(type(failed), failed, failed.__traceback__)
                raise
        self._whole.__exit__(kind, error, trace)


def to_batch(documents: Iterable[Document], like: pa.Schema) -> pa.RecordBatch:
    """Documents as one record batch of the given schema (`schema()`)."""
    documents = list(documents)
    token = like.field("tokens").type.value_type
    counts = [0 if d.tokens is None else len(d.tokens) for d in documents]
    offsets = np.zeros(len(documents) + 1, dtype=np.int32)
    np.cumsum(counts, out=offsets[1:])
    values = np.empty(int(offsets[-1]), dtype=token.to_pandas_dtype())
    for d, start, stop in zip(documents, offsets, offsets[1:], strict=False):
        if d.tokens:
            ids = np.asarray(d.tokens)
            # Numpy would cut off the high bits without a word.
            assert ids.max() <= np.iinfo(values.dtype).max, f"{d.id}: a token id does not fit into {values.dtype}"
            values[start:stop] = ids
    tokens = pa.ListArray.from_arrays(
        pa.array(offsets),
        pa.array(values),
        type=like.field("tokens").type,
        mask=pa.array([d.tokens is None for d in documents]),
    )
    return pa.RecordBatch.from_arrays(
        [
            pa.array([d.id for d in documents], pa.string()),
            pa.array([d.source for d in documents], pa.string()),
            pa.array([d.text for d in documents], pa.string()),
            pa.array([d.license for d in documents], pa.string()),
            pa.array([d.created for d in documents], pa.string()),
            pa.array([meta_json(d.meta) for d in documents], pa.string()),
            tokens,
            pa.array([d.prompt for d in documents], pa.int32()),
        ],
        schema=like,
    )


def open_shard(path: Path) -> pa.ipc.RecordBatchFileReader:
    """The file mapped into memory. Raises BadInput when it is not a whole Arrow file."""
    try:
        return pa.ipc.open_file(pa.memory_map(str(path)))
    except pa.ArrowInvalid as error:
        raise BadInput(f"{path}: not a whole Arrow IPC file ({error}); delete it and build again") from error


def read(path: Path, *, tokens: bool = True) -> Iterator[Document]:
    """The documents of a layer's file or a shard, batch by batch."""
    reader = open_shard(path)
    for number in range(reader.num_record_batches):
        yield from from_batch(reader.get_batch(number), tokens=tokens)


def from_batch(batch: pa.RecordBatch, *, tokens: bool = True) -> Iterator[Document]:
    """The documents of one record batch."""
    column = {name: batch.column(name) for name in batch.schema.names}
    plain = [column[name].to_pylist() for name in ("id", "source", "text", "license", "created", "meta", "prompt")]
    code = "H" if column["tokens"].type.value_type == pa.uint16() else "I"
    for row, (id, source, text, license, created, meta, prompt) in enumerate(zip(*plain, strict=True)):
        held = column["tokens"][row] if tokens else None
        yield Document(
            id=id,
            source=source,
            text=text or "",
            license=license,
            created=created,
            meta=json.loads(meta or "{}"),
            tokens=None if held is None or not held.is_valid else array(code, held.values.to_numpy().tobytes()),
            prompt=prompt,
        )
