"""PubMed: what becomes of MEDLINE records, and of files that are something else.

The number in brackets is that of the trap list of the sources (1 to 21 are PubMed's).
"""

import gzip
import io
import pickle
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.files import BadInput, Foreign
from corpus.sources import lean
from corpus.sources.pubmed import PubMed, side_car
from corpus.sources.records import Records
from tests import profiles  # noqa: F401 (chooses how many examples)

RAW = Path(__file__).parent / "raw" / "pubmed"
MATHML = 'xmlns:mml="http://www.w3.org/1998/Math/MathML"'


def record(pmid=1, title="A title.", abstract="", article="", citation="", data="", language="eng"):
    """One PubmedArticle; the parts go where the DTD has them."""
    abstract = f"<Abstract>{abstract}</Abstract>" if abstract else ""
    return (
        f'<PubmedArticle><MedlineCitation><PMID Version="1">{pmid}</PMID><Article><Journal><JournalIssue><PubDate>'
        f"<Year>2020</Year></PubDate></JournalIssue><Title>J</Title></Journal><ArticleTitle>{title}</ArticleTitle>"
        f"{abstract}<Language>{language}</Language>{article}</Article>{citation}</MedlineCitation>"
        f"<PubmedData>{data}</PubmedData></PubmedArticle>"
    )


def text(body):
    return f"<AbstractText>{body}</AbstractText>"


def written(tmp_path, *records, name="pubmed26n0001.xml", root="PubmedArticleSet", head=""):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(f"{head}<{root}>{''.join(records)}</{root.split()[0]}>".encode())
    return path


def read(tmp_path, *records, **options):
    path = written(tmp_path, *records, **options)
    return list(PubMed().read(path, path.name))


def one(tmp_path, **parts):
    (document,) = read(tmp_path, record(**parts))
    return document


# -- listing


def site(files, readme=b""):
    """A fetch over the publisher's folders; `files` maps folder -> {file: side-car}."""
    pages = {}
    for folder, names in files.items():
        rows = "".join(
            f'<a href="{n}">{n}</a> 2026-06-{day:02d} 14:05 19M\n<a href="{n}.md5">{n}.md5</a> 2026-06-30 14:05 60\n'
            for day, n in enumerate(names, 3)
        )
        stats = '<a href="pubmed26n0003_stats.html">s</a> 2026-06-30 14:05 1K\n'
        pages[f"http://x/{folder}/"] = f"<html><pre>{rows}{stats}</pre></html>".encode()
        pages |= {f"http://x/{folder}/{n}.md5": side for n, side in names.items()}
    return pages.__getitem__


def side(name, digit="a"):
    return f"MD5({name})= {digit * 32}\n".encode()


def listed(files, **fields):
    return [(r.path, r.digest) for r in PubMed(base="http://x/", **fields).listing(site(files))]


def test_listing_reads_the_folders_in_numerical_order_1_4_18():
    """Neither year nor count is known beforehand, and 26n9999 comes before 26n10000."""
    baseline = ["pubmed26n10000.xml.gz", "pubmed26n9999.xml.gz", "pubmed27n0001.xml.gz"]
    found = listed({"baseline": {n: side(n) for n in baseline}, "updatefiles": {}})
    assert found == [
        ("baseline/pubmed26n9999.xml.gz", "md5:" + "a" * 32),
        ("baseline/pubmed26n10000.xml.gz", "md5:" + "a" * 32),
        ("baseline/pubmed27n0001.xml.gz", "md5:" + "a" * 32),
    ]


def test_since_takes_only_new_files():
    names = [f"pubmed26n{n:04d}.xml.gz" for n in (1, 2, 3, 4)]
    files = {"baseline": {n: side(n) for n in names[:2]}, "updatefiles": {n: side(n) for n in names[2:]}}
    assert [path for path, _ in listed(files, since=3)] == ["updatefiles/pubmed26n0004.xml.gz"]
    assert [path for path, _ in listed(files, since="2026-06-04")] == [
        f"baseline/{names[1]}",
        f"updatefiles/{names[3]}",
    ]
    assert [path for path, _ in listed(files, limit=1)] == [f"baseline/{names[0]}"]


