"""PMC: what becomes of JATS articles, and of files and archives that are something else.

The number in brackets is that of the trap list of the sources (22 to 40 are PMC's).
"""

import csv
import gzip
import hashlib
import io
import json
import pickle
import tarfile
import zipfile
from pathlib import Path

import pytest

from corpus.document import aliases
from corpus.files import BadInput, Foreign
from corpus.sources import lean
from corpus.sources.citations import CITED, CLOSE, OPEN, uncite
from corpus.sources.formulas import tex
from corpus.sources.licenses import COMMERCIAL, MANUSCRIPTS, NONCOMMERCIAL, named
from corpus.sources.pmc import PMC

RAW = Path(__file__).parent / "raw" / "pmc"
SPACES = 'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:mml="http://www.w3.org/1998/Math/MathML"'
PROSE = "<p>" + "These words are prose. " * 10 + "</p>"
IDS = '<article-id pub-id-type="pmcid">PMC1</article-id>'


def jats(body="", meta="", back="", title="T", attributes="", ids=IDS, after=""):
    """One article; the parts go where the tag set has them."""
    body = f"<body>{body}</body>" if body else ""
    return (
        f"<article {SPACES} {attributes}><front><article-meta>{ids}<title-group><article-title>{title}</article-title>"
        f"</title-group>{meta}</article-meta></front>{body}<back>{back}</back>{after}</article>"
    )


def read(tmp_path, xml, name="a.xml", source=None):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(xml if isinstance(xml, bytes) else xml.encode())
    return list((source or PMC()).read(path, name))


def one(tmp_path, *args, source=None, **parts):
    (document,) = read(tmp_path, jats(*args, **parts), source=source)
    return document


def paragraphs(tmp_path, body, **parts):
    """The paragraphs of a body."""
    return one(tmp_path, body, **parts).text.split("\n\n")[1:]


def cite(said, kind="bibr"):
    return f'<xref ref-type="{kind}" rid="r1">{said}</xref>'


# -- identity


@pytest.mark.parametrize(
    ("ids", "pmcid", "version"),
    [
        ('<article-id pub-id-type="pmcid">PMC12</article-id>', "PMC12", 1),
        ('<article-id pub-id-type="pmc">12</article-id>', "PMC12", 1),
        ('<article-id pub-id-type="pmc">PMC12</article-id>', "PMC12", 1),
        ('<article-id pub-id-type="pmcid-ver">PMC12.3</article-id>', "PMC12", 3),
        ('<article-id pub-id-type="pmcaid">99</article-id>', None, 1),
        ('<article-id pub-id-type="publisher-id">10.1177_2055</article-id>', None, 1),
    ],
)
def test_pmcids_in_every_dialect_22(tmp_path, ids, pmcid, version):
    document = one(tmp_path, ids=ids)
    assert document.meta.get("pmcid") == pmcid and document.meta["revision"] == [1, version]
    assert document.id == (f"pmc:{pmcid}" if pmcid else "pmc:a") and "doi" not in document.meta


def test_ids_are_those_of_the_article_and_not_of_its_parts_22(tmp_path):
    reference = (
        '<ref-list><ref id="r1"><element-citation><pub-id pub-id-type="doi">10.1000/x</pub-id></element-citation>'
    )
    related = '<related-article ext-link-type="doi" xlink:href="10.1000/y"/>'
    document = one(tmp_path, PROSE, meta=related, back=reference + "</ref></ref-list>")
    assert aliases(document.meta) == ["pmcid:PMC1"]


def test_without_pmcid_the_doi_or_the_place_is_the_id(tmp_path):
    doi = '<article-id pub-id-type="doi">10.1000/AbC</article-id>'
    assert one(tmp_path, ids=doi).id == "pmc:doi:10.1000/abc"
    assert one(tmp_path, ids="").id == "pmc:a"
    (document,) = read(tmp_path, jats(ids=""), name="PMC77.2/main.xml")
    assert (document.id, document.meta["revision"]) == ("pmc:PMC77", [1, 2])


# -- what is read


@pytest.mark.parametrize("prefix", ["", "j:"])
def test_namespaces_and_wrappers_23(tmp_path, prefix):
    article = jats(PROSE).replace(f"<article {SPACES}", "<article").replace("</", "\x00").replace("<", f"<{prefix}")
    article = article.replace("\x00", f"</{prefix}")
    space = f'xmlns{":j" if prefix else ""}="https://jats.nlm.nih.gov/ns/archiving/1.4/"'
    for opened, closed in (
        ("<pmc-articleset {}>", "</pmc-articleset>"),
        ("<OAI-PMH xmlns:o='x' {}><ListRecords><record><metadata>", "</metadata></record></ListRecords></OAI-PMH>"),
    ):
        found = read(tmp_path, opened.format(space) + article * 2 + closed)
        assert [d.id for d in found] == ["pmc:PMC1", "pmc:PMC1"]
        assert found[0].meta["kind"] == "fulltext"
    (document,) = read(tmp_path, article.replace("article ", f"article {space} ", 1))
    assert document.text.startswith("# T\n\nThese words")


