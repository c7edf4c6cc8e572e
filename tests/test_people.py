"""A patient's notes over several tables: names masked in all of them, shards searched, ids hidden, nothing told."""

import csv
import json
import random
import re
import traceback
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from corpus import ledger, manifest, shards
from corpus.document import Document
from filters.deid import Deid
from pipelines import build as command
from pipelines import erase, leaks, verify, why
from pipelines.arguments import parse_columns
from pipelines.recipe import ME_LLAMA, Recipe
from pipelines.sift import Sift

KEY = "0123456789abcdef0123456789abcdef"
SECRETS = ("zbrowska", "apfelbaum", "quilltrap", "7712345", "3/14/1951", "hn900")
COLUMNS = "text=body,id=note no,patient=mrn,known.name=last|first,known.id=mrn,known.date=born"
RECIPE = """
from dataclasses import replace
from pipelines.recipe import ME_LLAMA
(notes,) = (stream for stream in ME_LLAMA.streams if stream.source.name == "notes")
# As a process that was started with the key has them: ME_LLAMA may have been imported without one.
notes = replace(notes, source=replace(notes.source), filters=tuple(map(replace, notes.filters)))
recipe = replace(ME_LLAMA, name="ward", groups=("clinical",), streams=(notes,), shard_tokens=20_000, heldout=0.0)
"""
_WORDS = re.findall(
    r"\w+", "the wound was clean and dry with no redness or pain over his left knee when he walked today"
)


