"""Formulae as text, once and readable.

A publisher gives one formula in up to three forms (picture, TeX, MathML). A simple MathML formula
becomes a line of text (p < 0.05, x², a/b); else TeX stays TeX between dollar signs, without the
document that wraps it; MathML alone is always written as a line. A picture alone is `[formula]`
within a sentence, so that the sentence still stands, and nothing elsewhere.
"""

import re
from functools import lru_cache

from lxml import etree

from corpus.sources.markup import LOCAL, subscript, superscript, tidy

# stands in a sentence for a formula of which the publisher gives a picture alone
PICTURED = "[formula]"

_DOCUMENT = re.compile(r"\\begin\s*\{document\}(.*?)\\end\s*\{document\}", re.S)
_SPACED = set("=<>≤≥≈≃≅∼~≠≡±∓×⋅·∝→←↔⇒⇔∈∉⊂⊆∪∩∧∨≪≫⩽⩾") | {"+", "−", ":=", "<=", ">=", "≔"}
_SIGNS = {"-": "−", "–": "−", "\u2212": "−", "*": "*", "∗": "*"}
_FUNCTIONS = {"sin", "cos", "tan", "log", "ln", "exp", "min", "max", "lim", "arg", "det", "mod", "var", "Pr"}
_WORD = re.compile(r"(?<![A-Za-z])[A-Za-z]{2,3}$")
_ACCENTS = {"¯": "\u0304", "‾": "\u0304", "_": "\u0304", "―": "\u0304", "^": "\u0302", "ˆ": "\u0302", "~": "\u0303"}
_ACCENTS |= {
    ".": "\u0307",
    "·": "\u0307",
    "⋅": "\u0307",
    "˜": "\u0303",
    "˙": "\u0307",
    "¨": "\u0308",
    "→": "\u20d7",
    "⃗": "\u20d7",
    "∧": "\u0302",
}
_HIDDEN = {"", "annotation", "annotation-xml", "mphantom", "maligngroup", "malignmark", "none", "mprescripts"}
_GAPS = {"\u2002", "\u2003", "\u2004", "\u2005", "\u2009", "\u00a0", "\u205f"}
_INVISIBLE = str.maketrans("", "", "\u2061\u2062\u2063\u2064\u200b\u200a\ufeff")


def tex(source: str, display: bool) -> str:
    """TeX without its document and its own dollar signs, between `$` or, displayed, `$$`."""
    found = _DOCUMENT.search(source)
    body = tidy(found.group(1) if found else source)
    body = re.sub(r"^(?:\$\$?|\\\[|\\\()\s*|\s*(?:\$\$?|\\\]|\\\))$", "", body).strip()
    if not body:
        return ""
    mark = "$$" if display else "$"
    return f"{mark}{body}{mark}"


_ATOM = re.compile(r"[\w\u0300-\u036f\u20d7]+(?:\.\w+)?|\([^()]*\)")


def _atom(text: str) -> bool:
    return len(text) < 2 or text.isalnum() or _ATOM.fullmatch(text) is not None


@lru_cache(512)
def _sign(text: str) -> str:
    """An operator as it is written; one that is white space parts words, as in letters set one by one."""
    sign = text.translate(_INVISIBLE)
    bare = sign.strip()
    return _SIGNS.get(bare, bare) if bare else " " * (sign in _GAPS)


def _wrapped(text: str) -> str:
    return text if _atom(text) else f"({text})"


