"""A hospital's own notes: a table (CSV, TSV, JSON lines, Parquet) whose columns the user names.

Nothing is published here, so there is no listing. What identifies the patient in other columns
(the name, the record number, the birth date) is held in memory beside the text, for the
de-identification to find in it, and is written nowhere.
"""

import contextlib
import datetime
import difflib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from corpus.document import Document
from corpus.files import BadInput, Foreign
from corpus.key import key_id, pseudonym, read_key, same_key
from corpus.sources import Fetch, Remote
from corpus.tables import Row, Table, open_table

_YEAR = re.compile(r"(?<!\d)((?:19|20)\d\d)(?!\d)|^((?:19|20)\d\d)\d{4}(?!\d)")
_SUFFIX = re.compile(r"\.(csv|tsv|txt|tab|psv|parquet|jsonl|ndjson|json|xlsx)(\.(gz|zst))?$", re.IGNORECASE)
# An identifying number of fewer characters would be found in doses and dates.
SHORT = 4


@dataclass(frozen=True)
class Columns:
    """Which columns to read: for each field, the names that it may have, the first found counts.

    Case, spaces, dashes and underscores do not matter. A field that is given must be there; the
    defaults are tried. `known` pairs a kind of identifier with columns that hold such values of
    the patient: all of these columns count, not the first alone. `dates` are forms of the dates, as
    `datetime.strptime` has them; without one, whatever shows a year of four digits is understood.
    `encoding` is that of CSV and JSON files; UTF-8's and UTF-16's marks are seen.
    """

    text: tuple[str, ...] = (
        "text",
        "note",
        "note_text",
        "note_content",
        "transcription",
        "report",
        "report_text",
        "document_text",
        "clinical_note",
        "full_text",
        "content",
        "body",
    )
    id: tuple[str, ...] = ("note_id", "document_id", "report_id", "id", "row_id", "encounter_id", "visit_id")
    patient: tuple[str, ...] = ("patient_id", "subject_id", "person_id", "patient", "pat_id", "mrn", "nhs_number")
    date: tuple[str, ...] = ("note_date", "date", "charttime", "chartdate", "note_datetime", "created", "report_date")
    kind: tuple[str, ...] = ("note_type", "category", "document_type", "note_category", "medical_specialty", "type")
    known: tuple[tuple[str, tuple[str, ...]], ...] = (
        (
            "name",
            (
                "patient_name",
                "name",
                "full_name",
                "first_name",
                "middle_name",
                "last_name",
                "given_name",
                "family_name",
                "surname",
                "forename",
                "patient_first_name",
                "patient_last_name",
                "patient_firstname",
                "patient_familyname",
            ),
        ),
        ("id", ("mrn", "medical_record_number", "patient_mrn", "nhs_number", "ssn", "account_number", "insurance_id")),
        ("date", ("birth_date", "date_of_birth", "dob", "birthdate")),
        ("phone", ("phone", "phone_number", "telephone", "mobile")),
        ("email", ("email", "email_address")),
        ("address", ("address", "street", "street_address", "postcode", "zip", "zip_code", "city")),
    )
    dates: tuple[str, ...] = ()
    encoding: str = "utf-8"


_DEFAULT = Columns()


