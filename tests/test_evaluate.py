"""An evaluation asks what the files hold, scores as the harness does, and goes on where it was killed."""

import json
import logging
from random import Random

import pytest

from tests import harness
from trainer import evaluate, results
from trainer.journal import Journal
from trainer.tasks import parse, score
from trainer.tasks.rows import load

FOUR = "pubmedqa,medqa,medmcqa,mmlu-medical"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return harness.benchmarks(tmp_path_factory.mktemp("benchmarks"))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return harness.model(tmp_path_factory.mktemp("model"))


def run(model, folder, out, *more: str) -> dict:
    args = ["--model", str(model), "--data", str(folder), "--out", str(out), "--dtype", "float32", "--max-tokens", "8"]
    args += more
    assert evaluate.main(args) == 0
    return json.loads((out / "results.json").read_text())


def records(out, name: str) -> list[dict]:
    return [json.loads(line) for line in (out / "items" / f"{name}.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def four(model, folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("four")
    return out, run(model, folder, out, "--tasks", FOUR)


def test_the_harness_own_tasks_give_the_same_scores(four, model, folder):
    import lm_eval
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    names = (*harness.SINGLE, "mmlu_anatomy", "mmlu_medical_genetics")
    lm = HFLM(pretrained=str(model), dtype="float32", batch_size=8, device="cpu")
    held = lm_eval.simple_evaluate(
        lm,
        tasks=harness.theirs(folder, names),
        bootstrap_iters=1,
        task_manager=TaskManager(include_defaults=False),  # reading all its files takes 16 s of CPU
    )
    out, ours = four
    own = {name: held["results"][f"own_{name}"] for name in names}
    for name in harness.SINGLE:
        mine = ours["results"][name]["likelihood"]
        assert mine["acc"] == own[name]["acc,none"]
        assert mine["acc_stderr"] == pytest.approx(own[name]["acc_stderr,none"])
    subjects = ours["results"]["mmlu-medical"]["likelihood"]["subjects"]
    for subject in ("anatomy", "medical genetics"):
        assert subjects[subject]["acc"] == own[f"mmlu_{subject.replace(' ', '_')}"]["acc,none"]
    # Not the sums alone: the same prompts, and the same numbers for every option of every item.
    mine = {row["prompt"]: row["likelihoods"] for row in records(out, "medqa-likelihood")}
    for sample in held["samples"]["own_medqa"]:
        sums = [answer[0][0] for answer in sample["resps"]]
        assert mine[sample["arguments"][0][0]] == pytest.approx(sums, abs=1e-4)


def test_what_is_asked_is_what_the_files_hold(four, folder):
    out, content = four
    assert {name: ways["likelihood"]["items"] for name, ways in content["results"].items()} == {
        "pubmedqa": 12,
        "medqa": 12,
        "medmcqa": 12,
        "mmlu-medical": 24,
    }
    truth = json.loads((folder / "pubmedqa/test_ground_truth.json").read_text())
    rows = records(out, "pubmedqa-likelihood")
    assert {row["item"]: ["yes", "no", "maybe"][row["gold"]] for row in rows} == truth
    assert all(row["acc"] == (row["answer"] == row["gold"]) for row in rows)
    assert content["versions"]["lm_eval"]
    assert content["prompts"]["medqa-likelihood"]["doc_to_text"].endswith("Answer:")


def test_a_run_again_asks_nothing_twice_and_says_the_same(four, model, folder, tmp_path, monkeypatch):
    from lm_eval.models.huggingface import HFLM

    out, before = four
    (out / "results.json").unlink()
    for kind in ("loglikelihood", "generate_until"):
        monkeypatch.setattr(HFLM, kind, lambda *args, **more: pytest.fail("asked again"))
    assert run(model, folder, out, "--tasks", FOUR)["results"] == before["results"]


def test_a_broken_run_goes_on_and_ends_as_an_unbroken_one(four, model, folder, tmp_path):
    out, before = four
    lines = (out / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "journal.jsonl").write_bytes(b"".join(lines[:2]) + lines[2][:30])
    after = run(model, folder, tmp_path, "--tasks", FOUR)
    assert after["results"] == before["results"]
    for file in sorted((out / "items").iterdir()):
        assert (tmp_path / "items" / file.name).read_bytes() == file.read_bytes()


def test_answers_of_another_model_are_not_taken(four, model, folder, capsys):
    out, _ = four
    args = ["--model", str(model), "--data", str(folder), "--out", str(out), "--dtype", "bfloat16"]
    assert evaluate.main(args) == 2
    assert "answers of another model" in capsys.readouterr().err


def test_two_runs_do_not_write_to_one_folder(four):
    path = four[0] / "other.jsonl"
    held = Journal(path, {})
    with pytest.raises(ValueError, match="another evaluation is writing"):
        Journal(path, {})
    held.put("key", [[-1.5, True]])
    held.close()
    again = Journal(path, {})
    assert again["key"] == [[-1.5, True]]
    again.close()


def test_few_shots_come_from_the_training_part_and_never_show_the_question(model, folder, tmp_path):
    run(model, folder, tmp_path, "--tasks", "medqa,medmcqa", "--shots", "2", "--limit", "5", "--score", "likelihood")
    train = [json.loads(line)["question"] for line in (folder / "medqa/train.jsonl").read_text().splitlines()]
    rows = records(tmp_path, "medqa-likelihood")
    assert len(rows) == 5
    for row in rows:
        *shots, _ = row["prompt"].split("\n\n")
        assert len(shots) == 2
        assert all(any(question in shot for question in train) for shot in shots)
        assert all(shot[-2:] in (" A", " B", " C", " D") for shot in shots)
    for row in records(tmp_path, "medmcqa-likelihood"):  # it has no training file here
        *shots, asked = row["prompt"].split("\n\n")
        assert len(shots) == 2
        assert not any(shot.startswith(asked) for shot in shots)


def test_a_chat_template_is_used_on_request(model, folder, tmp_path):
    run(model, folder, tmp_path, "--tasks", "medqa", "--chat", "--limit", "2", "--score", "generated")
    prompt = records(tmp_path, "medqa-generated")[0]["prompt"]
    assert prompt.startswith("<system>Answer the multiple choice question")
    assert prompt.endswith("<assistant>")


def test_two_results_side_by_side(four, model, folder, tmp_path, capsys):
    out, before = four
    assert evaluate.main(["--compare", str(out), str(out / "results.json")]) == 0
    printed = capsys.readouterr().out
    assert "medqa" in printed
    assert "+0.000" in printed
    with pytest.raises(ValueError, match="no task in common"):
        results.compared({"results": {}}, before)
    assert results.coin(0, 10) == pytest.approx(2 / 1024)
    assert results.coin(5, 5) == 1


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--tasks", "medqa", "--score", "luck"], "'luck' is not one of"),
        (["--tasks", "medqa", "--data", "/nowhere"], "there is no such folder"),
    ],
)
def test_mistakes_are_answered_in_words(model, folder, tmp_path, capsys, args, words):
    given = ["--model", str(model), "--data", str(folder), "--out", str(tmp_path), *args]
    assert evaluate.main(given) == 2
    assert words in capsys.readouterr().err


