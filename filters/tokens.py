"""Token counts: a document's text as ids, `[bos] + ids + [eos]`, in the width that the vocabulary needs.

`--tokenizer` takes a sentencepiece `.model`, a `tokenizer.json` or a folder with either, a name on
the Hugging Face hub, or one of `KNOWN`: models that a package under a free licence ships, so that a
build needs neither network nor licence form. The ids are those of the model's reference
implementation, to the id; see filters/engines.py.
"""

import difflib
import json
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from corpus.conversation import KINDS, split
from corpus.document import Document, Drop
from corpus.files import digest as digest_of
from filters import chat, engines

# Name -> (package, file). Mistral's models stand in mistral-common, Apache-2.0; the first has 32,000
# pieces and LLaMA-2's specification (BPE, byte fallback, split digits, no normalisation).
KNOWN = {
    "mistral-v1": ("mistral_common", "data/tokenizer.model.v1"),
    "mistral-v3": ("mistral_common", "data/mistral_instruct_tokenizer_240323.model.v3"),
}
# What models without a configuration beside them call the two, in order of preference.
_BOS = ("<s>", "<bos>", "<|begin_of_text|>", "<|startoftext|>", "[CLS]", "<|endoftext|>")
_EOS = ("</s>", "<eos>", "<|end_of_text|>", "<|endoftext|>", "[SEP]")
_SIDE_FILES = ("tokenizer_config.json", "special_tokens_map.json")


