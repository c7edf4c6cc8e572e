"""Mixed content of JATS as one line: markup, pointers, citations and formulas in the middle of a sentence."""

import re
from collections.abc import Callable

from lxml import etree

from corpus.sources.citations import CITED, CLOSE, OPEN, uncite
from corpus.sources.formulas import PICTURED, formula
from corpus.sources.markup import LOCAL, subscript, superscript, unescaped

SILENT = {
    *("fn", "fn-group", "object-id", "alt-text", "long-desc", "permissions", "attrib", "graphic", "inline-graphic"),
    *("media", "supplementary-material", "index-term", "index-term-range-end", "related-article", "related-object"),
    *("mixed-citation", "element-citation", "nlm-citation", "citation", "citation-alternatives", "ref", "ref-list"),
    *("contrib-group", "aff", "author-notes", "processing-meta", "label", "sec-meta", "kwd-group", "ack", "bio", "x"),
    *("private-char", "glyph-data", "annotation", "table-wrap-foot", "sub-article", "response", "notes", "glossary"),
}  # fmt: skip
_PLAIN = {
    *("italic", "bold", "underline", "sc", "monospace", "named-content", "styled-content", "ext-link", "uri", "email"),
    *("roman", "sans-serif", "overline", "abbrev", "strike", "i", "b", "a", "u", "inline-supplementary-material"),
}  # fmt: skip
FLOATS = {"fig", "fig-group", "table-wrap", "table-wrap-group", "boxed-text", "chem-struct-wrap", "media"}
BLOCKS = {
    *("list", "def-list", "disp-quote", "verse-group", "preformat", "code", "statement", "speech", "p", "sec", "array"),
    *("disp-formula-group", "table", "question-wrap", "answer", "question", "explanation"),
}  # fmt: skip
# `xref` whose text is a mark of its own; of all others (figures, tables, sections) it is part of the sentence
_MARKERS = {"fn", "table-fn", "aff", "corresp", "author-notes", "contrib"}
_REFERENCES = {"ref", "element-citation", "mixed-citation", "citation", "nlm-citation"}
_CITING = {"bibr", "ref", "citation"}
_YEAR = re.compile(r"\W*(?:1[89]|20)\d\d[a-z]?\W*")
_CITATION_TEXT = re.compile(r"[\W\d_]*(?:(?:and|to|refs?|y|e)\b[\W\d_]*)*")
_CITED_BY_NAME = re.compile(f"{OPEN}[^{CLOSE}]*{CLOSE}")
# asked for by name, a label is its text; within a line it is not part of the sentence
_NAMED = {"label", "title"}


