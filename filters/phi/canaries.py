# ruff: noqa: E501 (tables read better whole)
"""Identifiers that belong to nobody, in sentences as notes have them: what the audit plants.

A canary's type may be finer than a kind (`NAME-UPPER`, `DATE-SHORT`): a figure for each says where
a finder is weak.
"""

import random
import string
from typing import NamedTuple

from filters.phi import lists


class Canary(NamedTuple):
    """A sentence and where its identifier stands in it."""

    type: str
    sentence: str
    start: int
    end: int


_FORMS = {
    "NAME": ("{given} {family}", "{given} {initial}. {family}", "{given} {initial} {family}", "{given} {family}-{other}"),
    "NAME-REVERSED": ("{family}, {given}", "{family}, {given} {initial}", "{family}, {given} {initial}."),
    "NAME-GIVEN": ("{given}",),
    "NAME-FAMILY": ("{family}",),
    "DATE": ("{m}/{d}/{Y}", "{mm}/{dd}/{Y}", "{m}/{d}/{y}", "{m}-{d}-{Y}", "{Y}-{mm}-{dd}", "{month} {d}, {Y}", "{month} {d}", "{mon} {d}, {Y}", "{d} {month} {Y}", "{month} {Y}", "{month} {d}th, {Y}", "{dd}.{mm}.{Y}", "{dd}-{mon}-{Y}", "{Y}{mm}{dd}"),
    "DATE-SHORT": ("{m}/{d}", "{mm}/{dd}"),
    "AGE": ("90", "91", "93", "95", "97", "98", "99", "100", "101", "104"),
    "PHONE": ("({p}) {q}-{####}", "{p}-{q}-{####}", "{p}.{q}.{####}", "+1 {p} {q} {####}", "1-{p}-{q}-{####}", "{p}-{q}-{####} x{###}", "{p} {q} {####}"),
    "PHONE-SHORT": ("{####}", "{#####}"),
    "PHONE-UK": ("020 7{###} {####}", "0161 {###} {####}", "07{###} {######}", "+44 20 7{###} {####}", "01632 {######}", "(0131) {###} {####}"),
    "FAX": ("({p}) {q}-{####}", "{p}-{q}-{####}"),
    "EMAIL": ("{g}.{f}@mailbox.org", "{g}{##}@example.com", "{f}_{##}@clinic.example.edu", "{g}-{f}@nhs.example.uk"),
    "SSN": ("{s}-{##}-{####}", "{s} {##} {####}"),
    "MRN": ("{#######}", "{########}", "{###}-{##}-{##}", "{######}-{#}", "A{#######}", "{##}-{##}-{##}-{#}"),
    "PLAN": ("{XXX}{#########}", "{#########}A", "W{##########}", "{####}-{####}-{##}", "{XX}{#######}"),
    "ACCOUNT": ("{##########}", "{########}", "V{#########}", "{#####}-{###}"),
    "LICENSE": ("{#######}", "D{#######}", "{X}{###}-{####}-{####}", "{XX}{######}"),
    "VEHICLE": ("{XXX}-{####}", "{XX}{##} {XXX}", "{#}{XXX}{###}"),
    "VEHICLE-VIN": ("1HGCM{#####}A{######}", "{#}FTFW{#}ET{##}A{#####}", "VIN{######}XYZ"),
    "DEVICE": ("{XX}-{#####}-{X}", "{XXX}{######}", "{########}", "PM{#####}{XX}"),
    "URL": ("https://records.example.org/p/{#####}", "www.{f}family.com/{g}", "http://portal.example.net/view?id={####}"),
    "IP": ("192.168.{##}.{##}", "10.{##}.{##}.{##}", "172.16.{##}.{##}"),
    "ID": ("{##}-{#####}", "S{##}-{#####}", "{########}", "{XX}-{####}-{X}"),
    "PHOTO": ("IMG_{####}.jpg", "wound_{##}.png", "DSC{#####}.JPG"),
    "STREET": ("{###} {road} {street}", "{##} {road} {street}", "{####} N. {road} {street}", "{###} {road} {street}, Apt {##}", "P.O. Box {####}", "{###} {road} {street} Suite {###}"),
    "CITY": ("{town}",), "CITY-REGION": ("{town}",),
    "ZIP": ("{#####}", "{#####}-{####}"),
    "ZIP-UK": ("LS{#} {#}AB", "SW1A {#}AA", "M{##} {#}EH", "EC{#}V {#}BD"),
    "HOSPITAL": ("{road} {hospital}", "St. {saint} {hospital}", "{town} {hospital}", "{family} {hospital}", "{road} {family} {hospital}"),
    "WARD": ("{###}", "{#}B", "{###}A", "{##}"),
    "EMPLOYER": ("{road} {firm}", "{family} & {other}", "{family} {firm}", "{road} {road2} {firm}", "{town} High School"),
}  # fmt: skip
_SAME = {"NAME-UPPER": "NAME", "MRN-NHS": "NHS"}
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
_ROADS = (
    "Maple",
    "Oakwood",
    "Lincoln",
    "Sycamore",
    "Harbor",
    "Fairview",
    "Mill Creek",
    "Cherry Hill",
    "Highland",
    "Kingsway",
    "Victoria",
    "Juniper",
    "Sunset",
    "Willow Bend",
    "Chestnut",
)
_STREETS = ("Street", "St", "Avenue", "Ave", "Road", "Rd", "Lane", "Drive", "Blvd", "Court", "Way", "Place")
_HOSPITALS = (
    "Hospital",
    "Medical Center",
    "General Hospital",
    "Memorial Hospital",
    "Clinic",
    "Regional Medical Center",
    "Community Hospital",
    "Infirmary",
    "Nursing Home",
)
_FIRMS = (
    "Industries",
    "Logistics",
    "Foods Inc.",
    "Construction",
    "Bakery",
    "Insurance",
    "Motors",
    "Consulting LLC",
    "Textiles",
    "Bank",
)
_SAINTS = ("Mary's", "Luke's", "Anne's", "Joseph's", "Vincent's")


