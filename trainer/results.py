"""Results of an evaluation: JSON files, a table for the terminal, and two results side by side."""

import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from corpus.files import writing

# Scores as they are printed, in this order; the rest stands in results.json.
COLUMNS = {
    "acc": "accuracy",
    "macro_f1": "macro-F1",
    "entity_f1": "entity F1",
    "exact": "exact",
    "token_f1": "token F1",
    "rouge1": "ROUGE-1",
    "rouge2": "ROUGE-2",
    "rougeL": "ROUGE-L",
    "bertscore": "BERTScore",
    "unparsed": "unparsed",
}


def write(out: Path, content: Mapping[str, Any], records: Mapping[str, list[dict[str, Any]]], mode: int) -> None:
    """`OUT/items/NAME.jsonl`, one line an item, and then `OUT/results.json`."""
    for name, rows in records.items():
        with writing(out / "items" / f"{name}.jsonl", mode) as path:
            path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    with writing(out / "results.json", mode) as path:
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def record(sample: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of an item, from what the harness logs of it: prompt, answer, scores."""
    doc, out = sample["doc"], {"item": sample["doc"].get("item", sample["doc_id"])}
    if doc.get("subject"):
        out["subject"] = doc["subject"]
    out |= {"gold": sample["target"], "prompt": sample["arguments"][0][0]}
    answers = [each[0] for each in sample["resps"]]
    if isinstance(answers[0], str):
        out["output"] = answers[0]
    else:
        out["choices"] = [arguments[1] for arguments in sample["arguments"]]
        out["likelihoods"] = [answer[0] if isinstance(answer, list | tuple) else answer for answer in answers]
    scores = {name: sample[name] for name in sample["metrics"]}
    if "macro_f1" in scores:
        out["answer"] = scores.pop("macro_f1")[1]
    if "entity_f1" in scores:
        out["right_given_wanted"] = scores.pop("entity_f1")
    return out | scores


def by_subject(records: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    held = defaultdict(list)
    for row in records:
        if "subject" in row and "acc" in row:
            held[row["subject"]].append(row["acc"])
    return {name: {"items": len(held[name]), "acc": sum(held[name]) / len(held[name])} for name in sorted(held)}


def table(content: Mapping[str, Any], legacy: bool = False) -> str:
    """One line a task and way of scoring; ± is the standard error."""
    columns = dict(COLUMNS, **({"substring_acc": "as in the paper"} if legacy else {}))
    rows = [(name, way, scores) for name, ways in content["results"].items() for way, scores in ways.items()]
    used = [name for name in columns if any(name in scores for *_, scores in rows)]
    lines = [["task", "scored by", "items", "shots", *(columns[name] for name in used)]]
    for name, way, scores in rows:
        line = [name, way, f"{scores['items']:,}", str(scores["shots"])]
        for column in used:
            value, error = scores.get(column), scores.get(f"{column}_stderr")
            sure = f" ±{error:.3f}" if isinstance(error, float) and column == "acc" else ""
            line.append("" if value is None else f"{value:.3f}{sure}")
        lines.append(line)
    return laid(lines)


def laid(lines: Sequence[Sequence[str]]) -> str:
    """Cells under each other, words to the left and numbers to the right."""
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def read(path: Path) -> dict[str, Any]:
    """A results.json, or the folder that holds one. Raises ValueError for anything else."""
    file = path / "results.json" if path.is_dir() else path
    if not file.is_file():
        raise ValueError(f"{path}: holds no results.json; an evaluation writes it when it is through")
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    content["folder"] = file.parent
    return content


def compared(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Two results in one table: what was lost and won, and how sure that is where the same items were asked.

    Of the items that one got right and the other did not, a fair coin would split as far as this or
    further with probability p (McNemar's test, exact).
    """
    lines = [["task", "scored by", "score", "items", "before", "after", "change", "lost", "won", "p"]]
    for name, ways in before["results"].items():
        for way, scores in ways.items():
            other = after["results"].get(name, {}).get(way)
            score = next((each for each in COLUMNS if each in scores and other and each in other), None)
            if other is None or score is None:
                continue
            change = other[score] - scores[score]
            line = [name, way, COLUMNS[score], f"{other['items']:,}"]
            line += [f"{scores[score]:.3f}", f"{other[score]:.3f}", f"{change:+.3f}"]
            lines.append(line + _flips(before["folder"], after["folder"], f"{name}-{way}"))
    if len(lines) == 1:
        raise ValueError("the two results have no task in common that was scored in the same way")
    return laid(lines)


def _flips(before: Path, after: Path, name: str) -> list[str]:
    held = []
    for folder in (before, after):
        file = folder / "items" / f"{name}.jsonl"
        if not file.is_file():
            return ["", "", ""]
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        held.append({row["item"]: row.get("acc", row.get("exact")) for row in rows})
    one, two = held
    if one.keys() != two.keys() or None in one.values() or None in two.values():
        return ["", "", ""]
    lost = sum(one[item] > two[item] for item in one)
    won = sum(one[item] < two[item] for item in one)
    return [str(lost), str(won), f"{coin(lost, won):.2g}"]


def coin(lost: int, won: int) -> float:
    """Two-sided exact sign test."""
    total, least = lost + won, min(lost, won)
    tail = sum(math.comb(total, k) for k in range(least + 1)) / 2**total
    return min(1.0, 2 * tail)
