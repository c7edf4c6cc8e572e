"""Who is named in one patient's notes: a name found in one of them is masked in all of them.

Names never lie on a disk. A table holds pairs of 64-bit HMAC-SHA256 values: a document and whose
it is (`owners`), an owner and a word that names somebody in the owner's notes (`words`). A word's
hash depends on its owner, so that common names cannot be counted. The key is derived from the
site's, or made at random beside the table (`key`, mode 0600) where there is none.
"""

import functools
import os
import secrets
from array import array
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from corpus.document import Document
from corpus.files import BadInput, writing
from corpus.key import keyed
from filters.phi import known, mentions
from filters.phi.names import Names
from filters.phi.scan import Scan
from filters.phi.spans import Span

Knows = Callable[[str], bool]  # whether a word names somebody
Hashes = npt.NDArray[np.uint64]
PRIVATE = 0o600
_AT_ONCE = 1 << 20  # values that wait to be sorted: 8 MB
_PARTS = 64  # stretches of owners that are joined one after the other, so that memory does not grow with notes


def make_key(folder: Path) -> None:
    """A random key for the tables of this folder, if it has none; for sites without a key of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with open(os.open(folder / "key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "wb") as file:
            file.write(secrets.token_bytes(32))
    except FileExistsError:
        return


def table_key(folder: Path, site: bytes | None) -> bytes:
    """The key of the tables in this folder."""
    if site is not None:
        return keyed(site, "people")
    try:
        return (folder / "key").read_bytes()
    except OSError as error:
        raise BadInput(f"{folder / 'key'} cannot be read ({error.strerror}); delete {folder} and build again") from None


def _hash(key: bytes, *parts: str) -> int:
    return int.from_bytes(keyed(key, *parts)[:8], "big")


def owner_of(key: bytes, document: Document) -> int:
    """Whose a document is: its patient's, or its own where no patient is known."""
    patient = document.meta.get("patient")
    return _hash(key, "patient", str(patient)) if patient else _hash(key, "document", document.id)


def word_of(key: bytes, owner: int, word: str) -> int:
    return _hash(key, "word", f"{owner:016x}", word)


def words_in(document: Document) -> set[str]:
    """What names somebody in a note, or stands in its columns: names' words, and numbers after a `#`."""
    values = document.meta.get("_known") or {}
    page = Scan(document.text)
    compiled = known.pattern(values) if values else None
    spans: Iterable[Span] = Names().find(page)
    if compiled is not None:
        spans = [*spans, *known.find(compiled, document.text)]
    found = mentions.words(document.text, spans) | {f"#{number}" for number in known.numbers(values)}
    for value in known.names(values):
        found |= mentions.words(value, [Span(0, len(value), "NAME", "known")])
    return found


def gather(documents: Iterable[Document], key: bytes, out: Path) -> int:
    """Writes a file's two tables, `<out>.owners` and `<out>.words`, the words last; the number of documents."""
    owners, pairs = _Pairs(), _Pairs()
    count = 0
    for count, document in enumerate(documents, 1):  # noqa: B007 (how many there were)
        owner = owner_of(key, document)
        owners.add(_hash(key, "document", document.id), owner)
        try:
            found = words_in(document)
        except Exception:  # noqa: BLE001 (its message may quote the text; the sift drops this document by name)
            continue
        for word in found:
            pairs.add(owner, word_of(key, owner, word))
    _save(beside(out, "owners"), owners.columns())
    _save(beside(out, "words"), pairs.columns())
    return count


def beside(out: Path, name: str) -> Path:
    return out.with_name(f"{out.name}.{name}.npy")


class _Pairs:
    """Pairs of 64-bit values, each kept once: 16 bytes a pair, where a set of tuples takes ten times as much."""

    def __init__(self) -> None:
        self._fresh = array("Q")
        self._held = np.zeros((2, 0), np.uint64)

    def add(self, one: int, two: int) -> None:
        self._fresh.extend((one, two))
        if len(self._fresh) >= max(_AT_ONCE, self._held.size):
            self._settle()

    def _settle(self) -> None:
        fresh = np.array(self._fresh, np.uint64).reshape(-1, 2).T
        self._held = _sorted(np.concatenate([self._held, fresh], axis=1))
        self._fresh = array("Q")

    def columns(self) -> Hashes:
        """uint64 [2, n], sorted by the first, then the second."""
        self._settle()
        return self._held


def _sorted(held: Hashes) -> Hashes:
    held = held[:, np.lexsort((held[1], held[0]))]
    fresh = np.ones(held.shape[1], bool)
    fresh[1:] = (held[:, 1:] != held[:, :-1]).any(axis=0)
    return np.ascontiguousarray(held[:, fresh])


def _save(path: Path, held: Hashes) -> None:
    with writing(path, PRIVATE) as partial, open(partial, "wb") as file:
        np.save(file, held, allow_pickle=False)


def merge(files: Sequence[Path], folder: Path) -> None:
    """Joins the files' tables into the folder's own, `owners` and `words` (raw uint64, a column after the other)."""
    for name in ("owners", "words"):
        held = [np.load(beside(path, name), mmap_mode="r") for path in files]
        with writing(folder / f"{name}.first", PRIVATE) as one, writing(folder / f"{name}.second", PRIVATE) as two:
            with open(one, "wb") as first, open(two, "wb") as second:
                for part in range(_PARTS):
                    pair = _sorted(np.concatenate([table[:, _stretch(table[0], part)] for table in held], axis=1))
                    first.write(pair[0].tobytes())
                    second.write(pair[1].tobytes())


def _stretch(column: Hashes, part: int) -> slice:
    size = (1 << 64) // _PARTS
    first = int(np.searchsorted(column, np.uint64(part * size)))
    last = len(column) if part == _PARTS - 1 else int(np.searchsorted(column, np.uint64((part + 1) * size)))
    return slice(first, last)


class Table:
    """Reads the tables of a folder; they are mapped, so that every process shares one copy."""

    def __init__(self, folder: Path) -> None:
        self._owners = (_mapped(folder / "owners.first"), _mapped(folder / "owners.second"))
        self._words = (_mapped(folder / "words.first"), _mapped(folder / "words.second"))

    def __len__(self) -> int:
        return len(self._words[0])

    def owner(self, key: bytes, id: str) -> int | None:
        """Whose the document with this id is, as `owner_of` said."""
        wanted = np.uint64(_hash(key, "document", id))
        place = int(np.searchsorted(self._owners[0], wanted))
        if place == len(self._owners[0]) or self._owners[0][place] != wanted:
            return None
        return int(self._owners[1][place])

    def words(self, owner: int) -> frozenset[int]:
        first = int(np.searchsorted(self._words[0], np.uint64(owner)))
        last = int(np.searchsorted(self._words[0], np.uint64(owner), side="right"))
        return frozenset(self._words[1][first:last].tolist())


def _mapped(path: Path) -> Hashes:
    return np.memmap(path, np.uint64, "r") if path.stat().st_size else np.zeros(0, np.uint64)


@functools.lru_cache(maxsize=4)
def table(folder: str) -> Table:
    return Table(Path(folder))


def knows(folder: str, key: bytes, owner: int) -> Knows | None:
    """Whether a word names somebody in this owner's notes; None when nobody is named in them."""
    held = table(folder).words(owner)
    return (lambda word: word_of(key, owner, word) in held) if held else None
