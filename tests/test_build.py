"""The whole path on the miniature world: what README promises of a build, promise by promise."""

import hashlib
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest

from corpus import ledger, manifest, shards
from filters.tokens import load
from pipelines import build as command
from pipelines import diff, export, verify, why

ROOT = Path(__file__).parent.parent
MIX = ("--mix", "15:1:4")


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder with the digest of its bytes."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def truth(out):
    return json.loads((out / "world" / "truth.json").read_text())


@pytest.fixture(scope="module")
def book(built, content):
    """All ledgers as one table."""
    return pa.concat_tables([ledger.read(built / item["path"]) for item in content["ledger"]])


@pytest.fixture(scope="module")
def fates(book):
    """id -> its rows."""
    found: dict[str, list[dict]] = {}
    for row in book.to_pylist():
        found.setdefault(row["id"], []).append(row)
    return found


def test_the_ratio_is_what_was_asked(content):
    mix = content["mix"]
    total = sum(mix["tokens"].values())
    for group, weight in mix["asked"].items():
        assert abs(mix["tokens"][group] - weight / 20 * total) <= mix["longest_row"]
    assert mix["largest_deviation"] <= mix["longest_row"]
    assert len(content["shards"]) > 2
    for shard in content["shards"]:
        for group, weight in mix["asked"].items():
            assert abs(shard["groups"][group] - weight / 20 * shard["tokens"]) <= 2 * mix["longest_row"]


def test_every_law_holds(built, content):
    found = list(verify.laws(built, content))
    assert len(found) == 7
    assert not [fault for _, faults in found for fault in faults]


def test_a_changed_byte_is_found(built, content, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(built, copy)
    victim = copy / content["shards"][1]["path"]
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    assert verify.main([str(copy)]) == 1
    assert "shards/00001.arrow: the manifest says sha256" in capsys.readouterr().out


def test_a_ledger_that_lies_is_found(built, content, tmp_path):
    """Digests alone would hold: the manifest is made to agree with what was changed."""
    copy = tmp_path / "copy"
    shutil.copytree(built, copy)
    changed = json.loads(json.dumps(content))
    first, second = changed["shards"][:2]
    for name in ("path", "sha256", "bytes"):
        first[name], second[name] = second[name], first[name]
    faults = [fault for _, found in verify.laws(copy, changed) for fault in found]
    assert any("not the documents that the ledgers place there" in fault for fault in faults)


def test_a_finished_build_is_not_touched(out):
    def stamps():
        return {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in out.rglob("*") if path.is_file()}

    before = stamps()
    assert command.main([*MIX, "--out", str(out), "--workers", "1"]) == 0
    assert stamps() == before


def test_two_workers_and_another_order_of_files_give_the_same_bytes(out, built, tmp_path, monkeypatch):
    code = (
        "import random, sys\n"
        "from pathlib import Path\n"
        "whole = Path.rglob\n"
        "def shuffled(self, pattern, **more):\n"
        "    found = list(whole(self, pattern, **more))\n"
        "    random.Random(4).shuffle(found)\n"
        "    return iter(found)\n"
        "Path.rglob = shuffled\n"
        "from pipelines.build import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    arguments = [*MIX, "--out", str(tmp_path), "--workers", "2"]
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert tree((tmp_path / "build").resolve()) == tree(built)


def test_a_cluster_gives_the_same_bytes(built, tmp_path):
    """Two machines of one core, whose Ray was started in another folder than the build, with a relative --out."""
    code = (
        "import os, sys\n"
        "from ray.cluster_utils import Cluster\n"
        "small = {'num_cpus': 1, 'object_store_memory': 100 << 20}\n"
        "cluster = Cluster(initialize_head=True, head_node_args={**small, 'include_dashboard': False})\n"
        "cluster.add_node(**small)\n"
        "os.chdir(sys.argv.pop(1))\n"
        "from pipelines.build import main\n"
        "sys.exit(main([*sys.argv[1:], '--ray-address', cluster.address]))\n"
    )
    (tmp_path / "elsewhere").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), *MIX, "--out", "own"],
        cwd=tmp_path / "elsewhere",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert tree((tmp_path / "own/build").resolve()) == tree(built)


