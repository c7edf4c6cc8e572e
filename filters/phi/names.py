# ruff: noqa: E501 (a pattern reads better whole)
"""Names of people: by the words around them, by lists, and everywhere in a document once found."""

from collections.abc import Iterator

import regex

from filters.phi import lists
from filters.phi.rules import TIMEOUT, Late
from filters.phi.safe import EPONYMS, PRODUCTS, STOPS
from filters.phi.spans import BLANK, Span

_WORD = r"(?:\p{Lu}['’]\p{Lu}\p{Ll}+|(?:Mc|Mac|De|La|Le|Van|Di|Du|Fitz)\p{Lu}\p{Ll}+|\p{Lu}\p{Ll}+|\p{Lu}{2,20})(?:['’]\p{Ll}{2,}|-\p{Lu}\p{L}+)?"
_PARTICLE = r"(?:van der|van den|van de|de la|de los|del|della|van|von|der|den|ten|ter|de|da|dos|das|di|du|la|le|el|al|bin|ibn|bint|abu|y|e|st\.|St\.)"
_INITIAL = r"\p{Lu}\.?(?![\p{L}'’])"
_NAME = rf"(?:{_INITIAL}[ ]?){{0,2}}(?:{_PARTICLE}[ ]){{0,2}}{_WORD}(?:[ ](?:{_INITIAL}|{_PARTICLE}(?=[ ]\p{{Lu}})|{_WORD})){{0,3}}"
_REVERSED = rf"(?:{_PARTICLE}[ ]){{0,2}}{_WORD}(?:[ -]{_WORD})?,[ ]?{_WORD}(?:[ ](?:{_INITIAL}|{_WORD})){{0,2}}"

_TITLES = (
    r"(?:[Dd]rs?|DR|[Mm]rs?|MR|MRS|[Mm]s|MS|[Mm]iss|Mx|Prof|Professor|Doctor|Nurse|RN|LPN|CRNA|Sister|Rev|Reverend|Father|Pastor|Rabbi|"
    r"Imam|Sgt|Sergeant|Officer|Judge|Captain|Capt|Lieutenant|Lt|Hon|Sir|Dame|Lord|Lady|Attorney|Chaplain|Detective|Major|Colonel|"
    r"Señora?|Señor|Sra?|Madam|Mme|Herr|Frau)"
)
_TITLE = regex.compile(rf"(?<![\w-])(?P<title>{_TITLES})(?:\.[ ]?|[ ])(?P<what>(?:{_REVERSED}|{_NAME}))", regex.V1)
_TITLE_LOWER = regex.compile(
    r"(?<!\w)(?:dr|mr|mrs|ms|prof)\.?[ ](?P<what>\p{Ll}{3,20}(?:[ ]\p{Ll}{3,20})?)(?!\w)", regex.V1
)

