"""Evaluation on the medical sets of Me-LLaMA's paper and on general ones, by lm-evaluation-harness.

    python trainer/evaluate.py --model out/hf --tasks pubmedqa,medqa,medmcqa,mmlu-medical --data DIR
    python trainer/evaluate.py --endpoint http://localhost:8000/v1 --model NAME --tasks medqa --data DIR
    python trainer/evaluate.py --compare before/ after/

DIR holds a folder a task (corpus/sources/benchmarks.py says what is in them): the same folder that a
build is cleaned against with `--benchmarks DIR`. Names that are no task of ours are the harness' own
(hellaswag, arc_challenge, …) and are fetched by it. The same command again goes on where a run was
killed. A task is scored in two ways: by which given answer is the likeliest, and by what the model
writes, read by a strict parser; what it cannot read is counted as `unparsed`, and as wrong.
"""

import argparse
import difflib
import hashlib
import importlib.metadata
import logging
import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

if not __package__:  # run as a script: the packages lie beside this file's folder
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
os.environ.setdefault("TQDM_DISABLE", "1")  # before the harness is imported: progress is said by journal.say

from corpus import manifest
from corpus.files import digest as digest_of
from corpus.sources.benchmarks import digest
from trainer import results, tasks
from trainer.journal import Journal, keep, say

WAYS = ("likelihood", "generated")
LIBRARIES = ("lm_eval", "torch", "transformers", "datasets")


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], epilog=f"tasks: {', '.join(tasks.TASKS)}; others are the harness' own"
    )
    parser.add_argument("--model", help="a folder as transformers loads it, a hub id, or an endpoint's name for it")
    parser.add_argument("--tasks", default="pubmedqa,medqa,medmcqa,mmlu-medical", help="names with commas")
    parser.add_argument("--data", type=Path, help="the folder with a folder of files a task")
    parser.add_argument("--limit", type=int, help="ask the first N items of each task")
    parser.add_argument("--shots", type=int, default=0, help="solved examples before each question")
    parser.add_argument("--score", help="likelihood, generated, or both with a comma (the default, but for chats)")
    parser.add_argument("--out", type=Path, default=Path("out/evaluation"), help="where results are written")
    parser.add_argument("--chat", action="store_true", help="put prompts into the tokenizer's chat template")
    parser.add_argument("--max-tokens", type=int, help="of a generated answer, if not the task's own number")
    parser.add_argument("--legacy-match", action="store_true", help="show the paper's own way of matching beside")
    parser.add_argument("--bertscore", metavar="MODEL", help="score summaries by it, too, like roberta-large:17")
    parser.add_argument("--hub", action="append", default=[], metavar="NAME=ID", help="fetch a set into --data first")
    parser.add_argument("--build", type=Path, help="say whether this build was cleaned against what is asked")
    parser.add_argument("--seed", type=int, default=1234, help="of the choice of examples")
    local = parser.add_argument_group("models on this machine")
    local.add_argument("--backend", default="hf", choices=("hf", "vllm"), help="what runs them")
    local.add_argument("--batch", default="8", help="requests at once, or auto")
    local.add_argument("--dtype", default="auto", help="of the weights: auto, float32, bfloat16, float16")
    local.add_argument("--device", help="cuda, cuda:1, cpu; found if not said")
    remote = parser.add_argument_group("models behind the OpenAI protocol")
    remote.add_argument("--endpoint", metavar="URL", help="its base, like https://api.openai.com/v1")
    remote.add_argument("--api", default="chat", choices=("chat", "completions"), help="which of its two ways")
    remote.add_argument("--key-from", default="OPENAI_API_KEY", metavar="NAME", help="environment variable of the key")
    remote.add_argument("--concurrency", type=int, default=8, help="requests under way at once")
    remote.add_argument("--per-minute", type=float, help="requests a minute at most")
    remote.add_argument("--timeout", type=float, default=120.0, help="seconds to wait for one answer")
    remote.add_argument(
        "--endpoint-keeps-nothing",
        action="store_true",
        help="this service neither stores nor reviews what it is sent, so credentialed items may go there",
    )
    parser.add_argument("--compare", nargs=2, type=Path, metavar=("BEFORE", "AFTER"), help="two results in one table")
    given = parser.parse_args(argv)
    if not given.compare and not given.model:
        parser.error("--model or --compare is needed")
    chats = bool(given.endpoint) and given.api == "chat"
    given.chat |= chats
    given.score = given.score or ("generated" if chats else ",".join(WAYS))
    return given


