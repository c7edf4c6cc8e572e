"""De-identification: what a patient can be known by leaves the document before anything is written.

Policies: `notes` (raw hospital notes: everything), `mimic4` and `mimic3` (de-identified already:
their own masks stay and the pattern layer alone runs), `literature` (papers and web pages: e-mail,
phone, SSN, card, IP; authors, eponyms and places stay). Reasons of a drop and marks carry rule
names and counts, never text.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import regex

from corpus.document import Document, Drop
from corpus.key import key_id, keyed, pseudonym, read_key, same_key
from filters.phi import dates as phi_dates
from filters.phi import known as phi_known
from filters.phi import people as phi_people
from filters.phi import replace as phi_replace
from filters.phi.engine import POLICIES, engine
from filters.phi.locales import locale
from filters.phi.mentions import mentions
from filters.phi.rules import Failed, Late
from filters.phi.scan import scan
from filters.phi.spans import BLANK, KINDS, Span, masks, united

_ROUNDS = 12  # real notes need 2 or 3; a text that is never finished (labels glued together) fails
_SIGNATURE = regex.compile(
    r"(?im)^[ \t]*(?:electronically |e-?)?(?:signed|dictate"
    r"d|transcribed|authenticated|attested|reviewed|verified|cc|copy to|d|t|job)"
    r"(?: by| and signed by| id| #)?[ \t]*:?[^\n]{0,40}\[(?:NAME|DATE|ID)[^\n]{0,200}(?:\n|\Z)"
)
# Keys of meta that say nothing of a patient; other strings are read like the text.
_PLAIN_META = frozenset(
    ("kind", "language", "revision", "pmid", "pmcid", "doi", "deleted", "retracted", "error", "surrogates")
)


@dataclass(frozen=True)
class Deid:
    """Masks identifiers in text and meta; `Drop("deid.failed", rule)` where that cannot be done.

    `style`: tag (`[NAME]`), surrogate, mimic (`___`), hash (`[NAME:3f9c01ab]`), or drop-line (signature
    lines go, the rest is tagged). `dates`: year keeps the year alone, shift moves by the patient's own
    number of weeks. Surrogates, hashes and shifts need the site's key: `key_file`, else
    $MEDICAL_CORPUS_KEY_FILE, else $MEDICAL_CORPUS_KEY. `longest` is in characters. `extra` names a model of
    the user's own that looks for people as well: `spacy:MODEL` or `transformers:FOLDER`, never downloaded.
    `people` is the folder of what all notes of a patient say of names (filters/phi/people.py), which a
    build makes before it sifts.
    """

    policy: str = "notes"
    style: str = "tag"
    dates: str = "year"
    locales: tuple[str, ...] = ("us", "uk")
    longest: int = 1_000_000
    extra: str = ""
    key_file: str | None = field(default=None, repr=False, compare=False)
    people: str | None = field(default=None, repr=False, compare=False)
    key_id: str = field(init=False)
    version: int = 2

    def __post_init__(self) -> None:
        for name, value, known in (
            ("policy", self.policy, POLICIES),
            ("style", self.style, phi_replace.STYLES),
            ("dates", self.dates, ("year", "shift")),
        ):
            if value not in known:
                raise ValueError(f"Deid: unknown {name} {value!r}; there are {', '.join(known)}")
        for one in self.locales:
            locale(one)
        keyed_style = self.style in ("surrogate", "hash") or self.dates == "shift"
        wanted = keyed_style or self.policy != "literature"
        key = read_key(self.key_file) if wanted else None
        if keyed_style and key is None:
            raise ValueError(
                f"Deid: style {self.style!r} with dates {self.dates!r} needs the site's key; put it in a file and "
                "give key_file=…, or set MEDICAL_CORPUS_KEY_FILE or MEDICAL_CORPUS_KEY"
            )
        object.__setattr__(self, "key_id", key_id(key))

    def __call__(self, document: Document) -> Document | Drop:
        key = self.site_key()
        if len(document.text) > self.longest:
            return Drop("deid.failed", f"{len(document.text)} > {self.longest} characters", marks=document.marks)
        private = "patient" in document.meta or any(name.startswith("_") for name in document.meta)
        if self.policy == "literature" and not private and not _may_hold(document.text):
            return document
        person = str(document.meta.get("patient") or document.id)
        if key is not None and document.meta.get("surrogates") == self._seal(key, document.text):
            return document
        seek = _Sought(document.meta.get("_known"), self._people(document, key))
        try:
            text, counts = self._masked(document.text, seek, person, key)
            meta = self._meta(document, seek, person, key)
        except Late as late:
            return Drop("deid.failed", f"{late} ran out of time", marks=document.marks)
        except Failed as failed:
            return Drop("deid.failed", str(failed), marks=document.marks)
        if key is not None and (self.style == "surrogate" or self.dates == "shift"):
            meta["surrogates"] = self._seal(key, text)
        created = document.created
        if self.policy == "notes" and created and len(created) > 4:
            created = self._created(created, person, key)
        out = replace(document, text=text, meta=meta, created=created)
        return out.marked(**{f"deid__{kind}": count for kind, count in sorted(counts.items())})

    def spans(self, text: str, known: Mapping[str, Sequence[str]] | None = None) -> list[Span]:
        """What would be masked, in places of `text` (for the audit). Raises Late or Failed."""
        page = _Page(self, text, _Sought(known))
        page.read()
        return page.spans()

    def _people(self, document: Document, key: bytes | None) -> Callable[[str], bool] | None:
        if self.people is None or self.policy != "notes":
            return None
        secret = phi_people.table_key(Path(self.people), key)
        return phi_people.knows(self.people, secret, phi_people.owner_of(secret, document))

    def site_key(self) -> bytes | None:
        """The key that this filter was made with, read again; ValueError when another one lies there now."""
        return same_key(self.key_file, self.key_id, "Deid")

    def _seal(self, key: bytes, text: str) -> str:
        """Says that this very filter made this text: surrogates look like names, and must not change twice."""
        return keyed(key, "seal", repr(self), hashlib.sha256(text.encode()).hexdigest()).hex()[:16]

    def _created(self, created: str, person: str, key: bytes | None) -> str | None:
        if self.dates == "shift" and key is not None:
            return phi_dates.shifted(created[:10], phi_replace.shift_days(key, person), False)
        return phi_dates.year_of(created)

    def _meta(self, document: Document, seek: "_Sought", person: str, key: bytes | None) -> dict[str, object]:
        meta = {name: value for name, value in document.meta.items() if not name.startswith("_")}
        if "patient" in meta:
            patient = meta.pop("patient")
            if self.policy in ("mimic3", "mimic4"):
                meta["patient"] = patient  # MIMIC's own number, which says nothing outside of MIMIC
            elif key is None:
                meta["patient"] = ""  # somebody's, but nobody may know whose: such notes are never held out
            elif patient:
                meta["patient"] = patient if _is_hash(patient) else "p" + pseudonym(key, "patient", str(patient))
        if self.policy == "notes":
            for name, value in meta.items():
                if isinstance(value, str) and name not in _PLAIN_META and name != "patient":
                    meta[name] = self._masked(value, seek, person, key)[0]
        return meta

    def _masked(self, text: str, seek: "_Sought", person: str, key: bytes | None) -> tuple[str, Counter[str]]:
        page = _Page(self, text, seek)
        page.read()
        out = page.written(lambda kind, value: self._instead(kind, value, person, key))
        return (_SIGNATURE.sub("", out) if self.style == "drop-line" else out), page.counts()

    def _instead(self, kind: str, value: str, person: str, key: bytes | None) -> str:
        if kind == "AGE":
            return "90+"
        if self.style == "surrogate":
            assert key is not None
            return phi_replace.surrogate(key, person, kind, value, self.dates == "shift", self._day_first())
        if kind == "DATE" and self.dates == "shift":
            assert key is not None
            moved = phi_dates.shifted(value, phi_replace.shift_days(key, person), self._day_first())
            return moved or phi_replace.tag(kind, value)
        if self.style == "hash":
            assert key is not None
            return phi_replace.hashed(key, person, kind, value)
        return "___" if self.style == "mimic" else phi_replace.tag(kind, value)

    def _day_first(self) -> bool:
        return locale(self.locales[0]).day_first if self.locales else False


def _is_hash(patient: object) -> bool:
    return isinstance(patient, str) and regex.fullmatch(r"p[0-9a-f]{16}", patient) is not None


class _Sought(NamedTuple):
    """What is known of a document beforehand: values of columns, and which words name its patient's people."""

    known: Mapping[str, Sequence[str]] | None = None
    people: Callable[[str], bool] | None = None


