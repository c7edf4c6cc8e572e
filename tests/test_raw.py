"""Raw files: which are read, and what is said of those that are not whole."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from corpus.files import BadInput
from corpus.sources.notes import Columns, Notes
from pipelines import raw


@dataclass(frozen=True)
class Plain:
    name: str = "plain"
    restricted: bool = False

    def accepts(self, path: str) -> bool:
        return path.endswith(".txt")


def put(folder: Path, name: str, text: str = "whole") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_files_are_found_at_any_depth_in_one_order(tmp_path):
    for name in ("b/2.txt", "a.txt", "b/1.txt", "b/1.txt.partial", ".hidden/3.txt", "b/notes.md"):
        put(tmp_path / "in", name)
    (files,) = raw.take([(Plain(), tmp_path / "in")], tmp_path / "digests.json")
    assert [file.name for file in files] == ["a.txt", "b/1.txt", "b/2.txt"]
    assert files[0].sha256 == hashlib.sha256(b"whole").hexdigest()
    assert files[0].bytes == 5


def test_an_empty_folder_is_named(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(BadInput, match="holds no file that the source 'plain' reads"):
        raw.take([(Plain(), tmp_path / "in")], tmp_path / "digests.json")


def test_a_wrong_md5_names_both(tmp_path):
    put(tmp_path / "in", "a.txt")
    told = hashlib.md5(b"other").hexdigest()
    put(tmp_path / "in", "a.txt.md5", f"MD5(a.txt)= {told}\n")
    with pytest.raises(BadInput, match=f"md5 {told}, but the file has {hashlib.md5(b'whole').hexdigest()}"):
        raw.take([(Plain(), tmp_path / "in")], tmp_path / "digests.json")


def test_a_page_in_place_of_a_side_car_is_no_md5(tmp_path):
    put(tmp_path / "in", "a.txt")
    put(tmp_path / "in", "a.txt.md5", "<html>busy</html>")
    with pytest.raises(BadInput, match="no md5 in this side-car"):
        raw.take([(Plain(), tmp_path / "in")], tmp_path / "digests.json")


def test_sha256sums_with_one_space_are_held_against_the_files(tmp_path):
    put(tmp_path / "in", "v/sub dir/a.txt")
    right = hashlib.sha256(b"whole").hexdigest()
    put(tmp_path / "in", "v/SHA256SUMS.txt", f"{right} sub dir/a.txt\n")
    raw.take([(Plain(), tmp_path / "in")], tmp_path / "digests.json")
    put(tmp_path / "in", "v/SHA256SUMS.txt", f"{'0' * 64} sub dir/a.txt\n")
    with pytest.raises(BadInput, match=r"SHA256SUMS\.txt says sha256 0000"):
        raw.take([(Plain(), tmp_path / "in")], tmp_path / "digests.json")


def test_digests_are_taken_again_only_for_changed_files(tmp_path, monkeypatch):
    put(tmp_path / "in", "a.txt")
    put(tmp_path / "in", "b.txt")
    memory = tmp_path / "digests.json"
    raw.take([(Plain(), tmp_path / "in")], memory)
    put(tmp_path / "in", "b.txt", "changed")
    taken = []
    monkeypatch.setattr(raw, "digests_of", lambda path, _: taken.append(path.name) or (path.name, None))
    (files,) = raw.take([(Plain(), tmp_path / "in")], memory)
    assert taken == ["b.txt"]
    assert [file.sha256 for file in files] == [hashlib.sha256(b"whole").hexdigest(), "b.txt"]


def test_a_hospitals_tables_are_read_through_before_the_run(tmp_path, capsys, monkeypatch):
    put(tmp_path, "notes/t.csv", "date,text\n14/3/19,a note\n")
    told = "1 of 1 dates in the column 'date' tell no year (most look like 99/9/99)"
    for _ in range(2):  # what was found is told again, and not looked for again
        raw.take([(Notes(), tmp_path / "notes")], tmp_path / "digests.json")
        assert told in capsys.readouterr().err
        monkeypatch.setattr(Notes, "check", None)
    monkeypatch.undo()
    with pytest.raises(BadInput, match="no column 'report' for text"):
        raw.take([(Notes(columns=Columns(text=("report",))), tmp_path / "notes")], tmp_path / "digests.json")


def test_very_many_small_files_are_advised_against(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(raw, "MANY", 2)
    for name in ("a.txt", "b.txt"):
        put(tmp_path / "in", name)
    raw.take([(Plain(), tmp_path / "in")], tmp_path / "digests.json")
    assert "small files" not in capsys.readouterr().err
    put(tmp_path / "in", "c.txt")
    raw.take([(Plain(), tmp_path / "in")], tmp_path / "digests.json")
    assert "plain: 3 small files" in capsys.readouterr().err
