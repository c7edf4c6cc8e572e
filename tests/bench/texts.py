"""Documents for the benchmarks: what the sources read from a raw folder, or made ones without it."""

from collections.abc import Iterator
from pathlib import Path

from corpus.document import Document
from corpus.files import Foreign
from corpus.sources import Source
from corpus.sources.notes import Notes
from corpus.sources.pmc import PMC
from corpus.sources.pubmed import PubMed
from corpus.sources.redpajama import RedPajama
from pipelines.raw import listing

SOURCES: tuple[Source, ...] = (PubMed(), PMC(), Notes(), RedPajama())
_SENTENCES = (
    "We randomised {0} adults (mean age {1}.3 ± 9.8 years) to dapagliflozin {1} mg or placebo. ",
    "The hazard ratio for death was 0.{1} (95% CI, 0.58–0.87; P<0.001) after {0} person-years. ",
    "FINDINGS: The lungs are clear. No pleural effusion or pneumothorax ({0}).\n",
    "In situ hybridisation showed that Pax{1} was expressed in the dorsal neural tube of mouse embryos. ",
)


def documents(raw: Path | None, most: int = 20_000_000) -> Iterator[Document]:
    """Documents of every source below `raw`, at most so many characters of each file.

    With no folder, 20,000 made ones. Their meta says the kind; records that could not be read are
    left out.
    """
    if raw is None:
        for number in range(20_000):
            text = "".join(sentence.format(number * 7919 % 4000, number % 89) for sentence in _SENTENCES)
            yield Document(f"made:{number}", "made", text * (1 + number % 3), meta={"kind": "abstract"})
        return
    for source in SOURCES:
        folder = raw / source.name
        for name, path in listing(source, folder) if folder.is_dir() else ():
            size = 0
            try:
                for document in source.read(path, name):
                    if document.text and not document.meta.get("error"):
                        size += len(document.text)
                        yield document
                    if size > most:
                        break
            except Foreign:
                continue
