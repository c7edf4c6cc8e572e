"""The per-file stages: read and filter (sift), and count tokens.

Each takes one file and writes one file; what is written depends on that file and on the work's
value alone, so that adding files to a corpus makes new files and touches no other.
"""

import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from corpus import manifest, shards
from corpus.document import Document, Drop, Filter
from corpus.files import BadInput, Foreign, writing
from corpus.ledger import SIFTED, LedgerWriter, sifted
from corpus.sources import Source
from filters.tokens import Tokens

TOKEN_BATCH = 4 << 20  # characters handed to the tokenizer at once: its per-call cost disappears


def ledger_of(shard: Path) -> Path:
    return shard.with_name(shard.name.removesuffix(".arrow") + ".ledger.arrow")


def summary_of(shard: Path) -> Path:
    return shard.with_name(shard.name.removesuffix(".arrow") + ".summary.json")


@dataclass(frozen=True)
class Sift:
    """Reads one raw file and writes what stays, with one ledger row for every document read."""

    source: Source
    filters: tuple[Filter, ...]
    version: int = 1

    def __call__(self, raw: Path, name: str, out: Path) -> None:
        """Writes `out` (documents) and, before it stands, its ledger and a summary of counts."""
        mode = shards.RESTRICTED if self.source.restricted else shards.PUBLIC
        dropped: Counter[str] = Counter()
        chars = 0
        foreign = None
        try:
            # Not compressed: the mix reads single rows of it, in the order of the stream.
            with shards.ShardWriter(out, mode=mode) as shard:
                with LedgerWriter(ledger_of(out), SIFTED, mode) as ledger:
                    try:
                        for position, document in enumerate(self.source.read(raw, name)):
                            fate = self.judge(document, name, position)
                            ledger.add(sifted(document, name, position, fate))
                            if isinstance(fate, Drop):
                                dropped[fate.reason] += 1
                            else:
                                shard.add(fate)
                                chars += len(fate.text)
                    except Foreign as error:
                        assert not ledger.rows, "a file is foreign as a whole or not at all"
                        foreign = str(error).replace(str(raw), name)
                summary = {
                    "documents": ledger.rows,
                    "kept": shard.rows,
                    "chars": chars,
                    "dropped": dict(dropped),
                    "foreign": foreign,
                }
                manifest.write(summary_of(out), summary, mode)
        except Exception as error:
            error.add_note(f"while making {out.name} from {raw}")
            raise

    def documents(self, raw: Path, name: str) -> Iterator[Document]:
        """What stays of a raw file, without writing it; nothing of one of another kind."""
        try:
            for position, document in enumerate(self.source.read(raw, name)):
                fate = self.judge(document, name, position)
                if isinstance(fate, Document):
                    yield fate
        except Foreign:
            return  # the sift lists it

    def judge(self, document: Document, name: str, position: int) -> Document | Drop:
        """What the filters, in order, make of a document."""
        for filter in self.filters:
            try:
                fate = filter(document)
            except Exception as error:
                told = f"in {type(filter).__name__} at {document.id}, document {position} of {name}"
                if self.source.restricted and not isinstance(error, BadInput):
                    frame = traceback.extract_tb(error.__traceback__)[-1]
                    place = f"{Path(frame.filename).name}, line {frame.lineno}"
                    raise RuntimeError(
                        f"{type(error).__name__} {told} ({place}); its message is withheld: it may quote private text"
                    ) from None
                error.add_note(told)
                raise
            if isinstance(fate, Drop):
                return fate
            document = fate
        return document


@dataclass(frozen=True)
class Count:
    """Writes, for every row of a layer's file, its token ids: [bos] + ids of the text + [eos].

    The ids (and how many of them carry no loss: `prompt`) stand in a file of their own, not
    compressed, row for row beside the documents, so that several tokenizers can count one text.
    """

    tokens: Tokens
    version: int = 1

    def __call__(self, layer: Path, out: Path, mode: int) -> None:
        whole = shards.schema(self.tokens.width)
        schema = pa.schema([whole.field("tokens"), whole.field("prompt")])
        with writing(out, mode) as partial:
            with pa.ipc.new_file(str(partial), schema, options=shards.ipc_options(None)) as writer:
                for documents in batches(layer):
                    batch = shards.to_batch(self.tokens.batch(documents), whole)
                    writer.write_batch(batch.select(["tokens", "prompt"]).cast(schema))


def batches(layer: Path) -> Iterator[list[Document]]:
    """The documents of a layer's file in lists of about TOKEN_BATCH characters."""
    batch: list[Document] = []
    chars = 0
    for document in shards.read(layer, tokens=False):
        batch.append(document)
        chars += len(document.text)
        if chars >= TOKEN_BATCH:
            yield batch
            batch, chars = [], 0
    if batch:
        yield batch


def lengths(path: Path) -> np.ndarray:
    """Tokens per row of a file that `Count` wrote, int64 [rows]."""
    reader = shards.open_shard(path)
    counts = [
        np.diff(reader.get_batch(number).column("tokens").offsets.to_numpy())
        for number in range(reader.num_record_batches)
    ]
    return np.concatenate(counts).astype(np.int64) if counts else np.zeros(0, np.int64)
