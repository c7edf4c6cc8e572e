# ruff: noqa: E501 (tables read better whole)
"""What is known of a patient from structured columns, masked exactly; and MIMIC-III's placeholders."""

from collections.abc import Iterator, Mapping, Sequence

import regex

from filters.phi.mentions import acts, rare
from filters.phi.rules import TIMEOUT, Late
from filters.phi.safe import ACRONYMS, STOPS
from filters.phi.spans import KINDS, Span

_ALIASES = {
    "name": "NAME", "names": "NAME", "patient": "NAME", "first_name": "NAME", "last_name": "NAME", "dob": "DATE", "date": "DATE",
    "birth": "DATE", "dates": "DATE", "id": "ID", "identifier": "ID", "address": "STREET", "zip": "ZIP",
    "postcode": "ZIP", "hospital": "HOSPITAL", "facility": "HOSPITAL", "insurance": "PLAN", "telephone": "PHONE",
}  # fmt: skip
# What a column of known values may be called in a recipe or after `known.` on the command line.
KINDS_OF_COLUMNS = tuple(sorted({*_ALIASES, *map(str.lower, KINDS)}))
_NUMERIC = ("SSN", "MRN", "PLAN", "ACCOUNT", "PHONE", "FAX", "LICENSE", "DEVICE", "ID")
_PART = regex.compile(r"[\p{L}\p{N}]+")
# A day in a cell: year first, or last in either order of day and month; a time may follow.
_DAY = regex.compile(
    r"(?<!\d)(?:(?P<y>(?:19|20)\d\d)(?:[-/.](?P<m>\d\d?)[-/.](?P<d>\d\d?)|(?P<m>\d\d)(?P<d>\d\d))"
    r"|(?P<a>\d\d?)[-/.](?P<b>\d\d?)[-/.](?P<y>(?:19|20)\d\d))(?!\d)"
)
# Digits, with letters among them, in pieces with a sign or two between them: how numbers are written in notes.
_PIECE = regex.compile(r"[A-Za-z]{0,4}\d[A-Za-z\d]*")
_LONGEST = 5  # pieces of a number
SHORTEST = 5  # characters of a number that can be told from doses, years and page numbers


def _kind(name: str) -> str:
    upper = name.upper()
    return upper if upper in KINDS else _ALIASES.get(name.lower(), "ID")


def _days(value: str) -> list[tuple[int, int, int]]:
    """The days (year, month, day) that a cell can mean."""
    found = _DAY.search(value)
    if found is None:
        return []
    year = int(found["y"])
    if found["m"]:
        return [(year, int(found["m"]), int(found["d"]))]
    one, two = int(found["a"]), int(found["b"])
    return [(year, month, day) for month, day in dict.fromkeys(((one, two), (two, one))) if month <= 12]


