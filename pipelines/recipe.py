"""A recipe: what goes into a corpus and what is done to it, as a Python value on one page.

`python -m pipelines.build --recipe` takes one of the names below or a Python file that holds a
value called `recipe`; `dataclasses.replace` makes a recipe from another.
"""

import difflib
import runpy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from corpus.document import Filter
from corpus.sources import Source
from corpus.sources.guidelines import Guidelines
from corpus.sources.instructions import Instructions
from corpus.sources.mimic import Mimic
from corpus.sources.notes import Columns, Notes
from corpus.sources.pmc import PMC
from corpus.sources.pubmed import PubMed
from corpus.sources.redpajama import RedPajama
from filters.answered import Answered
from filters.contamination import Contamination
from filters.deid import Deid
from filters.gopher import GopherQuality, GopherRepetition
from filters.language import Language
from filters.publication import Publication
from filters.quality import Quality
from filters.text import Repair
from pipelines.dedup import Duplicates


@dataclass(frozen=True)
class Stream:
    """One source, the filters that its documents pass in order, and its place in the mix.

    `cap` is how often one of its documents may stand in the corpus. An optional stream is left out
    when there is no folder of its files; the others are fetched when no raw folder is given.
    """

    source: Source
    filters: tuple[Filter, ...]
    group: str
    cap: int = 4
    optional: bool = False


@dataclass(frozen=True)
class Recipe:
    """What a build is made of; its `repr`, the raw files' digests and the mix name the build.

    `groups` are the names that `--mix` weighs, in its order, and `mix` what it is when it is not given; `template`
    is `--template` likewise, for conversations (filters/chat.py). `shares` (source name -> weight)
    fixes the proportions inside a group; a group without shares takes its sources as they come.
    A document of more than `sequence` tokens stands in the stream in pieces of at most as many, so that
    the ratio holds within one of them anywhere; 0 keeps documents whole.
    `shard_tokens` is the size of a shard. `heldout` is the share of families (patients, articles)
    that are kept out of the stream, for validation. `apart` puts the rows of restricted
    sources into shards of their own (`restricted/` beside `shards/`): the ratio holds by pairs of shards then.
    `recall` is the share of planted identifiers that
    the de-identification of a hospital's notes must mask, or the build stops. `text` says whether shards hold the text
    beside the tokens. `cut_benchmarks` cuts what is found of a benchmark out of its document, where half of that
    stays, in place of dropping all of it.
    """

    name: str
    streams: tuple[Stream, ...]
    groups: tuple[str, ...] = ("biomedical", "clinical", "general")
    shares: Mapping[str, float] = field(default_factory=dict)
    duplicates: Duplicates = Duplicates()
    sequence: int = 4096  # the paper's, and the trainer's
    shard_tokens: int = 50_000_000
    heldout: float = 0.002
    recall: float = 0.95
    text: bool = True
    apart: bool = False
    cut_benchmarks: bool = False
    mix: str = "15:1:4"
    template: str = ""

    def with_columns(self, columns: Columns) -> "Recipe":
        """This recipe with a hospital's tables read by these columns."""
        read = tuple(
            replace(stream, source=replace(stream.source, columns=columns))
            if isinstance(stream.source, Notes)
            else stream
            for stream in self.streams
        )
        return replace(self, streams=read)

    def against(self, benchmarks: Path) -> "Recipe":
        """This recipe with every document that holds an item of these benchmarks dropped, or cut."""
        clean = Contamination.against(benchmarks, mask=self.cut_benchmarks)
        return replace(self, streams=tuple(replace(one, filters=(*one.filters, clean)) for one in self.streams))


def _me_llama() -> Recipe:
    start = (Publication(), Repair())
    pattern_layer = Deid(policy="literature")
    return Recipe(
        name="me-llama",
        streams=(
            Stream(
                PubMed(),
                (*start, Language(), Quality.abstracts(), pattern_layer),
                "biomedical",
            ),
            Stream(
                PMC(),
                (*start, Language(), Quality.papers(), GopherRepetition.papers(), pattern_layer),
                "biomedical",
            ),
            Stream(
                Guidelines(),
                (*start, Language(), Quality.papers(), pattern_layer),
                "biomedical",
                optional=True,
            ),
            Stream(Mimic(), (*start, Deid(policy="mimic4"), Quality.notes()), "clinical"),
            Stream(Notes(), (*start, Deid(policy="notes"), Language(), Quality.notes()), "clinical", optional=True),
            Stream(
                RedPajama(),
                (*start, Language(), Quality.web(), GopherQuality.web(), GopherRepetition.web(), pattern_layer),
                "general",
            ),
        ),
    )


ME_LLAMA = _me_llama()
# The big recipe with smaller shards, on files that corpus.sample makes.
WORLD = replace(ME_LLAMA, name="world", sequence=1024, shard_tokens=250_000, heldout=0.01)


def _instruct() -> Recipe:
    start = (Publication(), Repair(), Language(), Quality.instructions())
    public = (*start, Deid(policy="literature"), Answered())
    return Recipe(
        name="instruct",
        streams=(
            Stream(Instructions("general"), public, "general", cap=1, optional=True),
            Stream(Instructions("medical"), public, "medical", cap=1, optional=True),
            Stream(
                Instructions("clinical"), (*start, Deid(policy="mimic4"), Answered()), "clinical", cap=1, optional=True
            ),
        ),
        groups=("general", "medical", "clinical"),
        # Many a set asks one long question of different things: "Name the relation of A and B. Choose from …".
        duplicates=Duplicates(templated=("note", "report", "instruction"), templated_threshold=0.9),
        heldout=0.01,
        mix="1:2:1",  # ours: the paper does not say its own
        template="auto",
    )


INSTRUCT = _instruct()

RECIPES = {recipe.name: recipe for recipe in (ME_LLAMA, WORLD, INSTRUCT)}


def find(name: str) -> Recipe:
    """The recipe of that name, or the value `recipe` of the Python file of that name.

    Raises ValueError for an unknown name (with the nearest known one) and for a file without one.
    """
    if name in RECIPES:
        return RECIPES[name]
    if name.endswith(".py"):
        if not Path(name).is_file():
            raise ValueError(f"no recipe file {name}; give the path of a Python file that holds `recipe = Recipe(...)`")
        found = runpy.run_path(name).get("recipe")
        if not isinstance(found, Recipe):
            raise ValueError(
                f"{name} holds no value `recipe` that is a pipelines.recipe.Recipe (found {type(found).__name__}); "
                "end the file with `recipe = replace(ME_LLAMA, ...)`"
            )
        return found
    near = difflib.get_close_matches(name, RECIPES, n=1, cutoff=0.3)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"unknown recipe {name!r}{hint} Known are {', '.join(RECIPES)}, or the path of a Python file")
