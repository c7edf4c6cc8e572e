"""Invented prose from small grammars: plain English that differs from document to document.

A grammar is text: `name = one | another`, continued on lines that begin with `|`; `{name}` stands
for any expansion of that rule, `{#3-17}` for a number of that range (`{#0.01-0.05}` with as many
decimals). A theme replaces rules, so that one document keeps to its own disease and drug. Fixed
stretches between slots stay below five words, so that two documents share few word 5-grams.
"""

import functools
import re
from collections.abc import Mapping
from random import Random

from corpus.world import general, medical

_Part = str | tuple[str]
_Option = tuple[_Part, ...]  # literal strings, and one-tuples of a rule's name
Theme = Mapping[str, tuple[_Option, ...]]

_SLOT = re.compile(r"\{(#[\d.]+-[\d.]+|[A-Za-z]\w+)\}")
_ARTICLE = re.compile(r"\b([Aa]) (?=[AIOaio](?!ne\b)|[Ee](?!u)|u(?!ni|s[eu]|r[ie]|ti))")


def _parts(option: str) -> _Option:
    pieces = _SLOT.split(option)
    return tuple((piece,) if i % 2 else piece for i, piece in enumerate(pieces) if piece)


@functools.cache
def rules() -> dict[str, tuple[_Option, ...]]:
    """Every rule of the grammars of this package."""
    found: dict[str, tuple[_Option, ...]] = {}
    wanted: set[str] = set()
    for text in (medical.RULES, medical.SENTENCES, medical.NOTES, general.RULES, general.OTHER, general.CODE):
        for block in re.split(r"\n(?=\w+ = )", text.strip()):
            name, _, options = block.partition(" = ")
            assert name not in found, name
            options = re.sub(r"\s*\n\s*", " ", options).replace("\\n", "\n" if text is general.CODE else "\\n")
            found[name] = tuple(_parts(option.strip(" ")) for option in re.split(r"(?:^| )\| ", options))
            wanted.update(slot for slot in _SLOT.findall(options) if slot[0] != "#")
    unknown = sorted(wanted - set(found))
    assert not unknown, unknown
    return found


def number(rng: Random, span: str) -> str:
    """`3-17` or `0.01-0.05`: a number of that range with as many decimals."""
    low, _, high = span.partition("-")
    decimals = len(low.partition(".")[2])
    if decimals:
        return f"{rng.uniform(float(low), float(high)):.{decimals}f}"
    return str(int(low) + int(rng.random() * (int(high) - int(low) + 1)))


def expand(rng: Random, name: str, theme: Theme | None = None) -> str:
    """One expansion of a rule."""
    out: list[str] = []
    known = rules()
    options = (theme or {}).get(name) or known[name]
    _expand(rng, options[int(rng.random() * len(options))], theme or {}, known, out)
    return "".join(out)


def _expand(rng: Random, option: _Option, theme: Theme, known: Theme, out: list[str]) -> None:
    for part in option:
        if isinstance(part, str):
            out.append(part)
        elif part[0][0] == "#":
            out.append(number(rng, part[0][1:]))
        else:
            options = theme.get(part[0]) or known[part[0]]
            _expand(rng, options[int(rng.random() * len(options))], theme, known, out)


def english(text: str) -> str:
    """With a capital letter first and the article that English wants."""
    text = _ARTICLE.sub(r"\1n ", text)
    return text[0].upper() + text[1:]


def sentence(rng: Random, name: str, theme: Theme | None = None) -> str:
    """One expansion as a sentence."""
    return english(expand(rng, name, theme))


def sentences(rng: Random, name: str, count: int, theme: Theme | None = None) -> list[str]:
    """`count` sentences of one rule; no template comes again before four others."""
    known = rules()
    options = known[name]
    recent: list[int] = []
    found = []
    for _ in range(count):
        pick = int(rng.random() * len(options))
        while pick in recent:
            pick = (pick + 1) % len(options)
        recent = [*recent, pick][-min(4, len(options) - 1) :]
        out: list[str] = []
        _expand(rng, options[pick], theme or {}, known, out)
        found.append(english("".join(out)))
    return found


def paragraph(rng: Random, name: str, count: int, theme: Theme | None = None) -> str:
    """`sentences`, joined."""
    return " ".join(sentences(rng, name, count, theme))


def theme(rng: Random, **counts: int) -> Theme:
    """A document's own choice of `counts` expansions for each named rule."""
    return {name: tuple((expand(rng, name),) for _ in range(count)) for name, count in counts.items()}


def medical_theme(rng: Random) -> Theme:
    """What one paper or patient is about."""
    return theme(rng, disease=2, drug=2, comparator=1, population=2, outcome=3, lab=3, organ=2, setting=2)


def general_theme(rng: Random) -> Theme:
    """What one page is about: one of the topics."""
    topic = rng.choice(general.TOPICS)
    return {name: rules()[f"{name}_{topic}"] for name in ("thing", "act", "quality")}


# Word edits: how a copy comes to differ from its original.


def edited(rng: Random, text: str, rate: float) -> tuple[str, float]:
    """`text` with about `rate` of its words replaced, dropped or doubled, and the true rate."""
    words = re.split(r"(\s+)", text)
    spots = [i for i in range(0, len(words), 2) if words[i]]
    count = round(rate * len(spots))
    for i in rng.sample(spots, count):
        kind = rng.random()
        if kind < 0.6:
            words[i] = expand(rng, "filler")
        elif kind < 0.8:
            words[i] = ""
        else:
            words[i] = words[i] + " " + expand(rng, "filler")
    return re.sub(r" {2,}", " ", "".join(words)), count / max(1, len(spots))


def shouted(rng: Random, text: str) -> str:
    """The same words in other case or white space: an exact copy to a careful eye.

    Not in capitals throughout, which the quality rules of web text know by the missing stop words.
    """
    text = text.lower() if rng.random() < 0.5 else text
    return re.sub(r" ", lambda _: rng.choice((" ", " ", " ", "  ", "\n")), text)


def shingles(text: str, width: int = 5) -> set[tuple[str, ...]]:
    """Word n-grams of lower-cased words."""
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[i : i + width]) for i in range(len(words) - width + 1)}


def jaccard(one: str, other: str, width: int = 5) -> float:
    """How much of their word n-grams two texts share, 0 to 1."""
    a, b = shingles(one, width), shingles(other, width)
    return len(a & b) / len(a | b) if a | b else 1.0
