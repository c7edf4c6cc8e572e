"""The whole way in small: a build, pretrained on, tuned with LoRA, merged, and evaluated before and after."""

import json

import pytest

from tests import harness
from trainer import evaluate, ranks, run


@pytest.fixture
def train():
    import torch.distributed as dist

    joined = ranks.start()
    yield lambda *line: run.train(run.arguments([str(each) for each in line]), joined)
    dist.destroy_process_group()


def test_a_model_goes_from_build_to_build_and_to_its_scores(built, train, tmp_path, capsys):
    from pipelines import build

    data = harness.benchmarks(tmp_path / "data", count=4)
    one, two = tmp_path / "one", tmp_path / "two"
    assert build.main(["--recipe", "instruct", "--out", str(two), "--workers", "1", "--benchmarks", str(data)]) == 0
    small = ["--sequence", 128, "--batch", 1, "--windows", 2, "--steps", 1, "--validate-every", 0]
    for step in (small, ["--export-hf", one / "hf"]):
        assert train("--build", built, "--out", one, *step) == 0
    lora = ["--recipe", "instruct", "--model", one / "hf", "--lora", 4]
    for step in ([*lora, *small], ["--export-hf", two / "hf"]):
        assert train("--build", two / "build", "--out", two / "run", *step) == 0
    for name, model in (("before", one), ("after", two)):
        args = ["--model", str(model / "hf"), "--data", str(data), "--out", str(tmp_path / name), "--max-tokens", "4"]
        args += ["--build", str(two / "build")]
        assert evaluate.main([*args, "--tasks", "pubmedqa,medqa,medmcqa,mmlu-medical", "--limit", "3"]) == 0
        assert "cleaned against exactly these files" in capsys.readouterr().err
        assert len(json.loads((tmp_path / name / "results.json").read_text())["results"]) == 4
    assert evaluate.main(["--compare", str(tmp_path / "before"), str(tmp_path / "after")]) == 0
    table = capsys.readouterr().out
    assert table.count("likelihood") == 4
    # The tuned tokenizer brings its chat template along.
    chat = [
        *args[:4],
        "--out",
        str(tmp_path / "chat"),
        "--chat",
        "--tasks",
        "medqa",
        "--limit",
        "1",
        "--max-tokens",
        "4",
    ]
    assert evaluate.main(chat) == 0
