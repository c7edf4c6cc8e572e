"""A build in the files of other trainers: `python -m pipelines.export BUILD --to FORMAT --dest DIR|s3://…`.

Shard by shard, in the order of the stream; memory holds a batch or a chunk. `export.json`, written
last, holds the build's manifest, the digest of every file and of the token stream. An export that
was interrupted goes on where it stopped; one that is finished is not touched.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus import manifest
from corpus.files import digest
from corpus.shards import PUBLIC, RESTRICTED
from pipelines.exports import tables, targets, tokens
from pipelines.exports.rows import About, token_digest
from pipelines.layer import run, start, stop
from pipelines.progress import amount, say

NAME = "export.json"
NOTES = ".export"  # what is finished, until all is
FORMATS = {
    kind.name: kind()
    for kind in (
        tables.Hf,
        tables.Parquet,
        tokens.Megatron,
        tables.Mds,
        tokens.Litdata,
        tokens.Nanotron,
        tokens.Olmo,
        tables.Webdataset,
    )
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m pipelines.export", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("build", type=Path, help="the folder of a finished build")
    parser.add_argument("--to", required=True, choices=FORMATS, help="the format")
    parser.add_argument("--dest", required=True, help="a folder, or s3://bucket/prefix")
    parser.add_argument("--part", help="export the held-out shard of this group instead of the stream")
    parser.add_argument("--no-text", action="store_true", help="leave the text out of formats that hold rows")
    parser.add_argument("--workers", type=int, default=1, help="processes; 1 runs without Ray")
    parser.add_argument(
        "--public", action="store_true", help="the destination is public: only shards without restricted text"
    )
    parser.add_argument(
        "--restricted-may-be-stored-there",
        action="store_true",
        help="my data use agreements allow restricted text at this s3:// address",
    )
    given = parser.parse_args(arguments)
    try:
        content = manifest.load(given.build)
        _allowed(content, given)
        if given.public and content["restricted"]:
            content = _public(content)
        mode = RESTRICTED if content["restricted"] else PUBLIC
        # Beside the build: there is room, and whoever may not read the one cannot read the other.
        stage = given.build.resolve().parent / f".export-{content['key'][:12]}-{given.to}"
        target = targets.parse(given.dest, mode, stage)
        start(given.workers)
        try:
            told = export(given.build, content, FORMATS[given.to], target, given.part, not given.no_text)
        finally:
            stop()
    except (ValueError, OSError) as error:
        print(f"error: {error}", *getattr(error, "__notes__", []), sep="\n  ", file=sys.stderr)
        return 2
    print(
        f"{given.to}: {told['rows']:,} documents, {amount(told['tokens'])} tokens in {len(told['files'])} files at "
        f"{given.dest}\ntoken stream {told['token_digest']}\n\n{FORMATS[given.to].reading(given.dest)}"
    )
    return 0


def _allowed(content: Any, given: argparse.Namespace) -> None:
    if not content["restricted"]:
        return
    names = ", ".join(source["name"] for source in content["sources"] if source["restricted"])
    if given.public and content["apart"] and not given.part:
        return
    if given.public:
        raise ValueError(
            f"{given.build} holds restricted text ({names}) and cannot go to a public place; make a build without "
            "these sources (--mix with weight 0 for their group), or one with --apart, and export that"
        )
    if "://" in given.dest and not given.restricted_may_be_stored_there:
        raise ValueError(
            f"{given.build} holds restricted text ({names}) and {given.dest} is not on this machine; if your data use "
            "agreements allow it there, say so with --restricted-may-be-stored-there"
        )


def _public(content: Any) -> dict[str, Any]:
    """The manifest of a build whose restricted text lies apart, without it and what is known of it."""
    hidden = {source["name"] for source in content["sources"] if source["restricted"]}
    held = [item for item in content["shards"] if not item["restricted"]]
    return content | {
        "restricted": False,
        "shards": held,
        "heldout": [],
        "rows": sum(item["rows"] for item in held),
        "tokens": sum(item["tokens"] for item in held),
        "sources": [source for source in content["sources"] if source["name"] not in hidden],
        "ledger": [item for item in content["ledger"] if item["source"] not in hidden],
        "deidentification": {},
        "duplicates": {},
    }


@dataclass(frozen=True)
class _Job:
    """What a worker needs to export shards."""

    form: Any
    about: About
    target: targets.Target

    def __call__(self, shard: Path, number: int) -> list[dict[str, Any]]:
        """Writes what becomes of one shard to the target, and last the note that it is there."""
        folder = self.target.stage / f"{number:05d}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700)
        files = self.form.piece(shard, number, self.about, folder)
        _move(self.target, folder, files)
        note = folder / "note.json"
        manifest.write(note, files)
        self.target.put(note, _note(number))
        return files  # type: ignore[no-any-return]


def _move(target: targets.Target, folder: Path, files: list[dict[str, Any]]) -> None:
    """Puts written files in their places, with their sizes and digests told."""
    for file in files:
        path = folder / file["path"]
        file["bytes"], file["sha256"] = path.stat().st_size, digest(path).removeprefix("sha256:")
        target.put(path, file["path"])


def _note(number: int) -> str:
    return f"{NOTES}/{number:05d}.json"


def export(
    build: Path, content: Any, form: Any, target: targets.Target, part: str | None = None, text: bool = True
) -> dict[str, Any]:
    """Exports the build to `target`, or finds it exported; what `export.json` says.

    Raises ValueError when the target holds something else.
    """
    held = [item for item in content["heldout"] if item["group"] == part] if part else content["shards"]
    if not held:
        known = ", ".join(item["group"] for item in content["heldout"]) or "none"
        raise ValueError(f"{build} has no held-out documents of {part!r}; known are {known}")
    asked = {
        "build": content["key"],
        "restricted": content["restricted"],
        "to": form.name,
        "version": form.version,
        "part": part,
        "text": text,
    }
    split = "validation" if part else "train"
    about = About(content["name"], manifest.key(asked), content["tokenizer"], len(held), text, split)
    shards = [build / item["path"] for item in held]
    target.prepare()
    names = target.names()
    if NAME in names:
        there = json.loads(target.read(NAME) or b"{}")
        if there.get("asked") != asked:
            raise ValueError(f"{target} holds another export already ({there.get('asked')}); give another --dest")
        say(f"  {form.name}: there already")
        return there
    begun = f"{NOTES}/asked.json"
    if begun in names:
        if json.loads(target.read(begun) or b"{}") != asked:
            raise ValueError(f"{target} holds the beginning of another export; give another --dest, or empty it")
    elif names:
        raise ValueError(f"{target} is not empty and holds no export; give a new or an empty --dest")
    stage = target.stage
    stage.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        if begun not in names:
            _put(target, stage, begun, asked)
        todo = [number for number in range(len(shards)) if _note(number) not in names]
        job = _Job(form, about, target)
        jobs = [(shards[number], number) for number in todo]
        weights = [float(held[number]["bytes"]) for number in todo]
        run(job, jobs, form.name, weights, there=len(shards) - len(todo))
        files = [file for number in range(len(shards)) for file in json.loads(target.read(_note(number)) or b"[]")]
        made = [{"path": name} for name in form.finish(files, about, stage)]
        tokenizer = content["tokenizer"]["file"]
        (stage / tokenizer).parent.mkdir(exist_ok=True)
        shutil.copyfile(build / tokenizer, stage / tokenizer)
        made.append({"path": tokenizer})
        _move(target, stage, made)
        stream = token_digest(shards)
        told = {
            "asked": asked,
            "files": [*files, *made],
            "rows": stream.rows,
            "tokens": stream.tokens,
            "token_digest": stream.name,
            "restricted": content["restricted"],
            "manifest": content,
        }
        if stream.rows != sum(file.get("rows", 0) for file in files):
            raise ValueError(f"{build} changed while it was exported; empty {target} and export again")
        _put(target, stage, NAME, told)
        for name in sorted(target.names()):
            if name.startswith(f"{NOTES}/"):
                target.delete(name)
    finally:
        target.close()
    return told


def _put(target: targets.Target, stage: Path, name: str, content: Any) -> None:
    path = stage / name.rpartition("/")[2]
    manifest.write(path, content)
    target.put(path, name)


if __name__ == "__main__":
    sys.exit(main())
