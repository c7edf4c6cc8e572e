"""How well near copies are found in this very corpus: some are planted and looked for.

A sample of the corpus' own texts, the ones with the smallest hashes, is copied with edits that
leave a known true Jaccard between 0.4 and 1: every other copy has one passage replaced, the rest
have single words replaced all over. The copies go through the same bands, sketches, verification
and settling as everything else, as the last in the total order; so nothing else becomes of any
other document because of them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from corpus import shards
from corpus.files import writing
from pipelines import minhash
from pipelines.columns import batches, blocks, joined, save, texts
from pipelines.neighbours import Place, read_plan, slices

LEAST_WORDS = 40  # of a sampled text: below, single edits leave gaps between the levels
LOWEST = 0.4  # true Jaccard that copies are aimed at
STEP = 0.05  # of the levels that are reported
PLANTED = pa.schema([pa.field("id", pa.string()), pa.field("text", pa.string())])


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


def plant(plan: Path, chosen: Path, k: int, out: Path) -> None:
    """Writes an edited copy of each chosen text, as PLANTED, and their true Jaccard to out.npy."""
    similar = out.with_name(out.name + ".npy")
    if similar.exists():
        return
    wanted = np.load(chosen)
    made: list[str] = []
    jaccard: list[float] = []
    for place, part in slices(read_plan(plan), wanted):
        mine = wanted[part] - place.text
        for first, batch in blocks(place.layer):
            here = mine[slice(*np.searchsorted(mine, (first, first + len(batch))))] - first
            for row in here.tolist():
                original = batch.column("text")[row].as_py()
                number = len(made)
                level = LOWEST + (1 - LOWEST) * (number * 61 % len(wanted) + 0.5) / len(wanted)
                made.append(edited(original, level, number, k))
                one, two = shingles(original, k), shingles(made[-1], k)
                jaccard.append(len(one & two) / len(one | two))
    with writing(out, 0o600) as partial:
        with pa.ipc.new_file(str(partial), PLANTED, options=shards.ipc_options(None)) as writer:
            names = texts([f"planted:{number:06d}" for number in range(len(made))])
            writer.write_batch(pa.RecordBatch.from_arrays([names, texts(made)], schema=PLANTED))
    save(similar, np.array(jaccard))


def edited(text: str, level: float, number: int, k: int) -> str:
    """A copy whose k-shingles have about the given Jaccard with the text's."""
    words = text.split()
    # Of n shingles, d changed leave a Jaccard of (n - d) / (n + d).
    changed = max(1.0, (len(words) - k + 1) * (1 - level) / (1 + level))
    if number % 2:
        edits = min(len(words), max(1, round(changed / k)))
        places = [len(words) * (2 * edit + 1) // (2 * edits) for edit in range(edits)]
    else:
        size = max(1, min(len(words) - 1, round(changed) - k + 1))
        start = number * 37 % (len(words) - size + 1)
        places = list(range(start, start + size))
    for place in places:
        words[place] = f"planted{number}x{place}"
    return " ".join(words)


def shingles(text: str, k: int) -> set[tuple[int, ...]]:
    """Runs of k words by plain Python: what the kernels for shingles and Jaccard are held against."""
    data = np.frombuffer(text.encode(), np.uint8)
    held = np.empty(len(data) // 2 + 2, np.uint64)
    words = held[: minhash.words_of(data, 0, len(data), *minhash.tables(), held)].tolist()
    return {tuple(words[place : place + k]) for place in range(max(1, len(words) - k + 1))}


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
    needed = np.unique(pairs)
    held: dict[int, set[tuple[int, ...]]] = {}
    for place, part in slices(read_plan(plan), needed):
        mine = needed[part] - place.text
        for first, batch in blocks(place.layer):
            for row in mine[slice(*np.searchsorted(mine, (first, first + len(batch))))] - first:
                held[int(place.text + first + row)] = shingles(batch.column("text")[int(row)].as_py(), k)
    return sum(
        len(held[one] & held[two]) < threshold * len(held[one] | held[two]) for one, two in pairs.astype(int).tolist()
    )
