"""Formats that hold token ids and where documents end: Megatron, nanotron, OLMo, litdata.

Written from their layouts on disk, so that none of these projects need be installed; the tests read
every one back with the project's own loader.
"""

import gzip
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pipelines.exports.rows import About, batches, tokens
from pipelines.progress import amount

File = dict[str, Any]  # path, rows, tokens, and what the format's index says of the file
CHUNK = 64 << 20  # bytes of a litdata chunk: what one download should be


@dataclass(frozen=True)
class Megatron:
    """Megatron-LM's IndexedDataset: `.bin` with the token ids and `.idx` with the documents.

    The index is a header (`MMIDIDX`, two zero bytes, version 1 as uint64, a code for the type as uint8, the
    number of sequences and of document bounds as uint64), then int32 lengths, int64 byte
    offsets and int64 document bounds. Ids wider than 16 bits are int32, which is what it knows.
    """

    version: int = 1
    name: ClassVar[str] = "megatron"
    codes: ClassVar[dict[str, int]] = {"<u2": 8, "<i4": 4}

    def piece(self, shard: Path, number: int, about: About, folder: Path) -> list[File]:
        dtype = "<u2" if about.dtype.itemsize == 2 else "<i4"
        held = []
        with open(folder / f"corpus_{number:05d}.bin", "wb") as file:
            for batch in batches(shard):
                offsets, values = tokens(batch, shard)
                file.write(values.astype(dtype, copy=False))
                held.append(np.diff(offsets))
        lengths = np.concatenate(held) if held else np.zeros(0, np.int64)
        starts = (np.cumsum(lengths) - lengths) * np.dtype(dtype).itemsize
        with open(folder / f"corpus_{number:05d}.idx", "wb") as file:
            file.write(b"MMIDIDX\x00\x00" + struct.pack("<QBQQ", 1, self.codes[dtype], len(lengths), len(lengths) + 1))
            file.write(lengths.astype("<i4").tobytes())
            file.write(starts.astype("<i8").tobytes())
            file.write(np.arange(len(lengths) + 1, dtype="<i8").tobytes())
        facts = {"rows": len(lengths), "tokens": int(lengths.sum())}
        return [{"path": f"corpus_{number:05d}.bin", **facts}, {"path": f"corpus_{number:05d}.idx"}]

    def finish(self, files: Sequence[Mapping[str, Any]], about: About, folder: Path) -> list[str]:
        """`data_args.txt` for --data-args-path: every piece with its tokens as its weight."""
        lines = [f"{file['tokens']} {file['path'].removesuffix('.bin')}" for file in files if "tokens" in file]
        (folder / "data_args.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return ["data_args.txt"]

    def reading(self, dest: str) -> str:
        return f"cd {dest} && torchrun … pretrain_gpt.py --data-args-path data_args.txt"


@dataclass(frozen=True)
class Nanotron:
    """datatrove's tokenised files, which nanotron's Nanoset reads: `.ds`, `.ds.index`, `.ds.metadata`.

    The index holds each document's end as uint64. Where documents have a prompt, `.ds.loss` holds a
    byte for every token of the shard: 0 carries no loss.
    """

    version: int = 1
    name: ClassVar[str] = "nanotron"

    def piece(self, shard: Path, number: int, about: About, folder: Path) -> list[File]:
        name = f"{number:05d}_tokens.ds"
        loss = folder / f"{name}.loss"
        total = rows = 0
        prompts = False
        with open(folder / name, "wb") as ids, open(folder / f"{name}.index", "wb") as ends, open(loss, "wb") as mask:
            for batch in batches(shard):
                offsets, values = tokens(batch, shard)
                ids.write(values.astype(about.dtype, copy=False))
                ends.write((offsets[1:] + total).astype("<u8").tobytes())
                carried, silent = np.ones(len(values), np.uint8), batch.column("prompt").to_numpy()
                for row in np.flatnonzero(silent):
                    prompts = True
                    carried[offsets[row] : min(offsets[row] + silent[row], offsets[row + 1])] = 0
                mask.write(carried.tobytes())
                total, rows = total + len(values), rows + len(batch)
        told = f"{about.tokenizer['name']}|{about.dtype.itemsize}\n{total}\n{amount(total, 'T')}"
        (folder / f"{name}.metadata").write_text(told, encoding="utf-8")
        made = [{"path": name, "rows": rows, "tokens": total}, {"path": f"{name}.index"}, {"path": f"{name}.metadata"}]
        if prompts:
            return [*made, {"path": f"{name}.loss"}]
        loss.unlink()
        return made

    def finish(self, files: Sequence[Mapping[str, Any]], about: About, folder: Path) -> list[str]:
        return []

    def reading(self, dest: str) -> str:
        return (
            "from datatrove.utils.dataset import DatatroveFolderDataset\n"
            f'data = DatatroveFolderDataset("{dest}", seq_len=4096, filename_pattern="*.ds", return_positions=True)'
        )


@dataclass(frozen=True)
class Olmo:
    """OLMo-core's token arrays: `.npy` without a header (raw ids), and `.csv.gz` with the documents.

    A line of the metadata is start, end, id, source, row of the shard: Dolma's columns.
    """

    version: int = 1
    name: ClassVar[str] = "olmo"

    def piece(self, shard: Path, number: int, about: About, folder: Path) -> list[File]:
        name = f"part-{number:05d}"
        total = rows = 0
        with open(folder / f"{name}.npy", "wb") as ids, open(folder / f"{name}.csv.gz", "wb") as raw:
            # No name and no time in gzip's header: the same build gives the same bytes.
            with gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0, compresslevel=1) as lines:
                for batch in batches(shard):
                    offsets, values = tokens(batch, shard)
                    ids.write(values.astype(about.dtype, copy=False))
                    ends = (offsets + total).tolist()
                    names, sources = batch.column("id").to_pylist(), batch.column("source").to_pylist()
                    told = [
                        f"{ends[row]},{ends[row + 1]},{_cell(names[row])},{sources[row]},{rows + row}\n"
                        for row in range(len(batch))
                    ]
                    lines.write("".join(told).encode())
                    total, rows = total + len(values), rows + len(batch)
        return [{"path": f"{name}.npy", "rows": rows, "tokens": total}, {"path": f"{name}.csv.gz"}]

    def finish(self, files: Sequence[Mapping[str, Any]], about: About, folder: Path) -> list[str]:
        return []

    def reading(self, dest: str) -> str:
        return (
            "from olmo_core.data import NumpyFSLDatasetConfig\n"
            f'data = NumpyFSLDatasetConfig.glob("{dest}/part-*.npy", sequence_length=4096, tokenizer=…).build()'
        )


