"""RedPajama-Data-1T's tree: a list of addresses, SHA-256 lists, and six slices in their own schemas."""

import io
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import IO, Any

import zstandard

from corpus.world import prose
from corpus.world.files import hex_digest, plain_text, save
from corpus.world.papers import paper

PUBLISHED = "https://data.together.xyz/redpajama-data-1T/v1.0.0"  # what the list of addresses names

# Rows for size 1.
ROWS = {"common_crawl": 220, "c4": 90, "github": 50, "wikipedia": 50, "arxiv": 40, "stackexchange": 50}
SNAPSHOTS = ("2019-30", "2020-05", "2021-04", "2022-05", "2023-06")
PER_FILE = 20_000

# A c4 row whose number ends in one of these is a copy of the common_crawl row of twice its number.
NEAR_EACH, EXACT_EACH = 9, 15
RATES = (0.01, 0.02, 0.05, 0.10, 0.20, 0.40)  # share of words changed in a near copy
LEAK_EACH = 44  # common_crawl rows that quote a question of a benchmark
ABSTRACT_EACH = 55  # common_crawl rows that are a web page's copy of a PubMed abstract
LANGUAGES = (
    ("en", ""),
    ("en", ""),
    ("de", "german"),
    ("en", ""),
    ("fr", "french"),
    ("es", "spanish"),
    ("ru", "russian"),
)

Row = dict[str, Any]


def write(folder: Path, size: int, seed: int, questions: list[str]) -> dict[str, Any]:
    """The tree below `folder`, and what was planted in it; `questions` are a benchmark's."""
    truth: dict[str, Any] = {"rows": {}, "near": [], "exact": [], "leaks": [], "copies": [], "other_languages": 0}
    makers: dict[str, Callable[[int], Row]] = {
        "common_crawl": lambda n: common_crawl(seed, n, questions),
        "c4": lambda n: c4(seed, n, size, questions)[0],
        "github": lambda n: github(seed, n),
        "wikipedia": lambda n: wikipedia(seed, n),
        "arxiv": lambda n: arxiv(seed, n),
        "stackexchange": lambda n: stackexchange(seed, n),
    }
    addresses = []
    for slice, maker in makers.items():
        sums = []
        count = ROWS[slice] * size
        for name, numbers in _files(slice, count):
            path = folder / slice / name
            with _lines(path) as out:
                for position, number in enumerate(numbers):
                    out.write(json.dumps(maker(number), ensure_ascii=False) + "\n")
                    _note(truth, slice, f"{slice}/{name}", position, number, seed, size, questions)
                rows = len(numbers)
                if slice == "stackexchange":
                    out.write('{"text": "Q: this line was cut off by a full disk, and the row is not wh\n')
                    rows += 1
            truth["rows"][f"{slice}/{name}"] = rows
            sums.append(f"{hex_digest(path, 'sha256')}  {name}\n")
            addresses.append(f"{PUBLISHED}/{slice}/{name}\n")
        save(folder / "sha256" / f"{slice}_SHA256SUMS.txt", "".join(sums))
    save(folder / "urls.txt", "".join(addresses))
    truth["total"] = sum(truth["rows"].values())
    return truth


