"""The last stages: draw the mix, write shards, held-out shards and ledgers, and the manifest last."""

import itertools
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from corpus import manifest, shards
from corpus.files import digest, writing
from pipelines import assemble, counts, datasheet, leaks, mix, page, report
from pipelines.layer import run, short
from pipelines.sift import summary_of
from pipelines.stages import Entries, Input, Order, indexed

ENTRIES = "entries.json"  # in the mix's work folder


@dataclass(frozen=True)
class Stock:
    """Every document that may be drawn, of all entries, and its pieces.

    Parallel arrays [n] over documents: `entry`, `row`, `tokens`, `order`, `heldout`, `first` (its first
    piece) and `pieces` (how many). `names`: assemble.NAMES [all pieces].
    """

    entry: np.ndarray
    row: np.ndarray
    tokens: np.ndarray
    order: np.ndarray
    heldout: np.ndarray
    first: np.ndarray
    pieces: np.ndarray
    names: np.ndarray

    @staticmethod
    def of(indexes: Sequence[tuple[np.ndarray, np.ndarray]]) -> "Stock":
        whole = np.concatenate([index for index, _ in indexes])
        cuts = np.concatenate([cut for _, cut in indexes])
        entry = np.repeat(np.arange(len(indexes)), [len(index) for index, _ in indexes])
        pieces = whole["pieces"].astype(np.int64)
        last = np.cumsum(pieces) - 1
        of = np.repeat(np.arange(len(whole)), pieces)
        names = np.zeros(len(cuts), assemble.NAMES)
        names["entry"], names["row"], names["pieces"] = entry[of], whole["row"][of], pieces[of]
        names["piece"] = np.arange(len(cuts)) - (last - pieces + 1)[of]
        for name, end in (("token", whole["tokens"]), ("character", assemble.END)):
            names[name] = cuts[name]
            names[f"{name}_end"][:-1] = cuts[name][1:]
            names[f"{name}_end"][last] = end
        return Stock(
            entry,
            whole["row"],
            whole["tokens"].astype(np.int64),
            whole["order"],
            whole["heldout"],
            last - pieces + 1,
            pieces,
            names,
        )

    def pieces_of(self, documents: np.ndarray) -> np.ndarray:
        """The pieces (indices into `names`) of these documents, one after the other."""
        many = self.pieces[documents]
        before = np.cumsum(many) - many
        return np.repeat(self.first[documents] - before, many) + np.arange(int(many.sum()))


@dataclass(frozen=True)
class Drawn:
    """The stream: for every row, in order, its piece in the stock, its tokens, its group and its time."""

    piece: np.ndarray
    tokens: np.ndarray
    group: np.ndarray
    time: np.ndarray
    shares: dict[str, float]
    budget: int
    told: list[str]

    def cut(self, shard_tokens: int) -> np.ndarray:
        """Where each shard begins in the stream, and its end: int64 [shards + 1]."""
        return mix.cuts(self.time, max(1, math.ceil(int(self.tokens.sum()) / shard_tokens)))

    def apart(self, secret: np.ndarray, cuts: np.ndarray) -> tuple["Drawn", np.ndarray]:
        """Every shard's rows with those that are `secret` (bool [rows]) last, and the cuts between both kinds."""
        shard = np.repeat(np.arange(len(cuts) - 1), np.diff(cuts))
        order = np.lexsort((secret, shard))  # stable: both kinds keep their order
        public = np.bincount(shard[~secret], minlength=len(cuts) - 1)
        both = np.sort(np.concatenate([cuts, cuts[:-1] + public]))
        moved = replace(self, **{name: getattr(self, name)[order] for name in ("piece", "tokens", "group", "time")})
        return moved, both


@dataclass(frozen=True)
class Making:
    """A build that is about to be written: where, and what will stand where in it.

    `work` is the mix's folder of plans; `cuts` int64 [shards + 1] says where each shard begins in the stream.
    """

    order: Order
    build: Path
    work: Path
    entries: Entries
    stock: Stock
    stream: Drawn
    cuts: np.ndarray
    mode: int
    apart: bool


