"""The report of a build as one HTML page that needs nothing else: `python -m pipelines.page BUILD > report.html`.

What was read and what became of it, how long documents are, which rules dropped how many, copies,
the ratio along the stream, masked identifiers, licences. Counts only: no text, and no ids.
"""

import argparse
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from corpus import ledger, manifest
from corpus.shards import open_shard
from pipelines import figures, scorecards
from pipelines.progress import amount

NAME = "report.html"
LICENCES = 8  # shown of each source; the others are summed up
POINTS = 160  # places of the stream that the lines go through
FATES = (
    ("in the shards", "kept"),
    ("held out", "heldout"),
    ("not drawn", "unused"),
    ("copies", "copies"),
    ("superseded or withdrawn", "identity"),
    ("dropped by rules", "dropped"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m pipelines.page", description="The report of a build as HTML.")
    parser.add_argument("build", type=Path, help="the folder of a finished build")
    given = parser.parse_args(arguments)
    try:
        print(page(manifest.load(given.build), given.build), end="")
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


@dataclass
class Told:
    """What the ledgers say of one source."""

    name: str
    group: str
    restricted: bool
    fates: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    lengths: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    tokens: int = 0
    draws: int = 0
    masked: Counter[str] = field(default_factory=Counter)
    masked_documents: int = 0
    clusters: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    similar: np.ndarray = field(default_factory=lambda: np.zeros(0))


def page(content: Mapping[str, Any], build: Path) -> str:
    """The page of a build whose shards and ledgers are written; `content` is its manifest."""
    told = [_read(build / item["path"], item["source"], content) for item in content["ledger"]]
    stream = along(content, build)
    body = "".join(
        [
            _head(content, told),
            _section("What became of every document", _funnel(told)),
            _section("The ratio along the stream", _ratio(content, stream)),
            _section("Tokens per document", _lengths(told)),
            _section("Dropped, by reason", _reasons(told)),
            _section("Copies", _copies(told) + scorecards.duplicates(content)),
            _section("Masked identifiers", _masked(told) + scorecards.masking(content)),
            _section("Licences", _licences(stream)),
            _section("What it was made from", _files(content)),
        ]
    )
    title = f"{content['name']}: {amount(content['tokens'])} tokens"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>\n"
    )


def _read(path: Path, name: str, content: Mapping[str, Any]) -> Told:
    source = next(one for one in content["sources"] if one["name"] == name)
    told = Told(name, source["group"], source["restricted"])
    book = ledger.read(path)
    status, reason = book["status"], pc.fill_null(book["reason"], "")
    for pair in pc.value_counts(status).to_pylist():
        told.fates[pair["values"]] += pair["counts"]
    for pair in pc.value_counts(book["reason"].drop_null()).to_pylist():
        cause, count = pair["values"], pair["counts"]
        family = cause.split(".")[0]
        kind = "unused" if cause == "mix.unused" else {"duplicate": "copies", "identity": "identity"}.get(family)
        if kind:
            told.fates["dropped"] -= count
            told.fates[kind] += count
        if cause != "mix.unused":
            told.reasons[cause] += count
    tokens, draws = pc.fill_null(book["tokens"], 0).to_numpy(), book["draws"].to_numpy()
    told.lengths = tokens[draws > 0]
    told.tokens, told.draws = int((tokens * draws).sum()), int(draws.sum())
    marks = book["marks"].filter(pc.fill_null(pc.match_substring(book["marks"], '"deid.'), False))
    for text in marks.to_pylist():
        mine = {key[5:]: value for key, value in orjson.loads(text).items() if key.startswith("deid.")}
        counts = {key: value for key, value in mine.items() if isinstance(value, int) and value}
        told.masked.update(counts)
        told.masked_documents += bool(counts)
    copies = book.filter(pc.starts_with(reason, "duplicate."))
    twins = pc.value_counts(copies["twin"].drop_null())
    told.clusters = pc.struct_field(twins, "counts").to_numpy(zero_copy_only=False) + 1
    near = copies.filter(pc.equal(copies["reason"], "duplicate.near"))
    told.similar = pc.drop_null(near["similarity"]).to_numpy()
    return told


@dataclass(frozen=True)
class Along:
    """The stream in POINTS stretches of as many tokens: what each group had by then, and how far it was off."""

    given: np.ndarray  # int64 [stretches, groups], summed up to the end of each
    away: np.ndarray  # float64 [stretches, groups], the largest distance in tokens within each
    groups: list[str]
    licences: dict[tuple[str, str], tuple[int, int]]  # (source, licence) -> rows, tokens


def along(content: Mapping[str, Any], build: Path) -> Along:
    groups = list(content["mix"]["asked"])
    whole = sum(content["mix"]["asked"].values())
    shares = np.array([content["mix"]["asked"][name] / whole for name in groups])
    of = {source["name"]: groups.index(source["group"]) for source in content["sources"] if source["group"] in groups}
    sofar = np.zeros(len(groups), np.int64)
    given = np.zeros((POINTS, len(groups)), np.int64)
    away = np.zeros((POINTS, len(groups)))
    licences: dict[tuple[str, str], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for item in content["shards"]:
        reader = open_shard(build / item["path"])
        for number in range(reader.num_record_batches):
            batch = reader.get_batch(number)
            lengths = np.diff(batch.column("tokens").offsets.to_numpy()).astype(np.int64)
            sources = batch.column("source").dictionary_encode()
            of_source = np.array([of[name] for name in sources.dictionary.to_pylist()])
            each = np.zeros((len(batch), len(groups)), np.int64)
            each[np.arange(len(batch)), of_source[sources.indices.to_numpy()]] = lengths
            each = sofar + np.cumsum(each, axis=0)
            total = each.sum(axis=1)
            stretch = np.minimum(total * POINTS // max(1, content["tokens"]), POINTS - 1)
            given[stretch] = each  # of several rows in a stretch the last one stays
            np.maximum.at(away, stretch, np.abs(each - shares * total[:, None]))
            sofar = each[-1]
            _license(licences, batch, lengths)
    return Along(given, away, groups, dict(licences))


def _license(licences: dict[tuple[str, str], tuple[int, int]], batch: pa.RecordBatch, lengths: np.ndarray) -> None:
    """Adds a batch's rows and tokens to those of their source and licence."""
    named = pc.fill_null(batch.column("license"), "none stated")
    table = pa.table({"source": batch.column("source"), "license": named, "tokens": lengths})
    sums = table.group_by(["source", "license"]).aggregate([("tokens", "sum"), ("tokens", "count")])
    for row in sums.to_pylist():
        rows, tokens = licences[row["source"], row["license"]]
        licences[row["source"], row["license"]] = rows + row["tokens_count"], tokens + row["tokens_sum"]


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>" if body else ""


def _head(content: Mapping[str, Any], told: list[Told]) -> str:
    of = content["mix"]
    asked = ":".join(str(weight) for weight in of["asked"].values())
    realised = " : ".join(f"{value:.4f}" for value in of["realised"].values())
    read = sum(sum(one.fates.values()) for one in told)
    size = sum(item["bytes"] for item in content["shards"])
    tiles = [
        (amount(content["tokens"]), "tokens"),
        (f"{content['documents']:,}", f"documents of {read:,} read"),
        (asked, f"asked ({', '.join(of['asked'])})"),
        (realised, "realised, by tokens"),
        (
            f"{of['largest_deviation']:,}",
            f"tokens: the largest distance of any prefix from it, one row has up to {of['longest_row']:,}",
        ),
        (f"{len(content['shards'])} files", f"{amount(size, 'B')} of shards"),
    ]
    banner = ""
    if content["restricted"]:
        names = ", ".join(one.name for one in told if one.restricted)
        banner = (
            f'<p class="banner"><b>Restricted.</b> This build holds credentialed or private text ({escape(names)}). '
            "Its files are readable by their owner alone; it may not be published.</p>"
        )
    cells = "".join(
        f'<div><b class="{"long" if len(value) > 12 else ""}">{escape(value)}</b><span>{escape(label)}</span></div>'
        for value, label in tiles
    )
    return (
        f'<h1>{escape(content["name"])}</h1><p class="key">build {escape(content["key"][:12])}, tokenizer '
        f"{escape(content['tokenizer']['name'])}, {content['tokenizer']['vocabulary']:,} ids</p>{banner}"
        f'<div class="tiles">{cells}</div>'
    )


def _funnel(told: list[Told]) -> str:
    parts = [figures.legend(FATES)]
    for one in told:
        whole = sum(one.fates.values())
        parts.append(
            f'<div class="row"><h3>{escape(one.name)} <span>{escape(one.group)}, {whole:,} read</span></h3>'
            + figures.stacked([(label, one.fates[kind], kind) for label, kind in FATES])
            + "</div>"
        )
    rows = []
    for one in told:
        cells = [f"{one.fates[kind]:,}" for _, kind in FATES]
        passes = f"{one.draws / one.fates['kept']:.2f}" if one.fates["kept"] else "-"
        rows.append([one.name, f"{sum(one.fates.values()):,}", *cells, amount(one.tokens), passes])
    head = ["source", "read", *(label for label, _ in FATES), "tokens", "passes"]
    return "".join(parts) + figures.table(head, rows)


def _ratio(content: Mapping[str, Any], stream: Along) -> str:
    groups = stream.groups
    there = stream.given.sum(axis=1) > 0
    if not there.any():
        return "<p>The stream is empty.</p>"
    given, away = stream.given[there], stream.away[there]
    total = given.sum(axis=1)
    whole = sum(content["mix"]["asked"].values())
    shares = np.array([content["mix"]["asked"][name] / whole for name in groups])
    x = (total / total[-1]).tolist()
    share = 100 * given / total[:, None]
    ends = ("0", f"{amount(total[-1])} tokens")
    keys = figures.legend([(f"{name} {shares[n] * 100:.1f} % asked", f"l{n}") for n, name in enumerate(groups)])
    most = content["mix"]["longest_row"]
    return (
        keys
        + '<div class="grid2">'
        + figures.lines(
            {name: share[:, n].tolist() for n, name in enumerate(groups)},
            x,
            ends,
            "Share so far",
            "what a training that stops here has seen; dashed is what was asked",
            100.0,
            [(100 * float(shares[n]), f"{name} asked", f"l{n}") for n, name in enumerate(groups)],
            " %",
        )
        + figures.lines(
            {name: away[:, n].tolist() for n, name in enumerate(groups)},
            x,
            ends,
            "Distance from what was asked",
            f"in tokens, the largest of each stretch; dashed is the largest document, {most:,}",
            float(max(most, away.max()) * 1.05),
            [(float(most), "largest document", "bound")],
        )
        + "</div>"
    )


def _lengths(told: list[Told]) -> str:
    parts = []
    for one in told:
        if not len(one.lengths):
            continue
        bins = np.floor(np.log2(np.maximum(one.lengths, 1))).astype(int)
        first, last = int(bins.min()), int(bins.max())
        counts = np.bincount(bins - first, minlength=last - first + 1).tolist()
        middle = np.median(one.lengths)
        note = f"median {amount(middle)}, longest {amount(one.lengths.max())}"
        labels = [amount(2**power) for power in range(first, last + 1)]
        parts.append(figures.histogram(counts, labels, one.name, note))
    told_so = "Documents in the shards, each once; a bar takes what is up to twice as long as the bar before it."
    return f"<p>{told_so}</p>{_grid(parts)}"


def _reasons(told: list[Told]) -> str:
    parts = []
    for one in told:
        whole = sum(one.fates.values())
        rows = [
            (reason, count, f"{100 * count / whole:.2f} %")
            for reason, count in sorted(one.reasons.items(), key=lambda pair: (-pair[1], pair[0]))
        ]
        parts.append(_block(one.name, f"of {whole:,} read", rows))
    return _grid(parts) or "<p>Nothing was dropped.</p>"


def _block(name: str, note: str, rows: list[tuple[str, int, str]], short: bool = False) -> str:
    """A source's bars under its name; nothing when there are none."""
    if not rows:
        return ""
    return f"<div><h3>{escape(name)} <span>{escape(note)}</span></h3>{figures.bars(rows, short)}</div>"


def _grid(parts: list[str]) -> str:
    return f'<div class="grid3">{"".join(parts)}</div>' if any(parts) else ""


def _copies(told: list[Told]) -> str:
    sizes = np.concatenate([one.clusters for one in told])
    similar = np.concatenate([one.similar for one in told])
    if not len(sizes):
        return "<p>No document was dropped as a copy.</p>"
    counts = Counter(np.minimum(sizes, 10).tolist())
    labels = [f"{size}" if size < 10 else "10+" for size in range(2, 11)]
    told_sizes = [counts[size] for size in range(2, 11)]
    note = f"{len(sizes):,} clusters; the largest has {int(sizes.max()):,} documents"
    parts = [figures.histogram(told_sizes, labels, "Documents in a cluster", note)]
    if len(similar):
        edges = np.linspace(0.5, 1.0, 11)
        found = np.histogram(similar.clip(0.5, 1.0), edges)[0].tolist()
        note = f"{len(similar):,} near copies, their true word-shingle Jaccard to what stayed"
        parts.append(figures.histogram(found, [f"{edge:.2f}" for edge in edges[:-1]], "Similarity", note))
    return _grid(parts)


def _masked(told: list[Told]) -> str:
    parts = []
    for one in told:
        whole = one.masked.total() or 1
        ordered = sorted(one.masked.items(), key=lambda pair: (-pair[1], pair[0]))
        rows = [(kind, count, f"{100 * count / whole:.1f} %") for kind, count in ordered]
        parts.append(_block(one.name, f"{whole:,} spans in {one.masked_documents:,} documents", rows))
    grid = _grid(parts)
    return (
        f"<p>Spans by kind, counted while documents were sifted.</p>{grid}"
        if grid
        else ("<p>No identifier was masked.</p>")
    )


def _licences(stream: Along) -> str:
    whole = sum(tokens for _, tokens in stream.licences.values()) or 1
    parts = []
    for source in dict.fromkeys(sorted(name for name, _ in stream.licences)):
        mine = Counter({_plain(of): tokens for (name, of), (_, tokens) in stream.licences.items() if name == source})
        shown = mine.most_common(LICENCES)
        rest = len(mine) - len(shown)
        if rest:
            shown.append((f"{rest} others", mine.total() - sum(tokens for _, tokens in shown)))
        rows = [(label, tokens, f"{100 * tokens / whole:.2f} %") for label, tokens in shown]
        parts.append(_block(source, f"{amount(mine.total())} tokens", rows, short=True))
    return f"<p>As the publishers state them, by tokens of the stream.</p>{_grid(parts)}"


def _plain(licence: str) -> str:
    """A licence's name; the address of a Creative Commons licence as its short name."""
    found = re.match(r"https?://creativecommons\.org/(?:licenses|publicdomain)/([a-z-]+)/([\d.]+)", licence)
    return f"CC {found[1].upper()} {found[2]}" if found else licence[:120]


def _files(content: Mapping[str, Any]) -> str:
    rows = []
    for source in content["sources"]:
        files = source["files"]
        foreign = sum(1 for file in files if file["foreign"])
        size = amount(sum(file["bytes"] for file in files), "B")
        rows.append(
            [source["name"], f"{len(files):,}", size, f"{sum(f['documents'] for f in files):,}", f"{foreign:,}"]
        )
    plan = "".join(f"<li>{escape(line)}</li>" for line in content["mix"]["plan"])
    told = figures.table(["source", "files", "bytes", "documents", "not of its kind"], rows)
    return (
        told
        + (f"<h3>The mix</h3><ul>{plan}</ul>" if plan else "")
        + (f'<h3>The recipe</h3><p class="key">{escape(content["recipe"])}</p>')
    )


STYLE = """
:root{--bg:#fbfaf8;--card:#fff;--ink:#1d2329;--soft:#5b6570;--line:#dcdfe3;--c0:#2268b5;--c1:#c2571a;--c2:#2c8a5b;
--c3:#7a4fb0;--c4:#a8871c;--drop:#b9bfc6;--warn:#fff1e0;--warnink:#8a3c00}
@media(prefers-color-scheme:dark){:root{--bg:#14181c;--card:#1c2228;--ink:#e6e9ec;--soft:#9aa5b0;--line:#333b43;
--c0:#6aa9ee;--c1:#ef8f52;--c2:#5dc391;--c3:#b493e6;--c4:#d9bb55;--drop:#525c66;--warn:#3a2a17;--warnink:#ffc58a}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1040px;margin:0 auto;padding:20px 16px 60px}h1{margin:8px 0 0;font-size:1.7rem;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:0 0 10px}h3{font-size:1rem;margin:14px 0 4px}h3 span{color:var(--soft);font-weight:400;
font-size:.87rem}p{margin:6px 0 12px}.key{color:var(--soft);font-size:.85rem;overflow-wrap:anywhere}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px;margin:16px 0}
.banner{background:var(--warn);color:var(--warnink);border-radius:8px;padding:10px 14px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px}
.tiles div{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:10px 12px}
.tiles b{display:block;font-size:1.2rem;overflow-wrap:anywhere}
.tiles b.long{font-size:.95rem;line-height:1.8}.tiles span{color:var(--soft);font-size:.83rem;
display:block;line-height:1.35}
.scroll{overflow-x:auto;margin-top:12px}table{border-collapse:collapse;font-size:.87rem;min-width:100%}
th,td{padding:5px 10px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap;
font-variant-numeric:tabular-nums}th{color:var(--soft);font-weight:500}th:first-child,td:first-child{text-align:left;
padding-left:0;position:sticky;left:0;background:var(--card)}
.stack{display:flex;height:18px;border-radius:4px;overflow:hidden;background:var(--line)}.stack span{min-width:1px}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;font-size:.85rem;color:var(--soft)}
.legend i{display:inline-block;width:11px;height:11px;border-radius:2px;margin-right:6px}
.kept{background:var(--c0)}.heldout{background:var(--c2)}.unused{background:var(--c4)}.copies{background:var(--c3)}
.identity{background:var(--c1)}.dropped{background:var(--drop)}
i.l0{background:var(--c0)}i.l1{background:var(--c1)}i.l2{background:var(--c2)}i.l3{background:var(--c3)}
i.l4{background:var(--c4)}.grid2{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(300px,100%),1fr));
gap:14px 28px}.grid3{display:grid;gap:14px 28px;
grid-template-columns:repeat(auto-fill,minmax(min(300px,100%),1fr))}figure{margin:0}figcaption{font-size:.87rem;color:var(--soft);margin-bottom:6px;min-height:2.6em}
figcaption b{color:var(--ink)}svg{width:100%;height:auto;display:block}svg text{font-size:11px;fill:var(--soft)}
svg line{stroke:var(--line)}.fill rect{fill:var(--c0)}polyline{fill:none;stroke-width:2;stroke-linejoin:round}
polyline.l0{stroke:var(--c0)}polyline.l1{stroke:var(--c1)}polyline.l2{stroke:var(--c2)}polyline.l3{stroke:var(--c3)}
polyline.l4{stroke:var(--c4)}polyline.level{stroke-dasharray:4 4;stroke-width:1.2}
polyline.bound{stroke:var(--soft)}
.bar{display:grid;grid-template-columns:1fr auto 4.6em;gap:2px 8px;font-size:.87rem;padding:3px 0;
font-variant-numeric:tabular-nums}.bar span{overflow-wrap:anywhere}.bar b{font-weight:500}.bar em{font-style:normal;
color:var(--soft);text-align:right}.bar u{grid-column:1/-1;height:5px;border-radius:3px;background:var(--c0);
text-decoration:none;min-width:2px}ul{margin:6px 0;padding-left:20px;font-size:.9rem}
"""


if __name__ == "__main__":
    sys.exit(main())
