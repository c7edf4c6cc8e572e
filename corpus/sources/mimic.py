"""MIMIC: clinical notes of one hospital, from PhysioNet, behind credentials.

Three collections, told apart by their columns and paths: MIMIC-IV-Note (discharge summaries and
radiology reports), MIMIC-CXR (reports of chest X-rays, one text file a study, in folders or in the
zip archive) and MIMIC-III (NOTEEVENTS). Schemas: MIT-LCP's mimic-code, `create.sql` of
mimic-iv-note and mimic-iii; file layouts: the project pages on PhysioNet.

Dates in these notes are shifted by a random offset per patient: they order one patient's notes and
say nothing of when something was written, so `created` stays empty.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corpus.document import Document
from corpus.files import BadInput, Foreign, members, open_raw
from corpus.sources import Fetch, Remote
from corpus.sources.mimic_text import clean
from corpus.tables import Row, Table, open_table

LICENSE = "PhysioNet Credentialed Health Data License 1.5.0"

_STUDY = re.compile(r"(?:^|/)(?:p(\d{8})/)?s(\d{8})\.txt$")
_TABLE = re.compile(r"\.(csv|parquet)(\.(gz|zst))?$", re.IGNORECASE)
# Tables without notes that lie beside those with them; some are tens of gigabytes, and are not to
# be opened only to be refused.
_OTHER = re.compile(
    r"""_detail\.|cxr-(record|study)-list|-(split|metadata|chexpert|negbio)\.   # MIMIC-IV-Note, MIMIC-CXR
    |(^|/)(hosp|icu|ed)/                                                       # MIMIC-IV
    |(^|/)(admissions|callout|caregivers|chartevents|cptevents|datetimeevents|d_\w+|diagnoses_icd|drgcodes
    |icustays|inputevents_(cv|mv)|labevents|microbiologyevents|outputevents|patients|prescriptions
    |procedureevents_mv|procedures_icd|services|transfers)\.                  # MIMIC-III""",
    re.IGNORECASE | re.VERBOSE,
)
_SHA_LINE = re.compile(r"^([0-9a-fA-F]{64}) [ *]?(.+)$")  # PhysioNet writes one space, sha256sum two

# The columns without which a table of notes cannot be read.
_IV = ("note_id", "subject_id", "note_type", "text")
_III = ("row_id", "subject_id", "category", "iserror", "text")


@dataclass(frozen=True)
class Project:
    """One version of a PhysioNet project, and the files of it that hold notes."""

    slug: str
    version: str
    files: tuple[str, ...]


IV_NOTE = Project("mimic-iv-note", "2.2", ("note/discharge.csv.gz", "note/radiology.csv.gz"))
CXR = Project("mimic-cxr", "2.1.0", ("mimic-cxr-reports.zip",))
III = Project("mimiciii", "1.4", ("NOTEEVENTS.csv.gz",))


@dataclass(frozen=True)
class Mimic:
    """The notes of all three collections.

    `projects` are what `listing` offers: by default the two whose rows add up to Me-LLaMA's 2.9
    million notes. MIMIC-III covers many of the same stays under other numbers; add `III` for it.
    Each project is signed for on its own.
    """

    version: int = 1
    projects: tuple[Project, ...] = field(default=(IV_NOTE, CXR), repr=False)
    base: str = field(default="https://physionet.org/files", repr=False)

    @property
    def name(self) -> str:
        return "mimic"

    @property
    def restricted(self) -> bool:
        return True

    def listing(self, fetch: Fetch) -> Iterator[Remote]:
        """The projects' files with their SHA-256, from each version's SHA256SUMS.txt.

        Raises BadInput when that list is a login page or does not name a file.
        """
        for project in self.projects:
            root = f"{self.base}/{project.slug}/{project.version}"
            where = f"{root}/SHA256SUMS.txt"
            sums = {}
            for line in fetch(where).decode("utf-8", "replace").split("\n"):
                match = _SHA_LINE.match(line.rstrip("\r"))
                if match:
                    sums[match[2]] = match[1].lower()
                elif line.strip():
                    raise BadInput(
                        f"{where}: not a list of `<sha256> <path>` (a login page in its place?); check that your "
                        f"PhysioNet account has signed for {project.slug} {project.version}"
                    )
            for path in project.files:
                if path not in sums:
                    raise BadInput(
                        f"{where} does not list {path}; it lists {', '.join(sorted(sums)[:8]) or 'nothing'}: "
                        "name the version's own files in Project(files=...)"
                    )
                below = f"{project.slug}/{project.version}/{path}"
                yield Remote(f"{root}/{path}", below, f"sha256:{sums[path]}", license=LICENSE)

    def accepts(self, path: str) -> bool:
        if _STUDY.search(path):
            return True
        if path.lower().endswith(".zip"):
            return True
        return _TABLE.search(path) is not None and _OTHER.search(path) is None

    def read(self, path: Path, name: str) -> Iterator[Document]:
        """The notes of a table, of an archive of reports, or of one report's text file.

        Raises Foreign for another table or archive, BadInput for a table of notes that lacks a
        column.
        """
        with open(path, "rb") as file:
            zipped = file.read(4) == b"PK\x03\x04"
        if zipped:
            yield from _archive(path)
        elif _STUDY.search(name):
            with open_raw(path) as stream:
                yield _report(name, stream.read())
        else:
            with open_table(path) as table:
                read, columns = _kind(path, table)
                for row in table.rows:
                    yield _error(name, row) if row.problem else read(row, columns, name)


