"""What differs between two builds, document by document: `python -m pipelines.diff A B`.

Documents are joined by id over the ledgers; those that stand in both are compared by their text (by
their tokens where a build holds no text). Of an id that was read several times, the row that stayed counts.
"""

import argparse
import json
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus import ledger, manifest
from corpus.shards import open_shard
from pipelines.progress import amount

ABSENT = "-"
KINDS = ("added", "removed", "fate", "text", "draws")
_RANK = {"kept": 0, "heldout": 1, "dropped": 2}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m pipelines.diff", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("before", type=Path, help="the folder of a finished build")
    parser.add_argument("after", type=Path, help="the folder of another")
    parser.add_argument("--ids", choices=KINDS, help="name the documents of one kind of change")
    parser.add_argument("--most", type=int, default=20, help="how many documents --ids names (20)")
    parser.add_argument("--json", action="store_true", help="the table as JSON")
    given = parser.parse_args(arguments)
    try:
        found = compare(given.before, given.after)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if given.ids:
        for line in found.named(given.ids, given.most):
            print(line)
    elif given.json:
        print(json.dumps(found.rows()))
    else:
        print(found.told(given.before, given.after))
    return 0


@dataclass(frozen=True)
class Book:
    """The ledgers of a build: one row of each array for every id of both builds, by its code.

    `fate` is a code of `Difference.fates`, 0 when the build does not know the id; `tokens` of one draw;
    its first draw is `many` rows of the stream, which `places` lists from `at` on; `at` is -1 without one.
    """

    content: Mapping[str, Any]
    places: np.ndarray
    fate: np.ndarray
    tokens: np.ndarray
    draws: np.ndarray
    at: np.ndarray
    many: np.ndarray


@dataclass(frozen=True)
class Difference:
    """Two builds side by side; `kind` is 0 for what is the same, else 1 + its place in KINDS."""

    before: Book
    after: Book
    ids: pa.Array
    source: np.ndarray
    sources: list[str]
    fates: list[str]
    kind: np.ndarray

    def rows(self) -> list[dict[str, Any]]:
        """Documents and tokens (over all draws) by kind of change, source, and fate before and after."""
        n = max(len(self.fates), len(self.sources))
        key = ((self.kind.astype(np.int64) * n + self.source) * n + self.before.fate) * n + self.after.fate
        unique, place = np.unique(key, return_inverse=True)
        count = np.bincount(place)
        tokens = [
            np.bincount(place, book.tokens * book.draws, len(unique)).astype(np.int64)
            for book in (self.before, self.after)
        ]
        made = []
        for number, code in enumerate(unique.tolist()):
            code, after = divmod(code, n)
            code, before = divmod(code, n)
            kind, source = divmod(code, n)
            if kind:
                made.append(
                    {
                        "change": KINDS[kind - 1],
                        "source": self.sources[source],
                        "before": self.fates[before],
                        "after": self.fates[after],
                        "documents": int(count[number]),
                        "tokens_before": int(tokens[0][number]),
                        "tokens_after": int(tokens[1][number]),
                    }
                )
        return sorted(made, key=lambda row: (KINDS.index(row["change"]), row["source"], -row["documents"]))

    def named(self, kind: str, most: int) -> Iterator[str]:
        """`id  before -> after` of some documents of a kind of change, in the order of their ids."""
        chosen = np.flatnonzero(self.kind == 1 + KINDS.index(kind))
        names = self.ids.take(pa.array(chosen)).to_pylist()
        for name, code in sorted(zip(names, chosen.tolist(), strict=True))[:most]:
            fates = [self.fates[book.fate[code]] for book in (self.before, self.after)]
            counts = [f"{book.tokens[code]:,} x {book.draws[code]}" for book in (self.before, self.after)]
            yield f"{name}  {fates[0]} -> {fates[1]}  tokens {counts[0]} -> {counts[1]}"

    def told(self, before: Path, after: Path) -> str:
        lines = []
        for path, book in ((before, self.before), (after, self.after)):
            realised = " : ".join(f"{value:.4f}" for value in book.content["mix"]["realised"].values())
            size = f"{amount(book.content['tokens'])} tokens in {book.content['documents']:,} documents"
            lines.append(f"{path}: {size}, {realised}")
        if self.before.content["tokenizer"]["sha256"] != self.after.content["tokenizer"]["sha256"]:
            lines.append("the tokenizers differ: numbers of tokens are not comparable")
        rows = self.rows()
        if not rows:
            return "\n".join([*lines, f"no document differs: {len(self.ids):,} have the same fate and text in both"])
        table = [("change", "source", "before", "after", "documents", "tokens")]
        for row in rows:
            more = row["tokens_after"] - row["tokens_before"]
            told = f"{'+' if more > 0 else '-' if more < 0 else ''}{amount(abs(more))}"
            table.append((row["change"], row["source"], row["before"], row["after"], f"{row['documents']:,}", told))
        widths = [max(len(row[column]) for row in table) for column in range(6)]
        lines.append("")
        lines += [
            "  ".join(
                cell.ljust(w) if n < 4 else cell.rjust(w) for n, (cell, w) in enumerate(zip(row, widths, strict=True))
            )
            for row in table
        ]
        same = int((self.kind == 0).sum())
        lines += ["", f"{same:,} of {len(self.ids):,} documents are the same in both"]
        return "\n".join(lines)


