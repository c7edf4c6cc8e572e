"""How much of what an article says arrives in its document, in order, and how much of the document it never said.

    python -m tests.bench.fidelity FOLDER [--worst 10] [--limit N]

Files whose digest stands in `FLOORS` are held to what was measured there: below it, the exit status is 1.

FOLDER holds raw files of PMC (archives, single XML) and PubMed (XML, XML.gz) at any depth. For each
file or archive one line:

  own       characters of words that policy keeps (title, abstracts, body, appendices, captions)
  arrived   the share of them that is in the document, in the same order
  foreign   the share of the document's words that is nowhere in the article in that order
  policy    the share of the body's words that policy leaves out (asides of `corpus.sources.asides`)

The article's words are found here by other and simpler code than the sources': all text below the
elements that policy keeps, formulas aside (their letters are allowed, not required). Words are
compared after NFKC, so that m² is m2; the longest common subsequence is weighted by characters.
Not counted as foreign: the heading "Abstract" and "[formula]" for a picture of one, which are the
project's own marks.
"""

import argparse
import gzip
import html
import re
import sys
import tempfile
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from lxml import etree
from numba import njit

from corpus.document import Document
from corpus.files import BadInput, Foreign, digest, members, open_raw
from corpus.sources.asides import aside, rank_of_abstract
from corpus.sources.pmc import PMC
from corpus.sources.pubmed import PubMed

# sha256 of a real file -> its least share that arrives, and the most that is foreign (of formulas, nearly all)
FLOORS = {
    "0933d0c88bfb": (0.9995, 0.0020),  # fixtures of 21 projects
    "71993c8bb20e": (0.9997, 0.0001),  # CRAFT
    "cef548afef93": (0.9998, 0.0003),  # Europe PMC, hundreds of journals
    "6cbf4c208482": (0.9997, 0.0001),  # Frontiers and others
    "33a1eb9cdfda": (0.9997, 0.0021),  # PLOS
    "def347ddd655": (0.9970, 0.0010),  # SciELO
    "adb1bf5d1dac": (0.9999, 0.0001),  # pubmed20n0014.xml.gz
}

WORD = re.compile(r"\w+")
RAISED = re.compile(r"[\^_]\(([^()]*)\)")
LANG = "{http://www.w3.org/XML/1998/namespace}lang"
FORMULAS = {"inline-formula", "disp-formula", "math", "tex-math", "DispFormula"}
# what policy leaves out wherever it stands
OUT = {
    *("fn", "fn-group", "ref-list", "ack", "bio", "notes", "glossary", "table", "array", "graphic", "inline-graphic"),
    *("object-id", "permissions", "attrib", "alt-text", "long-desc", "supplementary-material", "table-wrap-foot"),
    *("mixed-citation", "element-citation", "citation", "nlm-citation", "sub-article", "response", "kwd-group"),
    *("label", "contrib-group", "aff", "author-notes"),
    *("related-object", "related-article", "index-term", "sec-meta", "media"),
}  # fmt: skip
MARKS = {"bibr", "ref", "citation", "fn", "table-fn", "aff", "corresp", "author-notes", "contrib", ""}


def words(text: str) -> list[str]:
    """Words as they are compared: without the caret and underscore that stand for raised and lowered."""
    text = RAISED.sub(r"\1", text).replace("^", "").replace("_", "")
    return WORD.findall(unicodedata.normalize("NFKC", text))


@njit(cache=True)
def common(a: np.ndarray, b: np.ndarray, weight: np.ndarray) -> int:  # pragma: no cover (compiled)
    """Weight of the heaviest common subsequence of two sequences of word numbers."""
    row = np.zeros(len(b) + 1, np.int64)
    for i in range(len(a)):
        before = 0
        word, heavy = a[i], weight[a[i]]
        for j in range(len(b)):
            above = row[j + 1]
            if b[j] == word:
                row[j + 1] = max(above, before + heavy)
            elif row[j] > above:
                row[j + 1] = row[j]
            before = above
    return row[-1]


def shared(a: list[str], b: list[str]) -> int:
    """Characters of the heaviest common subsequence of words."""
    numbers: dict[str, int] = {}
    coded = [np.array([numbers.setdefault(word, len(numbers)) for word in side], np.int64) for side in (a, b)]
    weight = np.array([len(word) for word in numbers] or [0], np.int64)
    # what both begin with is common: saves most of the work
    start, end = 0, min(len(a), len(b))
    while start < end and a[start] == b[start]:
        start += 1
    rest = coded[0][start:], coded[1][start:]
    # compiling takes longer than a small article
    count = common if len(rest[0]) * len(rest[1]) > 1_000_000 else common.py_func
    return sum(map(len, a[:start])) + int(count(*rest, weight))


