"""PMC's bucket on the disk: millions of small objects, packed into a few tar files.

The bucket's daily inventory names each version's metadata and its ETag; of every article whose
versions or ETags are new, the metadata is read, the version chosen, and its XML fetched, with many
requests open at once. A member of a bundle is named as in the bucket, its metadata beside it.

What is held stands in `.fetch/pmc.sqlite`, which is right before a bundle gets its name: so a run
that was killed goes on with the bundle it was in, and a later run asks only for what changed. Members
that were replaced or withdrawn are taken out of their bundles at the end.
"""

import contextlib
import hashlib
import io
import json
import os
import sqlite3
import tarfile
import time
from array import array
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from corpus.files import BadInput, digest, members
from corpus.sources import Remote
from corpus.sources.pmc import PMC
from pipelines.arrivals import Folder, room
from pipelines.door import HOPELESS, Door
from pipelines.progress import amount, say, span
from pipelines.transport import Missing, is_page

ARTICLES = 2000  # of one bundle: some 300 MB of XML, and at most a minute's work lost to a kill
ROOM = 1 << 29  # bytes that a bundle may take, for the disk to be large enough
AHEAD = 4  # articles under way for each open request, so that a slow one holds up nobody

_TABLES = """
CREATE TABLE IF NOT EXISTS article (number INTEGER PRIMARY KEY, state BLOB, bundle TEXT, member TEXT, md5 TEXT,
                                    license TEXT);
CREATE TABLE IF NOT EXISTS bundle (path TEXT PRIMARY KEY, bytes INTEGER, sha256 TEXT, retrieved TEXT);
CREATE TABLE IF NOT EXISTS stale (bundle TEXT, member TEXT);
CREATE INDEX IF NOT EXISTS of_bundle ON article (bundle);
"""


@dataclass(frozen=True)
class Held:
    """What is known of an article: the state of its versions, and its member if it was accepted."""

    state: bytes
    bundle: str | None
    member: str | None
    md5: str | None
    license: str | None


@dataclass(frozen=True)
class Article:
    """An article to look at: its number, the state and keys of its versions, what is held of it."""

    number: int
    state: bytes
    keys: tuple[str, ...]
    held: Held | None


@dataclass(frozen=True)
class Found:
    """What came of an article: nothing accepted, what is held already, or its bytes."""

    article: Article
    chosen: Remote | None = None
    metadata: bytes = b""
    xml: bytes | None = None


def fetch(
    source: PMC, dest: Path, door: Door, *, progress: Callable[[float], None] | None = None, articles: int = ARTICLES
) -> list[dict[str, Any]]:
    """Brings the bundles below `dest` up to date with the bucket; one row (path, bytes, sha256, …) each.

    `source.licenses` and `source.limit` choose. An article that fails is left out, and the rest is
    finished, before the error is raised.
    """
    folder = Folder(dest)
    with folder.held(), contextlib.closing(_opened(folder)) as state:
        _recover(folder, state)
        shown = _Shown(progress)
        failed = _bring(source, folder, door, state, shown, articles)
        _take_out(folder, state)
        shown.end(state)
        if failed:
            raise BadInput(
                f"{len(failed)} articles did not come (the others did, and are kept); the first: {failed[0]}"
            ) from failed[0]
        return _rows(source, state)


def _opened(folder: Folder) -> sqlite3.Connection:
    state = sqlite3.connect(folder.state / "pmc.sqlite", isolation_level=None)
    state.executescript(_TABLES)
    return state


def _recover(folder: Folder, state: sqlite3.Connection) -> None:
    """Names a bundle that was whole when the run was killed; forgets those that are gone."""
    for path, size, sha256 in state.execute("SELECT path, bytes, sha256 FROM bundle").fetchall():
        target, partial = folder.root / path, folder.partial(path)
        if size < 0:  # emptied, and the run was killed before it was deleted
            target.unlink(missing_ok=True)
        elif partial.exists() and digest(partial) == f"sha256:{sha256}":
            os.replace(partial, target)
        if target.exists() and target.stat().st_size != size:
            raise BadInput(
                f"{target} has {target.stat().st_size} bytes, but {size} were fetched; it was changed: delete it "
                "to fetch its articles again"
            )
        if not target.exists():
            with _at_once(state):
                for table, column in (("article", "bundle"), ("stale", "bundle"), ("bundle", "path")):
                    state.execute(f"DELETE FROM {table} WHERE {column} = ?", (path,))
    for partial in folder.state.glob("*.partial"):
        partial.unlink()


