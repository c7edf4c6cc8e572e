"""How a model lies on the ranks: FSDP2, DeepSpeed, or one process. Three values with the same five methods.

backward(loss)       adds gradients; `loss` is this rank's sum over the step's global token count
step(lr)             clips, updates, clears; returns the gradient's norm
save(folder), load(folder), wait()
"""

import contextlib
import json
import math
import os
import warnings
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import nn
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_state_dict,
    set_model_state_dict,
    set_state_dict,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, Replicate
from torch.distributed.tensor.parallel import ColwiseParallel, ParallelStyle, RowwiseParallel, parallelize_module
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from corpus.files import writing
from trainer import checkpoint, lora
from trainer.model import (
    empty_model,
    has_weights,
    layers,
    prepare,
    restore_buffers,
    safetensors_of,
    whole_model,
)
from trainer.ranks import Ranks
from trainer.recipe import Recipe

ANEW = "go on with that strategy, or write its weights with --export-hf DIR and begin anew with --model DIR"


def optimizer_groups(model: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """Weight decay on matrices; none on norms and biases, as transformers' Trainer does it."""
    named = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in named if p.ndim >= 2], "weight_decay": recipe.weight_decay},
        {"params": [p for p in named if p.ndim < 2], "weight_decay": 0.0},
    ]


def clip(model: nn.Module, largest: float, ranks: Ranks) -> float:
    """The gradient's norm; when it is above `largest` (and that is not 0), gradients are scaled down to it.

    Works on whatever mesh each gradient lies: torch's own refuses tensors of different meshes.
    """
    total = torch.zeros((), dtype=torch.float64, device=ranks.device)
    held = [p.grad for p in model.parameters() if p.grad is not None]
    for gradient in held:
        local, parts = gradient, 1
        if isinstance(gradient, DTensor):
            lies = zip(gradient.device_mesh.shape, gradient.placements, strict=True)
            local, parts = gradient.to_local(), math.prod(size for size, how in lies if not how.is_replicate())
        total += local.norm(dtype=torch.float32).double() ** 2 * parts / ranks.world  # of equal copies each in part
    dist.all_reduce(total)
    norm = float(total.sqrt())
    if largest and norm > largest:
        for gradient in held:
            (gradient.to_local() if isinstance(gradient, DTensor) else gradient).mul_(largest / (norm + 1e-6))
    return norm


def tensor_plan(model: PreTrainedModel) -> dict[str, ParallelStyle]:
    """What transformers says of the model's tensors, in torch's words."""
    styles: dict[str, ParallelStyle] = {
        "colwise": ColwiseParallel(),
        "rowwise": RowwiseParallel(),
        "colwise_gather_output": ColwiseParallel(output_layouts=Replicate()),
        "colwise_rep": ColwiseParallel(output_layouts=Replicate()),
        "embedding_rowwise": RowwiseParallel(input_layouts=Replicate()),
    }
    plan = model.tp_plan
    if not plan or not set(plan.values()) <= styles.keys():
        raise ValueError(f"--tensor: transformers has no plan for {type(model).__name__} that can be used here")
    return {name: styles[style] for name, style in plan.items()}


