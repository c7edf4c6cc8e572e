"""Checkpoints: folders `step-00000040` that count only when their last file is there.

`trainer.json` (step, cursor in windows, fingerprint of the build, recipe) is written first, then
every rank's part, then the mark: DCP's own `.metadata`, or `.deepspeed`. A kill at any moment leaves
the checkpoint before it as the newest.
"""

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus.files import writing

MARKS = (".metadata", ".deepspeed")


@dataclass(frozen=True)
class State:
    """Where a training stands. `windows` were read by all ranks together: the only cursor."""

    step: int
    windows: int
    fingerprint: str
    world: int  # ranks
    recipe: dict[str, Any]
    seen: dict[str, int]  # tokens read of each group
    losses: tuple[float, ...]  # the newest, against which a spike is told
    base: str = ""  # what tells the weights that adapters were trained beside

    @staticmethod
    def new(fingerprint: str, groups: Iterable[str]) -> "State":
        return State(0, 0, fingerprint, 0, {}, dict.fromkeys(groups, 0), ())


def folder(out: Path, step: int) -> Path:
    return out / "checkpoints" / f"step-{step:08d}"


def is_whole(path: Path) -> bool:
    return (path / "trainer.json").is_file() and any((path / mark).is_file() for mark in MARKS)


def whole(out: Path) -> list[Path]:
    """The checkpoints that were finished, oldest first."""
    return [path for path in _all(out) if is_whole(path)]


def _all(out: Path) -> list[Path]:
    return sorted((out / "checkpoints").glob("step-" + "[0-9]" * 8))


def begin(path: Path, state: State) -> None:
    """Makes the folder afresh with its `trainer.json` (one rank calls this, before all save)."""
    remove(path)
    path.mkdir(parents=True)
    with writing(path / "trainer.json") as partial:
        partial.write_text(json.dumps(vars(state), indent=1) + "\n")


def read(path: Path) -> State:
    held = json.loads((path / "trainer.json").read_text())
    return State(**{**held, "losses": tuple(held["losses"])})


def remove(path: Path) -> None:
    """Takes the marks away first, so that what is half deleted does not count."""
    for mark in MARKS:
        (path / mark).unlink(missing_ok=True)
    shutil.rmtree(path, ignore_errors=True)


def prune(out: Path, keep: int) -> None:
    """Leaves the newest `keep` checkpoints and what is newer; what a kill left half written before them goes too."""
    newest = whole(out)[-keep:]
    for path in _all(out):
        if newest and path not in newest and path < newest[-1]:
            remove(path)
