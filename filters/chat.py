"""Chat templates: how a conversation is written for a model, to the token.

`--template` takes a name of `NAMED`, the path of a jinja file, `own` (the template that lies beside the
tokenizer: `chat_template` in tokenizer_config.json, or chat_template.jinja), or `auto`: the tokenizer's
own where there is one, `me-llama` where there is none.

A template is run once for every sequence of roles, with holes in place of what is said. So nobody's
words become markup: a question that holds `<|im_end|>` is counted as these characters, while the
template's own `<|im_end|>` is the control token. Templates that look into what is said (to cut
out `<think>`, say) see holes there. `strftime_now` is not defined, so that a build does not hang on its day.

The ids are `[bos] + prompt + answer + [eos]`, where `[bos] + prompt` is to the id what a model is given
when it is asked, and a BOS or EOS that the template writes itself is not doubled. Where a tokenizer would
join the end of the prompt with the beginning of the answer into one token, they stay apart.
"""

import difflib
import hashlib
import json
import re
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpus.conversation import Turn

if TYPE_CHECKING:
    from filters.tokens import Tokenizer

_TURNS = "{% for m in messages %}"
NAMED = {
    # What Me-LLaMA's own evaluation asks its chat models with.
    "me-llama": (
        "{{ bos_token }}" + _TURNS + "{% if m.role == 'system' %}{{ m.content + '\n\n' }}"
        "{% elif m.role == 'user' %}{{ 'Human: \n' + m.content + '\n\nAssistant: \n' }}"
        "{% else %}{{ m.content + (eos_token if loop.last else '\n\n') }}{% endif %}{% endfor %}"
    ),
    "plain": (
        "{{ bos_token }}" + _TURNS + "{% if m.role == 'system' %}{{ m.content + '\n\n' }}"
        "{% elif m.role == 'user' %}{{ '### Question:\n' + m.content + '\n\n### Answer:\n' }}"
        "{% else %}{{ m.content + (eos_token if loop.last else '\n\n') }}{% endif %}{% endfor %}"
    ),
    # Stanford Alpaca's form without a separate input, which stands in the instruction here.
    "alpaca": (
        "{{ bos_token }}{% if messages[0].role == 'system' %}{{ messages[0].content + '\n\n' }}{% else %}"
        "{{ 'Below is an instruction that describes a task. Write a response that appropriately completes the "
        "request.\n\n' }}{% endif %}" + _TURNS + "{% if m.role == 'user' %}"
        "{{ '### Instruction:\n' + m.content + '\n\n### Response:\n' }}{% elif m.role == 'assistant' %}"
        "{{ m.content + (eos_token if loop.last else '\n\n') }}{% endif %}{% endfor %}"
    ),
    "vicuna": (
        "{{ bos_token }}{% if messages[0].role == 'system' %}{{ messages[0].content + ' ' }}{% else %}"
        "{{ 'A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, "
        "detailed, and polite answers to the user\\'s questions. ' }}{% endif %}" + _TURNS + "{% if m.role == 'user' %}"
        "{{ 'USER: ' + m.content + ' ASSISTANT:' }}{% elif m.role == 'assistant' %}"
        "{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}"
    ),
    # Meta's own form: every exchange begins with BOS and ends with EOS.
    "llama-2": (
        "{% if messages[0].role == 'system' %}{% set head = '<<SYS>>\n' + messages[0].content + '\n<</SYS>>\n\n' %}"
        "{% set spoken = messages[1:] %}{% else %}{% set head = '' %}{% set spoken = messages %}{% endif %}"
        "{% for m in spoken %}{% if m.role == 'user' %}"
        "{{ bos_token + '[INST] ' + (head if loop.first else '') + m.content + ' [/INST]' }}"
        "{% else %}{{ ' ' + m.content + ' ' + eos_token }}{% endif %}{% endfor %}"
    ),
    "chatml": (
        _TURNS + "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    ),
}
FALLBACK = "me-llama"
# Conversations that every template must be able to write.
_TRIED = (("user", "assistant"), ("user", "assistant", "user", "assistant"))
_WITH_SYSTEM = ("system", "user", "assistant")
_HOLE = re.compile("\x02(\\d+)\x03")


@dataclass(frozen=True)
class Template:
    """A template by its name and the digest of its text. Its `repr` is the same on every machine."""

    name: str
    digest: str
    source: str = field(repr=False)

    @classmethod
    def of(cls, name: str, source: str) -> "Template":
        return cls(name, "sha256:" + hashlib.sha256(source.encode()).hexdigest(), source)


def load(name: str, tokenizer: "Tokenizer") -> Template:
    """The template of that name, tried with this tokenizer. Raises ValueError for one that cannot be used."""
    if name in NAMED:
        template = Template.of(name, NAMED[name])
    elif name in ("own", "auto"):
        own = _own(tokenizer.file)
        if own is None and name == "own":
            raise ValueError(
                f"--template own: no chat template lies beside {tokenizer.file} (chat_template in "
                f"tokenizer_config.json, or chat_template.jinja); name one of {', '.join(NAMED)}"
            )
        template = Template.of(FALLBACK, NAMED[FALLBACK]) if own is None else Template.of("own", own)
    elif name.endswith((".jinja", ".jinja2", ".j2")):
        path = Path(name).expanduser()
        if not path.is_file():
            raise ValueError(f"--template {name}: there is no such file")
        template = Template.of(path.name, path.read_text(encoding="utf-8"))
    else:
        near = difflib.get_close_matches(name, (*NAMED, "own", "auto"), n=1, cutoff=0.3)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise ValueError(
            f"unknown --template {name!r}{hint} Known are {', '.join(NAMED)}, own, auto, and the path of a .jinja file"
        )
    writer = Writer(template, tokenizer)
    for roles in _TRIED:
        writer.layout(roles)
    return template


def _own(file: Path) -> str | None:
    """The template beside a tokenizer's file; of several named ones the default."""
    beside = file.with_name("chat_template.jinja")
    if beside.is_file():
        return beside.read_text(encoding="utf-8")
    config = file.with_name("tokenizer_config.json")
    found = json.loads(config.read_bytes()).get("chat_template") if config.is_file() else None
    if isinstance(found, list):
        found = next((one["template"] for one in found if one.get("name") == "default"), None)
    return found if isinstance(found, str) and found else None


Part = str | int  # a template's own words, or the number of a turn


@dataclass(frozen=True)
class Layout:
    """What a template writes for a sequence of roles: up to the last answer, and from it on; and whether BOS itself."""

    prompt: tuple[Part, ...]
    answer: tuple[Part, ...]
    begun: bool


@lru_cache(maxsize=8)
def _compiled(source: str) -> Any:
    from jinja2 import TemplateError
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str) -> None:
        raise TemplateError(message)

    def to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None, **more: Any) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)

    # What transformers gives a template: its documentation, "Chat templates".
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = to_json
    environment.globals["raise_exception"] = refuse
    return environment.from_string(source)


