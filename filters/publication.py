"""What the publisher says of a document: withdrawn, unreadable, retracted, a notice, not licensed.

Sources yield such records instead of leaving them out, so that every record that was read has its
row in the ledger; this filter, the first of every stream, drops them with their reasons.
"""

from dataclasses import dataclass

from corpus.document import Document, Drop

# Meta key -> reason, in the order in which they are asked.
REASONS = {
    "deleted": "source.deleted",
    "error": "source.error",
    "excluded": "source.excluded",
    "retracted": "source.retracted",
    "notice": "source.notice",
}


@dataclass(frozen=True)
class Publication:
    """Drops what is not a publication that counts. `keep` names meta keys that are let through."""

    keep: tuple[str, ...] = ()
    version: int = 1

    def __post_init__(self) -> None:
        unknown = set(self.keep) - set(REASONS)
        if unknown:
            raise ValueError(f"Publication(keep={self.keep}): {sorted(unknown)} unknown; known are {list(REASONS)}")

    def __call__(self, document: Document) -> Document | Drop:
        for key, reason in REASONS.items():
            value = document.meta.get(key)
            if value and key not in self.keep:
                return Drop(reason, value if isinstance(value, str) else "", document.marks)
        return document
