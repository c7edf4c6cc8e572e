"""Quality: is this a text of its kind, or a stub, a table of contents, a machine's output?

Thresholds belong to a kind of text: what is too short for a web page is a whole radiology report,
and a share of letters that no abstract has is ordinary in a laboratory sheet. Every threshold below
was set at the foot of the distribution of its kind in real data (PubMed 1979, 1,200 PMC articles,
5,000 transcribed notes, RedPajama), so that it takes what is broken and not what is unusual.
"""

from dataclasses import dataclass, replace
from typing import Any

from corpus.document import Document, Drop

_SPACES = b" \t\n\r\x0b\x0c"
# Bytes of letters: ASCII letters, and every byte beyond ASCII, because those are accented and Greek
# letters far more often than anything else.
_LETTERS = bytes([*b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", *range(0x80, 0x100)])
_BULLETS = ("-", "*", "•", "·", "▪", "‣", "◦", "–")


@dataclass(frozen=True)
class Measures:
    """What is measured of a text: counts, and shares between 0 and 1."""

    words: int  # between white space
    letters: float  # of the bytes that are not white space
    mean_word: float  # bytes
    repeated: float  # characters in lines that stood before, of all in lines
    bullets: float  # lines that begin like an item of a list, of all
    line: int  # characters of the longest

    @classmethod
    def of(cls, text: str) -> "Measures":
        words = len(text.split())
        solid = text.encode().translate(None, _SPACES)
        letters = len(solid) - len(solid.translate(None, _LETTERS))
        lines = [line for line in map(str.strip, text.split("\n")) if line]
        lengths = list(map(len, lines))
        chars = sum(lengths)
        distinct = set(lines)
        unique = chars if len(distinct) == len(lines) else sum(map(len, distinct))
        return cls(
            words=words,
            letters=round(letters / max(1, len(solid)), 3),
            mean_word=round(len(solid) / max(1, words), 2),
            repeated=round((chars - unique) / max(1, chars), 3),
            bullets=round(sum(line.startswith(_BULLETS) for line in lines) / max(1, len(lines)), 3),
            line=max(lengths, default=0),
        )


@dataclass(frozen=True)
class Quality:
    """Drops `quality.title_only`, `.empty`, `.short`, `.long`, `.few_letters`, `.mean_word`,
    `.repeated_lines`, `.bullets` and `.long_line`, in this order.

    The fields are thresholds on `Measures`; `others` gives another value to the kinds that it names
    (None lets a kind pass). Without a preset the thresholds are those of a web page. Every measure
    is marked (`quality.words`, …) in what stays and in what goes.
    """

    min_words: int = 50
    max_words: int = 2_000_000
    min_letters: float = 0.7
    min_mean_word: float = 3.0
    max_mean_word: float = 12.0
    max_repeated: float = 0.3
    max_bullets: float = 0.9
    max_line: int = 100_000
    titles: bool = False
    others: tuple[tuple[str, "Quality | None"], ...] = ()
    version: int = 1

    @classmethod
    def abstracts(cls, **changes: Any) -> "Quality":
        """Title and abstract. Of 14,832 the shortest has 14 words; formulae are single long words."""
        return replace(cls(min_words=10, min_letters=0.6, max_mean_word=20.0, max_bullets=1.0), **changes)

    @classmethod
    def papers(cls, **changes: Any) -> "Quality":
        """Full texts, with their tables, and the abstracts of those that have no body."""
        others = (("abstract", cls.abstracts()),)
        return replace(cls(min_words=100, min_letters=0.6, max_mean_word=14.0, others=others), **changes)

    @classmethod
    def notes(cls, **changes: Any) -> "Quality":
        """Clinical notes, whole laboratory sheets among them; reports may be three lines."""
        report = cls(
            min_words=5, min_letters=0.1, min_mean_word=2.0, max_mean_word=20.0, max_repeated=0.5, max_bullets=1.0
        )
        note = replace(report, min_words=20, others=(("report", report),))
        return replace(note, **changes)

    @classmethod
    def code(cls, **changes: Any) -> "Quality":
        """Source code: RedPajama's own limit of 1,000 characters a line, and no notion of words."""
        code = cls(
            min_words=10,
            min_letters=0.4,
            min_mean_word=1.5,
            max_mean_word=40.0,
            max_repeated=0.6,
            max_bullets=1.0,
            max_line=1000,
        )
        return replace(code, **changes)

    @classmethod
    def web(cls, **changes: Any) -> "Quality":
        """Web pages, and the other slices of RedPajama by their kind."""
        latex = cls(min_words=100, min_letters=0.55, max_mean_word=20.0, max_bullets=1.0)
        answers = cls(min_words=30, min_letters=0.6, max_mean_word=20.0)
        others = (("paper", latex), ("code", cls.code()), ("qa", answers))
        return replace(cls(others=others), **changes)

    @classmethod
    def instructions(cls, **changes: Any) -> "Quality":
        """Conversations and answers: a letter of a multiple choice is one."""
        free = cls(
            min_words=2, min_letters=0.3, min_mean_word=1.0, max_mean_word=40.0, max_repeated=0.9, max_bullets=1.0
        )
        return replace(free, **changes)

    def __call__(self, document: Document) -> Document | Drop:
        kind = document.meta.get("kind")
        for name, other in self.others:
            if name == kind:
                return document if other is None else other(document)
        if kind == "title" and not self.titles:
            return Drop("quality.title_only", f"{len(document.text.split())} words", document.marks)
        found = Measures.of(document.text)
        marked = document.marked(
            quality__words=found.words,
            quality__letters=found.letters,
            quality__mean_word=found.mean_word,
            quality__repeated=found.repeated,
            quality__bullets=found.bullets,
            quality__line=found.line,
        )
        failed = self._failed(found)
        return Drop(*failed, marked.marks) if failed else marked

    def _failed(self, found: Measures) -> tuple[str, str] | None:
        """The first rule that is broken, with its numbers."""
        if found.words == 0:
            return "quality.empty", "no words"
        if found.words < self.min_words:
            return "quality.short", f"{found.words} < {self.min_words} words"
        if found.words > self.max_words:
            return "quality.long", f"{found.words} > {self.max_words} words"
        if found.letters < self.min_letters:
            return "quality.few_letters", f"{found.letters} < {self.min_letters} of the characters"
        if found.mean_word < self.min_mean_word:
            return "quality.mean_word", f"{found.mean_word} < {self.min_mean_word} bytes"
        if found.mean_word > self.max_mean_word:
            return "quality.mean_word", f"{found.mean_word} > {self.max_mean_word} bytes"
        if found.repeated > self.max_repeated:
            return "quality.repeated_lines", f"{found.repeated} > {self.max_repeated} of the characters"
        if found.bullets > self.max_bullets:
            return "quality.bullets", f"{found.bullets} > {self.max_bullets} of the lines"
        if found.line > self.max_line:
            return "quality.long_line", f"{found.line} > {self.max_line} characters"
        return None

    def limits(self, kind: str | None) -> dict[str, str]:
        """Mark -> what it must be in a document of a kind; empty where nothing is asked."""
        judge = dict(self.others).get(kind or "", self)
        if judge is None:
            return {}
        return {
            "quality.words": f"{judge.min_words:,} to {judge.max_words:,}",
            "quality.letters": f"at least {judge.min_letters}",
            "quality.mean_word": f"{judge.min_mean_word} to {judge.max_mean_word}",
            "quality.repeated": f"at most {judge.max_repeated}",
            "quality.bullets": f"at most {judge.max_bullets}",
            "quality.line": f"at most {judge.max_line:,}",
        }
