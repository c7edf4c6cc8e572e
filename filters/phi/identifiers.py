# ruff: noqa: E501 (a pattern reads better whole)
"""Finders of what a person is reached by and numbered by: HIPAA's (D) to (R), but places and dates.

Every pattern is bounded in length on both sides of every choice, so that none backtracks far.
"""

import re
from collections.abc import Iterator

import regex

from filters.phi.locales import Locale
from filters.phi.rules import NUMBERS, TIMEOUT, Late, Rule
from filters.phi.scan import Scan
from filters.phi.spans import BLANK, Span


def _octets(match: "regex.Match[str]") -> bool:
    """An address and not a section number, a version or an enzyme's EC number (1-7.x.x.x)."""
    parts = [int(part) for part in match["ip"].split(".")]
    if max(parts) > 255:
        return False
    return bool(match["label"]) or (parts[0] > 7 and sum(part > 9 for part in parts) >= 2)


def _luhn(match: "regex.Match[str]") -> bool:
    digits = [int(char) for char in match[0] if char.isdigit()]
    if not 13 <= len(digits) <= 19:
        return False
    total = sum(digits[-1::-2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return total % 10 == 0


def _iban(value: str) -> bool:
    """ISO 13616: moved round, letters as numbers, the remainder by 97 is 1."""
    plain = value.replace(" ", "")
    return 15 <= len(plain) <= 34 and int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1


def _phone_like(value: str) -> bool:
    """Seven to fifteen digits that are no date."""
    digits = sum(map(str.isdigit, value))
    return 7 <= digits <= 15 and re.fullmatch(r"\d{1,4}[-./ ]\d{1,2}[-./ ]\d{1,4}", value) is None


_AT, _PLUS = ("@",), ("+",)
_DOTS = regex.compile(r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]")
_COLONS = regex.compile(r":[0-9A-Fa-f]{0,4}:")
_DASHES = regex.compile(r"[0-9A-Fa-f]{2}-[0-9A-Fa-f]{2}-[0-9A-Fa-f]{2}-")
_SSN_NEAR = regex.compile(r"[0-9]-[0-9]{2}-[0-9]{4}")

EMAIL = Rule(
    "EMAIL",
    "email",
    r"(?<![\w.+-])[\w.+%'-]{1,64}[ ]?@[ ]?(?:[A-Za-z0-9-]{1,63}\.){1,6}[A-Za-z]{2,24}(?![\w-])",
    _AT,
    (70, 160),
)
URL = Rule(
    "URL",
    "url",
    r"(?i)(?<![\w@.])(?:(?:https?|ftp)://[^\s<>\"\ue000]{1,300}[^\s<>\"\ue000.,;:!?)\]]|"
    r"www\.[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,5}(?:/[^\s<>\"\ue000]{0,200}[^\s<>\"\ue000.,;:!?)\]])?|"
    r"[a-z0-9-]{2,63}(?:\.[a-z0-9-]{1,63}){0,3}\.(?:com|org|net|edu|gov|nhs\.uk|ac\.uk|co\.uk|org\.uk|info|io|health)"
    r"(?![\w-])(?:/[^\s<>\"\ue000]{0,200}[^\s<>\"\ue000.,;:!?)\]])?)",
    ("://", "www.", ".com", ".org", ".net", ".edu", ".gov", ".uk", ".info", ".io", ".health"),
    (70, 320),
)
IP = Rule(
    "IP",
    "ip",
    r"(?<![\w.-])(?P<label>(?i:ip(?:v4)?(?: address)?|host|server|address)[ :=]{1,3})?"
    r"(?P<what>(?P<ip>\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})(?::\d{2,5})?)(?![\w]|\.\d)",
    _DOTS,
    (24, 24),
    check=_octets,
)
IPV6 = Rule(
    "IP",
    "ipv6",
    r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:){4,7}[0-9A-Fa-f]{1,4}(?![\w:])|"
    r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:){1,6}(?::[0-9A-Fa-f]{1,4}){1,6}(?![\w:])",
    _COLONS,
    (8, 44),
    check=lambda match: any(map(str.isdigit, match[0])) and len(match[0]) > 8,
)
MAC = Rule("IP", "mac", r"(?<![\w:-])(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}(?![\w:-])", _COLONS, (8, 24))
MAC_DASHED = Rule("IP", "mac", r"(?<![\w:-])(?:[0-9A-Fa-f]{2}-){5}[0-9A-Fa-f]{2}(?![\w:-])", _DASHES, (8, 24))
SSN = Rule("SSN", "ssn", r"(?<![\w-])(?!000|666)\d{3}-\d{2}-\d{4}(?![\w-])", _SSN_NEAR, (8, 16))
SSN_SPACED = Rule("SSN", "ssn_spaced", r"(?<![\w-])(?<!\d )(?!000|666)\d{3} \d{2} \d{4}(?![\w-]| \d)", NUMBERS)
SSN_LABELLED = Rule(
    "SSN",
    "ssn_labelled",
    r"(?i)(?<!\w)(?:ssn?|social security(?: number| no\.?| #)?|soc\.? sec\.?)(?![a-z])"
    r"[^\n\d]{0,28}?(?P<what>(?:[x*]{3}[- ]?[x*]{2}[- ]?)?\d{4}(?!\d)|\d{3}[- ]?\d{2}[- ]?\d{4}(?!\d))",
    ("ssn", "ss#", "social s", "soc"),
    (4, 80),
)
SSN_HIDDEN = Rule("SSN", "ssn_hidden", r"(?<![\w*])(?:[xX]{3}-?[xX]{2}|\*{3}-?\*{2})-?\d{4}(?!\w)", NUMBERS)
_CARD_NEAR = regex.compile(r"[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{2}")
CARD = Rule(
    "ACCOUNT",
    "card",
    r"(?<![\w.-])(?:[3-6]\d{12,18}|[3-6]\d{3}-\d{4}-\d{4}-\d{4}|3[47]\d\d-\d{6}-\d{5})(?![\w-]|\.\d)",
    _CARD_NEAR,
    (4, 28),
    check=_luhn,
)
CARD_SPACED = Rule(
    "ACCOUNT",
    "card",
    r"(?<![\w.-])(?:[3-6]\d{3} \d{4} \d{4} \d{4}|3[47]\d\d \d{6} \d{5})(?![\w-]|\.\d)",
    _CARD_NEAR,
    (4, 28),
    check=_luhn,
)
UDI = Rule("DEVICE", "udi", r"\(01\)\d{14}(?:\(\d{2}\)[A-Za-z0-9-]{1,20}){0,5}", ("(01)",), (0, 140))
PHOTO = Rule(
    "PHOTO",
    "photo",
    r"(?<![\w/])[\w-]{1,60}\.(?i:jpe?g|png|heic|gif|tiff?|bmp|dcm)(?!\w)",
    (".jp", ".png", ".heic", ".gif", ".tif", ".bmp", ".dcm"),
    (64, 10),
)
# Letters glued to digits (`MRN133202`, `HPBN503731`, `ACCT41599-7`) name their own kind.
_TAIL = r"[-_]?\d{5,14}(?:-\d{1,4})?(?!\w)"
GLUED = (
    Rule("MRN", "mrn_glued", rf"(?i)(?<![\w-])(?:mrn|mr|nhs){_TAIL}", NUMBERS),
    Rule("PLAN", "plan_glued", rf"(?i)(?<![\w-])(?:hpbn|mbi|mem|pol|ins|bcbs|grp|sub|plan){_TAIL}", NUMBERS),
    Rule("ACCOUNT", "account_glued", rf"(?i)(?<![\w-])(?:acct|acc|act|csn|fin|vis|har|enc){_TAIL}", NUMBERS),
    Rule("LICENSE", "license_glued", rf"(?i)(?<![\w-])(?:npi|dea|lic|md|rn|gmc|nmc){_TAIL}", NUMBERS),
    Rule("DEVICE", "device_glued", rf"(?<![\w-])(?:SN|DEV|S/N){_TAIL}", NUMBERS),
    Rule("VEHICLE", "vin_glued", r"(?<![\w-])VIN[-_]?[A-Z0-9]{6,17}(?!\w)", ("vin",)),
    Rule("VEHICLE", "vin", r"(?<![\w-])(?=[A-Z]{0,16}\d)(?=\d{0,16}[A-Z])[A-HJ-NPR-Z0-9]{11}\d{6}(?![\w-])", NUMBERS),
)  # fmt: skip

