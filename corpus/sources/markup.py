"""XML of publishers: parsing without a network or a DTD, and the text of inline markup.

What every XML source shares: named entities that only a DTD would know, namespaces, whitespace,
and what becomes of superscripts and subscripts in plain text.
"""

import html
import re

from lxml import etree

NAMESPACES = {
    "mml": "http://www.w3.org/1998/Math/MathML",
    "xlink": "http://www.w3.org/1999/xlink",
    "ali": "http://www.niso.org/schemas/ali/1.0/",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
}
LANG = "{http://www.w3.org/XML/1998/namespace}lang"

_ENTITY = re.compile(rb"&([A-Za-z][A-Za-z0-9.]*);")
_FOREIGN = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos);)[A-Za-z]")
_OWN = {b"amp", b"lt", b"gt", b"quot", b"apos"}
_DECLARED = re.compile(rb"""<!ENTITY\s+([\w.-]+)\s+(?:"([^"]*)"|'([^']*)')\s*>""")
_SUBSET = re.compile(rb"<!DOCTYPE[^\[>]*\[(?:[^\]\"'<]|\"[^\"]*\"|'[^']*'|<!--.*?-->|<)*\]\s*>", re.S)
_UNBOUND = re.compile(rb"<([A-Za-z][\w.-]*)((?:\s[^<>]*?)?)(/?)>")


class Malformed(ValueError):
    """XML that is not well-formed: the parser's rule and the line, never the text."""


class _Locals(dict[object, str]):
    """Tag -> name without its namespace; comments and the like have the name ""."""

    def __missing__(self, tag: object) -> str:
        name = tag.rpartition("}")[2] if isinstance(tag, str) else ""
        self[tag] = name
        return name


LOCAL = _Locals()


def _parser(collect_ids: bool) -> etree.XMLParser:
    # no network and no DTD: publishers' DTDs are hundreds of files, and hosts in XML are not ours to ask
    return etree.XMLParser(
        remove_comments=True,
        remove_pis=True,
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=True,
        collect_ids=collect_ids,
    )


_PARSER = _parser(collect_ids=True)
# Without a table of ids a small record takes a fifth less time; but lxml 6.1 then looks for the DTD that a
# DOCTYPE names, whatever load_dtd says, so this one is for text that begins with its root element.
_BARE = _parser(collect_ids=False)


def _expand(data: bytes) -> bytes:
    """Named entities as characters: those of the internal DTD subset, then HTML's (which hold ISO's)."""
    declared: dict[bytes, bytes] = {}
    if b"<!ENTITY" in data[:65536]:
        declared = {name: one or two for name, one, two in _DECLARED.findall(data[:65536])}
        # done with, and without it nothing is left that a parser could expand without end
        data = _SUBSET.sub(b"", data, count=1)

    def character(found: re.Match[bytes]) -> bytes:
        name = found.group(1)
        if name in _OWN:
            return found.group(0)
        if name in declared:
            return bytes(declared[name])
        known = html.unescape(found.group(0).decode())
        if known.startswith("&"):  # unknown: its name stays readable instead of vanishing
            return b"&amp;" + name + b";"
        return known.replace("&", "&amp;").replace("<", "&lt;").encode()

    limit = 2 * len(data) + (1 << 20)
    for _ in range(4):  # entities of entities
        data = _ENTITY.sub(character, data)
        if not _FOREIGN.search(data):
            return data
        if len(data) > limit:
            break
    raise Malformed("entities that hold entities without end")


def declared_encoding(head: bytes) -> str:
    """The encoding that a byte order mark or the XML declaration states; utf-8 when neither does."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    found = re.match(rb"""(?:\xef\xbb\xbf)?\s*<\?xml[^>]*?encoding\s*=\s*["']([\w.:-]+)""", head)
    name = found.group(1).decode().lower() if found else "utf-8"
    return "utf-8" if name in ("utf8", "us-ascii", "ascii") else name


def _bind(data: bytes) -> bytes:
    """Declares on the root element the well-known prefixes that are used and bound nowhere."""
    found = next((m for m in _UNBOUND.finditer(data)), None)
    if not found:
        return data
    missing = [
        f' xmlns:{prefix}="{uri}"'.encode()
        for prefix, uri in NAMESPACES.items()
        if f"xmlns:{prefix}=".encode() not in found.group(2)
    ]
    return data[: found.end(1)] + b"".join(missing) + data[found.end(1) :]


