"""RedPajama's rows in every shape, and which files its listing chooses.

The number in brackets is that of the trap list of the sources (52 to 59 are RedPajama's).
"""

import gzip
import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from corpus.files import BadInput, Foreign
from corpus.sources.redpajama import LLAMA, SLICES, RedPajama

RAW = Path(__file__).parent / "raw" / "redpajama"
C4 = "c4/c4-train.00000-of-01024.jsonl"


def read(name, path=None, **fields):
    return list(RedPajama(**fields).read(path or RAW / name, name))


def written(tmp_path, *rows):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"".join(row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows))
    return path


def test_each_slice_has_its_own_key_date_licence_and_kind():  # (52) (53)
    expected = {
        "arxiv/arxiv_0.jsonl": ("arxiv/1607.99901", "2016-07-19", "arXiv terms of use", "paper"),
        C4: ("c4/https://bread.example/rest#47ee0deb", "2019-04-25", "ODC-BY-1.0", "web"),
        "common_crawl/en_head_0000.jsonl": (
            "common_crawl/2019-30/en_head_0000.json.gz/line4",
            "2019",
            "Common Crawl terms of use",
            "web",
        ),
        "github/filtered_0.sampled.jsonl": ("github/someone/sums/src/add.py#ba1a531f", None, "mit", "code"),
        "stackexchange/stackexchange.jsonl": (
            "stackexchange/cooking.stackexchange.com/questions/1",
            "2023-03-29",
            "CC BY-SA",
            "qa",
        ),
        "wikipedia/wiki.jsonl": ("wikipedia/bg/Хляб", "2023-03-20", "CC BY-SA 3.0", "encyclopedia"),
        "v2/en_head.jsonl": ("v2/http://river.example/#13c16204", "2023-02-05", "Common Crawl terms of use", "web"),
    }
    for name, (key, created, license, kind) in expected.items():
        first = read(name)[0]
        assert (first.id, first.created, first.license) == ("redpajama:" + key, created, license)
        assert (first.meta["kind"], first.meta["slice"]) == (kind, name.split("/")[0])


def test_a_slice_is_known_by_its_rows_and_not_by_its_folder():
    for name in (
        "arxiv/arxiv_0.jsonl",
        C4,
        "common_crawl/en_head_0000.jsonl",
        "wikipedia/wiki.jsonl",
        "v2/en_head.jsonl",
    ):
        elsewhere = [d for d in RedPajama().read(RAW / name, "rows.jsonl") if "error" not in d.meta]
        assert elsewhere == [d for d in read(name) if "error" not in d.meta]


def test_two_rows_of_one_address_are_two_documents():
    first, second = read(C4)[:2]
    assert first.meta["url"] == second.meta["url"]
    assert first.id != second.id


def test_a_broken_line_is_one_document_with_an_error():
    documents = read(C4)
    assert [d.meta.get("error") for d in documents] == [None, None, "not JSON (at character 30 of 30)", None]
    assert documents[2].id == f"redpajama:{C4}#3"
    assert documents[2].text == ""


def test_rows_are_split_at_newlines_only():  # (59)
    text = read(C4)[3].text
    assert "\u2028" in text and "\x85" in text


def test_languages_that_were_not_asked_for_are_excluded():  # (55)
    assert [d.meta.get("excluded") for d in read("wikipedia/wiki.jsonl")] == ["language bg", None]
    assert [d.meta.get("excluded") for d in read("v2/en_head.jsonl")] == [None, "language fr"]
    assert all("excluded" not in d.meta for d in read("wikipedia/wiki.jsonl", languages=("bg", "en")))
    assert all("language" not in d.meta for d in read("github/filtered_0.sampled.jsonl"))


def test_slices_that_were_not_asked_for_are_excluded():
    assert {d.meta.get("excluded") for d in read("arxiv/arxiv_0.jsonl", slices=("c4",))} == {"slice arxiv"}


def test_books_are_excluded_unless_asked_for(tmp_path):  # (54)
    path = written(tmp_path, {"text": "Chapter 1", "meta": {"short_book_title": "A book", "publication_date": 1900}})
    assert read("book/book.jsonl", path)[0].meta["excluded"] == "slice book"
    assert "excluded" not in read("book/book.jsonl", path, slices=("book",))[0].meta


def test_an_arxiv_row_without_text_is_a_document_without_text():  # (56)
    assert [bool(d.text) for d in read("arxiv/arxiv_0.jsonl")] == [True, False]
    assert all("error" not in d.meta for d in read("arxiv/arxiv_0.jsonl"))


