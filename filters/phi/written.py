# ruff: noqa: E501 (tables read better whole)
"""Made-up notes with known names: what the model is trained on.

Sentences and words are lists/notes.txt; names come from the embedded lists, and some are invented
from syllables, so that the model learns to read the words around a name that no list has.
"""

import random
import re
from collections.abc import Iterator

from filters.phi import lists
from filters.phi.safe import EPONYM_NOUNS, EPONYMS, PRODUCTS

Written = tuple[str, list[tuple[int, int]]]  # a line, and where its names stand

_TITLES = ("Dr.", "Dr.", "Dr", "Mr.", "Mrs.", "Ms.", "Mr", "Mrs", "Ms", "Miss", "Prof.", "Doctor", "Nurse")
_CREDENTIALS = (
    "MD",
    "M.D.",
    "DO",
    "RN",
    "NP",
    "PA-C",
    "PhD",
    "BSN, RN",
    "MD, PhD",
    "FNP-C",
    "DPM",
    "LCSW",
    "PharmD",
    "CRNA",
    "PT",
)
_RELATIVES = (
    "wife",
    "husband",
    "son",
    "daughter",
    "mother",
    "father",
    "brother",
    "sister",
    "partner",
    "niece",
    "friend",
    "Wife",
    "Daughter",
    "Son",
    "Husband",
    "Mother",
)
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_SYLLABLES = ("ka", "ri", "to", "mo", "shi", "va", "len", "dor", "bre", "an", "ol", "ek", "zu", "fi", "sa", "no", "wi", "thu", "ghe", "ba", "ju", "mir", "tan", "del", "cor", "vin", "pe", "lo", "qua", "xi", "hae", "nwa", "gbe", "szy")  # fmt: skip
_TAILS = (
    "ski",
    "son",
    "ez",
    "ova",
    "ic",
    "man",
    "er",
    "ini",
    "ou",
    "yan",
    "wala",
    "nen",
    "ton",
    "ley",
    "berg",
    "a",
    "i",
    "o",
    "u",
    "",
)
_DRUG_TAILS = (
    "ine",
    "ol",
    "ex",
    "ix",
    "mab",
    "tin",
    "pril",
    "zole",
    "cillin",
    "cept",
    "ra",
    "lex",
    "via",
    "ium",
    "caine",
    "ase",
    "iva",
)
_HOSPITALS = (
    "Hospital",
    "Medical Center",
    "Clinic",
    "Community Hospital",
    "Memorial Hospital",
    "Regional Medical Center",
    "Infirmary",
    "Health System",
)
_STEMS = ("sub", "peri", "intra", "post", "pre", "neuro", "cardio", "angio", "osteo", "arthro", "naso", "oro", "hemi", "poly", "micro", "tri", "epi", "endo", "trans", "supra", "lacto", "hydro", "cysto", "vitre", "laryngo", "pharyngo", "nephro", "spleno", "orchido", "penoscroto", "thrombo", "lipo", "visco")  # fmt: skip
_ENDINGS = ("ectomy", "plasty", "otomy", "scopy", "pexy", "gram", "graphy", "dystrophy", "itis", "osis", "capital", "palpable", "elastic", "operative", "anesthesia", "tomic", "genic", "bearing", "pathy", "cele", "rrhaphy", "lysis", "clear", "seal", "flex", "tack", "port", "cath", "foam", "prep")  # fmt: skip
_SLOT = re.compile(r"\{(\w+)\}")


