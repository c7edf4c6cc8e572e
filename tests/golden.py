"""What every source makes of the raw files in tests/raw: `python -m tests.golden --approve` after a look at the diff.

Raw files lie in tests/raw/<source>/, what they became in tests/golden/<source>.jsonl: one line a
document, or one for a file that a source refuses.
"""

import argparse
import difflib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from corpus.files import BadInput, Foreign
from corpus.sources import Source
from corpus.sources.guidelines import Guidelines
from corpus.sources.instructions import Instructions
from corpus.sources.mimic import Mimic
from corpus.sources.notes import Notes
from corpus.sources.pmc import PMC
from corpus.sources.pubmed import PubMed
from corpus.sources.redpajama import RedPajama

RAW, GOLDEN = Path(__file__).parent / "raw", Path(__file__).parent / "golden"
SOURCES: dict[str, Source] = {
    "guidelines": Guidelines(),
    "instructions": Instructions("medical"),
    "mimic": Mimic(),
    "notes": Notes(),
    "pmc": PMC(),
    "pubmed": PubMed(),
    "redpajama": RedPajama(),
}


def lines(source: Source, folder: Path) -> Iterator[str]:
    """One JSON line for each document of the files that a source accepts, in order of their names."""
    for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix()):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or not source.accepts(name):
            continue
        try:
            for document in source.read(path, name):
                row = {
                    "file": name,
                    "id": document.id,
                    "text": document.text,
                    "license": document.license,
                    "created": document.created,
                    "meta": dict(document.meta),
                }
                yield json.dumps(row, ensure_ascii=False, sort_keys=True)
        except (BadInput, Foreign) as error:
            said = str(error).replace(str(path), name)
            yield json.dumps({"file": name, type(error).__name__: said}, ensure_ascii=False, sort_keys=True)


def difference(name: str) -> list[str]:
    """Lines in which a source's output differs from what was approved; empty when it does not."""
    approved = GOLDEN / f"{name}.jsonl"
    before = approved.read_text(encoding="utf-8").split("\n") if approved.exists() else []
    after = [*lines(SOURCES[name], RAW / name), ""]
    return list(difflib.unified_diff(before, after, "approved", "now", lineterm="", n=0))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--approve", action="store_true", help="write what the sources make of the raw files now")
    parser.add_argument("sources", nargs="*", choices=[*SOURCES, []], help="which (default: all)")
    args = parser.parse_args()
    changed = 0
    for name in args.sources or SOURCES:
        found = difference(name)
        changed += bool(found)
        print("\n".join(found) if found else f"{name}: as approved")
        if args.approve and found:
            GOLDEN.mkdir(exist_ok=True)
            (GOLDEN / f"{name}.jsonl").write_text("\n".join([*lines(SOURCES[name], RAW / name), ""]), encoding="utf-8")
    return 1 if changed and not args.approve else 0


if __name__ == "__main__":
    sys.exit(main())
