# ruff: noqa: E501 (a pattern reads better whole)
"""United States: NANP phones, ZIP codes, states, month before day."""

import regex

from filters.phi.locales import Locale
from filters.phi.rules import NUMBERS, Rule

STATES = (
    "Alabama", "Alaska", "Arizona", "Arkansas", "California", "Colorado", "Connecticut", "Delaware", "Florida",
    "Georgia", "Hawaii", "Idaho", "Illinois", "Indiana", "Iowa", "Kansas", "Kentucky", "Louisiana", "Maine",
    "Maryland", "Massachusetts", "Michigan", "Minnesota", "Mississippi", "Missouri", "Montana", "Nebraska", "Nevada",
    "New Hampshire", "New Jersey", "New Mexico", "New York", "North Carolina", "North Dakota", "Ohio", "Oklahoma",
    "Oregon", "Pennsylvania", "Rhode Island", "South Carolina", "South Dakota", "Tennessee", "Texas", "Utah",
    "Vermont", "Virginia", "Washington", "West Virginia", "Wisconsin", "Wyoming", "District of Columbia", "Puerto Rico",
)  # fmt: skip
CODES = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|OR|"
    "PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|DC|PR|VI|GU|AS|MP|FM|MH|PW|AA|AE|AP"
)

# An area code with its sign, then three and four digits with a sign between them.
STRICT = regex.compile(r"[0-9][-.)] ?[0-9]{3}[-.][0-9]{4}")
_EXTENSION = r"(?:[ ,]{0,2}(?i:x|ext\.?|extension)[ .:]{0,2}\d{1,6})?"
_NANP = rf"(?:\+?1[-. ]?)?(?:\([2-9]\d\d\)[ -]?|[2-9]\d\d[-.])[2-9]\d\d[-.]\d{{4}}{_EXTENSION}"
_LOOSE = rf"(?:\+?1[-. ]?)?(?:\(\d{{3}}\)[ -]{{0,2}}|\d{{3}}[-. /]{{1,2}})\d{{3}}[-. ]\d{{4}}{_EXTENSION}"

LOCALE = Locale(
    name="us",
    day_first=False,
    phones=(
        Rule("PHONE", "us_phone", rf"(?<![\w.-])(?<!\d/)(?:\+1)?{_LOOSE}(?![\w-]|\.\d)", NUMBERS),
        Rule("PHONE", "us_local_phone", r"(?<![\w.-])(?<!\d[/ ])[2-9]\d{2}-\d{4}(?:[ ]?(?i:x|ext\.?)[ ]?\d{1,6})?(?!\w|[-.]\d|[ ]?(?i:mg|ml|cc|mcg|units|g\b|k\b))", NUMBERS),
    ),
    strict_phones=(Rule("PHONE", "us_phone", rf"(?<![\w.-]){_NANP}(?![\w-]|\.\d)", STRICT),),
    identifiers=(
        Rule("PLAN", "medicare", r"(?<![\w-])[1-9][AC-HJ-NP-RT-Y][AC-HJ-NP-RT-Y0-9]\d-?[AC-HJ-NP-RT-Y][AC-HJ-NP-RT-Y0-9]\d-?[AC-HJ-NP-RT-Y]{2}\d{2}(?![\w-])", regex.compile(r"\d[A-Z][A-Z0-9]\d"), (4, 16)),
        Rule("LICENSE", "dea", r"(?<!\w)[ABFGMPR][A-Z9]\d{7}(?!\w)", NUMBERS),
    ),
    places=(
        Rule("ZIP", "us_zip_labelled", r"(?i)(?<!\w)(?:zip|zip ?code|postal code)[ :#]{1,4}(?P<what>\d{5}(?:-\d{4})?)(?![\w-])", ("zip", "postal")),
        Rule("ZIP", "us_zip4", r"(?<![\w-])\d{5}-\d{4}(?![\w-])", NUMBERS),
    ),
    regions=(*STATES, *CODES.split("|")),
    kept=(*STATES, *CODES.split("|")),
)  # fmt: skip
