"""How fast XML becomes documents, against pubmed_parser and against lxml alone, in one run.

    python -m tests.bench.parse --medline pubmed20n0014.xml.gz --jats plos.tar.gz

CPU seconds of this process, so that a busy machine disturbs little. pubmed_parser runs twice: with
all of its fields, and with only those that a PubMed document has (its other parsers are replaced by
nothing). For JATS it runs what gives text: metadata with abstract, paragraphs, captions.
"""

import argparse
import gzip
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lxml import etree

from corpus.files import members, open_raw
from corpus.sources.pmc import PMC
from corpus.sources.pubmed import PubMed


def seconds(work: Callable[[], int], repeat: int) -> tuple[float, int]:
    """Best CPU time of several runs, and how many records the work found."""
    best, count = float("inf"), 0
    for _ in range(repeat):
        start = time.process_time()
        count = work()
        best = min(best, time.process_time() - start)
    return best, count


def show(title: str, megabytes: float, rows: list[tuple[str, float, int]]) -> None:
    ours = rows[0][1]
    print(f"\n{title}: {megabytes:.1f} MB of XML")
    print(f"{'':44}{'records':>9}{'CPU s':>9}{'MB/s':>8}{'ours is':>10}")
    for name, taken, count in rows:
        print(f"{name:44}{count:9,}{taken:9.2f}{megabytes / taken:8.1f}{taken / ours:9.2f}x")


def medline(path: Path, repeat: int) -> None:
    with open_raw(path) as stream:
        size = sum(len(block) for block in iter(lambda: stream.read(1 << 20), b"")) / 1e6

    def ours() -> int:
        return sum(1 for _ in PubMed().read(path, path.name))

    def tree() -> int:
        with gzip.open(path) as stream:
            return sum(1 for _ in etree.parse(stream).getroot())

    def events() -> int:
        count = 0
        with gzip.open(path) as stream:
            for _, element in etree.iterparse(stream, tag="PubmedArticle"):
                count += 1
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
        return count

    rows = [("this project", *seconds(ours, repeat))]
    try:
        from pubmed_parser import medline_parser as peer
    except ImportError:
        print("pubmed_parser is not installed: pip install pubmed_parser")
    else:
        whole: Any = peer.parse_medline_xml

        def theirs() -> int:
            return sum(1 for _ in whole(str(path), year_info_only=False))

        rows.append(("pubmed_parser, all its fields", *seconds(theirs, repeat)))
        # title, abstract, journal, date, PMID, DOI, PMCID, MeSH, types and languages remain
        names = ("parse_references", "parse_chemical_list", "parse_keywords", "parse_journal_info", "parse_grant_id")
        kept = {name: getattr(peer, name) for name in (*names, "parse_author_affiliation")}
        for name in kept:
            setattr(peer, name, lambda *_: [])
        peer.parse_journal_info = lambda *_: {}
        try:
            rows.append(("pubmed_parser, the fields of a document", *seconds(theirs, repeat)))
        finally:
            for name, function in kept.items():
                setattr(peer, name, function)
    rows.append(("lxml iterparse and clear, nothing read", *seconds(events, repeat)))
    rows.append(("lxml whole tree, nothing read", *seconds(tree, repeat)))
    show(path.name, size, rows)


def jats(path: Path, repeat: int) -> None:
    bodies = [(name, data) for name, data in members(path) if name.endswith(("xml", "nxml"))]
    size = sum(len(data) for _, data in bodies) / 1e6

    def ours() -> int:
        return sum(1 for _ in PMC().read(path, path.name))

    def tree() -> int:
        parser = etree.XMLParser(remove_comments=True, remove_pis=True, resolve_entities=False, huge_tree=True)
        count = 0
        for _, data in members(path):
            try:
                etree.fromstring(data, parser)
            except etree.XMLSyntaxError:
                continue
            count += 1
        return count

    rows = [("this project", *seconds(ours, repeat))]
    try:
        from pubmed_parser import pubmed_oa_parser as peer
    except ImportError:
        print("pubmed_parser is not installed: pip install pubmed_parser")
    else:
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for number, (_, data) in enumerate(bodies):
                file = Path(folder, f"{number}.nxml")
                file.write_bytes(data)
                files.append(str(file))

            def theirs() -> int:
                count = 0
                for file in files:
                    try:
                        peer.parse_pubmed_xml(file)
                        peer.parse_pubmed_paragraph(file, all_paragraph=True)
                        peer.parse_pubmed_caption(file)
                    except Exception:  # noqa: BLE001 (what a peer cannot read is not counted)
                        continue
                    count += 1
                return count

            rows.append(("pubmed_parser: xml, paragraphs, captions", *seconds(theirs, repeat)))
    rows.append(("lxml trees, nothing read", *seconds(tree, repeat)))
    show(path.name, size, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--medline", type=Path, action="append", default=[])
    parser.add_argument("--jats", type=Path, action="append", default=[])
    parser.add_argument("--repeat", type=int, default=2)
    args = parser.parse_args()
    for path in args.medline:
        medline(path, args.repeat)
    for path in args.jats:
        jats(path, args.repeat)


if __name__ == "__main__":
    main()
