"""PMC's cloud bucket: inventory reports, one metadata file a version, and JATS full texts."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from corpus.world import prose
from corpus.world.files import gzip_text, hex_digest, save
from corpus.world.papers import ARTICLES, MONTHS, Paper, full_text_of, marked_up, paper, pmcid

BUCKET = "pmc-oa-opendata"
DAYS = ("2026-08-29T01-00Z", "2026-08-30T01-00Z")  # the newer one lists everything

LICENSES = ("CC BY", "CC BY", "CC0", "CC BY-NC", "CC BY-SA", "CC BY-NC-ND", "CC BY", "CC BY-ND", "CC BY-NC-SA")
URLS = {
    "CC0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC BY": "https://creativecommons.org/licenses/by/4.0/",
    "CC BY-SA": "https://creativecommons.org/licenses/by-sa/4.0/",
    "CC BY-ND": "https://creativecommons.org/licenses/by-nd/4.0/",
    "CC BY-NC": "https://creativecommons.org/licenses/by-nc/4.0/",
    "CC BY-NC-SA": "https://creativecommons.org/licenses/by-nc-sa/4.0/",
    "CC BY-NC-ND": "https://creativecommons.org/licenses/by-nc-nd/4.0/",
}

# What is peculiar about an article, by its number modulo 30.
KINDS = {
    1: "namespace",
    3: "manuscript version",
    4: "second version",
    5: "retracted",
    6: "notice",
    7: "no body",
    8: "scanned",
    9: "sub-article",
    10: "manuscript",
    11: "no license",
    12: "broken",
    13: "graphical abstract first",
    14: "not English",
    15: "no sections",
    16: "publisher's note",
    17: "floats",
    18: "old ids",
}
BROKEN_EACH = 120  # of the articles of kind "broken", those whose tags are really mixed up
PUBLISHERS_NOTE = "The publisher remains neutral with regard to jurisdictional claims in published maps."
DECISION_LETTER = "Thank you for submitting your manuscript. The reviewers ask for a major revision."


def kind_of(article: int) -> str:
    kind = KINDS.get(article % 30, "plain")
    return "plain" if kind == "broken" and article % BROKEN_EACH != 12 else kind


def license_of(article: int, kind: str) -> str | None:
    return {"manuscript": "TDM", "no license": None}.get(kind, LICENSES[article % len(LICENSES)])


def write(folder: Path, size: int, seed: int) -> dict[str, Any]:
    """The bucket below `folder`, and what was planted in it."""
    truth: dict[str, Any] = {"articles": 0, "versions": 0, "kinds": {}, "chosen": {}, "licenses": {}, "unlinked": []}
    rows = []
    for article in range(ARTICLES * size):
        number = full_text_of(article, size)
        one, kind, id = paper(seed, number), kind_of(article), pmcid(article)
        truth["articles"] += 1
        code = license_of(article, kind)
        truth["licenses"][str(code)] = truth["licenses"].get(str(code), 0) + 1
        if kind != "plain":
            truth["kinds"].setdefault(kind, []).append(id)
        if number < 0:
            truth["unlinked"].append(id)
        for version in (1, 2) if kind in ("manuscript version", "second version") else (1,):
            truth["versions"] += 1
            manuscript = kind == "manuscript" or (kind == "manuscript version" and version == 2)
            rows.append(_version(folder, seed, article, one, kind, version, "TDM" if manuscript else code))
        if kind in ("manuscript version", "second version"):
            truth["chosen"][id] = 1 if kind == "manuscript version" else 2
    _inventory(folder, rows)
    save(folder / "README.txt", "Invented for tests; laid out as the PMC Open Access bucket is laid out.\n")
    return truth


def _version(
    folder: Path, seed: int, article: int, one: Paper, kind: str, version: int, code: str | None
) -> tuple[str, str, str]:
    """Writes one version's two files (three objects); key, date and ETag for the inventory."""
    id = pmcid(article)
    prefix = f"{id}.{version}"
    xml = jats(seed, article, one, kind, version, code).encode()
    if kind == "broken":
        xml = xml.replace(b"</title>", b"</tilte>", 3)
    path = folder / prefix / f"{prefix}.xml"
    save(path, xml)
    manuscript = code == "TDM"
    meta = {
        "pmcid": id,
        "version": version,
        "pmid": one.pmid if one.number >= 0 else None,
        "doi": one.doi,
        "mid": f"NIHMS{article + 1000}" if manuscript else None,
        "title": one.title,
        "citation": f"{one.journal[1]}. {one.year} {MONTHS[one.month - 1]} 1; {one.year - 1990}:{article}",
        "is_pmc_openaccess": not manuscript,
        "is_manuscript": manuscript,
        "is_historical_ocr": kind == "scanned",
        "is_retracted": kind == "retracted",
        "license_code": code,
        "xml_url": f"s3://{BUCKET}/{prefix}/{prefix}.xml?md5={hex_digest(path, 'md5')}",
        "text_url": None,
        "pdf_url": None,
        "media_urls": [],
    }
    body = json.dumps(meta, ensure_ascii=False, indent=2).encode()
    save(folder / prefix / f"{prefix}.json", body)
    copy = folder / "metadata" / f"{prefix}.json"
    save(copy, body)
    return f"metadata/{prefix}.json", f"2026-08-{1 + article % 28:02d}T10:11:12.000Z", hex_digest(copy, "md5")


