"""A linear-chain CRF over words for names: labels O, B and I, decoded in windows around capitalised words.

A word says little by itself here: its shape, what the lists say of it, and whether it is one of the
words that stand beside names. The weights (lists/names.json.xz) are made by `python -m
filters.phi.train` from made-up notes; its features are those of `features` below.
"""

import functools
import json
import lzma
import re
from collections.abc import Iterator, Sequence

from filters.phi import lists
from filters.phi.spans import BLANK
from filters.phi.traits import traits

FILE = lists.HERE / "names.json.xz"
LABELS = ("O", "B", "I")
REACH = 2  # words on either side that a word's features look at
_BEFORE, _AFTER = 64, 40  # characters around a capitalised word that are decoded with it
# Added to the score of O: how much more a name has to weigh than its absence.
CAUTION = 0.0
TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d+|\n|[^\w\s]|_+")

_CUES = lists.safe("relative") | lists.safe("cue") | lists.safe("noun")


@functools.lru_cache(maxsize=1 << 16)
def unary(token: str) -> tuple[str, str, str, str]:
    """Shape, traits, cue and ending of a word: all that the model sees of it."""
    if not token[0].isalpha():
        shape = "digit" if token[0].isdigit() else "blank" if token == BLANK else "line" if token == "\n" else token[0]
        return shape, "-", "-", "-"
    if len(token) == 1:
        shape = "initial" if token.isupper() else "letter"
    elif token.isupper():
        shape = "UPPER" if len(token) > 4 else f"UP{len(token)}"
    elif token[0].isupper():
        shape = "Title" if token[1:].islower() else "Mixed"
    else:
        shape = "lower"
    low = token.lower().removesuffix("'s").removesuffix("’s")
    known = traits(low)
    code = f"g{known.given}f{known.family}" + "".join(
        letter
        for letter, flag in zip("cspe", (known.common, known.stop, known.product, known.eponym), strict=True)
        if flag
    )
    cue = low if low in _CUES else "-"
    ending = low[-3:] if not known.common and len(low) > 4 else "-"
    return shape, code, cue, ending


def features(tokens: Sequence[str]) -> list[list[str]]:
    """The features of every word of a line, as the trainer sees them."""
    seen = [unary(token) for token in tokens]
    edge = ("edge", "-", "-", "-")
    out = []
    for index in range(len(seen)):
        found = []
        for offset in range(-REACH, REACH + 1):
            at = index + offset
            found += _single(offset, seen[at] if 0 <= at < len(seen) else edge)
        before = seen[index - 1] if index else edge
        after = seen[index + 1] if index + 1 < len(seen) else edge
        found += _pairs(before, seen[index], after)
        out.append(found)
    return out


def _single(offset: int, word: tuple[str, str, str, str]) -> list[str]:
    shape, code, cue, ending = word
    found = [f"{offset}s{shape}"]
    if code != "-":
        found += [f"{offset}t{code}", f"{offset}b{shape}{code}"]
    if cue != "-":
        found.append(f"{offset}w{cue}")
    if offset == 0 and ending != "-":
        found.append(f"x{ending}")
    return found


def _pairs(before: tuple[str, ...], word: tuple[str, ...], after: tuple[str, ...]) -> list[str]:
    mine = word[1] if word[1] != "-" else word[0]
    left = before[2] if before[2] != "-" else before[0] + before[1]
    right = after[2] if after[2] != "-" else after[0] + after[1]
    return [f"<{left}|{word[0]}{mine}", f">{word[0]}{mine}|{right}"]


_Three = tuple[float, float, float]


