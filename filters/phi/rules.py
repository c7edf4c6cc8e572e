"""A rule: a regular expression, what it finds, and a cheap gate before it.

Patterns run on the `regex` module, because it can be told to stop: a pattern that does not finish
in time raises, and the document fails (presidio's own recognisers skip the pattern in silence).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import regex

from filters.phi.spans import Span

# Seconds that one pattern may take over one document: 1,000 times what a long note needs.
TIMEOUT = 10.0

Check = Callable[["regex.Match[str]"], bool]


class Late(Exception):
    """A pattern did not finish in time; the message is the rule's name."""


class Failed(Exception):
    """A finder failed; the message is its name and the kind of error, never its text."""


@dataclass(frozen=True)
class Rule:
    """`pattern` finds `kind` in its group `what` (or the whole match).

    `gate`: lower-case strings of which one must stand in the lower-cased text (none: always run).
    `check` may refuse a match.
    """

    kind: str
    name: str
    pattern: str
    gate: tuple[str, ...] = ()
    check: Check | None = None

    @cached_property
    def compiled(self) -> "regex.Pattern[str]":
        return regex.compile(self.pattern, regex.V1)

    @cached_property
    def group(self) -> int | str:
        return "what" if "what" in self.compiled.groupindex else 0

    def find(self, text: str, lower: str) -> Iterator[Span]:
        if self.gate and not any(word in lower for word in self.gate):
            return
        group, check = self.group, self.check
        try:
            for match in self.compiled.finditer(text, timeout=TIMEOUT):
                if check is None or check(match):
                    yield Span.of(match, group, self.kind, self.name)
        except TimeoutError:
            raise Late(self.name) from None


def find_all(rules: Sequence[Rule], text: str, lower: str) -> Iterator[Span]:
    for rule in rules:
        yield from rule.find(text, lower)
