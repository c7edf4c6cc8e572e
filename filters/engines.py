"""Engines that turn text into token ids, and the proof that a fast one is as right as its reference.

References: sentencepiece for `.model` files, Hugging Face tokenizers for `tokenizer.json`. gigatoken
reads both and is 20 to 35 times faster. It is used only when, at loading, it gives the reference's
ids on every string of `hostile()`; otherwise the reference does the work itself.

Control tokens are never made from text: a literal `<s>` in a document is three characters, as
sentencepiece has it. Hugging Face tokenizers and gigatoken would make it the control id, so the
special entries are taken out of the model that they load.
"""

import json
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.uint32]

# Characters handed to a batch call. gigatoken pays 2.5 ms a call and keeps a cache for its length:
# at 2 MB the cost is gone and memory stays flat over any number of documents. (Its `encode`, one
# text at a time, keeps its cache for good: 430 MB after 200 MB of text with many new words.)
_BATCH = 2 << 20


class Engine(Protocol):
    """Encodes texts; the ids carry no BOS or EOS."""

    @property
    def name(self) -> str: ...

    def batch(self, texts: list[str]) -> tuple[Ids, npt.NDArray[np.int64]]:
        """Ids of all texts end to end, and where each begins, with the end (texts + 1 numbers)."""
        ...


def _flat(rows: list[Any]) -> tuple[Ids, npt.NDArray[np.int64]]:
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    flat = np.fromiter((id for row in rows for id in row), np.uint32, int(offsets[-1]))
    return flat, offsets


@dataclass(frozen=True)
class Sentencepiece:
    processor: Any
    name: str = "sentencepiece"

    def batch(self, texts: list[str]) -> tuple[Ids, npt.NDArray[np.int64]]:
        return _flat(self.processor.encode(texts, out_type=int, num_threads=1))


@dataclass(frozen=True)
class Tokenizers:
    encoder: Any
    name: str = "tokenizers"

    def batch(self, texts: list[str]) -> tuple[Ids, npt.NDArray[np.int64]]:
        return _flat([found.ids for found in self.encoder.encode_batch_fast(texts, add_special_tokens=False)])


@dataclass(frozen=True)
class Gigatoken:
    encoder: Any
    name: str = "gigatoken"

    def batch(self, texts: list[str]) -> tuple[Ids, npt.NDArray[np.int64]]:
        # Not in parallel: its thread pool would take every core in each of Ray's workers.
        layout = self.encoder.encode_batch(texts, parallel=False).layout
        offsets = np.asarray(layout.offsets.data, np.int64)
        content = np.asarray(layout.content.data, np.uint32)
        return content[offsets[0] : offsets[-1]], offsets - offsets[0]


def without_special(source: str) -> str:
    """A tokenizer.json whose special tokens are no longer found in text, cut or padded."""
    loaded = json.loads(source)
    loaded["added_tokens"] = [token for token in loaded.get("added_tokens") or [] if not token.get("special")]
    return json.dumps(loaded | {"post_processor": None, "truncation": None, "padding": None})


def reference(kind: str, data: bytes) -> Engine:
    """The engine that is right by definition. `kind` is "sentencepiece" or "tokenizers"."""
    if kind == "sentencepiece":
        import sentencepiece

        processor = sentencepiece.SentencePieceProcessor()
        processor.LoadFromSerializedProto(data)
        return Sentencepiece(processor)
    import tokenizers

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # read by the library at its first batch
    return Tokenizers(tokenizers.Tokenizer.from_str(without_special(data.decode())))


def fast(kind: str, data: bytes) -> Engine | None:
    """gigatoken's engine for this model, or None where it does not take it."""
    try:
        import gigatoken
        from gigatoken._load.sentencepiece import sentencepiece_to_tokenizer_json

        source = sentencepiece_to_tokenizer_json(data) if kind == "sentencepiece" else data.decode()
        return Gigatoken(gigatoken.Tokenizer.from_json(without_special(source)))
    except (ImportError, ValueError, KeyError, TypeError, RuntimeError):
        return None
    except BaseException as error:
        if type(error).__name__ == "PanicException":  # a Rust panic; pyo3 derives it from BaseException
            return None
        raise


def same(one: Engine, other: Engine, texts: list[str]) -> bool:
    """Whether two engines give the same ids for every text."""
    try:
        (ids, offsets), (others, other_offsets) = one.batch(texts), other.batch(texts)
    except (ValueError, RuntimeError, TypeError):
        return False
    return np.array_equal(offsets, other_offsets) and np.array_equal(ids, others)