def compare(before: Path, after: Path) -> Difference:
    """Reads both builds' ledgers, and their shards where texts have to be compared."""
    builds = (before, after)
    contents = [manifest.load(build) for build in builds]
    columns = ["id", "source", "status", "reason", "tokens", "draws", "shard", "row"]
    tables = [
        pa.concat_tables([ledger.read(build / item["path"]).select(columns) for item in content["ledger"]])
        for build, content in zip(builds, contents, strict=True)
    ]
    codes, ids = _coded([table["id"] for table in tables])
    fates_of, fates = _coded([_fates(table) for table in tables])
    named, names = _coded([table["source"] for table in tables])
    source = np.zeros(len(ids), np.int64)
    books = []
    for table, content, code, fate, name in zip(tables, contents, codes, fates_of, named, strict=True):
        source[code] = name
        books.append(_book(table, content, code, fate + 1, len(ids)))
    kind = _kinds(books, fates.to_pylist(), builds)
    return Difference(books[0], books[1], ids, source, names.to_pylist(), [ABSENT, *fates.to_pylist()], kind)


def _coded(columns: Sequence[pa.ChunkedArray]) -> tuple[list[np.ndarray], pa.Array]:
    """Both columns as codes into one array of distinct values."""
    whole = pa.chunked_array([chunk for column in columns for chunk in column.chunks], columns[0].type)
    coded = whole.combine_chunks().dictionary_encode()
    codes = coded.indices.to_numpy().astype(np.int64)
    cut = len(columns[0])
    return [codes[:cut], codes[cut:]], coded.dictionary


def _fates(table: pa.Table) -> pa.ChunkedArray:
    """kept, heldout, or the reason of the drop."""
    return pc.if_else(pc.equal(table["status"], "dropped"), table["reason"], table["status"])


def _book(table: pa.Table, content: Mapping[str, Any], code: np.ndarray, fate: np.ndarray, n: int) -> Book:
    starts = np.concatenate([[0], np.cumsum([item["rows"] for item in content["shards"]])]).astype(np.int64)
    draws = table["draws"].to_numpy().astype(np.int64)
    at, many = np.full(len(table), -1, np.int64), np.zeros(len(table), np.int64)
    drawn = np.flatnonzero(draws)
    length = pc.list_value_length(table["row"]).to_numpy(zero_copy_only=False)[drawn].astype(np.int64)
    at[drawn] = np.cumsum(length) - length  # in the flat lists, which hold nothing for rows without draws
    many[drawn] = length // draws[drawn]
    shard, row = (
        np.concatenate([chunk.flatten().to_numpy() for chunk in table[name].chunks] or [np.zeros(0, np.int64)])
        for name in ("shard", "row")
    )
    status = pc.index_in(table["status"], pa.array(list(_RANK))).to_numpy()
    # Of several rows of an id, the last that is written wins: the kept one, or else the last that was read.
    order = np.argsort(-status, kind="stable")
    tokens = pc.fill_null(table["tokens"], 0).to_numpy()
    values = {"fate": fate, "tokens": tokens, "draws": draws, "at": at, "many": many}
    made = {name: np.full(n, -1 if name == "at" else 0, np.int64) for name in values}
    for name, value in values.items():
        made[name][code[order]] = value[order]
    return Book(content, starts[shard] + row, **made)