INTERNATIONAL = Rule(
    "PHONE",
    "international",
    r"(?<![\w.])\+[1-9]\d{0,2}(?:[ .-]?\(0\))?(?:[ .-]?\(?\d{2,5}\)?){2,5}(?![\w-]|\.\d)",
    _PLUS,
    (0, 40),
    check=lambda match: 8 <= sum(map(str.isdigit, match[0])) <= 15,
)
PHONE_LABELLED = Rule(
    "PHONE",
    "phone_labelled",
    r"(?i)(?<!\w)(?:(?:tele)?phone|tel|cell|mobile|desk|office|home|work|fax|contact|call(?: me| us| him| her)?|ring|reach(?:ed)?|answering|number|dial|text)(?: number| no\.?| #)?[ ]?"
    r"(?::|\.|#|is|on|at)[ \n]{0,2}(?P<what>\+?\(?\d[\d() .-]{5,16}\d)(?![\w-]|[.,]\d|[ ]?(?:mg|ml|cc|%))",
    NUMBERS,
    (40, 24),
    check=lambda match: _phone_like(match["what"]),
)
PHONE_BEFORE = Rule(
    "PHONE",
    "phone_before",
    r"(?i)(?<![\w.-])(?P<what>\+?\(?\d[\d() .-]{5,16}\d)[ ]?(?:-|\()?[ ]?(?:office|fax|mobile|cell|home|work|desk|pager)(?!\w)",
    ("office", "fax", "mobile", "cell", "home", "work", "desk", "pager"),
    (28, 8),
    check=lambda match: _phone_like(match["what"]),
)
IBAN = Rule(
    "ACCOUNT",
    "iban",
    r"(?<!\w)[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,4})?(?!\w)",
    regex.compile(r"[A-Z]{2}[0-9]{2}[ ]?[A-Z0-9]{4}"),
    (4, 48),
    check=lambda match: _iban(match[0]),
)
STRICT = (INTERNATIONAL, EMAIL, IP, IPV6, MAC, MAC_DASHED, SSN, CARD)
CONTACTS = (*STRICT, IBAN, PHONE_LABELLED, PHONE_BEFORE, CARD_SPACED, SSN_HIDDEN, SSN_LABELLED)
IDENTIFIERS = (URL, SSN_SPACED, UDI, PHOTO, *GLUED)

