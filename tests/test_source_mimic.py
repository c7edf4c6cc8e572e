"""MIMIC's three collections: what becomes of their rows, and of files that are something else.

The number in brackets is that of the trap list of the sources (42 to 51 are MIMIC's).
"""

import csv
import gzip
import itertools
import random
import re
import shutil
import textwrap
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.files import BadInput, Foreign
from corpus.sources.mimic import CXR, III, IV_NOTE, LICENSE, Mimic
from corpus.sources.mimic_text import clean, placeholders
from pipelines.dedup import Duplicates
from tests import profiles  # noqa: F401 (chooses how many examples)

RAW = Path(__file__).parent / "raw" / "mimic"
DISCHARGE = "mimic-iv-note/2.2/note/discharge.csv"
RADIOLOGY = "mimic-iv-note/2.2/note/radiology.csv"
NOTEEVENTS = "mimiciii/1.4/NOTEEVENTS.csv"
REPORT = "mimic-cxr/2.1.0/files/p10/p10000007/s50000123.txt"


def read(name, path=None):
    return list(Mimic().read(path or RAW / name, name))


def by_id(name):
    return {document.id: document for document in read(name)}


def test_a_discharge_summary_keeps_its_sections_and_loses_the_printers_lines():
    note = by_id(DISCHARGE)["mimic:10000007-DS-3"]
    assert note.meta == {"kind": "note", "category": "DS", "patient": "10000007", "hadm": "20000042"}
    assert note.license == LICENSE
    assert note.created is None  # the dates are shifted
    lines = note.text.split("\n")
    assert lines[0] == "Name:  ___                   Unit No:   ___"
    for heading in ("Allergies:", "Chief Complaint:", "History of Present Illness:", "Past Medical History:"):
        assert heading in lines
    assert (
        "Mr. ___ is a ___ year old man with ischemic cardiomyopathy who was sent from the clinic of Dr. ___ ___ for "
        "three weeks of swelling of both legs, worse at the end of the day." in note.text
    )
    assert "1. Ischemic cardiomyopathy, ejection fraction 30 percent in the last echocardiogram" in lines
    assert "2. Hypertension" in lines and "- asthma as a child" in lines
    assert "___ 10:25PM   ALT(SGPT)-10 AST(SGOT)-11" in lines
    assert "neg           neg         30" in lines
    assert not any(line != line.rstrip() for line in lines)
    assert "\n\n\n" not in note.text


def test_addenda_are_documents_of_their_own():  # (49)
    discharge, radiology = by_id(DISCHARGE), by_id(RADIOLOGY)
    assert discharge["mimic:10000007-AD-4"].meta["addendum"] is True
    assert discharge["mimic:10000007-AD-4"].meta["kind"] == "note"
    assert radiology["mimic:10000007-AR-13"].meta["addendum"] is True
    assert by_id(NOTEEVENTS)["mimic:iii-175"].meta["addendum"] is True
    assert "addendum" not in discharge["mimic:10000007-DS-3"].meta


def test_a_radiology_report_may_belong_to_no_stay():  # (45)
    report = by_id(RADIOLOGY)["mimic:10000007-RR-12"]
    assert report.meta == {"kind": "report", "category": "RR", "patient": "10000007"}
    assert "have become smaller." in report.text


def test_marked_errors_are_excluded_with_their_text_and_reason():  # (48)
    errors = {id: d for id, d in by_id(NOTEEVENTS).items() if "excluded" in d.meta}
    assert list(errors) == ["mimic:iii-177"]
    assert errors["mimic:iii-177"].meta["excluded"] == "mimic.iserror"