def parse(data: bytes) -> etree._Element:
    """The root element of one document or record. Raises Malformed."""
    text = data.lstrip()
    if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = data.decode("utf-16").lstrip("\ufeff").encode()
        text = re.sub(rb"^\s*<\?xml[^>]*\?>", b"", text, count=1)
    if _FOREIGN.search(text):
        if declared_encoding(text[:256]) not in ("utf-8", "iso-8859-1", "latin-1", "windows-1252"):
            raise Malformed("named entities in an encoding that is no superset of ASCII")
        text = _expand_in(text)
    parser = _PARSER if text[1:2] in (b"?", b"!") or not text.startswith(b"<") else _BARE
    try:
        return etree.fromstring(text, parser)
    except etree.XMLSyntaxError as error:
        if error.code == etree.ErrorTypes.NS_ERR_UNDEFINED_NAMESPACE:
            bound = _bind(text)
            if bound != text:
                try:
                    return etree.fromstring(bound, parser)
                except etree.XMLSyntaxError as again:
                    raise Malformed(_reason(again)) from None
        raise Malformed(_reason(error)) from None


def _expand_in(text: bytes) -> bytes:
    encoding = declared_encoding(text[:256])
    if encoding == "utf-8":
        return _expand(text)
    unicode = text.decode(encoding)
    return _expand(re.sub(r"^\s*<\?xml[^>]*\?>", "", unicode, count=1).encode())


_CODES = {value: name for name, value in vars(etree.ErrorTypes).items() if isinstance(value, int)}


def _reason(error: etree.XMLSyntaxError) -> str:
    return f"not well-formed XML: {_CODES.get(error.code, error.code)} in line {error.position[0]}"


def tidy(text: str) -> str:
    """Every run of white space is one space; none at the ends."""
    return " ".join(text.split())


_NAMED = re.compile(r"&(?:[A-Za-z][A-Za-z0-9]*|#\d+|#[xX][0-9a-fA-F]+);")
_ESCAPED = re.compile(
    r"<(/?)(sup|sub|[abiupq]|em|strong|br|div|span|font|small|big|table|t[rdh]|tbody|thead|center|pre|hr|img|h[1-6]|[uod]l|li|"
    r"italic|bold|blockquote|nobr)((?:\s+[\w:-]+\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'|[\w%#.]+))*)\s*/?>",
    re.I,
)
_SCRIPT = re.compile(r"(.?)<su([pb])>([^<>]{0,40})</su\2>", re.I | re.S)


def unescaped(text: str) -> str:
    """Text in which a publisher escaped its markup twice (`&amp;beta;`, `&lt;sup&gt;`), as it was meant."""
    if "&" in text and ";" in text:
        text = _NAMED.sub(lambda m: html.unescape(m[0]), text)
    if "</" in text or "/>" in text or "<br>" in text or "<p>" in text:
        text = _SCRIPT.sub(lambda m: m[1] + (superscript if m[2] in "pP" else subscript)(m[3], m[1]), text)
        text = _ESCAPED.sub(lambda m: "" if m[2].lower() in _GLUED else " ", text)
    return text


_GLUED = frozenset("sup sub a b i u em strong span font small big italic bold pre nobr".split())  # noqa: SIM905

# Superscripts carry meaning that plain digits destroy (10⁻³, m², ¹⁴C), so they become Unicode's;
# subscripts read right as plain text (CO2, IC50, VO2max), except after a digit, where they would
# make another number.
_RAISED = str.maketrans("0123456789+-−–=()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁻⁼⁽⁾")
_RAISE = re.compile(r"(?:[0-9+\-−–=()]|[0-9],\s?(?=[0-9]))+|n|i")
_LOWERED = str.maketrans("0123456789+-−–=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₋₌₍₎")
_LOWER = re.compile(r"[0-9+\-−–=()]+")


def superscript(text: str, before: str) -> str:
    """A superscript as plain text, given the character before it.

    m² and 10⁻³ in Unicode; names and signs that have no raised form stay (4th, p27Kip1, −/−, ®); what
    would read as another number gets a caret: 10^0.5, 2^(n+1). White space at its ends stays.
    """
    if text != (bare := text.strip()):
        start = text.find(bare) if bare else 0
        return text[:start] + superscript(bare, " " if start else before) + text[start + len(bare) :] if bare else " "
    if _RAISE.fullmatch(text):
        return text.replace("n", "ⁿ").replace("i", "ⁱ").translate(_RAISED)
    if not before.isalnum() or not (before.isdigit() or any(map(str.isdigit, text))) or not text[:1].isascii():
        return text
    exponent = len(text) == 1 and text.islower() and text not in "aoe"  # 10^x, but 4a, as Spanish counts
    if text[0].isalpha() and not exponent and not re.search(r"[+=−]|\w-\w", text):
        return text  # names: CD24hi, p27Kip1, the 4th
    if not text[0].isalnum() and len(text) < 4:
        return text  # −/−, ®
    return f"^{text}" if re.fullmatch(r"[\w.,]+", text) else f"^({text})"


def subscript(text: str, before: str) -> str:
    """A subscript as plain text, given the character before it: CO2, but 5₂ after a digit."""
    if before.isdigit() and _LOWER.fullmatch(text.strip()) and text[:1].strip():
        return text.translate(_LOWERED)
    return text
