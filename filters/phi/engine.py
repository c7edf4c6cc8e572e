"""Our finders as recognisers of a presidio AnalyzerEngine that loads no model and asks no network."""

import contextlib
import functools
import logging
import sys
from collections.abc import Callable, Iterator

import tldextract

from filters.phi import dates, identifiers
from filters.phi.locales import locale
from filters.phi.names import Names
from filters.phi.places import Places
from filters.phi.rules import Failed, Late, Rule, find_all
from filters.phi.scan import Scan, scan
from filters.phi.spans import KINDS, Span

# presidio imports these when they are there, for engines that we do not use: 6 s and 300 MB a worker.
_UNUSED = ("transformers", "torch", "stanza", "gliner")


@contextlib.contextmanager
def _without_unused() -> Iterator[None]:
    hidden = [name for name in _UNUSED if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # import machinery: "this cannot be imported"
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


with _without_unused():
    from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerRegistry, RecognizerResult
    from presidio_analyzer.nlp_engine import NlpArtifacts, NoOpNlpEngine

Find = Callable[[Scan], Iterator[Span]]

# What each policy looks for; `strict` phones are those that cannot be numbers of a paper.
POLICIES = ("notes", "mimic4", "mimic3", "literature")


class Finder(EntityRecognizer):
    """A presidio recogniser around one of our finders."""

    def __init__(self, name: str, find: Find) -> None:
        self.find = find
        self.label = name
        super().__init__(supported_entities=list(KINDS), name=name)

    def load(self) -> None:
        """Nothing to load: lists and models are read when they are first needed."""

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        try:
            return [
                RecognizerResult(
                    span.kind, span.start, span.end, 1.0,
                    recognition_metadata={"recognizer_identifier": self.id, "rule": span.rule},
                )
                for span in self.find(scan(text))
            ]  # fmt: skip
        except Late:
            raise
        except Exception as error:  # noqa: BLE001
            # Whatever goes wrong in here is one document's failure, and its message may quote the text.
            raise Failed(f"{self.label}: {type(error).__name__}") from None

    def enhance_using_context(
        self, text: str, raw_recognizer_results: list[RecognizerResult], *rest: object, **more: object
    ) -> list[RecognizerResult]:
        """Our finders have looked at the context already."""
        return raw_recognizer_results


def _finder(rules: tuple[Rule, ...]) -> Find:
    return lambda page: find_all(rules, page)


@functools.lru_cache(maxsize=16)
def engine(policy: str, locales: tuple[str, ...]) -> AnalyzerEngine:
    """The engine of a policy."""
    logging.getLogger("presidio-analyzer").setLevel(logging.WARNING)
    # presidio's e-mail recogniser would fetch the public suffix list; ours does not use it, a user's may.
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)  # type: ignore[assignment]
    packs = tuple(locale(name) for name in locales)
    registry = RecognizerRegistry(supported_languages=["en"])
    finders: list[tuple[str, Find]] = []
    pattern_layer = identifiers.contacts(packs, strict=policy == "literature")
    finders.append(("contacts", lambda page: identifiers.faxes(page, find_all(pattern_layer, page))))
    if policy != "literature":
        finders += [
            ("identifiers", _finder(identifiers.IDENTIFIERS)),
            ("labelled", identifiers.labelled),
            ("ages", _finder(dates.AGES)),
        ]
    if policy == "notes":
        finders += [("dates", _finder(dates.DATES)), ("places", Places(packs).find), ("names", Names().find)]
    for name, find in finders:
        registry.add_recognizer(Finder(name, find))
    return AnalyzerEngine(
        registry=registry,
        nlp_engine=NoOpNlpEngine(models=[{"lang_code": "en", "model_name": "no_op"}]),
        supported_languages=["en"],
    )
