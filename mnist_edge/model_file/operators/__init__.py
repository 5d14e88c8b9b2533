"""The operators that a model file may have: those that classifiers of small images need.

An operator is here where its outputs' sizes, its work and its memory follow from the sizes of its
inputs and from numbers in the graph. What branches, repeats, throws dice, makes texts, or gives as
many numbers as it happens to find (NonZero, Unique) is not.
"""

from mnist_edge.model_file.operators import (
    classical,
    convolution,
    data_movement,
    elementwise,
    matrix_products,
    quantized,
    resizing,
)
from mnist_edge.model_file.operators.base import RULES, Call, Known, Outcome

__all__ = [
    "RULES",
    "Call",
    "Known",
    "Outcome",
    "classical",
    "convolution",
    "data_movement",
    "elementwise",
    "matrix_products",
    "quantized",
    "resizing",
]
