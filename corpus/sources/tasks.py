"""Tasks made of articles: a question and its answer, both in the article's own words.

    title         the abstract -> its title
    conclusion    title and abstract without their last part -> the conclusion that the authors draw
    keywords      title and abstract -> the subject headings that librarians gave it (MeSH)
    continuation  the title -> the abstract

Which of those that an article allows it becomes is drawn by its id, so that the tasks stand about
evenly and an article is one task in every build. Of a full text the section `## Abstract` is read.
"""

import hashlib
import re
from dataclasses import replace

from corpus.conversation import KINDS, Turn, joined
from corpus.document import Document

LONGEST = 6000  # characters of an article that are asked about: 1,500 tokens, so that windows of 2,048 hold them
LEAST = 200  # characters of an abstract below which nothing can be asked
_CONCLUSION = re.compile(r"^(?:authors' )?conclusions?(?: and [a-z ]+)?[:.] *(?=\S)", re.IGNORECASE)
_KEPT = ("pmid", "pmcid", "doi", "revision", "deleted", "retracted", "excluded", "notice", "error", "language")

ASKED = {
    "title": "Write a title for this abstract of a biomedical article.",
    "conclusion": "Read this abstract of a biomedical article, whose last part is left out, and write its conclusion.",
    "keywords": "Give the medical subject headings (MeSH) under which this article should be found.",
    "continuation": "Write the abstract of a biomedical article with this title.",
}


def task(article: Document, id: str, source: str, name: str) -> Document:
    """The task that an article becomes: a document of `source` and its set `name`, under its own key.

    What is wrong with the article (withdrawn, retracted, unreadable) stands in `meta` as it did.
    """
    meta = {key: article.meta[key] for key in _KEPT if key in article.meta}
    meta |= {"kind": KINDS[0], "set": name}
    asked = _asked(article)
    if not asked:
        meta.setdefault("error", "an article without an abstract makes no task")
        return replace(article, id=id, source=source, text="", meta=meta)
    names = sorted(asked)
    chosen = names[hashlib.sha256(article.id.encode()).digest()[0] % len(names)]
    question, answer = asked[chosen]
    text = joined([Turn("user", f"{ASKED[chosen]}\n\n{question}"), Turn("assistant", answer)])
    return replace(article, id=id, source=source, text=text, meta={**meta, "task": chosen})


def _asked(article: Document) -> dict[str, tuple[str, str]]:
    """Task -> what it asks about, and the answer."""
    title, *parts = [part.strip() for part in article.text.split("\n\n") if part.strip()] or [""]
    title = title.lstrip("# ")
    heads = [place for place, part in enumerate(parts) if part.startswith("## ")]
    if heads:  # a full text, or an abstract under its heading
        first = next((place for place in heads if parts[place].lower() == "## abstract"), len(parts))
        parts = parts[first + 1 : next((place for place in heads if place > first), len(parts))]
    body = ""
    for part in parts:
        if body and len(body) + len(part) > LONGEST:
            break
        body = f"{body}\n\n{part}" if body else part[:LONGEST]
    if not title or len(title) > 500 or len(body) < LEAST:
        return {}
    found = {"title": (body, title), "continuation": (title, body)}
    before, _, last = body.rpartition("\n\n")
    if before and (drawn := _CONCLUSION.match(last)):
        found["conclusion"] = (f"{title}\n\n{before}", last[drawn.end() :])
    headings = article.meta.get("mesh")
    if isinstance(headings, list) and len(headings) > 1:
        found["keywords"] = (f"{title}\n\n{body}", "; ".join(map(str, headings)))
    return found
