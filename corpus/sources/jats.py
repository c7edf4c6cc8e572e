"""The text of one JATS article: title, abstracts, body and appendices in reading order.

JATS is the tag set of https://jats.nlm.nih.gov/; its ancestors of NLM's (before 2012) read alike.
Headings are markdown's (`#` the title, `##` the first level). What policy leaves out:

- citations, footnotes, reference lists, keywords, authors and their affiliations;
- sections about the paper and not its subject: contributions, interests, funding, thanks, data and
  supplementary files, ethics statements outside the methods, publishers' notes, lists of abbreviations;
- cells of tables unless asked for (captions of tables and figures stay, each its own paragraph);
- abstracts that repeat (graphical, teasers, tables of contents) or are in another language;
- reviews, decision letters, replies and translations (`sub-article`, `response`);
- text that a scanner read (`preformat-type="pmc-ocr-text"`).

A block inside a paragraph (figure, table, list) leaves it whole: floats follow the paragraph, lists
and quotations stay where they stand.
"""

import re
from dataclasses import dataclass, field

from lxml import etree

from corpus.sources.asides import aside, rank_of_abstract
from corpus.sources.citations import CITED, CLOSE, OPEN, uncite
from corpus.sources.formulas import PICTURED, formula
from corpus.sources.markup import LANG, LOCAL, subscript, superscript, unescaped

