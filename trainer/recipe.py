"""A training recipe on one page: a Python value; every field is a flag of `trainer/run.py`.

`ME_LLAMA_13B` holds what the Me-LLaMA paper states for continual pretraining (Xie et al. 2024,
arXiv 2402.12749, "Model development"): AdamW with beta 0.9 and 0.95, learning rate 8e-6, weight
decay 1e-5, cosine with a warm-up ratio of 0.05, bf16, gradient accumulation 16, one epoch. What the
paper leaves open follows the defaults of the trainer that it used (transformers): clipping at 1.0,
epsilon 1e-8, no decay on norms and biases, a first step at learning rate 0.
"""

import dataclasses
import difflib
import json
import math
import runpy
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any


def _is(default: Any, about: str, **more: Any) -> Any:
    return field(default=default, metadata={"about": about, **more})


@dataclass(frozen=True)
class Recipe:
    model: str = _is("tiny", "a transformers causal LM: a folder, a hub id, a config.json (random weights), or tiny")
    random: bool = _is(False, "draw the weights anew from the model's config, for a rehearsal")
    attention: str = _is("sdpa", "sdpa, eager, flex_attention or flash_attention_2 (GPUs: packing wants it)")

    sequence: int = _is(4096, "tokens in a window")
    packing: str = _is("best-fit", "best-fit keeps documents apart; concat is the paper's concat-and-chunk", choices=1)
    shuffle: int = _is(0, "shuffle windows within buffers of this many; 0 keeps the order of the build")
    batch: int = _is(1, "windows per rank and forward pass")
    accumulate: int = _is(16, "forward passes per optimiser step")
    windows: int = _is(0, "windows per optimiser step on all ranks; 0: batch x accumulate x ranks at the first start")
    skip: str = _is("", "windows to leave out, as FIRST:END,FIRST:END (END is read): past bad documents")
    epochs: int = _is(1, "passes over the build")
    steps: int = _is(0, "optimiser steps that the schedule spans; 0: all windows of all epochs")

    lora: int = _is(0, "rank of LoRA's adapters, which alone are trained then; 0 trains all weights")
    lora_layers: str = _is("q_proj,v_proj", "the layers that get adapters")
    lora_alpha: int = _is(0, "adapters count alpha / rank; 0: twice the rank")
    lora_dropout: float = _is(0.0, "share of an adapter's inputs that is left out while training")

    lr: float = _is(8e-6, "learning rate at the end of the warm-up")
    beta1: float = _is(0.9, "AdamW")
    beta2: float = _is(0.95, "AdamW")
    epsilon: float = _is(1e-8, "AdamW")
    weight_decay: float = _is(1e-5, "AdamW, on matrices; norms and biases are left alone")
    warmup: float = _is(0.05, "share of the steps in which the learning rate rises; then a cosine to 0")
    clip: float = _is(1.0, "largest norm of the gradient; 0 does not clip")
    dtype: str = _is("auto", "auto is bf16 on GPUs and fp32 on CPUs; weights and optimiser stay fp32", choices=2)
    seed: int = _is(0, "of random weights, dropout and shuffling")

    strategy: str = _is("fsdp2", "how the model lies on the ranks", choices=3)
    tensor: int = _is(1, "ranks that share each matrix (tensor parallel, with fsdp2 across the others)")
    zero: int = _is(3, "DeepSpeed's ZeRO stage: 2 or 3")
    deepspeed_config: str = _is("", "a JSON file that is laid over the DeepSpeed config made from this recipe")
    recompute: bool = _is(False, "activation checkpointing: keep each layer's input, compute the rest again")
    compile: bool = _is(False, "torch.compile, layer by layer")

    save_every: int = _is(500, "steps between checkpoints; 0 saves at the end only")
    keep: int = _is(3, "newest checkpoints that stay")
    validate_every: int = _is(500, "steps between validations on the held-out shards; 0 never")
    validate_windows: int = _is(256, "held-out windows read per group")
    spike: float = _is(6.0, "stop when the loss stands this many deviations above its last 128; 0 never stops")


CHOICES = {1: ("best-fit", "concat"), 2: ("auto", "bf16", "fp32"), 3: ("fsdp2", "deepspeed", "single")}

ME_LLAMA_13B = Recipe(model="meta-llama/Llama-2-13b-hf", recompute=True)
ME_LLAMA_70B = replace(ME_LLAMA_13B, model="meta-llama/Llama-2-70b-hf")

# A rehearsal for CPUs: the same code and schedule, a model of 4 million parameters (32,000 token ids
# of width 64, twice), a minute on two cores. One window per pass: its logits stay below the 32 MB
# above which malloc takes fresh pages each time, which halves the speed.
TINY = Recipe(
    model="tiny",
    sequence=256,
    batch=1,
    accumulate=4,
    steps=40,
    lr=3e-3,
    save_every=20,
    validate_every=20,
    validate_windows=32,
)

