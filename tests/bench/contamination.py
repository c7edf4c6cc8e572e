"""Recall of planted leaks, false alarms, speed and memory of the contamination filter.

    python -m tests.bench.contamination --benchmarks DIR [--raw DIR] [--plants 300]

For every benchmark, items are put into the middle of clean documents in several forms; what is found
is counted. Then every document of the raw folder is asked, and each that goes, or comes near, is
listed by id, to be read. At last the speed is measured beside datatrove's n-gram filter with the same
items (its word tokenizer replaced by ours, because spaCy's reads 0.3 MB a second).
"""

import argparse
import random
import tempfile
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

from corpus.document import Document, Drop
from corpus.sources.benchmarks import items as items_of
from filters.contamination import Contamination
from filters.text import Repair
from filters.words import Words
from tests.bench.texts import documents


def changed(text: str, share: float, draw: random.Random) -> str:
    """A light paraphrase: that share of the words is another word, is left out, or has one put after it."""
    found = []
    for word in text.split():
        if draw.random() < share:
            found += draw.choice([["other"], [], [word, "also"]])
        else:
            found.append(word)
    return " ".join(found)


def rewrapped(text: str, draw: random.Random) -> str:
    """Other line ends and spaces, all capitals, quotation marks turned."""
    return "".join(draw.choice(["\n", " ", "  ", "\n> "]) if c.isspace() else c for c in text.upper()).replace("'", "’")


