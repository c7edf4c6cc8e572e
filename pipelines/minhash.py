"""Kernels over Arrow buffers: words, exact hashes, shingles, MinHash signatures, true Jaccard.

What a *word* is stands in `letters`. Two texts with the same words are exact duplicates. A *shingle* is
a run of `k` words; a text with fewer words is one shingle as a whole, and a text without words has none
and is nobody's duplicate.
A shingle is kept as 32 bits: of two different ones of 10,000 each, two in a hundred pairs of texts
hold one pair that is taken for the same, which moves their Jaccard by 0.0001.

All arithmetic is modulo 2^64 or 2^32; kernels are compiled once per machine and cached on disk.
"""

from functools import lru_cache

import numpy as np
from numba import uint8, uint32, uint64

from corpus.kernel import kernel
from pipelines.letters import ALONE, FOLDED, LISTED, PASS, SEPARATE, mixed

_CHUNK = 4096  # shingles permuted at a time: 16 kB, half of a first-level cache


@lru_cache(maxsize=4)
def permutations(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Factors (odd) and summands of x -> a*x + b modulo 2^32, uint32 [count rounded up to fours]."""
    drawn = [mixed(1_000_003 * (number + 1)) for number in range(2 * (count + -count % 4))]
    return (
        np.array([(value & 0xFFFFFFFF) | 1 for value in drawn[::2]], np.uint32),
        np.array([value & 0xFFFFFFFF for value in drawn[1::2]], np.uint32),
    )


@kernel
def _stir(value):  # type: ignore[no-untyped-def]
    value = (value ^ (value >> uint64(32))) * uint64(0xD6E8FEB86659FD93)
    value = (value ^ (value >> uint64(32))) * uint64(0xD6E8FEB86659FD93)
    return value ^ (value >> uint64(32))


@kernel
def _turn(value, by):  # type: ignore[no-untyped-def]
    return (value << uint64(by)) | (value >> uint64(64 - by))


@kernel
def _feed(state, code, ascii):  # type: ignore[no-untyped-def]
    """The state of a word after one more code point that is not plain ASCII in the text."""
    number = ascii[code] if code < 128 else _stir(uint64(code) * uint64(0x9E3779B97F4A7C15))
    return _turn(state + number, 23)


@kernel
def words_of(text, start, stop, ascii, classes, listed, out):  # type: ignore[no-untyped-def]
    """Writes a hash per word of text[start:stop] (UTF-8) to `out`; returns how many.

    `out` needs (stop - start) // 2 + 2 places: a word and what ends it take two bytes at least.
    """
    count = 0
    state = uint64(0)
    at = start
    while at < stop:
        byte = text[at]
        if byte < 128:
            at += 1
            number = ascii[byte]
            out[count] = state
            # No jump depends on the text: the state survives only inside a word.
            count += int((number == 0) & (state != 0))
            state = _turn(state + number, 23) & (uint64(0) - uint64(number != 0))
            continue
        if byte < 0xE0:
            code = (uint32(byte) & uint32(0x1F)) << uint32(6) | (uint32(text[at + 1]) & uint32(0x3F))
            at += 2
        elif byte < 0xF0:
            code = (
                (uint32(byte) & uint32(0x0F)) << uint32(12)
                | (uint32(text[at + 1]) & uint32(0x3F)) << uint32(6)
                | (uint32(text[at + 2]) & uint32(0x3F))
            )
            at += 3
        else:
            code = (
                (uint32(byte) & uint32(0x07)) << uint32(18)
                | (uint32(text[at + 1]) & uint32(0x3F)) << uint32(12)
                | (uint32(text[at + 2]) & uint32(0x3F)) << uint32(6)
                | (uint32(text[at + 3]) & uint32(0x3F))
            )
            at += 4
        if code < FOLDED:
            kind = classes[code]
        elif 0x1F000 <= code < 0x20000:
            kind = SEPARATE  # pictures
        else:
            kind = ALONE if code >= 0x20000 else PASS
        if kind > 0:
            state = _feed(state, kind, ascii)
        elif kind == PASS:
            continue
        elif kind <= LISTED:
            for place in range(4):
                part = listed[LISTED - kind, place]
                if part:
                    state = _feed(state, part, ascii)
        else:
            if state != 0:
                out[count] = state
                count += 1
                state = uint64(0)
            if kind == ALONE:
                out[count] = _feed(state, code, ascii)
                count += 1
    if state != 0:
        out[count] = state
        count += 1
    for place in range(count):
        out[place] = _stir(out[place])
    return count


@kernel
def shingles_of(words, count, k, out):  # type: ignore[no-untyped-def]
    """Writes a hash per run of k words to `out`; returns how many: max(1, count - k + 1), or 0."""
    if count == 0:
        return 0
    width = min(k, count)
    found = count - width + 1
    for place in range(found):
        out[place] = words[place]
    for number in range(1, width):
        by = (13 * number) % 64
        left, right = uint64(by), uint64(64 - by)
        for place in range(found):
            word = words[place + number]
            out[place] ^= (word << left) | (word >> right)
    # A text of fewer than k words is no shingle of another text.
    salt = uint64(0x9E3779B97F4A7C15) * uint64(width)
    for place in range(found):
        out[place] = (out[place] + salt) * uint64(0xD6E8FEB86659FD93)
        out[place] ^= out[place] >> uint64(32)
    return found


@kernel
def _permute(values, factors, summands, minima):  # type: ignore[no-untyped-def]
    """Lowers the minima by values: 8 values at a time on 32 bits, 4 permutations for each load."""
    for at in range(0, len(factors), 4):
        a0, a1, a2, a3 = factors[at], factors[at + 1], factors[at + 2], factors[at + 3]
        b0, b1, b2, b3 = summands[at], summands[at + 1], summands[at + 2], summands[at + 3]
        m0, m1, m2, m3 = minima[at], minima[at + 1], minima[at + 2], minima[at + 3]
        for place in range(len(values)):
            value = values[place]
            m0 = min(m0, uint32(uint32(a0 * value) + b0))
            m1 = min(m1, uint32(uint32(a1 * value) + b1))
            m2 = min(m2, uint32(uint32(a2 * value) + b2))
            m3 = min(m3, uint32(uint32(a3 * value) + b3))
        minima[at], minima[at + 1], minima[at + 2], minima[at + 3] = m0, m1, m2, m3


@kernel
def _sketch(values, minima, factors, summands, rows, keys, sketch):  # type: ignore[no-untyped-def]
    """Writes the keys (uint32 [bands], a hash over `rows` minima each) and the sketch (uint8
    [permutations], eight bits of every minimum) of a text's shingles."""
    minima[:] = uint32(0xFFFFFFFF)
    for first in range(0, len(values), _CHUNK):
        _permute(values[first : first + _CHUNK], factors, summands, minima)
    for which in range(len(sketch)):
        sketch[which] = uint8(uint32(minima[which] * uint32(0x9E3779B1)) >> uint32(24))
    for band in range(len(keys)):
        key = uint64(band)
        for row in range(rows):
            key = _turn((key ^ uint64(minima[band * rows + row])) * uint64(0x9FB21C651E98DF25), 31)
        keys[band] = uint32(_stir(key) >> uint64(32))


@kernel
def _exact(words, count):  # type: ignore[no-untyped-def]
    """128 bits over words[:count] in their order."""
    one, two = uint64(0x243F6A8885A308D3), uint64(0x13198A2E03707344)  # digits of pi
    for place in range(count):
        one = (one ^ words[place]) * uint64(0x9FB21C651E98DF25)
        one ^= one >> uint64(29)
        two = _turn(two + words[place], 27) * uint64(0xC2B2AE3D27D4EB4F)
    return _stir(one + uint64(count)), _stir(two ^ one)


@kernel
def exact(text, offsets, ascii, classes, listed, words, exact):  # type: ignore[no-untyped-def]
    """Only the words and 128 bits of `sign`: what finding exact copies takes."""
    longest = 0
    for number in range(len(offsets) - 1):
        longest = max(longest, offsets[number + 1] - offsets[number])
    held = np.empty(longest // 2 + 2, np.uint64)
    for number in range(len(offsets) - 1):
        count = words_of(text, offsets[number], offsets[number + 1], ascii, classes, listed, held)
        words[number] = count
        exact[0, number], exact[1, number] = _exact(held, count)


@kernel
def sign(text, offsets, ascii, classes, listed, k, factors, summands, rows, words, exact, keys, sketch, shingles):  # type: ignore[no-untyped-def]
    """Signs every text of a batch; returns how many shingles they have in all.

    Reads text (uint8) at offsets [n + 1]. Writes words (uint32 [n]): how many; exact (uint64
    [2, n]): 128 bits over the words in order; keys (uint32 [bands, n]) and sketch (uint8 [n,
    permutations]) as `_sketch`; shingles (uint32): 32 bits of each, in the order of the text, end to
    end; they need places for half the bytes, and two more for each text.
    """
    longest = 0
    for number in range(len(offsets) - 1):
        longest = max(longest, offsets[number + 1] - offsets[number])
    held = np.empty(longest // 2 + 2, np.uint64)
    grams = np.empty(longest // 2 + 2, np.uint64)
    minima = np.empty(len(factors), np.uint32)
    mine = np.empty(keys.shape[0], np.uint32)
    total = 0
    for number in range(len(offsets) - 1):
        count = words_of(text, offsets[number], offsets[number + 1], ascii, classes, listed, held)
        words[number] = count
        exact[0, number], exact[1, number] = _exact(held, count)
        found = shingles_of(held, count, k, grams)
        for place in range(found):
            shingles[total + place] = uint32(grams[place] >> uint64(16))
        _sketch(shingles[total : total + found], minima, factors, summands, rows, mine, sketch[number])
        for band in range(len(mine)):
            keys[band, number] = mine[band]
        total += found
    return total


@kernel
def sign_shingles(shingles, ends, factors, summands, rows, keys, sketch):  # type: ignore[no-untyped-def]
    """Keys and sketches, as `sign` writes them, of texts whose shingles are given end to end."""
    minima = np.empty(len(factors), np.uint32)
    mine = np.empty(keys.shape[0], np.uint32)
    first = 0
    for number in range(len(ends)):
        _sketch(shingles[first : ends[number]], minima, factors, summands, rows, mine, sketch[number])
        for band in range(len(mine)):
            keys[band, number] = mine[band]
        first = ends[number]


@kernel
def distinct(shingles, starts, counts, out, at, stops):  # type: ignore[no-untyped-def]
    """Writes the sets of shingles[starts[i]:starts[i] + counts[i]] to out[at:], end to end.

    `stops` [i] is where each ends in `out`; returns the last of them.
    """
    longest = 8
    for row in range(len(counts)):
        longest = max(longest, counts[row])
    size = 16
    while size < 2 * longest:
        size *= 2
    seats = np.empty(size, np.uint64)
    for row in range(len(starts)):
        size = 16
        while size < 2 * counts[row]:
            size *= 2
        mask = uint32(size - 1)
        seats[:size] = uint64(0)
        for place in range(starts[row], starts[row] + counts[row]):
            shingle = shingles[place]
            held = uint64(shingle) + uint64(1)  # 0 is an empty seat
            seat = (shingle >> uint32(7)) & mask
            while seats[seat] != 0 and seats[seat] != held:
                seat = (seat + uint32(1)) & mask
            if seats[seat] == 0:
                seats[seat] = held
                out[at] = shingle
                at += 1
        stops[row] = at
    return at


@kernel
def jaccard(left, right, starts, ends, shingles, out):  # type: ignore[no-untyped-def]
    """True Jaccard of the shingle sets of text left[i] and right[i]; runs of one left are cheapest."""
    size = 16
    seats = np.zeros(size, np.uint64)
    mask = uint32(size - 1)
    seated = -1
    for pair in range(len(left)):
        one, two = left[pair], right[pair]
        if one != seated:
            count = ends[one] - starts[one]
            size = 16
            while size < 2 * count:
                size *= 2
            if size > len(seats):
                seats = np.empty(size, np.uint64)
            seats[:size] = uint64(0)
            mask = uint32(size - 1)
            for place in range(starts[one], ends[one]):
                shingle = shingles[place]
                seat = (shingle >> uint32(7)) & mask
                while seats[seat] != 0:
                    seat = (seat + uint32(1)) & mask
                seats[seat] = uint64(shingle) + uint64(1)
            seated = one
        shared = 0
        for place in range(starts[two], ends[two]):
            shingle = shingles[place]
            held = uint64(shingle) + uint64(1)
            seat = (shingle >> uint32(7)) & mask
            while seats[seat] != 0 and seats[seat] != held:
                seat = (seat + uint32(1)) & mask
            shared += seats[seat] == held
        whole = ends[one] - starts[one] + ends[two] - starts[two] - shared
        out[pair] = shared / whole if whole else 0.0


@kernel
def hash_strings(data, offsets):  # type: ignore[no-untyped-def]
    """128 bits per string of an Arrow buffer, uint64 [2, n]."""
    out = np.empty((2, len(offsets) - 1), np.uint64)
    for number in range(len(offsets) - 1):
        one, two = uint64(0x243F6A8885A308D3), uint64(0x13198A2E03707344)
        for place in range(offsets[number], offsets[number + 1]):
            byte = uint64(data[place])
            one = (one ^ byte) * uint64(0x9FB21C651E98DF25)
            two = _turn(two + byte, 23) * uint64(0xC2B2AE3D27D4EB4F)
        length = uint64(offsets[number + 1] - offsets[number])
        out[0, number] = _stir(one + length)
        out[1, number] = _stir(two ^ one)
    return out


@kernel
def days(data, offsets):  # type: ignore[no-untyped-def]
    """`2020`, `2020-05` or `2020-05-17…` as year * 512 + month * 32 + day; anything else is 0."""
    out = np.zeros(len(offsets) - 1, np.uint32)
    for number in range(len(offsets) - 1):
        start, stop = offsets[number], offsets[number + 1]
        size = min(stop - start, 10)
        parts = 0
        value = uint32(0)
        for place in range(size):
            byte = data[start + place]
            if 48 <= byte <= 57:
                value = uint32(value * uint32(10) + uint32(byte - 48))
            elif byte != 45:
                break
            if place == 3:
                out[number] = uint32(value * uint32(512))
                parts, value = 1, uint32(0)
            elif place == 6 and parts == 1:
                out[number] += uint32(min(value, uint32(15)) * uint32(32))
                parts, value = 2, uint32(0)
            elif place == 9 and parts == 2:
                out[number] += min(value, uint32(31))
    return out