@pytest.mark.parametrize(
    "body", [b"<!DOCTYPE html><html>" + b"0" * 32, b"", b"MD5(pubmed26n0002.xml.gz)= " + b"a" * 32, b"not found"]
)
def test_a_side_car_that_is_something_else_is_an_error_2(body):
    with pytest.raises(BadInput, match="expected one line"):
        listed({"baseline": {"pubmed26n0001.xml.gz": body}, "updatefiles": {}})


def test_a_side_car_of_md5sum_reads_too_1():
    assert side_car(f"{'B' * 32}  x.xml.gz", "u", "x.xml.gz") == "md5:" + "b" * 32


def test_an_empty_listing_is_an_error():
    with pytest.raises(BadInput, match="no pubmedYYnNNNN"):
        listed({"baseline": {}, "updatefiles": {}})


def test_a_republished_file_has_another_digest_3():
    """The same name with other bytes shows in the listing's digest, by which fetching decides."""
    name = "pubmed26n0001.xml.gz"
    first, second = (listed({"baseline": {name: side(name, digit)}, "updatefiles": {}}) for digit in "ab")
    assert first[0][0] == second[0][0] and first != second


# -- revisions


def test_revisions_rise_with_version_year_file_and_position_4_5_6_18(tmp_path):
    def revision(name, *records):
        return [d.meta["revision"] for d in read(tmp_path, *records, name=name)]

    (last_year,) = revision("pubmed26n1595.xml", record())
    first, again = revision("pubmed27n0001.xml", record(), record())
    (update,) = revision("pubmed27n0002.xml", record())
    (deleted,) = revision("pubmed27n0003.xml", '<DeleteCitation><PMID Version="1">1</PMID></DeleteCitation>')
    (back,) = revision("pubmed27n0004.xml", record())
    assert last_year < first < again < update < deleted < back
    (second_version,) = revision("pubmed26n0001.xml", record().replace('Version="1"', 'Version="2"'))
    assert second_version > back
    assert revision("medline99n0001.xml", record()) < [last_year]
    assert revision("efetch.xml", record()) == [[1, 0, 0]]


def test_the_id_is_the_same_for_every_version_6(tmp_path):
    found = read(tmp_path, record(), record().replace('Version="1"', 'Version="2"'))
    assert [d.id for d in found] == ["pubmed:1", "pubmed:1"]


def test_a_deletion_is_a_document_without_text_5(tmp_path):
    found = read(tmp_path, record(7), "<DeleteCitation><PMID>8</PMID><PMID>9</PMID></DeleteCitation>")
    assert [(d.id, d.meta.get("deleted"), d.text) for d in found[1:]] == [
        ("pubmed:8", True, ""),
        ("pubmed:9", True, ""),
    ]


# -- identity


def test_ids_are_the_records_own_and_not_its_references_7(tmp_path):
    ids = '<ArticleIdList><ArticleId IdType="{}">{}</ArticleId></ArticleIdList>'
    references = f"<ReferenceList><Reference>{ids.format('doi', '10.1/other')}</Reference><ReferenceList><Reference>"
    references += f"{ids.format('pmc', 'PMC66')}</Reference></ReferenceList></ReferenceList>"
    document = one(tmp_path, data=references)
    assert "doi" not in document.meta and "pmcid" not in document.meta
    document = one(tmp_path, data=ids.format("doi", "10.1000/own") + references)
    assert document.meta["doi"] == "10.1000/own" and "pmcid" not in document.meta
    comments = '<CommentsCorrectionsList><CommentsCorrections RefType="Cites"><PMID>66</PMID></CommentsCorrections>'
    assert one(tmp_path, citation=comments + "</CommentsCorrectionsList>").id == "pubmed:1"


def test_a_pmcid_of_other_ids_is_read_without_its_remark(tmp_path):
    document = one(tmp_path, citation='<OtherID Source="NLM">PMC2442205 [Available on 12/30/08]</OtherID>')
    assert document.meta["pmcid"] == "PMC2442205"


@pytest.mark.parametrize("pmid", ["", "x", "0"])
def test_a_record_without_pmid_is_an_error_document(tmp_path, pmid):
    (document,) = read(tmp_path, record(pmid))
    assert document.id == "pubmed:pubmed26n0001.xml#0" and "PMID" in document.meta["error"] and not document.text


