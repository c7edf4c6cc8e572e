"""Clinical guidelines: the corpus that Meditron's authors published (epfl-llm/guidelines).

One row a guideline: `id, source, title, clean_text, raw_text, url, overview` (`text` in its first
revisions). The text was taken from web pages and, through GROBID, from PDFs; what PDFs break
inside words is repaired here where the document itself shows the whole word. Nothing is taken out:
the published cleaning lost everything between `<` and `>` or in brackets, and tables of numbers.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corpus.document import Document
from corpus.files import Foreign
from corpus.sources import Fetch, Remote, hub
from corpus.tables import Row, open_table

# The data set's own licence tag is "other" (Common Crawl's terms of use): the terms are those of
# each publisher, who is in `meta`. Only what covers all that was taken from one stands here;
# WikiDoc, WHO, CCO, CMA, ICRC, SPOR and the PubMed articles have no one statement that is known to.
UNKNOWN = "unknown"
LICENSES = {
    "cdc": "US government work (17 USC 105) unless marked",
    "nice": "NICE UK Open Content Licence (United Kingdom only)",
}

_TEXTS = ("clean_text", "text", "raw_text")
_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})
_LIGATURE = re.compile("[ﬀ-ﬆ]")
# "signi ﬁ cant", "bene ﬁt": a ligature that was set apart from its word.
_APART = re.compile(r"([^\W\d_ﬀ-ﬆ]{0,40})( ?)([ﬀ-ﬆ])( ?)([^\W\d_ﬀ-ﬆ]*)")
# "recom-\nmendation", and "recom- mendation" where GROBID has joined the lines already.
_BROKEN = re.compile(r"\b([^\W\d_]{2,})-(?:[ \t]*\n[ \t]*|[ \t])([a-z]{2,})\b")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")


@dataclass(frozen=True)
class Guidelines:
    """The rows of that data set as JSON lines or Parquet, wherever they come from."""

    version: int = 1
    base: str = field(default="https://huggingface.co", repr=False)
    dataset: str = field(default="epfl-llm/guidelines", repr=False)
    revision: str = field(default="main", repr=False)

    @property
    def name(self) -> str:
        return "guidelines"

    @property
    def restricted(self) -> bool:
        return False

    def accepts(self, path: str) -> bool:
        return re.search(r"\.(jsonl|ndjson|parquet)(\.(gz|zst))?$", path) is not None

    def listing(self, fetch: Fetch) -> Iterator[Remote]:
        """The data files of the revision, as the hub's own listing names them."""
        return hub.files(
            self.base,
            self.dataset,
            self.revision,
            fetch,
            self.accepts,
            kinds="JSON lines or Parquet",
            license="by publisher, stated with each document",
        )

    def read(self, path: Path, name: str) -> Iterator[Document]:
        """One document a row: title, blank line, text. Raises Foreign for a table of something else."""
        with open_table(path) as table:
            have = {column.lower() for column in table.columns}
            if table.form == "csv" or not have & set(_TEXTS) or not have & {"title", "source", "url", "overview"}:
                raise Foreign(
                    f"{path}: not guidelines; expected id, source, title, clean_text (or text), url; "
                    f"found {table.found}"
                )
            for row in table.rows:
                yield _document(row, name)


def _document(row: Row, name: str) -> Document:
    cells = row.cells
    texts = [cells.get(column) for column in _TEXTS]
    body = next((text for text in texts if isinstance(text, str) and text.strip()), "")
    problem = row.problem
    if problem is None and any(text is not None and not isinstance(text, str) for text in texts):
        problem = "its text is no string"
    if problem is not None:
        return Document(f"guidelines:{name}#{row.number}", "guidelines", "", meta={"error": problem})
    title, publisher, url = (_word(cells, column) for column in ("title", "source", "url"))
    text = repair(body.strip())
    shown = repair(title)
    if shown and not _opens_with(text, shown):
        text = f"{shown}\n\n{text}" if text else shown
    key = _word(cells, "id") or hashlib.sha256(f"{publisher}\n{title}\n{body}".encode()).hexdigest()[:16]
    meta: dict[str, Any] = {"kind": "guideline", "language": "en"}
    meta |= {name: value for name, value in (("publisher", publisher), ("title", shown), ("url", url)) if value}
    return Document(f"guidelines:{key}", "guidelines", text, LICENSES.get(publisher.lower(), UNKNOWN), None, meta)


def _word(cells: Mapping[str, Any], column: str) -> str:
    value = cells.get(column)
    return value.strip() if isinstance(value, str) else str(value) if isinstance(value, int) else ""


def _opens_with(text: str, title: str) -> bool:
    """Whether the first line of the text is its title already, be it as a heading."""
    return text.split("\n", 1)[0].strip("#* \t").casefold() == title.casefold()


def repair(text: str) -> str:
    """Words that PDFs broke at a line's end or at a ligature, whole again.

    A break is closed only when the whole word stands elsewhere in the same document, so that
    "long-\\nterm" and "short- and long-term" keep their hyphens.
    """
    if _LIGATURE.search(text):
        words = _words(text)
        text = _APART.sub(lambda found: _closed_ligature(found, words), text).translate(_LIGATURES)
    before = None
    while text != before and _BROKEN.search(text):  # a word may be broken twice; each round shortens the text
        before, words = text, _words(text)
        text = _BROKEN.sub(lambda found, words=words: _closed_hyphen(found, words), text)  # type: ignore[misc]
    return text


def _words(text: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _WORD.findall(text.translate(_LIGATURES)))


def _closed_ligature(found: re.Match[str], words: frozenset[str]) -> str:
    before, left, ligature, right, after = found.groups()
    letters = ligature.translate(_LIGATURES)
    # From the most that may be joined to the least; a gap beside no letters is no gap in a word.
    for close_left, close_right in ((True, True), (True, False), (False, True)):
        gap_left = "" if close_left and before else left
        gap_right = "" if close_right and after else right
        whole = f"{'' if gap_left else before}{letters}{'' if gap_right else after}"
        if whole.lower() in words:
            return f"{before}{gap_left}{letters}{gap_right}{after}"
    return found[0]


def _closed_hyphen(found: re.Match[str], words: frozenset[str]) -> str:
    first, second = found.groups()
    if f"{first}-{second}".lower() in words:
        return f"{first}-{second}"
    if f"{first}{second}".lower() in words:
        return f"{first}{second}"
    return found[0]
