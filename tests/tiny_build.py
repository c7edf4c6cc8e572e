"""A finished build folder from a few rows, without running a build: for tests of what reads builds."""

from array import array
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np

from corpus import manifest
from corpus.document import Document
from corpus.files import digest
from corpus.ledger import BUILT, LedgerWriter, marks_json
from corpus.shards import PUBLIC, RESTRICTED, ShardWriter
from pipelines import mix

GROUP_OF = {"pubmed": "biomedical", "pmc": "biomedical", "mimic": "clinical", "redpajama": "general"}
BOS, EOS = 1, 2


@dataclass
class Row:
    """One document that was read; a dropped one has a `reason`."""

    id: str
    tokens: list[int] = field(default_factory=list)
    text: str | None = None
    reason: str | None = None
    detail: str | None = None
    marks: dict = field(default_factory=dict)
    meta: dict = field(default_factory=dict)
    twin: str | None = None
    similarity: float | None = None
    prompt: int = 0
    draws: int = 1
    heldout: bool = False
    license: str | None = "CC-BY-4.0"
    kind: str | None = None

    @property
    def source(self) -> str:
        return self.id.split(":")[0]


def rows(count: int = 60, seed: int = 0, vocabulary: int = 30_000) -> list[Row]:
    """Documents of three sources, of 3 to 40 tokens, a few of them of 300."""
    drawn = Random(seed).random  # the same numbers in every version of Python
    made = []
    for number in range(count):
        source = ("pubmed", "mimic", "redpajama")[number % 3]
        size = 300 if number % 17 == 5 else 1 + int(39 * drawn())
        ids = [BOS, *(3 + int((vocabulary - 3) * drawn()) for _ in range(size)), EOS]
        made.append(Row(f"{source}:{number}", ids, f"text {number} µ of {source}", marks={"quality.words": size}))
    return made


def make(folder: Path, given: list[Row], *, per_shard: int = 16, width: int = 16, restricted: bool = False) -> Path:
    """Writes shards (rows in the order given, drawn `draws` times), ledgers and the manifest."""
    mode = RESTRICTED if restricted else PUBLIC
    groups = list(dict.fromkeys(GROUP_OF.values()))
    turns = range(max((row.draws for row in given), default=0))
    stream = [row for turn in turns for row in given if row.draws > turn and not row.reason and not row.heldout]
    places: dict[str, list[tuple[int, int]]] = {}
    listed, held = [], []
    for number, start in enumerate(range(0, len(stream), per_shard)):
        part = stream[start : start + per_shard]
        for place, row in enumerate(part):
            places.setdefault(row.id, []).append((number, place))
        listed.append(_shard(folder, f"shards/{number:05d}.arrow", part, width, mode))
    for group in groups:
        part = [row for row in given if row.heldout and GROUP_OF[row.source] == group]
        if part:
            held.append({**_shard(folder, f"heldout/{group}.arrow", part, width, mode), "group": group})
    books, sources = [], []
    for name in dict.fromkeys(row.source for row in given):
        mine = [row for row in given if row.source == name]
        path = f"ledger/{name}.arrow"
        with LedgerWriter(folder / path, BUILT, mode) as book:
            for position, row in enumerate(mine):
                book.add(_booked(row, position, places.get(row.id)))
        books.append({"path": path, "source": name, "rows": len(mine), "sha256": digest(folder / path)[7:]})
        file = {"path": "raw.jsonl", "bytes": 1, "sha256": "0" * 64, "documents": len(mine), "foreign": None}
        sources.append({"name": name, "group": GROUP_OF[name], "restricted": name == "mimic", "files": [file]})
    tokenizer = folder / "tokenizer/tiny.model"
    tokenizer.parent.mkdir(exist_ok=True)
    tokenizer.write_bytes(b"tiny")
    sizes = np.array([len(row.tokens) for row in stream], np.int64)
    number = np.array([groups.index(GROUP_OF[row.source]) for row in stream])
    given_tokens = {name: int(sizes[number == place].sum()) for place, name in enumerate(groups)}
    total = max(1, int(sizes.sum()))
    content = {
        "format": 1, "name": "tiny", "key": manifest.key([repr(row) for row in given]), "recipe": "Recipe()", "seed": 0,
        "asked": {"tokens": None},
        "mix": {"asked": {"biomedical": 15, "clinical": 1, "general": 4}, "budget": total, "plan": [],
                "tokens": given_tokens, "realised": {name: n / total * 20 for name, n in given_tokens.items()},
                "largest_deviation": mix.deviation(sizes, number, [0.75, 0.05, 0.2]),
                "sequence": 0, "longest_row": int(sizes.max(initial=0))},
        "tokens": int(sizes.sum()), "rows": len(stream), "documents": len(places),
        "tokenizer": {"name": "tiny", "kind": "sentencepiece", "file": "tokenizer/tiny.model",
                      "sha256": digest(tokenizer)[7:], "vocabulary": 32_000, "bos": BOS, "eos": EOS, "width": width},
        "restricted": restricted, "apart": False, "counted": {}, "duplicates": {}, "deidentification": {},
        "limits": {name: {"": {}} for name in GROUP_OF} | {"duplicates": "at least 0.8"},
        "sources": sources, "shards": listed, "heldout": held,
        "ledger": books,
    }  # fmt: skip
    manifest.write(folder / manifest.NAME, content, mode)
    return folder


def _shard(folder: Path, path: str, part: list[Row], width: int, mode: int) -> dict:
    with ShardWriter(folder / path, width=width, mode=mode) as shard:
        for row in part:
            held = array("H" if width == 16 else "I", row.tokens)
            text = row.text if row.text is not None else row.id
            meta = {"kind": row.kind} if row.kind else {}
            shard.add(Document(row.id, row.source, text, row.license, "2020", {**meta, **row.meta}, held, row.prompt))
    groups = dict.fromkeys(dict.fromkeys(GROUP_OF.values()), 0)
    for row in part:
        groups[GROUP_OF[row.source]] += len(row.tokens)
    file = folder / path
    return {"path": path, "rows": len(part), "tokens": sum(groups.values()), "groups": groups,
            "sha256": digest(file)[7:], "bytes": file.stat().st_size}  # fmt: skip


def _booked(row: Row, position: int, at: list[tuple[int, int]] | None) -> dict:
    status = "dropped" if row.reason else "heldout" if row.heldout else "kept"
    return {
        "id": row.id, "source": row.source, "file": "raw.jsonl", "position": position, "status": status,
        "reason": row.reason, "detail": row.detail, "marks": marks_json(row.marks), "chars": len(row.text or row.id),
        "kind": row.kind, "group": GROUP_OF[row.source], "twin": row.twin, "similarity": row.similarity,
        "tokens": len(row.tokens) or None, "draws": len(at or ()),
        "shard": [shard for shard, _ in at] if at else None, "row": [place for _, place in at] if at else None,
    }  # fmt: skip
