"""The one command: from the publishers' files to a finished build.

    python -m pipelines.build --mix 15:1:4

Fetch, sift (read, clean, filter, de-identify), sign and count tokens, file by file; then resolve
identity and duplicates over everything; then mix, write shards and ledgers, and last the manifest.
A second run finishes what a first one began, and touches nothing that is finished.
"""

import argparse
import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from corpus import manifest
from filters.tokens import Count, Tokens
from pipelines import counts, finish, plan, report, stages, without
from pipelines.arguments import parse_bytes, parse_columns, parse_mix, parse_tokens
from pipelines.layer import short, start, stop
from pipelines.progress import say
from pipelines.recipe import ME_LLAMA, WORLD, find


def parser() -> argparse.ArgumentParser:
    """The command's options, few and frozen: whatever else a build needs is a value of its recipe."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.build", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--mix", help="weights of the recipe's groups: biomedical:clinical:general by tokens (15:1:4)")
    parser.add_argument("--raw", type=Path, help="build from the files below this folder, one folder per source")
    parser.add_argument(
        "--recipe", help="world, me-llama, instruct, or a Python file that holds `recipe = Recipe(...)`"
    )
    parser.add_argument("--tokens", help="size of the build, like 129B or 2.5e6 (as much as the scarcest group allows)")
    parser.add_argument("--tokenizer", default="mistral-v1", help="a .model, a tokenizer.json, a hub id (mistral-v1)")
    parser.add_argument(
        "--template", help="of conversations: own, me-llama, llama-2, chatml, …, or a .jinja file (auto)"
    )
    parser.add_argument(
        "--count-with", help="tokenizers that count the text too, with commas: A.model,B/tokenizer.json"
    )
    parser.add_argument("--out", type=Path, default=Path("out"), help="where layers and builds lie (out)")
    parser.add_argument("--seed", type=int, default=0, help="of the order of documents and the held-out split (0)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes; 1 runs without Ray")
    parser.add_argument("--ray-address", help="join a Ray cluster (auto, or its address)")
    parser.add_argument("--memory", default="2GB", help="memory that the duplicates stage may take (2GB)")
    parser.add_argument("--columns", help="of a hospital's tables: text=report|body,id=note_id,patient=mrn")
    parser.add_argument("--benchmarks", type=Path, help="a folder of test sets to keep out (DIR/benchmarks of --raw)")
    parser.add_argument("--apart", action="store_true", help="restricted text in shards of its own, below restricted/")
    parser.add_argument("--plan", action="store_true", help="say what would be read and given, and stop")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    given = parser().parse_args(arguments)
    try:
        if given.workers < 1:
            raise ValueError(f"--workers {given.workers}: expected at least 1")
        recipe = find(given.recipe) if given.recipe else (ME_LLAMA if given.raw else WORLD)
        recipe = replace(recipe, duplicates=replace(recipe.duplicates, memory=parse_bytes(given.memory)))
        recipe = replace(recipe, apart=recipe.apart or given.apart)
        if given.columns:
            recipe = recipe.with_columns(parse_columns(given.columns))
        weights = parse_mix(given.mix or recipe.mix, recipe.groups)
        tokens = parse_tokens(given.tokens) if given.tokens else None
        tokenizer = Tokens.named(given.tokenizer, given.template or recipe.template)
        with alone(given.out):
            recipe = stages.clean(recipe, given.out, given.raw, given.benchmarks)
            also = Count.named(given.count_with.split(",")) if given.count_with else None
            order = stages.Order(recipe, weights, tokens, tokenizer, given.seed, also)
            start(given.workers, given.ray_address)
            try:
                if given.plan:
                    print(plan.told(order, given.out, given.raw))
                    return 0
                build = make(order, given.out, given.raw)
            finally:
                stop()
    except (ValueError, OSError) as error:
        print(f"error: {error}", *getattr(error, "__notes__", []), sep="\n  ", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here", file=sys.stderr)
        return 130
    print((build / report.NAME).read_text(encoding="utf-8"), end="")
    print(report.following(build))
    return 0


@contextlib.contextmanager
def alone(out: Path) -> Iterator[None]:
    """Holds `out` for this build; a second one in the same folder would write the same files."""
    out.mkdir(parents=True, exist_ok=True)
    with open(out / ".lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"another build is running in {out}; wait for it, or give another --out") from None
        yield


def make(order: stages.Order, out: Path, folder: Path | None) -> Path:
    """Makes the build from the raw files in `folder` (fetched when None), or finds it made; its folder."""
    say(f"{order.recipe.name}, mix {order.asked}, into {out}")
    inputs = stages.route(order, out, stages.gather(order, out, folder))
    if erased := without.remembered(out):
        say(f"  {len(erased)} documents were erased here before and stay out ({out / without.REMEMBERED})")
        stages.audited(inputs, order, out)
        stages.sifted(inputs, order)
        inputs = without.without(inputs, order, out, without.where(inputs, erased))
    key = stages.build_key(order, inputs)
    build = out / f"{order.recipe.name}-{short(key)}"
    if not (build / manifest.NAME).exists():
        cards = stages.audited(inputs, order, out)
        stages.sifted(inputs, order)
        counts.make(order, inputs, out)
        entries, twins = stages.resolved(inputs, order, out)
        finish.make(order, key, build, inputs, entries, twins, cards, out)
    _point(out / "build", build)
    return build


def _point(link: Path, build: Path) -> None:
    """`out/build` leads to the build that was asked for last."""
    if link.is_symlink() and os.readlink(link) == build.name:
        return
    fresh = link.with_name(link.name + ".partial")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(build.name)
    os.replace(fresh, link)


if __name__ == "__main__":
    sys.exit(main())
