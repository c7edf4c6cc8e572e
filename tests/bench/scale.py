"""A build of a million documents: `python -m tests.bench.scale [DOCUMENTS] [--workers N] [--keep DIR]`.

Abstracts (70 %), notes (5 %) and web pages (25 %) of about 200 words, in their publishers' formats, put together
by chance from the sentences of the miniature world: as varied as that, and quickly made. Prints what
each stage took, CPU seconds of all processes, documents a CPU second, the largest memory of all
processes (shared pages counted once; pages of mapped files apart, which the kernel takes back when it
must), and what lies on disk.
"""

import argparse
import csv
import gzip
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from html import escape
from pathlib import Path

from corpus import manifest, sample
from corpus.sources.pubmed import PubMed
from corpus.sources.redpajama import RedPajama
from pipelines.progress import amount
from pipelines.raw import listing

MARK = "SCALE_BENCH"
PER_FILE = 30_000  # records, as in NLM's own files


def sentences(folder: Path) -> list[str]:
    """Sentences of the miniature world's abstracts and pages."""
    sample.make(folder / "world")
    found: dict[str, None] = {}
    for source, below in ((PubMed(), "pubmed"), (RedPajama(), "redpajama")):
        for name, path in listing(source, folder / "world" / below):
            for document in source.read(path, name):
                found |= dict.fromkeys(re.findall(r"[A-Z][^.\n]{30,240}\.", document.text))
    return list(found)


def write(folder: Path, documents: int) -> Path:
    """The raw files; made once."""
    raw = folder / "raw"
    if (folder / "made").exists():
        return raw
    drawn = random.Random(0)
    bank = sentences(folder)
    print(f"{len(bank):,} sentences", flush=True)
    counts = {"pubmed": documents * 70 // 100, "notes": documents * 5 // 100, "redpajama": documents * 25 // 100}
    makers = {"pubmed": _abstracts, "notes": _notes, "redpajama": _pages}
    for name, count in counts.items():
        for number, first in enumerate(range(0, count, PER_FILE)):
            texts = (" ".join(drawn.choices(bank, k=drawn.randint(8, 16))) for _ in range(min(PER_FILE, count - first)))
            makers[name](raw / name, number, first, texts)
    (folder / "made").touch()
    return raw


def _abstracts(folder: Path, number: int, first: int, texts: Iterable[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(folder / f"pubmed26n{number + 1:04d}.xml.gz", "wt", 1, encoding="utf-8") as file:
        file.write('<?xml version="1.0" encoding="utf-8"?>\n<PubmedArticleSet>\n')
        for pmid, text in enumerate(texts, 20_000_000 + first):
            title, _, rest = text.partition(". ")
            file.write(
                f'<PubmedArticle><MedlineCitation Status="MEDLINE"><PMID Version="1">{pmid}</PMID><Article>'
                f"<Journal><Title>Made</Title><JournalIssue><PubDate><Year>2020</Year></PubDate></JournalIssue></Journal>"
                f"<ArticleTitle>{escape(title)}.</ArticleTitle><Abstract><AbstractText>{escape(rest)}</AbstractText>"
                "</Abstract><Language>eng</Language><PublicationTypeList><PublicationType>Journal Article"
                "</PublicationType></PublicationTypeList></Article></MedlineCitation></PubmedArticle>\n"
            )
        file.write("</PubmedArticleSet>\n")


def _notes(folder: Path, number: int, first: int, texts: Iterable[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"notes-{number:04d}.csv", "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["note_id", "patient_id", "text"])
        rows.writerows([place, place // 5, text] for place, text in enumerate(texts, first))


def _pages(folder: Path, number: int, first: int, texts: Iterable[str]) -> None:
    path = folder / f"c4/c4-train.{number:05d}-of-01024.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        for place, text in enumerate(texts, first):
            about = {"url": f"https://example.org/{place}", "source": "c4", "language": "en"}
            file.write(json.dumps({"text": text, "meta": about}) + "\n")


class Watch(threading.Thread):
    """Memory and CPU of all processes that carry a mark in their environment: Ray's daemons and workers do, too."""

    def __init__(self, mark: str) -> None:
        super().__init__(daemon=True)
        self.mark = f"{MARK}={mark}".encode()
        self.peak = (0, 0)  # bytes that processes hold, and of mapped files beside; shared pages counted once
        self.cpu: dict[int, float] = {}  # seconds of each process, those that have ended included
        self.start()

    def run(self) -> None:
        while True:
            found = [self._process(folder) for folder in list(Path("/proc").glob("[0-9]*"))]
            self.peak = max(self.peak, (sum(own for own, _ in found), sum(mapped for _, mapped in found)))
            time.sleep(1)

    def _process(self, folder: Path) -> tuple[int, int]:
        try:
            if self.mark not in (folder / "environ").read_bytes().split(b"\0"):
                return 0, 0
            times = (folder / "stat").read_text().rpartition(")")[2].split()
            self.cpu[int(folder.name)] = (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")
            rollup = dict(re.findall(r"^(Pss_\w+):\s+(\d+) kB", (folder / "smaps_rollup").read_text(), re.M))
            held = {name: int(size) * 1024 for name, size in rollup.items()}
            return held.get("Pss_Anon", 0) + held.get("Pss_Shmem", 0), held.get("Pss_File", 0)
        except OSError:
            return 0, 0  # it has ended


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("documents", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="make and keep everything here")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="scale-") as name:
        folder = given.keep or Path(name)
        raw = write(folder, given.documents)
        line = [sys.executable, "-m", "pipelines.build", "--mix", "15:1:4", "--raw", str(raw)]
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
        own, mapped = (amount(part, "B") for part in watch.peak)
        print(f"memory at most {own}, with {mapped} of mapped files then; on disk {amount(size, 'B')} with all layers")


if __name__ == "__main__":
    main()