_SILENT = {
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
_SECTIONS = {"sec", "app", "treatment-sec"}
_FLOATS = {"fig", "fig-group", "table-wrap", "table-wrap-group", "boxed-text", "chem-struct-wrap", "media"}
_BLOCKS = {
    *("list", "def-list", "disp-quote", "verse-group", "preformat", "code", "statement", "speech", "p", "sec", "array"),
    *("disp-formula-group", "table", "question-wrap", "answer", "question", "explanation"),
}  # fmt: skip
_KEPT_ALWAYS = _FLOATS | _BLOCKS | _SECTIONS | {"disp-formula"}

# `xref` whose text is a mark of its own; of all others (figures, tables, sections) it is part of the sentence
_MARKERS = {"fn", "table-fn", "aff", "corresp", "author-notes", "contrib"}
_REFERENCES = {"ref", "element-citation", "mixed-citation", "citation", "nlm-citation"}
_CITING = {"bibr", "ref", "citation"}

_CITATION_TEXT = re.compile(r"[\W\d_]*(?:(?:and|to|refs?|y|e)\b[\W\d_]*)*")


@dataclass(slots=True)
class Text:
    """What an article says: title, paragraphs of abstracts and body, and how many words of prose the body has."""

    title: str = ""
    abstract: list[str] = field(default_factory=list)
    body: list[str] = field(default_factory=list)
    words: int = 0

    def __str__(self) -> str:
        title = [f"# {self.title}"] if self.title else []
        abstract = ["## Abstract", *self.abstract] if self.abstract and self.body else self.abstract
        return "\n\n".join([*title, *abstract, *self.body])


_UNREAD = (b"ref-list", b"table", b"sub-article", b"response")
_LAST = {b"sub-article", b"response"}  # behind all references and tables
_ANCHOR = re.compile(rb"""<ref\s[^<>]*?\bid\s*=\s*["'][^"'<>]*["'][^<>]*?>""")


def lean(data: bytes, tables: bool = False) -> bytes:
    """An article without what is not read of it: references (but for their ids), cells, reviews and replies.

    They are half of the bytes. What is cut holds no comment, CDATA section or instruction, which could hold
    something that looks like a tag; whoever parses the rest goes back to the whole when that fails.
    """
    kept, done, back = [], 0, 0
    for name in _UNREAD:
        if tables and name == b"table":
            continue
        opening, closing = b"<" + name, b"</" + name + b">"
        start = data.find(opening, back if name in _LAST else 0)
        while start >= 0:
            end = data.find(closing, start)
            if end < 0:
                break
            after = data[start + len(opening) : start + len(opening) + 1]
            inside = data[start:end]
            if after in b" >\n" and not (b"<!" in inside or b"<?" in inside or b"-->" in inside or b"]]>" in inside):
                kept.append((start, end + len(closing), name))
                back = max(back, end)
                start = data.find(opening, end)
            else:
                start = data.find(opening, start + 1)
    if not kept:
        return data
    out = []
    for start, end, name in sorted(kept):
        if start < done:
            continue  # within another
        out.append(data[done:start])
        if name == b"ref-list":  # to know a citation by what it points at
            out += [
                b"<ref-list>",
                *(tag.rstrip(b"/>") + b"/>" for tag in _ANCHOR.findall(data, start, end)),
                b"</ref-list>",
            ]
        done = end
    out.append(data[done:])
    return b"".join(out)


def child(element: etree._Element | None, *path: str) -> etree._Element | None:
    """The first child of that name, and its first child of the next; None when there is none."""
    for name in path:
        if element is None:
            return None
        for part in element:
            if LOCAL[part.tag] == name:
                element = part
                break
        else:
            return None
    return element


def text_of(article: etree._Element, tables: bool = False) -> Text:
    """Everything of an article that policy keeps."""
    return _Reader(article, tables).read()


class _Reader:
    """Reads one article."""

    def __init__(self, article: etree._Element, tables: bool) -> None:
        self.article = article
        self.tables = tables
        self.words = 0
        self.said: set[str] = set()  # captions, once each
        self.references: set[str] | None = None

    def read(self) -> Text:
        meta = child(self.article, "front", "article-meta")
        if meta is None:
            meta = child(self.article, "front-stub")
        out = Text()
        if meta is not None:
            out.title = self.title(meta)
            out.abstract = self.abstracts(meta)
        body = next((e for e in self.article if LOCAL[e.tag] in ("body", "article-body")), None)
        self.words = 0
        if body is not None:
            self.blocks(body, 2, out.body)
        out.words = self.words
        back = child(self.article, "back")
        if back is not None:
            self.back(back, out.body)
        floats = child(self.article, "floats-group")
        if floats is None:
            floats = child(self.article, "floats-wrap")
        if floats is not None:
            self.blocks(floats, 2, out.body)
        return out

    def title(self, meta: etree._Element) -> str:
        group = child(meta, "title-group")
        if group is None:
            return ""
        title = child(group, "article-title")
        subtitle = child(group, "subtitle")
        parts = [self.inline(e) for e in (title, subtitle) if e is not None]
        parts = [part for part in parts if part]
        joint = " " if parts and parts[0][-1:] in ".:?!–—" else ": "
        return joint.join(parts)

    # -- abstracts

    def abstracts(self, meta: etree._Element) -> list[str]:
        main: list[etree._Element] = []
        others: list[etree._Element] = []
        language = (self.article.get(LANG) or "").lower()[:2]
        for element in meta:
            if LOCAL[element.tag] != "abstract":
                continue
            own = (element.get(LANG) or language).lower()[:2]
            if language and own != language:
                continue
            rank = rank_of_abstract(element.get("abstract-type"))
            if rank is not None:
                (others if rank else main).append(element)
        out: list[str] = []
        for element in [*main, *others]:
            paragraphs = self.abstract(element)
            if element not in main and main:
                title = child(element, "title")
                heading = self.inline(title).rstrip(":.") if title is not None else ""
                if heading and paragraphs:
                    paragraphs[0] = f"{heading}: {paragraphs[0]}"
            out += [paragraph for paragraph in paragraphs if paragraph not in out]
        return out

    def abstract(self, element: etree._Element) -> list[str]:
        """Paragraphs of an abstract; the title of a part stands before its first paragraph."""
        if not any(LOCAL[part.tag] in ("sec", "p") for part in element):
            loose: list[str] = []
            self.blocks(element, 3, loose)
            return loose
        out: list[str] = []
        for part in element:
            name = LOCAL[part.tag]
            if name == "sec":
                inner = self.abstract(part)
                title = child(part, "title")
                heading = self.inline(title).rstrip(" :.") if title is not None else ""
                if "supplement" in heading.lower():
                    continue  # "the online version contains supplementary material"
                if inner and heading:
                    inner[0] = f"{heading}: {inner[0]}"
                out += inner
            elif name not in ("title", "label"):
                self.block(part, 3, out)
        return [p for p in out if not re.fullmatch(r"\W*(?:abstract|summary|n/?a|none)?\W*", p, re.I)]

    # -- blocks

    def back(self, back: etree._Element, out: list[str]) -> None:
        for element in back:
            name = LOCAL[element.tag]
            if name == "app-group":
                self.back(element, out)
            elif name in ("app", "sec"):
                self.section(element, 2, out, back=True)
            elif name in _FLOATS or name in ("p", "list"):
                self.block(element, 2, out)

    def blocks(self, element: etree._Element, level: int, out: list[str]) -> None:
        """The blocks of a container in order; loose text between them is a paragraph too."""
        loose: list[str] = []
        if element.text and not element.text.isspace():
            loose.append(element.text)
        for part in element:
            name = LOCAL[part.tag]
            if name in ("title", "label", "caption") or not name:
                pass
            elif name in _KEPT_ALWAYS or name in _SILENT or name in _CONTAINERS:
                self.flush(loose, out)
                self.block(part, level, out)
            elif any(LOCAL[e.tag] in ("p", "sec") for e in part):
                self.flush(loose, out)
                self.blocks(part, level, out)
            else:  # inline markup right below a container
                loose.append(self.raw(part, out, _last(loose)))
            if part.tail and not part.tail.isspace():
                loose.append(part.tail)
        self.flush(loose, out)

    def flush(self, loose: list[str], out: list[str]) -> None:
        if loose:
            self.say("".join(loose), out)
            loose.clear()

    def say(self, text: str, out: list[str]) -> None:
        text = _line(text)
        if text and text != PICTURED and any(map(str.isalnum, text)):
            self.words += text.count(" ") + 1
            out.append(text)

    def block(self, element: etree._Element, level: int, out: list[str]) -> None:
        name = LOCAL[element.tag]
        if name == "p":
            self.paragraph(element, out)
        elif name in _SECTIONS:
            self.section(element, level, out)
        elif name == "list":
            out += self.listed(element)
        elif name == "def-list":
            out += self.definitions(element)
        elif name == "boxed-text":
            self.section(element, min(level + 1, 6), out)
        elif name in ("fig", "media", "chem-struct-wrap"):
            self.caption(element, out)
        elif name in ("fig-group", "table-wrap-group"):
            self.caption(element, out)
            self.blocks(element, level, out)
        elif name == "table-wrap":
            self.caption(element, out)
            if self.tables:
                self.table(element, out)
        elif name in ("table", "array"):
            if self.tables:
                self.table(element, out)
        elif name == "disp-formula":
            written = self.formula(element, True)
            if written:
                out.append(_line(written))
        elif name == "disp-formula-group":
            self.blocks(element, level, out)
        elif name in ("preformat", "code"):
            if element.get("preformat-type") != "pmc-ocr-text":
                text = "".join(element.itertext()).strip("\n").rstrip()
                if text.strip():
                    out.append(text)
        elif name == "verse-group":
            lines = [self.inline(e) for e in element.iter() if LOCAL[e.tag] in ("verse-line", "title")]
            if any(lines):
                out.append("\n".join(filter(None, lines)))
        elif name == "speech":
            inner: list[str] = []
            self.blocks(element, level, inner)
            speaker = child(element, "speaker")
            if inner and speaker is not None:
                inner[0] = f"{self.inline(speaker).rstrip(':')}: {inner[0]}"
            out += inner
        elif name == "statement":
            inner = []
            self.blocks(element, level, inner)
            head = " ".join(
                filter(
                    None,
                    (self.inline(e) for e in map(lambda n: child(element, n), ("label", "title")) if e is not None),
                )
            )
            if inner and head:
                inner[0] = f"{_stopped(head)} {inner[0]}"
            out += inner
        elif name == "alternatives":
            kept = next((e for e in element if LOCAL[e.tag] not in _SILENT), None)
            if kept is not None:
                self.block(kept, level, out)
        elif name not in _SILENT:
            self.blocks(element, level, out)

    def section(self, element: etree._Element, level: int, out: list[str], back: bool = False) -> None:
        title = child(element, "title")
        if title is None and LOCAL[element.tag] == "boxed-text":
            title = child(element, "caption", "title")
        heading = self.inline(title) if title is not None else ""
        if not heading and LOCAL[element.tag] == "app":
            label = child(element, "label")
            heading = self.inline(label) if label is not None else ""
        heading = heading.rstrip(" :.")
        top = back or level == 2 or LOCAL[element.getparent().tag] in ("back", "app-group")
        if aside(heading, element.get("sec-type") or "", top):
            return
        inner: list[str] = []
        caption = child(element, "caption") if LOCAL[element.tag] == "boxed-text" else None
        if caption is not None:  # some hold all of a box's text
            self.blocks(caption, min(level + 1, 6), inner)
        self.blocks(element, min(level + 1, 6), inner)
        if inner:
            if heading:
                out.append(f"{'#' * level} {heading}")
            out += inner
        elif heading.count(" ") > 12:  # a paragraph that was marked up as a title
            self.say(heading, out)

    def paragraph(self, element: etree._Element, out: list[str]) -> None:
        held: list[list[str]] = []
        floats: list[str] = []
        pieces: list[str] = []
        self.collect(element, pieces, held, floats)
        text = "".join(pieces)
        if held:
            for number, part in enumerate(re.split("\x02", text)):
                if number:
                    out += held[number - 1]
                self.say(part, out)
        else:
            self.say(text, out)
        out += floats

    def listed(self, element: etree._Element) -> list[str]:
        """A list as one block, a line an item; what is nested is indented."""
        lines: list[str] = []
        numbered = element.get("list-type") == "order"
        number = 0
        for item in element:
            if LOCAL[item.tag] == "title":
                if text := self.inline(item):
                    lines.append(text)
                continue
            if LOCAL[item.tag] != "list-item":
                continue
            number += 1
            inner: list[str] = []
            self.blocks(item, 6, inner)
            if not inner:
                continue
            label = child(item, "label")
            mark = self.inline(label) if label is not None else f"{number}." if numbered else "-"
            first, *rest = "\n".join(inner).split("\n")
            lines.append(f"{mark or '-'} {first}")
            lines += [f"  {line}" for line in rest]
        return ["\n".join(lines)] if lines else []

    def definitions(self, element: etree._Element) -> list[str]:
        lines = []
        for item in element:
            if LOCAL[item.tag] != "def-item":
                continue
            term, meaning = child(item, "term"), child(item, "def")
            inner: list[str] = []
            if meaning is not None:
                self.blocks(meaning, 6, inner)
            name = self.inline(term).rstrip(":") if term is not None else ""
            line = ": ".join(filter(None, (name, " ".join(inner))))
            if line:
                lines.append(line)
        return ["\n".join(lines)] if lines else []

    def caption(self, element: etree._Element, out: list[str]) -> None:
        """Label, title and text of a figure or table in one paragraph; then what else lies in a figure."""
        words = self.words
        label, caption = child(element, "label"), child(element, "caption")
        inner: list[str] = []
        if caption is not None:
            title = child(caption, "title")
            if title is not None:
                self.say(self.raw(title, inner, ""), inner)
            self.blocks(caption, 6, inner)
        if inner:
            head = self.inline(label) if label is not None else ""
            text = " ".join([_stopped(head), *map(_stopped, inner[:-1]), inner[-1]]).strip()
            if text not in self.said:
                self.said.add(text)
                out.append(text)
        for part in element:  # figure supplements, legends beside the caption
            if LOCAL[part.tag] in ("p", "fig", "list", "def-list") and LOCAL[element.tag] == "fig":
                self.block(part, 6, out)
        self.words = words  # prose is what the body says, not what its pictures show

    def table(self, element: etree._Element, out: list[str]) -> None:
        """Cells between bars, a row a line; notes below as paragraphs."""
        words = self.words
        grid = next((e for e in element.iter() if LOCAL[e.tag] in ("table", "array")), None)
        rows = []
        for row in grid.iter() if grid is not None else ():
            if LOCAL[row.tag] not in ("tr", "row"):
                continue
            cells = [self.inline(cell) for cell in row if LOCAL[cell.tag] in ("td", "th", "entry")]
            if any(cells):
                rows.append(" | ".join(cells))
        if rows:
            out.append("\n".join(rows))
        foot = child(element, "table-wrap-foot")
        if foot is not None:
            for part in foot.iter():
                if LOCAL[part.tag] == "p":
                    self.paragraph(part, out)
        self.words = words

    # -- inline

    def inline(self, element: etree._Element) -> str:
        """Mixed content as one line."""
        return _line(self.raw(element, [], ""))

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
        if element.text:
            out.append(element.text)
        for part in element:
            name = LOCAL[part.tag]
            if name in _PLAIN:
                if len(part):
                    self.collect(part, out, held, floats)
                elif part.text:
                    out.append(part.text)
            elif name and not self.special(part, out, held, floats):
                self.collect(part, out, held, floats)
            elif not name and isinstance(part, etree._Entity):
                out.append(part.text)
            if part.tail:
                out.append(part.tail)

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
                text = re.sub(f"{OPEN}[^{CLOSE}]*{CLOSE}", CITED, text)
                rest = text.replace(CITED, "")
                out.append(CITED if _CITATION_TEXT.fullmatch(rest) else text)
            else:
                out.append((superscript if name == "sup" else subscript)(text, _last(out)))
        elif name in ("inline-formula", "disp-formula", "math", "tex-math", "alternatives", "mml:math"):
            written = self.formula(part, name == "disp-formula") or (PICTURED if name != "alternatives" else "")
            out.append(f" {written} " if name == "disp-formula" else written)
        elif name in _FLOATS:
            self.block(part, 3, floats)
            out.append(" ")
        elif name in _BLOCKS:
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
        elif name in _SILENT:
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
            named = sum(map(str.isalpha, text)) > 1 or re.fullmatch(r"\W*(?:1[89]|20)\d\d[a-z]?\W*", text)
            mark = f"{OPEN}{text}{CLOSE}" if named and CITED not in text and OPEN not in text else CITED
            # a bracket that the citation opens and the sentence closes is the sentence's
            opened, closed = _unpaired(text)
            out.append(
                opened + (mark.replace(opened, "", 1) if opened else mark).replace(closed or "\x05", "") + closed
            )
        else:
            out.append(CITED if kind in _MARKERS else text)

    def cites(self, target: str) -> bool:
        """Whether an id belongs to a reference."""
        if self.references is None:
            self.references = {
                e.get("id")
                for e in self.article.iter()
                if LOCAL[e.tag] in ("ref", "element-citation", "mixed-citation", "citation", "nlm-citation")
                and e.get("id")
            }
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


def _line(text: str) -> str:
    """One line without citations, and without the spaces that indented markup leaves in brackets and before stops."""
    if "&" in text or "<" in text:
        text = unescaped(text)
    words = uncite(text).split()
    text = " ".join(words)
    if not _LONE.isdisjoint(words):
        text = _LOOSE.sub(r"\1", text.replace("( ", "(").replace("[ ", "["))
    return text


_LONE = set(".,;)]([")
_LOOSE = re.compile(r" +([.,;)\]])(?= |$)")


def _last(pieces: list[str]) -> str:
    return next((piece[-1] for piece in reversed(pieces) if piece), "")


def _unpaired(text: str) -> tuple[str, str]:
    """The bracket at the start that `text` does not close, and the one at its end that it did not open."""
    opened, closed = len(re.findall(r"[(\[]", text)), len(re.findall(r"[)\]]", text))
    first, last = text.lstrip()[:1], text.rstrip()[-1:]
    return (first if first in "([" and opened > closed else ""), (last if last in ")]" and closed > opened else "")


def _stopped(text: str) -> str:
    """A label or title that ends a sentence."""
    return text if not text or text[-1] in ".:?!" else f"{text}."


_METHODS = {
    "ethical considerations",
    "ethics",
    "ethics statement",
    "ethical approval",
    "materials",
    "data availability",
}
# asked for by name, a label is its text; within a line it is not part of the sentence
_NAMED = {"label", "title"}
_CONTAINERS = {"alternatives", "answer-set", "taxon-treatment", "question-wrap-group", "floats-group"}
