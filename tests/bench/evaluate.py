"""Our scores beside the harness' own, on the same items of a folder: they must be equal.

    python -m tests.bench.evaluate --model out/hf --data DIR [--limit 240]

MMLU's limit is shared by its six medical subjects, each of which is a task of the harness. The harness' own
task files (their prompts, choices and metrics) are given the rows of DIR by code that shares nothing with our
readers (tests/harness.py); both ask the same model in one process. Then the same model is asked again from
the journal, to see what resuming costs.
"""

import argparse
import json
import logging
import sys
import tempfile
import time
from pathlib import Path

from tests import harness
from trainer import evaluate

OURS = (*harness.SINGLE, "mmlu-medical")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=240)
    given = parser.parse_args()
    import lm_eval
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    lm = HFLM(pretrained=given.model, dtype="float32", batch_size=8, device="cpu")
    began = time.process_time()
    held = lm_eval.simple_evaluate(
        lm,
        tasks=harness.theirs(given.data, harness.SINGLE, given.limit)
        + harness.theirs(given.data, harness.SUBJECTS, given.limit // len(harness.SUBJECTS)),
        bootstrap_iters=1,
        task_manager=TaskManager(include_defaults=False),  # reading all its files takes 16 s of CPU
    )
    spent = {"theirs": time.process_time() - began}
    with tempfile.TemporaryDirectory() as folder:
        args = ["--model", given.model, "--data", str(given.data), "--tasks", ",".join(OURS), "--dtype", "float32"]
        args += ["--score", "likelihood", "--limit", str(given.limit), "--out", folder]
        for name in ("ours", "ours, from the journal"):
            began = time.process_time()
            assert evaluate.main(args) == 0
            spent[name] = time.process_time() - began
        content = json.loads((Path(folder) / "results.json").read_text())
        records = {
            name: [
                json.loads(line) for line in (Path(folder) / f"items/{name}-likelihood.jsonl").read_text().splitlines()
            ]
            for name in OURS
        }
    equal = True
    print(
        f"\n{'task':28}{'items':>7}{'ours':>10}{'theirs':>10}{'same prompt':>13}{'same answer':>13}"
        f"{'largest difference':>20}"
    )
    for name in (*harness.SINGLE, *harness.SUBJECTS):
        task = name if name in harness.SINGLE else "mmlu-medical"
        mine = content["results"][task]["likelihood"]
        if task != name:
            mine = mine["subjects"][name.removeprefix("mmlu_").replace("_", " ")]
        own = held["results"][f"own_{name}"]["acc,none"]
        by_prompt = {row["prompt"]: row for row in records[task]}
        prompts = answers = 0
        apart = 0.0
        samples = held["samples"][f"own_{name}"]
        for sample in samples:
            row = by_prompt.get(sample["arguments"][0][0])
            if row is None:
                continue
            sums = [answer[0][0] for answer in sample["resps"]]
            prompts += 1
            answers += row["answer"] == sums.index(max(sums))
            apart = max(apart, *(abs(one - two) for one, two in zip(sums, row["likelihoods"], strict=True)))
        equal &= mine["acc"] == own and prompts == len(samples)
        print(f"{name:28}{len(samples):7}{mine['acc']:10.4f}{own:10.4f}{prompts:13}{answers:13}{apart:20.2g}")
    for name, seconds in spent.items():
        print(f"{name:24}{seconds:8.1f} CPU seconds, {seconds / spent['theirs']:.2f} of theirs")
    sys.exit(0 if equal else "the scores are not equal")


if __name__ == "__main__":
    main()
