"""What MIMIC's notes look like inside, and their text without the marks of the printer.

The records were wrapped at a fixed width (60 to 80 characters), and wrapped before names were
taken out, so that a line with a mask may be shorter or longer than it was. Lines are joined again
where the next word did not fit, and never across headings, list items, tables and blank lines.
"""

import re

MASK = "___"  # MIMIC-IV's, the one canonical mask

# MIMIC-III's typed masks, `[**Hospital1 18**]`; a few hold a line break. Not greedy: two on one
# line are two.
_TYPED = re.compile(r"\[\*\*[^\[\]]*?\*\*\]")
_RULE = re.compile(r"[_=*-]{10,}")
_ITEM = re.compile(
    r"(?:\d{1,3}[.)](?!\d)|[-*#+•·>o]|[a-zA-Z][.)]|\(\d{1,2}\)|\[[ xX]?\])(?:\s|$)|#|-[A-Za-z]|\*[A-Za-z]"
)
# "Past Medical History:", "IMPRESSION:", "HEENT:", "[x]" and the like at the start of a line.
_HEAD = re.compile(r"[A-Z][\w /&,.()'#-]{0,50}:(?:\s|$)")
_CAPITALS = re.compile(r"[A-Z][A-Z0-9 /&,()'-]{3,60}")
# "___ 10:25PM   GLUCOSE-109*", "2151-08-04 06:00AM BLOOD WBC-5.0"
_STAMP = re.compile(r"(?:___|\d{4}-\d{1,2}-\d{1,2})\s+\d{1,2}:\d{2}\s?(?:[AP]M)?\s*")
_CELLS = re.compile(r"\S {3,}\S|\t")
_OPEN = re.compile(r"(?:[a-z,]|___|\b(?:Dr|Mr|Mrs|Ms)\.)$")
_MASK_GOES_ON = re.compile(r"___ [a-z]")
_ENDED = re.compile(r"[.!?:;]\W*$")

# A line that is shorter is never full; lists of drugs and diagnoses are below it. MIMIC-IV's
# discharge summaries wrap near 65, radiology reports at 79 or 80.
NARROW, WIDE = 55, 100
# What a mask may have been: of surrogate names in MIMIC-III 95 % have at most 12 characters.
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
    bare = line.lstrip()
    indent = len(line) - len(bare)
    return bare if indent == 1 or (indent >= 8 and not _CELLS.search(bare)) else line


def _width(lines: list[str]) -> int:
    """The width at which the note was wrapped, in characters; 0 when it was not.

    The longest line without a mask, among those below WIDE; a note with many longer lines was not
    wrapped at all.
    """
    lengths = [len(line) for line in lines if line and not _CELLS.search(line.strip())]
    over = sum(length > WIDE for length in lengths)
    if not lengths or over > max(1, len(lengths) // 20):
        return 0
    plain = [len(line) for line in lines if len(line) <= WIDE and MASK not in line]
    longest = max(plain, default=0)
    return longest if longest >= NARROW else 0


def _continues(line: str, following: str, width: int) -> bool:
    """Whether the printer, and not the writer, broke between these two lines."""
    bare, start = line.lstrip(), following.lstrip()
    cells = _CELLS.search(_STAMP.sub("", bare)) or _CELLS.search(start)
    if cells or bare.endswith(":") or _ITEM.match(start) or _HEAD.match(start) or _STAMP.match(start):
        return False
    if _CAPITALS.fullmatch(bare) and not _CAPITALS.fullmatch(start):
        return False
    word = start.split(None, 1)[0]
    needed = len(line) + 1 + len(word)
    if needed > width and len(line) >= NARROW * 3 // 4:
        return True
    # A mask may have been a longer word; then the sentence must go on as well.
    masks = bare.count(MASK) + (MASK in word)
    runs_on = start[0].islower() or word.startswith(MASK) or not _ENDED.search(bare)
    if masks and runs_on and len(line) >= NARROW // 2:
        if needed + MASKED * masks > width and (start[0].islower() or _OPEN.search(bare)):
            return True
        if _OPEN.search(bare) and _MASK_GOES_ON.match(start):
            return True
    return start[0].islower() and needed > width * 3 // 4 and bool(re.search(r"[\w,]$", bare))
