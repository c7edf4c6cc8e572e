"""Pieces of a report as HTML and inline SVG: bars, histograms, lines, tables. No script, no network.

Figures are drawn 340 units wide, about a phone's width, so that their writing stays readable there.
Colours are the page's CSS variables, light and dark.
"""

from collections.abc import Mapping, Sequence
from html import escape

from pipelines.progress import amount

WIDTH = 340


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that scrolls sideways where it must; the first column is words, the others numbers."""
    cells = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>'


def stacked(parts: Sequence[tuple[str, int, str]]) -> str:
    """One bar of (label, count, CSS class) parts, as wide as the whole."""
    whole = sum(count for _, count, _ in parts) or 1
    pieces = "".join(
        f'<span class="{kind}" style="width:{100 * count / whole:.3f}%" title="{escape(label)}: {count:,}"></span>'
        for label, count, kind in parts
        if count
    )
    told = ", ".join(f"{label} {count:,}" for label, count, _ in parts if count)
    return f'<div class="stack" role="img" aria-label="{escape(told)}">{pieces}</div>'


def legend(parts: Sequence[tuple[str, str]]) -> str:
    """(label, CSS class) with their colours."""
    return '<p class="legend">' + "".join(f'<span><i class="{k}"></i>{escape(t)}</span>' for t, k in parts) + "</p>"


def bars(rows: Sequence[tuple[str, int, str]], short: bool = False) -> str:
    """(label, count, note), each with a bar of its share of the largest; `short` writes 12.3k for 12,345."""
    most = max((count for _, count, _ in rows), default=0) or 1
    lines = "".join(
        f'<div class="bar"><span>{escape(label)}</span><b>{amount(count) if short else f"{count:,}"}</b>'
        f'<em>{escape(note)}</em><u style="width:{100 * count / most:.2f}%"></u></div>'
        for label, count, note in rows
    )
    return f'<div class="bars">{lines}</div>'


def histogram(counts: Sequence[int], labels: Sequence[str], title: str, note: str) -> str:
    """Counts of bins side by side; every label is under the left edge of its bin, as far as there is room."""
    height, floor, top = 118, 96, 6
    most = max(counts, default=0) or 1
    step = WIDTH / max(1, len(counts))
    shapes, marks = [], []
    every = max(1, -(-len(labels) * 40 // WIDTH))  # a label is up to 40 units wide
    for place, count in enumerate(counts):
        tall = (floor - top) * count / most
        told = f"<title>{escape(labels[place])}: {count:,}</title>"
        size = f'width="{step - 1:.1f}" height="{tall:.1f}"'
        shapes.append(f'<rect x="{place * step + 0.5:.1f}" y="{floor - tall:.1f}" {size}>{told}</rect>')
        if place % every == 0:
            x, side = (place * step + 1, "start") if place * step < WIDTH - 40 else (WIDTH, "end")
            marks.append(f'<text x="{x:.1f}" y="{floor + 14}" text-anchor="{side}">{escape(labels[place])}</text>')
    return (
        f'<figure><figcaption><b>{escape(title)}</b> {escape(note)}</figcaption><svg viewBox="0 0 {WIDTH} {height}" '
        f'role="img" aria-label="{escape(title)}: {escape(note)}"><g class="fill">{"".join(shapes)}</g>'
        f'<line x1="0" y1="{floor}" x2="{WIDTH}" y2="{floor}"/>{"".join(marks)}</svg></figure>'
    )


def lines(
    series: Mapping[str, Sequence[float]],
    x: Sequence[float],
    ends: tuple[str, str],
    title: str,
    note: str,
    top: float,
    levels: Sequence[tuple[float, str, str]] = (),
    unit: str = "",
) -> str:
    """Lines over x in [0, 1]; `levels` are (y, label, CSS class) drawn across, dashed. y runs from 0 to `top`."""
    height, floor, left = 190, 166, 40

    def up(py: float) -> float:
        return round(floor - (floor - 12) * min(py / top, 1), 1)

    def at(px: float, py: float) -> str:
        return f"{left + px * (WIDTH - left - 6):.1f},{up(py)}"

    grid = "".join(
        f'<line class="grid" x1="{left}" x2="{WIDTH}" y1="{up(value)}" y2="{up(value)}"/>'
        f'<text x="{left - 5}" y="{up(value) + 4}" text-anchor="end">{amount(value)}{unit}</text>'
        for value in (0, top / 4, top / 2, 3 * top / 4, top)
    )
    drawn = "".join(
        f'<polyline class="l{number}" points="{" ".join(at(px, py) for px, py in zip(x, values, strict=True))}">'
        f"<title>{escape(name)}</title></polyline>"
        for number, (name, values) in enumerate(series.items())
    )
    across = "".join(
        f'<polyline class="level {kind}" points="{at(0, value)} {at(1, value)}">'
        f"<title>{escape(label)}</title></polyline>"
        for value, label, kind in levels
    )
    return (
        f'<figure><figcaption><b>{escape(title)}</b> {escape(note)}</figcaption><svg viewBox="0 0 {WIDTH} {height}" '
        f'role="img" aria-label="{escape(title)}: {escape(note)}">{grid}{across}{drawn}'
        f'<text x="{left}" y="{floor + 18}">{escape(ends[0])}</text>'
        f'<text x="{WIDTH}" y="{floor + 18}" text-anchor="end">{escape(ends[1])}</text></svg></figure>'
    )
