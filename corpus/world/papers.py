"""The papers of the miniature world: what a record and a full text of one paper share, by number.

Paper `i` is the same for PubMed, PMC, the guidelines and the benchmarks, and is made from the seed
and its number alone, so that a world of a million papers is written without holding one of them.
The last two digits of `i` say what is peculiar about its PubMed record.
"""

import re
from dataclasses import dataclass, replace
from random import Random
from xml.sax.saxutils import escape

from corpus.world import prose

# Records in the baseline and new ones in the update files, full texts, for size 1.
BASELINE, NEW, ARTICLES = 2100, 280, 120

EACH = 20  # every 20th paper has its full text in PMC
LABELS = {
    "background": ("BACKGROUND", "BACKGROUND"),
    "methods": ("METHODS", "METHODS"),
    "results": ("RESULTS", "RESULTS"),
    "conclusions": ("CONCLUSIONS", "CONCLUSIONS"),
}
JOURNALS = (
    ("Journal of Invented Medicine", "J Invent Med"),
    ("Annals of Imaginary Surgery", "Ann Imag Surg"),
    ("The Northern Bulletin of Therapeutics", "North Bull Ther"),
    ("Archives of Unwritten Trials", "Arch Unwrit Trials"),
    ("Nursing Fictions", "Nurs Fict"),
    ("Acta Phantastica Cardiologica", "Acta Phant Cardiol"),
    ("International Reports on Nothing in Particular", "Int Rep Nothing Partic"),
    ("Paediatrics of Elsewhere", "Paediatr Elsewhere"),
    ("Made-Up Oncology", "Made Up Oncol"),
    ("Chronicles of Hypothetical Health", "Chron Hypothet Health"),
)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Paper:
    """One paper; `abstract` is (section, text) in order, `sections` of one entry when unstructured."""

    number: int
    pmid: int
    pmcid: str | None
    doi: str
    title: str
    abstract: tuple[tuple[str, str], ...]
    journal: tuple[str, str]
    year: int
    month: int
    authors: tuple[tuple[str, str], ...]
    theme: prose.Theme
    structured: bool

    @property
    def abstract_text(self) -> str:
        return " ".join(text for _, text in self.abstract)

    def revised(self, seed: int, times: int) -> "Paper":
        """The same paper with some words of its abstract put right."""
        rng = Random(f"{seed} revision {self.number} {times}")
        abstract = tuple((name, prose.edited(rng, text, 0.06)[0]) for name, text in self.abstract)
        return replace(self, abstract=abstract)


def pmid(number: int) -> int:
    return 31_000_000 + 17 * number


def pmcid(article: int) -> str:
    return f"PMC{7_000_000 + 13 * article}"


def paper(seed: int, number: int) -> Paper:
    """Paper `number`. Those without a PubMed record have numbers below zero: -1 - article."""
    rng = Random(f"{seed} paper {number}")
    theme = prose.medical_theme(rng)
    counts = {"background": (2, 3), "methods": (2, 4), "results": (3, 5), "conclusions": (1, 2)}
    abstract = tuple(
        (name, prose.paragraph(rng, name, rng.randint(low, high), theme)) for name, (low, high) in counts.items()
    )
    linked: str | None = None
    if number < 0:
        linked = pmcid(-1 - number)
    elif number % EACH == 0:
        linked = pmcid(number // EACH)
    elif number % 100 in (10, 30, 50, 70, 90):  # deposited, but not open: PMC's bucket does not have it
        linked = f"PMC{3_000_000 + 7 * number}"
    surnames = prose.rules()["surname"]
    givens = prose.rules()["given"]
    return Paper(
        number=number,
        pmid=pmid(number),
        pmcid=linked,
        doi=f"10.5555/w{seed}.{number if number >= 0 else f'x{-number}'}",
        title=prose.sentence(rng, "title", theme),
        abstract=abstract,
        journal=rng.choice(JOURNALS),
        year=1996 + rng.randrange(29),
        month=1 + rng.randrange(12),
        authors=tuple((str(rng.choice(surnames)[0]), str(rng.choice(givens)[0])) for _ in range(rng.randint(1, 5))),
        theme=theme,
        structured=number % 3 != 0,
    )


def full_text_of(article: int, size: int) -> int:
    """Which paper an article is: a PubMed record while there are enough, else one of its own."""
    number = article * EACH
    return number if number < BASELINE * size else -1 - article


_MARKUP = (
    (re.compile(r"\b(BRC2L|KDM7|TNFX4|IL9R2|PAX11|CYPB6|MTRF|SLC90A|FOXN8|NOTCH7|RASL5|GATA9)\b"), r"<{i}>\1</{i}>"),
    (re.compile(r"\(P (&lt;|=)"), r"(<{i}>P</{i}> \1"),
    (re.compile(r"\bB12\b"), "B<sub>12</sub>"),
    (re.compile(r"\bHbA1c\b"), "HbA<sub>1c</sub>"),
    (re.compile(r"\b(r) = "), r"<{i}>\1</{i}> = "),
    (re.compile(r"\bunits\b"), "units/m<sup>2</sup>"),
)


def marked_up(text: str, italic: str = "i") -> str:
    """Text as XML with the inline elements that papers have; nothing but the words is added.

    The one exception is `units`, which becomes `units/m2` with a superscript, as in `paper_text`.
    """
    text = escape(text)
    for pattern, markup in _MARKUP:
        text = pattern.sub(markup.replace("{i}", italic), text)
    return text


def paper_text(text: str) -> str:
    """What a reader of `marked_up` should see."""
    return re.sub(r"\bunits\b", "units/m2", text)
