"""The rules of Gopher (Rae et al. 2021, arXiv 2112.11446, appendix A1), by datatrove and by ourselves.

`Datatrove` runs any of datatrove's filters as one of ours. `GopherQuality` and `GopherRepetition`
take the parameters of datatrove's filters of the same names and come to the same decisions, with the
same reasons, many times faster; a test holds them to it.

Words. Gopher asks that 80 % of a document's words have a letter. datatrove splits words with spaCy,
where every comma and bracket is a word, and so loses 28 of 100 ordinary English documents and 37 of
100 full papers to that rule. Ours are words between white space, as the published thresholds mean
them; `words="regex"` is the way nearest to spaCy's.
"""

import importlib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate
from typing import Any

from datatrove.utils.text import PUNCTUATION_SET

from corpus.document import Document, Drop
from filters.words import SPLITTERS, Words

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")


@lru_cache(maxsize=32)
def _datatrove(name: str, params: tuple[tuple[str, Any], ...]) -> Any:
    module = importlib.import_module("datatrove.pipeline.filters")
    values = dict(params)
    if isinstance(values.get("language"), str) and values["language"] in SPLITTERS:
        values["language"] = Words(values["language"])
    return getattr(module, name)(**values)


@dataclass(frozen=True)
class Datatrove:
    """One of datatrove's filters, by its class name, with its parameters as (name, value) pairs.

    `Datatrove("GopherQualityFilter", (("language", "space"), ("min_doc_words", 20)))`; a language
    "space" or "regex" stands for the splitters of filters.words. Drops `datatrove.<its reason>`.
    """

    filter: str
    params: tuple[tuple[str, Any], ...] = ()
    version: int = 1

    def __call__(self, document: Document) -> Document | Drop:
        from datatrove.data import Document as Theirs

        found = _datatrove(self.filter, self.params).filter(Theirs(text=document.text, id=document.id))
        kept, reason = found if isinstance(found, tuple) else (found, "dropped")
        return document if kept else Drop(f"datatrove.{reason}", self.filter, document.marks)


class _Kinds(dict[str, int]):
    """Word -> 1 if it is more than punctuation, plus 2**32 if it has a letter; remembered."""

    def __missing__(self, word: str) -> int:
        if len(self) > 200_000:  # some 20 MB of distinct words, whatever the corpus
            self.clear()
        more = not PUNCTUATION_SET.issuperset(word)
        letter = any(map(str.isalpha, word))
        self[word] = value = more + (letter << 32)
        return value


_KINDS = _Kinds()


def _begin_with(lines: Iterable[str], marks: tuple[str, ...]) -> int:
    return sum(line.lstrip().startswith(marks) for line in lines)


def _end_with(lines: Iterable[str], marks: tuple[str, ...]) -> int:
    return sum(line.rstrip().endswith(marks) for line in lines)


