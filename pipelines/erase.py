"""Takes documents out of a build: `python -m pipelines.erase BUILD ID …` or `--patient SOURCE:P`.

A new build is made beside the old one from the same layers, with the rows of these documents left
out of them: signatures and token counts of those files only, then duplicates, mix, shards and
ledgers as in any build. So the ratio holds again, a document that had gone because of an erased one
is back, and what comes out is what a build without the document gives. The old build is not touched.

`erased.json` in the new build is the receipt: what was erased, the digests before and after, and
where the document still lies (the old build, the layers, the raw files), to be deleted by hand.
"""

import argparse
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from corpus import ledger, manifest, shards
from corpus.files import BadInput, digest
from corpus.key import pseudonym, read_key
from corpus.sources.notes import Notes
from filters import chat
from filters.tokens import Count, Tokenizer, Tokens
from pipelines import build as command
from pipelines import counts, finish, raw, stages, without
from pipelines.arguments import parse_columns
from pipelines.layer import short, start, stop
from pipelines.recipe import RECIPES, Recipe, find

RECEIPT = "erased.json"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m pipelines.erase", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("build", type=Path, help="the folder of a finished build, where it was made")
    parser.add_argument("id", nargs="*", help="documents' ids, like mimic:10000032-DS-21")
    parser.add_argument("--patient", action="append", default=[], help="SOURCE:P, every document of a patient")
    parser.add_argument("--raw", type=Path, help="the build's raw files, to find a patient's documents (BUILD/../raw)")
    parser.add_argument("--recipe", help="the recipe of the build, when it was a file")
    parser.add_argument("--columns", help="as the build was made with")
    parser.add_argument("--benchmarks", type=Path, help="as the build was made with")
    parser.add_argument("--count-with", help="as the build was made with")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes; 1 runs without Ray")
    given = parser.parse_args(arguments)
    try:
        if not given.id and not given.patient:
            raise ValueError("nothing to erase: give ids of documents, or --patient SOURCE:P")
        build = given.build.resolve()
        content = manifest.load(build)
        with command.alone(build.parent):
            start(given.workers)
            try:
                recipe = _recipe(content, given.recipe, given.columns)
                recipe = stages.clean(recipe, build.parent, given.raw, given.benchmarks)
                also = Count.named(given.count_with.split(",")) if given.count_with else None
                made = erase(build, content, recipe, given.id, given.patient, given.raw, also)
            finally:
                stop()
    except (ValueError, OSError) as error:
        print(f"error: {error}", *getattr(error, "__notes__", []), sep="\n  ", file=sys.stderr)
        return 2
    print(told(made))
    return 0


def told(build: Path) -> str:
    """The receipt in words."""
    receipt = manifest.read(build / RECEIPT)
    before, after = receipt["before"], receipt["after"]
    lines = [f"erased {len(receipt['erased'])} documents: {', '.join(receipt['erased'][:5])}"]
    lines[0] += ", …" if len(receipt["erased"]) > 5 else ""
    for label, one in (("before", before), ("after", after)):
        realised = " : ".join(f"{value:.4f}" for value in one["realised"].values())
        lines.append(
            f"  {label:<7} {one['tokens']:,} tokens, {one['documents']:,} documents, {realised}  {one['build']}"
        )
    if receipt["returned"]:
        lines.append("  copies that had gone because of them are back; look whether they must go too:")
        lines += [f"    {item['id']} ({item['reason']})" for item in receipt["returned"][:10]]
    lines.append("  they still lie in (delete what you must; training on the old build is refused its successor):")
    lines += [f"    {path}" for path in receipt["still_in"]]
    lines.append(f"\nthe build lies in {build}\n  check it        python -m pipelines.verify {build}")
    return "\n".join(lines)


def _recipe(content: Mapping[str, Any], given: str | None, columns: str | None) -> Recipe:
    if not given and content["name"] not in RECIPES:
        raise ValueError(
            f"the build was made by the recipe {content['name']!r} of a file; name it with --recipe FILE.py"
        )
    recipe = find(given or content["name"])
    return recipe.with_columns(parse_columns(columns)) if columns else recipe