def test_a_set_goes_on_after_a_broken_article_23():
    found = list(PMC().read(RAW / "sets/efetch.xml", "sets/efetch.xml"))
    assert [d.meta.get("pmcid") or d.id for d in found] == [
        "PMC9000102",
        "PMC9000103",
        "pmc:sets/efetch#2",
        "pmc:doi:10.5555/made.104",
    ]
    assert "not well-formed" in found[2].meta["error"]


def test_a_record_that_oai_calls_deleted_is_a_deletion(tmp_path):
    header = '<header status="deleted"><identifier>oai:pubmedcentral.nih.gov:12</identifier>'
    header += "<datestamp>2026-01-02</datestamp></header>"
    (document,) = read(tmp_path, f"<OAI-PMH><ListRecords><record>{header}</record></ListRecords></OAI-PMH>")
    assert (document.id, document.meta["deleted"]) == ("pmc:PMC12", True) and document.meta["revision"] > [1, 99]


def test_processing_instructions_and_comments_are_no_text_24(tmp_path):
    body = "<p>One<?cloudpmc-path blobs/x.jpg?> <!-- remark -->two.<?size 1?></p>" + PROSE
    assert paragraphs(tmp_path, body)[0] == "One two."


@pytest.mark.parametrize("head", ["", '<!DOCTYPE article PUBLIC "-//NLM//DTD" "journalpublishing.dtd">'])
def test_entities_of_a_dtd_that_is_not_there_25(tmp_path, head):
    (document,) = read(tmp_path, head + jats("<p>1&alpha;2 &ndash; &nbsp;3 &lt;4 &unheard;</p>" + PROSE))
    assert document.text.split("\n\n")[1] == "1α2 – 3 <4 &unheard;"


def test_entities_that_multiply_are_refused_25(tmp_path):
    bomb = '<!ENTITY a "ha">' + "".join(
        f'<!ENTITY {n} "{f"&{p};" * 10}">' for p, n in zip("abcdefgh", "bcdefghi", strict=True)
    )
    xml = f"<!DOCTYPE article [{bomb}]>{jats('<p>&i;</p>')}"
    for found in (read(tmp_path, xml), PMC().read(packed(tmp_path, {"a.xml": xml.encode()}), "b.tar.gz")):
        (document,) = found
        assert "entities" in document.meta["error"]