def chosen(given: argparse.Namespace) -> tuple[list[tuple[str, str]], list[str]]:
    """(task, way) of ours, and names of the harness' own. Raises ValueError for what neither knows."""
    ways = given.score.split(",")
    unknown = [way for way in ways if way not in WAYS]
    if unknown:
        raise ValueError(f"--score {given.score}: {unknown[0]!r} is not one of {', '.join(WAYS)}")
    ours, theirs = [], []
    for name in dict.fromkeys(given.tasks.split(",")):
        task = tasks.TASKS.get(name)
        if task is None:
            theirs.append(name)
            continue
        if given.data is None:
            raise ValueError(f"{name} is read from files of yours: say --data DIR, a folder with {task.folder}/ in it")
        tasks.of(given.data, task)
        if task.credentialed and given.endpoint and not given.endpoint_keeps_nothing:
            raise ValueError(
                f"{name} is credentialed text: its data use agreement forbids sending it to a service that stores or "
                "reviews it (physionet.org/news/post/gpt-responsible-use). Evaluate a model on this machine, or say "
                "--endpoint-keeps-nothing when the endpoint's operator has assured you of it"
            )
        fit = [way for way in ways if way in task.ways]
        if not fit:
            raise ValueError(f"--score {given.score}: {name} can be scored by {', '.join(task.ways)} only")
        ours += [(name, way) for way in fit]
    return ours, theirs


def loaded(given: argparse.Namespace, ours: list[tuple[str, str]], theirs: list[str]) -> dict[str, Any]:
    """The harness' tasks by name, ready to be asked."""
    from lm_eval.tasks import TaskManager

    data = {"data": str(given.data.resolve())} if given.data else {}
    # The harness' own thousands of files are read when one of them is asked for.
    manager = TaskManager(include_path=str(tasks.FOLDER), include_defaults=bool(theirs), metadata=data)
    unknown(theirs, manager.all_tasks)
    found = dict(manager.load([*map(harness_name, ours), *theirs]))
    for task in found["tasks"].values():
        settings = task.config.generation_kwargs
        if given.max_tokens and settings:
            settings["max_gen_toks"] = given.max_tokens
        if given.chat and settings and task.config.task.startswith(tasks.PREFIX):
            settings["until"] = []  # a chat ends its turn; an empty line may come before its answer
    for each in ours:
        task = found["tasks"][harness_name(each)]
        if task.dataset["shots"].num_rows == task.dataset["test"].num_rows:
            # No examples of their own: by the name of the test split the harness leaves out what it asks.
            task.fewshot_cfg.split = "test"
    return found


def unknown(names: Sequence[str], known: Sequence[str]) -> None:
    """Raises ValueError for a name that the harness does not know, with those that are near it."""
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, [*tasks.TASKS, *known], 3)
            raise ValueError(
                f"--tasks {name}: neither a task of ours nor of the harness; near it: {', '.join(near) or 'none'}"
            )


def harness_name(each: tuple[str, str]) -> str:
    return tasks.PREFIX + each[0] + ("-generated" if each[1] == "generated" and "likelihood" in ways(each[0]) else "")


def ways(name: str) -> tuple[str, ...]:
    return tasks.TASKS[name].ways


def remote_model(given: argparse.Namespace) -> Any:
    from trainer.endpoint import Endpoint

    return Endpoint(
        given.endpoint,
        given.model,
        key=os.environ.get(given.key_from),
        chat=given.api == "chat",
        concurrency=given.concurrency,
        per_minute=given.per_minute,
        timeout=given.timeout,
    )


def local_model(given: argparse.Namespace) -> Any:
    import torch

    device = given.device or ("cuda" if torch.cuda.is_available() else "cpu")
    batch = given.batch if given.batch.startswith("auto") else int(given.batch)
    if given.backend == "vllm":
        try:
            importlib.metadata.version("vllm")
        except importlib.metadata.PackageNotFoundError as error:
            raise ValueError("--backend vllm: vllm is not installed here (pip install vllm, on a GPU)") from error
        from lm_eval.models.vllm_causallms import VLLM

        return VLLM(pretrained=given.model, dtype=given.dtype, batch_size=batch)
    from lm_eval.models.huggingface import HFLM

    try:
        return HFLM(pretrained=given.model, dtype=given.dtype, batch_size=batch, device=device)
    except OSError as error:
        raise ValueError(
            f"--model {given.model}: no folder with a model, and none that can be fetched from the hub "
            f"({str(error).strip().splitlines()[0]})"
        ) from error


def identity(model: str) -> dict[str, Any]:
    """What a folder holds, by digests, so that two runs can be told to be of the same weights."""
    folder = Path(model)
    if not folder.is_dir():
        return {"name": model}
    files = [path for path in sorted(folder.iterdir()) if path.suffix in (".json", ".safetensors", ".model", ".bin")]
    said = "\n".join(f"{path.name} {digest_of(path)}" for path in files)
    return {"name": model, "sha256": hashlib.sha256(said.encode()).hexdigest()}


