"""The mix: how often and where every document stands, so that the ratio holds by tokens everywhere.

A group's budget is its share of the whole. Its documents stand in an order drawn by hash, as often
as needed to fill the budget: pass after pass in the same order, so that a document and its
repetition are a whole pass apart. The stream consists of rows: documents, and pieces of long ones. A
row whose middle lies at token x of the B that a group gives gets the time x / B; the stream is all
groups' rows by time. At any time t every group has given t of its budget, give or take half a row,
so the ratio holds in the build, in every prefix and (cut at equal times) in every shard, for any
sizes of documents and without luck. Sources with shares of their own are merged in the same way
into their group, before the groups are merged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.progress import amount


@dataclass(frozen=True)
class Strand:
    """Documents that share one budget: a group, or one source of a group with fixed shares.

    `sources` -> (tokens there are, how often a document may stand).
    """

    group: str
    share: float  # of the whole build
    sources: Mapping[str, tuple[int, int]]

    @property
    def there(self) -> int:
        return sum(tokens for tokens, _ in self.sources.values())

    @property
    def most(self) -> int:
        return sum(tokens * cap for tokens, cap in self.sources.values())


def strands(
    weights: Mapping[str, int],
    shares: Mapping[str, float],
    sources: Mapping[str, tuple[str, int, int]],
) -> list[Strand]:
    """The strands of a mix; `sources`: name -> (group, tokens there are, cap).

    Raises ValueError when only some sources of a group have a share.
    """
    found = []
    whole = sum(weights.values())
    for group, weight in weights.items():
        members = {name: (tokens, cap) for name, (of, tokens, cap) in sources.items() if of == group}
        shared = {name: shares[name] for name in members if name in shares}
        if not weight:
            continue
        if not shared:
            found.append(Strand(group, weight / whole, members))
            continue
        if set(shared) != set(members):
            raise ValueError(
                f"the recipe gives shares for {sorted(shared)} but not for {sorted(set(members) - set(shared))} "
                f"of the group {group!r}; give a share to each source of a group, or to none"
            )
        total = sum(shared.values())
        found += [
            Strand(group, weight / whole * shared[name] / total, {name: members[name]}) for name in sorted(members)
        ]
    return found


def largest(parts: Sequence[Strand]) -> int:
    """The largest build, in tokens, that the strands allow under their caps."""
    return min(int(part.most / part.share) for part in parts)


def told(parts: Sequence[Strand], tokens: int | None) -> list[str]:
    """The plan in words: what each strand needs and has, and the largest build."""
    budget = largest(parts) if tokens is None else tokens
    lines = []
    for part in parts:
        caps = sorted({cap for _, cap in part.sources.values()})
        passes = part.share * budget / part.there if part.there else float("inf")
        label = part.group if len(part.sources) != 1 else f"{part.group} ({next(iter(part.sources))})"
        lines.append(
            f"{label} needs {amount(part.share * budget)} tokens, {amount(part.there)} available, "
            f"cap {'/'.join(map(str, caps)) or '-'}: {amount(part.most)}"
            + (f" ({passes:.2f} passes)" if part.there else "")
        )
    return lines


def budget(parts: Sequence[Strand], tokens: int | None, asked: str) -> int:
    """The build's size in tokens: what was asked for, or as much as the scarcest strand allows.

    Raises ValueError, with the plan and what to change, when it cannot be met.
    """
    empty = [part for part in parts if not part.there]
    if empty:
        lacking = ", ".join(f"{part.group} ({', '.join(part.sources) or 'no source'})" for part in empty)
        raise ValueError(
            f"--mix {asked} cannot be met: no tokens in {lacking}. Add files of these sources, or give the group "
            "the weight 0; the ledger of the layers says why documents were dropped"
        )
    most = largest(parts)
    if tokens is None:
        return most
    if tokens > most:
        plan = "; ".join(told(parts, tokens))
        raise ValueError(
            f"--tokens {amount(tokens)} cannot be met: {plan}; the largest budget at {asked} is {amount(most)} "
            f"({most}). Ask for less, add files to the scarcest group, raise its cap in the recipe, or change --mix"
        )
    return tokens


def draw(tokens: np.ndarray, caps: np.ndarray, order: np.ndarray, size: float) -> np.ndarray:
    """Which documents fill `size` tokens, in their order: indices, int64 [draws].

    `tokens` int64 [n] > 0; `caps` [n]; `order` uint64 [n] orders them (ties by index). In the last pass a
    document that does not fit any more is left out for a later one that does, so that what is given
    misses `size` by at most half of the shortest document that was left.
    """
    row = np.argsort(order, kind="stable")
    chosen = [np.zeros(0, np.int64)]
    filled, turn = 0, 0
    while filled < size:
        again = row[caps[row] > turn]
        if not len(again):
            break
        ends = filled + np.cumsum(tokens[again])
        inside = int(np.searchsorted(ends, size, side="right"))
        chosen.append(again[:inside])
        if inside < len(again):
            left = size - (int(ends[inside - 1]) if inside else filled)
            chosen.append(_fitting(again[inside:], tokens, left))
            break
        filled, turn = int(ends[-1]), turn + 1
    return np.concatenate(chosen)


def _fitting(row: np.ndarray, tokens: np.ndarray, left: float) -> np.ndarray:
    """The first of these documents that fits into what is left, the next into what is then left, and so on."""
    sizes = tokens[row]
    taken: list[int] = []
    at = 0
    while at < len(row):
        fits = sizes[at:] <= left
        first = int(fits.argmax())
        if not fits[first]:
            break
        at += first + 1
        taken.append(at - 1)
        left -= int(sizes[at - 1])
    free = np.delete(np.arange(len(row)), taken)
    if len(free):
        shortest = int(free[sizes[free].argmin()])
        if sizes[shortest] / 2 < left:  # a little too much is nearer than too little
            taken.append(shortest)
    return row[taken]


def times(tokens: np.ndarray) -> np.ndarray:
    """When each row of a strand comes, in (0, 1): where its middle lies; `tokens` int64 [rows] > 0."""
    ends = np.cumsum(tokens)
    return (ends - tokens / 2) / ends[-1] if len(ends) else np.zeros(0)


def stream(times: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """All strands in one order: (strand [n] int, position within its strand's rows [n] int64)."""
    time = np.concatenate(times)
    strand = np.repeat(np.arange(len(times)), [len(t) for t in times])
    place = np.concatenate([np.arange(len(t)) for t in times])
    order = np.lexsort((place, strand, time))
    return strand[order], place[order]


def merged(parts: Sequence[np.ndarray], tokens: np.ndarray) -> np.ndarray:
    """Several strands' rows (indices into `tokens`) as one: each strand at its own even pace."""
    strand, place = stream([times(tokens[part]) for part in parts])
    starts = np.concatenate([[0], np.cumsum([len(part) for part in parts])])
    return np.concatenate(parts)[starts[strand] + place]


def cuts(time: np.ndarray, shards: int) -> np.ndarray:
    """Where each shard begins in the stream: int64 [shards + 1]; `time` is sorted, in [0, 1)."""
    edges = np.searchsorted(time, np.arange(shards) / shards)
    edges[0] = 0
    return np.append(edges, len(time)).astype(np.int64)


def deviation(tokens: np.ndarray, group: np.ndarray, shares: Sequence[float]) -> int:
    """The certificate of a stream: how far, in tokens, any group of any prefix is from its share.

    `tokens` int64 [n], `group` int [n] index into `shares`, in the order of the stream.
    """
    if not len(tokens):
        return 0
    total = np.cumsum(tokens)
    worst = 0.0
    for number, share in enumerate(shares):
        given = np.cumsum(np.where(group == number, tokens, 0))
        worst = max(worst, float(np.abs(given - share * total).max()))
    return int(np.ceil(worst))
