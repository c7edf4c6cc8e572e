"""RedPajama: an open copy of what LLaMA was trained on. Release 1 (Data-1T, six slices) and 2.

Release 1 is the one that Me-LLaMA names. Its addresses stand in one list (`urls.txt`), its SHA-256
sums in one list a slice; the seventh slice, books, was withdrawn by its publisher. Release 2 is web
text alone, listed by language and snapshot. Formats: the README files of both data sets on the hub
and the data preparation code of the RedPajama-Data repository.

Nobody needs all 3 TB: `listing` chooses whole files, the same ones every time, until each slice has
its share of the tokens that are wanted.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from corpus.document import Document
from corpus.files import BadInput, Foreign
from corpus.sources import Fetch, Remote
from corpus.tables import Row, open_table, parse_json

SLICES = ("common_crawl", "c4", "github", "wikipedia", "arxiv", "stackexchange")

KINDS = {
    "common_crawl": "web",
    "c4": "web",
    "v2": "web",
    "github": "code",
    "wikipedia": "encyclopedia",
    "arxiv": "paper",
    "stackexchange": "qa",
    "book": "book",
}

LICENSES = {
    "common_crawl": "Common Crawl terms of use",
    "v2": "Common Crawl terms of use",
    "c4": "ODC-BY-1.0",
    "wikipedia": "CC BY-SA 3.0",
    "stackexchange": "CC BY-SA",
    "arxiv": "arXiv terms of use",
}

# Percent of LLaMA's tokens (arXiv 2302.13971, table 1) without the 4.5 % of books.
LLAMA = (
    ("common_crawl", 67.0),
    ("c4", 15.0),
    ("github", 4.5),
    ("wikipedia", 4.5),
    ("arxiv", 2.5),
    ("stackexchange", 2.0),
)

# Tokens of a whole slice in release 1 (README of RedPajama-Data, GPT-NeoX tokenizer).
TOKENS = {
    "common_crawl": 878e9,
    "c4": 175e9,
    "github": 59e9,
    "arxiv": 28e9,
    "wikipedia": 24e9,
    "stackexchange": 20e9,
}
# Release 2: 20.5T English head and middle tokens in 84 snapshots of 5,000 shards of two buckets.
V2_FILE_TOKENS = 24.4e6

# A file that begins with so many broken lines is not one with a broken line.
HOPELESS = 1000

# Names that other copies of the same rows give their slices (SlimPajama, the 1B-token sample).
_OTHER_NAMES = {
    "redpajamacommoncrawl": "common_crawl",
    "redpajamac4": "c4",
    "redpajamagithub": "github",
    "redpajamawikipedia": "wikipedia",
    "redpajamaarxiv": "arxiv",
    "redpajamastackexchange": "stackexchange",
    "redpajamabook": "book",
    "cc": "common_crawl",
    "books": "book",
}

_DATE = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")
_SNAPSHOT = re.compile(r"\bcc/(\d{4})-(\d{2})/")
_SHA_LINE = re.compile(r"^([0-9a-fA-F]{64})\s+\*?(?:\./)?(.+)$")


@dataclass(frozen=True)
class RedPajama:
    """Rows of both releases as JSON lines (plain, gzip or zstd) or Parquet.

    `slices` and `languages` say which rows count (others are yielded as excluded); `languages`
    holds only where the publisher states one. The other fields say what `listing` offers:
    `tokens` is how many are wanted in all (None: every file), `margin` how much more to fetch for
    what the filters will drop, `snapshots` those of release 2 (like "2023-06"; none by default).
    """

    slices: tuple[str, ...] = (*SLICES, "v2")
    languages: tuple[str, ...] = ("en",)
    version: int = 1
    base: str = field(default="https://data.together.xyz/redpajama-data-1T/v1.0.0", repr=False)
    base_v2: str = field(default="https://data.together.xyz/redpajama-data-v2/v1.0.0", repr=False)
    shares: tuple[tuple[str, float], ...] = field(default=LLAMA, repr=False)
    tokens: float | None = field(default=None, repr=False)
    margin: float = field(default=1.25, repr=False)
    seed: int = field(default=0, repr=False)
    snapshots: tuple[str, ...] = field(default=(), repr=False)
    partition: str = field(default="head_middle", repr=False)

    def __post_init__(self) -> None:
        unknown = sorted({*self.slices, *(name for name, _ in self.shares)} - KINDS.keys())
        if unknown:
            raise ValueError(f"RedPajama has no slices {unknown}; known are {', '.join(KINDS)}")
        if self.snapshots and self.shares and not dict(self.shares).get("v2"):
            raise ValueError(
                f"RedPajama(snapshots={self.snapshots}): `shares` gives nothing to v2, which would be fetched whole; "
                'say how much of it, like shares=(("v2", 82.0), ("wikipedia", 4.5))'
            )

    @property
    def name(self) -> str:
        return "redpajama"

    @property
    def restricted(self) -> bool:
        return False

    def accepts(self, path: str) -> bool:
        """Row files; not the lists, quality signals, minhashes and duplicates beside them."""
        name = path.rsplit("/", 1)[-1]
        if name.endswith((".signals.json.gz", ".minhash.parquet", ".duplicates.parquet")):
            return False
        return re.search(r"\.(jsonl|json|ndjson|parquet)(\.(gz|zst))?$", name) is not None

    # ---- reading ----

    def read(self, path: Path, name: str) -> Iterator[Document]:
        """One document a row; a row that is not whole JSON is one document with an error."""
        with open_table(path) as table:
            rows = table.rows
            head = []
            for row in rows:
                head.append(row)
                if row.problem is None or len(head) == HOPELESS:
                    break
            if head and all(row.problem for row in head):
                raise BadInput(
                    f"{path}: none of its first {len(head)} lines is whole JSON ({head[0].problem}); it was not "
                    "fetched whole, or is something else: delete it and fetch it again"
                )
            if table.form == "csv" or not any(_slice(row.cells, name) for row in head):
                raise Foreign(
                    f"{path}: not RedPajama rows; expected JSON objects with `text` (and `meta`) or `raw_content`, "
                    f"found {table.found}"
                )
            for row in chain(head, rows):
                yield self._document(row, name)

    def _document(self, row: Row, name: str) -> Document:
        slice = _slice(row.cells, name)
        text = row.cells.get("raw_content" if slice == "v2" else "text")
        problem = row.problem
        if problem is None and slice is None:
            problem = "a row of no known slice"
        if problem is None and not isinstance(text, str):
            problem = f"its text is a {type(text).__name__}"
        if problem is not None or slice is None or not isinstance(text, str):
            return Document(f"redpajama:{name}#{row.number}", "redpajama", "", meta={"error": problem})
        stated = _stated(row.cells)
        key, created, meta = _READERS.get(slice, _plain)(row.cells, stated, text)
        license = LICENSES.get(slice)
        if slice == "github":
            license = _word(stated.get("license")) or "unknown"
        meta = {"kind": KINDS[slice], "slice": slice} | {name: value for name, value in meta.items() if value}
        if slice not in self.slices:
            meta["excluded"] = f"slice {slice}"
        elif meta.get("language") and meta["language"] not in self.languages:
            meta["excluded"] = f"language {meta['language']}"
        return Document(f"redpajama:{slice}/{key}", "redpajama", text, license, created, meta)

    # ---- listing ----

    def listing(self, fetch: Fetch) -> Iterator[Remote]:
        """The files to fetch, slice by slice; below `tokens`, a sample of whole files.

        A slice of one file (wikipedia, stackexchange) comes whole: its start is not a sample of it
        (wikipedia's begins with other languages). Raises ValueError when a slice has no file.
        """
        shares = {name: share for name, share in self.shares if share > 0 and name in self.slices}
        whole = sum(shares.values())
        found = self._addresses(fetch, shares.keys() - {"v2"})
        for slice, share in shares.items():
            wanted = None if self.tokens is None else self.tokens * share / whole * self.margin
            if slice == "v2":
                continue
            paths = found[slice]
            if not paths:
                raise ValueError(
                    f"{self.base}/urls.txt lists no file of the slice {slice!r}; take it out of `shares` "
                    "(books, for one, were withdrawn)"
                )
            sums = _sums(fetch(f"{self.base}/sha256/{slice}_SHA256SUMS.txt"))
            for path in self._sample(paths, TOKENS.get(slice, 0.0) / len(paths), wanted):
                sha = _find_sum(sums, path, slice)
                yield Remote(f"{self.base}/{path}", path, sha and f"sha256:{sha}", license=LICENSES.get(slice))
        if self.snapshots:
            share = shares.get("v2", whole if not shares else 0.0)
            wanted = None if self.tokens is None or not share else self.tokens * share / whole * self.margin
            yield from self._listing_v2(fetch, wanted)

    def _addresses(self, fetch: Fetch, slices: Iterable[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {slice: [] for slice in slices}
        if not found:
            return found
        for line in fetch(f"{self.base}/urls.txt").decode().split("\n"):
            url = line.strip()
            if not url:
                continue
            path = url.partition("/redpajama-data-1T/v1.0.0/")[2] or url.removeprefix(self.base + "/")
            slice = path.partition("/")[0]
            if slice in found and "://" not in path:
                found[slice].append(path)
        return found

    def _listing_v2(self, fetch: Fetch, wanted: float | None) -> Iterator[Remote]:
        places = []
        for snapshot in self.snapshots:
            for language in self.languages:
                listed = fetch(f"{self.base_v2}/listings/{language}-{snapshot}-{self.partition}.txt")
                places += [line.strip() for line in listed.decode().split("\n") if line.strip()]
        for place in self._sample(places, V2_FILE_TOKENS, wanted):
            path = f"documents/{place}.json.gz"
            yield Remote(f"{self.base_v2}/{path}", f"v2/{path}", license=LICENSES["v2"])

    def _sample(self, paths: list[str], each: float, wanted: float | None) -> list[str]:
        """Sorted paths, or as many as hold `wanted` tokens, in an order that only the seed changes."""
        if wanted is None or each <= 0:
            return sorted(paths)
        order = sorted(paths, key=lambda path: hashlib.sha256(f"{self.seed} {path}".encode()).digest())
        return sorted(order[: max(1, -int(-wanted // each))])


# ---- what a row says of itself ----


def _stated(cells: Mapping[str, Any]) -> Mapping[str, Any]:
    """`meta` of a row; copies that passed through `datasets` hold it as a JSON string."""
    meta = cells.get("meta")
    if isinstance(meta, str):
        try:
            meta = parse_json(meta.encode())
        except ValueError:
            meta = None
    return meta if isinstance(meta, dict) else {}


def _slice(cells: Mapping[str, Any], name: str) -> str | None:
    """Which slice a row is of: by its own keys, else by the folder it lies in."""
    if "raw_content" in cells:
        return "v2"
    if "text" not in cells:
        return None
    meta = _stated(cells)
    stated = meta.get("source") or cells.get("red_pajama_subset") or meta.get("redpajama_set_name") or ""
    stated = _OTHER_NAMES.get(str(stated).lower(), str(stated).lower())
    if stated in KINDS:
        return stated
    if "arxiv_id" in meta:
        return "arxiv"
    if "question_score" in meta:
        return "stackexchange"
    if "short_book_title" in meta:
        return "book"
    if "wiki_prob" in cells or "pred_label" in cells:
        return "common_crawl"
    if "title" in meta and "wikipedia.org/" in str(meta.get("url")):
        return "wikipedia"
    folders = {part.lower() for part in name.split("/")[:-1]} & KINDS.keys()
    return min(folders) if folders else None


Facts = tuple[str, str | None, dict[str, Any]]  # key, created, meta


def _arxiv(cells: Mapping[str, Any], meta: Mapping[str, Any], text: str) -> Facts:
    key = _word(meta.get("arxiv_id")) or _digest(text)
    return key, _date(meta.get("timestamp")), {"language": _word(meta.get("language"))}


def _c4(cells: Mapping[str, Any], meta: Mapping[str, Any], text: str) -> Facts:
    url = _word(meta.get("url"))
    return _page(url, text), _date(meta.get("timestamp")), {"language": _word(meta.get("language")), "url": url}


def _github(cells: Mapping[str, Any], meta: Mapping[str, Any], text: str) -> Facts:
    repo, path = _word(meta.get("repo_name")), _word(meta.get("path"))
    # `language` is a list of programming languages of the repository: not of the text.
    return _page(f"{repo}/{path}" if repo and path else "", text), _date(meta.get("timestamp")), {}


def _wikipedia(cells: Mapping[str, Any], meta: Mapping[str, Any], text: str) -> Facts:
    url, language, title = (_word(meta.get(name)) for name in ("url", "language", "title"))
    key = f"{language}/{title}" if language and title else _page(url, text)
    return key, _date(meta.get("timestamp")), {"language": language, "title": title, "url": url}


def _stackexchange(cells: Mapping[str, Any], meta: Mapping[str, Any], text: str) -> Facts:
    url = _word(meta.get("url"))
    key = url.partition("://")[2] or _digest(text)
    return key, _date(meta.get("timestamp")), {"language": _word(meta.get("language")), "url": url}


def _common_crawl(cells: Mapping[str, Any], meta: Mapping[str, Any], text: str) -> Facts:
    place = _word(cells.get("source"))
    found = _SNAPSHOT.search(place)
    # "cc/2019-30/en_head_0000.json.gz/line4": its place in cc_net's output, unique by construction.
    key = place.removeprefix("cc/") if found else _digest(text)
    language = re.search(r"/([a-z]{2})_(?:head|middle|tail)", place)
    return key, found and found[1], {"language": language and language[1]}


def _v2(cells: Mapping[str, Any], meta: Mapping[str, Any], text: str) -> Facts:
    url = _word(cells.get("url"))
    facts = {"language": _word(cells.get("language")), "title": _word(cells.get("title")), "url": url}
    return _page(url, text), _date(cells.get("date_download")), facts


def _plain(cells: Mapping[str, Any], meta: Mapping[str, Any], text: str) -> Facts:
    return _digest(text), _date(meta.get("timestamp")), {"language": _word(meta.get("language"))}


_READERS = {
    "arxiv": _arxiv,
    "c4": _c4,
    "github": _github,
    "wikipedia": _wikipedia,
    "stackexchange": _stackexchange,
    "common_crawl": _common_crawl,
    "v2": _v2,
}


def _word(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _page(address: str, text: str) -> str:
    """A key for what may be published twice under one address: address and a digest of the text."""
    digest = _digest(text)
    return f"{address}#{digest[:8]}" if address else digest


def _date(value: Any) -> str | None:
    """The day of a time stamp in one of the forms of the slices, as ISO 8601."""
    found = _DATE.match(value) if isinstance(value, str) else None
    return f"{found[1]}-{found[2]}-{found[3]}" if found else None


def _sums(listing: bytes) -> dict[str, str]:
    """Path -> SHA-256 of a `sha256sum` list."""
    found = {}
    for line in listing.decode().split("\n"):
        match = _SHA_LINE.match(line.strip())
        if match:
            found[match[2].strip()] = match[1].lower()
    return found


def _find_sum(sums: Mapping[str, str], path: str, slice: str) -> str | None:
    """The sum of a file whose list may name it from the root, from its slice, or from elsewhere."""
    below = path.removeprefix(slice + "/")
    for known in (path, below):
        if known in sums:
            return sums[known]
    tails = [sum for listed, sum in sums.items() if listed.endswith("/" + below)]
    return tails[0] if len(tails) == 1 else None
