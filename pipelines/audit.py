"""What the de-identification finds and what it misses, measured on a hospital's own notes.

`python -m pipelines.audit NOTES` plants identifiers that belong to nobody into copies of notes
(which are kept in memory alone) and prints recall and precision for every type, with Wilson's 95 %
intervals, and how much of the notes as they are is masked. `--gold DIR` measures on notes that
people have annotated instead: i2b2-2014 XML, presidio JSON, brat. A build calls `scorecard` and
`gate`. What is printed, returned and kept are counts and names of types; spans with their
words go only into the local file that `--sample` names.
"""

import argparse
import json
import math
import os
import random
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lxml import etree

from corpus.document import Document, Drop
from corpus.files import BadInput, members, open_raw
from filters.deid import Deid
from filters.phi.canaries import Canaries, Canary
from filters.phi.rules import Failed, Late
from filters.phi.spans import Span

PLANTED = 6  # canaries a note
# Ends of sentences and lines; `Mr. ` ends none.
_BREAK = re.compile(r"(?<=[.!?])(?<!Mr\.)(?<!Mrs\.)(?<!Ms\.)(?<!Dr\.)(?<!St\.) +(?=[A-Z])|\n")
# What 45 CFR 164.514(b)(2) asks for rests on no figure; these are the project's own floors.
FLOOR = 0.95


