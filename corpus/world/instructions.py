"""Sets of instructions, in the forms in which they are published and in those of a user's own."""

import csv
import io
import json
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from corpus.world import prose
from corpus.world.files import gzip_text, plain_text, save

# Rows for size 1.
ROWS = {
    "alpaca": 60,
    "dolly": 50,
    "sharegpt": 40,
    "healthcaremagic": 80,
    "icliniq": 40,
    "flashcards": 80,
    "medicationqa": 40,
    "house": 30,
    "mimic-iv-tasks": 60,
    "umls-relations": 60,
}
ASK = "If you are a doctor, please answer the medical questions based on the patient's description."
COPY_EACH, EMPTY_EACH, LEAK_EACH = 10, 20, 25

Row = dict[str, Any]


def write(folder: Path, size: int, seed: int, questions: list[str]) -> dict[str, Any]:
    """One folder a set below `folder`; `questions` are a benchmark's, which some rows ask.

    The truth counts rows and answers by set, and says which rows (from 1) copy another, have no
    answer, or ask a question of the benchmark.
    """
    truth: dict[str, Any] = {"rows": {}, "answers": {}, "copies": [], "empty": [], "leaks": []}
    made: dict[str, list[Row]] = {}
    for name, rows in ROWS.items():
        made[name] = [_row(name, seed, number, questions, truth) for number in range(rows * size)]
        truth["rows"][name] = len(made[name])
        truth["answers"][name] = sum(_answers(row) for row in made[name])
    _array(folder / "alpaca/alpaca_data_cleaned.json", made["alpaca"], indent=4)
    with gzip_text(folder / "dolly/databricks-dolly-15k.jsonl.gz") as out:
        out.writelines(_line(row) for row in made["dolly"])
    _array(folder / "sharegpt/ShareGPT_V3_unfiltered_cleaned_split.json", made["sharegpt"], indent=None)
    _parquet(folder / "healthcaremagic/data/train-00000-of-00001.parquet", made["healthcaremagic"])
    _parquet(folder / "icliniq/data/train-00000-of-00001.parquet", made["icliniq"])
    _array(folder / "flashcards/medical_meadow_wikidoc_medical_flashcards.json", made["flashcards"], indent=1)
    save(folder / "medicationqa/MedInfo2019-QA-Medications.csv", _csv(made["medicationqa"]))
    lines = "".join(map(_line, made["house"])).encode()
    save(folder / "house/chats.jsonl.zst", zstandard.ZstdCompressor(level=3).compress(lines))
    with plain_text(folder / "mimic-iv-tasks/summaries.jsonl") as out:
        out.writelines(_line(row) for row in made["mimic-iv-tasks"])
    save(folder / "umls-relations/relations.csv", _csv(made["umls-relations"]))
    return truth


def _answers(row: Row) -> int:
    for key, speaker, who in (("conversations", "from", "human"), ("messages", "role", "user")):
        if key in row:
            return sum(turn[speaker] == who for turn in row[key])  # every question here is answered
    return int(bool(row.get("output", row.get("response", row.get("answer_icliniq", row.get("Answer", "-"))))))


def _row(name: str, seed: int, number: int, questions: list[str], truth: dict[str, Any]) -> Row:
    rng = Random(f"{seed} {name} {number}")
    place = {"set": name, "row": number + 1}
    if name == "dolly" and number % COPY_EACH == 3:
        truth["copies"].append(place | {"of": {"set": "alpaca", "row": number + 1}})
        first = _row("alpaca", seed, number, questions, {"copies": [], "empty": [], "leaks": []})
        return _dolly(first["instruction"], first["input"], first["output"])
    if name == "flashcards" and number % LEAK_EACH == 4 and questions:
        truth["leaks"].append(place | {"question": number % len(questions)})
        return _alpaca("Answer this question truthfully", questions[number % len(questions)], _clinical(rng, 2))
    empty = name in ("alpaca", "healthcaremagic") and number % EMPTY_EACH == 7
    if empty:
        truth["empty"].append(place)
    return _MAKERS[name](rng, number, empty)


def _asked(rng: Random) -> str:
    return prose.sentence(rng, "ask", prose.general_theme(rng)).rstrip(".")


def _told(rng: Random, count: int) -> str:
    return prose.paragraph(rng, "answer", count, prose.general_theme(rng))


def _clinical(rng: Random, count: int) -> str:
    return prose.paragraph(rng, rng.choice(("guideline", "conclusions")), count, prose.medical_theme(rng))