def half(text: str, draw: random.Random) -> str:
    words = text.split()
    start = draw.randrange(2) * (len(words) // 2)
    return " ".join(words[start : start + (len(words) + 1) // 2])


FORMS = {
    "verbatim": lambda text, draw: text,
    "re-wrapped, capitals": rewrapped,
    "half of it": half,
    "5 % of words changed": lambda text, draw: changed(text, 0.05, draw),
    "10 % of words changed": lambda text, draw: changed(text, 0.10, draw),
    "20 % of words changed": lambda text, draw: changed(text, 0.20, draw),
}


def printed(document: Document, parts: list[str]) -> str:
    """An item as a web page prints it: options one a line with their letters, passages whole."""
    if document.meta["benchmark"] == "pubmedqa":
        return "\n".join(parts[1:])
    question, *options = parts[-1].rsplit("\n", 4)
    return "\n".join([question, *(f"{letter}. {option}" for letter, option in zip("ABCDE", options, strict=False))])


def recall(filter: Contamination, items: dict[str, list[Document]], hosts: list[Document], plants: int) -> None:
    draw = random.Random(5)
    print(f"\n{'of 100 planted items are found':34}" + "".join(f"{name:>24}" for name in FORMS))
    for benchmark, listed in items.items():
        chosen = draw.sample(listed, min(plants, len(listed)))
        cells = []
        for form in FORMS.values():
            found = exact = 0
            for item in chosen:
                host = draw.choice(hosts).text
                cut = host.find(" ", len(host) // 2)
                leak = form(printed(item, item.meta["parts"]), draw)
                planted = Document("planted:1", "planted", f"{host[:cut]}\n{leak}\n{host[cut:]}")
                fate = filter(planted)
                found += isinstance(fate, Drop)
                exact += isinstance(fate, Drop) and (fate.marks["contamination.item"] == item.meta["item"])
            cells.append(f"{100 * found / len(chosen):.1f} ({100 * exact / len(chosen):.1f} by name)")
        print(f"{f'{benchmark} ({len(chosen)})':34}" + "".join(f"{cell:>24}" for cell in cells), flush=True)


def alarms(filter: Contamination, raw: Path, most: int) -> None:
    """Every document of the raw folder that goes, and the nearest that stay."""
    near: list[tuple[float, str]] = []
    gone = count = size = 0
    close = replace(filter, threshold=filter.threshold / 2, least=filter.least - 3, exam_least=filter.exam_least - 1)
    spent = 0.0
    repair = Repair()
    for document in documents(raw, most):
        repaired = repair(document)
        assert isinstance(repaired, Document)
        count += 1
        size += len(repaired.text.encode())
        start = time.process_time()
        fate = filter(repaired)
        spent += time.process_time() - start
        if isinstance(fate, Drop):
            gone += 1
            print(f"  {fate.reason}: {document.id} ({document.meta.get('kind')}): {fate.detail}")
        else:
            near += [
                (hit.overlap, f"{document.id}: {hit.benchmark} {hit.item}: {hit.found} of {hit.size}")
                for hit in close.hits(repaired.text)
            ]
    print(f"{gone} of {count:,} documents go; {size / 1e6:.1f} MB at {size / spent / 1e6:.1f} MB a CPU second")
    for overlap, text in sorted(near, reverse=True)[:20]:
        print(f"  stays at {overlap:.2f}: {text}")


def datatrove(items: dict[str, list[Document]], folder: Path):
    """datatrove's filter with its index of the same items: runs of 12 words, one is enough."""
    from datatrove.data import Document as Theirs
    from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter
    from datatrove.utils.text import ngrams, simplify_text

    config = NGramsDecontConfig(find_query_ngrams=True)
    theirs = NGramsDecontFilter(str(folder), config, language=Words("space"))
    hash_of = theirs.hash_func
    try:
        hash_of("x")
    except TypeError:  # its xxhash must be older than 4; the newer one takes bytes alone

        def hash_of(text: str, under=theirs.hash_func) -> int:
            return under(text.encode())

        theirs.hash_func = hash_of
    for benchmark, listed in items.items():
        hashes = set()
        for item in listed:
            for part in item.meta["parts"]:
                words = theirs.tokenizer.word_tokenize(simplify_text(part, config.norm_config))
                hashes.update(hash_of(" ".join(gram)) for gram in ngrams(words, config.n_grams))
        np.array(sorted(hashes), dtype=config.hash_config.np_descr).tofile(folder / f"{benchmark}.index.hashes")
    return lambda document: theirs.filter(Theirs(text=document.text, id=document.id))


def speed(filter: Contamination, items: dict[str, list[Document]], given: list[Document]) -> None:
    megabytes = sum(len(document.text.encode()) for document in given) / 1e6
    with tempfile.TemporaryDirectory() as folder:
        rivals = {"ours": filter, "datatrove, our words": datatrove(items, Path(folder))}
        rates = {}
        for name, work in rivals.items():
            best = float("inf")
            for _ in range(2):
                start = time.process_time()
                for document in given:
                    work(document)
                best = min(best, time.process_time() - start)
            rates[name] = megabytes / best
    for name, rate in rates.items():
        print(f"{name:24}{rate:8.1f} MB a CPU second; ours is {rates['ours'] / rate:.1f} times as fast")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--benchmarks", type=Path, required=True)
    parser.add_argument("--raw", type=Path)
    parser.add_argument("--plants", type=int, default=300)
    parser.add_argument("--most", type=int, default=50_000_000, help="characters taken from each file")
    parser.add_argument("--length", type=int, default=Contamination.length)
    parser.add_argument("--threshold", type=float, default=Contamination.threshold)
    parser.add_argument("--least", type=int, default=Contamination.least)
    parser.add_argument("--exam-least", type=int, default=Contamination.exam_least)
    given = parser.parse_args()

    start = time.process_time()
    values = {
        "length": given.length,
        "threshold": given.threshold,
        "least": given.least,
        "exam_least": given.exam_least,
    }
    filter = Contamination.against(given.benchmarks, **values)
    index = filter.index
    spent = time.process_time() - start
    print(f"{filter}\nindex: {len(index.keys):,} runs, {index.bytes / 1e6:.1f} MB, built in {spent:.1f} CPU seconds")
    print(f"items: {dict(index.items)}; not to be told by text: {dict(index.silent)}")
    items: dict[str, list[Document]] = defaultdict(list)
    for document in items_of(given.benchmarks):
        items[document.meta["benchmark"]].append(document)
    clean = []
    for document in documents(given.raw, 3_000_000):
        if len(document.text) > 500:
            clean.append(document)
    sample = random.Random(1).sample(clean, min(1500, len(clean)))
    recall(filter, items, sample, given.plants)
    print()
    speed(filter, items, sample)
    if given.raw:
        print()
        alarms(filter, given.raw, given.most)


if __name__ == "__main__":
    main()