def adamw(model: nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    groups = [group for group in optimizer_groups(model, recipe) if group["params"]]
    several = False if recipe.tensor > 1 else None  # torch cannot update tensors of different meshes at once
    return torch.optim.AdamW(
        groups, lr=recipe.lr, betas=(recipe.beta1, recipe.beta2), eps=recipe.epsilon, foreach=several
    )


def obey(optimizer: torch.optim.Optimizer, recipe: Recipe) -> None:
    """After loading: the recipe decides, not the checkpoint. A flag may have changed it."""
    for group in optimizer.param_groups:
        group.update(betas=(recipe.beta1, recipe.beta2), eps=recipe.epsilon)
        if group["weight_decay"]:
            group["weight_decay"] = recipe.weight_decay


class Torch:
    """FSDP2 over all ranks, or (strategy single) the plain model in one process."""

    def __init__(self, recipe: Recipe, config: PreTrainedConfig, ranks: Ranks) -> None:
        self.recipe, self.ranks, device = recipe, ranks, ranks.device
        bf16 = recipe.dtype == "bf16"
        if recipe.strategy == "single":
            if self.ranks.world > 1:
                raise ValueError(
                    f"--strategy single is for one process, here are {self.ranks.world}: use fsdp2 or deepspeed"
                )
            self.model = whole_model(recipe, config)
            lora.wrap(self.model, recipe)
            lora.begin(self.model, recipe)
            self.model.to(device)
            prepare(self.model, recipe)
        else:
            self.model = self._sharded(config, bf16)
        # Without sharding, autocast plays the part of FSDP2's mixed precision: weights stay fp32.
        self.autocast = torch.autocast(device.type, torch.bfloat16, enabled=bf16 and recipe.strategy == "single")
        if recipe.compile:
            for layer in layers(self.model):
                layer.compile()
        self.optimizer = adamw(self.model, recipe)
        self._gloo = dist.new_group(backend="gloo")  # an asynchronous save must not meet training's collectives
        self._saving: Future[Any] | None = None

    def _sharded(self, config: PreTrainedConfig, bf16: bool) -> PreTrainedModel:
        model = empty_model(self.recipe, config)
        prepare(model, self.recipe)
        shape = (self.ranks.readers, self.ranks.tensor)
        grid = init_device_mesh(self.ranks.device.type, shape, mesh_dim_names=("readers", "tensor"))
        mesh = grid["readers"]
        if self.ranks.tensor > 1:
            parallelize_module(model, grid["tensor"], tensor_plan(model))
        policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
        more = {"mp_policy": policy} if bf16 else {}
        for layer in layers(model):
            fully_shard(layer, mesh=mesh, **more)
        fully_shard(model, mesh=mesh, **more)
        model.to_empty(device=self.ranks.device)
        restore_buffers(model)
        weights = get_model_state_dict(model)
        base = {lora.base_name(name): weight for name, weight in weights.items() if not lora.is_adapter(name)}
        shapes = {name: weight.shape for name, weight in weights.items() if lora.is_adapter(name)}
        folder = safetensors_of(self.recipe, base) if has_weights(self.recipe) else None
        full: dict[str, torch.Tensor] = {}
        if folder:
            dcp.load(base, storage_reader=HuggingFaceStorageReader(str(folder)))
            set_model_state_dict(model, weights)
        elif dist.get_rank() == 0:
            held = whole_model(self.recipe, config).state_dict()
            full = {name: held[lora.base_name(name)] for name in weights if name not in shapes}
        if dist.get_rank() == 0:
            full |= lora.first_values(shapes, self.recipe.seed)
        if shapes or not folder:
            options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True, strict=not folder)
            set_model_state_dict(model, full, options=options)
        return model

    def backward(self, loss: torch.Tensor) -> None:
        (loss * self.ranks.readers).backward()  # FSDP2 averages over readers; the sum is wanted

    def step(self, lr: float) -> float:
        norm = clip(self.model, self.recipe.clip, self.ranks)
        if math.isfinite(norm):  # a step with a broken gradient is not taken
            for group in self.optimizer.param_groups:
                group["lr"] = lr
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return norm

    def _state(self) -> dict[str, Any]:
        options = StateDictOptions(ignore_frozen_params=bool(self.recipe.lora))
        model, optimizer = get_state_dict(self.model, self.optimizer, options=options)
        return {"model": model, "optimizer": optimizer}

    def save(self, folder: Path, wait: bool) -> None:
        """Begins to write a checkpoint; `.metadata` comes last and makes it one."""
        self.wait()
        saving = dcp.async_save(self._state(), checkpoint_id=folder, process_group=self._gloo)
        assert isinstance(saving, Future)
        self._saving = saving
        if wait:
            self.wait()

    def wait(self) -> None:
        """Until the save that was begun is on disk; raises what went wrong in it."""
        if self._saving is not None:
            self._saving.result()
            self._saving = None

    def load(self, folder: Path, before: checkpoint.State) -> None:
        if not (folder / ".metadata").exists():
            raise ValueError(
                f"{folder} was written by --strategy deepspeed, which other strategies cannot read; {ANEW}"
            )
        state = self._state()
        dcp.load(state, checkpoint_id=folder, process_group=self._gloo)
        set_state_dict(
            self.model,
            self.optimizer,
            model_state_dict=state["model"],
            optim_state_dict=state["optimizer"],
            options=StateDictOptions(strict=not self.recipe.lora),
        )
        obey(self.optimizer, self.recipe)