def test_no_dtd_is_looked_for_25(tmp_path, monkeypatch):
    """Neither on the network nor in the working folder, where a DTD could hold anything."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.dtd").write_text('<!ENTITY alpha "wrong"><!ATTLIST article article-type CDATA "retraction">')
    for system in ("x.dtd", "http://dtd.invalid/x.dtd"):
        xml = f'<!DOCTYPE article PUBLIC "-//NLM//DTD" "{system}">{jats("<p>1&alpha;</p>")}'
        for found in (read(tmp_path, xml), PMC().read(packed(tmp_path, {"a.xml": xml.encode()}), "b.tar.gz")):
            (document,) = found
            assert document.text.endswith("1α") and "type" not in document.meta and "error" not in document.meta


def test_entities_that_the_file_declares_25(tmp_path):
    head = '<!DOCTYPE article SYSTEM "x.dtd" [<!ENTITY drug "aspirin"> <!-- ]> -->]>'
    (document,) = read(tmp_path, head + jats("<p>&drug;</p>"))
    assert document.text.endswith("aspirin")


def test_the_untyped_abstract_leads_wherever_it_stands_26(tmp_path):
    meta = (
        '<abstract abstract-type="graphical"><p>Picture.</p></abstract><abstract abstract-type="teaser"><p>Tease.</p>'
        '</abstract><abstract abstract-type="key-points"><title>Key points</title><p>A key.</p></abstract>'
        "<abstract><title>Abstract</title><p>The abstract.</p></abstract>"
    )
    assert one(tmp_path, meta=meta).text == "# T\n\nThe abstract.\n\nKey points: A key."


def test_parts_of_an_abstract_keep_their_names_26(tmp_path):
    meta = "<abstract><sec><title>Aim:</title><p>One.</p><p>Two.</p></sec><sec><title/><p>Three.</p></sec></abstract>"
    assert one(tmp_path, meta=meta).text == "# T\n\nAim: One.\n\nTwo.\n\nThree."
    assert "## Abstract\n\nAim: One." in one(tmp_path, PROSE, meta=meta).text


def test_paragraphs_wherever_they_stand_27(tmp_path):
    body = (
        "<p>Before.</p><sec><title>A</title><p>In A.</p><sec><title>B</title><p>In B.</p></sec><p>Again in A.</p></sec>"
        "<p>After.</p><sec><title>C</title></sec><sec><p>Without a title.</p></sec>loose text"
    )
    assert paragraphs(tmp_path, body) == [
        *("Before.", "## A", "In A.", "### B", "In B.", "Again in A.", "After.", "Without a title.", "loose text"),
    ]


def test_blocks_in_a_paragraph_leave_it_whole_28(tmp_path):
    figure = "<fig><label>Fig. 1</label><caption><title>Bars.</title><p>They rise.</p></caption></fig>"
    table = "<table-wrap><label>Table 1</label><caption><p>Cells</p></caption><table><tr><td>9</td></tr></table>"
    table += "</table-wrap>"
    items = "<list><list-item><p>one</p></list-item><list-item><p>two</p></list-item></list>"
    body = f"<p>We see{figure} that it {table}rises:{items}and <italic>falls</italic>.</p>"
    assert paragraphs(tmp_path, body) == [
        "We see that it rises:",
        "- one\n- two",
        "and falls.",
        "Fig. 1. Bars. They rise.",
        "Table 1. Cells",
    ]


def test_lists_keep_their_order_labels_and_nesting_28(tmp_path):
    def items(kind, *inner):
        return f'<list list-type="{kind}">' + "".join(f"<list-item>{i}</list-item>" for i in inner) + "</list>"

    nested = items("order", "<p>one</p>" + items("bullet", "<p>inner</p>"), "<label>(b)</label><p>two</p>")
    definitions = "<def-list><def-item><term>A</term><def><p>means B</p></def></def-item></def-list>"
    assert paragraphs(tmp_path, nested + definitions) == ["1. one\n  - inner\n(b) two", "A: means B"]


def test_floats_are_read_once_29(tmp_path):
    figure = '<fig id="f1"><label>Figure 1</label><caption><p>Seen.</p></caption></fig>'
    floats = f"<floats-group>{figure}</floats-group>"
    assert paragraphs(tmp_path, PROSE, after=floats)[-1] == "Figure 1. Seen."
    assert one(tmp_path, PROSE + figure, after=floats).text.count("Figure 1. Seen.") == 1


MATHS = "<mml:math><mml:mi>E</mml:mi><mml:mo>=</mml:mo><mml:mi>m</mml:mi><mml:msup><mml:mi>c</mml:mi><mml:mn>2</mml:mn>"
MATHS += "</mml:msup></mml:math>"
TEX = r"<tex-math>\documentclass[12pt]{minimal} \usepackage{amsmath} \begin{document}$$\frac{a}{b}$$"
TEX += r"\end{document}</tex-math>"


@pytest.mark.parametrize(
    ("formula", "reads"),
    [
        (f"<inline-formula><alternatives>{TEX}{MATHS}<inline-graphic/></alternatives></inline-formula>", "E = mc²"),
        (f"<inline-formula>{TEX}</inline-formula>", r"$\frac{a}{b}$"),
        (
            f"<disp-formula><label>(1)</label><alternatives>{MATHS}{TEX}</alternatives></disp-formula>",
            r"$$\frac{a}{b}$$",
        ),
        ("<inline-formula><italic>a</italic><sup>2</sup></inline-formula>", "a²"),
        ("<inline-formula><inline-graphic/></inline-formula>", "[formula]"),
    ],
)
def test_a_formula_is_read_once_30(tmp_path, formula, reads):
    assert paragraphs(tmp_path, f"<p>Let {formula} hold.</p>") == [f"Let {reads} hold."]


@pytest.mark.parametrize(
    ("mathml", "reads"),
    [
        ("<mi>p</mi><mo>&lt;</mo><mn>0.05</mn>", "p < 0.05"),
        ("<mo>-</mo><mn>1</mn><mo>+</mo><mi>x</mi>", "−1 + x"),
        ("<mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mi>c</mi></mfrac>", "(a + b)/c"),
        ("<msub><mi>x</mi><mi>i</mi></msub><msubsup><mi>y</mi><mn>1</mn><mn>2</mn></msubsup>", "x_iy₁²"),
        ("<msqrt><mi>n</mi></msqrt><mo>⁢</mo><msup><mn>10</mn><mrow><mo>-</mo><mn>3</mn></mrow></msup>", "√n10⁻³"),
        ("<mover><mi>x</mi><mo>¯</mo></mover>", "x̄"),
        ("<mfenced><mi>a</mi><mi>b</mi></mfenced>", "(a, b)"),
        ('<mfenced separators=""><mi>a</mi><mo>=</mo><mi>b</mi></mfenced>', "(a = b)"),
        ("<mi>log</mi><mi>x</mi>", "log x"),
        (
            "<munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover><mi>i</mi>",
            "∑_(i = 1)ⁿi",
        ),
        ("<semantics><mi>x</mi><annotation>x</annotation></semantics>", "x"),
        (
            "<mi>a</mi><mi>t</mi><mo>&#x2009;</mo><mo>&#x2009;</mo><mi>r</mi><mi>e</mi><mo>&#x2062;</mo><mi>s</mi>",
            "at res",
        ),
    ],
)
def test_mathml_reads_as_a_line_30(tmp_path, mathml, reads):
    marked = mathml.replace("</", "\x00").replace("<", "<mml:").replace("\x00", "</mml:")
    assert paragraphs(tmp_path, f"<disp-formula><mml:math>{marked}</mml:math></disp-formula>") == [reads]


def test_tex_without_its_document_settles_30():
    whole = r"\documentclass{minimal}\begin{document}\[ x \]\end{document}"
    assert tex(whole, False) == "$x$" and tex(tex(whole, True), True) == "$$x$$"


@pytest.mark.parametrize(
    ("body", "reads"),
    [
        (f"seen [{cite(1)}, {cite(2)}–{cite(3)}]. Next", "seen. Next"),
        (f"seen<sup>{cite(1)},{cite(2)}</sup> again", "seen again"),
        (f"seen{cite('<sup>12</sup>')}. Next", "seen. Next"),
        (f"seen.<sup>{cite(1)}</sup> Next", "seen. Next"),
        (f"seen ({cite(1)}; {cite(2)}) again", "seen again"),
        (f"seen ({cite('Nemo et al., 2001')}; {cite('Omen 2002')})", "seen"),
        (f"seen (e.g., Nemo <italic>et al.</italic>, {cite(2001)})", "seen"),
        (f"seen (te Nemo and others {cite(2001)}; Omen and others {cite(2002)}, under review)", "seen"),
        (f"as {cite('Nemo et al. (2001)')} saw", "as Nemo et al. (2001) saw"),
        (f"Nemo et al. ({cite(2001)}) saw", "Nemo et al. saw"),
        (f"Nemo et al. ({cite('2001)')} saw", "Nemo et al. saw"),
        (f"rises (p &lt; 0.05; {cite(4)})", "rises (p < 0.05)"),
        (f"rises ({cite('1', 'fig')}; {cite(4)})", "rises (1)"),
        (f"as described in {cite(4)}. Next", "as described. Next"),
        (f"by Nemo et al. [{cite(4)}]. Next", "by Nemo et al. Next"),
        (f"one [{cite(1)}].Two", "one. Two"),
        (f"rats{cite(1)}were", "rats were"),
        (f"(ref. {cite(1)})and", "and"),
        ("a function f() of [brackets] (−) stays", "a function f() of [brackets] (−) stays"),
        (f"a mark<xref ref-type='fn' rid='f'>*</xref> and {cite('Table 1', 'table')}", "a mark and Table 1"),
        ("seen [<xref rid='r9'>9</xref>]", "seen"),
    ],
)
def test_citations_leave_no_trace_31(tmp_path, body, reads):
    references = '<ref-list><ref id="r9"><mixed-citation>Nine.</mixed-citation></ref></ref-list>'
    assert paragraphs(tmp_path, f"<p>It was {body}</p>", back=references) == [f"It was {reads}".strip()]


def test_text_without_citations_is_left_alone_31():
    for text in ("plain", "x (y) [z]", "a, b; c"):
        assert uncite(text) == text
    assert uncite(f"a{CITED}") == "a" and uncite(f"{OPEN}Nemo 2001{CLOSE} saw") == "Nemo 2001 saw"


@pytest.mark.timeout(60)  # a minute to for ever, while a pattern could split each of these in many ways
def test_text_that_patterns_could_split_in_many_ways_is_read_at_once(tmp_path):
    initials = "A." * 60
    named = f"seen (Nemo {cite('Nemo 2001')} {initials}=)"
    assert paragraphs(tmp_path, f"<p>It was {named}</p>") == [f"It was seen (Nemo {initials}=)"]
    spaced = f"seen (q{' ,' * 20_000} q {cite(1)})"
    assert paragraphs(tmp_path, f"<p>It was {spaced}</p>") == [f"It was seen (q{' ,' * 20_000} q)"]
    article = jats(f"<sec><title>{'1' * 300}</title>{PROSE}</sec>")
    path = packed(tmp_path, {"a.xml": article.encode()})
    assert f"## {'1' * 300}" in next(iter(PMC().read(path, path.name))).text


def test_reviews_replies_and_translations_are_left_out_32(tmp_path):
    after = '<sub-article article-type="reviewer-report"><body><p>Review.</p></body></sub-article>'
    after += "<response><body><p>Reply.</p></body></response>"
    assert "Review" not in (text := one(tmp_path, PROSE, after=after).text) and "Reply" not in text


def test_text_of_a_scanner_is_left_out_33(tmp_path):
    scanned = f'<preformat preformat-type="pmc-ocr-text">{"0CR w0rds " * 50}</preformat>'
    document = one(tmp_path, scanned)
    assert (document.text, document.meta["kind"]) == ("# T", "title")
    assert paragraphs(tmp_path, "<preformat>code  here\n  indented</preformat>") == ["code  here\n  indented"]


@pytest.mark.parametrize(
    ("body", "meta", "kind"),
    [
        (PROSE, "", "fulltext"),
        ("", "<abstract><p>A.</p></abstract>", "abstract"),
        ("<p>See the PDF.</p>", "<abstract><p>A.</p></abstract>", "abstract"),
        ("<fig><caption><p>" + "Only a caption. " * 30 + "</p></caption></fig>", "", "title"),
        ("", "", "title"),
    ],
)
def test_full_text_is_a_body_with_prose_34(tmp_path, body, meta, kind):
    assert one(tmp_path, body, meta=meta).meta["kind"] == kind


LICENSE = "<permissions><license{}><license-p>{}</license-p></license></permissions>"
CC = "https://creativecommons.org/licenses"


@pytest.mark.parametrize(
    ("meta", "license"),
    [
        (LICENSE.format(f' xlink:href="{CC}/by/4.0/"', ""), "CC BY"),
        (LICENSE.format(f' xlink:href="{CC}/by-nc-nd/4.0"', ""), "CC BY-NC-ND"),
        (
            LICENSE.format(' license-type="open-access"', "Creative Commons Attribution Non-Commercial License"),
            "CC BY-NC",
        ),
        (LICENSE.format("", f'see <ext-link xlink:href="{CC}/by-sa/3.0/">here</ext-link>'), "CC BY-SA"),
        (LICENSE.format("", "the Creative Commons Public Domain declaration"), "CC0"),
        (LICENSE.format("", "Attribution–NonCommercial–NoDerivatives (CC BY-NC-ND 4.0)"), "CC BY-NC-ND"),
        (
            '<permissions><ali:license_ref xmlns:ali="http://www.niso.org/schemas/ali/1.0/">'
            "https://creativecommons.org/publicdomain/zero/1.0/</ali:license_ref></permissions>",
            "CC0",
        ),
        ("<permissions><copyright-statement>© 2001 Nobody</copyright-statement></permissions>", None),
        ("", None),
    ],
)
def test_licences_wherever_they_are_stated_35(tmp_path, meta, license):
    assert one(tmp_path, meta=meta).license == license


def custom(name, value):
    group = "<custom-meta-group><custom-meta><meta-name>{}</meta-name><meta-value>{}</meta-value></custom-meta>"
    return group.format(name, value) + "</custom-meta-group>"


def test_pmcs_own_word_on_a_licence_counts_first_35(tmp_path):
    stated = LICENSE.format(f' xlink:href="{CC}/by/4.0/"', "")
    assert one(tmp_path, meta=stated + custom("pmc-license-ref", "CC BY-NC")).license == "CC BY-NC"
    manuscript = one(tmp_path, meta=custom("pmc-prop-manuscript", "yes"))
    assert (manuscript.license, manuscript.meta["revision"]) == ("TDM", [0, 1])


@pytest.mark.parametrize(
    ("text", "code"),
    [("CC BY-NC-SA 4.0", "CC BY-NC-SA"), ("CC0", "CC0"), ("TDM", "TDM"), ("CCC reprints", None), ("CC BY", "CC BY")],
)
def test_licence_codes_35(text, code):
    assert named(text) == code


def test_licences_outside_the_policy_are_marked_35(tmp_path):
    source = PMC(licenses=("CC0", "CC BY"))
    free, bound = (
        LICENSE.format(f' xlink:href="{CC}/by/4.0/"', ""),
        LICENSE.format(f' xlink:href="{CC}/by-nc/4.0/"', ""),
    )
    assert "excluded" not in one(tmp_path, meta=free, source=source).meta
    assert one(tmp_path, meta=bound, source=source).meta["excluded"] == "license CC BY-NC"
    assert one(tmp_path, source=source).meta["excluded"] == "license none"
    assert "excluded" not in one(tmp_path, source=PMC(licenses=("none",))).meta


@pytest.mark.parametrize(
    ("attributes", "title", "meta", "retracted", "notice"),
    [
        ('article-type="retraction"', "Retraction: T", "", False, "retraction"),
        ('article-type="correction"', "Correction: T", "", False, "correction"),
        (
            'article-type="correction"',
            "T",
            '<related-article related-article-type="retracted-article"/>',
            False,
            "retraction",
        ),
        ('article-type="expression-of-concern"', "T", "", False, "concern"),
        ('article-type="other"', "Erratum to: T", "", False, "correction"),
        ('article-type="research-article"', "Correction of scoliosis in children", "", False, None),
        ('article-type="research-article"', "RETRACTED: T", "", True, None),
        ('article-type="retracted-article"', "T", "", True, None),
        (
            'article-type="research-article"',
            "T",
            '<related-article related-article-type="corrected-article"/>',
            False,
            None,
        ),
    ],
)
def test_retractions_and_notices_36(tmp_path, attributes, title, meta, retracted, notice):
    document = one(tmp_path, PROSE, attributes=attributes, title=title, meta=meta)
    assert ("retracted" in document.meta, document.meta.get("notice")) == (retracted, notice)


def test_an_article_speaks_its_own_language_38(tmp_path):
    meta = '<abstract xml:lang="pt"><p>Resumo.</p></abstract><abstract xml:lang="en"><p>English.</p></abstract>'
    meta += '<trans-abstract xml:lang="es"><p>Resumen.</p></trans-abstract>'
    document = one(tmp_path, meta=meta, attributes='xml:lang="pt"')
    assert (document.text, document.meta["language"]) == ("# T\n\nResumo.", "pt")
    assert "language" not in one(tmp_path).meta


@pytest.mark.parametrize(
    "heading",
    [
        *("Competing interests", "5. Conflict of Interest Statement", "Authors’ contributions", "Acknowledgements"),
        *("Data Availability Statement", "Funding", "Supporting Information", "Publisher’s Note", "Abbreviations"),
        *("Ethics approval and consent to participate", "Declaration of Competing Interest", "Additional files"),
        *("Availability of data and materials", "Role of the funding source", "Conflicts of interest:", "References"),
    ],
)
def test_sections_about_the_paper_are_left_out_39_40(tmp_path, heading):
    section = f"<sec><title>{heading}</title><p>Boilerplate.</p></sec>"
    assert paragraphs(tmp_path, PROSE + section) == paragraphs(tmp_path, PROSE)
    assert paragraphs(tmp_path, PROSE, back=section) == paragraphs(tmp_path, PROSE)


@pytest.mark.parametrize(
    "heading",
    [
        "Conflict of interest in surgery",
        "Ethics",
        "Funding of hospitals in Chad",
        "Data",
        "Materials",
        "Review of data",
    ],
)
def test_sections_about_their_subject_stay_40(tmp_path, heading):
    inner = f"<sec><title>{heading}</title><p>Content.</p></sec>"
    assert paragraphs(tmp_path, f"<sec><title>Methods</title>{inner}</sec>")[-2:] == [f"### {heading}", "Content."]


def test_the_back_gives_its_appendices_alone_40(tmp_path):
    back = (
        "<ack><p>Thanks.</p></ack><bio><p>Born.</p></bio><fn-group><fn><p>Note.</p></fn></fn-group><glossary><p>G.</p>"
        "</glossary><notes><p>N.</p></notes><app-group><app><title>Appendix</title><p>Prose.</p></app></app-group>"
        "<ref-list><title>References</title><ref><mixed-citation>R.</mixed-citation></ref></ref-list>"
    )
    assert paragraphs(tmp_path, PROSE, back=back)[1:] == ["## Appendix", "Prose."]


def test_cells_of_tables_are_kept_when_asked_for(tmp_path):
    table = (
        "<table-wrap><label>Table 1</label><caption><p>Cells.</p></caption><alternatives><graphic/><table><thead><tr>"
        "<th>a</th><th>b</th></tr></thead><tbody><tr><td>1<break/>2</td><td>3</td></tr></tbody></table></alternatives>"
        "<table-wrap-foot><fn><p>Noted.</p></fn></table-wrap-foot></table-wrap>"
    )
    assert paragraphs(tmp_path, table) == ["Table 1. Cells."]
    assert paragraphs(tmp_path, table, source=PMC(tables=True)) == ["Table 1. Cells.", "a | b\n1 2 | 3", "Noted."]


def test_an_address_alone_is_no_paragraph_39(tmp_path):
    own = "<p><bold>DOI:</bold>\n<ext-link>http://dx.doi.org/10.7554/x.1.002</ext-link></p>"
    assert paragraphs(tmp_path, f"<p>It was seen.</p>{own}<p>DOI: 10.5061/dryad.x holds it.</p>") == [
        "It was seen.",
        "DOI: 10.5061/dryad.x holds it.",
    ]


def test_markup_neither_glues_nor_splits_words(tmp_path):
    said = "H<sub>2</sub>O, Ca<sup>2+ </sup>in <italic>E. coli</italic><bold>s</bold> at 10<sup>-3</sup> m<sup>2</sup>"
    assert paragraphs(tmp_path, f"<p>{said}</p>") == ["H2O, Ca²⁺ in E. colis at 10⁻³ m²"]
    assert paragraphs(tmp_path, "<p>(\n  <bold>A</bold>\n) is\n one .</p>") == ["(A) is one."]


@pytest.mark.parametrize("tables", [False, True])
def test_the_short_way_through_an_article_says_what_the_whole_way_says(tmp_path, monkeypatch, tables):
    references = '<ref-list><ref id="r1"><mixed-citation>R%s</mixed-citation></ref></ref-list>'
    tricky = jats(
        "<!-- <ref-list> --><p>Kept.</p><table-wrap><caption><p>C.</p></caption><table><tr><td><table><tr><td>1</td>"
        "</tr></table></td></tr></table></table-wrap><p>Also <![CDATA[<table>]]> kept.</p>" + PROSE,
        back=references % "<!-- </ref-list> -->",
        after="<sub-article><body><p>Review.</p></body><sub-article/></sub-article>",
    )
    # as PMC writes its references, and a collaboration's authors, which lie within authors
    plain = jats(f"<p>One.</p>{PROSE}", back=references % "<?supplied-pmid 18943697?><!--PageBreak-->").replace(
        "</article-meta>",
        "<contrib-group><contrib><collab>C<contrib-group><contrib/></contrib-group></collab></contrib></contrib-group>"
        "<aff>Aff.</aff></article-meta>",
    )
    raw = (RAW / "PMC9000101.1/PMC9000101.1.xml").read_bytes()
    path = packed(tmp_path, {"a.xml": tricky.encode(), "b.xml": raw, "c.xml": plain.encode()})
    left = lean.article(plain.encode(), tables)
    assert b"<mixed-citation>" not in left and b"Aff." not in left and b"<collab>" in left
    source = PMC(tables=tables)
    short = list(source.read(path, path.name))
    monkeypatch.setattr(lean, "article", lambda data, tables: data)
    assert list(source.read(path, path.name)) == short
    assert "Kept.\n\nC." in short[0].text and "Also <table> kept." in short[0].text and "Review" not in short[0].text


# -- the bucket


def metadata(pmcid, version=1, **fields):
    key = f"{pmcid}.{version}"
    url = f"s3://pmc-oa-opendata/{key}/{key}.xml?md5={'c' * 32}"
    known = {"pmcid": pmcid, "version": version, "is_pmc_openaccess": True, "is_manuscript": False, "xml_url": url}
    return known | {"is_retracted": False, "license_code": "CC BY"} | fields


def bucket(articles, schema="Bucket, Key, LastModifiedDate, ETag", corrupt=False):
    """A fetch over a bucket with an inventory in two parts; `articles` is a list of metadata."""
    columns = schema.split(", ")
    root = "inventory-reports/pmc-oa-opendata/metadata/"
    pages, files = {}, []
    for number, some in enumerate((articles[::2], articles[1::2])):
        rows = io.StringIO()
        for known in some:
            row = {"Bucket": "b", "Key": f"metadata/{known['pmcid']}.{known['version']}.json", "ETag": "e"}
            csv.writer(rows, quoting=csv.QUOTE_ALL).writerow([row.get(column, "") for column in columns])
        body = gzip.compress(rows.getvalue().encode())
        digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
        files.append({"key": f"{root}data/{number}.csv.gz", "size": len(body), "MD5checksum": digest})
        pages[f"http://x/{root}data/{number}.csv.gz"] = body[:-9] if corrupt else body
    days = "".join(
        f"<Prefix>{root}{day}/</Prefix>" for day in ("2026-08-01T01-00Z", "2026-08-03T01-00Z", "data", "hive")
    )
    pages[f"http://x/?list-type=2&delimiter=/&prefix={root}"] = f"<ListBucketResult>{days}</ListBucketResult>".encode()
    manifest = {"fileSchema": schema, "files": files}
    pages[f"http://x/{root}2026-08-03T01-00Z/manifest.json"] = json.dumps(manifest).encode()
    for known in articles:
        pages[f"http://x/metadata/{known['pmcid']}.{known['version']}.json"] = json.dumps(known).encode()
    return pages.__getitem__


def test_listing_goes_from_the_inventory_through_metadata_to_the_xml_37():
    fetch = bucket([metadata("PMC20"), metadata("PMC3"), metadata("PMC100", license_code=None)])
    found = list(PMC(base="http://x/").listing(fetch))
    assert [(r.url, r.path, r.digest, r.license) for r in found] == [
        (f"http://x/{n}.1/{n}.1.xml", f"{n}.1/{n}.1.xml", "md5:" + "c" * 32, code)
        for n, code in (("PMC3", "CC BY"), ("PMC20", "CC BY"), ("PMC100", None))
    ]
    assert len(list(PMC(base="http://x/", limit=2).listing(fetch))) == 2


def test_the_published_version_counts_before_the_highest_35():
    versions = [metadata("PMC1", 1), metadata("PMC1", 2), metadata("PMC1", 3, is_manuscript=True, license_code="TDM")]
    (remote,) = PMC(base="http://x/").listing(bucket(versions))
    assert remote.path == "PMC1.2/PMC1.2.xml"


def test_only_what_policy_accepts_is_fetched_35_36():
    articles = [
        metadata("PMC1", is_retracted=True),
        metadata("PMC2", license_code="CC BY-NC"),
        metadata("PMC3", license_code=None),
        metadata("PMC4"),
    ]
    policy = PMC(base="http://x/", licenses=("CC BY", "CC0"))
    assert [r.path for r in policy.listing(bucket(articles))] == ["PMC4.1/PMC4.1.xml"]


def test_a_manuscript_stands_in_where_policy_has_the_published_version_not_35():
    versions = [
        metadata("PMC1", 1, license_code="CC BY-NC"),
        metadata("PMC1", 2, is_manuscript=True, license_code="TDM"),
    ]
    for licenses, path in (
        (COMMERCIAL, []),
        ((*COMMERCIAL, *MANUSCRIPTS), ["PMC1.2/PMC1.2.xml"]),
        ((*NONCOMMERCIAL, *MANUSCRIPTS), ["PMC1.1/PMC1.1.xml"]),
    ):
        assert [r.path for r in PMC(base="http://x/", licenses=licenses).listing(bucket(versions))] == path


def test_a_licence_that_does_not_exist_is_refused_35():
    with pytest.raises(ValueError, match="no licence 'CC-BY'; did you mean 'CC BY'"):
        PMC(licenses=("CC0", "CC-BY"))


def test_the_inventorys_columns_are_read_and_its_parts_verified():
    fetch = bucket([metadata("PMC1")], schema="ETag, Key, Bucket")
    assert [row["Key"] for row in PMC(base="http://x/").inventory(fetch)] == ["metadata/PMC1.1.json"]
    with pytest.raises(BadInput, match="md5"):
        list(PMC(base="http://x/").inventory(bucket([metadata("PMC1")], corrupt=True)))
    with pytest.raises(BadInput, match="no Key"):
        list(PMC(base="http://x/").inventory(bucket([metadata("PMC1")], schema="Bucket, Size")))
    with pytest.raises(BadInput, match="no folder of a day"):
        list(PMC(base="http://x/").inventory(lambda url: b"<ListBucketResult/>"))


@pytest.mark.parametrize("place", ["PMC1.2/PMC1.2.json", "metadata/PMC1.2.json"])
def test_metadata_beside_an_article_is_believed_35_36(tmp_path, place):
    known = metadata("PMC1", 2, license_code="CC BY-ND", is_retracted=True, pmid=5, doi="10.1000/z")
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text(json.dumps(known))
    (document,) = read(tmp_path, jats(PROSE), name="PMC1.2/PMC1.2.xml")
    assert (document.license, document.meta["revision"]) == ("CC BY-ND", [1, 2])
    assert document.meta["retracted"] and aliases(document.meta) == ["doi:10.1000/z", "pmcid:PMC1", "pmid:5"]


# -- archives and other files


def packed(tmp_path, files, name="bundle.tar.gz"):
    path = tmp_path / name
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            for member, body in files.items():
                archive.writestr(member, body)
        return path
    with tarfile.open(path, "w:gz" if name.endswith("gz") else "w") as archive:
        for member, body in files.items():
            info = tarfile.TarInfo(member)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return path


@pytest.mark.parametrize("name", ["bundle.tar.gz", "bundle.tar", "bundle.zip"])
def test_archives_are_read_article_by_article(tmp_path, name):
    whole = jats(PROSE).encode()
    files = {
        "PMC1.1/PMC1.1.xml": whole,
        "PMC1.1/PMC1.1.json": json.dumps(metadata("PMC1", license_code="CC0")).encode(),
        "a b/cut.nxml": whole[:-30],
        "pictures/one.jpg": b"\xff\xd8",
        "other.xml": b"<html/>",
        "b/article.xml": jats(PROSE, ids="").encode(),
    }
    path = packed(tmp_path, files, name)
    found = list(PMC().read(path, name))
    assert [d.id for d in found] == ["pmc:PMC1", "pmc:a b/cut", "pmc:other", "pmc:b/article"]
    assert found[0].license == "CC0"
    assert ["ends before" in d.meta.get("error", "") for d in found] == [False, True, False, False]
    assert "<html>" in found[2].meta["error"]


def test_articles_under_one_pmcid_are_all_yielded(tmp_path):
    files = {"PMC1.1/PMC1.1.xml": jats(PROSE).encode(), "PMC1.2/PMC1.2.xml": jats(PROSE).encode()}
    path = packed(tmp_path, files)
    assert [d.id for d in PMC().read(path, path.name)] == ["pmc:PMC1", "pmc:PMC1"]


def test_an_archive_that_ends_early_says_so(tmp_path):
    path = packed(tmp_path, {f"{n}.xml": jats(PROSE, ids="").encode() for n in range(50)})
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(BadInput, match="fetch it again"):
        list(PMC().read(path, path.name))


def test_a_lone_file_that_ends_early_says_so(tmp_path):
    with pytest.raises(BadInput, match="ends before </article>"):
        read(tmp_path, jats(PROSE)[:-30])


def test_other_xml_is_foreign_and_named():
    with pytest.raises(Foreign, match="<collection>"):
        list(PMC().read(RAW / "other.xml", "other.xml"))


def test_errors_hold_no_text(tmp_path):
    (document,) = read(tmp_path, jats("<p>Mrs Secret <b</p>"))
    assert "Secret" not in str(document.meta) and "line" in document.meta["error"]


@pytest.mark.parametrize("name", ["a.xml", "b.tar.gz"])
def test_markup_nested_beyond_reason_is_an_error_of_one_article(tmp_path, name):
    deep = jats("<p>" + "<italic>" * 1500 + "x" + "</italic>" * 1500 + "</p>").encode()
    path = packed(tmp_path, {"a.xml": deep}) if name == "b.tar.gz" else tmp_path / name
    if name == "a.xml":
        path.write_bytes(deep)
    (document,) = PMC().read(path, path.name)
    assert "nested" in document.meta["error"]


def test_what_is_read_by_name():
    accepts = PMC().accepts
    names = ["PMC1.1/PMC1.1.xml", "x.nxml", "x.xml.gz", "oa_comm_xml.PMC003xxxxxx.baseline.2022-01-01.tar.gz", "x.zip"]
    assert all(map(accepts, names))
    assert not any(map(accepts, ["PMC1.1/PMC1.1.json", "PMC1.1/PMC1.1.pdf", "oa_file_list.csv", "PMC1.1/PMC1.1.txt"]))


def test_a_value_that_pickles_and_says_its_policy():
    source = PMC(tables=True, licenses=("CC BY",), base="http://elsewhere/")
    assert pickle.loads(pickle.dumps(source)) == source
    assert "tables=True" in repr(source) and "CC BY" in repr(source) and "elsewhere" not in repr(source)
    assert (source.name, source.restricted) == ("pmc", False)
