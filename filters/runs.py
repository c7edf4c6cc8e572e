"""Words and runs of words of a text as hashes, compiled: what the contamination filter looks up.

A word is a stretch of letters and digits, ASCII letters in lower case; a word of one byte is none (`A.` and
`(b)` before options do not matter). Its hash is FNV-1a's in form (a byte in, a product) modulo 2**64;
a run's is a polynomial in its words' hashes. Both factors are odd and have their bits well spread: 2**64 over
the golden ratio, and the multiplier of splitmix64's last step.
"""

import unicodedata

import numpy as np
import numpy.typing as npt

from corpus.kernel import kernel

U64 = np.uint64
_LETTER, _WORD = U64(0x9E3779B97F4A7C15), U64(0x94D049BB133111EB)

# What every character below U+20000 is: 0 between words, 1 in a word. Marks that stand on letters are of the word.
# Above are only ideographs.
_KINDS = np.array(
    [chr(code).isalnum() or bool(unicodedata.combining(chr(code))) for code in range(0x20000)], dtype=np.uint8
)
_KINDS[0xD800:0xE000] = 1  # lone surrogates are written as `?`, and never get here


# What a byte is: 0 between words, the small letter or digit, or 128 and more where a character has several bytes.
_BYTES = np.array(
    [
        code + 32 if 65 <= code <= 90 else code if code >= 128 or 97 <= code <= 122 or 48 <= code <= 57 else 0
        for code in range(256)
    ],
    dtype=np.uint8,
)


@kernel
def _words(data, plain, kinds, found, places):  # type: ignore[no-untyped-def]
    """Fills hashes and places (when it has rows) of the words; returns how many there are."""
    size, at, count = len(data), 0, 0
    while at < size:
        total, first = U64(0), at
        while at < size:
            byte = plain[data[at]]
            if byte == 0:
                break
            if byte < 128:
                total = (total ^ U64(byte)) * _LETTER
                at += 1
                continue
            if byte < 224:
                step, code = 2, ((data[at] & 31) << 6) | (data[at + 1] & 63)
            elif byte < 240:
                step, code = 3, ((data[at] & 15) << 12) | ((data[at + 1] & 63) << 6) | (data[at + 2] & 63)
            else:
                code = ((data[at] & 7) << 18) | ((data[at + 1] & 63) << 12) | ((data[at + 2] & 63) << 6)
                step, code = 4, code | (data[at + 3] & 63)
            if code < 0x20000 and kinds[code] == 0:
                break
            for more in range(step):
                total = (total ^ U64(data[at + more])) * _LETTER
            at += step
        if at - first >= 2:
            found[count] = total
            if len(places):
                places[count, 0], places[count, 1] = first, at
            count += 1
        if at < size:  # what ended the word
            byte = data[at]
            at += 1 if byte < 192 else 2 if byte < 224 else 3 if byte < 240 else 4
    return count


@kernel
def _look(hashes, length, bits, shift, keys, spots, rows):  # type: ignore[no-untyped-def]
    """Fills the runs that are found, as far as there is room; returns how many there are."""
    if len(hashes) < length:
        return 0
    count, run, away = 0, U64(0), _WORD
    for spot in range(length):
        run = (run + hashes[spot]) * _WORD
        away *= _WORD
    for spot in range(len(hashes) - length + 1):
        if spot:
            # The word that comes in, times the factor; the one that goes out, times its power.
            run = run * _WORD + hashes[spot + length - 1] * _WORD - hashes[spot - 1] * away
        slot = run >> shift
        if (bits[slot >> U64(3)] >> (slot & U64(7))) & U64(1):
            low, high = 0, len(keys)
            while low < high:
                middle = (low + high) >> 1
                if keys[middle] < run:
                    low = middle + 1
                else:
                    high = middle
            if low < len(keys) and keys[low] == run:
                if count < len(spots):
                    spots[count], rows[count] = spot, low
                count += 1
    return count


_NOWHERE = np.empty((0, 2), np.int64)


def _data(text: str) -> npt.NDArray[np.uint8]:
    return np.frombuffer(text.encode("utf-8", "replace"), np.uint8)


def words(text: str) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Hashes of the words of a text, and the bytes [words, 2] where each begins and ends."""
    data = _data(text)
    found, places = np.empty(len(data) // 2 + 1, np.uint64), np.empty((len(data) // 2 + 1, 2), np.int64)
    count = _words(data, _BYTES, _KINDS, found, places)
    return found[:count], places[:count]


def runs(hashes: npt.NDArray[np.uint64], length: int) -> npt.NDArray[np.uint64]:
    """A hash of every run of that many words [words - length + 1]."""
    count = len(hashes) - length + 1
    if count <= 0:
        return np.zeros(0, np.uint64)
    total = hashes[:count].copy()
    for step in range(1, length):
        total *= _WORD
        total += hashes[step : step + count]
    total *= _WORD
    return total


def table(keys: npt.NDArray[np.uint64], bits: int) -> npt.NDArray[np.uint8]:
    """A bit for every beginning of a key of `bits` bits, eight a byte."""
    there = np.zeros(1 << bits, np.bool_)
    there[keys >> U64(64 - bits)] = True
    return np.packbits(there, bitorder="little")


def look(
    text: str, length: int, held: npt.NDArray[np.uint8], keys: npt.NDArray[np.uint64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Which runs of a text are among the sorted keys: the number of the first word of each, and its key's place."""
    data = _data(text)
    hashes = np.empty(len(data) // 2 + 1, np.uint64)
    hashes = hashes[: _words(data, _BYTES, _KINDS, hashes, _NOWHERE)]
    shift = U64(64 - (len(held).bit_length() - 1) - 3)
    room = 64  # most texts hold none
    while True:
        spots, rows = np.empty(room, np.int64), np.empty(room, np.int64)
        count = _look(hashes, length, held, shift, keys, spots, rows)
        if count <= room:
            return spots[:count], rows[:count]
        room = count