def test_every_compression_gives_the_same_documents(tmp_path):  # (57)
    plain = (RAW / C4).read_bytes()
    cut = plain.index(b"\n", 200) + 7  # inside a line
    packed = {
        "one.gz": gzip.compress(plain),
        "members.gz": gzip.compress(plain[:cut]) + gzip.compress(plain[cut:]),
        "frames.zst": zstandard.compress(plain[:cut]) + zstandard.compress(plain[cut:]),
    }
    for name, body in packed.items():
        (tmp_path / name).write_bytes(body)
        assert read(C4, tmp_path / name) == read(C4), name


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_file_that_was_not_fetched_whole(tmp_path, pack):  # (58)
    body = pack(b"\n".join(b'{"text": "%d", "meta": {"source": "c4"}}' % number for number in range(90_000)))
    path = tmp_path / "part.jsonl"
    path.write_bytes(body[: len(body) // 2])
    with pytest.raises(BadInput, match=r"part\.jsonl.*fetch it again"):
        read("c4/part.jsonl", path)


def test_meta_that_is_a_json_string_and_other_copies_names(tmp_path):
    meta = {"timestamp": "2016-07-19T02:04:55", "arxiv_id": "1607.99901", "language": "en"}
    path = written(
        tmp_path,
        {"text": "a", "meta": json.dumps(meta)},
        {"text": "b", "meta": {"redpajama_set_name": "RedPajamaStackExchange"}},
        {"text": "c", "meta": {}, "red_pajama_subset": "arxiv"},
        {"text": "d", "meta": {"no": "sign"}},
        {"text": None, "meta": {"source": "c4"}},
        b'{"text": "lone \\ud83d surrogate", "meta": {"source": "c4"}, "score": NaN}\n',
    )
    documents = read("rows.jsonl", path)
    assert documents[0].id == "redpajama:arxiv/1607.99901"
    assert [d.meta.get("slice") for d in documents] == ["arxiv", "stackexchange", "arxiv", None, None, "c4"]
    assert documents[3].meta["error"] == "a row of no known slice"
    assert documents[4].meta["error"] == "its text is a NoneType"
    assert documents[5].text == "lone \ufffd surrogate"


def test_parquet_copies_are_read(tmp_path):
    rows = [json.loads(line) for line in (RAW / "stackexchange/stackexchange.jsonl").read_bytes().split(b"\n") if line]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    assert read("rows.parquet", tmp_path / "rows.parquet") == read("stackexchange/stackexchange.jsonl")


@pytest.mark.parametrize(
    "body", [b'{"question": "?", "answer": "!"}\n', b"id,text\n1,words\n", b'{"text": "no sign"}\n']
)
def test_other_tables_are_foreign(tmp_path, body):
    (tmp_path / "x.jsonl").write_bytes(body)
    with pytest.raises(Foreign, match="not RedPajama rows"):
        read("x.jsonl", tmp_path / "x.jsonl")


def test_a_file_of_broken_lines_is_damaged_and_not_foreign(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(b'{"text": "cut\n' * 3)
    with pytest.raises(BadInput, match="none of its first 3 lines is whole JSON"):
        read("c4/x.jsonl", tmp_path / "x.jsonl")


def test_what_is_read_of_a_folder():
    accepts = RedPajama().accepts
    assert all(
        map(
            accepts,
            (
                "arxiv/arxiv_1.jsonl",
                "c4/x.jsonl.gz",
                "common_crawl/2019-30/en_head_0.json.gz.dedup.classifier.jsonl.zst",
            ),
        )
    )
    assert accepts("v2/documents/2023-06/0000/en_head.json.gz")
    for name in (
        "urls.txt",
        "a.signals.json.gz",
        "a.minhash.parquet",
        "a.duplicates.parquet",
        "sha256/c4_SHA256SUMS.txt",
    ):
        assert not accepts(name)


def test_an_unknown_slice_is_refused():
    with pytest.raises(ValueError, match=r"no slices \['books3'\]; known are common_crawl"):
        RedPajama(slices=("books3",))


# ---- listing ----

PUBLISHED = "https://data.together.xyz/redpajama-data-1T/v1.0.0"
PATHS = {
    "common_crawl": [
        f"common_crawl/{snapshot}/en_{part}_{number:04}.json.gz.dedup.classifier.jsonl.zst"
        for snapshot in ("2019-30", "2023-06")
        for part in ("head", "middle")
        for number in range(100)
    ],
    "c4": [f"c4/c4-train.{number:05}-of-01024.jsonl" for number in range(1024)],
    "github": [f"github/filtered_{number:032x}.sampled.jsonl" for number in range(98)],
    "arxiv": [f"arxiv/arxiv_{number:08x}.jsonl" for number in range(100)],
    "wikipedia": ["wikipedia/wiki.jsonl"],
    "stackexchange": ["stackexchange/stackexchange.jsonl"],
}


def fetch(url, base="http://here"):
    """The publisher's lists: `urls.txt` names its own host, whatever mirror serves it."""
    if url == f"{base}/urls.txt":
        return "".join(f"{PUBLISHED}/{path}\n" for paths in PATHS.values() for path in paths).encode()
    for slice, paths in PATHS.items():
        if url == f"{base}/sha256/{slice}_SHA256SUMS.txt":
            # As it happens each list names its files from another folder.
            below = {"c4": "./", "arxiv": "arxiv/", "github": "/data/github/"}.get(slice, "")
            return "".join(
                f"{number:064x}  {below}{path.removeprefix(slice + '/')}\n" for number, path in enumerate(paths)
            ).encode()
    if url.startswith(f"{base}/listings/"):
        language, year, week, _ = url.rsplit("/", 1)[1].split("-")
        return f"{year}-{week}/0000/{language}_head\n{year}-{week}/0000/{language}_middle\n".encode()
    raise AssertionError(url)


def listed(**fields):
    return list(RedPajama(base="http://here", base_v2="http://here", **fields).listing(fetch))


def slices(remotes):
    return {name: sum(r.path.startswith(name + "/") for r in remotes) for name in PATHS}


def test_everything_is_listed_with_its_digest():
    remotes = listed()
    assert sorted(r.path for r in remotes) == sorted(path for paths in PATHS.values() for path in paths)
    for remote in remotes:
        slice = remote.path.split("/")[0]
        number = PATHS[slice].index(remote.path)
        assert remote.url == f"http://here/{remote.path}"
        assert remote.digest == f"sha256:{number:064x}", remote.path


def test_a_budget_takes_whole_files_by_llamas_shares_and_no_more():
    """25.8B tokens are Me-LLaMA's general part: a few files of each slice, 2 % of the release."""
    remotes = listed(tokens=25.8e9, margin=1.0)
    # common_crawl: 67/95.5 of 25.8e9 = 18.1e9 tokens, at 878e9/400 = 2.2e9 a file.
    assert slices(remotes) == {"common_crawl": 9, "c4": 24, "github": 3, "arxiv": 3, "wikipedia": 1, "stackexchange": 1}
    assert sum(share for _, share in LLAMA) == 95.5


def test_the_sample_depends_on_the_seed_alone_and_grows():
    few, again, other, more = (
        {r.path for r in listed(tokens=tokens, seed=seed)} for tokens, seed in ((5e9, 0), (5e9, 0), (5e9, 1), (20e9, 0))
    )
    assert few == again
    assert few != other
    assert few < more


def test_listing_does_not_ask_for_what_it_will_not_use():
    asked = []

    def noted(url):
        asked.append(url.removeprefix("http://here/"))
        return fetch(url)

    list(RedPajama(base="http://here", shares=(("arxiv", 1.0),)).listing(noted))
    assert asked == ["urls.txt", "sha256/arxiv_SHA256SUMS.txt"]


def test_release_2_by_snapshot_and_language():
    remotes = listed(shares=(("v2", 1.0),), snapshots=("2023-06", "2022-49"), languages=("en", "de"))
    assert len(remotes) == 8
    assert remotes[0].path == "v2/documents/2022-49/0000/de_head.json.gz"
    assert remotes[0].url == "http://here/documents/2022-49/0000/de_head.json.gz"
    assert all(RedPajama().accepts(r.path) for r in remotes)
    assert len(listed(shares=(("v2", 1.0),), snapshots=("2023-06",), tokens=10e6)) == 1
    with pytest.raises(ValueError, match="gives nothing to v2"):
        RedPajama(snapshots=("2023-06",))


def test_a_slice_without_files_is_named():
    with pytest.raises(ValueError, match="no file of the slice 'book'"):
        listed(slices=(*SLICES, "book"), shares=(("book", 1.0),))


def test_fields_of_the_listing_do_not_rename_what_was_read():
    assert repr(RedPajama(tokens=1e9, seed=4, base="http://mirror")) == repr(RedPajama())
    assert repr(RedPajama(languages=("de",))) != repr(RedPajama())


def test_large_rows_do_not_break_the_stream(tmp_path):
    path = tmp_path / "big.jsonl.gz"
    with gzip.open(path, "wb") as file:
        row = json.dumps({"text": "word " * 400_000, "meta": {"source": "c4", "url": "u"}}).encode()
        file.write(row + b"\n" + row[:-1] + b"\r\n" + b"\n")
    assert [len(d.text) for d in read("c4/big.jsonl.gz", path)] == [2_000_000, 0]


def test_reading_is_lazy(tmp_path):
    shutil.copy(RAW / C4, tmp_path / "rows.jsonl")
    with open(tmp_path / "rows.jsonl", "ab") as file:
        file.write(b'{"text": "x", "meta": {"source": "c4"}}\n' * 10)
    documents = RedPajama().read(tmp_path / "rows.jsonl", C4)
    assert next(documents).id == read(C4)[0].id
    documents.close()
