"""NLM's tree: baseline and update files of MEDLINE XML, md5 side-cars and the folder listings."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import IO, Any

from corpus.world import prose
from corpus.world.files import apache_index, gzip_text, hex_digest, save
from corpus.world.papers import BASELINE, JOURNALS, LABELS, MONTHS, NEW, Paper, marked_up, paper, pmid

HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, '
    '1st January 2025//EN" "https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd">\n<PubmedArticleSet>\n'
)
BOILERPLATE = "Abstract available from the publisher."
COPYRIGHT = "© 2019 The Invented Society. All rights reserved."

# What is peculiar about a record, by the last two digits of its number.
TITLE_ONLY = (3, 4, 24, 33, 43, 63, 83, 37, 38)
BRACKETS = (5, 35, 65)  # a translated title, with an English abstract
BRACKETS_ONLY = (15, 45)
REVISED_ONCE, REVISED_TWICE, REVISED_LAST = (7, 57), (9,), (59,)
DELETED, RETRACTED = 11, 13
TRUNCATED, MATH, BOILER, SPANISH, UNLABELLED, EMPTY = 17, 19, 21, 22, 31, 33
COPYRIGHT_TAIL, COPYRIGHT_ELEMENT = (25, 55, 85), 26
RETRACTION_NOTICE, ERRATUM = 37, 38
TWO_VERSIONS, TWICE_IN_FILE, MEDLINE_DATE, NOT_AVAILABLE, CAPITALS = 47, 49, (1, 51), 71, 73
NEAR_COPY, EXACT_COPY, ORIGINAL, LEAK = 75, 76, 74, 91
RATES = (0.02, 0.05, 0.10, 0.20, 0.40)  # share of words that a near copy changes
BENCHMARK_EACH = 500  # of the papers that end in LEAK, those that a benchmark took


@dataclass
class _Plan:
    baseline: int
    new: int
    baseline_files: int
    update_files: int


def _plan(size: int) -> _Plan:
    baseline, new = BASELINE * size, NEW * size
    # NLM puts 30,000 records into a file; a small world still has three and two files.
    return _Plan(baseline, new, max(3, math.ceil(baseline / 30_000)), max(2, math.ceil(new / 15_000)))


def leaked_papers(size: int) -> range:
    """The papers whose abstracts a benchmark's questions were made of."""
    return range(LEAK, BASELINE * size, BENCHMARK_EACH)


