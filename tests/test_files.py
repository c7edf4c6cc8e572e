"""Files that are whole or absent: what a fault leaves behind, and what the readers say of it."""

import dataclasses
import errno
import gzip
import hashlib
import io
import os
import tarfile
import zipfile
from array import array
from pathlib import Path

import pyarrow as pa
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from corpus import ledger, shards
from corpus.document import Document, Drop
from corpus.files import BadInput, digest, lines, members, open_raw, text_digest, writing
from tests import profiles  # noqa: F401 (chooses how many examples)

# ---- writing ----


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "deep" / "a.arrow"
    with writing(path, mode=0o600) as partial:
        partial.write_bytes(b"half")
        assert not path.exists()
        assert partial.parent == path.parent
    assert path.read_bytes() == b"half"
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(path.parent) == ["a.arrow"]


@pytest.mark.parametrize("fault", [RuntimeError("no"), KeyboardInterrupt()])
def test_a_failing_block_leaves_what_was_there(tmp_path, fault):
    path = tmp_path / "a.arrow"
    path.write_bytes(b"before")
    with pytest.raises(type(fault)), writing(path) as partial:
        partial.write_bytes(b"half")
        raise fault
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["a.arrow"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_says_what_to_do_and_leaves_nothing(tmp_path, monkeypatch, step):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match="No space left") as caught, writing(tmp_path / "a.arrow") as partial:
        partial.write_bytes(b"half")
    assert any("free some space" in note and str(tmp_path) in note for note in caught.value.__notes__)
    assert os.listdir(tmp_path) == []


def test_a_partial_file_of_a_killed_run_is_written_over(tmp_path):
    (tmp_path / "a.partial").write_bytes(b"much more than will be written")
    with writing(tmp_path / "a") as partial:
        partial.write_bytes(b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


def test_the_file_is_on_disk_before_its_name(tmp_path, monkeypatch):
    order = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (order.append("fsync"), fsync(fd))[1])
    monkeypatch.setattr(os, "replace", lambda a, b: (order.append("replace"), replace(a, b))[1])
    with writing(tmp_path / "a") as partial:
        partial.write_bytes(b"x")
    assert order == ["fsync", "replace", "fsync"]  # the bytes, the name, the folder


# ---- reading ----

BODY = b"".join(b"line %d of many, with \xe2\x80\xa8 inside\n" % number for number in range(20_000))
unknown_size = zstandard.ZstdCompressor().compressobj()
PACKED = {
    "plain": BODY,
    "gzip": gzip.compress(BODY),
    "gzip of two members": gzip.compress(BODY[:1000]) + gzip.compress(BODY[1000:]),
    "zstd": zstandard.compress(BODY),
    "zstd of two frames": zstandard.compress(BODY[:1000]) + zstandard.compress(BODY[1000:]),
    "zstd of unknown size": unknown_size.compress(BODY) + unknown_size.flush(),
}


@pytest.mark.parametrize("packing", PACKED)
def test_compression_is_found_by_the_bytes(tmp_path, packing):
    path = tmp_path / "named.txt"
    path.write_bytes(PACKED[packing])
    with open_raw(path) as stream:
        assert stream.read() == BODY
    assert list(lines(path)) == BODY.split(b"\n")[:-1]


@pytest.mark.parametrize("packing", [name for name in PACKED if name != "plain"])
@pytest.mark.parametrize("kept", [0.3, 0.9, -1])
def test_a_stream_that_is_cut_off_is_no_whole_file(tmp_path, packing, kept):
    whole = PACKED[packing]
    path = tmp_path / "cut.gz"
    path.write_bytes(whole[: int(len(whole) * kept) if kept > 0 else -1])
    with pytest.raises(BadInput, match=r"cut\.gz: the compressed stream is broken or ends early.*fetch it again"):
        list(lines(path))


