"""One document, once, whatever the machine: memory, kills and workers change nothing but time."""

import hashlib
import os
import random
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from corpus import ledger
from corpus.document import Document
from pipelines import dedup, layer
from pipelines.dedup import Duplicates, Part
from tests.crowd import crowd, part, prose

ROOT = Path(__file__).parent.parent
SETTINGS = Duplicates(planted=40)


def library(seed: int) -> list[Document]:
    """A crowd, and articles with abstracts, revisions, retractions and names that are shared wrongly."""
    documents = crowd(seed)
    for number in range(40):
        names = {
            "pmid": number,
            "pmcid": f"PMC{number // 2 if number % 7 == 0 else number}",
            "doi": f"10.1/{number % 23}",
        }
        text = " ".join(prose(9000 + number, 60))
        documents.append(Document(f"pmc:{number}", "pmc", text * 3, meta={"kind": "fulltext", **names}))
        for revision in range(number % 3):
            meta = {"kind": "abstract", "revision": [revision], **names}
            if number % 11 == 5:
                meta["retracted"] = "retracted publication"
            documents.append(Document(f"pubmed:{number}", "pubmed", text, meta=meta))
    random.Random(seed).shuffle(documents)
    return documents


def signed(folder: Path, settings: Duplicates, run=dedup.in_process, order: str = "abc") -> list[tuple[Part, Path]]:
    """Three parts with their signatures."""
    folder.mkdir(exist_ok=True)
    documents = library(7)
    parts = [part(folder, name, documents["abc".index(name) :: 3]) for name in order]
    signatures = [folder / f"{one.key}.signature.arrow" for one in parts]
    jobs = [(one.shard, out, settings) for one, out in zip(parts, signatures, strict=True) if not out.exists()]
    run(dedup.sign, jobs, "sign")
    return list(zip(parts, signatures, strict=True))


def resolve(folder: Path, settings: Duplicates = SETTINGS, run=dedup.in_process, order: str = "abc") -> str:
    """The digest of everything that a resolution leaves."""
    dedup.resolve(*zip(*signed(folder, settings, run, order), strict=True), folder / "verdicts", settings, run)
    whole = hashlib.sha256()
    for path in sorted((folder / "verdicts").iterdir()):
        whole.update(path.name.encode() + path.read_bytes())
    return whole.hexdigest()


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> str:
    """The digest that every way of running must come to."""
    return resolve(tmp_path_factory.mktemp("whole"))


def shuffled(function, jobs, label):
    """Runs jobs out of order, as workers do."""
    order = list(range(len(jobs)))
    random.Random(label).shuffle(order)
    results = {place: function(*jobs[place]) for place in order}
    return [results[place] for place in range(len(jobs))]


@pytest.mark.parametrize("share", [700, 2_500])
def test_the_order_of_files_and_the_size_of_memory_change_nothing(tmp_path: Path, whole, monkeypatch, share) -> None:
    """Tasks that hold almost nothing cut every phase into many ranges, runs and blocks."""
    monkeypatch.setattr(dedup, "LEAST", share)
    jobs: dict[str, int] = {}

    def counting(function, given, label):
        jobs[label] = max(jobs.get(label, 0), len(given))
        return shuffled(function, given, label)

    assert resolve(tmp_path / "a", replace(SETTINGS, memory=1), counting, "cab") == whole
    for label in ("revisions", "joins", "publications", "exact copies", "bands", "verify", "settle"):
        assert jobs[label] > (32 if label == "bands" else 1), f"{label} was not cut"


