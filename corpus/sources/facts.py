"""What a JATS article, or PMC's metadata beside it, says of it: ids, journal, date, licence, retraction."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from lxml import etree

from corpus.sources.jats import child
from corpus.sources.licenses import named, strictest
from corpus.sources.markup import LANG, LOCAL, NAMESPACES, tidy

_NOTICE_TYPES = {
    "retraction": "retraction",
    "partial-retraction": "retraction",
    "removal": "retraction",
    "correction": "correction",
    "erratum": "correction",
    "corrigendum": "correction",
    "expression-of-concern": "concern",
}
_NOTICE_TITLE = re.compile(
    r"(?:(?:author|publisher|editorial)['’s]* )?(?:(?P<r>retraction|retraction notice|notice of retraction|withdrawal)|"
    r"(?P<c>correction|corrections|erratum|errata|corrigendum|corrigenda|addendum)|(?P<e>(?:editorial )?expression of "
    r"concern))(?:\s*[:.]|\s+(?:to|for|note)\b[:\s]|\s*$)",
    re.I,
)
_RETRACTED_TITLE = re.compile(
    r"\W*(?:retracted(?: article)?|withdrawn|removed)\W*[:\]—–-]|.*\[retracted\]\W*$", re.I | re.S
)
_RELATED = {"retracted-article": "retraction", "corrected-article": "correction", "object-of-concern": "concern"}


def facts(article: etree._Element, known: Mapping[str, Any]) -> tuple[dict[str, Any], str | None, str | None]:
    """Meta, licence and date of an article, from its front and from the bucket's metadata."""
    front = child(article, "front")
    front = front if front is not None else article
    about = child(front, "article-meta")
    if about is None:
        about = child(article, "front-stub")
    meta: dict[str, Any] = {"kind": "title"}
    version = int(known.get("version") or 1)
    custom: dict[str, str] = {}
    if about is not None:
        version = _ids(about, meta, version)
        custom = _custom(about)
    for key in ("pmid", "doi", "pmcid"):
        if known.get(key) and key not in meta:
            meta[key] = str(known[key])
    journal = child(front, "journal-meta", "journal-title-group", "journal-title")
    if journal is None:
        journal = child(front, "journal-meta", "journal-title")
    if journal is not None and (said := tidy("".join(journal.itertext()))):
        meta["journal"] = said
    created = _published(about)
    if created:
        meta["year"] = int(created[:4])
    if article.get("article-type"):
        meta["type"] = article.get("article-type")
    language = (article.get(LANG) or "").strip().lower()[:2]
    if re.fullmatch("[a-z]{2}", language):
        meta["language"] = language
    manuscript = bool(known.get("is_manuscript")) or custom.get("pmc-prop-manuscript", "").lower() == "yes"
    if manuscript:
        meta["manuscript"] = True
    meta["revision"] = [0 if manuscript else 1, version]
    license = known["license_code"] if "license_code" in known else _license(about, custom, manuscript)
    return meta, license, created


def _ids(about: etree._Element, meta: dict[str, Any], version: int) -> int:
    """Ids into `meta`; returns the version that they state."""
    for element in about:
        if LOCAL[element.tag] != "article-id":
            continue
        kind = (element.get("pub-id-type") or "").lower()
        value = tidy("".join(element.itertext()))
        if kind in ("pmcid", "pmc", "pmcid-ver", "pmc-uid"):
            found = re.fullmatch(r"(?:PMC)?\s*(\d+)(?:\.(\d+))?", value, re.I)
            if found:
                if kind != "pmc-uid" or "pmcid" not in meta:
                    meta["pmcid"] = f"PMC{int(found.group(1))}"
                version = int(found.group(2) or version)
        elif kind == "pmid" and value.isdecimal():
            meta["pmid"] = str(int(value))
        elif kind == "doi" and (found := re.search(r"10\.\d{4,}(?:\.\d+)*/\S+", value)):
            meta["doi"] = found.group()
    return version