@pytest.mark.parametrize("packing", ["gzip", "zstd"])
def test_bytes_that_were_changed_on_the_way(tmp_path, packing):
    body = bytearray(PACKED[packing])
    body[len(body) // 2] ^= 0xFF
    path = tmp_path / "bad.gz"
    path.write_bytes(body + (b"" if packing == "gzip" else b"trailing"))
    with pytest.raises(BadInput, match=r"bad\.gz"):
        list(lines(path))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("page", [b"<!DOCTYPE html><html>", b"\xef\xbb\xbf\n <HTML lang=en>"])
def test_a_web_page_in_place_of_data(tmp_path, page, pack):
    path = tmp_path / "note.csv.gz"
    path.write_bytes(pack(page + b"<body>Please log in</body></html>"))
    with pytest.raises(BadInput, match=r"note\.csv\.gz: this is a web page.*credentials"):
        open_raw(path)


def test_an_empty_file(tmp_path):
    (tmp_path / "none.xml.gz").touch()
    with pytest.raises(BadInput, match=r"none\.xml\.gz: the file is empty"):
        open_raw(tmp_path / "none.xml.gz")


def test_lines_end_at_newlines_only(tmp_path):
    (tmp_path / "a").write_bytes("one\u2028still\x85one\x0c\r\n\n\ntwo".encode())
    assert [line.decode() for line in lines(tmp_path / "a")] == ["one\u2028still\x85one\x0c", "two"]


def archives(folder: Path):
    content = {"a/one.xml": b"<a/>", "a/two words.xml": b"<b/>"}
    with tarfile.open(folder / "t.tar.gz", "w:gz") as archive:
        for name, body in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
        archive.addfile(tarfile.TarInfo("a/folder/"))
    (folder / "t.tar.zst").write_bytes(zstandard.compress(gzip.decompress((folder / "t.tar.gz").read_bytes())))
    with zipfile.ZipFile(folder / "t.zip", "w") as archive:
        archive.writestr("a/", "")
        for name, body in content.items():
            archive.writestr(name, body)
    return content


def test_members_of_every_archive_in_order(tmp_path):
    content = archives(tmp_path)
    for name in ("t.tar.gz", "t.tar.zst", "t.zip"):
        found = {member: body for member, body in members(tmp_path / name) if not member.endswith("folder/")}
        assert found == content, name


@pytest.mark.parametrize("name", ["t.tar.gz", "t.tar.zst", "t.zip"])
def test_an_archive_that_is_cut_off(tmp_path, name):
    archives(tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(BadInput, match=name.replace(".", r"\.")):
        list(members(path))


def test_digests(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert digest(tmp_path / "a") == "sha256:" + hashlib.sha256(b"abc").hexdigest() == text_digest("abc")
    assert digest(tmp_path / "a", "md5") == "md5:900150983cd24fb0d6963f7d28e17f72"


# ---- shards ----


def some(number=3000):
    return [
        Document(
            f"x:{n}",
            "x",
            "text " * (n % 50),
            None if n % 3 else "CC BY",
            "2020" if n % 2 else None,
            {"kind": "note", "z": n, "a": [1, {"b": "é"}]},
            None if n % 5 == 0 else array("H", range(n % 7)),
            n % 2,
        )
        for n in range(number)
    ]


def write(path, documents, **how):
    with shards.ShardWriter(path, **how) as shard:
        for document in documents:
            shard.add(document)
    return path.read_bytes()


@pytest.mark.parametrize("compression", [None, "lz4"])
def test_the_same_documents_give_the_same_bytes(tmp_path, compression):
    one = write(tmp_path / "a", some(), compression=compression, metadata={"k": "v"})
    other = write(tmp_path / "b", iter(some()), compression=compression, metadata={"k": "v"})
    assert one == other
    assert list(shards.read(tmp_path / "a")) == some()


def test_restricted_shards_are_for_their_owner(tmp_path):
    write(tmp_path / "a", some(1), mode=shards.RESTRICTED)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
    with writing(tmp_path / "folder/b", 0o600) as partial:
        partial.write_text("half of it")
        assert partial.stat().st_mode & 0o777 == 0o600  # while it is written, too
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o700


def test_a_known_value_is_refused_by_the_writer_and_nothing_stays(tmp_path):
    known = Document("x:1", "x", "t", meta={"_known": {"name": ["somebody"]}})
    with pytest.raises(AssertionError, match="_known") as caught:
        write(tmp_path / "a", [known])
    assert "somebody" not in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_a_writer_that_fails_in_the_middle_leaves_nothing(tmp_path):
    def broken():
        yield from some(2000)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write(tmp_path / "a", broken())
    assert os.listdir(tmp_path) == []


def test_an_empty_shard_is_a_whole_file(tmp_path):
    write(tmp_path / "a", [])
    assert list(shards.read(tmp_path / "a")) == []


def test_a_cut_shard_is_named(tmp_path):
    body = write(tmp_path / "a", some())
    (tmp_path / "cut.arrow").write_bytes(body[:-10])
    with pytest.raises(BadInput, match=r"cut\.arrow: not a whole Arrow IPC file"):
        shards.open_shard(tmp_path / "cut.arrow")


def test_batches_are_cut_by_rows_and_by_characters(tmp_path, monkeypatch):
    write(tmp_path / "rows", some(shards.BATCH_ROWS * 2 + 1))
    assert shards.open_shard(tmp_path / "rows").num_record_batches == 3
    monkeypatch.setattr(shards, "BATCH_CHARS", 100)
    write(tmp_path / "chars", [Document(f"x:{n}", "x", "t" * 60) for n in range(6)])
    assert shards.open_shard(tmp_path / "chars").num_record_batches == 3


text = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
value = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)
documents = st.builds(
    Document,
    id=text,
    source=text,
    text=text,
    license=st.none() | text,
    created=st.none() | text,
    meta=st.dictionaries(text.filter(lambda name: not name.startswith("_")), value, max_size=4),
    tokens=st.none() | st.lists(st.integers(0, 2**16 - 1), max_size=20).map(lambda ids: array("H", ids)),
    prompt=st.integers(0, 2**31 - 1),
)


@given(st.lists(documents, max_size=5))
def test_documents_come_back_as_they_were(tmp_path_factory, written):
    path = tmp_path_factory.getbasetemp() / "round.arrow"
    write(path, written)
    assert list(shards.read(path)) == written
    assert [d.tokens for d in shards.read(path, tokens=False)] == [None] * len(written)


def test_wide_tokens_come_back(tmp_path):
    document = dataclasses.replace(some(1)[0], tokens=array("I", [0, 2**32 - 1]))
    write(tmp_path / "a", [document], width=32)
    assert next(iter(shards.read(tmp_path / "a"))).tokens == document.tokens


def test_a_token_that_does_not_fit_is_an_error(tmp_path):
    with pytest.raises(AssertionError, match="x:0: a token id does not fit into uint16"):
        write(tmp_path / "a", [dataclasses.replace(some(1)[0], tokens=array("I", [70_000]))])
    assert os.listdir(tmp_path) == []


# ---- ledger ----


def test_a_ledger_row_says_what_became_of_a_document_and_nothing_of_its_text(tmp_path):
    read = Document("x:1", "x", "secret words", meta={"kind": "note", "pmid": "7", "doi": "10.1/A"})
    kept = read.marked(quality__words=2)
    dropped = Drop("quality.short", "2 < 20 words", {"quality.words": 2})
    with ledger.LedgerWriter(tmp_path / "l", ledger.SIFTED) as rows:
        rows.add(ledger.sifted(read, "f.csv", 0, kept))
        rows.add(ledger.sifted(read, "f.csv", 1, dropped))
    table = ledger.read(tmp_path / "l")
    assert table.column("status").to_pylist() == ["kept", "dropped"]
    assert table.column("reason").to_pylist() == [None, "quality.short"]
    assert table.column("marks").to_pylist() == ['{"quality.words":2}'] * 2
    assert table.column("chars").to_pylist() == [12, 12]
    assert table.column("aliases").to_pylist() == [["doi:10.1/a", "pmid:7"]] * 2
    assert b"secret" not in (tmp_path / "l").read_bytes()


def test_a_ledger_is_whole_or_absent(tmp_path):
    with pytest.raises(KeyError), ledger.LedgerWriter(tmp_path / "l", ledger.SIFTED) as rows:
        rows.add(ledger.sifted(Document("x:1", "x", ""), "f", 0, Drop("a")))
        raise KeyError
    with pytest.raises((pa.ArrowInvalid, ValueError)), ledger.LedgerWriter(tmp_path / "l", ledger.SIFTED) as rows:
        rows.add({"id": "x:1"})
        rows.add({"id": "x:2", "position": "no number"})
    assert os.listdir(tmp_path) == []