def _inventory(folder: Path, rows: list[tuple[str, str, str]]) -> None:
    base = f"inventory-reports/{BUCKET}/metadata"
    parts = [rows[: len(rows) * 2 // 3], rows[len(rows) * 2 // 3 :]]
    for day, used in ((DAYS[0], [rows[: max(1, len(rows) - 10)]]), (DAYS[1], parts)):
        files = []
        for number, part in enumerate(used):
            rng = Random(f"{day} {number}")
            uuid = "-".join(f"{rng.getrandbits(4 * n):0{n}x}" for n in (8, 4, 4, 4, 12))
            key = f"{base}/data/{uuid}.csv.gz"
            with gzip_text(folder / key) as out:
                for name, date, etag in part:
                    out.write(f'"{BUCKET}","{name}","{date}","{etag}"\n')
            path = folder / key
            files.append({"key": key, "size": path.stat().st_size, "MD5checksum": hex_digest(path, "md5")})
        manifest = {
            "sourceBucket": BUCKET,
            "destinationBucket": f"arn:aws:s3:::{BUCKET}",
            "version": "2016-11-30",
            "creationTimestamp": "1788051600000",
            "fileFormat": "CSV",
            "fileSchema": "Bucket, Key, LastModifiedDate, ETag",
            "files": files,
        }
        path = folder / base / day / "manifest.json"
        save(path, json.dumps(manifest, indent=2))
        save(path.with_name("manifest.checksum"), hex_digest(path, "md5"))
        save(folder / base / "hive" / f"dt={day[:10]}-01-00" / "symlink.txt", f"s3://{BUCKET}/{files[0]['key']}\n")


# ---- one article ----


def jats(seed: int, article: int, one: Paper, kind: str, version: int, code: str | None) -> str:
    """A JATS article with everything that a parser meets in PMC."""
    writer = _Body(Random(f"{seed} body {article} {version}"), one.theme)
    notice = "retraction" if article // 30 % 2 == 0 else "correction"
    type = notice if kind == "notice" else ("letter" if kind == "no sections" else "research-article")
    namespace = ' xmlns="https://jats.nlm.nih.gov/ns/archiving/1.4/"' if kind == "namespace" else ""
    language = "pt" if kind == "not English" else "en"
    if kind == "no body":
        body = ""
    elif kind == "scanned":
        dump = writer.paragraph("discussion", 30).replace(" ", "  ", 40)
        body = f'<body><preformat preformat-type="pmc-ocr-text">{dump}</preformat></body>\n'
    elif kind == "notice":
        body = f"<body><p>This {notice} concerns an earlier article. {writer.paragraph('discussion', 3)}</p></body>\n"
    elif kind == "no sections":
        body = "<body>" + "".join(writer.p("discussion", 6) for _ in range(5)) + "</body>\n"
    elif kind == "not English":
        text = prose.paragraph(Random(f"{seed} {article}"), "spanish", 60)
        body = f"<body><sec><title>Introducción</title><p>{text}</p></sec></body>\n"
    else:
        body = writer.body(floats=kind == "floats")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE article PUBLIC "-//NLM//DTD JATS (Z39.96) Journal Archiving '
        'and Interchange DTD with MathML3 v1.4 20241031//EN" "JATS-archivearticle1-4-mathml3.dtd">\n'
        f'<article{namespace} xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:mml="http://www.w3.org/19'
        f'98/Math/MathML" '
        f'article-type="{type}" xml:lang="{language}" dtd-version="1.4">'
        '<processing-meta tagset-family="jats" base-tagset="archiving" mathml-version="3.0" table-model="xhtml"/>\n'
        f"{_front(article, one, kind, version, code)}{body}{writer.back(kind)}"
        + (writer.floats_group() if kind == "floats" else "")
        + (_sub_article(writer) if kind == "sub-article" else "")
        + "</article>\n"
    )


def _front(article: int, one: Paper, kind: str, version: int, code: str | None) -> str:
    id = pmcid(article)
    ids = (
        f'<article-id pub-id-type="pmcid">{id}</article-id><article-id pub-id-type="pmcid-ver">'
        f"{id}.{version}</article-id>"
    )
    if kind == "old ids":
        ids = f'<article-id pub-id-type="pmc">{id.removeprefix("PMC")}</article-id>'
    if one.number >= 0:
        ids += f'<article-id pub-id-type="pmid">{one.pmid}</article-id>'
    ids += f'<article-id pub-id-type="doi">{one.doi}</article-id>'
    authors = "".join(
        f'<contrib contrib-type="author"><name><surname>{last}</surname><given-names>{given}</given-names></name>'
        '<xref ref-type="aff" rid="aff1">1</xref></contrib>'
        for last, given in one.authors
    )
    graphical = ""
    if kind == "graphical abstract first":
        graphical = '<abstract abstract-type="graphical"><p>A picture of the study.</p></abstract>'
    parts = [
        f"<sec><title>{name.capitalize()}</title><p>{marked_up(text, 'italic')}</p></sec>"
        for name, text in one.abstract
    ]
    if not one.structured:
        parts = [f"<p>{marked_up(one.abstract_text, 'italic')}</p>"]
    abstract = "" if kind == "notice" else f"{graphical}<abstract>{''.join(parts)}</abstract>"
    if kind == "not English":
        spanish = prose.paragraph(Random(one.doi), "spanish", 5)
        abstract += f'<trans-abstract xml:lang="es"><p>{spanish}</p></trans-abstract>'
    permissions = "<permissions><copyright-statement>© The invented authors</copyright-statement></permissions>"
    if code in URLS:
        permissions = (
            f"<permissions><copyright-statement>© The invented authors {one.year}</copyright-statement>"
            f'<license license-type="open-access"><license-p>This is an open access article under <ext-link '
            f'ext-link-type="uri" xlink:href="{URLS[code]}">{code}</ext-link>.</license-p></license></permissions>'
        )
    flags = {
        "pmc-license-ref": code or "",
        "pmc-prop-open-access": "no" if code == "TDM" else "yes",
        "pmc-prop-manuscript": "yes" if code == "TDM" else "no",
        "pmc-prop-is-ocr-article": "yes" if kind == "scanned" else "no",
        "pmc-status-live": "yes",
    }
    custom = "".join(
        f"<custom-meta><meta-name>{name}</meta-name><meta-value>{value}</meta-value></custom-meta>"
        for name, value in flags.items()
        if value
    )
    related = ""
    if kind == "notice":
        earlier = pmcid(max(0, article - 1))
        related = (
            f'<related-article related-article-type="retracted-article" ext-link-type="pmc" xlink:href="{earlier}"/>'
        )
    mark = '<xref ref-type="fn" rid="fn1">*</xref>' if article % 4 == 0 else ""
    return (
        f'<front><journal-meta><journal-id journal-id-type="nlm-ta">{one.journal[1]}</journal-id><journal-title-group>'
        f"<journal-title>{one.journal[0]}</journal-title></journal-title-group></journal-meta>\n<article-meta>{ids}"
        '<article-categories><subj-group subj-group-type="heading"><subject>Research Article</subject></subj-group>'
        f"</article-categories><title-group><article-title>{marked_up(one.title, 'italic')}{mark}</article-title>"
        f'</title-group><contrib-group>{authors}</contrib-group><aff id="aff1"><institution>Institute of Invention'
        f'</institution></aff><pub-date pub-type="epub"><day>1</day><month>{one.month}</month><year>{one.year}</year>'
        f"</pub-date><volume>{one.year - 1990}</volume>{permissions}{related}{abstract}<kwd-group><kwd>invention</kwd>"
        f"</kwd-group><custom-meta-group>{custom}</custom-meta-group></article-meta></front>\n"
    )


def _sub_article(writer: "_Body") -> str:
    return (
        '<sub-article article-type="decision-letter"><front-stub><title-group><article-title>Decision letter'
        f"</article-title></title-group></front-stub><body><p>{DECISION_LETTER} {writer.paragraph('discussion', 4)}</p>"
        "</body></sub-article>\n"
    )


class _Body:
    """Writes an article's sections; counts its figures, tables and citations as it goes."""

    def __init__(self, rng: Random, theme: prose.Theme) -> None:
        self.rng, self.theme = rng, theme
        self.figures = self.tables = 0

    def paragraph(self, rule: str, count: int) -> str:
        return marked_up(prose.paragraph(self.rng, rule, count, self.theme), "italic")

    def p(self, rule: str, count: int) -> str:
        """A paragraph with citations, and now and then a formula, a list or a figure inside."""
        return f"<p>{' '.join(self._with_extras(rule, count))}</p>\n"

    def _with_extras(self, rule: str, count: int) -> Iterator[str]:
        for text in prose.sentences(self.rng, rule, count, self.theme):
            marked = marked_up(text, "italic")
            roll = self.rng.random()
            if roll < 0.15:
                yield f"{marked[:-1]} [{self._cite()}, {self._cite()}]."
            elif roll < 0.22:
                yield f"{marked}<sup>{self._cite()}</sup>"
            elif roll < 0.27:
                yield f'{marked[:-1]} (<xref ref-type="fig" rid="f1">Figure 1</xref>).'
            elif roll < 0.31:
                yield f"{marked[:-1]} ({self._cite()}; {self._cite()})."
            elif roll < 0.34:
                yield f"{marked[:-1]}, where {self.formula('inline')} holds."
            else:
                yield marked

    def _cite(self) -> str:
        n = self.rng.randint(1, 12)
        return f'<xref ref-type="bibr" rid="b{n}">{n}</xref>'

    def formula(self, place: str) -> str:
        """The same formula three ways, of which a reader wants one."""
        n = self.rng.randint(2, 9)
        return (
            f'<{place}-formula id="m{n}"><alternatives><graphic xlink:href="m{n}.gif"/><tex-math id="M{n}">'
            "\\documentclass[12pt]{minimal} \\usepackage{amsmath} \\begin{document}"
            f"$$y = {n} x^{{2}}$$\\end{{document}}</tex-math><mml:math><mml:mi>y</mml:mi><mml:mo>=</mml:mo>"
            f"<mml:mn>{n}</mml:mn>"
            f"<mml:msup><mml:mi>x</mml:mi><mml:mn>2</mml:mn></mml:msup></mml:math></alternatives></{place}-formula>"
        )

    def figure(self) -> str:
        self.figures += 1
        n = self.figures
        return (
            f'<fig id="f{n}"><label>Figure {n}</label><caption><title>{self.paragraph("caption", 1)}</title>'
            f'<p>{self.paragraph("caption", 1)}</p></caption><graphic xlink:href="f{n}.jpg"><?cloudpmc-path '
            f"blobs/{n}.jpg?><?cloudpmc-bucket cdn?><?size 16141?></graphic></fig>\n"
        )

    def table(self) -> str:
        self.tables += 1
        rows = "".join(
            f"<tr><td>{prose.expand(self.rng, 'lab')}</td><td>{self.rng.randint(1, 99)}</td>"
            f"<td>{self.rng.randint(1, 99)}<break/>({self.rng.randint(1, 9)})</td></tr>"
            for _ in range(4)
        )
        return (
            f'<table-wrap id="t{self.tables}"><label>Table {self.tables}</label><caption><p>'
            f"{self.paragraph('caption', 1)}"
            "</p></caption><table><thead><tr><th>Measure</th><th>First group</th><th>Second group</th></tr></thead>"
            f"<tbody>{rows}</tbody></table><table-wrap-foot><p>Values are means.</p></table-wrap-foot></table-wrap>\n"
        )

    def body(self, floats: bool) -> str:
        items = "".join(f"<list-item><p>{self.paragraph('methods', 1)}</p></list-item>" for _ in range(3))
        figure, table = ("", "") if floats else (self.figure(), self.table())
        introduction = "".join(self.p("background", self.rng.randint(5, 7)) for _ in range(4))
        discussion = "".join(self.p("discussion", self.rng.randint(6, 9)) for _ in range(5))
        return (
            f'<body>\n<sec sec-type="intro"><title>Introduction</title>\n{introduction}</sec>\n'
            f'<sec sec-type="methods"><title>Methods</title>\n{self.p("methods", 3)}'
            f"<sec><title>Participants</title>{self.p('methods', 5)}</sec><sec><title>Procedures</title>"
            f"<p>{self.paragraph('methods', 2)} The steps were these: <list list-type='order'>{items}</list> "
            f"{self.paragraph('methods', 1)}</p></sec><sec><title>Statistical analysis</title>{self.p('methods', 4)}"
            f"{self.formula('disp')}</sec></sec>\n"
            f'<sec sec-type="results"><title>Results</title>\n{self.p("results", 9)}{table}{self.p("results", 9)}'
            f"<p>{self.paragraph('results', 2)}{figure}{self.paragraph('results', 2)}</p></sec>\n"
            f'<sec sec-type="discussion"><title>Discussion</title>\n{discussion}<boxed-text><caption><title>Key points'
            f"</title></caption><p>{self.paragraph('conclusions', 2)}</p></boxed-text></sec>\n"
            f"<sec><title>Conclusions</title>{self.p('conclusions', 3)}</sec>\n</body>\n"
        )

    def back(self, kind: str) -> str:
        references = "".join(
            f'<ref id="b{n}"><label>{n}</label><mixed-citation>{self.rng.randint(1980, 2020)} Invented J. '
            f'<pub-id pub-id-type="pmid">{31_000_000 + n}</pub-id></mixed-citation></ref>'
            for n in range(1, 13)
        )
        note = f'<fn fn-type="other"><p>{PUBLISHERS_NOTE}</p></fn>' if kind == "publisher's note" else ""
        appendix = ""
        if self.rng.random() < 0.3:
            appendix = f"<app-group><app><title>Appendix</title>{self.p('methods', 4)}</app></app-group>"
        return (
            f"<back><ack><p>We thank the invented staff.</p></ack>{appendix}<fn-group><fn fn-type='conflict'><p>"
            f"The authors declare no competing interests.</p></fn>{note}</fn-group><ref-list><title>References</title>"
            f"{references}</ref-list></back>\n"
        )

    def floats_group(self) -> str:
        return f"<floats-group>{self.figure()}{self.table()}</floats-group>\n"


def read_metadata(folder: Path) -> Iterator[dict[str, Any]]:
    """The metadata of every version, in the order of their names; for tests."""
    for path in sorted((folder / "metadata").glob("*.json")):
        yield json.loads(path.read_bytes())


def inventory_keys(folder: Path) -> list[str]:
    """The keys of the newest inventory; for tests."""
    manifest = json.loads((folder / f"inventory-reports/{BUCKET}/metadata/{DAYS[-1]}/manifest.json").read_bytes())
    lines = [gzip.decompress((folder / file["key"]).read_bytes()).decode().split("\n") for file in manifest["files"]]
    return [line.split('","')[1] for part in lines for line in part if line]
