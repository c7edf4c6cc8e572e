"""What a model is asked: the twelve sets of Me-LLaMA's evaluation, and MMLU's subjects.

A task here is a YAML file of lm-evaluation-harness beside this one (its prompt, its scores), and, where
answers are generated and not weighed, a twin `NAME-generated.yaml`. Items come from files that the user
has (corpus.sources.benchmarks reads them); none are part of this project.
"""

from dataclasses import dataclass
from pathlib import Path

from corpus.files import BadInput
from corpus.sources.benchmarks import Benchmarks, files

FOLDER = Path(__file__).parent
PREFIX = "medical-"  # in the harness, which has tasks of the same names with other data


@dataclass(frozen=True)
class Task:
    """`ways`: how it can be scored, by the log-likelihood of the given answers or by generated text.

    `main` is the score that the paper reports. `credentialed`: its text is under a data use agreement
    and must not reach a service that keeps it.
    """

    name: str
    folder: str
    ways: tuple[str, ...]
    main: tuple[str, ...]
    where: str
    credentialed: bool = False


_BOTH, _TEXT = ("likelihood", "generated"), ("generated",)
_CHOICE = ("acc", "macro_f1")

TASKS = {
    task.name: task
    for task in (
        Task(
            "pubmedqa",
            "pubmedqa",
            _BOTH,
            _CHOICE,
            "ori_pqal.json and test_ground_truth.json of github.com/pubmedqa/pubmedqa, or qiaojin/PubMedQA",
        ),
        Task(
            "medqa",
            "medqa",
            _BOTH,
            _CHOICE,
            "questions/US/test.jsonl of github.com/jind11/MedQA, or GBaker/MedQA-USMLE-4-options-hf",
        ),
        Task("medmcqa", "medmcqa", _BOTH, _CHOICE, "dev.json of medmcqa.github.io, or openlifescienceai/medmcqa"),
        Task("mmlu-medical", "mmlu", _BOTH, _CHOICE, "anatomy_test.csv and so on of Hendrycks' MMLU, or cais/mmlu"),
        Task("mmlu-general", "mmlu", _BOTH, _CHOICE, "the test files of MMLU's other subjects, or cais/mmlu"),
        Task(
            "emrqa",
            "emrqa",
            _TEXT,
            ("exact", "token_f1"),
            "emrQA in SQuAD's form (.json), made from n2c2's notes (portal.dbmi.hms.harvard.edu)",
            credentialed=True,
        ),
        Task(
            "i2b2",
            "i2b2",
            _TEXT,
            ("entity_f1", "macro_f1"),
            "the .xml files of n2c2's 2012 temporal relations challenge (portal.dbmi.hms.harvard.edu)",
            credentialed=True,
        ),
        Task("ddi2013", "ddi2013", _BOTH, ("macro_f1", "entity_f1"), "the Test folder of github.com/isegura/DDICorpus"),
        Task("hoc", "hoc", _TEXT, ("macro_f1",), "text/ and labels/ of github.com/sb895/Hallmarks-of-Cancer"),
        Task(
            "mtsample", "mtsample", _BOTH, ("macro_f1", "acc"), "mtsamples.csv, as it is passed on from mtsamples.com"
        ),
        Task(
            "pubmedsum",
            "pubmedsum",
            _TEXT,
            ("rougeL",),
            "test.txt of the PubMed set of github.com/armancohan/long-summarization, or ccdv/pubmed-summarization",
        ),
        Task(
            "mimicsum",
            "mimicsum",
            _TEXT,
            ("rougeL",),
            "files/ and mimic-cxr-2.0.0-split.csv.gz of physionet.org/content/mimic-cxr",
            credentialed=True,
        ),
        Task("bionli", "bionli", _BOTH, ("macro_f1", "acc"), "test_balanced.csv of BioNLI, or tasksource/BioNLI"),
        Task(
            "mednli",
            "mednli",
            _BOTH,
            ("macro_f1", "acc"),
            "mli_test_v1.jsonl of physionet.org/content/mednli",
            credentialed=True,
        ),
    )
}


def of(data: Path, task: Task) -> list[Path]:
    """The files of a task in the data folder. Raises BadInput with what is missing and where it is had."""
    if not data.is_dir():
        raise BadInput(f"--data {data}: there is no such folder; it holds one folder a task ({data}/{task.folder}, …)")
    found = [path for name, path in files(data) if name.startswith(f"{task.folder}/") and not name.endswith("ids.txt")]
    if not found:
        terms = " It is under a data use agreement: sign it there first." if task.credentialed else ""
        raise BadInput(
            f"{task.name}: {data / task.folder} holds no file of it. Put there {task.where}.{terms} "
            "The forms are in corpus/sources/benchmarks.py and beside it"
        )
    return found


__all__ = ["FOLDER", "PREFIX", "TASKS", "Benchmarks", "Task", "of"]
