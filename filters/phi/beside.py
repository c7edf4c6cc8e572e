"""Names by the words that stand side by side: runs of capitalised words, pairs, `Last, First`."""

import functools
import itertools
import re
from collections.abc import Iterator

from filters.phi import lists
from filters.phi.proof import PERSON_AFTER, THING_BEFORE, cut, eponym, plain
from filters.phi.safe import ACRONYMS, EPONYM_NOUNS
from filters.phi.scan import Scan
from filters.phi.spans import Span
from filters.phi.traits import Traits, traits

_JOINT = re.compile(r"[ ](?:[A-Z]\.?[ ]|(?:de|van|von|del|la|di|da|al|bin|der|den|dos|el|du|le)[ ]){0,2}$|^[ ]$|^-$")


def groups(page: Scan) -> "Iterator[list[tuple[int, int, str, Traits]]]":
    """Runs of capitalised words with only blanks, initials and particles between them, of which some may be names."""
    text = page.text
    group: list[tuple[int, int, str, Traits]] = []
    some = False
    for start, end, word in page.capitalised:
        if end - start == 1:
            continue
        known = traits(plain(word))
        candidate = known.candidate and not (end - start < 4 and word.isupper() and not known.given)
        if group:
            gap = text[group[-1][1] : start]
            if gap not in (" ", "-") and not (len(gap) < 12 and _JOINT.match(gap)):
                if some:
                    yield group
                group, some = [], False
        if not group and not known.given and (known.stop or (known.common and not known.family)):
            continue  # `Dear Iryna`, `Today Iryna`: the name begins after it
        group.append((start, end, word, known))
        some = some or candidate
    if group and some:
        yield group


_INITIALED = re.compile(r"[ ][A-Z]\.?[ ]")


def _unlike(known: Traits) -> bool:
    """A word that is nothing but, perhaps, a name."""
    return not (known.common or known.stop or known.product or known.eponym)


_SUFFIX = re.compile(r",?[ ](?:Jr|Sr|II|III|IV)\b\.?")


_MONTHS = frozenset(("january", "april", "may", "june", "july", "august"))


def alone(text: str, word: "tuple[int, int, str, Traits]") -> bool:
    """Whether one of the commonest given names, with nothing beside it, is a person and no thing."""
    start, end, token, known = word
    if plain(token) in _MONTHS or not token.isalpha():
        return False
    if (
        known.common
        or known.stop
        or known.product
        or known.eponym
        or token.isupper()
        or token.lower() in lists.cities()
    ):
        return False
    return not eponym(text, start, end) and THING_BEFORE.search(text, max(0, start - 14), start) is None


def accented(text: str, word: "tuple[int, int, str, Traits]") -> bool:
    """A capitalised word with accents that is no eponym: English has few others."""
    start, end, _, known = word
    return not (known.common or known.stop or known.product or known.eponym) and not eponym(text, start, end)


def lower_pairs(page: Scan) -> Iterator[Span]:
    """`patricia desrosiers`: a given name and a family name that are no words, both in lower case."""
    text = page.text
    for name in sorted(_plain_given().intersection(page.lower.split())):
        for match in re.finditer(rf"(?<!\w){re.escape(name)}[ ](?:[a-z]\.?[ ])?([a-z][a-z'’-]{{2,20}})(?!\w)", text):
            other = traits(match[1])
            if other.family and not (other.common or other.stop or other.product or other.eponym):
                yield Span.of(match, 0, "NAME", "lower")


@functools.lru_cache(maxsize=1)
def _plain_given() -> frozenset[str]:
    """Frequent given names that are no words."""
    found = (name for name, rank in lists.first().items() if rank > 1 and len(name) > 3)
    return frozenset(name for name in found if not (traits(name).common or traits(name).stop or traits(name).eponym))


