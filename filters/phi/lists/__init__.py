"""The word lists that the package embeds, and how they are made again.

`python -m filters.phi.lists --census DIR --words FILE FILE --plain FILE` writes the folder's `.txt.xz` files from the
census distribution files (`dist.all.last`, `dist.female.first`, `dist.male.first`, as the package
`names` ships them), SCOWL word lists, and the package `phonenumbers`. Sources: NOTICE beside this.
"""

import functools
import lzma
import re
from pathlib import Path

HERE = Path(__file__).parent


def _lines(name: str) -> list[str]:
    return lzma.decompress((HERE / name).read_bytes()).decode().split("\n")


@functools.lru_cache(maxsize=1)
def first() -> dict[str, int]:
    """Given names in lower case -> 3 (the commonest 300 of the census), 2 (1,500) or 1."""
    return _ranked([line.split(" ")[0] for line in _lines("first.txt.xz")], 300, 1500)


@functools.lru_cache(maxsize=1)
def genders() -> dict[str, str]:
    """Given names in lower case -> the census' commoner gender, f or m (f where it is not known)."""
    return dict((line + " f").split(" ")[:2] for line in _lines("first.txt.xz"))


@functools.lru_cache(maxsize=1)
def last() -> dict[str, int]:
    """Family names in lower case -> 3 (the commonest 1,000 of the census), 2 (15,000) or 1."""
    return _ranked(_lines("last.txt.xz"), 1000, 15_000)


def _ranked(names: list[str], often: int, sometimes: int) -> dict[str, int]:
    return {word: 3 if rank < often else 2 if rank < sometimes else 1 for rank, word in enumerate(names)}


@functools.lru_cache(maxsize=1)
def words() -> frozenset[str]:
    """Words that are written in lower case."""
    return frozenset(_lines("words.txt.xz"))


@functools.lru_cache(maxsize=1)
def cities() -> frozenset[str]:
    """Towns, in lower case."""
    return frozenset(_lines("cities.txt.xz"))


@functools.lru_cache(maxsize=1)
def _safe() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for line in (HERE / "safe.txt").read_text(encoding="utf-8").splitlines():
        kind, colon, rest = line.partition(": ")
        if colon and not kind.startswith("#"):
            found.setdefault(kind, set()).update(rest.split(" | ") if "label" in kind else rest.split())
    return {kind: frozenset(words) for kind, words in found.items()}


def safe(kind: str) -> frozenset[str]:
    """Words of safe.txt: stop, eponym, product, acronym, clinical, noun, relative, label, weak-label, coded-label."""
    return _safe()[kind]


def world() -> tuple[list[str], list[str]]:
    """Given and family names of world.txt, as written."""
    found: dict[str, list[str]] = {"first": [], "last": []}
    for line in (HERE / "world.txt").read_text(encoding="utf-8").splitlines():
        kind, _, rest = line.partition(": ")
        if kind in found:
            found[kind] += rest.split()
    return list(dict.fromkeys(found["first"])), list(dict.fromkeys(found["last"]))


def _census(path: Path) -> list[tuple[float, str]]:
    rows = (line.split() for line in path.read_text().splitlines())
    return [(-float(row[1]), row[0].lower()) for row in rows if row]


def _towns() -> set[str]:
    from phonenumbers.geodata import GEOCODE_DATA

    found = set()
    for prefix, names in GEOCODE_DATA.items():
        if prefix.startswith(("1", "44")) and "en" in names:
            for part in names["en"].split("/"):
                town = re.sub(r" \([^)]*\)", "", part.rsplit(", ", 1)[0]).strip()
                if ", " not in names["en"] and prefix.startswith("1"):
                    continue  # a whole state
                if re.fullmatch(r"[A-Za-z][A-Za-z .'’-]{2,40}", town):
                    found.add(town.lower())
    return found


def make(census: Path, wordlists: list[Path], plain: Path) -> None:
    """Writes the four lists of this folder.

    A word that is a frequent name counts as a word only when `plain`, a small list of common words, has it:
    otherwise `lewis` (a gun) and `troy` (an ounce) would hide people.
    """
    given, family = world()
    lists: dict[str, list[str]] = {}
    ranks: dict[str, tuple[float, str]] = {}
    for gender, file in (("f", "dist.female.first"), ("m", "dist.male.first")):
        for weight, name in _census(census / file):
            ranks[name] = min((weight, gender), ranks.get(name, (0.0, "")))
    by_rank = sorted((weight, name, gender) for name, (weight, gender) in ranks.items())
    lists["first"] = [f"{name} {gender}" for _, name, gender in by_rank]
    lists["last"] = [name for _, name in sorted(_census(census / "dist.all.last"))]
    for kind, more in (("first", given), ("last", family)):
        seen = {line.split(" ")[0] for line in lists[kind]}
        lists[kind] += [name.lower() for name in more if name.lower() not in seen]
    found = {word for path in wordlists for word in path.read_text(encoding="utf-8").split("\n")}
    common = set(plain.read_text(encoding="utf-8").split("\n"))
    frequent = {line.split(" ")[0] for line in lists["first"][:1500]} | set(lists["last"][:1000])
    lists["words"] = sorted(
        word for word in found if re.fullmatch(r"[a-zà-ÿ]{2,30}", word) and (word not in frequent or word in common)
    )
    lists["cities"] = sorted(_towns())
    for name, values in lists.items():
        body = "\n".join(values).encode()
        (HERE / f"{name}.txt.xz").write_bytes(lzma.compress(body, preset=9 | lzma.PRESET_EXTREME))
