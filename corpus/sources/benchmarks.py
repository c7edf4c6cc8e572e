"""Benchmarks: the questions that models are tested with, read so that no corpus is built from them.

They are pinned like sources and never mixed: filters/contamination.py cleans against these items, and
trainer/evaluate.py asks the same items, read by the same lines of code. One folder a benchmark, named as
its task is (pubmedqa, medqa, …: the forms are in corpus/sources/items.py and corpus/sources/annotated.py), or

    NAME/items.jsonl           anything else: {"id", "parts": ["…"], "pmid"?, "identities"?: ["…"], "split"?,
                               and for a task of trainer/tasks what it asks: "ask": {"question", …}}
    NAME/ids.txt               identities alone, one a line: pmid:123, pmcid:PMC123, doi:10.1/x,
                               patient:10000032, or the id of a document (mimic:10000032-DS-21)

The last is for benchmarks made of credentialed notes or of articles by number. Explanations beside
answers (MedMCQA's `exp`) are quoted from textbooks and are no part of a question.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from corpus.document import Document
from corpus.files import BadInput, Foreign, text_digest
from corpus.files import digest as digest_of
from corpus.sources import Fetch, Remote, annotated
from corpus.sources.items import Item, medmcqa, medqa, mmlu, plain, pubmedqa, rows, text_of

# Benchmark -> its reader, what its files' names end with, and its licence where that is known.
_FORMS: dict[str, tuple[Callable[[Path, str], Iterator[Item]], tuple[str, ...], str | None]] = {
    "pubmedqa": (pubmedqa, (".json", ".jsonl", ".parquet"), "MIT"),
    "medqa": (medqa, (".jsonl", ".json", ".parquet"), "MIT"),
    "medmcqa": (medmcqa, (".json", ".jsonl", ".parquet"), "MIT"),
    "mmlu": (mmlu, (".csv", ".jsonl", ".parquet"), "MIT"),
    "mednli": (annotated.inference, (".jsonl",), None),
    "bionli": (annotated.inference, (".csv", ".tsv", ".jsonl", ".parquet"), None),
    "hoc": (annotated.hallmarks, (".txt", ".jsonl", ".parquet", ".tsv"), "GPL-3.0"),
    "ddi2013": (annotated.interactions, (".xml",), "CC-BY-NC-4.0"),
    "i2b2": (annotated.entities, (".xml", ".txt"), None),
    "emrqa": (annotated.answers, (".json",), None),
    "mtsample": (annotated.specialties, (".csv",), None),
    "pubmedsum": (annotated.articles, (".txt", ".jsonl", ".parquet"), None),
    "mimicsum": (annotated.reports, (".txt", ".jsonl", ".csv"), None),
}


@dataclass(frozen=True)
class Benchmarks:
    """Items of benchmarks as documents, one each.

    `meta`: `benchmark`, `item`, `split`, `parts` (texts that give the item away when they are found: the
    question, the question with its options, a passage), `identities` (what names it without text),
    `ask` (corpus.sources.items).
    """

    base: str = field(default="https://raw.githubusercontent.com/pubmedqa/pubmedqa/master/data/", repr=False)
    version: int = 2

    @property
    def name(self) -> str:
        return "benchmarks"

    @property
    def restricted(self) -> bool:
        return False

    def listing(self, fetch: Fetch) -> Iterator[Remote]:
        """PubMedQA alone has addresses that answer without a browser; the others are put there by hand."""
        for file in ("ori_pqal.json", "test_ground_truth.json"):
            yield Remote(self.base + file, f"pubmedqa/{file}", license="MIT")

    def accepts(self, path: str) -> bool:
        benchmark, _, file = path.partition("/")
        name = plain(file.rsplit("/", 1)[-1])
        known = _FORMS.get(benchmark, (None, (".json", ".jsonl", ".csv"), None))[1]
        if name in ("items.jsonl", "ids.txt"):
            return True
        if name == "test_ground_truth.json" or (benchmark, file.split("/")[0]) == ("hoc", "labels"):
            return False
        return bool(file) and name.endswith(known) and "split.csv" not in name

    def read(self, path: Path, name: str) -> Iterator[Document]:
        """The items of one file; its folder says how it is read.

        Raises BadInput for a line or row that is not of that form, Foreign for another kind of file.
        """
        benchmark, _, file = name.partition("/")
        reader, _, license = _FORMS.get(benchmark, (_unknown, (), None))
        short = plain(file.rsplit("/", 1)[-1])
        if short == "ids.txt":
            reader, license = _identities, None
        elif short == "items.jsonl":
            reader = _items
        try:
            for item in reader(path, file):
                yield Document(
                    id=f"benchmarks:{benchmark}/{item.key}",
                    source="benchmarks",
                    text="\n\n".join(item.parts),
                    license=license,
                    meta={
                        "kind": "benchmark",
                        "benchmark": benchmark,
                        "item": item.key,
                        "split": item.split,
                        "parts": item.parts,
                        "identities": item.identities,
                        "ask": item.ask,
                    },
                )
        except (BadInput, Foreign):
            raise
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            raise BadInput(
                f"{path}: not in the form of {benchmark} ({type(error).__name__}: {_brief(error)}); "
                "see the forms in corpus/sources/benchmarks.py, or remove the file"
            ) from error


def _brief(error: Exception) -> str:
    """What an error says, without the line that it may quote."""
    return str(error)[:100] if isinstance(error, LookupError) else str(error).split(":")[0][:100]


def files(folder: Path) -> list[tuple[str, Path]]:
    """Every file of a folder of benchmarks that holds items, by its name below the folder, in order."""
    source = Benchmarks()
    names = ((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file())
    return sorted((name, path) for name, path in names if source.accepts(name))


def digest(folder: Path) -> str:
    """What the items of a folder are, in a word: the digest of its files' names and digests."""
    return text_digest("\n".join(f"{name} {digest_of(path)}" for name, path in files(folder)))


def items(folder: Path, benchmark: str = "") -> Iterator[Document]:
    """The items of all benchmarks of a folder, or of one, in the order of their files' names."""
    for name, path in files(folder):
        if not benchmark or name.startswith(benchmark + "/"):
            yield from Benchmarks().read(path, name)


def _unknown(path: Path, file: str) -> Iterator[Item]:
    raise Foreign(f"{path}: no file of a benchmark that is known; see corpus/sources/benchmarks.py")


def _items(path: Path, file: str) -> Iterator[Item]:
    for row in rows(path):
        names = [f"pmid:{int(row['pmid'])}"] if row.get("pmid") else []
        names += [_identity(name) for name in row.get("identities") or ()]
        yield Item(str(row["id"]), list(row["parts"]), names, row.get("ask") or {}, row.get("split") or "test")


def _identities(path: Path, file: str) -> Iterator[Item]:
    with text_of(path) as text:
        for line in text:
            name = line.strip()
            if name and not name.startswith("#"):
                yield Item(name, [], [_identity(name)])


def _identity(name: str) -> str:
    kind, _, value = name.partition(":")
    return f"doi:{value.lower()}" if kind == "doi" else name