_LABELS = (
    r"(?:patient(?:'?s)?(?: full)? name|patient|pt(?:\.? name)?|name(?: of patient)?|full name|first name|last name|surname|maiden name|given names?|family name|forename|"
    r"attending(?: physician| surgeon| provider| md)?|(?:primary care |pcp|referring |consulting |admitting |ordering |treating |performing |supervising |requesting )?(?:physician|provider|doctor|practitioner|clinician)(?: name)?|"
    r"pcp|gp|surgeon|assistant(?: surgeon)?|first assistant|second assistant|co-?surgeon|anesthesiologist|anaesthetist|anesthetist|anesthesia by|scrub(?: nurse| tech)?|circulator|circulating nurse|radiologist|pathologist|cardiologist|consultant|resident|fellow|intern|"
    r"dictated by|signed by|electronically signed by|e-?signed by|transcribed by|reviewed by|verified by|authenticated by|interpreted by|read by|approved by|performed by|prepared by|attested by|entered by|written by|completed by|seen by|examined by|"
    r"author|reporter|dictator|transcriptionist|d|t|cc|copy to|dear|re|to|from|attn|attention|"
    r"next of kin|nok|emergency contact|contact(?: person| name)?|guarantor|subscriber|guardian|health care proxy|hcp|poa|power of attorney|informant|spouse|wife|husband|mother|father|son|daughter|sister|brother|partner|parent|caregiver|"
    r"employee|nurse|rn|therapist|social worker|case manager|care coordinator|pharmacist|dietitian|midwife|named nurse|keyworker|interpreter|witness(?:ed by)?|student|donor|recipient|user|contact name|clinician name)"
)
_LABEL = regex.compile(
    rf"(?i:(?<![\w]){_LABELS})(?:\(s\))?[ \t]?(?::|\t)[ \t,]{{0,4}}(?:(?i:dr|mr|mrs|ms|miss|prof)\.?[ ])?(?P<what>(?:{_REVERSED}|{_NAME}))",
    regex.V1,
)
_BARE_LABEL = regex.compile(
    rf"(?<![\w])(?i:dictated by|signed by|electronically signed by|e-?signed by|transcribed by|reviewed by|verified by|authenticated by|interpreted by|read by|approved by|seen by|examined by|"
    rf"attested by|discussed with|spoke with|spoke to|d/w|per|patient name is|name is|named|known as|goes by|dear|c/o|aka|paged|notified)[ ]{{1,2}}(?:(?i:dr|mr|mrs|ms)\.?[ ])?(?P<what>{_NAME})",
    regex.V1,
)
_CREDENTIALS = r"(?:M\.?D\.?|D\.?O\.?|Ph\.?D\.?|R\.?N\.?|N\.?P\.?|P\.?A\.?(?:-C)?|PA-?C|DDS|DMD|DPM|OD|FACS|FACC|FACP|FRCS|FRCP|MRCP|MRCGP|MBBS|MB|MBChB|BSN|MSN|APRN|ARNP|FNP(?:-BC|-C)?|CRNA|CNM|LCSW|LPN|LVN|PharmD|Pharm\.D\.|PT|DPT|OTR(?:/L)?|SLP|RD|CCC-SLP|MSW|PsyD|Psy\.D\.|MPH|DVM|RPh|RRT|CNP|DNP|CCRN|Esq|Jr|Sr|III)"
_CREDENTIAL = regex.compile(rf"(?<![\w.])(?P<what>(?:{_REVERSED}|{_NAME})),?[ ]{{1,2}}{_CREDENTIALS}(?![\w])", regex.V1)
_RELATIVE = regex.compile(
    r"(?<!\w)(?i:wife|husband|son|daughter|mother|father|brother|sister|spouse|partner|girlfriend|boyfriend|fianc[eé]e?|grandson|granddaughter|grandmother|grandfather|aunt|uncle|niece|nephew|cousin|neighbou?r|friend|"
    r"roommate|caregiver|carer|guardian|mom|mum|dad|stepmother|stepfather|nurse|rn|lpn|pharmacist|resident|intern|midwife|therapist|dietitian|social worker|case manager|interpreter|chaplain)(?:,|[ ]is|[ ]was|[ ]named|[ ]called)?[ ]"
    rf"(?P<what>{_NAME})",
    regex.V1,
)
_PAIR = regex.compile(
    rf"(?<![\w'’.-])(?P<what>{_WORD}(?:[ ]{_INITIAL})?(?:[ ](?:{_PARTICLE}[ ])?{_WORD}){{1,3}})(?![\w])", regex.V1
)
_COMMA = regex.compile(
    rf"(?<![\w'’.-])(?P<what>{_WORD}(?:[ -]{_WORD})?,[ ]?{_WORD}(?:[ ]{_INITIAL})?)(?![\w])", regex.V1
)
_TOKEN = regex.compile(r"[\p{L}'’.-]+")


def _plain(word: str) -> str:
    return word.strip(".,'’-").lower()


def _given(word: str) -> int:
    return lists.first().get(word, 0)


def _family(word: str) -> int:
    return lists.last().get(word, 0)


def _common(word: str) -> bool:
    return word in lists.words() or word in STOPS or word in PRODUCTS


def _name_like(word: str) -> bool:
    """Whether a capitalised word can go on with a name that has begun."""
    return bool(_given(word) or _family(word)) or not _common(word)


