"""Licences as PMC names them: CC0, CC BY, CC BY-SA, CC BY-ND, CC BY-NC, CC BY-NC-SA, CC BY-NC-ND, TDM."""

import re

# What PMC's own groups hold: its oa_comm, its oa_noncomm, its author manuscripts (for mining and fair use alone),
# and articles under their publisher's own terms.
COMMERCIAL = ("CC0", "CC BY", "CC BY-SA", "CC BY-ND")
NONCOMMERCIAL = ("CC BY-NC", "CC BY-NC-SA", "CC BY-NC-ND")
MANUSCRIPTS = ("TDM",)
OTHER = ("none",)
CODES = (*COMMERCIAL, *NONCOMMERCIAL, *MANUSCRIPTS)  # from what permits most to what permits least

_URL = re.compile(
    r"creativecommons\.org/(?:licen[sc]es?/(?:CC-)?(by(?:-nc)?(?:-(?:sa|nd))?)\b|publicdomain/(zero))", re.I
)
_CODE = re.compile(r"\bCC[\s_-]*(?:(0|Zero)\b|(BY(?:[\s_-]*NC)?(?:[\s_-]*(?:SA|ND))?)(?![a-z]))", re.I)
_PROSE = re.compile(
    r"creative[\s-]?commons?\W+(?:licen[sc]e\W+)?\(?(?:(?:public domain|CC0|zero)|(attribution|by\b)"
    r"(?P<rest>(?:[\s,\-–—]*(?:non[\s-]?commercial|no[\s-]?deriv\w*(?: works)?|share[\s-]?alike|and|nc|nd|sa)\b)*))",
    re.I,
)


def _code(parts: str) -> str:
    letters = re.sub(r"[^a-z]", "", parts.lower())
    code = "CC BY"
    if "nc" in letters:
        code += "-NC"
    if letters.endswith("sa"):
        code += "-SA"
    elif letters.endswith("nd"):
        code += "-ND"
    return code


def named(text: str) -> str | None:
    """The licence that a code, an address or a sentence names; None when it names none."""
    if found := _URL.search(text):
        return "CC0" if found.group(2) else _code(found.group(1))
    if text.strip().upper() == "TDM":
        return "TDM"
    if found := _PROSE.search(text):
        if not found.group(1):
            return "CC0"
        rest = found.group("rest").lower()
        code = "CC BY"
        if re.search(r"non[\s-]?commercial|\bnc\b", rest):
            code += "-NC"
        if re.search(r"share[\s-]?alike|\bsa\b", rest):
            code += "-SA"
        elif re.search(r"no[\s-]?deriv|\bnd\b", rest):
            code += "-ND"
        return code
    if found := _CODE.search(text):
        return "CC0" if found.group(1) else _code(found.group(2))
    if re.search(r"creativeCommonsBy", text):
        return _code(text.split("creativeCommons")[1])
    return None


def strictest(codes: list[str]) -> str | None:
    """Of several licences on one article, the one that forbids most."""
    return max(codes, key=CODES.index) if codes else None
