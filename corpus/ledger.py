"""One row for every document read: what became of it, and why. Never its text.

The first sift writes a ledger beside each file of its layer; the build joins them with what came
later (twins, tokens, places in shards) into the build's own ledger, one file per source.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import pyarrow as pa

from corpus.document import Document, Drop, Mark, aliases
from corpus.files import writing
from corpus.shards import ipc_options

BATCH_ROWS = 8192

# What the first sift knows of a document.
SIFTED = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("file", pa.string(), nullable=False),  # below the source's raw folder
        pa.field("position", pa.int64(), nullable=False),  # the how-manieth document of that file
        pa.field("status", pa.string(), nullable=False),  # kept or dropped
        pa.field("reason", pa.string()),  # of the drop, dotted: family.rule
        pa.field("detail", pa.string()),  # numbers and rule names
        pa.field("marks", pa.string()),  # JSON object: what the filters measured
        pa.field("chars", pa.int64(), nullable=False),  # of the text as it was read
        pa.field("kind", pa.string()),
        pa.field("created", pa.string()),
        pa.field("revision", pa.list_(pa.int64())),
        pa.field("aliases", pa.list_(pa.string())),  # pmid:…, pmcid:…, doi:…
        pa.field("retracted", pa.string()),
    ]
)

# What a finished build knows of it.
BUILT = pa.schema(
    [
        *(SIFTED.field(name) for name in ("id", "source", "file", "position", "status", "reason", "detail", "marks")),
        pa.field("chars", pa.int64(), nullable=False),
        pa.field("kind", pa.string()),
        pa.field("group", pa.string(), nullable=False),  # of the mix
        pa.field("twin", pa.string()),  # the id that stayed in its place
        pa.field("similarity", pa.float64()),  # true Jaccard to the twin; 1.0 for exact copies
        pa.field("tokens", pa.int64()),  # of one draw; null when it was dropped before counting
        pa.field("draws", pa.int32(), nullable=False),  # how often it stands in the shards
        pa.field("shard", pa.list_(pa.int32())),  # one entry per draw
        pa.field("row", pa.list_(pa.int64())),
    ]
)


class LedgerWriter:
    """Appends rows (dicts) of one of this module's schemas to an Arrow file, whole or absent."""

    def __init__(self, path: Path, schema: pa.Schema, mode: int = 0o644) -> None:
        self.schema = schema
        self.rows = 0
        self._whole = writing(path, mode)
        self._pending: list[Mapping[str, object]] = []

    def __enter__(self) -> "LedgerWriter":
        partial = self._whole.__enter__()
        self._writer = pa.ipc.new_file(str(partial), self.schema, options=ipc_options("lz4"))
        return self

    def add(self, row: Mapping[str, object]) -> None:
        self._pending.append(row)
        self.rows += 1
        if len(self._pending) >= BATCH_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._pending:
            self._writer.write_batch(pa.RecordBatch.from_pylist(self._pending, schema=self.schema))
            self._pending = []

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


def marks_json(marks: Mapping[str, Mark]) -> str | None:
    if not marks:
        return None
    return json.dumps(marks, sort_keys=True, separators=(",", ":"))


def sifted(document: Document, file: str, position: int, fate: Document | Drop) -> dict[str, object]:
    """The ledger's row for a document as it was read and what the filters made of it."""
    dropped = isinstance(fate, Drop)
    meta = document.meta
    return {
        "id": document.id,
        "source": document.source,
        "file": file,
        "position": position,
        "status": "dropped" if dropped else "kept",
        "reason": fate.reason if isinstance(fate, Drop) else None,
        "detail": (fate.detail or None) if isinstance(fate, Drop) else None,
        "marks": marks_json(fate.marks),
        "chars": len(document.text),
        "kind": meta.get("kind"),
        "created": document.created,
        "revision": meta.get("revision"),
        "aliases": aliases(meta) or None,
        "retracted": meta.get("retracted"),
    }


def read(path: Path) -> pa.Table:
    """A ledger as a table (memory-mapped)."""
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
