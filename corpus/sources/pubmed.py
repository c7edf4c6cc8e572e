"""PubMed: titles and abstracts from NLM's MEDLINE XML (baseline and update files).

Format: the DTDs at https://dtd.nlm.nih.gov/ncbi/pubmed/out/, and NLM's element descriptions. One
document is `title`, a blank line, and the abstract, one paragraph for each labelled part.

What is left out: copyright lines and truncation marks, brackets around translated titles, labels
that mean "no label", abstracts in other languages than English, everything of authors and
references. Superscripts become Unicode's (m², 10⁻³), subscripts plain text (CO2).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lxml import etree

from corpus.document import Document
from corpus.files import BadInput, Foreign, open_raw
from corpus.sources import Fetch, Remote
from corpus.sources.formulas import formula
from corpus.sources.markup import LOCAL, Malformed, parse, subscript, superscript, tidy
from corpus.sources.records import Record, Records

BASE = "https://ftp.ncbi.nlm.nih.gov/pubmed/"
LICENSE = (
    "NLM terms: free to use and to redistribute with acknowledgement of NLM and the date of the data; "
    "abstracts may be under their publishers' copyright"
)

# PubmedArticleSet of the files, MedlineCitationSet before 2017, and single records as tools save them.
_RECORDS = ("PubmedArticle", "PubmedBookArticle", "MedlineCitation", "DeleteCitation")
_ROOTS = {*_RECORDS, "PubmedArticleSet", "PubmedBookArticleSet", "MedlineCitationSet"}

_FILE = re.compile(r"(?:pubmed|medline)(\d{2})n(\d{4,})")
_HREF = re.compile(
    r"""href=["'](?:\./)?((?:pubmed|medline)(\d{2})n(\d{4,})\.xml\.gz)["'][^\n]*?(?:(\d{4}-\d{2}-\d{2}))?[ \t]"""
)
_MD5 = re.compile(r"\b([0-9a-fA-F]{32})\b")

# 3-letter codes of NLM's catalogue -> ISO 639-1, for the languages that PubMed's files use
_LANGUAGES = {
    pair[:3]: pair[4:]
    for line in (
        "afr:af alb:sq ara:ar arm:hy aze:az baq:eu bel:be ben:bn bos:bs bul:bg cat:ca chi:zh cze:cs dan:da dut:nl",
        "eng:en epo:eo est:et fin:fi fre:fr geo:ka ger:de gle:ga glg:gl gre:el heb:he hin:hi hrv:hr scr:hr hun:hu",
        "ice:is ind:id ita:it jpn:ja kaz:kk kor:ko lat:la lav:lv lit:lt mac:mk may:ms nor:no per:fa pol:pl por:pt",
        "rum:ro rus:ru slo:sk slv:sl spa:es srp:sr scc:sr swe:sv tha:th tur:tr ukr:uk uzb:uz vie:vi wel:cy",
    )
    for pair in line.split()
}
_MONTHS = {"JanFebMarAprMayJunJulAugSepOctNovDec"[3 * n : 3 * n + 3]: f"{n + 1:02d}" for n in range(12)}

_FILLER = re.compile(
    r"\W*(?:(?:title |article )?not available|in process citation|no (?:title|abstract)(?: (?:is )?available)?|"
    r"untitled|title in (?:process|\w+)|abstract|n/?a)?\W*",
    re.I,
)
_TRUNCATED = re.compile(r"\s*[(\[]?\s*ABSTRACT TRUNCATED(?:\s*AT\s+\d+\s+WORDS)?\s*[)\]]?\s*\.?\s*$")
_ELSEWHERE = re.compile(r"\W*abstract (?:is )?available (?:in [\w, ]+ )?from the publisher\W*", re.I)
# a tail that speaks of rights: it begins a sentence, and nothing but rights follows it
_RIGHTS = re.compile(
    r"(?:^|(?<=[.!?)\]:;%\"”’'])\s+|(?<=[.?!)])|\s+(?=©))(?:"
    r"(?:Crown )?Copyright\s*(?:©|\(c\)|&copy;|®)?\s*(?:\d{4}|by\b|The\b|[A-Z]\w+ \d{4})|Copyright ©|"
    r"(?:©|&copy;|\([cC]\))\s*(?:Copyright\b|The\b|by\b|Crown|\d{4}|[A-Z][\w&.' ]{2,40}\d{4}|\w+)|"
    r"This article is protected by copyright|All rights reserved\b|"
    r"Published (?:\d{4} )?by (?:Elsevier|Oxford|John Wiley|Wiley|Cambridge|BMJ|Springer|Mosby|S\. Karger|Informa|"
    r"Taylor|the BMJ|Lippincott|Blackwell)\b).{0,400}$",
    re.S,
)
_RETRACTED = {"D016441", "retracted publication"}
_NOTICES = {
    "D016440": "retraction",
    "retraction of publication": "retraction",
    "retraction notice": "retraction",
    "D016425": "correction",
    "published erratum": "correction",
    "expression of concern": "concern",
}