# What stands before a number and says what it is. `§` after a label: it needs one of `id no num # :` as well.
_LABELS: tuple[tuple[str, str], ...] = (
    ("FAX", r"fax|facsimile"),
    ("PHONE", r"(?:tele)?phone|tel|cell(?!s)(?:ular)?|mobile|mob|home|office|work|pager|beeper|pgr|pgd|page|ext(?:ension)?|ph(?=[ ]?(?:no\b|num|#|:))|voicemail|callback|call back|call|contact|bleep|dect|spectralink|ascom|whatsapp"),
    ("MRN", r"mrn?|m\.r\.n\.|medical rec(?:ord)?s?|med\.? rec\.?|unit(?= (?:no|number|record|#))|chart§|hosp(?:ital)?\.?§|patient§|pt\.?§|record§|epic id|emr id|emrn|patient identifier|case notes?§|local (?:id|identifier)|nhs|chi|hospital no"),
    ("PLAN", r"plan§|(?:health )?plan beneficiary|beneficiary|member(?:ship)?§|subscriber|policy§|policy holder|insurance§|insurance policy|insurance id|group§|medicare§|medicaid§|hicn|mbi|payer§|ins\.?§|hpbn|rx ?bin|rx ?grp|(?:bcbs|aetna|cigna|humana|uhc|kaiser|tricare|anthem)(?: member| policy)?§"),
    ("ACCOUNT", r"acct|(?:credit|debit|bank) card|card§|account§|a/c|csn|fin§|har§|visit§|encounter§|enc§|invoice|guarantor§|billing§|bank account|iban|sort code|claim§|admission§|contact serial"),
    ("LICENSE", r"(?:driver'?s?|driving|medical|state|nursing|professional|rn|md|physician)?[ ]?licen[sc]e|lic|npi|dea|d\.?l\.?§|driver|passport|certificate§|cert§|gmc|nmc|hcpc|upin|pin number|registration§|prescriber§"),
    ("VEHICLE", r"vin|vehicle|vehicle (?:identification|reg(?:istration)?)|(?:licen[sc]e |number |vehicle )?plates?|car reg(?:istration)?|tag§"),
    ("DEVICE", r"serial|s/n|sn|udi|device§|device serial|model§|lot§|implant§|implant serial|pacemaker§|(?:pacemaker|icd|generator|lead|pump|device) (?:sn|serial)|imei|asset§"),
    ("ID", r"accession|acc§|job|dictation|doc(?:ument)?§|study§|study key|specimen§|order§|ref(?:erence)?§|confirmation§|confirmation code|protocol§|subject§|biometric|fingerprint|retina(?:l)? scan|iris(?: scan)?|voice ?print|face ?(?:id|print)|palm ?(?:print|vein)|"
           r"employee§|badge|staff§|user§|username|user name|login|case§|trial§|tracking§|path(?:ology)?§|lab§|slide§|donor§|prescription§|rx§|referral§|participant§|enrollment§|report§|exam§|request§|requisition§|transaction§|ticket§|message§|(?<![\w/])[dtj](?=:)|\bid§|\bid|identifier|key§|(?:access|confirmation|activation|security) code"),
)  # fmt: skip
_NUMBER_WORD = r"(?:number|numbers|num|no\b\.?|nr\b\.?|id\b|ids\b|identifier|code|key|#|№|card|is|was|of|ending in|ending|on file|at|extension|ext\.?|x)"
_STRICT = r"(?=[ ]?(?:id|no\b|no\.|num|nr\b|#|№|:|code|key|serial|identifier|identification))"


