"""Scores of one item for the harness, and what is made of them over all items.

A score that is made of pairs (gold, given) is put together by the function of its name below.
"""

from collections.abc import Iterable, Sequence
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
