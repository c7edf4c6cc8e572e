"""One document, once: identity, exact copies and near copies over everything that was sifted.

In this order, over all parts:
1. of one id the largest revision stands; deletions and retractions count (`identity`);
2. texts with the same words are one (`neighbours.copies`);
3. texts that share a band of their MinHash signature, whose sketches agree well enough and whose
   true Jaccard is verified, are near copies (`neighbours.band_pairs`, `neighbours.verify`);
4. documents are settled in their total order (`clusters.settle`): the same publication, an exact
   copy, a near copy of a document that stays, or one that stays itself. Full texts are settled
   before abstracts, so an abstract goes only if its full text stays, and is back when it does not.

Nothing here depends on the order in which parts are given, on the number of workers or on memory.
Files below `folder` that exist are whole, so an interrupted run goes on where it was. Only paths
and small values pass through `run`.

Texts are read once, by `sign`; a resolution opens signatures, shingles and ledgers only. So files
that are added later cost the reading of their own texts, and the outcome is that of a full run.
"""

import json
import math
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from corpus.files import writing

# numba is imported where kernels run: recipes import this module, and most of their users sign nothing.

Run = Callable[..., list[Any]]
Summary = dict[str, Any]

SHORT = ("abstract", "title")  # kinds that stand for a full text of the same publication
KINDS = (
    *("fulltext", "guideline", "book", "paper", "encyclopedia", "instruction", "conversation", "note", "report"),
    *("qa", "web", "code", *SHORT),
)


@dataclass(frozen=True)
class Duplicates:
    """What counts as a duplicate, and which of two stays.

    Near copies share word `shingle`-grams with a true Jaccard of at least `threshold`; candidates
    come from `bands` bands of `rows` minima out of `permutations`. When bands or rows is None both
    are datasketch's optimal parameters for the threshold. Those weigh false candidates and misses
    alike; here candidates are verified, so that more bands of fewer rows, the default, only miss
    fewer: at Jaccard 0.7, 32 x 4 finds 9,998 of 10,000 pairs and the optimum, 14 x 9, 4,382.

    Notes and reports are written from templates: two that differ in one finding share most of their
    shingles. A pair with one of the kinds in `templated` is a near copy from `templated_threshold`
    on: of a report of 100 words, one sentence of 8 leaves a Jaccard of 0.78. Documents of the kinds in
    `nested` hold one another (a conversation up to its third answer holds it up to its second): there
    a near copy has the very same shingles.

    `planted` copies are made and looked for, so that the summary can say how well near copies are
    found in this corpus; they change no verdict. `kinds` come richest first. A source that loses
    more than `wipeout` of its documents to near copies stops the build, unless it has fewer than
    `wipeout_least`. `memory` (bytes, all workers of a machine together) changes nothing but time.
    """

    shingle: int = 5
    permutations: int = 128
    bands: int | None = 32
    rows: int | None = 4
    threshold: float = 0.7
    templated: tuple[str, ...] = ("note", "report")
    templated_threshold: float = 0.85
    nested: tuple[str, ...] = ("conversation",)
    kinds: tuple[str, ...] = KINDS
    wipeout: float = 0.5
    wipeout_least: int = 1000
    planted: int = 500
    version: int = 2
    memory: int = field(default=2 << 30, repr=False)

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise ValueError(f"Duplicates(threshold={self.threshold}): expected a Jaccard above 0 and up to 1")
        if self.shingle < 1 or self.permutations < 1:
            raise ValueError("Duplicates: shingle and permutations are at least 1")
        if not self.threshold <= self.templated_threshold <= 1:
            raise ValueError(
                f"Duplicates(templated_threshold={self.templated_threshold}): expected {self.threshold} to 1"
            )
        bands, rows = self.banding
        if bands < 1 or rows < 1 or bands * rows > self.permutations:
            raise ValueError(f"Duplicates: {bands} bands of {rows} rows need {bands * rows} permutations")
        places = [self.kinds.index(kind) for kind in SHORT if kind in self.kinds]
        if places != list(range(len(self.kinds) - len(SHORT), len(self.kinds))):
            raise ValueError(
                f"Duplicates(kinds={self.kinds}): expected {', '.join(SHORT)} at the end, "
                "because an abstract may go only after its full text is known to stay"
            )
        if unknown := sorted({*self.templated, *self.nested} - set(self.kinds)):
            raise ValueError(f"Duplicates(templated={self.templated}): {unknown} are not among its kinds")

    @property
    def banding(self) -> tuple[int, int]:
        """Bands and rows."""
        if self.bands is None or self.rows is None:
            return optimal(self.threshold, self.permutations)
        return self.bands, self.rows

    @property
    def signature(self) -> str:
        """What decides the bytes of a signature file."""
        bands, rows = self.banding
        return f"Signature(shingle={self.shingle}, permutations={self.permutations}, {bands}x{rows}, version=2)"


