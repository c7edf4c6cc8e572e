"""What a build holds, as a table for a terminal; kept in the build as report.txt."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from corpus import ledger
from pipelines import counts
from pipelines.progress import amount

NAME = "report.txt"
SHOWN = 5  # files that could not be used, told in full; the manifest names all


def table(content: Mapping[str, Any], build: Path) -> str:
    """The report of a build whose ledgers and shards are written; `content` is its manifest."""
    lines = [f"{content['name']}: {amount(content['tokens'])} tokens in {content['documents']} documents", ""]
    rows = [["source", "group", "read", "dropped", "kept", "held out", "in shards", "tokens", "passes"]]
    reasons: Counter[tuple[str, str]] = Counter()
    leaks: Counter[tuple[str, str]] = Counter()
    for item in content["ledger"]:
        book = ledger.read(build / item["path"])
        status = Counter({pair["values"]: pair["counts"] for pair in pc.value_counts(book["status"]).to_pylist()})
        unused = pc.sum(pc.equal(pc.fill_null(book["reason"], ""), "mix.unused")).as_py() or 0
        draws = pc.sum(book["draws"]).as_py() or 0
        tokens = pc.sum(pc.multiply(pc.fill_null(book["tokens"], 0), book["draws"])).as_py() or 0
        placed = status["kept"]
        group = next(s["group"] for s in content["sources"] if s["name"] == item["source"])
        rows.append(
            [
                item["source"],
                group,
                f"{len(book):,}",
                f"{status['dropped'] - unused:,}",
                f"{placed + unused + status['heldout']:,}",
                f"{status['heldout']:,}",
                f"{placed:,}",
                amount(tokens),
                f"{draws / placed:.2f}" if placed else "-",
            ]
        )
        for pair in pc.value_counts(book["reason"].drop_null()).to_pylist():
            reasons[(item["source"], pair["values"])] = pair["counts"]
        leaks.update(_leaks(book))
    lines += [*_aligned(rows), "", "dropped, by reason"]
    told = [
        ["", source, reason, f"{count:,}"]
        for (source, reason), count in sorted(reasons.items(), key=lambda pair: (pair[0][0], -pair[1], pair[0][1]))
    ]
    lines += _aligned(told) or ["  nothing"]
    lines += ["", *_mix(content), *_foreign(content)]
    lines += [f"counted     {line}" for line in counts.told(content["counted"], content["tokens"])]
    for benchmark in sorted({name for name, _ in leaks}):
        ways = [
            f"{leaks[benchmark, way]:,} {way}" for way in ("by number", "by text", "cut out") if leaks[benchmark, way]
        ]
        lines.append(f"benchmarks  {benchmark}: {', '.join(ways)}")
    size = sum(item["bytes"] for item in content["shards"])
    lines.append(f"shards      {len(content['shards'])} files, {amount(size, 'B')}, below shards/")
    if content["heldout"]:
        held = ", ".join(f"{item['group']} {amount(item['tokens'])}" for item in content["heldout"])
        lines.append(f"held out    {held} tokens, below heldout/, for validation")
    for name, card in content["deidentification"].items():
        lines.append(
            f"masked      {name}: {card['recall']:.1%} of identifiers planted into {card['notes']} of its notes, and "
            f"{card['over_redaction']:.2%} of the notes as they are"
        )
        if leaks := card.get("leaks"):
            what = "names and numbers" if leaks["names"] else "numbers"
            lines.append(
                f"            searched: {leaks['rows']:,} rows hold none of {leaks['values']:,} {what} taken out"
            )
            if leaks["key"] == "none":
                lines.append("            no site key (MEDICAL_CORPUS_KEY_FILE): notes keep the hospital's own ids")
    if content["restricted"]:
        lines.append("restricted  holds credentialed or private text: files are readable by you alone; do not publish")
    return "\n".join(lines) + "\n"


def _leaks(book: pa.Table) -> Counter[tuple[str, str]]:
    """(benchmark, how it was found) -> documents that held an item of it, from what the filter marked."""
    held = book.filter(pc.fill_null(pc.match_substring(book["marks"], '"contamination.benchmark"'), False))
    ways = {"contamination.identity": "by number", "contamination.text": "by text"}
    found: Counter[tuple[str, str]] = Counter()
    for reason, marks in zip(held["reason"].to_pylist(), held["marks"].to_pylist(), strict=True):
        found[str(json.loads(marks)["contamination.benchmark"]), ways.get(reason, "cut out")] += 1
    return found


def _mix(content: Mapping[str, Any]) -> list[str]:
    of = content["mix"]
    asked = ":".join(f"{weight}" for weight in of["asked"].values())
    realised = " : ".join(f"{value:.4f}" for value in of["realised"].values())
    return [
        f"mix         asked {asked} ({', '.join(of['asked'])}), realised {realised} by tokens",
        f"            in no prefix is a group more than {of['largest_deviation']:,} tokens from its share "
        f"(longest row: {of['longest_row']:,})",
        *(f"            {line}" for line in of["plan"]),
    ]


def _foreign(content: Mapping[str, Any]) -> list[str]:
    found = [file["foreign"] for source in content["sources"] for file in source["files"] if file["foreign"]]
    lines = [f"not read    {len(found)} files are not of their source's kind:"] if found else []
    lines += [f"            {told[:160]}" for told in found[:SHOWN]]
    if len(found) > SHOWN:
        lines.append(f"            and {len(found) - SHOWN} more, in manifest.json")
    return lines


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns, the first two to the left, the others to the right."""
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width)
            if number < 2 or (not cell.replace(",", "").isdigit() and cell[:1].isalpha())
            else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def following(build: Path) -> str:
    """What to type next."""
    return "\n".join(
        [
            f"\nthe build lies in {build}",
            f"  check it        python -m pipelines.verify {build}",
            f"  ask about one   python -m pipelines.why ID {build}",
            f"  train from it   torchrun --nproc-per-node 2 trainer/run.py --build {build}",
        ]
    )
