"""Answered: what filters left of a conversation still has questions and answers in turn."""

from dataclasses import dataclass

from corpus.conversation import KINDS, split, wrong
from corpus.document import Document, Drop


@dataclass(frozen=True)
class Answered:
    """Drops `instruction.broken`: a turn that is empty by now, or a text that is no conversation.

    It stands behind every filter that changes text. Other kinds of documents pass.
    """

    version: int = 1

    def __call__(self, document: Document) -> Document | Drop:
        if document.meta.get("kind") not in KINDS:
            return document
        try:
            problem = wrong(split(document.text))
        except ValueError as error:
            problem = str(error)
        return Drop("instruction.broken", problem, document.marks) if problem else document