def erase(
    build: Path,
    content: Mapping[str, Any],
    recipe: Recipe,
    ids: Sequence[str],
    patients: Sequence[str] = (),
    folder: Path | None = None,
    also: Count | None = None,
) -> Path:
    """Makes the build without these documents beside `build`; its folder. Raw files lie below `folder`.

    Later builds in the same place leave them out, too (pipelines/without.py). Raises ValueError when an id is
    unknown or the build cannot be made again from its layers.
    """
    out = build.parent
    earlier = _erased(build, content)
    order, plain = _again(build, content, recipe, earlier, also)
    ids = without.known(plain, ids)
    asked = sorted({*ids, *_of_patients(plain, patients, folder or out / "raw")})
    files = _files(build, content, asked)
    every = sorted({*earlier, *asked})
    inputs = without.without(plain, order, out, without.where(plain, every))
    key = stages.build_key(order, inputs)
    made = out / f"{recipe.name}-{short(key)}"
    if not (made / manifest.NAME).exists():
        stages.sifted(inputs, order)
        counts.make(order, inputs, out)
        entries, twins = stages.resolved(inputs, order, out)
        finish.make(order, key, made, inputs, entries, twins, content["deidentification"], out)
    fresh = manifest.load(made)
    left = _left(made, fresh, every)
    assert not left, f"{made} holds documents that were erased: {left[:3]}"
    mode = shards.RESTRICTED if content["restricted"] else shards.PUBLIC
    named = [i for i in plain if f"{i.stream.source.name}/{i.raw.name}" in files]
    still = [build, *(path for i in named for path in (i.layer, i.tokens))]
    receipt = {
        "asked": {"ids": sorted(ids), "patients": sorted(map(_unnamed, patients))},
        "erased": asked,
        "all": every,
        "files": files,
        "before": _state(build, content),
        "after": _state(made, fresh),
        "returned": _returned(build, content, made, fresh, asked),
        "still_in": [*map(str, still), *(f"raw file {name}" for name in files)],
    }
    manifest.write(made / RECEIPT, receipt, mode)
    without.remember(out, every)
    return made


def _erased(build: Path, content: Mapping[str, Any]) -> list[str]:
    """The ids of documents that were erased before the build was made."""
    found: list[str] = []
    for item in content["ledger"]:
        book = ledger.read(build / item["path"]).select(["id", "reason"])
        found += book.filter(pc.fill_null(pc.equal(book["reason"], without.REASON), False))["id"].to_pylist()
    return sorted(set(found))


def _again(
    build: Path, content: Mapping[str, Any], recipe: Recipe, earlier: Sequence[str], also: Count | None
) -> tuple[stages.Order, list[stages.Input]]:
    """The order that gave a build, and its inputs before anything was `earlier` erased from them."""
    of = content["tokenizer"]
    tokenizer = Tokenizer(
        of["name"], of["kind"], f"sha256:{of['sha256']}", of["vocabulary"], of["bos"], of["eos"], build / of["file"]
    )
    weights = {name: content["mix"]["asked"][name] for name in recipe.groups}
    streams = {stream.source.name: stream for stream in recipe.streams}
    gathered = []
    for source in content["sources"]:
        if source["name"] not in streams:
            raise ValueError(f"the recipe {recipe.name!r} has no source {source['name']!r}, which the build has read")
        found = [raw.Raw(Path(f["path"]), f["path"], f["bytes"], f["sha256"]) for f in source["files"]]
        gathered.append((streams[source["name"]], found))
    order = stages.Order(
        recipe, weights, content["asked"]["tokens"], _tokens(content, tokenizer), content["seed"], also
    )
    plain = stages.route(order, build.parent, gathered)
    missing = [i.layer for i in plain if not i.layer.exists()]
    if missing:
        raise BadInput(
            f"{len(missing)} layer files of {build} are not there any more ({missing[0]}, …); run the build's "
            "own command again to make them, then erase"
        )
    inputs = without.without(plain, order, build.parent, without.where(plain, earlier))
    if stages.build_key(order, inputs) != content["key"]:
        raise BadInput(
            f"{build} cannot be made again: its recipe, its filters or their versions are not those of today "
            f"({recipe.name}); use the version that made it, name its --recipe, --columns and --count-with, or "
            "build again"
        )
    return order, plain


def _tokens(content: Mapping[str, Any], tokenizer: Tokenizer) -> Tokens:
    template = content["tokenizer"].get("template")
    return Tokens(tokenizer, chat.Template.of(**template) if template else None)


def _files(build: Path, content: Mapping[str, Any], ids: Iterable[str]) -> dict[str, list[str]]:
    """`source/file` -> the ids of it that are among `ids`. BadInput for an id that no ledger has."""
    wanted = pa.array(sorted(set(ids)), pa.string())
    found: dict[str, set[str]] = {}
    for item in content["ledger"]:
        book = ledger.read(build / item["path"]).select(["id", "source", "file"])
        for row in book.filter(pc.is_in(book["id"], value_set=wanted)).to_pylist():
            found.setdefault(f"{row['source']}/{row['file']}", set()).add(row["id"])
    unknown = sorted(set(wanted.to_pylist()) - set().union(*found.values()))
    if unknown:
        raise BadInput(f"no document {unknown[0]} was read for {build}; `python -m pipelines.why` knows near ones")
    return {name: sorted(these) for name, these in sorted(found.items())}