@dataclass(frozen=True)
class Notes:
    """Notes from tables. `delimiter` None finds comma, tab, semicolon or bar.

    `quote` "" is for tables whose quotes are plain characters. `language` is stated of every note
    when it is given. A note's own id may be a record number: with the site's key (`key_file`, or as
    corpus/key.py says) a document is named by a keyed hash of it, the same in every run; without one, by itself.
    """

    columns: Columns = _DEFAULT
    delimiter: str | None = None
    quote: str = '"'
    license: str = "hospital notes, not for release"
    language: str | None = None
    version: int = 2
    base: str = field(default="", repr=False)
    key_file: str | None = field(default=None, repr=False, compare=False)
    key_id: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key_id", key_id(read_key(self.key_file)))

    @property
    def name(self) -> str:
        return "notes"

    @property
    def restricted(self) -> bool:
        return True

    def listing(self, fetch: Fetch) -> Iterator[Remote]:
        """Nothing: these files lie where the hospital put them."""
        return iter(())

    def accepts(self, path: str) -> bool:
        return _SUFFIX.search(path) is not None

    def read(self, path: Path, name: str) -> Iterator[Document]:
        """One document a row. The id is the table's name and the row's own id (or its hash), or its number.

        Raises Foreign for a table without a text column (when none was named), BadInput when a
        column that the user named is missing.
        """
        with self._open(path) as table:
            found = self._resolve(path, table)
            stem = _SUFFIX.sub("", name)
            secret = same_key(self.key_file, self.key_id, "Notes")
            taken: dict[str, int] = {}
            for row in table.rows:
                own = "" if row.problem else _plain(row.cells.get(found.id or ""))
                key = wanted = _named(secret, own) if own else f"row{row.number}"
                while key in taken:  # the second of one id is "7#2", unless a row calls itself that
                    taken[wanted] += 1
                    key = f"{wanted}#{taken[wanted]}"
                taken[key] = 1
                yield self._document(row, f"notes:{stem}/{key}", found)

    def check(self, path: Path) -> list[str]:
        """What should be known of a table before hours are spent on it, in words; reads all of it.

        Raises BadInput for a table that is not written as `columns` says: a column that is missing, another
        encoding, no text in the column of texts, dates of another form. A table of something else is told of.
        """
        rows = empty = broken = dated = undated = 0
        shapes: Counter[str] = Counter()
        with self._open(path) as table:
            try:
                found = self._resolve(path, table)
            except Foreign as error:
                return [str(error)]
            for row in table.rows:
                rows += 1
                if row.problem:
                    broken += 1
                    continue
                empty += not _plain(row.cells.get(found.text))
                day = row.cells.get(found.date or "")
                if not _plain(day):
                    continue
                dated += 1
                if self._year(day) is None:
                    undated += 1
                    if len(shapes) < 1000:
                        shapes[_shape(_plain(day))] += 1
        if rows and empty + broken == rows:
            raise BadInput(
                f"{path}: none of its {rows} rows holds text in the column {found.text!r}; name another column with "
                "--columns text=…, or take the file away"
            )
        told = [f"{path}: {broken} of {rows} rows cannot be read and will be left out"] * bool(broken)
        if undated:
            many, like = f"{undated} of {dated} dates in the column {found.date!r}", shapes.most_common(1)[0][0]
            asked = self.columns.dates or self.columns.date != _DEFAULT.date
            if asked and undated > dated / 2:
                form = " or ".join(self.columns.dates) or "of a form that shows the year"
                raise BadInput(
                    f"{path}: {many} are not {form}; most look like {like} (9 for a digit, a for a letter): give the "
                    "form with --columns dates=%d/%m/%y"
                )
            told.append(f"{path}: {many} tell no year (most look like {like}); their notes will have no date")
        return told

    def _open(self, path: Path) -> contextlib.AbstractContextManager[Table]:
        return open_table(path, encoding=self.columns.encoding, delimiter=self.delimiter, quote=self.quote)

    def _year(self, value: Any) -> str | None:
        """The year of a date: a finer date of a note identifies (45 CFR 164.514(b)(2)(i)(C))."""
        year = getattr(value, "year", None)
        if isinstance(year, int):
            return str(year)
        told = _plain(value)
        for form in self.columns.dates:
            with contextlib.suppress(ValueError):
                return str(datetime.datetime.strptime(told, form).year)
        found = _YEAR.search(told) if told and not self.columns.dates else None
        return (found[1] or found[2]) if found else None

    def _document(self, row: Row, id: str, found: "_Found") -> Document:
        if row.problem:
            return Document(id, "notes", "", self.license, meta={"kind": "note", "error": row.problem})
        cells = row.cells
        text = cells.get(found.text)
        meta: dict[str, Any] = {"kind": "note"}
        if text is None:
            text = ""
        if not isinstance(text, str):
            meta["error"], text = f"its text is a {type(text).__name__}", ""
        elif text.lstrip().startswith("{\\rtf"):
            meta["error"], text = "rich text (RTF); export plain text", ""
        for key, column, length in (("category", found.kind, 80), ("patient", found.patient, 200)):
            value = _plain(cells.get(column)) if column else ""
            if value:
                meta[key] = value[:length]
        if self.language:
            meta["language"] = self.language
        known = {
            kind: values
            for kind, columns in found.known
            if (
                values := [
                    value
                    for column in columns
                    if len(value := _plain(cells.get(column))) >= (SHORT if kind == "id" else 1)
                ]
            )
        }
        patient = meta.get("patient", "")
        if len(patient) >= SHORT and patient not in known.get("id", ()):
            known["id"] = [*known.get("id", ()), patient]
        if known:
            meta["_known"] = known
        return Document(id, "notes", text, self.license, self._year(cells.get(found.date or "")), meta)

    def _resolve(self, path: Path, table: Table) -> "_Found":
        """The table's own names of the columns that are asked for."""
        there: dict[str, str] = {}
        for column in table.columns:
            there.setdefault(_bare(column), column)

        def first(what: str) -> str | None:
            names: tuple[str, ...] = getattr(self.columns, what)
            for name in names:
                if _bare(name) in there:
                    return there[_bare(name)]
            if names and names != getattr(_DEFAULT, what):
                raise BadInput(_missing(path, what, names, table))
            return None

        text = first("text")
        if text is None:
            raise Foreign(
                f"{path}: no column of notes (looked for {', '.join(self.columns.text)}; found {table.found}); "
                "name it with --columns text=… if it holds notes"
            )
        known = []
        for kind, names in self.columns.known:
            here = tuple(there[_bare(name)] for name in names if _bare(name) in there)
            if not here and (kind, names) not in _DEFAULT.known:
                raise BadInput(_missing(path, f"known {kind}", names, table))
            if here:
                known.append((kind, here))
        return _Found(text, first("id"), first("patient"), first("date"), first("kind"), tuple(known))


