"""The objects of one JSON array, one after another in flat memory: how many sets of instructions are published."""

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from corpus.files import BadInput

_PIECE = 1 << 20
LONGEST = 256 << 20  # characters of one item; a longer one is an array that is broken somewhere
_SPACE = " \t\n\r"


def items(path: Path, stream: IO[bytes]) -> Iterator[Any]:
    """The values of the array that `stream` (of the file `path`) holds.

    Raises BadInput, with the number of the item, for what is no array or ends early.
    """
    decoder = json.JSONDecoder()
    decode = codecs.getincrementaldecoder("utf-8-sig")().decode
    text, at, number, ended = "", 0, 0, False

    def more() -> None:
        nonlocal text, at, ended
        size = max(_PIECE, len(text) - at)  # twice as much each time, so that a long item is not read again and again
        data = stream.read(size)
        ended = not data
        try:
            text, at = text[at:] + decode(data, ended), 0
        except UnicodeDecodeError as error:
            raise BadInput(f"{path}: item {number + 1} is not UTF-8; export the file again as UTF-8") from error

    def skip() -> str:
        """The next character that is no space, which stays; empty at the end."""
        nonlocal at
        while True:
            while at < len(text) and text[at] in _SPACE:
                at += 1
            if at < len(text) or ended:
                return text[at : at + 1]
            more()

    if skip() != "[":
        raise BadInput(f"{path}: not a JSON array")
    at += 1
    while (mark := skip()) != "]":
        if number:
            if mark != ",":
                raise _broken(path, number)
            at += 1
            skip()
        while True:
            try:
                value, end = decoder.raw_decode(text, at)
            except json.JSONDecodeError:
                value, end = None, 0
            if end and (end < len(text) or ended):  # a number may go on in the next piece
                break
            if ended or len(text) - at > LONGEST:
                raise _broken(path, number + 1)
            more()
        at, number = end, number + 1
        yield value


def _broken(path: Path, number: int) -> BadInput:
    return BadInput(
        f"{path}: the JSON array is broken or ends early at item {number}; it was not fetched or written whole: "
        "fetch or export it again"
    )
