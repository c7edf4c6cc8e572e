"""Files on their way into a folder: whole under their own names, or in its `.fetch` and not yet there.

A partial file goes on where it ends as long as the server still has the same file (its ETag or date);
it is given its name when its digests are right. What is finished stands in `.fetch/journal.jsonl`
with its size and time of change, so that a later run need not read it again.
"""

import contextlib
import datetime
import fcntl
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from corpus.files import BadInput
from corpus.sources import Remote
from pipelines import transport
from pipelines.door import Door
from pipelines.progress import amount
from pipelines.transport import BLOCK, Interrupted

STATE = ".fetch"


class Folder:
    """A folder that files are fetched into: what is there, what is on its way."""

    def __init__(self, root: Path, restricted: bool = False) -> None:
        self.root = root
        self.state = root / STATE
        self.mode = 0o600 if restricted else 0o644
        self.state.mkdir(parents=True, exist_ok=True)
        if restricted:
            root.chmod(0o700)
        self._lock = threading.Lock()
        self.journal = self.state / "journal.jsonl"
        self.rows: dict[str, dict[str, Any]] = {}
        if self.journal.exists():
            for line in self.journal.read_bytes().split(b"\n"):
                with contextlib.suppress(json.JSONDecodeError):  # the last line of a run that was killed
                    row = json.loads(line)
                    self.rows[row["path"]] = row

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else fetches into this folder meanwhile."""
        with open(self.state / "lock", "a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BadInput(
                    f"another fetch into {self.root} is running; wait for it, or name another folder"
                ) from None
            yield

    def target(self, path: str) -> Path:
        """Where a file will lie; refuses a path that leads out of the folder."""
        parts = PurePosixPath(path).parts
        if not parts or ".." in parts or path.startswith("/") or parts[0] == STATE or "\\" in path:
            raise BadInput(f"the listing names {path!r}, which is no place below {self.root}; check the address")
        return self.root / path

    def partial(self, path: str) -> Path:
        return self.state / (path + ".partial")

    def resume(self, path: str) -> Path:
        return self.state / (path + ".resume")

    def note(self, row: dict[str, Any]) -> dict[str, Any]:
        """Remembers a finished file."""
        with self._lock:
            self.rows[row["path"]] = row
            with open(self.journal, "ab") as file:
                file.write((b"\n" if file.tell() else b"") + json.dumps(row, sort_keys=True).encode())
        return row

    def row(self, remote: Remote, sha256: str) -> dict[str, Any]:
        stat = self.target(remote.path).stat()
        return {
            "path": remote.path,
            "url": remote.url,
            "bytes": stat.st_size,
            "mtime_ns": stat.st_mtime_ns,
            "sha256": sha256,
            "digest": remote.digest,
            "license": remote.license,
            "retrieved": datetime.datetime.now(datetime.UTC).date().isoformat(),
        }

    def held_row(self, remote: Remote) -> dict[str, Any] | None:
        """What is known of a file that is there and verified; None when it must be fetched.

        Raises BadInput when what is there is not what the publisher has now.
        """
        target, row = self.target(remote.path), self.rows.get(remote.path)
        if not target.exists():
            return None
        stat = target.stat()
        known = row is not None and (row["bytes"], row["mtime_ns"]) == (stat.st_size, stat.st_mtime_ns)
        if known and row is not None:
            there, when = row["digest"] or f"sha256:{row['sha256']}", f", fetched {row['retrieved']},"
            if remote.digest and _kind(remote.digest) != _kind(there):
                there = _digest_of(target, _kind(remote.digest))
        else:
            there, when = _digest_of(target, _kind(remote.digest)), ""
        if remote.digest and there.lower() != remote.digest.lower():
            raise BadInput(
                f"{target}{when} has {there}, but {remote.url} is now {remote.digest} by its publisher's list: it was "
                "changed, or never came whole. Move the file away to fetch it as it is now"
            )
        if remote.size is not None and stat.st_size != remote.size:
            raise BadInput(
                f"{target}{when} has {stat.st_size} bytes ({there}), but {remote.url} has {remote.size} by its "
                "publisher's list: it was changed, or never came whole. Move the file away to fetch it as it is now"
            )
        if known:
            return row
        sha = _digest_of(target, "sha256").removeprefix("sha256:")
        if remote.digest or (row is not None and row["sha256"] == sha):
            return self.note(self.row(remote, sha) | ({"retrieved": row["retrieved"]} if row else {}))
        return None  # nobody says what it should be: it is fetched beside and compared

    def settle(self, remote: Remote, sha256: str) -> dict[str, Any]:
        """Gives a verified partial file its name."""
        partial, target = self.partial(remote.path), self.target(remote.path)
        if target.exists():
            there = _digest_of(target, "sha256")
            if there != f"sha256:{sha256}":
                raise BadInput(
                    f"{target} has {there}, but {remote.url} is now sha256:{sha256}: it was changed, or never came "
                    "whole. Move the file away to fetch it as it is now"
                )
            partial.unlink()
        else:
            with open(partial, "rb") as file:
                if partial.stat().st_nlink == 1:  # else it is the publisher's own file by another name
                    os.fchmod(file.fileno(), self.mode)
                os.fsync(file.fileno())
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(partial, target)
        self.resume(remote.path).unlink(missing_ok=True)
        return self.note(self.row(remote, sha256))


def _kind(digest: str | None) -> str:
    return (digest or "sha256").partition(":")[0]


def _digest_of(path: Path, kind: str) -> str:
    with open(path, "rb") as file:
        return f"{kind}:{hashlib.file_digest(file, kind).hexdigest()}"


class _Wrong(Exception):
    """A whole body that is not what the publisher's list says."""


