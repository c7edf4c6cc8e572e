"""Documents with copies and near copies, as the first sift leaves them: what tests of duplicates begin with."""

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path

from corpus import ledger, shards
from corpus.document import Document, Drop
from pipelines.dedup import Part

STEMS, ENDS = ("ba", "ko", "mi", "ru", "te", "sol", "ven", "dax"), ("lin", "gor", "pat", "sem", "vit", "rho", "nax")
WORDS = [stem + end for stem in STEMS for end in ENDS]


def part(folder: Path, name: str, documents: Sequence[Document]) -> Part:
    """A layer's file and ledger, as the first sift leaves them; documents without text are dropped."""
    layer, rows = folder / f"{name}.arrow", folder / f"{name}.ledger.arrow"
    with shards.ShardWriter(layer) as shard, ledger.LedgerWriter(rows, ledger.SIFTED) as writer:
        for position, document in enumerate(documents):
            fate: Document | Drop = document
            if document.meta.get("deleted"):
                fate = Drop("source.deleted")
            elif not document.text:
                fate = Drop("quality.short", "0 < 20 words")
            writer.add(ledger.sifted(document, name, position, fate))
            if isinstance(fate, Document):
                shard.add(fate)
    key = hashlib.sha256(name.encode()).hexdigest()[:12]
    return Part(key, layer, rows)


def prose(seed: int, count: int) -> list[str]:
    draw = random.Random(seed)
    return [draw.choice(WORDS) + str(draw.randrange(40)) for _ in range(count)]


def crowd(seed: int) -> list[Document]:
    """Texts with copies and near copies of every degree, of several kinds and ages."""
    draw = random.Random(seed)
    documents = []
    for number in range(60):
        words = prose(1000 * seed + number, draw.choice([3, 8, 30, 80, 200]))
        for copy in range(draw.choice([1, 1, 2, 4])):
            edited = list(words)
            for _ in range(draw.choice([0, 0, 1, 2, 5]) * len(words) // 60):
                edited[draw.randrange(len(edited))] = draw.choice(WORDS)
            text = draw.choice([" ", "  ", ", "]).join(edited)
            documents.append(
                Document(
                    f"web:{number}-{copy}",
                    "web",
                    text.upper() if draw.random() < 0.2 else text,
                    created=draw.choice([None, "2019", "2020-05", "2020-05-17"]),
                    meta={"kind": draw.choice(["web", "note", "guideline"])},
                )
            )
    draw.shuffle(documents)
    return documents