def strands_of(order: Order, entries: Entries, stock: Stock) -> list[mix.Strand]:
    """What each budget of the mix can draw from."""
    sources = {}
    for stream in order.recipe.streams:
        name = stream.source.name
        mine = np.array([entry.source == name for entry in entries], bool)
        if mine.any():
            there = int(stock.tokens[mine[stock.entry] & ~stock.heldout].sum())
            sources[name] = (stream.group, there, stream.cap)
    return mix.strands(order.weights, order.recipe.shares, sources)


def drawn(order: Order, entries: Entries, stock: Stock) -> Drawn:
    """The stream of documents, or ValueError when the mix cannot be met."""
    strands = strands_of(order, entries, stock)
    budget = mix.budget(strands, order.tokens, order.asked)
    caps = {stream.source.name: stream.cap for stream in order.recipe.streams}
    cap = np.array([caps[entry.source] for entry in entries])
    names = list(order.weights)
    size = (stock.names["token_end"] - stock.names["token"]).astype(np.int64)
    parts: dict[str, list[np.ndarray]] = {}
    for strand in strands:
        mine = np.array([entry.source in strand.sources for entry in entries], bool)
        free = np.flatnonzero(mine[stock.entry] & ~stock.heldout)
        picked = mix.draw(stock.tokens[free], cap[stock.entry[free]], stock.order[free], strand.share * budget)
        parts.setdefault(strand.group, []).append(stock.pieces_of(free[picked]))
    groups = {group: mix.merged(of, size) for group, of in parts.items()}
    paces = [mix.times(size[rows]) for rows in groups.values()]
    which, place = mix.stream(paces)
    flat = np.concatenate([[0], np.cumsum([len(pace) for pace in paces])])[which] + place
    piece = np.concatenate(list(groups.values()))[flat]
    whole = sum(order.weights.values())
    return Drawn(
        piece,
        size[piece],
        np.array([names.index(group) for group in groups])[which],
        np.concatenate(paces)[flat],
        {name: weight / whole for name, weight in order.weights.items()},
        budget,
        mix.told(strands, budget),
    )


def make(
    order: Order,
    key: str,
    build: Path,
    inputs: Sequence[Input],
    entries: Entries,
    twins: dict[str, Any],
    cards: Mapping[str, Any],
    out: Path,
) -> None:
    """Writes the build; its manifest last."""
    stock = Stock.of(indexed(entries, order, out, key))
    stream = drawn(order, entries, stock)
    work = out / "layers" / f"mix-{short(key)}"
    hidden = {i.stream.source.name for i in inputs if i.stream.source.restricted}
    restricted = bool(hidden)
    cuts = stream.cut(order.recipe.shard_tokens)
    apart = restricted and order.recipe.apart
    if apart:
        secret = np.array([entry.source in hidden for entry in entries])
        stream, cuts = stream.apart(secret[stock.names["entry"][stream.piece]], cuts)
    mode = shards.RESTRICTED if restricted else shards.PUBLIC
    assemble.save_entries(work / ENTRIES, entries, mode)
    making = Making(order, build, work, entries, stock, stream, cuts, mode, apart)
    written = _shards(making)
    paths = [item["path"] for item in (*written["shards"], *written["heldout"])]
    found = leaks.searched(build, paths, leaks.tables(inputs))
    cards = {name: dict(card) | ({"leaks": found[name]} if name in found else {}) for name, card in cards.items()}
    written["ledger"] = _ledgers(making)
    tokens = stream.tokens
    groups = list(order.weights)
    given = {name: int(tokens[stream.group == number].sum()) for number, name in enumerate(groups)}
    total = sum(given.values())
    counted = counts.sums(order, inputs, out, *_draws(stock, stream, len(inputs)))
    content = {
        "format": manifest.FORMAT,
        "name": order.recipe.name,
        "key": key,
        "recipe": repr(order.recipe),
        "seed": order.seed,
        "asked": {"tokens": order.tokens},
        "mix": {
            "asked": order.weights,
            "budget": stream.budget,
            "plan": stream.told,
            "tokens": given,
            "realised": {name: round(given[name] / total * sum(order.weights.values()), 6) for name in groups},
            "largest_deviation": mix.deviation(tokens, stream.group, list(stream.shares.values())),
            "sequence": order.recipe.sequence,
            "longest_row": int(tokens.max()),
        },
        "tokens": total,
        "rows": len(tokens),
        "documents": len(np.unique(stream.piece[stock.names["piece"][stream.piece] == 0])),
        "tokenizer": _tokenizer(order, build),
        "counted": counted,
        "restricted": restricted,
        "apart": apart,
        "duplicates": twins,
        "deidentification": dict(cards),
        "limits": _limits(order, inputs),
        "sources": _sources(order, inputs),
        **written,
    }
    for name, told in (
        (report.NAME, report.table),
        ("report.html", page.page),
        ("datasheet.md", datasheet.datasheet),
        ("croissant.json", datasheet.croissant),
    ):
        with writing(build / name, mode) as partial:
            partial.write_text(told(content, build), encoding="utf-8")
    manifest.write(build / manifest.NAME, content, mode)