class _Page(Exception):
    """A web page where data should be."""


def bring(door: Door, folder: Folder, remote: Remote) -> dict[str, Any]:
    """Fetches one file into its place and verifies it; its row of the journal.

    A body that does not verify, or is a web page, is deleted and fetched once more. Raises BadInput.
    """
    transport.checked(remote.url)
    partial = folder.partial(remote.path)
    partial.parent.mkdir(parents=True, exist_ok=True)
    for last in (False, True):
        try:
            sha256 = _brought(door, folder, remote)
        except (_Wrong, _Page) as error:
            partial.unlink(missing_ok=True)
            folder.resume(remote.path).unlink(missing_ok=True)
            if not last:
                continue
            if isinstance(error, _Page):
                login = f"; {transport.CREDENTIALS}" if door.by_wget(remote.url) else ""
                raise BadInput(
                    f"{remote.url}: a web page (HTML) came in place of data, twice; a login or an error page: check "
                    f"the address and your credentials{login}"
                ) from error
            raise BadInput(f"{remote.url}: {error}, twice; the list may be stale: try again later") from error
        return folder.settle(remote, sha256)
    raise AssertionError("the loop returns or raises")


def _brought(door: Door, folder: Folder, remote: Remote) -> str:
    """The whole body in the partial file, verified; its SHA-256 in hexadecimal."""
    partial = folder.partial(remote.path)
    if transport.scheme(remote.url) == "file" and (linked := _linked(folder, remote)):
        return linked
    reached = partial.stat().st_size if partial.exists() else 0

    def advanced() -> bool:
        nonlocal reached
        before, reached = reached, partial.stat().st_size if partial.exists() else 0
        return reached > before

    pull = _by_wget if door.by_wget(remote.url) else _pull
    return door.patiently(remote.url, lambda: pull(door, folder, remote), advanced)


def _linked(folder: Folder, remote: Remote) -> str | None:
    """A file of this disk by another name, verified where it lies; None when it must be copied."""
    source, partial = transport.local_path(remote.url), folder.partial(remote.path)
    if folder.mode == 0o600 and source.is_file() and source.stat().st_mode & 0o077:
        return None  # others may read it under its old name; its copy shall be the owner's alone
    partial.unlink(missing_ok=True)
    try:
        os.link(source.resolve(), partial)
    except OSError:
        return None  # another disk, or not ours to link
    return _summed(partial, remote)