@dataclass(frozen=True)
class Tokenizer:
    """A tokenizer: what its ids mean, and where its file lies.

    `kind` is "sentencepiece" or "tokenizers" (a tokenizer.json), `digest` `sha256:<hex>` of `file`,
    `vocabulary` the number of ids, `width` the bits that an id needs, 16 or 32. Its `repr` names
    no path, so that it is the same on every machine.
    """

    name: str
    kind: str
    digest: str
    vocabulary: int
    bos: int
    eos: int
    file: Path = field(repr=False, compare=False)

    @property
    def width(self) -> int:
        return 16 if self.vocabulary <= 1 << 16 else 32

    @property
    def engine(self) -> engines.Engine:
        """What does the work in this process; its `name` says which."""
        return engines.loaded(self.kind, self.file, self.digest)

    def encode(self, text: str) -> "array[int]":
        """The ids of one text, without BOS and EOS."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: list[str]) -> "list[array[int]]":
        """The ids of each text, without BOS and EOS: arrays of type "H" (16 bits) or "I" (32)."""
        return list(self._encode(texts, ends=False))

    def documents(self, texts: list[str]) -> "list[array[int]]":
        """`[bos] + ids + [eos]` of each text."""
        return list(self._encode(texts, ends=True))

    def _encode(self, texts: list[str], ends: bool) -> "Iterable[array[int]]":
        code, type = ("H", np.uint16) if self.width == 16 else ("I", np.uint32)
        first = array(code, [self.bos] if ends else [])
        last = array(code, [self.eos] if ends else [])
        for batch in engines.chunks(texts):
            ids, offsets = self.engine.batch(batch)
            data = ids.astype(type).tobytes()
            size = np.dtype(type).itemsize
            starts = (offsets * size).tolist()
            for start, end in pairwise(starts):
                tokens = first[:]
                tokens.frombytes(data[start:end])
                tokens.extend(last)
                yield tokens


@dataclass(frozen=True)
class Tokens:
    """Fills `document.tokens` with `[bos] + ids + [eos]`; never drops. Marks `tokens.count`.

    With a template, conversations (corpus/conversation.py) are written by it, and `prompt` says how
    many ids stand before the last answer, BOS among them: exactly what a model is asked with. Marks
    `tokens.prompt`. Raises ValueError for one that is broken; filters.answered drops these.
    """

    tokenizer: Tokenizer
    template: chat.Template | None = None
    version: int = 1

    @classmethod
    def named(cls, name: str, template: str = "") -> "Tokens":
        """The filter for a tokenizer by name, path or hub id (`load`), and a template (`chat.load`)."""
        tokenizer = load(name)
        return cls(tokenizer, chat.load(template, tokenizer) if template else None)

    @property
    def width(self) -> int:
        return self.tokenizer.width

    def __call__(self, document: Document) -> Document | Drop:
        return self.batch([document])[0]

    def batch(self, documents: list[Document]) -> list[Document]:
        """The same for many documents: a batch of a megabyte costs what its text costs."""
        spoken = [self.template is not None and document.meta.get("kind") in KINDS for document in documents]
        plain = iter(self.tokenizer.documents([d.text for d, said in zip(documents, spoken, strict=True) if not said]))
        written = iter(self._written([d for d, said in zip(documents, spoken, strict=True) if said]))
        return [
            next(written)
            if said
            else replace(
                document, tokens=(tokens := next(plain)), marks={**document.marks, "tokens.count": len(tokens)}
            )
            for document, said in zip(documents, spoken, strict=True)
        ]

    def _written(self, documents: list[Document]) -> list[Document]:
        """Conversations by the template."""
        if self.template is None or not documents:
            return []
        turns = []
        for document in documents:
            try:
                turns.append(split(document.text))
            except ValueError as error:
                raise ValueError(f"{document.id}: {error}; put filters.answered behind what changes text") from None
        counted = _writer(self.template, self.tokenizer).documents(turns)
        return [
            replace(
                document,
                tokens=tokens,
                prompt=prompt,
                marks={**document.marks, "tokens.count": len(tokens), "tokens.prompt": prompt},
            )
            for document, (tokens, prompt) in zip(documents, counted, strict=True)
        ]


@lru_cache(maxsize=4)
def _writer(template: chat.Template, tokenizer: Tokenizer) -> chat.Writer:
    return chat.Writer(template, tokenizer)


@dataclass(frozen=True)
class Count:
    """How many tokens a text has for other tokenizers, BOS and EOS included, in one pass.

    Marks `tokens.<name>` for each; the document itself stays as it is. Never drops.
    """

    tokenizers: tuple[Tokenizer, ...]
    version: int = 1

    @classmethod
    def named(cls, names: Iterable[str]) -> "Count":
        return cls(tuple(load(name) for name in names))

    def __call__(self, document: Document) -> Document | Drop:
        return self.batch([document])[0]

    def batch(self, documents: list[Document]) -> list[Document]:
        """The same for many documents."""
        texts = [document.text for document in documents]
        counts = {t.name: [len(tokens) + 2 for tokens in t.encode_batch(texts)] for t in self.tokenizers}
        return [
            replace(document, marks={**document.marks, **{f"tokens.{name}": counts[name][row] for name in counts}})
            for row, document in enumerate(documents)
        ]


@lru_cache(maxsize=8)
def load(name: str) -> Tokenizer:
    """The tokenizer of that name (`KNOWN`), path (file or folder) or id on the hub.

    Raises ValueError, in words, for a name that nothing answers to, a file that is no tokenizer and
    one without BOS or EOS.
    """
    if name in KNOWN:
        package, inside = KNOWN[name]
        return _read(Path(str(resources.files(package).joinpath(inside))), name)
    path = Path(name).expanduser()
    if path.is_dir():
        for file in ("tokenizer.json", "tokenizer.model"):
            if (path / file).is_file():
                return _read(path / file, path.name)
        raise ValueError(f"{path}: the folder holds neither tokenizer.json nor tokenizer.model; give one that does")
    if path.is_file():
        return _read(path, path.name)
    if path.suffix in (".model", ".json") or path.is_absolute() or name.startswith(("./", "../", "~")):
        raise ValueError(f"--tokenizer {name}: there is no such file; give the path of a .model or a tokenizer.json")
    return _read(_from_hub(name), name)


def _from_hub(name: str) -> Path:
    """The tokenizer's file of a model on the Hugging Face hub, in its own local cache."""
    import huggingface_hub
    from huggingface_hub import errors

    near = difflib.get_close_matches(name, KNOWN, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    try:
        wanted = ["tokenizer.json", "tokenizer.model", *_SIDE_FILES, "chat_template.jinja"]
        folder = Path(huggingface_hub.snapshot_download(name, allow_patterns=wanted))
    except (OSError, ValueError, errors.HfHubHTTPError, errors.LocalEntryNotFoundError) as error:
        raise ValueError(
            f"--tokenizer {name}: neither a file here nor to be had from the Hugging Face hub "
            f"({type(error).__name__}){hint} Check the id and the connection, log in if the model asks for it "
            f"(hf auth login), or give a path or one of {', '.join(KNOWN)}"
        ) from error
    for file in wanted[:2]:
        if (folder / file).is_file():
            return folder / file
    raise ValueError(f"--tokenizer {name}: the model on the hub has neither tokenizer.json nor tokenizer.model{hint}")


def _read(path: Path, name: str) -> Tokenizer:
    data = path.read_bytes()
    found = _json(path, name, data) if data.lstrip()[:1] == b"{" else _sentencepiece(path, name, data)
    for role, id in (("BOS (beginning of a document)", found.bos), ("EOS (end of a document)", found.eos)):
        if id < 0:
            raise ValueError(
                f"--tokenizer {name}: {path} has no {role} token, and a corpus needs both to tell documents apart; "
                "name it in tokenizer_config.json beside the file (bos_token, eos_token), or choose a tokenizer that "
                f"has both, like {', '.join(KNOWN)}"
            )
    return found


def _sentencepiece(path: Path, name: str, data: bytes) -> Tokenizer:
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor()
    try:
        processor.LoadFromSerializedProto(data)
        size = processor.vocab_size()
    except (RuntimeError, OSError) as error:
        raise ValueError(
            f"--tokenizer {name}: {path} is neither a sentencepiece model nor a tokenizer.json; "
            "give the model's own file (a model of tiktoken's must be converted to tokenizer.json first)"
        ) from error
    return Tokenizer(name, "sentencepiece", digest_of(path), size, processor.bos_id(), processor.eos_id(), path)


def _json(path: Path, name: str, data: bytes) -> Tokenizer:
    import tokenizers

    try:
        tokenizer = tokenizers.Tokenizer.from_str(data.decode())
        content = json.loads(data)
    except Exception as error:  # the library raises it bare for any fault
        raise ValueError(
            f"--tokenizer {name}: {path} is not a tokenizer.json of Hugging Face tokenizers "
            f"({str(error)[:200]}); give the model's own file"
        ) from error
    named = _named(path)
    special = [token["content"] for token in content.get("added_tokens") or [] if token.get("special")]
    ids = []
    for role, usual in (("bos_token", _BOS), ("eos_token", _EOS)):
        if role in named:
            candidates = [str(named[role])] if named[role] else []
        else:
            candidates = [token for token in usual if token in special]
        id = tokenizer.token_to_id(candidates[0]) if candidates else None
        ids.append(-1 if id is None else id)
    # Ids may have gaps: what counts is the largest.
    size = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1) + 1
    return Tokenizer(name, "tokenizers", digest_of(path), size, ids[0], ids[1], path)


def _named(path: Path) -> dict[str, str | None]:
    """What the files beside a tokenizer.json say of BOS and EOS: a token, or None for none."""
    named: dict[str, str | None] = {}
    for file in _SIDE_FILES:
        beside = path.with_name(file)
        if beside.is_file():
            content: dict[str, Any] = json.loads(beside.read_bytes())
            for role in ("bos_token", "eos_token"):
                if role in content and role not in named:
                    value = content[role]
                    named[role] = value.get("content") if isinstance(value, dict) else value
    return named
