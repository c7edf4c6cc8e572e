"""The road from signatures to verdicts, phase by phase; each leaves files, and finds those it left."""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from corpus.files import BadInput, writing
from pipelines import buckets, certificate, clusters, families, identity, neighbours, verdicts
from pipelines.columns import batches, building, mapped, save
from pipelines.dedup import SHORT, Duplicates, Part, Run, Summary
from pipelines.neighbours import Place

DEVIATIONS = 3.5  # of a sketch's agreement: one pair of 4,300 lies farther below its true Jaccard
PAIRS_AT_ONCE = 1 << 20  # verified by one task, so that small budgets and many workers both have work
LEAST_PLANTED = 20  # a smaller sample says nothing
LISTED = 10  # clusters that a summary names
COMPARED = 200  # members of a listed cluster whose spread is estimated
NOBODY = np.uint64(0xFFFFFFFFFFFFFFFF)  # the order of planted copies: after everybody


class Resolution:
    """One run of the road. `share` is how many bytes one task may hold in arrays."""

    def __init__(self, folder: Path, settings: Duplicates, run: Run, share: int) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.settings = settings
        self.run = run
        self.share = share
        self.plan = self.work / "plan.json"
        self.chosen = np.zeros(0, np.int64)  # texts that planted copies were made of
        self.places: tuple[Place, ...] = ()
        self.texts = 0

    def resolve(self, parts: Sequence[Part], signatures: Sequence[Path]) -> Summary:
        self.work.mkdir(parents=True, exist_ok=True)
        self.place(parts, signatures)
        if not self.places:
            return {"documents": 0, "sifted": 0, "kept": 0, "reasons": {}}
        grouped = self.identity()
        plays, order = self.in_play()
        copies = self.copies(plays, order)
        pairs = self.candidates(copies, plays, order)
        decided, verified = self.settle(copies, pairs, grouped)
        real = decided[decided["text"] < self.texts]
        self.guard(real)
        related = self.families(copies, verified, real)
        return {
            **self.verdicts(real),
            "families": related,
            "clusters": self.clusters(real, verified),
            "certificate": self.certificate(decided),
        }

    # -- identity ----------------------------------------------------------------------------

    def place(self, parts: Sequence[Part], signatures: Sequence[Path]) -> None:
        """Puts the parts in order (source, file, key), with their facts and numbers."""
        facts = [self.work / f"{part.key}.facts.arrow" for part in parts]
        jobs = [(part.ledger, path, self.settings.kinds) for part, path in zip(parts, facts, strict=True)]
        known = self.run(_facts, jobs, "facts")
        ordered = sorted(zip(known, parts, signatures, facts, strict=True), key=lambda one: (one[0][:2], one[1].key))
        places: list[Place] = []
        row = text = 0
        for (source, _, rows, kept), part, signature, path in ordered:
            self.check(part, signature, kept)
            paths = (str(part.shard), str(part.ledger), str(signature), str(path))
            places.append(Place(part.key, source, *paths, row, rows, text, kept))
            row, text = row + rows, text + kept
        assert text + self.settings.planted < 1 << 32, "texts are numbered in 32 bits"
        if len({place.key for place in places}) < len(places):
            raise ValueError("two parts have the same key; a part is given once")
        neighbours.write_plan(self.plan, places)
        self.places, self.texts = tuple(places), text

    def check(self, part: Part, signature: Path, kept: int) -> None:
        """Raises BadInput when a signature file is not of its part and these settings."""
        reader = mapped(signature)
        recipe = (reader.schema.metadata or {}).get(b"recipe", b"").decode()
        rows = sum(reader.get_batch(number).num_rows for number in range(reader.num_record_batches))
        if recipe != self.settings.signature or rows != kept:
            raise BadInput(
                f"{signature}: {rows} signatures by {recipe or 'an unknown recipe'}, expected {kept} by "
                f"{self.settings.signature} for {part.shard}; delete it and build again"
            )

    def identity(self) -> tuple[np.ndarray, np.ndarray]:
        """Writes why rows are out of play; returns rows of shared publications, and these."""
        rows = self.places[-1].row + self.places[-1].rows
        out_of_play = np.zeros(rows, np.uint8)
        for out in self.ranged(_revisions, "revisions", rows * 100, (self.plan,)):
            losers = np.load(out)
            out_of_play[losers["row"]] = losers["why"]
        save(self.work / "losers.npy", out_of_play)
        edges = self.ranged(_joins, "publications", rows * 90, (self.plan, self.work / "losers.npy"))
        files = [(Path(place.facts), place.row) for place in self.places]
        joins = np.concatenate([np.load(out) for out in edges])
        save(self.work / "joins.npy", joins)
        found, names = identity.publications(joins, files)
        because = identity.withdrawn(files, out_of_play, found, names)
        out_of_play[because[:, 0]] = identity.WITHDRAWN
        save(self.work / "out.npy", out_of_play)
        save(self.work / "because.npy", because)
        plays = out_of_play[found] == 0
        return found[plays], names[plays]

    def in_play(self) -> tuple[Path, Path]:
        """Writes which texts are in play (uint8) and their order without ids (uint64), with room for planted ones."""
        out_of_play = np.load(self.work / "out.npy", mmap_mode="r")
        room = self.texts + self.settings.planted
        paths = self.work / "plays.npy", self.work / "order.npy"
        with building(paths[0], np.uint8, room) as plays, building(paths[1], np.uint64, room) as order:
            for place in self.places:
                text = place.text
                counted = np.zeros(place.texts, np.uint64)
                for first, (words,) in batches(place.signature, ("words",)):
                    counted[first : first + len(words)] = words
                for first, (flags, kind, created) in batches(place.facts, ("flags", "kind", "created")):
                    kept = np.flatnonzero(flags & identity.KEPT)
                    there = slice(text, text + len(kept))
                    words = counted[text - place.text : text - place.text + len(kept)]
                    order[there] = (
                        (kind[kept].astype(np.uint64) << np.uint64(56))
                        | ((np.uint64(0xFFFFFF) - created[kept]) << np.uint64(32))
                        | (np.uint64(0xFFFFFFFF) - words)
                    )
                    # A text without words is nobody's copy.
                    plays[there] = (out_of_play[place.row + first + kept] == 0) & (words > 0)
                    text += len(kept)
            order[self.texts :] = NOBODY
        return paths

    # -- copies and near copies --------------------------------------------------------------

    def copies(self, plays: Path, order: Path) -> np.ndarray:
        """Exact copies, as COPIES sorted by text."""
        outs = self.ranged(neighbours.copies, "exact copies", self.texts * 100, (self.plan, plays, order))
        found = np.concatenate([np.load(out) for out in outs])
        return found[np.argsort(found["text"])]

    def candidates(self, copies: np.ndarray, plays: Path, order: Path) -> Path:
        """Pairs of distinct texts that are worth verifying: packed, sorted, each once."""
        playing = np.load(plays)
        playing[copies["text"]] = 0
        for place in self.places:  # a text of fewer words than a shingle is near nothing but its exact copies
            for first, (words,) in batches(place.signature, ("words",)):
                playing[place.text + first : place.text + first + len(words)] &= words >= self.settings.shingle
        self.plant(playing)
        distinct = self.work / "distinct.npy"
        save(distinct, playing)
        out = self.work / "pairs.u64"
        if out.exists():
            return out
        floor, sure = self.limits()
        bands, _ = self.settings.banding
        outs, jobs = [], []
        for band in range(bands):
            for low, high in self.cuts(len(playing) * 16):
                outs.append(self.work / f"band-{band:03d}-{low:05d}-{high:05d}.npy")
                jobs.append((self.plan, distinct, order, band, low, high, floor, sure, self.share, outs[-1]))
        self.run(neighbours.band_pairs, jobs, "bands")
        runs = [np.load(path, mmap_mode="r") for path in outs]
        with writing(out, 0o600) as partial, open(partial, "wb") as file:
            for low, high in self.cuts(sum(map(len, runs)) * 24):
                span = [
                    np.uint64(((edge * len(playing)) >> 16) + (edge >> 16)) << np.uint64(32) for edge in (low, high)
                ]
                whole = np.concatenate([one[slice(*np.searchsorted(one, span))] for one in runs])
                whole.sort()
                whole[np.concatenate([[True], whole[1:] != whole[:-1]])[: len(whole)]].tofile(file)
        for path in outs:
            path.unlink()
        return out

    def plant(self, playing: np.ndarray) -> None:
        """Adds the certificate's copies as a last part, in play."""
        chosen = certificate.sample(self.places, playing, self.settings.planted)
        if len(chosen) < LEAST_PLANTED:
            return
        layer, signature = self.work / "planted.arrow", self.work / "planted.signature.arrow"
        save(self.work / "chosen.npy", chosen)
        self.run(_plant, [(self.plan, self.work / "chosen.npy", layer, signature, self.settings)], "plant")
        last = self.places[-1]
        text = self.texts
        planted = Place("planted", "", str(layer), "", str(signature), "", last.row + last.rows, 0, text, len(chosen))
        self.plan = self.work / "plan-planted.json"
        neighbours.write_plan(self.plan, [*self.places, planted])
        self.chosen = chosen
        playing[text : text + len(chosen)] = 1

    def limits(self) -> tuple[int, int]:
        """Places in which sketches must agree to be verified, and from which one heads no bucket."""
        permuted, threshold = self.settings.permutations, self.settings.threshold
        margin = DEVIATIONS * math.sqrt(permuted * threshold * (1 - threshold))
        return max(1, math.floor(permuted * threshold - margin)), math.ceil(permuted * threshold + margin)

    def settle(
        self, copies: np.ndarray, pairs: Path, grouped: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Verifies pairs and settles everything; returns what goes (DECIDED) and the verified pairs."""
        tested = np.fromfile(pairs, np.uint64)
        texts = np.unique(np.concatenate(clusters.split(tested)))
        needed = self.work / "needed.npy"
        save(needed, texts)
        places = neighbours.read_plan(self.plan)
        number = {place.key: number for number, place in enumerate(places)}
        jobs = [
            (self.plan, number[place.key], needed, self.settings.shingle, self.work / f"{place.key}.shingles")
            for place, _ in neighbours.slices(places, texts)
        ]
        self.run(neighbours.shingle, jobs, "shingles")
        words = neighbours.words(self.plan, texts)
        ranks = np.load(self.work / "order.npy", mmap_mode="r")
        similarity = self.verify(pairs, needed, texts, words, 0)
        near = similarity >= self.settings.threshold
        tangle = clusters.tangle(
            copies,
            tested[near],
            self.members(grouped),
            ranks,
            self.needs(),
            self.settings.kinds.index(SHORT[0]),
            lambda asked: self.ids(asked, "ties"),
        )
        for turn in range(1, len(tested) + 2):
            near = similarity >= self.settings.threshold
            decided, wanted = clusters.settle(tangle, tested[near], similarity[near], self.texts)
            fresh = np.setdiff1d(wanted, tested, assume_unique=True)
            if not len(fresh):
                break
            more = self.work / f"pairs-{turn}.u64"
            with writing(more, 0o600) as partial:
                fresh.tofile(partial)
            similarity = np.concatenate([similarity, self.verify(more, needed, texts, words, turn)])
            tested = np.concatenate([tested, fresh])
            by = np.argsort(tested)
            tested, similarity = tested[by], similarity[by]
        kinds = [(ranks[texts] >> np.uint64(56)).astype(np.int64) for texts in clusters.split(tested)]
        needs = np.maximum(*(self.needs()[kind] for kind in kinds))
        return decided, tested[similarity >= needs]

    def needs(self) -> np.ndarray:
        """The threshold of every kind, float64 [256]."""
        settings = self.settings
        found = np.full(256, settings.threshold)
        for kind in settings.templated:
            found[settings.kinds.index(kind)] = settings.templated_threshold
        return found

    def members(self, grouped: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Of rows in publications: the texts that were kept, and their publications."""
        texts = self.texts_of(grouped[0])
        return texts[texts >= 0], grouped[1][texts >= 0]

    def texts_of(self, rows: np.ndarray) -> np.ndarray:
        """The texts of sorted rows, -1 for those that were not kept."""
        texts = np.full(len(rows), -1, np.int64)
        for place in self.places:
            low, high = np.searchsorted(rows, (place.row, place.row + place.rows))
            if low == high:
                continue
            kept = np.zeros(place.rows, bool)
            for first, (flags,) in batches(place.facts, ("flags",)):
                kept[first : first + len(flags)] = (flags & identity.KEPT) != 0
            mine = rows[low:high] - place.row
            texts[low:high] = np.where(kept[mine], place.text + np.cumsum(kept)[mine] - 1, -1)
        return texts

    def verify(self, pairs: Path, needed: Path, texts: np.ndarray, words: np.ndarray, turn: int) -> np.ndarray:
        """True Jaccard of every pair in a file, in its order."""
        one, two = clusters.split(np.fromfile(pairs, np.uint64))
        # Both shingle sets, at 8 bytes a shingle, and what numbers them.
        cost = np.cumsum(8 * (words[np.searchsorted(texts, one)] + words[np.searchsorted(texts, two)]) + 96)
        cuts = [0]
        while cuts[-1] < len(one):
            spent = cost[cuts[-1] - 1] if cuts[-1] else 0
            full = int(np.searchsorted(cost, spent + self.share, side="right"))
            cuts.append(min(max(full, cuts[-1] + 1), cuts[-1] + PAIRS_AT_ONCE, len(one)))
        outs = [self.work / f"similar-{turn}-{first:012d}-{last:012d}.npy" for first, last in pairwise(cuts)]
        jobs = [
            (self.plan, pairs, first, last, needed, self.work, out)
            for (first, last), out in zip(pairwise(cuts), outs, strict=True)
        ]
        self.run(neighbours.verify, jobs, "verify")
        return np.concatenate([np.load(out) for out in outs]) if outs else np.zeros(0)

    # -- what comes out ----------------------------------------------------------------------

    def ids(self, texts: np.ndarray, label: str) -> pa.Array:
        """The ids of sorted texts."""
        asked = self.work / f"{label}.npy"
        save(asked, texts)
        places = neighbours.read_plan(self.plan)
        number = {place.key: number for number, place in enumerate(places)}
        jobs = [
            (self.plan, number[place.key], asked, self.work / f"{place.key}.{label}.arrow")
            for place, _ in neighbours.slices(places, texts)
        ]
        self.run(verdicts.names, jobs, "ids")
        chunks = [chunk for *_, out in jobs for chunk in mapped(out).read_all().column("id").chunks]
        return pa.chunked_array(chunks, pa.string()).combine_chunks()

    def guard(self, decided: np.ndarray) -> None:
        """Raises BadInput when a source loses more than its share to near copies."""
        near = decided["text"][decided["why"] == clusters.NEAR]
        lost: dict[str, int] = {}
        read: dict[str, int] = {}
        for place in self.places:
            low, high = np.searchsorted(near, (place.text, place.text + place.texts))
            lost[place.source] = lost.get(place.source, 0) + int(high - low)
            read[place.source] = read.get(place.source, 0) + place.texts
        for source, count in sorted(lost.items()):
            if read[source] >= self.settings.wipeout_least and count > self.settings.wipeout * read[source]:
                mine = np.zeros(len(decided), bool)
                for place in self.places:
                    if place.source == source:
                        mine |= (decided["text"] >= place.text) & (decided["text"] < place.text + place.texts)
                twins, sizes = clusters.stars(decided[mine])
                told = ", ".join(f"{id} stands for {size}" for id, size in self.named(twins, sizes, "wiped"))
                raise BadInput(
                    f"{source}: {count} of {read[source]} documents are near copies of others, more than the share "
                    f"of {self.settings.wipeout:g} that Duplicates.wipeout allows. The largest clusters: {told}. "
                    "Look at them; if they are right, raise wipeout in the recipe; if a template makes them alike, "
                    "raise threshold or shingle"
                )

    def named(self, twins: np.ndarray, sizes: np.ndarray, label: str) -> list[tuple[str, int]]:
        """Ids and sizes of the first clusters."""
        twins, sizes = twins[:LISTED], sizes[:LISTED]
        by = np.argsort(twins)
        ids = dict(zip(twins[by].tolist(), self.ids(twins[by], label).to_pylist(), strict=True))
        return [(ids[int(twin)], int(size)) for twin, size in zip(twins, sizes, strict=True)]

    def clusters(self, decided: np.ndarray, verified: np.ndarray) -> dict[str, Any]:
        """How large clusters are, how far apart, and what chaining would have dropped besides."""
        twins, sizes = clusters.stars(decided)
        largest = []
        for (id, size), twin in zip(self.named(twins, sizes, "largest"), twins, strict=False):
            mine = decided[(decided["twin"] == twin) & (decided["why"] >= clusters.EXACT)]
            near = mine[mine["why"] == clusters.NEAR]["text"].astype(np.int64)[: COMPARED - 1]
            sketch = neighbours.sketches(self.plan, np.sort(np.append(near, twin)))
            largest.append(
                {
                    "twin": id,
                    "drops": size,
                    "near": int((mine["why"] == clusters.NEAR).sum()),
                    "least_similarity_to_twin": round(float(mine["similarity"].min()), 4),
                    "least_similarity_of_any_two": round(clusters.spread(sketch), 2),
                }
            )
        one, two = clusters.split(verified[(verified & np.uint64(0xFFFFFFFF)) < self.texts])
        known, seat = np.unique(np.concatenate([one, two]), return_inverse=True)
        chained = buckets.components(seat[: len(one)], seat[len(one) :], len(known))
        near = decided["text"][decided["why"] == clusters.NEAR]
        return {
            "number": len(twins),
            "sizes": {
                name: int(((sizes + 1 >= low) & (sizes + 1 < high)).sum())
                for name, low, high in (("2", 2, 3), ("3-9", 3, 10), ("10-99", 10, 100), ("100-", 100, 1 << 32))
            },
            "chaining_would_drop": len(known) - len(np.unique(chained)) - int(np.isin(known, near).sum()),
            "largest": largest,
        }

    def families(self, copies: np.ndarray, verified: np.ndarray, decided: np.ndarray) -> dict[str, int]:
        """Writes which documents that stay belong together; returns how many families, documents, the largest."""
        joins = np.load(self.work / "joins.npy", mmap_mode="r")
        nodes = []
        for end in ("one", "two"):
            rows, back = np.unique(joins[end], return_inverse=True)
            texts = self.texts_of(rows)
            nodes.append(np.where(texts < 0, self.texts + rows, texts)[back])
        one, two = clusters.split(verified[(verified & np.uint64(0xFFFFFFFF)) < self.texts])
        ranks = np.load(self.work / "order.npy", mmap_mode="r")
        templated = np.isin(np.arange(256), [self.settings.kinds.index(kind) for kind in self.settings.templated])
        chains = ~(templated[ranks[one] >> np.uint64(56)] | templated[ranks[two] >> np.uint64(56)])
        withdrawn = self.texts_of(np.load(self.work / "because.npy")[:, 0])
        texts, family = families.families(
            np.concatenate([copies["text"], one[chains], nodes[0]]).astype(np.int64),
            np.concatenate([copies["first"], two[chains], nodes[1]]).astype(np.int64),
            lambda nodes: (nodes < self.texts) & ~np.isin(nodes, decided["text"]) & ~np.isin(nodes, withdrawn),
        )
        names = families.named(family, self.ids(texts, "related"))
        save(self.work / "related.npy", texts)
        save(self.work / "family.npy", family)
        verdicts.save_names(self.work / "families.arrow", names)
        return {"number": len(names), "documents": len(texts), "largest": int(np.bincount(family).max(initial=0))}

    def certificate(self, decided: np.ndarray) -> dict[str, Any] | None:
        """What became of the planted copies; None when there were none."""
        if not len(self.chosen):
            return None
        mine = decided[decided["text"] >= self.texts]
        removed = np.zeros(len(self.chosen), bool)
        removed[mine["text"].astype(np.int64) - self.texts] = True
        pairs = np.stack([mine["text"], mine["twin"]], axis=1).astype(np.int64)
        settings = self.settings
        ((jaccard, shares, wrong),) = self.run(
            _judge, [(self.plan, self.work / "planted.arrow", self.chosen, pairs, settings)], "certificate"
        )
        ranks = np.load(self.work / "order.npy", mmap_mode="r")
        needs = self.needs()[(ranks[self.chosen] >> np.uint64(56)).astype(np.int64)]
        # Where the original went, a copy is held against a twin of it that is less alike.
        stays = ~np.isin(self.chosen, decided["text"])
        found = certificate.certificate(jaccard[stays], shares[stays], removed[stays], needs[stays], settings.banding)
        precision = round(1 - wrong / max(1, len(mine)), 4)
        return {**found, "planted": len(stays), "original_stays": int(stays.sum()), "precision": precision}

    def verdicts(self, decided: np.ndarray) -> Summary:
        """Writes a verdict per part and sums up."""
        save(self.work / "decided.npy", decided)
        twins = np.unique(decided["twin"]).astype(np.int64)
        ids = self.ids(twins, "twins")
        verdicts.save_names(self.work / "twins.arrow", ids)
        because = np.load(self.work / "because.npy")
        said = verdicts.row_ids(self.places, np.unique(because[:, 1]))
        jobs = []
        for number, place in enumerate(self.places):
            mine = because[slice(*np.searchsorted(because[:, 0], (place.row, place.row + place.rows)))]
            told = {int(row) - place.row: said[int(by)] for row, by in mine}
            jobs.append((self.plan, number, self.work, told, self.folder / f"{place.key}.verdict.arrow"))
        reasons: dict[str, int] = {}
        kept = 0
        for one in self.run(verdicts.verdict, jobs, "verdicts"):
            kept += one["kept"]
            for reason, count in one["reasons"].items():
                reasons[reason] = reasons.get(reason, 0) + count
        documents = sum(place.rows for place in self.places)
        return {"documents": documents, "sifted": self.texts, "kept": kept, "reasons": reasons}

    # -- cutting work ------------------------------------------------------------------------

    def cuts(self, bytes: int) -> Iterator[tuple[int, int]]:
        """Ranges of 16 bits, as many as keep `bytes` within the share of a task."""
        number = min(1 << 16, max(1, math.ceil(bytes / self.share)))
        return pairwise([(1 << 16) * place // number for place in range(number + 1)])

    def ranged(self, function: Callable[..., None], label: str, bytes: int, arguments: tuple[Any, ...]) -> list[Path]:
        """Runs function(*arguments, low, high, out) over ranges of hashes; returns the files it wrote."""
        name = label.replace(" ", "-")
        outs, jobs = [], []
        for low, high in self.cuts(bytes):
            outs.append(self.work / f"{name}-{low:05d}-{high:05d}.npy")
            jobs.append((*arguments, low, high, outs[-1]))
        self.run(function, jobs, label)
        return outs


# -- tasks -----------------------------------------------------------------------------------


def _facts(ledger: Path, out: Path, kinds: Sequence[str]) -> tuple[str, str, int, int]:
    """Source, file, rows and kept rows of a ledger whose facts stand in `out`."""
    if not out.exists():
        identity.facts(ledger, out, kinds)
    reader = mapped(ledger)
    source = file = ""
    for number in range(reader.num_record_batches):
        batch = reader.get_batch(number)
        if len(batch):
            source, file = batch.column("source")[0].as_py(), batch.column("file")[0].as_py()
            break
    rows = kept = 0
    for _, (flags,) in batches(out, ("flags",)):
        rows += len(flags)
        kept += int(np.count_nonzero(flags & identity.KEPT))
    return source, file, rows, kept


def _files(plan: Path) -> list[tuple[Path, int]]:
    return [(Path(place.facts), place.row) for place in neighbours.read_plan(plan)]


def _revisions(plan: Path, low: int, high: int, out: Path) -> None:
    if not out.exists():
        identity.revisions(_files(plan), low, high, out)


def _joins(plan: Path, losers: Path, low: int, high: int, out: Path) -> None:
    if not out.exists():
        identity.joins(_files(plan), losers, low, high, out)


def _plant(plan: Path, chosen: Path, layer: Path, signature: Path, settings: Duplicates) -> None:
    certificate.plant(plan, chosen, settings.shingle, layer)
    if not signature.exists():
        bands, rows = settings.banding
        neighbours.sign(layer, signature, settings.shingle, settings.permutations, bands, rows, settings.signature)


def _judge(
    plan: Path, layer: Path, chosen: np.ndarray, pairs: np.ndarray, settings: Duplicates
) -> tuple[np.ndarray, np.ndarray, int]:
    """True Jaccard of every planted copy, whether it shares a band, and how many twins are wrong."""
    places = neighbours.read_plan(plan)
    jaccard = np.load(layer.with_name(layer.name + ".npy"))
    shares = certificate.banded(places[:-1], chosen, Path(places[-1].signature), settings.banding[0])
    return jaccard, shares, certificate.wrong(plan, pairs, settings.shingle, settings.threshold)