def write(folder: Path, size: int, seed: int) -> dict[str, Any]:
    """The tree below `folder`, and what was planted in it."""
    plan = _plan(size)
    truth: dict[str, Any] = {
        "files": {},
        "history": {},  # pmid -> [file, position, what happened], for every pmid that comes more than once
        "retracted": [],
        "notices": [],
        "title_only": 0,
        "near": [],
        "exact": [],
        "linked": [],
        "books": 1,
    }
    number = 0
    for tree, count in (("baseline", plan.baseline_files), ("updatefiles", plan.update_files)):
        entries = []
        for index in range(count):
            number += 1
            name = f"pubmed26n{number:04d}.xml.gz"
            path = folder / tree / name
            with gzip_text(path) as out:
                file = _File(out, f"{tree}/{name}", truth)
                out.write(HEAD)
                if tree == "baseline":
                    span = range(plan.baseline * index // count, plan.baseline * (index + 1) // count)
                    _baseline(file, span, seed, last=index == count - 1)
                else:
                    _update(file, plan, index, seed)
                out.write("</PubmedArticleSet>\n")
            truth["files"][file.name] = file.position
            date = "2026-01-30" if tree == "baseline" else f"2026-02-{1 + index % 28:02d}"
            sidecar = f"MD5({name})= {hex_digest(path, 'md5')}\n"
            save(path.with_name(name + ".md5"), sidecar)
            entries += [(name, path.stat().st_size, date), (name + ".md5", len(sidecar), date)]
            if tree == "updatefiles":
                stats = name.replace(".xml.gz", "_stats.html")
                save(folder / tree / stats, "<html><body>Statistics of this update</body></html>\n")
                entries.append((stats, 53, date))
        readme = (
            "Invented for tests; laid out as the National Library of Medicine lays out PubMed.\n\n"
            f"The complete baseline consists of files pubmed26n0001.xml through pubmed26n"
            f"{plan.baseline_files:04d}.xml\n"
        )
        if tree == "baseline":
            save(folder / tree / "README.txt", readme)
            entries.append(("README.txt", len(readme), "2026-01-30"))
        save(folder / tree / "index.html", apache_index(f"/pubmed/{tree}", entries))
    truth["records"] = sum(truth["files"].values())
    return truth


class _File:
    """One file as it is written: counts what a reader will yield, and notes what was planted."""

    def __init__(self, out: IO[str], name: str, truth: dict[str, Any]) -> None:
        self.out, self.name, self.truth, self.position = out, name, truth, 0

    def add(self, xml: str, pmid: int | None = None, event: str | None = None) -> None:
        self.out.write(xml)
        if event:
            self.truth["history"].setdefault(str(pmid), []).append([self.name, self.position, event])
        self.position += 1


def _baseline(file: _File, span: range, seed: int, last: bool) -> None:
    for i in span:
        one, truth = paper(seed, i), file.truth
        kind = i % 100
        event = "first" if kind in (*REVISED_ONCE, *REVISED_TWICE, *REVISED_LAST, DELETED) else None
        if kind == RETRACTED and i // 100 % 2 == 0:
            event = "first"
        if kind == NEAR_COPY:
            rate = RATES[i // 100 % len(RATES)]
            one, true = _near_copy(seed, one, rate)
            truth["near"].append({"ids": [f"pubmed:{pmid(i - 1)}", f"pubmed:{one.pmid}"], "edits": round(true, 4)})
        elif kind == EXACT_COPY:
            one = _exact_copy(seed, one)
            truth["exact"].append({"ids": [f"pubmed:{pmid(i - 2)}", f"pubmed:{one.pmid}"]})
        elif kind == RETRACTED:
            truth["retracted"].append(f"pubmed:{one.pmid}")
        elif kind in (RETRACTION_NOTICE, ERRATUM):
            truth["notices"].append(f"pubmed:{one.pmid}")
        truth["title_only"] += kind in (*TITLE_ONLY, *BRACKETS_ONLY, SPANISH)
        if one.pmcid:
            truth["linked"].append([one.pmid, one.pmcid])
        if kind == TWICE_IN_FILE:
            file.add(record(one.revised(seed, 9), seed), one.pmid, "first")
            event = "repeated"
        if kind == TWO_VERSIONS:
            file.add(record(one.revised(seed, 9), seed), one.pmid, "version 1")
            file.add(record(one, seed, version=2), one.pmid, "version 2")
            continue
        file.add(record(one, seed), one.pmid, event)
    if last:
        file.add(_book(seed))


def _update(file: _File, plan: _Plan, index: int, seed: int) -> None:
    """Revisions and new records, then deletions; what was deleted comes back in the last file."""
    last = index == plan.update_files - 1
    early = max(1, plan.update_files - 1)

    def numbers(kind: int, step: int = 100) -> Iterator[int]:
        return (i for i in range(kind, plan.baseline, step) if last or i // 100 % early == index)

    for kind in (*REVISED_ONCE, *REVISED_TWICE):
        if not last or kind in REVISED_TWICE:
            for i in numbers(kind):
                one = paper(seed, i).revised(seed, 2 if last else 1)
                file.add(record(one, seed, revision=2 if last else 1), one.pmid, "revised")
    if last:
        for kind in REVISED_LAST:
            for i in numbers(kind):
                one = paper(seed, i).revised(seed, 1)
                file.add(record(one, seed, revision=1), one.pmid, "revised")
        for i in numbers(DELETED, 200):
            one = paper(seed, i).revised(seed, 1)
            file.add(record(one, seed, revision=1), one.pmid, "added again")
    else:
        for i in numbers(RETRACTED, 200):
            one = paper(seed, i)
            file.add(record(one, seed, revision=1), one.pmid, "retracted")
    start = plan.baseline + plan.new * index // plan.update_files
    stop = plan.baseline + plan.new * (index + 1) // plan.update_files
    for i in range(start, stop):
        # New records are plain ones: no twins, notices or deletions to keep account of.
        file.add(record(paper(seed, i), seed, plain=True))
    if not last:
        deleted = list(numbers(DELETED))
        file.out.write("<DeleteCitation>\n")
        for i in deleted:
            file.add(f'<PMID Version="1">{pmid(i)}</PMID>\n', pmid(i), "deleted")
        file.out.write("</DeleteCitation>\n")


def _near_copy(seed: int, one: Paper, rate: float) -> tuple[Paper, float]:
    """Paper 75 is paper 74 published again with some of its words changed; titles stay alike."""
    original = paper(seed, one.number - 1)
    rng = Random(f"{seed} near {one.number}")
    parts, rates = [], []
    for name, text in original.abstract:
        changed, true = prose.edited(rng, text, rate)
        parts.append((name, changed))
        rates.append((true, len(text)))
    share = sum(true * length for true, length in rates) / sum(length for _, length in rates)
    return _as(one, original, tuple(parts), original.title), share


def _exact_copy(seed: int, one: Paper) -> Paper:
    """Paper 76 is paper 74 in another case; `units` stays, because marking up adds to it."""
    original = paper(seed, one.number - 2)
    parts = tuple((name, text.upper().replace("UNITS", "units")) for name, text in original.abstract)
    return _as(one, original, parts, original.title.upper())


def _as(one: Paper, original: Paper, abstract: tuple[tuple[str, str], ...], title: str) -> Paper:
    return Paper(
        **{
            **{name: getattr(one, name) for name in one.__dataclass_fields__},
            "abstract": abstract,
            "title": title,
            "theme": original.theme,
            "structured": original.structured,
        }
    )


# ---- one record ----


def record(one: Paper, seed: int, revision: int = 0, version: int = 1, plain: bool = False) -> str:
    """A PubmedArticle."""
    i = one.number
    kind = -1 if plain else i % 100
    rng = Random(f"{seed} record {i}")
    retracted = kind == RETRACTED and (revision > 0 or i // 100 % 2 == 1)
    by_type = kind == RETRACTED and i // 100 % 2 == 0 and revision > 0
    bracketed = kind in (*BRACKETS, *BRACKETS_ONLY)
    types = [("D016428", "Journal Article")]
    if by_type:
        types.append(("D016441", "Retracted Publication"))
    if kind == RETRACTION_NOTICE:
        types = [("D016440", "Retraction of Publication")]
    if kind == ERRATUM:
        types = [("D016425", "Published Erratum")]
    journal, short = one.journal
    date = f"<Year>{one.year}</Year><Month>{MONTHS[one.month - 1]}</Month>"
    if kind in MEDLINE_DATE:
        date = f"<MedlineDate>{one.year} Dec-{one.year + 1} Jan</MedlineDate>"
    comments = ""
    if retracted and not by_type:
        comments = (
            '<CommentsCorrectionsList><CommentsCorrections RefType="RetractionIn"><RefSource>'
            f'{short}. {one.year + 1};1(1):1</RefSource><PMID Version="1">{pmid(i + 24)}</PMID>'
            "</CommentsCorrections></CommentsCorrectionsList>\n"
        )
    authors = "".join(
        f'<Author ValidYN="Y"><LastName>{last}</LastName><ForeName>{given}</ForeName>'
        f"<Initials>{given[0]}</Initials></Author>"
        for last, given in one.authors
    )
    ids = f'<ArticleId IdType="pubmed">{one.pmid}</ArticleId><ArticleId IdType="doi">{one.doi}</ArticleId>'
    if one.pmcid:
        ids += f'<ArticleId IdType="pmc">{one.pmcid}</ArticleId>'
    mesh = "".join(
        f'<MeshHeading><DescriptorName UI="D{900000 + n}" MajorTopicYN="N">{str(option[0]).capitalize()}'
        "</DescriptorName></MeshHeading>"
        for n, option in enumerate(one.theme["disease"])
    )
    language = "<Language>ger</Language>" if bracketed else "<Language>eng</Language>"
    vernacular = "<VernacularTitle>Ein erfundener Titel.</VernacularTitle>" if bracketed else ""
    return (
        f'<PubmedArticle>\n<MedlineCitation Status="MEDLINE" Owner="NLM">\n<PMID Version="{version}">'
        f"{one.pmid}</PMID>\n"
        f"<DateRevised><Year>{2025 + (revision > 0)}</Year><Month>01</Month><Day>{10 + revision}</Day></DateRevised>\n"
        f'<Article PubModel="Print">\n<Journal><ISSN IssnType="Print">0000-{1000 + JOURNALS.index(one.journal)}</ISSN>'
        f'<JournalIssue CitedMedium="Print"><Volume>{one.year - 1990}</Volume><Issue>{one.month}</Issue>'
        f"<PubDate>{date}</PubDate></JournalIssue><Title>{journal}</Title>"
        f"<ISOAbbreviation>{short}</ISOAbbreviation></Journal>\n"
        f"<ArticleTitle>{_title(one, kind)}</ArticleTitle>\n<Pagination><MedlinePgn>"
        f"{rng.randint(1, 900)}-9</MedlinePgn>"
        f'</Pagination>\n{_abstract(one, kind)}<AuthorList CompleteYN="Y">{authors}</AuthorList>\n{language}\n'
        "<PublicationTypeList>"
        + "".join(f'<PublicationType UI="{ui}">{name}</PublicationType>' for ui, name in types)
        + f"</PublicationTypeList>\n{vernacular}</Article>\n<MedlineJournalInfo><MedlineTA>{short}</MedlineTA>"
        f"</MedlineJournalInfo>\n{comments}<MeshHeadingList>{mesh}</MeshHeadingList>"
        f"\n{_other(one, kind)}</MedlineCitation>\n"
        f'<PubmedData>\n<History><PubMedPubDate PubStatus="pubmed"><Year>{one.year}</Year><Month>{one.month}</Month>'
        "<Day>1</Day></PubMedPubDate></History>\n<PublicationStatus>ppublish</PublicationStatus>\n"
        f"<ArticleIdList>{ids}</ArticleIdList>\n{_references(one, rng)}</PubmedData>\n</PubmedArticle>\n"
    )


def _title(one: Paper, kind: int) -> str:
    if kind in (*BRACKETS, *BRACKETS_ONLY):
        return f"[{marked_up(one.title)} (author's transl)]" if kind == 65 else f"[{marked_up(one.title)}]."
    if kind == NOT_AVAILABLE:
        return "[Not Available]."
    if kind == CAPITALS:
        return marked_up(one.title.upper() + ".")
    if kind == MATH:
        return (
            f'{marked_up(one.title)}: a model with <mml:math xmlns:mml="http://www.w3.org/1998/Math/MathML"><mml:msup>'
            "<mml:mi>x</mml:mi><mml:mn>2</mml:mn></mml:msup><mml:mo>+</mml:mo><mml:mn>1</mml:mn></mml:math> terms."
        )
    if kind == RETRACTION_NOTICE:
        return f"Retraction: {marked_up(one.title)}."
    if kind == ERRATUM:
        return f"Erratum: {marked_up(one.title)}."
    return marked_up(one.title) + ("" if one.title.endswith("?") else ".")


def _abstract(one: Paper, kind: int) -> str:
    if kind == EMPTY:
        return "<Abstract><AbstractText/></Abstract>\n"
    if kind in TITLE_ONLY or kind in BRACKETS_ONLY or kind == SPANISH:
        return ""
    copyright = "<CopyrightInformation>Copyright 2019, the invented authors.</CopyrightInformation>"
    copyright = copyright if kind == COPYRIGHT_ELEMENT else ""
    if one.structured and kind not in (TRUNCATED, *COPYRIGHT_TAIL):
        parts = []
        for n, (name, text) in enumerate(one.abstract):
            label, category = LABELS[name]
            attributes = f'Label="{label}" NlmCategory="{category}"'
            if kind == UNLABELLED and n == 0:
                attributes = 'Label="UNLABELLED"'
            parts.append(f"<AbstractText {attributes}>{marked_up(text)}</AbstractText>")
        return f"<Abstract>\n{chr(10).join(parts)}\n{copyright}</Abstract>\n"
    text = marked_up(one.abstract_text)
    if kind == TRUNCATED:
        text = " ".join(text.split(" ")[:90]) + "(ABSTRACT TRUNCATED AT 250 WORDS)"
    if kind in COPYRIGHT_TAIL:
        text += " " + COPYRIGHT
    return f"<Abstract><AbstractText>{text}</AbstractText>{copyright}</Abstract>\n"


def _other(one: Paper, kind: int) -> str:
    if kind == BOILER:
        return (
            f'<OtherAbstract Type="Publisher" Language="spa"><AbstractText>{BOILERPLATE}</AbstractText>'
            f"</OtherAbstract>\n"
        )
    if kind == SPANISH:
        text = prose.paragraph(Random(one.doi), "spanish", 6)
        return f'<OtherAbstract Type="Publisher" Language="spa"><AbstractText>{text}</AbstractText></OtherAbstract>\n'
    return ""


def _references(one: Paper, rng: Random) -> str:
    """References carry the ids of other papers: of the ones here with full text, and of none."""
    if one.number % 3:
        return ""
    found = []
    for _ in range(rng.randint(3, 9)):
        other = rng.randrange(BASELINE)
        found.append(
            f"<Reference><Citation>{rng.choice(JOURNALS)[1]}. {rng.randint(1980, 2020)};{rng.randint(1, 90)}"
            f":1-9</Citation>"
            f'<ArticleIdList><ArticleId IdType="doi">10.5555/other.{other}</ArticleId><ArticleId IdType="pubmed">'
            f'{pmid(other)}</ArticleId><ArticleId IdType="pmc">PMC{7_000_000 + 13 * (other // 20)}</ArticleId>'
            "</ArticleIdList></Reference>"
        )
    return f"<ReferenceList>{''.join(found)}</ReferenceList>\n"


def _book(seed: int) -> str:
    rng = Random(f"{seed} book")
    theme = prose.medical_theme(rng)
    return (
        '<PubmedBookArticle><BookDocument><PMID Version="1">20301295</PMID><ArticleIdList>'
        '<ArticleId IdType="bookaccession">'
        "NBK9999</ArticleId></ArticleIdList><Book><Publisher><PublisherName>Invented Press</PublisherName></Publisher>"
        '<BookTitle book="inv">Invented Reviews</BookTitle><PubDate><Year>2019</Year></PubDate></Book>'
        f'<ArticleTitle book="inv" part="one">{marked_up(prose.sentence(rng, "title", theme))}</ArticleTitle>'
        f"<Language>eng</Language><Abstract><AbstractText>{marked_up(prose.paragraph(rng, 'background', 6, theme))}"
        "</AbstractText></Abstract></BookDocument><PubmedBookData><History/><PublicationStatus>ppublish"
        '</PublicationStatus><ArticleIdList><ArticleId IdType="pubmed">20301295</ArticleId></ArticleIdList>'
        "</PubmedBookData></PubmedBookArticle>\n"
    )