def _inline(element: etree._Element) -> str:
    """The text of mixed content as it stands, white space and all."""
    if len(element) == 0:
        return element.text or ""
    out: list[str] = []
    _collect(element, out)
    return "".join(out)


def _collect(element: etree._Element, out: list[str]) -> None:
    if element.text:
        out.append(element.text)
    for child in element:
        name = LOCAL[child.tag]
        if name == "sup":
            out.append(superscript(_inline(child), _last(out)))
        elif name == "sub":
            out.append(subscript(_inline(child), _last(out)))
        elif name == "math":
            out.append(f" {formula(child)} ")
        elif name == "DispFormula":
            written = formula(child)
            out.append(f" {_inline(child) if written is None else written} ")
        elif name:
            _collect(child, out)
        if child.tail:
            out.append(child.tail)


def _last(out: list[str]) -> str:
    return next((piece[-1] for piece in reversed(out) if piece), "")


def _math_spaces(text: str) -> str:
    """Takes back the space that a formula got before closing and after opening punctuation."""
    return re.sub(r"([(\[]) | (?=[.,;:)\]])", r"\1", text)


def _said(element: etree._Element) -> str:
    text = tidy(_inline(element))
    return _math_spaces(text) if any(LOCAL[e.tag] in ("math", "DispFormula") for e in element.iter()) else text


def clean_title(text: str) -> tuple[str, bool]:
    """A title without NLM's brackets and fillers, and whether it was a translation."""
    translated = False
    inner = re.fullmatch(r"\[(.*)\](\.?)", text, re.S)
    if inner and _closes_last(inner.group(1)):
        text, translated = inner.group(1).strip(), True
    text, count = re.subn(r"\s*\((?:author'?s'? transl(?:ation)?|transl)\.?\)(?=\W*$)", "", text, flags=re.I)
    if _FILLER.fullmatch(text):
        return "", False
    return text, translated or count > 0


def _closes_last(inner: str) -> bool:
    """Whether the bracket that opens a title is the one that closes it: not in "[3H] and [14C]"."""
    depth = 0
    for character in inner:
        depth += (character == "[") - (character == "]")
        if depth < 0:
            return False
    return depth == 0


def _paragraphs(abstract: etree._Element) -> list[str]:
    out = []
    for element in abstract:
        if LOCAL[element.tag] != "AbstractText":
            continue
        text = _said(element)
        text = _TRUNCATED.sub("", text)
        if (
            "opyright" in text
            or "©" in text
            or "(c)" in text
            or "(C)" in text
            or "eserved" in text
            or "Published" in text
        ):
            text = _RIGHTS.sub("", text).rstrip()
        if not text or _FILLER.fullmatch(text) or _ELSEWHERE.fullmatch(text):
            continue
        label = tidy(element.get("Label") or "").rstrip(":")
        if label and label.upper() not in ("UNLABELLED", "UNLABELED", "UNASSIGNED"):
            text = f"{label}: {text}"
        out.append(text)
    return out


