"""What a generated text answers, read strictly: what cannot be told is said to be unparsed, never guessed.

The paper's own harness took the first choice, in the order of the choices, whose letters stand anywhere
in the text, so that "Answer: C" was an A; `anywhere` does that, for comparison.
"""

import re
from collections.abc import Sequence

_WRAP = " \t\r\n\"'`*_()[]{}.:;,!"
_SAYS = re.compile(
    r"\b(?:answer|option|choice|label|relation)\b(?:\s+(?:is|would be|should be))?\s*[:=]?[\s\"'`*(\[]*", re.IGNORECASE
)


def plainly(text: str) -> str:
    """Lower case, single spaces, without quotation marks and dots around it."""
    return " ".join(text.strip(_WRAP).lower().split())


def choice(text: str, said: Sequence[str], options: Sequence[str]) -> int | None:
    """Which of the options a text answers; `said` is what should be said for each (its letter, or itself).

    In this order: the whole text is one of them; its first line begins with one and a mark that ends it
    ("C. Ketotifen", "yes, because"); the last "answer is …" names one and only one ("A or C" names none);
    the first line is the text of one option.
    """
    body = text.split("</think>")[-1].strip()
    first = body.split("\n", 1)[0]
    exact = len(said[0]) == 1 and said[0].isupper()  # letters: "a" is an article

    def same(word: str, name: str) -> bool:
        return word.strip(_WRAP) == name if exact else plainly(word) == plainly(name)

    whole = [number for number, name in enumerate(said) if same(body, name) or same(first, name)]
    if len(whole) == 1:
        return whole[0]
    # The longest first: "no relation" is not "no".
    names = sorted(range(len(said)), key=lambda number: -len(said[number]))
    flags = re.NOFLAG if exact else re.IGNORECASE
    opening = first.lstrip(" \t\"'`*_([")
    for number in names:
        if re.match(re.escape(said[number]) + r"[\"'`*_]*(?:[.):,;\]]|\s+[-–—]\s|$)", opening, flags):
            return None if _others(opening, number, said, flags) else number
    found = None
    for match in _SAYS.finditer(body):
        rest = body[match.end() :]
        for number in names:
            if re.match(re.escape(said[number]) + r"(?!\w)", rest, flags):
                found = None if _others(rest, number, said, flags) else number
                break
    if found is not None:
        return found
    texts = [number for number, option in enumerate(options) if plainly(first) == plainly(option)]
    return texts[0] if len(texts) == 1 else None


def _others(rest: str, number: int, said: Sequence[str], flags: "int | re.RegexFlag") -> bool:
    """Whether another is named right after it: "A or C", "B, D", "yes/no"."""
    after = rest[len(said[number]) :]
    names = "|".join(re.escape(name) for place, name in enumerate(said) if place != number)
    return bool(
        re.match(rf"[\"'`*_).\]]*\s*(?:,|/|or|and|&)\s*(?:or |and )?[\"'`*_(\[]*(?:{names})(?!\w)", after, flags)
    )


def anywhere(text: str, said: Sequence[str]) -> int | None:
    """The first of the choices whose letters stand anywhere in the text, case and all."""
    return next((number for number, name in enumerate(said) if name in text), None)