class DeepSpeed:
    """ZeRO-2 (optimiser and gradients split) or ZeRO-3 (weights too), with torch's own AdamW."""

    def __init__(self, recipe: Recipe, config: PreTrainedConfig, ranks: Ranks) -> None:
        try:
            import deepspeed
        except ImportError:
            raise ValueError("--strategy deepspeed needs DeepSpeed: pip install -e '.[deepspeed]'") from None
        device, bf16 = ranks.device, recipe.dtype == "bf16"
        if device.type == "cpu":
            # Its collectives through shared memory are compiled for minutes at first use; gloo does as well.
            import deepspeed.ops

            deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
        warnings.filterwarnings("ignore", "`torch.distributed.*is deprecated", FutureWarning)  # of DeepSpeed's calls
        self.recipe, self.ranks, self.autocast = recipe, ranks, contextlib.nullcontext()
        self.settings = deepspeed_settings(recipe, bf16)
        os.environ.setdefault("LOCAL_RANK", "0")  # DeepSpeed reads it even in a single process
        deepspeed.init_distributed(dist_backend="nccl" if device.type == "cuda" else "gloo", verbose=False)
        model = self._model(config, deepspeed)
        lora.wrap(model, recipe)
        lora.begin(model, recipe)
        prepare(model, recipe)
        kept = [(m, n, b.clone()) for m in model.modules() for n, b in m._buffers.items() if b is not None]
        self.model, self.optimizer, _, _ = deepspeed.initialize(
            model=model, optimizer=adamw(model, recipe), config=self.settings
        )
        for module, name, buffer in kept:  # bf16 rounds RoPE's frequencies too: put them back
            module._buffers[name] = buffer.to(device)
        if recipe.compile:
            for layer in layers(model):
                layer.compile()
        self._owing = False

    def _model(self, config: PreTrainedConfig, deepspeed: Any) -> PreTrainedModel:
        """The whole model on every rank for ZeRO-2; split from the start, and filled by rank 0, for ZeRO-3."""
        if self.recipe.zero < 3:
            return whole_model(self.recipe, config)
        full = dict(whole_model(self.recipe, config).named_parameters()) if dist.get_rank() == 0 else {}
        with deepspeed.zero.Init(config_dict_or_path=self.settings):
            model = AutoModelForCausalLM.from_config(config, attn_implementation=self.recipe.attention)
        for name, parameter in model.named_parameters():
            with deepspeed.zero.GatheredParameters([parameter], modifier_rank=0), torch.no_grad():
                if dist.get_rank() == 0:
                    parameter.copy_(full[name])
        return model

    def backward(self, loss: torch.Tensor) -> None:
        if self._owing:  # DeepSpeed counts passes by calls of step
            self.model.step()
        self.model.backward(loss * self.ranks.world, scale_wrt_gas=False)
        self._owing = True

    def step(self, lr: float) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.model.step()
        self._owing = False
        return float(self.model.get_global_grad_norm())

    def save(self, folder: Path, wait: bool) -> None:
        self.model.save_checkpoint(
            str(folder.parent), tag=folder.name, save_latest=False, exclude_frozen_parameters=bool(self.recipe.lora)
        )
        os.sync()
        dist.barrier()
        if dist.get_rank() == 0:
            with writing(folder / ".deepspeed") as partial:
                partial.touch()
        dist.barrier()

    def wait(self) -> None:
        pass

    def load(self, folder: Path, before: checkpoint.State) -> None:
        if not (folder / ".deepspeed").exists():
            raise ValueError(f"{folder} was not written by --strategy deepspeed and cannot be read by it; {ANEW}")
        universal = self.settings.get("checkpoint", {}).get("load_universal", False)
        there = folder.with_name(f"{folder.name}-universal")
        if universal and not there.is_dir():
            raise ValueError(f"{there} does not exist; leave load_universal out, or go on with --deepspeed-config ''")
        if before.world != self.ranks.world and not universal:
            raise ValueError(
                f"{folder} was written by {before.world} ranks, and DeepSpeed cannot read it with "
                f"{self.ranks.world}. Start "
                f"{before.world} ranks, or convert it: python -m deepspeed.checkpoint.ds_to_universal --input_folder "
                f"{folder} --output_folder {there} (ZeRO-2 wants --inject_missing_state too), and continue with a "
                '--deepspeed-config that says {"checkpoint": {"load_universal": true}}'
            )
        self.model.load_checkpoint(
            str(folder.parent), tag=(there if universal else folder).name, load_module_strict=not self.recipe.lora
        )
        self.model.micro_steps = 0
        obey(self.optimizer, self.recipe)


def deepspeed_settings(recipe: Recipe, bf16: bool) -> dict[str, Any]:
    """DeepSpeed's config for a recipe, with the file that `--deepspeed-config` names laid over it."""
    settings: dict[str, Any] = {
        "train_micro_batch_size_per_gpu": recipe.batch,
        "gradient_accumulation_steps": recipe.accumulate,
        "gradient_clipping": recipe.clip,
        "zero_optimization": {"stage": recipe.zero},
        "zero_allow_untested_optimizer": True,  # torch's AdamW: DeepSpeed's own is compiled at first use
        "bf16": {"enabled": bf16},
        "data_types": {"grad_accum_dtype": "fp32"},
        "steps_per_print": 1 << 40,
    }
    if recipe.deepspeed_config:
        path = Path(recipe.deepspeed_config)
        try:
            given = json.loads(path.read_text())
        except (OSError, json.JSONDecodeError) as error:
            raise ValueError(f"--deepspeed-config {path}: cannot be read as JSON ({error})") from error
        if clash := {"optimizer", "scheduler", "train_batch_size", *settings} & given.keys() - {"zero_optimization"}:
            raise ValueError(f"--deepspeed-config {path}: the recipe decides {sorted(clash)[0]}; leave it out there")
        settings["zero_optimization"] |= given.pop("zero_optimization", {})
        settings |= given
    return settings


Engine = Torch | DeepSpeed


def make(recipe: Recipe, config: PreTrainedConfig, ranks: Ranks) -> Engine:
    """The model on the ranks, as the recipe's strategy says."""
    kind = DeepSpeed if recipe.strategy == "deepspeed" else Torch
    return kind(recipe, config, ranks)


def sharing(recipe: Recipe, world: int) -> int:
    """How many ranks share the tensors of one copy of the model. Raises ValueError when they cannot."""
    if recipe.tensor > 1 and recipe.strategy != "fsdp2":
        raise ValueError(f"--tensor {recipe.tensor} goes with --strategy fsdp2, not with {recipe.strategy}")
    if world % recipe.tensor:
        raise ValueError(f"--tensor {recipe.tensor}: {world} ranks cannot be put in groups of that size")
    return recipe.tensor
