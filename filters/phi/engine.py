"""Our finders as recognisers of a presidio AnalyzerEngine that loads no model and asks no network."""

import contextlib
import functools
import importlib
import logging
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import tldextract

from filters.phi import dates, identifiers
from filters.phi.locales import locale
from filters.phi.names import Names
from filters.phi.places import Places
from filters.phi.rules import Failed, Late, Rule, find_all
from filters.phi.scan import Scan, scan
from filters.phi.spans import KINDS, Span

# presidio imports these when they are there, for engines that we do not use: 6 s and 300 MB a worker.
_HUGGINGFACE = "presidio_analyzer.predefined_recognizers.ner.huggingface_ner_recognizer"
# A found stretch without what is masked already at its ends or within it.
_LETTERS = re.compile(r"[^\W\d_](?:[^\ue000\n]*[^\W\d_])?")
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
    from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine, NoOpNlpEngine

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


class Extra(Finder):
    """People that a user's own model finds, as names: a presidio recogniser of theirs inside one of ours."""

    def __init__(self, inner: EntityRecognizer) -> None:
        self.inner = inner
        super().__init__("extra", lambda page: iter(()))

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        assert nlp_artifacts is not None
        try:
            found = self.inner.analyze(text, ["PERSON"], nlp_artifacts)
        except Exception as error:  # noqa: BLE001
            raise Failed(f"extra: {type(error).__name__}") from None
        metadata = {"recognizer_identifier": self.id, "rule": "extra"}
        parts = (part for one in found for part in _LETTERS.finditer(text, one.start, one.end))
        return [RecognizerResult("NAME", *part.span(), 1.0, recognition_metadata=metadata) for part in parts]


def _no_op() -> NoOpNlpEngine:
    return NoOpNlpEngine(models=[{"lang_code": "en", "model_name": "no_op"}])


def _nlp(extra: str) -> tuple[NlpEngine, list[EntityRecognizer]]:
    """presidio's engine and recogniser for `spacy:MODEL` or `transformers:FOLDER`; nothing is downloaded."""
    if not extra:
        return _no_op(), []
    kind, _, name = extra.partition(":")
    if kind == "spacy":
        import spacy
        from presidio_analyzer.nlp_engine import SpacyNlpEngine
        from presidio_analyzer.predefined_recognizers import SpacyRecognizer

        if not spacy.util.is_package(name) and not Path(name).is_dir():
            raise ValueError(f"Deid: the spaCy model {name!r} is not installed; install it, nothing is downloaded here")
        return SpacyNlpEngine(models=[{"lang_code": "en", "model_name": name}]), [Extra(SpacyRecognizer())]
    if kind == "transformers":
        # It was imported without transformers; read it again, now that they are wanted.
        module = importlib.reload(importlib.import_module(_HUGGINGFACE))
        if not Path(name).is_dir():
            raise ValueError(f"Deid: {name!r} is not a folder with a model; fetch it first, nothing is downloaded here")
        return _no_op(), [Extra(module.HuggingFaceNerRecognizer(model_name=name, tokenizer_name=name))]
    raise ValueError(f"Deid: extra={extra!r}; expected 'spacy:MODEL' or 'transformers:FOLDER'")


@functools.lru_cache(maxsize=16)
def engine(policy: str, locales: tuple[str, ...], extra: str = "") -> AnalyzerEngine:
    """The engine of a policy; `extra` names a model of the user's own that looks for people as well."""
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
    nlp, more = _nlp(extra)
    for recognizer in more:
        registry.add_recognizer(recognizer)
    return AnalyzerEngine(registry=registry, nlp_engine=nlp, supported_languages=["en"])
