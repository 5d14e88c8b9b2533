"""Some of many things fail: what is wrong with each is kept, and the rest goes on."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from mnist_edge.errors import DataError, EdgeError, GoldenError, ModelError

Item = TypeVar("Item")
Found = TypeVar("Found")


def each(
    items: Iterable[Item], step: Callable[[Item], Found], refused: list[EdgeError]
) -> list[tuple[Item, Found]]:
    """The items that a step takes, with what it gives. What it raises for others, as errors of
    models and data, goes into `refused`; the first of these is raised where no item is left."""
    found: list[tuple[Item, Found]] = []
    for item in items:
        try:
            found.append((item, step(item)))
        except (DataError, GoldenError, ModelError) as error:
            refused.append(error)
    if refused and not found:
        raise refused[0]
    return found