def test_a_name_that_nobody_knows_is_answered_with_near_ones():
    evaluate.unknown(["hellaswag"], ["hellaswag"])
    with pytest.raises(ValueError, match="near it: medqa, medmcqa"):
        evaluate.unknown(["medqqa"], ["hellaswag"])


def test_files_that_are_not_there_are_asked_for(model, tmp_path, capsys):
    args = ["--model", str(model), "--data", str(tmp_path), "--tasks", "medmcqa", "--out", str(tmp_path / "out")]
    assert evaluate.main(args) == 2
    assert "dev.json of medmcqa.github.io" in capsys.readouterr().err


def test_sets_of_the_hub_are_laid_into_the_folder_that_builds_are_cleaned_against(tmp_path, capsys):
    from filters.contamination import Contamination
    from trainer.tasks.hub import fetch

    (tmp_path / "hub").mkdir()
    row = {"id": "1", "sent1": harness.said(Random(9), 30), "ending0": "a", "ending1": "b", "label": 1}
    for split in ("train", "test"):
        (tmp_path / f"hub/{split}.jsonl").write_text(json.dumps(row | {"id": split}) + "\n")
    written = fetch(f"medqa={tmp_path}/hub", tmp_path / "data")
    assert [path.name for path in written] == ["train.jsonl", "test.jsonl"]
    assert [row["item"] for row in load(benchmark="medqa", data=str(tmp_path / "data"))["test"]] == ["test/0"]
    assert Contamination.against(tmp_path / "data").index.items == {"medqa": 1}
    with pytest.raises(ValueError, match="NAME one of"):
        fetch("medqa5=x", tmp_path)
    with pytest.raises(ValueError, match="--hub medqa=/nowhere"):
        fetch("medqa=/nowhere/at/all", tmp_path)


