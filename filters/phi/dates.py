# ruff: noqa: E501 (a pattern reads better whole)
"""Dates: every element but the year is telling (HIPAA Safe Harbor, 45 CFR 164.514(b)(2)(i)(C)), and ages over 89.

Times of day are not dates. A day and month without a year (`3/12`) looks like a fraction, a
score or a strength, so it needs a word before it that dates have.
"""

import calendar
import datetime

import regex

from filters.phi.rules import NUMBERS, Rule

MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_name) if name}
_ABBREVIATED = {name[:3]: number for name, number in MONTHS.items()} | {"sept": 9}
MONTH = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December|"
    r"JANUARY|FEBRUARY|MARCH|APRIL|MAY|JUNE|JULY|AUGUST|SEPTEMBER|OCTOBER|NOVEMBER|DECEMBER|"
    r"january|february|march|april|june|july|august|september|october|november|december|"
    r"(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec|JAN|FEB|MAR|APR|JUN|JUL|AUG|SEPT|SEP|OCT|NOV|DEC)\b\.?)"
)
_DAY = r"(?:3[01]|[12]\d|0?[1-9])"
_YEAR = r"(?:19|20|21)\d{2}"
_WEEKDAY = r"(?:(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?\.?,? )"
_ORDINAL = r"(?:st|nd|rd|th)?"
_NEAR = regex.compile(
    r"\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC|"
    r"january|february|march|april|june|july|august|september|october|november|december|"
    r"(?<=\d[ -])(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec))"
)
_NUMERIC = regex.compile(r"\d ?[/-] ?\d|\d\.\d{1,2}\.\d|\d \d\d? \d")
_OLD = regex.compile(r"(?<!\d)(?:9\d|1[012]\d)(?!\d)")
_CUE = (
    r"(?i:\b(?:on|since|from|until|till|til|by|before|after|dated?|thru|through|between|of|as of|starting|effective|"
    r"beginning|ending|started|stopped|seen|admitted|discharged|transferred|return(?:ed|s|ing)?|due|last|next|scheduled|for|"
    r"repeat(?:ed)?|performed|done|drawn|taken|obtained|received|visit|appointment|appt|appointments|f/u|fu|follow[- ]?up|"
    r"surgery|echo|cxr|mri|ct|ekg|ecg|xray|x-ray|cath|labs?|culture[sd]?|dob|d\.o\.b\.|born|lmp|edd|edc|expires?|exp|"
    r"admission|discharge|dos|doa|dod|date|week of|called|today|yesterday|tomorrow|monday|tuesday|wednesday|thursday|friday|"
    r"saturday|sunday|mon|tue|wed|thu|fri|sat|sun)\b[:, (]{0,3}(?:the )?)"
)


def _plausible(match: "regex.Match[str]") -> bool:
    first, second = int(match["a"]), int(match["b"])
    return 1 <= min(first, second) <= 12 and 1 <= max(first, second) <= 31


def _plausible_short(match: "regex.Match[str]") -> bool:
    first, second = int(match["a"]), int(match["b"])
    if not 1 <= first <= 31 or second == 0:
        return False
    if second == 5 and first <= 5 and match[0].lower().startswith(("of", "for", "by")):
        return False  # strength, of five
    return (first <= 12 and (second <= 31 or second >= 40)) or (second <= 12)


_NOT_AFTER = r"(?![\w/%]|[.,-]\d|[ ]?(?i:mg|ml|cc|mm|cm|strength|sem\b|systolic|murmur|reflex|bilat|throughout|pain|months?|weeks?|days?|hours?|in all|power|pulses|vision|scale|points?|tabs?|tablets?|liters?|lbs?|inch|\"|dose|normal saline|ns\b))"

