"""Tables of text (CSV, TSV, JSON lines, Parquet), row by row in flat memory.

Which of them a file is, is found in its bytes, never in its name. A row that cannot be read is a
row with a `problem`; a file that cannot be trusted from some row on (cut off, wrong encoding) is a
`BadInput` that names the row. Cells never appear in messages.
"""

import codecs
import contextlib
import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from corpus.files import BadInput, Foreign, open_raw

# No note is longer than 64 million characters; a longer cell is a quote that nobody closed.
CELL = 64 << 20
PARQUET_ROWS = 256
# How many rows tell which keys the objects of a JSON lines file have.
JSON_HEAD = 100
_DELIMITERS = (",", "\t", ";", "|")
_DATA = re.compile(r"[\d\s./:,+-]*\d[\d\s./:,+-]*")  # a number, a date, a telephone number
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: `number` counts from 1 below the header; `problem` says why there are no cells."""

    number: int
    cells: Mapping[str, Any]
    problem: str | None = None


@dataclass(frozen=True)
class Table:
    """A table that is open: its column names and its rows, to be read once."""

    form: str  # csv, jsonl or parquet
    columns: tuple[str, ...]
    rows: Iterator[Row] = field(repr=False)

    @property
    def found(self) -> str:
        """The columns for a message; of a table without a header they would be a patient's cells."""
        if any(_DATA.fullmatch(name.strip()) or len(name) > 64 or name.count(" ") > 4 for name in self.columns):
            return f"{len(self.columns)} cells in the first line that look like data: add a line of column names"
        return ", ".join(self.columns[:20]) or "no columns"


@contextlib.contextmanager
def open_table(
    path: Path, *, encoding: str = "utf-8", delimiter: str | None = None, quote: str = '"'
) -> Iterator[Table]:
    """The table in a (compressed) file. `delimiter` None finds comma, tab, semicolon or bar.

    Raises Foreign for what is no table, BadInput for a damaged file or one that is not in
    `encoding` (here, or while rows are read).
    """
    with open_raw(path) as stream:
        # Whole characters of the peek are enough to tell the forms apart.
        head = stream.peek(1 << 16)[: 1 << 16]
        if head.startswith(b"PAR1"):
            with _parquet(path) as table:
                yield table
            return
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            encoding = "utf-16"
        _refuse(path, head, encoding)
        start = head.removeprefix(codecs.BOM_UTF8).lstrip()[:1]
        if start == b"{":
            yield _json_lines(path, stream, encoding)
        else:
            yield _csv(path, stream, encoding, delimiter, quote)


def _refuse(path: Path, head: bytes, encoding: str) -> None:
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if head.startswith(b"PK\x03\x04"):
        raise Foreign(f"{path}: a zip archive or an Excel workbook, not a table; save it as CSV (UTF-8) or unpack it")
    if start.startswith(b"<"):
        raise Foreign(f"{path}: XML, not a table of rows and columns")
    if start.startswith(b"%PDF"):
        raise Foreign(f"{path}: a PDF, not a table of rows and columns")
    if start.startswith(b"[") and start[1:].lstrip()[:1] in (b"{", b"]"):
        raise BadInput(
            f"{path}: one JSON array, which cannot be read row by row; write one object a line (JSON lines), for "
            f"example with `jq -c '.[]' {path.name}`"
        )
    # A stray NUL in a cell is the text's; in the line of column names it says that this is no text.
    if b"\0" in head.split(b"\n", 1)[0] and not encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32")):
        raise Foreign(f"{path}: binary data, not a table; known are CSV, TSV, JSON lines and Parquet")


# ---- CSV ----------------------------------------------------------------------------------------


def _csv(path: Path, stream: IO[bytes], encoding: str, delimiter: str | None, quote: str) -> Table:
    csv.field_size_limit(CELL)
    place = _Place(path, encoding)
    text = _decoded(stream, encoding, place)
    first = next(text, "").removeprefix("\ufeff")
    reader = csv.reader(
        _chain(first, text),
        delimiter=delimiter or _delimiter(first),
        quotechar=quote or None,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        doublequote=True,
        strict=True,  # else a file that ends inside a quoted cell looks whole
    )
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise BadInput(f"{path}: the header cannot be read as CSV ({_said(error)}); expected column names") from error
    columns = tuple(name.strip() for name in header)
    if not any(columns):
        raise BadInput(f"{path}: no column names in its first line; the first line of a table must name its columns")
    return Table("csv", columns, _csv_rows(path, reader, columns, place))