def dying(phase: str):
    """A run that is killed with SIGKILL in a phase, when half of its jobs are done and a file is half written."""

    def run(function, jobs, label):
        if label == phase:
            dedup.in_process(function, jobs[: len(jobs) // 2], label)
            os.replace = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)
        return dedup.in_process(function, jobs, label)

    return run


PHASES = (
    *("sign", "facts", "revisions", "joins", "publications", "exact copies", "plant", "bands", "verify", "settle"),
    *("ids", "verdicts"),
)


def test_a_run_that_is_killed_in_any_phase_goes_on_to_the_same_bytes(tmp_path: Path, whole) -> None:
    """One folder, killed in one phase after the other; each run uses what the one before left."""
    labels: list[str] = []

    def listing(function, jobs, label):
        labels.append(label)
        return dedup.in_process(function, jobs, label)

    assert resolve(tmp_path / "listed", run=listing) == whole
    assert tuple(dict.fromkeys(labels)) == PHASES
    broken = tmp_path / "broken"
    for phase in PHASES:
        child = os.fork()
        if child == 0:
            signal.alarm(120)  # rather dead than waiting for ever
            try:
                resolve(broken, run=dying(phase))
            finally:
                os._exit(0)  # the test's own process goes on from here
        status = os.waitpid(child, 0)[1]
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, f"{phase} was not killed"
        assert list(broken.rglob("*.partial")), f"{phase} was killed between files"
    assert resolve(broken) == whole
    assert not (broken / "verdicts" / "work").exists()


def test_four_workers_come_to_the_same_bytes(tmp_path: Path, whole) -> None:
    """Two are held to one by a whole build (test_build)."""
    layer.start(4)
    try:
        assert resolve(tmp_path, run=layer.run) == whole
    finally:
        layer.stop()


MEASURED = """
import sys, threading, time
from pathlib import Path
from pipelines import dedup
from pipelines.dedup import Duplicates, Part

def held():
    return next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith("RssAnon"))

def resolve(folder, parts, memory):
    settings = Duplicates(planted=0, memory=memory, wipeout=1.0)
    signatures = [folder / f"{part.key}.signature.arrow" for part in parts]
    for part, out in zip(parts, signatures):
        if not out.exists():
            dedup.sign(part.shard, out, settings)
    dedup.resolve(parts, signatures, folder / "verdicts", settings)

def parts(folder, count):
    return [Part(f"p{n}", folder / f"p{n}.arrow", folder / f"p{n}.ledger.arrow") for n in range(count)]

few, many = map(Path, sys.argv[1:3])
resolve(few, parts(few, 1), 1)  # loads everything
before, peak = held(), 0
dedup._PROCESS, dedup.LEAST = before, 1 << 20
over = threading.Event()

def watch():
    global peak
    while not over.wait(0.002):
        peak = max(peak, held())

watcher = threading.Thread(target=watch)
watcher.start()
resolve(many, parts(many, 3), before + int(sys.argv[3]))
over.set()
watcher.join()
print(peak - before)
"""


def many(folder: Path, count: int, parts: int) -> None:
    """Texts of 12 words: a third once, a third with an exact copy among others, a third with a near copy."""
    folder.mkdir()
    draw = np.random.default_rng(1)
    words = draw.integers(0, 10**7, (count, 12))
    words[count // 3 : 2 * count // 3] = words[: count // 3][::-1]
    words[2 * count // 3 :, :11] = words[: count - 2 * count // 3, :11]
    digits = (words[:, :, None] // 10 ** np.arange(6, -1, -1) % 10 + ord("0")).astype(np.uint8)
    letters = np.concatenate([digits, np.full((count, 12, 1), ord(" "), np.uint8)], axis=2).reshape(count, -1)
    for number, rows in enumerate(np.array_split(np.arange(count), parts)):
        ends = np.arange(len(rows) + 1, dtype=np.int32) * letters.shape[1]
        buffers = [None, pa.py_buffer(ends), pa.py_buffer(letters[rows].tobytes())]
        texts = pa.Array.from_buffers(pa.string(), len(rows), buffers)
        ids = pa.array([f"w:{row}" for row in rows])
        with pa.ipc.new_file(str(folder / f"p{number}.arrow"), pa.schema({"text": pa.string()})) as file:
            file.write_table(pa.table({"text": texts}), max_chunksize=1024)
        held = {"id": ids, "source": pa.array(["w"] * len(rows)), "file": pa.array([str(number)] * len(rows))}
        held |= {"position": pa.array(rows), "status": pa.array(["kept"] * len(rows)), "chars": pa.array(rows)}
        columns = [held.get(field.name, pa.nulls(len(rows), field.type)) for field in ledger.SIFTED]
        with pa.ipc.new_file(str(folder / f"p{number}.ledger.arrow"), ledger.SIFTED) as file:
            file.write_table(pa.table(columns, schema=ledger.SIFTED), max_chunksize=8192)


def test_memory_holds_what_it_is_given_and_gives_the_same(tmp_path: Path) -> None:
    """Arrays of a process: with little memory they stay within it, with much they grow beyond."""
    many(tmp_path / "few", 300, 1)
    more, verdicts = {}, []
    for memory in (76 << 20, 4 << 30):
        many(tmp_path / str(memory), 300_000, 3)
        command = [sys.executable, "-c", MEASURED, str(tmp_path / "few"), str(tmp_path / str(memory)), str(memory)]
        more[memory] = int(subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT).stdout)
        paths = sorted((tmp_path / str(memory) / "verdicts").iterdir())
        verdicts.append([(path.name, path.read_bytes()) for path in paths])
    assert more[76 << 20] < 76 << 20 < more[4 << 30], more
    assert verdicts[0] == verdicts[1]
