"""Are notes that share a template taken for copies? `python -m tests.bench.templates [--raw DIR]`.

Two measurements, each over one threshold after the other:
* radiology reports from one made template, whose findings differ in one to seven places;
* the notes below DIR/notes (MTSamples, say), whose near copies are counted, with how alike they are.
"""

import argparse
import random
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from corpus import ledger
from corpus.document import Document
from pipelines import dedup
from pipelines.dedup import Duplicates
from tests.bench.texts import documents
from tests.crowd import part

SLOTS = {
    "indication": ("chest pain", "shortness of breath", "cough and fever", "a fall", "hypoxia", "line placement"),
    "heart": (
        "The cardiomediastinal silhouette is within normal limits",
        "The heart is mildly enlarged",
        "Severe cardiomegaly is unchanged",
        "The aorta is tortuous and calcified",
    ),
    "lungs": (
        "The lungs are clear without focal consolidation",
        "There is a new opacity in the right lower lobe",
        "Mild bibasilar atelectasis is present",
        "Low lung volumes accentuate the bronchovascular markings",
    ),
    "pleura": (
        "No pleural effusion or pneumothorax is seen",
        "A small left pleural effusion is unchanged",
        "There is a small right apical pneumothorax",
    ),
    "bones": (
        "Osseous structures are intact",
        "Degenerative changes are seen in the thoracic spine",
        "There is an old healed right rib fracture",
    ),
    "tubes": (
        "No lines or tubes are present",
        "The endotracheal tube ends 4 cm above the carina",
        "A left chest wall pacemaker has leads in standard position",
    ),
    "impression": ("No acute cardiopulmonary process", "Right lower lobe pneumonia", "Mild pulmonary edema"),
}


def reports(count: int, seed: int) -> tuple[list[Document], list[tuple[str, ...]]]:
    """Reports of about 70 words, and what each finds."""
    draw = random.Random(seed)
    made, findings = [], []
    for number in range(count):
        held = {slot: draw.choice(values) for slot, values in SLOTS.items()}
        findings.append(tuple(value for slot, value in held.items() if slot != "indication"))
        text = (
            f"EXAMINATION: CHEST (PA AND LAT)\n\nINDICATION: {draw.randrange(20, 95)} year old "
            f"{draw.choice(['man', 'woman'])} with {held['indication']}\n\nTECHNIQUE: Chest PA and lateral\n\n"
            f"COMPARISON: Chest radiograph from day {draw.randrange(1, 366)}\n\nFINDINGS:\n\n{held['heart']}. "
            f"{held['lungs']}. {held['pleura']}. {held['bones']}. {held['tubes']}.\n\n"
            f"IMPRESSION:\n\n{held['impression']}."
        )
        made.append(Document(f"report:{number}", "report", text, meta={"kind": "report"}))
    return made, findings


def resolved(given: Sequence[Document], settings: Duplicates) -> list[dict[str, object]]:
    """The verdict of every document."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one = part(folder, "a", given)
        dedup.sign(one.shard, folder / "a.signature.arrow", settings)
        dedup.resolve([one], [folder / "a.signature.arrow"], folder / "verdicts", settings)
        return ledger.read(folder / "verdicts" / f"{one.key}.verdict.arrow").to_pylist()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--raw", type=Path)
    parser.add_argument("--reports", type=int, default=4000)
    given = parser.parse_args()
    made, findings = reports(given.reports, 5)
    place = {document.id: number for number, document in enumerate(made)}
    notes: list[Document] = []
    if given.raw:
        notes = [one for one in documents(given.raw) if one.source == "notes" and one.text]
    print("threshold  reports  distinct findings  dropped as near copies: same findings, other findings  (of all)")
    for threshold in (0.7, 0.8, 0.85, 0.9):
        settings = replace(Duplicates(planted=0, wipeout=1.0), templated_threshold=threshold)
        same = other = 0
        for number, row in enumerate(resolved(made, settings)):
            if row["reason"] == "duplicate.near":
                alike = findings[number] == findings[place[str(row["twin"])]]
                same, other = same + alike, other + (not alike)
        share = f"{other / len(made):.4f}"
        print(f"{threshold:9.2f} {len(made):8} {len(set(findings)):18} {same:38} {other:14} {share:>9}")
    if notes:
        print("threshold  notes  exact copies  near copies  of these below .95")
    for threshold in (0.7, 0.85) if notes else ():
        settings = replace(Duplicates(planted=0, wipeout=1.0), templated_threshold=threshold)
        rows = resolved(notes, settings)
        near = [row["similarity"] for row in rows if row["reason"] == "duplicate.near"]
        exact = sum(row["reason"] == "duplicate.exact" for row in rows)
        print(f"{threshold:9.2f} {len(notes):6} {exact:13} {len(near):12} {sum(float(str(s)) < 0.95 for s in near):19}")


if __name__ == "__main__":
    main()