def _date(element: etree._Element | None) -> str | None:
    """An ISO date, year and month, or year of PubDate and its like; MedlineDate gives its first year."""
    if element is None:
        return None
    parts = {LOCAL[child.tag]: (child.text or "").strip() for child in element}
    year = parts.get("Year", "")
    if not re.fullmatch(r"\d{4}", year):
        found = re.search(r"\b(1[5-9]\d\d|20\d\d)\b", parts.get("MedlineDate", "") or year)
        return found.group(1) if found else None
    month = parts.get("Month", "")
    month = month.zfill(2) if month.isdigit() else _MONTHS.get(month[:3].title(), "")
    if not "01" <= month <= "12":
        return year
    day = parts.get("Day", "")
    return f"{year}-{month}-{day.zfill(2)}" if day.isdigit() and 1 <= int(day) <= 31 else f"{year}-{month}"


def _own_ids(article: etree._Element | None, meta: dict[str, Any]) -> None:
    """DOI and PMCID from an ArticleIdList that is the record's own, never a reference's."""
    if article is None:
        return
    for element in article:
        value = tidy(element.text or "")
        kind = element.get("IdType")
        if kind == "doi" and "doi" not in meta:
            if found := re.search(r"10\.\d{4,}(?:\.\d+)*/\S+", value):
                meta["doi"] = found.group()
        elif kind in ("pmc", "pmcid") and "pmcid" not in meta and (found := re.search(r"PMC\d+", value)):
            meta["pmcid"] = found.group()


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
            root = parse(record.data)
            if record.name == "DeleteCitation":
                for element in root:
                    revision = [int(element.get("Version") or 1), file, record.position]
                    pmid = _pmid(element)
                    yield Document(f"pubmed:{pmid}", "pubmed", "", meta={"deleted": True, "revision": revision})
            elif record.name == "PubmedBookArticle":
                yield _book(root, file, record.position)
            else:
                yield _article(root, file, record.position)
        except Malformed as error:
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


def _pmid(element: etree._Element | None) -> str:
    text = tidy(element.text or "") if element is not None else ""
    if not text.isdecimal() or not int(text):
        raise Malformed("no PMID" if not text else "the PMID is not a number")
    return str(int(text))


def _article(root: etree._Element, file: int, position: int) -> Document:
    citation, data = root, None
    if LOCAL[root.tag] == "PubmedArticle":
        citation = None
        for child in root:
            name = LOCAL[child.tag]
            if name == "MedlineCitation":
                citation = child
            elif name == "PubmedData":
                data = child
        if citation is None:
            raise Malformed("no MedlineCitation")
    parts = {LOCAL[child.tag]: child for child in reversed(citation)}
    pmid_element = parts.get("PMID")
    meta: dict[str, Any] = {"kind": "title", "pmid": _pmid(pmid_element)}
    assert pmid_element is not None
    article = {LOCAL[child.tag]: child for child in reversed(parts.get("Article", ()))}
    if data is not None:
        for child in data:
            if LOCAL[child.tag] == "ArticleIdList":
                _own_ids(child, meta)
    languages, types = [], []
    for child in parts.get("Article", ()):
        name = LOCAL[child.tag]
        if name == "ELocationID" and child.get("EIdType") == "doi" and child.get("ValidYN") != "N":
            value = tidy(child.text or "")
            if "doi" not in meta and value.startswith("10."):
                meta["doi"] = value
        elif name == "Language":
            code = _LANGUAGES.get((child.text or "").strip().lower())
            if code and code not in languages:
                languages.append(code)
        elif name == "PublicationTypeList":
            types = [(tidy(kind.text or ""), kind.get("UI")) for kind in child]
    for child in citation:
        own = LOCAL[child.tag] == "OtherID" and child.get("Source") == "NLM" and "pmcid" not in meta
        if own and (found := re.match(r"PMC\d+", child.text or "")):
            meta["pmcid"] = found.group()
    title_element = article.get("ArticleTitle")
    title, translated = clean_title(_said(title_element)) if title_element is not None else ("", False)
    abstract = _paragraphs(article["Abstract"]) if "Abstract" in article else []
    if not abstract and "OtherAbstract" in parts:
        for child in citation:
            english = LOCAL[child.tag] == "OtherAbstract" and (child.get("Language") or "eng").lower() in ("eng", "en")
            if english and (abstract := _paragraphs(child)):
                break
    journal = article.get("Journal")
    date = None
    if journal is not None:
        inside = {LOCAL[child.tag]: child for child in journal}
        said = next((tidy(inside[n].text or "") for n in ("Title", "ISOAbbreviation") if n in inside), "")
        if said:
            meta["journal"] = said
        if "JournalIssue" in inside:
            date = _date(next((c for c in inside["JournalIssue"] if LOCAL[c.tag] == "PubDate"), None))
    date = date or _date(article.get("ArticleDate"))
    _describe(meta, citation, parts, types, languages, translated)
    return _document(meta, title, abstract, date, [int(pmid_element.get("Version") or 1), file, position])