class Canaries:
    """Canaries at random, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.sentences: dict[str, list[str]] = {}
        for line in (lists.HERE / "canaries.txt").read_text(encoding="utf-8").splitlines():
            kind, colon, sentence = line.partition(": ")
            if colon and not kind.startswith("#"):
                self.sentences.setdefault(kind, []).append(sentence)
        self.types = sorted(self.sentences)
        self.given = [name for name in lists.first() if len(name) > 2][:4500]
        self.family = [name for name in lists.last() if len(name) > 2]
        self.towns = [
            town
            for town in sorted(lists.cities())
            if town not in lists.words() and len(town) > 4 and town.replace(" ", "").isalpha()
        ]

    def one(self, type: str) -> Canary:
        """A canary of that type."""
        sentence = self.random.choice(self.sentences[type])
        value = self._value(type)
        start = sentence.index("{}")
        return Canary(type, sentence.replace("{}", value), start, start + len(value))

    def _value(self, type: str) -> str:
        pick = self.random
        if type == "MRN-NHS":
            return self._nhs()
        form = pick.choice(_FORMS[_SAME.get(type, type)])
        value = self._filled(form)
        return value.upper() if type == "NAME-UPPER" else value

    def _name(self, pool: list[str], power: float) -> str:
        name = pool[int(len(pool) * self.random.random() ** power)]
        return "Mc" + name[2:].capitalize() if name.startswith("mc") and len(name) > 4 else name.capitalize()

    def _filled(self, form: str) -> str:
        pick = self.random
        given, family = self._name(self.given, 2.0), self._name(self.family, 2.5)
        year, month, day = pick.randint(1931, 2025), pick.randint(1, 12), pick.randint(1, 28)
        values = {
            "given": given, "family": family, "other": self._name(self.family, 2.5), "initial": pick.choice("ABCDEFGHJKLMNPRSTW"),
            "g": given.lower(), "f": family.lower(), "m": str(month), "d": str(day), "mm": f"{month:02}", "dd": f"{day:02}", "Y": str(year),
            "y": f"{year % 100:02}", "month": _MONTHS[month - 1], "mon": _MONTHS[month - 1][:3], "p": str(pick.randint(201, 989)),
            "q": str(pick.randint(200, 999)), "s": str(pick.randint(100, 665)), "road": pick.choice(_ROADS), "road2": pick.choice(_ROADS),
            "street": pick.choice(_STREETS), "hospital": pick.choice(_HOSPITALS), "firm": pick.choice(_FIRMS), "saint": pick.choice(_SAINTS),
            "town": string.capwords(pick.choice(self.towns)),
        }  # fmt: skip
        pieces = []
        for text, slot, _, _ in string.Formatter().parse(form):
            pieces.append(text)
            if slot is None:
                continue
            if slot in values:
                pieces.append(values[slot])
            else:
                pieces.append(
                    "".join(pick.choice("123456789" if char == "#" else "ABCDEFGHJKLMNPRSTUVWXYZ") for char in slot)
                )
        return "".join(pieces)

    def _nhs(self) -> str:
        while True:
            digits = [self.random.randint(0, 9) for _ in range(9)]
            check = (11 - sum(digit * weight for digit, weight in zip(digits, range(10, 1, -1), strict=True)) % 11) % 11
            if check != 10:
                text = "".join(map(str, [*digits, check]))
                return self.random.choice((text, f"{text[:3]} {text[3:6]} {text[6:]}"))