def _files(slice: str, count: int) -> Iterator[tuple[str, range]]:
    """Names and row numbers of a slice's files."""
    if slice == "common_crawl":
        names = [f"{shot}/en_{part}" for shot in SNAPSHOTS for part in ("head", "middle")]
        each = math.ceil(count / len(names) / PER_FILE)
        files = [f"{name}_{n:04d}.json.gz.dedup.classifier.jsonl.zst" for name in names for n in range(each)]
    elif slice in ("wikipedia", "stackexchange"):
        files = ["wiki.jsonl" if slice == "wikipedia" else "stackexchange.jsonl"]
    else:
        many = max(2, math.ceil(count / PER_FILE))
        files = [_NAMES[slice](n, many) for n in range(many)]
    for n, name in enumerate(files):
        yield name, range(count * n // len(files), count * (n + 1) // len(files))


_NAMES: dict[str, Callable[[int, int], str]] = {
    "c4": lambda n, many: f"c4-train.{n:05d}-of-01024.jsonl",
    "github": lambda n, many: f"filtered_{Random(n).getrandbits(128):032x}.sampled.jsonl",
    "arxiv": lambda n, many: f"arxiv_{Random(n).getrandbits(128):032x}.jsonl",
}


class _lines:
    """A file of lines: plain, or zstd in several frames, as the publisher's tools leave it."""

    def __init__(self, path: Path) -> None:
        self.path, self.frames = path, path.suffix == ".zst"

    def __enter__(self) -> IO[str]:
        if not self.frames:
            self.plain = plain_text(self.path)
            return self.plain.__enter__()
        self.text = io.StringIO(newline="")
        return self.text

    def __exit__(self, *error: Any) -> None:
        if not self.frames:
            self.plain.__exit__(*error)
            return
        data = self.text.getvalue().encode()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        cut = len(data) // 3
        with open(self.path, "wb") as out:
            for part in (data[:cut], data[cut : 2 * cut], data[2 * cut :]):
                out.write(zstandard.ZstdCompressor(level=3).compress(part))


def _note(
    truth: dict[str, Any], slice: str, file: str, position: int, number: int, seed: int, size: int, questions: list[str]
) -> None:
    """What the truth says of a row: places are file and position, as the ledger has them."""
    place = {"file": file, "position": position}
    if slice == "common_crawl":
        if number % LEAK_EACH == 5 and questions:
            truth["leaks"].append(place | {"question": number // LEAK_EACH % len(questions)})
        elif number % ABSTRACT_EACH == 7:
            truth["copies"].append(place | {"pmid": paper(seed, _abstract_of(number)).pmid})
    elif slice == "c4":
        original, edits = c4(seed, number, size, questions)[1:]
        if original is not None:
            pair = {"row": place, "original": _place("common_crawl", original, size)}
            truth["exact" if edits is None else "near"].append(pair if edits is None else pair | {"edits": edits})
    elif slice == "wikipedia" and LANGUAGES[number % len(LANGUAGES)][1]:
        truth["other_languages"] += 1


def _place(slice: str, number: int, size: int) -> dict[str, Any]:
    for name, numbers in _files(slice, ROWS[slice] * size):
        if number in numbers:
            return {"file": f"{slice}/{name}", "position": number - numbers.start}
    raise AssertionError(number)


def page(seed: int, number: int) -> str:
    """A web page: paragraphs on one topic."""
    rng = Random(f"{seed} page {number}")
    theme = prose.general_theme(rng)
    return "\n".join(prose.paragraph(rng, "web", rng.randint(4, 7), theme) for _ in range(rng.randint(3, 6)))


def _abstract_of(number: int) -> int:
    """Which paper's abstract a page copies: a plain one, number 41 of its hundred."""
    return 41 + 100 * (number // ABSTRACT_EACH % 20)


def common_crawl(seed: int, number: int, questions: list[str]) -> Row:
    """A row without `meta`."""
    text = page(seed, number)
    if number % LEAK_EACH == 5 and questions:
        first, _, rest = text.partition("\n")
        text = f"{first}\nPractice question: {questions[number // LEAK_EACH % len(questions)]}\n{rest}"
    elif number % ABSTRACT_EACH == 7:
        one = paper(seed, _abstract_of(number))
        text = f"{one.title}.\n{one.abstract_text}"
    rng = Random(f"{seed} cc {number}")
    probability = round(rng.uniform(0.25, 0.99), 6)
    return {
        "pred_label": "__label__wiki",
        "pred_label_prob": probability,
        "wiki_prob": probability,
        "text": text,
        "source": f"cc/{SNAPSHOTS[number % 5]}/en_head_0000.json.gz/line{number}",
    }


def c4(seed: int, number: int, size: int, questions: list[str]) -> tuple[Row, int | None, float | None]:
    """A row, the common_crawl row it copies or None, and the share of words changed or None."""
    rng = Random(f"{seed} c4 {number}")
    original, edits = None, None
    text = page(seed, 10_000_000 + number)
    if number % EXACT_EACH == 4 and 2 * number < ROWS["common_crawl"] * size:
        original = 2 * number
        text = prose.shouted(rng, str(common_crawl(seed, original, questions)["text"]))
    elif number % NEAR_EACH == 2 and 2 * number < ROWS["common_crawl"] * size:
        original = 2 * number
        rate = RATES[number // NEAR_EACH % len(RATES)]
        text, true = prose.edited(rng, str(common_crawl(seed, original, questions)["text"]), rate)
        edits = round(true, 4)
    url = f"https://www.example.com/{number}/{prose.expand(rng, 'town').lower().replace(' ', '-')}"
    stamp = f"2019-04-{1 + number % 28:02d}T12:57:54Z"
    return {"text": text, "meta": {"timestamp": stamp, "url": url, "language": "en", "source": "c4"}}, original, edits


def github(seed: int, number: int) -> Row:
    rng = Random(f"{seed} github {number}")
    kind = rng.choice(("python", "javascript"))
    text = "\n\n".join(prose.expand(rng, kind) for _ in range(rng.randint(8, 25))) + "\n"
    lines = text.split("\n")
    return {
        "text": text,
        "meta": {
            "content_hash": f"{rng.getrandbits(128):032x}",
            "timestamp": "",
            "source": "github",
            "line_count": len(lines),
            "max_line_length": max(map(len, lines)),
            "avg_line_length": round(len(text) / len(lines), 2),
            "alnum_prop": round(sum(map(str.isalnum, text)) / len(text), 4),
            "repo_name": f"{prose.expand(rng, 'surname').lower()}/{prose.expand(rng, 'noun')}-{number}",
            "id": f"{rng.getrandbits(160):040x}",
            "size": str(len(text)),
            "binary": False,
            "copies": "1",
            "ref": "refs/heads/master",
            "path": f"src/{prose.expand(rng, 'noun')}.{'py' if kind == 'python' else 'js'}",
            "mode": "33188",
            "license": rng.choice(("mit", "apache-2.0", "bsd-3-clause")),
            "language": [{"name": kind.capitalize(), "bytes": str(len(text))}],
        },
    }


def wikipedia(seed: int, number: int) -> Row:
    rng = Random(f"{seed} wiki {number}")
    language, rule = LANGUAGES[number % len(LANGUAGES)]
    theme = dict(prose.general_theme(rng))
    town = prose.expand(rng, "town")
    theme["town"] = ((town,), *prose.rules()["town"][:3])
    parts = [prose.paragraph(rng, rule or "wiki", rng.randint(4, 7), theme) for _ in range(rng.randint(3, 5))]
    return {
        "text": f"{town} {number}\n\n" + "\n\n".join(parts),
        "meta": {
            "title": f"{town} {number}",
            "url": f"https://{language}.wikipedia.org/wiki/{town.replace(' ', '_')}_{number}",
            "language": language,
            "timestamp": "20230320",
        },
    }


def arxiv(seed: int, number: int) -> Row:
    rng = Random(f"{seed} arxiv {number}")
    theme = prose.theme(rng, sym=4, mobject=4, mquality=5)
    parts = [
        f"\\section{{{prose.sentence(rng, 'mobject', theme)} {n}"
        f"}}\n{prose.paragraph(rng, 'latex', rng.randint(5, 9), theme)}"
        for n in range(1, rng.randint(4, 8))
    ]
    year, month = 10 + number % 13, 1 + number % 12
    id = f"{year}{month:02d}.{10000 + number}"
    return {
        "text": "" if number % 20 == 13 else "\n\n".join(parts),
        "meta": {
            "timestamp": f"20{year}-{month:02d}-19T02:04:55",
            "yymm": f"{year}{month:02d}",
            "arxiv_id": id,
            "language": "en",
            "url": f"https://arxiv.org/abs/{id}",
        },
    }


def stackexchange(seed: int, number: int) -> Row:
    rng = Random(f"{seed} stack {number}")
    theme = prose.general_theme(rng)
    answers = [f"A: {prose.paragraph(rng, 'answer', rng.randint(4, 8), theme)}" for _ in range(rng.randint(1, 3))]
    return {
        "text": f"Q: {prose.paragraph(rng, 'ask', rng.randint(4, 6), theme)}\n\n" + "\n\n".join(answers),
        "meta": {
            "language": "en",
            "url": f"https://diy.stackexchange.com/questions/{number + 1}",
            "timestamp": "2023-03-29",
            "source": "stackexchange",
            "question_score": str(rng.randint(0, 90)),
        },
    }