# -- titles


@pytest.mark.parametrize(
    ("said", "title", "language"),
    [
        ("[On examples].", "On examples", "en"),
        ("[On [3H]examples.]", "On [3H]examples.", "en"),
        ("[3H]thymidine and [14C]glucose", "[3H]thymidine and [14C]glucose", "de"),
        ("[On examples (author's transl)].", "On examples", "en"),
        ("Effect of examples [proceedings].", "Effect of examples.", "de"),
        ("[Not Available].", "", "de"),
        ("[In Process Citation]", "", "de"),
        ("Zur Heilung.", "Zur Heilung.", "de"),
    ],
)
def test_titles_lose_brackets_and_fillers_8(tmp_path, said, title, language):
    document = one(tmp_path, title=said, language="ger")
    assert (document.text, document.meta["language"]) == (title, language)
    assert document.meta["languages"] == ["de"] and document.meta["kind"] == "title"


def test_no_title_at_all_8(tmp_path):
    (document,) = read(tmp_path, record().replace("<ArticleTitle>A title.</ArticleTitle>", ""))
    assert document.text == "" and document.id == "pubmed:1"


# -- markup


@pytest.mark.parametrize(
    ("markup", "reads"),
    [
        ("levels of <i>E. coli</i> rise", "levels of E. coli rise"),
        ("CO<sub>2</sub>levels", "CO2levels"),
        ("Ca<sup>2+ </sup>levels", "Ca²⁺ levels"),
        ("10<sup>-3</sup> m<sup>2</sup>", "10⁻³ m²"),
        ("<sup>14</sup>C and <sup>99m</sup>Tc", "¹⁴C and 99mTc"),
        ("10<sup>0.5</sup> and the 4<sup>th</sup>", "10^0.5 and the 4th"),
        ("2<sup>n</sup>, 2<sup>k</sup>, 2<sup>n+1</sup>", "2ⁿ, 2^k, 2^(n+1)"),
        ("CD24<sup>hi</sup>CD38<sup>lo</sup> and p27<sup>Kip1</sup>", "CD24hiCD38lo and p27Kip1"),
        ("TRPV1<sup>-/-</sup> mice", "TRPV1-/- mice"),
        ("<b><i>a</i></b><i>b</i> <u>c</u>", "ab c"),
        ("x &amp;lt;0.05 of 5 &amp;micro;g", "x <0.05 of 5 µg"),
        ("one\n      two\t three", "one two three"),
        ("m&lt;sup&gt;2&lt;/sup&gt;", "m²"),
    ],
)
def test_inline_markup_neither_glues_nor_splits_words_9(tmp_path, markup, reads):
    assert one(tmp_path, title=markup).text == reads
    assert one(tmp_path, title="", abstract=text(markup)).text == reads


def test_mathml_is_read_once_9_21(tmp_path):
    maths = (
        f"<mml:math {MATHML}><mml:semantics><mml:mrow><mml:msup><mml:mi>r</mml:mi><mml:mn>2</mml:mn></mml:msup>"
        "<mml:mo>=</mml:mo><mml:mfrac><mml:mn>1</mml:mn><mml:mn>2</mml:mn></mml:mfrac></mml:mrow>"
        '<mml:annotation encoding="TeX">r^2 = \\frac12</mml:annotation></mml:semantics></mml:math>'
    )
    assert one(tmp_path, title=f"where ({maths}) holds").text == "where (r² = 1/2) holds"
    assert (
        one(tmp_path, title="", abstract=text(f"so<DispFormula>{maths}</DispFormula>holds")).text == "so r² = 1/2 holds"
    )


# -- abstracts


def test_labels_stand_before_their_parts_except_those_that_mean_none_10(tmp_path):
    parts = [("METHODS AND RESULTS", "One."), ("UNLABELLED", "Two."), ("UNASSIGNED", "Three."), ("", "Four.")]
    abstract = "".join(f'<AbstractText Label="{label}" NlmCategory="X">{said}</AbstractText>' for label, said in parts)
    document = one(tmp_path, abstract=abstract)
    assert document.text == "A title.\n\nMETHODS AND RESULTS: One.\n\nTwo.\n\nThree.\n\nFour."
    assert document.meta["kind"] == "abstract"
    assert one(tmp_path, abstract='<AbstractText Label="AIM:">X.</AbstractText>').text.endswith("AIM: X.")


