"""The harness' own tasks on files that lie here, and small models and benchmarks to try an evaluation with."""

import csv
import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from random import Random

TRADE = "heart liver acute chronic therapy dose patient trial risk tumour renal lung serum oral effect group"
WORDS = TRADE.split()


def said(draw: Random, count: int) -> str:
    return " ".join(draw.choices(WORDS, k=count))


def benchmarks(folder: Path, count: int = 12) -> Path:
    """Made-up items of the four multiple-choice sets in their publishers' forms; answers follow no rule."""
    draw = Random(3)
    for name in ("pubmedqa", "medqa", "medmcqa", "mmlu"):
        (folder / name).mkdir(parents=True)
    papers = {
        str(1000 + n): {
            "QUESTION": f"Does {said(draw, 6)}?",
            "CONTEXTS": [f"{said(draw, 12)}.", f"{said(draw, 9)}."],
            "LONG_ANSWER": f"{said(draw, 8)}.",
            "final_decision": draw.choice(["yes", "no", "maybe"]),
        }
        for n in range(2 * count)
    }
    (folder / "pubmedqa/ori_pqal.json").write_text(json.dumps(papers))
    truth = {pmid: row["final_decision"] for pmid, row in list(papers.items())[::2]}
    (folder / "pubmedqa/test_ground_truth.json").write_text(json.dumps(truth))
    for file, letters in (("test.jsonl", "ABCD"), ("train.jsonl", "ABCD")):
        with open(folder / "medqa" / file, "w") as out:
            for _ in range(count):
                options = {letter: said(draw, 3) for letter in letters}
                answer = draw.choice(letters)
                row = {"question": f"{said(draw, 15)}? ", "options": options, "answer_idx": answer}
                out.write(json.dumps(row | {"answer": options[answer]}) + "\n")
    with gzip.open(folder / "medmcqa/dev.json.gz", "wt") as out:
        for n in range(count):
            row = {"id": f"q-{n}", "question": said(draw, 9), "cop": 1 + n % 4, "exp": None, "subject_name": "Anatomy"}
            out.write(json.dumps(row | {key: said(draw, 2) for key in ("opa", "opb", "opc", "opd")}) + "\n")
    for subject in ("anatomy", "medical_genetics", "world_religions"):
        for part in ("test", "dev"):
            with open(folder / f"mmlu/{subject}_{part}.csv", "w", newline="") as out:
                for _ in range(count):
                    csv.writer(out).writerow([said(draw, 8), *(said(draw, 2) for _ in range(4)), draw.choice("ABCD")])
    return folder


def model(folder: Path) -> Path:
    """A Llama of 60,000 random weights and a tokenizer of bytes and a few words, as transformers loads them."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator([" ".join(WORDS * 3), "Question: Answer: yes no maybe A B C D"], trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")
    tokenizer.chat_template = (
        "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}\n{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    tokenizer.save_pretrained(folder)
    torch.set_num_threads(1)  # two cores are shared with whatever runs beside
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=2048,
        bos_token_id=0,
        eos_token_id=1,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def _opened(folder: Path, name: str):
    file = folder / name
    return open(file) if file.exists() else gzip.open(file.with_name(file.name + ".gz"), "rt")


def rows(folder: Path, name: str) -> list[dict]:
    """Publishers' files as the rows of the hub's copies, by code that shares nothing with our readers."""
    if name == "pubmedqa":
        asked = json.loads((folder / "pubmedqa/test_ground_truth.json").read_text())
        with _opened(folder, "pubmedqa/ori_pqal.json") as file:
            return [
                {"QUESTION": row["QUESTION"], "CONTEXTS": row["CONTEXTS"], "final_decision": row["final_decision"]}
                for pmid, row in json.load(file).items()
                if pmid in asked
            ]
    if name == "medqa":
        tests = sorted((folder / "medqa").glob("*test.jsonl*"))
        with _opened(folder, f"medqa/{tests[0].name.removesuffix('.gz')}") as file:
            found = [json.loads(line) for line in file]
        return [
            {"sent1": row["question"], "label": "ABCD".index(row["answer_idx"])}
            | {f"ending{n}": row["options"]["ABCD"[n]] for n in range(4)}
            for row in found
        ]
    if name == "medmcqa":
        with _opened(folder, "medmcqa/dev.json") as file:
            return [row | {"cop": row["cop"] - 1} for row in map(json.loads, file)]
    with open(folder / f"mmlu/{name.removeprefix('mmlu_')}_test.csv", newline="") as file:
        return [
            {"question": q, "choices": options, "answer": "ABCD".index(letter)}
            for q, *options, letter in csv.reader(file)
        ]


SINGLE = ("pubmedqa", "medqa", "medmcqa")
MEDICAL = "anatomy clinical_knowledge college_biology college_medicine medical_genetics professional_medicine"
SUBJECTS = tuple(f"mmlu_{subject}" for subject in MEDICAL.split())


def theirs(folder: Path, names: Iterable[str], limit: int | None = None) -> list[dict]:
    """The harness' own task files (prompt, choices, scores), asked about the first rows of a folder here."""
    import datasets
    import lm_eval
    from lm_eval.tasks._yaml_loader import load_yaml

    found = []
    for name in names:
        file = f"mmlu/default/{name}.yaml" if name in SUBJECTS else f"{name}/{name}.yaml"
        config = load_yaml(Path(lm_eval.__file__).parent / "tasks" / file)
        table = datasets.Dataset.from_list(rows(folder, name)[:limit])
        held = {"train": table, "validation": table, "test": table, "dev": table}
        config |= {"task": f"own_{name}", "custom_dataset": lambda held=held, **_: held, "dataset_path": None}
        config.pop("tag", None)
        found.append(config)
    return found
