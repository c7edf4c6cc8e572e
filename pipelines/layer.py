"""Runs a function over many files, on Ray or in this process, and keeps what is finished.

A *layer* is a folder named by the digest of the work that fills it; a file in it is named by its
raw file and the digest of what it was made from. A file that exists is whole and right, so a layer
is finished by making the files that are missing, after any interruption, in any order, by any
number of workers. Only paths and small values pass through Ray; payloads go through files.

Without `ray.init()` everything runs here, in order, under a debugger if need be.
"""

import os
import re
import socket
import sys
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from corpus.files import BadInput, text_digest
from pipelines.progress import Progress, say

IN_FLIGHT = 4  # tasks handed to Ray per core before one must end: enough to hide its dispatch
PATIENCE = 10.0  # seconds in which a cluster's head must answer
BEAT = 5.0  # seconds without a finished file until the progress line is told again
RETRIES = 3  # of a task whose worker died; tasks write whole files or none, so again is safe


@dataclass(frozen=True)
class Layer:
    """The folder for what `work` makes: <root>/<label>-<digest of repr(work)>."""

    root: Path
    label: str
    work: str

    @property
    def folder(self) -> Path:
        return self.root / f"{self.label}-{short(text_digest(self.work))}"

    def key(self, upstream: str) -> str:
        """The key of a file made by this layer's work from something with the key `upstream`."""
        return text_digest(f"{upstream} {self.work}")

    def path(self, name: str, upstream: str, ending: str = ".arrow") -> Path:
        """Where the file made from raw file `name` with key `upstream` lies, if it is finished."""
        plain = re.sub(r"[^A-Za-z0-9.]+", "_", name)[-80:]
        return self.folder / f"{plain}-{short(text_digest(f'{name} {upstream}'))}{ending}"


def short(digest: str) -> str:
    """The first 12 hexadecimal digits (48 bits) of a `sha256:…` or bare digest, for names of files."""
    return digest.split(":")[-1][:12]


def start(workers: int, address: str | None = None) -> None:
    """Joins a Ray cluster, or starts Ray here when more than one worker is asked for."""
    if address is None and workers <= 1:
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # local sessions ask nobody for a token
    paths = [path for path in sys.path if path] + [os.getcwd()]
    here: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is None:
        os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
        # "local": a cluster that runs on this machine, or RAY_ADDRESS, is not asked for. Payloads go through files,
        # so the object store needs next to nothing.
        here |= {"address": "local", "num_cpus": workers, "include_dashboard": False, "object_store_memory": 100 << 20}
    else:
        here |= {"address": address}
    try:
        if address is not None:
            _answers(address)
        ray.init(**here)
    except ConnectionError as error:
        raise ValueError(
            f"no Ray cluster answers at {address!r} ({error}); start one with `ray start --head`, "
            "or leave --ray-address out to run on this machine"
        ) from error


def _answers(address: str) -> None:
    """Raises ConnectionError when nobody listens at a cluster's host and port, for which Ray itself waits minutes."""
    place = urllib.parse.urlsplit(address if "//" in address else f"//{address}")
    if place.port is not None:
        try:
            socket.create_connection((place.hostname, place.port), timeout=PATIENCE).close()
        except OSError as error:
            raise ConnectionError(str(error)) from error


def stop() -> None:
    if ray.is_initialized():
        ray.shutdown()


def _call(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, BaseException | None]:
    """The function's result, or the user's error that it ended with; other errors are raised."""
    try:
        return function(*arguments), None
    except ValueError as error:
        return None, error


def _call_in(folder: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, BaseException | None]:
    """The same in a worker: relative paths begin where the build was begun, and a cluster's workers elsewhere."""
    if os.path.isdir(folder):  # a machine that does not share it may still share what absolute paths name
        os.chdir(folder)
    return _call(function, arguments)


def _outcomes(function: Callable[..., Any], jobs: Sequence[tuple[Any, ...]]) -> Iterator[tuple[int, Any] | None]:
    """(index, outcome) of every job, as they end; None now and then while all are still at work."""
    if not ray.is_initialized():
        for index, arguments in enumerate(jobs):
            yield index, _call(function, arguments)
        return
    task = ray.remote(num_cpus=1, max_retries=RETRIES)(_call_in)
    folder, shared = os.getcwd(), ray.put(function)
    limit = max(2, IN_FLIGHT * int(ray.cluster_resources().get("CPU", 1)))
    waiting: dict[Any, int] = {}
    following = iter(range(len(jobs)))
    for index in following:
        waiting[task.remote(folder, shared, jobs[index])] = index
        if len(waiting) >= limit:
            break
    while waiting:
        done, _ = ray.wait(list(waiting), num_returns=1, timeout=BEAT)
        if not done:
            yield None
            continue
        (ready,) = done
        index = waiting.pop(ready)
        try:
            outcome = ray.get(ready)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        yield index, outcome
        for following_index in following:
            waiting[task.remote(folder, shared, jobs[following_index])] = following_index
            break


def do(work: Callable[..., None], *arguments: Any) -> None:
    """What `run` calls where every job has a work of its own."""
    work(*arguments)


def run(
    function: Callable[..., Any],
    jobs: Sequence[tuple[Any, ...]],
    label: str,
    weights: Sequence[float] | None = None,
    unit: str = "B",
    there: int = 0,
) -> list[Any]:
    """`[function(*job) for job in jobs]`, in their order, however many workers there are.

    `weights` (bytes, say) make rates and times left; heavy jobs start first. `there` is how many
    pieces the stage found finished. A ValueError ends its own job only: the others go on, so that
    nothing finished is lost and all the bad files are named at once, in one BadInput, at the end.
    """
    given = list(weights) if weights is not None else [1.0] * len(jobs)
    order = sorted(range(len(jobs)), key=lambda index: -given[index])
    progress = Progress(label, len(jobs) + there, sum(given), unit if weights is not None else "")
    progress.done = there
    results: list[Any] = [None] * len(jobs)
    failures: list[tuple[int, BaseException]] = []
    for outcome in _outcomes(function, [jobs[index] for index in order]):
        if outcome is None:
            progress.beat()
            continue
        place, (result, error) = outcome
        index = order[place]
        if error is not None:
            failures.append((index, error))
            say(f"  {label}: {error}")
        results[index] = result
        progress.step(given[index])
    progress.end(len(jobs))
    if failures:
        failures.sort(key=lambda failure: failure[0])
        if len(failures) == 1:
            raise failures[0][1]
        told = "\n".join(f"- {error}" for _, error in failures[:20])
        raise BadInput(f"{len(failures)} of {len(jobs)} files could not be used:\n{told}") from failures[0][1]
    return results
