"""The operators that a model file may have: those that classifiers of small images need.

An operator is here where its outputs' sizes, its work and its memory follow from the sizes of its
inputs and from numbers in the graph. What branches, repeats, throws dice, makes texts, or gives as
many numbers as it happens to find (NonZero, Unique) is not.
"""

from mnist_edge.opening.operators import (
    classical,
    moving,
    pointwise,
    products,
    quantized,
    resizing,
    windows,
)
from mnist_edge.opening.operators.base import RULES, Call, Known, Outcome

__all__ = [
    "RULES",
    "Call",
    "Known",
    "Outcome",
    "classical",
    "moving",
    "pointwise",
    "products",
    "quantized",
    "resizing",
    "windows",
]
