"""Items of annotated texts and notes: inference, labels, relations, entities, answers in notes, summaries.

    mednli/mli_test_v1.jsonl      PhysioNet mednli (credentialed): sentence1, sentence2, gold_label, pairID
    bionli/*.csv, .jsonl          premise (or supp_set), hypothesis (conclusion), label; pmid where it is there
    hoc/text/PMID.txt             with labels/PMID.txt beside: github.com/sb895/Hallmarks-of-Cancer (GPL-3.0);
                                  or rows of text and labels (.jsonl, .parquet)
    ddi2013/**/*.xml              DDI Extraction 2013 (CC BY-NC 4.0): document/sentence/entity, pair
    i2b2/*.xml                    n2c2's 2012 challenge (data use agreement): TEXT and TAGS/EVENT; or the
                                  2010 form, note.txt with note.con beside
    emrqa/*.json                  emrQA in SQuAD's form (data use agreement): data/paragraphs/qas
    mtsample/*.csv                mtsamples.com as it is passed on: transcription, medical_specialty
    pubmedsum/*.txt, .jsonl       Cohan et al. 2018: article_id, article_text, abstract_text; or article, abstract
    mimicsum/**/s123.txt          MIMIC-CXR's reports (credentialed) with mimic-cxr-2.0.0-split.csv above them;
                                  or rows of findings and impression

What several questions share (an abstract with many pairs of drugs, a note with many questions) is a part of
the first of them alone: otherwise it would look like a phrase of the trade.
"""

import csv
import json
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from lxml import etree

from corpus.sources.items import Item, choice, plain, rows, split_of, text_of

INFERENCE = ["entailment", "contradiction", "neutral"]
RELATIONS = ["mechanism", "effect", "advise", "int", "none"]
HALLMARKS = [
    "sustaining proliferative signaling",
    "evading growth suppressors",
    "resisting cell death",
    "enabling replicative immortality",
    "inducing angiogenesis",
    "activating invasion and metastasis",
    "genomic instability and mutation",
    "tumor promoting inflammation",
    "cellular energetics",
    "avoiding immune destruction",
]
ENTITIES = ("problem", "treatment", "test")


def _first(row: dict[str, Any], *names: str) -> Any:
    """The first of these columns that the row has."""
    for name in names:
        if row.get(name) not in (None, ""):
            return row[name]
    raise KeyError(f"none of the columns {', '.join(names)}")


def _pmid(row: dict[str, Any]) -> list[str]:
    found = next((str(row[name]) for name in ("pmid", "PMID", "pubmed_id") if row.get(name)), "")
    return [f"pmid:{int(found)}"] if found.isdigit() else []


def inference(path: Path, file: str) -> Iterator[Item]:
    stem = plain(file).rsplit(".", 1)[0]
    for number, row in enumerate(rows(path)):
        premise = str(_first(row, "premise", "sentence1", "supp_set"))
        said = str(_first(row, "hypothesis", "sentence2", "conclusion"))
        label = next((row[name] for name in ("gold_label", "label", "label_cat") if row.get(name) is not None), None)
        options = INFERENCE if file.startswith("mli_") else INFERENCE[:2]  # BioNLI has no neutral ones
        gold = None if label in (None, "", "-") else options.index(_inferred(str(label)))
        key = str(row.get("pairID") or row.get("id") or f"{stem}/{number}")
        ask = choice(said, options, gold, context=premise)
        yield Item(key, [premise, said], _pmid(row), ask, split_of(file))


def _inferred(label: str) -> str:
    """BioNLI calls true conclusions pos and the nine ways of falsifying them neg…; others abbreviate, or count."""
    label = label.lower().strip()
    if label.startswith(("pos", "ent", "0")):
        return "entailment"
    if label.startswith(("neg", "con", "1")):
        return "contradiction"
    return "neutral" if label.startswith(("neu", "2")) else label