# Tuning on a build of the recipe `instruct`. The paper states LoRA, 3 epochs and a learning rate of 1e-5; rank, alpha
# and layers are not published, and stand here as most tuning of LLaMA-2 has them. Name the model that was pretrained.
INSTRUCT = Recipe(
    model="tiny",
    sequence=2048,
    shuffle=1024,
    accumulate=8,
    epochs=3,
    lora=16,
    lora_dropout=0.05,
    lr=1e-5,
    save_every=200,
    validate_every=200,
)

RECIPES = {"tiny": TINY, "me-llama-13b": ME_LLAMA_13B, "me-llama-70b": ME_LLAMA_70B, "instruct": INSTRUCT}


def named(name: str) -> Recipe:
    """A recipe of this page by name, or the `RECIPE` of a Python file."""
    if name.endswith(".py"):
        if not Path(name).is_file():
            raise ValueError(f"--recipe {name}: there is no such file")
        found = runpy.run_path(name).get("RECIPE")
        if not isinstance(found, Recipe):
            raise ValueError(f"--recipe {name}: the file must set RECIPE to a trainer.recipe.Recipe")
        return found
    if name not in RECIPES:
        near = difflib.get_close_matches(name, RECIPES, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise ValueError(f"unknown --recipe {name!r}{hint} Known are {', '.join(RECIPES)}, or a Python file's RECIPE")
    return RECIPES[name]


def check(recipe: Recipe) -> Recipe:
    """The recipe itself, or a ValueError that says which value cannot be."""
    for each in dataclasses.fields(Recipe):
        value, allowed = getattr(recipe, each.name), CHOICES.get(each.metadata.get("choices", 0))
        if allowed and value not in allowed:
            raise ValueError(f"--{each.name} {value}: must be one of {', '.join(allowed)}")
    for name in ("sequence", "batch", "accumulate", "epochs", "keep", "tensor"):
        if getattr(recipe, name) < 1:
            raise ValueError(f"--{name} {getattr(recipe, name)}: must be at least 1")
    if recipe.lora < 0 or recipe.lora_alpha < 0:
        raise ValueError(f"--lora {recipe.lora} --lora-alpha {recipe.lora_alpha}: must be 0 or more")
    if recipe.lora and not any(name.strip() for name in recipe.lora_layers.split(",")):
        raise ValueError("--lora-layers: name the layers that get adapters, like q_proj,v_proj")
    if recipe.lora and recipe.tensor > 1:
        raise ValueError("--lora goes with --tensor 1: adapters are small enough to lie whole on every rank")
    if recipe.zero not in (0, 1, 2, 3):
        raise ValueError(f"--zero {recipe.zero}: must be 0, 1, 2 or 3")
    for part in recipe.skip.split(",") if recipe.skip else ():
        first, _, end = part.partition(":")
        if not (first.isdecimal() and end.isdecimal() and int(first) < int(end)):
            raise ValueError(f"--skip {recipe.skip}: expected FIRST:END with whole numbers, several with commas")
    for name in ("warmup", "lora_dropout"):
        if not 0 <= getattr(recipe, name) < 1:
            raise ValueError(f"--{name.replace('_', '-')} {getattr(recipe, name)}: a share, from 0 to below 1")
    return recipe


def to_json(recipe: Recipe) -> str:
    return json.dumps(dataclasses.asdict(recipe), indent=1) + "\n"


def differences(old: Recipe, new: Recipe) -> dict[str, tuple[Any, Any]]:
    """Field -> (old, new) where two recipes differ."""
    pairs = {each.name: (getattr(old, each.name), getattr(new, each.name)) for each in dataclasses.fields(Recipe)}
    return {name: (before, after) for name, (before, after) in pairs.items() if before != after}


def stretches(recipe: Recipe, cursor: int, end: int) -> Iterator[tuple[int, int]]:
    """The windows [first, end) of every step from a cursor on; a step ends where `skip` or the data does."""
    skip = sorted(tuple(map(int, part.split(":"))) for part in recipe.skip.split(",")) if recipe.skip else []
    while cursor < end:
        inside = [last for first, last in skip if first <= cursor < last]
        if inside:
            cursor = max(inside)
            continue
        last = min([cursor + recipe.windows, end, *(first for first, _ in skip if first > cursor)])
        yield cursor, last
        cursor = last


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """Of the step-th of `steps` updates, counted from 0: a line up, then half a cosine down to 0.

    The same numbers as transformers' `get_cosine_schedule_with_warmup`.
    """
    rising = math.ceil(steps * recipe.warmup)
    if step < rising:
        return recipe.lr * step / max(1, rising)
    return recipe.lr * 0.5 * (1.0 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))
