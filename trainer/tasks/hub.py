"""Benchmarks from the hub, laid into the data folder first, so that a build can be cleaned against what is asked."""

import json
from pathlib import Path

import datasets

from corpus.files import writing
from trainer.tasks import TASKS


def fetch(said: str, data: Path) -> list[Path]:
    """`medqa=GBaker/MedQA-USMLE-4-options-hf`, `mmlu=cais/mmlu:all`: writes DATA/TASK/SPLIT.jsonl, one a split.

    A folder with a dataset in it will do for the id. Raises ValueError when there is none of that name.
    """
    name, _, id = said.partition("=")
    folders = sorted({task.folder for task in TASKS.values()})
    if name not in folders or not id:
        raise ValueError(f"--hub {said}: expected NAME=ID or NAME=ID:CONFIG, with NAME one of {', '.join(folders)}")
    path, _, config = id.partition(":")
    try:
        splits = datasets.load_dataset(path, config or None)
    except (OSError, ValueError) as error:  # not found, not to be reached, no such config, not a data set
        raise ValueError(f"--hub {said}: {str(error).strip().splitlines()[0][:300]}") from error
    written = []
    for split, table in splits.items():
        target = data / name / f"{split}.jsonl"
        with writing(
            target, 0o600 if any(t.credentialed for t in TASKS.values() if t.folder == name) else 0o644
        ) as file:
            with open(file, "w", encoding="utf-8") as out:
                out.writelines(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in table)
        written.append(target)
    return written
