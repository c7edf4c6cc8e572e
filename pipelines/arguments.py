"""What people type after `--mix`, `--tokens`, `--memory` and `--columns`, as values."""

import difflib
from collections.abc import Sequence
from dataclasses import replace

from corpus.sources.notes import Columns
from filters.phi.known import KINDS_OF_COLUMNS


def parse_mix(text: str, groups: Sequence[str]) -> dict[str, int]:
    """`15:1:4` as weights of the groups, in their order. Raises ValueError with what was expected."""
    expected = f"one weight for each of {':'.join(groups)}, like {':'.join(['15', '1', '4'][: len(groups)])}"
    parts = text.split(":")
    if len(parts) != len(groups) or not all(part.strip().isdecimal() for part in parts):
        raise ValueError(f"--mix {text}: expected {expected} ({len(groups)} whole numbers), found {len(parts)} parts")
    weights = dict(zip(groups, map(int, parts), strict=True))
    if not any(weights.values()):
        raise ValueError(f"--mix {text}: all weights are 0; expected {expected}")
    return weights


_SIZES = {"k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}


def parse_tokens(text: str) -> int:
    """`129B`, `2.5e6`, `300M` or `1200000` as a number of tokens."""
    plain = text.strip().replace("_", "").replace(",", "")
    scale = _SIZES.get(plain[-1:].lower(), 1)
    try:
        value = float(plain[:-1] if scale > 1 else plain) * scale
    except ValueError:
        value = 0.0
    if not 1 <= value < float("inf"):
        raise ValueError(f"--tokens {text}: expected a number of tokens like 129B, 300M or 2.5e6")
    return round(value)


def parse_bytes(text: str) -> int:
    """`2GB`, `500MB` or `1.5G` in bytes (decimal)."""
    plain = text.strip().upper().removesuffix("B")
    scale = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}.get(plain[-1:], 1)
    try:
        return int(float(plain[:-1] if scale > 1 else plain) * scale)
    except ValueError:
        raise ValueError(f"{text}: expected a size like 2GB or 500MB") from None


def parse_columns(text: str) -> Columns:
    """`text=report|body,id=note_id,patient=mrn,known.name=first|last` as columns of a hospital's tables.

    `dates=%d/%m/%y|%Y-%m-%d` are forms of their dates, `encoding=cp1252` is how they are written. Fields
    that are not named keep their defaults. Raises ValueError with what was expected.
    """
    plain = ("text", "id", "patient", "date", "kind", "dates", "encoding")
    given: dict[str, tuple[str, ...]] = {}
    known: list[tuple[str, tuple[str, ...]]] = []
    for piece in text.split(","):
        name, sign, value = piece.strip().partition("=")
        names = tuple(part.strip() for part in value.split("|") if part.strip())
        if not sign or not names or not (name in plain or name.startswith("known.")):
            raise ValueError(
                f"--columns {text}: expected FIELD=COLUMN, several with commas, alternatives with |; FIELD is one of "
                f"{', '.join(plain)} or known.name, known.id, known.date, …; found {piece.strip()!r}"
            )
        if name.startswith("known.") and name.removeprefix("known.") not in KINDS_OF_COLUMNS:
            near = difflib.get_close_matches(name.removeprefix("known."), KINDS_OF_COLUMNS, n=1)
            hint = f"; did you mean known.{near[0]}?" if near else ""
            kinds = ", ".join(KINDS_OF_COLUMNS)
            raise ValueError(f"--columns {text}: {name} is no kind of identifier{hint} There are {kinds}")
        if name in plain:
            given[name] = names
        else:
            known.append((name.removeprefix("known."), names))
    encoding = given.pop("encoding", ("utf-8",))[-1]
    columns = replace(Columns(), encoding=encoding, **given)
    return replace(columns, known=tuple(known)) if known else columns
