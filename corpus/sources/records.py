"""Splits one long XML stream into its records, each to be parsed on its own.

Memory does not grow with the file, and one broken record costs one record. Splitting is exact:
`<` stands in XML for markup alone, so a tag found outside comments, CDATA sections and processing
instructions is a tag; records that hold any of these are searched token by token, all others by
one search for their end.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from corpus.files import BadInput
from corpus.sources.markup import declared_encoding

# Reading in steps of this size; twice it is about what a reader holds.
STEP = 1 << 20
# The largest PubMed record seen is 1.8 MB, the largest article 30 MB.
LARGEST = 256 << 20

_SKIP = {b"<!--": b"-->", b"<![CDATA[": b"]]>", b"<?": b"?>"}
_NAME = re.compile(rb"<(?:([A-Za-z_][\w.-]*):)?([A-Za-z_][\w.-]*)([^<>]*)>")
_XMLNS = re.compile(rb"""\sxmlns(?::[\w.-]+)?\s*=\s*(?:"[^"]*"|'[^']*')""")


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its name, its bytes, its place in the file (from 0), and whether its end was found.

    A plain one holds tags and text alone: no comment, CDATA section or instruction that may look like a tag.
    """

    name: str
    data: bytes
    position: int
    whole: bool = True
    plain: bool = False


class Records:
    """The records of the given names in a stream of XML; `root` is the root element's name, or "".

    `root` is "" when the stream is not XML. Raises BadInput when it ends before its root element does.
    """

    def __init__(self, stream: IO[bytes], where: str, names: tuple[str, ...], step: int = STEP) -> None:
        self._stream = stream
        self._where = where
        self._step = step
        self._buffer = b""
        self._at = 0  # everything before is done with
        self._ended = False
        self._names = names
        self._entities = b""
        self._scope = b""  # namespaces that the root declares
        self.root = ""
        self._prolog()
        either = b"|".join(re.escape(name.encode()) for name in names)
        root = re.escape(self.root.encode())
        self._token = re.compile(
            rb"<!--|<!\[CDATA\[|<\?|<!DOCTYPE|<((?:[A-Za-z_][\w.-]*:)?)(" + either + rb")(?=[\s/>])"
            rb"|</(?:[A-Za-z_][\w.-]*:)?(" + root + rb")\s*>"
        )

    def _more(self) -> bool:
        """Reads on; forgets what is done with. False at the end of the stream."""
        if self._ended:
            return False
        size = max(self._step, len(self._buffer) - self._at)  # doubling: long records stay linear
        block = self._stream.read(size)
        if not block:
            self._ended = True
            return False
        self._buffer = self._buffer[self._at :] + block
        self._at = 0
        return True

    def _find(self, what: bytes, start: int) -> int:
        """Where `what` begins at or after `start`, or -1. May move the buffer: offsets are from `_at`."""
        base = start - self._at
        while (found := self._buffer.find(what, self._at + base)) < 0:
            held = len(self._buffer) - self._at
            if held > LARGEST or not self._more():
                return -1
            base = max(base, held - len(what))
        return found - self._at

    def _byte(self, offset: int) -> bytes:
        """The byte at an offset from `_at`, empty at the end of the stream."""
        while self._at + offset >= len(self._buffer) and self._more():
            pass
        return self._buffer[self._at + offset : self._at + offset + 1]

    def _prolog(self) -> None:
        """Passes over what stands before the root element, and looks at the root's tag."""
        self._byte(1024)  # where an encoding is declared
        encoding = declared_encoding(self._buffer[:1024])
        if encoding != "utf-8":
            self._recode(encoding)
        if self._buffer.startswith(codecs.BOM_UTF8):
            self._at = 3
        while True:
            while (character := self._byte(0)) and character in b" \t\r\n":
                self._at += 1
            self._byte(9)
            head = self._buffer[self._at : self._at + 9]
            skip = next((marks for marks in _SKIP.items() if head.startswith(marks[0])), None)
            if skip:
                end = self._find(skip[1], self._at + len(skip[0]))
                if end < 0:
                    raise BadInput(f"{self._where}: the XML ends before its first element; fetch it again")
                self._at += end + len(skip[1])
            elif head.startswith(b"<!DOCTYPE"):
                self._doctype()
            else:
                break
        found = None
        while head.startswith(b"<") and not (found := _NAME.match(self._buffer, self._at)):
            if len(self._buffer) - self._at > 65536 or not self._more():  # no root element's tag is that long
                return
        if found is None:
            return
        self.root = found.group(2).decode(errors="replace")
        self._scope = b"".join(_XMLNS.findall(found.group(3)))
        if self.root in self._names:
            self._scope = b""  # each record brings its own

    def _recode(self, encoding: str) -> None:
        try:
            decoder = codecs.getincrementaldecoder(encoding)(errors="strict")
        except LookupError:
            raise BadInput(f"{self._where}: declares the unknown encoding {encoding!r}") from None
        stream, where = self._stream, self._where

        class Recoded:
            def read(self, size: int) -> bytes:
                try:
                    while True:
                        block = stream.read(size)
                        text = decoder.decode(block, final=not block)
                        if text or not block:
                            return text.encode()
                except UnicodeDecodeError as error:
                    raise BadInput(f"{where}: not {encoding} as it declares (byte {error.start})") from None

        head = decoder.decode(self._buffer)
        self._stream = Recoded()  # type: ignore[assignment]
        self._buffer = re.sub(r"^\s*\ufeff?\s*<\?xml[^>]*\?>", "", head, count=1).lstrip("\ufeff").encode()
        self._at = 0

    def _doctype(self) -> None:
        """Passes over a DOCTYPE; keeps its internal subset, whose entities records may use."""
        depth, at = 0, self._at
        pattern = re.compile(rb"""[\[\]>]|<!--.*?-->|"[^"]*"|'[^']*'""", re.S)
        while True:
            found = pattern.search(self._buffer, at)
            if not found:
                offset = at - self._at
                if len(self._buffer) - self._at > LARGEST or not self._more():
                    raise BadInput(f"{self._where}: the XML ends within its DOCTYPE; fetch it again")
                at = self._at + offset
                continue
            at = found.end()
            mark = found.group(0)
            depth += (mark == b"[") - (mark == b"]")
            if mark == b">" and depth <= 0:
                break
        whole = self._buffer[self._at : at]
        if b"<!ENTITY" in whole:
            self._entities = whole
        self._at = at

    def _record(self, name: bytes) -> tuple[int, bool, bool]:
        """End of the record that begins at `_at` (an offset from there), whether it is whole, and plain."""
        closing = b"</" + name + b">"
        after = self._buffer.find(b"<" + name, self._at + 1)  # where the next one begins, if that is in sight
        look = self._buffer.find if after < 0 else self._buffer.rfind
        end = look(closing, self._at, len(self._buffer) if after < 0 else after)
        # one character is found much faster than two, and most records hold neither
        find = self._buffer.find
        marked = end < 0 or any(
            find(mark[1:], self._at, end) >= 0 and find(mark, self._at, end) >= 0 for mark in (b"<!", b"<?")
        )
        if not marked:
            return end + len(closing) - self._at, True, True
        opening = re.compile(rb"<(?:[\w.-]+:)?" + name.rpartition(b":")[2] + rb"(?=[\s/>])")
        first = self._find(b">", self._at)
        if first > 0 and self._buffer[self._at + first - 1 : self._at + first] == b"/":
            return first + 1, True, False
        end = self._find(closing, self._at)
        if end < 0 or any(self._buffer.find(mark, self._at, self._at + end) >= 0 for mark in (b"<!", b"<?")):
            return *self._careful(closing[:-1], opening), False
        again = opening.search(self._buffer, self._at + 1, self._at + end)
        if again:
            return again.start() - self._at, False, False
        return end + len(closing), True, True

    def _careful(self, closing: bytes, opening: re.Pattern[bytes]) -> tuple[int, bool]:
        """Like `_record`, past comments, CDATA sections and processing instructions."""
        token = re.compile(
            rb"<!--|<!\[CDATA\[|<\?|" + re.escape(closing) + rb"(?=[\s>])|" + opening.pattern
            + rb"|</(?:[\w.-]+:)?" + re.escape(self.root.encode()) + rb"\s*>"
        )  # fmt: skip
        offset = 1
        while True:
            found = token.search(self._buffer, self._at + offset)
            if not found:
                offset = max(offset, len(self._buffer) - self._at - len(closing) - 32)
                if len(self._buffer) - self._at > LARGEST or not self._more():
                    return len(self._buffer) - self._at, False
                continue
            mark, start = found.group(0), found.start() - self._at
            if mark in _SKIP:
                end = self._find(_SKIP[mark], self._at + start + len(mark))
                if end < 0:
                    return start, False
                offset = end + len(_SKIP[mark])
            elif mark == closing:
                end = self._find(b">", self._at + start)
                return (end + 1, True) if end >= 0 else (start, False)
            else:  # another record, or the root's end, before this one's end
                return start, False

    def __iter__(self) -> Iterator[Record]:
        position, closed = 0, self.root in self._names
        while True:
            found = self._token.search(self._buffer, self._at)
            if not found:
                self._at = max(self._at, len(self._buffer) - 64)
                if not self._more():
                    break
                continue
            mark = found.group(0)
            self._at = found.start()
            if mark in _SKIP:
                end = self._find(_SKIP[mark], self._at + len(mark))
                if end < 0:
                    break
                self._at += end + len(_SKIP[mark])
            elif mark == b"<!DOCTYPE":
                self._doctype()
            elif found.group(3) is not None and found.group(2) is None:
                closed = True
                self._at = found.end()
            else:
                name = found.group(1) + found.group(2)
                size, whole, plain = self._record(name)
                if not whole and self._ended and not self._closes():
                    raise BadInput(self._short())
                data = self._buffer[self._at : self._at + size]
                self._at += max(size, 1)
                yield Record(found.group(2).decode(), self._framed(data), position, whole, plain)
                position += 1
        if not closed:
            raise BadInput(self._short())

    def _closes(self) -> bool:
        if self.root in self._names:
            return False
        return (
            re.search(rb"</(?:[\w.-]+:)?" + re.escape(self.root.encode()) + rb"\s*>", self._buffer[self._at :])
            is not None
        )

    def _short(self) -> str:
        return (
            f"{self._where}: the XML ends before </{self.root}>: the file was not fetched whole; "
            "delete it and fetch it again"
        )

    def _framed(self, data: bytes) -> bytes:
        """A record with what it needs of its surroundings: entities and namespaces."""
        if self._scope:
            found = re.match(rb"<[\w.:-]+", data)
            assert found is not None
            present = {scope.split(b"=")[0].strip() for scope in _XMLNS.findall(data[: data.find(b">") + 1])}
            extra = b"".join(part for part in _XMLNS.findall(self._scope) if part.split(b"=")[0].strip() not in present)
            data = data[: found.end()] + extra + data[found.end() :]
        return self._entities + data if self._entities and b"&" in data else data
