"""PubMed Central: full articles in JATS, one by one, in sets, in archives, or as PMC's bucket lays them out.

The bucket (https://pmc-oa-opendata.s3.amazonaws.com/README.txt): `PMC<id>.<version>/PMC<id>.<version>.xml`
with a `.json` beside it and in `metadata/`, which knows licence, retraction and version; a daily
inventory lists every metadata file. What of an article becomes text is said in `corpus.sources.jats`.
"""

import csv
import difflib
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
from corpus.sources import Fetch, Remote, lean
from corpus.sources.facts import facts, judge
from corpus.sources.jats import child, text_of
from corpus.sources.licenses import CODES, OTHER
from corpus.sources.markup import LOCAL, Malformed, parse, tidy
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

# The body of a full text has at least this many words of prose; below lie notes such as "see the PDF".
_PROSE = 30


@dataclass(frozen=True)
class PMC:
    """The PMC source.

    `tables` keeps the cells of tables. `licenses` is the policy: the codes whose articles are accepted, as
    COMMERCIAL, NONCOMMERCIAL, MANUSCRIPTS and OTHER of `corpus.sources.licenses` group them; without it, all.
    `limit` concerns `listing` alone.
    """

    tables: bool = False
    licenses: tuple[str, ...] | None = None
    base: str = field(default=BASE, repr=False)
    limit: int | None = field(default=None, repr=False)
    version: int = 2

    name = "pmc"
    restricted = False

    def __post_init__(self) -> None:
        for code in self.licenses or ():
            if code not in (*CODES, *OTHER):
                near = difflib.get_close_matches(code.upper(), CODES, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise ValueError(f"PMC knows no licence {code!r}{hint} It knows {', '.join((*CODES, *OTHER))}")

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

        The highest is not always the published one: .2 may be a manuscript of .1. A version whose licence is not
        accepted gives way to one whose licence is; of an article that was retracted, there is none.
        """
        there = list(versions)
        if not there or max(there, key=rank).get("is_retracted"):
            return None
        accepted = [one for one in there if one.get("xml_url") and self.allows(one.get("license_code"))]
        return max(accepted, key=rank, default=None)

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
                try:
                    yield self._article(root, path, True, metadata or {})
                except Malformed as error:
                    yield _broken(path, str(error))
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
        short = lean.article(data, self.tables)
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
        try:
            text = text_of(article, self.tables)
        except RecursionError:
            raise Malformed("elements nested too deeply to be an article") from None
        meta["kind"] = "fulltext" if text.words >= _PROSE else "abstract" if text.abstract else "title"
        if not self.allows(license):
            meta["excluded"] = f"license {license or 'none'}"
        if "pmcid" in meta:
            id = f"pmc:{meta['pmcid']}"
        elif "doi" in meta:
            id = f"pmc:doi:{meta['doi'].lower()}"
        else:
            id = f"pmc:{_stem(name)}"
        judge(article, text.title, metadata, meta)
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
