"""What a resolution hands over: the guard against wipe-outs, families, verdicts, certificate, summary."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from corpus.files import BadInput
from pipelines import certificate, clusters, families, runs, verdicts
from pipelines.clusters import LISTED
from pipelines.columns import blocks, building, save
from pipelines.neighbours import read_plan

if TYPE_CHECKING:
    from pipelines.dedup import Summary
    from pipelines.resolution import Resolution


def summary(road: "Resolution", found: list[dict[str, Any]]) -> "Summary":
    """Writes the verdicts; `found` is what is known of the clusters of every block."""
    stay(road)
    related = relatives(road)
    return {
        **written(road),
        "families": related,
        "clusters": together(road, found),
        "certificate": certified(road),
    }


def guard(road: "Resolution") -> None:
    """Raises BadInput when a source loses more than its share to near copies."""
    decided = runs.mapped(road.work / "decided.npy")
    lost: dict[str, int] = {}
    read: dict[str, int] = {}
    for place in road.places:
        mine = runs.between(decided, "text", place.text, place.text + place.texts)
        lost[place.source] = lost.get(place.source, 0) + int((mine["why"] == clusters.NEAR).sum())
        read[place.source] = read.get(place.source, 0) + place.texts
    for source, count in sorted(lost.items()):
        if read[source] >= road.settings.wipeout_least and count > road.settings.wipeout * read[source]:
            mine = np.concatenate(
                [
                    runs.between(decided, "text", place.text, place.text + place.texts)
                    for place in road.places
                    if place.source == source
                ]
            )
            twins, sizes = clusters.stars(mine)
            ids = _ids_of(road, twins[:LISTED])
            told = ", ".join(
                f"{ids[int(twin)]} stands for {size}" for twin, size in zip(twins, sizes[:LISTED], strict=False)
            )
            raise BadInput(
                f"{source}: {count} of {read[source]} documents are near copies of others, more than the share "
                f"of {road.settings.wipeout:g} that Duplicates.wipeout allows. The largest clusters: {told}. "
                "Look at them; if they are right, raise wipeout in the recipe; if a template makes them alike, "
                "raise threshold or shingle"
            )


def _ids_of(road: "Resolution", texts: np.ndarray) -> dict[int, str]:
    texts = np.sort(texts)
    return dict(zip(texts.tolist(), verdicts.ids(road.plan, texts).to_pylist(), strict=True))


def together(road: "Resolution", found: list[dict[str, Any]]) -> dict[str, Any]:
    """How large the clusters of all blocks are, how far apart, and what chaining would have dropped besides."""
    largest = sorted((one for block in found for one in block["largest"]), key=lambda one: (-one["drops"], one["twin"]))
    largest = largest[:LISTED]
    ids = _ids_of(road, np.array([one["twin"] for one in largest], np.int64))
    return {
        "number": sum(block["number"] for block in found),
        "sizes": {name: sum(block["sizes"][name] for block in found) for name, *_ in clusters.SIZES},
        "chaining_would_drop": sum(block["chaining_would_drop"] for block in found),
        "largest": [{**one, "twin": ids[one["twin"]]} for one in largest],
    }


def stay(road: "Resolution") -> None:
    """Writes which texts stay (uint8), the planted ones among them."""
    plays, decided = runs.mapped(road.work / "plays.npy"), runs.mapped(road.work / "decided.npy")
    with building(road.work / "stays.npy", np.uint8, len(plays)) as stays:
        stays[:] = plays
        stays[road.texts : road.texts + len(road.chosen)] = 1
        for piece in runs.pieces(decided):
            stays[piece["text"]] = 0


def relatives(road: "Resolution") -> dict[str, int]:
    """Writes which documents that stay belong together; returns how many families, documents, the largest."""
    texts, work = road.texts, road.work
    joins = runs.mapped(work / "joins.npy")
    ranks = runs.mapped(work / "order.npy")
    settings = road.settings
    templated = np.isin(np.arange(256), [settings.kinds.index(kind) for kind in settings.templated])

    def edges() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for copies in runs.pieces(runs.mapped(work / "copies.npy")):
            yield copies["text"], copies["first"]
        for pairs in runs.pieces(runs.mapped(work / "alike.npy")):
            one, two = clusters.split(pairs)
            kinds = (ranks[end] >> np.uint64(56) for end in (one, two))
            chains = ~np.logical_or(*(templated[kind] for kind in kinds)) & (two < texts)
            yield one[chains], two[chains]
        for join in runs.pieces(joins):
            yield tuple(road.nodes_of(join[end]) for end in ("one", "two"))  # type: ignore[misc]

    runs.link(work / "kin.npy", texts + road.rows, edges())
    label, stays = runs.mapped(work / "kin.npy"), runs.mapped(work / "stays.npy")
    found = [np.zeros(0, np.int64)]
    for first in range(0, texts, runs.PIECE):
        last = min(texts, first + runs.PIECE)
        joined = label[first:last] != np.arange(first, last, dtype=np.uint32)
        found.append(first + np.flatnonzero(joined & (stays[first:last] != 0)))
    others = np.concatenate(found)
    heads = np.unique(label[others])
    mine = np.union1d(others, heads[stays[heads] != 0])
    kin, names = families.families(mine, label[mine], lambda asked: verdicts.ids(road.plan, asked))
    save(work / "related.npy", kin)
    verdicts.save_names(work / "families.arrow", [names])
    sizes = np.bincount(kin["family"])
    return {"number": len(names), "documents": len(kin), "largest": int(sizes.max(initial=0))}


def certified(road: "Resolution") -> dict[str, Any] | None:
    """What became of the planted copies; None when there were none."""
    chosen = road.chosen
    if not len(chosen):
        return None
    decided = runs.mapped(road.work / "decided.npy")
    mine = runs.between(decided, "text", road.texts, road.texts + len(chosen))
    stays = runs.mapped(road.work / "stays.npy")
    removed = stays[road.texts : road.texts + len(chosen)] == 0
    pairs = np.stack([mine["text"], mine["twin"]], axis=1).astype(np.int64)
    settings = road.settings
    planted = road.work / "planted.signature.arrow"
    jaccard = np.load(planted.with_name(planted.name + ".npy"))
    shares = certificate.banded(road.places, chosen, planted, settings.banding[0])
    wrong = certificate.wrong(road.plan, pairs, settings.shingle, settings.threshold)
    ranks = runs.mapped(road.work / "order.npy")
    needs = clusters.needs(settings)[(ranks[chosen] >> np.uint64(56)).astype(np.int64)]
    # Where the original went, a copy is held against a twin of it that is less alike.
    there = stays[chosen] != 0
    found = certificate.certificate(jaccard[there], shares[there], removed[there], needs[there], settings.banding)
    precision = round(1 - wrong / max(1, len(mine)), 4)
    return {**found, "planted": len(chosen), "original_stays": int(there.sum()), "precision": precision}


def written(road: "Resolution") -> "Summary":
    """Writes a verdict per part and sums up."""
    work = road.work
    decided = runs.mapped(work / "decided.npy")
    with building(work / "named.npy", np.uint8, road.texts + road.settings.planted) as flags:
        for piece in runs.pieces(decided):
            flags[piece["twin"]] = 1
    twins = [np.zeros(0, np.int64)]
    for first in range(0, len(flags), runs.PIECE):
        twins.append(first + np.flatnonzero(flags[first : first + runs.PIECE]))
    save(work / "twins.npy", np.concatenate(twins).astype(np.uint32))
    places = read_plan(road.plan)
    outs = [work / f"{place.key}.twins.arrow" for place in places]
    jobs = [(road.plan, number, work / "twins.npy", out) for number, out in enumerate(outs)]
    road.run(verdicts.names, jobs, "ids")
    verdicts.save_names(work / "twins.arrow", (batch for out in outs for _, batch in blocks(out)))
    because = np.load(work / "because.npy")
    said = verdicts.row_ids(road.places, np.unique(because[:, 1]))
    jobs = []
    for number, place in enumerate(road.places):
        mine = because[slice(*np.searchsorted(because[:, 0], (place.row, place.row + place.rows)))]
        told = {int(row) - place.row: said[int(by)] for row, by in mine}
        jobs.append((road.plan, number, work, told, road.folder / f"{place.key}.verdict.arrow"))
    reasons: dict[str, int] = {}
    kept = 0
    for one in road.run(verdicts.verdict, jobs, "verdicts"):
        kept += one["kept"]
        for reason, count in one["reasons"].items():
            reasons[reason] = reasons.get(reason, 0) + count
    return {"documents": road.rows, "sifted": road.texts, "kept": kept, "reasons": reasons}