def _custom(about: etree._Element) -> dict[str, str]:
    """`custom-meta`: names and values are child elements."""
    found = {}
    for group in about:
        for element in group if LOCAL[group.tag] in ("custom-meta-group", "custom-meta-wrap") else ():
            key, value = child(element, "meta-name"), child(element, "meta-value")
            if key is not None and value is not None:
                found[tidy("".join(key.itertext()))] = tidy("".join(value.itertext()))
    return found


def _license(about: etree._Element | None, custom: Mapping[str, str], manuscript: bool) -> str | None:
    if "pmc-license-ref" in custom and (code := named(custom["pmc-license-ref"])):
        return code
    codes, prose = [], []
    for element in _permissions(about):
        name = LOCAL[element.tag]
        if name == "license_ref" and (code := named(element.text or "")):
            codes.append(code)
        elif name == "license":
            stated = [element.get(f"{{{NAMESPACES['xlink']}}}href"), element.get("license-type"), *_links(element)]
            codes += [code for code in (named(text) for text in stated if text) if code]
            prose.append(element)
        elif name in ("copyright-statement", "license-p"):
            prose.append(element)
    if not codes:
        codes = [code for code in (named(tidy(" ".join(element.itertext()))) for element in prose) if code]
    # an author's manuscript without a licence may be mined, not republished
    return strictest(codes) or ("TDM" if manuscript else None)


def _permissions(about: etree._Element | None) -> Iterator[etree._Element]:
    """Everything that an article's front says of rights; before 2008 that stood there by itself."""
    for element in about if about is not None else ():
        if LOCAL[element.tag] in ("permissions", "license", "copyright-statement", "license_ref", "free_to_read"):
            yield from element.iter()


def _links(element: etree._Element) -> list[str]:
    href = f"{{{NAMESPACES['xlink']}}}href"
    return [e.get(href) or "" for e in element.iter() if LOCAL[e.tag] in ("ext-link", "uri")]


def _published(about: etree._Element | None) -> str | None:
    """The date of publication: electronic before printed before collected."""
    best: tuple[int, str] | None = None
    for element in about if about is not None else ():
        if LOCAL[element.tag] != "pub-date":
            continue
        kind = (element.get("pub-type") or element.get("date-type") or "").lower()
        parts = {LOCAL[e.tag]: tidy(e.text or "") for e in element}
        year, month, day = (parts.get(name, "") for name in ("year", "month", "day"))
        if not re.fullmatch(r"1[5-9]\d\d|20\d\d", year):
            continue
        date = year
        if month.isdigit() and 1 <= int(month) <= 12:
            date += f"-{int(month):02d}"
            if day.isdigit() and 1 <= int(day) <= 31:
                date += f"-{int(day):02d}"
        order = {"epub": 0, "pub": 0, "epub-ppub": 1, "ppub": 1, "collection": 2}.get(kind, 3)
        if best is None or order < best[0]:
            best = (order, date)
    return best[1] if best else None


def judge(article: etree._Element, title: str, known: Mapping[str, Any], meta: dict[str, Any]) -> None:
    """Whether the article was retracted, or is itself a notice about another."""
    kind = (article.get("article-type") or "").lower()
    about = child(article, "front", "article-meta")
    related = [
        (e.get("related-article-type") or "").lower()
        for e in (about if about is not None else ())
        if LOCAL[e.tag] == "related-article"
    ]
    if known.get("is_retracted"):
        meta["retracted"] = "PMC's metadata says so"
    elif kind == "retracted-article" or any(one in ("retraction-forward", "retraction") for one in related):
        meta["retracted"] = "a retraction notice names it"
    elif _RETRACTED_TITLE.match(title):
        meta["retracted"] = "its title says so"
    if kind in _NOTICE_TYPES:
        meta["notice"] = _NOTICE_TYPES[kind]
        named_by = [_RELATED[one] for one in related if one in _RELATED]
        if "retraction" in named_by:
            meta["notice"] = "retraction"
    elif found := _NOTICE_TITLE.match(title):
        meta["notice"] = "retraction" if found.group("r") else "correction" if found.group("c") else "concern"
