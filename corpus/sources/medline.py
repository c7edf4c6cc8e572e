"""One MEDLINE record as a document: what PubMed says of an article, a book chapter or a notice.

Format: the DTDs at https://dtd.nlm.nih.gov/ncbi/pubmed/out/ and NLM's element descriptions. The text
is the title, a blank line, and the abstract, one paragraph for each labelled part.

What is left out: copyright lines and truncation marks, brackets around translated titles, labels
that mean "no label", abstracts in other languages than English, everything of authors and
references. Superscripts become Unicode's (m², 10⁻³), subscripts plain text (CO2).
"""

import re
from typing import Any

from lxml import etree

from corpus.document import Document
from corpus.sources.formulas import formula
from corpus.sources.markup import LOCAL, Malformed, subscript, superscript, tidy, unescaped

LICENSE = (
    "NLM terms: free to use and to redistribute with acknowledgement of NLM and the date of the data; "
    "abstracts may be under their publishers' copyright"
)

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
_TRANSLATED = re.compile(r"\s*\((?:author'?s'? )?transl(?:ation)?\.?\)?(?=\W*$)", re.I)
# what NLM's indexers once wrote behind a title
_APPENDED = re.compile(
    r"\s*\[\s*(?:proceedings|letter|editorial|abstract|review|case report|news|comment)s?\](?=\W*$)", re.I
)
_TRUNCATED = re.compile(r"(?<!\s)\s*+[(\[]?\s*ABSTRACT TRUNCATED(?:\s*AT\s+\d+\s+WORDS)?\s*[)\]]?\s*\.?\s*$")
_ELSEWHERE = re.compile(r"\W*abstract (?:is )?available (?:in [\w, ]+ )?from the publisher\W*", re.I)
# a tail that speaks of rights: it begins a sentence, and nothing but rights follows it
_RIGHTS = re.compile(
    r"(?:^|(?<=[.!?)\]:;%\"”’'])\s+|(?<=[.?!)])|\s+(?=©))(?:"
    r"(?:Crown )?Copyright\s*(?:©|\(c\)|&copy;|®)?\s*(?:\d{4}|by\b|The\b|[A-Z]\w+ \d{4})|Copyright ©|"
    r"(?:©|&copy;)\s*\w|\([cC]\)\s*(?:Copyright\b|The Author|Crown|(?:19|20)\d\d\b)|"
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
    """The text of an element as one line."""
    text = tidy(_inline(element))
    if "&" in text or "<" in text:
        text = tidy(unescaped(text))
    if len(element) and any(LOCAL[e.tag] in ("math", "DispFormula") for e in element.iter()):
        text = _math_spaces(text)
    return text


def clean_title(text: str) -> tuple[str, bool]:
    """A title without NLM's brackets and fillers, and whether it was a translation."""
    translated = False
    inner = re.fullmatch(r"\[(.*)\](\.?)", text, re.S)
    if inner and _closes_last(inner.group(1)):
        text, translated = inner.group(1).strip(), True
        if text.startswith("[") and text.count("[") > text.count("]"):
            text = text[1:]
    count = 0
    if "transl" in text[-40:]:
        text, count = _TRANSLATED.subn("", text)
    if "]" in text[-4:]:
        text = _APPENDED.sub("", text)
    if len(text) < 40 and _FILLER.fullmatch(text):
        return "", False
    return text, translated or count > 0


def _closes_last(inner: str) -> bool:
    """Whether the bracket that opens a title is the one that closes it: not in "[3H] and [14C]"."""
    depth = 0
    for character in inner:
        depth += (character == "[") - (character == "]")
        if depth < 0:
            return False
    return True


def _paragraphs(abstract: etree._Element) -> list[str]:
    out = []
    for element in abstract:
        if LOCAL[element.tag] != "AbstractText":
            continue
        text = _said(element)
        tail = text[-460:]  # what follows the abstract is no longer than that
        if "TRUNCATED" in tail:
            text = _TRUNCATED.sub("", text)
            tail = text[-460:]
        if any(word in tail for word in ("opyright", "©", "(c)", "(C)", "eserved", "Published")):
            text = text[: len(text) - len(tail)] + _RIGHTS.sub("", tail).rstrip()
        if not text or (len(text) < 100 and (_FILLER.fullmatch(text) or _ELSEWHERE.fullmatch(text))):
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


def read_record(name: str, root: etree._Element, mesh: list[str] | None, file: int, position: int) -> list[Document]:
    """The documents of one parsed record, by its name; `mesh` is what `lean` read of it.

    A deletion gives one empty document for each PMID. Raises Malformed.
    """
    if name == "DeleteCitation":
        return [
            Document(
                f"pubmed:{pmid_of(element)}",
                "pubmed",
                "",
                meta={"deleted": True, "revision": [int(element.get("Version") or 1), file, position]},
            )
            for element in root
        ]
    if name == "PubmedBookArticle":
        return [_book(root, file, position)]
    return [_article(root, mesh, file, position)]


def pmid_of(element: etree._Element | None) -> str:
    text = tidy(element.text or "") if element is not None else ""
    if not text.isdecimal() or not int(text):
        raise Malformed("no PMID" if not text else "the PMID is not a number")
    return str(int(text))


def _article(root: etree._Element, mesh: list[str] | None, file: int, position: int) -> Document:
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
    # of elements that the DTD allows once, the first counts: hence in reverse
    parts = {LOCAL[child.tag]: child for child in reversed(citation)}
    pmid = parts.get("PMID")
    meta: dict[str, Any] = {"kind": "title", "pmid": pmid_of(pmid)}
    assert pmid is not None
    if data is not None:
        for child in data:
            if LOCAL[child.tag] == "ArticleIdList":
                _own_ids(child, meta)
                break
    languages: list[str] = []
    types: list[tuple[str, str | None]] = []
    title, translated, abstract = "", False, []
    journal = date = None
    for child in parts.get("Article", ()):
        name = LOCAL[child.tag]
        if name == "Journal":
            journal = child
        elif name == "ArticleTitle":
            title, translated = clean_title(_said(child))
        elif name == "Abstract":
            abstract = _paragraphs(child)
        elif name == "Language":
            code = _LANGUAGES.get((child.text or "").strip().lower())
            if code and code not in languages:
                languages.append(code)
        elif name == "PublicationTypeList":
            types = [(kind.text or "", kind.get("UI")) for kind in child]
        elif name == "ELocationID" and "doi" not in meta and child.get("EIdType") == "doi":
            value = tidy(child.text or "")
            if value.startswith("10.") and child.get("ValidYN") != "N":
                meta["doi"] = value
        elif name == "ArticleDate" and date is None:
            date = _date(child)
    if "OtherID" in parts and "pmcid" not in meta:
        for child in citation:
            own = LOCAL[child.tag] == "OtherID" and child.get("Source") == "NLM"
            if own and (found := re.match(r"PMC\d+", child.text or "")):
                meta["pmcid"] = found.group()
    if not abstract and "OtherAbstract" in parts:
        for child in citation:
            english = LOCAL[child.tag] == "OtherAbstract" and (child.get("Language") or "eng").lower() in ("eng", "en")
            if english and (abstract := _paragraphs(child)):
                break
    if journal is not None:
        date = _journal(journal, meta) or date
    if mesh is None and "MeshHeadingList" in parts:
        mesh = [tidy(e.text or "") for e in parts["MeshHeadingList"].iter() if LOCAL[e.tag] == "DescriptorName"]
    if mesh:
        meta["mesh"] = mesh
    _describe(meta, parts, types, languages, translated or bool(abstract))
    return _document(meta, title, abstract, date, [int(pmid.get("Version") or 1), file, position])


def _journal(journal: etree._Element, meta: dict[str, Any]) -> str | None:
    """The journal's name into `meta`; returns the date of its issue."""
    date = short = None
    for child in journal:
        name = LOCAL[child.tag]
        if name == "Title" and child.text:
            meta["journal"] = tidy(child.text)
        elif name == "ISOAbbreviation":
            short = child.text
        elif name == "JournalIssue":
            for part in child:
                if LOCAL[part.tag] == "PubDate":
                    date = _date(part)
    if short and "journal" not in meta:
        meta["journal"] = tidy(short)
    return date


def _describe(
    meta: dict[str, Any],
    parts: dict[str, etree._Element],
    types: list[tuple[str, str | None]],
    languages: list[str],
    english: bool,
) -> None:
    if types:
        meta["types"] = [tidy(name) for name, _ in types if name]
    # titles in brackets and abstracts are English by NLM's rules; a title alone, unbracketed, is as it was published
    if not languages or "en" in languages or english:
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
    meta: dict[str, Any] = {"kind": "title", "pmid": pmid_of(pmid)}
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
