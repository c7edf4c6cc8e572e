"""A hospital's tables: which columns are read, what is kept in memory only, and what is refused."""

import dataclasses
import datetime
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus.files import BadInput, Foreign
from corpus.shards import meta_json
from corpus.sources.notes import Columns, Notes
from pipelines.arguments import parse_columns

RAW = Path(__file__).parent / "raw" / "notes"


def read(name, path=None, **fields):
    return list(Notes(**fields).read(path or RAW / name, name))


def written(tmp_path, body, name="t.csv"):
    path = tmp_path / name
    path.write_bytes(body if isinstance(body, bytes) else body.encode())
    return path


def test_columns_are_found_by_their_usual_names():
    notes = read("clinic.csv")
    assert [d.id for d in notes] == [
        "notes:clinic/1",
        "notes:clinic/2",
        "notes:clinic/2#2",
        "notes:clinic/row4",
        "notes:clinic/5",
    ]
    assert notes[0].text == 'Seen today.\nAda feels better, "much better".\nPlan: rest.'
    assert notes[0].meta["category"] == "Progress note"
    assert notes[0].meta["kind"] == "note"
    assert [d.meta["patient"] for d in notes] == ["P-17", "P-17", "P-18", "P-18", "P-19"]
    assert notes[0].license == "hospital notes, not for release"
    assert notes[4].text == ""


def test_the_date_of_a_note_is_kept_as_its_year():
    """A finer date of a note is an identifier (Safe Harbor)."""
    assert [d.created for d in read("clinic.csv")] == ["2019", "2019", None, None, "2020"]


@pytest.mark.parametrize(
    ("cell", "year"),
    [
        ("2019-03-14T10:00:00Z", "2019"),
        ("14.03.2019 10:00", "2019"),
        ("20190314", "2019"),
        ("20190314101500", None),
        ("14/3/19", None),
        ("", None),
        ("MRN 120193", None),
    ],
)
def test_years_of_dates_in_many_forms(tmp_path, cell, year):
    assert read("t.csv", written(tmp_path, f"date,text\n{cell},a note\n"))[0].created == year


def test_dates_of_the_users_own_form(tmp_path):
    path = written(tmp_path, "date,text\n14/3/19,a\n3/14/19,b\n2019-03-14,c\nMar 2019,d\n")
    notes = read("t.csv", path, columns=Columns(dates=("%d/%m/%y", "%Y-%m-%d")))
    assert [note.created for note in notes] == ["2019", None, "2019", None]


def test_a_mapping_is_checked_before_the_run(tmp_path):
    def told(body, columns, name="t.csv"):
        return Notes(columns=columns).check(written(tmp_path, body, name))

    assert told("date,text\n2019-03-14,a\n,b\n", Columns()) == []
    [remark] = told("bed,ward\n1,2\n", Columns())
    assert "no column of notes" in remark and "found bed, ward" in remark
    [remark] = told("date,text\n14/03/19,Zephyrine\n2019-03-14,b\n2 Mai,c\n", Columns())
    assert remark.endswith(
        "t.csv: 2 of 3 dates in the column 'date' tell no year (most look like 99/99/99); their notes will have no date"
    )
    for columns in (Columns(date=("date",)), Columns(dates=("%Y-%m-%d",))):
        with pytest.raises(BadInput, match=r"2 of 3 dates in the column 'date' are not .* 99/99/99 .*dates="):
            told("date,text\n14/03/19,Zephyrine\n2019-03-14,b\n15/03/19,c\n", columns)
    assert told("date,text\n14/03/19,a\n", Columns(dates=("%d/%m/%y",))) == []
    with pytest.raises(BadInput, match="none of its 2 rows holds text in the column 'text'"):
        told("id,text\n1,\n2, \n", Columns())
    with pytest.raises(BadInput, match="no column 'notetext' for text"):
        told("id,text\n1,a\n", Columns(text=("notetext",)))
    with pytest.raises(BadInput, match=r"row 3 is not utf-8 .*--columns encoding=cp1252"):
        told("id,text\n1,a\n2,b\n3,Fiévre\n".encode("cp1252"), Columns())
    assert told("id,text\n1,Fiévre\n".encode("cp1252"), Columns(encoding="cp1252")) == []
    assert told('{"text": "a"}\n{"text": \n', Columns(), "t.jsonl")[0].endswith(
        "1 of 2 rows cannot be read and will be left out"
    )


def test_the_command_line_says_how_tables_are_written():
    columns = parse_columns("date=seen|when,dates=%d/%m/%y|%Y-%m-%d,encoding=cp1252")
    assert columns == Columns(date=("seen", "when"), dates=("%d/%m/%y", "%Y-%m-%d"), encoding="cp1252")


def test_known_values_are_in_memory_only():
    note = read("clinic.csv")[0]
    assert note.meta["_known"] == {"name": ["Ada", "Lovelace"], "date": ["1815-12-10"], "id": ["P-17"]}
    with pytest.raises(AssertionError, match="_known"):
        meta_json(note.meta)
    # The value's repr is part of manifests, and an error's text of logs: neither may hold a cell.
    assert "Ada" not in repr(Notes())


def test_a_patients_short_number_is_not_searched_for(tmp_path):
    [note] = read("t.csv", written(tmp_path, "patient_id,mrn,text\n12,345,Take 12 mg.\n"))
    assert note.meta["patient"] == "12" and "_known" not in note.meta


