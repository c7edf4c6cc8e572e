"""Which documents a training step reads: `python -m pipelines.trace BUILD --window N`.

A window is what `corpus.windows` packs and `trainer.data` reads: of every piece this names the
document, its tokens, and the shard and row that hold it. Step S of a training with G windows a
step reads windows S*G to S*G + G - 1: `--window 800-807`.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from corpus import manifest, windows
from corpus.shards import open_shard


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m pipelines.trace", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("build", type=Path, help="the folder of a finished build")
    parser.add_argument("--window", required=True, help="the number of a window, or several: 800-807")
    parser.add_argument("--sequence", type=int, default=4096, help="tokens of a window (4096)")
    parser.add_argument("--packing", default="best-fit", choices=windows.PACKINGS, help="as the trainer's (best-fit)")
    parser.add_argument("--shuffle", type=int, default=0, help="as the trainer's (0)")
    parser.add_argument("--seed", type=int, default=0, help="as the trainer's; matters with --shuffle (0)")
    parser.add_argument("--part", help="windows of this group's held-out documents instead of the stream's")
    parser.add_argument("--cache", type=Path, help="keep the index here, or use the trainer's that lies here")
    parser.add_argument("--json", action="store_true", help="one JSON object a piece")
    given = parser.parse_args(arguments)
    try:
        content = manifest.load(given.build)
        first, last = _range(given.window)
        with tempfile.TemporaryDirectory(prefix="windows-") as own:
            cache = given.cache or Path(own)
            index = windows.index(given.build, content, given.sequence, given.packing, cache, given.part)
            if last >= index.count and last >= first + index.count:
                raise ValueError(f"--window {given.window} is more than all {index.count} windows of {given.build}")
            for number in range(first, last + 1):
                place = windows.place(number, index.count, given.shuffle, given.seed)
                found = list(pieces(index, place))
                if given.json:
                    for piece in found:
                        print(json.dumps({"window": number, **piece}))
                else:
                    print(_told(number, number // index.count, found, given.sequence))
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _range(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    if not first.isdecimal() or not (last or first).isdecimal() or int(last or first) < int(first):
        raise ValueError(f"--window {text}: expected a number like 800, or a range like 800-807")
    return int(first), int(last or first)


def pieces(index: windows.Index, place: int) -> Iterator[dict[str, Any]]:
    """What stands in a packed window, in order: id, source, group, where it lies in a row, and that in a document."""
    for row, start, length in index.window(place).tolist():
        number = index.batch_of(row)
        first, shard, at = index.batches[number].tolist()
        batch = open_shard(index.shards[shard]).get_batch(at)
        begin = index.first[np.searchsorted(index.batches["shard"], shard)]
        offsets = batch.column("tokens").offsets
        local = row - first
        yield {
            "id": batch.column("id")[local].as_py(),
            "source": batch.column("source")[local].as_py(),
            "group": index.groups[index.group[row]],
            "start": start,
            "end": start + length,
            "before": json.loads(batch.column("meta")[local].as_py() or "{}").get("before", 0),
            "tokens": offsets[local + 1].as_py() - offsets[local].as_py(),
            "shard": f"{index.shards[shard].parent.name}/{index.shards[shard].name}",
            "row": int(row - begin),
            "stream": row,
        }


def _told(number: int, epoch: int, found: Sequence[Mapping[str, Any]], sequence: int) -> str:
    held = sum(piece["end"] - piece["start"] for piece in found)
    shares: dict[str, int] = {}
    for piece in found:
        shares[piece["group"]] = shares.get(piece["group"], 0) + piece["end"] - piece["start"]
    again = f", pass {epoch + 1} over the build" if epoch else ""
    told = ", ".join(f"{name} {count:,}" for name, count in sorted(shares.items()))
    lines = [f"window {number}{again}: {held:,} of {sequence:,} tokens of {len(found)} documents ({told})"]
    width = max((len(piece["id"]) for piece in found), default=0)
    lines += [
        f"  {piece['id']:<{width}}  tokens {piece['before'] + piece['start']:,}-{piece['before'] + piece['end']:,}  "
        f"{piece['shard']} row {piece['row']:,}"
        for piece in found
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
