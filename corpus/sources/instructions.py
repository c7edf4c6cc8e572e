"""Instructions: conversations, and questions with their answers, for tuning a model that was pretrained.

Files lie in a folder for each set, `instructions/SET/…` (or `instructions/GROUP/SET/…` for sets of
your own), and are known by what they hold: JSON arrays, JSON lines, Parquet and CSV, packed or not.
A row is read in the first of these forms whose columns it has:

    conversations   ShareGPT: [{"from": "human", "value": …}, {"from": "gpt", …}, …]
    messages        [{"role": "user", "content": …}, {"role": "assistant", …}, …]
    instruction     Alpaca and Dolly: with input or context, and output or response; history of pairs
    question        and an answer, under the names in `Fields`

One document an answer: a conversation with three answers gives three, each with all that was said
before it, `set/file/row`, `…#2`, `…#3`. Only so can `prompt`, a count of leading tokens, say exactly
which tokens carry loss: those of the last answer; every answer is the last of one document. The text is
all of the conversation (corpus/conversation.py); templates and tokens come later.

The sets pubmed-tasks and pmc-tasks also take the publishers' own files, as the sources pubmed and pmc
read them: every article becomes a task (corpus/sources/tasks.py).
"""

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from corpus import arrays
from corpus.conversation import KINDS, Turn, joined, wrong
from corpus.document import Document
from corpus.files import BadInput, Foreign, open_raw
from corpus.sources import Fetch, Remote, hub
from corpus.sources.pmc import PMC
from corpus.sources.pubmed import PubMed
from corpus.sources.sets import DEFAULT, GROUPS, SETS, Fields, Set
from corpus.sources.tasks import task
from corpus.tables import Row, Table, open_table

_DATA = re.compile(r"\.(json|jsonl|ndjson|parquet|csv|tsv)(\.(gz|zst))?$", re.IGNORECASE)
_ABOUT = re.compile(r"(^|/)(readme|license|dataset_infos?|state|metadata|croissant)[^/]*$", re.IGNORECASE)
_HEAD = 100  # rows of an array that tell its columns
_SPEAKERS = {
    **dict.fromkeys(("human", "user", "prompter", "patient", "question"), "user"),
    **dict.fromkeys(("gpt", "assistant", "agent", "chatgpt", "bot", "model", "bing", "bard", "doctor"), "assistant"),
    "system": "system",
}


RECORDS: dict[str, PubMed | PMC] = {"pubmed-tasks": PubMed(), "pmc-tasks": PMC()}


