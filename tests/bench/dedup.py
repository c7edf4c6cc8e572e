"""Near duplicates, the whole job, beside other programs: `python -m tests.bench.dedup`.

Makes corpora of about 200 words a document with planted copies (a third: exact, in capitals, without
commas, with 1 to 20 % of words changed, with boilerplate, cut; clusters of 2 to 11 and one of 100),
or takes the paragraphs of real texts with `--texts`. Every program reads the same Arrow files and
writes the ids that it would remove; a process tree's CPU seconds and peak memory (PSS) are measured
from outside. Peers run under the interpreters of `--peers` (those in which they can be imported):

    python -m tests.bench.dedup --documents 50000 100000 200000 300000 --folder /tmp/bench --peers PEERS/bin/python

Programs that take more than half a millisecond a document run on one small corpus (SLOW), and their
speed there is compared with this project's on the first one. The slope: `--documents
50000 200000 1000000 --only "this project"`; with `--workers 2` tasks run on Ray, whose workers' CPU
seconds are not seen. Speeds are documents per CPU second, start included. `--kernels` measures the
loops alone.
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pyarrow as pa

HERE = Path(__file__).resolve()
SHARDS = 8
EDITS = {
    **{"exact": 25, "capitals": 4, "commas": 4, "edit 1%": 12, "edit 2%": 12, "edit 5%": 13},
    **{"edit 10%": 10, "edit 15%": 6, "edit 20%": 6, "boilerplate": 5, "cut": 3},
}
BOILER = "copyright held by the authors all rights reserved see the terms of use for what may be done with this page"
JUDGED = 20_000  # planted copies whose true Jaccard is computed, for recall by similarity
PROGRAMS = ("this project", "gaoya", "rensa", "datasketch", "text-dedup", "datatrove")
SLOW = {"datasketch": 50_000, "text-dedup": 10_000, "datatrove": 10_000}  # documents that they get
RECALLS = ("rec@.9", "rec@.8", "rec@.7")
TIMEOUT = 3000


# -- corpora ---------------------------------------------------------------------------------


def invented(seed: int) -> Iterator[list[str]]:
    """Documents of 100 to 280 words: Zipf's law over 40,000 made words, shorter ones more often."""
    draw = np.random.default_rng(seed)
    letters = np.array(list("etaoinshrdlucmfwypvbgk"))
    weights = np.arange(len(letters), 0, -1) ** 1.2
    words = []
    for number in range(40_000):
        length = int(min(14, 2 + draw.poisson(min(7.0, 0.8 + number / 400))))
        words.append("".join(draw.choice(letters, length, p=weights / weights.sum())))
    chance = np.cumsum(1 / np.arange(2, len(words) + 2))
    held = np.array(words, object)
    while True:
        lengths = draw.integers(100, 281, 512)
        taken = held[np.searchsorted(chance / chance[-1], draw.random(int(lengths.sum())))]
        for part in np.split(taken, np.cumsum(lengths)[:-1]):
            yield part.tolist()


def quoted(files: list[Path]) -> Iterator[list[str]]:
    """Runs of about 190 words of real layer files, each once."""
    for file in files:
        reader = pa.ipc.open_file(pa.memory_map(str(file)))
        for number in range(reader.num_record_batches):
            for text in reader.get_batch(number).column("text").to_pylist():
                words = text.split()
                for first in range(0, len(words) - 149, 190):
                    yield words[first : first + 190]


