"""PubMed Central: full articles in JATS, one by one, in sets, in archives, or as PMC's bucket lays them out.

The bucket (https://pmc-oa-opendata.s3.amazonaws.com/README.txt): `PMC<id>.<version>/PMC<id>.<version>.xml`
with a `.json` beside it and in `metadata/`, which knows licence, retraction and version; a daily
inventory lists every metadata file. What of an article becomes text is said in `corpus.sources.jats`.
"""

import csv
import gzip
import hashlib
import io
import json
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, unquote

import orjson
from lxml import etree

from corpus.document import Document
from corpus.files import BadInput, Foreign, members, open_raw
from corpus.sources import Fetch, Remote
from corpus.sources.jats import child, lean, text_of
from corpus.sources.licenses import named, strictest
from corpus.sources.markup import LANG, LOCAL, NAMESPACES, Malformed, parse, tidy
from corpus.sources.records import Record, Records

BASE = "https://pmc-oa-opendata.s3.amazonaws.com/"
INVENTORY = "inventory-reports/pmc-oa-opendata/metadata/"

_ROOTS = {"article", "articles", "pmc-articleset", "OAI-PMH", "ListRecords", "GetRecord", "record", "metadata"}
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.zst", ".zip")
_SINGLES = (".xml", ".nxml", ".xml.gz", ".nxml.gz")

_PMCID = re.compile(r"(?:^|/)(PMC\d+)(?:\.(\d+))?(?=[/.]|$)")
_KEY = re.compile(r"(?:^|/)metadata/(PMC(\d+)\.(\d+))\.json$")
_S3 = re.compile(r"^s3://[^/]+/(?P<key>[^?]+)(?:\?md5=(?P<md5>[0-9a-fA-F]{32}))?$")
_FOLDER = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}-\d{2}Z)/")

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

# The body of a full text has at least this many words of prose; below lie notes such as "see the PDF".
_PROSE = 30