@dataclass(frozen=True)
class Instructions:
    """The sets of one group. Three of them share the folder `instructions`.

    A set that `sets` does not name is one of your own: it is read under the default names, and
    belongs to the group whose name is the first folder of its path, or to "medical".
    """

    group: str = "medical"
    sets: tuple[Set, ...] = SETS
    version: int = 1
    base: str = field(default="https://huggingface.co", repr=False)

    def __post_init__(self) -> None:
        for group in (self.group, *(one.group for one in self.sets)):
            if group not in GROUPS:
                raise ValueError(f"Instructions: unknown group {group!r}; there are {', '.join(GROUPS)}")

    @property
    def name(self) -> str:
        return f"instructions-{self.group}"

    @property
    def folder(self) -> str:
        """Where its files lie below the raw folder."""
        return "instructions"

    @property
    def restricted(self) -> bool:
        """What is clinical is made of credentialed notes and vocabularies."""
        return self.group == "clinical"

    @property
    def absent(self) -> str:
        """What to do when there are no files of this group."""
        mine = [one for one in self.sets if one.group == self.group]
        brought: dict[str, list[str]] = {}
        for one in mine:
            if not one.hub:
                brought.setdefault(one.advice, []).append(one.name)
        told = [f"{', '.join(names)}: {advice}" for advice, names in brought.items()]
        hub = ", ".join(one.name for one in mine if one.hub)
        if hub:
            told.insert(0, f"{hub}: python -m pipelines.fetch {self.name} --recipe instruct --dest DIR")
        return "; ".join(told) or f"lay sets of your own in instructions/{self.group}"

    def of(self, path: str) -> Set:
        """The set that a file belongs to, by its path below the folder."""
        first, _, rest = path.partition("/")
        group = first if first in GROUPS and "/" in rest else ""
        name = rest.partition("/")[0] if group else first if rest else Path(first).name.partition(".")[0]
        known = next((one for one in self.sets if one.name == name), None)
        if known is not None and group in ("", known.group):
            return known
        return Set(name, group or "medical")

    def accepts(self, path: str) -> bool:
        one = self.of(path)
        if one.group == self.group and _records(one, path) is not None:
            return True
        wanted = _DATA.search(path) and not _ABOUT.search(path) and one.group == self.group
        return bool(wanted) and (not one.files or re.search(one.files, path) is not None)

    def listing(self, fetch: Fetch) -> Iterator[Remote]:
        """The data files of the group's sets that are on the hub, as its own listing names them.

        Raises BadInput when there is none: such sets are brought, not fetched.
        """
        offered = [one for one in self.sets if one.group == self.group and one.hub]
        if not offered:
            raise BadInput(f"{self.name}: none of its sets may be fetched. {self.absent}")
        for one in offered:
            yield from hub.files(
                self.base,
                one.hub,
                one.revision,
                fetch,
                self.accepts,
                kinds="JSON, Parquet or CSV",
                license=one.license,
                folder=f"{one.name}/",
            )

    def read(self, path: Path, name: str) -> Iterator[Document]:
        """One document for every answer of every row.

        Raises Foreign for a table without columns of questions and answers, BadInput when columns that
        the set names are missing, or for a file that is damaged.
        """
        one = self.of(name)
        records = _records(one, name)
        if records is not None:
            for article in records.read(path, name.rpartition(f"{one.name}/")[2]):
                key = article.id.partition(":")[2]
                yield task(article, f"{self.name}:{one.name}/{key}", self.name, one.name)
            return
        stem = _DATA.sub("", name)
        with open_raw(path) as stream:
            array = stream.peek(4)[:4].removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"["
            if array:
                yield from self._documents(_array(path, arrays.items(path, stream)), path, one, stem)
                return
        with open_table(path) as table:
            yield from self._documents(table, path, one, stem)

    def _documents(self, table: Table, path: Path, one: Set, stem: str) -> Iterator[Document]:
        found = _resolve(path, table, one)
        taken: dict[str, int] = {}
        for row in table.rows:
            own = "" if row.problem else _word(row.cells.get(found.id or ""))
            key = wanted = own or f"row{row.number}"
            while key in taken:  # the second of one id is "7~2", unless a row calls itself that
                taken[wanted] += 1
                key = f"{wanted}~{taken[wanted]}"
            taken[key] = 1
            yield from self._answers(row, f"{self.name}:{stem}/{key}", one, found)

    def _answers(self, row: Row, id: str, one: Set, found: "_Found") -> Iterator[Document]:
        turns, problem = ([], row.problem) if row.problem else _turns(row.cells, found)
        meta: dict[str, Any] = {"kind": KINDS[0], "set": one.name}
        patient = _word(row.cells.get(found.patient)) if found.patient and self.restricted else ""
        if patient:
            meta["patient"] = patient
        ends = [place + 1 for place, turn in enumerate(turns) if turn.role == "assistant"]
        for answer, end in enumerate(ends, 1):
            more = {"kind": KINDS[1], "answer": answer} if answer > 1 else {}
            which = f"#{answer}" if answer > 1 else ""
            yield Document(f"{id}{which}", self.name, joined(turns[:end]), one.license, meta={**meta, **more})
        if problem or not ends:
            which = f"#{len(ends) + 1}" if ends else ""
            error = problem or "no answer to a question"
            yield Document(f"{id}{which}", self.name, "", one.license, meta={**meta, "error": error})


def _records(one: Set, path: str) -> PubMed | PMC | None:
    """What reads a file as articles, where it is one of theirs."""
    records = RECORDS.get(one.name)
    below = path.rpartition(f"{one.name}/")[2]
    return records if records is not None and not _DATA.search(below) and records.accepts(below) else None


@dataclass(frozen=True)
class _Found:
    """Column names as this table spells them."""

    conversation: str | None
    question: str | None
    context: str | None
    answer: str | None
    system: str | None
    history: str | None
    id: str | None
    patient: str | None


assert [one.name for one in fields(_Found)] == [one.name for one in fields(Fields)]


def _resolve(path: Path, table: Table, one: Set) -> _Found:
    there: dict[str, str] = {}
    for column in table.columns:
        there.setdefault(_bare(column), column)
    found: dict[str, str | None] = {}
    for what in _Found.__dataclass_fields__:
        names: tuple[str, ...] = getattr(one.fields, what)
        found[what] = next((there[_bare(name)] for name in names if _bare(name) in there), None)
        if found[what] is None and names and names != getattr(DEFAULT, what):
            near = difflib.get_close_matches(_bare(names[0]), there, n=1, cutoff=0.5)
            hint = f"; did you mean {there[near[0]]!r}?" if near else ""
            raise BadInput(
                f"{path}: no column {' or '.join(map(repr, names))} for the {what} of {one.name}; found "
                f"{table.found}{hint} Correct Set(fields=Fields(...)), or take the file away"
            )
    if not found["conversation"] and not (found["question"] and found["answer"]):
        raise Foreign(
            f"{path}: no columns of conversations or of questions and answers; found {table.found}. Expected "
            "conversations, messages, instruction and output, or question and answer; other names are given in a "
            f'recipe: Set({one.name!r}, {one.group!r}, fields=Fields(question=("…",), answer=("…",)))'
        )
    return _Found(**found)