def wilson(right: int, all: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (E. B. Wilson, JASA 22, 1927)."""
    if not all:
        return 0.0, 1.0
    z, share = 1.959964, right / all
    middle = (share + z * z / (2 * all)) / (1 + z * z / all)
    half = z / (1 + z * z / all) * math.sqrt(share * (1 - share) / all + z * z / (4 * all * all))
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass
class Tally:
    """Counts of an audit: for every type spans planted and fully masked, characters masked rightly and wrongly."""

    notes: int = 0
    failed: int = 0
    chars: int = 0
    innocent: int = 0
    planted: Counter[str] = field(default_factory=Counter)
    whole: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    masked: Counter[str] = field(default_factory=Counter)
    missed_by: Counter[str] = field(default_factory=Counter)

    def card(self) -> dict[str, Any]:
        """The scorecard: plain numbers, for a manifest."""
        types = {}
        for type in sorted(self.planted):
            low, high = wilson(self.whole[type], self.planted[type])
            types[type] = {
                "planted": self.planted[type],
                "recall": round(self.whole[type] / self.planted[type], 4),
                "recall_interval": [round(low, 4), round(high, 4)],
            }
        kinds = {}
        for kind in sorted(set(self.right) | set(self.wrong)):
            total = self.right[kind] + self.wrong[kind]
            low, high = wilson(self.right[kind], total)
            kinds[kind] = {
                "masked_chars": total,
                "precision": round(self.right[kind] / total, 4),
                "precision_interval": [round(low, 4), round(high, 4)],
            }
        planted, whole = sum(self.planted.values()), sum(self.whole.values())
        right, wrong = sum(self.right.values()), sum(self.wrong.values())
        return {
            "notes": self.notes,
            "failed": self.failed,
            "chars": self.chars,
            "recall": round(whole / planted, 4) if planted else None,
            "recall_interval": [round(value, 4) for value in wilson(whole, planted)],
            "precision": round(right / (right + wrong), 4) if right + wrong else None,
            "over_redaction": round(self.innocent / self.chars, 6) if self.chars else 0.0,
            "over_redaction_spans": dict(sorted(self.masked.items())),
            "types": types,
            "kinds": kinds,
        }


def plant(text: str, canaries: Sequence[Canary], choose: random.Random) -> tuple[str, list[tuple[int, int, Canary]]]:
    """The text with the sentences put in at ends of sentences, and where each of them begins and ends."""
    places = [found.end() for found in _BREAK.finditer(text)] or [len(text)]
    chosen = sorted(choose.choices(places, k=len(canaries)))
    pieces: list[str] = []
    out: list[tuple[int, int, Canary]] = []
    at = length = 0
    for place, canary in zip(chosen, canaries, strict=True):
        before = text[at:place]
        lead = "\n" if ":" in canary.sentence or choose.random() < 0.3 else "" if before.endswith(("\n", " ")) else " "
        pieces += [before, lead, canary.sentence]
        length += len(before) + len(lead)
        out.append((length, length + len(canary.sentence), canary))
        tail = "\n" if lead == "\n" else " "
        pieces.append(tail)
        length += len(canary.sentence) + 1
        at = place
    pieces.append(text[at:])
    return "".join(pieces), out


def _mask(spans: Iterable[Span], size: int) -> bytearray:
    covered = bytearray(size)
    for span in spans:
        covered[span.start : span.end] = b"\x01" * (span.end - span.start)
    return covered


def _whole(text: str, covered: bytearray, start: int, end: int) -> bool:
    """Whether every letter and digit of a span is masked."""
    return all(covered[at] for at in range(start, end) if text[at].isalnum())


class Audit:
    """Counts over one note after another."""

    def __init__(self, deid: Deid, seed: int = 0, sample: int = 0) -> None:
        self.deid = deid
        self.tally = Tally()
        self.canaries = Canaries(seed)
        self.choose = random.Random(seed)
        self.sample = sample
        self.seen: list[dict[str, str]] = []
        self._spans = 0
        self._turn = 0

    def note(self, text: str, known: Mapping[str, Sequence[str]] | None = None) -> None:
        """Masks a note as it is, and a copy of it with canaries."""
        self.tally.notes += 1
        self.tally.chars += len(text)
        try:
            before = self.deid.spans(text, known)
            types = self.canaries.types
            planted = [self.canaries.one(types[(self._turn + step) % len(types)]) for step in range(PLANTED)]
            self._turn += PLANTED
            copy, places = plant(text, planted, self.choose)
            after = self.deid.spans(copy, known)
        except (Late, Failed):
            self.tally.failed += 1
            return
        for span in before:
            self.tally.masked[span.kind] += 1
            self.tally.innocent += span.end - span.start
            self._keep(text, span)
        self._count(copy, places, after, _mask(before, len(text)))

    def _count(self, copy: str, places: list[tuple[int, int, Canary]], after: list[Span], before: bytearray) -> None:
        covered = _mask(after, len(copy))
        gold = bytearray(len(copy))
        ours = bytearray(len(copy))
        for start, end, canary in places:
            kind = canary.type
            self.tally.planted[kind] += 1
            first, last = start + canary.start, start + canary.end
            gold[first:last] = b"\x01" * (last - first)
            ours[start:end] = b"\x01" * (end - start)
            if _whole(copy, covered, first, last):
                self.tally.whole[kind] += 1
            elif self.sample:
                self.seen.append({"missed": kind, "text": copy[max(0, start - 20) : end + 20]})
        for span in after:
            for at in range(span.start, span.end):
                if not copy[at].isalnum():
                    continue
                if gold[at]:
                    self.tally.right[span.kind] += 1
                elif ours[at]:
                    self.tally.wrong[span.kind] += 1

    def _keep(self, text: str, span: Span) -> None:
        """Reservoir sampling of masked spans (Vitter's algorithm R), for a person to read."""
        if not self.sample:
            return
        self._spans += 1
        row = {
            "kind": span.kind,
            "rule": span.rule,
            "before": text[max(0, span.start - 60) : span.start],
            "masked": text[span.start : span.end],
            "after": text[span.end : span.end + 60],
        }
        kept = [index for index, one in enumerate(self.seen) if "rule" in one]
        if len(kept) < self.sample:
            self.seen.append(row)
        elif (place := self.choose.randrange(self._spans)) < self.sample:
            self.seen[kept[place]] = row


def scorecard(documents: Iterable[Document], deid: Deid, *, notes: int = 200, seed: int = 0) -> dict[str, Any]:
    """Recall, precision and over-redaction on up to `notes` of the documents, as plain numbers.

    The documents are raw ones, before the filter; what is planted stays in memory.
    """
    audit = Audit(deid, seed)
    for document in documents:
        if audit.tally.notes >= notes:
            break
        if document.text.strip():
            audit.note(document.text, document.meta.get("_known"))
    return audit.tally.card()


def gate(card: Mapping[str, Any], floor: float = FLOOR, over: float = 0.05) -> None:
    """Raises ValueError when the audit says that the de-identification is not fit for these notes."""
    said = []
    if not card["notes"] or card["recall"] is None:
        said.append("no note was audited")
    elif card["recall"] < floor:
        weakest = sorted(card["types"], key=lambda type: (card["types"][type]["recall"], type))[:5]
        names = ", ".join(f"{type} {card['types'][type]['recall']:.2f}" for type in weakest)
        said.append(f"{card['recall']:.3f} of the planted identifiers were masked, and {floor} is the floor ({names})")
    if card["failed"]:
        said.append(f"{card['failed']} of {card['notes']} notes could not be read by the filter")
    if card["over_redaction"] > over:
        said.append(f"{card['over_redaction']:.1%} of the notes was masked, and {over:.0%} is the most")
    if said:
        raise ValueError(
            f"the de-identification audit fails: {'; '.join(said)}. Read a sample of what is masked and missed "
            "(python -m pipelines.audit NOTES --sample FILE), or give another floor if these figures are what you want"
        )


def leaks(paths: Iterable[Path], known: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """How many rows of shards still hold a known value, per type; values are compared as whole words, any case."""
    from corpus.shards import open_shard
    from filters.phi.known import pattern

    compiled = {kind: pattern({kind: list(values)}) for kind, values in known.items()}
    found: Counter[str] = Counter()
    for path in paths:
        reader = open_shard(path)
        for number in range(reader.num_record_batches):
            for text in reader.get_batch(number).column("text").to_pylist():
                for kind, one in compiled.items():
                    if text and one is not None and one.search(text):
                        found[kind] += 1
    return dict(sorted(found.items()))


@dataclass(frozen=True)
class Gold:
    """A note with the identifiers that people marked: start, end, type."""

    name: str
    text: str
    spans: tuple[tuple[int, int, str], ...]


def gold_files(folder: Path) -> Iterator[Gold]:
    """Annotated notes below a folder: i2b2-2014 XML, presidio JSON, brat (.ann beside .txt); archives of them, too."""
    found = False
    for path in sorted(folder.rglob("*") if folder.is_dir() else [folder]):
        if not path.is_file():
            continue
        if re.search(r"\.(tar|tgz|zip)(\.\w+)?$|\.tar\.\w+$", path.name):
            for name, body in members(path):
                for one in _gold(name, body, None):
                    found = True
                    yield one
            continue
        if not re.search(r"\.(xml|json|ann)(\.gz|\.zst)?$", path.name):
            continue
        with open_raw(path) as stream:
            body = stream.read()
        text = None
        if path.name.endswith(".ann"):
            beside = path.with_suffix(".txt")
            if not beside.is_file():
                raise BadInput(f"{path}: brat keeps the text beside it, but there is no {beside.name}")
            text = beside.read_bytes().decode("utf-8")
        for one in _gold(path.name, body, text):
            found = True
            yield one
    if not found:
        raise BadInput(
            f"{folder}: no annotated notes; expected i2b2-2014 .xml, presidio .json (full_text and spans), "
            "or brat .ann with .txt beside"
        )


def _gold(name: str, body: bytes, text: str | None) -> Iterator[Gold]:
    if re.search(r"\.xml(\.\w+)?$", name):
        try:
            root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False))
        except etree.XMLSyntaxError as error:
            raise BadInput(f"{name}: not XML (line {error.lineno})") from None
        content, tags = root.find("TEXT"), root.find("TAGS")
        if content is None or tags is None:
            return
        spans = tuple(
            (int(tag.get("start")), int(tag.get("end")), f"{tag.tag}:{tag.get('TYPE') or tag.tag}")
            for tag in tags
            if isinstance(tag.tag, str) and tag.get("start") is not None and tag.get("end") is not None
        )
        yield Gold(name, content.text or "", spans)
    elif re.search(r"\.json(\.\w+)?$", name):
        try:
            rows = json.loads(body)
        except json.JSONDecodeError as error:
            raise BadInput(f"{name}: not JSON (line {error.lineno})") from None
        for number, row in enumerate(rows if isinstance(rows, list) else []):
            if isinstance(row, dict) and isinstance(row.get("full_text"), str) and isinstance(row.get("spans"), list):
                yield Gold(
                    f"{name}#{number}",
                    row["full_text"],
                    tuple(
                        (int(one["start_position"]), int(one["end_position"]), str(one["entity_type"]))
                        for one in row["spans"]
                    ),
                )
    elif text is not None:
        found = []
        for line in body.decode("utf-8").splitlines():
            match = re.match(r"T\d+\t(\S+) ([\d ;]+)\t", line)
            if match:
                for part in match[2].split(";"):
                    start, end = map(int, part.split())
                    found.append((start, end, match[1]))
        yield Gold(name, text, tuple(found))


def judged(gold: Iterable[Gold], deid: Deid, ignore: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The scorecard on annotated notes: per gold type spans fully masked; precision on masked characters.

    Types in `ignore` (professions, countries: no identifiers) count neither for nor against.
    """
    tally = Tally()
    for one in gold:
        tally.notes += 1
        try:
            spans = deid.spans(one.text)
        except (Late, Failed):
            tally.failed += 1
            continue
        covered = _mask(spans, len(one.text))
        marked = bytearray(len(one.text))
        for start, end, type in one.spans:
            value = 2 if type in ignore else 1
            marked[start:end] = bytes([value]) * (end - start)
            if value == 1:
                tally.planted[type] += 1
                tally.whole[type] += _whole(one.text, covered, start, end)
        tally.chars += sum(not flag for flag in marked)
        for span in spans:
            for at in range(span.start, span.end):
                if not one.text[at].isalnum():
                    continue
                if marked[at] == 1:
                    tally.right[span.kind] += 1
                elif not marked[at]:
                    tally.wrong[span.kind] += 1
                    tally.innocent += 1
    return tally.card()


def table(card: Mapping[str, Any]) -> str:
    """A scorecard for a terminal."""
    lines = [f"{card['notes']} notes, {card['chars']:,} characters, {card['failed']} failed", ""]
    if card["types"]:
        lines.append(f"{'type':28} {'spans':>7} {'fully masked':>13}   95 % interval")
        for type, row in card["types"].items():
            low, high = row["recall_interval"]
            lines.append(f"{type:28} {row['planted']:>7} {row['recall']:>13.3f}   {low:.3f} to {high:.3f}")
        low, high = card["recall_interval"]
        planted = sum(row["planted"] for row in card["types"].values())
        lines += [
            f"{'all':28} {planted:>7} {card['recall']:>13.3f}   {low:.3f} to {high:.3f}",
            "",
        ]
        lines.append(f"{'masked as':28} {'chars':>7} {'precision':>13}   95 % interval")
        for kind, row in card["kinds"].items():
            low, high = row["precision_interval"]
            lines.append(f"{kind:28} {row['masked_chars']:>7} {row['precision']:>13.3f}   {low:.3f} to {high:.3f}")
        if card["precision"] is not None:
            lines += [f"{'all':28} {'':>7} {card['precision']:>13.3f}", ""]
    spans = sum(card["over_redaction_spans"].values())
    lines.append(
        f"masked outside of what is known to identify: {card['over_redaction']:.3%} of the characters, {spans} spans"
    )
    return "\n".join(lines)


def _notes(path: Path) -> Iterator[Document]:
    from corpus.sources.notes import Notes

    source = Notes()
    paths = sorted(path.rglob("*")) if path.is_dir() else [path]
    for one in paths:
        if one.is_file() and source.accepts(one.name):
            yield from source.read(one, one.name)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m pipelines.audit", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("notes", type=Path, nargs="?", help="a table of notes, or a folder of tables")
    parser.add_argument("--gold", type=Path, help="measure on annotated notes: i2b2-2014 XML, presidio JSON, brat")
    parser.add_argument("--ignore", default="", help="gold types that are no identifiers, separated by commas")
    parser.add_argument("--limit", type=int, default=500, help="notes to read (default 500)")
    parser.add_argument("--policy", default="notes")
    parser.add_argument("--locales", default="us,uk")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--sample", type=Path, help="write masked spans and misses with their words here; keep the file private"
    )
    parser.add_argument("--floor", type=float, help="fail below this share of planted identifiers masked")
    parser.add_argument("--json", action="store_true", help="print the scorecard as JSON")
    options = parser.parse_args(arguments)
    try:
        deid = Deid(policy=options.policy, locales=tuple(filter(None, options.locales.split(","))))
        if options.gold is not None:
            ignored = frozenset(filter(None, options.ignore.split(",")))
            card = judged(_first(gold_files(options.gold), options.limit), deid, ignored)
        elif options.notes is not None:
            if not options.notes.exists():
                raise BadInput(f"{options.notes}: there is no such file or folder")
            audit = Audit(deid, options.seed, 200 if options.sample else 0)
            for document in _first(_notes(options.notes), options.limit):
                if document.text.strip() and "error" not in document.meta:
                    audit.note(document.text, document.meta.get("_known"))
            card = audit.tally.card()
            if options.sample:
                _write_sample(options.sample, audit.seen)
        else:
            parser.error("give a table of notes, or --gold DIR")
        print(json.dumps(card, indent=1, sort_keys=True) if options.json else table(card))
        if options.floor is not None:
            gate(card, options.floor)
    except ValueError as error:
        print(f"audit: {error}", file=sys.stderr)
        return 2
    return 0


def _first(items: Iterable[Any], count: int) -> Iterator[Any]:
    for number, item in enumerate(items):
        if number >= count:
            return
        yield item


def _write_sample(path: Path, rows: list[dict[str, str]]) -> None:
    """JSON lines that only the user may read; never below a finished build."""
    if any((parent / "manifest.json").exists() for parent in path.resolve().parents):
        raise BadInput(f"{path}: a sample holds words of notes and may not lie in a build; name a file elsewhere")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


__all__ = ["Audit", "Drop", "gate", "judged", "leaks", "main", "scorecard"]

if __name__ == "__main__":
    sys.exit(main())
