# ruff: noqa: E501 (a pattern reads better whole)
"""What speaks for a capitalised word being a person's name, and what against it."""

import re

import regex

from filters.phi.safe import ACRONYMS, CLINICAL, EPONYM_NOUNS, FUNCTION, RELATIVES
from filters.phi.traits import Traits, traits

TOKEN = regex.compile(r"[\p{L}'’.-]+")


# What goes on in lower case was no initial: an article, or I. `Kim, Sarah A was seen` was one.
_GOES_ON = re.compile(
    r"(?:I[ ]|A[ ](?!(?:is|was|has|had|will|reports|states|denies|presents|returns|called|came)\b))[a-z]"
)


def plain(word: str) -> str:
    word = word.strip(".,'’-").lower()
    return word[:-2] if word.endswith(("'s", "’s")) else word


def cut(text: str, start: int, end: int, strong: bool, title: bool = False) -> tuple[int, int] | None:
    """Cuts a match down to the part that is a name; None when nothing is left.

    `strong`: the words before are enough proof for a first word that is an ordinary one.
    """
    kept, count, initial = None, 0, 0
    reversed_name = "," in text[start:end]
    if reversed_name and not strong:
        strong = traits(plain(text[start:end].split(",")[1].split()[0])).given > 0
    given_before = False
    for found in TOKEN.finditer(text, start, end):
        token = found[0]
        word = plain(token)
        if kept is None and not token[:1].isalpha():
            continue
        if kept is None and start < found.start() and not text[start : found.start()].strip(" ,.;:-'\"("):
            start = found.start()
        if len(word) <= 1 or token[:1].islower():
            if kept is not None and token[:1].isupper() and not _GOES_ON.match(text, found.start()):
                initial = found.end()
            continue
        known = traits(word)
        titled = (
            ((title and not count) or (given_before and strong and not reversed_name))
            and (known.family or known.given)
            and word not in FUNCTION
            and len(word) > 2
        )
        if (known.stop and not titled) or (known.product and not known.given and not titled):
            break
        if (
            word in ACRONYMS
            and token.removesuffix("'s").removesuffix("’s").isupper()
            and not (count and known.family and text[start:end].isupper())
        ):
            break
        if count and not (known.given or known.family or not known.common):
            break
        if title and word in CLINICAL and not (known.given or known.family):
            break  # `No significant MR. Mitral inflow …`
        weak = known.given < 2 and known.family < (1 if given_before and strong else 2)
        if count and known.common and not reversed_name and not initial and weak:
            break
        if not count and not strong and not (known.given or known.family > 1 or not known.common):
            break
        if not count and not strong and known.common and not known.given:
            break
        kept, count, initial = found.end(), count + 1, 0
        given_before = known.given > 0
    if kept is None:
        return None
    if initial and text[initial : initial + 1] not in ("'", "’", "-", "/"):
        return start, initial
    while text[kept - 1] in ".-'’":
        kept -= 1
    if text[kept - 2 : kept] in ("'s", "’s"):
        kept -= 2
    return (start, kept) if kept > start else None


def proof(name: str, cued: bool = False) -> bool:
    """Whether a found name looks like one by itself: some word of it is a name and nothing else."""
    for token in name.split():
        word = plain(token)
        if len(word) < 2:
            continue
        known = traits(word)
        if known.stop and cued and known.given > 1:
            continue
        if (
            known.stop
            or known.product
            or (token.isupper() and (word in ACRONYMS or (len(token) < 4 and not known.given)))
        ):
            return False
        if cued and (((known.given or known.family > 1) and not known.common) or known.family == 3):
            return True
        if known.given > 1 or ((known.given or known.family) and not known.common and not known.eponym):
            return True
        if not known.common and not known.eponym and not token.isupper() and len(word) > 3:
            return True
    return False


def familiar(known: Traits) -> bool:
    """A word that is a frequent name and not much else."""
    return not known.common and not known.product and (known.given > 1 or (known.family == 3 and not known.eponym))


_NEXT_WORD = re.compile(r"(?:['’]s)?[ ]([A-Za-z]+)")


def eponym(text: str, start: int, end: int) -> bool:
    """`Parkinson's disease`, `Foley catheter`, `Jackson-Pratt drain`: the next word says so."""
    if text[end : end + 1] == "-" or text[start - 1 : start] == "-":
        return True
    after = _NEXT_WORD.match(text, end)
    if after is None:
        return False
    noun = after[1].lower()
    return noun in EPONYM_NOUNS or noun.rstrip("s") in EPONYM_NOUNS


# A second word of a state is found as a name now and then: states stay.
STATE = re.compile(r"(?:North|South|West|New)[ ](?:Carolina|Dakota|Virginia|York|Jersey|Mexico|Hampshire)$")


# A size, an article or a preposition of things before a name: an instrument, a suture, an eponym.
THING_BEFORE = re.compile(
    r"(?:\b(?:[Aa]n?|[Tt]he|[Tt]wo|straight|curved|modified|using|used|of|French|[Ll]eft|[Rr]ight|moist|small|large|standard|soaked|inch)|[#\d%-])[ ]$"
)


PERSON_AFTER = re.compile(
    r"(?:['’]s)?,?[ ](?:is (?:an?|here|in|doing|stable|currently|now|alert|awake|our|the|very|my|one)\b|has been\b|presents?\b|presented\b|denies\b|denied\b|reports?\b|reported\b|states\b|stated\b|returns\b|returned\b|complains\b|lives\b|"
    r"works\b|underwent\b|says\b|said\b|notes\b|came\b|comes\b|agrees?\b|agreed\b|feels\b|felt\b|understands\b|understood\b|verbalized\b|tolerated\b|called\b|requests?\b|requested\b|wishes\b|wants\b|did\b|does\b|mother\b|father\b|wife\b|husband\b|family\b|parents\b|"
    r"was (?:seen|admitted|discharged|diagnosed|born|referred|evaluated|brought|sent|accompanied|told|informed|asked|advised|counseled|last|hospitalized|treated|notified|paged|present|in|at)\b|will (?:follow|call|return|see|need|be seen)|aware\b|and I\b|recommends?\b|recommended\b|saw\b|examined\b|assisted\b)"
)


# `Pearl reports that …` opens a sentence: only people do these things, and notes do not say who reports without a
# name unless it is the patient.
SAYS = re.compile(
    r"[ ](?:reports|reported|states|stated|denies|denied|says|said|complains|complained|agrees|agreed|returns|lives|"
    r"works|called|phoned|tells|told|asked|asks|wants|wishes|understands|feels|has been (?:taking|doing|having|seen)|"
    r"was (?:seen|born|brought)|is (?:doing|feeling|here)|and (?:her|his) )"
)


OPENS = re.compile(
    r"(?:^|[.!?:][ ]{1,2}|\n[ \t]?)(?:(?:Today|Then|Also|Now|Currently|Overall|However|Otherwise|Again|Overnight),?[ ])?$"
)


# What is done to people alone, and who comes with them.
_WITH_KIN = re.compile(r",?[ ](?:and|with)[ ](?:her|his|their)[ ](\w+)")


def with_kin(text: str, end: int) -> bool:
    """`… was explained to Iryna and her sister`."""
    found = _WITH_KIN.match(text, end)
    return found is not None and found[1].lower() in RELATIVES
