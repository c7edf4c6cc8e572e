"""LoRA: small matrices beside the layers that a recipe names; everything else stays as it was.

`W x` becomes `W x + alpha / rank * B A x` (Hu et al. 2021, arXiv 2106.09685), through peft. The model
keeps its class and its loop; only adapters have gradients, an optimiser's state, and a place in
checkpoints. B begins at 0, and A at numbers that its own name and the seed decide, so that every
strategy and number of ranks begins alike.
"""

import hashlib
import importlib.util
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from corpus.files import writing
from trainer.recipe import Recipe

ADAPTER = "default"  # peft's own name of an adapter without one


def config_of(recipe: Recipe) -> Any:
    """peft's config for a recipe. Raises ValueError when peft is not installed."""
    if importlib.util.find_spec("peft") is None:
        raise ValueError("--lora needs peft: pip install -e '.[train]'")
    from peft import LoraConfig

    return LoraConfig(
        r=recipe.lora,
        lora_alpha=alpha(recipe),
        lora_dropout=recipe.lora_dropout,
        target_modules=layer_names(recipe),
        bias="none",
        task_type="CAUSAL_LM",
        base_model_name_or_path=recipe.model,
    )


def alpha(recipe: Recipe) -> int:
    return recipe.lora_alpha or 2 * recipe.lora


def layer_names(recipe: Recipe) -> list[str]:
    return [name.strip() for name in recipe.lora_layers.split(",") if name.strip()]


def wrap(model: nn.Module, recipe: Recipe) -> None:
    """Puts adapters beside the recipe's layers and freezes all else, in place; nothing without `lora`.

    Their values are those of the device (none on torch's meta device): see `first_values`. Raises
    ValueError for a layer that the model does not have.
    """
    if not recipe.lora:
        return
    linear = {name.rpartition(".")[2] for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    linear -= {name.rpartition(".")[2] for name, module in model.named_modules() if module is _head(model)}
    for name in layer_names(recipe):
        if name not in linear:
            raise ValueError(f"--lora-layers {name}: the model has no such layers; it has {', '.join(sorted(linear))}")
    from peft import inject_adapter_in_model

    inject_adapter_in_model(config_of(recipe), model, ADAPTER)


def _head(model: nn.Module) -> nn.Module | None:
    return model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None  # type: ignore[operator]


def is_adapter(name: str) -> bool:
    return ".lora_" in name


def base_name(name: str) -> str:
    """What a weight of the wrapped model is called in the model that it was made of."""
    return name.replace(".base_layer.", ".")


def first_values(shapes: Mapping[str, Collection[int]], seed: int) -> dict[str, torch.Tensor]:
    """An adapter's first weights: A uniform within 1 / sqrt(inputs), as peft draws it, and B 0; fp32 on the CPU."""
    values = {}
    for name, shape in shapes.items():
        drawn = torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:7]))
        values[name] = torch.zeros(tuple(shape))
        if ".lora_A." in name:
            bound = 1 / math.sqrt(tuple(shape)[1])
            values[name].uniform_(-bound, bound, generator=drawn)
    return values


def adapters(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: parameter for name, parameter in model.named_parameters() if is_adapter(name)}


@torch.no_grad()
def begin(model: nn.Module, recipe: Recipe) -> None:
    """Gives the adapters of a whole model on one device their first values."""
    held = adapters(model)
    for name, value in first_values({name: one.shape for name, one in held.items()}, recipe.seed).items():
        held[name].copy_(value)


def merged(
    base: Mapping[str, torch.Tensor], weights: Mapping[str, torch.Tensor], recipe: Recipe
) -> dict[str, torch.Tensor]:
    """The weights of the model itself with what the adapters `weights` learned added, in fp32."""
    found = dict(base)
    for name, small in weights.items():
        if ".lora_A." in name:
            whole = name.replace(f".lora_A.{ADAPTER}.", ".")
            large = weights[name.replace(".lora_A.", ".lora_B.")]
            more = alpha(recipe) / recipe.lora * (large.float() @ small.float())
            found[whole] = (found[whole].float() + more).to(found[whole].dtype)
    return found


def save(folder: Path, weights: Mapping[str, torch.Tensor], recipe: Recipe, mode: int) -> None:
    """Writes an adapter, with this file mode, as peft's `PeftModel.from_pretrained` loads it beside its base model."""
    folder.mkdir(parents=True, exist_ok=True)
    config_of(recipe).save_pretrained(folder)
    held = {
        "base_model.model." + name.replace(f".{ADAPTER}.", "."): weight.contiguous()
        for name, weight in weights.items()
        if is_adapter(name)
    }
    with writing(folder / "adapter_model.safetensors", mode) as partial:
        save_file(held, partial, metadata={"format": "pt"})
