"""A rule: a regular expression, what it finds, and the trigger around which it is tried.

Patterns run on the `regex` module, because it can be told to stop: a pattern that does not finish
in time raises, and the document fails (presidio's own recognisers skip the pattern in silence).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import regex

from filters.phi.scan import Scan
from filters.phi.spans import Span

# Seconds that one pattern may take over one document: 1,000 times what a long note needs.
TIMEOUT = 10.0
# Where identifiers of digits can be. A pattern this plain runs at 300 million characters a second on `regex`.
NUMBERS = regex.compile(r"[0-9]{3}")

Check = Callable[["regex.Match[str]"], bool]


class Late(Exception):
    """A pattern did not finish in time; the message is the rule's name."""


class Failed(Exception):
    """A finder failed; the message is its name and the kind of error, never its text."""


@dataclass(frozen=True)
class Rule:
    """`pattern` finds `kind` in its group `what` (or the whole match).

    `near`: lower-case strings, or a pattern, of which one must be close: the rule is tried from
    `reach[0]` characters before it to `reach[1]` after it. None: tried everywhere. `check` may
    refuse a match.
    """

    kind: str
    name: str
    pattern: str
    near: "tuple[str, ...] | regex.Pattern[str] | None" = None
    reach: tuple[int, int] = (64, 64)
    check: Check | None = None

    @cached_property
    def compiled(self) -> "regex.Pattern[str]":
        return regex.compile(self.pattern, regex.V1)

    @cached_property
    def group(self) -> int | str:
        return "what" if "what" in self.compiled.groupindex else 0

    def find(self, page: Scan) -> Iterator[Span]:
        text, group, check = page.text, self.group, self.check
        stretches = [(0, len(text))] if self.near is None else page.windows(self.near, *self.reach)
        try:
            for start, end in stretches:
                for match in self.compiled.finditer(text, start, end, timeout=TIMEOUT):
                    if check is None or check(match):
                        yield Span.of(match, group, self.kind, self.name)
        except TimeoutError:
            raise Late(self.name) from None


def find_all(rules: Sequence[Rule], page: Scan) -> Iterator[Span]:
    for rule in rules:
        yield from rule.find(page)


def matches(
    pattern: "regex.Pattern[str]", name: str, text: str, start: int = 0, end: int | None = None
) -> Iterator["regex.Match[str]"]:
    """All matches of a pattern, within the time that a rule has."""
    try:
        yield from pattern.finditer(text, start, len(text) if end is None else end, timeout=TIMEOUT)
    except TimeoutError:
        raise Late(name) from None
