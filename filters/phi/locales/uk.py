# ruff: noqa: E501 (a pattern reads better whole)
"""United Kingdom: Ofcom phone numbers, postcodes, NHS and CHI numbers, day before month."""

import regex

from filters.phi.locales import Locale
from filters.phi.rules import NUMBERS, Rule

COUNTIES = (
    "England", "Scotland", "Wales", "Northern Ireland", "Bedfordshire", "Berkshire", "Buckinghamshire",
    "Cambridgeshire", "Cheshire", "Cornwall", "Cumbria", "Derbyshire", "Devon", "Dorset", "Durham", "Essex",
    "Gloucestershire", "Greater London", "Greater Manchester", "Hampshire", "Herefordshire", "Hertfordshire", "Kent",
    "Lancashire", "Leicestershire", "Lincolnshire", "Merseyside", "Norfolk", "Northamptonshire", "Northumberland",
    "Nottinghamshire", "Oxfordshire", "Rutland", "Shropshire", "Somerset", "Staffordshire", "Suffolk", "Surrey",
    "Sussex", "East Sussex", "West Sussex", "Tyne and Wear", "Warwickshire", "West Midlands", "Wiltshire",
    "Worcestershire", "Yorkshire", "North Yorkshire", "South Yorkshire", "West Yorkshire", "Fife", "Gwent", "Dyfed",
)  # fmt: skip


def _nhs(match: "regex.Match[str]") -> bool:
    """NHS numbers end in a check digit, modulus 11 (NHS Data Dictionary)."""
    if match["label"]:
        return True
    digits = [int(char) for char in match["what"] if char.isdigit()]
    check = 11 - sum(digit * weight for digit, weight in zip(digits, range(10, 1, -1), strict=False)) % 11
    return check % 11 == digits[9] and check != 10


_REST = r"(?:[ -]?\d{3,4}[ -]?\d{3,4}|[ -]?\d{6}|[ -]?\d{5})"

LOCALE = Locale(
    name="uk",
    day_first=True,
    phones=(
        Rule("PHONE", "uk_phone", rf"(?<![\w.-])(?:(?:\+|00)44[ -]?(?:\(0\)[ -]?)?\d{{2,5}}|\(0\d{{2,5}}\)|0\d{{2,5}}){_REST}(?:[ ,]{{0,2}}(?i:x|ext\.?|extension)[ .:]{{0,2}}\d{{1,6}})?(?![\w-]|\.\d)", NUMBERS),
    ),
    strict_phones=(
        Rule("PHONE", "uk_phone", rf"(?<![\w.-])(?:\+|00)44[ -]?(?:\(0\)[ -]?)?\d{{2,5}}{_REST}(?![\w-]|\.\d)", ("+44", "0044")),
    ),
    identifiers=(
        Rule("MRN", "nhs", r"(?<![\w.-])(?P<label>(?i:nhs|chi|h&c|hcn|health and care)(?i:[ ](?:number|no\.?|id))?[ :#]{1,4})?(?P<what>\d{3}[ -]\d{3}[ -]\d{4}|(?(label)\d{10}|(?!)))(?![\w-]|\.\d)", NUMBERS, check=_nhs),
        Rule("SSN", "nino", r"(?<!\w)(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D](?!\w)", regex.compile(r"[0-9]{2} ?[0-9]{2} ?[0-9]{2}"), (4, 16)),
        Rule("VEHICLE", "uk_plate", r"(?<![\w-])[A-HJ-PR-Y][A-HJ-PR-Y]\d{2} [A-HJ-PR-Z]{3}(?![\w-])", regex.compile(r"[A-Z][0-9]{2} [A-Z]{3}"), (4, 8)),
        Rule("VEHICLE", "uk_plate_labelled", r"(?i)(?<!\w)(?:reg(?:istration)?|plate|vehicle|car)[ :#]{1,3}(?:is |no\.? |number )?(?P<what>[A-Z]{2}\d{2} ?[A-Z]{3})(?!\w)", ("reg", "plate", "vehicle", "car")),
    ),
    places=(
        Rule("ZIP", "uk_postcode", r"(?<![\w-])(?:[A-PR-UWYZ][A-HK-Y]?\d[\dA-HJKMNP-Y]?[ ]{1,2}\d[ABD-HJLNP-UW-Z]{2}|GIR 0AA)(?![\w-])", regex.compile(r" \d[A-Z]{2}"), (6, 6)),
        Rule("ZIP", "uk_postcode_glued", r"(?i)(?<!\w)(?:post ?code)[ :]{1,3}(?P<what>[A-Z]{1,2}\d[A-Z\d]?[ ]?\d[A-Z]{2})(?!\w)", ("post",)),
    ),
    regions=COUNTIES,
    kept=("England", "Scotland", "Wales", "Northern Ireland"),
)  # fmt: skip
