"""How fast XML becomes documents, against pubmed_parser and against lxml alone, in one run.

    python -m tests.bench.parse --medline pubmed20n0014.xml.gz --jats plos.tar.gz

CPU seconds of this process, the best of several rounds in turn, so that a busy machine disturbs little.
pubmed_parser runs twice: with all of its fields, and with only those that a PubMed document has (its
other parsers are replaced by nothing). For JATS it runs what gives text: metadata with abstract,
paragraphs, captions. Nobody unpacks: this project reads the articles from a bundle as its fetch packs
them, the others from files. S2ORC's doc2json is in no registry; what is measured for it is its first
step alone, which is BeautifulSoup with lxml over the whole file.
"""

import argparse
import gzip
import io
import tarfile
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lxml import etree

from corpus.files import members, open_raw
from corpus.sources.pmc import PMC
from corpus.sources.pubmed import PubMed

Work = tuple[str, Callable[[], int]]


def timed(works: list[Work], repeat: int) -> list[tuple[str, float, int]]:
    """Of each work its best CPU time and how many records it found; all of them in every round."""
    best, counts = [float("inf")] * len(works), [0] * len(works)
    for _ in range(repeat):
        for number, (_, work) in enumerate(works):
            start = time.process_time()
            counts[number] = work()
            best[number] = min(best[number], time.process_time() - start)
    return [(name, taken, count) for (name, _), taken, count in zip(works, best, counts, strict=True)]


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

    works: list[Work] = [("this project", ours)]
    try:
        from pubmed_parser import medline_parser as peer
    except ImportError:
        print("pubmed_parser is not installed: pip install pubmed_parser")
    else:
        whole: Any = peer.parse_medline_xml

        def theirs() -> int:
            return sum(1 for _ in whole(str(path), year_info_only=False))

        works.append(("pubmed_parser, all its fields", theirs))
        # title, abstract, journal, date, PMID, DOI, PMCID, MeSH, types and languages remain
        names = ("parse_references", "parse_chemical_list", "parse_keywords", "parse_journal_info", "parse_grant_id")
        kept = {name: getattr(peer, name) for name in (*names, "parse_author_affiliation")}

        def less() -> int:
            for name in kept:
                setattr(peer, name, lambda *_: [])
            peer.parse_journal_info = lambda *_: {}
            try:
                return theirs()
            finally:
                for name, function in kept.items():
                    setattr(peer, name, function)

        works.append(("pubmed_parser, the fields of a document", less))
    works.append(("lxml iterparse and clear, nothing read", events))
    works.append(("lxml whole tree, nothing read", tree))
    show(path.name, size, timed(works, repeat))


def jats(path: Path, repeat: int) -> None:
    bodies = [data for name, data in members(path) if name.endswith(("xml", "nxml"))]
    size = sum(map(len, bodies)) / 1e6
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        bundle, files = folder / "bundle.tar", []
        with tarfile.open(bundle, "w") as tar:
            for number, body in enumerate(bodies):
                files.append(folder / f"{number}.nxml")
                files[-1].write_bytes(body)
                entry = tarfile.TarInfo(f"{number}.xml")
                entry.size = len(body)
                tar.addfile(entry, io.BytesIO(body))

        def ours() -> int:
            return sum(1 for _ in PMC().read(bundle, bundle.name))

        def tree() -> int:
            parser = etree.XMLParser(remove_comments=True, remove_pis=True, resolve_entities=False, huge_tree=True)
            count = 0
            for file in files:
                try:
                    etree.fromstring(file.read_bytes(), parser)
                except etree.XMLSyntaxError:
                    continue
                count += 1
            return count

        works: list[Work] = [("this project", ours)]
        try:
            from pubmed_parser import pubmed_oa_parser as peer
        except ImportError:
            print("pubmed_parser is not installed: pip install pubmed_parser")
        else:

            def theirs() -> int:
                count = 0
                for file in map(str, files):
                    try:
                        peer.parse_pubmed_xml(file)
                        peer.parse_pubmed_paragraph(file, all_paragraph=True)
                        peer.parse_pubmed_caption(file)
                    except Exception:  # noqa: BLE001 (what a peer cannot read is not counted)
                        continue
                    count += 1
                return count

            works.append(("pubmed_parser: xml, paragraphs, captions", theirs))
        try:
            from bs4 import BeautifulSoup, XMLParsedAsHTMLWarning
        except ImportError:
            print("BeautifulSoup is not installed: pip install beautifulsoup4")
        else:
            warnings.filterwarnings("ignore", category=XMLParsedAsHTMLWarning)
            works.append(
                (
                    "S2ORC doc2json, its first step alone",
                    lambda: sum(1 for file in files if BeautifulSoup(file.read_text(errors="replace"), "lxml")),
                )
            )
        works.append(("lxml trees, nothing read", tree))
        show(path.name, size, timed(works, repeat))


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
