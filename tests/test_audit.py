"""The audit: figures that are right, gold in three formats, a gate that stops, and no words of a note in any of it."""

import csv
import json
from pathlib import Path

import pytest

from corpus.document import Document
from corpus.files import BadInput
from filters.deid import Deid
from pipelines import audit, gold, scorecard

TEXT = "Mr. Zbrowska was seen on 3/12/2019.\nHe is well. The wound is clean. Return in one week."


def notes(count: int) -> list[Document]:
    return [Document(f"notes:{number}", "notes", TEXT, meta={"kind": "note"}) for number in range(count)]


def table(path: Path, rows: int) -> Path:
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["note_id", "text", "patient_name"])
        writer.writerows(
            [number, TEXT + " The edges are clean and dry." * 20, "Ann Zbrowska"] for number in range(rows)
        )
    return path


@pytest.mark.parametrize(
    ("right", "all", "low", "high"),
    [(0, 0, 0.0, 1.0), (10, 10, 0.7225, 1.0), (95, 100, 0.8882, 0.9785), (0, 5, 0.0, 0.4345)],
)
def test_wilson_intervals(right: int, all: int, low: float, high: float) -> None:
    found = scorecard.wilson(right, all)
    assert found == (pytest.approx(low, abs=5e-4), pytest.approx(high, abs=5e-4))


def test_a_scorecard_counts_planted_and_innocent() -> None:
    card = audit.scorecard(notes(60), Deid(), notes=40)
    assert card["notes"] == 40 and card["failed"] == 0 and card["chars"] == 40 * len(TEXT)
    assert sum(row["planted"] for row in card["types"].values()) == 40 * audit.PLANTED
    assert card["recall"] > 0.97 and card["precision"] > 0.95
    # The note's own name and date are masked 40 times; nobody told the audit that they identify.
    assert card["over_redaction_spans"] == {"DATE": 40, "NAME": 40}
    assert card == audit.scorecard(notes(60), Deid(), notes=40)
    json.dumps(card)


def test_the_gate_stops_what_masks_too_little_and_says_which() -> None:
    card = audit.scorecard(notes(30), Deid(policy="literature"))
    with pytest.raises(ValueError, match=r"of the planted identifiers were masked, and 0\.95 is the floor"):
        scorecard.gate(card)
    scorecard.gate(audit.scorecard(notes(60), Deid()), floor=0.9, over=0.5)
    with pytest.raises(ValueError, match="no note was audited"):
        scorecard.gate(audit.scorecard([], Deid()))
    with pytest.raises(ValueError, match="could not be read"):
        scorecard.gate({**card, "recall": 1.0, "failed": 2})


def test_a_failing_filter_fails_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    from filters.phi.rules import Late

    def late(self: Deid, text: str, known: object = None) -> object:
        raise Late("slow")

    monkeypatch.setattr(Deid, "spans", late)
    card = audit.scorecard(notes(3), Deid())
    assert card["failed"] == 3 and card["recall"] is None


def test_gold_in_three_formats(tmp_path: Path) -> None:
    text = "Seen by Dr. Zbrowska on 3/12/2019."
    start = text.index("Zbrowska")
    (tmp_path / "a.xml").write_text(
        f"<deIdi2b2><TEXT><![CDATA[{text}]]></TEXT><TAGS>"
        f'<NAME id="P0" start="{start}" end="{start + 8}" text="Zbrowska" TYPE="DOCTOR" comment=""/>'
        '<DATE id="P1" start="24" end="33" text="3/12/2019" TYPE="DATE" comment=""/></TAGS></deIdi2b2>'
    )
    (tmp_path / "b.json").write_text(
        json.dumps(
            [
                {
                    "full_text": text,
                    "spans": [{"entity_type": "PERSON", "start_position": start, "end_position": start + 8}],
                }
            ]
        )
    )
    (tmp_path / "c.txt").write_text(text)
    (tmp_path / "c.ann").write_text(f"T1\tNAME {start} {start + 8}\tZbrowska\nT2\tLOCATION 0 4\tSeen\n")
    card = gold.judged(gold.gold_files(tmp_path), Deid())
    assert card["notes"] == 3
    assert {type: row["recall"] for type, row in card["types"].items()} == {
        "NAME:DOCTOR": 1.0, "DATE:DATE": 1.0, "PERSON": 1.0, "NAME": 1.0, "LOCATION": 0.0,
    }  # fmt: skip
    assert card["kinds"]["DATE"]["precision"] == pytest.approx(1 / 3, abs=1e-3)  # two of the three had not marked it
    assert "LOCATION" not in gold.judged(gold.gold_files(tmp_path), Deid(), frozenset({"LOCATION"}))["types"]


def test_gold_that_is_not_there_or_broken_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no annotated notes"):
        list(gold.gold_files(tmp_path))
    (tmp_path / "a.ann").write_text("T1\tNAME 0 4\tSeen\n")
    with pytest.raises(BadInput, match=r"there is no a\.txt"):
        list(gold.gold_files(tmp_path))
    (tmp_path / "a.ann").rename(tmp_path / "a.xml")
    with pytest.raises(BadInput, match="not XML"):
        list(gold.gold_files(tmp_path))


def test_the_command_prints_figures_and_no_words(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = table(tmp_path / "notes.csv", 12)
    sample = tmp_path / "private" / "sample.jsonl"
    sample.parent.mkdir()
    assert audit.main([str(source), "--sample", str(sample), "--floor", "0.5"]) == 0
    said = "".join(capfd.readouterr())
    assert "12 notes" in said and "fully masked" in said and "Zbrowska" not in said and "wound" not in said
    assert sample.stat().st_mode & 0o777 == 0o600
    rows = [json.loads(line) for line in sample.read_text().splitlines()]
    assert any(row.get("masked") == "Zbrowska" and "Mr. " in row["before"] for row in rows)
    assert audit.main([str(source), "--floor", "1.1"]) == 2
    assert "audit fails" in capfd.readouterr().err
    (tmp_path / "manifest.json").write_text("{}")
    assert audit.main([str(source), "--sample", str(sample)]) == 2
    assert "may not lie in a build" in capfd.readouterr().err
    assert audit.main([str(tmp_path / "none.csv")]) == 2


def test_tables_are_read_by_the_columns_that_a_build_is_given(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "ward.csv"
    source.write_text("no,what,who\n" + "".join(f'{n},"quilltrap left. {TEXT}",Quilltrap\n' for n in range(8)))
    assert audit.main([str(source), "--columns", "text=what,id=no,known.name=who", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["over_redaction_spans"] == {"DATE": 8, "NAME": 16}
    assert audit.main([str(source), "--columns", "text=what,known.nmae=who"]) == 2
    assert "did you mean known.name?" in capfd.readouterr().err