def _alpaca(instruction: str, input: str, output: str) -> Row:
    return {"instruction": instruction, "input": input, "output": output}


def _dolly(instruction: str, context: str, response: str) -> Row:
    return {"instruction": instruction, "context": context, "response": response, "category": "open_qa"}


def _general(rng: Random, number: int, empty: bool) -> Row:
    about = prose.paragraph(rng, "web", 2, prose.general_theme(rng)) if number % 3 == 0 else ""
    return _alpaca(_asked(rng), about, "" if empty else _told(rng, rng.randint(2, 5)))


def _own(rng: Random, number: int, empty: bool) -> Row:
    about = prose.paragraph(rng, "web", 3, prose.general_theme(rng)) if number % 4 == 0 else ""
    return _dolly(_asked(rng), about, _told(rng, rng.randint(2, 5)))


def _shared(rng: Random, number: int, empty: bool) -> Row:
    turns = [{"from": "gpt", "value": "Hello, how may I help?"}] if number % 8 == 5 else []
    for _ in range(rng.randint(1, 4)):
        turns.append({"from": "human", "value": _asked(rng)})
        turns.append({"from": "gpt", "value": _told(rng, rng.randint(2, 4))})
    return {"id": f"shared{number:05d}_0", "conversations": turns}


def _doctor(rng: Random, number: int, empty: bool) -> Row:
    asked = " ".join(prose.sentence(rng, rule) for rule in ("hpi", "yesno"))
    return _alpaca(ASK, asked, "" if empty else _clinical(rng, rng.randint(2, 5)))


def _online(rng: Random, number: int, empty: bool) -> Row:
    answers = {f"answer_{who}": _clinical(rng, rng.randint(2, 4)) for who in ("icliniq", "chatgpt", "chatdoctor")}
    return {"input": " ".join(prose.sentence(rng, rule) for rule in ("hpi", "yesno")), **answers}


def _card(rng: Random, number: int, empty: bool) -> Row:
    return _alpaca("Answer this question truthfully", prose.sentence(rng, "yesno"), _clinical(rng, 1))


def _medication(rng: Random, number: int, empty: bool) -> Row:
    theme = prose.medical_theme(rng)
    return {
        "Question": prose.sentence(rng, "yesno", theme),
        "Focus (Drug)": prose.expand(rng, "drug", theme),
        "Answer": prose.paragraph(rng, "guideline", rng.randint(1, 3), theme),
    }


def _house(rng: Random, number: int, empty: bool) -> Row:
    messages = [{"role": "system", "content": "You advise the patients of this clinic, and are careful."}]
    for _ in range(rng.randint(1, 3)):
        messages.append({"role": "user", "content": prose.sentence(rng, "yesno")})
        messages.append({"role": "assistant", "content": _clinical(rng, rng.randint(1, 3))})
    return {"messages": messages}


def _summary(rng: Random, number: int, empty: bool) -> Row:
    theme = prose.medical_theme(rng)
    course = prose.paragraph(rng, "hospital", rng.randint(4, 8), theme)
    messages = [
        {"role": "user", "content": f"Summarise this hospital course for the patient.\n\n{course}"},
        {"role": "assistant", "content": prose.paragraph(rng, "instruct", rng.randint(2, 3), theme)},
    ]
    return {"note_id": f"{10_000_000 + number}-DS-1", "subject_id": 10_000_000 + number // 2, "messages": messages}


def _relation(rng: Random, number: int, empty: bool) -> Row:
    drug, disease = (prose.expand(rng, name) for name in ("drug", "disease"))
    return {
        "question": f"How is {drug} ({number}) related to {disease}?",
        "answer": f"{drug.capitalize()} {rng.choice(('may treat', 'may prevent', 'is contraindicated in'))} {disease}.",
    }


_MAKERS = {
    "alpaca": _general,
    "dolly": _own,
    "sharegpt": _shared,
    "healthcaremagic": _doctor,
    "icliniq": _online,
    "flashcards": _card,
    "medicationqa": _medication,
    "house": _house,
    "mimic-iv-tasks": _summary,
    "umls-relations": _relation,
}


def _line(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def _array(path: Path, rows: list[Row], indent: int | None) -> None:
    save(path, json.dumps(rows, ensure_ascii=indent is None, indent=indent))


def _parquet(path: Path, rows: list[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path, compression="snappy")


def _csv(rows: list[Row]) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
