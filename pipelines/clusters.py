"""What becomes of documents that are copies, near copies or the same publication.

Documents are settled one after the other in a total order: richer kind, newer, longer, smaller id.
One stays unless a document that stays already is the same publication, has the same words, or has
a verified Jaccard of at least the threshold with it. So every document that goes names a twin that
stays, and clusters are stars: nothing goes because of something that is gone itself. Full texts
come before abstracts in that order, so an abstract goes only if its full text has stayed.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.files import writing
from pipelines import buckets, neighbours, runs, verdicts
from pipelines.columns import numbers, save
from pipelines.dedup import SHORT, Duplicates

FULLTEXT, PUBLICATION, EXACT, NEAR = 1, 2, 3, 4  # why a document goes, as verdicts.REASONS names it
MEMBERS = np.dtype(
    [("text", "<u4"), ("name", "<i8")]
)  # of publications: texts, and the row that names each; sorted by name
DECIDED = np.dtype([("text", "<u4"), ("why", "u1"), ("twin", "<u4"), ("similarity", "<f8")])


EDGE = 500  # bytes that settling takes for everything that joins two texts, at most
LISTED = 10  # clusters that a summary names
COMPARED = 200  # members of a listed cluster among which the two farthest are looked for, by their sketches
SIZES = (("2", 2, 3), ("3-9", 3, 10), ("10-99", 10, 100), ("100-", 100, 1 << 32))


def needs(settings: Duplicates) -> np.ndarray:
    """The Jaccard that makes a near copy of every kind, float64 [256]."""
    found = np.full(256, settings.threshold)
    for kind in settings.templated:
        found[settings.kinds.index(kind)] = settings.templated_threshold
    for kind in settings.nested:
        found[settings.kinds.index(kind)] = 1.0
    return found


def block(
    plan: Path, work: Path, low: int, high: int, settings: Duplicates, texts: int, share: int, out: Path
) -> dict[str, Any]:
    """Settles the documents whose joined texts begin with one in [low, high).

    Writes DECIDED to `out` and to out.alike.npy the pairs that are near copies; returns what is
    known of the clusters. Texts from number `texts` on are a certificate's.
    """
    told = out.with_name(out.name + ".json")
    if not told.exists():
        decided, verified = _settled(plan, work, low, high, settings, texts, share)
        save(out.with_name(out.name + ".alike.npy"), verified)
        save(out, decided)
        summary = _summary(plan, decided[decided["text"] < texts], verified, settings)
        with writing(told, 0o600) as partial:
            partial.write_text(json.dumps(summary), encoding="utf-8")
    return json.loads(told.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def _settled(
    plan: Path, work: Path, low: int, high: int, settings: Duplicates, texts: int, share: int
) -> tuple[np.ndarray, np.ndarray]:
    label = runs.mapped(work / "label.npy")

    def inside(name: str, node: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        return runs.inside(runs.mapped(work / name), label, low, high, node)

    copies = inside("copies.npy", lambda piece: piece["text"])
    near = inside("near.npy", lambda piece: split(piece["pair"])[0])
    members = inside("members.npy", lambda piece: piece["text"])
    ranks = runs.mapped(work / "order.npy")
    whole = tangle(
        copies,
        near["pair"],
        (members["text"].astype(np.int64), members["name"]),
        ranks,
        needs(settings),
        settings.kinds.index(SHORT[0]),
        lambda asked: verdicts.ids(plan, asked),
    )
    pairs, similarity = near["pair"], near["similarity"]
    del copies, near, members
    candidates = runs.raw(work / "pairs.u64", np.uint64)
    tested = np.zeros(0, np.uint64)
    while True:
        decided, wanted = settle(whole, pairs, similarity, texts)
        fresh = np.setdiff1d(wanted[~_among(wanted, candidates)], tested, assume_unique=True)
        if not len(fresh):
            break
        found = neighbours.near(plan, fresh, settings.shingle, settings.threshold, share)
        tested = np.union1d(tested, fresh)
        pairs, similarity = np.append(pairs, found["pair"]), np.append(similarity, found["similarity"])
        by = np.argsort(pairs)
        pairs, similarity = pairs[by], similarity[by]
    one, two = (needs(settings)[(ranks[end] >> np.uint64(56)).astype(np.int64)] for end in split(pairs))
    return decided, pairs[similarity >= np.maximum(one, two)]


def _among(values: np.ndarray, ordered: np.ndarray) -> np.ndarray:
    """Whether each value stands in a sorted array."""
    place = np.searchsorted(ordered, values)
    place[place == len(ordered)] = 0
    return ordered[place] == values if len(ordered) else np.zeros(len(values), bool)


def _summary(plan: Path, decided: np.ndarray, verified: np.ndarray, settings: Duplicates) -> dict[str, Any]:
    """How large clusters are, how far apart, and what chaining would have dropped besides."""
    twins, sizes = stars(decided)
    largest = []
    for twin, size in zip(twins[:LISTED], sizes, strict=False):
        mine = decided[(decided["twin"] == twin) & (decided["why"] >= EXACT)]
        near = mine[mine["why"] == NEAR]["text"].astype(np.int64)[: COMPARED - 1]
        least = 1.0
        if len(near):
            held = np.sort(np.append(near, twin))
            ends = held[list(farthest(neighbours.sketches(plan, held)))]
            pair = packed(*np.split(ends, 2))
            least = float(neighbours.near(plan, pair, settings.shingle, 0.0, 0)["similarity"][0])
        largest.append(
            {
                "twin": int(twin),
                "drops": int(size),
                "near": int((mine["why"] == NEAR).sum()),
                "least_similarity_to_twin": round(float(mine["similarity"].min()), 4),
                "similarity_of_farthest_two": round(least, 4),
            }
        )
    one, two = split(verified)
    known, seat = np.unique(np.concatenate([one, two]), return_inverse=True)
    chained = buckets.components(seat[: len(one)], seat[len(one) :], len(known))
    near = decided["text"][decided["why"] == NEAR]
    return {
        "number": len(twins),
        "sizes": {name: int(((sizes + 1 >= low) & (sizes + 1 < high)).sum()) for name, low, high in SIZES},
        "chaining_would_drop": len(known) - len(np.unique(chained)) - int(np.isin(known, near).sum()),
        "largest": largest,
    }


@dataclass(frozen=True)
class Tangle:
    """Everything that may not stay as it is: sorted texts with their places in the tangle.

    `alike` gives the distinct text of each (as an index into `distinct`), `group` its publication
    or -1, `needs` the Jaccard that makes it a near copy, `short` whether it is an abstract or a
    title, `sequence` the total order.
    """

    texts: np.ndarray
    distinct: np.ndarray
    alike: np.ndarray
    group: np.ndarray
    needs: np.ndarray
    short: np.ndarray
    sequence: np.ndarray


def tangle(
    copies: np.ndarray,
    pairs: np.ndarray,
    grouped: tuple[np.ndarray, np.ndarray],
    ranks: np.ndarray,
    needs: np.ndarray,
    first_short: int,
    ids: Callable[[np.ndarray], pa.Array],
) -> Tangle:
    """Gathers the texts of copies (COPIES), near pairs and publications, and puts them in order.

    `grouped` are texts and their publications; `ids` reads the ids of sorted texts, and is asked
    only for those whose place depends on it. `needs` gives the threshold of each of 256 kinds;
    kinds from `first_short` on are abstracts and titles.
    """
    left, right = split(pairs)
    texts = np.unique(np.concatenate([copies["text"], copies["first"], left, right, grouped[0]]).astype(np.int64))
    first = texts.copy()
    first[np.searchsorted(texts, copies["text"])] = copies["first"]
    distinct, alike = np.unique(first, return_inverse=True)
    group = np.full(len(texts), -1, np.int64)
    names, number = np.unique(grouped[1], return_inverse=True)
    group[np.searchsorted(texts, grouped[0])] = number
    rank = np.asarray(ranks[texts])
    head = np.full(len(names), -1, np.int64)
    members = np.flatnonzero(group >= 0)
    head[group[members[::-1]]] = members[::-1]
    one = np.concatenate([np.arange(len(texts)), np.searchsorted(texts, left), members])
    two = np.concatenate([np.searchsorted(texts, first), np.searchsorted(texts, right), head[group[members]]])
    cluster = buckets.components(one, two, len(texts))
    by = np.lexsort((rank, cluster))
    tied = np.zeros(len(texts), bool)
    same = (cluster[by[1:]] == cluster[by[:-1]]) & (rank[by[1:]] == rank[by[:-1]])
    tied[by[1:][same]] = True
    tied[by[:-1][same]] = True
    tie = np.zeros(len(texts), np.int64)
    asked = np.flatnonzero(tied)
    if len(asked):
        in_order = numbers(pc.array_sort_indices(ids(texts[asked])))
        tie[asked[in_order]] = np.arange(len(asked))
    kind = (rank >> np.uint64(56)).astype(np.int64)
    short = (kind >= first_short) & (kind < first_short + 2)
    return Tangle(texts, distinct, alike, group, needs[kind], short, np.lexsort((tie, rank)))


def split(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two texts of packed pairs, int64."""
    return (pairs >> np.uint64(32)).astype(np.int64), (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)


