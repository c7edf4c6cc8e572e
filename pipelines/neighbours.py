"""Which texts are alike: the tasks over signatures that find exact copies and verified near copies.

Texts are the documents that the first sift kept, numbered through all parts in their order. Every
task reads the columns it needs from the mapped signature files, within a range of hashes, and
writes a sorted file. What comes out does not depend on the ranges, so memory sets them freely.

A text is read once, when it is signed: its shingles stand in a file beside the signatures, 4 bytes
a word, and true Jaccards are counted from those. So new files meet the old ones without a look at
old texts.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from corpus import shards
from corpus.files import writing
from pipelines import buckets, letters, minhash
from pipelines.columns import array, batches, in_range, joined, mapped, save, strings

ROWS = 32_768  # of a signature file's batch: 128 kB per band, 4 MB of sketches
BUCKET = 1 << 18  # members of a bucket that are compared with one another; larger ones are cut
HEADS = 64  # of a bucket: what bounds the work where a template fills it
COPIES = np.dtype([("text", "<u4"), ("first", "<u4")])
NEAR = np.dtype([("pair", "<u8"), ("similarity", "<f8")])


@dataclass(frozen=True)
class Place:
    """One part with its numbers: where its rows and texts begin among those of all parts."""

    key: str
    source: str
    ledger: str
    signature: str
    facts: str
    row: int
    rows: int
    text: int
    texts: int


def write_plan(path: Path, places: Sequence[Place]) -> None:
    with writing(path, 0o600) as partial:
        partial.write_text(json.dumps([asdict(place) for place in places]), encoding="utf-8")


def read_plan(path: Path) -> tuple[Place, ...]:
    return _read_plan(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _read_plan(path: Path, changed: int) -> tuple[Place, ...]:
    return tuple(Place(**place) for place in json.loads(path.read_text(encoding="utf-8")))


def signature_schema(bands: int, permutations: int, recipe: str) -> pa.Schema:
    """One row per text: 128 bits over its words, how many, a key per band, the sketch, where its shingles begin."""
    return pa.schema(
        [
            pa.field("exact0", pa.uint64()),
            pa.field("exact1", pa.uint64()),
            pa.field("words", pa.uint32()),
            *(pa.field(f"band{band:03d}", pa.uint32()) for band in range(bands)),
            pa.field("sketch", pa.binary(permutations)),
            pa.field("shingles", pa.uint64()),
        ],
        metadata={"recipe": recipe},
    )


def shingles_of(signature: Path | str) -> Path:
    """Where the shingles (uint32) of the texts of a signature file stand, end to end."""
    return Path(f"{signature}.shingles")


def counted(words: np.ndarray, k: int) -> np.ndarray:
    """How many shingles texts of so many words have, int64."""
    return np.where(words > 0, np.maximum(words.astype(np.int64) - k + 1, 1), 0)


def signed(
    exact: np.ndarray, words: np.ndarray, keys: np.ndarray, sketch: np.ndarray, starts: np.ndarray, schema: pa.Schema
) -> pa.RecordBatch:
    """A batch of a signature file from its columns: [2, n], [n], [bands, n], [n, permutations], [n]."""
    held = pa.Array.from_buffers(schema.field("sketch").type, len(words), [None, pa.py_buffer(sketch.tobytes())])
    return pa.RecordBatch.from_arrays([*map(array, (*exact, words, *keys)), held, array(starts)], schema=schema)


def sign(layer: Path, out: Path, k: int, permuted: int, bands: int, rows: int, recipe: str) -> None:
    """Writes the signature of every document of a layer's file, in blocks of ROWS, and their shingles before."""
    factors, summands = minhash.permutations(permuted)
    schema = signature_schema(bands, permuted, recipe)
    reader = shards.open_shard(layer)
    words = np.empty(ROWS, np.uint32)
    exact = np.empty((2, ROWS), np.uint64)
    keys = np.empty((bands, ROWS), np.uint32)
    sketch = np.empty((ROWS, permuted), np.uint8)
    starts = np.empty(ROWS, np.uint64)
    filled = 0
    mode = layer.stat().st_mode & 0o777
    with writing(out, mode) as partial, writing(shingles_of(out), mode) as beside, open(beside, "wb") as shingles:
        with pa.ipc.new_file(str(partial), schema, options=shards.ipc_options(None)) as writer:
            for number in range(reader.num_record_batches):
                text, offsets = strings(reader.get_batch(number).column("text"))
                held = np.empty((offsets[-1] - offsets[0]) // 2 + 2 * len(offsets), np.uint32)
                done = 0
                while done < len(offsets) - 1:
                    size = min(len(offsets) - 1 - done, ROWS - filled)
                    block = slice(filled, filled + size)
                    total = minhash.sign(
                        text,
                        offsets[done : done + size + 1],
                        *letters.tables(),
                        k,
                        factors,
                        summands,
                        rows,
                        words[block],
                        exact[:, block],
                        keys[:, block],
                        sketch[block],
                        held,
                    )
                    count = counted(words[block], k)
                    starts[block] = shingles.tell() // 4 + np.cumsum(count) - count
                    held[:total].tofile(shingles)
                    done += size
                    filled += size
                    if filled == ROWS:
                        writer.write_batch(signed(exact, words, keys, sketch, starts, schema))
                        filled = 0
            if filled:
                rest = slice(filled)
                writer.write_batch(
                    signed(exact[:, rest], words[rest], keys[:, rest], sketch[rest], starts[rest], schema)
                )


def copies(plan: Path, plays: Path, order: Path, low: int, high: int, out: Path) -> None:
    """Writes COPIES: every text in play, in this range of hashes, that is not the best of its words."""
    if out.exists():
        return
    playing, ranks = np.load(plays, mmap_mode="r"), np.load(order, mmap_mode="r")
    found: list[list[np.ndarray]] = []
    for place in read_plan(plan):
        for first, (one, two) in batches(Path(place.signature), ("exact0", "exact1")):
            there = place.text + first
            mine = np.flatnonzero((playing[there : there + len(one)] != 0) & in_range(one, low, high))
            found.append([one[mine], two[mine], there + mine])
    one, two, text = joined(found, (np.uint64, np.uint64, np.int64))
    by = np.argsort(one, kind="stable")
    several = _several(one[by])
    one, two, text = one[by][several], two[by][several], text[by][several]
    by = np.lexsort((text, ranks[text], two, one))
    one, two, text = one[by], two[by], text[by]
    head = np.ones(len(text), bool)
    head[1:] = (one[1:] != one[:-1]) | (two[1:] != two[:-1])
    of = text[np.flatnonzero(head)[np.cumsum(head) - 1]] if len(text) else text
    found_copies = np.zeros(int((~head).sum()), COPIES)
    found_copies["text"], found_copies["first"] = text[~head], of[~head]
    save(out, np.sort(found_copies, order="text"))


def _several(ordered: np.ndarray) -> np.ndarray:
    """Of sorted values: whether each occurs more than once."""
    several = np.zeros(len(ordered), bool)
    same = ordered[1:] == ordered[:-1]
    several[1:] |= same
    several[:-1] |= same
    return several


def band_pairs(
    plan: Path,
    plays: Path,
    order: Path,
    band: int,
    low: int,
    high: int,
    floor: int,
    sure: int,
    budget: int,
    out: Path,
) -> None:
    """Writes pairs (uint64: smaller << 32 | larger, sorted) of texts in play that one band puts together.

    Keys are taken whose top 16 bits are in [low, high). `floor` and `sure` are as in `bucket_pairs`.
    """
    if out.exists():
        return
    playing, ranks = np.load(plays, mmap_mode="r"), np.load(order, mmap_mode="r")
    # The keys of the range are about its share of all; a second reading tells when they are more.
    keyed = np.empty(int(len(playing) * (high - low) / (1 << 16) * 1.1) + 2 * ROWS, np.uint64)
    count = 0
    for place in read_plan(plan):
        for first, (keys,) in batches(place.signature, (f"band{band:03d}",)):
            there = place.text + first
            if len(keyed) - count < len(keys):
                keyed = np.concatenate([keyed, np.empty(len(keyed) // 4, np.uint64)])
            mine = playing[there : there + len(keys)]
            count = buckets.pack_keys(keys, mine, there, low << 16, high << 16, keyed, count)
    keyed = keyed[:count]
    keyed.sort()
    members, edges = buckets.buckets(keyed, BUCKET)
    del keyed
    pieces: list[np.ndarray] = []
    width = mapped(read_plan(plan)[0].signature).schema.field("sketch").type.byte_width
    limit = max(BUCKET, budget // (2 * width))  # members whose sketches are held at once
    first = 0
    while first < len(edges) - 1:
        last = max(first + 1, int(np.searchsorted(edges, edges[first] + limit, side="right")) - 1)
        pieces.append(_pairs(plan, members[edges[first] : edges[last]], edges[first : last + 1], ranks, floor, sure))
        first = last
    save(out, np.sort(np.concatenate(pieces)) if pieces else np.zeros(0, np.uint64))


def _pairs(plan: Path, members: np.ndarray, edges: np.ndarray, ranks: np.ndarray, floor: int, sure: int) -> np.ndarray:
    """Packed pairs in buckets of texts; a text is in one of them."""
    by = np.argsort(members)
    needed = members[by]
    seat = np.empty(len(members), np.uint32)
    seat[by] = np.arange(len(members), dtype=np.uint32)
    buckets.best_first(edges - edges[0], seat, ranks[needed])
    pairs = buckets.bucket_pairs(edges - edges[0], seat, sketches(plan, needed), floor, sure, HEADS)
    one = needed[(pairs >> np.uint64(32)).astype(np.int64)].astype(np.uint64)
    two = needed[(pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)].astype(np.uint64)
    return (np.minimum(one, two) << np.uint64(32)) | np.maximum(one, two)


def slices(places: Sequence[Place], texts: np.ndarray) -> Iterator[tuple[Place, slice]]:
    """The places that hold some of the sorted texts, and which of them."""
    edges = np.searchsorted(texts, [place.text for place in places] + [places[-1].text + places[-1].texts])
    for place, first, last in zip(places, edges, edges[1:], strict=False):
        if first < last:
            yield place, slice(first, last)


def sketches(plan: Path, texts: np.ndarray) -> np.ndarray:
    """Sketches of sorted texts, uint8 [texts, permutations]."""
    permuted = mapped(read_plan(plan)[0].signature).schema.field("sketch").type.byte_width
    out = np.empty((len(texts), permuted), np.uint8)
    for place, part in slices(read_plan(plan), texts):
        reader = mapped(Path(place.signature))
        mine = texts[part] - place.text
        for number in range(mine[0] // ROWS, mine[-1] // ROWS + 1):
            first, last = np.searchsorted(mine, (number * ROWS, (number + 1) * ROWS))
            if first < last:
                held = np.frombuffer(reader.get_batch(number).column("sketch").buffers()[1], np.uint8)
                here = slice(part.start + first, part.start + last)
                np.take(held.reshape(-1, permuted), mine[first:last] - number * ROWS, axis=0, out=out[here])
    return out


def located(plan: Path, texts: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the shingles of each of the sorted texts begin in the file of its part, and how many they are, int64."""
    starts, counts = np.empty(len(texts), np.int64), np.empty(len(texts), np.int64)
    for place, part in slices(read_plan(plan), texts):
        mine = texts[part] - place.text
        for first, (words, begin) in batches(place.signature, ("words", "shingles")):
            low, high = np.searchsorted(mine, (first, first + len(words)))
            if low < high:
                here = slice(part.start + low, part.start + high)
                starts[here] = begin[mine[low:high] - first]
                counts[here] = counted(words[mine[low:high] - first], k)
    return starts, counts


def sets(plan: Path, texts: np.ndarray, starts: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The shingle sets (uint32) of sorted texts, end to end, and where each begins and the last ends, int64 [n + 1]."""
    held = np.empty(int(counts.sum()), np.uint32)
    edges = np.zeros(len(texts) + 1, np.int64)
    for place, part in slices(read_plan(plan), texts):
        path = shingles_of(place.signature)
        if path.stat().st_size:
            shingles = np.asarray(np.memmap(path, np.uint32, mode="r"))
            stops = edges[part.start + 1 : part.stop + 1]
            minhash.distinct(shingles, starts[part], counts[part], held, edges[part.start], stops)
    return held[: edges[-1]], edges


def verify(plan: Path, pairs: Path, first: int, last: int, k: int, threshold: float, share: int, out: Path) -> None:
    """Writes NEAR: those of the packed pairs[first:last] whose true Jaccard is at least `threshold`."""
    if out.exists():
        return
    mine = np.fromfile(pairs, np.uint64, count=last - first, offset=8 * first)
    save(out, near(plan, mine, k, threshold, share))


def near(plan: Path, pairs: np.ndarray, k: int, threshold: float, share: int) -> np.ndarray:
    """NEAR: those of some packed pairs (sorted) whose true Jaccard is at least `threshold`."""
    one, two = (pairs >> np.uint64(32)).astype(np.int64), (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)
    texts, seat = np.unique(np.concatenate([one, two]), return_inverse=True)
    one, two = seat[: len(pairs)], seat[len(pairs) :]
    starts, counts = located(plan, texts, k)
    cost = np.cumsum(4 * (counts[one] + counts[two]) + 64)  # of the sets, and of what numbers them
    similar = np.empty(len(pairs), np.float64)
    done = 0
    while done < len(pairs):
        spent = cost[done - 1] if done else 0
        here = slice(done, max(done + 1, int(np.searchsorted(cost, spent + share, side="right"))))
        needed, seat = np.unique(np.concatenate([one[here], two[here]]), return_inverse=True)
        held, edges = sets(plan, texts[needed], starts[needed], counts[needed])
        left, right = np.split(seat, 2)
        minhash.jaccard(left, right, edges[:-1], edges[1:], held, similar[here])
        done = here.stop
    alike = similar >= threshold
    found = np.empty(int(alike.sum()), NEAR)
    found["pair"], found["similarity"] = pairs[alike], similar[alike]
    return found