def _cut(text: str, start: int, end: int, strong: bool) -> tuple[int, int] | None:
    """Cuts a match down to the part that is a name; None when nothing is left.

    `strong`: the words before are enough proof for a first word that is an ordinary one.
    """
    tokens = [(found.start() + start, found.end() + start, found[0]) for found in _TOKEN.finditer(text[start:end])]
    kept_end = None
    for index, (_, token_end, token) in enumerate(tokens):
        word = _plain(token)
        if len(word) <= 1 or token[:1].islower():
            continue
        if word in STOPS and not (_family(word) == 3 and index and word not in ("will",)):
            break
        if word in PRODUCTS and not _family(word):
            break
        if index and not _name_like(word):
            break
        if not index and not strong and not _name_like(word):
            break
        kept_end = token_end
    if kept_end is None:
        return None
    while text[kept_end - 1] in ".-'’":
        kept_end -= 1
    if text[kept_end - 2 : kept_end] in ("'s", "’s"):
        kept_end -= 2
    return start, kept_end


class Names:
    """Finds names by context and lists, then every further mention of them in the document."""

    def find(self, text: str, lower: str) -> Iterator[Span]:
        found = list(self._by_context(text, lower))
        found += self._by_lists(text)
        yield from found
        yield from self._again(text, found)

    def _matches(self, pattern: "regex.Pattern[str]", name: str, text: str) -> Iterator["regex.Match[str]"]:
        try:
            yield from pattern.finditer(text, timeout=TIMEOUT)
        except TimeoutError:
            raise Late(name) from None

    def _by_context(self, text: str, lower: str) -> Iterator[Span]:
        for pattern, name, strong in (
            (_TITLE, "title", True),
            (_LABEL, "label", True),
            (_BARE_LABEL, "by", False),
            (_CREDENTIAL, "credential", True),
            (_RELATIVE, "relative", False),
        ):
            for match in self._matches(pattern, name, text):
                span = _cut(text, match.start("what"), match.end("what"), strong)
                if span is not None:
                    yield Span(*span, "NAME", name)
        for match in self._matches(_TITLE_LOWER, "title", text):
            words = match["what"].split(" ")
            if words[0] in STOPS or not (_family(words[0]) or not _common(words[0])):
                continue
            more = len(words) > 1 and words[1] not in STOPS and words[1] not in lists.words() and _family(words[1])
            start = match.start("what")
            yield Span(start, match.end("what") if more else start + len(words[0]), "NAME", "title")

    def _by_lists(self, text: str) -> Iterator[Span]:
        for match in self._matches(_PAIR, "pair", text):
            tokens = [(found.start(), found.end(), _plain(found[0])) for found in _TOKEN.finditer(match["what"])]
            for index in range(len(tokens) - 1):
                start, _, one = tokens[index]
                if _given(one) < 1 or _common(one) or (one in EPONYMS and _given(one) < 3):
                    continue
                end = None
                for _, token_end, word in tokens[index + 1 :]:
                    if len(word) == 1:
                        continue
                    if not _name_like(word) or word in STOPS or (_common(word) and _family(word) < 2):
                        break
                    end = token_end
                if end is not None:
                    begin = match.start("what")
                    yield Span(begin + start, begin + end, "NAME", "pair")
                    break
        for match in self._matches(_COMMA, "comma", text):
            family, given = (part.strip() for part in match["what"].split(",", 1))
            one, two = _plain(family.split(" ")[-1]), _plain(given.split(" ")[0])
            if _family(one) >= 1 and _given(two) >= 1 and not _common(two) and one not in STOPS and one not in EPONYMS:
                yield Span.of(match, "what", "NAME", "comma")

    def _again(self, text: str, found: list[Span]) -> Iterator[Span]:
        """Mentions of the words of found names elsewhere in the document."""
        words = set()
        for span in found:
            for token in _TOKEN.findall(text[span.start : span.end]):
                word = token.strip(".,'’-")
                low = word.lower()
                if len(word) < 3 or word[0].islower() or low in STOPS or BLANK in word:
                    continue
                if (low in lists.words() or low in EPONYMS) and not (_given(low) == 3 and low not in lists.words()):
                    continue
                words.add(low)
        if not words:
            return
        options = "|".join(sorted(map(regex.escape, words), key=lambda word: (-len(word), word)))
        pattern = regex.compile(rf"(?<![\p{{L}}])(?:{options})(?![\p{{L}}])", regex.V1 | regex.IGNORECASE)
        for match in self._matches(pattern, "again", text):
            if not match[0].islower():
                yield Span.of(match, 0, "NAME", "again")
