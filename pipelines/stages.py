"""The stages of a build, each over all its files: gather, sift, sign, count, resolve, index.

Every stage makes only the files that are missing; what is finished is found by its name.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from corpus import manifest, sample, shards
from corpus.document import Filter
from corpus.files import BadInput, text_digest
from corpus.sources import Source
from corpus.sources.instructions import Instructions
from corpus.sources.redpajama import RedPajama
from filters.deid import Deid
from filters.tokens import Count as Counted
from filters.tokens import Tokens
from pipelines import assemble, audit, dedup, raw
from pipelines.download import fetch_source
from pipelines.layer import Layer, do, run, short
from pipelines.people import People, masks, together
from pipelines.progress import say
from pipelines.recipe import INSTRUCT, WORLD, Recipe, Stream
from pipelines.sift import Count, Sift, ledger_of

Entries = list[assemble.Entry]
AUDITED = 200  # notes of a source that the audit reads: about 4,000 planted identifiers


@dataclass(frozen=True)
class Order:
    """One build, as it was asked for. `also` are tokenizers that count its text beside its own."""

    recipe: Recipe
    weights: dict[str, int]
    tokens: int | None
    tokenizer: Tokens
    seed: int
    also: Counted | None = None

    @property
    def asked(self) -> str:
        return ":".join(map(str, self.weights.values()))

    def mode(self, stream: Stream) -> int:
        return shards.RESTRICTED if stream.source.restricted else shards.PUBLIC


@dataclass(frozen=True)
class Input:
    """One raw file on its way: whose it is and where its layer files lie."""

    stream: Stream
    raw: raw.Raw
    layer: Path
    key: str
    tokens: Path
    signature: Path
    people: People | None = None


def clean(recipe: Recipe, out: Path, folder: Path | None, benchmarks: Path | None) -> Recipe:
    """The recipe with the benchmarks kept out: those given, those that lie in the raw folder, the world's."""
    if benchmarks is None and folder is not None and (folder / "benchmarks").is_dir():
        benchmarks = folder / "benchmarks"
    if recipe.name in (WORLD.name, INSTRUCT.name) and folder is None:
        sample.make(out / "world")
        benchmarks = benchmarks or out / "world" / "benchmarks"
    if benchmarks is None:
        say("  no benchmarks are kept out of this build: give --benchmarks, a folder with what you will evaluate on")
        return recipe
    return recipe.against(benchmarks)


def gather(order: Order, out: Path, folder: Path | None) -> list[tuple[Stream, list[raw.Raw]]]:
    """The streams of the recipe with their raw files, fetched first when no folder is given."""
    if folder is None:
        folder = out / "world" if order.recipe.name == INSTRUCT.name else _fetched(order, out)
    elif not folder.is_dir():
        raise BadInput(f"--raw {folder} is not a folder; give the folder that holds pubmed/, pmc/, mimic/, …")
    chosen = []
    for stream in order.recipe.streams:
        source = stream.source
        below = folder / (source.folder if isinstance(source, Instructions) else source.name)
        if not below.is_dir():
            say(f"  {source.name}: left out, there is no {below}")
        elif isinstance(source, Instructions) and not raw.listing(source, below):
            say(f"  {source.name}: left out, there is none in {below}. {source.absent}")
        else:
            chosen.append((stream, below))
    if not chosen:
        names = ", ".join(stream.source.name for stream in order.recipe.streams)
        raise BadInput(f"{folder} holds no folder of a source; expected one or more of {names}")
    files = raw.take([(stream.source, below) for stream, below in chosen], out / "layers" / "digests.json")
    return [(stream, found) for (stream, _), found in zip(chosen, files, strict=True)]


def _fetched(order: Order, out: Path) -> Path:
    streams = [stream for stream in order.recipe.streams if not stream.optional]
    bases: dict[str, str] = {}
    if order.recipe.name == WORLD.name:
        bases = sample.bases(out / "world")
        streams = list(order.recipe.streams)
    for stream in streams:
        source = stream.source
        if source.name in bases:
            source = replace(source, base=bases[source.name])  # type: ignore[type-var]
        elif isinstance(source, RedPajama) and source.tokens is None:
            source = replace(source, tokens=_wanted(order, stream))
        fetch_source(source, out / "raw" / source.name)
    return out / "raw"


def _wanted(order: Order, stream: Stream) -> float:
    """How many tokens of a source that is far larger than any build are fetched for this one."""
    if order.tokens is None:
        raise ValueError(
            f"without --tokens, {stream.source.name} would be fetched whole, about 3 TB; give the size of the build "
            "(--tokens 129B is Me-LLaMA's), or --raw with the files that you have"
        )
    return order.tokens * order.weights[stream.group] / sum(order.weights.values())


def beside(order: Order, root: Path) -> tuple[Layer, Layer]:
    """The layers that stand beside documents: their token ids, and their signatures."""
    signature = order.recipe.duplicates.signature
    return Layer(root, "tokens", repr(Count(order.tokenizer))), Layer(root, "signatures", signature)


def route(order: Order, out: Path, gathered: list[tuple[Stream, list[raw.Raw]]]) -> list[Input]:
    """Where everything that is made of each raw file will lie."""
    root = out / "layers"
    count, sign = beside(order, root)
    inputs = []
    for stream, files in gathered:
        sift = Layer(root, stream.source.name, repr(Sift(stream.source, stream.filters)))
        named, others = People.of(stream, files, root), together(stream, files)
        for file in files:
            upstream = file.sha256 + others
            key = sift.key(f"{file.name} {upstream}")
            inputs.append(
                Input(
                    stream,
                    file,
                    sift.path(file.name, upstream),
                    key,
                    count.path(file.name, key),
                    sign.path(file.name, key),
                    named,
                )
            )
    return inputs


