"""Other programs' near duplicates, each the whole job: `python dedup_peers.py PROGRAM FOLDER OUT`.

Run by tests.bench.dedup under the interpreter that has the program; needs nothing of this project.
FOLDER holds part-0.arrow … (columns id and text); OUT gets the ids that the program would remove.
"""

import os
import re
import struct
import sys
from pathlib import Path

import pyarrow as pa

SHARDS = 8


def read(folder: Path) -> tuple[list[str], list[str]]:
    ids: list[str] = []
    texts: list[str] = []
    for number in range(SHARDS):
        table = pa.ipc.open_file(pa.memory_map(str(folder / f"part-{number}.arrow"))).read_all()
        ids += table.column("id").to_pylist()
        texts += table.column("text").to_pylist()
    return ids, texts


def gaoya(folder: Path, out: Path) -> None:
    from gaoya.minhash import MinHashStringIndex

    ids, texts = read(folder)
    index = MinHashStringIndex(
        hash_size=32,
        jaccard_threshold=0.7,
        num_bands=14,
        band_size=8,
        analyzer="word",
        lowercase=True,
        ngram_range=(5, 5),
    )
    index.par_bulk_insert_docs(list(range(len(ids))), texts)
    removed = [ids[place] for place, near in enumerate(index.par_bulk_query(texts)) if any(n < place for n in near)]
    out.write_text("\n".join(removed))


def tokens_of(text: str) -> list[str]:
    words = re.findall(r"[^\W_]+", text.lower())
    return [" ".join(words[place : place + 5]) for place in range(max(1, len(words) - 4))]


def rensa(folder: Path, out: Path) -> None:
    from rensa import RMinHash, RMinHashLSH

    ids, texts = read(folder)
    index = RMinHashLSH(threshold=0.7, num_perm=128, num_bands=16)
    sketches, removed = [], []
    for place, text in enumerate(texts):
        sketch = RMinHash(num_perm=128, seed=42)
        sketch.update(tokens_of(text))
        sketches.append(sketch)
        if any(sketch.jaccard(sketches[other]) >= 0.7 for other in index.query(sketch)):
            removed.append(ids[place])
        else:
            index.insert(place, sketch)
    out.write_text("\n".join(removed))


def datasketch(folder: Path, out: Path) -> None:
    import xxhash
    from datasketch import MinHash, MinHashLSH

    ids, texts = read(folder)
    index = MinHashLSH(threshold=0.7, num_perm=128, params=(16, 8))
    sketches: dict[int, MinHash] = {}
    removed = []
    for place, text in enumerate(texts):
        sketch = MinHash(num_perm=128, hashfunc=xxhash.xxh32_intdigest)
        sketch.update_batch([gram.encode() for gram in set(tokens_of(text))])
        if any(sketch.jaccard(sketches[other]) >= 0.7 for other in index.query(sketch)):
            removed.append(ids[place])
        else:
            index.insert(place, sketch)
            sketches[place] = sketch
    out.write_text("\n".join(removed))


def text_dedup(folder: Path, out: Path) -> None:
    import pyarrow.parquet as pq

    ids, texts = read(folder)
    os.chdir(out.parent)
    pq.write_table(pa.table({"id": ids, "text": texts}), "input.parquet")
    Path("config.toml").write_text(
        '[input]\ninput_type = "local_files"\nfile_type = "parquet"\n'
        '[input.read_arguments]\npath = "parquet"\ndata_files = "input.parquet"\nsplit = "train"\n'
        '[algorithm]\nalgorithm_name = "minhash"\ntext_column = "text"\nnum_perm = 128\nthreshold = 0.7\n'
        "bands = 16\nrows = 8\nhash_bits = 64\nngram_size = 5\ncheck_false_positive = true\n"
        '[output]\noutput_dir = "output"\n[debug]\nenable_profiling = false\n'
    )
    os.environ["HF_HOME"] = str(out.parent / "cache")
    from datasets import load_from_disk
    from text_dedup.config.base import load_config_from_toml
    from text_dedup.minhash import main

    main(load_config_from_toml(Path("config.toml")))
    kept = set(load_from_disk("output")["id"])
    out.write_text("\n".join(id for id in ids if id not in kept))


def datatrove(folder: Path, out: Path) -> None:
    from datatrove.data import Document
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup.minhash import (
        MinhashConfig,
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupSignature,
    )

    ids, texts = read(folder)
    settings = MinhashConfig(n_grams=5, num_buckets=14, hashes_per_bucket=8)
    work = out.parent

    def documents(data=None, rank=0, world_size=1):
        for id, text in zip(ids, texts, strict=True):
            yield Document(text, id)

    signatures, buckets, removed = (str(work / name) for name in ("signatures", "buckets", "removed"))
    for number, (steps, tasks) in enumerate(
        (
            ([documents, MinhashDedupSignature(signatures, settings)], 1),
            ([MinhashDedupBuckets(signatures, buckets, config=settings)], settings.num_buckets),
            ([MinhashDedupCluster(buckets, removed, settings)], 1),
        )
    ):
        logs = str(work / f"logs{number}")
        LocalPipelineExecutor(steps, tasks=tasks, workers=1, logging_dir=logs, skip_completed=False).run()
    gone = [place for (place,) in struct.iter_unpack("<I", Path(removed, "000000.remove").read_bytes())]
    out.write_text("\n".join(ids[place] for place in gone))


if __name__ == "__main__":
    program, folder, out = sys.argv[1:]
    globals()[program.replace("-", "_")](Path(folder), Path(out))
