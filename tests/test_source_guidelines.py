"""The guidelines' columns, what PDFs did to their words, and where the hub keeps them."""

import json
import unicodedata
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.files import BadInput, Foreign
from corpus.sources.guidelines import Guidelines, repair
from tests import profiles  # noqa: F401 (chooses how many examples)

NAME = "open_guidelines.jsonl"
RAW = Path(__file__).parent / "raw" / "guidelines" / NAME


def read(path=RAW, name=NAME):
    return list(Guidelines().read(path, name))


def test_rows_with_and_without_title_and_under_both_names_of_the_text():
    first, second, third = read()
    assert [d.id for d in (first, second, third)] == ["guidelines:a1", "guidelines:b2", "guidelines:c3"]
    assert first.text.startswith("# Management of gout\n\n## Recommendations\n")
    assert second.text.startswith("Gout\n\nGout is significant.")
    assert third.text == "Tetanus\n\nGive tetanus toxoid."
    assert second.meta == {
        "kind": "guideline",
        "language": "en",
        "publisher": "wikidoc",
        "title": "Gout",
        "url": "https://www.wikidoc.org/index.php/Gout",
    }
    assert [d.license for d in (first, second, third)] == [
        "NICE UK Open Content Licence (United Kingdom only)",
        "unknown",
        "US government work (17 USC 105) unless marked",
    ]


def test_nothing_of_the_text_is_taken_for_markup():
    """The bugs of the published cleaning: comparisons, brackets, a line's first o, rows of numbers."""
    text = read()[0].text
    assert "p<0.05 and" in text and "function > 30" in text
    assert "[1]" in text
    assert "\nof note:" in text
    assert "\n150 75\n" in text


@pytest.mark.parametrize(
    ("broken", "whole"),
    [
        ("recom-\nmendation; recommendation", "recommendation; recommendation"),
        ("recom- mendation; recommendation", "recommendation; recommendation"),
        ("long-\nterm; long-term", "long-term; long-term"),
        ("short- and long-term", "short- and long-term"),
        ("recom-\nmendation once", "recom-\nmendation once"),
        ("IL-\n6 levels", "IL-\n6 levels"),
        ("signi ﬁ cant, significant", "significant, significant"),
        ("bene ﬁt, benefit", "benefit, benefit"),
        ("eﬃ cacy, efficacy", "efficacy, efficacy"),
        ("the ﬁrst ﬁve", "the first five"),
        ("of ﬂu; offlu", "offlu; offlu"),
        ("the ﬁ nal one", "the fi nal one"),
        ("m² stays m²", "m² stays m²"),
    ],
)
def test_words_are_closed_where_the_document_shows_them_whole(broken, whole):
    assert repair(broken) == whole
    assert repair(whole) == whole


@given(st.text(st.sampled_from("abfit ﬁﬂﬃ-\n.6"), max_size=60))
def test_repair_moves_no_letter_and_settles(text):
    def letters(text):
        return [letter for letter in unicodedata.normalize("NFKC", text) if letter.isalnum()]

    once = repair(text)
    assert letters(once) == letters(text)
    assert repair(once) == once


def test_parquet_and_compressed_lines_give_the_same(tmp_path):
    rows = [json.loads(line) for line in RAW.read_bytes().split(b"\n") if line]
    pq.write_table(pa.Table.from_pylist(rows[:2]), tmp_path / "train.parquet")
    assert read(tmp_path / "train.parquet", "train.parquet") == read()[:2]


def test_rows_without_id_or_text(tmp_path):
    path = tmp_path / "g.jsonl"
    rows = [{"title": "A", "text": "x"}, {"title": "A", "text": "y"}, {"id": "1", "title": "T", "clean_text": None}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"id": "2", "clean_text": 5}\n{"broken')
    documents = read(path, "g.jsonl")
    assert len({d.id for d in documents}) == 5
    assert documents[0].id == read(path, "other.jsonl")[0].id  # of its content, not of its file
    assert documents[2].text == "T"
    assert [d.meta.get("error") for d in documents[3:]] == ["its text is no string", "not JSON (at character 8 of 8)"]


@pytest.mark.parametrize("body", ["id,title,text\n1,a,b\n", '{"question": "q", "title": "t"}\n', '{"text": "only"}\n'])
def test_other_tables_are_foreign(tmp_path, body):
    path = tmp_path / "x.jsonl"
    path.write_text(body)
    with pytest.raises(Foreign, match="not guidelines; expected id, source, title, clean_text"):
        read(path, "x.jsonl")


def test_the_listing_reads_the_hubs_own():
    tree = [
        {"type": "file", "path": "README.md", "size": 10},
        {"type": "directory", "path": "old"},
        {"type": "file", "path": NAME, "size": 878, "lfs": {"oid": "ab" * 32, "size": 878}},
    ]
    asked = []

    def fetch(url):
        asked.append(url)
        return json.dumps(tree).encode()

    [remote] = Guidelines(base="http://hub").listing(fetch)
    assert asked == ["http://hub/api/datasets/epfl-llm/guidelines/tree/main?recursive=true"]
    assert remote.url == f"http://hub/datasets/epfl-llm/guidelines/resolve/main/{NAME}"
    assert (remote.path, remote.digest, remote.size) == (NAME, "sha256:" + "ab" * 32, 878)
    for answer in (b"<html>", b"[]"):
        with pytest.raises(BadInput, match="hub"):
            list(Guidelines(base="http://hub").listing(lambda url, answer=answer: answer))
