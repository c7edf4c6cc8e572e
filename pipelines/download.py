"""The one door: every file that a build reads from elsewhere comes in here, whole and verified.

`fetch_source` reads a publisher's listing, fetches what is missing and writes the source manifest:
what was fetched, from where, with which digest and licence, and when. Interrupted at any moment, the
same call goes on where it stopped. What is on its way lies in `<folder>/.fetch`, never under a file's
own name; what is finished is remembered there with size and time of change, and not fetched again.

A file that its publisher changed is an error that names both digests: nobody's corpus should change
because a mirror did.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import fields, replace
from itertools import islice
from pathlib import Path
from typing import Any

from corpus import manifest
from corpus.files import BadInput
from corpus.sources import Remote, Source
from corpus.sources.pmc import PMC
from pipelines import bundles, transport
from pipelines.arrivals import Folder, bring, room
from pipelines.door import HOPELESS, Door, Manners
from pipelines.progress import Progress, amount, say

Told = Callable[[float], None]  # told the bytes of each file as it is finished

# Files whose sizes nobody stated are asked for, some of them, before the disk is judged large enough.
ASKED_SIZES = 12


def fetch_bytes(url: str, manners: Manners | None = None) -> bytes:
    """The bytes of a small file (a listing, a side-car) at an address."""
    return Door(manners)(url)


def fetch(
    remotes: Iterable[Remote],
    dest: Path,
    *,
    limit: int | None = None,
    workers: int | None = None,
    progress: Told | None = None,
    door: Door | None = None,
    label: str = "fetch",
) -> list[dict[str, Any]]:
    """Fetches what is not there yet; the rows (path, url, bytes, sha256, …) of all, sorted by path.

    With `limit`, so many of the files, the same ones each time, in turn from each of the listing's
    folders. `workers` is how many files are on their way at once (by default what their hosts are
    made for). A file that fails does not keep the others from being finished.
    """
    door = door or Door()
    folder = Folder(dest, door.restricted)
    with folder.held():
        wanted = list(remotes) if limit is None else _spread(list(remotes), limit)
        twice = [path for path, count in _counted(remote.path for remote in wanted).items() if count > 1]
        if twice:
            raise BadInput(f"the listing names {twice[0]!r} more than once; check the address")
        rows = {remote.path: folder.held_row(remote) for remote in wanted}
        todo = [remote for remote in wanted if rows[remote.path] is None]
        _enough(door, folder, todo)
        shown = Progress(label, len(wanted), float(len(todo)), " files")
        shown.done = len(wanted) - len(todo)
        for fresh in _each(door, folder, todo, workers):
            rows[fresh["path"]] = fresh
            shown.step(1.0)
            if progress:
                progress(float(fresh["bytes"]))
        shown.end(len(todo))
        return [row for path in sorted(rows) if (row := rows[path]) is not None]


def _counted(paths: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for path in paths:
        counts[path] = counts.get(path, 0) + 1
    return counts


def _spread(remotes: list[Remote], limit: int) -> list[Remote]:
    """`limit` of them, in turn from each top folder, the first ones of each."""
    piles: dict[str, list[Remote]] = {}
    for remote in remotes:
        piles.setdefault(remote.path.partition("/")[0] if "/" in remote.path else "", []).append(remote)
    turns = (
        pile[i] for i in range(max(map(len, piles.values()), default=0)) for pile in piles.values() if i < len(pile)
    )
    chosen = set(islice(turns, limit))
    return [remote for remote in remotes if remote in chosen]


def _enough(door: Door, folder: Folder, todo: Sequence[Remote]) -> None:
    """Raises BadInput when the disk is too small for what is to come, as far as sizes can be known."""
    stated = [remote.size for remote in todo if remote.size is not None]
    silent = [remote for remote in todo if remote.size is None]
    step = max(1, len(silent) // ASKED_SIZES)
    asked = [size for remote in silent[::step] if (size := door.size(remote.url)) is not None]
    guess = sum(asked) / len(asked) * len(silent) if asked else 0.0
    if todo:
        room(folder, sum(stated) + guess, door.manners.spare, f"{len(todo)} files")


def _each(door: Door, folder: Folder, todo: Sequence[Remote], workers: int | None) -> Iterator[dict[str, Any]]:
    """Fetches them all, several at once; rows as they are finished. Raises when some failed, at the end."""
    if not todo:
        return
    workers = workers or max(door.places(remote.url) for remote in todo[:1000])
    failed: list[Exception] = []
    finished = streak = 0
    waiting = iter(todo)
    with ThreadPoolExecutor(workers, "fetch") as pool:
        running: set[Future[dict[str, Any]]] = set()
        try:
            while True:
                while len(running) < workers and streak < HOPELESS and (remote := next(waiting, None)):
                    running.add(pool.submit(bring, door, folder, remote))
                if not running:
                    break
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    try:
                        row = future.result()
                    except BadInput as error:
                        failed.append(error)
                        streak += 1
                        continue
                    finished, streak = finished + 1, 0
                    yield row
        except BaseException as error:
            door.stop.set()
            if isinstance(error, OSError) and error.errno == 28:  # ENOSPC
                error.add_note(f"the disk of {folder.root} is full; free some space and run again: what came is kept")
            raise
    if failed:
        told = "\n  ".join(str(error) for error in failed[:3])
        more = f"\n  and {len(failed) - 3} more" if len(failed) > 3 else ""
        left = len(todo) - finished
        raise BadInput(
            told
            if left == 1
            else f"{left} of {len(todo)} files did not come ({finished} did, and are kept):\n  {told}{more}"
        ) from failed[0]


# ---- sources ----


def fetch_source(
    source: Source,
    dest: Path,
    *,
    limit: int | None = None,
    progress: Told | None = None,
    manners: Manners | None = None,
) -> Path:
    """Fetches a source into the folder `dest` and writes `<source>.sources.json` beside it; the folder.

    `limit` is how many files (articles, for PMC) at most. The manifest is written last: every file
    that was fetched into this folder and is still there, with address, bytes, digests, licence and
    the day it was retrieved.
    """
    base = getattr(source, "base", "")
    door = Door(manners, restricted=source.restricted, bucket=isinstance(source, PMC))
    if limit is not None and any(one.name == "limit" for one in fields(source)):  # type: ignore[arg-type]
        source = replace(source, limit=limit)  # type: ignore[type-var]
    try:
        if isinstance(source, PMC):
            rows = bundles.fetch(source, dest, door, progress=progress)
        else:
            rows = _listed(source, base, dest, door, limit, progress)
    finally:
        door.close()
    content = {
        "format": manifest.FORMAT,
        "source": source.name,
        "restricted": source.restricted,
        "files": [{key: value for key, value in row.items() if key != "mtime_ns"} for row in rows],
    }
    manifest.write(source_manifest(dest, source.name), content, 0o600 if source.restricted else 0o644)
    size = sum(row["bytes"] for row in rows)
    say(f"  {source.name}: {len(rows)} files, {amount(size, 'B')}, in {dest}")
    return dest


def source_manifest(dest: Path, name: str) -> Path:
    """Where the source manifest of a source fetched into `dest` lies."""
    return dest.with_name(f"{name}.sources.json")


def _listed(
    source: Source, base: str, dest: Path, door: Door, limit: int | None, progress: Told | None
) -> list[dict[str, Any]]:
    here = transport.local_path(base) if base and transport.scheme(base) == "file" else None
    try:
        remotes = list(source.listing(door))
    except transport.Missing:  # the user's own files need no publisher's list
        if here is None or not here.is_dir() or not any(map(source.accepts, os.listdir(here))):
            raise
        remotes = []
    if not remotes and here is not None:
        remotes = list(_folder(source, here))
    if not remotes and getattr(source, "since", None) is None:
        raise BadInput(
            f"{source.name} offers nothing to fetch{f' at {base}' if base else ''}; put its files into a folder of "
            f"that name and give the folder above with --raw"
        )
    rows = {
        row["path"]: row for row in fetch(remotes, dest, limit=limit, progress=progress, door=door, label=source.name)
    }
    folder = Folder(dest, door.restricted)
    for path, row in folder.rows.items():  # of earlier runs, with other limits or before the listing moved on
        target = folder.root / path
        if path not in rows and target.exists() and target.stat().st_size == row["bytes"]:
            rows[path] = row
    old = sorted(set(rows) - {remote.path for remote in remotes})
    if old:
        say(f"  {source.name}: {len(old)} files that lie there are not in the listing now, like {old[0]}")
    return [rows[path] for path in sorted(rows)]


def _folder(source: Source, base: Path) -> Iterator[Remote]:
    """What lies in a folder that nobody lists: the files that the source reads."""
    for path in sorted(base.rglob("*")):
        name = path.relative_to(base).as_posix()
        if path.is_file() and not any(part.startswith(".") for part in Path(name).parts) and source.accepts(name):
            yield Remote(path.absolute().as_uri(), name, size=path.stat().st_size)