def packed(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Pairs of texts as smaller << 32 | larger, uint64, sorted, each once."""
    one, two = one.astype(np.uint64), two.astype(np.uint64)
    return np.unique((np.minimum(one, two) << np.uint64(32)) | np.maximum(one, two))


def settle(tangle: Tangle, pairs: np.ndarray, similarity: np.ndarray, planted: int) -> tuple[np.ndarray, np.ndarray]:
    """What goes (DECIDED, sorted by text), and pairs that are worth verifying because of it.

    `pairs` are verified. Where a text goes, those that are near it and stay were perhaps never
    compared with one another: the best of them is paired with the rest. Texts from number
    `planted` on are a certificate's and bring nobody together.
    """
    left, right = split(pairs)
    one, two = np.searchsorted(tangle.distinct, left), np.searchsorted(tangle.distinct, right)
    source, target = np.concatenate([one, two]), np.concatenate([two, one])
    by = np.lexsort((target, source))
    source, target = source[by], target[by]
    edges = np.searchsorted(source, np.arange(len(tangle.distinct) + 1))
    alike = np.concatenate([similarity, similarity])[by]
    why, twin, similar = buckets.settle(
        tangle.sequence, tangle.alike, tangle.group, tangle.short, tangle.needs, edges, target, alike
    )
    goes = np.flatnonzero(why)
    decided = np.zeros(len(goes), DECIDED)
    decided["text"], decided["why"] = tangle.texts[goes], why[goes]
    decided["twin"], decided["similarity"] = tangle.texts[twin[goes]], similar[goes]
    turn = np.empty(len(tangle.texts), np.int64)
    turn[tangle.sequence] = np.arange(len(turn))
    stays = np.full(len(tangle.distinct), len(turn), np.int64)  # turn of the document that stays for a text
    kept = np.flatnonzero(why == 0)
    stays[tangle.alike[kept]] = turn[kept]
    open_ends = (stays[source] < len(turn)) & (stays[target] == len(turn)) & (tangle.distinct[target] < planted)
    near, gone = source[open_ends], target[open_ends]
    by = np.lexsort((stays[near], gone))
    near, gone = near[by], gone[by]
    heads = np.concatenate([[True], gone[1:] != gone[:-1]]) if len(gone) else np.zeros(0, bool)
    best = near[np.flatnonzero(heads)[np.cumsum(heads) - 1]] if len(gone) else near
    return decided, packed(tangle.distinct[best[~heads]], tangle.distinct[near[~heads]])


def stars(decided: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Texts that stay for copies or near copies, the largest clusters first, and how many go for each."""
    twins, sizes = np.unique(decided["twin"][decided["why"] >= EXACT], return_counts=True)
    by = np.lexsort((twins, -sizes))
    return twins[by].astype(np.int64), sizes[by]


def farthest(sketch: np.ndarray) -> tuple[int, int]:
    """The two of some texts whose sketches (uint8 [n, m]) agree least."""
    agree = [(sketch[place] == sketch[place + 1 :]).sum(axis=1) for place in range(len(sketch) - 1)]
    one = int(np.argmin([row.min() for row in agree]))
    return one, one + 1 + int(np.argmin(agree[one]))
