"""What another threshold would do: `python -m pipelines.whatif BUILD --set quality.min_words=30`.

Answered from the marks that the ledgers keep, without reading a text. `FAMILY.min_MARK` and
`FAMILY.max_MARK` name a threshold on a mark as `pipelines.why` prints it; it is taken to hold for
every kind of text, unless --source or --kind narrow it. `duplicate.min_similarity` is the other one.
"""

import argparse
import difflib
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus import ledger, manifest
from pipelines.progress import amount

SIMILARITY = "duplicate.similarity"
# How filters say which number broke which threshold: `3 < 20 words`.
_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
_DETAIL = rf"^(?P<found>{_NUMBER}) (?P<sign>[<>]) {_NUMBER}"
_ROUNDED = 6e-4  # marks and details are rounded to three places, each by itself


@dataclass(frozen=True)
class Threshold:
    """`min` keeps what is not below `value`, `max` what is not above it."""

    side: str
    mark: str
    value: float

    @staticmethod
    def parse(text: str) -> "Threshold":
        found = re.fullmatch(rf"([\w.]+)\.(min|max)_(\w+)=({_NUMBER})", text.strip())
        if not found:
            raise ValueError(
                f"--set {text}: expected FAMILY.min_MARK=NUMBER or FAMILY.max_MARK=NUMBER, "
                "like quality.min_words=30 or gopher.max_dup_lines=0.2"
            )
        family, side, name, value = found.groups()
        return Threshold(side, f"{family}.{name}", float(value))

    @property
    def family(self) -> str:
        return self.mark.rpartition(".")[0]

    def broken(self, values: np.ndarray) -> np.ndarray:
        return values < self.value if self.side == "min" else values > self.value


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m pipelines.whatif", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("build", type=Path, help="the folder of a finished build")
    parser.add_argument("--set", action="append", required=True, metavar="FAMILY.min_MARK=NUMBER", help="a threshold")
    parser.add_argument("--source", help="only documents of this source")
    parser.add_argument("--kind", help="only documents of this kind of text")
    parser.add_argument("--examples", type=int, default=5, help="how many ids at the margin are named (5)")
    given = parser.parse_args(arguments)
    try:
        for text in given.set:
            print(told(given.build, Threshold.parse(text), given.source, given.kind, given.examples))
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def told(build: Path, threshold: Threshold, source: str | None, kind: str | None, examples: int) -> str:
    """What the threshold would move, source by source, and the documents next to it."""
    content = manifest.load(build)
    books = [item for item in content["ledger"] if source in (None, item["source"])]
    if not books:
        known = ", ".join(item["source"] for item in content["ledger"])
        raise ValueError(f"--source {source}: this build has no such source; it has {known}")
    lines = [f"{threshold.family}.{threshold.side}_{threshold.mark.rpartition('.')[2]} = {threshold.value:g}"]
    near: list[tuple[float, str, str]] = []
    seen = 0
    for item in books:
        book = ledger.read(build / item["path"])
        if kind:
            book = book.filter(pc.equal(book["kind"], kind))
        value = _values(book, threshold.mark)
        there = ~np.isnan(value)
        seen += int(there.sum())
        if not there.any():
            continue
        goes, comes = _moved(book, threshold, value)
        status, reason = book["status"].to_numpy(zero_copy_only=False), book["reason"].to_numpy(zero_copy_only=False)
        tokens = pc.fill_null(book["tokens"], 0).to_numpy()
        draws, chars = book["draws"].to_numpy(), book["chars"].to_numpy()
        kept = status == "kept"
        unused = reason == "mix.unused"
        lines.append(f"{item['source']} ({int(there.sum()):,} documents have this mark)")
        out, held = goes & kept, goes & (status == "heldout")
        lines.append(
            f"  would go      {int(out.sum()):>9,} documents, {amount(int((tokens * draws)[out].sum()))} tokens of the "
            f"stream ({100 * (tokens * draws)[out].sum() / max(1, (tokens * draws).sum()):.2f} % of the source's)"
        )
        if held.any() or (goes & unused).any():
            lines.append(f"                and {int(held.sum()):,} held out, {int((goes & unused).sum()):,} not drawn")
        if comes.any():
            counted = tokens > 0
            ratio = tokens[counted].sum() / max(1, chars[counted].sum())
            estimate = f", about {amount(chars[comes].sum() * ratio)} tokens" if counted.any() else ""
            lines.append(f"  would pass    {int(comes.sum()):>9,} documents{estimate}, and meet the rules that follow")
        ids = book["id"]
        for moved, way in ((out | held, "goes"), (comes, "passes"), (kept & ~goes & there, "stays")):
            rows = np.flatnonzero(moved)
            rows = rows[np.argsort(np.abs(value[rows] - threshold.value), kind="stable")[:examples]]
            near += [(float(value[row]), way, ids[int(row)].as_py()) for row in rows]
    if not seen:
        raise ValueError(_unknown(build, content, threshold.mark))
    lines.append("at the margin")
    for way in ("goes", "passes", "stays"):
        mine = sorted((one for one in near if one[1] == way), key=lambda one: abs(one[0] - threshold.value))
        lines += [f"  {way:<7} {value:>10g}  {id}" for value, _, id in mine[:examples]]
    return "\n".join(lines)