def tables(folder: Path) -> None:
    """Twenty patients' notes in two tables; what names them stands by a title in the first one alone."""
    pick = random.Random(4)
    for table, said in (
        ("a", "Mr. Zbrowska was seen by Dr. Apfelbaum on 3/12/2019. Mrs. Brown came along."),
        ("b", "apfelbaum to follow; ZBROWSKA agrees. MRN 0077-12345, born 14.3.1951, call Quilltrap. Brown sputum."),
    ):
        path = folder / "notes" / f"{table}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["note no", "mrn", "last", "first", "born", "body"])
            for n in range(40):
                filler = ". ".join(" ".join(pick.choices(_WORDS, k=14)).capitalize() for _ in range(5))
                known = [f"HN900{table}{n}", "7712345", "Quilltrap", "Ann", "3/14/1951"]
                writer.writerow([*known, f"{filler}. {said} {filler}."])


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with raw tables, a recipe and a build from them, at a site with a key."""
    folder = tmp_path_factory.mktemp("ward")
    (folder / "ward.py").write_text(RECIPE)
    tables(folder / "raw")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDICAL_CORPUS_KEY", KEY)
        assert command.main(line(folder, "out")) == 0
    return folder


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEDICAL_CORPUS_KEY_FILE", raising=False)
    monkeypatch.setenv("MEDICAL_CORPUS_KEY", KEY)


def line(folder: Path, out: str, *more: str) -> list[str]:
    given = ["--recipe", "ward.py", "--mix", "1", "--raw", "raw", "--out", out, "--workers", "1"]
    paths = {name: str(folder / name) for name in ("ward.py", "raw", out)}
    return [paths.get(part, part) for part in given] + ["--columns", COLUMNS, *more]


def documents(folder: Path) -> list[Document]:
    build = (folder / "out/build").resolve()
    return [one for item in manifest.load(build)["shards"] for one in shards.read(build / item["path"])]


def test_no_file_of_a_build_names_anybody(ward: Path) -> None:
    """Layers, ledgers, shards, manifest and report, whatever the names' case and the number's layout."""
    texts = [one.text for one in documents(ward)]
    assert texts and all("[NAME] to follow; [NAME] agrees" in text or "Mr. [NAME]" in text for text in texts)
    assert all("Brown sputum." in text for text in texts if "agrees" in text)
    looked = [path for path in (ward / "out").rglob("*") if path.is_file() and "tokenizer" not in path.parts]
    for path in looked:
        body = path.read_bytes().lower()
        assert [secret for secret in SECRETS if secret.encode() in body] == [], path.name
    assert any(path.name == "words.first" for path in looked) and any(path.name == "manifest.json" for path in looked)


def test_the_scorecard_says_what_was_searched(ward: Path) -> None:
    card = manifest.load(ward / "out/build")["deidentification"]["notes"]["leaks"]
    assert card["found"] == 0 and card["names"] and card["rows"] == len(documents(ward)) and card["values"] >= 10


def test_a_build_with_other_workers_or_file_order_is_the_same(ward: Path) -> None:
    """The joined tables do not depend on which file came first (the key names them all)."""
    (tables,) = (ward / "out/layers").glob("people-*/*/words.first")
    hashes = tables.read_bytes()
    assert len(hashes) % 8 == 0 and sorted(hashes[at : at + 8][::-1] for at in range(0, len(hashes), 8)) == [
        hashes[at : at + 8][::-1] for at in range(0, len(hashes), 8)
    ]


def test_verbs_take_the_ids_that_the_hospital_writes(ward: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build = (ward / "out/build").resolve()
    book = ledger.read(build / "ledger/notes.arrow")["id"].to_pylist()
    assert len(book) == 80 and all(id.startswith(("notes:a/n", "notes:b/n")) for id in book)
    assert why.main(["notes:a/HN900a7", str(build)]) == 0
    said = capsys.readouterr().out
    assert "document 7," in said and "HN900" not in said
    more = ["--recipe", str(ward / "ward.py"), "--columns", COLUMNS, "--raw", str(ward / "raw"), "--workers", "1"]
    assert erase.main([str(build), "notes:b/HN900b3", *more]) == 0
    (receipt,) = (ward / "out").glob("ward-*/erased.json")
    assert len(json.loads(receipt.read_text())["erased"]) == 1 and "HN900" not in receipt.read_text()
    assert verify.main([str(receipt.parent)]) == 0
    assert erase.main([str(build), "--patient", "notes:nobody", *more]) == 2
    assert "no document of notes is of this patient" in capsys.readouterr().err


@dataclass(frozen=True)
class Forgetful:
    """A filter that puts back what was masked."""

    def __call__(self, document: Document) -> Document:
        return replace(document, text=document.text + " zbrowska and 77/12345")


def test_a_leak_stops_the_build_and_is_told_without_words(
    ward: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def leaking(self: Recipe, columns: object) -> Recipe:
        (notes,) = self.streams
        source = replace(notes.source, columns=columns)
        return replace(self, streams=(replace(notes, source=source, filters=(*notes.filters, Forgetful())),))

    monkeypatch.setattr(Recipe, "with_columns", leaking)
    assert command.main(line(ward, "leaky")) == 2
    shown = "".join(capsys.readouterr())
    assert "documents still hold what was to be taken out of them" in shown and "names" in shown and "numbers" in shown
    assert "notes:a/n" in shown and not [secret for secret in SECRETS if secret in shown.lower()]
    assert not list((ward / "leaky").glob("ward-*/manifest.json"))


def test_the_search_knows_layouts_and_cases() -> None:
    known = {"zbrowska", "#7712345", "young", "#19510314"}.__contains__
    assert leaks.held("seen by ZBROWSKA", known, names=True) == ["names"]
    assert leaks.held("id 0077-12 345", known, names=True) == ["numbers"]
    assert leaks.held("on 1951-03-14", known, names=True) == ["numbers"]
    for innocent in ("[NAME] and ___ and [DATE 1951]", "a Young patient", "771234 x5.5 mg", "zbrow ska"):
        assert leaks.held(innocent, known, names=True) == []
    assert leaks.held("seen by zbrowska", known, names=False) == []


def test_an_error_in_a_filter_does_not_quote_a_note(ward: Path) -> None:
    @dataclass(frozen=True)
    class Broken:
        def __call__(self, document: Document) -> Document:
            raise ValueError(document.text)

    (notes,) = (one for one in ME_LLAMA.streams if one.source.name == "notes")
    sift = Sift(notes.source, (Broken(),))
    with pytest.raises(RuntimeError, match=r"ValueError in Broken at notes:1, document 0 of a\.csv") as caught:
        sift.judge(Document("notes:1", "notes", "Mr. Zbrowska"), "a.csv", 0)
    shown = "".join(traceback.format_exception_only(caught.value))
    assert "Zbrowska" not in shown and caught.value.__suppress_context__


def test_columns_of_known_values_are_named_on_the_command_line() -> None:
    known = dict(parse_columns(COLUMNS).known)
    assert known == {"name": ("last", "first"), "id": ("mrn",), "date": ("born",)}
    with pytest.raises(ValueError, match=r"known\.nmae.*name"):
        parse_columns("known.nmae=last")


def test_the_filter_alone_masks_by_columns() -> None:
    out = Deid()(
        Document(
            "notes:1",
            "notes",
            "quilltrap, b. 14.3.1951",
            meta={"_known": {"name": ["Quilltrap"], "date": ["3/14/1951"]}},
        )
    )
    assert isinstance(out, Document) and out.text == "[NAME], b. [DATE 1951]"
