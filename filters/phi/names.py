# ruff: noqa: E501 (a pattern reads better whole)
"""Names of people: by the words around them, by lists and a small model, and everywhere once found."""

import functools
import itertools
import re
from collections.abc import Iterable, Iterator

import regex

from filters.phi import lists, model
from filters.phi.rules import TIMEOUT, Late, Rule, matches
from filters.phi.safe import (
    ACRONYMS,
    CODED_LABELS,
    EPONYM_NOUNS,
    FUNCTION,
    LABELS,
    RELATIVES,
    STOPS,
    WEAK_LABELS,
)
from filters.phi.scan import Scan
from filters.phi.spans import Span
from filters.phi.traits import Traits, traits

_WORD = r"(?!(?:Drs?|Mrs?|Ms)\b)(?:\p{Lu}['’]\p{Lu}\p{Ll}+|(?:Mc|Mac|De|La|Le|Van|Di|Du|Fitz)\p{Lu}\p{Ll}+|\p{Lu}\p{Ll}+|\p{Lu}{2,20})(?:['’]\p{Ll}{2,}|-\p{L}{2,})?(?!\p{L})"
_PARTICLE = r"(?:van der|van den|van de|de la|de los|del|della|van|von|der|den|ten|ter|de|da|dos|das|di|du|la|le|el|al|bin|ibn|bint|abu|y|e|st\.|St\.)"
_INITIAL = r"\p{Lu}\.?(?![\p{L}'’])"
_NAME = rf"(?:{_INITIAL}[ ]?){{0,2}}(?:{_PARTICLE}[ ]){{0,2}}{_WORD}(?:[ ](?:{_INITIAL}|{_PARTICLE}(?=[ ]\p{{Lu}})|[\"(“]{_WORD}[\")”]|{_WORD})){{0,3}}"
_REVERSED = rf"(?:{_PARTICLE}[ ]){{0,2}}{_WORD}(?:[ -]{_WORD})?,[ ]?{_WORD}(?:[ ](?:{_INITIAL}|{_WORD})){{0,2}}"
_ANY = rf"(?:{_REVERSED}|{_NAME})"

