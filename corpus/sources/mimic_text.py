"""What MIMIC's notes look like inside, and their text without the marks of the printer.

The records were wrapped at a fixed width (60 to 80 characters), and wrapped before names were
taken out, so that a line with a mask may be shorter or longer than it was. Lines are joined again
where the next word did not fit, and never across headings, list items, tables and blank lines.
"""

import re

MASK = "___"  # MIMIC-IV's, the one canonical mask

# MIMIC-III's typed masks, `[**Hospital1 18**]`; a few hold a line break, some might hold brackets.
# Not greedy: two on one line are two.
_TYPED = re.compile(r"\[\*\*(?:[^\[\]]|\[(?!\*\*)[^\[\]]*\])*?\*\*\]")
_RULE = re.compile(r"[_=*-]{10,}")
_ITEM = re.compile(
    r"(?:\d{1,3}[.)](?!\d)|[-*#+•·>o]|[a-zA-Z][.)]|\(\d{1,2}\)|\[[ xX]?\])(?:\s|$)|#|-[A-Za-z]|\*[A-Za-z]"
)
# "Past Medical History:", "IMPRESSION:", "HEENT:", "[x]" and the like at the start of a line.
_HEAD = re.compile(r"[A-Z][\w /&,.()'#-]{0,50}:(?:\s|$)")
_CAPITALS = re.compile(r"[A-Z][A-Z0-9 /&,()'-]{3,60}")
# "___ 10:25PM   GLUCOSE-109*", "2151-08-04 06:00AM BLOOD WBC-5.0"
_STAMP = re.compile(r"(?:___|\d{4}-\d{1,2}-\d{1,2})\s+\d{1,2}:\d{2}\s?(?:[AP]M)?\s*")
CELLS = "   "  # inside a line without blanks at its ends: columns of a table
_OPEN = re.compile(r"(?:[a-z,]|___|\b(?:Dr|Mr|Mrs|Ms)\.)$")
_MASK_GOES_ON = re.compile(r"___ [a-z]")
_UNENDED = re.compile(r"[\w,]$")
_ENDED = re.compile(r"[.!?:;]\W*$")

# A line that is shorter is never full; lists of drugs and diagnoses are below it. MIMIC-IV's
# discharge summaries wrap near 65, radiology reports at 79 or 80.
NARROW, WIDE = 55, 100
# How much longer than its mask a name may have been. On real notes that were wrapped at 65 and then
# masked, 0 joins 98.2 % of the printer's lines, 12 and more 98.9 %; wrongly joined are 0.02 %.
MASKED = 12


def placeholders(text: str) -> str:
    """MIMIC-III's `[**…**]`, whatever it says, as the one mask; one inside another is one mask."""
    while True:
        masked = _TYPED.sub(MASK, text)
        if masked == text:
            return text
        text = masked


def clean(text: str) -> str:
    """The note in paragraphs: masks canonical, printer's lines joined, blanks at ends gone.

    Headings, lists and tables keep their lines. Rules of underscores and the like, which stand
    between parts of a report, become blank lines.
    """
    text = placeholders(text.replace("\r\n", "\n").replace("\r", "\n"))
    lines = [line.rstrip() for line in text.expandtabs(8).split("\n")]
    lines = ["" if _RULE.fullmatch(line.strip()) else line for line in lines]
    indents = [len(line) - len(line.lstrip()) for line in lines if line]
    margin = min(indents, default=0)
    lines = [_unindented(line[margin:]) for line in lines]
    width = _width(lines)
    out: list[str] = []
    last = ""  # the line as it was wrapped, before anything was joined to it
    for line in lines:
        if last and line and width and _continues(last, line, width):
            out[-1] += " " + line.lstrip()
        elif line or (out and out[-1]):  # of several blank lines one stays
            out.append(line)
        last = line
    return "\n".join(out).strip("\n")


def _unindented(line: str) -> str:
    """A centred heading and the printer's one blank come to the margin; the steps of lists stay."""
    if not line.startswith(" "):
        return line
    bare = line.lstrip()
    indent = len(line) - len(bare)
    return bare if indent == 1 or (indent >= 8 and CELLS not in bare) else line


def _width(lines: list[str]) -> int:
    """The width at which the note was wrapped, in characters; 0 when it was not.

    The longest line without a mask, among those below WIDE; a note with many longer lines was not
    wrapped at all.
    """
    prose = [line for line in lines if line and CELLS not in line.lstrip()]
    over = sum(len(line) > WIDE for line in prose)
    if over > max(1, len(prose) // 20):
        return 0
    longest = max((len(line) for line in lines if len(line) <= WIDE and MASK not in line), default=0)
    return longest if longest >= NARROW else 0


def _continues(line: str, following: str, width: int) -> bool:
    """Whether the printer, and not the writer, broke between these two lines."""
    bare, start = line.lstrip(), following.lstrip()
    word = start.split(None, 1)[0]
    needed = len(line) + 1 + len(word)
    masks = bare.count(MASK) + (MASK in word)
    if needed + MASKED * masks <= width * 3 // 4:
        return False
    if _ITEM.match(start) or _HEAD.match(start) or _STAMP.match(start):
        return False
    if CELLS in start or (CELLS in bare and CELLS in _STAMP.sub("", bare, count=1)):
        return False
    if _CAPITALS.fullmatch(bare) and not _CAPITALS.fullmatch(start):
        return False
    if bare.endswith(":") and (needed <= width or _HEAD.fullmatch(bare)):
        return False
    if needed > width and len(line) >= NARROW * 3 // 4:
        return True
    # A mask may have been a longer word; then the sentence must go on as well.
    lower = start[0].islower()
    if masks and (lower or word.startswith(MASK) or not _ENDED.search(bare)) and len(line) >= NARROW // 2:
        if needed + MASKED * masks > width and (lower or _OPEN.search(bare)):
            return True
        if _OPEN.search(bare) and _MASK_GOES_ON.match(start):
            return True
    return lower and needed > width * 3 // 4 and _UNENDED.search(bare) is not None
