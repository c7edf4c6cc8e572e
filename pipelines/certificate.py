"""How well near copies are found in this very corpus: some are planted and looked for.

A sample of the corpus' own texts, the ones with the smallest hashes, is copied with edits that
leave a known true Jaccard between 0.4 and 1: every other copy has one passage replaced, the rest
have single words replaced all over. The edits are made in the shingles that were kept when texts
were signed, so no text is read or written here. The copies go through the same bands, sketches,
verification and settling as everything else, as the last in the total order; so nothing else
becomes of any other document because of them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from corpus import shards
from corpus.files import writing
from pipelines import letters, minhash, neighbours
from pipelines.columns import batches, joined, save
from pipelines.neighbours import Place, read_plan, slices

LEAST_WORDS = 40  # of a sampled text: below, single edits leave gaps between the levels
LOWEST = 0.4  # true Jaccard that copies are aimed at
STEP = 0.05  # of the levels that are reported


def sample(places: Sequence[Place], playing: np.ndarray, count: int) -> np.ndarray:
    """The `count` texts in play with the smallest hashes, sorted; `playing` is uint8 [texts]."""
    found: list[list[np.ndarray]] = []
    for place in places:
        for first, (hashes, words) in batches(place.signature, ("exact0", "words")):
            there = place.text + first
            mine = np.flatnonzero((playing[there : there + len(words)] != 0) & (words >= LEAST_WORDS))
            mine = mine[np.argsort(hashes[mine], kind="stable")[:count]]
            found.append([hashes[mine], there + mine])
    hashes, text = joined(found, (np.uint64, np.int64))
    return np.sort(text[np.lexsort((text, hashes))[:count]])


def plant(plan: Path, chosen: Path, k: int, permuted: int, bands: int, rows: int, recipe: str, out: Path) -> None:
    """Writes the signatures of an edited copy of each chosen text, and their true Jaccard to out.npy."""
    if out.exists():
        return
    wanted = np.load(chosen)
    made: list[np.ndarray] = []
    jaccard: list[float] = []
    for number, original in enumerate(_shingles(plan, wanted, k)):
        level = LOWEST + (1 - LOWEST) * (number * 61 % len(wanted) + 0.5) / len(wanted)
        made.append(edited(original, level, number, k))
        one, two = set(original.tolist()), set(made[-1].tolist())
        jaccard.append(len(one & two) / len(one | two))
    ends = np.cumsum([len(copy) for copy in made])
    keys, sketch = np.empty((bands, len(made)), np.uint32), np.empty((len(made), permuted), np.uint8)
    factors, summands = minhash.permutations(permuted)
    whole = np.concatenate(made)
    minhash.sign_shingles(whole, ends, factors, summands, rows, keys, sketch)
    numbers = np.arange(len(made), dtype=np.uint64)  # what `exact` is does not matter: copies are looked for before
    words = np.diff(ends, prepend=0).astype(np.uint32) + np.uint32(k - 1)
    starts = (ends - np.diff(ends, prepend=0)).astype(np.uint64)
    schema = neighbours.signature_schema(bands, permuted, recipe)
    save(out.with_name(out.name + ".npy"), np.array(jaccard))
    with writing(out, 0o600) as partial, writing(neighbours.shingles_of(out), 0o600) as beside:
        whole.tofile(beside)
        with pa.ipc.new_file(str(partial), schema, options=shards.ipc_options(None)) as writer:
            writer.write_batch(neighbours.signed(np.stack([numbers, numbers]), words, keys, sketch, starts, schema))


def _shingles(plan: Path, texts: np.ndarray, k: int) -> list[np.ndarray]:
    """The shingles of each of the sorted texts, in its order."""
    found: list[np.ndarray] = []
    starts, counts = neighbours.located(plan, texts, k)
    for place, part in slices(read_plan(plan), texts):
        held = np.memmap(neighbours.shingles_of(place.signature), np.uint32, mode="r")
        found += [
            np.array(held[start : start + count]) for start, count in zip(starts[part], counts[part], strict=True)
        ]
    return found


def edited(shingles: np.ndarray, level: float, number: int, k: int) -> np.ndarray:
    """The shingles of a copy of a text, with about the given Jaccard with those of the text.

    A word that is replaced replaces the k shingles that hold it.
    """
    words = len(shingles) + k - 1
    # Of n shingles, d changed leave a Jaccard of (n - d) / (n + d).
    changed = max(1.0, len(shingles) * (1 - level) / (1 + level))
    if number % 2:
        edits = min(words, max(1, round(changed / k)))
        replaced = [words * (2 * edit + 1) // (2 * edits) for edit in range(edits)]
    else:
        size = max(1, min(words - 1, round(changed) - k + 1))
        start = number * 37 % (words - size + 1)
        replaced = list(range(start, start + size))
    copy = shingles.copy()
    for word in replaced:
        for place in range(max(0, word - k + 1), min(len(copy), word + 1)):
            copy[place] = letters.mixed(number << 32 | place) & 0xFFFFFFFF
    return copy


def banded(places: Sequence[Place], chosen: np.ndarray, planted: Path, bands: int) -> np.ndarray:
    """Whether each chosen text shares a band with its copy."""
    names = [f"band{band:03d}" for band in range(bands)]
    copies = [np.concatenate(column) for column in zip(*(keys for _, keys in batches(planted, names)), strict=True)]
    shares = np.zeros(len(chosen), bool)
    for place, part in slices(places, chosen):
        mine = chosen[part] - place.text
        for first, keys in batches(place.signature, names):
            low, high = np.searchsorted(mine, (first, first + len(keys[0])))
            here = slice(part.start + low, part.start + high)
            for one, two in zip(keys, copies, strict=True):
                shares[here] |= one[mine[low:high] - first] == two[here]
    return shares


def certificate(
    jaccard: np.ndarray, shares: np.ndarray, removed: np.ndarray, needs: np.ndarray, banding: tuple[int, int]
) -> dict[str, Any]:
    """Recall by level of true Jaccard beside what the S-curve 1 - (1 - s^rows)^bands promises.

    `shares` says which copies share a band with their original, `removed` which of them went, and
    `needs` from which Jaccard on they are near copies of it.
    """
    bands, rows = banding
    theory = 1 - (1 - jaccard**rows) ** bands
    above = jaccard >= needs
    levels = []
    for number in range(round(1 / STEP)):
        # The threshold is the edge of a level, whatever rounding says.
        mine = (np.floor(jaccard / STEP + 1e-9) == number) if number < round(1 / STEP) - 1 else jaccard >= 1 - STEP
        if mine.any():
            levels.append(
                {
                    "jaccard": round(number * STEP, 2),
                    "copies": int(mine.sum()),
                    "theory": round(float(theory[mine].mean()), 4),
                    "shared_band": round(float(shares[mine].mean()), 4),
                    "due": round(float(above[mine].mean()), 4),
                    "removed": round(float(removed[mine].mean()), 4),
                }
            )
    return {
        "bands": bands,
        "rows": rows,
        "recall": round(float(removed[above].mean()), 4) if above.any() else None,
        "expected_recall": round(float(theory[above].mean()), 4) if above.any() else None,
        "levels": levels,
    }


def wrong(plan: Path, pairs: np.ndarray, k: int, threshold: float) -> int:
    """How many pairs of texts [n, 2] have a Jaccard below the threshold, by plain Python."""
    texts = np.unique(pairs)
    held = dict(zip(texts.tolist(), (set(one.tolist()) for one in _shingles(plan, texts, k)), strict=True))
    return sum(
        len(held[one] & held[two]) < threshold * len(held[one] | held[two]) for one, two in pairs.astype(int).tolist()
    )