def edited(words: list[str], kind: str, draw: random.Random) -> str:
    """One copy of a document."""
    words = list(words)
    if kind.startswith("edit"):
        for place in draw.sample(range(len(words)), max(1, int(kind[5:-1]) * len(words) // 100)):
            words[place] = f"{draw.choice(words)}{draw.randrange(100)}"
    elif kind == "boilerplate":
        words = [*BOILER.split()[: draw.randrange(4, 20)], *words]
    elif kind == "cut":
        words = words[: len(words) * draw.randrange(70, 98) // 100]
    text = prose(words)
    if kind == "capitals":
        return text.upper()
    return text.lower().replace(",", "") if kind == "commas" else text


def prose(words: list[str]) -> str:
    """Words with sentences and commas."""
    pieces = [" ".join(words[first : first + 9]) for first in range(0, len(words), 9)]
    return "".join(piece + (". " if number % 2 else ", ") for number, piece in enumerate(pieces)).strip()


def shingles(text: str) -> set[str]:
    words = re.findall(r"[^\W_]+", text.lower())
    return {" ".join(words[place : place + 5]) for place in range(max(1, len(words) - 4))}


def make(folder: Path, documents: int, texts: list[Path]) -> None:
    """Layer files, ledgers and the truth: cluster, copy and true Jaccard to the first of the cluster."""
    from corpus import ledger, shards

    if (folder / "truth.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    source = quoted(texts) if texts else invented(1)
    draw = random.Random(documents)
    outs: list[list[tuple[str, str]]] = [[] for _ in range(SHARDS)]
    schema = shards.schema()
    files = [folder / f"part-{number}.arrow" for number in range(SHARDS)]
    writers = [pa.ipc.new_file(str(file), schema, options=shards.ipc_options(None)) for file in files]
    ids: list[list[str]] = [[] for _ in range(SHARDS)]
    truth: dict[str, float] = {}
    sizes: dict[int, int] = {}
    made = 0

    def flush(number: int) -> None:
        rows = outs[number]
        names, bodies = [id for id, _ in rows], [text for _, text in rows]
        nothing = pa.nulls(len(rows), pa.string())
        columns = [pa.array(names), pa.array(["bench"] * len(rows)), pa.array(bodies), nothing, nothing]
        columns += [pa.array(["{}"] * len(rows)), pa.nulls(len(rows), schema.field("tokens").type)]
        writers[number].write_batch(
            pa.RecordBatch.from_arrays([*columns, pa.array([0] * len(rows), pa.int32())], schema=schema)
        )
        ids[number] += names
        rows.clear()

    for cluster in count():
        if made >= documents:
            break
        words = next(source)
        copies = 0 if draw.random() < 0.72 else draw.choice([1] * 12 + [2, 2, 3, 5, 10])
        if cluster == 500:
            copies = 100
        text = prose(words)
        base = shingles(text) if copies and len(truth) < JUDGED else None
        sizes[cluster] = copies + 1
        for copy in range(copies + 1):
            if copy:
                text = edited(words, draw.choices(list(EDITS), list(EDITS.values()))[0], draw)
                if base is not None:
                    other = shingles(text)
                    truth[f"{cluster}-{copy}"] = len(base & other) / len(base | other)
            number = (cluster * 5 + copy * 3) % SHARDS
            outs[number].append((f"bench:{cluster}-{copy}", text))
            made += 1
            if len(outs[number]) == shards.BATCH_ROWS:
                flush(number)
    for number, writer in enumerate(writers):
        flush(number)
        writer.close()
        rows = len(ids[number])
        values = {
            "id": ids[number],
            "source": ["bench"] * rows,
            "file": [f"part-{number}"] * rows,
            "position": list(range(rows)),
            "status": ["kept"] * rows,
            "chars": [0] * rows,
            "kind": ["web"] * rows,
        }
        columns = [pa.array(values.get(field.name, [None] * rows), field.type) for field in ledger.SIFTED]
        with pa.ipc.new_file(str(folder / f"part-{number}.ledger.arrow"), ledger.SIFTED) as file:
            file.write_batch(pa.RecordBatch.from_arrays(columns, schema=ledger.SIFTED))
    (folder / "truth.json").write_text(json.dumps({"documents": made, "sizes": sizes, "jaccard": truth}))


def scored(folder: Path, removed: list[str]) -> dict[str, float]:
    """Precision, and recall of copies by true Jaccard, of a list of removed ids."""
    truth = json.loads((folder / "truth.json").read_text())
    gone: dict[str, set[str]] = {}
    for id in removed:
        cluster, copy = id.removeprefix("bench:").split("-")
        gone.setdefault(cluster, set()).add(copy)
    right = sum(min(len(copies), truth["sizes"][cluster] - 1) for cluster, copies in gone.items())
    out = {"precision": right / max(1, len(removed))}
    for level in (0.9, 0.8, 0.7):
        near: dict[str, set[str]] = {}
        for name, similarity in truth["jaccard"].items():
            if similarity >= level:
                cluster, copy = name.split("-")
                near.setdefault(cluster, set()).add(copy)
        found = sum(min(len(gone.get(c, set()) & {*copies, "0"}), len(copies)) for c, copies in near.items())
        out[f"recall@{level}"] = found / max(1, sum(map(len, near.values())))
    return out


# -- this project; its peers stand in dedup_peers.py ------------------------------------------


def ours(folder: Path, out: Path, memory: int, workers: int) -> None:
    from pipelines import dedup

    settings = dedup.Duplicates(memory=memory, planted=0)
    parts = [
        dedup.Part(f"p{number}", folder / f"part-{number}.arrow", folder / f"part-{number}.ledger.arrow")
        for number in range(SHARDS)
    ]
    signatures = [out.parent / f"{part.key}.signature.arrow" for part in parts]
    run = dedup.in_process
    if workers > 1:
        from pipelines import layer

        layer.start(workers)
        run = layer.run
    run(dedup.sign, [(part.shard, path, settings) for part, path in zip(parts, signatures, strict=True)], "sign")
    dedup.resolve(parts, signatures, out.parent / "verdicts", settings, run)
    if workers > 1:
        layer.stop()
    removed: list[str] = []
    for part in parts:
        verdict = pa.ipc.open_file(pa.memory_map(str(out.parent / "verdicts" / f"{part.key}.verdict.arrow"))).read_all()
        ids = pa.ipc.open_file(pa.memory_map(str(part.shard))).read_all().column("id")
        removed += [
            id for id, fate in zip(ids.to_pylist(), verdict.column("status").to_pylist(), strict=True) if fate != "kept"
        ]
    out.write_text("\n".join(removed))


# -- measuring -------------------------------------------------------------------------------


def family(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                parent = int(Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry))
    found = [root]
    for one in found:
        found += children.get(one, [])
    return found


def held(process: int) -> tuple[int, int]:
    """Proportional memory of a process in bytes: all, and without pages of files, which the system may drop."""
    try:
        rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return 0, 0
    kept = {line.split(":")[0]: int(line.split()[1]) << 10 for line in rollup.splitlines() if line.startswith("Pss")}
    return kept["Pss"], kept["Pss_Anon"] + kept["Pss_Shmem"]


def measured(command: list[str]) -> dict[str, float]:
    """CPU seconds, wall seconds and peak PSS (MB; of all and of anonymous pages) of a process tree."""
    before, began = os.times(), time.monotonic()
    process = subprocess.Popen(command, cwd=HERE.parents[2], stdout=subprocess.DEVNULL)
    peak, own = [0], [0]

    def watch() -> None:
        while process.poll() is None:
            every, anonymous = map(sum, zip((0, 0), *map(held, family(process.pid)), strict=True))
            peak[0], own[0] = max(peak[0], every), max(own[0], anonymous)
            time.sleep(0.5)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        status = process.wait(TIMEOUT)
    finally:
        process.kill()
        watcher.join()
    after = os.times()
    if status:
        raise subprocess.CalledProcessError(status, command)
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"cpu": cpu, "wall": time.monotonic() - began, "MB": peak[0] / 1e6, "own MB": own[0] / 1e6}


MODULES = {"text-dedup": "text_dedup"}


def interpreter(program: str, peers: list[str]) -> str | None:
    """The first interpreter in which a peer can be imported."""
    module = MODULES.get(program, program)
    for python in peers:
        if not subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False).returncode:
            return python
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--documents", type=int, nargs="+", default=[50_000])
    parser.add_argument("--folder", type=Path, default=Path("/tmp/bench-dedup"))
    parser.add_argument("--texts", type=Path, nargs="*", default=[], help="layer files whose texts are used")
    parser.add_argument("--peers", nargs="*", default=[sys.executable], help="interpreters with peers installed")
    parser.add_argument("--only", nargs="*", default=list(PROGRAMS))
    parser.add_argument("--memory", type=int, default=2_000_000_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--kernels", action="store_true", help="the speed of the kernels alone")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.kernels:
        kernels(given.folder / str(given.documents[0]), given.documents[0], given.texts)
    elif given.run == "make":
        make(given.folder, given.documents[0], given.texts)
    elif given.run == "this project":
        ours(given.folder, given.out, given.memory, given.workers)
    else:
        table(given)


def kernels(folder: Path, documents: int, texts: list[Path]) -> None:
    """Documents per second of one core, best of five, in the loops over Arrow buffers."""
    from pipelines import letters, minhash
    from pipelines.columns import strings

    make(folder, documents, texts)
    held = pa.ipc.open_file(pa.memory_map(str(folder / "part-0.arrow"))).read_all().column("text").combine_chunks()
    text, offsets = strings(held)
    rows = len(offsets) - 1
    out = np.empty(len(text) // 2 + 2 * rows, np.uint32)
    factors, summands = minhash.permutations(128)
    columns = (np.empty(rows, np.uint32), np.empty((2, rows), np.uint64))
    keys, sketch = np.empty((32, rows), np.uint32), np.empty((rows, 128), np.uint8)
    signing = (*letters.tables(), 5, factors, summands, 4, *columns, keys, sketch, out)
    loops = {
        "128-bit hash of normalised words": lambda: minhash.exact(text, offsets, *letters.tables(), *columns),
        "the same, shingles, 128 permutations": lambda: minhash.sign(text, offsets, *signing),
    }
    for name, loop in loops.items():
        loop()
        best = np.inf
        for _ in range(5):
            began = time.thread_time()
            loop()
            best = min(best, time.thread_time() - began)
        print(f"{name:38} {rows / best:12,.0f} documents/s/core {len(text) / best / 1e6:8,.0f} MB/s/core")


def table(given: argparse.Namespace) -> None:
    form = "{:>9} {:<14} {:>8} {:>8} {:>10} {:>7} {:>7} {:>7} {:>7} {:>9} {:>7} {:>7} {:>7}"
    names = ("documents", "program", "cpu-s", "wall-s", "docs/cpu-s", "slower", "MB", "own MB", "KB/doc")
    print(form.format(*names, "precision", *RECALLS), flush=True)
    first = given.documents[0]
    fast = [program for program in given.only if program not in SLOW]
    slow = [(min(SLOW[program], first), program) for program in given.only if program in SLOW]
    jobs = [(first, program) for program in fast] + [job for job in slow if job[0] == first]
    jobs += [(size, program) for size in given.documents[1:] for program in fast]
    jobs += [job for job in slow if job[0] != first]
    best: dict[int, float] = {}
    for size, program in jobs:
        folder = given.folder / str(size)
        start = [sys.executable, "-m", "tests.bench.dedup", "--folder", str(folder), "--documents", str(size)]
        texts = ["--texts", *map(str, given.texts)] if given.texts else []
        subprocess.run([*start, *texts, "--run", "make"], cwd=HERE.parents[2], check=True)
        python = sys.executable if program == "this project" else interpreter(program, given.peers)
        if python is None:
            print(form.format(size, program, "not installed", *[""] * 10))
            continue
        out = folder / program / "removed.txt"
        subprocess.run(["rm", "-rf", str(out.parent)], check=True)
        out.parent.mkdir()
        if program == "this project":
            command = [*start, "--out", str(out), "--run", program]
            command += ["--memory", str(given.memory), "--workers", str(given.workers)]
        else:
            command = [python, str(HERE.with_name("dedup_peers.py")), program, str(folder), str(out)]
        cost = measured(command)
        score = scored(folder, out.read_text().split())
        speed = size / cost["cpu"]
        best.setdefault(first if program in SLOW else size, speed)
        slower = best[first if program in SLOW else size] / speed
        numbers = [f"{cost['cpu']:.1f}", f"{cost['wall']:.1f}", f"{speed:,.0f}", f"{slower:.1f}x"]
        numbers += [f"{cost['MB']:.0f}", f"{cost['own MB']:.0f}", f"{cost['MB'] * 1000 / size:.2f}"]
        print(form.format(size, program, *numbers, *(f"{value:.4f}" for value in score.values())), flush=True)


if __name__ == "__main__":
    main()