def test_noteevents_rows_with_quotes_backslashes_and_padded_categories():
    notes = by_id(NOTEEVENTS)
    assert [d.meta["category"] for d in notes.values()] == [
        "Discharge summary",
        "Discharge summary",
        "Radiology",
        "Nursing/other",
        "Physician",
    ]
    assert [d.meta["kind"] for d in notes.values()] == ["note", "note", "report", "note", "note"]
    assert "path C:\\ward\\notes kept" in notes["mimic:iii-178"].text
    # Numbers of MIMIC-III's patients and stays may not meet those of MIMIC-IV.
    assert notes["mimic:iii-174"].meta["patient"] == "iii-22532"
    assert notes["mimic:iii-174"].meta["hadm"] == "iii-167853"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("[**2151-7-16**]", "___"),
        ("from [**Hospital1 18**] to [**Hospital3 **] by bus", "from ___ to ___ by bus"),
        ("[**Last Name (STitle) **]", "___"),
        ("[**Hospital1\n18**]", "___"),
        ("[** **] and [****] and [**12**]", "___ and ___ and ___"),
        ("[**a [sic] name**]", "___"),
        ("[**outer [**inner**] rest**]", "___"),
        ("[**never closed", "[**never closed"),
        ("[x] and [1] stay", "[x] and [1] stay"),
        ("___ stays", "___ stays"),
    ],
)
def test_every_typed_mask_is_the_one_placeholder(text, masked):  # (47)
    assert placeholders(text) == masked


def test_reports_from_folders_and_from_the_archive_are_the_same(tmp_path):
    [report] = read(REPORT)
    assert report.id == "mimic:cxr-s50000123"
    assert report.meta == {"kind": "report", "category": "Chest X-ray", "patient": "10000007"}
    lines = report.text.split("\n")
    assert lines[:3] == [
        "ADDENDUM  Compared with the film of ___, which came later, nothing is new.",
        "",
        "FINAL REPORT",
    ]
    assert "2.  Nodular opacities, to be seen again with markers in case that they should stay." in lines
    assert "____" not in report.text  # the rule between addendum and report is no mask
    archive = tmp_path / "mimic-cxr-reports.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("files/", "")
        file.write(RAW / REPORT, "files/p10/p10000007/s50000123.txt")
        file.writestr("files/p10/p10000007/index.html", "<html>")
        file.writestr("files/p10/p10000007/s50000124.txt", b"\xff\xfe broken")
    zipped = read("mimic-cxr/2.1.0/mimic-cxr-reports.zip", archive)
    assert zipped[0] == report
    assert [d.meta.get("error") for d in zipped] == [None, "not UTF-8 at byte 0"]


def test_an_archive_without_reports_is_foreign_and_a_cut_one_is_damaged(tmp_path):
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(RAW / DISCHARGE, "note/discharge.csv")
    with pytest.raises(Foreign, match="unpack it"):
        read("all.zip", archive)
    archive.write_bytes(archive.read_bytes()[:-40])
    with pytest.raises(BadInput, match="not a whole zip archive"):
        read("all.zip", archive)


def test_the_same_rows_from_gzip_with_lower_case_or_other_order_of_columns(tmp_path):
    with open(RAW / NOTEEVENTS, newline="") as file:
        rows = list(csv.DictReader(file))
    path = tmp_path / "export.csv.gz"
    with gzip.open(path, "wt", newline="") as file:
        writer = csv.writer(file)
        names = list(rows[0])[::-1]
        writer.writerow([name.lower() for name in names])
        writer.writerows([row[name] for name in names] for row in rows)
    assert read("some/export.csv.gz", path) == read(NOTEEVENTS)


def test_a_table_of_notes_without_a_column_names_it(tmp_path):
    path = tmp_path / "discharge.csv"
    path.write_text("note_id,subject_id,hadm_id,note_type,body\n1,2,3,DS,words of a patient\n")
    with pytest.raises(BadInput) as caught:
        read("discharge.csv", path)
    said = str(caught.value)
    assert (
        str(path) in said and "without text" in said and "found note_id, subject_id, hadm_id, note_type, body" in said
    )
    assert "words of a patient" not in said


@pytest.mark.parametrize(
    "header",
    [
        "note_id,subject_id,field_name,field_value,field_ordinal",
        "ROW_ID,SUBJECT_ID,GENDER,DOB",
        "ROW_ID,SUBJECT_ID,HADM_ID,ADMITTIME",
    ],
)
def test_other_tables_are_foreign(tmp_path, header):
    path = tmp_path / "table.csv"
    path.write_text(header + "\n")
    with pytest.raises(Foreign, match="not a table of MIMIC notes"):
        read("table.csv", path)


