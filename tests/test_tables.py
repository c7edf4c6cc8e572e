"""Tables of every form, row by row, and the sentences for those that are damaged."""

import csv
import gzip
import io
import itertools

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus import tables
from corpus.files import BadInput, Foreign
from corpus.tables import open_table
from tests import profiles  # noqa: F401 (chooses how many examples)


def rows(path, **how):
    with open_table(path, **how) as table:
        return table.form, table.columns, [(r.number, dict(r.cells), r.problem) for r in table.rows]


def put(tmp_path, body, name="table"):
    path = tmp_path / name
    path.write_bytes(body if isinstance(body, bytes) else body.encode())
    return path


@pytest.mark.parametrize("mark", [",", "\t", ";", "|"])
def test_the_delimiter_is_found_in_the_header(tmp_path, mark):
    path = put(tmp_path, f'id{mark}"a, b; c"\n1{mark}x\n')
    assert rows(path) == ("csv", ("id", "a, b; c"), [(1, {"id": "1", "a, b; c": "x"}, None)])


def test_a_table_of_one_column(tmp_path):
    assert rows(put(tmp_path, "text\nfirst\n\nsecond\n"))[2] == [
        (1, {"text": "first"}, None),
        (2, {"text": "second"}, None),
    ]


@pytest.mark.parametrize("lead", [b"\xef\xbb\xbf", b""])
def test_marks_of_utf_8_are_no_part_of_the_first_column(tmp_path, lead):
    assert rows(put(tmp_path, lead + b"id,text\r\n1,a\r\n"))[1:] == (
        ("id", "text"),
        [(1, {"id": "1", "text": "a"}, None)],
    )
    assert rows(put(tmp_path, lead + b'{"id": 1}\n'))[1:] == (("id",), [(1, {"id": 1}, None)])


def test_utf_16_is_known_by_its_mark(tmp_path):
    body = "id\ttext\r\n1\tfür\r\n".encode("utf-16")
    assert rows(put(tmp_path, body))[2] == [(1, {"id": "1", "text": "für"}, None)]


def test_line_separators_belong_to_cells(tmp_path):
    text = "a\u2028b\x85c\x0bd\x0ce"
    assert rows(put(tmp_path, f'id,text\n1,"{text}"\n2,"x\r\ny"\n'))[2] == [
        (1, {"id": "1", "text": text}, None),
        (2, {"id": "2", "text": "x\r\ny"}, None),
    ]


def test_rows_that_cannot_be_read_are_rows_with_a_problem(tmp_path):
    body = 'id,text\n1,a\n2,b,c\n3\n4,"x"y\n5,e\n6,a\rb\n'
    assert [(number, problem) for number, _, problem in rows(put(tmp_path, body))[2]] == [
        (1, None),
        (2, "3 cells where the header has 2"),
        (3, "1 cells where the header has 2"),
        (4, "csv: ',' expected after '\"'"),
        (5, None),
        (6, "csv: a carriage return inside an unquoted cell"),
    ]


def test_quotes_may_be_plain_characters(tmp_path):
    path = put(tmp_path, 'id\ttext\n1\t"open\n2\t6" tube\n')
    assert [cells["text"] for _, cells, _ in rows(path, quote="")[2]] == ['"open', '6" tube']


def test_of_two_columns_with_one_name_the_first_counts(tmp_path):
    [(_, cells, _)] = rows(put(tmp_path, "a,a\n1,2\n"))[2]
    assert cells["a"] == "1"


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        ("", BadInput, "the file is empty"),
        ("\n\n", BadInput, "no column names"),
        ('id,"te', BadInput, "the header cannot be read"),
        ('id,text\n1,a\n2,"cut', BadInput, "ends inside a quoted cell of row 2"),
        ('[{"id": 1}]', BadInput, "one JSON array.*one object a line"),
        ("<?xml version='1.0'?><a/>", Foreign, "XML"),
        ("<!DOCTYPE html><html>", BadInput, "web page"),
        ("%PDF-1.7", Foreign, "PDF"),
        (b"PK\x03\x04rest", Foreign, "Excel workbook"),
        (b"\x7fELF\0\0\0", Foreign, "binary data"),
        (b"PAR1 and no more", BadInput, "not a whole Parquet file"),
        (b"id,text\n1,\xff\n", BadInput, r"row 1 is not utf-8 \(byte 0xff\)"),
        (b"id,t\xe9xt\n", BadInput, "the header is not utf-8"),
    ],
)
def test_what_is_no_table_says_what_where_and_what_to_do(tmp_path, body, kind, says):
    path = put(tmp_path, body, "odd.file")
    with pytest.raises(kind, match=says) as caught:
        rows(path)
    assert "odd.file" in str(caught.value)


def test_an_unknown_encoding_is_refused(tmp_path):
    with pytest.raises(ValueError, match="unknown encoding 'utf-9'"):
        rows(put(tmp_path, "id,text\n"), encoding="utf-9")


def test_an_endless_cell_is_an_unclosed_quote(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "CELL", 1000)
    with pytest.raises(BadInput, match="row 2 holds a cell of more than 1,000 characters"):
        rows(put(tmp_path, 'id,text\n1,a\n2,"' + "word\n" * 400))


def test_objects_may_differ_in_their_keys(tmp_path):
    _, columns, found = rows(put(tmp_path, '{"a": 1}\n\n[1]\n{"b": [2], "a": null}\n{"a": NaN}\n'))
    assert columns == ("a", "b")
    assert [(number, problem) for number, _, problem in found] == [
        (1, None),
        (3, "a JSON list where an object was expected"),
        (4, None),
        (5, None),
    ]


def test_parquet_row_groups_stream(tmp_path):
    table = pa.table({"id": range(1000), "text": [f"note {n}" for n in range(1000)]})
    pq.write_table(table, tmp_path / "t", row_group_size=300)
    form, columns, found = rows(tmp_path / "t")
    assert (form, columns, len(found)) == ("parquet", ("id", "text"), 1000)
    assert found[999] == (1000, {"id": 999, "text": "note 999"}, None)


def test_rows_are_read_as_they_are_asked_for(tmp_path):
    path = put(tmp_path, gzip.compress(b"id,text\n" + b"1,a\n" * 500_000)[:-100], "cut.csv.gz")
    with open_table(path) as table:
        assert len(list(itertools.islice(table.rows, 10))) == 10
        with pytest.raises(BadInput, match=r"cut\.csv\.gz.*ends early"):
            for _ in table.rows:
                pass


cell = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


@given(st.lists(st.tuples(cell, cell), max_size=8), st.sampled_from([",", "\t", ";", "|"]))
def test_whatever_a_csv_writer_wrote_is_read_back(tmp_path_factory, pairs, mark):
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=mark, quoting=csv.QUOTE_ALL)
    writer.writerow(["id", "text"])
    writer.writerows(pairs)
    path = tmp_path_factory.getbasetemp() / "round.csv"
    path.write_bytes(out.getvalue().encode())
    assert [tuple(cells.values()) for _, cells, problem in rows(path)[2] if not problem] == pairs
