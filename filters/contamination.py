"""Contamination: documents that hold what models will be tested with.

By identity: a benchmark's PubMed articles, and the notes and patients of the MIMIC-derived ones, go
by their numbers, however their text is put. By text: every run of eight words of an item's question,
options or passage is looked for; an item is in a document when the runs that are found cover enough
of its words. Words are lower-case letters and digits, two or more of them (so `A.` and `(b)` before
options do not matter), whatever stands between them: line ends, case and punctuation do not hide a
leak, and a changed word costs the eight runs that it stands in and no more.

A run that stands in more than four items is a phrase of the trade ("which of the following is the
most likely diagnosis") and proves nothing. An item that has no run of its own cannot be told by text:
`Index.silent` counts them.

Each process builds the index once, from the benchmark's files: sorted 64-bit hashes in numpy. Words
that no benchmark has are 0, and a run with one of them matches nothing.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import repeat
from pathlib import Path

import numpy as np
import numpy.typing as npt

from corpus.document import Document, Drop, aliases
from corpus.files import digest as digest_of
from corpus.files import text_digest
from corpus.sources.benchmarks import Benchmarks
from filters.text import unusual

Array = npt.NDArray[np.int64]

# Bytes of lower-case words: everything in ASCII that is no letter or digit is a space.
_FOLD = bytes(
    code + 32 if 65 <= code <= 90 else code if code >= 128 or 97 <= code <= 122 or 48 <= code <= 57 else 32
    for code in range(256)
)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio: odd, bits well spread
_COMMON = 4  # items
_BITS = 22  # of the table that is asked before the search: 4 MB, and one in ten runs passes it at 400,000
_SHORT = 0x10000  # id of words of one letter, which are left out before runs are made


def folded(text: str) -> str:
    """The text with a space for every character that is no letter or digit; the same length."""
    for character in unusual(text):
        if character >= "\x80" and not character.isalnum() and not unicodedata.combining(character):
            text = text.replace(character, " ")
    return text


def words(text: str) -> list[bytes]:
    """Lower-case words of letters and digits, in UTF-8, one-letter words among them."""
    return folded(text).encode("utf-8", "replace").translate(_FOLD).split()


@dataclass(frozen=True, eq=False)
class Index:
    """Runs of words of all items, and the items' identities.

    `keys` are sorted hashes [runs]; run k belongs to `parts[where[k]:where[k + 1]]`, at the
    positions `at` of the same range. A part is a text of an item: `names[part]` is (benchmark, item)
    and `sizes[part]` how many of its words lie in runs that count. `silent` counts, per benchmark,
    items without such a run.
    """

    vocabulary: dict[bytes, int]
    keys: npt.NDArray[np.uint64]
    table: npt.NDArray[np.bool_]
    where: Array
    parts: Array
    at: Array
    names: list[tuple[str, str]]
    sizes: Array
    identities: dict[str, tuple[str, str]]
    items: Counter[str]
    silent: Counter[str]

    @property
    def bytes(self) -> int:
        """What the arrays and the vocabulary take, in bytes (without Python's small change)."""
        arrays = sum(a.nbytes for a in (self.keys, self.table, self.where, self.parts, self.at, self.sizes))
        return arrays + sum(len(word) + 33 + 32 + 100 for word in self.vocabulary)

    def numbers(self, text: str) -> tuple[npt.NDArray[np.uint64], Array]:
        """Numbers of a text's words of two letters or more, and which of `words(text)` they are."""
        found = words(text)
        ids = np.fromiter(map(self.vocabulary.get, found, repeat(0)), np.uint64, len(found))
        long = np.flatnonzero(ids != _SHORT)
        return ids[long], long


def runs(numbers: npt.NDArray[np.uint64], length: int) -> npt.NDArray[np.uint64]:
    """Hash of every run of that many words [words - length + 1]; polynomial, modulo 2**64."""
    count = len(numbers) - length + 1
    if count <= 0:
        return np.zeros(0, np.uint64)
    total = numbers[:count].copy()
    for step in range(1, length):
        total *= _MULTIPLIER
        total += numbers[step : step + count]
    return total * _MULTIPLIER


def _slots(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    return keys >> np.uint64(64 - _BITS)


def _number(vocabulary: dict[bytes, int], found: Iterable[bytes]) -> list[int]:
    """Numbers for words, new words numbered on; numbers skip that of one-letter words."""
    return [vocabulary.setdefault(word, len(vocabulary) + _SHORT + 1) for word in found if len(word) > 1]


def build(documents: Iterable[Document], length: int) -> Index:
    """The index of benchmark items (corpus.sources.benchmarks) for runs of `length` words."""
    vocabulary: dict[bytes, int] = {}
    names: list[tuple[str, str]] = []
    hashes, owners, positions, items_of = [], [], [], []
    identities: dict[str, tuple[str, str]] = {}
    listed: list[tuple[str, str]] = []
    for number, document in enumerate(documents):
        name = (document.meta["benchmark"], document.meta["item"])
        listed.append(name)
        for identity in document.meta["identities"]:
            identities.setdefault(identity, name)
        for part in document.meta["parts"]:
            text = unicodedata.normalize("NFC", part)
            keys = runs(np.array(_number(vocabulary, words(text)), np.uint64), length)
            hashes.append(keys)
            owners.append(np.full(len(keys), len(names)))
            positions.append(np.arange(len(keys)))
            items_of.append(number)
            names.append(name)
    for code in range(256):
        vocabulary[bytes([code])] = _SHORT
    keys = np.concatenate([np.zeros(0, np.uint64), *hashes])
    owner = np.concatenate([np.zeros(0, np.int64), *owners])
    position = np.concatenate([np.zeros(0, np.int64), *positions])
    item = np.array(items_of, np.int64)[owner] if len(owner) else owner
    order = np.lexsort((position, owner, keys))
    keys, owner, position, item = keys[order], owner[order], position[order], item[order]
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
    told = {name for name, size in zip(names, sizes, strict=True) if size}
    told |= set(identities.values())
    return Index(
        vocabulary=vocabulary,
        keys=keys[begins],
        table=table,
        where=np.r_[begins, len(keys)].astype(np.int64),
        parts=owner,
        at=position,
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
    found, documents = _read(folder)
    if found != benchmarks:
        raise ValueError(
            f"{folder}: the benchmarks have changed since this recipe was made ({benchmarks} expected, {found} found); "
            "make the filter again with Contamination.against"
        )
    return build(documents, length)


def _files(folder: Path) -> list[tuple[str, Path]]:
    source = Benchmarks()
    names = ((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file())
    return sorted((name, path) for name, path in names if source.accepts(name))


def _read(folder: Path) -> tuple[str, Iterator[Document]]:
    files = _files(folder)
    whole = "\n".join(f"{name} {digest_of(path)}" for name, path in files)
    return text_digest(whole), (document for name, path in files for document in Benchmarks().read(path, name))


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
    length: int = 8
    threshold: float = 0.4
    least: int = 13
    mask: bool = False
    version: int = 1

    @classmethod
    def against(cls, folder: Path, **changes: float | bool) -> "Contamination":
        """The filter for a folder of benchmarks; raises ValueError when there are none in it."""
        digest, documents = _read(folder)
        if next(documents, None) is None:
            raise ValueError(
                f"{folder} holds no benchmark; put one folder for each in it (pubmedqa, medqa, medmcqa, mmlu, "
                "or any name with items.jsonl or ids.txt), as corpus/sources/benchmarks.py describes"
            )
        return replace(cls(digest, folder), **changes)  # type: ignore[arg-type]

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
        numbers, places = index.numbers(text)
        keys = runs(numbers, self.length)
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
        part, at, spot = index.parts[flat], index.at[flat], np.repeat(spots, counts)
        # The same run twice in a document covers the item's words once.
        once = np.unique(part * (1 << 32) + at)
        found = _covered(once >> 32, once & 0xFFFFFFFF, self.length, len(index.names))
        sizes = index.sizes
        enough = (found >= self.threshold * sizes) & (found >= np.minimum(sizes, self.least)) & (found > 0)
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