# what the project itself writes into an article
MARKED = re.compile(r"^## Abstract$|\[formula\]", re.M)
# a paragraph that is nothing but the address of what it stands below
ADDRESS = re.compile(r"\s*DOI:?\s*(?:https?://\S+|10\.\d+/\S+)\s*")


@dataclass
class Score:
    """Sums over documents, and the documents that did worst."""

    documents: int = 0
    own: int = 0
    arrived: int = 0
    said: int = 0
    foreign: int = 0
    body: int = 0
    aside: int = 0
    each: list[tuple[float, float, str]] = field(default_factory=list)

    def add(self, document: Document, own: list[str], allowed: list[str], body: int, left_out: int) -> None:
        said = words(MARKED.sub("", document.text))
        size, length = sum(map(len, own)), sum(map(len, said))
        arrived, known = shared(own, said), shared(allowed, said)
        self.documents += 1
        self.own, self.arrived = self.own + size, self.arrived + arrived
        self.said, self.foreign = self.said + length, self.foreign + length - known
        self.body, self.aside = self.body + body, self.aside + left_out
        self.each.append((1 - arrived / size if size else 0.0, 1 - known / length if length else 0.0, document.id))

    def line(self, name: str) -> str:
        shares = (self.arrived / max(self.own, 1), self.foreign / max(self.said, 1), self.aside / max(self.body, 1))
        return f"{name[-46:]:46}{self.documents:8,}{self.own:13,}{shares[0]:9.4%}{shares[1]:9.4%}{shares[2]:9.2%}"


HEAD = f"{'':46}{'docs':>8}{'own':>13}{'arrived':>9}{'foreign':>9}{'policy':>9}"


