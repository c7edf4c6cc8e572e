"""How much faster PMC's bucket comes with many requests open, and what the door costs on a large file.

    python -m tests.bench.fetch [--latency 0.1] [--articles 240] [--megabytes 400]

Both sides ask a server on loopback, in the same run. The peer for articles is what the published
observation did (one request after the other: 58 thread-days for three million articles); for a large
file it is the real wget, which verifies nothing.
"""

import argparse
import contextlib
import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import requests

from corpus.sources import Remote
from corpus.sources.pmc import PMC
from corpus.world import pmc
from pipelines import bundles
from pipelines.door import Door, Manners
from pipelines.download import fetch


@contextlib.contextmanager
def served(folder: Path, latency: float = 0.0) -> Iterator[str]:
    """The address of a server in a process of its own."""
    command = [sys.executable, "-m", "tests.world", str(folder), "--latency", str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def one_by_one(source: PMC, articles: int) -> float:
    """Seconds for the same articles with one request open at a time."""
    began = time.perf_counter()
    session = requests.Session()
    for remote in islice(source.listing(lambda url: session.get(url).content), articles):
        session.get(remote.url).content  # noqa: B018
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.1)
    parser.add_argument("--articles", type=int, default=240)
    parser.add_argument("--megabytes", type=int, default=400)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        pmc.write(folder / "pmc", -(-asked.articles // pmc.ARTICLES), 0)
        print(f"{asked.articles} articles, {asked.latency * 1000:.0f} ms a request")
        with served(folder, asked.latency) as url:
            source = PMC(base=f"{url}/pmc/", limit=asked.articles)
            few = max(1, asked.articles // 12)  # the slow side is measured on a part
            alone = one_by_one(source, few) / few * asked.articles
            print(f"  {'one request at a time':28} {alone:8.1f} s  {asked.articles / alone:8.1f} a second     1.0")
            for open in (4, 16, 64, 128):
                shutil.rmtree(folder / "got", ignore_errors=True)
                door = Door(replace(Manners(), per_bucket=open), bucket=True)
                began = time.perf_counter()
                bundles.fetch(source, folder / "got", door)
                took = time.perf_counter() - began
                rate = asked.articles / took
                print(f"  {f'the door, {open} open':28} {took:8.1f} s  {rate:8.1f} a second  {alone / took:6.1f}")
        body = hashlib.shake_256(b"x").digest(1 << 20) * asked.megabytes
        (folder / "file.bin").write_bytes(body)
        md5 = hashlib.md5(body).hexdigest()
        print(f"one file of {asked.megabytes} MB")
        with served(folder) as url:
            began = time.perf_counter()
            subprocess.run(["wget", "-q", "-O", folder / "wget.bin", f"{url}/file.bin"], check=True)
            peer = time.perf_counter() - began
            began = time.perf_counter()
            fetch([Remote(f"{url}/file.bin", "file.bin", f"md5:{md5}")], folder / "large")
            took = time.perf_counter() - began
            print(f"  {'wget, nothing verified':28} {peer:8.2f} s  {asked.megabytes / peer:8.0f} MB/s        1.0")
            rate = asked.megabytes / took
            print(f"  {'the door, md5 and sha256':28} {took:8.2f} s  {rate:8.0f} MB/s     {peer / took:6.2f}")


if __name__ == "__main__":
    main()
