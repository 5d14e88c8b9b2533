"""Whether a model and a data set tell the same classes apart, compared by their names."""

import unicodedata
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mnist_edge.datasets.base import Dataset, Split
from mnist_edge.errors import DataError

_MOST_LISTED = 12


def match_names(have: Sequence[str], wanted: Sequence[str]) -> NDArray[np.intp] | None:
    """Where each name of `have` stands in `wanted`, (classes,); None where the names are others.

    Names are compared as Unicode's NFC: macOS spells an é in two characters.
    """
    place = {composed(name): at for at, name in enumerate(wanted)}
    found = [place.get(composed(name), -1) for name in have]
    if len(have) != len(wanted) or sorted(found) != list(range(len(wanted))):
        return None
    return np.array(found, np.intp)


def align_classes(data: Dataset, wanted: tuple[str, ...], whose: str, advice: str) -> Dataset:
    """A data set with its labels numbered as the model's classes are.

    `whose` names the model. DataError, which lists both and ends with `advice`, where the names
    are others.
    """
    if data.classes == wanted:
        return data
    order = match_names(data.classes, wanted)
    if order is None:
        raise DataError(describe_mismatch(data.name, data.classes, whose, wanted, advice))

    def renumbered(split: Split) -> Split:
        return Split(split.images, order[split.labels].astype(np.int64))

    return replace(
        data,
        classes=wanted,
        train=renumbered(data.train),
        test=renumbered(data.test),
        parts=tuple(align_classes(part, wanted, whose, advice) for part in data.parts),
        held_out=data.validation_mask,  # the same images: a draw depends on the numbers
    )


def describe_mismatch(
    name: str, have: Sequence[str], whose: str, wanted: Sequence[str], advice: str
) -> str:
    """What is said of a data set and a model whose classes have other names."""
    if max(len(have), len(wanted)) > _MOST_LISTED:
        # Only what differs: nobody finds one name among a hundred.
        have, wanted = _without(have, wanted), _without(wanted, have)
        return (
            f"{name} and {whose} have other classes: {_listed(have)} in the one alone, "
            f"{_listed(wanted)} in the other: {advice}"
        )
    return (
        f"{name} has the classes {_listed(have)}; {whose} tells {_listed(wanted)} apart: {advice}"
    )


def _without(names: Sequence[str], others: Sequence[str]) -> list[str]:
    known = set(map(composed, others))
    return [name for name in names if composed(name) not in known]


def _listed(names: Sequence[str]) -> str:
    shown, more = names[:_MOST_LISTED], len(names) - _MOST_LISTED
    return (", ".join(shown) or "none") + (f" and {more:,} more" if more > 0 else "")


def composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)