def audited(inputs: Sequence[Input], order: Order, out: Path) -> dict[str, Any]:
    """Source -> scorecard of its de-identification, measured on its own notes before any is written.

    For streams whose notes carry identifiers (policy "notes"). Raises ValueError below the floor
    of the recipe.
    """
    cards = {}
    for stream in order.recipe.streams:
        deid = masks(stream)
        mine = [i for i in inputs if i.stream.source.name == stream.source.name]
        if deid is None or not mine:
            continue
        before = stream.filters[: stream.filters.index(deid)]
        files = [(i.raw.path, i.raw.name) for i in mine]
        key = text_digest(f"{[i.raw.sha256 for i in mine]} {stream.source!r} {before!r} {deid!r} {AUDITED}")
        card = out / "layers" / f"audit-{stream.source.name}-{short(key)}.json"
        if not card.exists():
            run(_audit, [(stream.source, before, deid, files, card)], f"audit of {stream.source.name}")
        cards[stream.source.name] = manifest.read(card)
        # Notes with patients in them are masked as much as they name them: only recall can be judged here.
        audit.gate(cards[stream.source.name], order.recipe.recall, over=1.0)
    return cards


def _audit(
    source: Source, before: tuple[Filter, ...], deid: Deid, files: Sequence[tuple[Path, str]], out: Path
) -> None:
    sift = Sift(source, before)
    notes = (note for path, name in files for note in sift.documents(path, name))
    manifest.write(out, audit.scorecard(notes, deid, notes=AUDITED), shards.RESTRICTED)


def sifted(inputs: Sequence[Input], order: Order) -> None:
    """Makes the missing files of the per-file layers: documents, signatures, token ids."""

    def missing(path: str) -> tuple[list[Input], int]:
        lacking = [i for i in inputs if not getattr(i, path).exists()]
        return lacking, len(inputs) - len(lacking)

    todo, there = missing("layer")
    named = {i.stream.source.name: i.people for i in todo if i.people}
    for one in named.values():
        one.make()
    works = {i.stream.source.name: Sift(i.stream.source, i.stream.filters) for i in todo}
    works |= {name: Sift(one.stream.source, one.filters) for name, one in named.items()}
    jobs = [(works[i.stream.source.name], i.raw.path, i.raw.name, i.layer) for i in todo]
    run(do, jobs, "sift", [i.raw.bytes for i in todo], there=there)
    todo, there = missing("signature")
    settings = order.recipe.duplicates
    jobs = [(i.layer, i.signature, settings) for i in todo]
    run(dedup.sign, jobs, "sign", [i.layer.stat().st_size for i in todo], there=there)
    todo, there = missing("tokens")
    count = Count(order.tokenizer)
    jobs = [(count, i.layer, i.tokens, order.mode(i.stream)) for i in todo]
    run(do, jobs, "count tokens", [i.layer.stat().st_size for i in todo], there=there)


def parts_of(inputs: Sequence[Input]) -> list[dedup.Part]:
    return [dedup.Part(short(i.key), i.layer, ledger_of(i.layer)) for i in inputs]


def verdicts(inputs: Sequence[Input], order: Order, out: Path) -> Path:
    """The folder of the verdicts on exactly these files; its summary is written last."""
    keys = sorted(part.key for part in parts_of(inputs))
    return out / "layers" / f"verdicts-{short(text_digest(f'{keys} {order.recipe.duplicates!r}'))}"


def resolved(inputs: Sequence[Input], order: Order, out: Path) -> tuple[Entries, dict[str, Any]]:
    """Identity and duplicates over everything; the entries with their verdicts, and a summary."""
    folder = verdicts(inputs, order, out)
    parts = parts_of(inputs)
    done = folder / "summary.json"
    if done.exists():
        say("  duplicates: there already")
    else:
        settings = order.recipe.duplicates
        manifest.write(done, dedup.resolve(parts, [i.signature for i in inputs], folder, settings, run))
    entries = [
        assemble.Entry(
            i.stream.source.name,
            i.stream.group,
            i.raw.name,
            i.layer,
            i.tokens,
            folder / f"{part.key}.verdict.arrow",
        )
        for i, part in zip(inputs, parts, strict=True)
    ]
    return entries, manifest.read(done)


def indexed(entries: Entries, order: Order, out: Path, name: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """What may be drawn of every entry: INDEX and CUT arrays, in the order of the entries."""
    folder = out / "layers" / f"mix-{short(name)}"
    paths = [folder / f"{number:06d}.index.npy" for number in range(len(entries))]
    todo = [number for number, path in enumerate(paths) if not path.exists()]
    tokenizer, recipe = order.tokenizer.tokenizer, order.recipe
    jobs = [(entries[n], paths[n], order.seed, recipe.heldout, tokenizer, recipe.sequence, 0o600) for n in todo]
    run(assemble.index, jobs, "index", there=len(entries) - len(todo))
    return [(np.load(path), np.load(assemble.cuts_of(path))) for path in paths]


def build_key(order: Order, inputs: Sequence[Input]) -> str:
    """The digest of everything that makes a build: names its folder before anything is done."""
    return manifest.key(
        {
            "inputs": [(i.stream.source.name, i.raw.name, i.key) for i in inputs],
            "recipe": repr(order.recipe),
            "mix": order.weights,
            "tokens": order.tokens,
            "tokenizer": repr(order.tokenizer),
            "seed": order.seed,
        }
        | ({"also": repr(order.also)} if order.also else {})
    )