def pairs(text: str, group: "list[tuple[int, int, str, Traits]]") -> Iterator[Span]:
    """A given name with a family name after it: proof enough when neither is an ordinary word or an eponym."""
    index = 0
    while index < len(group) - 1:
        start, first_end, word, known = group[index]
        following = group[index + 1]
        if (
            _INITIALED.fullmatch(text, first_end, following[0])
            and _unlike(known)
            and _unlike(following[3])
            and not word.isupper()
        ):
            yield Span(start, following[1], "NAME", "initialed")
        if (
            (known.given or (not word.isascii() and known.family))
            and not known.common
            and not known.stop
            and not (known.eponym and known.given < 3)
            and not known.product
            and not (word.isupper() and len(word) < 4)
        ):
            end = None
            for step in range(index + 1, min(index + 4, len(group))):
                _, next_end, other, more = group[step]
                if more.stop or more.product or (more.common and more.family < 3) or other.lower() in EPONYM_NOUNS:
                    break
                if not more.family and not more.given and (other.isupper() or (known.given < 2 and len(word) < 4)):
                    break
                end, index = next_end, step
            if end is not None and not eponym(text, start, end) and text[start:end].lower() not in lists.cities():
                more_end = _SUFFIX.match(text, end)
                yield Span(start, more_end.end() if more_end else end, "NAME", "pair")
        index += 1


_PLACES = frozenset(
    ("virginia", "georgia", "carolina", "dakota", "washington", "florida", "israel", "jordan", "chad", "china", "india")
)


def commas(page: Scan) -> Iterator[Span]:
    """`Nowell, Abdul R.`: a family name, a comma, and a given name that is little else."""
    text, words = page.text, page.capitalised
    for (start, end, _), (second, second_end, given) in itertools.pairwise(words):
        if second - end not in (1, 2) or text[end] != "," or second_end - second < 3:
            continue
        one, two = traits(plain(text[start:end])), traits(plain(given))
        middle = _MIDDLE.match(text, second_end)
        sure = middle is not None or PERSON_AFTER.match(text, second_end) is not None
        if (
            sure
            and (one.family or not one.common)
            and two.given
            and not (one.stop or two.stop or one.product or two.product)
        ):
            yield Span(start, middle.end() if middle else second_end, "NAME", "comma")
            continue
        if one.stop or two.stop or one.product or two.product or not one.family or not two.given:
            continue
        if two.eponym and (one.common or one.eponym or two.given < 2):
            continue
        if ((one.common or one.eponym) and (two.common or two.given < 2 or one.family < 2)) or (
            two.common and two.given < 2
        ):
            continue
        if text[start:end].lower() in lists.cities() and plain(given) in _PLACES:
            continue
        if (one.common and two.common) or _LISTED.match(text, second_end):
            continue
        yield Span(start, second_end, "NAME", "comma")


_LISTED = re.compile(r",[ ](?:and[ ])?[A-Z][a-z]")


_MIDDLE = re.compile(
    r"[ ](?:[A-Z]\.|[B-HJ-Z](?![\w'’.-])|[AI](?![\w'’.-])(?![ ][a-z]{1,3}[ ])|A(?=[ ](?:is|was|has|had)[ ]))"
)


def trimmed(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The model's span without what cannot be a name; None when nothing else proves it.

    A frequent given name is proof; other words need something that only people do after them, or
    nothing before them that people do not have (`a #4 Fogarty`, `the Ellis`).
    """
    span = cut(text, start, end, strong=True)
    if span is None or eponym(text, *span):
        return None
    words = [(token, traits(plain(token))) for token in text[span[0] : span[1]].split() if len(plain(token)) > 1]
    if any(known.stop or known.product or (token.isupper() and token.lower() in ACRONYMS) for token, known in words):
        return None
    thing = THING_BEFORE.search(text, max(0, span[0] - 14), span[0]) is not None
    given = any(known.given > 1 and not known.common and not known.eponym for _, known in words)
    after = None if thing else PERSON_AFTER.match(text, span[1])
    if after is not None and any(not known.common or known.given > 1 for _, known in words):
        return span
    if text[span[0] : span[1]].lower() in lists.cities() and words[0][1].given < 3:
        return None
    unmixed = not any(known.common or known.eponym or token.isupper() for token, known in words)
    two = len(words) > 1 and ((words[0][1].given and not words[0][1].common) or (unmixed and words[-1][1].family))
    if (given or two) and not thing:
        return span
    return None