class Writer:
    """Lines at random, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.sentences: dict[str, list[str]] = {"yes": [], "no": []}
        self.words: dict[str, list[str]] = {}
        for line in (lists.HERE / "notes.txt").read_text(encoding="utf-8").splitlines():
            kind, _, rest = line.partition(": ")
            if kind in self.sentences:
                self.sentences[kind].append(rest)
            elif kind.startswith("words-"):
                self.words[kind[6:]] = rest.split(" ")
        self.given = [name for name in lists.first() if len(name) > 1]
        self.family = list(lists.last())
        self.common = sorted(lists.words())
        self.towns = sorted(lists.cities())
        self.eponyms, self.nouns, self.products = sorted(EPONYMS), sorted(EPONYM_NOUNS), sorted(PRODUCTS)

    def lines(self, count: int) -> Iterator[Written]:
        """`count` lines, names in somewhat less than half of them."""
        for _ in range(count):
            kind = "yes" if self.random.random() < 0.45 else "no"
            pieces = [self._line(kind)]
            while self.random.random() < 0.35:  # sentences follow one another in notes
                pieces.append(self._line("yes" if self.random.random() < 0.3 else "no"))
            yield self._case(*_joined(pieces))

    def _case(self, line: str, spans: list[tuple[int, int]]) -> Written:
        chance = self.random.random()
        if chance < 0.08:
            return line.upper() if len(line.upper()) == len(line) else line, spans
        if chance < 0.12:
            return re.sub(r"\b[a-z]", lambda found: found[0].upper(), line), spans
        return line, spans

    def _line(self, kind: str) -> Written:
        template = self.random.choice(self.sentences[kind])
        pieces: list[str] = []
        spans: list[tuple[int, int]] = []
        at = length = 0
        for slot in _SLOT.finditer(template):
            pieces.append(template[at : slot.start()])
            length += len(pieces[-1])
            value, is_name = self._fill(slot[1])
            pieces.append(value)
            if is_name:
                spans.append((length, length + len(value)))
            length += len(value)
            at = slot.end()
        pieces.append(template[at:])
        return "".join(pieces), spans

    def _fill(self, slot: str) -> tuple[str, bool]:
        pick = self.random
        if slot in "NFLRIUK":
            return self._name(slot), True
        if slot == "W":
            word = pick.choice(self.common)
            return (word.capitalize() if pick.random() < 0.3 else word), False
        if slot == "w":
            return pick.choice(self.common), False
        if slot == "Q":
            return self._strange(), False
        if slot == "D":
            chance = pick.random()
            if chance < 0.55:
                return pick.choice(self.products).capitalize(), False
            invented = "".join(pick.choices(_SYLLABLES, k=pick.choice((1, 2)))) + pick.choice(_DRUG_TAILS)
            return (invented.capitalize() if chance < 0.85 else invented), False
        if slot == "B":
            word = (
                pick.choice(self.products)
                if pick.random() < 0.6
                else "".join(pick.choices(_SYLLABLES, k=2)) + pick.choice(_DRUG_TAILS)
            )
            more = " " + pick.choice(self.products).capitalize() if pick.random() < 0.25 else ""
            return word.capitalize() + more, False
        if slot == "E":
            eponym = pick.choice(self.eponyms).capitalize()
            if pick.random() < 0.2:
                eponym += pick.choice(("-", " ")) + pick.choice(self.eponyms).capitalize()
            return f"{eponym}{pick.choice(('', '', chr(39) + 's'))} {pick.choice(self.nouns)}", False
        if slot == "H":
            return f"{self._place()} {pick.choice(_HOSPITALS)}", False
        if slot == "Y":
            return self._place(), False
        if slot == "G":
            return " ".join(pick.choices(self.words["heading"], k=pick.choice((1, 1, 2, 3)))), False
        if slot == "Z":
            return str(pick.choice((pick.randint(1, 12), pick.randint(18, 99), pick.randint(100, 2020)))), False
        plain = {"T": _TITLES, "C": _CREDENTIALS, "V": _RELATIVES, "M": _MONTHS, "X": self.words["condition"], "P": self.words["procedure"],
                 "A": self.words["anatomy"], "O": self.words["org"], "race": self.words["race"], "bug": self.words["bug"]}  # fmt: skip
        value = pick.choice(plain[slot])
        if slot == "X" and pick.random() < 0.3:
            value = value.capitalize()
        if slot == "A" and pick.random() < 0.4:
            value = value.lower()
        return value, False

    def _strange(self) -> str:
        """A word with a capital that is on no list of words and is nobody: an instrument, an eponym, a term."""
        pick = self.random
        chance = pick.random()
        if chance < 0.3:
            return (pick.choice(_STEMS) + pick.choice(_ENDINGS)).capitalize()
        if chance < 0.5:
            return pick.choice(self.eponyms).capitalize()
        if chance < 0.7:
            return pick.choice(self.family[3000:]).capitalize()
        if chance < 0.85:
            return pick.choice(self.products).capitalize()
        return self._invented()

    def _place(self) -> str:
        return " ".join(word.capitalize() for word in self.random.choice(self.towns).split(" "))

    def _name(self, slot: str) -> str:
        pick = self.random
        given, family = self._given(), self._family()
        if pick.random() < 0.08:
            family = f"{family}-{self._family()}"
        if slot == "F":
            return given
        if slot == "L":
            return family
        if slot == "K":
            return f"{given[0]}{family[0]}".lower() if pick.random() < 0.5 else f"{given[0]}{family[0]}"
        if slot == "I":
            return f"{given[0]}{pick.choice(('. ', ' ', '.'))}{family}"
        middle = pick.choice(
            (
                "",
                "",
                "",
                f" {pick.choice('ABCDEFGHJKLMRSTW')}.",
                f" {pick.choice('ABCDEFGHJKLMRSTW')}",
                f" {self._given()}",
            )
        )
        value = f"{family}, {given}{middle}" if slot == "R" else f"{given}{middle} {family}"
        return value.upper() if slot == "U" or pick.random() < 0.05 else value

    def _given(self) -> str:
        if self.random.random() < 0.12:
            return self._invented()
        rank = int(len(self.given) * self.random.random() ** 2.2)
        return self.given[rank].capitalize()

    def _family(self) -> str:
        if self.random.random() < 0.2:
            return self._invented()
        rank = int(len(self.family) * self.random.random() ** 2.5)
        name = self.family[rank]
        if name.startswith("mc") and len(name) > 4:
            return "Mc" + name[2:].capitalize()
        return name.capitalize()

    def _invented(self) -> str:
        return (
            "".join(self.random.choices(_SYLLABLES, k=self.random.choice((1, 2, 2, 3)))) + self.random.choice(_TAILS)
        ).capitalize()


def _joined(pieces: list[Written]) -> Written:
    out, spans, at = [], [], 0
    for line, found in pieces:
        spans += [(start + at, end + at) for start, end in found]
        out.append(line)
        at += len(line) + 1
    return " ".join(out), spans