def evaluate(given: argparse.Namespace) -> dict[str, Any]:
    """Asks, scores and writes; returns what stands in results.json."""
    for name in ("lm_eval", "lm-eval"):
        logging.getLogger(name).setLevel(logging.ERROR)  # its warnings quote items
    for said in given.hub:
        if given.data is None:
            raise ValueError(f"--hub {said}: say --data DIR, where it is laid for builds to be cleaned against")
        from trainer.tasks.hub import fetch

        say(f"fetched {', '.join(map(str, fetch(said, given.data)))}")
    ours, theirs = chosen(given)
    if given.build:
        say(cleaned(given.build, given.data))
    mode = 0o600 if any(tasks.TASKS[name].credentialed for name, _ in ours) else 0o644
    private(given.out, mode)
    import lm_eval

    asked = loaded(given, ours, theirs)
    if given.endpoint:
        lm = remote_model(given)
        model = {"name": given.model, "endpoint": given.endpoint, "api": given.api}
        about: dict[str, Any] = {"model": model}
    else:
        model = identity(given.model)
        lm = local_model(given)
        about = {"model": model, "dtype": given.dtype, "batch": given.batch, "backend": given.backend}
    journal = Journal(given.out / "journal.jsonl", about)
    keep(lm, journal, say)
    began = time.monotonic()
    for task in asked["tasks"].values():
        if task.get_config("num_fewshot") != 0 or task.config.task.startswith(tasks.PREFIX):
            task.set_config(key="num_fewshot", value=given.shots)
        task.set_fewshot_seed(seed=given.seed)
    try:
        held = lm_eval.evaluate(
            lm,
            asked,
            limit=given.limit,
            bootstrap_iters=1,  # 0 would leave out the standard errors of means, too
            apply_chat_template=given.chat,
            fewshot_as_multiturn=given.chat,
        )
    finally:
        journal.close()
    assert held is not None
    content, records = scored(held, ours, given)
    content |= {
        "format": 1,
        "model": model,
        "asked": {"tasks": given.tasks, "limit": given.limit, "shots": given.shots, "chat": given.chat},
        "seed": given.seed,
        "data": digest(given.data) if given.data and ours else None,
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in LIBRARIES},
        "seconds": round(time.monotonic() - began, 1),
    }
    results.write(given.out, content, records, mode)
    return content


def scored(
    held: Mapping[str, Any], ours: list[tuple[str, str]], given: argparse.Namespace
) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    """What the harness found, by task and way: scores and prompts, and a record of every item."""
    content: dict[str, Any] = {"results": {}, "prompts": {}}
    records = {}
    theirs = [(name, "harness") for name in held["results"] if not name.startswith(tasks.PREFIX)]
    for name, way in [*ours, *theirs]:
        key = harness_name((name, way)) if way != "harness" else name
        scores = {each.removesuffix(",none"): value for each, value in held["results"][key].items()}
        kept = {each: value for each, value in scores.items() if isinstance(value, int | float)}
        samples = held["samples"].get(key, [])
        records[f"{name}-{way}"] = rows = sorted(map(results.record, samples), key=lambda row: str(row["item"]))
        if given.bertscore and "rougeL" in kept:
            from trainer.tasks.bertscore import f1

            marks = f1([row["output"] for row in rows], [row["gold"] for row in rows], given.bertscore)
            kept["bertscore"] = sum(marks) / len(marks)
            rows[:] = [row | {"bertscore": mark} for row, mark in zip(rows, marks, strict=True)]
        shots = held["n-shot"].get(key, given.shots)
        content["results"].setdefault(name, {})[way] = {"items": len(rows), "shots": shots, **kept}
        if subjects := results.by_subject(rows):
            content["results"][name][way]["subjects"] = subjects
        config = held["configs"].get(key, {})
        content["prompts"][f"{name}-{way}"] = {
            part: config.get(part) for part in ("description", "doc_to_text", "generation_kwargs") if config.get(part)
        }
    return content, records


def cleaned(build: Path, data: Path | None) -> str:
    """Whether a build holds none of what is asked, by its recipe: the filter names the digest of its benchmarks."""
    recipe = str(manifest.load(build).get("recipe"))
    if data is not None and f"benchmarks={digest(data)!r}" in recipe:
        return f"{build} was cleaned against exactly these files"
    if "Contamination(" in recipe:
        return f"warning: {build} was cleaned against other files than those of {data}: scores may be too good"
    return f"warning: {build} was not cleaned against any benchmark: scores may be too good"


def private(out: Path, mode: int) -> None:
    """Makes the folder; for credentialed items one that only its owner can read, or a ValueError."""
    if mode == 0o644:
        out.mkdir(parents=True, exist_ok=True)
        return
    if out.exists() and out.stat().st_mode & 0o077:
        raise ValueError(
            f"--out {out}: others can read this folder, and results hold text of credentialed items: "
            f"chmod 700 {out}, or name a new folder"
        )
    out.mkdir(parents=True, exist_ok=True, mode=0o700)
    (out / "items").mkdir(exist_ok=True, mode=0o700)


def main(argv: Sequence[str] | None = None) -> int:
    given = arguments(argv)
    try:
        if given.compare:
            print(results.compared(*map(results.read, given.compare)))
            return 0
        content = evaluate(given)
    except ValueError as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 2
    print(results.table(content, given.legacy_match))
    print(f"written to {given.out}; the same command again asks nothing twice")
    return 0


if __name__ == "__main__":
    sys.exit(main())
