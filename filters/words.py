"""Words, for the rules that count them: between white space, or one by one with punctuation apart.

`split` is a plain function; `Words` is the same as one of datatrove's word tokenizers, so that its
filters run with either (spaCy's, which is its default, reads 0.3 MB a second).
"""

import re
from collections.abc import Callable

from datatrove.utils.word_tokenizers import WordTokenizer

# A number with its separators, a word with its apostrophes, dots in a row, or one other character:
# of the patterns tried it decides like spaCy's words most often (369 of 400 documents).
_WORD = re.compile(r"\d+(?:[.,]\d+)+|\w+(?:['’]\w+)*|\.\.+|[^\w\s]")

SPLITTERS: dict[str, Callable[[str], list[str]]] = {"space": str.split, "regex": _WORD.findall}


def split(text: str, how: str = "space") -> list[str]:
    """The words of a text, in order; `how` is "space" or "regex"."""
    return SPLITTERS[how](text)


class Words(WordTokenizer):  # type: ignore[misc]
    """`split` for datatrove; a text is one sentence."""

    def __init__(self, how: str = "space") -> None:
        super().__init__(None)
        self.how = how

    def word_tokenize(self, text: str) -> list[str]:
        return split(text, self.how)

    def sent_tokenize(self, text: str) -> list[str]:
        return [text]

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        return [(0, len(text))]
