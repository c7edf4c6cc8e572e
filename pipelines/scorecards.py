"""What a build knows of its own duplicates stage and masking, as parts of the page (pipelines/page.py).

Both were measured on this very corpus: copies of known similarity were planted among its documents, and
identifiers of known kinds into copies of its notes.
"""

from collections.abc import Mapping
from typing import Any

from pipelines import figures


def duplicates(content: Mapping[str, Any]) -> str:
    """The certificate of near duplicates, level by level; nothing when none was made."""
    card = content["duplicates"].get("certificate")
    if not card or not card.get("levels"):
        return ""
    rows = [
        [
            f"{level['jaccard']:.2f}",
            f"{level['copies']:,}",
            f"{level['theory']:.1%}",
            f"{level['shared_band']:.1%}",
            f"{level['due']:.1%}",
            f"{level['removed']:.1%}",
        ]
        for level in card["levels"]
    ]
    head = ["Jaccard", "planted", "found, by theory", "found", "to be removed", "removed"]
    return (
        f"<h3>Certificate <span>{card['planted']:,} copies planted among this build's documents: recall "
        f"{card['recall']:.2%} of those over the threshold, precision {card['precision']:.2%}</span></h3>"
        + figures.table(head, rows)
    )


def masking(content: Mapping[str, Any]) -> str:
    """Of each source with notes: what of the planted identifiers was masked, kind by kind."""
    parts = []
    for name, card in content["deidentification"].items():
        rows = []
        for kind, found in sorted(card["types"].items()):
            low, high = found["recall_interval"]
            exact = card["kinds"].get(kind, {})
            rows.append(
                [
                    kind,
                    f"{found['planted']:,}",
                    f"{found['recall']:.1%}",
                    f"{low:.1%} to {high:.1%}",
                    f"{exact['precision']:.1%}" if exact else "-",
                ]
            )
        sought = card.get("leaks", {}).get("values")
        again = f"; {sought:,} values that were taken out searched for in the shards, none found" if sought else ""
        parts.append(
            f"<h3>{name} <span>identifiers planted into {card['notes']:,} of its notes: {card['recall']:.1%} masked, "
            f"{card['over_redaction']:.2%} of the notes as they are{again}</span></h3>"
            + figures.table(["kind", "planted", "masked", "95 % interval", "of what was masked, right"], rows)
        )
    return "".join(parts)
