"""The processes of a training: who they are, what they add up, and when they are asked to leave."""

import os
import signal
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist


@dataclass(frozen=True)
class Ranks:
    """This process among all. Ranks that share the tensors of one copy of the model read the same windows."""

    device: torch.device
    rank: int
    world: int
    local: int  # on this machine
    tensor: int = 1  # ranks that share one copy

    @property
    def reader(self) -> int:
        """Which of `readers` this rank is: readers read different windows."""
        return self.rank // self.tensor

    @property
    def readers(self) -> int:
        return self.world // self.tensor

    def summed(self, values: list[float]) -> list[float]:
        """Each value, summed over the readers, in fp64."""
        held = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(held)
        return (held / self.tensor).tolist()

    def memory(self) -> float:
        """GB held: the peak of the GPU's allocator, or this process's memory without the mapped shards."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) / 1e9
        status = Path("/proc/self/status")
        lines = status.read_text().splitlines() if status.exists() else []
        return next((int(line.split()[1]) / 1e6 for line in lines if line.startswith("RssAnon")), 0.0)


def start() -> Ranks:
    """Joins torchrun's processes, or makes a group of this one."""
    cuda, local = torch.cuda.is_available(), int(os.environ.get("LOCAL_RANK", 0))
    device = torch.device("cuda", local) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
    if "RANK" in os.environ:
        # Long enough for one rank to index a build of 129B tokens (7 minutes on one core) while others wait.
        dist.init_process_group(backend, timeout=timedelta(minutes=30))
    else:
        dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1)
    return Ranks(device, dist.get_rank(), dist.get_world_size(), local)


class Leave:
    """Notes SIGTERM (preemption), SIGUSR1 or Ctrl-C, so that the step is finished and a checkpoint written."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: object) -> None:
        self.asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a second Ctrl-C leaves at once
