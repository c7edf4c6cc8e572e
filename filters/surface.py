"""What of a text each id of a vocabulary writes: where a document may be cut between two of its ids.

A long document is cut into rows of ids, and its text at the same places. Which characters an id
stands for is read off its piece: `▁` is a space, `<0x0A>` one byte (sentencepiece's byte fallback), and
in byte-level vocabularies every letter of a piece is one byte (openai/gpt-2, `bytes_to_unicode`).
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

_BYTE = re.compile("<0x([0-9A-F]{2})>")
_BACK = 64  # ids that a cut may lie before its limit, to fall between words: 1.5 % of a row of 4096


@dataclass(frozen=True)
class Surface:
    """Per id of a vocabulary, arrays [vocabulary].

    `characters`: how many characters begin in it; `character`: whether it begins with the first byte of
    one; `word`: whether it begins with white space, as the first id of a word does.
    """

    characters: npt.NDArray[np.uint8]
    character: npt.NDArray[np.bool_]
    word: npt.NDArray[np.bool_]

    def cuts(self, ids: npt.NDArray[np.integer], limit: int) -> list[int]:
        """Where rows of at most `limit` ids begin: between words where one ends near, else between characters."""
        starts, at = [0], 0
        while len(ids) - at > limit:
            end = at + limit
            near = ids[end - min(_BACK, limit // 4) : end + 1][::-1]
            for allowed in (self.word, self.character):
                good = np.flatnonzero(allowed[near])
                if len(good):
                    end -= int(good[0])
                    break
            starts.append(end)
            at = end
        return starts

    def places(self, ids: npt.NDArray[np.integer], starts: list[int], characters: int) -> list[int]:
        """Where in a text of so many characters the ids at `starts` begin.

        A model that rewrites its text (Unicode normalisation, unknown characters) does not tell: then
        the whole text belongs to the first row, and the others begin at its end.
        """
        ends = np.concatenate([[0], np.cumsum(self.characters[ids], dtype=np.int64)])
        added = int(ends[-1]) - characters  # the space that sentencepiece puts before a text
        if added not in (0, 1):
            return [0] + [characters] * (len(starts) - 1)
        return [0] + [max(0, int(ends[start]) - added) for start in starts[1:]]


@lru_cache(maxsize=4)
def surface(kind: str, path: Path, vocabulary: int) -> Surface:
    """The surface of a tokenizer's file; `kind` is "sentencepiece" or "tokenizers"."""
    written = dict(_sentencepiece(path) if kind == "sentencepiece" else _tokenizers(path))
    characters = np.zeros(vocabulary, np.uint8)
    character = np.zeros(vocabulary, np.bool_)
    word = np.zeros(vocabulary, np.bool_)
    for id, data in written.items():
        starts = [byte & 0xC0 != 0x80 for byte in data]
        characters[id] = min(255, sum(starts))
        character[id] = bool(starts) and starts[0]
        word[id] = data[:1].isspace()
    return Surface(characters, character, word)


def _sentencepiece(path: Path) -> Iterator[tuple[int, bytes]]:
    import sentencepiece

    model = sentencepiece.SentencePieceProcessor()
    model.LoadFromSerializedProto(path.read_bytes())
    pieces = ((id, model.id_to_piece(id)) for id in range(model.vocab_size()) if not model.is_control(id))
    return _plain(pieces)


def _tokenizers(path: Path) -> Iterator[tuple[int, bytes]]:
    content = json.loads(path.read_bytes())
    vocabulary = content["model"]["vocab"]
    if isinstance(vocabulary, list):  # Unigram: pairs of a piece and its score
        pieces = [(id, piece) for id, (piece, _) in enumerate(vocabulary)]
    else:
        pieces = [(id, piece) for piece, id in vocabulary.items()]
    added = content.get("added_tokens") or []
    special = {token["id"] for token in added if token.get("special")}
    pieces = [(id, piece) for id, piece in pieces if id not in special]
    parts = json.dumps([content.get("pre_tokenizer"), content.get("decoder")])
    if '"ByteLevel"' not in parts:
        return _plain(pieces)
    byte_of = _bytes_of_letters()
    plain = [(token["id"], token["content"].encode()) for token in added if not token.get("special")]
    spelled = ((id, bytes(byte_of.get(letter, 0) for letter in piece)) for id, piece in pieces)
    return iter([*spelled, *plain])


def _plain(pieces: Iterable[tuple[int, str]]) -> Iterator[tuple[int, bytes]]:
    for id, piece in pieces:
        byte = _BYTE.fullmatch(piece)
        yield id, bytes([int(byte[1], 16)]) if byte else piece.replace("▁", " ").encode()


def _bytes_of_letters() -> dict[str, int]:
    """GPT-2's alphabet: printable bytes are themselves, the others are 256, 257, … in their order."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}