def _cell(text: str) -> str:
    """A cell of a CSV line, quoted where it must be."""
    return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in ',"\n\r') else text


@dataclass(frozen=True)
class Litdata:
    """litdata's chunks of token ids, one document an item, for its TokensLoader (which cuts windows).

    A chunk is the number of items, their offsets in the file (items + 1) and the items; uint32.
    `index.json` lists the chunks; `no_header_tensor` names torch's type: 20 is uint16, 16 is int32.
    """

    version: int = 1
    name: ClassVar[str] = "litdata"

    def piece(self, shard: Path, number: int, about: About, folder: Path) -> list[File]:
        dtype = np.dtype("<u2" if about.dtype.itemsize == 2 else "<i4")
        lengths: list[np.ndarray] = []
        held: list[bytes] = []
        made: list[File] = []
        size = 0

        def flush() -> None:
            items = np.concatenate(lengths)
            head = 4 * (len(items) + 2)
            ends = np.concatenate([[0], np.cumsum(items) * dtype.itemsize]) + head
            name = f"chunk-{number}-{len(made)}.bin"
            with open(folder / name, "wb") as file:
                file.write(struct.pack("<I", len(items)) + ends.astype("<u4").tobytes())
                file.writelines(held)
            made.append({"path": name, "rows": len(items), "tokens": int(items.sum())})
            lengths.clear()
            held.clear()

        for batch in batches(shard):
            offsets, values = tokens(batch, shard)
            if lengths and size + len(values) * dtype.itemsize > CHUNK:
                flush()
                size = 0
            lengths.append(np.diff(offsets))
            held.append(values.astype(dtype, copy=False).tobytes())
            size += len(held[-1])
        if lengths:
            flush()
        return made

    def finish(self, files: Sequence[Mapping[str, Any]], about: About, folder: Path) -> list[str]:
        chunks = [
            {"chunk_bytes": file["bytes"], "chunk_size": file["rows"], "dim": file["tokens"], "filename": file["path"]}
            for file in files
        ]
        config = {
            "chunk_bytes": CHUNK,
            "chunk_size": None,
            "compression": None,
            "data_format": [f"no_header_tensor:{20 if about.dtype.itemsize == 2 else 16}"],
            "data_spec": json.dumps([1, {"type": None, "context": None, "children_spec": []}]),
            "encryption": None,
            "item_loader": "TokensLoader",
        }
        told = {"chunks": chunks, "config": config, "updated_at": "0"}
        (folder / "index.json").write_text(json.dumps(told, sort_keys=True), encoding="utf-8")
        return ["index.json"]

    def reading(self, dest: str) -> str:
        return (
            "from litdata import StreamingDataset, TokensLoader\n"
            f'data = StreamingDataset("{dest}", item_loader=TokensLoader(block_size=4097))'
        )
