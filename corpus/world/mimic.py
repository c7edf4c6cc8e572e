"""PhysioNet's trees of MIMIC-IV-Note, MIMIC-CXR and MIMIC-III, with invented notes.

Placeholders stand where the publisher's de-identification put them: `___` in IV and CXR,
`[**...**]` in III. Some CXR reports are also in IV's radiology table, and some discharge summaries
of III also in IV, as in the real collections.
"""

import csv
import io
import textwrap
import zipfile
from pathlib import Path
from random import Random
from typing import Any

from corpus.world import prose
from corpus.world.files import gzip_text, hex_digest, save

DISCHARGE, RADIOLOGY, CXR, THREE = 110, 280, 100, 110  # documents for size 1

SHARED_EACH = 10  # every 10th CXR report is also in IV's radiology, every 10th III summary also in IV
ADDENDUM_EACH, ERROR_EACH = 20, 25
CATEGORIES = ("Discharge summary", "Nursing/other", "Radiology", "Physician ", "ECG", "Echo", "Nursing")


def write(folder: Path, size: int, seed: int) -> dict[str, Any]:
    """The trees below `folder`/files, and what was planted in them."""
    root = folder / "files"
    truth: dict[str, Any] = {
        "discharge": DISCHARGE * size,
        "radiology": RADIOLOGY * size,
        "cxr": CXR * size,
        "three": THREE * size,
        "near": [],
        "errors": [],
        "addenda": [],
    }
    truth["notes"] = (DISCHARGE + RADIOLOGY + CXR + THREE) * size
    _four(root / "mimic-iv-note" / "2.2", size, seed, truth)
    _chest(root / "mimic-cxr" / "2.1.0", size, seed, truth)
    _three(root / "mimiciii" / "1.4", size, seed, truth)
    for version in ("mimic-iv-note/2.2", "mimic-cxr/2.1.0", "mimiciii/1.4"):
        _sums(root / version)
    return truth


def _sums(root: Path) -> None:
    """SHA256SUMS.txt as PhysioNet writes it: one space, every file but itself."""
    save(root / "LICENSE.txt", "Invented data; no licence is needed.\n")
    files = sorted(path for path in root.rglob("*") if path.is_file() and path.name != "SHA256SUMS.txt")
    lines = "".join(f"{hex_digest(path, 'sha256')} {path.relative_to(root).as_posix()}\n" for path in files)
    save(root / "SHA256SUMS.txt", lines)


def subject(number: int) -> int:
    return 10_000_000 + 37 * number


def discharge_id(number: int) -> str:
    return f"{subject(number)}-{'AD' if number % ADDENDUM_EACH == 7 else 'DS'}-{21 + number % 3}"


def radiology_id(number: int) -> str:
    return f"{subject(number)}-{'AR' if number % ADDENDUM_EACH == 9 else 'RR'}-{14 + number % 5}"


def study(number: int) -> int:
    return 50_000_000 + 41 * number


def _wrap(text: str, width: int = 78) -> str:
    return "\n".join(textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False))


# ---- MIMIC-IV-Note ----


def _four(root: Path, size: int, seed: int, truth: dict[str, Any]) -> None:
    columns = ("note_id", "subject_id", "hadm_id", "note_type", "note_seq", "charttime", "storetime", "text")
    with (
        gzip_text(root / "note" / "discharge.csv.gz") as out,
        gzip_text(root / "note" / "discharge_detail.csv.gz") as details,
    ):
        table, more = _table(out, columns), _table(details, _DETAIL)
        for number in range(DISCHARGE * size):
            id = discharge_id(number)
            when = f"21{10 + number % 80}-0{1 + number % 9}-1{number % 10} 00:00:00"
            if "-AD-" in id:
                truth["addenda"].append(f"mimic:{id}")
                text = f"Addendum:\n{_wrap(_prose(seed, f'addendum {number}', 'hospital', 4))}\n"
            else:
                text = discharge(seed, number)
            stored = "" if number % 4 == 0 else when
            table.writerow((id, subject(number), 20_000_000 + number, id[9:11], id[-2:], when, stored, text))
            more.writerow((id, subject(number), "author", f"AUTH{number % 50}", 1))
    with (
        gzip_text(root / "note" / "radiology.csv.gz") as out,
        gzip_text(root / "note" / "radiology_detail.csv.gz") as details,
    ):
        table, more = _table(out, columns), _table(details, _DETAIL)
        shared = CXR * size // SHARED_EACH
        for number in range(RADIOLOGY * size):
            id = radiology_id(number)
            when = f"21{10 + number % 80}-0{1 + number % 9}-2{number % 9} 10:{10 + number % 50}:00"
            stay = "" if number % 3 == 0 else 20_000_000 + number
            if number < shared:
                text = chest(seed, number * SHARED_EACH)
                truth["near"].append([f"mimic:{id}", f"mimic:cxr-s{study(number * SHARED_EACH)}"])
            else:
                text = radiology(seed, number)
            if "-AR-" in id:
                truth["addenda"].append(f"mimic:{id}")
            table.writerow((id, subject(number), stay, id[9:11], id[-2:], when, when, text))
            more.writerow((id, subject(number), "exam_name", prose.expand(Random(f"{seed} {number}"), "rad_exam"), 1))