def test_a_killed_build_goes_on_to_the_same_bytes(out, built, tmp_path):
    """kill -9 at three moments of the run; what is finished by then stays and is used."""
    command_line = [sys.executable, "-m", "pipelines.build", *MIX, "--out", str(tmp_path), "--workers", "1"]
    for stage in ("pubmed-*", "signatures-*", "*/shards"):
        with subprocess.Popen(command_line, cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 240
            while process.poll() is None and time.monotonic() < deadline:
                if any(folder.glob("*") for root in (tmp_path / "layers", tmp_path) for folder in root.glob(stage)):
                    break
                time.sleep(0.05)
            os.kill(process.pid, signal.SIGKILL)
    whole = [path for path in (tmp_path / "layers").rglob("*.arrow")]
    stamps = {path: path.stat().st_ino for path in whole}
    assert whole
    done = subprocess.run(command_line, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {path: path.stat().st_ino for path in whole} == stamps
    assert tree((tmp_path / "build").resolve()) == tree(built)


def test_datasets_reads_the_shards(built, content, tmp_path):
    datasets = pytest.importorskip("datasets", reason="datasets comes with the extra [train]")
    files = [str(built / item["path"]) for item in content["shards"]]
    rows = datasets.load_dataset("arrow", data_files=files, split="train", cache_dir=str(tmp_path))
    assert len(rows) == content["rows"]
    assert rows[0]["tokens"][0] == content["tokenizer"]["bos"]


def test_a_shard_row_is_bos_text_eos(built, content):
    import sentencepiece

    model = sentencepiece.SentencePieceProcessor(model_file=str(built / content["tokenizer"]["file"]))
    for document in list(shards.read(built / content["shards"][0]["path"]))[:20]:
        ids = [model.bos_id(), *model.encode(document.text), model.eos_id()]
        assert list(document.tokens) == ids


def test_why_tells_the_way_into_a_shard(built, content, capsys):
    document = next(shards.read(built / content["shards"][1]["path"]))
    assert why.main([document.id, str(built)]) == 0
    told = capsys.readouterr().out
    assert "kept" in told
    assert "stands in shards/00001.arrow, row 0" in told


def test_why_names_the_nearest_id(built, capsys):
    assert why.main(["pubmed:99999999999", str(built)]) == 2
    assert "no document pubmed:99999999999 was read" in capsys.readouterr().err
    assert why.main(["nowhere:1", str(built)]) == 2
    assert "names no source of this build" in capsys.readouterr().err


def test_files_of_a_restricted_build_are_private(built, content):
    assert content["restricted"]
    for item in (*content["shards"], *content["ledger"]):
        assert (built / item["path"]).stat().st_mode & 0o077 == 0


# ---- the world's truth: what was planted is found ----


def reasons(fates, id: str) -> list[str | None]:
    return [row["reason"] for row in fates[id]]


def test_the_newest_revision_wins_and_the_deleted_are_gone(truth, fates):
    for pmid, history in truth["pubmed"]["history"].items():
        rows = sorted(fates[f"pubmed:{pmid}"], key=lambda row: (row["file"].split("/")[-1], row["position"]))
        assert len(rows) == len(history), "every revision that was read has its row"
        event = history[-1][2]
        *older, newest = rows
        assert not any(row["status"] == "kept" for row in older)
        if event == "deleted":
            assert newest["reason"] == "source.deleted"
        elif event == "retracted":
            assert newest["reason"] == "source.retracted"
        else:
            assert newest["reason"] != "identity.superseded"


def test_what_was_retracted_or_is_a_notice_is_gone(truth, fates):
    for id in truth["pubmed"]["retracted"]:
        assert {row["status"] for row in fates[id]} == {"dropped"}
    for id in truth["pubmed"]["notices"]:
        assert reasons(fates, id) == ["source.notice"]


def test_an_abstract_goes_only_if_its_full_text_stays(truth, fates):
    gone = 0
    for pmid, pmcid in truth["pubmed"]["linked"]:
        abstract, paper = fates[f"pubmed:{pmid}"][-1], fates.get(f"pmc:{pmcid}", [])
        stays = any(row["status"] != "dropped" or row["reason"] == "mix.unused" for row in paper)
        if abstract["reason"] == "identity.fulltext":
            gone += 1
            assert stays and abstract["twin"] == f"pmc:{pmcid}"
        elif abstract["status"] == "kept":
            assert not any(row["kind"] == "fulltext" and row["status"] == "kept" for row in paper)
    assert gone > 50


def test_copies_are_found_with_their_twins(truth, fates):
    for planted in truth["pubmed"]["exact"]:
        dropped = [row for id in planted["ids"] for row in fates[id] if row["status"] == "dropped"]
        assert dropped, f"both of {planted['ids']} stay"
        for row in dropped:
            assert row["reason"].startswith("duplicate.") and row["similarity"] >= 0.7
            assert fates[row["twin"]][-1]["status"] != "dropped"
    for planted in truth["pubmed"]["near"]:
        one, two = (fates[id][-1] for id in planted["ids"])
        together = one["twin"] == two["id"] or two["twin"] == one["id"] or (one["twin"] or 1) == (two["twin"] or 2)
        if planted["edits"] < 0.03:  # Jaccard of word 5-grams well above 0.7
            assert together
        if planted["edits"] > 0.15:  # and well below
            assert not together


def test_no_identifier_of_a_patient_is_in_the_build(truth, built, content):
    texts = [
        document.text
        for item in (*content["shards"], *content["heldout"])
        for document in shards.read(built / item["path"])
        if document.source == "notes"
    ]
    assert texts
    whole = "\n".join(texts)
    known = {
        span["text"]
        for spans in truth["notes"]["phi"].values()
        for span in spans
        if span["type"] in ("NAME", "MRN", "SSN", "PHONE", "EMAIL") and len(span["text"]) > 4
    }
    found = {value for value in known if value in whole}
    assert len(found) <= 0.02 * len(known), f"{len(found)} of {len(known)} known values are left"


def test_no_text_of_a_note_is_in_ledgers_or_reports(truth, built, content):
    names = {span["text"] for spans in truth["notes"]["phi"].values() for span in spans if span["type"] == "NAME"}
    told = (built / "report.txt").read_text() + (built / "manifest.json").read_text()
    book = ledger.read(built / "ledger" / "notes.arrow")
    told += "\n".join(str(row) for row in book.select(["id", "detail", "marks", "twin"]).to_pylist())
    assert not {name for name in names if " " in name and name in told}


# ---- the plan ----


def test_the_plan_of_a_finished_build_is_what_it_gave(out, content, capsys):
    assert command.main([*MIX, "--out", str(out), "--workers", "1", "--plan"]) == 0
    told = capsys.readouterr().out
    for line in content["mix"]["plan"]:
        assert line in told
    assert "the ratio can be met" in told


def test_the_plan_before_a_build_estimates_and_writes_no_build(out, tmp_path, capsys):
    arguments = [*MIX, "--raw", str(out / "raw"), "--out", str(tmp_path), "--workers", "1", "--plan"]
    assert command.main(arguments) == 0
    told = capsys.readouterr().out
    assert "pubmed: 5 files" in told and "tokens of biomedical" in told
    assert "before duplicates and held-out documents are taken off" in told
    assert not list(tmp_path.glob("*/manifest.json"))


def test_one_text_is_counted_by_several_tokenizers(out, built, content, tmp_path, capsys):
    """Beside its own: the build's documents, as often as they stand in it, by another model's ids."""
    other = tmp_path / "out"
    shutil.copytree(out, other, copy_function=os.link, symlinks=True)
    line = [*MIX, "--out", str(other), "--workers", "1", "--count-with", "mistral-v1,mistral-v3"]
    assert command.main([*line, "--plan"]) == 0
    assert "counted with mistral-v3: pubmed" in capsys.readouterr().out
    assert command.main(line) == 0
    counted = manifest.load(other / "build")["counted"]
    assert counted["mistral-v1"]["groups"] == content["mix"]["tokens"], "the build's own tokenizer counts its own ids"
    model = load("mistral-v3")
    times = 0
    for item in content["shards"]:
        rows = [d for d in shards.read(built / item["path"]) if d.source == "redpajama" and "piece" not in d.meta]
        times += sum(len(ids) for ids in model.documents([d.text for d in rows]))
    assert 0 < times <= counted["mistral-v3"]["groups"]["general"]
    assert "counted     mistral-v3: " in capsys.readouterr().out
    assert [i["sha256"] for i in manifest.load(other / "build")["shards"]] == [i["sha256"] for i in content["shards"]]


def test_an_impossible_budget_says_what_to_change(out, capsys):
    assert command.main([*MIX, "--out", str(out), "--workers", "1", "--tokens", "129B"]) == 2
    told = capsys.readouterr().err
    assert "--tokens 129B cannot be met" in told and "clinical" in told and "the largest budget at 15:1:4 is" in told


def test_benchmarks_are_kept_out_by_number_and_by_text(truth, fates, book):
    for id in truth["benchmarks"]["leaks"]:
        assert reasons(fates, id) == ["contamination.identity"]
    for leak in truth["guidelines"]["leaks"]:
        assert reasons(fates, leak["id"]) == ["contamination.text"]
    rows = {(row["file"], row["position"]): row for row in book.to_pylist() if row["source"] == "redpajama"}
    for leak in truth["redpajama"]["leaks"]:
        row = rows[leak["file"], leak["position"]]
        assert row["reason"] == "contamination.text" and "medqa" in row["detail"]


def test_a_deidentification_below_the_floor_stops_the_build(out, content, tmp_path, capsys):
    assert content["deidentification"]["notes"]["recall"] >= 0.98
    mine = tmp_path / "mine.py"
    mine.write_text("from pipelines.recipe import *\nrecipe = replace(ME_LLAMA, name='mine', recall=1.01)\n")
    arguments = ["--raw", str(out / "raw"), "--recipe", str(mine), "--out", str(tmp_path / "out"), "--workers", "1"]
    assert command.main(arguments) == 2
    told = capsys.readouterr().err
    assert "the de-identification audit fails" in told and "1.01 is the floor" in told
    assert not list((tmp_path / "out" / "layers").glob("notes-*")), "no note was written"


def test_documents_are_the_same_however_they_are_cut(out, built, content, tmp_path, capsys):
    """Rows of at most 300 tokens in place of 1,024: a finer ratio, and not a document that differs."""
    other = tmp_path / "out"
    shutil.copytree(out, other, copy_function=os.link, symlinks=True)
    recipe = tmp_path / "recipe.py"
    recipe.write_text(
        "from dataclasses import replace\nfrom pipelines.recipe import WORLD\nrecipe = replace(WORLD, sequence=300)\n"
    )
    assert command.main([*MIX, "--out", str(other), "--workers", "1", "--recipe", str(recipe)]) == 0
    fine = manifest.load(other / "build")
    assert fine["mix"]["longest_row"] <= 300 and fine["rows"] > content["rows"]
    assert fine["mix"]["largest_deviation"] <= 300
    assert not [fault for _, faults in verify.laws(other / "build", fine) for fault in faults]
    capsys.readouterr()
    assert diff.main([str(built), str(other / "build")]) == 0
    assert "no document differs" in capsys.readouterr().out


def test_restricted_text_lies_apart_when_it_must(out, tmp_path, capsys):
    """Its shards are of its own; what is called public is exported without them."""
    other = tmp_path / "out"
    shutil.copytree(out, other, copy_function=os.link, symlinks=True)
    assert command.main([*MIX, "--out", str(other), "--workers", "1", "--apart"]) == 0
    build = other / "build"
    made = manifest.load(build)
    assert not [fault for _, faults in verify.laws(build, made) for fault in faults]
    hidden = {source["name"] for source in made["sources"] if source["restricted"]}
    for item in made["shards"]:
        of = {document.source for document in shards.read(build / item["path"])}
        assert of <= hidden if item["restricted"] else not of & hidden
        mode = stat.S_IMODE((build / item["path"]).stat().st_mode)
        assert mode == (0o600 if item["restricted"] else 0o644)
    pairs = list(zip(made["shards"][::2], made["shards"][1::2], strict=True))
    for group, weight in made["mix"]["asked"].items():
        for pair in pairs:
            tokens = sum(item["tokens"] for item in pair)
            found = sum(item["groups"][group] for item in pair)
            assert abs(found - weight / 20 * tokens) <= 2 * made["mix"]["longest_row"]
    note = next(d.id for d in shards.read(build / made["shards"][1]["path"]))
    assert "restricted/00000.arrow, row 0" in why.story(note, build)
    assert export.main([str(build), "--to", "parquet", "--dest", str(tmp_path / "public"), "--public"]) == 0
    told = json.loads((tmp_path / "public/export.json").read_text())
    assert not told["restricted"] and told["tokens"] == sum(i["tokens"] for i in made["shards"] if not i["restricted"])
    assert not any(name in json.dumps(told["manifest"]["sources"]) for name in hidden)
    capsys.readouterr()
    assert export.main([str(out / "build"), "--to", "parquet", "--dest", str(tmp_path / "p"), "--public"]) == 2
    assert "one with --apart" in capsys.readouterr().err


def test_why_says_every_value_against_its_threshold(fates, built, content):
    """As the recipe asks it of the kind of text that the document is."""
    short = next(rows[0]["id"] for rows in fates.values() if rows[0]["reason"] == "contamination.text")
    assert re.search(r"contamination.overlap = [\d.]+ \(asked: less than 0.\d+\)", why.story(short, built))
    paper = next(rows[0]["id"] for rows in fates.values() if rows[0]["kind"] == "fulltext")
    told = why.story(paper, built)
    assert re.search(r"quality.words = \d+ \(asked: 100 to 2,000,000\)", told)
    assert re.search(r"gopher.dup_lines = [\d.]+ \(asked: at most 0.2\)", told)
    pages = (key for key, rows in fates.items() if key.startswith("redpajama:common_crawl") and not rows[0]["reason"])
    page = next(pages)
    told = why.story(page, built)
    assert re.search(r"gopher.words = \d+ \(asked: 50 to 100,000\)", told)
    assert re.search(r"gopher.alpha = [\d.]+ \(asked: at least 0.8\)", told)
    near = next(rows[0]["id"] for rows in fates.values() if rows[0]["reason"] == "duplicate.near")
    assert re.search(r"similarity 0.\d+ \(copies: at least 0.7, note and report 0.85\)", why.story(near, built))