_TITLE = regex.compile(
    r"(?<![\w-])(?P<title>[Dd]rs?|DR|[Mm]rs?|MR|MRS|[Mm]s|MS(?=\.)|[Mm]iss|Mx|Prof|Professor|Doctor|Nurse|RN|LPN|CRNA|Sister|Rev|Reverend|Father|Pastor|Rabbi|"
    r"Imam|Sgt|Sergeant|Officer|Judge|Captain|Capt|Lieutenant|Lt|Hon|Sir|Dame|Lord|Lady|Attorney|Chaplain|Detective|Major|Colonel|"
    rf"Señora?|Señor|Sra?|Madam|Mme|Herr|Frau|Social Worker|Midwife|Interpreter)(?:\.[ ]?|[ ])(?P<what>{_ANY})",
    regex.V1,
)
_FORMAL = frozenset(("Dr", "DR", "Mr", "MR", "Mrs", "MRS", "Ms", "Miss", "Prof", "Professor", "Doctor"))
_TITLE_AND = regex.compile(
    rf"(?<![\w-])(?:Drs|Messrs|Doctors)\.?[ ](?P<one>{_NAME})(?:, (?P<two>{_NAME}))?,? (?:and|&) (?P<what>{_NAME})",
    regex.V1,
)
_TITLE_LOWER = regex.compile(
    r"(?<!\w)(?:dr|mr|mrs|ms|prof)\.?[ ](?P<what>\p{Ll}{3,20}(?:[ ]\p{Ll}{3,20})?)(?!\w)", regex.V1
)
_CREDENTIALS = r"(?:M\.?D|D\.?O|Ph\.?D|R\.?N|N\.?P|P\.?A(?:-C)?|PA-?C|DDS|DMD|DPM|OD|FACS|FACC|FACP|FRCS|FRCP|MRCP|MRCGP|MBBS|MB|MBChB|BSN|MSN|APRN|ARNP|FNP(?:-BC|-C)?|CRNA|CNM|LCSW|LPN|LVN|Pharm\.?D|PT|DPT|OTR(?:/L)?|SLP|RD|CCC-SLP|MSW|Psy\.?D|MPH|DVM|RPh|RRT|CNP|DNP|CCRN|Esq|Jr|Sr|III|CMA|RT|CST)"
# Credentials that are something else as often: the right eye, a stage, a test.
_DOUBTFUL = frozenset(("OD", "PT", "MB", "RT", "RD", "DO", "III", "II", "PA", "MS"))
_CREDENTIAL_NEAR = re.compile(rf"[ ,]{_CREDENTIALS.replace('?:', '?:')}\b")
_CREDENTIAL = regex.compile(
    rf"(?<![\w.])(?P<what>{_ANY})(?:,[ ]{{0,2}}|[ ]{{1,2}})(?P<credential>{_CREDENTIALS})\b(?![\w-])", regex.V1
)
_AT_LABEL = regex.compile(rf"(?:(?i:dr|mr|mrs|ms|miss|prof)\.?[ ])?(?P<what>{_ANY})", regex.V1)
_LOWER_PAIR = regex.compile(r"(?P<what>\p{Ll}{2,20}[ ](?:\p{Ll}\.?[ ])?\p{Ll}{2,20})(?!\w)", regex.V1)
_CODED = regex.compile(
    r"(?P<what>\p{L}{1,3}\d?(?:/\p{L}{2,4})?|\p{Lu}[\p{Lu}.]{1,3})(?=[ \t]*(?:\n|$|[,;]|\d))", regex.V1
)
_TOKEN = regex.compile(r"[\p{L}'’.-]+")
# Two letters or more of a script that an English note has no other use for.
_TYPIST = Rule(
    "NAME",
    "typist",
    r"(?<![\p{L}\d/])(?P<what>\p{L}{2,4}[/:]\p{L}{2,3})[ \t]*(?=\n|$)",
    regex.compile(r"(?m)[/:][A-Za-z]{2,3}[ \t]*$"),
    (8, 8),
    check=lambda match: _typed(match),
)
_FOREIGN = r"[\p{Cyrillic}\p{Arabic}\p{Hebrew}\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Devanagari}\p{Armenian}\p{Georgian}]"
_SCRIPT = regex.compile(rf"{_FOREIGN}{{2,}}(?:[ ·・.-]{{1,2}}{_FOREIGN}+){{0,3}}")
_COLON = re.compile(r"[:\t][ \t,*]{0,4}\n?[ \t]{0,2}(?=\w)")

_BY = regex.compile(
    r"(?<!\w)(?:dictated by|signed by|signed|transcribed by|reviewed by|reviewed with|verified by|authenticated by|interpreted by|read by|approved by|seen by|examined by|evaluated by|followed by|performed by|assisted by|attested by|written by|referred by|accompanied by|"
    r"discussed with|discussed (?:this|the case|the findings|the results|the plan|case|findings|results|plan) with|(?:spoke|talked|speaking|talking|met) (?:with|to)|(?:explained|taught|described|demonstrated|offered|recommended|read) to|d/w|dw|per|patient name is|name is|named|known as|goes by|dear|c/o|aka|paged|notified|informed|called|contacted|contact|told|by|with|"
    r"signed out to|handed over to|handoff to|report given to|given to|referred to|care of|under|(?:for|of) (?:sending|referring|allowing (?:me|us) to see)|thank you|thanks|hi|hello|sincerely|regards|yours sincerely|yours truly|best wishes)[ ,:\n]{1,3}$"
)
_SURE_BY = frozenset(
    ("spoke with", "spoke to", "talked with", "talked to", "dear", "hi", "hello", "name is", "named", "goes by")
)
_WEAK_BY = frozenset(("by", "with", "per", "under", "called", "told", "contact", "given to", "followed by"))


def _typed(match: "regex.Match[str]") -> bool:
    """`JKS/mt` closes a dictated note; other cases of letters do so only in a line that says when it was typed."""
    one, _, two = match["what"].replace(":", "/").partition("/")
    if one.isupper() and two.islower():
        return True
    line = match.string[max(0, match.start() - 90) : match.start()].rsplit("\n", 1)[-1].lower()
    return "d:" in line or "t:" in line or "dd:" in line or "job" in line