def _draws(stock: Stock, stream: Drawn, entries: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Of each entry: the layer rows that could be drawn, and how often each was."""
    begins = stream.piece[stock.names["piece"][stream.piece] == 0]
    times = np.bincount(begins, minlength=len(stock.names))[stock.first]
    edges = np.searchsorted(stock.entry, np.arange(1, entries))
    return np.split(stock.row, edges), np.split(times, edges)


def _shards(of: Making) -> dict[str, Any]:
    """Writes the stream's shards and the held-out ones; says what they hold.

    Where restricted text lies `apart`, every second shard is of restricted sources.
    """
    order = of.order
    groups = list(order.weights)
    group_of = np.array([groups.index(entry.group) if entry.group in groups else -1 for entry in of.entries])
    plans: list[tuple[str, np.ndarray]] = []
    shard_list: list[dict[str, Any]] = []
    for number, (first, last) in enumerate(itertools.pairwise(of.cuts)):
        part = slice(first, last)
        secret = of.apart and number % 2 == 1
        path = f"{'restricted' if secret else 'shards'}/{number // 2 if of.apart else number:05d}.arrow"
        plans.append((path, of.stock.names[of.stream.piece[part]]))
        given = np.bincount(of.stream.group[part], of.stream.tokens[part], len(groups)).astype(np.int64)
        shard_list.append(
            {
                "path": path,
                "rows": int(last - first),
                "tokens": int(given.sum()),
                "groups": dict(zip(groups, map(int, given), strict=True)),
            }
            | ({"restricted": secret} if of.apart else {})
        )
    heldout: list[dict[str, Any]] = []
    for number, group in enumerate(groups):
        held = np.flatnonzero(of.stock.heldout & (group_of[of.stock.entry] == number))
        if len(held):
            path = f"heldout/{group}.arrow"
            held = held[np.argsort(of.stock.order[held], kind="stable")]
            plans.append((path, of.stock.names[of.stock.first[held]]))
            tokens = int(of.stock.tokens[held].sum())
            heldout.append({"path": path, "group": group, "rows": len(held), "tokens": tokens})
    jobs, weights = [], []
    for path, rows in plans:
        if not (of.build / path).exists():
            plan = of.work / f"{path.replace('/', '-')}.npy"
            assemble.save(plan, rows)
            open_to_all = of.apart and path.startswith("shards/")
            mode_of = shards.PUBLIC if open_to_all else of.mode
            jobs.append((plan, of.work / ENTRIES, of.build / path, order.tokenizer.width, order.recipe.text, mode_of))
            weights.append(float((rows["token_end"] - rows["token"]).sum()))
    run(assemble.write_shard, jobs, "shards", weights, " tokens", there=len(plans) - len(jobs))
    listed = [*shard_list, *heldout]
    for item, sha in zip(listed, run(digest, [(of.build / item["path"],) for item in listed], "check"), strict=True):
        item["sha256"] = sha.removeprefix("sha256:")
        item["bytes"] = (of.build / item["path"]).stat().st_size
    return {"shards": shard_list, "heldout": heldout}


def _ledgers(of: Making) -> list[dict[str, Any]]:
    """Writes one ledger per source, with every draw's place."""
    held = np.flatnonzero(of.stock.heldout)
    at = np.concatenate([of.stream.piece, of.stock.first[held]])
    places = np.zeros(len(at), assemble.PLACES)
    shard = np.repeat(np.arange(len(of.cuts) - 1), np.diff(of.cuts))
    for name in ("entry", "row"):
        places[name] = of.stock.names[name][at]
    places["first"] = of.stock.names["piece"][at] == 0
    places["shard"][: len(shard)], places["shard"][len(shard) :] = shard, assemble.HELDOUT
    places["place"][: len(shard)] = np.arange(len(shard)) - of.cuts[shard]
    places = places[np.lexsort((places["place"], places["shard"], places["row"], places["entry"]))]
    assemble.save(of.work / "places.npy", places)
    groups = {entry.source: entry.group for entry in of.entries}
    listed, jobs = [], []
    for name, group in groups.items():
        listed.append({"path": f"ledger/{name}.arrow", "source": name})
        out = of.build / listed[-1]["path"]
        if not out.exists():
            jobs.append((name, group, of.work / ENTRIES, of.work / "places.npy", out, of.mode))
    run(assemble.write_ledger, jobs, "ledgers", there=len(groups) - len(jobs))
    for item in listed:
        path = of.build / item["path"]
        item["sha256"] = digest(path).removeprefix("sha256:")
        item["rows"] = assemble.rows_of(path)
    return listed


def _tokenizer(order: Order, build: Path) -> dict[str, Any]:
    """Copies the tokenizer's file beside the shards and says what it is."""
    tokens = order.tokenizer
    loaded = tokens.tokenizer
    path = f"tokenizer/{loaded.file.name}"
    template = {"name": tokens.template.name, "source": tokens.template.source} if tokens.template else None
    beside = ("tokenizer_config.json", "special_tokens_map.json") if loaded.kind == "tokenizers" else ()
    for file in (loaded.file, *(loaded.file.with_name(name) for name in beside)):
        copy = build / "tokenizer" / file.name
        if file.exists() and not copy.exists():
            with writing(copy) as partial:
                shutil.copyfile(file, partial)
    return {
        "name": loaded.name,
        "kind": loaded.kind,
        "file": path,
        "sha256": loaded.digest.removeprefix("sha256:"),
        "vocabulary": loaded.vocabulary,
        "bos": loaded.bos,
        "eos": loaded.eos,
        "width": loaded.width,
        **({"template": template} if template else {}),
    }


def _limits(order: Order, inputs: Sequence[Input]) -> dict[str, Any]:
    """Source -> kind of text ("" for all others) -> mark -> what the recipe asks of it; and of copies."""
    found: dict[str, Any] = {}
    for stream in {i.stream.source.name: i.stream for i in inputs}.values():
        judges = [one for one in stream.filters if hasattr(one, "limits")]
        kinds = {"", *(kind for one in judges for kind, _ in getattr(one, "others", ()))}
        kinds |= {kind for one in judges for kind in getattr(one, "skip", ())}
        found[stream.source.name] = {
            kind: {mark: asked for one in judges for mark, asked in one.limits(kind).items()} for kind in sorted(kinds)
        }
    copies = order.recipe.duplicates
    kinds = f", {' and '.join(copies.templated)} {copies.templated_threshold}" if copies.templated else ""
    return found | {"duplicates": f"at least {copies.threshold}{kinds}"}


def _sources(order: Order, inputs: Sequence[Input]) -> list[dict[str, Any]]:
    listed: dict[str, dict[str, Any]] = {}
    for i in inputs:
        source = i.stream.source
        entry = listed.setdefault(
            source.name,
            {"name": source.name, "group": i.stream.group, "restricted": source.restricted, "files": []},
        )
        summary = manifest.read(summary_of(i.layer))
        entry["files"].append(
            {
                "path": i.raw.name,
                "bytes": i.raw.bytes,
                "sha256": i.raw.sha256,
                "documents": summary["documents"],
                "foreign": summary["foreign"],
            }
        )
    return list(listed.values())
