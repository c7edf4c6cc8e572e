"""What the lists say of a word."""

import functools
import re
import unicodedata
from typing import NamedTuple

from filters.phi import lists
from filters.phi.safe import CLINICAL, EPONYMS, PRODUCTS, STOPS


class Traits(NamedTuple):
    """What lists say of a word in lower case: 0 to 3 as a given and a family name; is it anything else."""

    given: int
    family: int
    common: bool  # written in lower case, too
    stop: bool
    product: bool
    eponym: bool

    @property
    def candidate(self) -> bool:
        """Whether a capitalised word can be a name at all without a title before it."""
        return (
            not self.stop
            and not (self.product and self.given < 2)
            and (bool(self.given or self.family) or not self.common)
        )


def _foreign(word: str) -> Traits:
    """A word with accents: what the lists say without them, and a family name where they say nothing."""
    bare = "".join(char for char in unicodedata.normalize("NFKD", word) if not unicodedata.combining(char))
    bare = bare.translate(_LETTERS)
    if not bare.isascii():
        return Traits(0, 0, not word.isalpha(), False, False, False)
    known = traits(bare)
    latin = word.replace("'", "").replace("’", "").replace("-", "").isascii()
    return known if latin or known.common or known.stop or known.eponym else known._replace(family=max(known.family, 2))


_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "ß": "ss", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "’": "'"}
)


@functools.lru_cache(maxsize=1 << 16)
def traits(word: str) -> Traits:
    if not word.isascii():
        return _foreign(word)
    parts = [part for part in re.split(r"[-'’]", word) if len(part) > 1]
    whole = lists.first().get(word, 0), lists.last().get(word.replace("'", "").replace("’", ""), 0)
    given = max(whole[0], min((lists.first().get(part, 0) for part in parts), default=0))
    family = max(whole[1], min((lists.last().get(part, 0) for part in parts), default=0))
    common = (
        word in lists.words()
        or word in CLINICAL
        or (len(parts) > 1 and all(part in lists.words() or part in CLINICAL for part in parts))
    )
    if not common and word.endswith("s") and word[:-1] in lists.words():
        common = True
    stop = word in STOPS or word.endswith(("n't", "n’t"))
    return Traits(given, family, common, stop, word in PRODUCTS and family < 3 and given < 2, word in EPONYMS)
