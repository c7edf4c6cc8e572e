"""Cuts from a record what nobody reads of it, before it is parsed.

Parsing is most of the time that XML takes, and most of XML is references, authors and cells. A cut
never changes a document: what holds anything that could look like a tag without being one is left
whole, and tests hold both ways to the same documents.
"""

import html
import re

from corpus.sources.markup import tidy

_DESCRIPTOR = re.compile(r"<DescriptorName[^>]*>([^<]*)</DescriptorName>")


def record(data: bytes) -> tuple[bytes, list[str] | None]:
    """A plain PubmedArticle without sections that hold nothing of a document, and its MeSH headings.

    Authors, chemicals, grants, dates and references are two thirds of a record's bytes in old files, and nearly
    all since 2025; cut before parsing, they cost nothing. Sections are found in the DTD's order; a record that
    has another is left as it is. Without MeSH headings read on the way, the second is None.
    """
    whole = data, None
    pmid = data.find(b"</PMID>") + 7
    start = data.find(b"<Article", pmid)
    end = data.find(b"</Article>", start)
    close = data.find(b"</MedlineCitation>", end)
    if not data.startswith(b"<PubmedArticle>") or pmid < 7 or start < 0 or end < 0 or close < 0:
        return whole
    if data[start + 8 : start + 9] not in (b" ", b">") or b"<MedlineCitation" in data[pmid:start]:
        return whole
    kept = [data[:pmid]]
    authors = data.find(b"<AuthorList", start, end)
    if authors >= 0:
        last = data.rfind(b"</AuthorList>", authors, end)
        if last < 0:
            return whole
        kept.append(data[start:authors])
        start = last + 13
    kept.append(data[start : end + 10])
    mesh = None
    at = data.find(b"<MeshHeadingList>", end, close)
    if at >= 0:
        last = data.find(b"</MeshHeadingList>", at, close)
        if last < 0:
            return whole
        section = data[at:last].decode("utf-8", "replace")
        mesh = _DESCRIPTOR.findall(section)
        if "&" in section or "\n" in section:
            mesh = [tidy(html.unescape(heading)) for heading in mesh]
        if data.find(b"<CommentsCorrectionsList", end, at) >= 0 or data.find(b"<Other", last, close) >= 0:
            kept += [data[end + 10 : at], data[last + 18 : close]]
    elif data.find(b"<Other", end, close) >= 0 or data.find(b"<CommentsCorrectionsList", end, close) >= 0:
        kept.append(data[end + 10 : close])
    kept.append(b"</MedlineCitation>")
    ids = data.find(b"<ArticleIdList", close)
    if ids >= 0 and data.find(b"<ReferenceList", close, ids) < 0:
        last = data.find(b"</ArticleIdList>", ids)
        if last < 0:
            return whole
        kept += [b"<PubmedData>", data[ids : last + 16], b"</PubmedData>"]
    kept.append(b"</PubmedArticle>")
    return b"".join(kept), mesh


_UNREAD = (b"ref-list", b"table", b"sub-article", b"response")
_FRONT = (b"contrib-group", b"aff", b"author-notes", b"kwd-group")  # cut within <article-meta>, where nothing is prose
# in the order in which publishers write attributes: the last way says the same as all, and takes five times as long
_KINDLESS = re.compile(rb"""<xref(?!\sref-type|\srid="[^"<>]*"\sref-type|[^<>]*\sref-type)""")
_ANCHOR = re.compile(rb"""<ref\s[^<>]*?\bid\s*=\s*["'][^"'<>]*["'][^<>]*?>""")


def article(data: bytes, tables: bool = False) -> bytes:
    """An article without what is not read of it: references (but for their ids), cells, authors, reviews and replies.

    They are half of the bytes. What is cut holds no CDATA section, comment or instruction with something that
    looks like a tag; whoever parses the rest goes back to the whole when that fails.
    """
    kept: list[tuple[int, int, bytes]] = []
    root = data.find(b"<article")
    plain = root >= 0 and _plain(data, root, len(data))  # then so is every part, and nothing begins within a comment
    front = data.find(b"</article-meta>")
    for name in _FRONT if front > 0 else ():
        kept += _sections(data, name, front, plain)
    for name in _UNREAD:
        if not (tables and name == b"table"):
            kept += _sections(data, name, len(data), plain)
    if not kept:
        return data
    out, done = [], 0
    anchors = _KINDLESS.search(data) is not None
    for start, end, name in sorted(kept):
        if start < done:
            continue  # within another
        out.append(data[done:start])
        if name == b"ref-list" and anchors:  # to know a citation by what it points at
            out += [
                b"<ref-list>",
                *(tag.rstrip(b"/>") + b"/>" for tag in _ANCHOR.findall(data, start, end)),
                b"</ref-list>",
            ]
        done = end
    out.append(data[done:])
    return b"".join(out)


def _sections(data: bytes, name: bytes, stop: int, plain: bool) -> list[tuple[int, int, bytes]]:
    """Start and end of the elements of that name that may be cut; of nested ones the innermost."""
    found = []
    closing = b"</" + name + b">"
    start = _opened(data, name, 0, stop)
    while start >= 0:
        end = data.find(closing, start, stop)
        if end < 0:
            break
        again = _opened(data, name, start + 1, end)  # what closes first belongs to the one that is nested
        if again < 0:
            if plain or _plain_alone(data, start, end):
                found.append((start, end + len(closing), name))
            again = _opened(data, name, end, stop)
        start = again
    return found


def _opened(data: bytes, name: bytes, start: int, stop: int) -> int:
    """Where the next element of that name begins, -1 when none does; `<table-wrap` begins like `<table`."""
    opening = b"<" + name
    at = data.find(opening, start, stop)
    while at >= 0 and data[at + len(opening) : at + len(opening) + 1] not in b" >\n":
        at = data.find(opening, at + 1, stop)
    return at


def _plain(data: bytes, start: int, stop: int) -> bool:
    """Whether every tag in a part is one: no CDATA section, and comments and instructions hold none."""
    for opening, closing in ((b"<!", b"-->"), (b"<?", b"?>")):
        at = data.find(opening, start, stop)
        while at >= 0:
            end = data.find(closing, at, stop)
            # `<?supplied-pmid 18943697?>` and `<!--PageBreak-->` are all that most references hold
            if end < 0 or data.find(b"<", at + 1, end) >= 0 or data.find(b">", at, end) >= 0:
                return False
            at = data.find(opening, end, stop)
    return True


def _plain_alone(data: bytes, start: int, stop: int) -> bool:
    """The same for a part of a text that is not plain as a whole: nor does the part begin within a comment."""
    if not _plain(data, start, stop) or data.find(b"]]>", start, stop) >= 0:
        return False
    opened = data.count(b"<!", start, stop) + data.count(b"<?", start, stop)
    return opened == data.count(b"-->", start, stop) + data.count(b"?>", start, stop)
