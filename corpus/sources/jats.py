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
from corpus.sources.formulas import PICTURED
from corpus.sources.inline import BLOCKS, FLOATS, SILENT, Lines, last, line
from corpus.sources.markup import LANG, LOCAL

_SECTIONS = {"sec", "app", "treatment-sec"}
_CONTAINERS = {"alternatives", "answer-set", "taxon-treatment", "question-wrap-group", "floats-group"}
# what eLife writes below every abstract, figure and table
_OWN_ADDRESS = re.compile(r"DOI:? ?(?:https?://\S+|10\.\d+/\S+)")
_OWN_BLOCKS = FLOATS | BLOCKS | _SECTIONS | _CONTAINERS | SILENT | {"disp-formula"}
_HEADS = {"title", "label", "caption", ""}


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
    reader = _Reader(article, tables)
    try:
        return reader.read()
    finally:
        del reader.lines  # which knows the reader: a ring would keep the tree until the next sweep


class _Reader:
    """Reads one article."""

    def __init__(self, article: etree._Element, tables: bool) -> None:
        self.article = article
        self.tables = tables
        self.words = 0
        self.said: set[str] = set()  # captions, once each
        self.lines = Lines(article, self.block)

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
        parts = [self.lines.inline(e) for e in (title, subtitle) if e is not None]
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
                heading = self.lines.inline(title).rstrip(":.") if title is not None else ""
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
                heading = self.lines.inline(title).rstrip(" :.") if title is not None else ""
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
            elif name in FLOATS or name in ("p", "list"):
                self.block(element, 2, out)

    def blocks(self, element: etree._Element, level: int, out: list[str]) -> None:
        """The blocks of a container in order; loose text between them is a paragraph too."""
        loose: list[str] = []
        if element.text and not element.text.isspace():
            loose.append(element.text)
        for part in element:
            name = LOCAL[part.tag]
            if name == "p":
                if loose:
                    self.flush(loose, out)
                self.paragraph(part, out)
            elif name in _HEADS:
                pass
            elif name in _OWN_BLOCKS:
                if loose:
                    self.flush(loose, out)
                self.block(part, level, out)
            elif any(LOCAL[e.tag] in ("p", "sec") for e in part):
                self.flush(loose, out)
                self.blocks(part, level, out)
            else:  # inline markup right below a container
                loose.append(self.lines.raw(part, out, last(loose)))
            tail = part.tail
            if tail and not tail.isspace():
                loose.append(tail)
        if loose:
            self.flush(loose, out)

    def flush(self, loose: list[str], out: list[str]) -> None:
        self.say("".join(loose), out)
        loose.clear()

    def say(self, text: str, out: list[str]) -> None:
        text = line(text)
        if text.startswith("DOI") and _OWN_ADDRESS.fullmatch(text):
            return
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
            written = self.lines.formula(element, True)
            if written:
                out.append(line(written))
        elif name == "disp-formula-group":
            self.blocks(element, level, out)
        elif name in ("preformat", "code"):
            if element.get("preformat-type") != "pmc-ocr-text":
                text = "".join(element.itertext()).strip("\n").rstrip()
                if text.strip():
                    out.append(text)
        elif name == "verse-group":
            lines = [self.lines.inline(e) for e in element.iter() if LOCAL[e.tag] in ("verse-line", "title")]
            if any(lines):
                out.append("\n".join(filter(None, lines)))
        elif name == "speech":
            inner: list[str] = []
            self.blocks(element, level, inner)
            speaker = child(element, "speaker")
            if inner and speaker is not None:
                inner[0] = f"{self.lines.inline(speaker).rstrip(':')}: {inner[0]}"
            out += inner
        elif name == "statement":
            inner = []
            self.blocks(element, level, inner)
            head = " ".join(
                filter(
                    None,
                    (
                        self.lines.inline(e)
                        for e in map(lambda n: child(element, n), ("label", "title"))
                        if e is not None
                    ),
                )
            )
            if inner and head:
                inner[0] = f"{_stopped(head)} {inner[0]}"
            out += inner
        elif name == "alternatives":
            kept = next((e for e in element if LOCAL[e.tag] not in SILENT), None)
            if kept is not None:
                self.block(kept, level, out)
        elif name not in SILENT:
            self.blocks(element, level, out)

    def section(self, element: etree._Element, level: int, out: list[str], back: bool = False) -> None:
        title = child(element, "title")
        if title is None and LOCAL[element.tag] == "boxed-text":
            title = child(element, "caption", "title")
        heading = self.lines.inline(title) if title is not None else ""
        if not heading and LOCAL[element.tag] == "app":
            label = child(element, "label")
            heading = self.lines.inline(label) if label is not None else ""
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
        self.lines.collect(element, pieces, held, floats)
        text = "".join(pieces)
        if held:
            for number, part in enumerate(text.split("\x02")):
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
                if text := self.lines.inline(item):
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
            mark = self.lines.inline(label) if label is not None else f"{number}." if numbered else "-"
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
            name = self.lines.inline(term).rstrip(":") if term is not None else ""
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
                self.say(self.lines.raw(title, inner, ""), inner)
            self.blocks(caption, 6, inner)
        if inner:
            head = self.lines.inline(label) if label is not None else ""
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
            cells = [self.lines.inline(cell) for cell in row if LOCAL[cell.tag] in ("td", "th", "entry")]
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


def _stopped(text: str) -> str:
    """A label or title that ends a sentence."""
    return text if not text or text[-1] in ".:?!" else f"{text}."