def best(kind: str, data: bytes) -> Engine:
    """gigatoken where it is proven to give the reference's ids, the reference anywhere else."""
    right = reference(kind, data)
    quick = fast(kind, data)
    return quick if quick is not None and same(quick, right, hostile()) else right


_FIXED = (
    "",
    " ",
    "  two  spaces and   three ",
    "\n\n\r\n\t \n",
    "a\x00b\x01\x1b[31m\x7f",
    "<s></s><unk><pad><|endoftext|><|begin_of_text|><|eot_id|>[CLS][SEP][INST] x </s>",
    "▁ ▁▁a▁b ▁",
    "It's they'RE we'll I'd 'tis DON'T",
    "1234567890 12.5 3,000 1e-5 ½ ² ₂ Ⅳ ٣٤٥ 10mg/dL",
    "ACGT" * 400,
    "ATGGCCAAATTTGGGCCC" * 40 + "\n" + "MKTAYIAKQRQISFVKSHFSRQ" * 20,
    "a" * 3000,
    " " * 700 + "x" + "\n" * 300,
    "=" * 200 + "-" * 200 + "." * 200 + "_" * 99,
    "naïve café Å Å ﬁ ﬂ µm μm 5×10⁻⁶ ≥ ± °C ™ α-β χ²",
    "中文字符和日本語のテキスト한국어 ไทย हिन्दी العربية עברית",
    "👨‍👩‍👧‍👦🏳️‍🌈🇬🇧❤️",
    "e\u0301\u0302\u0303 \u200b\u200d\ufeff\u00ad\u00a0\u2028\u2029\u3000",
    "\ufffd\ufffe\uffff\U0010ffff\ue000",
    "def f(x):\n    return {'a': [1, 2], \"b\": x ** 2}  # ok\n\n\tif (a && b) || !c;",
    r"\begin{equation} \frac{a}{b}_{i+1}^{2} \end{equation} $x \in \mathbb{R}$",
    "https://example.org/a?b=c&d=%20#e user@example.org C:\\Users\\x",
    "SHOUTING AND camelCaseWords_and_snake_case and-hyphens/slashes",
    "(a)[b]{c}<d>'e'\"f\"`g`“h”‘i’",
)


@lru_cache(maxsize=1)
def hostile() -> list[str]:
    """Strings on which tokenizers have been seen to differ, the same in every process."""
    return [*_FIXED, *_random(random.Random(20260101))]


def _random(draw: random.Random) -> Iterator[str]:
    pools = (
        [chr(code) for code in range(128)],
        [chr(code) for code in range(0x20, 0x250)],
        [chr(code) for code in range(0x370, 0x530)],
        [chr(code) for code in (*range(0x2000, 0x2300), 0x2581, 0x2581)],
        [chr(code) for code in (*range(0x3040, 0x30FF), *range(0x4E00, 0x4F00), *range(0xAC00, 0xAD00))],
        [chr(draw.choice((draw.randrange(0xD800), draw.randrange(0xE000, 0x110000)))) for _ in range(2000)],
        [
            " ",
            " ",
            "  ",
            "\n",
            "\t",
            "▁",
            "the",
            " of",
            "and ",
            "ing",
            "'s",
            "é",
            "µ",
            "12",
            "3.4",
            "-",
            "(",
            ")",
            "<s>",
        ],
        list(" abcdefghijklmnopqrstuvwxyz"),
        list("ACGT"),
        list("0123456789.,- "),
    )
    for _ in range(40):
        for pool in pools:
            yield "".join(draw.choices(pool, k=draw.randrange(1, 120)))
    for pool in pools:
        yield "".join(draw.choices(pool, k=4000))


def chunks(texts: list[str]) -> Iterator[list[str]]:
    """Texts in batches of some two million characters; a longer text is a batch of its own."""
    batch: list[str] = []
    size = 0
    for text in texts:
        if batch and size + len(text) > _BATCH:
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += len(text)
    if batch:
        yield batch


@lru_cache(maxsize=4)
def loaded(kind: str, path: Path, digest: str) -> Engine:
    """The engine of a tokenizer's file, once a process. Raises ValueError when the file changed."""
    from corpus.files import digest as digest_of

    if digest_of(path) != digest:
        raise ValueError(
            f"{path}: the tokenizer's file has changed since it was loaded ({digest} expected, {digest_of(path)} "
            "found); put the old file back, or run the command again with the new one"
        )
    return best(kind, path.read_bytes())
