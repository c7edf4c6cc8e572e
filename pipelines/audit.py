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
import os
import random
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from corpus.document import Document
from corpus.files import BadInput
from corpus.sources.notes import Notes
from filters.deid import Deid
from filters.phi.canaries import Canaries, Canary
from filters.phi.rules import Failed, Late
from filters.phi.spans import Span
from pipelines.arguments import parse_columns
from pipelines.gold import gold_files, judged
from pipelines.scorecard import Tally, covered, gate, table, whole

PLANTED = 6  # canaries a note
# Ends of sentences and lines; `Mr. ` ends none.
_BREAK = re.compile(r"(?<=[.!?])(?<!Mr\.)(?<!Mrs\.)(?<!Ms\.)(?<!Dr\.)(?<!St\.) +(?=[A-Z])|\n")


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
        self._count(copy, places, after, covered(before, len(text)))

    def _count(self, copy: str, places: list[tuple[int, int, Canary]], after: list[Span], before: bytearray) -> None:
        masked = covered(after, len(copy))
        gold = bytearray(len(copy))
        ours = bytearray(len(copy))
        for start, end, canary in places:
            kind = canary.type
            self.tally.planted[kind] += 1
            first, last = start + canary.start, start + canary.end
            gold[first:last] = b"\x01" * (last - first)
            ours[start:end] = b"\x01" * (end - start)
            if whole(copy, masked, first, last):
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


def _notes(path: Path, source: Notes) -> Iterator[Document]:
    paths = sorted(path.rglob("*")) if path.is_dir() else [path]
    for one in paths:
        if one.is_file() and source.accepts(one.name):
            yield from source.read(one, one.name)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m pipelines.audit", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("notes", type=Path, nargs="?", help="a table of notes, or a folder of tables")
    parser.add_argument("--columns", help="of the tables, as a build has them: text=report,known.name=first|last,…")
    parser.add_argument("--gold", type=Path, help="measure on annotated notes: i2b2-2014 XML, presidio JSON, brat")
    parser.add_argument("--ignore", default="", help="gold types that are no identifiers, separated by commas")
    parser.add_argument("--limit", type=int, default=500, help="notes to read (default 500)")
    parser.add_argument("--policy", default="notes")
    parser.add_argument("--extra", default="", help="a model of yours beside ours: spacy:MODEL or transformers:FOLDER")
    parser.add_argument("--locales", default="us,uk")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--sample", type=Path, help="write masked spans and misses with their words here; keep the file private"
    )
    parser.add_argument("--floor", type=float, help="fail below this share of planted identifiers masked")
    parser.add_argument("--json", action="store_true", help="print the scorecard as JSON")
    options = parser.parse_args(arguments)
    try:
        locales = tuple(filter(None, options.locales.split(",")))
        deid = Deid(policy=options.policy, locales=locales, extra=options.extra)
        if options.gold is not None:
            ignored = frozenset(filter(None, options.ignore.split(",")))
            card = judged(_first(gold_files(options.gold), options.limit), deid, ignored)
        elif options.notes is not None:
            if not options.notes.exists():
                raise BadInput(f"{options.notes}: there is no such file or folder")
            source = Notes(columns=parse_columns(options.columns)) if options.columns else Notes()
            audit = Audit(deid, options.seed, 200 if options.sample else 0)
            for document in _first(_notes(options.notes, source), options.limit):
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


if __name__ == "__main__":
    sys.exit(main())
