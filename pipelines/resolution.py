"""The road from signatures to verdicts, phase by phase; each leaves files, and finds those it left."""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus import shards
from corpus.files import BadInput, writing
from pipelines import clusters, identity, neighbours
from pipelines.columns import array, batches, save, texts, truths
from pipelines.dedup import SHORT, Duplicates, Part, Run, Summary
from pipelines.neighbours import Place

VERDICT = pa.schema(
    [
        pa.field("status", pa.string(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("detail", pa.string()),
        pa.field("twin", pa.string()),
        pa.field("similarity", pa.float64()),
    ]
)
STATUS = texts(["dropped", "kept"])
NAMED = pa.schema([pa.field("id", pa.string())])
DEVIATIONS = 3.5  # of a sketch's agreement: one pair of 4,300 lies farther below its true Jaccard
PAIRS_AT_ONCE = 1 << 20  # verified by one task, so that small budgets and many workers both have work


class Resolution:
    """One run of the road. `share` is how many bytes one task may hold in arrays."""

    def __init__(self, folder: Path, settings: Duplicates, run: Run, share: int) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.settings = settings
        self.run = run
        self.share = share
        self.plan = self.work / "plan.json"

    def resolve(self, parts: Sequence[Part], signatures: Sequence[Path]) -> Summary:
        self.work.mkdir(parents=True, exist_ok=True)
        places = self.place(parts, signatures)
        if not places:
            return {"documents": 0, "kept": 0, "reasons": {}}
        grouped = self.identity(places)
        plays, order = self.texts(places)
        copies = self.copies(places, plays, order)
        pairs = self.candidates(places, copies, plays, order)
        decided, _ = self.settle(places, copies, pairs, grouped, order)
        return self.verdicts(places, decided)

    # -- phases ------------------------------------------------------------------------------

    def place(self, parts: Sequence[Part], signatures: Sequence[Path]) -> tuple[Place, ...]:
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
        assert text < 1 << 32, "texts are numbered in 32 bits"
        if len({place.key for place in places}) < len(places):
            raise ValueError("two parts have the same key; a part is given once")
        neighbours.write_plan(self.plan, places)
        neighbours.read_plan.cache_clear()
        return neighbours.read_plan(self.plan)

    def check(self, part: Part, signature: Path, kept: int) -> None:
        reader = shards.open_shard(signature)
        recipe = (reader.schema.metadata or {}).get(b"recipe", b"").decode()
        rows = sum(reader.get_batch(number).num_rows for number in range(reader.num_record_batches))
        if recipe != self.settings.signature or rows != kept:
            raise BadInput(
                f"{signature}: {rows} signatures by {recipe or 'an unknown recipe'}, expected {kept} by "
                f"{self.settings.signature} for {part.shard}; delete it and build again"
            )

    def identity(self, places: Sequence[Place]) -> tuple[np.ndarray, np.ndarray]:
        """Writes why rows are out of play; returns rows of shared publications, and these."""
        files = [(Path(place.facts), place.row) for place in places]
        rows = places[-1].row + places[-1].rows
        cuts = list(self.cuts(rows * 100))
        outs = [self.work / f"revisions-{low:05d}.npy" for low, _ in cuts]
        self.run(_revisions, [(self.plan, *cut, out) for cut, out in zip(cuts, outs, strict=True)], "revisions")
        out_of_play = np.zeros(rows, np.uint8)
        for out in outs:
            losers = np.load(out)
            out_of_play[losers["row"]] = losers["why"]
        save(self.work / "losers.npy", out_of_play)
        cuts = list(self.cuts(rows * 90))
        outs = [self.work / f"joins-{low:05d}.npy" for low, _ in cuts]
        jobs = [(self.plan, self.work / "losers.npy", *cut, out) for cut, out in zip(cuts, outs, strict=True)]
        self.run(_joins, jobs, "publications")
        found, names = identity.publications(np.concatenate([np.load(out) for out in outs]), files)
        retracted = [
            place.row + first + np.flatnonzero(flags & identity.RETRACTED)
            for place in places
            for first, (flags,) in batches(Path(place.facts), ("flags",))
        ]
        said = np.concatenate(retracted) if retracted else np.zeros(0, np.int64)
        said = said[out_of_play[said] == 0]
        out_of_play[said] = identity.WITHDRAWN
        because = {int(row): int(row) for row in said}
        of = np.searchsorted(found, said)
        known = of < len(found)
        known[known] = found[of[known]] == said[known]
        saying = dict(zip(names[of[known]][::-1].tolist(), said[known][::-1].tolist(), strict=True))
        for row, name in zip(found.tolist(), names.tolist(), strict=True) if saying else ():
            if name in saying:
                out_of_play[row] = identity.WITHDRAWN
                because[row] = saying[name]
        save(self.work / "out.npy", out_of_play)
        save(self.work / "because.npy", np.array(sorted(because.items()), np.int64).reshape(-1, 2))
        plays = out_of_play[found] == 0
        return found[plays], names[plays]

    def texts(self, places: Sequence[Place]) -> tuple[Path, Path]:
        """Writes which texts are in play (uint8) and their order without ids (uint64)."""
        total = places[-1].text + places[-1].texts
        out_of_play = np.load(self.work / "out.npy", mmap_mode="r")
        plays, order = np.zeros(total, np.uint8), np.zeros(total, np.uint64)
        for place in places:
            text = place.text
            counted = np.concatenate(
                [np.zeros(0, np.uint32)] + [words for _, (words,) in batches(Path(place.signature), ("words",))]
            )
            done = 0
            for first, (flags, kind, created) in batches(Path(place.facts), ("flags", "kind", "created")):
                kept = np.flatnonzero(flags & identity.KEPT)
                there = slice(text, text + len(kept))
                words = counted[done : done + len(kept)].astype(np.uint64)
                order[there] = (
                    (kind[kept].astype(np.uint64) << np.uint64(56))
                    | ((np.uint64(0xFFFFFF) - created[kept]) << np.uint64(32))
                    | (np.uint64(0xFFFFFFFF) - words)
                )
                plays[there] = (out_of_play[place.row + first + kept] == 0) & (words > 0)
                text, done = text + len(kept), done + len(kept)
        save(self.work / "plays.npy", plays)
        save(self.work / "order.npy", order)
        return self.work / "plays.npy", self.work / "order.npy"

    def copies(self, places: Sequence[Place], plays: Path, order: Path) -> np.ndarray:
        """Exact copies, as COPIES sorted by text."""
        cuts = list(self.cuts((places[-1].text + places[-1].texts) * 100))
        outs = [self.work / f"copies-{low:05d}.npy" for low, _ in cuts]
        jobs = [(self.plan, plays, order, *cut, out) for cut, out in zip(cuts, outs, strict=True)]
        self.run(neighbours.copies, jobs, "exact copies")
        found = np.concatenate([np.load(out) for out in outs])
        return found[np.argsort(found["text"])]

    def candidates(self, places: Sequence[Place], copies: np.ndarray, plays: Path, order: Path) -> Path:
        """Pairs of distinct texts that are worth verifying: packed, sorted, each once."""
        out = self.work / "pairs.u64"
        if out.exists():
            return out
        playing = np.load(plays)
        playing[copies["text"]] = 0
        for place in places:  # a text of fewer words than a shingle is near nothing but its exact copies
            for first, (words,) in batches(Path(place.signature), ("words",)):
                there = place.text + first
                playing[there : there + len(words)] &= words >= self.settings.shingle
        distinct = self.work / "distinct.npy"
        save(distinct, playing)
        floor, sure = self.limits()
        bands, _ = self.settings.banding
        permuted = self.settings.permutations
        cuts = list(self.cuts(len(playing) * 40))
        outs, jobs = [], []
        for band in range(bands):
            for low, high in cuts:
                outs.append(self.work / f"band-{band:03d}-{low:05d}.npy")
                jobs.append((self.plan, distinct, order, band, low, high, permuted, floor, sure, self.share, outs[-1]))
        self.run(neighbours.band_pairs, jobs, "bands")
        runs = [np.load(path, mmap_mode="r") for path in outs]
        with writing(out, 0o600) as partial, open(partial, "wb") as file:
            for low, high in self.cuts(sum(map(len, runs)) * 24):
                span = (
                    (0, len(playing))
                    if (low, high) == (0, 1 << 16)
                    else (
                        low * len(playing) >> 16,
                        high * len(playing) >> 16,
                    )
                )
                first, last = np.uint64(span[0]) << np.uint64(32), np.uint64(span[1]) << np.uint64(32)
                pieces = [one[slice(*np.searchsorted(one, (first, last)))] for one in runs]
                np.unique(np.concatenate(pieces)).tofile(file)
        return out

    def limits(self) -> tuple[int, int]:
        """Places in which sketches must agree to be verified, and from which one heads no bucket."""
        permuted, threshold = self.settings.permutations, self.settings.threshold
        margin = DEVIATIONS * math.sqrt(permuted * threshold * (1 - threshold))
        return max(1, math.floor(permuted * threshold - margin)), math.ceil(permuted * threshold + margin)

    def settle(
        self,
        places: Sequence[Place],
        copies: np.ndarray,
        pairs: Path,
        grouped: tuple[np.ndarray, np.ndarray],
        order: Path,
    ) -> tuple[np.ndarray, clusters.Tangle]:
        """Verifies the pairs and settles what is tangled; returns what goes, as DECIDED."""
        texts = np.unique(np.concatenate(clusters.split(np.fromfile(pairs, np.uint64))))
        needed = self.work / "needed.npy"
        save(needed, texts)
        edges = np.searchsorted(texts, [place.text for place in places] + [places[-1].text + places[-1].texts])
        jobs = [
            (self.plan, number, needed, self.settings.shingle, self.work / f"{place.key}.shingles")
            for number, place in enumerate(places)
            if edges[number] < edges[number + 1]
        ]
        self.run(neighbours.shingle, jobs, "shingles")
        words = neighbours.words(self.plan, texts)
        ranks = np.load(order, mmap_mode="r")
        first_short = self.settings.kinds.index(SHORT[0])
        tested = np.fromfile(pairs, np.uint64)
        similarity = self.verify(pairs, needed, texts, words, 0)
        fresh = tested
        tangle = None
        for turn in range(1, 1 << 30):
            near = similarity >= self.settings.threshold
            if tangle is None:
                tangle = clusters.tangle(
                    copies, tested[near], self.members(places, grouped), ranks, first_short, self.ids("ties")
                )
            decided, wanted = clusters.settle(tangle, tested[near], similarity[near])
            fresh = np.setdiff1d(wanted, tested, assume_unique=True)
            if not len(fresh):
                return decided, tangle
            more = self.work / f"pairs-{turn}.u64"
            with writing(more, 0o600) as partial:
                fresh.tofile(partial)
            similarity = np.concatenate([similarity, self.verify(more, needed, texts, words, turn)])
            tested = np.concatenate([tested, fresh])
            by = np.argsort(tested)
            tested, similarity = tested[by], similarity[by]
        raise AssertionError("every turn tests a new pair")

    def members(self, places: Sequence[Place], grouped: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Of rows in publications: the texts that were kept, and their publications."""
        rows, names = grouped
        texts = np.full(len(rows), -1, np.int64)
        for place in places:
            low, high = np.searchsorted(rows, (place.row, place.row + place.rows))
            if low == high:
                continue
            flags = np.concatenate([flags for _, (flags,) in batches(Path(place.facts), ("flags",))])
            kept = (flags & identity.KEPT) != 0
            mine = rows[low:high] - place.row
            texts[low:high] = np.where(kept[mine], place.text + np.cumsum(kept)[mine] - 1, -1)
        return texts[texts >= 0], names[texts >= 0]

    def verify(self, pairs: Path, needed: Path, texts: np.ndarray, words: np.ndarray, turn: int) -> np.ndarray:
        """True Jaccard of every pair in a file, in its order."""
        held = np.fromfile(pairs, np.uint64)
        one, two = clusters.split(held)
        # Both shingle sets and their copies while they are gathered, at 8 bytes a shingle.
        cost = np.cumsum(32 * (words[np.searchsorted(texts, one)] + words[np.searchsorted(texts, two)]) + 64)
        cuts = [0]
        while cuts[-1] < len(held):
            spent = cost[cuts[-1] - 1] if cuts[-1] else 0
            full = int(np.searchsorted(cost, spent + self.share, side="right"))
            cuts.append(min(max(full, cuts[-1] + 1), cuts[-1] + PAIRS_AT_ONCE, len(held)))
        outs = [self.work / f"similar-{turn}-{first:012d}-{last:012d}.npy" for first, last in pairwise(cuts)]
        jobs = [
            (self.plan, pairs, first, last, needed, self.work, out)
            for (first, last), out in zip(pairwise(cuts), outs, strict=True)
        ]
        self.run(neighbours.verify, jobs, "verify")
        return np.concatenate([np.load(out) for out in outs]) if outs else np.zeros(0)

    def ids(self, label: str) -> Callable[[np.ndarray], pa.Array]:
        """Reads the ids of sorted texts from their layers."""

        def read(texts: np.ndarray) -> pa.Array:
            asked = self.work / f"{label}.npy"
            save(asked, texts)
            places = neighbours.read_plan(self.plan)
            outs = [self.work / f"{place.key}.{label}.arrow" for place, _ in neighbours.slices(places, texts)]
            holding = {place.key for place, _ in neighbours.slices(places, texts)}
            jobs = [
                (self.plan, number, asked, self.work / f"{place.key}.{label}.arrow")
                for number, place in enumerate(places)
                if place.key in holding
            ]
            self.run(_names, jobs, "ids")
            chunks = [chunk for out in outs for chunk in shards.open_shard(out).read_all().column("id").chunks]
            return pa.chunked_array(chunks, pa.string()).combine_chunks()

        return read

    def verdicts(self, places: Sequence[Place], decided: np.ndarray) -> Summary:
        """Writes a verdict per part and sums up."""
        save(self.work / "decided.npy", decided)
        twins = np.unique(decided["twin"]).astype(np.int64)
        names = self.ids("twins")(twins)
        with writing(self.work / "twins.arrow", 0o600) as partial:
            with pa.ipc.new_file(str(partial), NAMED, options=shards.ipc_options(None)) as writer:
                writer.write_batch(pa.RecordBatch.from_arrays([names], schema=NAMED))
        because = np.load(self.work / "because.npy")
        said = _row_ids(places, np.unique(because[:, 1]))
        jobs = []
        for number, place in enumerate(places):
            mine = because[slice(*np.searchsorted(because[:, 0], (place.row, place.row + place.rows)))]
            told = {int(row) - place.row: said[int(by)] for row, by in mine}
            jobs.append((self.plan, number, self.work, told, self.folder / f"{place.key}.verdict.arrow"))
        counts = self.run(_verdict, jobs, "verdicts")
        reasons: dict[str, int] = {}
        kept = 0
        for one in counts:
            kept += one["kept"]
            for reason, count in one["reasons"].items():
                reasons[reason] = reasons.get(reason, 0) + count
        return {
            "documents": sum(place.rows for place in places),
            "sifted": sum(place.texts for place in places),
            "kept": kept,
            "reasons": reasons,
        }

    def cuts(self, bytes: int) -> Iterator[tuple[int, int]]:
        """Ranges of 16 bits, as many as keep `bytes` within the share of a task."""
        number = min(1 << 16, max(1, math.ceil(bytes / self.share)))
        edges = [(1 << 16) * place // number for place in range(number + 1)]
        return pairwise(edges)


# -- tasks -----------------------------------------------------------------------------------


def _facts(ledger: Path, out: Path, kinds: Sequence[str]) -> tuple[str, str, int, int]:
    """Source, file, rows and kept rows of a ledger whose facts stand in `out`."""
    if not out.exists():
        identity.facts(ledger, out, kinds)
    reader = shards.open_shard(ledger)
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


def _names(plan: Path, number: int, asked: Path, out: Path) -> None:
    """Writes the ids of those of the sorted texts in `asked` that part `number` holds."""
    if out.exists():
        return
    place = neighbours.read_plan(plan)[number]
    every = np.load(asked, mmap_mode="r")
    mine = every[slice(*np.searchsorted(every, (place.text, place.text + place.texts)))] - place.text
    reader = shards.open_shard(Path(place.layer))
    first = 0
    with writing(out, 0o600) as partial, pa.ipc.new_file(str(partial), NAMED, options=shards.ipc_options(None)) as file:
        for batch_number in range(reader.num_record_batches):
            batch = reader.get_batch(batch_number)
            here = mine[slice(*np.searchsorted(mine, (first, first + len(batch))))] - first
            first += len(batch)
            if len(here):
                names = batch.column("id").take(array(here))
                file.write_batch(pa.RecordBatch.from_arrays([names], schema=NAMED))


def _row_ids(places: Sequence[Place], rows: np.ndarray) -> dict[int, str]:
    """The ids of sorted ledger rows."""
    found: dict[int, str] = {}
    for place in places:
        mine = rows[slice(*np.searchsorted(rows, (place.row, place.row + place.rows)))]
        if len(mine):
            ids = shards.open_shard(Path(place.ledger)).read_all().column("id").take(array(mine - place.row))
            found |= dict(zip(mine.tolist(), ids.to_pylist(), strict=True))
    return found


def _verdict(plan: Path, number: int, work: Path, told: dict[int, str], out: Path) -> dict[str, Any]:
    """Writes a part's verdict; returns how many of its documents stay and why others do not."""
    place = neighbours.read_plan(plan)[number]
    if not out.exists():
        _write_verdict(place, work, told, out)
    counts = {"kept": 0, "reasons": {}}
    reader = shards.open_shard(out)
    for batch_number in range(reader.num_record_batches):
        for item in reader.get_batch(batch_number).column("reason").value_counts().to_pylist():
            if item["values"] is None:
                counts["kept"] += item["counts"]
            else:
                counts["reasons"][item["values"]] = counts["reasons"].get(item["values"], 0) + item["counts"]
    return counts


def _write_verdict(place: Place, work: Path, told: dict[int, str], out: Path) -> None:
    every = np.load(work / "decided.npy", mmap_mode="r")
    mine = every[slice(*np.searchsorted(every["text"], (place.text, place.text + place.texts)))]
    goes = mine["text"].astype(np.int64) - place.text
    twins = np.unique(every["twin"])
    names = shards.open_shard(work / "twins.arrow").read_all().column("id")
    out_of_play = np.load(work / "out.npy", mmap_mode="r")
    reasons = texts([*identity.REASONS[1:], *clusters.REASONS[1:]])
    base = len(identity.REASONS) - 1
    ledger = shards.open_shard(Path(place.ledger))
    row = text = 0
    with writing(out, Path(place.layer).stat().st_mode & 0o777) as partial:
        with pa.ipc.new_file(str(partial), VERDICT, options=shards.ipc_options("lz4")) as writer:
            for number in range(ledger.num_record_batches):
                batch = ledger.get_batch(number)
                kept = identity.equals(batch.column("status"), "kept").astype(bool)
                rows_kept = np.flatnonzero(kept)
                here = slice(*np.searchsorted(goes, (text, text + len(rows_kept))))
                at = rows_kept[goes[here] - text]
                code = np.array(out_of_play[place.row + row : place.row + row + len(batch)])
                code[at] = base + mine["why"][here]
                code[~kept] = 0
                twin = np.full(len(batch), -1, np.int64)
                twin[at] = np.searchsorted(twins, mine["twin"][here])
                similarity = np.full(len(batch), np.nan)
                similarity[at] = mine["similarity"][here]
                detail = batch.column("detail").to_pylist() if told else None
                if detail is not None:
                    for place_row, name in told.items():
                        if row <= place_row < row + len(batch) and kept[place_row - row]:
                            detail[place_row - row] = f"{name} is retracted"
                stays = kept & (code == 0)
                writer.write_batch(
                    pa.RecordBatch.from_arrays(
                        [
                            STATUS.take(array(stays.astype(np.int8))),
                            pc.if_else(
                                truths(kept), _taken(reasons, code.astype(np.int64) - 1), batch.column("reason")
                            ),
                            batch.column("detail") if detail is None else pa.array(detail, pa.string()),
                            _taken(names, twin),
                            array(similarity, np.isnan(similarity)),
                        ],
                        schema=VERDICT,
                    )
                )
                row, text = row + len(batch), text + len(rows_kept)


def _taken(names: pa.ChunkedArray, places: np.ndarray) -> pa.Array:
    """Names at places; -1 gives null."""
    taken = names.take(array(places, places < 0))
    return taken.combine_chunks() if isinstance(taken, pa.ChunkedArray) else taken