def optimal(threshold: float, permutations: int) -> tuple[int, int]:
    """Bands and rows that minimise the sum of both error areas of the S-curve 1 - (1 - s^r)^b.

    The choice of datasketch's MinHashLSH with equal weights.
    """
    steps = 1000
    below = (np.arange(steps) + 0.5) / steps * threshold
    above = threshold + (np.arange(steps) + 0.5) / steps * (1 - threshold)
    best = (math.inf, 1, 1)
    for bands in range(1, permutations + 1):
        for rows in range(1, permutations // bands + 1):
            wrong = (1 - (1 - below**rows) ** bands).mean() * threshold
            missed = ((1 - above**rows) ** bands).mean() * (1 - threshold)
            best = min(best, (float(wrong + missed), bands, rows))
    return best[1], best[2]


@dataclass(frozen=True)
class Part:
    """One file of the first layer (kept documents, in the ledger's order) and its ledger.

    The shard is read when it is signed, and never again.
    """

    key: str
    shard: Path
    ledger: Path


def sign(shard: Path, out: Path, settings: Duplicates) -> None:
    """Writes the signatures of a layer's file, and its shingles as `out`.shingles; the only reading of its texts.

    They depend on its texts and `settings.signature`. Of 200 words, the signatures take 0.3 KB and
    the shingles 0.75 KB, where the text takes 1.2 KB.
    """
    from pipelines import neighbours

    bands, rows = settings.banding
    neighbours.sign(shard, out, settings.shingle, settings.permutations, bands, rows, settings.signature)


def in_process(function: Callable[..., Any], jobs: Sequence[tuple[Any, ...]], label: str) -> list[Any]:
    """The plainest `run`: here, in order."""
    return [function(*job) for job in jobs]


def resolve(
    parts: Sequence[Part], signatures: Sequence[Path], folder: Path, settings: Duplicates, run: Run = in_process
) -> Summary:
    """Writes folder/<part.key>.verdict.arrow for every part and returns a summary.

    A verdict has one row per row of the part's ledger: status, reason, detail, twin, similarity.
    folder/clusters.json holds the summary. Raises BadInput when a signature is not of its part,
    and when a source loses more than its share to near copies.
    """
    from pipelines.resolution import Resolution

    done = folder / "clusters.json"
    if not done.exists():
        summary = Resolution(folder, settings, run, _share(settings.memory)).resolve(parts, signatures)
        with writing(done) as partial:
            partial.write_text(json.dumps(summary, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    shutil.rmtree(folder / "work", ignore_errors=True)
    return json.loads(done.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


_PROCESS = 200 << 20  # an interpreter with numpy, pyarrow and numba that holds nothing yet
LEAST = 16 << 20  # bytes of arrays that any task may hold
_RAY = 450 << 20  # a local Ray session beside its workers


def _share(memory: int) -> int:
    """Bytes that one task may hold in arrays, when tasks run side by side on one machine.

    Half of what is there, because pages of the mapped files that a task reads count as well.
    """
    tasks, taken = 1, _PROCESS
    if "ray" in sys.modules:
        import ray

        if ray.is_initialized():
            tasks = max(int(node["Resources"].get("CPU", 1)) for node in ray.nodes())
            taken = _RAY + (tasks + 1) * _PROCESS
    return max((memory - taken) // (2 * tasks), LEAST)