@contextlib.contextmanager
def _at_once(state: sqlite3.Connection) -> Iterator[None]:
    state.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        state.execute("ROLLBACK")
        raise
    state.execute("COMMIT")


# ---- what to look at ----


def _inventory(source: PMC, door: Door) -> Iterator[tuple[int, bytes, tuple[str, ...]]]:
    """Number, state and metadata keys of every article, in numerical order.

    Eight million versions are held as two arrays of 64 MB; the state is a digest of the versions,
    their ETags and the policy that chooses among them.
    """
    numbers, tags = array("Q"), array("Q")
    for row in source.inventory(door):
        head, _, version = row["Key"].removeprefix("metadata/PMC").removesuffix(".json").partition(".")
        if row["Key"].startswith("metadata/PMC") and head.isdecimal() and version.isdecimal():
            numbers.append(int(head) * 1000 + int(version))
            tag = row.get("ETag") or row.get("LastModifiedDate") or ""
            tags.append(int.from_bytes(blake2b(tag.strip('"').encode(), digest_size=8).digest(), "big"))
    keys, states = np.frombuffer(numbers, np.uint64), np.frombuffer(tags, np.uint64)
    order = np.argsort(keys, kind="stable")
    keys, states = keys[order], states[order]
    heads = keys // 1000
    starts = np.flatnonzero(np.r_[True, heads[1:] != heads[:-1]]) if len(keys) else np.empty(0, np.int64)
    policy = repr(source.licenses).encode()
    for start, stop in zip(starts, [*starts[1:], len(keys)], strict=True):
        sum = blake2b(policy, digest_size=16)
        sum.update(keys[start:stop].tobytes() + states[start:stop].tobytes())
        versions = sorted({int(key) for key in keys[start:stop]})
        article = int(heads[start])
        yield article, sum.digest(), tuple(f"metadata/PMC{article}.{version % 1000}.json" for version in versions)


def _bring(
    source: PMC, folder: Folder, door: Door, state: sqlite3.Connection, shown: "_Shown", articles: int
) -> list[Exception]:
    """Looks at every article that is new or changed, in order, and packs what is accepted."""
    seen = array("Q")
    failed: list[Exception] = []
    streak = accepted = 0
    workers = door.places(source.base)
    with (
        ThreadPoolExecutor(workers, "pmc") as pool,
        contextlib.closing(_Packer(folder, state, articles, door.manners.spare)) as packer,
    ):
        try:
            looked = _articles(source, door, state, seen)
            for future in _ahead(pool, source, door, looked, workers * AHEAD):
                try:
                    found = future.result()
                except BadInput as error:
                    failed.append(error)
                    streak += 1
                    if streak >= HOPELESS:
                        break
                    continue
                streak = 0
                accepted += packer.add(source, found)
                shown.step(len(found.xml or b""))
                if source.limit is not None and accepted >= source.limit:
                    break
            else:
                if source.limit is None and not failed:
                    _forget(state, seen)
            packer.finish()
        finally:
            door.stop.set()  # what is still under way is of no use now
            pool.shutdown(wait=True, cancel_futures=True)
            door.stop.clear()
    return failed


def _articles(source: PMC, door: Door, state: sqlite3.Connection, seen: "array[int]") -> Iterator[Article]:
    for number, now, keys in _inventory(source, door):
        seen.append(number)
        row = state.execute(
            "SELECT state, bundle, member, md5, license FROM article WHERE number = ?", (number,)
        ).fetchone()
        yield Article(number, now, keys, Held(*row) if row else None)


def _ahead(
    pool: ThreadPoolExecutor, source: PMC, door: Door, articles: Iterator[Article], count: int
) -> Iterator[Future[Found]]:
    """The articles' futures in order, `count` of them under way."""
    futures: list[Future[Found]] = []
    submitted = (pool.submit(_look, source, door, article) for article in articles)
    futures.extend(islice(submitted, count))
    position = 0
    while position < len(futures):
        yield futures[position]
        position += 1
        futures.extend(islice(submitted, 1))
        if position > count:
            del futures[:position]
            position = 0


