"""Models from transformers: their config, their weights, and the proof that packed documents stay apart."""

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from safetensors import safe_open
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, LlamaConfig, PreTrainedConfig, PreTrainedModel

from trainer import lora
from trainer.data import IGNORED
from trainer.recipe import Recipe

# Dense bf16 multiply-adds per second x 2, from the vendors' data sheets (without sparsity).
PEAK_FLOPS = {"A100": 312e12, "A800": 312e12, "H100 PCIe": 756e12, "H100": 989e12, "H200": 989e12, "L40S": 362e12}


def load_config(recipe: Recipe, tokenizer: Mapping[str, Any]) -> PreTrainedConfig:
    """The model's config. Raises ValueError when the build's token ids do not fit its vocabulary."""
    vocabulary = tokenizer["vocabulary"]
    if recipe.model == "tiny":
        config: PreTrainedConfig = LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=64,
            intermediate_size=176,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=max(4096, recipe.sequence),
            bos_token_id=tokenizer["bos"],
            eos_token_id=tokenizer["eos"],
            tie_word_embeddings=False,
        )
    else:
        try:
            config = AutoConfig.from_pretrained(recipe.model)
        except (OSError, ValueError) as error:
            raise ValueError(
                f"--model {recipe.model}: no folder with a config.json and no model that can be fetched from the hub "
                f"({str(error).strip().splitlines()[0]})"
            ) from error
    if config.vocab_size < vocabulary:
        raise ValueError(
            f"--model {recipe.model} knows {config.vocab_size} token ids, the build was counted with {vocabulary} "
            f"({tokenizer.get('name')}): build again with --tokenizer {recipe.model}"
        )
    limit = getattr(config, "max_position_embeddings", None)
    if limit and recipe.sequence > limit:
        raise ValueError(f"--sequence {recipe.sequence}: {recipe.model} has room for {limit} positions")
    config.use_cache = False
    return config


def has_weights(recipe: Recipe) -> bool:
    return not (recipe.random or recipe.model == "tiny" or recipe.model.endswith(".json"))


def empty_model(recipe: Recipe, config: PreTrainedConfig) -> PreTrainedModel:
    """The model, with its adapters, without memory for its weights, in fp32 (on torch's meta device)."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation=recipe.attention)
        lora.wrap(model, recipe)
    return model


def whole_model(recipe: Recipe, config: PreTrainedConfig) -> PreTrainedModel:
    """The model with its weights on the CPU, in fp32: read from its folder, or drawn from the seed."""
    if has_weights(recipe):
        return AutoModelForCausalLM.from_pretrained(
            recipe.model, config=config, dtype=torch.float32, attn_implementation=recipe.attention
        )
    torch.manual_seed(recipe.seed)
    return AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation=recipe.attention)


def base_digest(recipe: Recipe) -> str:
    """What tells the weights that adapters stand beside: names, sizes and first megabytes of their files; "" for none.

    No checkpoint of adapters holds them, so they must be the same when it is read.
    """
    if not (recipe.lora and has_weights(recipe)):
        return ""
    found = hashlib.sha256()
    for path in sorted(_folder(recipe).glob("*")):
        if path.suffix in (".safetensors", ".bin"):
            with open(path, "rb") as file:
                found.update(f"{path.name} {path.stat().st_size} ".encode() + file.read(4 << 20))
    return found.hexdigest()


def refuse_other_base(before: str, recipe: Recipe) -> None:
    """Raises ValueError when the model's weights are not those that a checkpoint's adapters were trained beside."""
    if before != base_digest(recipe):
        raise ValueError(
            f"--model {recipe.model}: its weights are not those that these adapters were trained beside; put them back "
            "there, or begin anew with another --out"
        )


def _folder(recipe: Recipe) -> Path:
    folder = Path(recipe.model)
    if not folder.is_dir():
        folder = Path(snapshot_download(recipe.model, allow_patterns=["*.json", "*.safetensors"]))
    return folder


def safetensors_of(recipe: Recipe, names: Collection[str]) -> Path | None:
    """The folder whose safetensors hold exactly these weights, so that ranks may read their own parts of them.

    None when the weights are stored in another way (other names, .bin files): then one rank reads them.
    """
    folder = _folder(recipe)
    held: set[str] = set()
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            held |= set(file.keys())
    return folder if held == set(names) else None


def restore_buffers(model: PreTrainedModel) -> None:
    """Computes again what `to_empty` leaves as garbage and no checkpoint holds: RoPE's frequencies."""
    for module in model.modules():
        if module._non_persistent_buffers_set:
            model._init_weights(module)