_DETAIL = ("note_id", "subject_id", "field_name", "field_value", "field_ordinal")


def _table(out: Any, columns: tuple[str, ...]) -> Any:
    table = csv.writer(out, lineterminator="\n")
    table.writerow(columns)
    return table


def _prose(seed: int, key: str, rule: str, count: int) -> str:
    rng = Random(f"{seed} mimic {key}")
    return prose.paragraph(rng, rule, count, prose.medical_theme(rng))


def discharge(seed: int, number: int) -> str:
    """A discharge summary as MIMIC-IV-Note has it."""
    rng = Random(f"{seed} discharge {number}")
    theme = prose.theme(rng, disease=3, drug=4, symptom=5, organ=2, setting=1, lab=4, procedure=2)
    drugs = "\n".join(
        f"{n}. {prose.expand(rng, 'drug', theme).capitalize()} {rng.randint(1, 80) * 5} mg PO "
        f"{rng.choice(('DAILY', 'BID', 'QHS'))}"
        for n in range(1, rng.randint(4, 7))
    )
    labs = "\n".join(
        f"___ 0{rng.randint(4, 9)}:{rng.randint(10, 59)}AM BLOOD {prose.expand(rng, 'lab', theme).capitalize()}-"
        f"{rng.randint(2, 190)} {prose.expand(rng, 'lab', theme).capitalize()}-{rng.randint(2, 190)}"
        for _ in range(3)
    )
    exam = "\n".join(line for line in prose.sentences(rng, "exam", 6, theme))
    sex = rng.choice("MF")
    return (
        f" \nName:  ___                     Unit No:   ___\n \nAdmission Date:  ___              Dischar"
        f"ge Date:   ___\n"
        f" \nDate of Birth:  ___             Sex:   {sex}\n \nService: "
        f"{rng.choice(('MEDICINE', 'SURGERY', 'NEUROLOGY'))}\n"
        f" \nAllergies: \n{prose.expand(rng, 'drug').capitalize()}\n \nAttending: ___.\n \nChief Complaint:\n"
        f"{prose.sentence(rng, 'symptom', theme)}\n \nMajor Surgical or Invasive Procedure:\n"
        f"{prose.sentence(rng, 'procedure', theme)}\n\n \nHistory of Present Illness:\n"
        f"{_wrap(prose.paragraph(rng, 'hpi', rng.randint(6, 9), theme))}\n \nPast Medical History:\n"
        + "".join(f"- {prose.expand(rng, 'disease', theme)}\n" for _ in range(3))
        + f"\n \nPhysical Exam:\n{exam}\n \nPertinent Results:\n{labs}\n \nBrief Hospital Course:\n"
        f"{_wrap('Mr. ___ ' + prose.paragraph(rng, 'hospital', rng.randint(7, 12), theme))}\n \nMedicati"
        f"ons on Admission:\n"
        f"{drugs}\n \nDischarge Disposition:\nHome\n \nDischarge Diagnosis:\n{prose.sentence(rng, 'disease', theme)}\n"
        f" \nDischarge Condition:\nMental Status: Clear and coherent.\n \nDischarge Instructions:\nDear ___,\n"
        f"{_wrap(prose.paragraph(rng, 'instruct', rng.randint(4, 6), theme))}\n \nFollowup Instructions:\n___\n"
    )


def radiology(seed: int, number: int) -> str:
    """A radiology report."""
    rng = Random(f"{seed} radiology {number}")
    theme = prose.theme(rng, part=5, abnormality=4, disease=2, symptom=2, organ=1)
    return (
        f"EXAMINATION:  {prose.expand(rng, 'rad_exam').upper()}\n\nINDICATION:  "
        f"{_wrap(prose.sentence(rng, 'rad_indication', theme))}\n\nTECHNIQUE:  {rng.choice(_TECHNIQUES)}\n\n"
        f"COMPARISON:  "
        f"{rng.choice(('None.', 'Study of ___.', 'Report of ___ from an outside hospital.'))}\n\nFINDINGS: \n\n"
        f"{_wrap(prose.paragraph(rng, 'rad_finding', rng.randint(6, 11), theme))}\n\nIMPRESSION: \n\n"
        f"{_wrap(prose.paragraph(rng, 'rad_impression', rng.randint(2, 3), theme))}\n"
    )


_TECHNIQUES = (
    "Frontal and lateral views.",
    "Axial images after contrast, with coronal reformats.",
    "A single portable view.",
    "Grey scale and colour Doppler images.",
    "Multiplanar sequences without contrast.",
)


# ---- MIMIC-CXR ----