def local(element: etree._Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def below(element: etree._Element, out: list[str], kept: bool, required: bool, floats: list[str] | None = None) -> None:
    """Text below an element in order; `required` leaves formulas out, `kept` what policy does.

    Figures and tables inside a paragraph follow it, as they do in a document.
    """
    if element.text and isinstance(element.tag, str):
        out.append(element.text)
    for child in element:
        name = local(child)
        skip = not name or (kept and name in OUT)
        if kept and name == "xref" and (child.get("ref-type") or "") in MARKS:
            skip = True
            if required and NAMED.search("".join(child.itertext())):
                out.append("\x00")
        if kept and name == "preformat" and child.get("preformat-type") == "pmc-ocr-text":
            skip = True
        if kept and name in ("sec", "app", "boxed-text") and is_aside(child):
            skip = True
        if required and name in FORMULAS:
            skip = True
        if kept and name == "p" and ADDRESS.fullmatch("".join(child.itertext())):
            skip = True
        if not skip:
            # blocks end words, inline markup does not
            cites = name == "xref" and (child.get("ref-type") or "") in MARKS
            gap = "" if name in INLINE and not cites else " "
            after: list[str] = []
            floating = floats is not None and name in FLOATS
            target = floats if floats is not None and floating else out
            target.append(gap)
            below(
                child, target, kept, required, after if name == "p" and floats is None else None if floating else floats
            )
            target += [gap, *after]
        if name not in INLINE:
            out.append(" ")
        out.append(child.tail or "")


# a citation by name or year, and the bracket around it: the names in it go with it
NAMED = re.compile(r"[A-Za-z]{2}|(?:1[89]|20)\d\d")
CITING = re.compile(r"[(\[][^()\[\]]*\x00[^()\[\]]*[)\]]")
SMALL = {
    *(
        "et",
        "al",
        "and",
        "others",
        "example",
        "e",
        "g",
        "see",
        "also",
        "reviewed",
        "in",
        "by",
        "for",
        "a",
        "review",
        "cf",
        "de",
        "van",
        "von",
        "te",
    )
}


def uncited(text: str) -> str:
    """Text without the brackets that hold nothing but names around a citation."""
    return CITING.sub(lambda m: "" if {w for w in WORD.findall(m[0]) if w[0].islower()} <= SMALL else m[0], text)


FLOATS = {"fig", "fig-group", "table-wrap", "table-wrap-group", "boxed-text", "media", "chem-struct-wrap"}
INLINE = {
    *("italic", "bold", "sup", "sub", "xref", "ext-link", "sc", "underline", "named-content", "styled-content", "i"),
    *("b", "monospace", "roman", "uri", "email", "u", "mi", "mn", "mo", "msub", "msup", "mtext", "a"),
    *("inline-formula", "abbrev", "strike"),
    *("overline", "inline-graphic", "fn", "inline-supplementary-material", "sans-serif", "target"),
}  # fmt: skip


def is_aside(section: etree._Element) -> bool:
    """Policy's own word on a section: its heading, and whether it stands at the first level."""
    title = next((e for e in section if local(e) == "title"), None)
    heading = " ".join("".join(title.itertext()).split()) if title is not None else ""
    parent = section.getparent()
    top = local(parent) in ("body", "back", "app-group", "article")
    return aside(heading.rstrip(" :."), section.get("sec-type") or "", top)


def article_words(article: etree._Element) -> tuple[list[str], list[str], int, int]:
    """Words that must arrive, words that may, and the body's characters: all, and left out by policy."""
    required: list[str] = []
    language = (article.get(LANG) or "").lower()[:2]
    meta = next((e for e in article.iter() if local(e) in ("article-meta", "front-stub")), None)
    abstracts = []
    if meta is not None:
        for group in meta:
            if local(group) == "title-group":
                for title in group:
                    if local(title) in ("article-title", "subtitle"):
                        below(title, required, True, True)
                        required.append(" ")
            elif local(group) == "abstract" and (rank := rank_of_abstract(group.get("abstract-type"))) is not None:
                abstracts += [(rank, group)] * (not language or (group.get(LANG) or language).lower()[:2] == language)
    for _, abstract in sorted(abstracts, key=lambda pair: pair[0]):
        below(abstract, required, True, True)
        required.append(" ")
    whole: list[str] = []
    kept: list[str] = []
    for part in article:
        if local(part) in ("body", "article-body", "floats-group", "floats-wrap"):
            below(part, whole, False, False)
            below(part, kept, True, False)
            below(part, required, True, True)
        elif local(part) == "back":
            for group in part:
                if local(group) in ("app-group", "app", "sec", "fig", "p") and not is_aside(group):
                    below(group, required, True, True)
        required.append(" ")
    for place, (_, abstract) in zip(
        sorted(abstract.getparent().index(abstract) for _, abstract in abstracts),
        sorted(abstracts, key=lambda pair: pair[0]),
        strict=True,
    ):
        abstract.getparent().insert(place, abstract)  # the main one first, as in a document
    allowed: list[str] = []
    below(article, allowed, False, False)
    sizes = [sum(map(len, words("".join(side)))) for side in (whole, kept)]
    return words(uncited("".join(required))), words("".join(allowed)), sizes[0], sizes[0] - sizes[1]


def articles(data: bytes) -> list[etree._Element]:
    parser = etree.XMLParser(remove_comments=True, remove_pis=True, recover=True, huge_tree=True, no_network=True)
    data = re.sub(rb"&(?!(?:amp|lt|gt|quot|apos);)(\w+);", lambda m: html.unescape(m[0].decode()).encode(), data)
    root = etree.fromstring(data, parser)
    return [e for e in root.iter() if local(e) == "article"] if root is not None else []


def jats(path: Path, score: Score, limit: int) -> None:
    """One archive or file of JATS: each article beside its document."""
    with tempfile.TemporaryDirectory() as folder:
        if path.name.endswith((".xml", ".nxml", ".xml.gz")):
            bodies: Iterator[tuple[str, bytes]] = iter([(path.name, open_raw(path).read())])
        else:
            bodies = members(path)
        for number, (member, data) in enumerate(bodies):
            if not member.endswith((".xml", ".nxml", ".gz")) or (limit and score.documents >= limit):
                continue
            file = Path(folder, f"{number}.xml")
            file.write_bytes(data)
            try:
                documents = list(PMC().read(file, member))
            except (BadInput, Foreign):
                continue
            found = articles(data)
            if len(found) == len(documents):
                for document, article in zip(documents, found, strict=True):
                    if "error" not in document.meta:
                        score.add(document, *article_words(article))
            file.unlink()


FIELD = {
    name: re.compile(rf"<{name}\b[^>]*?(?<!/)>(.*?)</{name}>".encode(), re.S)
    for name in ("ArticleTitle", "Abstract", "AbstractText", "OtherAbstract", "PMID", "BookTitle")
}
CDATA = re.compile(rb"<!\[CDATA\[(.*?)\]\]>", re.S)
RECORD = re.compile(rb"<(PubmedArticle|PubmedBookArticle|MedlineCitation)[ >].*?</\1>", re.S)
LABELLED = re.compile(rb'<AbstractText\b[^>]*\bLabel="([^"]*)"[^>]*>')


# what NLM's indexers wrote behind titles and abstracts: policy leaves it out
NOTED = re.compile(
    rb"\(author'?s'? transl\)?|\[ ?(?:proceedings|letter)\]|\[(?:Not Available|In Process Citation)\]|"
    rb"\(?ABSTRACT TRUNCATED(?: AT \d+ WORDS)?\)?"
)


def plain(markup: bytes, formulas: bool) -> str:
    markup = NOTED.sub(b"", markup)
    if not formulas:
        markup = re.sub(rb"<mml:math\b.*?</mml:math>", b" ", markup, flags=re.S)
    text = re.sub(rb"<!--.*?-->", b"", markup, flags=re.S).decode("utf-8", "replace")
    text = re.sub(r"</?(?:i|b|u|sup|sub|mml:m[ion]|mml:msu[bp]|mml:mrow)(?:\s[^>]*)?>", "", text)
    return html.unescape(html.unescape(re.sub(r"<[^>]*>", " ", text)))


def medline(path: Path, score: Score, limit: int) -> None:
    """One file of MEDLINE records: each record beside the document of its PMID, in order."""
    with open_raw(path) as stream:
        body = stream.read()
    body = re.sub(rb"<!--.*?-->", b"", body, flags=re.S)
    body = CDATA.sub(lambda m: html.escape(m[1].decode("utf-8", "replace"), quote=False).encode(), body)
    documents = iter([d for d in PubMed().read(path, path.name) if "deleted" not in d.meta and "error" not in d.meta])
    for found in RECORD.finditer(body):
        data = found.group()
        head = data.split(b"<ReferenceList", 1)[0]
        pmid = FIELD["PMID"].search(head)
        if not pmid or not pmid.group(1).strip().isdigit() or int(pmid.group(1)) == 0:
            continue
        if limit and score.documents >= limit:
            break
        try:
            etree.fromstring(data)
        except etree.XMLSyntaxError:
            continue
        document = next(documents)
        assert document.id == f"pubmed:{int(pmid.group(1))}", "documents and records do not pair"
        title = FIELD["ArticleTitle"].search(head) or FIELD["BookTitle"].search(head)
        abstract = FIELD["Abstract"].search(head)
        parts = FIELD["AbstractText"].findall(abstract.group(1)) if abstract else []
        own = [title.group(1) if title else b"", *parts]
        required = words(" ".join(plain(part, False) for part in own))
        others = [other.group(1) for other in FIELD["OtherAbstract"].finditer(head)]
        allowed = title.group(1) if title else b""
        allowed += b" " + re.sub(
            rb'<AbstractText\b[^>]*\bLabel="([^"]*)"[^>]*>', rb" \1 ", abstract.group(1) if abstract else b""
        )
        score.add(document, required, words(plain(b" ".join([allowed, *others]), True)), 0, 0)


def measured(path: Path, limit: int = 0) -> Score:
    """The score of one raw file, by what its first bytes say it is."""
    score = Score()
    archive = path.name.endswith((".tar.gz", ".tgz", ".tar", ".zip"))
    if archive:
        jats(path, score, limit)
        return score
    with open_raw(path) as stream:
        head = stream.read(65536)
    if re.search(rb"<(?:PubmedArticle|PubmedBookArticle|MedlineCitation)", head):
        medline(path, score, limit)
    elif re.search(rb"<article\b", head):
        jats(path, score, limit)
    return score


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--worst", type=int, default=10, help="how many of the worst documents to name")
    parser.add_argument("--limit", type=int, default=0, help="documents of each file")
    args = parser.parse_args()
    total = {"jats": Score(), "medline": Score()}
    sunk = 0
    print(HEAD)
    paths = [args.folder] if args.folder.is_file() else sorted(p for p in args.folder.rglob("*") if p.is_file())
    for path in paths:
        if not (PMC().accepts(path.name) or PubMed().accepts(path.name)):
            continue
        try:
            score = measured(path, args.limit)
        except (BadInput, Foreign, gzip.BadGzipFile) as error:
            print(f"{path.name[-46:]:46}  {type(error).__name__}")
            continue
        if not score.documents:
            continue
        if score.documents > 50 or len(paths) < 20:
            print(score.line(path.name), flush=True)
        least, most = FLOORS.get(digest(path).removeprefix("sha256:")[:12], (0.0, 1.0))
        if not args.limit and (score.arrived < least * score.own or score.foreign > most * score.said):
            print(f"{path.name} is below its floor: {least:.2%} arrived, {most:.2%} foreign")
            sunk += 1
        whole = total["medline" if score.each[0][2].startswith("pubmed:") else "jats"]
        for name in ("documents", "own", "arrived", "said", "foreign", "body", "aside"):
            setattr(whole, name, getattr(whole, name) + getattr(score, name))
        whole.each += score.each
    for name, score in total.items():
        if score.documents:
            print(score.line(f"all {name}"))
            for title, column in (("least arrived", 0), ("most foreign", 1)):
                print(f"  {title}:")
                for row in sorted(score.each, key=lambda row: -row[column])[: args.worst]:
                    print(f"    {row[column]:8.2%}  {row[2]}")
    return 1 if sunk else 0


if __name__ == "__main__":
    sys.exit(main())
