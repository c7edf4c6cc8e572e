"""Which texts are alike: the tasks over signatures that find exact copies and verified near copies.

Texts are the documents that the first sift kept, numbered through all parts in their order. Every
task reads the columns it needs from the mapped signature files, within a range of hashes, and
writes a sorted file. What comes out does not depend on the ranges, so memory sets them freely.
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
from pipelines import buckets, minhash
from pipelines.columns import array, batches, blocks, in_range, joined, mapped, save, strings

ROWS = 32_768  # of a signature file's batch: 128 kB per band, 4 MB of sketches
BUCKET = 1 << 18  # members of a bucket that are compared with one another; larger ones are cut
HEADS = 64  # of a bucket: what bounds the work where a template fills it
COPIES = np.dtype([("text", "<u4"), ("first", "<u4")])


@dataclass(frozen=True)
class Place:
    """One part with its numbers: where its rows and texts begin among those of all parts."""

    key: str
    source: str
    layer: str
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
    """One row per text: 128 bits over its words, how many, a key per band, the sketch."""
    return pa.schema(
        [
            pa.field("exact0", pa.uint64()),
            pa.field("exact1", pa.uint64()),
            pa.field("words", pa.uint32()),
            *(pa.field(f"band{band:03d}", pa.uint32()) for band in range(bands)),
            pa.field("sketch", pa.binary(permutations)),
        ],
        metadata={"recipe": recipe},
    )


def sign(layer: Path, out: Path, k: int, permuted: int, bands: int, rows: int, recipe: str) -> None:
    """Writes the signature of every document of a layer's file, in blocks of ROWS."""
    factors, summands = minhash.permutations(permuted)
    schema = signature_schema(bands, permuted, recipe)
    reader = shards.open_shard(layer)
    words = np.empty(ROWS, np.uint32)
    exact = np.empty((2, ROWS), np.uint64)
    keys = np.empty((bands, ROWS), np.uint32)
    sketch = np.empty((ROWS, permuted), np.uint8)
    filled = 0

    def flush() -> None:
        columns = [*exact[:, :filled], words[:filled], *keys[:, :filled]]
        held = pa.Array.from_buffers(pa.binary(permuted), filled, [None, pa.py_buffer(sketch[:filled].tobytes())])
        writer.write_batch(pa.RecordBatch.from_arrays([*map(array, columns), held], schema=schema))

    with writing(out, layer.stat().st_mode & 0o777) as partial:
        with pa.ipc.new_file(str(partial), schema, options=shards.ipc_options(None)) as writer:
            for number in range(reader.num_record_batches):
                text, offsets = strings(reader.get_batch(number).column("text"))
                done = 0
                while done < len(offsets) - 1:
                    size = min(len(offsets) - 1 - done, ROWS - filled)
                    block = slice(filled, filled + size)
                    minhash.sign(
                        text,
                        offsets[done : done + size + 1],
                        *minhash.tables(),
                        k,
                        factors,
                        summands,
                        rows,
                        words[block],
                        exact[:, block],
                        keys[:, block],
                        sketch[block],
                    )
                    done += size
                    filled += size
                    if filled == ROWS:
                        flush()
                        filled = 0
            if filled:
                flush()


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


def words(plan: Path, texts: np.ndarray) -> np.ndarray:
    """How many words each of the sorted texts has, int64."""
    out = np.empty(len(texts), np.int64)
    for place, part in slices(read_plan(plan), texts):
        mine = texts[part] - place.text
        for first, (counts,) in batches(Path(place.signature), ("words",)):
            low, high = np.searchsorted(mine, (first, first + len(counts)))
            out[part.start + low : part.start + high] = counts[mine[low:high] - first]
    return out


def shingle(plan: Path, number: int, texts: Path, k: int, out: Path) -> None:
    """Writes the shingle sets of those of the sorted `texts` that part `number` holds, in order.

    `out` holds the numbers (uint64) end to end, and out.npy where each text ends (int64).
    """
    known = out.with_name(out.name + ".npy")
    if known.exists():
        return
    place = read_plan(plan)[number]
    every = np.load(texts, mmap_mode="r")
    mine = every[slice(*np.searchsorted(every, (place.text, place.text + place.texts)))] - place.text
    ends = [np.zeros(1, np.int64)]
    with writing(out, 0o600) as partial, open(partial, "wb") as file:
        for first, batch in blocks(place.layer):
            chosen = mine[slice(*np.searchsorted(mine, (first, first + len(batch))))] - first
            if len(chosen):
                text, offsets = strings(batch.column("text"))
                size = offsets[chosen + 1] - offsets[chosen]
                held = np.empty(int((size // 2 + 2).sum()), np.uint64)
                stops = np.empty(len(chosen), np.int64)
                minhash.distinct_shingles(text, offsets, chosen, *minhash.tables(), k, held, stops)
                held[: stops[-1]].tofile(file)
                ends.append(ends[-1][-1] + stops)
    save(known, np.concatenate(ends))


def verify(plan: Path, pairs: Path, first: int, last: int, texts: Path, folder: Path, out: Path) -> None:
    """Writes the true Jaccard (float64) of pairs[first:last]; `folder` holds the shingle sets of `texts`."""
    if out.exists():
        return
    mine = np.fromfile(pairs, np.uint64, count=last - first, offset=8 * first)
    one, two = (mine >> np.uint64(32)).astype(np.int64), (mine & np.uint64(0xFFFFFFFF)).astype(np.int64)
    needed, seat = np.unique(np.concatenate([one, two]), return_inverse=True)
    every = np.load(texts, mmap_mode="r")
    sizes = np.empty(len(needed), np.int64)
    found: list[tuple[slice, np.ndarray, np.ndarray, np.ndarray]] = []
    for place, part in slices(read_plan(plan), needed):
        path = folder / f"{place.key}.shingles"
        edges = np.load(path.with_name(path.name + ".npy"), mmap_mode="r")
        rows = np.searchsorted(every, needed[part]) - int(np.searchsorted(every, place.text))
        starts, ends = edges[rows], edges[rows + 1]
        sizes[part] = ends - starts
        found.append((part, starts, ends, np.memmap(path, np.uint64, mode="r")))
    stops = np.cumsum(sizes)
    held = np.empty(int(stops[-1]) if len(stops) else 0, np.uint64)
    for part, starts, ends, shingles in found:
        minhash.gather(shingles, starts, ends, held, stops[part.start] - sizes[part.start])
    similar = np.empty(len(mine), np.float64)
    minhash.jaccard(seat[: len(mine)], seat[len(mine) :], stops - sizes, stops, held, similar)
    save(out, similar)