@dataclass(frozen=True)
class PMC:
    """The PMC source.

    `tables` keeps the cells of tables. `licenses` is the policy: the codes of `corpus.sources.licenses`
    (and "none") whose articles are accepted; without it, all. `limit` concerns `listing` alone.
    """

    tables: bool = False
    licenses: tuple[str, ...] | None = None
    base: str = field(default=BASE, repr=False)
    limit: int | None = field(default=None, repr=False)
    version: int = 1

    name = "pmc"
    restricted = False

    # -- what the bucket offers

    def listing(self, fetch: Fetch) -> Iterator[Remote]:
        """The XML of the accepted version of each article: inventory, then metadata, one article at a time."""
        count = 0
        for keys in self.articles(fetch):
            chosen = self.choose([self.metadata_of(fetch, key) for key in keys])
            if chosen is None:
                continue
            if self.limit is not None and count >= self.limit:
                return
            count += 1
            yield self.remote(chosen)

    def inventory(self, fetch: Fetch) -> Iterator[dict[str, str]]:
        """The rows of the newest inventory (Key, ETag, LastModifiedDate …): one for each article version."""
        page = fetch(f"{self.base}?list-type=2&delimiter=/&prefix={quote(INVENTORY, safe='/')}").decode(
            "utf-8", "replace"
        )
        days = sorted({found.group(1) for found in _FOLDER.finditer(page)}, reverse=True)
        if not days:
            raise BadInput(f"{self.base}{INVENTORY}: no folder of a day in the listing; check the base address")
        manifest = json.loads(fetch(f"{self.base}{INVENTORY}{days[0]}/manifest.json"))
        columns = [column.strip() for column in str(manifest["fileSchema"]).split(",")]
        if "Key" not in columns:
            raise BadInput(f"{self.base}{INVENTORY}{days[0]}/manifest.json: its fileSchema has no Key: {columns}")
        for part in manifest["files"]:
            url = self.base + quote(part["key"])
            body = fetch(url)
            digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
            if part.get("MD5checksum") and digest != part["MD5checksum"].lower():
                raise BadInput(f"{url}: md5 {digest}, but the manifest says {part['MD5checksum']}; fetch it again")
            with io.TextIOWrapper(gzip.GzipFile(fileobj=io.BytesIO(body)), encoding="utf-8", newline="") as rows:
                for row in csv.reader(rows):
                    yield dict(zip(columns, row, strict=False))

    def articles(self, fetch: Fetch) -> Iterator[list[str]]:
        """Keys of the metadata of all versions of each article, articles in numerical order."""
        # 8 million versions as numbers are 64 MB; as strings they would be a gigabyte
        numbers = array("q")
        for row in self.inventory(fetch):
            if found := _KEY.search(unquote(row["Key"])):
                numbers.append(int(found.group(2)) * 1000 + int(found.group(3)))
        for article, versions in groupby(sorted(set(numbers)), key=lambda number: number // 1000):
            yield [f"metadata/PMC{article}.{version % 1000}.json" for version in versions]

    def metadata_of(self, fetch: Fetch, key: str) -> dict[str, Any]:
        """The metadata of one article version."""
        body = fetch(self.base + key)
        try:
            metadata = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise BadInput(f"{self.base}{key}: expected JSON, found something else; try again later") from None
        if not isinstance(metadata, dict) or "pmcid" not in metadata:
            raise BadInput(f"{self.base}{key}: expected metadata of an article, found JSON without pmcid")
        return metadata

    def choose(self, versions: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
        """The version to read: published before manuscript, then the highest; None when policy has none.

        The highest is not always the published one: .2 may be a manuscript of .1.
        """
        best = max(versions, key=rank, default=None)
        if (
            best is None
            or best.get("is_retracted")
            or not best.get("xml_url")
            or not self.allows(best.get("license_code"))
        ):
            return None
        return best

    def remote(self, metadata: Mapping[str, Any]) -> Remote:
        """Where the XML of an article version is fetched and lies, with its md5 from `?md5=`."""
        found = _S3.match(metadata["xml_url"])
        if not found:
            raise BadInput(
                f"{metadata['pmcid']}: expected xml_url as s3://bucket/key?md5=…, found {metadata['xml_url']!r}"
            )
        key, md5 = found.group("key"), found.group("md5")
        return Remote(
            self.base + quote(key), key, f"md5:{md5.lower()}" if md5 else None, license=metadata.get("license_code")
        )

    def allows(self, license: str | None) -> bool:
        """Whether policy accepts a licence."""
        return self.licenses is None or (license or "none") in self.licenses

    # -- reading

    def accepts(self, path: str) -> bool:
        """XML of articles, plain or compressed, and archives of it."""
        return path.lower().endswith(_SINGLES + _ARCHIVES)

    def read(self, path: Path, name: str) -> Iterator[Document]:
        """One document an article; in an archive, what is not JATS is an error document of its own."""
        if not name.lower().endswith(_ARCHIVES):
            with open_raw(path) as stream:
                yield from self._stream(stream, name, str(path), _beside(path))
            return
        known: dict[str, dict[str, Any]] = {}
        waiting: tuple[str, bytes] | None = None  # its metadata may be the next member
        for member, data in members(path):
            lowered = member.lower()
            if lowered.endswith(".json") and (found := _PMCID.search(member[:-5])):
                known[found.group().lstrip("/")] = _metadata(data)
            elif lowered.endswith((".xml", ".nxml")):
                if waiting:
                    yield from self._member(waiting, name, known)
                waiting = (member, data)
        if waiting:
            yield from self._member(waiting, name, known)

    def _member(self, member: tuple[str, bytes], name: str, known: dict[str, dict[str, Any]]) -> Iterator[Document]:
        path, data = member
        found = _PMCID.search(path)
        metadata = known.pop(found.group().lstrip("/"), None) if found else None
        try:
            root = self._parse(data)
        except Malformed:
            root = None  # perhaps a set, of which but one article is broken
        try:
            if root is not None and LOCAL[root.tag] == "article":
                yield self._article(root, path, True, metadata or {})
            else:
                yield from self._stream(io.BytesIO(data), path, path, metadata)
        except (BadInput, Foreign) as error:
            yield _broken(path, str(error).replace(f"{path}: ", ""))

    def _stream(
        self, stream: IO[bytes], name: str, where: str, metadata: Mapping[str, Any] | None
    ) -> Iterator[Document]:
        # OAI says in a record's header that an article is gone
        records = Records(stream, where, ("article", "header"))
        if records.root not in _ROOTS:
            found = f"its root element is <{records.root}>" if records.root else "it is not XML"
            if not records.root and _PMCID.search(name):
                raise BadInput(f"{where}: {found}; something else was saved in its place: delete it and fetch it again")
            raise Foreign(f"{name}: {found}, not JATS' <article>")
        single = records.root == "article"
        for record in records:
            key = name if single else f"{name}#{record.position}"
            try:
                if document := self._record(record, key, single, metadata or {}):
                    yield document
            except Malformed as error:
                yield _broken(key, str(error))

    def _record(self, record: Record, name: str, single: bool, metadata: Mapping[str, Any]) -> Document | None:
        if not record.whole:
            raise Malformed(f"the {record.name} does not end")
        if record.name == "header":
            return _gone(record)
        return self._article(self._parse(record.data), name, single, metadata)

    def _parse(self, data: bytes) -> etree._Element:
        short = lean(data, self.tables)
        if short is not data:
            try:
                return parse(short)
            except Malformed:
                pass  # sections within sections: the whole shall say what is wrong, if anything is
        return parse(data)

    def _article(self, article: etree._Element, name: str, single: bool, metadata: Mapping[str, Any]) -> Document:
        meta, license, created = facts(article, metadata)
        if single and "pmcid" not in meta and (found := _PMCID.search(name)):
            meta["pmcid"] = found.group(1)
            meta["revision"][1] = int(found.group(2) or meta["revision"][1])
        text = text_of(article, self.tables)
        meta["kind"] = "fulltext" if text.words >= _PROSE else "abstract" if text.abstract else "title"
        if not self.allows(license):
            meta["excluded"] = f"license {license or 'none'}"
        if "pmcid" in meta:
            id = f"pmc:{meta['pmcid']}"
        elif "doi" in meta:
            id = f"pmc:doi:{meta['doi'].lower()}"
        else:
            id = f"pmc:{_stem(name)}"
        _judge(article, text.title, metadata, meta)
        return Document(id, "pmc", str(text), license, created, meta)


def rank(metadata: Mapping[str, Any]) -> tuple[bool, int]:
    """Of several versions of an article, the largest counts."""
    return bool(metadata.get("is_pmc_openaccess")) and not metadata.get("is_manuscript"), int(
        metadata.get("version") or 1
    )


def _stem(name: str) -> str:
    return re.sub(r"\.n?xml(?:\.gz)?(?=#|$)", "", name, flags=re.I)


def _broken(name: str, why: str) -> Document:
    found = _PMCID.search(name)
    id = found.group(1) if found and "#" not in name else _stem(name)
    return Document(f"pmc:{id}", "pmc", "", meta={"error": f"{name}: {why}"})


def _gone(record: Record) -> Document | None:
    header = parse(record.data)
    found = re.search(r"(\d+)\s*$", tidy("".join(header.itertext("{*}identifier"))))
    if header.get("status") != "deleted" or not found:
        return None
    stamp = child(header, "datestamp")
    day = re.sub(r"\D", "", stamp.text or "")[:8] if stamp is not None else ""
    # a deletion outweighs every version there was
    revision = [2, int(day or 0)]
    return Document(f"pmc:PMC{found.group(1)}", "pmc", "", meta={"deleted": True, "revision": revision})


def _metadata(data: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _beside(path: Path) -> dict[str, Any] | None:
    """The metadata that lies beside an XML file of the bucket's layout, or in its `metadata` folder."""
    if not _PMCID.search("/" + path.name):
        return None
    stem = re.sub(r"\.n?xml(?:\.gz)?$", "", path.name, flags=re.I)
    for file in (path.with_name(f"{stem}.json"), path.parent.parent / "metadata" / f"{stem}.json"):
        if file.is_file():
            return _metadata(file.read_bytes())
    return None


# -- what an article says of itself


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


def _judge(article: etree._Element, title: str, known: Mapping[str, Any], meta: dict[str, Any]) -> None:
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