NUMERIC = Rule(
    "DATE",
    "date_numeric",
    rf"(?<![\w/.-])(?:{_WEEKDAY})?(?P<a>\d{{1,2}})(?P<s>[/-])(?P<b>\d{{1,2}})(?P=s)(?:{_YEAR}|'?\d{{2}})(?![\w/]|[.-]\d)|"
    rf"(?<![\w/.-])(?P<a>\d{{1,2}})(?P<s>[. ]|[ ]?/[ ]?)(?P<b>\d{{1,2}})(?P=s){_YEAR}(?![\w/]|[.-]\d)",
    _NUMERIC,
    (20, 24),
    check=_plausible,
)
ISO = Rule(
    "DATE",
    "date_iso",
    rf"(?<![\w/.-]){_YEAR}(?P<s>[-/.])(?:1[0-2]|0?[1-9])(?P=s){_DAY}(?=T\d\d:|(?![\w/]|[.-]\d))",
    NUMBERS,
)
DIGITS = Rule(
    "DATE",
    "date_digits",
    r"(?<![\w/.-])(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?![\w/]|[.-]\d)",
    NUMBERS,
)
DIGITS_LABELLED = Rule(
    "DATE",
    "date_digits_labelled",
    r"(?i)(?<!\w)(?:dob|d\.o\.b\.?|date(?: of \w{1,12})?|born)[ :]{1,3}(?P<what>\d{8}|\d{6})(?!\w)",
    ("dob", "d.o.b", "date", "born"),
)
MONTH_DAY = Rule(
    "DATE",
    "date_month_day",
    rf"(?<![\w/.]){_WEEKDAY}?{MONTH}[ -]{{1,2}}{_DAY}{_ORDINAL}(?:[ ]?(?:-|–|to|and|through|thru|or)[ ]?(?:{MONTH} )?{_DAY}{_ORDINAL})?"
    rf"(?:[ ,-]{{1,3}}(?:of )?(?:{_YEAR}|'\d\d)|-\d\d)?(?![\w/%]|\.\d|[ ]?(?i:mg|ml|cc|mcg|units|%))",
    _NEAR,
)
DAY_MONTH = Rule(
    "DATE",
    "date_day_month",
    rf"(?<![\w/.]){_WEEKDAY}?(?:the )?{_DAY}{_ORDINAL}(?:[ ]?(?:-|–|to|and)[ ]?{_DAY}{_ORDINAL})?(?:[ -]|[ ]of[ ])(?i:{MONTH})"
    rf"(?:[ ,-]{{1,2}}(?:of )?(?:{_YEAR}|'?\d\d(?![\d:/])))?(?![\w/])",
    _NEAR,
)
MONTH_YEAR = Rule(
    "DATE",
    "date_month_year",
    rf"(?<![\w/.])(?:(?i:{MONTH})(?:[ ,]{{1,2}}|[ ]?[-/][ ]?)(?:of )?(?:{_YEAR}|'\d\d)|{MONTH}-\d\d)(?![\w/])",
    _NEAR,
)
MONTH_ALONE = Rule(
    "DATE",
    "date_month",
    r"(?<!\w)(?:(?i:in|since|last|until|till|this|next|early|late|mid|of|by|from|during|before|after|around|between|and|through|to)[ -](?:early |late |mid[- ])?)"
    r"(?P<what>January|February|March|April|June|July|August|September|October|November|December|May(?= (?:of|and|when|she|he|the|for|with|to\b|or\b|was)|[.,;)\n])|(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)(?=[.,;)\n]|$))(?![\w-])",
    _NEAR,
)
MONTH_NUMBER_YEAR = Rule("DATE", "date_mm_yyyy", rf"(?<![\w/.-])(?:1[0-2]|0?[1-9])[/-]{_YEAR}(?![\w/]|[.-]\d)", NUMBERS)
SHORT = Rule(
    "DATE",
    "date_short",
    rf"(?:{_CUE}|(?<=\n|^)[ \t*-]{{0,4}})(?P<what>(?P<a>\d{{1,2}})/(?P<b>\d{{1,2}})(?:[ ]?(?:-|–|to|and|&|through|thru|,)[ ]?\d{{1,2}}/\d{{1,2}}(?!\d|/))?){_NOT_AFTER}",
    ("/",),
    (40, 30),
    check=_plausible_short,
)
SHORT_MORE = Rule(
    "DATE",
    "date_short_range",
    rf"(?<![\w/.-])(?P<what>(?P<a>\d{{1,2}})/(?P<b>\d{{2}})[ ]?(?:-|–)[ ]?\d{{1,2}}/\d{{2}}){_NOT_AFTER}",
    ("/",),
    (40, 30),
    check=_plausible_short,
)
HOLIDAY = Rule(
    "DATE",
    "holiday",
    r"(?<!\w)(?:Christmas(?: Eve| Day)?(?! (?:disease|factor|tree))|Thanksgiving(?: Day)?|New Year'?s(?: Eve| Day)?|Easter(?: Sunday| Monday)?|"
    r"Independence Day|Fourth of July|4th of July|July 4th|Labor Day|Memorial Day|Veterans'? Day|Halloween|Valentine'?s Day|"
    r"Mother'?s Day|Father'?s Day|Boxing Day|Bank Holiday|Good Friday|Hanukkah|Passover|Ramadan|Diwali|Yom Kippur|Rosh Hashanah|"
    r"St\.? Patrick'?s Day|Columbus Day|Presidents'? Day|Martin Luther King(?: Jr\.?)? Day|MLK Day|Groundhog Day|Cinco de Mayo|Juneteenth)(?!\w)",
    ("christmas", "thanksg", "new year", "easter", " day", "july", "hallow", "holiday", "friday", "hanuk", "passover",
     "ramadan", "diwali", "kippur", "hashanah", "mayo", "juneteenth"),
    (24, 24),
)  # fmt: skip
DATES = (
    NUMERIC, ISO, DIGITS, DIGITS_LABELLED, MONTH_DAY, DAY_MONTH, MONTH_YEAR, MONTH_ALONE, MONTH_NUMBER_YEAR, SHORT,
    SHORT_MORE, HOLIDAY,
)  # fmt: skip

