"""A checkpoint as transformers loads it: config, safetensors, and the tokenizer that the build was counted with."""

import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tokenizers
import torch
import torch.distributed.checkpoint as dcp
from tokenizers import decoders, normalizers
from tokenizers.models import BPE
from tokenizers.processors import TemplateProcessing
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedTokenizerFast

from corpus.shards import PUBLIC, RESTRICTED
from trainer import lora
from trainer.model import empty_model, whole_model
from trainer.recipe import Recipe


def export(
    folder: Path, target: Path, recipe: Recipe, config: PreTrainedConfig, content: Mapping[str, Any], build: Path
) -> str:
    """Writes the weights of the checkpoint `folder` to `target`; returns what to say of them.

    Weights trained in bf16 are written as bf16. One process does this on the CPU and needs memory
    for one copy of the model in that type (DeepSpeed's own reader, and adapters: in fp32). Adapters are
    added to the model that they were trained beside, and written as they are to `target/adapter`.
    """
    if target.exists() and any(target.iterdir()):
        raise ValueError(f"--export-hf {target}: the folder is not empty; name another")
    dtype = torch.bfloat16 if recipe.dtype == "bf16" else torch.float32
    if recipe.lora:
        model = whole_model(recipe, config)
        shapes = lora.adapters(empty_model(recipe, config))
        weights = {name: torch.empty(one.shape) for name, one in shapes.items()}
    else:
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)
        weights = model.state_dict()
    if (folder / ".metadata").exists():
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "torch.distributed is disabled")  # one process reads all, as wanted
            dcp.load({"model": weights}, checkpoint_id=folder, no_dist=True)
    else:
        from deepspeed.utils.zero_to_fp32 import get_fp32_state_dict_from_zero_checkpoint

        found = get_fp32_state_dict_from_zero_checkpoint(
            str(folder.parent), tag=folder.name, exclude_frozen_parameters=bool(recipe.lora)
        )
        weights = {name: found[name] for name in weights} if recipe.lora else found
    model.load_state_dict(lora.merged(model.state_dict(), weights, recipe) if recipe.lora else weights)
    model.to(dtype)
    model.config.use_cache = True  # training says no, generation wants it
    model.save_pretrained(target)
    if recipe.lora:
        lora.save(target / "adapter", weights, recipe, RESTRICTED if content.get("restricted") else PUBLIC)
    _tokenizer(target, content["tokenizer"], build / content["tokenizer"]["file"])
    said = f"{folder} -> {target} ({dtype}); AutoModelForCausalLM.from_pretrained({str(target)!r})"
    if content.get("restricted"):
        said += "\nThe build holds credentialed or private text: its terms hold for these weights too."
    return said


# Runs of spaces, lines, tabs, bytes outside the vocabulary, numbers: where conversions of tokenizers differ.
PROBES = (
    "The heart  pumps blood;   5 mg/kg b.i.d.\n\n  BP 120/80 mmHg\t(β-blocker)\n",
    " naïve façade — p<0.05 … ± 3.2µg",
    "1.\n2.\n    3.",
    "病人 😀",
)


def _tokenizer(target: Path, about: Mapping[str, Any], file: Path) -> None:
    """The build's tokenizer beside the weights; ids begin with BOS, as documents in shards do.

    Raises ValueError when transformers' tokenizer would not give the ids that the build was counted with.
    """
    if about["kind"] == "sentencepiece":
        import sentencepiece

        held = sentencepiece.SentencePieceProcessor(model_file=str(file))
        encode, backend, special = held.encode, from_sentencepiece(held), {"unk_token": held.id_to_piece(held.unk_id())}
        shutil.copyfile(file, target / "tokenizer.model")
    else:
        backend, special = tokenizers.Tokenizer.from_file(str(file)), {}

        def encode(text: str) -> list[int]:
            return backend.encode(text, add_special_tokens=False).ids

    special |= {name: backend.id_to_token(about[name[:3]]) for name in ("bos_token", "eos_token")}
    start = (special["bos_token"], about["bos"])
    backend.post_processor = TemplateProcessing(
        single=f"{start[0]} $A", pair=f"{start[0]} $A {start[0]}:1 $B:1", special_tokens=[start]
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **special)
    if about.get("template"):
        tokenizer.chat_template = about["template"]["source"]
    for probe in PROBES:
        if tokenizer(probe)["input_ids"] != [about["bos"], *encode(probe)]:
            raise ValueError(
                f"{file}: transformers' tokenizer would give other ids than the build was counted with; "
                f"the weights in {target} are whole: bring a tokenizer.json of your own"
            )
    tokenizer.save_pretrained(target)


def from_sentencepiece(held: Any) -> tokenizers.Tokenizer:
    """A sentencepiece BPE model as transformers' fast tokenizer.

    transformers 5 orders merges by the id of the piece that they make, sentencepiece by its score:
    runs of spaces have the first ids and the lowest scores in LLaMA's and Mistral's models.
    """
    pieces = {held.id_to_piece(number): number for number in range(held.get_piece_size())}
    ranked = []
    for piece, number in pieces.items():
        if not (held.is_control(number) or held.is_unknown(number) or held.is_byte(number)):
            halves = ((piece[:cut], piece[cut:]) for cut in range(1, len(piece)))
            both = [(left, right) for left, right in halves if left in pieces and right in pieces]
            both.sort(key=lambda pair: (pieces[pair[0]], pieces[pair[1]]))
            ranked.append((-held.get_score(number), number, both))
    merges = [pair for *_, both in sorted(ranked) for pair in both]
    unknown = held.id_to_piece(held.unk_id())
    backend = tokenizers.Tokenizer(
        BPE(vocab=pieces, merges=merges, unk_token=unknown, fuse_unk=True, byte_fallback="<0x00>" in pieces)
    )
    prefix = [normalizers.Prepend("▁")] if held.encode("a", out_type=str)[0].startswith("▁") else []
    backend.normalizer = normalizers.Sequence([*prefix, normalizers.Replace(" ", "▁")])
    strip = [decoders.Strip(" ", 1, 0)] if prefix else []
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *strip])
    return backend
