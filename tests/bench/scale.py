"""A build of a million sample documents: `python -m tests.bench.scale [DOCUMENTS] [--workers N] [--keep DIR]`.

Makes the miniature world that large, fetches it from its own files as a build does, and builds it.
Prints what each stage took, CPU seconds of all processes, documents and tokens a CPU second, the
largest memory of the whole process tree (proportional set size, shared pages counted once), and what
lies on disk.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from corpus import manifest, sample
from pipelines.download import fetch_source
from pipelines.progress import amount
from pipelines.recipe import WORLD

MARK = "SCALE_BENCH"
PER_SIZE = 3_888  # documents that a world of size 1 holds


def world(folder: Path, documents: int) -> Path:
    """The raw files of a world of so many documents, fetched from its own; made once."""
    raw = folder / "raw"
    if not (folder / "fetched").exists():
        sample.make(folder / "world", size=max(1, round(documents / PER_SIZE)))
        bases = sample.bases(folder / "world")
        for stream in WORLD.streams:
            source: Any = stream.source
            fetch_source(replace(source, base=bases[source.name]), raw / source.name)
        (folder / "fetched").touch()
    return raw


class Watch(threading.Thread):
    """Memory and CPU of all processes that carry a mark in their environment: Ray's daemons and workers do, too."""

    def __init__(self, mark: str) -> None:
        super().__init__(daemon=True)
        self.mark = f"{MARK}={mark}".encode()
        self.peak = 0  # bytes, shared pages counted once
        self.cpu: dict[int, float] = {}  # seconds of each process, those that have ended included
        self.start()

    def run(self) -> None:
        while True:
            self.peak = max(self.peak, sum(map(self._process, list(Path("/proc").glob("[0-9]*")))))
            time.sleep(1)

    def _process(self, folder: Path) -> int:
        try:
            if self.mark not in (folder / "environ").read_bytes().split(b"\0"):
                return 0
            times = (folder / "stat").read_text().rpartition(")")[2].split()
            self.cpu[int(folder.name)] = (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")
            found = re.search(r"^Pss:\s+(\d+) kB", (folder / "smaps_rollup").read_text(), re.M)
            return int(found[1]) * 1024 if found else 0
        except OSError:
            return 0  # it has ended


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("documents", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="make and keep everything here")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="scale-") as name:
        folder = given.keep or Path(name)
        raw = world(folder, given.documents)
        line = [sys.executable, "-m", "pipelines.build", "--mix", "15:1:4", "--recipe", "world", "--raw", str(raw)]
        line += ["--benchmarks", str(folder / "world/benchmarks"), "--out", str(folder / "out")]
        began = time.monotonic()
        watch = Watch(str(os.getpid()))
        line += ["--workers", str(given.workers)]
        process = subprocess.Popen(line, stderr=subprocess.PIPE, text=True, env=os.environ | {MARK: str(os.getpid())})
        for told in process.stderr or ():
            if re.search(r" made in | there already", told):
                print(f"{time.monotonic() - began:8.0f} s {told.rstrip()}", flush=True)
            elif "error" in told:
                print(told, end="", flush=True)
        assert process.wait() == 0, "the build failed"
        wall = time.monotonic() - began
        content = manifest.load(folder / "out/build")
        read = sum(file["documents"] for source in content["sources"] for file in source["files"])
        bytes = sum(file["bytes"] for source in content["sources"] for file in source["files"])
        size = sum(path.stat().st_size for path in (folder / "out").rglob("*") if path.is_file())
        tokens, cpu = content["tokens"], sum(watch.cpu.values())
        print(f"{read:,} documents, {amount(bytes, 'B')} of raw files, {amount(tokens)} tokens in the stream")
        print(f"{wall:.0f} s, {cpu:.0f} CPU s of all processes: {read / cpu:,.0f} documents a CPU second")
        print(f"memory at most {amount(watch.peak, 'B')}; on disk {amount(size, 'B')} with all layers")


if __name__ == "__main__":
    main()