def _look(source: PMC, door: Door, article: Article) -> Found:
    """What the bucket has of an article. Objects that the inventory names and the bucket lacks are passed over."""
    held = article.held
    if held is not None and held.state == article.state:
        return Found(article, Remote("", held.member) if held.member else None)
    bodies = {}
    for key in article.keys:
        with contextlib.suppress(Missing):  # the inventory is a day old
            bodies[key] = door(source.base + key)
    versions = [source.metadata_of(lambda url: bodies[url.removeprefix(source.base)], key) for key in bodies]
    chosen = source.choose(versions)
    if chosen is None:
        return Found(article)
    metadata = next(body for body, version in zip(bodies.values(), versions, strict=True) if version is chosen)
    remote = source.remote(chosen)
    if held is not None and (held.member, held.md5, held.license) == (remote.path, remote.digest, remote.license):
        return Found(article, remote)
    return Found(article, remote, metadata, _xml(door, remote))


def _xml(door: Door, remote: Remote) -> bytes:
    """The body of an article's XML, verified by the md5 that its metadata states; tried twice."""
    for last in (False, True):
        body = door(remote.url)
        told, found = remote.digest, f"md5:{hashlib.md5(body, usedforsecurity=False).hexdigest()}"
        if is_page(body[:512]):
            why = "a web page (HTML) came in place of the article"
        elif told and told != found:
            why = f"its metadata says {told}, but what came has {found} ({len(body)} bytes)"
        else:
            return body
        if last:
            raise BadInput(f"{remote.url}: {why}, twice; try again later")
    raise AssertionError("the loop returns or raises")


def _forget(state: sqlite3.Connection, seen: "array[int]") -> None:
    """Marks as stale what the inventory no longer names."""
    there = np.frombuffer(seen, np.uint64)
    known = np.array([row[0] for row in state.execute("SELECT number FROM article")], np.uint64)
    with _at_once(state):
        for number in np.setdiff1d(known, there):
            state.execute(
                "INSERT INTO stale SELECT bundle, member FROM article WHERE number = ? AND bundle IS NOT NULL",
                (int(number),),
            )
            state.execute("DELETE FROM article WHERE number = ?", (int(number),))


# ---- packing ----