def hallmarks(path: Path, file: str) -> Iterator[Item]:
    if plain(file).endswith(".txt"):
        labels = path.parent.parent / "labels" / path.name
        if path.parent.name != "text":
            return
        with text_of(path) as text, text_of(labels) as marks:
            body, found = text.read().strip(), _hallmarks(re.split(r"[<\n]", marks.read()))
        pmid = path.name.split(".")[0]
        yield _hallmarked(pmid, body, found, [f"pmid:{int(pmid)}"] if pmid.isdigit() else [], "test")
        return
    for number, row in enumerate(rows(path)):
        given = row["labels"] if "labels" in row else row["label"]
        found = _hallmarks(given if isinstance(given, list) else re.split(r"[;,<|]", str(given)))
        key = str(row.get("document_id") or row.get("id") or number)
        names = _pmid(row) or ([f"pmid:{int(key)}"] if key.isdigit() and int(key) > 100_000 else [])
        yield _hallmarked(f"{plain(file)}/{key}", str(row["text"]), found, names, split_of(file))


def _hallmarks(labels: list[Any]) -> list[str]:
    """The ten hallmarks among labels such as `Inducing angiogenesis--Deregulating angiogenic programme`."""
    heads = {str(label).split("--")[0].strip(" -").lower() for label in labels}
    return [name for name in HALLMARKS if any(head.endswith(name) for head in heads if head)]


def _hallmarked(key: str, text: str, found: list[str], names: list[str], split: str) -> Item:
    ask = {"question": text, "options": HALLMARKS, "gold": "; ".join(found) or "none", "golds": found}
    return Item(key, [text], names, ask, split)


def interactions(path: Path, file: str) -> Iterator[Item]:
    with text_of(path) as text:
        root = etree.fromstring(text.read().encode(), etree.XMLParser(resolve_entities=False, no_network=True))
    number = str(root.get("origId") or root.get("origid") or "")
    names = [f"pmid:{int(number)}"] if number.isdigit() else []
    whole = [" ".join(sentence.get("text", "") for sentence in root.iter("sentence"))]
    split = "shots" if "train" in file.lower() else "test"
    for sentence in root.iter("sentence"):
        drugs = {entity.get("id"): entity.get("text", "") for entity in sentence.iter("entity")}
        for pair in sentence.iter("pair"):
            kind = pair.get("type", "int") if pair.get("ddi") == "true" else "none"
            asked = f"{drugs[pair.get('e1')]} and {drugs[pair.get('e2')]}"
            ask = choice(asked, RELATIONS, RELATIONS.index(kind), context=sentence.get("text", ""))
            yield Item(str(pair.get("id")), whole, names, ask, split)
            whole = []
    if whole:
        yield Item(str(root.get("id")), whole, names, {}, split)


def entities(path: Path, file: str) -> Iterator[Item]:
    name = plain(path.name)
    split = "shots" if "train" in file.lower() else "test"
    if name.endswith(".xml"):
        with text_of(path) as text:
            root = etree.fromstring(text.read().encode(), etree.XMLParser(resolve_entities=False, recover=True))
        body, found = _events(root)
    elif name.endswith(".txt"):
        concepts = path.with_name(name.removesuffix(".txt") + ".con")
        if not concepts.is_file():
            concepts = path.parent.parent / "concept" / concepts.name
        with text_of(path) as text, text_of(concepts) as marks:
            body, found = text.read(), [_concept(line) for line in marks if line.strip()]
    else:
        return
    whole = [body]
    for number, line in enumerate(body.split("\n")):
        if len(line.split()) < 3:
            continue
        held = [f"{kind}: {said}" for place, kind, said in found if place == number and kind in ENTITIES]
        ask = {"question": line.strip(), "gold": "\n".join(held) or "none", "golds": held}
        yield Item(f"{name.rsplit('.', 1)[0]}/{number}", whole, [], ask, split)
        whole = []


def _events(root: Any) -> tuple[str, list[tuple[int, str, str]]]:
    """The text, and (line, type, text) of each event. Offsets count from 1 in 2012's files; told by what fits."""
    body = str(root.findtext("TEXT") or "")
    events = [(int(each.get("start")), each.get("text"), str(each.get("type"))) for each in root.iter("EVENT")]
    fits = [sum(body[at - base : at - base + len(said)] == said for at, said, _ in events) for base in (0, 1)]
    base = fits.index(max(fits))
    return body, [(body.count("\n", 0, max(0, at - base)), kind.lower(), said) for at, said, kind in events]


def _concept(line: str) -> tuple[int, str, str]:
    """`c="chest pain" 12:3 12:4||t="problem"`: lines count from 1."""
    match = re.match(r'c="(.*)" (\d+):\d+ (\d+):\d+\|\|t="(\w+)"', line)
    if not match:
        raise KeyError("a line of a .con file that is no concept")
    return int(match[2]) - 1, match[4], match[1]


