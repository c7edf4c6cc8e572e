"""The road from signatures to verdicts, phase by phase; each leaves files, and finds those it left."""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from corpus.files import BadInput, writing
from pipelines import certificate, clusters, identity, neighbours, outcome, runs
from pipelines.columns import batches, building, mapped, save
from pipelines.dedup import Duplicates, Part, Run, Summary
from pipelines.neighbours import Place

DEVIATIONS = 3.5  # of a sketch's agreement: one pair of 4,300 lies farther below its true Jaccard
PAIRS_AT_ONCE = 1 << 18  # verified by one task, so that many workers have work
BLOCK = 128 << 20  # bytes that one task settles at most, for the same reason
PAIR = 128  # bytes that verifying takes for a pair, besides its shingles
JOIN = 200  # bytes that telling publications apart takes for everything that joins two rows, at most
LEAST_PLANTED = 20  # a smaller sample says nothing
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
        self.texts = self.rows = 0

    def resolve(self, parts: Sequence[Part], signatures: Sequence[Path]) -> Summary:
        self.work.mkdir(parents=True, exist_ok=True)
        self.place(parts, signatures)
        if not self.places:
            return {"documents": 0, "sifted": 0, "kept": 0, "reasons": {}}
        self.identity()
        plays, order = self.in_play()
        self.copies(plays, order)
        pairs = self.candidates(plays, order)
        self.verify(pairs)
        self.link()
        found = self.settle()
        outcome.guard(self)
        return outcome.summary(self, found)

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
            paths = (str(part.ledger), str(signature), str(path))
            places.append(Place(part.key, source, *paths, row, rows, text, kept))
            row, text = row + rows, text + kept
        assert text + row < 1 << 32, "texts and rows are numbered in 32 bits"
        if len({place.key for place in places}) < len(places):
            raise ValueError("two parts have the same key; a part is given once")
        neighbours.write_plan(self.plan, places)
        self.places, self.texts, self.rows = tuple(places), text, row

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

    def identity(self) -> None:
        """Writes why rows are out of play, and which kept texts share their publication with another (MEMBERS)."""
        rows, work = self.rows, self.work
        files = [(Path(place.facts), place.row) for place in self.places]
        with building(work / "losers.npy", np.uint8, rows) as out_of_play:
            for out in self.ranged(_revisions, "revisions", rows * 100, (self.plan,)):
                losers = runs.mapped(out)
                out_of_play[losers["row"]] = losers["why"]
        outs = self.ranged(_joins, "joins", rows * 90, (self.plan, work / "losers.npy"))
        runs.chain(work / "joins.npy", identity.JOINS, [runs.mapped(out) for out in outs])
        joins = runs.mapped(work / "joins.npy")
        runs.link(work / "rows.npy", rows, ((piece["one"], piece["two"]) for piece in runs.pieces(joins)))
        edges = self.blocks(runs.mapped(work / "rows.npy"), [(joins, lambda piece: piece["one"])], JOIN)
        outs = [work / f"publications-{low:010d}-{high:010d}.npy" for low, high in pairwise(edges)]
        jobs = [(self.plan, work, *edge, out) for edge, out in zip(pairwise(edges), outs, strict=True)]
        self.run(_publications, jobs, "publications")
        said = identity.retracted(files, runs.mapped(work / "losers.npy"))
        found = [identity.withdrawn(said, runs.mapped(out)) for out in outs]
        because = np.concatenate([*found, np.stack([said, said], axis=1)])
        # A row that says so itself stands behind its publication's first.
        because = because[np.unique(because[:, 0], return_index=True)[1]]
        save(work / "because.npy", because)
        with building(work / "out.npy", np.uint8, rows) as out_of_play:
            out_of_play[:] = runs.mapped(work / "losers.npy")
            out_of_play[because[:, 0]] = identity.WITHDRAWN
        members = [self.members(runs.mapped(out)) for out in outs]
        runs.chain(work / "members.npy", clusters.MEMBERS, members)

    def members(self, publications: np.ndarray) -> np.ndarray:
        """MEMBERS: the kept texts in play of some PUBLICATIONS."""
        mine = publications[runs.mapped(self.work / "out.npy")[publications["row"]] == 0]
        texts = self.texts_of(mine["row"])
        found = np.empty(int((texts >= 0).sum()), clusters.MEMBERS)
        found["text"], found["name"] = texts[texts >= 0], mine["name"][texts >= 0]
        return found[np.argsort(found["name"], kind="stable")]

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

    def nodes_of(self, rows: np.ndarray) -> np.ndarray:
        """The texts of rows, or numbers after all texts for those that were not kept."""
        known, back = np.unique(rows, return_inverse=True)
        texts = self.texts_of(known)
        return np.where(texts < 0, self.texts + known, texts)[back]

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

    def copies(self, plays: Path, order: Path) -> None:
        """Writes exact copies, as COPIES sorted by text."""
        outs = self.ranged(neighbours.copies, "exact copies", self.texts * 100, (self.plan, plays, order))
        runs.merge(self.work / "copies.npy", [runs.mapped(out) for out in outs], "text", self.texts, self.share)

    def candidates(self, plays: Path, order: Path) -> Path:
        """Writes the pairs of distinct texts that are worth verifying: packed, sorted, each once."""
        distinct, out = self.work / "distinct.npy", self.work / "pairs.u64"
        with building(distinct, np.uint8, self.texts + self.settings.planted) as playing:
            playing[:] = runs.mapped(plays)
            for copies in runs.pieces(runs.mapped(self.work / "copies.npy")):
                playing[copies["text"]] = 0
            for place in self.places:  # a text of fewer words than a shingle is near nothing but its exact copies
                for first, (words,) in batches(place.signature, ("words",)):
                    playing[place.text + first : place.text + first + len(words)] &= words >= self.settings.shingle
            self.plant(playing)
        if out.exists():
            return out
        texts = self.texts + self.settings.planted
        floor, sure = self.limits()
        bands, _ = self.settings.banding
        outs, jobs = [], []
        for band in range(bands):
            for low, high in self.cuts(texts * 16):
                outs.append(self.work / f"band-{band:03d}-{low:05d}-{high:05d}.npy")
                jobs.append((self.plan, distinct, order, band, low, high, floor, sure, self.share, outs[-1]))
        self.run(neighbours.band_pairs, jobs, "bands")
        found = [runs.mapped(path) for path in outs]
        with writing(out, 0o600) as partial, open(partial, "wb") as file:
            for low, high in self.cuts(sum(map(len, found)) * 24):
                span = [np.uint64(((edge * texts) >> 16) + (edge >> 16)) << np.uint64(32) for edge in (low, high)]
                whole = np.concatenate([one[slice(*np.searchsorted(one, span))] for one in found])
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
        signature = self.work / "planted.signature.arrow"
        save(self.work / "chosen.npy", chosen)
        settings = self.settings
        recipe = (settings.shingle, settings.permutations, *settings.banding, settings.signature)
        self.run(certificate.plant, [(self.plan, self.work / "chosen.npy", *recipe, signature)], "plant")
        last = self.places[-1]
        text = self.texts
        planted = Place("planted", "", "", str(signature), "", last.row + last.rows, 0, text, len(chosen))
        self.plan = self.work / "plan-planted.json"
        neighbours.write_plan(self.plan, [*self.places, planted])
        self.chosen = chosen
        playing[text : text + len(chosen)] = 1

    def limits(self) -> tuple[int, int]:
        """Places in which sketches must agree to be verified, and from which one heads no bucket."""
        permuted, threshold = self.settings.permutations, self.settings.threshold
        margin = DEVIATIONS * math.sqrt(permuted * threshold * (1 - threshold))
        return max(1, math.floor(permuted * threshold - margin)), math.ceil(permuted * threshold + margin)

    def verify(self, pairs: Path) -> None:
        """Writes NEAR: the pairs whose true Jaccard reaches the threshold."""
        count = pairs.stat().st_size // 8
        size = min(PAIRS_AT_ONCE, self.share // PAIR)
        cuts = [*range(0, count, size), count]
        outs = [self.work / f"near-{first:012d}-{last:012d}.npy" for first, last in pairwise(cuts)]
        settings = (self.settings.shingle, self.settings.threshold, self.share)
        jobs = [
            (self.plan, pairs, first, last, *settings, out)
            for (first, last), out in zip(pairwise(cuts), outs, strict=True)
        ]
        self.run(neighbours.verify, jobs, "verify")
        runs.chain(self.work / "near.npy", neighbours.NEAR, [runs.mapped(out) for out in outs])

    def link(self) -> None:
        """Writes, for every text, the first of those that copies, near copies and publications join it with."""

        def edges() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            for copies in runs.pieces(runs.mapped(self.work / "copies.npy")):
                yield copies["text"], copies["first"]
            for near in runs.pieces(runs.mapped(self.work / "near.npy")):
                yield clusters.split(near["pair"])
            members = runs.mapped(self.work / "members.npy")
            for first in range(0, len(members), runs.PIECE):
                piece = members[first : first + runs.PIECE + 1]
                same = piece["name"][1:] == piece["name"][:-1]
                yield piece["text"][:-1][same], piece["text"][1:][same]

        runs.link(self.work / "label.npy", self.texts + self.settings.planted, edges())

    def settle(self) -> list[dict[str, Any]]:
        """Writes what goes (DECIDED, sorted by text); returns what is known of the clusters of every block."""
        label = runs.mapped(self.work / "label.npy")
        joining: list[tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]] = [
            (runs.mapped(self.work / "copies.npy"), lambda piece: piece["text"]),
            (runs.mapped(self.work / "near.npy"), lambda piece: clusters.split(piece["pair"])[0]),
            (runs.mapped(self.work / "members.npy"), lambda piece: piece["text"]),
        ]
        edges = self.blocks(label, joining, clusters.EDGE)
        outs = [self.work / f"settled-{low:010d}-{high:010d}.npy" for low, high in pairwise(edges)]
        jobs = [
            (self.plan, self.work, low, high, self.settings, self.texts, self.share, out)
            for (low, high), out in zip(pairwise(edges), outs, strict=True)
        ]
        found = self.run(clusters.block, jobs, "settle")
        runs.merge(self.work / "decided.npy", [runs.mapped(out) for out in outs], "text", len(label), self.share)
        alike = [runs.mapped(out.with_name(out.name + ".alike.npy")) for out in outs]
        runs.chain(self.work / "alike.npy", np.dtype(np.uint64), alike)
        return found

    # -- cutting work ------------------------------------------------------------------------

    def cuts(self, bytes: int) -> Iterator[tuple[int, int]]:
        """Ranges of 16 bits, as many as keep `bytes` within the share of a task."""
        number = min(1 << 16, max(1, math.ceil(bytes / self.share)))
        return pairwise([(1 << 16) * place // number for place in range(number + 1)])

    def blocks(
        self, label: np.ndarray, joining: Sequence[tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]], bytes: int
    ) -> list[int]:
        """Edges of ranges of labels, as wide as `bytes` for everything that joins their nodes fit a task's share.

        `joining` are arrays with what gives one of the nodes that each of their rows joins.
        """
        shift = max(0, len(label).bit_length() - 16)
        weight = np.zeros((len(label) >> shift) + 1, np.int64)
        for rows, node in joining:
            for piece in runs.pieces(rows):
                weight += np.bincount(label[node(piece)] >> shift, minlength=len(weight))
        turns = np.cumsum(weight) * bytes // min(self.share, BLOCK)
        return [0, *((np.flatnonzero(np.diff(turns)) + 1) << shift).tolist(), len(label)]

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


def _publications(plan: Path, work: Path, low: int, high: int, out: Path) -> None:
    """Writes PUBLICATIONS of the rows that are joined with one in [low, high) and none before."""
    if not out.exists():
        joins = runs.inside(
            runs.mapped(work / "joins.npy"), runs.mapped(work / "rows.npy"), low, high, lambda p: p["one"]
        )
        save(out, identity.publications(joins, _files(plan)))
