"""What stands in a span's place: a tag, a hash, MIMIC's underscores, or a surrogate that reads like the original.

Surrogates come from HMAC-SHA256(site key, patient, kind, normalised value): the same patient has
the same ones in every note, on every worker and in every run, and nothing has to be remembered.
"""

import functools
import string

import regex

from corpus.key import keyed
from filters.phi import dates, lists

STYLES = ("tag", "surrogate", "mimic", "hash", "drop-line")
_WORD = regex.compile(r"\p{L}+(?:['’]\p{L}{2,})?")
_PLACES = (
    "Maple",
    "Oak",
    "Cedar",
    "Willow",
    "Harbor",
    "Prairie",
    "Summit",
    "Meadow",
    "Juniper",
    "Orchard",
    "Canyon",
    "Birch",
)
_ENDS = ("Street", "Avenue", "Road", "Lane", "Drive", "Court")
_FACILITIES = (
    "General Hospital",
    "Medical Center",
    "Community Hospital",
    "Memorial Hospital",
    "Regional Hospital",
    "Clinic",
)
_FIRMS = ("Holdings", "Services", "Industries", "Foods", "Logistics", "Partners")


def tag(kind: str, value: str) -> str:
    """`[NAME]`, and `[DATE 2019]` where the year, which may stay, is in the value."""
    year = dates.year_of(value) if kind == "DATE" else None
    return f"[{kind} {year}]" if year else f"[{kind}]"


def hashed(key: bytes, patient: str, kind: str, value: str) -> str:
    """`[NAME:3f9c01ab]`: the same value of the same patient has the same hash."""
    return f"[{kind}:{keyed(key, 'hash', patient, kind, _normal(value)).hex()[:8]}]"


def shift_days(key: bytes, patient: str) -> int:
    """A patient's shift in days: whole weeks (weekdays stay) from one to fifty-two back."""
    return -7 * (1 + int.from_bytes(keyed(key, "shift", patient)[:8], "big") % 52)


def surrogate(key: bytes, patient: str, kind: str, value: str, shift: bool, day_first: bool) -> str:
    """Something of the same kind and layout; a date keeps its year alone unless `shift`."""
    if kind == "DATE":
        if shift:
            return dates.shifted(value, shift_days(key, patient), day_first) or tag(kind, value)
        return dates.year_of(value) or tag(kind, value)
    pick = _Pick(key, patient, kind)
    if kind == "NAME":
        return str(_WORD.sub(lambda found: pick.name(found[0]), value))
    if kind == "EMAIL":
        return pick.layout(value.split("@")[0].strip()).lower() + "@example.org"
    if kind == "URL":
        return "https://example.org/" + pick.layout(str(len(value)))
    if kind == "IP":
        return ".".join(["10", *(str(pick.number(value + part, 250) + 2) for part in "abc")])
    if kind == "STREET":
        return f"{pick.number(value, 900) + 10} {pick.of(value, _PLACES)} {pick.of(value + 'end', _ENDS)}"
    if kind == "CITY":
        return string.capwords(pick.of(value, _towns()))
    if kind == "HOSPITAL":
        return f"{pick.of(value, _PLACES)} {pick.of(value + 'end', _FACILITIES)}"
    if kind == "EMPLOYER":
        return f"{pick.of(value, _PLACES)} {pick.of(value + 'end', _FIRMS)}"
    return pick.layout(value)


def _normal(value: str) -> str:
    return " ".join(regex.findall(r"[\p{L}\p{N}]+", value.lower()))


@functools.lru_cache(maxsize=1)
def _towns() -> tuple[str, ...]:
    return tuple(sorted(lists.cities()))


@functools.lru_cache(maxsize=4096)
def _names(given: bool, initial: str, gender: str) -> tuple[str, ...]:
    """The commoner names of one initial, sorted by rank."""
    pool = lists.first() if given else lists.last()
    genders = lists.genders() if given else {}
    found = [
        name for name, rank in pool.items()
        if name[0] == initial and rank > 1 and len(name) > 2 and name.isascii()
        and (not given or genders.get(name) == gender)
    ]  # fmt: skip
    return tuple(found) or tuple(name for name in pool if name[0] == initial) or ("lee",)


class _Pick:
    """Choices for one patient and kind."""

    def __init__(self, key: bytes, patient: str, kind: str) -> None:
        self.key, self.patient, self.kind = key, patient, kind

    def number(self, value: str, below: int) -> int:
        return int.from_bytes(keyed(self.key, self.patient, self.kind, _normal(value))[:8], "big") % below

    def of(self, value: str, options: tuple[str, ...]) -> str:
        return options[self.number(value, len(options))]

    def name(self, word: str) -> str:
        """Another name of the same sort, initial and case; initials and particles stay."""
        low = word.lower()
        if len(word) <= 1 or (word.islower() and len(word) <= 3) or low in ("dr", "mr", "mrs", "ms"):
            return word
        first, last = lists.first().get(low, 0), lists.last().get(low, 0)
        initial = low[0] if low[0] in string.ascii_lowercase else "m"
        options = _names(first >= max(last, 1), initial, lists.genders().get(low, "f"))
        chosen = self.of(low, options)
        if chosen == low:
            chosen = options[(options.index(chosen) + 1) % len(options)]
        return chosen.upper() if word.isupper() else chosen if word.islower() else string.capwords(chosen)

    def layout(self, value: str) -> str:
        """Other digits for digits and other capitals for capitals; punctuation and lower case stay."""
        stream = b"".join(
            keyed(self.key, self.patient, self.kind, _normal(value), str(part)) for part in range(len(value) // 32 + 1)
        )
        out = []
        for char, byte in zip(value, stream, strict=False):
            if char.isdigit():
                out.append(string.digits[byte % 10])
            elif char in string.ascii_uppercase and any(other.isdigit() for other in value):
                out.append(string.ascii_uppercase[byte % 26])
            elif char in string.ascii_lowercase and self.kind == "EMAIL":
                out.append(string.ascii_lowercase[byte % 26])
            else:
                out.append(char)
        return "".join(out)