class Model:
    """Weights and what has been added up of them."""

    def __init__(self, state: dict[str, list[float]], moves: list[list[float]]) -> None:
        self._state = state
        self._moves = moves
        self._words: dict[tuple[int, tuple[str, str, str, str]], _Three] = {}
        self._sides: dict[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]], _Three] = {}

    @classmethod
    def load(cls) -> "Model":
        body = json.loads(lzma.decompress(FILE.read_bytes()))
        return cls(body["state"], body["moves"])

    def _sum(self, names: list[str]) -> _Three:
        rows = [row for name in names if (row := self._state.get(name)) is not None]
        return (sum(row[0] for row in rows), sum(row[1] for row in rows), sum(row[2] for row in rows))

    def _word(self, offset: int, word: tuple[str, str, str, str]) -> _Three:
        key = (offset, word)
        found = self._words.get(key)
        if found is None:
            if len(self._words) > 1 << 17:
                self._words.clear()
            found = self._words[key] = self._sum(_single(offset, word))
        return found

    def _side(self, before: tuple[str, ...], word: tuple[str, ...], after: tuple[str, ...]) -> _Three:
        key = (before[:3], word[:2], after[:3])
        found = self._sides.get(key)
        if found is None:
            if len(self._sides) > 1 << 17:
                self._sides.clear()
            found = self._sides[key] = self._sum(_pairs(before, word, after))
        return found

    def decode(self, tokens: Sequence[str]) -> list[int]:
        """The best labels (numbers of LABELS), by Viterbi."""
        edge = ("edge", "-", "-", "-")
        seen = [edge, edge, *map(unary, tokens), edge, edge]
        moves, word, side = self._moves, self._word, self._side
        (oo, ob, oi), (bo, bb, bi), (io, ib, ii) = moves
        o: float = 0.0
        b: float = 0.0
        i: float = 0.0
        eo: float
        back: list[tuple[int, int, int]] = []
        for at in range(2, len(seen) - 2):
            rows = (
                word(-2, seen[at - 2]), word(-1, seen[at - 1]), word(0, seen[at]), word(1, seen[at + 1]),
                word(2, seen[at + 2]), side(seen[at - 1], seen[at], seen[at + 1]),
            )  # fmt: skip
            eo, eb, ei = (sum(column) for column in zip(*rows, strict=True))
            eo += CAUTION
            if not back:
                o, b, i = eo, eb, ei - 1e6
                back.append((0, 0, 0))
                continue
            from_o, from_b, from_i = (o + oo, b + bo, i + io), (o + ob, b + bb, i + ib), (o + oi, b + bi, i + ii)
            best_o, best_b, best_i = max(from_o), max(from_b), max(from_i)
            back.append((from_o.index(best_o), from_b.index(best_b), from_i.index(best_i)))
            o, b, i = best_o + eo, best_b + eb, best_i + ei
        last = max(range(3), key=(o, b, i).__getitem__)
        labels = []
        for pointers in reversed(back):
            labels.append(last)
            last = pointers[last]
        return labels[::-1]


@functools.lru_cache(maxsize=1)
def _model() -> Model:
    return Model.load()


def names(text: str, groups: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Where the model sees names, in windows around `groups` (places of capitalised words, in order)."""
    for start, end in _windows(text, groups):
        for first, last in _decoded(text[start:end]):
            yield start + first, start + last


@functools.lru_cache(maxsize=2048)
def _decoded(window: str) -> tuple[tuple[int, int], ...]:
    """Names in a window; kept, because a text is read again after masking and most of its windows stay."""
    found = [(token.start(), token.end(), token[0]) for token in TOKEN.finditer(window)]
    labels = _model().decode([token for _, _, token in found])
    out = []
    at = 0
    while at < len(labels):
        if labels[at] != 1:
            at += 1
            continue
        last = at
        while last + 1 < len(labels) and labels[last + 1] == 2:
            last += 1
        out.append((found[at][0], found[last][1]))
        at = last + 1
    return tuple(out)


def _windows(text: str, groups: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    for start, end in groups:
        left = max(0, start - _BEFORE)
        if left:
            space = text.find(" ", left, start)
            left = space if space >= 0 else left
        right = min(len(text), end + _AFTER)
        if right < len(text):
            space = text.rfind(" ", end, right)
            right = space if space > end else right
        if out and left <= out[-1][1]:
            out[-1] = (out[-1][0], max(right, out[-1][1]))
        else:
            out.append((left, right))
    return out