def _archive(path: Path) -> Iterator[Document]:
    found = False
    for member, body in members(path):
        if _STUDY.search(member):
            found = True
            yield _report(member, body)
    if not found:
        raise Foreign(
            f"{path}: no reports like files/p10/p10000032/s50414267.txt in this archive; unpack it if it holds tables"
        )


def _report(name: str, body: bytes) -> Document:
    """A MIMIC-CXR report; the path holds patient and study."""
    match = _STUDY.search(name)
    assert match is not None
    patient, study = match.groups()
    id = f"mimic:cxr-s{study}"
    meta: dict[str, Any] = {"kind": "report", "category": "Chest X-ray"}
    if patient:
        meta["patient"] = patient
    try:
        text = clean(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        return Document(id, "mimic", "", LICENSE, meta=meta | {"error": f"not UTF-8 at byte {error.start}"})
    return Document(id, "mimic", text, LICENSE, meta=meta)


Names = Mapping[str, str]  # lower case -> as the table spells it
Reader = Callable[[Row, Names, str], Document]


def _kind(path: Path, table: Table) -> tuple[Reader, Names]:
    """How to read a table, by its columns; exports of the same tables are in lower or upper case."""
    columns = {column.lower(): column for column in reversed(table.columns)}
    for needed, read in ((_IV, _iv), (_III, _iii)):
        missing = [name for name in needed if name not in columns]
        if not missing:
            return read, columns
        # More than half of what marks the table: it is one, and damaged. Others share the ids.
        if len(missing) * 2 < len(needed):
            raise BadInput(
                f"{path}: a table of MIMIC notes without {', '.join(missing)}; expected {', '.join(needed)}, found "
                f"{table.found}: fetch the file again as PhysioNet publishes it, or rename the columns"
            )
    raise Foreign(
        f"{path}: not a table of MIMIC notes; expected {', '.join(_IV)} (MIMIC-IV-Note) or {', '.join(_III)} "
        f"(NOTEEVENTS), found {table.found}"
    )


def _iv(row: Row, columns: Names, name: str) -> Document:
    """A row of MIMIC-IV-Note's discharge or radiology; AD and AR are addenda to a DS or RR."""
    note, kind = _cell(row, columns, "note_id"), _cell(row, columns, "note_type")
    if not note:
        return _error(name, row, "no note_id")
    meta: dict[str, Any] = {"kind": "report" if kind in ("RR", "AR") else "note", "category": kind}
    _people(meta, row, columns, "")
    if kind in ("AD", "AR"):
        meta["addendum"] = True
    return Document(f"mimic:{note}", "mimic", _text(row, columns), LICENSE, meta=meta)


_REPORTS = ("radiology", "ecg", "echo")


def _iii(row: Row, columns: Names, name: str) -> Document:
    """A row of MIMIC-III's NOTEEVENTS. What a physician marked as an error is excluded."""
    number = _cell(row, columns, "row_id")
    if not number:
        return _error(name, row, "no row_id")
    category = _cell(row, columns, "category")
    meta: dict[str, Any] = {"kind": "report" if category.lower() in _REPORTS else "note", "category": category}
    _people(meta, row, columns, "iii-")  # numbers of patients and stays have nothing to do with MIMIC-IV's
    if _cell(row, columns, "description").lower() == "addendum":
        meta["addendum"] = True
    if _cell(row, columns, "iserror") == "1":
        meta["excluded"] = "mimic.iserror"
    return Document(f"mimic:iii-{number}", "mimic", _text(row, columns), LICENSE, meta=meta)


def _people(meta: dict[str, Any], row: Row, columns: Names, prefix: str) -> None:
    for key, column in (("patient", "subject_id"), ("hadm", "hadm_id")):
        value = _cell(row, columns, column)
        if value:
            meta[key] = prefix + value


def _text(row: Row, columns: Names) -> str:
    text = row.cells.get(columns["text"])
    return clean(text) if isinstance(text, str) else ""


def _cell(row: Row, columns: Names, name: str) -> str:
    """A cell as a word, without the blanks that MIMIC-III's categories end in; 1.0 is 1."""
    value = row.cells.get(columns.get(name, ""))
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else ""
    return "" if value is None else str(value).strip().removesuffix(".0")


def _error(name: str, row: Row, problem: str = "") -> Document:
    meta = {"kind": "note", "error": row.problem or problem}
    return Document(f"mimic:{name}#{row.number}", "mimic", "", LICENSE, meta=meta)
