"""Contamination: documents that hold what models will be tested with.

By identity: a benchmark's PubMed articles, and the notes, studies and patients of the MIMIC-derived ones,
go by their numbers, however their text is put. By text: every run of five words of an item's question,
options or passage is looked for; an item is in a document when the runs that stand close together there
cover enough of its words: 35 %, and 12 of them (8 of an exam question), or all that it has. Words are
lower-case letters and digits, two or more of them (so `A.` and `(b)` before options do not matter), whatever
stands between them: line ends, case and punctuation do not hide a leak, and a changed word costs the five
runs that it stands in and no more.

A run that stands in more than four items is a phrase of the trade ("which of the following is the
most likely diagnosis") and proves nothing. An item with fewer than seven words of its own cannot be told
by text: `Index.silent` counts them. Training parts of benchmarks are not looked for: they are examples.

Measured with tests/bench/contamination.py on the test sets of PubMedQA, MedQA, MedMCQA and MMLU, and on
42,000 abstracts, papers, notes and web pages: with 8 words of a passage in place of 12, four of them go for
saying the same common thing as the title of one of PubMedQA's papers; with 7 words of an exam question, eleven.

Each process builds the index once, from the benchmark's files: sorted 64-bit hashes (filters/runs.py).
"""

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
from filters.runs import look, runs, table, words

Array = npt.NDArray[np.int64]

_COMMON = 4  # items
_SMALLEST = 7  # words of its own that a text must have to be looked for: "further studies are needed" has not
_BITS = 22  # of the table that is asked before the search: 0.5 MB, and one in ten runs passes it at 400,000


@dataclass(frozen=True, eq=False)
class Index:
    """Runs of words of all items, and the items' identities.

    `keys` are sorted hashes [runs]; run k belongs to `parts[where[k]:where[k + 1]]`, at the
    positions `at` of the same range. A part is a text of an item: `names[part]` is (benchmark, item),
    `lengths[part]` its words, `sizes[part]` how many of them lie in runs that count, and `exam[part]` says
    whether it is a question without a passage. `silent` counts, per benchmark, items without such a run.
    """

    keys: npt.NDArray[np.uint64]
    table: npt.NDArray[np.uint8]
    where: Array
    parts: npt.NDArray[np.int32]
    at: npt.NDArray[np.int32]
    names: list[tuple[str, str]]
    sizes: Array
    lengths: Array
    exam: npt.NDArray[np.bool_]
    identities: dict[str, tuple[str, str]]
    items: Counter[str]
    silent: Counter[str]

    @property
    def bytes(self) -> int:
        """What the arrays take, in bytes."""
        return sum(a.nbytes for a in (self.keys, self.table, self.where, self.parts, self.at, self.sizes, self.lengths))