# `I spoke with C. Wetherby about …`, `I. Smith was seen …`: an initial is proof where people stand.
_WITH_INITIAL = regex.compile(rf"(?<![\w.])(?P<what>(?:\p{{Lu}}\.[ ]){{1,2}}(?P<family>{_WORD}))", regex.V1)
_WITH_INITIAL_NEAR = re.compile(r"\b[A-Z]\. [A-Z]")
_MET = re.compile(r"\b(?:spoke|spoken|speaking|talked|met|meeting|discussed|seen|reviewed|visited) (?:with|to|by) $")
_DID = re.compile(
    r" (?:was (?:seen|admitted|examined|reviewed|discharged|brought|referred|born)|is an? |has been |reports|reported|"
    r"states|stated|denies|denied|presents|presented|complains|complained|lives|called|phoned|attended)\b"
)
# What goes on in lower case was no initial: an article, or I. `Kim, Sarah A was seen` was one.
_GOES_ON = re.compile(
    r"(?:I[ ]|A[ ](?!(?:is|was|has|had|will|reports|states|denies|presents|returns|called|came)\b))[a-z]"
)


def _plain(word: str) -> str:
    word = word.strip(".,'’-").lower()
    return word[:-2] if word.endswith(("'s", "’s")) else word


def _cut(text: str, start: int, end: int, strong: bool, title: bool = False) -> tuple[int, int] | None:
    """Cuts a match down to the part that is a name; None when nothing is left.

    `strong`: the words before are enough proof for a first word that is an ordinary one.
    """
    kept, count, initial = None, 0, 0
    reversed_name = "," in text[start:end]
    if reversed_name and not strong:
        strong = traits(_plain(text[start:end].split(",")[1].split()[0])).given > 0
    given_before = False
    for found in _TOKEN.finditer(text, start, end):
        token = found[0]
        word = _plain(token)
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


# `Pearl reports that …` opens a sentence: only people do these things, and notes do not say who reports without a
# name unless it is the patient.
_SAYS = re.compile(
    r"[ ](?:reports|reported|states|stated|denies|denied|says|said|complains|complained|agrees|agreed|returns|lives|"
    r"works|called|phoned|tells|told|asked|asks|wants|wishes|understands|feels|has been (?:taking|doing|having|seen)|"
    r"was (?:seen|born|brought)|is (?:doing|feeling|here)|and (?:her|his) )"
)
_OPENS = re.compile(
    r"(?:^|[.!?:][ ]{1,2}|\n[ \t]?)(?:(?:Today|Then|Also|Now|Currently|Overall|However|Otherwise|Again|Overnight),?[ ])?$"
)
# What is done to people alone, and who comes with them.
_WITH_KIN = re.compile(r",?[ ](?:and|with)[ ](?:her|his|their)[ ](\w+)")

# A second word of a state is found as a name now and then: states stay.
_STATE = re.compile(r"(?:North|South|West|New)[ ](?:Carolina|Dakota|Virginia|York|Jersey|Mexico|Hampshire)$")


