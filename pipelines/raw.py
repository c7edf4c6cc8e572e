"""Raw files as they lie on disk: which there are, what their bytes are, whether they are whole.

Digests are taken once and remembered beside the build's layers, by path, size and time of change.
Side-cars that lie beside a file (NLM's `.md5`, PhysioNet's `SHA256SUMS.txt`) are held against it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus import manifest
from corpus.files import BadInput, digest
from corpus.sources import Source
from corpus.sources.notes import Notes
from pipelines.layer import run, short
from pipelines.progress import say

MANY, SMALL = 5_000, 1 << 18  # files, and their mean bytes, from which on they had better be packed
_MD5 = re.compile(r"\b([0-9a-fA-F]{32})\b")
_SHA_LINE = re.compile(r"^([0-9a-fA-F]{64}) [ *]?(.+)$")  # PhysioNet writes one space, sha256sum two


@dataclass(frozen=True)
class Raw:
    """One raw file: its path, its name below the source's folder (posix), bytes and sha256."""

    path: Path
    name: str
    bytes: int
    sha256: str


def listing(source: Source, folder: Path) -> list[tuple[str, Path]]:
    """(name, path) of the files below `folder` that the source reads, sorted by name."""
    found = []
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        hidden = any(part.startswith(".") for part in Path(name).parts)
        if not hidden and not name.endswith(".partial") and source.accepts(name) and path.is_file():
            found.append((name, path))
    return sorted(found)


def take(chosen: Sequence[tuple[Source, Path]], memory: Path) -> list[list[Raw]]:
    """For each (source, folder): its raw files with their digests, side-cars checked.

    Raises BadInput for a folder without files of its source and for a file that is not what its
    side-car says, naming both digests.
    """
    known: dict[str, list[Any]] = manifest.read(memory) if memory.exists() else {}
    listings = []
    for source, folder in chosen:
        files = listing(source, folder)
        if not files:
            raise BadInput(
                f"{folder} holds no file that the source {source.name!r} reads; "
                f"put its files there as they were downloaded, or remove the folder to leave {source.name} out"
            )
        listings.append(files)
        _advise(source, files)
    stamps = {str(path.resolve()): _stamp(path) for files in listings for _, path in files}
    missing = [place for place, stamp in stamps.items() if known.get(place, [])[:-2] != stamp]
    jobs = [(Path(place), stamps[place][-1]) for place in missing]
    sizes = [float(stamps[place][0]) for place in missing]
    digests = run(digests_of, jobs, "digests", sizes, there=len(stamps) - len(missing))
    for place, found in zip(missing, digests, strict=True):
        known[place] = [*stamps[place], *found]
    manifest.write(memory, known)
    result = []
    for (source, folder), files in zip(chosen, listings, strict=True):
        raws = []
        sums = dict(_sha256sums(folder))
        for name, path in files:
            size, *_, sha, md5 = known[str(path.resolve())]
            raws.append(Raw(path, name, size, sha))
            _check(raws[-1], md5, sums)
        if isinstance(source, Notes):
            _read_through(source, raws, known)
        result.append(raws)
    manifest.write(memory, known)
    return result


def _advise(source: Source, files: Sequence[tuple[str, Path]]) -> None:
    """Says what to do about very many small files: each takes its own turn through every stage."""
    if len(files) > MANY and sum(path.stat().st_size for _, path in files) < len(files) * SMALL:
        say(
            f"  {source.name}: {len(files):,} small files, each of which costs some 0.1 s of its own; "
            "a few thousand to an archive (articles in .tar, reports in .zip), they are read many times faster"
        )


def _read_through(source: Notes, raws: Sequence[Raw], known: dict[str, list[Any]]) -> None:
    """Checks a hospital's tables against the columns that were named, once for each file and mapping."""
    how = short(manifest.key({"reader": repr(source)}))
    for raw in raws:
        name = f"{raw.path.resolve()} as {how}"
        if known.get(name, [])[:1] != [raw.sha256]:
            known[name] = [raw.sha256, source.check(raw.path)]
        for told in known[name][1]:
            say(f"  notes: {told}")


def _side_car(path: Path) -> Path:
    return path.with_name(path.name + ".md5")


def _stamp(path: Path) -> list[Any]:
    """What tells that a file is the one whose digests are known: size, time of change, side-car."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, _side_car(path).is_file()]


def digests_of(path: Path, with_md5: bool) -> tuple[str, str | None]:
    """The sha256 of a file and, when it has a side-car, its md5."""
    sha = digest(path).removeprefix("sha256:")
    return sha, digest(path, "md5").removeprefix("md5:") if with_md5 else None


def _sha256sums(folder: Path) -> Iterator[tuple[Path, str]]:
    for sums in sorted(folder.rglob("SHA256SUMS.txt")):
        for number, line in enumerate(sums.read_text(encoding="utf-8").splitlines(), 1):
            match = _SHA_LINE.match(line)
            if match is None:
                raise BadInput(
                    f"{sums}, line {number}: not `<sha256> <path>`; the list was not fetched whole: fetch it again"
                )
            yield sums.parent / match[2], match[1].lower()


def _check(raw: Raw, md5: str | None, sums: dict[Path, str]) -> None:
    told = sums.get(raw.path)
    if told is not None and told != raw.sha256:
        raise _wrong(raw.path, "SHA256SUMS.txt", f"sha256 {told}", raw.sha256)
    if md5 is not None:
        side = _side_car(raw.path)
        match = _MD5.search(side.read_text(encoding="utf-8", errors="replace"))
        if match is None:
            raise BadInput(f"{side}: no md5 in this side-car (an error page in its place?); fetch it again")
        if md5 != match[1].lower():
            raise _wrong(raw.path, side.name, f"md5 {match[1].lower()}", md5)


def _wrong(path: Path, where: str, told: str, found: str) -> BadInput:
    return BadInput(
        f"{path}: {where} says {told}, but the file has {found}; it was not fetched whole, or was published again: "
        "delete the file and its checksum and fetch both again"
    )
