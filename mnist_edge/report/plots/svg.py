"""Figures as bytes: files of their own, or elements of a page."""

import io
import re
from typing import TYPE_CHECKING

from mnist_edge.report.fonts import escape_missing_letters
from mnist_edge.report.plots.common import UNITS_PER_INCH
from mnist_edge.report.plots.theme import LIGHT, Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Colours that no chart has of itself, so that they are found again in what matplotlib writes.
MARKED = Theme(
    ink="#fe0001",
    quiet="#fe0002",
    grid="#fe0003",
    paper="#fe0004",
    data=tuple(f"#fe001{at}" for at in range(len(LIGHT.data))),
)


def render(figure: "Figure", kind: str, name: str, dpi: int = UNITS_PER_INCH) -> bytes:
    """A figure as png or svg: the same bytes for the same figure, whenever it is written.

    `name` makes the ids of an SVG its own among others.
    """
    import matplotlib

    buffer = io.BytesIO()
    unknown = ("Date", "Creator", "Format", "Type") if kind == "svg" else ("Software",)
    if kind != "svg":  # whose reader has fonts of its own
        escape_missing_letters(figure)
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=dict.fromkeys(unknown))
    return buffer.getvalue()


def element(figure: "Figure", name: str) -> str:
    """A figure that was drawn in `MARKED` colours, as an <svg> for a page, in the page's font and
    colours."""
    svg = render(figure, "svg", name).decode()
    svg = svg[svg.index("<svg") :]
    # Its style sheet would be the whole page's.
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.DOTALL)
    svg = svg.replace("xlink:href", "href")
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    svg = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", svg)
    svg = re.sub(r"<svg[^>]*?( viewBox=\"[^\"]*\")[^>]*>", r"<svg\1>", svg, count=1)
    svg = re.sub(r"font-family: [^;\"]*", "font-family: inherit", svg)
    svg = re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", svg)
    for variable, colour in MARKED.variables().items():
        svg = svg.replace(colour, f"var({variable})")
    return re.sub(r">\s+<", "><", re.sub(r"\s+", " ", svg)).strip()