def test_whether_a_build_was_cleaned_against_what_is_asked_is_said(folder, tmp_path):
    from corpus import manifest
    from corpus.sources.benchmarks import digest

    for recipe, words in (
        (f"Contamination(benchmarks={digest(folder)!r}, length=5)", "exactly these"),
        ("Contamination(benchmarks='sha256:00', length=5)", "other files"),
        ("Repair()", "not cleaned"),
    ):
        manifest.write(tmp_path / manifest.NAME, {"format": 1, "recipe": recipe})
        assert words in evaluate.cleaned(tmp_path, folder)
    # The filter's own words for it.
    from filters.contamination import Contamination

    assert f"benchmarks={digest(folder)!r}" in repr(Contamination.against(folder))


def test_bertscore_is_one_for_the_same_and_falls_with_other_words(tmp_path):
    import torch
    from transformers import AutoTokenizer, BertConfig, BertModel

    from trainer.tasks.bertscore import f1

    path = harness.model(tmp_path)
    torch.manual_seed(0)
    size = len(AutoTokenizer.from_pretrained(path))
    config = BertConfig(
        vocab_size=size, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    BertModel(config).save_pretrained(path)
    same, other, none = f1(["acute heart", "liver dose", ""], ["acute heart", "lung oral", "x"], f"{path}:1")
    assert same == pytest.approx(1, abs=1e-5)
    assert other < 0.99
    assert none == 0
    with pytest.raises(ValueError, match="--bertscore"):
        f1(["a"], ["b"], str(tmp_path / "none"))


LETTERS, OPTIONS = list("ABCD"), ["A heart", "Both lungs", "Calcium", "Don't know"]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("C", 2),
        (" (C)", 2),
        ("C. Calcium", 2),
        ("**C**: because", 2),
        ("Answer: C", 2),
        ("The correct answer is C.", 2),
        ("It might be B, but the final answer is: D", 3),
        ("The answer is B. No, wait. The answer is D.", 3),
        ("Calcium", 2),
        ("calcium.\nBecause", 2),
        ("<think>The answer is A.</think>\n\nB", 1),
        ("A or C", None),
        ("A, C", None),
        ("The answer is A or C", None),
        ("A 45-year-old man is never an answer", None),
        ("E", None),
        ("c", None),
        ("", None),
        ("Both are right", None),
    ],
)
def test_letters_are_read_strictly(text, answer):
    assert parse.choice(text, LETTERS, OPTIONS) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("yes", 0),
        ("Yes.", 0),
        ("No, it does not", 1),
        ("The answer is maybe", 2),
        ("MAYBE\nThe study", 2),
        ("yes/no", None),
        ("Nothing is known", None),
        ("The authors say yes and no", None),
    ],
)
def test_labels_are_read_strictly(text, answer):
    names = ["yes", "no", "maybe"]
    assert parse.choice(text, names, names) == answer


def test_the_papers_own_matching_takes_the_first_letter_anywhere():
    assert parse.anywhere("Answer: C", LETTERS) == 0
    assert parse.choice("Answer: C", LETTERS, OPTIONS) == 2
    assert parse.anywhere("none", LETTERS) is None
    doc = {"gold": 2, "letters": LETTERS, "options": OPTIONS}
    assert score.generated(doc, ["Answer: C"]) == {
        "acc": 1.0,
        "macro_f1": (2, 2),
        "unparsed": 0.0,
        "substring_acc": 0.0,
    }
    assert score.generated(doc, ["Hm"])["unparsed"] == 1


def test_macro_f1_is_sklearns():
    from random import Random

    from sklearn.metrics import f1_score

    draw = Random(1)
    gold, given = draw.choices(range(4), k=200), draw.choices(range(5), k=200)
    assert score.macro_f1(zip(gold, given, strict=True)) == pytest.approx(f1_score(gold, given, average="macro"))
    assert score.macro_f1([(0, None), (1, 1)]) == 0.5