@dataclass(frozen=True)
class GopherQuality:
    """Drops `gopher.` short_doc, long_doc, below_avg_threshold, above_avg_threshold,
    too_many_hashes, too_many_ellipsis, too_many_bullets, too_many_end_ellipsis,
    below_alpha_threshold and enough_stop_words (too few of them), in this order.

    A threshold of 0 is off. `others` gives another value, or None for none, to the kinds it names.
    Marks: `gopher.words` (that are more than punctuation), `gopher.mean_word`, `gopher.alpha`.
    """

    min_doc_words: int = 50
    max_doc_words: int = 100_000
    min_avg_word_length: float = 3
    max_avg_word_length: float = 10
    max_symbol_word_ratio: float = 0.1
    max_bullet_lines_ratio: float = 0.9
    max_ellipsis_lines_ratio: float = 0.3
    max_non_alpha_words_ratio: float = 0.8
    min_stop_words: int = 2
    stop_words: tuple[str, ...] = STOP_WORDS
    words: str = "space"
    others: tuple[tuple[str, "GopherQuality | None"], ...] = ()
    version: int = 1

    @classmethod
    def web(cls, **changes: Any) -> "GopherQuality":
        """Web pages as published; source code and LaTeX have no such words and pass."""
        others = (("code", None), ("paper", None), ("qa", cls(min_doc_words=30)))
        return replace(cls(others=others), **changes)

    @classmethod
    def papers(cls, **changes: Any) -> "GopherQuality":
        """Full papers: tables are lines of numbers, so fewer words need a letter."""
        return replace(cls(max_non_alpha_words_ratio=0.5, max_doc_words=1_000_000), **changes)

    def __call__(self, document: Document) -> Document | Drop:
        kind = document.meta.get("kind")
        for name, other in self.others:
            if name == kind:
                return document if other is None else other(document)
        words = SPLITTERS[self.words](document.text)
        kinds = sum(map(_KINDS.__getitem__, words))
        count, alpha = kinds & 0xFFFFFFFF, kinds >> 32
        chars = sum(map(len, words))
        if count < len(words):
            chars -= sum(len(word) for word in words if not _KINDS[word] & 1)
        mean = chars / count if count else 0.0
        share = alpha / len(words) if words else 0.0
        marked = document.marked(gopher__words=count, gopher__mean_word=round(mean, 2), gopher__alpha=round(share, 3))
        failed = self._failed(document.text, words, count, mean, share)
        return Drop(f"gopher.{failed[0]}", failed[1], marked.marks) if failed else marked

    def limits(self, kind: str | None) -> dict[str, str]:
        """Mark -> what it must be in a document of a kind; empty where nothing is asked."""
        judge = dict(self.others).get(kind or "", self)
        if judge is None:
            return {}
        return {
            "gopher.words": f"{judge.min_doc_words:,} to {judge.max_doc_words:,}",
            "gopher.mean_word": f"{judge.min_avg_word_length} to {judge.max_avg_word_length}",
            "gopher.alpha": f"at least {judge.max_non_alpha_words_ratio}",  # datatrove's name says the contrary
        }

    def _failed(self, text: str, words: list[str], count: int, mean: float, share: float) -> tuple[str, str] | None:
        """datatrove's rules in datatrove's order; the first that is broken, with its numbers."""
        if not words:
            return "short_doc", "no words"
        if self.min_doc_words and count < self.min_doc_words:
            return "short_doc", f"{count} < {self.min_doc_words} words"
        if self.max_doc_words and count > self.max_doc_words:
            return "long_doc", f"{count} > {self.max_doc_words} words"
        if self.min_avg_word_length and mean < self.min_avg_word_length:
            return "below_avg_threshold", f"{mean:.2f} < {self.min_avg_word_length} characters a word"
        if self.max_avg_word_length and mean > self.max_avg_word_length:
            return "above_avg_threshold", f"{mean:.2f} > {self.max_avg_word_length} characters a word"
        if self.max_symbol_word_ratio:
            limit = self.max_symbol_word_ratio
            hashes = text.count("#") / len(words)
            if hashes > limit:
                return "too_many_hashes", f"{hashes:.3f} > {limit} a word"
            ellipses = (text.count("...") + text.count("…")) / len(words)
            if ellipses > limit:
                return "too_many_ellipsis", f"{ellipses:.3f} > {limit} a word"
        lines = text.splitlines()
        if self.max_bullet_lines_ratio:
            bullets = _begin_with(lines, ("•", "-")) / len(lines)
            if bullets > self.max_bullet_lines_ratio:
                return "too_many_bullets", f"{bullets:.3f} > {self.max_bullet_lines_ratio} of the lines"
        if self.max_ellipsis_lines_ratio and ("..." in text or "…" in text):
            ends = _end_with(lines, ("...", "…")) / len(lines)
            if ends > self.max_ellipsis_lines_ratio:
                return "too_many_end_ellipsis", f"{ends:.3f} > {self.max_ellipsis_lines_ratio} of the lines"
        if self.max_non_alpha_words_ratio and share < self.max_non_alpha_words_ratio:
            return "below_alpha_threshold", f"{share:.3f} < {self.max_non_alpha_words_ratio} of the words"
        if self.min_stop_words:
            found = len(set(self.stop_words).intersection(words))
            if found < self.min_stop_words:
                return "enough_stop_words", f"{found} < {self.min_stop_words} of {len(self.stop_words)}"
        return None


def _duplicates(parts: list[str]) -> tuple[int, int]:
    """How many of the parts stood before, and their characters."""
    distinct = set(parts)
    if len(distinct) == len(parts):
        return 0, 0
    return len(parts) - len(distinct), sum(map(len, parts)) - sum(map(len, distinct))


def _top(words: list[str], n: int) -> int:
    """Characters of the commonest run of n words (the first of equals), times how often it stands."""
    grams = Counter(map(" ".join, zip(*(words[start:] for start in range(n)), strict=False)))
    if not grams:
        return 0
    gram, times = max(grams.items(), key=lambda item: item[1])
    return len(gram) * times


def _repeated(letters: str, offsets: list[int], n: int) -> int:
    """Characters in runs of n words that stood before; a run that did is stepped over whole.

    `letters` are the words without spaces, `offsets` where each begins, and the end.
    """
    seen: set[str] = set()
    total, at, last = 0, 0, len(offsets) - 1 - n
    while at <= last:
        gram = letters[offsets[at] : offsets[at + n]]
        if gram in seen:
            total += len(gram)
            at += n
        else:
            seen.add(gram)
            at += 1
    return total


def _covered(letters: str, offsets: list[int], n: int) -> int:
    """Characters in all places that lie in some run of n words that stood before.

    No rule for n or more words can count more than these.
    """
    starts, ends = offsets[: max(0, len(offsets) - n)], offsets[n:]
    grams = [letters[start:end] for start, end in zip(starts, ends, strict=True)]
    if len(set(grams)) == len(grams):
        return 0
    seen: set[str] = set()
    total = reached = 0
    for gram, start, end in zip(grams, starts, ends, strict=True):
        if gram in seen:
            total += end - max(start, reached)
            reached = end
        else:
            seen.add(gram)
    return total


_PARAGRAPHS = re.compile(r"\n{2,}")
_LINES = re.compile(r"\n+")