class Names:
    """Finds names by context, lists and model, then every further mention of them in the document."""

    def find(self, page: Scan) -> Iterator[Span]:
        found = [*self._titled(page), *self._labelled(page), *self._in_context(page)]
        found += (
            [Span.of(match, 0, "NAME", "script") for match in matches(_SCRIPT, "script", page.text)]
            if not page.text.isascii()
            else []
        )
        found += _TYPIST.find(page)
        found += self._initialed(page)
        found = [span for span in found if not _STATE.search(page.text, max(0, span.start - 6), span.end)]
        yield from found
        yield from self._again(page, found)

    def _titled(self, page: Scan) -> Iterator[Span]:
        text = page.text
        for match in matches(_TITLE, "title", text):
            formal = match["title"] in _FORMAL
            span = _cut(text, match.start("what"), match.end("what"), strong=formal, title=formal)
            if span is not None:
                yield Span(*span, "NAME", "title")
        for match in matches(_TITLE_AND, "title_and", text) if "rs" in text else ():
            for group in ("one", "two", "what"):
                if match[group]:
                    span = _cut(text, match.start(group), match.end(group), strong=True)
                    if span is not None:
                        yield Span(*span, "NAME", "title")
        for match in matches(_TITLE_LOWER, "title_lower", text):
            words = match["what"].split(" ")
            first = traits(words[0])
            if first.stop or not (first.family or first.given or not first.common):
                continue
            second = traits(words[1]) if len(words) > 1 else None
            more = second is not None and not second.common and not second.stop and second.family > 0
            start = match.start("what")
            yield Span(start, match.end("what") if more else start + len(words[0]), "NAME", "title")
        for start, end in page.windows(_CREDENTIAL_NEAR, 70, 12):
            for match in matches(_CREDENTIAL, "credential", text, start, end):
                span = _cut(text, match.start("what"), match.end("what"), strong=True)
                name = "" if span is None else text[span[0] : span[1]]
                sure = match["credential"] not in _DOUBTFUL or any(
                    _familiar(traits(_plain(one))) for one in name.split()
                )
                if span is not None and sure and _proof(name, cued=True):
                    yield Span(*span, "NAME", "credential")

    def _initialed(self, page: Scan) -> Iterator[Span]:
        for start, end in page.windows(_WITH_INITIAL_NEAR, 8, 40):
            for match in matches(_WITH_INITIAL, "initialed", page.text, start, end):
                known = traits(_plain(match["family"]))
                before = page.text[max(0, match.start() - 24) : match.start()]
                if known.stop or known.product or _eponym(page.text, match.start("family"), match.end("family")):
                    continue
                did = _DID.match(page.text, match.end()) and (known.family or not known.common)
                if did or _MET.search(before):
                    yield Span.of(match, "what", "NAME", "initialed")

    def _labelled(self, page: Scan) -> Iterator[Span]:
        text, lower = page.text, page.lower
        for colon in _COLON.finditer(text):
            label = _label_before(lower, colon.start())
            if label is None:
                continue
            at = colon.end()
            strong = label in LABELS
            match = _AT_LABEL.match(text, at, timeout=TIMEOUT)
            if match is not None:
                span = _cut(text, match.start("what"), match.end("what"), strong, title=True)
                if span is not None and (strong or _proof(text[span[0] : span[1]], cued=True)):
                    yield Span(*span, "NAME", "label")
                    continue
            pair = _LOWER_PAIR.match(text, at) if text[at].islower() else None
            if pair is not None:
                words = pair["what"].split(" ")
                if traits(words[0]).given > 1 and traits(words[-1]).family and not traits(words[-1]).stop:
                    yield Span.of(pair, "what", "NAME", "label")
                    continue
            if label in CODED_LABELS:
                code = _CODED.match(text, at)
                if code is not None and _plain(code["what"]) not in STOPS:
                    yield Span.of(code, "what", "NAME", "initials")

    def _in_context(self, page: Scan) -> Iterator[Span]:
        """Capitalised words that can be names, judged by what stands before them, by lists, and by the model."""
        text = page.text
        groups = list(_groups(page))
        for group in groups:
            yield from self._judged(page, group)
        yield from _commas(page)
        yield from _lower_pairs(page)
        for start, end in model.names(text, [(group[0][0], group[-1][1]) for group in groups]):
            span = _trimmed(text, start, end)
            if span is not None:
                yield Span(*span, "NAME", "model")

    def _judged(self, page: Scan, group: "list[tuple[int, int, str, Traits]]") -> Iterator[Span]:
        text, lower = page.text, page.lower
        start = group[0][0]
        left = lower[max(0, start - 40) : start]
        before = left.rsplit(None, 1)[-1].strip("(,:") if left and left[-1] in " (\n" and left.strip() else ""
        match = by = None
        if before in RELATIVES or (left.endswith((" is ", " named ", " called ")) and _relative_before(left)):
            match = _AT_LABEL.match(text, start)
            rule = "relative"
        elif (by := _BY.search(left)) is not None:
            match = _AT_LABEL.match(text, start)
            rule = "by"
            if match is not None and by[0].strip(" ,:\n") in _WEAK_BY and not _familiar(group[0][3]):
                match = None
        if match is not None:
            kin = rule == "relative" and before in _KIN
            span = _cut(text, match.start("what"), match.end("what"), strong=kin or rule == "by")
            sure = kin or (by is not None and by[0].strip(" ,:\n") in _SURE_BY)
            proven = span is not None and (
                (sure and group[0][3].given > 0) or _proof(text[span[0] : span[1]], cued=True)
            )
            if span is not None and proven and not _eponym(text, *span):
                yield Span(*span, "NAME", rule)
                return
        if len(group) > 1:
            yield from _pairs(text, group)
        elif not group[0][2].isascii() and group[0][3].family and _accented(text, group[0]):
            yield Span(start, group[0][1], "NAME", "accented")
        elif group[0][3].given > 1 and _alone(text, group[0]):
            yield Span(start, group[0][1], "NAME", "given")
        elif group[0][3].given and _SAYS.match(text, group[0][1]) and _OPENS.search(text, max(0, start - 14), start):
            yield Span(start, group[0][1], "NAME", "says")
        elif group[0][3].given and not group[0][3].common and _with_kin(text, group[0][1]):
            yield Span(start, group[0][1], "NAME", "kin")

    def _again(self, page: Scan, found: list[Span]) -> Iterator[Span]:
        """Mentions of the words of found names elsewhere in the document."""
        words = set()
        for span in found:
            for token in _TOKEN.findall(page.text[span.start : span.end]):
                word, low = token.strip(".,'’-"), _plain(token)
                known = traits(low)
                if len(word) < 3 or word[0].islower() or known.stop or known.product or low in EPONYM_NOUNS:
                    continue
                if (known.common and known.given < 3) or (known.eponym and not known.given):
                    continue
                words.add(low)
        if not words:
            return
        options = "|".join(sorted(map(regex.escape, words), key=lambda word: (-len(word), word)))
        pattern = regex.compile(rf"(?<![\p{{L}}])(?:{options})(?![\p{{L}}])", regex.V1)
        for match in matches(pattern, "again", page.lower):
            word = page.text[match.start() : match.end()]
            state = _STATE.search(page.text, max(0, match.start() - 6), match.end())
            if not word.islower() and not state and not _eponym(page.text, *match.span()):
                yield Span.of(match, 0, "NAME", "again")


