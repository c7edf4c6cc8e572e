# ruff: noqa: E501 (a pattern reads better whole)
"""Names of people: by the words around them, by lists and a small model, and everywhere once found."""

import re
from collections.abc import Iterator

import regex

from filters.phi import model
from filters.phi.beside import accented, alone, commas, groups, lower_pairs, pairs, trimmed
from filters.phi.lists import cities
from filters.phi.mentions import again
from filters.phi.proof import OPENS, SAYS, STATE, cut, eponym, familiar, plain, proof, with_kin
from filters.phi.rules import TIMEOUT, Rule, matches
from filters.phi.safe import (
    CODED_LABELS,
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
    r"discussed with|discussed (?:this|the case|the findings|the results|the plan|case|findings|results|plan) with|(?:spoke|talked|speaking|talking|met) (?:with|to)|(?:explained|taught|described|demonstrated|offered|recommended|read) to|d/w|dw|per|patient name is|name is|named|known as|goes by|dear|c/o|aka|paged|notified|informed|called|contacted|contact|told|says|said|asks|asked|by|with|"
    r"signed out to|handed over to|handoff to|report given to|given to|referred to|care of|under|(?:for|of) (?:sending|referring|allowing (?:me|us) to see)|thank you|thanks|hi|hello|sincerely|regards|yours sincerely|yours truly|best wishes)[ ,:\n]{1,3}$"
)


_SURE_BY = frozenset(
    ("spoke with", "spoke to", "talked with", "talked to", "dear", "hi", "hello", "name is", "named", "goes by")
)


_WEAK_BY = frozenset(
    (
        "by",
        "with",
        "per",
        "under",
        "says",
        "said",
        "asks",
        "asked",
        "called",
        "told",
        "contact",
        "given to",
        "followed by",
    )
)


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
        found = [span for span in found if not STATE.search(page.text, max(0, span.start - 6), span.end)]
        yield from found
        yield from again(page, found)

    def _titled(self, page: Scan) -> Iterator[Span]:
        text = page.text
        for match in matches(_TITLE, "title", text):
            formal = match["title"] in _FORMAL
            span = cut(text, match.start("what"), match.end("what"), strong=formal, title=formal)
            if span is not None:
                yield Span(*span, "NAME", "title")
        for match in matches(_TITLE_AND, "title_and", text) if "rs" in text else ():
            for group in ("one", "two", "what"):
                if match[group]:
                    span = cut(text, match.start(group), match.end(group), strong=True)
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
                span = cut(text, match.start("what"), match.end("what"), strong=True)
                name = "" if span is None else text[span[0] : span[1]]
                sure = match["credential"] not in _DOUBTFUL or any(familiar(traits(plain(one))) for one in name.split())
                if span is not None and sure and proof(name, cued=True):
                    yield Span(*span, "NAME", "credential")

    def _initialed(self, page: Scan) -> Iterator[Span]:
        for start, end in page.windows(_WITH_INITIAL_NEAR, 8, 40):
            for match in matches(_WITH_INITIAL, "initialed", page.text, start, end):
                known = traits(plain(match["family"]))
                before = page.text[max(0, match.start() - 24) : match.start()]
                if known.stop or known.product or eponym(page.text, match.start("family"), match.end("family")):
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
                span = cut(text, match.start("what"), match.end("what"), strong, title=True)
                if span is not None and (strong or proof(text[span[0] : span[1]], cued=True)):
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
                if code is not None and plain(code["what"]) not in STOPS:
                    yield Span.of(code, "what", "NAME", "initials")

    def _in_context(self, page: Scan) -> Iterator[Span]:
        """Capitalised words that can be names, judged by what stands before them, by lists, and by the model."""
        text = page.text
        runs = list(groups(page))
        for group in runs:
            yield from self._judged(page, group)
        yield from commas(page)
        yield from lower_pairs(page)
        for start, end in model.names(text, [(group[0][0], group[-1][1]) for group in runs]):
            span = trimmed(text, start, end)
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
            if match is not None and by[0].strip(" ,:\n") in _WEAK_BY and not familiar(group[0][3]):
                match = None
        if match is not None:
            kin = rule == "relative" and before in _KIN
            span = cut(text, match.start("what"), match.end("what"), strong=kin or rule == "by")
            sure = kin or (by is not None and by[0].strip(" ,:\n") in _SURE_BY)
            proven = span is not None and (
                (sure and group[0][3].given > 0) or proof(text[span[0] : span[1]], cued=True)
            )
            if span is not None and proven and not eponym(text, *span):
                yield Span(*span, "NAME", rule)
                return
        if len(group) > 1:
            yield from pairs(text, group)
        elif not group[0][2].isascii() and group[0][3].family and accented(text, group[0]):
            yield Span(start, group[0][1], "NAME", "accented")
        elif _familiar_aside(text, group[0]):
            yield Span(start, group[0][1], "NAME", "aside")
        elif group[0][3].given > 1 and alone(text, group[0]):
            yield Span(start, group[0][1], "NAME", "given")
        elif group[0][3].given and SAYS.match(text, group[0][1]) and OPENS.search(text, max(0, start - 14), start):
            yield Span(start, group[0][1], "NAME", "says")
        elif group[0][3].given and not group[0][3].common and with_kin(text, group[0][1]):
            yield Span(start, group[0][1], "NAME", "kin")


def _familiar_aside(text: str, word: "tuple[int, int, str, Traits]") -> bool:
    """`ID (Patel) recs appreciated`: one of the commonest names alone in brackets, and no town."""
    start, end, written, known = word
    sure = familiar(known) and not known.stop and not known.eponym and not written.isupper()
    return sure and text[start - 1 : start] == "(" and text[end : end + 1] == ")" and written.lower() not in cities()


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


def _relative_before(left: str) -> bool:
    return any(word.strip(",") in RELATIVES for word in left.split()[-4:-1])


_KIN = frozenset(
    ("wife", "husband", "son", "daughter", "mother", "father", "brother", "sister", "aunt", "uncle", "niece", "nephew")
)
