# ruff: noqa: E501 (tables read better whole)
"""What is known of a patient from structured columns, masked exactly; and MIMIC-III's placeholders."""

from collections.abc import Mapping, Sequence

import regex

from filters.phi.rules import TIMEOUT, Late
from filters.phi.safe import STOPS
from filters.phi.spans import KINDS, Span

_ALIASES = {
    "name": "NAME", "names": "NAME", "patient": "NAME", "first_name": "NAME", "last_name": "NAME", "dob": "DATE", "date": "DATE",
    "birth": "DATE", "dates": "DATE", "id": "ID", "identifier": "ID", "address": "STREET", "zip": "ZIP",
    "postcode": "ZIP", "hospital": "HOSPITAL", "facility": "HOSPITAL", "insurance": "PLAN", "telephone": "PHONE",
}  # fmt: skip
_NUMERIC = ("SSN", "MRN", "PLAN", "ACCOUNT", "PHONE", "FAX", "LICENSE", "DEVICE", "ID")


def _kind(name: str) -> str:
    upper = name.upper()
    return upper if upper in KINDS else _ALIASES.get(name.lower(), "ID")


def pattern(known: Mapping[str, Sequence[str]]) -> "regex.Pattern[str] | None":
    """One pattern for all known values: any case, any blanks or punctuation between their parts.

    Of a name every part of three letters or more is masked, too.
    """
    found: dict[str, set[str]] = {}
    for name, values in known.items():
        kind = _kind(name)
        for value in values:
            parts = regex.findall(r"[\p{L}\p{N}]+", str(value))
            if sum(map(len, parts)) < 2:
                continue
            options = found.setdefault(kind, set())
            options.add(r"[\W_]{0,3}".join(map(regex.escape, parts)))
            if kind == "NAME":
                options.update(regex.escape(part) for part in parts if len(part) > 2 and part.lower() not in STOPS)
                options.add(r"[\W_]{1,3}".join(map(regex.escape, reversed(parts))))
            if kind in _NUMERIC:
                digits = "".join(parts)
                options.add(r"[ .-]?".join(map(regex.escape, digits)))
    if not found:
        return None
    groups = [
        f"(?P<{kind}>{'|'.join(sorted(options, key=lambda option: (-len(option), option)))})"
        for kind, options in sorted(found.items())
    ]
    return regex.compile(rf"(?<![\p{{L}}\p{{N}}])(?:{'|'.join(groups)})(?![\p{{L}}\p{{N}}])", regex.I | regex.V1)


def find(compiled: "regex.Pattern[str]", text: str) -> list[Span]:
    try:
        return [Span.of(match, 0, str(match.lastgroup), "known") for match in compiled.finditer(text, timeout=TIMEOUT)]
    except TimeoutError:
        raise Late("known") from None


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