def _label_before(lower: str, at: int) -> str | None:
    """The label that ends at a colon, if it is one whose value is a person."""
    left = lower[max(0, at - 36) : at].rstrip(" )*")
    left = left.removesuffix("(s")
    for mark in ("\n", ".", ",", ";", "|", "\t"):
        left = left.rsplit(mark, 1)[-1] if mark != "." or " by" not in left else left
    words = left.split()
    for count in range(min(4, len(words)), 0, -1):
        label = " ".join(words[-count:]).strip("(*-•")
        if label in LABELS or label in WEAK_LABELS:
            return label
    return None


def _proof(name: str, cued: bool = False) -> bool:
    """Whether a found name looks like one by itself: some word of it is a name and nothing else."""
    for token in name.split():
        word = _plain(token)
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


def _familiar(known: Traits) -> bool:
    """A word that is a frequent name and not much else."""
    return not known.common and not known.product and (known.given > 1 or (known.family == 3 and not known.eponym))


def _with_kin(text: str, end: int) -> bool:
    """`… was explained to Iryna and her sister`."""
    found = _WITH_KIN.match(text, end)
    return found is not None and found[1].lower() in RELATIVES


def _relative_before(left: str) -> bool:
    return any(word.strip(",") in RELATIVES for word in left.split()[-4:-1])


def _eponym(text: str, start: int, end: int) -> bool:
    """`Parkinson's disease`, `Foley catheter`, `Jackson-Pratt drain`: the next word says so."""
    if text[end : end + 1] == "-" or text[start - 1 : start] == "-":
        return True
    after = _NEXT_WORD.match(text, end)
    if after is None:
        return False
    noun = after[1].lower()
    return noun in EPONYM_NOUNS or noun.rstrip("s") in EPONYM_NOUNS


_NEXT_WORD = re.compile(r"(?:['’]s)?[ ]([A-Za-z]+)")
_JOINT = re.compile(r"[ ](?:[A-Z]\.?[ ]|(?:de|van|von|del|la|di|da|al|bin|der|den|dos|el|du|le)[ ]){0,2}$|^[ ]$|^-$")


def _groups(page: Scan) -> "Iterator[list[tuple[int, int, str, Traits]]]":
    """Runs of capitalised words with only blanks, initials and particles between them, of which some may be names."""
    text = page.text
    group: list[tuple[int, int, str, Traits]] = []
    some = False
    for start, end, word in page.capitalised:
        if end - start == 1:
            continue
        known = traits(_plain(word))
        candidate = known.candidate and not (end - start < 4 and word.isupper() and not known.given)
        if group:
            gap = text[group[-1][1] : start]
            if gap not in (" ", "-") and not (len(gap) < 12 and _JOINT.match(gap)):
                if some:
                    yield group
                group, some = [], False
        if not group and known.stop and not known.given:
            continue  # `Dear Iryna`, `Today Iryna`: the name begins after it
        group.append((start, end, word, known))
        some = some or candidate
    if group and some:
        yield group


