"""The stage before a hospital's notes are sifted: who is named in all the notes of each patient.

A name is found once and masked in every note of its patient, whatever file that stands in: so what
becomes of a file depends on all files of its stream, and its key names them all. On the disk are
keyed hashes alone (filters/phi/people.py). The same tables say afterwards what no shard may hold.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from corpus.document import Filter
from corpus.files import text_digest
from corpus.sources import Source
from filters.deid import Deid
from filters.phi import people
from pipelines.layer import Layer, do, run, short
from pipelines.raw import Raw
from pipelines.recipe import Stream
from pipelines.sift import Sift


def masks(stream: Stream) -> Deid | None:
    """The filter that takes identifiers out of raw notes, if the stream has one."""
    return next((one for one in stream.filters if isinstance(one, Deid) and one.policy == "notes"), None)


def together(stream: Stream, files: Sequence[Raw]) -> str:
    """What the key of each file has besides its own digest: the digest of all files whose patients may be its own."""
    if masks(stream) is None or len(files) < 2:
        return ""
    return " " + text_digest(str(sorted((file.name, file.sha256) for file in files)))


@dataclass(frozen=True)
class Learn:
    """Writes who is named in one raw file, document by document, as the de-identification will see them."""

    source: Source
    before: tuple[Filter, ...]
    deid: Deid
    version: int = 1

    def __call__(self, raw: Path, name: str, folder: Path, out: Path) -> None:
        notes = (
            note for note in Sift(self.source, self.before).documents(raw, name) if len(note.text) <= self.deid.longest
        )
        try:
            people.gather(notes, people.table_key(folder, self.deid.site_key()), out)
        except Exception as error:
            error.add_note(f"while making {out.name} from {raw}")
            raise


@dataclass(frozen=True)
class People:
    """The tables of one stream of hospital notes: those of each file, and the joined ones of all."""

    stream: Stream
    files: tuple[Raw, ...]
    root: Path

    @staticmethod
    def of(stream: Stream, files: Sequence[Raw], root: Path) -> "People | None":
        """The tables of a stream that is de-identified; None of any other."""
        return People(stream, tuple(files), root) if masks(stream) else None

    @property
    def deid(self) -> Deid:
        """The stream's filter, knowing the joined tables."""
        found = masks(self.stream)
        assert found is not None
        return replace(found, people=str(self.folder))

    @property
    def filters(self) -> tuple[Filter, ...]:
        """The stream's filters, of which the de-identification knows the joined tables."""
        return tuple(self.deid if one is masks(self.stream) else one for one in self.stream.filters)

    @property
    def folder(self) -> Path:
        """Where the joined tables lie."""
        files = sorted((file.name, file.sha256) for file in self.files)
        return self._layer(self._work()).folder / short(text_digest(str(files)))

    def _work(self) -> Learn:
        found = masks(self.stream)
        assert found is not None
        return Learn(self.stream.source, self.stream.filters[: self.stream.filters.index(found)], found)

    def _layer(self, work: Learn) -> Layer:
        return Layer(self.root, f"people-{self.stream.source.name}", repr(work))

    def made(self) -> bool:
        return (self.folder / "words.second").exists()

    def make(self) -> None:
        """Makes the tables of the files that have none yet, and joins them."""
        work, name = self._work(), self.stream.source.name
        layer = self._layer(work)
        people.make_key(layer.folder)
        outs = [layer.path(file.name, file.sha256, "") for file in self.files]
        todo = [n for n, out in enumerate(outs) if not people.beside(out, "words").exists()]
        jobs = [(work, self.files[n].path, self.files[n].name, layer.folder, outs[n]) for n in todo]
        sizes = [float(self.files[n].bytes) for n in todo]
        run(do, jobs, f"people of {name}", sizes, there=len(outs) - len(todo))
        if not self.made():
            self.folder.mkdir(exist_ok=True)
            shutil.copyfile(layer.folder / "key", self.folder / "key")
            (self.folder / "key").chmod(people.PRIVATE)
            people.merge(outs, self.folder)
