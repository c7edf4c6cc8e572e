"""One look at a text that all finders share: its lower case, and where to look closer.

A note is mostly words; what identifies somebody stands near a digit, a month, a colon or a few
words. Substring search runs at several hundred million characters a second, a regular expression
with many choices at two: so a rule that names its trigger runs only in windows around it.
"""

import functools
import re
from collections.abc import Iterator

import regex

# Latin, Greek and Cyrillic words that begin with a capital (the first character is checked again).
_CAPITALISED = re.compile(r"(?<![\w'’])[A-ZÀ-ÞĀ-žА-ЯЁ][^\W\d_]*(?:['’-][^\W\d_]+)*")
_EDGE = re.compile(r"\s")


class Scan:
    """A text, its lower case (same length), and windows around triggers, computed once each."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._windows: dict[object, list[tuple[int, int]]] = {}

    @functools.cached_property
    def lower(self) -> str:
        lower = self.text.lower()
        if len(lower) != len(self.text):  # İ becomes two characters
            lower = "".join(low if len(low := char.lower()) == 1 else char for char in self.text)
        return lower

    @functools.cached_property
    def capitalised(self) -> list[tuple[int, int, str]]:
        """Start, end and word of every word that begins with a capital."""
        return [
            (found.start(), found.end(), found[0])
            for found in _CAPITALISED.finditer(self.text)
            if found[0][0].isupper()
        ]

    def windows(
        self, trigger: "tuple[str, ...] | regex.Pattern[str]", before: int, after: int
    ) -> list[tuple[int, int]]:
        """Stretches around each trigger (lower-case strings, or a pattern), grown to white space, merged."""
        key = (trigger, before, after)
        found = self._windows.get(key)
        if found is None:
            found = self._windows[key] = self._around(trigger, before, after)
        return found

    def _around(
        self, trigger: "tuple[str, ...] | regex.Pattern[str]", before: int, after: int
    ) -> list[tuple[int, int]]:
        if isinstance(trigger, tuple):
            places = sorted(place for word in trigger for place in self._places(word))
        else:
            places = [match.start() for match in trigger.finditer(self.text)]
        out: list[tuple[int, int]] = []
        size = len(self.text)
        for place in places:
            if out and place + after <= out[-1][1]:
                continue
            start = max(0, place - before)
            if out and start <= out[-1][1]:
                start = out.pop()[0]
            elif start:
                edge = self.text.rfind(" ", max(0, start - 40), start)
                start = edge if edge >= 0 else max(0, start - 40)
            end = min(size, place + after)
            if end < size:
                edge_after = _EDGE.search(self.text, end, min(size, end + 60))
                end = edge_after.start() if edge_after else min(size, end + 60)
            out.append((start, end))
        return out

    def _places(self, word: str) -> Iterator[int]:
        where = self.lower if word.isalpha() or any(map(str.isalpha, word)) else self.text
        place = where.find(word)
        while place >= 0:
            yield place
            place = where.find(word, place + 1)


@functools.lru_cache(maxsize=1)
def scan(text: str) -> Scan:
    """The look at `text`; the last one is kept for the finders that follow."""
    return Scan(text)
