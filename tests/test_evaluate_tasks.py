"""Every form of the annotated sets is read, looked for, asked and scored; credentialed items stay private."""

import csv
import json

import pytest

from corpus.document import Document, Drop
from corpus.sources import benchmarks as bench
from filters.contamination import Contamination
from tests import harness
from trainer import evaluate
from trainer.tasks import TASKS, score

NOTE = "Admission Date :\nHe had severe chest pain after the stress test .\nHe was given aspirin daily ."
DDI = """<document id="DDI-MedLine.d1" origId="11752352"><sentence id="d1.s0"
 text="Warfarin levels rise with aspirin and ibuprofen in elderly patients on stable long term anticoagulation.">
 <entity id="d1.s0.e0" charOffset="0-7" type="drug" text="Warfarin"/>
 <entity id="d1.s0.e1" charOffset="26-32" type="brand" text="aspirin"/>
 <entity id="d1.s0.e2" charOffset="38-46" type="drug" text="ibuprofen"/>
 <pair id="d1.s0.p0" e1="d1.s0.e0" e2="d1.s0.e1" ddi="true" type="mechanism"/>
 <pair id="d1.s0.p1" e1="d1.s0.e1" e2="d1.s0.e2" ddi="false"/></sentence></document>"""


def events(shift: int) -> str:
    spans = (
        ("chest pain", "PROBLEM"),
        ("the stress test", "TEST"),
        ("aspirin", "TREATMENT"),
        ("Admission", "OCCURRENCE"),
    )
    tags = "".join(
        f'<EVENT id="E{n}" start="{NOTE.index(said) + shift}" end="0" text="{said}" modality="FACTUAL" type="{kind}" />'
        for n, (said, kind) in enumerate(spans)
    )
    return f"<Narrative><TEXT><![CDATA[{NOTE}]]></TEXT><TAGS>{tags}</TAGS></Narrative>"


def lines(*rows: dict) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def report(findings: str, impression: str) -> str:
    return f"FINAL REPORT\n EXAMINATION: CHEST\n\n FINDINGS:\n\n {findings}\n\n IMPRESSION:\n\n {impression}\n"


def write(folder):
    premise = "The patient was seen in clinic with a long history of poorly controlled asthma"
    pair = {"sentence1": premise, "sentence2": "He has a lung disease .", "gold_label": "entailment", "pairID": "23eb"}
    other = {**pair, "sentence2": "He is well .", "gold_label": "contradiction", "pairID": "23ec"}
    note = {"title": "r1", "paragraphs": [{"context": NOTE.split("\n"), "qas": [
        {"id": "q1", "question": ["What was given ?", "Which drug ?"], "answers": [{"text": "aspirin"}]},
        {"id": "q2", "question": "Was he in pain ?", "answers": []}]}]}  # fmt: skip
    table = [["transcription", "medical_specialty"], ["Knee pain for three weeks after a fall.", " Orthopedic "],
             ["Chest pain at rest.", " Cardiology "], ["Chest pain at rest.", " General "], ["", ""]]  # fmt: skip
    article = {
        "article_id": "PMC77",
        "article_text": ["we did .", "we saw ."],
        "abstract_text": ["<S> we did it . </S>"],
    }
    files = {
        "mednli/mli_test_v1.jsonl": lines(pair, other),
        "bionli/test_balanced.csv": "pmid,supp_set,conclusion,label_cat\n"
        '77,"Some text, it is","It falls",neg3\n78,More,It is,pos\n',
        "hoc/text/18483266.txt": "Tumours grow vessels by many signals that are known to us .\nIt was studied .\n",
        "hoc/labels/18483266.txt": " < Inducing angiogenesis--X < Resisting cell death--Apoptosis\n <  NULL \n",
        "ddi2013/Test/d1.xml": DDI,
        "i2b2/test/1.xml": events(1),
        "i2b2/old/2.txt": NOTE,
        "i2b2/old/2.con": 'c="chest pain" 2:3 2:4||t="problem"\nc="aspirin" 3:3 3:3||t="treatment"\n',
        "emrqa/medication.json": json.dumps({"data": [note]}),
        "pubmedsum/test.txt": lines(article),
        "mimicsum/mimic-cxr-2.0.0-split.csv": "dicom_id,study_id,subject_id,split\n"
        "a,50000001,10000001,test\nb,50000002,10000002,train\n",
        "mimicsum/files/p10/p10000001/s50000001.txt": report(
            "The lungs are clear and the heart is small .", "Normal ."
        ),
        "mimicsum/files/p10/p10000002/s50000002.txt": report("There is a nodule in the left lung base .", "A nodule ."),
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    (folder / "mtsample").mkdir()
    with open(folder / "mtsample/mtsamples.csv", "w", newline="") as file:
        csv.writer(file).writerows(table)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("annotated"))


