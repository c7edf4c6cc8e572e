"""A span of a text that identifies somebody, and how overlapping ones become one."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import regex

# What a span can be, from the most to the least telling when two overlap with one length.
KINDS = (
    "EMAIL", "URL", "IP", "SSN", "MRN", "PLAN", "ACCOUNT", "LICENSE", "VEHICLE", "DEVICE", "PHOTO", "FAX", "PHONE",
    "NAME", "STREET", "ZIP", "CITY", "HOSPITAL", "WARD", "EMPLOYER", "DATE", "AGE", "ID",
)  # fmt: skip
_RANK = {kind: rank for rank, kind in enumerate(KINDS)}

# Masks of this filter (`[NAME]`, `[DATE 2019]`, `[NAME:3f9c…]`), of MIMIC-IV (`___`) and of MIMIC-III (`[**…**]`).
MASK = regex.compile(
    r"\[(?:" + "|".join(KINDS) + r")(?: \d{4}|:[0-9a-f]{8})?\]|_{3,}|\[\*\*[^\[\]]{0,120}?\*\*\]"
    r"|(?<![\w.])90\+|\ue000"
)
# One private-use character for a whole mask: no pattern looks for it and no word list has it.
BLANK = "\ue000"
_MAYBE = regex.compile(r"\[[A-Z]{2,8}[\] :]")


def masks(text: str) -> Iterator["regex.Match[str]"]:
    """The masks of a text, in order; a text without any costs next to nothing."""
    if "___" in text or "[**" in text or "90+" in text or BLANK in text or _MAYBE.search(text):
        yield from MASK.finditer(text)


class Span(NamedTuple):
    """`text[start:end]` is of `kind`; `rule` names what found it."""

    start: int
    end: int
    kind: str
    rule: str

    @classmethod
    def of(cls, match: "regex.Match[str] | re.Match[str]", group: int | str, kind: str, rule: str) -> "Span":
        start, end = match.span(group)
        assert start >= 0, rule  # a pattern whose choices do not all have the group
        return cls(start, end, kind, rule)


def united(spans: Iterable[Span], text: str) -> list[Span]:
    """Spans in order, none overlapping: what overlaps becomes one of the longest part's kind.

    Neighbours of one kind with nothing but blanks between them (a first and a last name that two
    rules found) become one as well.
    """
    ordered = sorted(spans, key=lambda span: (span.start, -span.end, _RANK[span.kind]))
    out: list[Span] = []
    weight = 0
    for span in ordered:
        if out:
            last = out[-1]
            gap = text[last.end : span.start] if span.start > last.end else ""
            touching = span.kind == last.kind and span.kind in ("NAME", "STREET", "HOSPITAL") and gap in ("", " ", ", ")
            if span.start < last.end or (touching and (gap != ", " or span.kind == "STREET")):
                length = span.end - span.start
                kind, rule = (span.kind, span.rule) if length > weight else (last.kind, last.rule)
                out[-1] = Span(last.start, max(last.end, span.end), kind, rule)
                weight = max(weight, length)
                continue
        out.append(span)
        weight = span.end - span.start
    return out