def _of_patients(inputs: Sequence[stages.Input], patients: Sequence[str], folder: Path) -> set[str]:
    """The ids of every document of these patients.

    A layer knows a patient only by a pseudonym, and only where the site has a key (`meta.patient`);
    so a patient's own name is looked for in the raw files, where they lie below `folder`.
    """
    found: set[str] = set()
    for patient in patients:
        source, _, name = patient.partition(":")
        mine = [i for i in inputs if i.stream.source.name == source]
        if not name or not mine:
            known = ", ".join(dict.fromkeys(i.stream.source.name for i in inputs))
            raise ValueError(f"--patient {patient}: expected SOURCE:PATIENT with a source of {known}")
        ids = {
            id
            for i in mine
            for alike in {name, _unnamed(patient).partition(":")[2]}
            for id in _pseudonym(i.layer, alike)
        }
        lie = [folder / source / i.raw.name for i in mine]
        if not ids and all(path.is_file() for path in lie):
            for i, path in zip(mine, lie, strict=True):
                ids |= {
                    one.id for one in i.stream.source.read(path, i.raw.name) if str(one.meta.get("patient")) == name
                }
        elif not ids:
            raise BadInput(
                f"--patient {patient}: the layers do not know patients by this name, and the raw files do not lie "
                f"in {folder / source}; give --raw DIR with the files that the build was made from"
            )
        if not ids:
            raise BadInput(f"--patient {patient}: no document of {source} is of this patient")
        found |= ids
    return found


def _unnamed(patient: str) -> str:
    """SOURCE:PATIENT as the layers of a site with a key have it: hospitals' own numbers are hashed."""
    source, _, name = patient.partition(":")
    key = read_key(None) if source == Notes().name else None
    return (
        patient
        if key is None or re.fullmatch("p[0-9a-f]{16}", name)
        else f"{source}:p{pseudonym(key, 'patient', name)}"
    )


def _pseudonym(layer: Path, name: str) -> set[str]:
    """The ids of a layer file's documents whose `meta.patient` is `name`."""
    found = set()
    reader = shards.open_shard(layer)
    for number in range(reader.num_record_batches):
        batch = reader.get_batch(number).select(["id", "meta"])
        alike = batch.filter(pc.match_substring(batch.column("meta"), name))
        for id, meta in zip(alike.column("id").to_pylist(), alike.column("meta").to_pylist(), strict=True):
            if str(json.loads(meta).get("patient")) == name:
                found.add(id)
    return found


def _left(build: Path, content: Mapping[str, Any], ids: Sequence[str]) -> list[str]:
    """Erased ids that are found in shards: none."""
    wanted = pa.array(ids, pa.string())
    found = []
    for item in [*content["shards"], *content["heldout"]]:
        reader = shards.open_shard(build / item["path"])
        for number in range(reader.num_record_batches):
            column = reader.get_batch(number).column("id")
            found += column.filter(pc.is_in(column, value_set=wanted)).to_pylist()
    return found


def _state(build: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "build": build.name,
        "key": content["key"],
        "manifest": digest(build / manifest.NAME),
        "tokens": content["tokens"],
        "documents": content["documents"],
        "realised": content["mix"]["realised"],
        "shards": {item["path"]: item["sha256"] for item in content["shards"]},
    }


def _returned(
    build: Path, content: Mapping[str, Any], made: Path, fresh: Mapping[str, Any], ids: Sequence[str]
) -> list[dict[str, str]]:
    """Documents that had gone because of an erased one and now stay: id and why they had gone."""
    wanted = pa.array(ids, pa.string())
    gone: dict[str, str] = {}
    for item in content["ledger"]:
        book = ledger.read(build / item["path"]).select(["id", "twin", "reason"])
        for row in book.filter(pc.fill_null(pc.is_in(book["twin"], value_set=wanted), False)).to_pylist():
            if row["id"] not in ids:
                gone[row["id"]] = row["reason"]
    back: set[str] = set()
    for item in fresh["ledger"]:
        book = ledger.read(made / item["path"]).select(["id", "status"])
        book = book.filter(pc.is_in(book["id"], value_set=pa.array(list(gone), pa.string())))
        back.update(row["id"] for row in book.to_pylist() if row["status"] != "dropped")
    return [{"id": id, "reason": gone[id]} for id in sorted(back)]


if __name__ == "__main__":
    sys.exit(main())
