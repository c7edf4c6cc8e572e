"""Every digest and every conservation law of a build: `python -m pipelines.verify BUILD`."""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus import ledger, manifest, shards
from corpus.files import digest
from pipelines import mix


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m pipelines.verify", description=__doc__)
    parser.add_argument("build", type=Path, help="the folder of a finished build")
    given = parser.parse_args(arguments)
    try:
        content = manifest.load(given.build)
        wrong = 0
        for name, faults in laws(given.build, content):
            print(f"{'ok  ' if not faults else 'FAIL'}  {name}")
            for fault in faults[:10]:
                print(f"      {fault}")
            wrong += len(faults)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if wrong:
        print(f"{wrong} faults: the build was changed after it was made; delete {given.build} and build again")
        return 1
    return 0


def laws(build: Path, content: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """(law, faults) one after the other; the later laws read what the first found whole."""
    tokenizer = {"path": content["tokenizer"]["file"], "sha256": content["tokenizer"]["sha256"]}
    files = [*content["shards"], *content["heldout"], *content["ledger"], tokenizer]
    faults = list(_digests(build, files))
    yield f"{len(files)} files have the digests of the manifest", faults
    if faults:
        return
    read = sum(file["documents"] for source in content["sources"] for file in source["files"])
    booked = sum(item["rows"] for item in content["ledger"])
    yield f"every document read has its row: {read:,} read, {booked:,} rows", [] if read == booked else ["they differ"]
    places, held, faults = _books(build, content)
    yield "every row is kept, held out, or dropped for a named reason", faults
    yield from _streams(build, content, places, held)


def _digests(build: Path, files: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for file in files:
        path = build / file["path"]
        if not path.exists():
            yield f"{file['path']} is missing"
        elif (found := digest(path)) != f"sha256:{file['sha256']}":
            yield f"{file['path']}: the manifest says sha256 {file['sha256']}, the file has {found[7:]}"


def _books(build: Path, content: Mapping[str, Any]) -> tuple[pa.Table, pa.Table, list[str]]:
    """What the ledgers say of the shards: (id, shard, row, owed, group) per row of them; (id, group) held out.

    `owed` are the document's tokens times its draws: a draw of a long document is several rows.
    """
    faults = []
    drawn, held = [], []
    for item in content["ledger"]:
        book = ledger.read(build / item["path"])
        status = book["status"].to_numpy()
        reason = np.array([value is not None for value in book["reason"].to_pylist()])
        draws = book["draws"].to_numpy()
        for name, bad in (
            ("dropped without a reason", (status == "dropped") & ~reason),
            ("kept, but with a reason to drop", (status == "kept") & reason),
            ("kept, but nowhere", (status == "kept") & (draws == 0)),
            ("not kept, but in a shard", (status != "kept") & (draws > 0)),
            ("of unknown status", ~np.isin(status, ["kept", "dropped", "heldout"])),
        ):
            if bad.any():
                faults.append(f"{item['path']}: {int(bad.sum())} rows are {name}")
        kept = book.filter(pa.array(status == "kept"))
        kept = kept.append_column("owed", pc.multiply(kept["tokens"], kept["draws"]))
        at = pa.array(np.repeat(np.arange(len(kept)), pc.list_value_length(kept["row"]).to_numpy()))
        flat = kept.select(["id", "owed", "group"]).take(at)
        for column in ("shard", "row"):
            flat = flat.append_column(column, pa.chunked_array([c.flatten() for c in kept[column].chunks]))
        drawn.append(flat)
        held.append(book.filter(pa.array(status == "heldout")).select(["id", "group"]))
    return pa.concat_tables(drawn), pa.concat_tables(held), faults


def _streams(
    build: Path, content: Mapping[str, Any], places: pa.Table, held: pa.Table
) -> Iterator[tuple[str, list[str]]]:
    """The shards against the ledgers, then the mix as it was promised."""
    groups = list(content["mix"]["asked"])
    order = np.lexsort((places["row"].to_numpy(), places["shard"].to_numpy()))
    booked = places.take(pa.array(order))
    number = np.array([groups.index(name) for name in booked["group"].to_pylist()])
    faults, tokens, begin = [], [], 0
    for item in content["shards"]:
        table = shards.open_shard(build / item["path"]).read_all().select(["id", "tokens"])
        mine = booked.slice(begin, len(table))
        begin += len(table)
        counts = np.concatenate([np.diff(chunk.offsets.to_numpy()) for chunk in table["tokens"].chunks] or [[]])
        tokens.append(counts.astype(np.int64))
        if table["id"].to_pylist() != mine["id"].to_pylist():
            faults.append(f"{item['path']}: its rows are not the documents that the ledgers place there")
        if int(counts.sum()) != item["tokens"] or len(table) != item["rows"]:
            faults.append(f"{item['path']}: rows or tokens differ from the manifest's")
    if begin != len(places):
        faults.append(f"the ledgers place {len(places)} rows, the shards hold {begin}")
    counts = np.concatenate(tokens)
    if not faults:
        faults += _owed(booked, counts)
    yield f"the shards hold what the ledgers say, row for row: {begin:,} rows", faults
    names = set()
    for item in content["heldout"]:
        names.update(shards.open_shard(build / item["path"]).read_all()["id"].to_pylist())
    same = names == set(held["id"].to_pylist()) and not names & set(places["id"].to_pylist())
    yield f"held-out documents stand in no shard of the stream: {len(names):,}", [] if same else ["they differ"]
    given = {name: int(counts[number == place].sum()) for place, name in enumerate(groups)}
    faults = (
        [] if given == content["mix"]["tokens"] else [f"found {given}, the manifest says {content['mix']['tokens']}"]
    )
    yield "tokens per group are the manifest's", faults
    whole = sum(content["mix"]["asked"].values())
    shares = [content["mix"]["asked"][name] / whole for name in groups]
    worst, most = mix.deviation(counts, number, shares), int(counts.max())
    if content["apart"]:
        promise = "restricted text lies apart: shards/ hold none of it, restricted/ nothing else"
        yield promise, list(_mingled(build, content))
        return
    promise = f"no prefix is further from the ratio than the longest row: {worst:,} of {most:,} tokens"
    yield promise, [] if worst <= most else ["the ratio does not hold along the stream"]


def _mingled(build: Path, content: Mapping[str, Any]) -> Iterator[str]:
    """Shards with a row that does not belong there."""
    hidden = pa.array([source["name"] for source in content["sources"] if source["restricted"]], pa.string())
    for item in content["shards"]:
        names = shards.open_shard(build / item["path"]).read_all()["source"]
        wrong = pc.sum(pc.not_equal(pc.is_in(names, value_set=hidden), item["restricted"])).as_py() or 0
        if wrong:
            yield f"{item['path']}: {wrong} rows belong to the other kind"


def _owed(booked: pa.Table, counts: np.ndarray) -> Iterator[str]:
    """Documents whose rows do not hold, all together, their tokens as often as they were drawn."""
    codes = booked["id"].combine_chunks().dictionary_encode()
    which = codes.indices.to_numpy()
    owed = np.zeros(len(codes.dictionary), np.int64)
    owed[which] = booked["owed"].to_numpy()
    held = np.bincount(which, counts, len(owed)).astype(np.int64)
    for at in np.flatnonzero(held != owed)[:10].tolist():
        yield f"{codes.dictionary[at]}: its rows hold {held[at]:,} tokens, the ledgers say {owed[at]:,}"


if __name__ == "__main__":
    sys.exit(main())
