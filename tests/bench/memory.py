"""Peak memory of reading against file size: `python -m tests.bench.memory [MB [SOURCE…]]`.

Makes XML, CSV and JSON lines files of three sizes (plain and gzip), reads each in a process of its own,
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
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

PARAGRAPH = "The patient was seen in the clinic and feels better than last week; the plan stays as it was. "


def rows(megabytes: float) -> Iterator[tuple[str, str]]:
    """Ids and texts of about 2 kB, as long as a section of a discharge summary."""
    for number in range(int(megabytes * 1e6 / 2000)):
        yield f"{number}-DS-1", "\n".join(f"{number}.{part} {PARAGRAPH}" for part in range(19))


def records(megabytes: float) -> Iterator[str]:
    """MEDLINE records of about 4 kB, half of it references."""
    for number, (_, text) in zip(range(1, 1 << 40), rows(megabytes / 2), strict=False):
        references = "".join(
            f"<Reference><Citation>One of many, {n}</Citation><ArticleIdList>"
            f'<ArticleId IdType="pubmed">{number + n}</ArticleId></ArticleIdList></Reference>'
            for n in range(15)
        )
        yield (
            f'<PubmedArticle><MedlineCitation Status="MEDLINE"><PMID Version="1">{number}</PMID><Article>'
            f"<Journal><Title>Made up</Title></Journal><ArticleTitle>Title {number}.</ArticleTitle><Abstract>"
            f"<AbstractText>{text}</AbstractText></Abstract><Language>eng</Language></Article></MedlineCitation>"
            f"<PubmedData><ReferenceList>{references}</ReferenceList></PubmedData></PubmedArticle>\n"
        )


def articles(megabytes: float) -> Iterator[str]:
    """JATS articles of about 60 kB."""
    texts = iter(rows(megabytes))
    number = 0
    while part := [text for _, text in zip(range(30), texts, strict=False)]:
        number += 1
        body = "".join(f"<sec><title>Part</title><p>{text[1]}</p></sec>" for text in part)
        yield (
            f'<article><front><article-meta><article-id pub-id-type="pmcid">PMC{number}</article-id><title-group>'
            f"<article-title>Title {number}</article-title></title-group></article-meta></front><body>{body}</body>"
            "</article>\n"
        )


def make(path: Path, megabytes: float) -> None:
    """A file of that size before compression; Parquet in one row group, the worst case."""
    if path.suffix == ".parquet":
        ids, texts = zip(*rows(megabytes), strict=True)
        pq.write_table(pa.table({"note_id": ids, "text": texts}), path, row_group_size=len(ids))
        return
    with contextlib.ExitStack() as stack:
        packed = path.suffix == ".gz"
        opened = gzip.open(path, "wt", 1, newline="") if packed else path.open("w", newline="")  # noqa: SIM115
        file = stack.enter_context(opened)
        if ".medline" in path.name or ".jats" in path.name:
            root, pieces = ("PubmedArticleSet", records) if ".medline" in path.name else ("pmc-articleset", articles)
            file.write(f"<{root}>\n")
            file.writelines(pieces(megabytes))
            file.write(f"</{root}>\n")
        elif "csv" in path.name:
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
    from corpus.sources.pmc import PMC
    from corpus.sources.pubmed import PubMed
    from corpus.sources.redpajama import RedPajama

    count = chars = 0
    if kind == "pandas":
        import pandas

        table = pandas.read_csv(path)
        count, chars = len(table), int(table["text"].str.len().sum())
    elif path:
        sources = {"pubmed": PubMed, "pmc": PMC, "mimic": Mimic, "notes": Notes, "redpajama": RedPajama}
        source = sources[kind]()
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


def main(megabytes: float, kinds: Sequence[str]) -> None:
    bare = child("mimic", "")[1]
    print(f"imports alone: {bare:.0f} MB")
    print(f"{'source':10} {'file':22} {'MB':>6} {'documents':>10} {'peak MB':>8} {'above imports':>14} {'MB/s':>6}")
    with tempfile.TemporaryDirectory() as folder:
        for kind, suffix in (
            ("pubmed", "medline.xml"),
            ("pubmed", "medline.xml.gz"),
            ("pmc", "jats.xml"),
            ("mimic", "csv"),
            ("mimic", "csv.gz"),
            ("notes", "csv"),
            ("notes", "parquet"),
            ("redpajama", "jsonl"),
            ("redpajama", "jsonl.gz"),
            ("pandas", "csv"),
        ):
            for share in (0.04, 0.2, 1.0) if not kinds or kind in kinds else ():
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
                    f"{kind:10} {path.name:22} {size:6.0f} {count:10,} {peak:8.0f} {peak - bare:14.0f} "
                    f"{size / seconds:6.1f}"
                )


if __name__ == "__main__":
    if len(sys.argv) == 3 and not sys.argv[1].isdecimal():
        sys.path.insert(0, str(Path(__file__).parents[2]))
        read(sys.argv[1], sys.argv[2])
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 300, sys.argv[2:])