def _named(key: bytes | None, own: str) -> str:
    return own if key is None else "n" + pseudonym(key, "note", own)


def as_read(id: str) -> list[str]:
    """The ids that a note may have been read under which its hospital calls `notes:TABLE/ID`, itself among them.

    With the site's key in reach, its hash; both TABLE and ID may hold slashes.
    """
    key = read_key(None)
    if key is None or not id.startswith("notes:"):
        return [id]
    whole = re.fullmatch(r"(.*?)(#\d+)?", id, re.DOTALL)
    assert whole is not None
    found = [id]
    for body, more in {(whole[1], whole[2] or ""), (id, "")}:
        for slash in re.finditer("/", body):
            found.append(f"{body[: slash.end()]}{_named(key, body[slash.end() :])}{more}")
    return found


@dataclass(frozen=True)
class _Found:
    """Column names as this table spells them."""

    text: str
    id: str | None
    patient: str | None
    date: str | None
    kind: str | None
    known: tuple[tuple[str, tuple[str, ...]], ...]


assert [one.name for one in fields(_Found)] == [one.name for one in fields(Columns)][:6]


def _missing(path: Path, what: str, names: Sequence[str], table: Table) -> str:
    near = difflib.get_close_matches(_bare(names[0]), map(_bare, table.columns), n=1, cutoff=0.5)
    spelled = [column for column in table.columns if near and _bare(column) == near[0]]
    hint = f"; did you mean {spelled[0]!r}?" if spelled else ""
    return (
        f"{path}: no column {' or '.join(map(repr, names))} for {what}; found {table.found}{hint} "
        "Correct the name in --columns, or take the file away"
    )


def _bare(name: str) -> str:
    return re.sub(r"[\W_]+", "_", name.strip().lower())


def _plain(value: Any) -> str:
    """A cell as a word: whole numbers that a program wrote as 12.0 are 12."""
    if value is None or isinstance(value, (Mapping, list)):
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else ("" if value != value else str(value))
    return str(value).strip()


def _shape(value: str) -> str:
    """What a cell looks like, without a letter or digit of it."""
    return re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "9", value))[:30]