def _kinds(books: Sequence[Book], fates: Sequence[str], builds: Sequence[Path]) -> np.ndarray:
    a, b = books
    kind = np.zeros(len(a.fate), np.int8)
    kind[(a.fate == 0) & (b.fate > 0)] = 1
    kind[(a.fate > 0) & (b.fate == 0)] = 2
    both = (a.fate > 0) & (b.fate > 0)
    kind[both & (a.fate != b.fate)] = 3
    stay = both & (a.fate == b.fate) & (a.at >= 0) & (b.at >= 0)
    kind[stay & (a.draws != b.draws)] = 5
    if [item["sha256"] for item in a.content["shards"]] != [item["sha256"] for item in b.content["shards"]]:
        rows = np.flatnonzero(stay)
        texts = all(_has_text(build, book.content) for build, book in zip(builds, books, strict=True))
        column = "text" if texts else "tokens"
        held = [_digests(build, book, rows, column) for build, book in zip(builds, books, strict=True)]
        kind[rows[(held[0] != held[1]).any(axis=1)]] = 4
    return kind


def _has_text(build: Path, content: Mapping[str, Any]) -> bool:
    if not content["shards"]:
        return False
    reader = open_shard(build / content["shards"][0]["path"])
    return not reader.num_record_batches or reader.get_batch(0).column("text").null_count == 0


def _digests(build: Path, book: Book, documents: np.ndarray, column: str) -> np.ndarray:
    """CRC-32 and Adler-32 of the text (or tokens) of these documents, uint32 [documents, 2].

    Both run on from piece to piece, so that it does not matter where a document was cut. A document is
    compared only to itself: that a change stays unseen takes both to agree by chance.
    """
    many = book.many[documents]
    of = np.repeat(np.arange(len(documents)), many)
    at = book.places[np.arange(len(of)) + np.repeat(book.at[documents] - np.cumsum(many) + many, many)]
    order = np.argsort(at, kind="stable")  # along the stream, and so in every document from piece to piece
    sought, of = at[order], of[order]
    crc, adler = [0] * len(documents), [1] * len(documents)
    begin = 0
    for item in book.content["shards"]:
        reader = open_shard(build / item["path"])
        for number in range(reader.num_record_batches):
            batch = reader.get_batch(number)
            low, high = np.searchsorted(sought, [begin, begin + len(batch)])
            if high > low:
                data, ends = _bytes(batch.column(column))
                rows = sought[low:high] - begin
                for one, start, stop in zip(
                    of[low:high].tolist(), ends[rows].tolist(), ends[rows + 1].tolist(), strict=True
                ):
                    crc[one] = zlib.crc32(data[start:stop], crc[one])
                    adler[one] = zlib.adler32(data[start:stop], adler[one])
            begin += len(batch)
    return np.array([crc, adler], np.uint32).T


def _bytes(values: pa.Array) -> tuple[memoryview, np.ndarray]:
    """The bytes of a column of strings or of lists of numbers, and where each row begins, with the end."""
    text = pa.types.is_string(values.type)
    data = values.buffers()[2] if text else values.values.buffers()[1]
    width = 1 if text else values.type.value_type.bit_width // 8
    ends = np.frombuffer(values.buffers()[1], np.int32)[: len(values) + 1].astype(np.int64) * width
    return memoryview(data) if data is not None else memoryview(b""), ends


if __name__ == "__main__":
    sys.exit(main())
