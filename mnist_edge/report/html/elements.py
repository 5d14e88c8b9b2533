"""HTML, element by element: whatever is not markup already is escaped on its way in."""

from collections.abc import Iterable, Mapping
from html import escape

from mnist_edge.escaping import printable
from mnist_edge.report.grid import Grid

_EMPTY = ("meta", "img")


class Html(str):
    """Markup. Any other text is only text."""

    __slots__ = ()


def element(name: str, *parts: str | Mapping[str, str]) -> Html:
    """An element of its children in their order, and of its attributes, each mapping among them."""
    pairs, content = "", ""
    for part in parts:
        if isinstance(part, Html):
            content += part
        elif isinstance(part, str):
            content += _text(part)
        else:
            pairs += "".join(f' {key}="{_text(value)}"' for key, value in part.items())
    return Html(f"<{name}{pairs}>" if name in _EMPTY else f"<{name}{pairs}>{content}</{name}>")


def _text(text: str) -> str:
    return escape(printable(text, longest=None))


def paragraph(*children: str) -> Html:
    return element("p", *children)


def bullets(texts: Iterable[str]) -> Html:
    return element("ul", *(element("li", one) for one in texts))


def section(title: str, *children: str) -> Html:
    """A part of the page under a heading of the second order."""
    return element("section", element("h2", title), *children)


def details(summary: str, *children: str, is_open: bool = False) -> Html:
    """What is folded away behind a line, unless it is open."""
    attributes = {"open": ""} if is_open else {}
    return element("details", attributes, element("summary", summary), *children)


def facts(pairs: Iterable[tuple[str, str]]) -> Html:
    """Names and their values."""
    rows = (element("div", element("dt", name), element("dd", value)) for name, value in pairs)
    return element("dl", *rows)


def table(grid: Grid, caption: str) -> Html:
    """A table in a box of its own, which scrolls where the page is narrow."""
    heads = [
        element("th", {"scope": "col"} | _side(at, grid.left), name)
        for at, name in enumerate(grid.columns)
    ]
    rows = [_row(row, grid.left, at in grid.under) for at, row in enumerate(grid.rows)]
    return scrolling_table(caption, heads, rows)


def scrolling_table(
    caption: str, heads: Iterable[Html], rows: Iterable[Html], css_class: str = ""
) -> Html:
    """It scrolls sideways; its box can have the focus, so that a keyboard scrolls it too. The
    span of its caption stays in sight meanwhile."""
    whole = element(
        "table",
        {"class": css_class} if css_class else {},
        element("caption", element("span", caption)),
        element("thead", element("tr", *heads)),
        element("tbody", *rows),
    )
    box = {"class": "scroll", "tabindex": "0", "role": "region", "aria-label": caption}
    return element("div", box, whole)


def _row(cells: tuple[str, ...], left: int, under: bool) -> Html:
    attributes = {"scope": "row"} | ({"class": "under"} if under else {})
    first = element("th", attributes, element("span", cells[0]))
    others = [element("td", _side(at, left), cell) for at, cell in enumerate(cells) if at]
    return element("tr", first, *others)


def _side(at: int, left: int) -> dict[str, str]:
    return {"class": "words"} if at < left else {}