class _Packer:
    """Packs accepted articles into bundles of equal length, one after the other."""

    def __init__(self, folder: Folder, state: sqlite3.Connection, articles: int, spare: int) -> None:
        self.folder, self.state, self.articles, self.spare = folder, state, articles, spare
        self.pending: list[tuple[Article, Remote | None, bool]] = []  # what was chosen, whether it was packed
        self.tar: tarfile.TarFile | None = None
        self.count = 0
        used = [row[0] for row in state.execute("SELECT path FROM bundle")]
        self.next = max((int(path[4:9]) + 1 for path in used), default=0)

    def add(self, source: PMC, found: Found) -> int:
        """1 when the article is accepted, else 0; its bytes are packed when they are new."""
        article, held = found.article, found.article.held
        if held is not None and held.state == article.state:
            return int(held.member is not None)
        if found.chosen is None or found.xml is None:
            self.pending.append((article, found.chosen, False))
            if self.tar is None and len(self.pending) >= self.articles:
                self._remember(None)
            return int(found.chosen is not None)
        if self.tar is None:
            room(self.folder, ROOM, self.spare, "the next bundle")
            self.path = f"pmc-{self.next:05d}.tar"
            self.next += 1
            self.tar = tarfile.open(self.folder.partial(self.path), "w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        _pack(self.tar, found.chosen.path.removesuffix(".xml") + ".json", found.metadata)
        _pack(self.tar, found.chosen.path, found.xml)
        self.pending.append((article, found.chosen, True))
        self.count += 1
        if self.count >= self.articles:
            self.finish()
        return 1

    def finish(self) -> None:
        """Ends the bundle that is open, and remembers its articles, then gives it its name."""
        if self.tar is None:
            self._remember(None)
            return
        self.tar.close()
        self.tar, self.count = None, 0
        partial = self.folder.partial(self.path)
        with open(partial, "rb") as file:
            os.fsync(file.fileno())
        self._remember((self.path, partial.stat().st_size, digest(partial).removeprefix("sha256:"), _today()))
        os.replace(partial, self.folder.root / self.path)

    def _remember(self, bundle: tuple[str, int, str, str] | None) -> None:
        with _at_once(self.state):
            if bundle is not None:
                self.state.execute("INSERT INTO bundle VALUES (?, ?, ?, ?)", bundle)
            for article, remote, packed in self.pending:
                if remote is not None and not packed:  # other metadata, the same article
                    self.state.execute("UPDATE article SET state = ? WHERE number = ?", (article.state, article.number))
                    continue
                if article.held is not None and article.held.bundle:
                    self.state.execute("INSERT INTO stale VALUES (?, ?)", (article.held.bundle, article.held.member))
                row: tuple[str | None, ...] = (None, None, None, None)
                if remote is not None and bundle is not None:
                    row = (bundle[0], remote.path, remote.digest, remote.license)
                self.state.execute(
                    "INSERT OR REPLACE INTO article VALUES (?, ?, ?, ?, ?, ?)", (article.number, article.state, *row)
                )
        self.pending = []

    def close(self) -> None:
        """Leaves a bundle that is not finished to nobody."""
        if self.tar is not None:
            self.tar.close()
            self.folder.partial(self.path).unlink(missing_ok=True)


def _pack(tar: tarfile.TarFile, name: str, body: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(body)
    entry.mode = 0o644
    tar.addfile(entry, io.BytesIO(body))


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _take_out(folder: Folder, state: sqlite3.Connection) -> None:
    """Writes the bundles with stale members anew, without them."""
    stale: dict[str, set[str]] = {}
    for path, member in state.execute("SELECT bundle, member FROM stale"):
        stale.setdefault(path, set()).add(member.removesuffix(".xml"))
    for path, gone in sorted(stale.items()):
        target, partial = folder.root / path, folder.partial(path)
        kept = 0
        with tarfile.open(partial, "w", format=tarfile.PAX_FORMAT) as tar:
            for name, body in members(target):
                if name.removesuffix(".xml").removesuffix(".json") not in gone:
                    _pack(tar, name, body)
                    kept += 1
        with _at_once(state):
            state.execute("DELETE FROM stale WHERE bundle = ?", (path,))
            if kept:
                with open(partial, "rb") as file:
                    os.fsync(file.fileno())
                row = (partial.stat().st_size, digest(partial).removeprefix("sha256:"), _today(), path)
                state.execute("UPDATE bundle SET bytes = ?, sha256 = ?, retrieved = ? WHERE path = ?", row)
            else:
                state.execute("UPDATE bundle SET bytes = -1 WHERE path = ?", (path,))
        if kept:
            os.replace(partial, target)
        else:
            target.unlink()
            partial.unlink()
            state.execute("DELETE FROM bundle WHERE path = ?", (path,))


def _rows(source: PMC, state: sqlite3.Connection) -> list[dict[str, Any]]:
    """One row a bundle: what it holds is counted by licence."""
    rows = []
    for path, size, sha256, retrieved in state.execute("SELECT * FROM bundle ORDER BY path").fetchall():
        counted = state.execute("SELECT license, COUNT(*) FROM article WHERE bundle = ? GROUP BY license", (path,))
        licenses = {license or "none": count for license, count in counted}
        rows.append(
            {
                "path": path,
                "url": source.base,
                "bytes": size,
                "sha256": sha256,
                "digest": None,
                "license": json.dumps(licenses, sort_keys=True),
                "articles": sum(licenses.values()),
                "retrieved": retrieved,
            }
        )
    return rows


class _Shown:
    """Tells how many articles were looked at, as nobody knows beforehand how many will be accepted."""

    def __init__(self, progress: Callable[[float], None] | None) -> None:
        self.progress, self.looked, self.bytes = progress, 0, 0.0
        self.began = self.told = time.monotonic()

    def step(self, size: float) -> None:
        self.looked, self.bytes = self.looked + 1, self.bytes + size
        if self.progress and size:
            self.progress(size)
        now = time.monotonic()
        if now - self.told >= 10:
            self.told = now
            rate = self.looked / (now - self.began)
            say(f"  pmc: {self.looked} articles looked at, {amount(rate)} a second, {amount(self.bytes, 'B')} fetched")

    def end(self, state: sqlite3.Connection) -> None:
        held = state.execute("SELECT COUNT(*) FROM article WHERE bundle IS NOT NULL").fetchone()[0]
        say(f"  pmc: {held} articles held, {amount(self.bytes, 'B')} fetched in {span(time.monotonic() - self.began)}")
