"""Items of a benchmark as the harness wants them: a table of the asked, and one of examples for few shots."""

from collections import defaultdict
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import datasets

from corpus.document import Document
from corpus.files import BadInput
from corpus.sources.benchmarks import items

MEDICAL = (
    "anatomy",
    "clinical_knowledge",
    "college_biology",
    "college_medicine",
    "medical_genetics",
    "professional_medicine",
)  # of MMLU: those that medical models are compared on since MultiMedQA (arXiv 2212.13138)

LETTERS = "ABCDEFGHIJ"


def load(*, benchmark: str, data: str, lettered: bool = False, only: str = "", **_: Any) -> dict[str, Any]:
    """{"test": asked, "shots": examples}, one row an item; called by the harness with what a YAML says."""
    found: dict[str, list[dict[str, Any]]] = {"test": [], "shots": []}
    for item in items(Path(data), benchmark):
        ask = item.meta["ask"]
        if ask.get("gold") is None:
            continue
        subject = str(ask.get("subject") or "")
        if only and (subject in MEDICAL) != (only == "medical"):
            continue
        found["test" if item.meta["split"] == "test" else "shots"].append(row(item, lettered))
    if not found["test"]:
        raise BadInput(f"{data}/{benchmark}: none of its items is of the test set with a right answer")
    found["test"] = _widest(found["test"])
    if only:  # files of one subject each; elsewhere the first N are the first N that the harness takes
        found["test"] = _turns(found["test"])
    if lettered:
        width = max(len(each["options"]) for each in found["test"])
        found["shots"] = [each for each in found["shots"] if len(each["options"]) <= width]
    # Without examples of their own, the other items of the test set: the harness leaves out the one that is asked.
    return {name: datasets.Dataset.from_list(table or found["test"]) for name, table in found.items()}


def row(item: Document, lettered: bool) -> dict[str, Any]:
    """What the prompt templates and the scores know of an item."""
    ask = item.meta["ask"]
    options = list(ask.get("options") or ())
    letters = list(LETTERS[: len(options)]) if lettered else options
    return {
        "item": item.meta["item"],
        "question": ask["question"],
        "context": ask.get("context") or "",
        "options": options,
        "letters": letters,
        "listed": "".join(f"{letter}. {option}\n" for letter, option in zip(letters, options, strict=True)),
        "gold": ask["gold"],
        "golds": [str(each) for each in ask.get("golds") or ()],
        "subject": str(ask.get("subject") or "").replace("_", " "),
    }


def _widest(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of MedQA's two files the one with five options, as in the paper: the other has the same questions."""
    folders = defaultdict(list)
    for each in rows:
        folders[len(each["options"]) if each["item"].rpartition("/")[0] else 0].append(each)
    if len(folders) > 1 and len({len(each) for each in folders.values()}) == 1:
        return folders[max(folders)]
    return rows


def _turns(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One of each subject in turn, so that the first N stand for all of them."""
    subjects: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for each in rows:
        subjects[each["subject"]].append(each)
    return [each for each in chain.from_iterable(zip_longest(*subjects.values())) if each is not None]
