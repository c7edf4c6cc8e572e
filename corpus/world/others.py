"""The guidelines' data set on the hub, and the medical benchmarks' questions."""

import gzip
import hashlib
import json
from pathlib import Path
from random import Random
from typing import Any

from corpus.world import prose, pubmed
from corpus.world.files import hex_digest, plain_text, save
from corpus.world.papers import ARTICLES, full_text_of, paper, pmcid
from corpus.world.pmc import kind_of

GUIDELINES, QUESTIONS = 60, 24  # for size 1; the questions stay as many in a larger world

DATASET = "epfl-llm/guidelines"
SOURCES = ("wikidoc", "wikidoc", "wikidoc", "nice", "pubmed", "cdc", "who", "cma", "cco", "spor")
LEAK_EACH = 20


def write_guidelines(folder: Path, size: int, seed: int, questions: list[str]) -> dict[str, Any]:
    """The hub's listing and the one JSON lines file, below `folder`."""
    below = f"datasets/{DATASET}/resolve/main/open_guidelines.jsonl"
    truth: dict[str, Any] = {"rows": GUIDELINES * size, "file": "open_guidelines.jsonl", "leaks": [], "copies": []}
    with plain_text(folder / below) as out:
        for number in range(GUIDELINES * size):
            row = guideline(seed, number, size, questions)
            if row["source"] == "pubmed":
                article = _article_of(number, size)
                truth["copies"].append({"id": f"guidelines:{row['id']}", "of": f"pmc:{pmcid(article)}"})
            elif number % LEAK_EACH == 3 and questions:
                question = number // LEAK_EACH % len(questions)
                truth["leaks"].append({"id": f"guidelines:{row['id']}", "position": number, "question": question})
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
    path = folder / below
    listing = [
        {"type": "file", "oid": "0" * 40, "size": 24, "path": "README.md"},
        {
            "type": "file",
            "oid": "1" * 40,
            "size": path.stat().st_size,
            "lfs": {"oid": hex_digest(path, "sha256"), "size": path.stat().st_size, "pointerSize": 134},
            "path": "open_guidelines.jsonl",
        },
    ]
    save(folder / f"api/datasets/{DATASET}/tree/main", json.dumps(listing))
    save(folder / f"datasets/{DATASET}/resolve/main/README.md", "# Invented guidelines\n")
    return truth


def _article_of(number: int, size: int) -> int:
    """Which plain article a row of the source `pubmed` is the text of."""
    article = number // len(SOURCES) * 7 % (ARTICLES * size)
    while kind_of(article) != "plain":
        article = (article + 1) % (ARTICLES * size)
    return article


def guideline(seed: int, number: int, size: int, questions: list[str]) -> dict[str, str | None]:
    """One row; which fields are null depends on the publisher, as in the data set."""
    rng = Random(f"{seed} guideline {number}")
    source = SOURCES[number % len(SOURCES)]
    theme = prose.theme(rng, disease=3, drug=4, symptom=4, procedure=2, lab=3, population=2, outcome=3)
    if source == "pubmed":
        one = paper(seed, full_text_of(_article_of(number, size), size))
        title, text = one.title, f"{one.title}\n\n# Abstract\n{one.abstract_text}"
        theme = one.theme
    else:
        title = f"{prose.sentence(rng, 'disease', theme)}: assessment and management"
        text = f"# {title}"
    for heading in ("Assessment", "Treatment", "Follow-up"):
        points = prose.sentences(rng, "guideline", rng.randint(5, 9), theme)
        text += f"\n\n## {heading}\n" + " ".join(points[:3]) + "\n" + "\n".join(f"- {point}" for point in points[3:])
    if source != "pubmed" and number % LEAK_EACH == 3 and questions:
        text += f"\n\n## Case\n{questions[number // LEAK_EACH % len(questions)]}"
    return {
        "id": hashlib.sha1(f"{seed} {number}".encode()).hexdigest(),
        "source": source,
        "title": title if source in ("cma", "nice", "wikidoc", "pubmed") else None,
        "clean_text": text,
        "raw_text": text.replace("# ", ""),
        "url": f"https://example.org/{source}/{number}" if source in ("nice", "wikidoc", "pubmed") else None,
        "overview": prose.paragraph(rng, "guideline", 2, theme) if source in ("nice", "pubmed") else None,
    }


def questions(seed: int) -> list[dict[str, Any]]:
    """MedQA-style questions with four options."""
    found = []
    for number in range(QUESTIONS):
        rng = Random(f"{seed} question {number}")
        options = rng.sample([str(option[0]) for option in prose.rules()["drug"]], 4)
        found.append(
            {
                "question": " ".join(prose.sentence(rng, "question").split()),
                "answer": options[0],
                "options": dict(zip("ABCD", sorted(options), strict=True)),
                "meta_info": "step1",
                "answer_idx": "ABCD"[sorted(options).index(options[0])],
            }
        )
    return found


def write_benchmarks(folder: Path, size: int, seed: int) -> dict[str, Any]:
    """MedQA's JSON lines and PubMedQA's one JSON object, gzipped, below `folder`.

    PubMedQA's contexts are abstracts that PubMed has; MedQA's questions are quoted by web pages and
    guidelines (their own truth says where).
    """
    lines = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in questions(seed))
    save(folder / "medqa" / "phrases_no_exclude_test.jsonl.gz", gzip.compress(lines.encode(), mtime=0))
    items, leaks = {}, []
    for number in pubmed.leaked_papers(size)[:QUESTIONS]:
        one = paper(seed, number)
        contexts = [text for name, text in one.abstract if name != "conclusions"]
        items[str(one.pmid)] = {
            "QUESTION": prose.sentence(Random(f"{seed} yes {number}"), "yesno", one.theme),
            "CONTEXTS": contexts,
            "LABELS": [name.upper() for name, _ in one.abstract if name != "conclusions"],
            "MESHES": [],
            "YEAR": str(one.year),
            "final_decision": ("yes", "no", "maybe")[number // 100 % 3],
            "LONG_ANSWER": one.abstract[-1][1],
        }
        leaks.append(f"pubmed:{one.pmid}")
    body = json.dumps(items, ensure_ascii=False, indent=4)
    save(folder / "pubmedqa" / "ori_pqal.json.gz", gzip.compress(body.encode(), mtime=0))
    return {"medqa": QUESTIONS, "pubmedqa": len(items), "leaks": leaks}
