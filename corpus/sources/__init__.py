"""Where documents are published: one file a source, with its addresses, parsing and licence.

A source is a frozen dataclass; nothing registers it: it stands in a recipe by its own value.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from corpus.document import Document

Fetch = Callable[[str], bytes]  # the bytes of a small file (a listing, a side-car) at an address


@dataclass(frozen=True, slots=True)
class Remote:
    """One file to fetch: its address and where it will lie below the source's raw folder.

    `digest` is `md5:<hex>` or `sha256:<hex>` when the publisher states one; `size` is in bytes.
    """

    url: str
    path: str
    digest: str | None = None
    size: int | None = None
    license: str | None = None


class Source(Protocol):
    """What every source can do."""

    @property
    def name(self) -> str: ...

    @property
    def restricted(self) -> bool:
        """Whether its text is credentialed or private, so that files get mode 0600."""
        ...

    def listing(self, fetch: Fetch) -> Iterator[Remote]:
        """The files that the publisher offers, found by reading the publisher's own lists."""
        ...

    def accepts(self, path: str) -> bool:
        """Whether a file below the raw folder, by its relative path, is one to read."""
        ...

    def read(self, path: Path, name: str) -> Iterator[Document]:
        """The documents of one raw file, in order, streaming; `name` is its relative path.

        A record that cannot be read is yielded with `meta["error"]`; BadInput is raised for a
        file that is damaged, Foreign for a whole file of another kind.
        """
        ...