def _values(book: pa.Table, mark: str) -> np.ndarray:
    """The mark of every row, NaN where it has none: float64 [rows]."""
    if mark == SIMILARITY:
        near = pc.starts_with(pc.fill_null(book["reason"], ""), "duplicate.")
        return pc.fill_null(pc.if_else(near, book["similarity"], None), np.nan).to_numpy()
    pattern = rf'"{re.escape(mark)}":(?P<value>{_NUMBER})'
    found = pc.struct_field(pc.extract_regex(book["marks"].combine_chunks(), pattern), "value")
    return pc.fill_null(found.cast(pa.float64()), np.nan).to_numpy()


def _moved(book: pa.Table, threshold: Threshold, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(documents that pass this rule now and would not, documents that it drops now and would not): bool [rows]."""
    mine = pc.starts_with(pc.fill_null(book["reason"], ""), threshold.family + ".").to_numpy(zero_copy_only=False)
    if threshold.mark == SIMILARITY:
        return np.zeros(len(book), bool), mine & (value < threshold.value)
    detail = pc.extract_regex(book["detail"].combine_chunks(), _DETAIL)
    found = pc.fill_null(pc.struct_field(detail, "found").cast(pa.float64()), np.nan).to_numpy()
    sign = pc.fill_null(pc.struct_field(detail, "sign"), "").to_numpy(zero_copy_only=False)
    # A rule that counts, but does not say one number against another, is the only one of its family: language.
    told = pc.match_substring_regex(pc.fill_null(book["detail"], ""), "[0-9]").to_numpy(zero_copy_only=False)
    by_this = (sign == ("<" if threshold.side == "min" else ">")) & (np.abs(found - value) <= _ROUNDED)
    dropped = mine & ~np.isnan(value) & (by_this | (told & np.isnan(found)))
    broken = threshold.broken(value)
    return ~mine & ~np.isnan(value) & broken, dropped & ~broken


def _unknown(build: Path, content: dict, mark: str) -> str:
    known: set[str] = {SIMILARITY}
    for item in content["ledger"]:
        marks = ledger.read(build / item["path"])["marks"].drop_null().unique()
        for text in marks.to_pylist()[:5000]:
            known |= {name for name, value in json.loads(text).items() if not isinstance(value, str)}
    near = difflib.get_close_matches(mark, known, n=1)
    hint = f"; the nearest is {near[0]}" if near else ""
    return f"no document of this build has the mark {mark}{hint}. Known marks: {', '.join(sorted(known))}"


if __name__ == "__main__":
    sys.exit(main())