@pytest.mark.parametrize(
    "tail",
    [
        " (ABSTRACT TRUNCATED AT 250 WORDS)",
        "(ABSTRACT TRUNCATED AT 400 WORDS)",
        " (ABSTRACT TRUNCATED)",
        " ABSTRACT TRUNCATED AT 250 WORDS",
        " (ABSTRACT TRUNCATED AT 250 WORDS).",
    ],
)
def test_truncation_marks_are_left_out_11(tmp_path, tail):
    assert one(tmp_path, title="", abstract=text(f"It was found that{tail}")).text == "It was found that"


@pytest.mark.parametrize(
    "tail",
    [
        " © 2019 The Authors. Published by Nobody Ltd.",
        " Copyright © 2019 Elsevier Inc. All rights reserved.",
        " Copyright 1999 Academic Press.",
        " (c) 2001 Wiley-Liss, Inc.",
        " This article is protected by copyright. All rights reserved.",
        " Published by Elsevier Ltd.",
        "© 2015 Somebody.",
    ],
)
def test_copyright_tails_are_left_out_12(tmp_path, tail):
    assert one(tmp_path, title="", abstract=text(f"It works.{tail}")).text == "It works."


@pytest.mark.parametrize(
    "said",
    [
        "We compare (a) one, (b) two and (c) 3 others.",
        "The copyright of images was studied.",
        "Two cases published by Freud are read again.",
        "Poly(C) was used. (C) Others were not.",
    ],
)
def test_what_only_looks_like_copyright_stays_12(tmp_path, said):
    assert one(tmp_path, title="", abstract=text(said)).text == said


def test_copyright_information_is_no_part_of_the_abstract_12(tmp_path):
    abstract = text("It works.") + "<CopyrightInformation>Copyright 2020.</CopyrightInformation>"
    assert one(tmp_path, title="", abstract=abstract).text == "It works."


def test_an_english_other_abstract_stands_in_for_a_missing_one_13(tmp_path):
    other = '<OtherAbstract Type="{}" Language="{}">{}</OtherAbstract>'
    spanish, english = (
        other.format("Publisher", "spa", text("Un resumen.")),
        other.format("PIP", "eng", text("A summary.")),
    )
    assert one(tmp_path, citation=spanish + english).text == "A title.\n\nA summary."
    assert one(tmp_path, abstract=text("Its own."), citation=english).text == "A title.\n\nIts own."
    assert one(tmp_path, citation=spanish).text == "A title."
    for boilerplate in ("Abstract available from the publisher.", "Abstract available in Spanish from the publisher."):
        assert one(tmp_path, citation=other.format("Publisher", "eng", text(boilerplate))).meta["kind"] == "title"


@pytest.mark.parametrize(
    "empty", ["<AbstractText/>", text("."), text("n/a"), text("No abstract available."), text(" ")]
)
def test_an_abstract_that_says_nothing_is_none_15(tmp_path, empty):
    document = one(tmp_path, abstract=empty)
    assert (document.text, document.meta["kind"]) == ("A title.", "title")


# -- what a record is


@pytest.mark.parametrize(
    ("types", "citation", "retracted", "notice"),
    [
        ('<PublicationType UI="D016441">Retracted Publication</PublicationType>', "", True, None),
        ("<PublicationType>Retracted Publication</PublicationType>", "", True, None),
        ("", '<CommentsCorrections RefType="RetractionIn"><PMID>2</PMID></CommentsCorrections>', True, None),
        ("", '<CommentsCorrections RefType="RetractionOf"><PMID>2</PMID></CommentsCorrections>', False, None),
        ("", '<CommentsCorrections RefType="ErratumIn"><PMID>2</PMID></CommentsCorrections>', False, None),
        ("<PublicationType>Retraction of Publication</PublicationType>", "", False, "retraction"),
        ('<PublicationType UI="D016440">Retraction Notice</PublicationType>', "", False, "retraction"),
        ("<PublicationType>Published Erratum</PublicationType>", "", False, "correction"),
        ("<PublicationType>Expression of Concern</PublicationType>", "", False, "concern"),
        ("<PublicationType>Journal Article</PublicationType>", "", False, None),
    ],
)
def test_retractions_by_type_and_by_reference_and_notices_14(tmp_path, types, citation, retracted, notice):
    document = one(
        tmp_path,
        article=f"<PublicationTypeList>{types}</PublicationTypeList>",
        citation=f"<CommentsCorrectionsList>{citation}</CommentsCorrectionsList>",
    )
    assert ("retracted" in document.meta, document.meta.get("notice")) == (retracted, notice)


