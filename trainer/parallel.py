"""How a model lies on the ranks: FSDP2, DeepSpeed, or one process. Three values with the same five methods.

backward(loss)       adds gradients; `loss` is this rank's sum over the step's global token count
step(lr)             clips, updates, clears; returns the gradient's norm
save(folder), load(folder), wait()
"""

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_state_dict,
    set_model_state_dict,
    set_state_dict,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from transformers import PreTrainedConfig, PreTrainedModel

from trainer.model import empty_model, layers, prepare, restore_buffers, whole_model
from trainer.recipe import Recipe


def optimizer_groups(model: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """Weight decay on matrices; none on norms and biases, as transformers' Trainer does it."""
    named = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in named if p.ndim >= 2], "weight_decay": recipe.weight_decay},
        {"params": [p for p in named if p.ndim < 2], "weight_decay": 0.0},
    ]


def adamw(model: nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    groups = [group for group in optimizer_groups(model, recipe) if group["params"]]
    return torch.optim.AdamW(groups, lr=recipe.lr, betas=(recipe.beta1, recipe.beta2), eps=recipe.epsilon)


class Torch:
    """FSDP2 over all ranks, or (strategy single) the plain model in one process."""

    def __init__(self, recipe: Recipe, config: PreTrainedConfig, device: torch.device, bf16: bool) -> None:
        self.recipe, self.device, self.world = recipe, device, dist.get_world_size()
        if recipe.strategy == "single":
            if self.world > 1:
                raise ValueError(f"--strategy single is for one process, here are {self.world}: use fsdp2 or deepspeed")
            self.model = whole_model(recipe, config).to(device)
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
        mesh = init_device_mesh(self.device.type, (self.world,))
        policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
        more = {"mp_policy": policy} if bf16 else {}
        for layer in layers(model):
            fully_shard(layer, mesh=mesh, **more)
        fully_shard(model, mesh=mesh, **more)
        model.to_empty(device=self.device)
        restore_buffers(model)
        full = whole_model(self.recipe, config).state_dict() if dist.get_rank() == 0 else {}
        options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True, strict=True)
        set_model_state_dict(model, full, options=options)
        return model

    def backward(self, loss: torch.Tensor) -> None:
        (loss * self.world).backward()  # FSDP2 averages over ranks; the sum is wanted

    def step(self, lr: float) -> float:
        largest = self.recipe.clip or float("inf")
        norm: Any = nn.utils.clip_grad_norm_(self.model.parameters(), largest)
        norm = float(norm.full_tensor() if hasattr(norm, "full_tensor") else norm)
        if norm == norm and norm != float("inf"):  # a step with a broken gradient is not taken
            for group in self.optimizer.param_groups:
                group["lr"] = lr
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return norm

    def _state(self) -> dict[str, Any]:
        model, optimizer = get_state_dict(self.model, self.optimizer)
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

    def load(self, folder: Path) -> None:
        state = self._state()
        dcp.load(state, checkpoint_id=folder, process_group=self._gloo)
        set_state_dict(self.model, self.optimizer, model_state_dict=state["model"], optim_state_dict=state["optimizer"])
        # The recipe decides, not the checkpoint: weight decay and betas may have been changed by a flag.
        fresh = adamw(self.model, self.recipe)
        for group, wanted in zip(self.optimizer.param_groups, fresh.param_groups, strict=True):
            group.update({name: wanted[name] for name in ("weight_decay", "betas", "eps")})


def make(recipe: Recipe, config: PreTrainedConfig, device: torch.device, bf16: bool) -> Torch:
    """The model on the ranks, as the recipe's strategy says."""
    return Torch(recipe, config, device, bf16)