def test_every_form_is_read(folder):
    items = {(item.meta["benchmark"], item.meta["item"]): item.meta for item in bench.items(folder)}
    asked = {key: (meta["split"], meta["ask"].get("gold")) for key, meta in items.items()}
    assert asked == {
        ("mednli", "23eb"): ("test", 0),
        ("mednli", "23ec"): ("test", 1),
        ("bionli", "test_balanced/0"): ("test", 1),
        ("bionli", "test_balanced/1"): ("test", 0),
        ("hoc", "18483266"): ("test", "resisting cell death; inducing angiogenesis"),
        ("ddi2013", "d1.s0.p0"): ("test", 0),
        ("ddi2013", "d1.s0.p1"): ("test", 4),
        ("i2b2", "1/0"): ("test", "none"),
        ("i2b2", "1/1"): ("test", "problem: chest pain\ntest: the stress test"),
        ("i2b2", "1/2"): ("test", "treatment: aspirin"),
        ("i2b2", "2/0"): ("test", "none"),
        ("i2b2", "2/1"): ("test", "problem: chest pain"),
        ("i2b2", "2/2"): ("test", "treatment: aspirin"),
        ("emrqa", "q1"): ("test", "aspirin"),
        ("emrqa", "q2"): ("test", None),
        ("mtsample", "0"): ("test", 1),
        ("mtsample", "1"): ("test", 0),
        ("pubmedsum", "PMC77"): ("test", "we did it ."),
        ("mimicsum", "s50000001"): ("test", "Normal ."),
        ("mimicsum", "s50000002"): ("shots", "A nodule ."),
    }
    assert items["ddi2013", "d1.s0.p0"]["identities"] == ["pmid:11752352"]
    assert items["ddi2013", "d1.s0.p1"]["parts"] == []
    assert items["mtsample", "0"]["ask"]["options"] == ["Cardiology", "Orthopedic"]


@pytest.mark.parametrize(
    ("id", "meta", "item"),
    [
        ("pubmed:18483266", {"pmid": 18483266}, "hoc 18483266"),
        ("pubmed:77", {"pmid": "77"}, "bionli test_balanced/0"),
        ("pubmed:11752352", {"pmid": "11752352"}, "ddi2013 d1.s0.p0"),
        ("pmc:PMC77", {"pmcid": "PMC77.1"}, "pubmedsum PMC77"),
        ("mimic:cxr-s50000001", {}, "mimicsum s50000001"),
        ("mimic:10000001-DS-2", {"patient": "10000001"}, "mimicsum s50000001"),
        ("mimic:cxr-s50000002", {"patient": "10000002"}, None),  # of the training part
    ],
)
def test_articles_studies_and_patients_go_by_their_numbers(folder, id, meta, item):
    found = Contamination.against(folder)(Document(id, id.split(":")[0], "Another text.", meta=meta))
    assert (found == Drop("contamination.identity", item)) if item else isinstance(found, Document)


def test_what_is_asked_is_what_is_looked_for(folder):
    clean = Contamination.against(folder)
    for item in bench.items(folder):
        text = str(item.meta["ask"].get("context") or item.meta["ask"].get("question") or "")
        if item.meta["split"] == "test" and len(set(text.split())) > 12:
            assert isinstance(clean(Document("web:1", "web", f"Before it. {text} And after.")), Drop), item.id


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return harness.model(tmp_path_factory.mktemp("model"))


ALL = "emrqa,i2b2,ddi2013,hoc,mtsample,pubmedsum,mimicsum,bionli,mednli"