def test_books_are_read_16():
    book = {d.id: d for d in PubMed().read(RAW / "updatefiles/pubmed26n0002.xml", "pubmed26n0002.xml")}["pubmed:107"]
    assert book.text == "Its first chapter\n\nWhat the chapter says." and book.created == "2012"


@pytest.mark.parametrize(
    ("date", "created"),
    [
        ("<Year>2020</Year><Month>Feb</Month><Day>3</Day>", "2020-02-03"),
        ("<Year>2020</Year><Month>11</Month>", "2020-11"),
        ("<Year>2020</Year><Season>Summer</Season>", "2020"),
        ("<MedlineDate>1998 Dec-1999 Jan</MedlineDate>", "1998"),
        ("<MedlineDate>Fall 1976</MedlineDate>", "1976"),
        ("<MedlineDate>n.d.</MedlineDate>", None),
    ],
)
def test_dates_in_every_form_17(tmp_path, date, created):
    (document,) = read(tmp_path, record().replace("<Year>2020</Year>", date))
    assert (document.created, document.meta.get("year")) == (created, int(created[:4]) if created else None)


def test_meta_keeps_what_the_record_says(tmp_path):
    mesh = "<MeshHeadingList><MeshHeading><DescriptorName>A &amp; B</DescriptorName><QualifierName>c</QualifierName>"
    document = one(
        tmp_path,
        article="<PublicationTypeList><PublicationType>Letter</PublicationType></PublicationTypeList>",
        citation=mesh + "</MeshHeading></MeshHeadingList>",
    )
    assert document.meta["types"] == ["Letter"] and document.meta["mesh"] == ["A & B"]
    assert document.meta["journal"] == "J" and document.license is not None and document.source == "pubmed"


# -- files


def test_the_fast_way_through_a_record_says_what_the_whole_way_says(monkeypatch):
    path = RAW / "baseline/pubmed26n0001.xml"
    fast = list(PubMed().read(path, path.name))
    monkeypatch.setattr(lean, "record", lambda data: (data, None))
    assert list(PubMed().read(path, path.name)) == fast


@given(st.integers(1, 400))
def test_records_are_the_same_however_the_stream_is_cut(step):
    for name in ("baseline/pubmed26n0001.xml", "updatefiles/pubmed26n0002.xml"):
        body = (RAW / name).read_bytes()
        names = ("PubmedArticle", "PubmedBookArticle", "DeleteCitation")
        assert list(Records(io.BytesIO(body), "x", names, step)) == list(Records(io.BytesIO(body), "x", names))


def test_a_broken_record_costs_one_record(tmp_path):
    found = read(tmp_path, record(1), record(2).replace("</Article>", ""), record(3), "<PubmedArticle><x>", record(4))
    assert [d.id for d in found if "error" not in d.meta] == ["pubmed:1", "pubmed:3", "pubmed:4"]
    assert [d.id for d in found if "error" in d.meta] == ["pubmed:pubmed26n0001.xml#1", "pubmed:pubmed26n0001.xml#3"]


def test_errors_hold_no_text(tmp_path):
    (document,) = read(tmp_path, record(title="Mrs Secret <b"))
    assert "Secret" not in str(document.meta) and "line 1" in document.meta["error"]


def test_tags_in_comments_and_cdata_are_no_tags(tmp_path):
    inside = "<!-- </PubmedArticle><PubmedArticle> --><![CDATA[</PubmedArticle>]]><?pi </PubmedArticle>?>"
    found = read(tmp_path, "<!-- <PubmedArticle> -->", record(1, title=inside), record(2))
    assert [d.id for d in found] == ["pubmed:1", "pubmed:2"]
    assert found[0].text == "</PubmedArticle>"


