"""Benchmarks: the questions that models are tested with, read so that no corpus is built from them.

They are pinned like sources and never mixed: filters/contamination.py cleans against these items,
and what is evaluated is what is cleaned against. One folder a benchmark:

    pubmedqa/ori_pqal.json     PQA-L, github.com/pubmedqa/pubmedqa (MIT): JSON by PMID
    medqa/*.jsonl              github.com/jind11/MedQA (MIT): question, options, answer_idx
    medmcqa/*.json             medmcqa.github.io (MIT): JSON lines, opa to opd, cop counts from 1
    mmlu/<subject>_test.csv    Hendrycks et al. (MIT): question, four options, letter; no header
    NAME/items.jsonl           anything else: {"id", "parts": ["…"], "pmid"?}
    NAME/ids.txt               identities alone, one a line: pmid:123, pmcid:PMC123, doi:10.1/x,
                               patient:10000032, or the id of a document (mimic:10000032-DS-21)

The last form is for benchmarks made of credentialed notes or of articles by number: MedNLI, emrQA,
i2b2, MIMIC-CXR summaries, PubMedSum, HoC, BioNLI, DDI. Explanations beside answers (MedMCQA's `exp`)
are quoted from textbooks and are no part of a question.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corpus.document import Document
from corpus.files import BadInput, Foreign, open_raw
from corpus.sources import Fetch, Remote

_SUFFIXES = (".json", ".jsonl", ".csv", ".txt")


def _plain(name: str) -> str:
    """A file's name without what compresses it."""
    return name.removesuffix(".gz").removesuffix(".zst")


@dataclass(frozen=True)
class Benchmarks:
    """Items of benchmarks as documents, one each.

    `meta`: `benchmark`, `item`, `parts` (texts that give the item away when they are found: the
    question, the question with its options, a passage), `identities` (what names it without text).
    """

    base: str = field(default="https://raw.githubusercontent.com/pubmedqa/pubmedqa/master/data/", repr=False)
    version: int = 1

    @property
    def name(self) -> str:
        return "benchmarks"

    @property
    def restricted(self) -> bool:
        return False

    def listing(self, fetch: Fetch) -> Iterator[Remote]:
        """PubMedQA alone has addresses that answer without a browser; the others are put there by hand."""
        for file in ("ori_pqal.json", "test_ground_truth.json"):
            yield Remote(self.base + file, f"pubmedqa/{file}", license="MIT")

    def accepts(self, path: str) -> bool:
        name = _plain(path.rsplit("/", 1)[-1])
        return "/" in path and name.endswith(_SUFFIXES) and name != "test_ground_truth.json"

    def read(self, path: Path, name: str) -> Iterator[Document]:
        """The items of one file; its folder says how it is read.

        Raises BadInput for a line or row that is not of that form, Foreign for another kind of file.
        """
        benchmark, _, file = name.rpartition("/")
        benchmark = benchmark.split("/")[0]
        plain = _plain(file)
        with open_raw(path) as stream:
            text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
            try:
                if plain == "ids.txt":
                    found = _identities(text)
                elif benchmark == "mmlu" and plain.endswith(".csv"):
                    found = _mmlu(text, plain.removesuffix(".csv"))
                elif benchmark == "pubmedqa" and plain.endswith(".json"):
                    found = _pubmedqa(json.load(text))
                elif plain.endswith((".jsonl", ".json")):
                    found = _rows(text, benchmark, plain.rsplit(".", 1)[0])
                else:
                    raise Foreign(f"{path}: no file of a benchmark that is known; see corpus/sources/benchmarks.py")
                for item, parts, identities in found:
                    yield Document(
                        id=f"benchmarks:{benchmark}/{item}",
                        source="benchmarks",
                        text="\n\n".join(parts),
                        license="MIT" if benchmark in ("pubmedqa", "medqa", "medmcqa", "mmlu") else None,
                        meta={
                            "kind": "benchmark",
                            "benchmark": benchmark,
                            "item": item,
                            "parts": parts,
                            "identities": identities,
                        },
                    )
            except (KeyError, TypeError, AttributeError, json.JSONDecodeError, UnicodeDecodeError) as error:
                raise BadInput(
                    f"{path}: not in the form of {benchmark} ({type(error).__name__}: {error}); "
                    "see the forms in corpus/sources/benchmarks.py, or remove the file"
                ) from error


Found = Iterator[tuple[str, list[str], list[str]]]  # item, parts, identities


def _asked(question: str, options: Iterable[Any]) -> list[str]:
    """The question, and the question as it is printed: with its options after it."""
    return [question, "\n".join([question, *map(str, options)])]


def _pubmedqa(content: dict[str, Any]) -> Found:
    for pmid, item in content.items():
        # The conclusion alone is a sentence or two that other articles come near: it joins the results.
        parts: list[str] = [item["QUESTION"], *item["CONTEXTS"]]
        parts[-1] = "\n".join([parts[-1], item.get("LONG_ANSWER") or ""]).rstrip()
        yield pmid, parts, [f"pmid:{int(pmid)}"]


def _mmlu(text: Iterable[str], subject: str) -> Found:
    for number, row in enumerate(csv.reader(text)):
        if len(row) != 6:
            raise KeyError(f"row {number + 1} has {len(row)} columns, not question, four options and a letter")
        yield f"{subject}/{number}", _asked(row[0], row[1:5]), []


def _rows(text: Iterable[str], benchmark: str, file: str) -> Found:
    for number, line in enumerate(text):
        if not line.strip():
            continue
        row = json.loads(line)
        if benchmark == "medqa":
            yield f"{file}/{number}", _asked(row["question"], row["options"].values()), []
        elif benchmark == "medmcqa":
            yield row["id"], _asked(row["question"], [row[key] for key in ("opa", "opb", "opc", "opd")]), []
        else:
            yield str(row["id"]), list(row["parts"]), [f"pmid:{int(row['pmid'])}"] if row.get("pmid") else []


def _identities(text: Iterable[str]) -> Found:
    for line in text:
        name = line.strip()
        if name and not name.startswith("#"):
            kind, _, value = name.partition(":")
            yield name, [], [f"doi:{value.lower()}" if kind == "doi" else name]