class _Line:
    """Writes MathML as one line; `simple` stays true while nothing needed brackets of our own."""

    def __init__(self) -> None:
        self.simple = True

    def children(self, element: etree._Element) -> list[etree._Element]:
        return [child for child in element if LOCAL[child.tag] not in _HIDDEN]

    def row(self, elements: list[etree._Element]) -> str:
        out = ""
        for position, element in enumerate(elements):
            name = LOCAL[element.tag]
            if name == "mo":
                sign = _sign(element.text or "")
                if not sign.strip():
                    out += sign if out[-1:] not in ("", " ") else ""
                    continue
                if sign in _SPACED:
                    # an operator at the start, or after another, is a sign: −1, not − 1
                    bare = out.rstrip()
                    binary = position > 0 and bare != "" and bare[-1] not in "([,{|"
                    close = sign in ("+", "−") and out[-1:] == " " if binary else sign in ("+", "−", "±", "∼", "~")
                    out = out + sign if close else f"{bare} {sign} "
                elif sign in (",", ";"):
                    out = out.rstrip() + sign + " "
                else:
                    out += sign
                continue
            text = self.write(element)
            if not text:
                continue
            if out[-1:].isalpha() and text[:1].isalnum():
                last = _WORD.search(out)
                if (last and last.group() in _FUNCTIONS) or text.split("(")[0] in _FUNCTIONS:
                    out += " "
            out += text
        return re.sub(r" {2,}", " ", out) if "  " in out else out

    def scripts(self, base: str, low: str, high: str) -> str:
        if low:
            lowered = subscript(low, "0")
            if lowered == low:
                lowered = f"_{low}" if _atom(low) else f"_({low})"
            base += lowered
        if high:
            raised = superscript(high.replace(" ", ""), "")
            if high in ("′", "'", "″", "*", "†", "‡", "∘", "°") or raised != high.replace(" ", ""):
                base += raised
            else:
                base += f"^{high}" if _atom(high) else f"^({high})"
        return base

    def write(self, element: etree._Element) -> str:
        name = LOCAL[element.tag]
        if name in ("mi", "mn", "mtext", "ms"):
            text = "".join(element.itertext()) if len(element) else element.text or ""
            if text.isalnum() and text.isascii():
                return text
            if text.isascii() and name != "mtext" and not any(map(str.isspace, text)):
                return text
            text = text.translate(_INVISIBLE)
            return tidy(text) if name != "mtext" else re.sub(r"\s+", " ", text)
        if name == "mo":
            return self.row([element])
        if name == "mspace":
            return " "
        parts = self.children(element)
        if parts and name in _ROWS:
            return self.row(parts)
        if name in ("semantics", "maction", "mlabeledtr"):
            if name == "mlabeledtr":
                return self.cells(parts[1:])
            return self.write(parts[0]) if parts else ""
        texts = [self.write(part).strip() for part in parts] if name in _FIXED else []
        if name in ("msub", "msup", "msubsup") and len(texts) >= 2:
            base = texts[0] if len(texts[0]) < 2 or _atom(texts[0]) else f"({texts[0]})"
            low = texts[1] if name != "msup" else ""
            high = texts[-1] if name != "msub" else ""
            if not (_atom(low) and (_atom(high) or superscript(high, "") != high)):
                self.simple = False
            return self.scripts(base, low, high)
        if name == "mfrac" and len(texts) == 2:
            if element.get("linethickness") in ("0", "0pt"):
                self.simple = False
                return f"({texts[0]} choose {texts[1]})"
            if not (_atom(texts[0]) and _atom(texts[1])):
                self.simple = False
            return f"{_wrapped(texts[0])}/{_wrapped(texts[1])}"
        if name == "msqrt":
            inner = self.row(parts).strip()
            self.simple = self.simple and _atom(inner)
            return f"√{_wrapped(inner)}"
        if name == "mroot" and len(texts) == 2:
            self.simple = False
            return f"{_wrapped(texts[0])}^(1/{texts[1]})"
        if name in ("mover", "munder", "munderover") and len(texts) >= 2:
            base, over = texts[0], texts[-1]
            if name != "munderover" and over in _ACCENTS and len(base) == 1:
                return base + _ACCENTS[over]
            if name != "munderover" and (over in _ACCENTS or over in ("⏞", "⏟", "︷", "︸", "¯", "\u0332")):
                return base
            self.simple = False
            return self.scripts(base, texts[1] if name != "mover" else "", texts[-1] if name != "munder" else "")
        if name == "mmultiscripts":
            return self.multiscripts(element)
        if name == "mfenced":
            opened, closed = str(element.get("open", "(")), str(element.get("close", ")"))
            if len(parts) == 1:
                return opened + self.write(parts[0]).strip() + closed
            between = str(element.get("separators", ",")).replace(" ", "")
            if not between:
                return opened + self.row(parts).strip() + closed
            return opened + f"{between[0]} ".join(self.write(part).strip() for part in parts) + closed
        if name == "mtable":
            self.simple = False
            rows = [row for row in (self.write(part).strip() for part in parts) if row]
            return " ".join(row if row[-1] in ",;." else f"{row};" for row in rows).removesuffix(";")
        if name == "mtr":
            return self.cells(parts)
        if parts:
            return self.row(parts)
        return tidy((element.text or "").translate(_INVISIBLE))

    def cells(self, parts: list[etree._Element]) -> str:
        return " ".join(filter(None, (self.write(part).strip() for part in parts)))

    def multiscripts(self, element: etree._Element) -> str:
        names = [LOCAL[child.tag] for child in element]
        texts = ["" if LOCAL[c.tag] in ("none", "mprescripts") else self.write(c).strip() for c in element]
        split = names.index("mprescripts") if "mprescripts" in names else len(names)
        self.simple = False
        out = texts[0] if texts else ""
        for low, high in zip(texts[1:split:2], texts[2:split:2], strict=False):
            out = self.scripts(out, low, high)
        before = ""
        for low, high in zip(texts[split + 1 :: 2], texts[split + 2 :: 2], strict=False):
            before += subscript(low, "0") + superscript(high, "")
        return before + out


_ROWS = {"mrow", "math", "mstyle", "mpadded"}
_FIXED = {"msub", "msup", "msubsup", "mfrac", "mroot", "mover", "munder", "munderover"}


def mathml(element: etree._Element) -> tuple[str, bool]:
    """A MathML formula as one line of text, and whether that line is as plain as prose."""
    line = _Line()
    text = tidy(line.write(element))
    return text, line.simple


def _forms(element: etree._Element) -> tuple[etree._Element | None, etree._Element | None]:
    """The first TeX and the first MathML of a formula; nothing is looked for within MathML."""
    name = LOCAL[element.tag]
    if name == "tex-math":
        return element, None
    if name == "math":
        return None, element
    source = maths = None
    for child in element:
        one, other = _forms(child) if len(child) or LOCAL[child.tag] in ("tex-math", "math") else (None, None)
        source, maths = one if source is None else source, other if maths is None else maths
    return source, maths


def formula(element: etree._Element, display: bool = False) -> str | None:
    """The one readable form of a formula element; None when it has neither MathML nor TeX."""
    source, maths = _forms(element)
    written, simple = mathml(maths) if maths is not None else ("", False)
    if source is not None and not (written and simple and not display):
        whole = tex("".join(source.itertext()), display)
        if whole:
            return whole
    return written or (None if source is None and maths is None else "")