def _label_pattern() -> "regex.Pattern[str]":
    kinds = "|".join(f"(?P<{kind}>{labels.replace('§', _STRICT)})" for kind, labels in _LABELS)
    return regex.compile(
        rf"(?<![a-z0-9])(?:{kinds})(?:\(s\)|s)?(?![a-z])(?:[ \t]{{0,3}}(?:{_NUMBER_WORD}|[:=\-({BLANK}]|\b(?:mrn|md|rn|dea|npi)\b)){{0,5}}[ \t\n:#=(]{{0,4}}$",
        regex.V1,
    )


_LABEL = _label_pattern()
_VALUE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9]|[-./](?=[A-Za-z0-9])){2,24}")
_DIGITS = re.compile(r"\d[\dA-Za-z./-]{1,}")
_DECIMAL = re.compile(r"\d{1,3}\.\d{1,4}")
# A year after a label is a number only when the label says so.
_EXPLICIT = re.compile(r"(?::|#|\b(?:ext\.?|extension|pager|beeper|bleep|id|number|no\.?|code))[ ]{0,2}$")
_PART = frozenset("-./")
_BEFORE = 48  # characters in which a label is looked for
_UNITS = re.compile(
    r"[ ]?(?:%|(?:mg|ml|mcg|kg|lbs?|cc|mm|cm|units?)\b|bpm|days?\b|weeks?\b|months?\b|years?\b|hours?\b|hrs?\b|minutes?\b|mins?\b|x ?\d|[/]\d)",
    re.IGNORECASE,
)


def labelled(page: Scan) -> Iterator[Span]:
    """Values of three digits or more with a label before them: the value is found first, then its label."""
    text, lower = page.text, page.lower
    reached = 0
    for found in _DIGITS.finditer(text):
        start, end = found.span()
        if start < reached:
            continue
        while (
            start
            and (text[start - 1].isalnum() or (text[start - 1] in _PART and start > 1 and text[start - 2].isalnum()))
            and found.start() - start < 9
            and text[start - 1].isascii()
        ):
            start -= 1
        value = _VALUE.match(text, start)
        if value is None or value.end() < found.start():
            continue
        end = reached = value.end()
        if (start and (text[start - 1].isalnum() or text[start - 1] == "_")) or (
            end < len(text) and text[end].isalnum()
        ):
            continue
        digits = sum(map(str.isdigit, value[0]))
        if digits < 3:
            continue
        left = lower[max(0, start - _BEFORE) : start]
        try:
            match = _LABEL.search(left, timeout=TIMEOUT)
        except TimeoutError:
            raise Late("labelled") from None
        if match is None or _UNITS.match(text, end):
            continue
        kind = str(match.lastgroup)
        if kind in ("PHONE", "FAX", "ID") and _DECIMAL.fullmatch(value[0]):
            continue
        if kind in ("PHONE", "FAX") and (digits < 4 or "/" in value[0] or _is_date(value[0])):
            continue
        year = digits == 4 and kind in ("ID", "PHONE") and value[0][:2] in ("19", "20")
        if _is_date(value[0]) or (year and not _EXPLICIT.search(left)):
            continue
        yield Span(start, end, kind, "labelled_" + kind.lower())


def _is_date(value: str) -> bool:
    return re.fullmatch(r"\d{1,2}[/.-]\d{1,2}([/.-]\d{2,4})?|\d{4}-\d{2}-\d{2}.*", value) is not None


def contacts(locales: tuple[Locale, ...], strict: bool) -> tuple[Rule, ...]:
    """The pattern layer: what is an identifier in any text (`strict`), or in a note."""
    if strict:
        return (*STRICT, *(rule for one in locales for rule in one.strict_phones))
    return (*CONTACTS, *(rule for one in locales for rule in (*one.identifiers, *one.phones)))


def faxes(page: Scan, spans: Iterator[Span]) -> Iterator[Span]:
    """Phones with the word before them are faxes."""
    for span in spans:
        if span.kind == "PHONE" and "fax" in page.lower[max(0, span.start - 16) : span.start]:
            span = span._replace(kind="FAX")
        yield span