def chest(seed: int, number: int) -> str:
    """A chest X-ray report: a leading space a line, blank lines of one space."""
    rng = Random(f"{seed} chest {number}")
    theme = prose.theme(rng, part=5, abnormality=4, disease=2, symptom=2, organ=1)
    lines = [f"{'WET READ' if number % 40 == 3 else 'FINAL REPORT'}", ""]
    for name, rule, count in (
        ("EXAMINATION", "rad_exam", 1),
        ("INDICATION", "rad_indication", 1),
        ("FINDINGS", "rad_finding", rng.randint(5, 9)),
        ("IMPRESSION", "rad_impression", rng.randint(2, 3)),
    ):
        if name == "FINDINGS":
            lines += ["COMPARISON:  ___", ""]
        lines += [*_wrap(f"{name}:  {prose.paragraph(rng, rule, count, theme)}").split("\n"), ""]
    head = "                                 "
    return "".join(f" {head if n == 0 else ''}{line}\n" for n, line in enumerate(lines))


def _chest(root: Path, size: int, seed: int, truth: dict[str, Any]) -> None:
    root.mkdir(parents=True, exist_ok=True)
    with (
        zipfile.ZipFile(root / "mimic-cxr-reports.zip", "w", zipfile.ZIP_DEFLATED) as archive,
        gzip_text(root / "cxr-study-list.csv.gz") as out,
    ):
        table = _table(out, ("subject_id", "study_id", "path"))
        for number in range(CXR * size):
            person = subject(number // SHARED_EACH if number % SHARED_EACH == 0 else number + 50_000)
            path = f"files/p{person // 1_000_000}/p{person}/s{study(number)}.txt"
            entry = zipfile.ZipInfo(path, (2024, 7, 23, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, chest(seed, number))
            table.writerow((person, study(number), path))


# ---- MIMIC-III ----

_NAMES = (
    "[**First Name8 (NamePattern2) **]",
    "[**Last Name (un) **]",
    "[**Known lastname 123**]",
    "[**Doctor Last Name **]",
    "[**Initials (NamePattern4) **]",
)
_DATES = ("[**2151-7-16**]", "[**7-16**]", "[**2151**]", "[**-7/2151**]", "[**Month/Day/Year 123**]", "[**Holiday **]")
_OTHERS = (
    "[**Hospital1 18**]",
    "[**Location (un) 86**]",
    "[**Telephone/Fax (1) 123**]",
    "[**Medical Record Number **]",
    "[**Age over 90 **]",
    "[**12**]",
)


def placeholders(rng: Random, text: str) -> str:
    """MIMIC-III's typed placeholders in place of each `___`."""
    pieces = text.split("___")
    return "".join(piece + rng.choice((*_NAMES, *_DATES, *_OTHERS)) for piece in pieces[:-1]) + pieces[-1]


def _three(root: Path, size: int, seed: int, truth: dict[str, Any]) -> None:
    columns = (
        *("ROW_ID", "SUBJECT_ID", "HADM_ID", "CHARTDATE", "CHARTTIME", "STORETIME"),
        *("CATEGORY", "DESCRIPTION", "CGID", "ISERROR", "TEXT"),
    )
    raw = io.StringIO(newline="")
    with gzip_text(root / "NOTEEVENTS.csv.gz") as out:
        header = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
        header.writerow(columns)
        for number in range(THREE * size):
            rng = Random(f"{seed} three {number}")
            category = CATEGORIES[number % len(CATEGORIES)]
            if number % SHARED_EACH == 0:
                category, source = "Discharge summary", _not_addendum(number // SHARED_EACH)
                text = placeholders(rng, discharge(seed, source))
                truth["near"].append([f"mimic:iii-{number + 1}", f"mimic:{discharge_id(source)}"])
            elif category == "Discharge summary":
                text = placeholders(rng, discharge(seed, 1_000_000 + number))
            elif category == "Radiology":
                text = placeholders(rng, radiology(seed, 1_000_000 + number))
            else:
                theme = prose.theme(rng, symptom=3, drug=3, lab=3, procedure=1)
                text = (
                    f"[**2151-7-16**] {rng.randint(1, 23)}:00 {rng.choice(_NAMES)} and {rng.choice(_NAMES)} note\n"
                    f"{_wrap(prose.paragraph(rng, 'nursing', rng.randint(5, 12), theme))}\n"
                    f"Seen with Dr. {rng.choice(_NAMES)} at [**Hospital Ward\nName 121**].\n"
                )
            error = number % ERROR_EACH == 3
            if error:
                truth["errors"].append(f"mimic:iii-{number + 1}")
            time = "" if category in ("Discharge summary", "ECG", "Echo") else "2151-07-16 08:00:00"
            description = 'Report "final"' if number % 30 == 4 else "Report"
            raw.seek(0)
            raw.truncate()
            csv.writer(raw, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC).writerow(
                (
                    *(number + 1, 200 + number, 100_000 + number, "2151-07-16", time, time, category, description),
                    *("" if number % 2 else 17, "1" if error else "", text),
                )
            )
            out.write(raw.getvalue().replace(',"",', ",,").replace(',"",', ",,"))


def _not_addendum(number: int) -> int:
    """The nearest discharge summary of IV that is no addendum."""
    return number + (number % ADDENDUM_EACH == 7)
