"""Further mentions of people who were found: in the rest of the note, and in the other notes of one patient.

A word is looked for in any case, whole. An ordinary word that is somebody's name as well (Brown,
Young) counts only where a person stands: within a sentence with a capital, or before what people do.
"""

import functools
import re
from collections.abc import Callable, Iterable, Iterator

import regex

from filters.phi.proof import PERSON_AFTER, SAYS, STATE, THING_BEFORE, TOKEN, eponym, plain
from filters.phi.rules import matches
from filters.phi.safe import EPONYM_NOUNS
from filters.phi.scan import Scan
from filters.phi.spans import Span
from filters.phi.traits import traits

# A word in lower case before a name in mid-sentence; after an article stands a thing.
_WITHIN = re.compile(r"(?<![\w'’-])(?!(?:the|an?|of|no|on)[ ])[a-z]{2,}[ ]$")
_TITLED = re.compile(r"[ ][A-Z]")
# Rules whose finds are codes of staff, or may be wrong more often than a whole patient's notes should pay for.
_CODES = frozenset(("initials", "typist"))


@functools.lru_cache(maxsize=1 << 16)
def telling(word: str) -> bool:
    """Whether a word of a name (lower case) is looked for again at all."""
    known = traits(word)
    return len(word) > 2 and not (known.stop or known.product or word in EPONYM_NOUNS)


@functools.lru_cache(maxsize=1 << 16)
def rare(word: str) -> bool:
    """Whether it is nothing else than a name, so that it can be told anywhere."""
    known = traits(word)
    return telling(word) and not (known.common or known.eponym) and len(word) > 3


def words(text: str, spans: Iterable[Span]) -> set[str]:
    """The words, in lower case, by which these names would be known again; of double names their parts, too."""
    found: set[str] = set()
    for span in spans:
        if span.kind != "NAME" or span.rule in _CODES:
            continue
        for token in TOKEN.findall(text[span.start : span.end]):
            if token.strip(".,'’-")[:1].islower() and span.rule not in ("lower", "known", "label"):
                continue
            found.update(filter(telling, _parts(plain(token))))
    return found


def _parts(word: str) -> tuple[str, ...]:
    parts = tuple(part for part in word.split("-") if len(part) > 3)
    return (word, *parts) if "-" in word else (word,)


def again(page: Scan, found: list[Span]) -> Iterator[Span]:
    """Mentions, elsewhere in the document, of the names that were found in it."""
    return _everywhere(page, words(page.text, found), "again")


def mentions(page: Scan, known: Callable[[str], bool], only_rare: bool = False) -> Iterator[Span]:
    """Mentions of the words of which `known` says that they are names of this patient's people."""
    asked = rare if only_rare else telling
    told = {part for token in set(TOKEN.findall(page.text)) for part in _parts(plain(token)) if asked(part)}
    return _everywhere(page, set(filter(known, told)), "patient")


def _everywhere(page: Scan, known: set[str], rule: str) -> Iterator[Span]:
    if not known:
        return
    options = "|".join(sorted(map(regex.escape, known), key=lambda word: (-len(word), word)))
    pattern = regex.compile(rf"(?<![\p{{L}}])(?:{options})(?![\p{{L}}])", regex.V1)
    for match in matches(pattern, rule, page.lower):
        if person(page.text, match.start(), match.end(), match[0]):
            yield Span.of(match, 0, "NAME", rule)


def person(text: str, start: int, end: int, word: str) -> bool:
    """Whether a mention of a word that is known as a name is the person, and not a thing or an ordinary word."""
    if eponym(text, start, end) or STATE.search(text, max(0, start - 6), end):
        return False
    known, written = traits(word), text[start:end]
    if known.eponym and not known.given:
        return not written.islower() and acts(text, start, end)
    if known.common:
        if not written[0].isupper() or (len(written) > 1 and written.isupper()):
            return False
        if acts(text, start, end):
            return True
        return bool(_WITHIN.search(text, max(0, start - 20), start)) and not _TITLED.match(text, end)
    return not written.islower() or rare(word)


def acts(text: str, start: int, end: int) -> bool:
    """Whether what follows is what people do."""
    if THING_BEFORE.search(text, max(0, start - 14), start):
        return False
    return (PERSON_AFTER.match(text, end) or SAYS.match(text, end)) is not None
