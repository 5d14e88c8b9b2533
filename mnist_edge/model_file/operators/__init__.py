"""The operators that a model file may have: those that classifiers of small images need.

An operator is here where its outputs' sizes, its work and its memory follow from the sizes of its
inputs and from numbers in the graph. What branches, repeats, throws dice, makes texts, or gives as
many numbers as it happens to find (NonZero, Unique) is not.
"""

from mnist_edge.model_file.operators import (
    convolution,
    data_movement,
    elementwise,
    matrix_products,
    onnx_ml,
    quantized,
    resizing,
)
from mnist_edge.model_file.operators.base import RULES

__all__ = [
    "RULES",
    "convolution",
    "data_movement",
    "elementwise",
    "matrix_products",
    "onnx_ml",
    "quantized",
    "resizing",
]
