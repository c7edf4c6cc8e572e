"""Text repair: what decoding, extraction and typesetting broke, put right without changing the text.

In order: line ends (CR, U+2028, U+2029, form feeds) become `\\n` and lone surrogates U+FFFD; ftfy
mends mojibake, HTML entities, ligatures (`ﬁ`), full-width letters and terminal escapes, and
normalises to NFC; invisible characters go, spaces of every width become a space, glyphs of the
Symbol and Wingdings fonts in the private use area become the characters that they show; trailing
spaces and runs of more than two blank lines go.

Decisions:
- NFC, not NFKC: `m²` is not `m2`. The old angle brackets U+2329 and U+232A, which NFC would make
  Chinese ones, become the mathematical ones.
- Quotation marks stay curly: they are what was published, and tokenizers know them.
- Line ends are settled before ftfy, which judges line by line: it would change its mind on a
  second run. U+0085 is a line end in notes and reports (mainframe exports); anywhere else it is
  nearly always an ellipsis of Windows-1252 or a byte of mojibake, and ftfy makes it that.
- Entities (`&nbsp;`) are leftovers of markup in articles, notes and web pages; in code, in questions
  about code and in LaTeX they are meant, and stay.
- Code keeps its strings: line ends, control characters, byte order marks and trailing spaces are
  mended, nothing else.

ftfy needs a second for 1-9 MB; a line that it cannot change is recognised by its characters, from
ftfy's own tables, and not handed to it. A test holds this shortcut to ftfy.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import ftfy
import regex
from ftfy import chardata
from ftfy.badness import is_bad

from corpus.document import Document, Drop

# ftfy's own order of repairs is a loop until nothing changes; ours is one around it, and real text
# settles in the second round. The bound is for text that is made to be hostile.
_ROUNDS = 20

_LINE_END = re.compile("\r\n?|[\x0b\x0c\u2028\u2029]")
_LINE_ENDS = frozenset("\r\x0b\x0c\u2028\u2029")

# Invisible: controls, deprecated format characters, soft hyphen, zero-width space, word joiner,
# marks and overrides of direction (the corpus is English), invisible operators of MathML,
# interlinear annotations, the byte order mark, and code points that are no characters.
_INVISIBLE = (
    "\x00-\x08\x0e-\x1f\x7f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffc\ufffe\uffff"
    "\ufdd0-\ufdef"
)
_SPACES = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_CODE_JUNK = re.compile("[\x00-\x08\x0e-\x1f\x7f\ufeff\ufffe\uffff]")

# A word that was hyphenated at a line's end by a soft hyphen is one word again.
_HYPHENATED = re.compile("(?<=[^\\W\\d_])\u00ad\n(?=[^\\W\\d_])")
# Joiners shape Indic and Arabic script and emoji; beside ASCII they are litter.
_JOINERS = re.compile("(?<=[\x00-\x7f])[\u200c\u200d]+|[\u200c\u200d]+(?=[\x00-\x7f]|\\Z)|\\A[\u200c\u200d]+")
_TRAILING = re.compile("(?<![ \t])[ \t]++(?=\n|\\Z)")
_BLANK_LINES = re.compile("\n{4,}")

# Word processors put the Symbol and Wingdings fonts at U+F020..U+F0FF. Letters and operators after
# Adobe's Symbol encoding (unicode.org/Public/MAPPINGS/VENDORS/ADOBE/symbol.txt); where bullets of
# Wingdings share a code point with a rare symbol (7F-FF), the bullet is what articles and notes mean.
_SYMBOL_LETTERS = dict(zip("ABGDEZHQIKLMNXOPRSTUFCYW", "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ", strict=True)) | dict(
    zip("abgdezhqiklmnxoprVstufcyw", "αβγδεζηθικλμνξοπρςστυφχψω", strict=True)
)
_GLYPHS = {0xF000 + ord(letter): shown for letter, shown in _SYMBOL_LETTERS.items()} | {
    **{0xF020 + offset: mark for offset, mark in enumerate(" !∀#∃%&∍()∗+,−./0123456789:;<=>?≅")},
    **{0xF05B: "[", 0xF05D: "]", 0xF05E: "⊥", 0xF05F: "_", 0xF07B: "{", 0xF07C: "|", 0xF07D: "}", 0xF07E: "∼"},
    **{0xF0A2: "′", 0xF0A3: "≤", 0xF0A4: "⁄", 0xF0A5: "∞", 0xF0AB: "↔", 0xF0AC: "←", 0xF0AD: "↑", 0xF0AE: "→"},
    **{0xF0AF: "↓", 0xF0B0: "°", 0xF0B1: "±", 0xF0B2: "″", 0xF0B3: "≥", 0xF0B4: "×", 0xF0B5: "∝", 0xF0B6: "∂"},
    **{0xF0B7: "•", 0xF0B8: "÷", 0xF0B9: "≠", 0xF0BA: "≡", 0xF0BB: "≈", 0xF0BC: "…", 0xF0C5: "⊕", 0xF0D0: "∠"},
    **{0xF0D1: "∇", 0xF0D2: "®", 0xF0D3: "©", 0xF0D4: "™", 0xF0D5: "∏", 0xF0D6: "√", 0xF0E5: "∑", 0xF0F2: "∫"},
    **{0xF06A: "φ", 0xF076: "❖", 0xF0A7: "▪", 0xF0A8: "◻", 0xF0D8: "➢", 0xF0E0: "→", 0xF0E8: "➔", 0xF0FC: "✓"},
}


def _characters(ranges: str) -> list[str]:
    return re.findall(f"[{ranges}]", "".join(map(chr, range(0x10000))))


_TRANSLATE: dict[int, str | None] = {
    **dict.fromkeys(map(ord, _characters(_INVISIBLE))),
    **dict.fromkeys(map(ord, _characters(_SPACES)), " "),
    **_GLYPHS,
}
_TRANSLATED = frozenset(map(chr, _TRANSLATE))

# Characters that ftfy changes by themselves, from its tables, and those that its test for mojibake
# asks for. Without them that test needs two characters beyond ASCII side by side.
_CERTAIN = frozenset(
    {*map(chr, chardata.LIGATURES), *map(chr, chardata.WIDTH_MAP), *map(chr, chardata.CONTROL_CHARS)}
    | {*map(chr, range(0x80, 0xA0)), *map(chr, range(0xD800, 0xE000)), "\x1b"}
)
_SINGLES = _CERTAIN | {*"ŒœÃÂ"}
# The `regex` package looks for this at a gigabyte a second, ten times the speed of `re`.
_PAIR = regex.compile("[^\x00-\x7f]{2}")
_PLAIN = bytes([*range(0x20, 0x7F), 0x09, 0x0A])


def unusual(text: str) -> set[str]:
    """The characters of a text that are neither printable ASCII nor tab or line end."""
    rest = text.encode("utf-8", "surrogatepass").translate(None, _PLAIN)
    return set(rest.decode("utf-8", "surrogatepass")) if rest else set()


@lru_cache(maxsize=2)
def _config(entities: bool) -> ftfy.TextFixerConfig:
    return ftfy.TextFixerConfig(
        unescape_html=entities, uncurl_quotes=False, fix_line_breaks=False, normalization="NFC", explain=False
    )


def mend(text: str, entities: bool) -> str:
    """Exactly `ftfy.fix_text` line by line (quotation marks and line ends left alone), and faster.

    `entities` says whether `&nbsp;` and its like are leftovers to resolve.
    """
    entities = entities and chardata.HTML_ENTITY_RE.search(text) is not None
    odd = unusual(text)
    if not entities and odd.isdisjoint(_SINGLES) and (not odd or _PAIR.search(text) is None):
        return unicodedata.normalize("NFC", text) if odd else text
    lines = text.split("\n")
    for number, line in enumerate(lines):
        odd = unusual(line)
        if (
            (entities and "&" in line)
            or not odd.isdisjoint(_CERTAIN)
            or ((_PAIR.search(line) or not odd.isdisjoint(_SINGLES)) and is_bad(line))
        ):
            lines[number] = ftfy.fix_text(line, _config(entities))
        elif odd:
            lines[number] = unicodedata.normalize("NFC", line)
    return "\n".join(lines)


def _settled(text: str, mainframe: bool) -> str:
    """Line ends are `\\n`; pairs of surrogates are their character, lone ones U+FFFD."""
    odd = unusual(text)
    if any("\ud800" <= character <= "\udfff" for character in odd):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if mainframe and "\x85" in odd:
        text = text.replace("\x85", "\n")
    if "\u2329" in odd or "\u232a" in odd:
        text = text.replace("\u2329", "⟨").replace("\u232a", "⟩")
    return text if odd.isdisjoint(_LINE_ENDS) else _LINE_END.sub("\n", text)


def _visible(text: str) -> str:
    """Invisible characters go, spaces become one kind of space, glyphs what they show."""
    odd = unusual(text)
    if "\u00ad" in odd:
        text = _HYPHENATED.sub("", text)
    if not odd.isdisjoint(_TRANSLATED):
        text = text.translate(_TRANSLATE)
    return _JOINERS.sub("", text) if "\u200c" in odd or "\u200d" in odd else text


def _tidy(text: str) -> str:
    """Trailing spaces, runs of blank lines and empty lines at both ends go; indentation stays."""
    if " \n" in text or "\t\n" in text or text[-1:] in " \t":
        text = _TRAILING.sub("", text)
    if "\n\n\n\n" in text:
        text = _BLANK_LINES.sub("\n\n\n", text)
    return text.strip("\n")


@dataclass(frozen=True)
class Repair:
    """Mends a document's text; never drops.

    `literal` names the kinds in which entities are meant; `verbatim` the kinds that are not prose.
    Marks `text.repaired`, the number of characters by which the text became shorter (or 0), when
    it changed.
    """

    literal: tuple[str, ...] = ("paper", "qa", "instruction", "conversation")
    verbatim: tuple[str, ...] = ("code",)
    mainframe: tuple[str, ...] = ("note", "report")
    version: int = 1

    def __call__(self, document: Document) -> Document | Drop:
        kind = document.meta.get("kind")
        text = document.text
        for _ in range(_ROUNDS):
            before = text
            text = _settled(text, mainframe=kind in self.mainframe)
            if kind in self.verbatim:
                text = _CODE_JUNK.sub("", text)
            else:
                text = _visible(mend(text, entities=kind not in self.literal))
            text = _tidy(text)
            if text == before:
                break
        if text == document.text:
            return document
        shorter = max(0, len(document.text) - len(text))
        return document.with_text(text).marked(text__repaired=shorter)
