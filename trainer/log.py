"""What a training says: JSON lines in a file, a short line on the console, TensorBoard and wandb on request."""

import importlib.util
import json
from pathlib import Path
from typing import Any


class Log:
    """Written by one rank. `OUT/log.jsonl` holds one curve: a resumed run cuts off what it will do again."""

    def __init__(self, out: Path, active: bool, step: int, wandb: str | None, config: dict[str, Any]) -> None:
        self.active, self._board, self._wandb = active, None, None
        if not active:
            return
        path = out / "log.jsonl"
        kept = [line for line in path.read_text().splitlines() if _step(line) <= step] if path.exists() else []
        path.write_text("".join(line + "\n" for line in kept))
        self._file = open(path, "a", buffering=1)  # noqa: SIM115 (lives as long as the run)
        if importlib.util.find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(out / "tensorboard"), purge_step=step + 1)
        if wandb:
            import wandb as service

            settings = service.Settings(console="off")  # numbers only: no ids of documents leave this machine
            self._wandb = service.init(
                project=wandb, config=config, dir=str(out), id=out.name, resume="allow", settings=settings
            )

    def say(self, line: str) -> None:
        if self.active:
            print(line, flush=True)

    def write(self, step: int, **values: Any) -> None:
        """One JSON line; numbers (and dicts of numbers) also go to TensorBoard and wandb."""
        if not self.active:
            return
        self._file.write(json.dumps({"step": step, **values}) + "\n")
        flat: dict[str, float] = {}
        for name, value in values.items():
            parts = value.items() if isinstance(value, dict) else [("", value)]
            flat |= {f"{name}/{part}".rstrip("/"): x for part, x in parts if isinstance(x, int | float)}
        if self._board is not None:
            for name, value in flat.items():
                self._board.add_scalar(name, value, step)
        if self._wandb is not None:
            self._wandb.log(flat, step=step)

    def close(self) -> None:
        if self.active:
            self._file.close()
        for each in (self._board, self._wandb):
            if each is not None:
                getattr(each, "close", getattr(each, "finish", None))()


def _step(line: str) -> int:
    """The step of a line; a line that a kill cut short counts as never reached."""
    try:
        return int(json.loads(line)["step"])
    except (json.JSONDecodeError, KeyError):
        return 1 << 62