def test_a_login_page_in_place_of_a_file(tmp_path):  # (43)
    path = tmp_path / "discharge.csv.gz"
    path.write_text("<!DOCTYPE html><html><head><title>Login</title></head></html>")
    with pytest.raises(BadInput, match="web page"):
        read("note/discharge.csv.gz", path)


def test_a_file_that_ends_inside_a_note(tmp_path):  # (46)
    whole = (RAW / DISCHARGE).read_bytes()
    path = tmp_path / "discharge.csv"
    path.write_bytes(whole[: len(whole) - 60])
    with pytest.raises(BadInput, match="ends inside a quoted cell of row 2"):
        read("discharge.csv", path)


def test_notes_longer_than_the_csv_modules_limit(tmp_path):  # (46)
    path = tmp_path / "discharge.csv"
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["note_id", "subject_id", "note_type", "text"])
        writer.writerow(["1-DS-1", "1", "DS", "word " * 60_000])
    [note] = read("discharge.csv", path)
    assert len(note.text) == 60_000 * 5 - 1


def test_what_is_read_of_a_physionet_folder():
    accepts = Mimic().accepts
    assert all(
        map(accepts, (DISCHARGE + ".gz", NOTEEVENTS, REPORT, "x/mimic-cxr-reports.zip", "note/discharge.csv.zst"))
    )
    for name in (
        "note/radiology_detail.csv.gz",
        "SHA256SUMS.txt",
        "LICENSE.txt",
        "cxr-study-list.csv.gz",
        "index.html",
    ):
        assert not accepts(name)


def sums(*paths, gap=" "):
    return "".join(f"{'ab' * 32}{gap}{path}\n" for path in paths).encode()


def test_the_listing_reads_sums_with_a_single_space():  # (44)
    lists = {
        "http://here/mimic-iv-note/2.2/SHA256SUMS.txt": sums(
            "LICENSE.txt", "note/discharge.csv.gz", "note/discharge_detail.csv.gz", "note/radiology.csv.gz"
        ),
        "http://here/mimic-cxr/2.1.0/SHA256SUMS.txt": sums("a name.txt", "mimic-cxr-reports.zip"),
        "http://here/mimiciii/1.4/SHA256SUMS.txt": sums("NOTEEVENTS.csv.gz", gap="  "),
    }
    source = Mimic(projects=(IV_NOTE, CXR, III), base="http://here")
    remotes = list(source.listing(lists.__getitem__))
    assert [remote.path for remote in remotes] == [
        "mimic-iv-note/2.2/note/discharge.csv.gz",
        "mimic-iv-note/2.2/note/radiology.csv.gz",
        "mimic-cxr/2.1.0/mimic-cxr-reports.zip",
        "mimiciii/1.4/NOTEEVENTS.csv.gz",
    ]
    assert remotes[0].url == "http://here/mimic-iv-note/2.2/note/discharge.csv.gz"
    assert {remote.digest for remote in remotes} == {"sha256:" + "ab" * 32}
    assert all(source.accepts(remote.path) for remote in remotes)


@pytest.mark.parametrize(
    ("answer", "says"),
    [(b"<html>Log in</html>", "login page"), (sums("LICENSE.txt"), "does not list note/discharge.csv.gz")],
)
def test_a_listing_that_is_none(answer, says):
    with pytest.raises(BadInput, match=says):
        list(Mimic().listing(lambda url: answer))


def test_the_same_report_in_two_releases_has_the_same_text():  # (50)
    third = "FINDINGS:  Seen with Dr. [**Last Name (STitle) **] on [**2151-8-4**]. No effusion.\n"
    fourth = "FINDINGS:  Seen with Dr. ___ on ___. No effusion. \n"
    assert clean(third) == clean(fourth)