class _Sums:
    """The digests of a body as it flows by; looks at its first bytes for a web page."""

    def __init__(self, remote: Remote) -> None:
        self.sha256 = hashlib.sha256()
        kind = _kind(remote.digest)
        self.other = None if kind == "sha256" else hashlib.new(kind, usedforsecurity=False)
        self.size = 0
        self.data = not remote.path.endswith((".html", ".htm"))

    def add(self, block: bytes) -> None:
        if self.size == 0 and self.data and transport.is_page(block):
            raise _Page
        self.size += len(block)
        self.sha256.update(block)
        if self.other is not None:
            self.other.update(block)

    def verified(self, remote: Remote) -> str:
        found = f"{_kind(remote.digest)}:{(self.other or self.sha256).hexdigest()}"
        if remote.digest and found != remote.digest.lower():
            raise _Wrong(f"the publisher's list says {remote.digest}, but what came has {found} ({self.size} bytes)")
        if remote.size is not None and self.size != remote.size:
            raise _Wrong(f"the publisher's list says {remote.size} bytes, but {self.size} came ({found})")
        return self.sha256.hexdigest()


def _pull(door: Door, folder: Folder, remote: Remote) -> str:
    """One request that goes on where the partial file ends, if the server's file is still the same."""
    partial, resume = folder.partial(remote.path), folder.resume(remote.path)
    start, validator, sums = 0, None, _Sums(remote)
    if partial.exists():
        state = json.loads(resume.read_bytes()) if resume.exists() else {}
        if state.get("url") == remote.url and state.get("digest") == remote.digest and state.get("validator"):
            start, validator = partial.stat().st_size, state["validator"]
    try:
        reply = door.open(remote.url, start, validator)
    except Interrupted as error:
        if error.restart:
            partial.unlink(missing_ok=True)
        raise
    if reply.start:
        with open(partial, "rb") as file:
            while block := file.read(BLOCK):
                sums.add(block)
    else:
        state = {"url": remote.url, "digest": remote.digest, "validator": reply.validator}
        partial.unlink(missing_ok=True)
        resume.write_bytes(json.dumps(state).encode())
    if reply.total is not None:
        room(folder, reply.total - reply.start, door.manners.spare, remote.url)
    with open(partial, "ab") as file:
        os.fchmod(file.fileno(), folder.mode)
        for block in door.flowing(reply.chunks):
            sums.add(block)
            file.write(block)
    if reply.total is not None and sums.size < reply.total:
        raise Interrupted(f"{sums.size} of {reply.total} bytes came")
    return sums.verified(remote)


def _by_wget(door: Door, folder: Folder, remote: Remote) -> str:
    """One run of wget that goes on where the partial file ends."""
    partial = folder.partial(remote.path)
    partial.touch(folder.mode)  # before any byte of it is there, so that nobody else reads it meanwhile
    if remote.digest and partial.stat().st_size:
        with contextlib.suppress(_Wrong):  # a run that was killed between the last byte and its verification
            return _summed(partial, remote)
    try:
        transport.wget(remote.url, partial, door.manners.timeout, door.stop.is_set)
    except Interrupted as error:
        if error.restart:
            partial.unlink()
        raise
    return _summed(partial, remote)


def _summed(partial: Path, remote: Remote) -> str:
    sums = _Sums(remote)
    with open(partial, "rb") as file:
        while block := file.read(BLOCK):
            sums.add(block)
    return sums.verified(remote)


def room(folder: Folder, wanted: float, spare: int, what: str) -> None:
    free = shutil.disk_usage(folder.root).free
    if wanted + spare > free:
        raise BadInput(
            f"{folder.root}: {amount(wanted, 'B')} are to come ({what}) and {amount(spare, 'B')} shall stay free, "
            f"but the disk has {amount(free, 'B')}: free some space, or fetch to another disk with --dest"
        )
