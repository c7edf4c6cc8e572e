"""Answers of a model as they come, on disk: an evaluation that was killed goes on where it was.

One JSON line an answered group of requests, named by the digest of the requests (prompts stay out of the
file). The groups are the same whether a run was broken or not, so that a model on this machine sees the
same batches and gives the same numbers to the last digit; an endpoint's answers are kept one by one.
"""

import fcntl
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

GROUP = 64  # requests: seconds on a CPU, and large enough to fill any batch
KINDS = ("loglikelihood", "loglikelihood_rolling", "generate_until")


class Journal:
    """`about` says whose answers these are. Raises ValueError when the file holds another's."""

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        self._held: dict[str, Any] = {}
        # Generated text may repeat a patient's: this file is nobody else's to read, whatever the task.
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(
                f"another evaluation is writing to {path.parent}; wait for it, or name another --out"
            ) from error
        head = json.dumps(about, sort_keys=True)
        # A line that a kill cut short was never written.
        whole = [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
        if whole and whole[0].decode(errors="replace").rstrip("\n") != head:
            self.close()
            raise ValueError(
                f"{path.parent} holds answers of another model, or of other settings; name another --out, or delete it"
            )
        for line in whole[1:]:
            row = json.loads(line)
            self._held[row["key"]] = row["answers"]
        os.ftruncate(self._file, sum(map(len, whole)))
        os.lseek(self._file, 0, os.SEEK_END)
        if not whole:
            os.write(self._file, head.encode() + b"\n")

    def __contains__(self, key: str) -> bool:
        return key in self._held

    def __getitem__(self, key: str) -> Any:
        return self._held[key]

    def put(self, key: str, answers: Any) -> None:
        self._held[key] = answers
        os.write(self._file, json.dumps({"key": key, "answers": answers}).encode() + b"\n")

    def close(self) -> None:
        os.close(self._file)


def key_of(kind: str, requests: Sequence[Any]) -> str:
    said = json.dumps([kind, [list(each.args) for each in requests]], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def keep(lm: Any, journal: Journal, say: Callable[[str], None]) -> None:
    """Makes a harness model look into the journal before it answers, and write what it answers.

    A model with `each` (trainer.endpoint) answers one by one, in any order.
    """
    for kind in KINDS:
        setattr(lm, kind, _kept(lm, kind, getattr(lm, kind), journal, say))


def _kept(lm: Any, kind: str, ask: Callable[..., list[Any]], journal: Journal, say: Callable[[str], None]) -> Any:
    size = 1 if hasattr(lm, "each") else GROUP

    def answered(requests: list[Any], **_: Any) -> list[Any]:
        groups = [requests[start : start + size] for start in range(0, len(requests), size)]
        keys = [key_of(kind, group) for group in groups]
        missing = {key: group for key, group in zip(keys, groups, strict=True) if key not in journal}
        began, done = time.monotonic(), 0

        def put(key: str, answers: list[Any]) -> None:
            nonlocal done
            journal.put(key, answers)
            before, done = done, done + len(answers)
            if done == total or done * 10 // total > before * 10 // total:
                say(f"  {kind}: {done:,} of {total:,} requests, {time.monotonic() - began:.0f} s")

        total = sum(map(len, missing.values()))
        if total < len(requests):
            say(f"  {kind}: {len(requests) - total:,} answers are there already")
        if hasattr(lm, "each"):
            names = list(missing)
            lm.each(kind, [missing[key][0] for key in names], lambda number, answer: put(names[number], [answer]))
        else:
            for key, group in missing.items():
                put(key, ask(group, disable_tqdm=True))
        answers = [answer for key in keys for answer in journal[key]]
        return [tuple(each) if isinstance(each, list) else each for each in answers]

    return answered


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
