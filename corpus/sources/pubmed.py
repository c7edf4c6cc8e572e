"""PubMed: NLM's baseline and update files of MEDLINE records (https://ftp.ncbi.nlm.nih.gov/pubmed/).

What of a record becomes a document is said in `corpus.sources.medline`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from corpus.document import Document
from corpus.files import BadInput, Foreign, open_raw
from corpus.sources import Fetch, Remote, lean
from corpus.sources.markup import Malformed, parse
from corpus.sources.medline import LICENSE, read_record
from corpus.sources.records import Record, Records

BASE = "https://ftp.ncbi.nlm.nih.gov/pubmed/"
# PubmedArticleSet of the files, MedlineCitationSet before 2017, and single records as tools save them.
_RECORDS = ("PubmedArticle", "PubmedBookArticle", "MedlineCitation", "DeleteCitation")
_ROOTS = {*_RECORDS, "PubmedArticleSet", "PubmedBookArticleSet", "MedlineCitationSet"}

_FILE = re.compile(r"(?:pubmed|medline)(\d{2})n(\d{4,})")
_HREF = re.compile(
    r"""href=["'](?:\./)?((?:pubmed|medline)(\d{2})n(\d{4,})\.xml\.gz)["'](?:[^\n]*?(\d{4}-\d{2}-\d{2})[ \t])?"""
)
_MD5 = re.compile(r"\b([0-9a-fA-F]{32})\b")


@dataclass(frozen=True)
class PubMed:
    """The PubMed source. `since` (a file's number or an ISO date) and `limit` concern `listing` alone."""

    base: str = field(default=BASE, repr=False)
    since: int | str | None = field(default=None, repr=False)
    limit: int | None = field(default=None, repr=False)
    version: int = 1

    name = "pubmed"
    restricted = False

    def listing(self, fetch: Fetch) -> Iterator[Remote]:
        """Baseline, then update files, in numerical order, each with the digest of its side-car.

        With `since`, only what is newer: files of a higher number, or files of that date or later.
        Raises BadInput when a listing or a side-car is not what it should be.
        """
        count = 0
        for folder in ("baseline/", "updatefiles/"):
            url = self.base + folder
            page = fetch(url).decode("utf-8", "replace")
            files = {m.group(1): (int(m.group(2)), int(m.group(3)), m.group(4)) for m in _HREF.finditer(page)}
            if not files and folder == "baseline/":
                raise BadInput(f"{url}: no pubmedYYnNNNN.xml.gz in the listing; check the base address")
            for file, (_, number, changed) in sorted(files.items(), key=lambda item: item[1][:2]):
                if isinstance(self.since, int) and number <= self.since:
                    continue
                if isinstance(self.since, str) and (not changed or changed < self.since):
                    continue
                if self.limit is not None and count >= self.limit:
                    return
                count += 1
                side = fetch(f"{url}{file}.md5").decode("utf-8", "replace")
                yield Remote(
                    url + file, folder + file, digest=side_car(side, f"{url}{file}.md5", file), license=LICENSE
                )

    def accepts(self, path: str) -> bool:
        """.xml and .xml.gz; not side-cars, statistics or web pages."""
        return path.lower().endswith((".xml", ".xml.gz"))

    def read(self, path: Path, name: str) -> Iterator[Document]:
        """One document a record, and one, empty and marked deleted, for each PMID of DeleteCitation."""
        found = _FILE.search(Path(name).name)
        century = 1900 if found and int(found.group(1)) > 60 else 2000
        # numbers begin again each year: the year comes first
        file = (century + int(found.group(1))) * 100_000 + int(found.group(2)) if found else 0
        with open_raw(path) as stream:
            records = Records(stream, str(path), _RECORDS)
            if not records.root and found:
                raise BadInput(
                    f"{path}: this is not XML; something else was saved in its place: delete it and fetch it again"
                )
            if records.root not in _ROOTS:
                raise Foreign(f"{name}: {_is(records.root)}, not PubMed's <PubmedArticleSet>")
            for record in records:
                yield from self._record(record, name, file)

    def _record(self, record: Record, name: str, file: int) -> Iterator[Document]:
        try:
            if not record.whole:
                raise Malformed(f"the {record.name} does not end")
            data, mesh = lean.record(record.data) if record.plain else (record.data, None)
            yield from read_record(record.name, parse(data), mesh, file, record.position)
        except (Malformed, RecursionError) as error:
            yield Document(
                f"pubmed:{name}#{record.position}",
                "pubmed",
                "",
                LICENSE,
                meta={"error": f"record {record.position}: {error}"},
            )


def _is(root: str) -> str:
    return f"its root element is <{root}>" if root else "it is not XML"


def side_car(text: str, url: str, file: str) -> str:
    """`md5:<hex>` of a side-car such as `MD5(pubmed26n0001.xml.gz)= 0123…`."""
    found = _MD5.search(text)
    if not found or "<" in text or len(text) > 1000 or ("(" in text and file not in text):
        raise BadInput(
            f"{url}: expected one line `MD5({file})= <32 hex digits>`, found something else; try again later"
        )
    return "md5:" + found.group(1).lower()