def build(documents: Iterable[Document], length: int) -> Index:
    """The index of benchmark items (corpus.sources.benchmarks) for runs of `length` words."""
    names: list[tuple[str, str]] = []
    hashes, owners, positions, items_of = [], [], [], []
    identities: dict[str, tuple[str, str]] = {}
    listed: list[tuple[str, str]] = []
    lengths: list[int] = []
    exam: list[bool] = []
    asked = (document for document in documents if document.meta["split"] != "shots")
    for number, document in enumerate(asked):
        name, ask = (document.meta["benchmark"], document.meta["item"]), document.meta["ask"]
        listed.append(name)
        for identity in document.meta["identities"]:
            identities.setdefault(identity, name)
        for part in document.meta["parts"]:
            text = unicodedata.normalize("NFC", part)
            said = words(text)[0]
            keys = runs(said, length)
            lengths.append(len(said))
            exam.append(bool(ask.get("options")) and not ask.get("context"))
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
    sizes = _covered(owner, position, length, len(names))
    sizes[sizes < _SMALLEST] = 0
    told = {name for name, size in zip(names, sizes, strict=True) if size}
    told |= set(identities.values())
    return Index(
        keys=keys[begins],
        table=table(keys, _BITS),
        where=np.r_[begins, len(keys)].astype(np.int64),
        parts=owner.astype(np.int32),
        at=position.astype(np.int32),
        names=names,
        sizes=sizes,
        lengths=np.array(lengths, np.int64),
        exam=np.array(exam, np.bool_),
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


def _nearest(spot: Array, at: Array, length: int, reach: int) -> tuple[int, Array]:
    """The most words of an item that stand within `reach` words of a text, and the runs of that text that hold them.

    `spot` and `at` are the places of runs in the text and in the item.
    """
    order = np.argsort(spot, kind="stable")
    spot, at = spot[order], at[order]
    ends = np.searchsorted(spot, spot + reach)
    # A stretch that begins later and ends at the same run holds less.
    starts = np.flatnonzero(np.r_[True, ends[1:] != ends[:-1]])
    best, held = 0, spot
    for start in starts.tolist():
        places = np.unique(at[start : ends[start]])
        found = int(_covered(np.zeros(len(places), np.int64), places, length, 1)[0])
        if found > best:
            best, held = found, spot[start : ends[start]]
    return best, np.unique(held)


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
    `threshold` of its words, and `least` of them (`exam_least` of a question that stands alone with its
    options) or all, stand within `spread` times its own length in the document. With `mask`, a text that
    was found is cut out of its document, unless that leaves less than half.
    Marks: `contamination.benchmark`, `.item`, `.overlap` (share of the item's words) of the item
    that is found most, `.items` found in all, `.hits` (each of them with its overlap), and `.cut`, the
    characters that were cut out.
    """

    benchmarks: str
    folder: Path = field(repr=False, compare=False)
    length: int = 5
    threshold: float = 0.35
    least: int = 12
    exam_least: int = 8
    spread: float = 2.0
    mask: bool = False
    version: int = 2

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
            contamination__items=len(hits),
            contamination__hits="; ".join(f"{hit.benchmark} {hit.item} {hit.overlap:.2f}" for hit in hits),
        )
        if self.mask:
            text = self._masked(document.text, hits)
            if 2 * len(text) >= len(document.text):
                return marked.with_text(text).marked(contamination__cut=len(document.text) - len(text))
        detail = f"{worst.benchmark} {worst.item}: {worst.found} of {worst.size} words"
        return Drop("contamination.text", detail, marked.marks)

    def limits(self, kind: str | None) -> dict[str, str]:
        """Mark -> what it must be, in a document of any kind."""
        return {"contamination.overlap": f"less than {self.threshold}"}

    def hits(self, text: str) -> list[Hit]:
        """The items that are found in a text, in the order of the index."""
        index = self.index
        spots, row = look(text, self.length, index.table, index.keys)
        if len(row) < _SMALLEST - self.length + 1:  # runs that the smallest item has
            return []
        counts = index.where[row + 1] - index.where[row]
        flat = np.repeat(index.where[row] - np.r_[0, np.cumsum(counts)[:-1]], counts) + np.arange(counts.sum())
        parts, part = np.unique(index.parts[flat], return_inverse=True)
        at, spot = index.at[flat].astype(np.int64), np.repeat(spots, counts)
        sizes, exam = index.sizes[parts], index.exam[parts]
        least = np.where(exam, self.exam_least, self.least)
        wanted = np.maximum(self.threshold * sizes, np.minimum(sizes, least))
        # The same run twice in a document covers the item's words once.
        once = np.unique(part * (1 << 32) + at)
        enough = (_covered(once >> 32, once & 0xFFFFFFFF, self.length, len(parts)) >= wanted) & (sizes > 0)
        best: dict[tuple[str, str], Hit] = {}
        for number in np.flatnonzero(enough).tolist():
            mine, enough_of_it = part == number, float(wanted[number])
            number = int(parts[number])
            reach = int(self.spread * index.lengths[number]) + 30
            found, near = _nearest(spot[mine], at[mine], self.length, reach)
            size, name = int(index.sizes[number]), index.names[number]
            if found < enough_of_it:
                continue
            hit = Hit(name[0], name[1], found, size, np.unique(near[:, None] + np.arange(self.length)))
            before = best.get(name)
            if before is not None:
                both = np.union1d(hit.spots, before.spots)
                hit = replace(before if before.overlap > hit.overlap else hit, spots=both)
            best[name] = hit
        return list(best.values())

    def _masked(self, text: str, hits: list[Hit]) -> str:
        """The text without what was found, and again until nothing is found."""
        while hits:
            spots = np.unique(np.concatenate([hit.spots for hit in hits]))
            # Words that stand up to five apart belong to one piece: one of them was changed.
            cuts = np.flatnonzero(np.diff(spots) > 5) + 1
            pieces = [(int(piece[0]), int(piece[-1])) for piece in np.split(spots, cuts)]
            data, places = text.encode("utf-8", "replace"), words(text)[1]
            kept, end = [], 0
            for first, last in pieces:
                kept.append(data[end : places[first, 0]])
                end = places[last, 1]
            kept.append(data[end:])
            text = b"".join(kept).decode()
            hits = self.hits(text)
        return text