def _array(path: Path, values: Iterator[Any]) -> Table:
    def rows() -> Iterator[Row]:
        for number, value in enumerate(values, 1):
            if isinstance(value, dict):
                yield Row(number, value)
            else:
                yield Row(number, {}, f"a JSON {type(value).__name__} where an object was expected")

    whole = rows()
    head = [row for _, row in zip(range(_HEAD), whole, strict=False)]
    columns = tuple(dict.fromkeys(name for row in head for name in row.cells))

    def both() -> Iterator[Row]:
        yield from head
        yield from whole

    return Table("json", columns, both())


def _turns(cells: Mapping[str, Any], found: _Found) -> tuple[list[Turn], str | None]:
    """The turns of a row up to where they are whole, and what is wrong with the rest."""
    if found.conversation and cells.get(found.conversation) is not None:
        said, problem = _spoken(cells[found.conversation])
    else:
        said, problem = _asked(cells, found)
    system = _text(cells.get(found.system)) if found.system else None
    if system and system.strip() and (not said or said[0].role != "system"):
        said.insert(0, Turn("system", system.strip()))
    first = next((place for place, turn in enumerate(said) if turn.role == "user"), len(said))
    leading = [turn for turn in said[:first] if turn.role == "system"]  # an answer to nothing is no answer
    turns = leading[:1] + _merged(said[first:])
    empty = next((place for place, turn in enumerate(turns) if not turn.text), None)
    if empty is not None:
        problem = problem or f"its {'answer' if turns[empty].role == 'assistant' else 'question'} is empty"
        turns = turns[:empty]
    while turns and turns[-1].role != "assistant":  # asked, and never answered
        turns.pop()
    assert not turns or wrong(turns) is None, "questions and answers take turns by now"
    return turns, problem


def _merged(turns: Sequence[Turn]) -> list[Turn]:
    """Turns of one speaker after another are one."""
    merged: list[Turn] = []
    for turn in turns:
        if merged and merged[-1].role == turn.role:
            merged[-1] = Turn(turn.role, f"{merged[-1].text}\n\n{turn.text}".strip())
        else:
            merged.append(turn)
    return merged


def _spoken(value: Any) -> tuple[list[Turn], str | None]:
    """ShareGPT's turns and messages, also as a string of JSON in a cell."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return [], "its conversation is a string that is no JSON"
    if not isinstance(value, list):
        return [], f"its conversation is a {type(value).__name__}"
    if not value:
        return [], "its conversation is empty"
    turns: list[Turn] = []
    for number, turn in enumerate(value, 1):
        if not isinstance(turn, dict):
            return turns, f"turn {number} is a {type(turn).__name__}"
        speaker = turn.get("from", turn.get("role", turn.get("speaker")))
        role = _SPEAKERS.get(str(speaker).strip().lower())
        if role is None:
            return turns, f"turn {number} is of nobody known (human, gpt, user, assistant, system, …)"
        text = _text(next((turn[key] for key in ("value", "content", "text") if turn.get(key) is not None), ""))
        if text is None:
            return turns, f"turn {number} is no text"
        if role == "system" and turns:
            return turns, f"turn {number} is the system's, in the middle"
        turns.append(Turn(role, text.strip()))
    return turns, None


def _asked(cells: Mapping[str, Any], found: _Found) -> tuple[list[Turn], str | None]:
    """A question, with what it is about, and its answer."""
    turns: list[Turn] = []
    history = cells.get(found.history) if found.history else None
    for pair in history if isinstance(history, list) else ():
        if isinstance(pair, (list, tuple)) and len(pair) == 2:
            turns += [Turn("user", (_text(pair[0]) or "").strip()), Turn("assistant", (_text(pair[1]) or "").strip())]
    parts = []
    for column in (found.question, found.context):
        text = _text(cells.get(column)) if column else ""
        if text is None:
            return turns, "its question is no text"
        if text.strip():
            parts.append(text.strip())
    answer = _text(cells.get(found.answer)) if found.answer else ""
    if answer is None:
        return turns, "its answer is no text"
    return [*turns, Turn("user", "\n\n".join(parts)), Turn("assistant", answer.strip())], None


def _text(value: Any) -> str | None:
    """What a cell says: a string, a number, the first of several answers, parts of type text; None for others."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, dict):
        return _text(value["text"]) if "text" in value and value.get("type", "text") == "text" else None
    if isinstance(value, list) and value:
        if all(isinstance(part, dict) for part in value):
            texts = [_text(part) for part in value]
            return None if None in texts else "\n".join(text for text in texts if text)
        return _text(value[0])
    return None


def _bare(name: str) -> str:
    return re.sub(r"[\W_]+", "_", name.strip().lower())


def _word(value: Any) -> str:
    """A cell as a word for ids, without what would break them."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return ""
    return re.sub(r"[\s#~]+", "_", str(value).strip())[:120].encode("utf-8", "replace").decode()