@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1"])
def test_other_encodings_are_read_as_declared(tmp_path, encoding):
    path = tmp_path / "x.xml"
    body = f'<?xml version="1.0" encoding="{encoding}"?><PubmedArticleSet>{record(title="Fièvre")}</PubmedArticleSet>'
    path.write_bytes(body.encode(encoding))
    assert [d.text for d in PubMed().read(path, "x.xml")] == ["Fièvre"]


def test_namespaces_prefixes_and_entities_of_the_file_reach_the_record(tmp_path):
    head = '<!DOCTYPE PubmedArticleSet [<!ENTITY drug "aspirin">]>'
    (document,) = read(tmp_path, record(title="&drug; &alpha; &unknown;"), head=head)
    assert document.text == "aspirin α &unknown;"
    (document,) = read(tmp_path, record(), root='PubmedArticleSet xmlns="urn:x"')
    assert document.text == "A title."
    prefixed = record().replace("</", "\x00").replace("<", "<p:").replace("\x00", "</p:")
    path = tmp_path / "p.xml"
    path.write_text(f'<p:PubmedArticleSet xmlns:p="urn:x">{prefixed}</p:PubmedArticleSet>')
    assert [d.text for d in PubMed().read(path, "p.xml")] == ["A title."]


def test_records_of_tools_and_older_years_are_read(tmp_path):
    citation = "<MedlineCitation><PMID>5</PMID><Article><ArticleTitle>Old.</ArticleTitle></Article></MedlineCitation>"
    (document,) = read(tmp_path, citation, root="MedlineCitationSet")
    assert (document.id, document.text) == ("pubmed:5", "Old.")
    path = tmp_path / "one.xml"
    path.write_text(citation)
    assert [d.id for d in PubMed().read(path, "one.xml")] == ["pubmed:5"]


def test_memory_does_not_grow_with_the_file_19(tmp_path):
    path = tmp_path / "pubmed26n0001.xml.gz"
    body = record(abstract=text("word " * 60000)).encode()
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"<PubmedArticleSet>")
        for _ in range(80):  # 24 MB
            file.write(body)
        file.write(b"</PubmedArticleSet>")
    tracemalloc.start()
    try:
        assert sum(1 for _ in PubMed().read(path, path.name)) == 80
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12e6


def test_a_file_that_ends_early_says_so_20(tmp_path):
    whole = gzip.compress(f"<PubmedArticleSet>{record()}{record(2)}</PubmedArticleSet>".encode())
    path = tmp_path / "pubmed26n0001.xml.gz"
    path.write_bytes(whole[:-20])
    with pytest.raises(BadInput, match="fetch it again"):
        list(PubMed().read(path, path.name))
    plain = written(tmp_path, record(), record(2))
    for size in (-5, -400):
        plain.write_bytes(f"<PubmedArticleSet>{record()}{record(2)}</PubmedArticleSet>".encode()[:size])
        with pytest.raises(BadInput, match="ends before </PubmedArticleSet>"):
            list(PubMed().read(plain, plain.name))


@pytest.mark.parametrize("body", [b"", b"<!DOCTYPE html><html>login</html>", b"ORA-12537: TNS:connection closed"])
def test_what_was_saved_in_place_of_a_publishers_file_is_an_error_2(tmp_path, body):
    path = tmp_path / "pubmed26n0001.xml"
    path.write_bytes(body)
    with pytest.raises(BadInput):
        list(PubMed().read(path, path.name))


def test_other_xml_is_foreign_and_named():
    with pytest.raises(Foreign, match="<configuration>"):
        list(PubMed().read(RAW / "settings.xml", "settings.xml"))


def test_what_is_read_by_name():
    accepts = PubMed().accepts
    assert accepts("baseline/pubmed26n0001.xml.gz") and accepts("x.XML")
    assert not any(map(accepts, ["pubmed26n0001.xml.gz.md5", "pubmed26n0001_stats.html", "README.txt"]))


def test_a_value_that_pickles_and_hides_addresses():
    source = PubMed(base="http://elsewhere/", since=3)
    assert pickle.loads(pickle.dumps(source)) == source and "elsewhere" not in repr(source)
    assert (source.name, source.restricted) == ("pubmed", False)