def test_ids_never_meet_even_when_rows_are_called_like_copies(tmp_path):
    notes = read("t.csv", written(tmp_path, "id,text\n7,a\n7#2,b\n7,c\n7,d\nrow6,e\n,f\n"))
    assert [d.id.partition("/")[2] for d in notes] == ["7", "7#2", "7#3", "7#4", "row6", "row6#2"]


def test_tables_of_one_name_in_two_folders_do_not_meet():
    one = read("2019/notes.csv", RAW / "clinic.csv")
    other = read("2020/notes.csv", RAW / "clinic.csv")
    assert not {d.id for d in one} & {d.id for d in other}


def test_columns_of_the_users_own(tmp_path):
    path = written(tmp_path, "Nr;Befund;Wer;Rufname\n1;Ohne Befund.;p1;Ada\n")
    columns = Columns(text=("befund",), id=("nr",), patient=("wer",), known=(("name", ("rufname",)),))
    [note] = read("t.csv", path, columns=columns, language="de", license="internal")
    assert note == dataclasses.replace(
        note,
        id="notes:t/1",
        text="Ohne Befund.",
        license="internal",
        meta={"kind": "note", "patient": "p1", "language": "de", "_known": {"name": ["Ada"]}},
    )


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (
            Columns(text=("notetext",)),
            "no column 'notetext' for text; found Note ID, patient_id,.*did you mean 'Note Text'",
        ),
        (Columns(id=("nr",)), "no column 'nr' for id"),
        (Columns(date=("day", "when")), "no column 'day' or 'when' for date"),
        (Columns(known=(("name", ("nick",)),)), "no column 'nick' for known name"),
    ],
)
def test_a_column_that_was_named_and_is_missing(columns, says):
    with pytest.raises(BadInput, match=says):
        read("clinic.csv", columns=columns)


def test_a_table_without_notes_is_foreign():
    with pytest.raises(Foreign, match=r"no column of notes \(looked for text, .*; found bed, ward\)"):
        read("beds.csv")


def test_tabs_and_json_lines():
    assert [(d.id, d.text) for d in read("ward.tsv")] == [
        ("notes:ward/7", "Tabbed note with a\nline break."),
        ("notes:ward/8", "Second."),
    ]
    letters = read("letters.jsonl")
    assert [d.id for d in letters] == ["notes:letters/9", "notes:letters/row2", "notes:letters/11"]
    assert letters[0].meta["patient"] == "3"
    assert letters[1].meta["error"] == "not JSON (at character 20 of 19)"
    assert letters[2].text == ""


def test_parquet_with_dates_and_numbers(tmp_path):
    rows = {
        "note_id": [1, 2],
        "subject_id": [10.0, None],
        "charttime": [datetime.datetime(2019, 3, 14, 10), None],
        "text": ["One.", "Two."],
    }
    pq.write_table(pa.table(rows), tmp_path / "n.parquet")
    notes = read("n.parquet", tmp_path / "n.parquet")
    assert [(d.id, d.created, d.meta.get("patient")) for d in notes] == [
        ("notes:n/1", "2019", "10"),
        ("notes:n/2", None, None),
    ]


def test_windows_text_is_read_when_the_user_says_so(tmp_path):
    path = written(tmp_path, "id,text\n1,fine\n2,Fiévre\n".encode("cp1252"))
    with pytest.raises(BadInput, match=r"row 2 is not utf-8 \(byte 0xe9\); .*encoding=cp1252"):
        read("t.csv", path)
    assert read("t.csv", path, columns=Columns(encoding="cp1252"))[1].text == "Fiévre"


def test_rich_text_and_texts_that_are_none(tmp_path):
    rows = [{"id": 1, "text": "{\\rtf1 a note}"}, {"id": 2, "text": ["a", "b"]}]
    path = written(tmp_path, "".join(json.dumps(row) + "\n" for row in rows))
    assert [d.meta["error"] for d in read("t.jsonl", path)] == [
        "rich text (RTF); export plain text",
        "its text is a list",
    ]


def test_no_message_of_any_kind_holds_a_cell(tmp_path):
    secret = "Zephyrine"
    bodies = {
        "cut.csv": f'id,text\n1,"{secret} was seen',
        "wide.csv": f"id,text\n1,{secret},{secret}\n",
        "quote.csv": f'id,text\n1,"{secret}"x\n',
        "bad.jsonl": f'{{"id": 1, "text": "{secret}\n{{"id": 1, "text": 2}}\n',
        "latin.csv": f"id,text\n1,{secret} é\n".encode("latin-1"),
        "headless.csv": f'17,{secret},2019-03-14,"Seen today.\nWell."\n18,x,y,z\n',
        "prose.csv": f"{secret} came to the clinic today and felt well\nsecond\n",
        "array.jsonl": f'[{{"text": "{secret}"}}]',
    }
    for name, body in bodies.items():
        path = written(tmp_path, body, name)
        try:
            for note in read(name, path):
                assert secret not in str(note.meta.get("error", ""))
        except (BadInput, Foreign) as error:
            assert secret not in str(error) and secret not in repr(error.__cause__)


def test_nothing_is_published():
    assert list(Notes().listing(lambda url: b"")) == []
    assert Notes().restricted
    accepts = Notes().accepts
    assert all(map(accepts, ("a.csv", "b/c.tsv.gz", "d.parquet", "e.jsonl.zst", "F.CSV", "g.xlsx")))
    assert not any(map(accepts, ("README.md", "scan.pdf", "a.csv.md5")))