class _Held(NamedTuple):
    """What one BLANK stands for; `kind` is None for a mask that was there before, `start` is its old place."""

    kind: str | None
    text: str
    rule: str
    start: int


def _anything(text: str) -> bool:
    return True


# What every identifier of the strict pattern layer has; papers without them are not looked at twice.
_HOLDING = regex.compile(r"[0-9][-.)] ?[0-9]{2,3}[-.][0-9]{1,4}|[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{2}|:[0-9A-Fa-f]{0,4}:")


def _may_hold(text: str) -> bool:
    return "@" in text or "+" in text or _HOLDING.search(text) is not None


class _Page:
    """A text under analysis: what is masked is one BLANK character, and `held` what stood there.

    A text is read until a reading finds nothing, so that what comes out is settled: the filter's own
    masks become the same BLANKs when it is read again.
    """

    def __init__(self, deid: Deid, text: str, seek: _Sought) -> None:
        self.engine = engine(deid.policy, deid.locales, deid.extra)
        self.may_hold = _anything if seek.known or deid.policy != "literature" else _may_hold
        self.known = phi_known.pattern(seek.known) if seek.known else None
        self.people = seek.people
        self.held: list[_Held] = []
        pieces, at = [], 0
        for found in masks(text):
            pieces += [text[at : found.start()], BLANK]
            kind = phi_known.placeholder(found[0]) if found[0].startswith("[**") else None
            self.held.append(_Held(kind, found[0], "placeholder", found.start()))
            at = found.end()
        self.text = "".join([*pieces, text[at:]])

    def read(self) -> None:
        """Finds and blanks until nothing is found."""
        for _ in range(_ROUNDS):
            if not self.may_hold(self.text):
                return
            results = self.engine.analyze(self.text, language="en", entities=list(KINDS))
            spans = [
                Span(result.start, result.end, result.entity_type, result.recognition_metadata["rule"])
                for result in results
            ]
            if self.known is not None:
                spans += phi_known.find(self.known, self.text)
            if self.people is not None:
                spans += mentions(scan(self.text), self.people)
            if not spans:
                return
            self._blank(united(spans, self.text))
        raise Failed(f"not settled after {_ROUNDS} rounds")

    def _blank(self, spans: list[Span]) -> None:
        pieces: list[str] = []
        held: list[_Held] = []
        at = used = origin = 0
        for span in spans:
            before, inside = self.text[at : span.start], self.text[span.start : span.end]
            passed = self.held[used : used + before.count(BLANK)]
            used += len(passed)
            origin += len(before) + sum(len(one.text) - 1 for one in passed)
            swallowed = self.held[used : used + inside.count(BLANK)]
            used += len(swallowed)
            parts = inside.split(BLANK)
            whole = parts[0] + "".join(one.text + part for one, part in zip(swallowed, parts[1:], strict=True))
            held += [*passed, _Held(span.kind, whole, span.rule, origin)]
            origin += len(whole)
            pieces += [before, BLANK]
            at = span.end
        self.held = held + self.held[used:]
        self.text = "".join([*pieces, self.text[at:]])

    def spans(self) -> list[Span]:
        """What was found, in places of the text as it came."""
        return [Span(one.start, one.start + len(one.text), one.kind, one.rule) for one in self.held if one.kind]

    def counts(self) -> Counter[str]:
        return Counter(one.kind for one in self.held if one.kind)

    def written(self, instead: Callable[[str, str], str]) -> str:
        """The text with `instead(kind, value)` for what was found, and its old masks as they were."""
        parts = self.text.split(BLANK)
        fills = (instead(one.kind, one.text) if one.kind else one.text for one in self.held)
        return parts[0] + "".join(fill + part for fill, part in zip(fills, parts[1:], strict=True))
