"""Takes citations out of a sentence without leaving its brackets, commas or a hole in a word.

While a paragraph is rendered, a citation is the control character CITED, which XML cannot hold;
one that names its authors stands between OPEN and CLOSE until its surroundings say whether it
belongs to the sentence ("as Smith et al. (2003) showed") or to a bracket.
"""

import re

CITED, OPEN, CLOSE = "\x00", "\x03", "\x04"
_DATED = "\x07"  # a citation by year or name inside a bracket: the names before it are its own

_BRACKET = re.compile(r"[()\[\]\x03\x04]")
_GROUP = re.compile(r"[(\[][^()\[\]]*[\x00\x07][^()\[\]]*[)\]]")
# by far most brackets hold nothing but citations
_PLAIN = re.compile(r"[(\[][\x00\x07](?:\s*[,;–—-]?\s*[\x00\x07])*[)\]]")
_CHAIN = re.compile(r"\x00(?:\s*(?:[,;:–—‒−\-&/]|and|to|or|y|e)?\s*\x00)+")
_LEAD = re.compile(
    r"\b(?:see(?: also)?|for (?:a )?(?:recent )?(?:reviews?|examples?|instance|details?)|e\.\s?g\.?|i\.\s?e\.?|cf\.?|"
    r"also|and|or|but|refs?\.?|references?|nos?\.?|(?:discussed|described|reported|shown|summari[sz]ed) (?:in|by)|"
    r"review(?:s|ed)?|in|by|from|adapted|modified|data|et al\.?|et|al\.?|others|therein|y|e|in press|under review|"
    r"de|van|von|der|den|del|della|di|da|la|le|dos|te|ter|ten|zu|zur|chapter|p{1,2}\.?|vol\.?)\b\.?",
    re.I,
)
# possessive: initials and their stops could be split in 2^n ways
_NAMES = re.compile(r"(?:(?>[^\W\d_][\w'’.\-‐‑]*|\d{4}[a-z]|\d+)(?:[\s,&:–—\-./]++|$))*+")
_WORD = re.compile(r"[\w'’.\-‐‑]+")
# what a citation leaves at the end of a bracket and at its start
_TRAIL = re.compile(r"(?<![\s,])(?:[\s,]*+(?:\b(?:see|e\.g\.,?|cf\.|refs?\.?|in)\s*)?)\x00\s*$")
_FIRST = re.compile(r"^\s*\x00[\s,]*")
_NUMBERS = re.compile(r"[\s,;:.\d¹²³⁰⁴-⁹⁻–—‒−\-&/*†‡§¶#]*(?:(?:and|to)[\s\d,–\-]*)?")
# what a citation at the end of a clause leaves hanging: "as described in", "and"
_HANGING = {"in", "by", "from", "of", "see", "and", "or", "also", "with", "to", "than", "e.g.", "e.g.,", "cf.", "cf"}
_REFS = ("ref.", "refs.", "ref", "refs", "reference", "references", "nos.", "no.")
_ENDS = ".efsEFS"  # what these end in
_TAIL = 60  # characters in which such words stand


def _settle(text: str) -> str:
    """Named citations: kept in running text, taken out inside brackets."""
    depth, inside, out, last, start = 0, False, [], 0, 0
    for found in _BRACKET.finditer(text):
        mark = found.group()
        if mark == OPEN:
            out.append(text[last : found.start()])
            inside, start = True, found.end()
        elif mark == CLOSE:
            out.append(_DATED if depth > 0 else text[start : found.start()])
            inside, last = False, found.end()
        elif not inside:
            depth = max(0, depth + (1 if mark in "([" else -1))
    out.append(text[last:])
    return "".join(out)


def _idle(segment: str) -> bool:
    """Whether a part of a bracket holds nothing but a citation and its names, years and lead-ins."""
    rest = segment.replace(CITED, " ").replace(_DATED, " ")
    if _NUMBERS.fullmatch(rest):
        return True
    rest = _LEAD.sub(" ", rest).strip(" ,;:.–—-&/")
    if _NUMBERS.fullmatch(rest) or _DATED not in segment:
        return _NUMBERS.fullmatch(rest) is not None
    # what is left must be names: capitalised words; a lower-case word is the sentence's own
    capital = all(word[:1].isupper() or not word[:1].isalpha() for word in _WORD.findall(rest))
    return capital and _NAMES.fullmatch(rest) is not None


def _group(found: re.Match[str]) -> str:
    whole = found.group()
    kept = []
    for segment in whole[1:-1].split(";"):
        if CITED in segment or _DATED in segment:
            if _idle(segment):
                continue
            segment = segment.replace(_DATED, CITED)
            segment = _CHAIN.sub(CITED, segment)
            segment = _FIRST.sub("", _TRAIL.sub("", segment))
        if segment.strip():
            kept.append(segment)
    if not kept:
        return CITED
    inner = ";".join(kept).strip()
    inner = inner.replace(CITED, "\x05")  # settled: not looked at again
    return whole[0] + inner + whole[-1]


def _hung(text: str) -> str:
    """Text without the commas and small words at its end."""
    while True:
        text = text.rstrip()
        if text.endswith(","):
            text = text[:-1]
            continue
        head = text.rsplit(None, 1)
        if len(head) < 2 or head[1].lower() not in _HANGING:
            return text
        text = head[0]


def _remove(text: str) -> str:
    """Takes the marks out, and the spaces, commas and prepositions that they leave hanging."""
    first, *rest = text.split(CITED)
    pieces = [first]
    for piece in rest:
        whole = before = pieces[-1][-_TAIL:]
        bare = before.rstrip()
        if (
            bare[-1:] in _ENDS
            and bare.lower().endswith(_REFS)
            and bare.rsplit(None, 1)[-1].lower().lstrip("([") in _REFS
        ):
            before = bare[: -len(bare.rsplit(None, 1)[-1].lstrip("(["))]
        following = piece.lstrip()[:1]
        if not following or following in ".,;:!?)]":
            before = _hung(before)
            if following in ".)];," and before.endswith((",", ";")):
                before = before[:-1].rstrip()
            piece = piece.lstrip()
            if following == "." and (before.endswith(".") or (not before and not any(pieces[:-1]))):
                piece = piece[1:]
            elif following == "." and piece[1:2].isupper():
                piece = ". " + piece[1:]
        elif piece[:1].isalnum() and before and not before[-1].isspace() and before[-1] not in "([/–-":
            before += " "
        if not before and len(pieces) == 1:
            piece = piece.lstrip()
        if before is not whole:
            pieces[-1] = pieces[-1][: max(0, len(pieces[-1]) - _TAIL)] + before
        pieces.append(piece)
    return "".join(pieces)


def uncite(text: str) -> str:
    """The text without its citations."""
    if OPEN in text:
        text = _settle(text)
    if CITED not in text and _DATED not in text:
        return text
    text = text.replace("[\x00]", CITED).replace("(\x00)", CITED)
    if "[\x00" in text or "(\x00" in text or "[\x07" in text or "(\x07" in text:
        text = _PLAIN.sub(CITED, text)
    for _ in range(4):  # brackets in brackets
        text, count = _GROUP.subn(_group, text)
        if not count:
            break
    text = text.replace("\x05", CITED).replace(_DATED, CITED)
    return _remove(_CHAIN.sub(CITED, text) if text.count(CITED) > 1 else text)
