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
    told = "".join(f' {key}="{_text(value)}"' for key, value in (attributes or {}).items())
    if name in _EMPTY:
        return Html(f"<{name}{told}>")
    return Html(f"<{name}{told}>{joined(children)}</{name}>")


def joined(children: Iterable[str]) -> Html:
    """Children one after the other."""
    return Html("".join(child if isinstance(child, Html) else _text(child) for child in children))


def _text(words: str) -> str:
    return escape(printable(words, longest=None))


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


def table(shown: Grid, caption: str) -> Html:
    """A table in a box of its own, which scrolls where the page is narrow."""
    heads = [
        element("th", {"scope": "col"} | _side(at, shown.left), name)
        for at, name in enumerate(shown.columns)
    ]
    rows = [
        element("tr", None, *_cells(row, shown.left, at in shown.under))
        for at, row in enumerate(shown.rows)
    ]
    return scrolling(
        caption,
        element(
            "table",
            None,
            caption_of(caption),
            element("thead", None, element("tr", None, *heads)),
            element("tbody", None, *rows),
        ),
    )


def caption_of(words: str) -> Html:
    """A table's caption: the span stays in sight while the table scrolls."""
    return element("caption", None, element("span", None, words))


def scrolling(label: str, child: Html) -> Html:
    """A box that scrolls sideways; it can have the focus, so that a keyboard scrolls it too."""
    attributes = {"class": "scroll", "tabindex": "0", "role": "region", "aria-label": label}
    return element("div", attributes, child)


def _cells(row: tuple[str, ...], left: int, under: bool) -> list[Html]:
    indented = {"class": "under"} if under else {}
    first = element("th", {"scope": "row"} | indented, element("span", None, row[0]))
    others = [element("td", _side(at, left), cell) for at, cell in enumerate(row) if at]
    return [first, *others]


def _side(at: int, left: int) -> dict[str, str]:
    return {"class": "words"} if at < left else {}
