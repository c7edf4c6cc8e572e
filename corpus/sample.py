"""The miniature world: files in every publisher's own format and folder layout, all of it invented.

`make(folder)` writes below `folder` what the publishers serve: NLM's PubMed tree, PMC's bucket,
PhysioNet's trees, RedPajama's, the guidelines' hub, a hospital's tables, instructions and the benchmarks; and
`truth.json`, which records what was planted: revisions, deletions, retractions, copies at known
distances, identifiers and leaks. The same size and seed give the same bytes. A build on a fresh
machine reads it, tests serve it with faults (tests/world.py), benchmarks make it large.

    python -m corpus.sample FOLDER [--size N] [--seed N]
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from corpus.world import instructions, mimic, notes, others, pmc, pubmed, redpajama
from corpus.world.files import save

VERSION = 3  # of the world's bytes: goes up when any writer changes what it writes


def make(folder: Path, size: int = 1, seed: int = 0) -> dict[str, Any]:
    """Writes the world below `folder` and returns its truth, which is also in truth.json.

    Size 1 is 2,900 records of PubMed and PMC, 750 notes, 500 web rows, 60 guidelines and 540
    rows of instructions; sizes multiply that. A world that is there and whole is left alone;
    one that is not whole, or is another, is written anew.
    """
    if size < 1:
        raise ValueError(f"the size of the miniature world must be 1 or more, not {size}")
    made = {"version": VERSION, "size": size, "seed": seed}
    try:
        truth: dict[str, Any] = json.loads((folder / "truth.json").read_bytes())
        if truth.get("made") == made:
            return truth
    except (FileNotFoundError, json.JSONDecodeError):
        pass
    marker = folder / "miniature-world"
    there = [name for name in (*NAMES, "instructions", "benchmarks") if (folder / name).exists()]
    if there and not marker.exists():
        raise ValueError(
            f"{folder} holds {', '.join(there)} already, and not of a miniature world; name another folder"
        )
    save(marker, "All that lies here is invented, and is written anew when it is not whole.\n")
    for name in ("truth.json", *there):  # truth.json first: without it the world is not whole
        old = folder / name
        if old.is_dir():
            shutil.rmtree(old)
        else:
            old.unlink(missing_ok=True)
    asked = [str(one["question"]) for one in others.questions(seed)]
    truth = {
        "made": made,
        "pubmed": pubmed.write(folder / "pubmed", size, seed),
        "pmc": pmc.write(folder / "pmc", size, seed),
        "mimic": mimic.write(folder / "mimic", size, seed),
        "redpajama": redpajama.write(folder / "redpajama", size, seed, asked),
        "guidelines": others.write_guidelines(folder / "guidelines", size, seed, asked),
        "notes": notes.write(folder / "notes", size, seed),
        "instructions": instructions.write(folder / "instructions", size, seed, asked),
        "benchmarks": others.write_benchmarks(folder / "benchmarks", size, seed),
    }
    save(folder / "truth.json", json.dumps(truth, ensure_ascii=False, indent=1, sort_keys=True))
    truth = json.loads((folder / "truth.json").read_bytes())  # as another process will read it
    return truth


# Where each publisher's own base address lies in the world, in the form that the source's `base` has.
NAMES = {
    "pubmed": "pubmed/",
    "pmc": "pmc/",
    "mimic": "mimic/files",
    "redpajama": "redpajama",
    "guidelines": "guidelines",
    "notes": "notes",
}


def bases(place: Path | str) -> dict[str, str]:
    """The base address of each source inside a world: a folder, or the address that serves it."""
    root = str(place)
    if "://" not in root:
        root = Path(root).absolute().as_uri()
    return {name: f"{root.rstrip('/')}/{below}" for name, below in NAMES.items()}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m corpus.sample", description="Write the miniature world.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=1, help="times 4,200 documents (default 1)")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(arguments)
    truth = make(asked.folder, asked.size, asked.seed)
    print(f"the miniature world lies in {asked.folder}")
    for name, key in (("pubmed", "records"), ("pmc", "versions"), ("mimic", "notes"), ("redpajama", "total")):
        print(f"  {name:12} {truth[name][key]:>10,} documents")
    print(f"  {'guidelines':12} {truth['guidelines']['rows']:>10,} documents")
    print(f"  {'notes':12} {truth['notes']['notes']:>10,} documents")
    print(f"  {'instructions':12} {sum(truth['instructions']['answers'].values()):>10,} documents")


if __name__ == "__main__":
    main()
