"""Exports: every format is read back by its own project's loader, and holds the same token stream."""

import glob
import gzip
import hashlib
import importlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipelines import export as command
from pipelines.exports import tables, tokens
from pipelines.exports.rows import digest_of, token_digest
from tests import tiny_build


def peer(module):
    """A project's own loader, or a skip that says which package is missing."""
    return pytest.importorskip(module, reason=f"{module} is not installed: this format is held by its pinned bytes")


def run(build, kind, dest, *more):
    return command.main([str(build), "--to", kind, "--dest", str(dest), *more])


def read_hf(dest):
    data = peer("datasets").load_from_disk(str(dest))
    assert data.column_names == ["id", "source", "text", "license", "created", "meta", "tokens", "prompt"]
    assert data[0]["id"] == "pubmed:0" and data[0]["text"].startswith("text 0 µ")
    return data["tokens"]


def read_parquet(dest):
    data = peer("datasets").load_dataset(str(dest), split="train", cache_dir=str(dest / "cache"))
    assert data[2]["id"] == "redpajama:2"
    return data["tokens"]


def read_megatron(dest):
    peer("megatron.core")
    indexed = importlib.import_module("megatron.core.datasets.indexed_dataset")
    told = (dest / "data_args.txt").read_text().split()
    found = []
    for weight, prefix in zip(told[::2], told[1::2], strict=True):
        data = indexed.IndexedDataset(str(dest / prefix))
        assert data.document_indices.tolist() == list(range(len(data) + 1))
        found += [data[number].copy() for number in range(len(data))]  # views end with the dataset
        assert int(weight) == sum(map(len, data))
    return found


def read_mds(dest):
    streaming = peer("streaming")
    data = streaming.LocalDataset(str(dest))
    found = [data[number] for number in range(len(data))]
    assert found[2]["id"] == "redpajama:2" and found[2]["text"].startswith("text 2 µ") and found[0]["prompt"] == 0
    return [sample["tokens"] for sample in found]