def test_a_chest_report_of_two_releases_is_a_near_duplicate(tmp_path):  # (50)
    said = (
        "EXAMINATION:  CHEST (PA AND LAT)\n\nINDICATION:  ___ year old man with cough // pneumonia?\n\n"
        "TECHNIQUE:  Chest PA and lateral.\n\nFINDINGS:\n\nThe lungs are clear without consolidation or edema. The "
        "cardiac silhouette is of normal size, and no effusion\nor pneumothorax is seen. An old fracture of the left "
        "eighth rib has healed.\n\nIMPRESSION:\n\nNo sign of pneumonia in this ordinary study of the chest.\n"
    )
    table = tmp_path / "radiology.csv"
    with open(table, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["note_id", "subject_id", "hadm_id", "note_type", "note_seq", "charttime", "storetime", "text"])
        rows.writerow(["10000008-RR-2", "10000008", "", "RR", "2", "2151-08-04", "", said])
    report = tmp_path / "s50000009.txt"  # MIMIC-CXR prints a space before each line, and a heading
    report.write_text("                                 FINAL REPORT\n" + textwrap.indent(said, " ", lambda line: True))
    [one] = read(RADIOLOGY, table)
    [other] = read("mimic-cxr/2.1.0/files/p10/p10000008/s50000009.txt", report)
    assert one.id != other.id
    size = Duplicates().shingle
    words = one.text.split(), other.text.split()
    first, second = ({tuple(side[n : n + size]) for n in range(len(side) - size + 1)} for side in words)
    assert len(first & second) >= Duplicates().templated_threshold * len(first | second)


note_text = st.text(st.sampled_from("ab cd E:.,_-=*[]1)\n\n  \u00e9\t\r"), max_size=400)


@given(note_text)
def test_cleaning_loses_no_word(text):
    """But for rules, which are lines of ten and more of one mark, and typed masks."""
    lines = placeholders(text.replace("\r\n", "\n").replace("\r", "\n")).split("\n")
    words = [word for line in lines if not re.fullmatch(r"[_=*-]{10,}", line.strip()) for word in line.split()]
    assert clean(text).split() == words


WORDS = (
    "patient",
    "denies",
    "pain",
    "fever",
    "nausea",
    "stable",
    "aspirin",
    "daily",
    "left",
    "lobe",
    "with",
    "without",
)


def made_note(seed):
    """A note of headings, lists and paragraphs between blank lines: its lines as they were written."""
    chance = random.Random(seed)

    def words(least, most):
        chosen = chance.choices(WORDS, k=chance.randint(least, most))
        return " ".join(chosen).capitalize() + "."

    lines = []
    for heading in ("History of Present Illness:", "HOSPITAL COURSE:", "Medications on Admission:", "Followup:"):
        lines.append(heading)
        lines += [f"{number}. {words(2, 30)}" for number in range(1, chance.randint(2, 6))]
        lines += ["", words(8, 60), ""]
    return lines[:-1]


@pytest.mark.parametrize("width", [65, 79])
def test_wrapped_notes_come_back_as_they_were_written(width):
    """Floors over 40 made notes: 99 % of the printer's breaks are joined, of the writer's none."""
    joined = breaks = 0
    for seed in range(40):
        lines = made_note(seed)
        wrapped = [textwrap.wrap(line, width) or [""] for line in lines]
        text = "".join(f" {part} \n" for parts in wrapped for part in parts)
        cleaned = clean(text).split("\n")
        assert " ".join(cleaned).split() == " ".join(lines).split(), "every word arrives, in order"
        printers = set(ends(itertools.chain.from_iterable(wrapped))) - set(ends(lines))
        breaks += len(printers)
        joined += len(printers - set(ends(cleaned)))
        assert not set(ends(lines)) - set(ends(cleaned))
    assert joined >= 0.99 * breaks > 500


def ends(lines):
    """Where lines end, counted in characters that are not blank."""
    place = 0
    for line in lines:
        place += len("".join(line.split()))
        yield place


def test_a_note_that_was_never_wrapped_stays_as_it_is():
    lines = ["History:", "word " * 60, "Plan:", "rest " * 50, "aspirin", "warfarin"]
    assert clean("\n".join(lines)).split("\n") == [line.rstrip() for line in lines]


def test_compressed_and_plain_tables_give_the_same(tmp_path):
    with gzip.open(tmp_path / "d.csv.gz", "wb") as out, open(RAW / DISCHARGE, "rb") as plain:
        shutil.copyfileobj(plain, out)
    assert read(DISCHARGE, tmp_path / "d.csv.gz") == read(DISCHARGE)
