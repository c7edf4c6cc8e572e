"""Language: which language a text is written in, told from the text.

What a publisher says of an article's language is not asked: abstracts of articles in any language
are English in PubMed, and English abstracts stand before Portuguese bodies in SciELO. So places all
over a text are judged, and most of them must be in a language to keep. (eldc, n-grams of letters
for 60 languages, reads the first 1,000 bytes of a text and no more.)

Of 1,710 English biomedical texts and 918 Spanish and French ones it told every one right, at 1,300
and at 100 characters. In titles Latin and proper names decide: 400 of 15,000 English ones
("Neurotensin.", "Pseudomembranous colitis.") are taken for Tagalog or Italian. So a short text goes
only when eldc calls its own answer reliable, and a place in a longer one counts as foreign only when
the languages to keep score clearly less than the best (an English page about Czech villages scores
.50 against .52).
"""

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import eldc

from corpus.document import Document, Drop

UNKNOWN = "und"
_READ = 1000  # what eldc reads of a text, bytes
_PLACE = 400  # characters; at 100 it is right as often as at 1,300


@lru_cache(maxsize=1)
def _detector() -> Any:
    eldc.init()
    detector = eldc.instance()
    detector.set_scores(20)
    return detector


def places(text: str, most: int) -> list[str]:
    """Up to `most` pieces of 400 characters, evenly spread, one for every 1,000 characters.

    A text of up to 1,000 characters is one piece.
    """
    count = min(-(-len(text) // _READ), most)
    if count <= 1:
        return [text]
    last = len(text) - _PLACE
    return [text[start : start + _PLACE] for start in (last * number // (count - 1) for number in range(count))]


@dataclass(frozen=True)
class Language:
    """Keeps documents in the languages `keep` (ISO 639-1) and drops `language.not_en`.

    `min_share` is the share of judged places that must be in a language to keep, of at most `most`
    places. `margin`: a place is foreign when the best score of `keep` is below this share of the
    best score of all. A text below `min_chars` characters goes only when the answer is reliable. Documents of
    the kinds `skip` are not prose and pass; so do texts without letters.
    Marks: `language.found` (the commonest), `language.share` (of places in a language to keep).
    """

    keep: tuple[str, ...] = ("en",)
    min_share: float = 0.5
    margin: float = 0.9
    min_chars: int = 200
    most: int = 16
    skip: tuple[str, ...] = ("code",)
    version: int = 1

    def __post_init__(self) -> None:
        unknown = set(self.keep) - set(eldc.LANGUAGES)
        if not self.keep or unknown:
            raise ValueError(f"Language(keep={self.keep}): {sorted(unknown)} unknown; known are {eldc.LANGUAGES}")
        if self.most < 2:
            raise ValueError(f"Language(most={self.most}): expected 2 places or more, the first and the last")

    def __call__(self, document: Document) -> Document | Drop:
        if document.meta.get("kind") in self.skip:
            return document
        detector = _detector()
        found: Counter[str] = Counter()
        kept = 0
        for place in places(document.text, self.most):
            language = detector.detect(place)
            if language != UNKNOWN:
                found[language] += 1
                kept += language in self.keep or not self._foreign(place, len(document.text))
        if not found:
            return document.marked(language__found=UNKNOWN)
        # Of equally common languages the first in the alphabet: the answer must not hang on order.
        commonest = min(found, key=lambda language: (-found[language], language))
        judged = found.total()
        share = kept / judged
        marked = document.marked(language__found=commonest, language__share=round(share, 3))
        if share >= self.min_share:
            return marked
        names = "/".join(self.keep)
        detail = f"{commonest}: {names} in {kept} of {judged} places, less than {self.min_share}"
        return Drop(f"language.not_{'_'.join(self.keep)}", detail, marked.marks)

    def limits(self, kind: str | None) -> dict[str, str]:
        """Mark -> what it must be in a document of a kind; empty where nothing is asked."""
        return {} if kind in self.skip else {"language.share": f"at least {self.min_share}"}

    def _foreign(self, place: str, length: int) -> bool:
        """Whether an answer that is not in `keep` stands; `length` is that of the whole text."""
        answer = _detector().detect_details(place)
        if length < self.min_chars:
            return bool(answer.reliable)
        best = answer.scores.get(answer.language, 0.0)
        kept = max(answer.scores.get(language, 0.0) for language in self.keep)
        return bool(kept < self.margin * best)
