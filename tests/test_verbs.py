"""What a finished build answers: trace, diff, whatif, its page and datasheet, and what erase does."""

import copy
import json
import re
import stat
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from corpus import ledger, manifest, shards, windows
from pipelines import build as command
from pipelines import datasheet, diff, erase, page, trace, verify, whatif
from tests import tiny_build


@pytest.fixture(scope="module")
def given():
    rows = tiny_build.rows()
    rows[6].draws = 3
    rows[8].heldout = True
    short = [("pubmed:s1", 5), ("pubmed:s2", 19), ("mimic:s3", 25)]
    for id, words in short:
        rows.append(
            tiny_build.Row(
                id, text="x" * 40, reason="quality.short", detail=f"{words} < 30 words", marks={"quality.words": words}
            )
        )
    rows.append(tiny_build.Row("pubmed:c1", reason="duplicate.near", twin="pubmed:0", similarity=0.75, text="x"))
    rows.append(tiny_build.Row("pubmed:c2", reason="duplicate.exact", twin="pubmed:0", similarity=1.0, text="x"))
    rows.append(tiny_build.Row("mimic:d", reason="deid.failed", marks={"deid.NAME": 3, "deid.DATE": 2}))
    return rows


@pytest.fixture(scope="module")
def build(tmp_path_factory, given):
    return tiny_build.make(tmp_path_factory.mktemp("build"), given)


@pytest.fixture(scope="module")
def content(build):
    return manifest.load(build)


# ---- trace ----


@pytest.mark.parametrize("packing", windows.PACKINGS)
def test_trace_names_the_documents_that_a_step_reads(build, content, packing, tmp_path, capsys):
    index = windows.index(build, content, 64, packing, tmp_path)
    stream = [row for item in content["shards"] for row in shards.read(build / item["path"])]
    held = np.zeros(len(stream), int)
    for place in range(index.count):
        for piece in trace.pieces(index, place):
            document = stream[piece["stream"]]
            table = shards.open_shard(build / piece["shard"]).read_all()
            assert piece["id"] == document.id == table["id"][piece["row"]].as_py()
            assert piece["tokens"] == len(document.tokens) and piece["end"] <= piece["tokens"]
            held[piece["stream"]] += piece["end"] - piece["start"]
    assert held.tolist() == [len(document.tokens) for document in stream], "every token stands in one window"
    line = [str(build), "--window", "3-4", "--sequence", "64", "--packing", packing]
    assert trace.main([*line, "--json"]) == 0
    told = [json.loads(one) for one in capsys.readouterr().out.splitlines()]
    assert [{"window": k, **piece} for k in (3, 4) for piece in trace.pieces(index, k)] == told
    assert trace.main(line) == 0
    assert "window 3: 64 of 64 tokens" in capsys.readouterr().out


def test_trace_follows_the_trainers_shuffle(build, content, tmp_path, capsys):
    data = pytest.importorskip("trainer.data", reason="torch is the extra 'train'")
    read = data.Windows(build, 64, shuffle=5, seed=3)
    line = [str(build), "--window", "0-11", "--sequence", "64", "--shuffle", "5", "--seed", "3", "--json"]
    assert trace.main(line) == 0
    told = [json.loads(one) for one in capsys.readouterr().out.splitlines()]
    for k in range(12):
        assert read.documents_in(k) == [(p["id"], p["start"], p["end"]) for p in told if p["window"] == k]


@pytest.mark.parametrize(
    ("window", "said"), [("x", "expected a number"), ("9-2", "expected a number"), ("0-999999", "more than all")]
)
def test_trace_refuses_what_is_no_window(build, window, said, capsys):
    assert trace.main([str(build), "--window", window]) == 2
    assert said in capsys.readouterr().err


# ---- diff ----


