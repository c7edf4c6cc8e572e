"""What a document is, and what becomes of one that does not stay.

A filter is any callable `Document -> Document | Drop`; a source yields documents. Both are plain
values (frozen dataclasses), so that their `repr` says what they do and its digest names what they
wrote.
"""

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Mark = int | float | str


@dataclass(frozen=True, slots=True)
class Document:
    """One document, from the first layer to the last shard.

    `id` is the source's name and the source's own key (`pubmed:38012345`) and stays the same in
    every build. `created` is an ISO 8601 date, a year and month, or a year. `meta` holds JSON
    values; keys that begin with an underscore (a patient's known name, say) exist in memory only
    and are refused by every writer. `tokens` is null until counted. `prompt` is how many leading
    tokens carry no loss. `marks` are what filters measured (rule name -> number or word, never
    text): they go to the ledger, and two documents that differ in marks alone are equal.

    Keys of `meta` that the pipelines read, all optional:
      kind       fulltext, abstract, title, note, report, web, code, guideline, instruction, conversation
      pmid, pmcid, doi   identity across sources
      revision   list of integers, compared in order: of one id, the largest wins
      deleted    the publisher withdrew this id in this revision
      retracted  why the publication does not count (`retracted publication`)
      error      this record could not be read, and why (rule names and numbers, no text)
      language   what the publisher says of the text, ISO 639-1
      patient    groups notes of one person
    """

    id: str
    source: str
    text: str
    license: str | None = None
    created: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    tokens: "array[int] | None" = None
    prompt: int = 0
    marks: Mapping[str, Mark] = field(default_factory=dict, compare=False)

    def marked(self, **marks: Mark) -> "Document":
        """This document with measurements added; a double underscore in a name becomes a dot."""
        named = {name.replace("__", "."): value for name, value in marks.items()}
        return replace(self, marks={**self.marks, **named})

    def with_text(self, text: str) -> "Document":
        """This document with another text, or itself when the text is the same."""
        return self if text == self.text else replace(self, text=text)


@dataclass(frozen=True, slots=True)
class Drop:
    """Why a document does not stay: a named reason and its numbers, never its text.

    `Drop("quality.short", "3 < 20 words")`. `marks` are measurements as in `Document`.
    """

    reason: str
    detail: str = ""
    marks: Mapping[str, Mark] = field(default_factory=dict, compare=False)


Filter = Callable[[Document], "Document | Drop"]


def aliases(meta: Mapping[str, Any]) -> list[str]:
    """The names under which other sources may know this publication, normalised and sorted.

    `pmid:123`, `pmcid:PMC123`, `doi:10.1/x` (DOIs are case-insensitive, ISO 26324).
    """
    found = []
    if meta.get("pmid"):
        found.append(f"pmid:{int(meta['pmid'])}")
    if meta.get("pmcid"):
        number = str(meta["pmcid"]).upper().removeprefix("PMC").split(".")[0]
        found.append(f"pmcid:PMC{number}")
    if meta.get("doi"):
        found.append(f"doi:{str(meta['doi']).strip().lower()}")
    return sorted(found)
