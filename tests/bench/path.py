"""The whole way, in one command: pretrained, tuned with LoRA, merged, and evaluated, on a CPU.

    python -m tests.bench.path --data DIR [--out out/path] [--limit 25]

Builds the miniature world (cleaned against DIR's benchmarks), trains a tiny model on it, builds the
instructions, tunes and merges, asks the model before and after tuning the items of PubMedQA, MedQA, MedMCQA
and MMLU that lie in DIR, and puts the two side by side. A model of four million weights answers by chance:
what is shown is that every step takes what the one before it made. Steps that are done are not done again.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

TASKS = "pubmedqa,medqa,medmcqa,mmlu-medical"


def run(step: str, done: Path, *command: str) -> None:
    """One step, if what it makes is not there."""
    if done.exists():
        print(f"{step}: there already ({done})", flush=True)
        return
    began = time.monotonic()
    print(f"{step}: python {' '.join(command)}", flush=True)
    held = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"},
    )
    if held.returncode:
        sys.exit(f"{step} failed:\n{held.stdout[-2000:]}\n{held.stderr[-4000:]}")
    print(f"  {time.monotonic() - began:.0f} s; {held.stdout.strip().splitlines()[-1] if held.stdout.strip() else ''}")


def path(data: Path, out: Path, *, limit: int, tokens: str, steps: int, tune: int) -> None:
    """All steps below `out`; raises SystemExit with a step's own words when it fails."""
    first, second = out / "pretrain", out / "instruct"
    build = ["-m", "pipelines.build", "--workers", "1", "--benchmarks", str(data)]
    train = ["trainer/run.py", "--build", str(first / "build"), "--out", str(out / "run1"), "--steps", str(steps)]
    tuned = ["trainer/run.py", "--build", str(second / "build"), "--out", str(out / "run2")]
    small = ["--mix", "15:1:4", "--tokens", tokens] if tokens else ["--mix", "15:1:4"]
    run("pretraining build", first / "build/manifest.json", *build, *small, "--out", str(first))
    run("pretraining", out / "run1/hf/config.json", *train)
    run("  as a model", out / "run1/hf/config.json", *train[:5], "--export-hf", str(out / "run1/hf"))
    run("instruction build", second / "build/manifest.json", *build, "--recipe", "instruct", "--out", str(second))
    lora = [
        "--recipe",
        "instruct",
        "--model",
        str(out / "run1/hf"),
        "--lora",
        "16",
        "--sequence",
        "512",
        "--lr",
        "1e-3",
    ]
    lora += ["--epochs", "1", "--windows", "8", "--steps", str(tune)]
    run("tuning with LoRA", out / "run2/hf/config.json", *tuned, *lora)
    run("  merged", out / "run2/hf/config.json", *tuned, "--export-hf", str(out / "run2/hf"))
    ask = ["trainer/evaluate.py", "--tasks", TASKS, "--data", str(data), "--limit", str(limit), "--dtype", "float32"]
    for name, model in (("before", "run1"), ("after", "run2")):
        where = out / name
        run(
            f"evaluation {name} tuning",
            where / "results.json",
            *ask,
            "--model",
            str(out / model / "hf"),
            "--out",
            str(where),
        )
    subprocess.run([sys.executable, "trainer/evaluate.py", "--compare", out / "before", out / "after"], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("out/path"))
    parser.add_argument("--limit", type=int, default=25, help="items of each task")
    parser.add_argument("--tokens", default="", help="of the pretraining build")
    parser.add_argument("--steps", type=int, default=40, help="of pretraining")
    parser.add_argument("--tune", type=int, default=8, help="steps of tuning")
    given = parser.parse_args()
    began = time.monotonic()
    path(given.data, given.out, limit=given.limit, tokens=given.tokens, steps=given.steps, tune=given.tune)
    print(f"all in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
