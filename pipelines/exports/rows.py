"""The stream of a build as exports read it: record batches of the mapped shards, and its digest."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from corpus.files import BadInput
from corpus.shards import open_shard


@dataclass(frozen=True)
class About:
    """What a format must know: the build's name and tokenizer, how many shards there are, the export's own key."""

    name: str
    key: str
    tokenizer: Mapping[str, Any]
    shards: int
    text: bool = True
    split: str = "train"

    @property
    def dtype(self) -> np.dtype:
        """The type of a token id, little-endian."""
        return np.dtype(f"<u{int(self.tokenizer['width']) // 8}")


def batches(shard: Path) -> Iterator[pa.RecordBatch]:
    """The record batches of a shard; at most 1,024 rows each, so that memory stays flat."""
    reader = open_shard(shard)
    for number in range(reader.num_record_batches):
        yield reader.get_batch(number)


def tokens(batch: pa.RecordBatch, shard: Path) -> tuple[np.ndarray, np.ndarray]:
    """Where each row's tokens begin (int64 [rows + 1], from 0) and all its token ids: views of the file."""
    column = batch.column("tokens")
    if column.null_count:
        raise BadInput(f"{shard}: {column.null_count} rows have no tokens; build again with a tokenizer")
    offsets = column.offsets.to_numpy().astype(np.int64)
    return offsets - offsets[0], column.values.to_numpy()[offsets[0] : offsets[-1]]


class TokenDigest:
    """sha256 over documents in the order of the stream: of each its number of tokens, then its tokens.

    All numbers are little-endian uint32, so that the digest is the same for any width on disk, and
    tells where documents end.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.rows = 0
        self.tokens = 0

    def add(self, offsets: np.ndarray, values: np.ndarray) -> None:
        """Documents whose tokens are `values[offsets[i] : offsets[i + 1]]`."""
        lengths = np.diff(offsets)
        self._hash.update(np.insert(values.astype("<u4"), offsets[:-1], lengths.astype("<u4")))
        self.rows += len(lengths)
        self.tokens += len(values)

    @property
    def name(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


def digest_of(documents: Iterable[Sequence[int] | np.ndarray]) -> str:
    """The token digest of documents that a reader gave back, one sequence of token ids each."""
    found = TokenDigest()
    for document in documents:
        values = np.asarray(document)
        found.add(np.array([0, len(values)]), values)
    return found.name


def token_digest(shards: Iterable[Path]) -> TokenDigest:
    """The digest of the stream that lies in these shards."""
    found = TokenDigest()
    for shard in shards:
        for batch in batches(shard):
            found.add(*tokens(batch, shard))
    return found
