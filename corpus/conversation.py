"""A conversation as one text: who speaks stands on a line of its own.

    <|system|>
    You are a careful assistant.
    <|user|>
    What is gout?
    <|assistant|>
    A disease of joints in which crystals of urate …

This is how instructions pass the filters: all of the conversation is the document's `text`, so that
repair, de-identification, benchmarks and duplicates are judged on it as on any text, and nothing of
it hides in `meta`. Templates are laid over it when tokens are counted (filters/chat.py): one sifted
layer serves every template and tokenizer. A line of somebody's words that reads like such a line
gets spaces (`<| user |>`), so that nobody can speak for another.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

ROLES = ("system", "user", "assistant")
# `meta.kind`: one question and its answer; several, of which the last answer is the one to learn.
KINDS = ("instruction", "conversation")

_HEAD = re.compile(rf"^<\|({'|'.join(ROLES)})\|>$", re.MULTILINE)
_LIKE = re.compile(rf"^[ \t]*<\|[ \t]*({'|'.join(ROLES)})[ \t]*\|>[ \t]*$", re.MULTILINE)


class Turn(NamedTuple):
    """What one of `ROLES` says."""

    role: str
    text: str


def joined(turns: Iterable[Turn]) -> str:
    """The turns as one text."""
    return "\n".join(f"<|{turn.role}|>\n" + _LIKE.sub(r"<| \1 |>", turn.text.strip()) for turn in turns)


def split(text: str) -> list[Turn]:
    """The turns of a text that `joined` made, as filters left them. Raises ValueError when it is none."""
    before, *rest = _HEAD.split(text)
    if before.strip() or not rest:
        raise ValueError("the text is no conversation: it does not begin with a line that says who speaks")
    return [Turn(role, said.strip()) for role, said in zip(rest[::2], rest[1::2], strict=True)]


def wrong(turns: list[Turn]) -> str | None:
    """What keeps turns from being (system) and then question and answer in turn; None when nothing does."""
    spoken = turns[1:] if turns and turns[0].role == "system" else turns
    if not spoken or len(spoken) % 2:
        return "no answer at its end"
    if any(turn.role != ("user", "assistant")[place % 2] for place, turn in enumerate(spoken)):
        return "questions and answers do not take turns"
    empty = next((place for place, turn in enumerate(turns, 1) if not turn.text), None)
    return f"turn {empty} of {len(turns)} is empty" if empty else None