def _describe(
    meta: dict[str, Any],
    citation: etree._Element,
    parts: dict[str, etree._Element],
    types: list[tuple[str, str | None]],
    languages: list[str],
    translated: bool,
) -> None:
    if types:
        meta["types"] = [name for name, _ in types if name]
    if "MeshHeadingList" in parts:
        meta["mesh"] = [
            tidy(heading[0].text or "")
            for heading in parts["MeshHeadingList"]
            if len(heading) and LOCAL[heading[0].tag] == "DescriptorName"
        ]
    # title and abstract are English by NLM's rules, unless an untranslated title says otherwise
    if not languages or "en" in languages or translated:
        meta["language"] = "en"
    else:
        meta["language"] = languages[0]
    if languages and languages != ["en"]:
        meta["languages"] = languages
    for name, ui in types:
        if ui in _RETRACTED or name.lower() in _RETRACTED:
            meta["retracted"] = "retracted publication"
        notice = _NOTICES.get(ui or "") or _NOTICES.get(name.lower())
        if notice:
            meta["notice"] = notice
    if "CommentsCorrectionsList" in parts and "retracted" not in meta:
        for note in parts["CommentsCorrectionsList"]:
            if note.get("RefType") in ("RetractionIn", "RetractedandRepublishedIn"):
                meta["retracted"] = "a retraction notice names it"


def _document(meta: dict[str, Any], title: str, abstract: list[str], date: str | None, revision: list[int]) -> Document:
    if abstract:
        meta["kind"] = "abstract"
    if date:
        meta["year"] = int(date[:4])
    meta["revision"] = revision
    text = "\n\n".join(filter(None, [title, *abstract]))
    return Document(f"pubmed:{meta['pmid']}", "pubmed", text, LICENSE, date, meta)


def _book(root: etree._Element, file: int, position: int) -> Document:
    """A book or chapter of NCBI's Bookshelf (PubmedBookArticle/BookDocument)."""
    document = next((child for child in root if LOCAL[child.tag] == "BookDocument"), None)
    if document is None:
        raise Malformed("no BookDocument")
    parts = {LOCAL[child.tag]: child for child in reversed(document)}
    pmid = parts.get("PMID")
    meta: dict[str, Any] = {"kind": "title", "pmid": _pmid(pmid)}
    assert pmid is not None
    _own_ids(parts.get("ArticleIdList"), meta)
    book = {LOCAL[child.tag]: child for child in reversed(parts.get("Book", ()))}
    titles = [tidy(_said(e)) for e in (parts.get("ArticleTitle"), book.get("BookTitle")) if e is not None]
    title, _ = clean_title(next(filter(None, titles), ""))
    if "BookTitle" in book:
        meta["journal"] = tidy(_said(book["BookTitle"]))
    meta["types"] = [tidy(c.text or "") for c in document if LOCAL[c.tag] == "PublicationType"] or ["Book"]
    code = _LANGUAGES.get(tidy(parts["Language"].text or "").lower()) if "Language" in parts else "en"
    if code:
        meta["language"] = code
    abstract = _paragraphs(parts["Abstract"]) if "Abstract" in parts else []
    revision = [int(pmid.get("Version") or 1), file, position]
    return _document(meta, title, abstract, _date(book.get("PubDate")), revision)
