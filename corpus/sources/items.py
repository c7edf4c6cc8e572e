"""Items of benchmarks, and the publishers' forms of multiple-choice questions.

An item holds what a model is asked (`ask`) and what gives it away in a text (`parts`, `identities`):
trainer/evaluate.py asks the one, filters/contamination.py looks for the other, and both come from the
same line of the same file. `ask` has `question`, and what the kind of task needs: `context`, `options`,
`gold` (the number of the right option, from 0), `subject`. Without `gold` (a test set whose labels are
withheld) an item is only looked for.

    pubmedqa/ori_pqal.json     PQA-L, github.com/pubmedqa/pubmedqa (MIT): JSON by PMID; the 500 that
                               test_ground_truth.json names are the test set, the others are examples
    medqa/*.jsonl              github.com/jind11/MedQA (MIT): question, options, answer_idx
    medmcqa/*.json             medmcqa.github.io (MIT): JSON lines, opa to opd, cop counts from 1
    mmlu/<subject>_test.csv    Hendrycks et al. (MIT): question, four options, letter; no header

The copies of these on the hub (qiaojin/PubMedQA, GBaker/MedQA-USMLE-4-options-hf, openlifescienceai/medmcqa,
cais/mmlu) have other columns; they are read from .parquet and .jsonl as well.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from corpus.files import open_raw


@dataclass(frozen=True, slots=True)
class Item:
    """One item; `split` is test, spare (of the benchmark, but not asked: looked for all the same) or
    shots (training data: examples for few-shot prompts, not looked for)."""

    key: str
    parts: list[str]
    identities: list[str] = field(default_factory=list)
    ask: Mapping[str, Any] = field(default_factory=dict)
    split: str = "test"


def plain(name: str) -> str:
    """A file's name without what compresses it."""
    return name.removesuffix(".gz").removesuffix(".zst")


def split_of(file: str) -> str:
    """What a file's name says it is for: `train.jsonl`, `anatomy_dev.csv`, `data/validation-0.parquet` are shots."""
    words = set(plain(file).lower().replace("/", " ").replace("_", " ").replace("-", " ").replace(".", " ").split())
    return "shots" if words & {"train", "training", "dev", "val", "valid", "validation"} else "test"


def text_of(path: Path) -> io.TextIOWrapper:
    return io.TextIOWrapper(open_raw(path), encoding="utf-8", newline="")


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a .parquet, .csv, .tsv (both with a header), .jsonl or .json file (a list, or lines)."""
    name = plain(path.name)
    if name.endswith(".parquet"):
        for batch in pq.ParquetFile(path).iter_batches(1000):
            yield from batch.to_pylist()
        return
    with text_of(path) as text:
        if name.endswith((".csv", ".tsv")):
            yield from csv.DictReader(text, delimiter="\t" if name.endswith(".tsv") else ",")
        elif text.buffer.peek(64).lstrip()[:1] == b"[":  # type: ignore[attr-defined]
            yield from json.load(text)
        else:
            yield from (json.loads(line) for line in text if line.strip())


def printed(question: str, options: Iterable[Any]) -> list[str]:
    """The question, and the question as it is printed: with its options after it."""
    return [question, "\n".join([question, *map(str, options)])]


def choice(question: str, options: list[str], gold: int | None, **more: Any) -> dict[str, Any]:
    if gold is not None and not 0 <= gold < len(options):
        raise KeyError(f"answer {gold} of {len(options)} options")
    return {"question": question, "options": options, "gold": gold, **more}


DECISIONS = ["yes", "no", "maybe"]


def pubmedqa(path: Path, file: str) -> Iterator[Item]:
    if plain(file).endswith(".json"):
        with text_of(path) as text:
            content = json.load(text)
        asked = None
        for truth in (path.with_name("test_ground_truth.json"), path.with_name("test_ground_truth.json.gz")):
            if truth.is_file():
                with text_of(truth) as text:
                    asked = set(json.load(text))
        for pmid, row in content.items():
            contexts, decision = row["CONTEXTS"], row.get("final_decision")
            split = split_of(file) if asked is None else "test" if pmid in asked else "spare"
            yield _paper(pmid, row["QUESTION"], contexts, row.get("LONG_ANSWER"), decision, split)
        return
    for row in rows(path):
        contexts, decision = row["context"]["contexts"], row.get("final_decision")
        yield _paper(str(row["pubid"]), row["question"], contexts, row.get("long_answer"), decision, split_of(file))


def _paper(pmid: str, question: str, contexts: list[str], end: str | None, decision: str | None, split: str) -> Item:
    # The conclusion alone is a sentence or two that other articles come near: it joins the results.
    parts = [question, *contexts[:-1], "\n".join([contexts[-1], end or ""]).rstrip()]
    gold = DECISIONS.index(decision) if decision else None
    ask = choice(question, DECISIONS, gold, context="\n".join(contexts))
    return Item(pmid, parts, [f"pmid:{int(pmid)}"], ask, split)


def medqa(path: Path, file: str) -> Iterator[Item]:
    stem = plain(file).rsplit(".", 1)[0]
    for number, row in enumerate(rows(path)):
        if "sent1" in row:
            question, gold = row["sent1"], int(row["label"])
            options = [row[key] for key in sorted(row) if key.startswith("ending")]
        else:
            question, options = row["question"], list(row["options"].values())
            gold = list(row["options"]).index(row["answer_idx"])
        # The files of four and of five options hold the same questions in the same order.
        ask = choice(question, options, gold)
        yield Item(f"{stem}/{number}", printed(question, options), [], ask, split_of(file))


def medmcqa(path: Path, file: str) -> Iterator[Item]:
    # The test set's labels are withheld: everybody, the paper among them, is measured on dev.
    split = "shots" if "train" in plain(file) else "test"
    listed = list(rows(path))
    # The publisher counts answers from 1, the hub's copy from 0 (and -1 where they are withheld).
    first = 0 if any(row.get("cop") == 0 for row in listed) else 1
    for row in listed:
        options = [str(row[key]) for key in ("opa", "opb", "opc", "opd")]
        cop = row.get("cop")
        gold = None if cop is None or int(cop) < first else int(cop) - first
        ask = choice(row["question"], options, gold, subject=row.get("subject_name") or "")
        yield Item(str(row["id"]), printed(row["question"], options), [], ask, split)


def mmlu(path: Path, file: str) -> Iterator[Item]:
    if plain(file).endswith(".csv"):
        subject = plain(file).removesuffix(".csv")
        with text_of(path) as text:
            for number, cells in enumerate(csv.reader(text)):
                if len(cells) != 6:
                    raise KeyError(
                        f"row {number + 1} has {len(cells)} columns, not question, four options and a letter"
                    )
                yield _exam(f"{subject}/{number}", cells[0], cells[1:5], "ABCD".index(cells[5].strip()), subject, file)
        return
    for number, row in enumerate(rows(path)):
        subject = f"{row.get('subject') or file.split('/')[0]}_test"
        yield _exam(f"{subject}/{number}", row["question"], list(row["choices"]), int(row["answer"]), subject, file)


def _exam(key: str, question: str, options: list[str], gold: int, subject: str, file: str) -> Item:
    name = subject.rsplit("_", 1)[0].rsplit("/", 1)[-1]
    return Item(key, printed(question, options), [], choice(question, options, gold, subject=name), split_of(file))