def prepare(model: PreTrainedModel, recipe: Recipe) -> None:
    """What must be said before a model is spread over ranks."""
    if recipe.recompute:
        model.activation_checkpointing_enable({"use_reentrant": False})
    model.train()


def layers(model: nn.Module) -> list[nn.Module]:
    """The blocks that are gathered, computed again and compiled one by one."""
    names = set(getattr(model, "_no_split_modules", None) or ())
    # By the names of base classes too: fully_shard makes FSDPLlamaDecoderLayer of LlamaDecoderLayer.
    found = [module for module in model.modules() if names & {kind.__name__ for kind in type(module).__mro__}]
    if not found:
        raise ValueError(f"{type(model).__name__} does not say which of its modules are layers (_no_split_modules)")
    return found


def summed_loss(model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """The cross entropy of every token that carries loss, summed, in fp32. Divide by how many there are."""
    held = model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False)
    logits, labels = held.logits[:, :-1].flatten(0, 1).float(), batch["labels"][:, 1:].flatten()
    return nn.functional.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum")


def loss_tokens(batch: dict[str, torch.Tensor]) -> int:
    return int((batch["labels"][:, 1:] != IGNORED).sum())


@torch.no_grad()
def assert_documents_apart(model: nn.Module, vocabulary: int, device: torch.device, tolerance: float = 1e-3) -> None:
    """Refuses a model that lets a document in a window see the one before it.

    A window of two documents must give the second the logits that it has behind another first
    document of the same length. Every rank must call this (the forward pass is collective).
    """
    drawn = torch.Generator().manual_seed(0)
    first, other, second = (torch.randint(3, vocabulary, (1, 8), generator=drawn) for _ in range(3))
    ids = torch.cat([torch.cat([first, second], 1), torch.cat([other, second], 1)]).to(device)
    positions = torch.arange(8, device=device).repeat(2)[None].expand(2, -1)
    was, _ = model.training, model.eval()
    logits = model(input_ids=ids, position_ids=positions, use_cache=False).logits.float()
    model.train(was)
    leak = (logits[0, 8:] - logits[1, 8:]).abs().max().item()
    if not leak <= tolerance * max(1.0, logits.abs().max().item()):
        raise ValueError(
            f"documents packed into one window see each other in this model (logits differ by {leak:.2g}): "
            "its attention ignores position_ids. Use another --attention, or --packing concat"
        )


def size_and_flops(recipe: Recipe, config: PreTrainedConfig) -> tuple[int, int, float]:
    """Parameters, those that are trained, and floating-point operations per token, forward and backward.

    6 per weight that multiplies, and attention's 12 x layers x width x sequence: the count of PaLM's
    appendix B (arXiv 2204.02311). Looking up an embedding is no multiplication, and a weight that is
    frozen has no gradient of its own: 4.
    """
    model = empty_model(recipe, config)
    size = sum(p.numel() for p in model.parameters())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    looked_up = 0 if config.tie_word_embeddings else model.get_input_embeddings().weight.numel()
    multiplied = 4.0 * (size - looked_up) + 2.0 * (trained if recipe.lora else size - looked_up)
    return size, trained, multiplied + 12.0 * config.num_hidden_layers * config.hidden_size * recipe.sequence


def peak_flops(device: torch.device) -> float | None:
    """What the device could do, where it is known."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((flops for key, flops in PEAK_FLOPS.items() if all(word in name for word in key.split())), None)
