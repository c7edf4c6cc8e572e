"""Contamination: documents that hold what models will be tested with.

By identity: a benchmark's PubMed articles, and the notes and patients of the MIMIC-derived ones, go
by their numbers, however their text is put. By text: every run of six words of an item's question,
options or passage is looked for; an item is in a document when the runs that are found cover enough
of its words: 35 %, and 10 of them, or all that it has. Words are lower-case letters and digits, two or
more of them (so `A.` and `(b)` before options do not matter), whatever stands between them: line
ends, case and punctuation do not hide a leak, and a changed word costs the six runs that it stands in
and no more.

A run that stands in more than four items is a phrase of the trade ("which of the following is the
most likely diagnosis") and proves nothing. An item with fewer than eight words of its own cannot be told
by text: `Index.silent` counts them.

Measured with tests/bench/contamination.py on the test sets of PubMedQA, MedQA, MedMCQA and MMLU: see
the README. Shorter runs and lower thresholds find more of the short questions that were rewritten, and
begin to drop articles that say the same common thing (10 of 12,000 at five words, 30 % and nine words).

Each process builds the index once, from the benchmark's files: sorted 64-bit hashes. Hashing is done
in numpy on the bytes of a text, no word is ever an object.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from corpus.document import Document, Drop, aliases
from corpus.sources import benchmarks as bench
from filters.text import unusual

Array = npt.NDArray[np.int64]

# Bytes of lower-case words: everything in ASCII that is no letter or digit is a space.
_FOLD = bytes(
    code + 32 if 65 <= code <= 90 else code if code >= 128 or 97 <= code <= 122 or 48 <= code <= 57 else 32
    for code in range(256)
)
_COMMON = 4  # items
_SMALLEST = 8  # words of its own that a text must have to be looked for: "further studies are needed" has not
_BITS = 22  # of the table that is asked before the search: 4 MB, and one in ten runs passes it at 400,000

# Hashes are polynomials modulo 2**64. Both factors are odd, so that they can be divided by, and have
# their bits well spread: 2**64 over the golden ratio, and the multiplier of splitmix64's last step.
_LETTER, _WORD_FACTOR = 0x9E3779B97F4A7C15, 0x94D049BB133111EB
_PIECE = 1 << 16  # bytes that are hashed at once: the powers and the sums stay in the cache


def _powers(factor: int) -> npt.NDArray[np.uint64]:
    powers: npt.NDArray[np.uint64] = np.cumprod(
        np.r_[np.uint64(1), np.full(_PIECE, factor, np.uint64)], dtype=np.uint64
    )
    return powers


_POWERS, _INVERSES = _powers(_LETTER), _powers(pow(_LETTER, -1, 1 << 64))


def folded(text: str) -> str:
    """The text with a space for every character that is no letter or digit; the same length."""
    for character in unusual(text):
        if character >= "\x80" and not character.isalnum() and not unicodedata.combining(character):
            text = text.replace(character, " ")
    return text


def words(text: str) -> npt.NDArray[np.uint64]:
    """A hash for every lower-case word of letters and digits; 0 for words of one letter."""
    data = folded(text).encode("utf-8", "replace").translate(_FOLD)
    found = []
    start = 0
    while start < len(data):
        end = min(start + _PIECE, len(data))
        if end < len(data):
            # At a space, if there is one.
            end = data.rfind(b" ", start, end) + 1 or end
        found.append(_hashed(np.frombuffer(data, np.uint8, end - start, start)))
        start = end
    return np.concatenate(found) if found else np.zeros(0, np.uint64)


def _hashed(letters: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """`words` of one piece: sums of letters times powers, differences, and the place divided out."""
    sums = np.zeros(len(letters) + 1, np.uint64)
    np.cumsum(letters * _POWERS[: len(letters)], out=sums[1:])
    inside = np.zeros(len(letters) + 2, np.int8)
    np.not_equal(letters, 32, out=inside[1:-1], casting="unsafe")
    edges = np.flatnonzero(inside[1:] != inside[:-1])
    starts, ends = edges[::2], edges[1::2]
    hashes: npt.NDArray[np.uint64] = (sums[ends] - sums[starts]) * _INVERSES[starts]
    hashes[ends - starts < 2] = 0
    return hashes


@dataclass(frozen=True, eq=False)
class Index:
    """Runs of words of all items, and the items' identities.

    `keys` are sorted hashes [runs]; run k belongs to `parts[where[k]:where[k + 1]]`, at the
    positions `at` of the same range. A part is a text of an item: `names[part]` is (benchmark, item)
    and `sizes[part]` how many of its words lie in runs that count. `silent` counts, per benchmark,
    items without such a run.
    """

    keys: npt.NDArray[np.uint64]
    table: npt.NDArray[np.bool_]
    where: Array
    parts: npt.NDArray[np.int32]
    at: npt.NDArray[np.int32]
    names: list[tuple[str, str]]
    sizes: Array
    identities: dict[str, tuple[str, str]]
    items: Counter[str]
    silent: Counter[str]

    @property
    def bytes(self) -> int:
        """What the arrays take, in bytes."""
        return sum(a.nbytes for a in (self.keys, self.table, self.where, self.parts, self.at, self.sizes))


def runs(hashes: npt.NDArray[np.uint64], length: int) -> npt.NDArray[np.uint64]:
    """A hash of every run of that many words [words - length + 1]."""
    count = len(hashes) - length + 1
    if count <= 0:
        return np.zeros(0, np.uint64)
    factor = np.uint64(_WORD_FACTOR)
    total = hashes[:count].copy()
    for step in range(1, length):
        total *= factor
        total += hashes[step : step + count]
    total *= factor
    return total


def _slots(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    slots: npt.NDArray[np.uint64] = keys >> np.uint64(64 - _BITS)
    return slots


def _long(hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    long: npt.NDArray[np.uint64] = hashes[hashes != 0]
    return long


def build(documents: Iterable[Document], length: int) -> Index:
    """The index of benchmark items (corpus.sources.benchmarks) for runs of `length` words."""
    names: list[tuple[str, str]] = []
    hashes, owners, positions, items_of = [], [], [], []
    identities: dict[str, tuple[str, str]] = {}
    listed: list[tuple[str, str]] = []
    asked = (document for document in documents if document.meta["split"] != "shots")
    for number, document in enumerate(asked):
        name = (document.meta["benchmark"], document.meta["item"])
        listed.append(name)
        for identity in document.meta["identities"]:
            identities.setdefault(identity, name)
        for part in document.meta["parts"]:
            text = unicodedata.normalize("NFC", part)
            keys = runs(_long(words(text)), length)
            hashes.append(keys)
            owners.append(np.full(len(keys), len(names)))
            positions.append(np.arange(len(keys)))
            items_of.append(number)
            names.append(name)
    keys = np.concatenate([np.zeros(0, np.uint64), *hashes])
    owner = np.concatenate([np.zeros(0, np.int64), *owners])
    position = np.concatenate([np.zeros(0, np.int64), *positions])
    item = np.array(items_of, np.int64)[owner] if len(owner) else owner
    order = np.lexsort((position, owner, keys))
    keys, owner, position, item = keys[order], owner[order], position[order], item[order]
    # What an item says twice counts once.
    first = np.r_[True, (keys[1:] != keys[:-1]) | (owner[1:] != owner[:-1])] if len(keys) else np.zeros(0, bool)
    keys, owner, position, item = keys[first], owner[first], position[first], item[first]
    begins = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]]) if len(keys) else np.zeros(0, np.int64)
    ends = np.r_[begins[1:], len(keys)]
    # Phrases of the trade: runs of more than _COMMON items (parts of one item stand together).
    fresh = np.r_[True, (keys[1:] != keys[:-1]) | (item[1:] != item[:-1])] if len(keys) else np.zeros(0, bool)
    spread = np.add.reduceat(fresh, begins) if len(keys) else np.zeros(0, np.int64)
    own = np.repeat(spread <= _COMMON, ends - begins)
    keys, owner, position = keys[own], owner[own], position[own]
    begins = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]]) if len(keys) else np.zeros(0, np.int64)
    table = np.zeros(1 << _BITS, np.bool_)
    table[_slots(keys)] = True
    sizes = _covered(owner, position, length, len(names))
    sizes[sizes < _SMALLEST] = 0
    told = {name for name, size in zip(names, sizes, strict=True) if size}
    told |= set(identities.values())
    return Index(
        keys=keys[begins],
        table=table,
        where=np.r_[begins, len(keys)].astype(np.int64),
        parts=owner.astype(np.int32),
        at=position.astype(np.int32),
        names=names,
        sizes=sizes,
        identities=identities,
        items=Counter(benchmark for benchmark, _ in listed),
        silent=Counter(benchmark for benchmark, item in listed if (benchmark, item) not in told),
    )


def _covered(owner: Array, position: Array, length: int, parts: int) -> Array:
    """For every part, how many of its words lie in the runs at these positions."""
    order = np.lexsort((position, owner))
    owner, position = owner[order], position[order]
    sizes = np.zeros(parts, np.int64)
    if not len(owner):
        return sizes
    # A run adds as many words as it reaches beyond the run before it in the same part.
    step = np.r_[length, np.minimum(length, position[1:] - position[:-1])]
    step[np.r_[True, owner[1:] != owner[:-1]]] = length
    np.add.at(sizes, owner, step)
    return sizes


@lru_cache(maxsize=2)
def _index(folder: Path, benchmarks: str, length: int) -> Index:
    found = bench.digest(folder)
    if found != benchmarks:
        raise ValueError(
            f"{folder}: the benchmarks have changed since this recipe was made ({benchmarks} expected, {found} found); "
            "make the filter again with Contamination.against"
        )
    return build(bench.items(folder), length)


@dataclass(frozen=True)
class Hit:
    """An item that was found: how many of its words, and where in the document (numbers of words)."""

    benchmark: str
    item: str
    found: int
    size: int
    spots: Array = field(repr=False, compare=False)

    @property
    def overlap(self) -> float:
        return self.found / self.size


@dataclass(frozen=True)
class Contamination:
    """Drops `contamination.identity` and `contamination.text`; details name benchmark and item.

    `benchmarks` is the digest of all files of the folder `against` was given. An item is found when
    `threshold` of its words are, and `least` of them or all. With `mask`, a text that was found is
    cut out of its document, unless that leaves less than half.
    Marks: `contamination.benchmark`, `.item`, `.overlap` (share of the item's words) of the item
    that is found most, `.items` found in all, and `.cut`, the characters that were cut out.
    """

    benchmarks: str
    folder: Path = field(repr=False, compare=False)
    length: int = 6
    threshold: float = 0.35
    least: int = 10
    mask: bool = False
    version: int = 1

    @classmethod
    def against(cls, folder: Path, **changes: float | bool) -> "Contamination":
        """The filter for a folder of benchmarks; raises ValueError when there are none in it."""
        if next(bench.items(folder), None) is None:
            raise ValueError(
                f"{folder} holds no benchmark; put one folder for each in it (pubmedqa, medqa, medmcqa, mmlu, "
                "or any name with items.jsonl or ids.txt), as corpus/sources/benchmarks.py describes"
            )
        return replace(cls(bench.digest(folder), folder), **changes)  # type: ignore[arg-type]

    @property
    def index(self) -> Index:
        """The index, built once a process."""
        return _index(self.folder, self.benchmarks, self.length)

    def __call__(self, document: Document) -> Document | Drop:
        index = self.index
        names = [document.id, *aliases(document.meta)]
        if document.meta.get("patient"):
            names.append(f"patient:{document.meta['patient']}")
        for name in names:
            if name in index.identities:
                benchmark, item = index.identities[name]
                marks = {"contamination.benchmark": benchmark, "contamination.item": item}
                return Drop("contamination.identity", f"{benchmark} {item}", {**document.marks, **marks})
        hits = self.hits(document.text)
        if not hits:
            return document
        worst = max(hits, key=lambda hit: (hit.overlap, hit.benchmark, hit.item))
        marked = document.marked(
            contamination__benchmark=worst.benchmark,
            contamination__item=worst.item,
            contamination__overlap=round(worst.overlap, 3),
            contamination__items=len({(hit.benchmark, hit.item) for hit in hits}),
        )
        if self.mask:
            text = self._masked(document.text, hits)
            if 2 * len(text) >= len(document.text):
                return marked.with_text(text).marked(contamination__cut=len(document.text) - len(text))
        detail = f"{worst.benchmark} {worst.item}: {worst.found} of {worst.size} words"
        return Drop("contamination.text", detail, marked.marks)

    def hits(self, text: str) -> list[Hit]:
        """The items that are found in a text, in the order of the index."""
        index = self.index
        hashes = words(text)
        places = np.flatnonzero(hashes)  # of the words that make runs, among all
        keys = runs(hashes[places], self.length)
        maybe = np.flatnonzero(index.table[_slots(keys)])
        if not len(maybe):
            return []
        row = np.searchsorted(index.keys, keys[maybe])
        row[row == len(index.keys)] = 0
        sure = index.keys[row] == keys[maybe]
        row, spots = row[sure], maybe[sure]
        if not len(row):
            return []
        counts = index.where[row + 1] - index.where[row]
        flat = np.repeat(index.where[row] - np.r_[0, np.cumsum(counts)[:-1]], counts) + np.arange(counts.sum())
        part, at, spot = index.parts[flat].astype(np.int64), index.at[flat], np.repeat(spots, counts)
        # The same run twice in a document covers the item's words once.
        once = np.unique(part * (1 << 32) + at)
        found = _covered(once >> 32, once & 0xFFFFFFFF, self.length, len(index.names))
        sizes = index.sizes
        enough = (found >= self.threshold * sizes) & (found >= np.minimum(sizes, self.least)) & (sizes > 0)
        best: dict[tuple[str, str], Hit] = {}
        for number in np.flatnonzero(enough).tolist():
            name = index.names[number]
            mine = spot[part == number]
            reach = np.unique(mine[:, None] + np.arange(self.length))
            before = best.get(name)
            if before is not None:
                reach = np.union1d(reach, before.spots)
            hit = Hit(name[0], name[1], int(found[number]), int(sizes[number]), reach)
            if before is not None and before.overlap > hit.overlap:
                hit = replace(before, spots=reach)
            best[name] = hit
        return [replace(hit, spots=places[hit.spots]) for hit in best.values()]

    def _masked(self, text: str, hits: list[Hit]) -> str:
        """The text without what was found, and again until nothing is found."""
        while hits:
            spots = np.unique(np.concatenate([hit.spots for hit in hits]))
            # Words that stand up to five apart belong to one piece: one of them was changed.
            cuts = np.flatnonzero(np.diff(spots) > 5) + 1
            pieces = [(int(piece[0]), int(piece[-1])) for piece in np.split(spots, cuts)]
            places = [match.span() for match in _WORD.finditer(folded(text))]
            kept, end = [], 0
            for first, last in pieces:
                kept.append(text[end : places[first][0]])
                end = places[last][1]
            kept.append(text[end:])
            text = "".join(kept)
            hits = self.hits(text)
        return text


# `words` finds the same in bytes: runs of ASCII letters and digits and of anything beyond ASCII.
_WORD = re.compile("[0-9A-Za-z\x80-\U0010ffff]+")
