"""What a measurement of the de-identification found, as counts, shares and intervals; never a word of a note."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from filters.phi.spans import Span

# What 45 CFR 164.514(b)(2) asks for rests on no figure; these are the project's own floors.
FLOOR = 0.95


def wilson(right: int, all: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (E. B. Wilson, JASA 22, 1927)."""
    if not all:
        return 0.0, 1.0
    z, share = 1.959964, right / all
    middle = (share + z * z / (2 * all)) / (1 + z * z / all)
    half = z / (1 + z * z / all) * math.sqrt(share * (1 - share) / all + z * z / (4 * all * all))
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass
class Tally:
    """Counts of an audit: for every type spans planted and fully masked, characters masked rightly and wrongly."""

    notes: int = 0
    failed: int = 0
    chars: int = 0
    innocent: int = 0
    planted: Counter[str] = field(default_factory=Counter)
    whole: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    masked: Counter[str] = field(default_factory=Counter)
    missed_by: Counter[str] = field(default_factory=Counter)

    def card(self) -> dict[str, Any]:
        """The scorecard: plain numbers, for a manifest."""
        types = {}
        for type in sorted(self.planted):
            low, high = wilson(self.whole[type], self.planted[type])
            types[type] = {
                "planted": self.planted[type],
                "recall": round(self.whole[type] / self.planted[type], 4),
                "recall_interval": [round(low, 4), round(high, 4)],
            }
        kinds = {}
        for kind in sorted(set(self.right) | set(self.wrong)):
            total = self.right[kind] + self.wrong[kind]
            low, high = wilson(self.right[kind], total)
            kinds[kind] = {
                "masked_chars": total,
                "precision": round(self.right[kind] / total, 4),
                "precision_interval": [round(low, 4), round(high, 4)],
            }
        planted, whole = sum(self.planted.values()), sum(self.whole.values())
        right, wrong = sum(self.right.values()), sum(self.wrong.values())
        return {
            "notes": self.notes,
            "failed": self.failed,
            "chars": self.chars,
            "recall": round(whole / planted, 4) if planted else None,
            "recall_interval": [round(value, 4) for value in wilson(whole, planted)],
            "precision": round(right / (right + wrong), 4) if right + wrong else None,
            "over_redaction": round(self.innocent / self.chars, 6) if self.chars else 0.0,
            "over_redaction_spans": dict(sorted(self.masked.items())),
            "types": types,
            "kinds": kinds,
        }


def covered(spans: Iterable[Span], size: int) -> bytearray:
    flags = bytearray(size)
    for span in spans:
        flags[span.start : span.end] = b"\x01" * (span.end - span.start)
    return flags


def whole(text: str, flags: bytearray, start: int, end: int) -> bool:
    """Whether every letter and digit of a span is masked."""
    return all(flags[at] for at in range(start, end) if text[at].isalnum())


def gate(card: Mapping[str, Any], floor: float = FLOOR, over: float = 0.05) -> None:
    """Raises ValueError when the audit says that the de-identification is not fit for these notes."""
    said = []
    if not card["notes"] or card["recall"] is None:
        said.append("no note was audited")
    elif card["recall"] < floor:
        weakest = sorted(card["types"], key=lambda type: (card["types"][type]["recall"], type))[:5]
        names = ", ".join(f"{type} {card['types'][type]['recall']:.2f}" for type in weakest)
        said.append(f"{card['recall']:.3f} of the planted identifiers were masked, and {floor} is the floor ({names})")
    if card["failed"]:
        said.append(f"{card['failed']} of {card['notes']} notes could not be read by the filter")
    if card["over_redaction"] > over:
        said.append(f"{card['over_redaction']:.1%} of the notes was masked, and {over:.0%} is the most")
    if said:
        raise ValueError(
            f"the de-identification audit fails: {'; '.join(said)}. Read a sample of what is masked and missed "
            "(python -m pipelines.audit NOTES --sample FILE), or give another floor if these figures are what you want"
        )


def table(card: Mapping[str, Any]) -> str:
    """A scorecard for a terminal."""
    lines = [f"{card['notes']} notes, {card['chars']:,} characters, {card['failed']} failed", ""]
    if card["types"]:
        lines.append(f"{'type':28} {'spans':>7} {'fully masked':>13}   95 % interval")
        for type, row in card["types"].items():
            low, high = row["recall_interval"]
            lines.append(f"{type:28} {row['planted']:>7} {row['recall']:>13.3f}   {low:.3f} to {high:.3f}")
        low, high = card["recall_interval"]
        planted = sum(row["planted"] for row in card["types"].values())
        lines += [
            f"{'all':28} {planted:>7} {card['recall']:>13.3f}   {low:.3f} to {high:.3f}",
            "",
        ]
        lines.append(f"{'masked as':28} {'chars':>7} {'precision':>13}   95 % interval")
        for kind, row in card["kinds"].items():
            low, high = row["precision_interval"]
            lines.append(f"{kind:28} {row['masked_chars']:>7} {row['precision']:>13.3f}   {low:.3f} to {high:.3f}")
        if card["precision"] is not None:
            lines += [f"{'all':28} {'':>7} {card['precision']:>13.3f}", ""]
    spans = sum(card["over_redaction_spans"].values())
    lines.append(
        f"masked outside of what is known to identify: {card['over_redaction']:.3%} of the characters, {spans} spans"
    )
    return "\n".join(lines)
