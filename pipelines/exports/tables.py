"""Formats that hold whole rows (text and tokens): Hugging Face datasets, Parquet, MDS, webdataset."""

import io
import json
import struct
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from corpus import shards
from pipelines.exports.rows import About, batches, tokens
from pipelines.exports.tokens import File

ROW_GROUP = 64 << 20  # bytes of a Parquet row group
MDS_SHARD = 64 << 20  # bytes of an MDS shard: its writer's default
TAR = 256 << 20  # bytes of a webdataset tar


def _schema(about: About) -> pa.Schema:
    whole = shards.schema(int(about.tokenizer["width"]))
    return whole if about.text else whole.remove(whole.get_field_index("text"))


def _batches(shard: Path, about: About) -> Iterator[pa.RecordBatch]:
    """Record batches with the columns that are exported; rows without tokens are refused."""
    names = _schema(about).names
    for batch in batches(shard):
        tokens(batch, shard)
        yield batch.select(names)


def _count(batch: pa.RecordBatch) -> int:
    offsets = batch.column("tokens").offsets
    return int(offsets[-1].as_py() - offsets[0].as_py())


@dataclass(frozen=True)
class Hf:
    """What `datasets.load_from_disk` reads: Arrow stream files, `state.json` and `dataset_info.json`."""

    version: int = 1
    name: ClassVar[str] = "hf"

    def piece(self, shard: Path, number: int, about: About, folder: Path) -> list[File]:
        name = f"data-{number:05d}-of-{about.shards:05d}.arrow"
        told = json.dumps({"info": {"features": self._features(about)}}, sort_keys=True)
        schema = _schema(about).with_metadata({"huggingface": told})
        rows = total = 0
        with pa.ipc.new_stream(str(folder / name), schema, options=shards.ipc_options(None)) as file:
            for batch in _batches(shard, about):
                file.write_batch(batch.cast(schema))
                rows, total = rows + len(batch), total + _count(batch)
        return [{"path": name, "rows": rows, "tokens": total}]

    def _features(self, about: About) -> dict[str, Any]:
        """The schema in the words of `datasets`; `Sequence` is understood by every version."""
        found: dict[str, Any] = {}
        for field in _schema(about):
            if pa.types.is_list(field.type):
                value = {"dtype": str(field.type.value_type), "_type": "Value"}
                found[field.name] = {"feature": value, "_type": "Sequence"}
            else:
                found[field.name] = {"dtype": str(field.type), "_type": "Value"}
        return found

    def finish(self, files: Sequence[Mapping[str, Any]], about: About, folder: Path) -> list[str]:
        state = {
            "_data_files": [{"filename": file["path"]} for file in files],
            "_fingerprint": about.key[:16],
            "_format_columns": None,
            "_format_kwargs": {},
            "_format_type": None,
            "_output_all_columns": False,
            "_split": about.split,
        }
        info = {"citation": "", "description": "", "features": self._features(about), "homepage": "", "license": ""}
        (folder / "state.json").write_text(json.dumps(state, indent=1, sort_keys=True), encoding="utf-8")
        (folder / "dataset_info.json").write_text(json.dumps(info, indent=1), encoding="utf-8")
        return ["state.json", "dataset_info.json"]

    def reading(self, dest: str) -> str:
        return f'from datasets import load_from_disk\ndata = load_from_disk("{dest}")'


@dataclass(frozen=True)
class Parquet:
    """Parquet with zstd, one file a shard, named as hubs and `datasets.load_dataset` expect."""

    version: int = 1
    name: ClassVar[str] = "parquet"

    def piece(self, shard: Path, number: int, about: About, folder: Path) -> list[File]:
        name = f"data/{about.split}-{number:05d}-of-{about.shards:05d}.parquet"
        schema = _schema(about)
        (folder / "data").mkdir(exist_ok=True)
        held: list[pa.RecordBatch] = []
        rows = total = size = 0
        with pq.ParquetWriter(folder / name, schema, compression="zstd", use_dictionary=["source"]) as file:
            for batch in _batches(shard, about):
                held.append(batch)
                rows, total, size = rows + len(batch), total + _count(batch), size + batch.nbytes
                if size >= ROW_GROUP:
                    file.write_table(pa.Table.from_batches(held, schema))
                    held, size = [], 0
            if held:
                file.write_table(pa.Table.from_batches(held, schema))
        return [{"path": name, "rows": rows, "tokens": total}]

    def finish(self, files: Sequence[Mapping[str, Any]], about: About, folder: Path) -> list[str]:
        return []

    def reading(self, dest: str) -> str:
        return f'from datasets import load_dataset\ndata = load_dataset("{dest}", split="train")'