def _csv_rows(path: Path, reader: Any, columns: Sequence[str], place: "_Place") -> Iterator[Row]:
    # Of two columns with one name the first counts: the others are read under names of no one.
    names = [name if name not in columns[:place] else f"{name}\0{place}" for place, name in enumerate(columns)]
    width = len(columns)
    while True:
        place.row += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            said = _said(error)
            if "unexpected end" in said:
                raise BadInput(
                    f"{path}: the file ends inside a quoted cell of row {place.row}; it was not fetched or exported "
                    "whole (or a quote is not closed): fetch or export it again"
                ) from None
            if "field limit" in said:
                raise BadInput(
                    f"{path}: row {place.row} holds a cell of more than {CELL:,} characters; a quote is not closed: "
                    "export the table with quotes doubled (RFC 4180)"
                ) from None
            yield Row(place.row, {}, f"csv: {said}")
            continue
        if not cells:  # a blank line
            place.row -= 1
        elif len(cells) != width:
            yield Row(place.row, {}, f"{len(cells)} cells where the header has {width}")
        else:
            yield Row(place.row, dict(zip(names, cells, strict=True)))


@dataclass
class _Place:
    """Where the reader stands, for messages."""

    path: Path
    encoding: str
    row: int = 0

    def undecodable(self, error: UnicodeDecodeError) -> BadInput:
        where = f"row {self.row}" if self.row else "the header"
        return BadInput(
            f"{self.path}: {where} is not {self.encoding} (byte 0x{error.object[error.start]:02x}); say the encoding "
            "of the export (a hospital's tables from Windows: --columns encoding=cp1252) or export it again as UTF-8"
        )


def _decoded(stream: IO[bytes], encoding: str, place: _Place) -> Iterator[str]:
    """Lines as text with their ends; split at `\\n` only, so that no character is a line end."""
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise ValueError(
            f"unknown encoding {encoding!r} for {place.path}; expected a name like utf-8 or cp1252"
        ) from None
    try:
        if encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32")):
            yield from io.TextIOWrapper(stream, encoding, newline="\n")
        else:
            for line in stream:
                yield line.decode(encoding)
    except UnicodeDecodeError as error:
        raise place.undecodable(error) from None


def _chain(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _delimiter(header: str) -> str:
    bare = re.sub(r'"[^"]*"', "", header)
    return max(_DELIMITERS, key=lambda mark: (bare.count(mark), -_DELIMITERS.index(mark)))


def _said(error: csv.Error) -> str:
    # What the module says of a row names the delimiter and the quote, and no cell of it.
    said = str(error)
    return "a carriage return inside an unquoted cell" if said.startswith("new-line character") else said


# ---- JSON lines ---------------------------------------------------------------------------------


def _json_lines(path: Path, stream: IO[bytes], encoding: str) -> Table:
    rows = _json_rows(path, stream, encoding)
    head = [row for _, row in zip(range(JSON_HEAD), rows, strict=False)]
    columns = tuple(dict.fromkeys(name for row in head for name in row.cells))
    return Table("jsonl", columns, _both(head, rows))


def _json_rows(path: Path, stream: IO[bytes], encoding: str) -> Iterator[Row]:
    recode = codecs.lookup(encoding).name not in ("utf-8", "ascii")
    source: Iterable[bytes] = stream
    if recode:
        source = (line.encode() for line in _decoded(stream, encoding, _Place(path, encoding)))
    for number, line in enumerate(source, 1):
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if not line.strip():
            continue
        try:
            cells = parse_json(line)
        except ValueError as error:
            yield Row(number, {}, str(error))
            continue
        if isinstance(cells, dict):
            yield Row(number, cells)
        else:
            yield Row(number, {}, f"a JSON {type(cells).__name__} where an object was expected")


def parse_json(line: bytes) -> Any:
    """One JSON value; NaN is taken, and a lone surrogate becomes U+FFFD, as Python's writer makes both.

    Raises ValueError that names position and length but nothing of the content.
    """
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        if b"NaN" in line or b"Infinity" in line or _SURROGATE.search(line):
            with contextlib.suppress(ValueError, RecursionError):
                return _paired(json.loads(line))
        raise ValueError(f"not JSON (at character {error.pos} of {len(line.rstrip())})") from None


def _paired(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_paired(item) for item in value]
    if isinstance(value, dict):
        return {_paired(name): _paired(item) for name, item in value.items()}
    return value


def _both(head: list[Row], rest: Iterator[Row]) -> Iterator[Row]:
    yield from head
    head.clear()
    yield from rest


# ---- Parquet ------------------------------------------------------------------------------------


@contextlib.contextmanager
def _parquet(path: Path) -> Iterator[Table]:
    try:
        file = pq.ParquetFile(path, memory_map=True, pre_buffer=False)
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInput(f"{path}: not a whole Parquet file ({_first(error)}); fetch or export it again") from error
    with file:
        yield Table("parquet", tuple(file.schema_arrow.names), _parquet_rows(path, file))


def _parquet_rows(path: Path, file: pq.ParquetFile) -> Iterator[Row]:
    number = 0
    try:
        for batch in file.iter_batches(batch_size=PARQUET_ROWS, use_threads=False):
            for cells in batch.to_pylist():
                number += 1
                yield Row(number, cells)
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInput(f"{path}: damaged after row {number} ({_first(error)}); fetch or export it again") from error


def _first(error: Exception) -> str:
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__