def names(known: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The values that are names."""
    for name, values in known.items():
        if _kind(name) == "NAME":
            yield from map(str, values)


def numbers(known: Mapping[str, Sequence[str]]) -> set[str]:
    """The known values that are numbers or dates, as `written` gives them back from a text."""
    found = set()
    for name, values in known.items():
        kind = _kind(name)
        for value in map(str, values):
            if kind == "DATE":
                for year, month, day in _days(value):
                    found |= {f"{year}{month:02}{day:02}", f"{month}{day}{year}", f"{month:02}{day:02}{year}"}
                    found |= {f"{day}{month}{year}", f"{day:02}{month:02}{year}"}
            elif kind in _NUMERIC:
                found.add("".join(_PART.findall(value)))
    return {number for number in map(_bare, found) if len(number) >= SHORTEST and sum(map(str.isdigit, number)) > 3}


def _bare(number: str) -> str:
    return number.lower().lstrip("0")


def written(text: str) -> Iterator[str]:
    """Every number of a text in bare form, and numbers that neighbouring pieces make together."""
    pieces: list[str] = []
    end = -9
    for found in _PIECE.finditer(text):
        near = found.start() - end <= 3 and not text[end : found.start()].strip(" -./()")
        pieces = [*pieces[-_LONGEST + 1 :], found[0]] if near else [found[0]]
        end = found.end()
        for first in range(len(pieces)):
            number = _bare("".join(pieces[first:]))
            if len(number) >= SHORTEST:
                yield number


def pattern(known: Mapping[str, Sequence[str]]) -> "regex.Pattern[str] | None":
    """One pattern for all known values: any case, any blanks or punctuation between their parts.

    Of a name every part of three letters or more is masked, too; numbers with any leading zeros; dates in any order.
    """
    found: dict[str, set[str]] = {}
    for name, values in known.items():
        kind = _kind(name)
        for value in values:
            parts = _PART.findall(str(value))
            if sum(map(len, parts)) < 2:
                continue
            options = found.setdefault(kind, set())
            options.add(r"[\W_]{0,3}".join(map(regex.escape, parts)))
            if kind == "NAME":
                options.update(regex.escape(part) for part in parts if len(part) > 2 and part.lower() not in STOPS)
                long = [regex.escape(part) for part in parts if len(part) > 1]
                for words in (long, long[::-1]) if long else ():
                    options.add(r"[\W_]{1,3}(?:\p{L}[\W_]{1,2})?".join(words))
            if kind in _NUMERIC:
                digits = "".join(parts)
                bare = digits.lstrip("0") if len(digits.lstrip("0")) >= SHORTEST else digits
                options.add(r"0{0,8}" + r"[ ./-]?".join(map(regex.escape, bare)))
            if kind == "DATE":
                for year, month, day in _days(str(value)):
                    for order in ((year, month, day), (month, day, year), (day, month, year)):
                        options.add(r"[\W_]{0,3}".join(rf"0?{number}" for number in order))
    if not found:
        return None
    groups = [
        f"(?P<{kind}>{'|'.join(sorted(options, key=lambda option: (-len(option), option)))})"
        for kind, options in sorted(found.items())
    ]
    return regex.compile(rf"(?<![\p{{L}}\p{{N}}])(?:{'|'.join(groups)})(?![\p{{L}}\p{{N}}])", regex.I | regex.V1)


def find(compiled: "regex.Pattern[str]", text: str) -> list[Span]:
    """Where the values stand. Of a patient called Brown, `brown sputum` is none."""
    try:
        found = [Span.of(match, 0, str(match.lastgroup), "known") for match in compiled.finditer(text, timeout=TIMEOUT)]
    except TimeoutError:
        raise Late("known") from None
    return [span for span in found if span.kind != "NAME" or _meant(text, span)]


def _meant(text: str, span: Span) -> bool:
    """A part of a name in lower case that is an ordinary word counts only before what people do; `NG` is a tube."""
    word = text[span.start : span.end]
    if word.isupper() and word.lower() in ACRONYMS:
        return False
    return not (word.isalpha() and word.islower()) or rare(word) or acts(text, span.start, span.end)


_PLACEHOLDERS = (
    ("HOSPITAL", "hospital"), ("WARD", "ward"), ("NAME", "name"), ("NAME", "dictator"), ("NAME", "attending"),
    ("PHONE", "telephone"), ("PHONE", "pager"), ("STREET", "address"), ("CITY", "location"), ("ZIP", "zip"),
    ("EMPLOYER", "company"), ("EMPLOYER", "university"), ("AGE", "age over 90"), ("MRN", "medical record"),
    ("SSN", "social security"), ("EMAIL", "e-mail"), ("URL", "url"), ("DATE", "date"), ("DATE", "month"),
    ("DATE", "year"), ("DATE", "holiday"), ("NAME", "initial"),
)  # fmt: skip


def placeholder(text: str) -> str:
    """The kind of one of MIMIC-III's `[**…**]`, by its words; numbers alone are a date."""
    low = text.lower()
    for kind, word in _PLACEHOLDERS:
        if word in low:
            return kind
    return "DATE" if regex.search(r"\d", low) and not regex.search(r"[a-z]{4}", low) else "ID"