_INITIALED = re.compile(r"[ ][A-Z]\.?[ ]")


def _unlike(known: Traits) -> bool:
    """A word that is nothing but, perhaps, a name."""
    return not (known.common or known.stop or known.product or known.eponym)


_SUFFIX = re.compile(r",?[ ](?:Jr|Sr|II|III|IV)\b\.?")


_MONTHS = frozenset(("january", "april", "may", "june", "july", "august"))


def _alone(text: str, word: "tuple[int, int, str, Traits]") -> bool:
    """Whether one of the commonest given names, with nothing beside it, is a person and no thing."""
    start, end, token, known = word
    if _plain(token) in _MONTHS or not token.isalpha():
        return False
    if (
        known.common
        or known.stop
        or known.product
        or known.eponym
        or token.isupper()
        or token.lower() in lists.cities()
    ):
        return False
    return not _eponym(text, start, end) and _THING_BEFORE.search(text, max(0, start - 14), start) is None


def _accented(text: str, word: "tuple[int, int, str, Traits]") -> bool:
    """A capitalised word with accents that is no eponym: English has few others."""
    start, end, _, known = word
    return not (known.common or known.stop or known.product or known.eponym) and not _eponym(text, start, end)


def _lower_pairs(page: Scan) -> Iterator[Span]:
    """`patricia desrosiers`: a given name and a family name that are no words, both in lower case."""
    text = page.text
    for name in sorted(_plain_given().intersection(page.lower.split())):
        for match in re.finditer(rf"(?<!\w){re.escape(name)}[ ](?:[a-z]\.?[ ])?([a-z][a-z'’-]{{2,20}})(?!\w)", text):
            other = traits(match[1])
            if other.family and not (other.common or other.stop or other.product or other.eponym):
                yield Span.of(match, 0, "NAME", "lower")


@functools.lru_cache(maxsize=1)
def _plain_given() -> frozenset[str]:
    """Frequent given names that are no words."""
    found = (name for name, rank in lists.first().items() if rank > 1 and len(name) > 3)
    return frozenset(name for name in found if not (traits(name).common or traits(name).stop or traits(name).eponym))


def _pairs(text: str, group: "list[tuple[int, int, str, Traits]]") -> Iterator[Span]:
    """A given name with a family name after it: proof enough when neither is an ordinary word or an eponym."""
    index = 0
    while index < len(group) - 1:
        start, first_end, word, known = group[index]
        following = group[index + 1]
        if (
            _INITIALED.fullmatch(text, first_end, following[0])
            and _unlike(known)
            and _unlike(following[3])
            and not word.isupper()
        ):
            yield Span(start, following[1], "NAME", "initialed")
        if (
            (known.given or (not word.isascii() and known.family))
            and not known.common
            and not known.stop
            and not (known.eponym and known.given < 3)
            and not known.product
            and not (word.isupper() and len(word) < 4)
        ):
            end = None
            for step in range(index + 1, min(index + 4, len(group))):
                _, next_end, other, more = group[step]
                if more.stop or more.product or (more.common and more.family < 3) or other.lower() in EPONYM_NOUNS:
                    break
                if not more.family and not more.given and (other.isupper() or (known.given < 2 and len(word) < 4)):
                    break
                end, index = next_end, step
            if end is not None and not _eponym(text, start, end) and text[start:end].lower() not in lists.cities():
                more_end = _SUFFIX.match(text, end)
                yield Span(start, more_end.end() if more_end else end, "NAME", "pair")
        index += 1


def _commas(page: Scan) -> Iterator[Span]:
    """`Nowell, Abdul R.`: a family name, a comma, and a given name that is little else."""
    text, words = page.text, page.capitalised
    for (start, end, _), (second, second_end, given) in itertools.pairwise(words):
        if second - end not in (1, 2) or text[end] != "," or second_end - second < 3:
            continue
        one, two = traits(_plain(text[start:end])), traits(_plain(given))
        middle = _MIDDLE.match(text, second_end)
        sure = middle is not None or _PERSON_AFTER.match(text, second_end) is not None
        if (
            sure
            and (one.family or not one.common)
            and two.given
            and not (one.stop or two.stop or one.product or two.product)
        ):
            yield Span(start, middle.end() if middle else second_end, "NAME", "comma")
            continue
        if one.stop or two.stop or one.product or two.product or not one.family or not two.given:
            continue
        if two.eponym and (one.common or one.eponym or two.given < 2):
            continue
        if ((one.common or one.eponym) and (two.common or two.given < 2 or one.family < 2)) or (
            two.common and two.given < 2
        ):
            continue
        if text[start:end].lower() in lists.cities() and _plain(given) in _PLACES:
            continue
        if (one.common and two.common) or _LISTED.match(text, second_end):
            continue
        yield Span(start, second_end, "NAME", "comma")