def test_diff_tells_every_kind_of_change(build, given, tmp_path, capsys):
    after = copy.deepcopy(given)
    by = {row.id: row for row in after}
    by["pubmed:3"].text = "other"
    by["mimic:4"].reason, by["mimic:4"].detail = "quality.short", "3 < 20 words"
    by["pubmed:9"].heldout = True
    by["mimic:7"].draws = 2
    after.remove(by["pubmed:12"])
    after.append(tiny_build.Row("pubmed:new", [1, 4, 5, 2]))
    other = tiny_build.make(tmp_path / "after", after, per_shard=11)
    found = {(r["change"], r["source"], r["before"], r["after"]): r for r in diff.compare(build, other).rows()}
    assert {key: row["documents"] for key, row in found.items()} == {
        ("added", "pubmed", "-", "kept"): 1,
        ("removed", "pubmed", "kept", "-"): 1,
        ("fate", "mimic", "kept", "quality.short"): 1,
        ("fate", "pubmed", "kept", "heldout"): 1,
        ("text", "pubmed", "kept", "kept"): 1,
        ("draws", "mimic", "kept", "kept"): 1,
    }
    doubled = found["draws", "mimic", "kept", "kept"]
    assert doubled["tokens_after"] == 2 * doubled["tokens_before"] == 2 * len(by["mimic:7"].tokens)
    assert diff.main([str(build), str(other), "--ids", "text"]) == 0
    assert capsys.readouterr().out.startswith("pubmed:3  kept -> kept")
    assert diff.main([str(build), str(other)]) == 0
    assert "61 of 67 documents are the same in both" in capsys.readouterr().out


def test_diff_of_a_build_with_itself_is_empty(build, capsys):
    assert diff.compare(build, build).rows() == []
    diff.main([str(build), str(build)])
    assert "no document differs" in capsys.readouterr().out


def test_diff_compares_tokens_where_there_is_no_text(given, tmp_path):
    """Of an id that was read twice, the row that stayed counts."""
    rows = [tiny_build.Row("pubmed:1", [1, 5, 6, 2]), tiny_build.Row("pubmed:1", reason="identity.superseded")]
    one, two = (tiny_build.make(tmp_path / str(n), rows) for n in (1, 2))
    for folder, last in ((one, 2), (two, 3)):
        path = folder / "shards/00000.arrow"
        table = shards.open_shard(path).read_all()
        tokens = pa.array([[1, 5, 6, last]], table.schema.field("tokens").type)
        table = table.set_column(6, table.schema.field("tokens"), tokens)
        table = table.set_column(2, table.schema.field("text"), pa.nulls(1, pa.string()))
        with pa.ipc.new_file(str(path), table.schema) as file:
            file.write_table(table)
        told = dict(manifest.load(folder))
        told["shards"] = [{**told["shards"][0], "sha256": str(last)}]
        manifest.write(folder / manifest.NAME, told)
    assert [row["change"] for row in diff.compare(one, two).rows()] == ["text"]


# ---- whatif ----


def test_whatif_counts_what_would_go_and_what_would_pass(build, given, capsys):
    assert whatif.main([str(build), "--set", "quality.min_words=20", "--examples", "2"]) == 0
    told = capsys.readouterr().out
    kept = [row for row in given if row.id.startswith("pubmed:") and not row.reason and not row.heldout]
    goes = [row for row in kept if row.marks["quality.words"] < 20]
    tokens = sum(len(row.tokens) * row.draws for row in goes)
    part = told.split("pubmed (")[1].split("mimic (")[0]
    assert f"would go      {len(goes):>9,} documents, {tokens} tokens" in part
    assert "would pass" not in part, "19 words are still too few"
    assert "would pass            1 documents" in told.split("mimic (")[1], "25 words are enough"
    assert "passes          25  mimic:s3" in told


def test_whatif_can_be_narrowed_and_knows_similarity(build, capsys):
    assert whatif.main([str(build), "--set", "duplicate.min_similarity=0.8", "--source", "pubmed"]) == 0
    told = capsys.readouterr().out
    assert "would pass            1 documents" in told and "pubmed:c1" in told and "mimic" not in told


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("quality.word=3", "expected FAMILY.min_MARK=NUMBER"),
        ("quality.min_wrds=3", "the nearest is quality.words"),
    ],
)
def test_whatif_helps_with_names(build, change, said, capsys):
    assert whatif.main([str(build), "--set", change]) == 2
    assert said in capsys.readouterr().err


# ---- the page and the datasheet ----