@lru_cache(maxsize=512)
def _layout(source: str, roles: tuple[str, ...], bos: str, eos: str) -> Layout:
    from jinja2 import TemplateError

    messages = [{"role": role, "content": f"\x02{place}\x03"} for place, role in enumerate(roles)]

    def written(some: list[dict[str, str]], ask: bool) -> str:
        more: dict[str, Any] = {"tools": None, "documents": None, "bos_token": bos, "eos_token": eos}
        found: str = _compiled(source).render(messages=some, add_generation_prompt=ask, **more)
        return found

    try:
        whole = written(messages, False)
        asked = [written(messages[:-1], ask) for ask in (True, False)]
    except TemplateError as error:
        raise ValueError(f"the chat template cannot write {', '.join(roles)}: {error}") from error
    prompt = next((text for text in asked if whole.startswith(text)), None)
    if prompt is None:
        raise ValueError("the chat template asks for an answer in another way than its answers begin")
    for text, many in ((whole, len(roles)), (prompt, len(roles) - 1)):
        if [int(place) for place in _HOLE.findall(text)] != list(range(many)):
            raise ValueError(f"the chat template leaves out or repeats what is said by {', '.join(roles[:many])}")
    answer = whole[len(prompt) :]
    begun = bool(bos) and prompt.startswith(bos)
    if begun:
        prompt = prompt[len(bos) :]
    if eos and answer.rstrip().endswith(eos):
        answer = answer.rstrip()[: -len(eos)]
    return Layout(_parts(prompt), _parts(answer), begun)


def _parts(text: str) -> tuple[Part, ...]:
    pieces = _HOLE.split(text)
    return tuple(int(piece) if place % 2 else piece for place, piece in enumerate(pieces) if piece)


