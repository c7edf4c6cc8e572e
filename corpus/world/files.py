"""Writing the miniature world's files: the same bytes every time."""

import contextlib
import gzip
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def gzip_text(path: Path) -> Iterator[IO[str]]:
    """A gzip file to write text to; no name and no time inside."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        open(path, "wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0) as packed,
        io.TextIOWrapper(packed, "utf-8", newline="") as text,
    ):
        yield text


@contextlib.contextmanager
def plain_text(path: Path) -> Iterator[IO[str]]:
    """A text file with the line ends that are written to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as text:
        yield text


def save(path: Path, data: str | bytes) -> None:
    """A small file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)


def hex_digest(path: Path, kind: str) -> str:
    """The bare hexadecimal digest of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


def apache_index(title: str, entries: list[tuple[str, int, str]]) -> str:
    """A folder's listing as Apache writes it: names, sizes in bytes, dates."""

    def shown(size: int) -> str:
        for unit, factor in (("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)):
            if size >= factor:
                return f"{size / factor:.1f}{unit}" if size < 10 * factor else f"{size / factor:.0f}{unit}"
        return str(size)

    rows = "\n".join(
        f'<a href="{name}">{name}</a>{" " * max(1, 40 - len(name))}{date} 12:00  {shown(size):>5}  '
        for name, size, date in entries
    )
    return (
        '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">\n<html>\n <head>\n'
        f"  <title>Index of {title}</title>\n </head>\n <body>\n<h1>Index of {title}</h1>\n"
        '<pre>Name                    Last modified      Size  <hr><a href="/pubmed/">Parent Directory</a>\n'
        f"{rows}\n<hr></pre>\n</body></html>\n"
    )