def test_all_are_asked_and_scored_in_private(folder, model, tmp_path, capsys):
    out = tmp_path / "out"
    args = ["--model", str(model), "--data", str(folder), "--tasks", ALL, "--dtype", "float32", "--max-tokens", "8"]
    assert evaluate.main([*args, "--out", str(out)]) == 0
    content = json.loads((out / "results.json").read_text())
    for name in ALL.split(","):
        assert set(TASKS[name].ways) == set(content["results"][name])
        for scores in content["results"][name].values():
            assert set(TASKS[name].main) <= set(scores)
    assert {path.stat().st_mode & 0o077 for path in [out, *out.rglob("*")]} == {0}
    assert "sub_test" not in capsys.readouterr().out
    # Not into a folder that others can read.
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "open").chmod(0o755)
    assert evaluate.main([*args, "--out", str(tmp_path / "open")]) == 2
    assert "chmod 700" in capsys.readouterr().err
    assert list((tmp_path / "open").iterdir()) == []


@pytest.mark.parametrize("name", ["mednli", "emrqa", "i2b2", "mimicsum"])
def test_no_service_is_sent_credentialed_text_unasked(folder, tmp_path, capsys, name):
    args = ["--endpoint", "http://127.0.0.1:9/v1", "--model", "m", "--data", str(folder), "--out", str(tmp_path / "o")]
    assert evaluate.main([*args, "--tasks", name]) == 2
    assert "--endpoint-keeps-nothing" in capsys.readouterr().err
    assert evaluate.main([*args, "--tasks", "hoc", "--score", "likelihood"]) == 2  # a sentence of another kind
    assert "hoc can be scored by generated only" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["mednli", "emrqa", "i2b2", "mimicsum", "hoc", "ddi2013", "pubmedsum", "bionli", "mtsample"]
)
def test_absent_files_are_named_with_their_place(model, tmp_path, capsys, name):
    args = ["--model", str(model), "--data", str(tmp_path), "--out", str(tmp_path / "out"), "--tasks", name]
    assert evaluate.main(args) == 2
    said = capsys.readouterr().err
    assert TASKS[name].where in said
    assert ("data use agreement" in said) == TASKS[name].credentialed


def test_entities_are_compared_as_wholes():
    doc = {"golds": ["problem: chest pain", "test: the stress test", "problem: chest pain"]}
    said = "- Problem: Chest  pain\ntest: stress test\ntreatment: aspirin."
    assert score.entities(doc, [said]) == {
        "entity_f1": (1, 3, 3),
        "macro_f1": (None, [(1, 1, 2), (0, 1, 0), (0, 1, 1)]),
        "unparsed": 0.0,
    }
    assert score.entities({"golds": []}, ["none"])["unparsed"] == 0
    assert score.entities({"golds": []}, ["He had pain"])["unparsed"] == 1
    assert score.pooled_f1([(1, 3, 3), (1, 1, 1)]) == 0.5
    assert score.kind_f1([(None, [(1, 1, 2), (0, 1, 0), (0, 1, 1)])]) == pytest.approx(2 / 9)


def test_labels_of_hallmarks_are_sklearns():
    from random import Random

    from sklearn.metrics import f1_score

    draw, options = Random(2), ["one", "two", "three"]
    pairs, tables = [], ([], [])
    for _ in range(60):
        sides = [sorted(draw.sample(range(3), draw.randrange(4))) for _ in range(2)]
        doc = {"options": options, "golds": [options[n] for n in sides[0]]}
        held = score.hallmarks(doc, ["; ".join(options[n] for n in sides[1]) or "none"])
        assert held["macro_f1"] == tuple(sides)
        assert held["exact"] == (sides[0] == sides[1])
        pairs.append(held["macro_f1"])
        for side, table in zip(sides, tables, strict=True):
            table.append([int(n in side) for n in range(3)])
    assert score.label_f1(pairs) == pytest.approx(f1_score(*tables, average="macro"))
    assert score.hallmarks({"options": options, "golds": ["one"]}, ["one; four"])["unparsed"] == 1


def test_answers_in_notes_are_scored_as_in_squad():
    doc = {"golds": ["the lasix 40 mg", "furosemide"]}
    assert score.extracted(doc, ["Furosemide."]) == {"exact": 1.0, "token_f1": 1.0}
    assert score.extracted(doc, ["lasix 40"]) == {"exact": 0.0, "token_f1": pytest.approx(0.8)}
    assert score.extracted(doc, ["nothing"]) == {"exact": 0.0, "token_f1": 0.0}


def test_summaries_are_scored_by_rouge():
    held = score.summary({"gold": "the lungs are clear"}, ["the lungs are very clear"])
    assert held == {"rouge1": pytest.approx(8 / 9), "rouge2": pytest.approx(4 / 7), "rougeL": pytest.approx(8 / 9)}