class Writer:
    """Writes conversations with a template and a tokenizer.

    `special` are the control tokens that a template may write: content -> (id, takes spaces before
    it, takes spaces after it).
    """

    def __init__(self, template: Template, tokenizer: "Tokenizer") -> None:
        self.template, self.tokenizer = template, tokenizer
        self.special = specials(tokenizer.kind, tokenizer.file, tokenizer.digest)
        names = {id: content for content, (id, _, _) in self.special.items()}
        self.bos, self.eos = names.get(tokenizer.bos, ""), names.get(tokenizer.eos, "")
        longest = sorted(self.special, key=len, reverse=True)
        self._split = re.compile("|".join(map(re.escape, longest))) if longest else None
        self.independent = _independent(self)
        self.begun = self.layout(_TRIED[0]).begun

    def layout(self, roles: tuple[str, ...]) -> Layout:
        return _layout(self.template.source, roles, self.bos, self.eos)

    @property
    def takes_system(self) -> bool:
        try:
            self.layout(_WITH_SYSTEM)
        except ValueError:
            return False
        return True

    def pieces(self, turns: Sequence[Turn]) -> tuple[list[str | int], list[str | int]]:
        """What a conversation is written as, before its last answer and from it on: text, and ids of control tokens."""
        if turns[0].role == "system" and not self.takes_system:
            turns = [Turn("user", f"{turns[0].text}\n\n{turns[1].text}"), *turns[2:]]
        layout = self.layout(tuple(turn.role for turn in turns))
        return self._filled(layout.prompt, turns), self._filled(layout.answer, turns)

    def _filled(self, parts: Sequence[Part], turns: Sequence[Turn]) -> list[str | int]:
        found: list[str | int] = []

        def add(text: str) -> None:
            if text and found and isinstance(found[-1], str):
                found[-1] += text
            elif text:
                found.append(text)

        for part in parts:
            if isinstance(part, int):
                add(turns[part].text)
                continue
            end = 0
            for match in self._split.finditer(part) if self._split else ():
                if match.start() < end:
                    continue
                id, before, after = self.special[match[0]]
                add(part[end : match.start()].rstrip() if before else part[end : match.start()])
                found.append(id)
                end = match.end()
                while after and part[end : end + 1].isspace():
                    end += 1
            add(part[end:])
        return found

    def documents(self, conversations: Sequence[Sequence[Turn]]) -> list[tuple["array[int]", int]]:
        """`[bos] + prompt + answer + [eos]` of each, and how many ids stand before the answer."""
        made = [self.pieces(turns) for turns in conversations]
        encoded = _Encoded(self.tokenizer.encode_batch)
        for prompt, answer in made:
            encoded.want(*(piece for piece in (*prompt, *answer) if isinstance(piece, str)))
            if prompt and answer and isinstance(prompt[-1], str) and isinstance(answer[0], str):
                encoded.want(prompt[-1] + answer[0], "\n", "\n" + answer[0])
            if not self.independent:
                encoded.want("\n", *("\n" + piece for piece in (*prompt, *answer) if isinstance(piece, str)))
        encoded.run()
        code = "H" if self.tokenizer.width == 16 else "I"
        found = []
        for prompt, answer in made:
            ids = array(code, [self.tokenizer.bos])
            for place, piece in enumerate(prompt):
                ids.extend(self._ids(piece, encoded, first=place == 0 and not self.begun))
            many = len(ids)
            for place, piece in enumerate(answer):
                if place == 0 and isinstance(piece, str) and prompt and isinstance(prompt[-1], str):
                    ids.extend(_after(prompt[-1], piece, encoded))
                else:
                    ids.extend(self._ids(piece, encoded, first=False))
            ids.append(self.tokenizer.eos)
            found.append((ids, many))
        return found

    def _ids(self, piece: str | int, encoded: "_Encoded", first: bool) -> Sequence[int]:
        if isinstance(piece, int):
            return [piece]
        return encoded[piece] if first or self.independent else _continued(piece, encoded)


class _Encoded:
    """Ids of strings, asked for first and made in one call."""

    def __init__(self, encode: Callable[[list[str]], "list[array[int]]"]) -> None:
        self._encode = encode
        self._found: dict[str, array[int] | None] = {}

    def want(self, *texts: str) -> None:
        self._found.update((text, None) for text in texts if text not in self._found)

    def run(self) -> None:
        wanted = list(self._found)
        self._found = dict(zip(wanted, self._encode(wanted), strict=True))

    def __getitem__(self, text: str) -> "array[int]":
        found = self._found[text]
        assert found is not None, "ids are asked for before they are made"
        return found


def _after(prompt: str, answer: str, encoded: _Encoded) -> Sequence[int]:
    """The ids of an answer behind a prompt: those of both together without the prompt's, where these stay the same."""
    before, both = encoded[prompt], encoded[prompt + answer]
    return both[len(before) :] if both[: len(before)] == before else _continued(answer, encoded)


def _continued(text: str, encoded: _Encoded) -> Sequence[int]:
    """The ids of a text that nothing stands before but more text: without the space that sentencepiece begins with."""
    head, both = encoded["\n"], encoded["\n" + text]
    return both[len(head) :] if both[: len(head)] == head else encoded[text]


@lru_cache(maxsize=4)
def specials(kind: str, file: Path, digest: str) -> dict[str, tuple[int, bool, bool]]:
    """The control tokens of a tokenizer's file: content -> (id, takes spaces before it, takes spaces after it)."""
    if kind == "sentencepiece":
        import sentencepiece

        held = sentencepiece.SentencePieceProcessor(model_file=str(file))
        control = [number for number in range(held.get_piece_size()) if held.is_control(number)]
        return {held.id_to_piece(number): (number, False, False) for number in control}
    added = json.loads(file.read_bytes()).get("added_tokens") or []
    return {
        token["content"]: (token["id"], bool(token.get("lstrip")), bool(token.get("rstrip")))
        for token in added
        if token.get("special")
    }


def _independent(writer: Writer) -> bool:
    """Whether text behind a control token has the ids that it has at the beginning.

    So it is in sentencepiece and in most tokenizer.json; LLaMA's newer ones begin with a space only
    what stands first of all.
    """
    tokenizer = writer.tokenizer
    if tokenizer.kind == "sentencepiece" or not writer.special:
        return True
    import tokenizers

    held = tokenizers.Tokenizer.from_file(str(tokenizer.file))
    special, (id, _, _) = next(iter(writer.special.items()))
    together = held.encode(f"{special}heart", add_special_tokens=False).ids
    return together == [id, *tokenizer.encode("heart")]