@dataclass(frozen=True)
class GopherRepetition:
    """Drops `gopher.` empty, dup_para_frac, dup_para_char_frac, dup_line_frac, dup_line_char_frac,
    top_2_gram and its like, duplicated_5_n_grams and its like, in this order.

    A threshold of 0 is off; `top_n_grams` and `dup_n_grams` are (words, share of the characters).
    `others` gives another value, or None for none, to the kinds it names.
    Marks: `gopher.dup_lines`, `gopher.dup_paragraphs` (shares of their characters), and of a
    document that goes the share that broke the rule.
    """

    dup_line_frac: float = 0.3
    dup_para_frac: float = 0.3
    dup_line_char_frac: float = 0.2
    dup_para_char_frac: float = 0.2
    top_n_grams: tuple[tuple[int, float], ...] = ((2, 0.2), (3, 0.18), (4, 0.16))
    dup_n_grams: tuple[tuple[int, float], ...] = ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10))
    words: str = "space"
    others: tuple[tuple[str, "GopherRepetition | None"], ...] = ()
    version: int = 1

    @classmethod
    def web(cls, **changes: Any) -> "GopherRepetition":
        """Web pages as published; code repeats itself and passes."""
        return replace(cls(others=(("code", None), ("paper", cls.papers()))), **changes)

    @classmethod
    def papers(cls, **changes: Any) -> "GopherRepetition":
        """Full papers: cells of tables are short lines that repeat, and captions and table rows say
        the same again; as published the rules for runs of words lose 2 of 100. Abstracts pass: in 50
        words one name of a protein is a run that repeats.
        """
        runs = tuple((n, 2 * limit) for n, limit in cls.dup_n_grams)
        papers = cls(dup_line_frac=0.0, dup_para_frac=0.0, dup_n_grams=runs, others=(("abstract", None),))
        return replace(papers, **changes)

    def __call__(self, document: Document) -> Document | Drop:
        kind = document.meta.get("kind")
        for name, other in self.others:
            if name == kind:
                return document if other is None else other(document)
        text = document.text
        if not text:
            return Drop("gopher.empty", "no text", document.marks)
        paragraphs = _PARAGRAPHS.split(text.strip())
        lines = _LINES.split(text)
        same_paragraphs, paragraph_chars = _duplicates(paragraphs)
        same_lines, line_chars = _duplicates(lines)
        marked = document.marked(
            gopher__dup_lines=round(line_chars / len(text), 3),
            gopher__dup_paragraphs=round(paragraph_chars / len(text), 3),
        )
        rules = (
            ("dup_para_frac", self.dup_para_frac, same_paragraphs / len(paragraphs)),
            ("dup_para_char_frac", self.dup_para_char_frac, paragraph_chars / len(text)),
            ("dup_line_frac", self.dup_line_frac, same_lines / len(lines)),
            ("dup_line_char_frac", self.dup_line_char_frac, line_chars / len(text)),
        )
        for reason, limit, share in rules:
            if limit and share > limit:
                return self._drop(marked, reason, share, limit)
        return self._runs(marked)

    def limits(self, kind: str | None) -> dict[str, str]:
        """Mark -> what it must be in a document of a kind; empty where nothing is asked."""
        judge = dict(self.others).get(kind or "", self)
        if judge is None:
            return {}
        runs = {f"gopher.top_{n}_gram": limit for n, limit in judge.top_n_grams}
        runs |= {f"gopher.duplicated_{n}_n_grams": limit for n, limit in judge.dup_n_grams}
        shares = {"gopher.dup_lines": judge.dup_line_char_frac, "gopher.dup_paragraphs": judge.dup_para_char_frac}
        shares |= {"gopher.dup_line_frac": judge.dup_line_frac, "gopher.dup_para_frac": judge.dup_para_frac}
        return {mark: f"at most {limit}" for mark, limit in (shares | runs).items() if limit}

    @staticmethod
    def _drop(document: Document, reason: str, share: float, limit: float) -> Drop:
        marks = {**document.marks, f"gopher.{reason}": round(share, 3)}
        return Drop(f"gopher.{reason}", f"{share:.3f} > {limit}", marks)

    def _runs(self, document: Document) -> Document | Drop:
        """The rules for runs of words; a cheap bound first, the count only where it may matter."""
        text = document.text
        words = SPLITTERS[self.words](text)
        if self.top_n_grams:
            # A run of n words that stands k times has n words that stand k times or more: it weighs
            # at most n times as much as the heaviest word.
            heaviest = max(((len(word) + 1) * times for word, times in Counter(words).items()), default=0)
            for n, limit in self.top_n_grams:
                if n * heaviest > limit * len(text):
                    share = _top(words, n) / len(text)
                    if share > limit:
                        return self._drop(document, f"top_{n}_gram", share, limit)
        if self.dup_n_grams:
            letters = "".join(words)
            offsets = list(accumulate(map(len, words), initial=0))
            shortest = min(n for n, _ in self.dup_n_grams)
            most = _covered(letters, offsets, shortest)
            for n, limit in self.dup_n_grams:
                if most > limit * len(text):
                    share = _repeated(letters, offsets, n) / len(text)
                    if share > limit:
                        return self._drop(document, f"duplicated_{n}_n_grams", share, limit)
        return document