_OVER_89 = r"(?:9\d|1[01]\d|12[0-5])"
AGES = (
    Rule("AGE", "age", rf"(?<![\w./+-])(?P<what>{_OVER_89})(?=[ -]{{0,2}}(?i:years?|yrs?|y\.? ?o\b|y/o|yo\b|yof\b|yom\b|year-?old)|[ ]?-?[MF]\b(?![.-]))", _OLD, (16, 16)),
    Rule("AGE", "age_labelled", rf"(?i)(?<!\w)(?:aged?|age is|age of|turn(?:ed|s|ing))[ :]{{1,3}}(?P<what>{_OVER_89}\+?)(?!\w|[.,]\d|%|/|[ ]?(?:°|degrees?|percent))", _OLD, (16, 16)),
    Rule("AGE", "age_decade", r"(?<=(?i:his|her|their)[ -](?:(?i:mid|late|early)[ -])?)(?P<what>9\d|1[01]\d)'?s(?!\w)", _OLD, (24, 8)),
    Rule("AGE", "age_words", r"(?i)(?<!\w)(?P<what>ninety(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?|(?:one |a )?hundred(?:[- ]and)?[- ](?:one|two|three|four|five|six))(?=[- ]years?(?:[- ]old)?)", ("ninety", "hundred"), (8, 48)),
)  # fmt: skip

_TEXTUAL = regex.compile(r"[A-Za-z]{3,9}")
_NUMBER = regex.compile(r"\d+")


def year_of(text: str) -> str | None:
    """The four-digit year in a date's text, if exactly one stands there."""
    found: set[str] = set(regex.findall(r"(?<!\d)(?:19|20|21)\d{2}(?=\D|$|(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])$)", text))
    return found.pop() if len(found) == 1 else None


def shifted(text: str, days: int, day_first: bool) -> str | None:
    """The same date `days` later in the same layout; None when the text is not one whole date.

    Without a year the shift is done in 2001 (no leap day); a month alone counts as its 15th.
    """
    if regex.fullmatch(r"(?:19|20)\d{6}", text):
        whole = shifted(f"{text[:4]}-{text[4:6]}-{text[6:]}", days, day_first)
        return whole.replace("-", "") if whole else None
    month_word = next((word for word in _TEXTUAL.findall(text) if _month(word)), None)
    numbers = [(found.start(), found.end(), found[0]) for found in _NUMBER.finditer(text)]
    roles = _roles([number for _, _, number in numbers], month_word is not None, day_first)
    if roles is None:
        return None
    values = {role: int(number) for role, (_, _, number) in zip(roles, numbers, strict=True)}
    if month_word is not None:
        values["m"] = _month(month_word)
    if "m" not in values:
        return None
    year = values.get("y", 2001)
    century = 2000 if year < 40 else 1900
    try:
        moved = datetime.date(
            year if year > 99 else century + year, values["m"], values.get("d", 15)
        ) + datetime.timedelta(days)
    except (ValueError, OverflowError):
        return None
    fresh = {"y": moved.year, "m": moved.month, "d": moved.day}
    padded = any(number[0] == "0" for _, _, number in numbers) or len(numbers[0][2]) == 4 if numbers else False
    out, at = [], 0
    for role, (start, end, number) in zip(roles, numbers, strict=True):
        value = str(fresh[role])
        if role == "y":
            value = value[-2:] if len(number) == 2 else value
        elif padded:
            value = value.zfill(2)
        out += [text[at:start], value]
        at = end
    moved_text = "".join([*out, text[at:]])
    if month_word is not None:
        name = calendar.month_name[moved.month]
        name = name if len(month_word) > 4 or month_word.lower() in MONTHS else name[:3]
        moved_text = moved_text.replace(month_word, name.upper() if month_word.isupper() else name, 1)
    suffix = _suffix(moved.day)
    return str(regex.sub(r"(?<=\d)(?:st|nd|rd|th)\b", suffix, moved_text))


def _suffix(day: int) -> str:
    return "th" if 10 <= day % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _month(word: str) -> int:
    return MONTHS.get(word.lower()) or _ABBREVIATED.get(word.lower(), 0)


def _roles(numbers: list[str], has_month: bool, day_first: bool) -> str | None:
    shape = "".join(str(len(number)) if len(number) in (4, 8) else "n" for number in numbers)
    if has_month:
        return {"": "", "n": "d", "4": "y", "n4": "dy", "nn": "dy", "4n": "yd"}.get(shape)
    if shape in ("nn4", "nnn"):
        first, second = int(numbers[0]), int(numbers[1])
        swapped = day_first if max(first, second) <= 12 else first > 12
        return "dmy" if swapped else "mdy"
    if shape == "nn":
        first, second = int(numbers[0]), int(numbers[1])
        if second > 31:
            return "my"
        return "dm" if (day_first if max(first, second) <= 12 else first > 12) else "md"
    return {"4nn": "ymd", "n4": "my"}.get(shape)
