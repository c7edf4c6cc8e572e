# ruff: noqa: E501 (a pattern reads better whole)
"""Finders of what a person is reached by and numbered by: HIPAA's (D) to (R), but places and dates.

Every pattern is bounded in length on both sides of every choice, so that none backtracks far.
"""

import regex

from filters.phi.rules import Rule

_VALUE = r"(?P<what>(?=[A-Za-z0-9./-]{0,20}\d)[A-Za-z0-9](?:[A-Za-z0-9]|[-./](?=[A-Za-z0-9])){2,24})"
_SEP = r"(?:[ \t]{0,3}(?:number|numbers|num|no\b\.?|nr\b\.?|id|identifier|code|#|№|is|was|of|:|=|\-|\ue000)){0,4}[ \t:#=]{0,4}"


def _labelled(kind: str, name: str, labels: str, gate: tuple[str, ...], value: str = _VALUE) -> Rule:
    return Rule(kind, name, rf"(?i)(?<![\w])(?:{labels})(?![a-z]){_SEP}{value}(?![\w])", gate, check=_has_digits)


def _has_digits(match: "regex.Match[str]") -> bool:
    value: str = match["what"]
    return sum(map(str.isdigit, value)) >= 3


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


def _not_card_like_range(match: "regex.Match[str]") -> bool:
    return _luhn(match) and len(set(match[0])) > 3


EMAIL = Rule(
    "EMAIL",
    "email",
    r"(?<![\w.+-])[\w.+%'-]{1,64}[ ]?@[ ]?(?:[A-Za-z0-9-]{1,63}\.){1,6}[A-Za-z]{2,24}(?![\w-])",
    ("@",),
)
URL = Rule(
    "URL",
    "url",
    r"(?i)(?<![\w@.])(?:(?:https?|ftp)://[^\s<>\"\ue000]{1,300}[^\s<>\"\ue000.,;:!?)\]]|"
    r"www\.[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,5}(?:/[^\s<>\"\ue000]{0,200}[^\s<>\"\ue000.,;:!?)\]])?|"
    r"[a-z0-9-]{2,63}(?:\.[a-z0-9-]{1,63}){0,3}\.(?:com|org|net|edu|gov|nhs\.uk|ac\.uk|co\.uk|org\.uk|info|io|health)"
    r"(?![\w-])(?:/[^\s<>\"\ue000]{0,200}[^\s<>\"\ue000.,;:!?)\]])?)",
    ("://", "www.", ".com", ".org", ".net", ".edu", ".gov", ".uk", ".info", ".io", ".health"),
)
IP = Rule(
    "IP",
    "ip",
    r"(?<![\w.-])(?P<label>(?i:ip(?:v4)?(?: address)?|host|server|address)[ :=]{1,3})?"
    r"(?P<what>(?P<ip>\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})(?::\d{2,5})?)(?![\w]|\.\d)",
    check=_octets,
)
IPV6 = Rule(
    "IP",
    "ip",
    r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:){4,7}[0-9A-Fa-f]{1,4}(?![\w:])|"
    r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:){1,6}(?::[0-9A-Fa-f]{1,4}){1,6}(?![\w:])",
)
MAC = Rule("IP", "mac", r"(?<![\w:-])(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}(?![\w:-])")
SSN = Rule(
    "SSN",
    "ssn",
    r"(?<![\w-])(?!000|666)\d{3}-\d{2}-\d{4}(?![\w-])",
)
SSN_SPACED = Rule("SSN", "ssn_spaced", r"(?<![\w-])(?<!\d )(?!000|666)\d{3} \d{2} \d{4}(?![\w-]| \d)")
SSN_LABELLED = Rule(
    "SSN",
    "ssn_labelled",
    r"(?i)(?<!\w)(?:ssn?|social security(?: number| no\.?| #)?|soc\.? sec\.?)(?![a-z])"
    r"[^\n\d]{0,28}?(?P<what>(?:[x*]{3}[- ]?[x*]{2}[- ]?)?\d{4}(?!\d)|\d{3}[- ]?\d{2}[- ]?\d{4}(?!\d))",
    ("ss", "soc"),
)
SSN_HIDDEN = Rule("SSN", "ssn_hidden", r"(?<![\w*])(?:[xX]{3}-?[xX]{2}|\*{3}-?\*{2})-?\d{4}(?!\w)")
CARD = Rule(
    "ACCOUNT", "card", r"(?<![\w.-])[3-6]\d{3}(?:[ -]?\d{2,6}){2,4}\d(?![\w-]|\.\d)", check=_not_card_like_range
)

