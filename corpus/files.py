"""Files that are whole or absent, and raw files that are what their names say.

Reading: compression is found by its magic bytes, never by the file's name; a stream that ends
early, or a web page where data should be, is a `BadInput` that says what, where and what to do.
Writing: beside, fsync, rename; so a file that exists is finished.
"""

import contextlib
import hashlib
import io
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import zstandard
from isal import igzip

_GZIP, _ZSTD, _ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
_BLOCK = 1 << 20


class BadInput(ValueError):
    """A file cannot be used as it is: what is wrong, where, and what to do about it."""


class Foreign(ValueError):
    """A file is whole, but it is not of this source's kind; the build lists it and goes on."""


@contextlib.contextmanager
def writing(path: Path, mode: int = 0o644) -> Iterator[Path]:
    """Yields a path beside `path`; when the block ends well, that file becomes `path` at once.

    The bytes and the folder's entry are on disk before this returns. When the block fails,
    nothing of it stays. A file for its owner alone (0600) is so from its first byte on, and so is
    the folder that is made for it.
    """
    path.parent.mkdir(0o777 if mode & 0o077 else 0o700, parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    try:
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        yield partial
        with open(partial, "rb+") as file:
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno == 28:  # ENOSPC
            error.add_note(
                f"the disk of {path.parent} is full while writing {path.name}; free some space "
                "and run the same command again: what is finished is kept"
            )
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def digest(path: Path, kind: str = "sha256") -> str:
    """`sha256:<hex>` (or another of hashlib's) of a file's bytes."""
    with open(path, "rb") as file:
        return f"{kind}:{hashlib.file_digest(file, kind).hexdigest()}"


def text_digest(text: str) -> str:
    """`sha256:<hex>` of a string, for keys."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@contextlib.contextmanager
def naming(where: str) -> Iterator[None]:
    """Turns what decompressors say about broken streams into a `BadInput` that names the file."""
    try:
        yield
    except (EOFError, zlib.error, igzip.BadGzipFile, zstandard.ZstdError, tarfile.TarError) as error:
        raise BadInput(
            f"{where}: the compressed stream is broken or ends early ({error}); "
            "the file was not fetched whole: delete it and fetch it again"
        ) from error
    except zipfile.BadZipFile as error:
        raise BadInput(f"{where}: not a whole zip archive ({error}); fetch it again") from error


def _looks_like_page(head: bytes) -> bool:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:256].lower()
    return start.startswith((b"<!doctype html", b"<html"))


class _Zstd(io.RawIOBase):
    """Decompressed bytes of zstd frames, one after another. EOFError when the last is cut off.

    The library's own stream reader ends without a word where a frame breaks off.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._rest = b""  # compressed bytes after the end of a frame
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        while not self._ready:
            data = self._rest or self._file.read(1 << 16)
            if not data:
                if self._frame is not None:
                    raise EOFError("its last frame has no end")
                return 0
            if self._frame is None:
                # Windows of up to 2 GB are in use (`zstd --long=31`).
                self._frame = zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj()
            self._ready = memoryview(self._frame.decompress(data))
            self._rest = b""
            if self._frame.eof:
                self._rest, self._frame = self._frame.unused_data, None
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def close(self) -> None:
        self._file.close()
        super().close()


class _Named(io.RawIOBase):
    """A readable stream whose decompression errors name the file they come from."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._stream = stream
        self._name = name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        with naming(self._name):
            data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()


def open_raw(path: Path) -> io.BufferedReader:
    """A file's bytes, decompressed (gzip with several members, zstd with several frames, plain).

    Raises BadInput on an empty file and on HTML in place of data, and while reading on a stream
    that is cut off or damaged.
    """
    file = open(path, "rb")  # noqa: SIM115 (the reader that is returned owns it)
    try:
        head = file.read(4)
        if not head:
            raise BadInput(f"{path}: the file is empty; delete it and fetch it again")
        file.seek(0)
        stream: IO[bytes]
        if head.startswith(_GZIP):
            stream = igzip.GzipFile(fileobj=file)  # type: ignore[no-untyped-call, assignment]
        elif head == _ZSTD:
            stream = _Zstd(file)  # type: ignore[assignment]
        else:
            stream = file
        reader: io.BufferedReader = io.BufferedReader(_Named(stream, str(path)), _BLOCK)
        if _looks_like_page(reader.peek(512)):
            raise BadInput(
                f"{path}: this is a web page (HTML), not data; a login or error page was saved in "
                "its place: delete it, check the address and your credentials, and fetch it again"
            )
        return reader
    except BaseException:
        file.close()
        raise


def members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every regular file in a tar (any compression) or zip archive, in order."""
    with open(path, "rb") as file:
        zipped = file.read(4) == _ZIP
    if zipped:
        with naming(str(path)), zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    yield info.filename, archive.read(info)
        return
    with open_raw(path) as stream, naming(str(path)), tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            if member.isfile():
                body = archive.extractfile(member)
                assert body is not None
                yield member.name, body.read()


def lines(path: Path) -> Iterator[bytes]:
    """Lines of a (compressed) file, split at `\\n` only: U+2028 and U+0085 belong to the text."""
    with open_raw(path) as stream:
        for line in stream:
            line = line.rstrip(b"\r\n")
            if line:
                yield line
