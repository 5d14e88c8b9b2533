"""HTML, element by element: whatever is not markup already is escaped on its way in."""

from collections.abc import Iterable, Mapping
from html import escape

from mnist_edge.escaping import printable
from mnist_edge.report.grid import Grid

_EMPTY = ("meta", "img")


class Html(str):
    """Markup. Any other text is only text."""

    __slots__ = ()


def element(name: str, attributes: Mapping[str, str] | None = None, *children: str) -> Html:
    """An element with its attributes, and its children in their order."""
    pairs = "".join(f' {key}="{_text(value)}"' for key, value in (attributes or {}).items())
    if name in _EMPTY:
        return Html(f"<{name}{pairs}>")
    content = "".join(child if isinstance(child, Html) else _text(child) for child in children)
    return Html(f"<{name}{pairs}>{content}</{name}>")


def _text(text: str) -> str:
    return escape(printable(text, longest=None))


def paragraph(*children: str) -> Html:
    return element("p", None, *children)


def bullets(texts: Iterable[str]) -> Html:
    return element("ul", None, *(element("li", None, one) for one in texts))


def section(title: str, *children: str) -> Html:
    """A part of the page under a heading of the second order."""
    return element("section", None, element("h2", None, title), *children)


def details(summary: str, *children: str, is_open: bool = False) -> Html:
    """What is folded away behind a line, unless it is open."""
    attributes = {"open": ""} if is_open else None
    return element("details", attributes, element("summary", None, summary), *children)


def facts(pairs: Iterable[tuple[str, str]]) -> Html:
    """Names and their values."""
    return element(
        "dl",
        None,
        *(
            element("div", None, element("dt", None, name), element("dd", None, value))
            for name, value in pairs
        ),
    )


def table(grid: Grid, caption: str) -> Html:
    """A table in a box of its own, which scrolls where the page is narrow."""
    heads = [
        element("th", {"scope": "col"} | _side(at, grid.left), name)
        for at, name in enumerate(grid.columns)
    ]
    rows = [_row(row, grid.left, at in grid.under) for at, row in enumerate(grid.rows)]
    return scrolling_table(caption, heads, rows)


def scrolling_table(
    caption: str,
    heads: Iterable[Html],
    rows: Iterable[Html],
    attributes: Mapping[str, str] | None = None,
) -> Html:
    """It scrolls sideways; its box can have the focus, so that a keyboard scrolls it too. The
    span of its caption stays in sight meanwhile."""
    return element(
        "div",
        {"class": "scroll", "tabindex": "0", "role": "region", "aria-label": caption},
        element(
            "table",
            attributes,
            element("caption", None, element("span", None, caption)),
            element("thead", None, element("tr", None, *heads)),
            element("tbody", None, *rows),
        ),
    )


def _row(cells: tuple[str, ...], left: int, under: bool) -> Html:
    attributes = {"scope": "row"} | ({"class": "under"} if under else {})
    first = element("th", attributes, element("span", None, cells[0]))
    others = [element("td", _side(at, left), cell) for at, cell in enumerate(cells) if at]
    return element("tr", None, first, *others)


def _side(at: int, left: int) -> dict[str, str]:
    return {"class": "words"} if at < left else {}
