"""Scores of one item for the harness, and what is made of them over all items.

A score that is made of pairs (gold, given) is put together by the function of its name below.
"""

import re
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from trainer.tasks import parse

Pair = tuple[int, int | None]


def likelihood(doc: dict[str, Any], results: Sequence[tuple[float, bool]]) -> dict[str, Any]:
    """The option whose letter (or text) is the likeliest to follow; of equals the first, as in the harness."""
    sums = [total for total, _ in results]
    given = sums.index(max(sums))
    return {"acc": float(given == doc["gold"]), "macro_f1": (doc["gold"], given)}


def generated(doc: dict[str, Any], results: Sequence[str]) -> dict[str, Any]:
    given = parse.choice(results[0], doc["letters"], doc["options"])
    loose = parse.anywhere(results[0], doc["letters"])
    return {
        "acc": float(given == doc["gold"]),
        "macro_f1": (doc["gold"], given),
        "unparsed": float(given is None),
        "substring_acc": float(loose == doc["gold"]),
    }


def macro_f1(pairs: Iterable[Pair]) -> float:
    """The mean of the classes' F1, over the classes that are right or were given somewhere.

    What was not parsed is given to no class. Without such answers this is sklearn's f1_score(average="macro").
    """
    pairs = list(pairs)
    classes = {gold for gold, _ in pairs} | {given for _, given in pairs if given is not None}
    total = 0.0
    for each in classes:
        right = sum(gold == given == each for gold, given in pairs)
        total += 2 * right / (sum(gold == each for gold, _ in pairs) + sum(given == each for _, given in pairs))
    return total / len(classes) if classes else 0.0


def relation(doc: dict[str, Any], results: Sequence[tuple[float, bool]]) -> dict[str, Any]:
    """As `likelihood`, and the true relations pooled, as the DDI challenge ranks."""
    held = likelihood(doc, results)
    return held | {"entity_f1": _counts(doc, held["macro_f1"][1])}


def generated_relation(doc: dict[str, Any], results: Sequence[str]) -> dict[str, Any]:
    held = generated(doc, results)
    return held | {"entity_f1": _counts(doc, held["macro_f1"][1])}


def _counts(doc: dict[str, Any], given: int | None) -> tuple[int, int, int]:
    """Right, given and to be given, without the last option, which says that there is none."""
    none = len(doc["options"]) - 1
    there = given is not None and given != none
    return int(there and given == doc["gold"]), int(there), int(doc["gold"] != none)


def pooled_f1(counts: Iterable[tuple[int, int, int]]) -> float:
    """F1 of all items together, from (right, given, to be given) of each."""
    right, given, wanted = (sum(column) for column in zip(*counts, strict=True))
    return 2 * right / (given + wanted) if given + wanted else 1.0


def hallmarks(doc: dict[str, Any], results: Sequence[str]) -> dict[str, Any]:
    """Labels between semicolons; one that is no label makes the answer unparsed, and the others count."""
    pieces = [piece for piece in map(parse.plainly, re.split(r"[;\n]", results[0])) if piece]
    known = {parse.plainly(name): number for number, name in enumerate(doc["options"])}
    found = {known[piece] for piece in pieces if piece in known}
    gold = {doc["options"].index(name) for name in doc["golds"]}
    unparsed = not pieces or any(piece not in known and piece != "none" for piece in pieces)
    return {
        "macro_f1": (sorted(gold), sorted(found)),
        "exact": float(found == gold and not unparsed),
        "unparsed": float(unparsed),
    }


def label_f1(pairs: Iterable[tuple[list[int], list[int]]]) -> float:
    """The mean of the labels' F1, over those that are right or were given somewhere: sklearn's for many labels."""
    pairs = list(pairs)
    labels = {each for pair in pairs for side in pair for each in side}
    counts = [
        [(each in gold and each in found, each in found, each in gold) for gold, found in pairs] for each in labels
    ]
    return sum(map(pooled_f1, counts)) / len(labels) if labels else 1.0


KINDS = ("problem", "treatment", "test")


def entities(doc: dict[str, Any], results: Sequence[str]) -> dict[str, Any]:
    """Lines of `kind: words`, compared as wholes and as often as they stand there (exact spans, by their text)."""
    lines = [line.strip(" -*\t") for line in results[0].strip().splitlines() if line.strip()]
    given: Counter[str] = Counter()
    unparsed = not lines
    for line in lines:
        kind, colon, words = line.partition(":")
        if colon and kind.strip().lower() in KINDS and words.strip():
            given[f"{kind.strip().lower()}: {parse.plainly(words)}"] += 1
        elif parse.plainly(line) != "none":
            unparsed = True
    wanted: Counter[str] = Counter()
    for gold in doc["golds"]:
        kind, _, words = gold.partition(": ")
        wanted[f"{kind}: {parse.plainly(words)}"] += 1
    kinds = []
    for kind in KINDS:
        mine, theirs = (Counter({k: n for k, n in side.items() if k.startswith(kind)}) for side in (given, wanted))
        kinds.append(((mine & theirs).total(), mine.total(), theirs.total()))
    counts = tuple(sum(column) for column in zip(*kinds, strict=True))
    return {"entity_f1": counts, "macro_f1": (None, kinds), "unparsed": float(unparsed)}


def kind_f1(held: Iterable[tuple[None, list[tuple[int, int, int]]]]) -> float:
    """The mean of the F1 of problems, treatments and tests."""
    columns = list(zip(*(kinds for _, kinds in held), strict=True))
    return sum(map(pooled_f1, columns)) / len(columns)


def extracted(doc: dict[str, Any], results: Sequence[str]) -> dict[str, float]:
    """SQuAD's exact match and token F1 (Rajpurkar et al. 2016), each with the gold answer that fits best."""
    given = _bare(results[0])
    golds = [_bare(gold) for gold in doc["golds"]]
    best = 0.0
    for gold in golds:
        both = (Counter(given) & Counter(gold)).total()
        best = max(best, 2 * both / (len(given) + len(gold)) if both else float(given == gold))
    return {"exact": float(given in golds), "token_f1": best}


def _bare(text: str) -> list[str]:
    """Words without case, punctuation and articles."""
    kept = "".join(each for each in text.lower() if each not in string.punctuation)
    return [word for word in kept.split() if word not in ("a", "an", "the")]


def summary(doc: dict[str, Any], results: Sequence[str]) -> dict[str, float]:
    """ROUGE's F measures with stemming, by Google's rouge_score, which papers quote."""
    held = _rouge().score(doc["gold"], results[0])
    return {name: float(held[name].fmeasure) for name in ("rouge1", "rouge2", "rougeL")}


@lru_cache(maxsize=1)
def _rouge() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)
