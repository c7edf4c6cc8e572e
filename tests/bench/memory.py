"""Peak memory of the table sources against file size: `python -m tests.bench.memory [MB]`.

Makes CSV and JSON lines files of three sizes (plain and gzip), reads each in a process of its own,
and prints the peak resident memory beside that of a process that imports the source and reads
nothing. Flat means: the largest file costs what the smallest costs. `pandas.read_csv`, where it is
installed, is the peer that holds the table.
"""

import contextlib
import csv
import gzip
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

PARAGRAPH = "The patient was seen in the clinic and feels better than last week; the plan stays as it was. "


def rows(megabytes: float) -> Iterator[tuple[str, str]]:
    """Ids and texts of about 2 kB, as long as a section of a discharge summary."""
    for number in range(int(megabytes * 1e6 / 2000)):
        yield f"{number}-DS-1", "\n".join(f"{number}.{part} {PARAGRAPH}" for part in range(19))


def make(path: Path, megabytes: float) -> None:
    """A table of that size before compression; Parquet in one row group, the worst case."""
    if path.suffix == ".parquet":
        ids, texts = zip(*rows(megabytes), strict=True)
        pq.write_table(pa.table({"note_id": ids, "text": texts}), path, row_group_size=len(ids))
        return
    with contextlib.ExitStack() as stack:
        packed = path.suffix == ".gz"
        opened = gzip.open(path, "wt", 1, newline="") if packed else path.open("w", newline="")  # noqa: SIM115
        file = stack.enter_context(opened)
        if "csv" in path.name:
            writer = csv.writer(file)
            writer.writerow(["note_id", "subject_id", "hadm_id", "note_type", "text"])
            writer.writerows((id, id.split("-")[0], "", "DS", text) for id, text in rows(megabytes))
        else:
            for id, text in rows(megabytes):
                file.write(json.dumps({"text": text, "meta": {"source": "c4", "url": f"http://x/{id}"}}) + "\n")


def read(kind: str, path: str) -> None:
    """In the child: reads and prints documents, characters and peak MB."""
    from corpus.sources.mimic import Mimic
    from corpus.sources.notes import Notes
    from corpus.sources.redpajama import RedPajama

    count = chars = 0
    if kind == "pandas":
        import pandas

        table = pandas.read_csv(path)
        count, chars = len(table), int(table["text"].str.len().sum())
    elif path:
        source = {"mimic": Mimic, "notes": Notes, "redpajama": RedPajama}[kind]()
        for document in source.read(Path(path), Path(path).name):
            count += 1
            chars += len(document.text)
    # Not ru_maxrss: a child inherits its parent's.
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak is not None
    print(count, chars, int(peak[1]) / 1024)


def child(kind: str, path: str) -> tuple[int, float, float]:
    started = time.perf_counter()
    out = subprocess.run([sys.executable, __file__, kind, path], capture_output=True, text=True, check=True).stdout
    count, _, peak = out.split()
    return int(count), float(peak), time.perf_counter() - started


def main(megabytes: float) -> None:
    bare = child("mimic", "")[1]
    print(f"imports alone: {bare:.0f} MB")
    print(f"{'source':10} {'file':18} {'MB':>6} {'documents':>10} {'peak MB':>8} {'above imports':>14} {'MB/s':>6}")
    with tempfile.TemporaryDirectory() as folder:
        for kind, suffix in (
            ("mimic", "csv"),
            ("mimic", "csv.gz"),
            ("notes", "csv"),
            ("notes", "parquet"),
            ("redpajama", "jsonl"),
            ("redpajama", "jsonl.gz"),
            ("pandas", "csv"),
        ):
            for share in (0.04, 0.2, 1.0):
                path = Path(folder) / f"t{share}.{suffix}"
                if not path.exists():
                    make(path, megabytes * share)
                try:
                    count, peak, seconds = child(kind, str(path))
                except subprocess.CalledProcessError:
                    print(f"{kind:10} not installed")
                    break
                size = megabytes * share
                print(
                    f"{kind:10} {path.name:18} {size:6.0f} {count:10,} {peak:8.0f} {peak - bare:14.0f} "
                    f"{size / seconds:6.1f}"
                )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        sys.path.insert(0, str(Path(__file__).parents[2]))
        read(sys.argv[1], sys.argv[2])
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 300)