def answers(path: Path, file: str) -> Iterator[Item]:
    with text_of(path) as text:
        content = json.load(text)
    for note in content["data"]:
        for place, paragraph in enumerate(note["paragraphs"]):
            context = paragraph["context"]
            context = "\n".join(context) if isinstance(context, list) else context
            whole = [context]
            for number, asked in enumerate(paragraph["qas"]):
                question = asked["question"][0] if isinstance(asked["question"], list) else asked["question"]
                golds = list(dict.fromkeys(str(each["text"]) for each in asked["answers"] if each.get("text")))
                key = str(asked.get("id") or f"{note.get('title')}/{place}/{number}")
                ask = {"question": question, "context": context, "gold": golds[0] if golds else None, "golds": golds}
                yield Item(key, whole, [], ask, split_of(file))
                whole = []


def specialties(path: Path, file: str) -> Iterator[Item]:
    """A note under several specialties is one item; its first is the right one. `parts` are the notes."""
    notes: dict[str, str] = {}
    for row in rows(path):
        text = (row.get("transcription") or "").strip()
        if text:
            notes.setdefault(text, str(row["medical_specialty"]).strip())
    options = sorted(set(notes.values()))
    for number, (text, specialty) in enumerate(notes.items()):
        yield Item(str(number), [text], [], choice(text, options, options.index(specialty)), split_of(file))


def articles(path: Path, file: str) -> Iterator[Item]:
    for number, row in enumerate(rows(path)):
        said, text = (row.get(name) or row.get(f"{name}_text") for name in ("abstract", "article"))
        if isinstance(said, list):  # Cohan et al.: sentences, those of the abstract in <S> … </S>
            said = " ".join(each.removeprefix("<S>").removesuffix("</S>").strip() for each in said)
        text = "\n".join(text) if isinstance(text, list) else text
        key = str(row.get("article_id") or number)
        names = [f"pmcid:{key}"] if re.fullmatch(r"PMC\d+", key) else _pmid(row)
        # The article itself goes by its number: its text would make the index many times as large.
        ask = {"question": str(text).strip(), "gold": str(said).strip()}
        yield Item(key, [str(said)], names, ask, split_of(file))


def reports(path: Path, file: str) -> Iterator[Item]:
    name = plain(path.name)
    if name.endswith(".txt"):
        with text_of(path) as text:
            sections = _sections(text.read())
        study, patient = name.removesuffix(".txt"), path.parent.name
        split = _splits(path.parent).get(study.removeprefix("s"), "test")
        names = [f"mimic:cxr-{study}", f"patient:{patient.removeprefix('p')}"] if split == "test" else []
        yield _report(study, sections, names, "test" if split == "test" else "shots")
        return
    for number, row in enumerate(rows(path)):
        names = [f"patient:{row['subject_id']}"] if row.get("subject_id") else []
        names += [f"mimic:cxr-s{str(row['study_id']).removeprefix('s')}"] if row.get("study_id") else []
        yield _report(str(row.get("study_id") or number), {k: str(v) for k, v in row.items()}, names, split_of(file))


def _report(key: str, sections: dict[str, str], names: list[str], split: str) -> Item:
    findings, impression = (sections.get(name, "").strip() for name in ("findings", "impression"))
    gold = impression if findings and impression else None
    return Item(key, [f"{findings}\n{impression}".strip()], names, {"question": findings, "gold": gold}, split)


def _sections(text: str) -> dict[str, str]:
    """Sections of a radiology report by their headings in capitals, in lower case."""
    pieces = re.split(r"(?m)^\s*([A-Z][A-Z /]{3,40}):", text)
    return {head.strip().lower(): body for head, body in zip(pieces[1::2], pieces[2::2], strict=True)}


@lru_cache(maxsize=8)
def _splits(folder: Path) -> dict[str, str]:
    """Study -> train, validate or test, from the list that lies in one of the folders above; {} without."""
    for above in (folder, *folder.parents[:5]):
        for file in sorted(above.glob("mimic-cxr-*split.csv*")):
            with text_of(file) as text:
                return {row["study_id"]: row["split"] for row in csv.DictReader(text)}
    return {}
