"""What differs between countries: one file a locale, one value in it."""

import importlib
from dataclasses import dataclass

from filters.phi.rules import Rule

NAMES = ("us", "uk")


@dataclass(frozen=True)
class Locale:
    """`day_first`: 3/4 is the third of April. `strict` phone rules are for text that is not about patients."""

    name: str
    day_first: bool
    phones: tuple[Rule, ...]
    strict_phones: tuple[Rule, ...]
    identifiers: tuple[Rule, ...]
    places: tuple[Rule, ...]
    regions: tuple[str, ...]  # states and counties: they close an address
    kept: tuple[str, ...]  # those of them that may stay: states


def locale(name: str) -> Locale:
    """The locale of that name (`filters/phi/locales/<name>.py`)."""
    if name not in NAMES:
        raise ValueError(f"unknown locale {name!r}; there are {', '.join(NAMES)}")
    value = importlib.import_module(f"filters.phi.locales.{name}").LOCALE
    assert isinstance(value, Locale)
    return value
