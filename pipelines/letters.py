"""What kernels look up of letters: which code points make words, and what they fold to.

A *word* is a longest run of letters and digits. Case, diacritics and compatibility forms are
folded (`É` and `e`, `ﬁ` and `fi`, `µ` and `μ` are one), everything else separates words, except
combining marks and soft hyphens, which are passed over. Scripts that are written without spaces
(Han, kana, Thai, Lao, Khmer, Myanmar) give one word per letter. The classes come from Unicode 3.2,
the one version that every Python carries beside its own, so that a newer Python signs alike.
"""

import unicodedata
from functools import lru_cache
from itertools import chain

import numpy as np

# Kernels have these compiled in, and numba looks only at their own file for changes: touch it when they change.
SEPARATE, ALONE, PASS, LISTED = 0, -1, -2, -3  # classes of code points; a larger value is what it folds to
FOLDED = 0x1D800  # code points below have an entry in the table; the last with decompositions are there
_ALONE = (
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x312F), (0x31F0, 0x31FF)),
    *((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF)),
)
_SYMBOLS = ((0x2000, 0x2BFF), (0x2E00, 0x2E7F), (0xD800, 0xF8FF), (0xFE10, 0xFE1F))  # no letters, now or later
# Where Unicode 3.2 has anything but Han, Hangul and private use.
_ASSIGNED = ((0, 0x33FF), (0xA000, 0xA4CF), (0xFB00, 0xFFFF), (0x10300, 0x1044F), (0x1D000, 0x1D7FF))
_PASSED = (0x00AD, 0x200C, 0x200D, 0x2060, 0xFEFF)  # soft hyphen, joiners, byte order mark


def mixed(value: int) -> int:
    """The finalizer of splitmix64 (Steele, Lea, Flood 2014)."""
    value = (value + 0x9E3779B97F4A7C15) & (2**64 - 1)
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & (2**64 - 1)
    return value ^ (value >> 31)


@lru_cache(maxsize=1)
def tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the word loop looks up: a number per ASCII byte, a class per code point, long foldings.

    uint64 [128] (0 separates words), int32 [FOLDED], uint32 [LISTED entries, 4] padded with 0.
    """
    ascii = np.zeros(128, np.uint64)
    for code in range(128):
        if chr(code).isalnum():
            ascii[code] = mixed(ord(chr(code).lower()))
    classes = np.arange(FOLDED, dtype=np.int32)  # what is unknown is a letter that folds to itself
    listed: list[list[int]] = []
    known = unicodedata.ucd_3_2_0
    category_of, parts_of = known.category, known.decomposition
    for first, last in _SYMBOLS:
        classes[first : last + 1] = SEPARATE
    alone: set[int] = set()
    for first, last in _ALONE:
        classes[first : last + 1] = ALONE
        alone.update(range(first, last + 1))
    for code in chain(*(range(first, last + 1) for first, last in _ASSIGNED)):
        if code in alone:
            continue
        letter = chr(code)
        category = category_of(letter)
        if category == "Cn":
            continue
        if category in ("Mn", "Me") or code in _PASSED:
            classes[code] = PASS
        elif category[0] in "LN" or category == "Mc":
            if letter.casefold() == letter and not parts_of(letter):
                continue
            folded = known.normalize("NFKD", known.normalize("NFKD", letter).casefold())
            kept = [ord(part) for part in folded if category_of(part)[0] in "LN" or category_of(part) == "Mc"]
            if len(kept) > 1:
                classes[code] = LISTED - len(listed)
                listed.append([*kept[:4], *[0] * (4 - len(kept))])
            else:
                classes[code] = kept[0] if kept else SEPARATE
        else:
            classes[code] = SEPARATE
    return ascii, classes, np.array(listed, np.uint32)
