"""Kernels over signatures and decisions: buckets of equal keys, pairs in them, components, who stays."""

import numpy as np
from numba import uint64

from corpus.kernel import kernel


@kernel
def pack_keys(keys, playing, first, low, high, out, count):  # type: ignore[no-untyped-def]
    """Appends key << 32 | text to out[count:], for texts first.. in play with keys in [low, high)."""
    for row in range(len(keys)):
        key = keys[row]
        out[count] = (uint64(key) << uint64(32)) | uint64(first + row)
        count += int((playing[row] != 0) & (key >= low) & (key < high))
    return count


@kernel
def buckets(keyed, limit):  # type: ignore[no-untyped-def]
    """Of sorted key << 32 | text: the texts whose key is not alone, and the edges of their buckets.

    A bucket ends after `limit` texts, and another begins.
    """
    texts = np.empty(len(keyed), np.int64)
    edges = np.empty(len(keyed) + 1, np.int64)
    count = found = 0
    edges[0] = 0
    start = 0
    while start < len(keyed):
        key = keyed[start] >> uint64(32)
        stop = start + 1
        while stop < len(keyed) and stop - start < limit and keyed[stop] >> uint64(32) == key:
            stop += 1
        if stop - start > 1:
            for place in range(start, stop):
                texts[count] = int(keyed[place] & uint64(0xFFFFFFFF))
                count += 1
            found += 1
            edges[found] = count
        start = stop
    return texts[:count], edges[: found + 1]


@kernel
def best_first(edges, members, ranks):  # type: ignore[no-untyped-def]
    """Sorts the members of every bucket by rank and then by number, in place (Shell's sort, Knuth's gaps)."""
    for bucket in range(len(edges) - 1):
        first, last = edges[bucket], edges[bucket + 1]
        gap = 1
        while 3 * gap < last - first:
            gap = 3 * gap + 1
        while gap >= 1:
            for place in range(first + gap, last):
                member = members[place]
                rank = ranks[member]
                hole = place
                while hole - gap >= first:
                    other = members[hole - gap]
                    if ranks[other] < rank or (ranks[other] == rank and other < member):
                        break
                    members[hole] = other
                    hole -= gap
                members[hole] = member
            gap //= 3


@kernel
def agreement(sketch, one, two):  # type: ignore[no-untyped-def]
    """In how many places rows `one` and `two` are equal."""
    same = 0
    for place in range(sketch.shape[1]):
        same += sketch[one, place] == sketch[two, place]
    return same


@kernel
def bucket_pairs(edges, members, sketch, floor, sure, heads):  # type: ignore[no-untyped-def]
    """Pairs worth verifying in buckets, as left << 32 | right (rows of `sketch`), uint64 [pairs].

    Bucket i holds members[edges[i]:edges[i + 1]], best first. Every member is compared with the
    heads of its bucket: those before it that look like none of their own heads. Pairs that agree
    in `floor` places come out; from `sure` places on the later one is no head itself. A bucket has
    at most `heads` heads, so the work is linear in its size.
    """
    out = np.empty(1024, np.uint64)
    total = 0
    chosen = np.empty(heads, np.int64)
    for bucket in range(len(edges) - 1):
        count = 0
        for place in range(edges[bucket], edges[bucket + 1]):
            member = int(members[place])
            alike = False
            for head in range(count):
                same = agreement(sketch, chosen[head], member)
                if same >= floor:
                    if total == len(out):
                        wider = np.empty(2 * total, np.uint64)
                        for old in range(total):
                            wider[old] = out[old]
                        out = wider
                    out[total] = (uint64(chosen[head]) << uint64(32)) | uint64(member)
                    total += 1
                    alike = alike or same >= sure
            if not alike and count < heads:
                chosen[count] = member
                count += 1
    return out[:total]


@kernel
def join(parent, one, two):  # type: ignore[no-untyped-def]
    """Joins nodes by edges (one[i], two[i]): a forest in which parents are smaller than their children."""
    for edge in range(len(one)):
        left, right = one[edge], two[edge]
        while parent[left] != left:
            parent[left] = parent[parent[left]]
            left = parent[left]
        while parent[right] != right:
            parent[right] = parent[parent[right]]
            right = parent[right]
        if left < right:
            parent[right] = left
        else:
            parent[left] = right


@kernel
def flatten(parent):  # type: ignore[no-untyped-def]
    """Makes every node's parent the smallest node that it is joined with."""
    for node in range(len(parent)):
        parent[node] = parent[parent[node]]  # parents come first, so theirs are final


def components(one: np.ndarray, two: np.ndarray, count: int) -> np.ndarray:
    """The smallest node that each of `count` nodes is joined with by edges (one[i], two[i]), int64."""
    parent = np.arange(count, dtype=np.uint32)
    join(parent, one.astype(np.uint32), two.astype(np.uint32))
    flatten(parent)
    return parent.astype(np.int64)


@kernel
def settle(sequence, text_of, group_of, short, needs, edges, near, alike):  # type: ignore[no-untyped-def]
    """Decides every document in turn, best first: it stays unless something that stays stands for it.

    `sequence` are documents in their total order; `text_of` their distinct text, `group_of` their
    publication or -1, `short` whether they are an abstract or a title, `needs` the Jaccard that
    makes them a near copy. Text t is near near[edges[t]:edges[t + 1]], verified, with Jaccard
    `alike`. Returns why (0 stays, 1 full text,
    2 publication, 3 exact, 4 near), the document that stands for it (-1) and the Jaccard (nan).
    """
    count = len(sequence)
    why = np.zeros(count, np.uint8)
    twin = np.full(count, -1, np.int64)
    similarity = np.full(count, np.nan)
    of_text = np.full(len(edges) - 1, -1, np.int64)
    of_group = np.full(count, -1, np.int64)
    turn = np.empty(count, np.int64)
    for place in range(count):
        turn[sequence[place]] = place
    for place in range(count):
        document = sequence[place]
        text, group = text_of[document], group_of[document]
        if group >= 0 and of_group[group] >= 0:
            twin[document] = of_group[group]
            why[document] = 1 if short[document] and not short[of_group[group]] else 2
            continue
        if of_text[text] >= 0:
            twin[document] = of_text[text]
            similarity[document] = 1.0
            why[document] = 3
            continue
        best = -1
        for edge in range(edges[text], edges[text + 1]):
            other = of_text[near[edge]]
            if other < 0 or alike[edge] < max(needs[document], needs[other]):
                continue
            if best < 0 or turn[other] < turn[best]:
                best = other
                similarity[document] = alike[edge]
        if best >= 0:
            twin[document] = best
            why[document] = 4
            continue
        of_text[text] = document
        if group >= 0:
            of_group[group] = document
    return why, twin, similarity