class Lines:
    """Renders the lines of one article; `block` is called for a block that stands in a line."""

    def __init__(self, article: etree._Element, block: Callable[[etree._Element, int, list[str]], None]) -> None:
        self.article = article
        self.block = block
        self.references: set[str] | None = None

    def inline(self, element: etree._Element) -> str:
        """Mixed content as one line."""
        return line(self.raw(element, [], ""))

    def raw(self, element: etree._Element, floats: list[str], before: str) -> str:
        pieces: list[str] = [before] if before else []
        held: list[list[str]] = []
        if LOCAL[element.tag] in _NAMED or not self.special(element, pieces, held, floats):
            self.collect(element, pieces, held, floats)
        text = "".join(pieces[1:] if before else pieces)
        for block in held:
            text = text.replace("\x02", " " + " ".join(block) + " ", 1)
        return text

    def collect(self, element: etree._Element, out: list[str], held: list[list[str]], floats: list[str]) -> None:
        add = out.append
        if text := element.text:
            add(text)
        for part in element:
            name = LOCAL[part.tag]
            if name in _PLAIN:
                if len(part):
                    self.collect(part, out, held, floats)
                elif text := part.text:
                    add(text)
            elif name == "xref":
                # nearly all citations are a number, bare or in brackets; a year is one by its four digits
                text = part.text or ""
                number = text[1:-1] if text[:1] == "[" and text[-1:] == "]" else text
                if len(number) < 4 and number.isdecimal() and part.get("ref-type") == "bibr" and not len(part):
                    add(CITED)
                else:
                    self.xref(part, out, held, floats)
            elif name == "sup" and not len(part):
                add(superscript(part.text or "", last(out)))
            elif name == "sub" and not len(part):
                add(subscript(part.text or "", last(out)))
            elif name and not self.special(part, out, held, floats):
                self.collect(part, out, held, floats)
            elif not name and isinstance(part, etree._Entity):
                add(part.text)
            if text := part.tail:
                add(text)

    def within(self, part: etree._Element, held: list[list[str]], floats: list[str]) -> str:
        if len(part) == 0:
            return part.text or ""
        inner: list[str] = []
        self.collect(part, inner, held, floats)
        return "".join(inner)

    def special(self, part: etree._Element, out: list[str], held: list[list[str]], floats: list[str]) -> bool:
        """Whether the element is one that is not simply its text, and then writes what it is."""
        name = LOCAL[part.tag]
        if name == "xref":
            self.xref(part, out, held, floats)
        elif name in ("sup", "sub"):
            text = self.within(part, held, floats)
            if CITED in text or OPEN in text:
                text = _CITED_BY_NAME.sub(CITED, text)
                rest = text.replace(CITED, "")
                out.append(CITED if _CITATION_TEXT.fullmatch(rest) else text)
            else:
                out.append((superscript if name == "sup" else subscript)(text, last(out)))
        elif name in ("inline-formula", "disp-formula", "math", "tex-math", "alternatives", "mml:math"):
            written = self.formula(part, name == "disp-formula") or (PICTURED if name != "alternatives" else "")
            out.append(f" {written} " if name == "disp-formula" else written)
        elif name in FLOATS:
            self.block(part, 3, floats)
            out.append(" ")
        elif name in BLOCKS:
            block: list[str] = []
            self.block(part, 5, block)
            if block:
                held.append(block)
                out.append("\x02")
            else:
                out.append(" ")
        elif name in ("break", "br"):
            out.append(" ")
        elif name == "taxon-name-part":  # Bulbophyllum|leucoglossum, two words without a space between
            out.append(f" {self.within(part, held, floats)} ")
        elif name in SILENT:
            # a picture in a line leaves like a citation: with the brackets around it
            out.append(CITED if name in ("inline-graphic", "fn") else "")
        else:
            return False
        return True

    def xref(self, part: etree._Element, out: list[str], held: list[list[str]], floats: list[str]) -> None:
        kind = part.get("ref-type") or ""
        text = self.within(part, held, floats)
        if kind in _CITING or (not kind and self.cites(part.get("rid") or "")):
            if text.isdecimal() and len(text) < 4:  # nearly all of them
                out.append(CITED)
                return
            named = sum(map(str.isalpha, text)) > 1 or _YEAR.fullmatch(text)
            mark = f"{OPEN}{text}{CLOSE}" if named and CITED not in text and OPEN not in text else CITED
            # a bracket that the citation opens and the sentence closes is the sentence's
            opened, closed = _unpaired(text)
            if opened or closed:
                mark = (mark.replace(opened, "", 1) if opened else mark).replace(closed or "\x05", "")
                mark = opened + mark + closed
            out.append(mark)
        else:
            out.append(CITED if kind in _MARKERS else text)

    def cites(self, target: str) -> bool:
        """Whether an id belongs to a reference."""
        if self.references is None:
            self.references = {e.get("id") for e in self.article.iter() if LOCAL[e.tag] in _REFERENCES and e.get("id")}
        return any(one in self.references for one in target.split())

    def formula(self, element: etree._Element, display: bool) -> str:
        """A formula as text, "" when there is but a picture of it."""
        written = formula(element, display)
        if written is not None:
            return written
        if LOCAL[element.tag] in ("alternatives", "math"):
            return ""
        pieces: list[str] = []  # written in ordinary markup
        self.collect(element, pieces, [], [])
        text = "".join(pieces)
        return text if text.replace(CITED, "").strip() else ""


def line(text: str) -> str:
    """One line without citations, and without the spaces that indented markup leaves in brackets and before stops."""
    if "&" in text or "<" in text:
        text = unescaped(text)
    indented = "\n" in text
    if CITED in text or OPEN in text:
        text = uncite(text)
    # no white space is printable but the space: such a line needs no joining
    text = text.strip(" ") if text.isprintable() and "  " not in text else " ".join(text.split())
    if indented:
        text = _LOOSE.sub(r"\1", text.replace("( ", "(").replace("[ ", "["))
    return text


_LOOSE = re.compile(r" +([.,;)\]])(?= |$)")


def last(pieces: list[str]) -> str:
    """The character that was written last."""
    for piece in reversed(pieces):
        if piece:
            return piece[-1]
    return ""


def _unpaired(text: str) -> tuple[str, str]:
    """The bracket at the start that `text` does not close, and the one at its end that it did not open."""
    opened, closed = text.count("(") + text.count("["), text.count(")") + text.count("]")
    if opened == closed:
        return "", ""
    first, last = text.lstrip()[:1], text.rstrip()[-1:]
    return (first if first in "([" and opened > closed else ""), (last if last in ")]" and closed > opened else "")