def read_litdata(dest):
    litdata = peer("litdata")
    data = litdata.StreamingDataset(str(dest), item_loader=litdata.TokensLoader(block_size=1), shuffle=False)
    ids = np.array([int(data[number]) for number in range(len(data))])
    # Its loader cuts windows, so the documents' ends are taken from the chunks' heads.
    lengths = []
    for chunk in sorted(dest.glob("chunk-*.bin")):
        head = np.fromfile(chunk, "<u4")
        lengths += (np.diff(head[1 : head[0] + 2]) // 2).tolist()
    return np.split(ids, np.cumsum(lengths)[:-1])


def read_nanotron(dest):
    peer("datatrove")
    peer("torch")
    loader = importlib.import_module("datatrove.utils.dataset")
    found = []
    for path in sorted(glob.glob(f"{dest}/*.ds")):
        whole = int(Path(f"{path}.metadata").read_text().splitlines()[1])
        window = loader.DatatroveFileDataset(path, seq_len=whole - 1, token_size=2, return_positions=True)[0]
        starts = np.flatnonzero(window["positions"].numpy() == 0)
        found += np.split(window["input_ids"].numpy(), starts[1:])
    assert len(loader.DatatroveFolderDataset(str(dest), seq_len=16, filename_pattern="*.ds", token_size=2)) > 100
    return found


def read_olmo(dest):
    peer("olmo_core")
    utils = importlib.import_module("olmo_core.data.utils")
    found = []
    for path in sorted(glob.glob(f"{dest}/part-*.npy")):
        for start, end in utils.iter_document_indices(path, use_array_if_local=False, dtype=np.uint16):
            found.append(utils.load_array_slice(path, start, end, np.uint16))
    return found


def read_webdataset(dest):
    wds = peer("webdataset")
    samples = list(wds.WebDataset(sorted(glob.glob(f"{dest}/*.tar")), shardshuffle=False).decode())
    assert samples[1]["json"]["id"] == "mimic:1" and samples[1]["json"]["text"].startswith("text 1 µ")
    return [sample["npy"] for sample in samples]


READERS = {name.removeprefix("read_"): value for name, value in globals().items() if name.startswith("read_")}
# sha256 over names and bytes of what is made of `tiny_build.rows()`, pinned while the loaders named
# here read the same stream from it: megatron-core 0.16.1, mosaicml-streaming 0.13.0, litdata 0.2.76,
# ai2-olmo-core 3.0.0, webdataset 1.0.2. Where one of these is not installed, its format is held by this.
PINNED = {
    "megatron": "9691a3457b1bfdc197cb665822e1746aa44eba40ced5e2aaec20533bd7db15e0",
    "mds": "9299e6bcbd6d6606014e05c21c8544c414e3bc9fa3d1176d1c7a9dc310926786",
    "litdata": "2b6126f637cc119031d903b5043c37cfeca8b35d323aa56317c943f639e5cd58",
    "olmo": "55e21c9fb1110d33b236c0c2b30d0d6999b87a701b2e3d8c4d349b1e33732361",
    "webdataset": "ff3ca32768f20acf06c78d4cb3b574224e6d931083e12a5cf59812d7424dd26f",
}


@pytest.fixture(scope="module")
def given():
    return tiny_build.rows()


@pytest.fixture(scope="module")
def build(tmp_path_factory, given):
    return tiny_build.make(tmp_path_factory.mktemp("build"), given)


@pytest.fixture(scope="module")
def stream(given):
    return digest_of(row.tokens for row in given)


@pytest.mark.parametrize("kind", command.FORMATS)
def test_the_projects_own_loader_reads_the_same_stream(kind, build, stream, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert run(build, kind, tmp_path / "out") == 0
    told = json.loads((tmp_path / "out/export.json").read_text())
    assert told["token_digest"] == stream
    assert told["manifest"] == json.loads((build / "manifest.json").read_text())
    assert digest_of(READERS[kind](tmp_path / "out")) == stream


@pytest.mark.parametrize("kind", sorted(PINNED))
def test_the_bytes_are_those_that_the_loaders_read(kind, build, tmp_path):
    assert run(build, kind, tmp_path / "out") == 0
    assert pinned(tmp_path / "out") == PINNED[kind]


def pinned(dest):
    found = hashlib.sha256()
    for file in json.loads((dest / "export.json").read_text())["files"]:
        data = (dest / file["path"]).read_bytes()
        found.update(file["path"].encode() + (gzip.decompress(data) if file["path"].endswith(".gz") else data))
    return found.hexdigest()


def test_digest_knows_where_documents_end():
    assert digest_of([[1, 2], [3]]) != digest_of([[1], [2, 3]])
    assert digest_of([[1, 2], [3]]) == digest_of([np.array([1, 2], np.uint16), np.array([3], np.int64)])


def test_wide_tokens_prompts_and_absent_text(tmp_path):
    rows = [tiny_build.Row("pubmed:1", [1, 100_000, 2], prompt=2), tiny_build.Row("mimic:2", [1, 7, 2])]
    build = tiny_build.make(tmp_path / "build", rows, width=32)
    stream = digest_of(row.tokens for row in rows)
    for kind in ("hf", "nanotron", "megatron"):
        assert run(build, kind, tmp_path / kind, "--no-text") == 0
        assert json.loads((tmp_path / kind / "export.json").read_text())["token_digest"] == stream
    assert np.fromfile(tmp_path / "nanotron/00000_tokens.ds", "<u4").tolist() == [1, 100_000, 2, 1, 7, 2]
    assert (tmp_path / "nanotron/00000_tokens.ds.loss").read_bytes() == bytes([0, 0, 1, 1, 1, 1])
    assert np.fromfile(tmp_path / "megatron/corpus_00000.bin", "<i4").tolist() == [1, 100_000, 2, 1, 7, 2]
    data = peer("datasets").load_from_disk(str(tmp_path / "hf"))
    assert "text" not in data.column_names and data[0]["prompt"] == 2


def test_large_shards_are_cut_into_files(build, stream, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MDS_SHARD", 1000)
    monkeypatch.setattr(tables, "TAR", 20_000)
    monkeypatch.setattr(tokens, "CHUNK", 1)
    for kind in ("mds", "webdataset", "litdata"):
        assert run(build, kind, tmp_path / kind) == 0
    assert len(list((tmp_path / "mds").glob("*.mds"))) > 10
    assert len(list((tmp_path / "webdataset").glob("*.tar"))) > 4


def test_heldout_shards_are_exported_by_their_group(tmp_path):
    rows = [tiny_build.Row("pubmed:1", [1, 5, 2]), tiny_build.Row("pubmed:2", [1, 6, 2], heldout=True)]
    build = tiny_build.make(tmp_path / "build", rows)
    assert run(build, "parquet", tmp_path / "out", "--part", "biomedical") == 0
    told = json.loads((tmp_path / "out/export.json").read_text())
    assert told["token_digest"] == digest_of([[1, 6, 2]])
    assert told["files"][0]["path"] == "data/validation-00000-of-00001.parquet"


def test_an_unknown_part_is_named(build, tmp_path, capsys):
    assert run(build, "hf", tmp_path / "out", "--part", "clinical") == 2
    assert "no held-out documents of 'clinical'; known are none" in capsys.readouterr().err


def test_a_finished_export_is_not_touched(build, tmp_path):
    run(build, "olmo", tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert run(build, "olmo", tmp_path / "out") == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_an_interrupted_export_goes_on_and_ends_the_same(build, tmp_path, monkeypatch):
    run(build, "mds", tmp_path / "whole")
    real = tables.Mds.piece

    def broken(self, shard, number, about, folder):
        if number == 2:
            (folder / "shard.00002.000.mds").write_bytes(b"half of it")
            raise KeyboardInterrupt
        return real(self, shard, number, about, folder)

    monkeypatch.setattr(tables.Mds, "piece", broken)
    with pytest.raises(KeyboardInterrupt):
        run(build, "mds", tmp_path / "cut")
    assert not (tmp_path / "cut/export.json").exists()
    done = [number for number in range(4) if (tmp_path / f"cut/shard.{number:05d}.000.mds").exists()]
    assert 2 not in done
    made = []
    monkeypatch.setattr(
        tables.Mds, "piece", lambda self, shard, number, *rest: made.append(number) or real(self, shard, number, *rest)
    )
    assert run(build, "mds", tmp_path / "cut") == 0
    assert sorted(made + done) == [0, 1, 2, 3]
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_another_export_or_other_files_are_left_alone(build, tmp_path, capsys):
    assert run(build, "olmo", tmp_path / "out") == 0
    assert run(build, "mds", tmp_path / "out") == 2
    assert "holds another export" in capsys.readouterr().err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("x")
    assert run(build, "mds", tmp_path / "mine") == 2
    assert "is not empty" in capsys.readouterr().err
    assert (tmp_path / "mine/thesis.txt").exists()


def test_restricted_text_does_not_leave_by_accident(given, tmp_path, capsys):
    build = tiny_build.make(tmp_path / "build", given, restricted=True)
    assert run(build, "parquet", "s3://somewhere/corpus") == 2
    assert "--restricted-may-be-stored-there" in capsys.readouterr().err
    assert run(build, "parquet", tmp_path / "public", "--public") == 2
    assert "restricted text (mimic)" in capsys.readouterr().err
    for kind in command.FORMATS:
        assert run(build, kind, tmp_path / kind) == 0
        modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / kind).rglob("*") if path.is_file()}
        assert modes == {0o600}
        folders = [tmp_path / kind, *(path for path in (tmp_path / kind).rglob("*") if path.is_dir())]
        assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}
    (tmp_path / "shared").mkdir(mode=0o755)
    (tmp_path / "shared/thesis.txt").write_text("x")
    assert run(build, "parquet", tmp_path / "shared") == 2
    assert stat.S_IMODE((tmp_path / "shared").stat().st_mode) == 0o755  # what is somebody's stays as it was


@pytest.fixture(scope="module")
def s3():
    """An S3 of this machine alone, in a process of its own."""
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    code = (
        "from moto.server import ThreadedMotoServer as S; import time; s = S('127.0.0.1', 0); s.start();"
        "print(s.get_host_and_port()[1], flush=True); time.sleep(120)"
    )
    server = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    )
    port = next(int(line) for line in server.stdout if line.strip().isdigit())
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait()


def test_exports_to_s3_are_the_same_files(build, s3, tmp_path, monkeypatch, capsys):
    from pipelines.exports import targets

    for name, value in (
        ("AWS_ENDPOINT_URL", s3),
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    targets._client.cache_clear()
    assert run(build, "olmo", "s3://corpora/a/b") == 2
    assert "s3://corpora cannot be used" in capsys.readouterr().err
    targets._client().create_bucket(Bucket="corpora")
    assert run(build, "olmo", "s3://corpora/a/b") == 0
    assert run(build, "olmo", tmp_path / "here") == 0
    pages = targets._client().list_objects_v2(Bucket="corpora", Prefix="a/b/")["Contents"]
    there = {
        item["Key"].removeprefix("a/b/"): targets._client().get_object(Bucket="corpora", Key=item["Key"])["Body"].read()
        for item in pages
    }
    assert there == contents(tmp_path / "here")
    assert run(build, "olmo", "s3://corpora/a/b") == 0
    assert "there already" in capsys.readouterr().err
    targets._client.cache_clear()


def test_the_digest_of_the_shards_is_that_of_the_rows(build, stream):
    shards = sorted((build / "shards").glob("*.arrow"))
    found = token_digest(shards)
    assert (found.name, found.rows) == (stream, 60)