_PLACES = frozenset(
    ("virginia", "georgia", "carolina", "dakota", "washington", "florida", "israel", "jordan", "chad", "china", "india")
)
_LISTED = re.compile(r",[ ](?:and[ ])?[A-Z][a-z]")
_MIDDLE = re.compile(
    r"[ ](?:[A-Z]\.|[B-HJ-Z](?![\w'’.-])|[AI](?![\w'’.-])(?![ ][a-z]{1,3}[ ])|A(?=[ ](?:is|was|has|had)[ ]))"
)


def _trimmed(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The model's span without what cannot be a name; None when nothing else proves it.

    A frequent given name is proof; other words need something that only people do after them, or
    nothing before them that people do not have (`a #4 Fogarty`, `the Ellis`).
    """
    span = _cut(text, start, end, strong=True)
    if span is None or _eponym(text, *span):
        return None
    words = [(token, traits(_plain(token))) for token in text[span[0] : span[1]].split() if len(_plain(token)) > 1]
    if any(known.stop or known.product or (token.isupper() and token.lower() in ACRONYMS) for token, known in words):
        return None
    thing = _THING_BEFORE.search(text, max(0, span[0] - 14), span[0]) is not None
    given = any(known.given > 1 and not known.common and not known.eponym for _, known in words)
    after = None if thing else _PERSON_AFTER.match(text, span[1])
    if after is not None and any(not known.common or known.given > 1 for _, known in words):
        return span
    if text[span[0] : span[1]].lower() in lists.cities() and words[0][1].given < 3:
        return None
    plain = not any(known.common or known.eponym or token.isupper() for token, known in words)
    two = len(words) > 1 and ((words[0][1].given and not words[0][1].common) or (plain and words[-1][1].family))
    if (given or two) and not thing:
        return span
    return None


# A size, an article or a preposition of things before a name: an instrument, a suture, an eponym.
_THING_BEFORE = re.compile(
    r"(?:\b(?:[Aa]n?|[Tt]he|[Tt]wo|straight|curved|modified|using|used|of|French|[Ll]eft|[Rr]ight|moist|small|large|standard|soaked|inch)|[#\d%-])[ ]$"
)
_KIN = frozenset(
    ("wife", "husband", "son", "daughter", "mother", "father", "brother", "sister", "aunt", "uncle", "niece", "nephew")
)
_PERSON_AFTER = re.compile(
    r"(?:['’]s)?,?[ ](?:is (?:an?|here|in|doing|stable|currently|now|alert|awake|our|the|very|my|one)\b|has been\b|presents?\b|presented\b|denies\b|denied\b|reports?\b|reported\b|states\b|stated\b|returns\b|returned\b|complains\b|lives\b|"
    r"works\b|underwent\b|says\b|said\b|notes\b|came\b|comes\b|agrees?\b|agreed\b|feels\b|felt\b|understands\b|understood\b|verbalized\b|tolerated\b|called\b|requests?\b|requested\b|wishes\b|wants\b|did\b|does\b|mother\b|father\b|wife\b|husband\b|family\b|parents\b|"
    r"was (?:seen|admitted|discharged|diagnosed|born|referred|evaluated|brought|sent|accompanied|told|informed|asked|advised|counseled|last|hospitalized|treated|notified|paged|present|in|at)\b|will (?:follow|call|return|see|need|be seen)|aware\b|and I\b|recommends?\b|recommended\b|saw\b|examined\b|assisted\b)"
)


def all_words(spans: Iterable[Span], text: str) -> set[str]:
    """The words of names, in lower case."""
    return {_plain(token) for span in spans for token in _TOKEN.findall(text[span.start : span.end])}


__all__ = ["Late", "Names", "Traits", "all_words", "traits"]