class _Page(HTMLParser):
    """Tags that are open, and every address that a browser would fetch."""

    def __init__(self):
        super().__init__()
        self.open, self.fetched, self.text = [], [], []

    def handle_starttag(self, tag, attributes):
        self.fetched += [value for name, value in attributes if name in ("src", "href", "data", "xlink:href")]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_stands_alone_and_adds_up(build, content, given):
    html = page.page(content, build)
    parsed = _Page()
    parsed.feed(html)
    assert not parsed.open and not parsed.fetched and "<script" not in html and "url(" not in html
    assert "@media(prefers-color-scheme:dark)" in html and 'name="viewport"' in html
    for words in ("quality.short", "duplicate.near", "CC-BY-4.0", "NAME", "pubmed", "2 near copies"[2:]):
        assert words in html
    assert "text 0 µ" not in html and "pubmed:0" not in html, "neither text nor ids"
    assert "Restricted" not in html
    read = len([row for row in given if row.source == "pubmed"])
    assert f"{read} read" in html
    assert html == page.page(content, build)


def test_the_page_of_a_restricted_build_says_so(given, tmp_path):
    build = tiny_build.make(tmp_path, given[:6], restricted=True)
    assert "Restricted." in page.page(manifest.load(build), build)


def test_the_page_shows_what_was_measured_of_copies_and_masks(built):
    html = (built / "report.html").read_text()
    of = manifest.load(built)
    card = of["duplicates"]["certificate"]
    assert f"{card['planted']:,} copies planted among this build&#x27;s documents" in html.replace("'", "&#x27;")
    for kind in of["deidentification"]["notes"]["types"]:
        assert f"<td>{kind}</td>" in html


def test_croissant_is_read_by_its_own_library(build, content, tmp_path):
    told = json.loads(datasheet.croissant(content, build))
    assert [file["sha256"] for file in told["distribution"][:-1]] == [item["sha256"] for item in content["shards"]]
    assert [field["name"] for field in told["recordSet"][0]["field"]] == shards.schema().names
    library = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed: structure only")
    (tmp_path / "croissant.json").write_text(datasheet.croissant(content, build))
    assert library.Dataset(str(tmp_path / "croissant.json")).metadata.name == "tiny"


def test_the_datasheet_answers_its_questions(build, content):
    told = datasheet.datasheet(content, build)
    assert re.findall(r"^## .*", told, re.M)[:3] == ["## Why it was made", "## What it holds", "## Where it comes from"]
    assert "CC-BY-4.0" in told and f"{content['tokens']:,} tokens" in told


# ---- erase ----

RECIPE = """
from dataclasses import replace
from corpus.sources.notes import Notes
from corpus.sources.redpajama import RedPajama
from filters.publication import Publication
from filters.quality import Quality
from pipelines.recipe import ME_LLAMA, Recipe, Stream

recipe = Recipe(
    "small",
    (
        Stream(Notes(), (Publication(), Quality.notes()), "clinical"),
        Stream(RedPajama(), (Publication(), Quality.web()), "general"),
    ),
    groups=("clinical", "general"),
    shard_tokens=4_000,
    heldout=0.05,
)
"""


def write_raw(folder: Path, without: tuple[str, ...] = ()) -> Path:
    """Hospital notes and web pages as files; note 7 is a copy of note 3."""
    random = np.random.default_rng(5)
    words = np.array(
        ["heart", "lung", "patient", "walks", "sleeps", "was", "the", "of", "and", "with", "no", "pain", "seen"]
    )
    notes = folder / "notes/notes.csv"
    notes.parent.mkdir(parents=True)
    texts = [" ".join(words[random.integers(0, len(words), 60)]) for _ in range(40)]
    texts[7] = texts[3]
    lines = [f'{n},p{n // 2},"{text}."' for n, text in enumerate(texts) if str(n) not in without]
    notes.write_text("\n".join(["note_id,patient_id,text", *lines]) + "\n")
    pages = folder / "redpajama/c4/c4-train.00000-of-01024.jsonl"
    pages.parent.mkdir(parents=True)
    with open(pages, "w") as file:
        for n in range(40):
            text = ". ".join(" ".join(words[random.integers(0, len(words), 9)]) for _ in range(12))
            meta = {
                "url": f"https://example.org/{n}",
                "timestamp": "2019-04-25T12:57:54Z",
                "source": "c4",
                "language": "en",
            }
            file.write(json.dumps({"text": text + ".", "meta": meta}) + "\n")
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A recipe file, raw files, and a build from them."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "small.py").write_text(RECIPE)
    write_raw(folder / "raw")
    assert run(folder, "raw", "out") == 0
    return folder


def run(folder, raw, out):
    line = [
        "--recipe",
        folder / "small.py",
        "--mix",
        "1:3",
        "--raw",
        folder / raw,
        "--out",
        folder / out,
        "--workers",
        "1",
    ]
    return command.main(list(map(str, line)))