MRN = _labelled(
    "MRN",
    "mrn",
    r"mrn|m\.r\.n\.|mr ?#|mr no|medical rec(?:ord)?s?|med(?:ical)?\.? rec\.?|unit (?:no|number|record)|chart(?= ?(?:#|no|num|id))|"
    r"hosp(?:ital)?\.? (?=no|num|id|#)|patient (?=no|num|id|#)|pt\.? (?=no|num|id|#)|record (?=no|num|#|id)|epic id|emr id|emrn|"
    r"p(?:atien)?t identifier|case notes?(?= ?(?:no|num|#))|local (?:id|identifier)",
    ("mr", "rec", "unit", "chart", "hosp", "patient", "pt", "epic", "case note", "local"),
)
PLAN = _labelled(
    "PLAN",
    "plan",
    r"(?:health )?plan (?=id|no|num|#|ben)(?:beneficiary)?|beneficiary|member(?:ship)?(?= ?(?:id|no|num|#|:))|subscriber|"
    r"policy(?= ?(?:id|no|num|#|:|holder))|insurance(?= ?(?:id|no|num|#|policy))(?: policy)?|group (?=no|num|#|id)|medicare(?= ?(?:id|no|num|#|:))|"
    r"medicaid(?= ?(?:id|no|num|#|:))|hicn|mbi|payer id|ins\.? id|hpbn|rx ?bin|rx ?grp|(?:bcbs|aetna|cigna|humana|uhc|kaiser)(?= ?(?:id|no|num|#|member|policy))(?: member| policy)?",
    ("plan", "benef", "member", "subscr", "policy", "insur", "group", "medica", "hicn", "mbi", "payer", "ins", "hpbn",
     "rx", "bcbs", "aetna", "cigna", "humana", "uhc", "kaiser"),
)  # fmt: skip
ACCOUNT = _labelled(
    "ACCOUNT",
    "account",
    r"acct|account(?= ?(?:id|no|num|#|:|\d))|a/c|csn|fin(?= ?(?:id|no|num|#|:|\d))|har(?= ?(?:id|no|num|#|:|\d))|"
    r"visit(?= ?(?:id|no\b|num|#))|encounter(?= ?(?:id|no\b|num|#))|enc(?= ?(?:id|no\b|#))|invoice|guarantor(?= ?(?:id|no|#))|"
    r"billing(?= ?(?:id|no|num|#))|bank account|iban|claim(?= ?(?:id|no\b|num|#))|admission(?= ?(?:id|no\b|num|#))",
    (
        "acc",
        "a/c",
        "csn",
        "fin",
        "har",
        "visit",
        "enc",
        "invoice",
        "guarantor",
        "billing",
        "iban",
        "claim",
        "admission",
    ),
)
LICENSE = _labelled(
    "LICENSE",
    "license",
    r"(?:driver'?s?|medical|state|nursing|professional|rn|md|physician)?[ ]?licen[sc]e|lic|npi|dea|d\.?l\.?(?= ?(?:no|num|#))|driver|"
    r"passport|certificate(?= ?(?:no|num|#))|cert(?= ?(?:no|num|#))|gmc|nmc|hcpc|upin|pin number|registration(?= ?(?:no|num|#))",
    ("licen", "lic", "npi", "dea", "dl", "d.l", "driver", "passport", "cert", "gmc", "nmc", "hcpc", "upin", "pin", "registration"),
)  # fmt: skip
VEHICLE = _labelled(
    "VEHICLE",
    "vehicle",
    r"vin|vehicle(?: id| identification| reg(?:istration)?)?|(?:licen[sc]e |number |vehicle )?plates?|reg(?:istration)? plate|car reg(?:istration)?|tag(?= ?(?:no|num|#))",
    ("vin", "vehicle", "plate", "car reg", "tag"),
)
DEVICE = _labelled(
    "DEVICE",
    "device",
    r"serial|s/n|sn|udi|device(?= ?(?:id|no|num|#|serial|identifier|:))(?: serial)?|model(?= ?(?:no\b|num|#))|lot(?= ?(?:no\b|num|#|:))|"
    r"implant(?= ?(?:id|no\b|num|#|serial))(?: serial)?|pacemaker(?= ?(?:id|no\b|num|#|serial|sn))(?: serial| sn)?|imei|asset(?= ?(?:id|tag|no|#))(?: tag)?",
    ("serial", "s/n", "sn", "udi", "device", "model", "lot", "implant", "pacemaker", "imei", "asset"),
)
UDI = Rule("DEVICE", "udi", r"\(01\)\d{14}(?:\(\d{2}\)[A-Za-z0-9-]{1,20}){0,5}", ("(01)",))
PHOTO = Rule(
    "PHOTO",
    "photo",
    r"(?i)(?<!\w)(?:img|dsc|dcim|photo|pic|image|scan)[_-]?\d{2,12}(?:[_-]\w{1,20})?\.(?:jpe?g|png|heic|gif|tiff?|bmp|dcm)(?!\w)|"
    r"(?<![\w/])[\w-]{1,60}\.(?:jpe?g|png|heic|gif|tiff?|bmp|dcm)(?!\w)",
    (".jp", ".png", ".heic", ".gif", ".tif", ".bmp", ".dcm"),
)
OTHER = _labelled(
    "ID",
    "other",
    r"accession|acc(?= ?(?:no|num|#))|job|dictation|doc(?:ument)?(?= ?(?:id|no\b|num|#))|study(?= ?(?:id|no\b|num|#|key|:))(?: key)?|specimen(?= ?(?:id|no\b|num|#))|"
    r"order(?= ?(?:id|no\b|num|#))|ref(?:erence)?(?= ?(?:id|no\b|num|#|:))|confirmation(?= ?(?:id|no\b|num|#|code))|protocol(?= ?(?:id|no\b|num|#))|"
    r"subject(?= ?(?:id|no\b|num|#))|biometric(?: id)?|fingerprint(?: id)?|retina(?:l)? scan(?: id)?|iris(?: id)?|voice ?print(?: id)?|face ?(?:id|print)|"
    r"employee(?= ?(?:id|no\b|num|#))|badge|staff(?= ?(?:id|no\b|num|#))|user(?= ?(?:id|name))(?:name)?|case(?= ?(?:id|no\b|num|#))|trial(?= ?(?:id|no\b|num|#))|"
    r"tracking(?= ?(?:id|no\b|num|#))|path(?:ology)?(?= ?(?:no\b|num|#))|lab(?= ?(?:id|no\b|num|#))|slide(?= ?(?:id|no\b|num|#))|"
    r"donor(?= ?(?:id|no\b|num|#))|prescription(?= ?(?:id|no\b|num|#))|rx(?= ?(?:no\b|num|#))|referral(?= ?(?:id|no\b|num|#))|d(?= ?:)|t(?= ?:)|id(?= ?(?:no\b|num|#|:))|(?:unique )?identifier",
    ("acc", "job", "dict", "doc", "study", "specimen", "order", "ref", "confirm", "protocol", "subject", "biometric",
     "finger", "retina", "iris", "print", "face", "employee", "badge", "staff", "user", "case", "trial", "tracking",
     "path", "lab", "slide", "donor", "prescr", "rx", "d:", "t:", "id", "identifier"),
)  # fmt: skip
# Letters glued to digits (`MRN133202`, `HPBN503731`, `ACCT41599-7`) name their own kind.
GLUED = (
    Rule("MRN", "mrn_glued", r"(?i)(?<![\w-])(?:mrn|mr)[-_]?\d{5,12}(?:-\d{1,4})?(?!\w)", ("mr",)),
    Rule("PLAN", "plan_glued", r"(?i)(?<![\w-])(?:hpbn|mbi|mem|pol|ins|bcbs|grp)[-_]?\d{5,14}(?:-\d{1,4})?(?!\w)",
         ("hpbn", "mbi", "mem", "pol", "ins", "bcbs", "grp")),
    Rule("ACCOUNT", "account_glued", r"(?i)(?<![\w-])(?:acct|acc|act|csn|fin|vis|har)[-_]?\d{5,14}(?:-\d{1,4})?(?!\w)",
         ("acct", "acc", "act", "csn", "fin", "vis", "har")),
    Rule("VEHICLE", "vin_glued", r"(?<![\w-])VIN[-_]?[A-Z0-9]{6,17}(?!\w)", ("vin",)),
    Rule("VEHICLE", "vin", r"(?<![\w-])(?=[A-Z]{0,16}\d)(?=\d{0,16}[A-Z])[A-HJ-NPR-Z0-9]{11}\d{6}(?![\w-])"),
)  # fmt: skip

CONTACTS = (EMAIL, IP, IPV6, MAC, SSN, SSN_HIDDEN, SSN_LABELLED, CARD)
IDENTIFIERS = (
    URL, SSN_SPACED, MRN, PLAN, ACCOUNT, LICENSE, VEHICLE, DEVICE, UDI, PHOTO, OTHER, *GLUED,
)  # fmt: skip
