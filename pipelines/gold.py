"""Notes that people have annotated: i2b2-2014 XML, presidio JSON, brat; and what a filter finds of them."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lxml import etree

from corpus.files import BadInput, members, open_raw
from filters.deid import Deid
from filters.phi.rules import Failed, Late
from pipelines.scorecard import Tally, covered, whole


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
        masked = covered(spans, len(one.text))
        marked = bytearray(len(one.text))
        for start, end, type in one.spans:
            value = 2 if type in ignore else 1
            marked[start:end] = bytes([value]) * (end - start)
            if value == 1:
                tally.planted[type] += 1
                tally.whole[type] += whole(one.text, masked, start, end)
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