@dataclass(frozen=True)
class Mds:
    """mosaicml-streaming's MDS: shards of samples with their offsets, and `index.json`.

    A shard is the number of samples and their offsets in the file (samples + 1) as uint32, the
    columns as JSON, and the samples: sizes of the columns that vary as uint32, then the columns, by name. An
    array of one dimension is a byte 4 + c, its length as an unsigned integer of 1 << c bytes, and its values.
    """

    version: int = 1
    name: ClassVar[str] = "mds"

    def _columns(self, about: About) -> dict[str, str]:
        kinds = {"prompt": "int", "tokens": f"ndarray:{'uint16' if about.dtype.itemsize == 2 else 'uint32'}"}
        return {name: kinds.get(name, "str") for name in sorted(_schema(about).names)}

    def _config(self, about: About) -> dict[str, Any]:
        columns = self._columns(about)
        return {
            "column_encodings": list(columns.values()),
            "column_names": list(columns),
            "column_sizes": [8 if kind == "int" else None for kind in columns.values()],
            "compression": None,
            "format": "mds",
            "hashes": [],
            "size_limit": MDS_SHARD,
            "version": 2,
        }

    def piece(self, shard: Path, number: int, about: About, folder: Path) -> list[File]:
        config = json.dumps(self._config(about), sort_keys=True).encode()
        made: list[File] = []
        held: list[bytes] = []
        size = total = 0

        def flush() -> None:
            sizes = np.array([len(sample) for sample in held], np.int64)
            head = 4 * (len(held) + 2) + len(config)
            offsets = np.concatenate([[0], np.cumsum(sizes)]) + head
            name = f"shard.{number:05d}.{len(made):03d}.mds"
            with open(folder / name, "wb") as file:
                file.write(struct.pack("<I", len(held)) + offsets.astype("<u4").tobytes() + config)
                file.writelines(held)
            made.append({"path": name, "rows": len(held), "tokens": total})
            held.clear()

        for batch in _batches(shard, about):
            offsets, values = tokens(batch, shard)
            values = values.astype(about.dtype, copy=False)
            columns = {name: batch.column(name).to_pylist() for name in batch.schema.names if name != "tokens"}
            for row in range(len(batch)):
                ids = values[offsets[row] : offsets[row + 1]]
                sample = self._sample({name: column[row] for name, column in columns.items()}, ids)
                if held and size + len(sample) > MDS_SHARD:
                    flush()
                    size = total = 0
                held.append(sample)
                size, total = size + len(sample) + 4, total + len(ids)
        if held:
            flush()
        return made

    def _sample(self, row: dict[str, Any], ids: np.ndarray) -> bytes:
        size, body = b"", b""
        for name in sorted([*row, "tokens"]):
            if name == "prompt":
                body += struct.pack("<q", row[name])
                continue
            if name == "tokens":
                code = 0 if len(ids) < 1 << 8 else 1 if len(ids) < 1 << 16 else 2
                cell = struct.pack("<B" + "BHI"[code], 4 | code, len(ids)) + ids.tobytes()
            else:
                cell = (row[name] or "").encode()
            size += struct.pack("<I", len(cell))
            body += cell
        return size + body

    def finish(self, files: Sequence[Mapping[str, Any]], about: About, folder: Path) -> list[str]:
        listed = [
            {
                **self._config(about),
                "raw_data": {"basename": file["path"], "bytes": file["bytes"], "hashes": {}},
                "samples": file["rows"],
                "zip_data": None,
            }
            for file in files
        ]
        told = json.dumps({"shards": listed, "version": 2}, sort_keys=True)
        (folder / "index.json").write_text(told, encoding="utf-8")
        return ["index.json"]

    def reading(self, dest: str) -> str:
        return (
            "from streaming import StreamingDataset\n"
            f'data = StreamingDataset(local="{dest}", batch_size=8)  # remote=… for S3'
        )


@dataclass(frozen=True)
class Webdataset:
    """Tar files of `<row>.json` (everything but the tokens) and `<row>.npy` (the token ids)."""

    version: int = 1
    name: ClassVar[str] = "webdataset"

    def piece(self, shard: Path, number: int, about: About, folder: Path) -> list[File]:
        made: list[File] = []
        tar: tarfile.TarFile | None = None
        row = 0
        for batch in _batches(shard, about):
            offsets, values = tokens(batch, shard)
            values = values.astype(about.dtype, copy=False)
            plain = batch.select([name for name in batch.schema.names if name != "tokens"]).to_pylist()
            for place, held in enumerate(plain):
                if tar is None or tar.offset >= TAR:
                    if tar is not None:
                        tar.close()
                    made.append({"path": f"{number:05d}-{len(made):03d}.tar", "rows": 0, "tokens": 0})
                    tar = tarfile.open(folder / made[-1]["path"], "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115
                ids = values[offsets[place] : offsets[place + 1]]
                held["meta"] = json.loads(held["meta"] or "{}")
                self._add(tar, f"{number:05d}{row:08d}.json", json.dumps(held, ensure_ascii=False).encode())
                array = io.BytesIO()
                np.save(array, ids, allow_pickle=False)
                self._add(tar, f"{number:05d}{row:08d}.npy", array.getvalue())
                made[-1]["rows"] += 1
                made[-1]["tokens"] += len(ids)
                row += 1
        if tar is not None:
            tar.close()
        return made

    def _add(self, tar: tarfile.TarFile, name: str, data: bytes) -> None:
        # No time and no owner: the same build gives the same bytes.
        member = tarfile.TarInfo(name)
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))

    def finish(self, files: Sequence[Mapping[str, Any]], about: About, folder: Path) -> list[str]:
        return []

    def reading(self, dest: str) -> str:
        return (
            "import webdataset as wds, glob\n"
            f'data = wds.WebDataset(sorted(glob.glob("{dest}/*.tar")), shardshuffle=False).decode()'
        )