def erased(folder, build, *what):
    before = {path: path.stat().st_mtime_ns for path in build.rglob("*")}
    line = [build, *what, "--recipe", folder / "small.py", "--workers", "1", "--raw", folder / "raw"]
    assert erase.main(list(map(str, line))) == 0
    assert {path: path.stat().st_mtime_ns for path in build.rglob("*")} == before, "never in place"
    (receipt,) = [path for path in (folder / "out").glob("small-*/erased.json") if fresh(path, build)]
    return receipt.parent, json.loads(receipt.read_text())


def fresh(path, build):
    return json.loads(path.read_text())["before"]["build"] == build.name


def digests(build):
    content = manifest.load(build)
    return {item["path"]: item["sha256"] for item in [*content["shards"], *content["heldout"]]}


def ids_of(build):
    content = manifest.load(build)
    return {id for item in content["ledger"] for id in ledger.read(build / item["path"])["id"].to_pylist()}


def test_erasing_is_as_if_the_document_had_never_been_read(small, capsys):
    build = (small / "out/build").resolve()
    note = next(id for id in ids_of(build) if id.startswith("notes:") and re.search(r"\b3$", id))
    made, receipt = erased(small, build, note)
    assert verify.main([str(made)]) == 0
    write_raw(small / "raw-without", without=("3",))
    assert run(small, "raw-without", "out-without") == 0
    assert digests(made) == digests((small / "out-without/build").resolve()) != digests(build)
    assert receipt["erased"] == [note] and receipt["after"]["key"] == manifest.load(made)["key"]
    assert [item["reason"] for item in receipt["returned"]] == ["duplicate.exact"], "its copy is back, and is told"
    assert stat.S_IMODE((made / "erased.json").stat().st_mode) == 0o600
    assert str(build) in receipt["still_in"]
    rows = {row["id"]: row for row in ledger.read(made / "ledger/notes.arrow").to_pylist()}
    assert (rows[note]["status"], rows[note]["reason"], rows[note]["marks"]) == ("dropped", "erased", None)
    # Once more, on what came out, and by patient: note 7 is of the patient p3, with note 6.
    again, receipt = erased(small, made, "--patient", "notes:p3")
    assert len(receipt["erased"]) == 2 and len(receipt["all"]) == 3
    write_raw(small / "raw-less", without=("3", "6", "7"))
    assert run(small, "raw-less", "out-less") == 0
    assert digests(again) == digests((small / "out-less/build").resolve())
    # What was erased stays out: the build's own command leads to that build now, and more raw files change nothing.
    assert run(small, "raw", "out") == 0
    assert (small / "out/build").resolve() == again
    write_raw(small / "raw-more")
    (small / "raw-more/notes/later.csv").write_text("note_id,patient_id,text\n90,p90," + "heart pain " * 20 + "\n")
    assert run(small, "raw-more", "out") == 0
    later = small / "out/build"
    assert later.resolve() != again and verify.main([str(later)]) == 0
    held = {d.id for item in manifest.load(later)["shards"] for d in shards.read(later / item["path"])}
    assert "notes:later/90" in held and not held & set(receipt["all"])
    assert run(small, "raw", "out") == 0


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ([], "nothing to erase"),
        (["notes:nobody"], "no document notes:nobody was read"),
        (["--patient", "p3"], "expected SOURCE:PATIENT"),
        (["--patient", "notes:p999"], "no document of notes is of this patient"),
    ],
)
def test_erase_says_what_it_cannot_do(small, what, said, capsys):
    build = (small / "out/build").resolve()
    line = [build, *what, "--recipe", small / "small.py", "--workers", "1", "--raw", small / "raw"]
    assert erase.main(list(map(str, line))) == 2
    assert said in capsys.readouterr().err


def test_erase_refuses_a_build_that_it_cannot_make_again(small, capsys):
    build = (small / "out/build").resolve()
    (small / "other.py").write_text(RECIPE.replace("heldout=0.05", "heldout=0.06"))
    line = [build, "notes:1", "--recipe", small / "other.py", "--workers", "1"]
    assert erase.main(list(map(str, line))) == 2
    assert "cannot be made again" in capsys.readouterr().err
    assert erase.main([str(build), "notes:1", "--workers", "1"]) == 2
    assert "name it with --recipe FILE.py" in capsys.readouterr().err
