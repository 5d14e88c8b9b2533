"""Arrays of images, as NumPy writes them (.npy): bounded, and never unpickled."""

import io
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_edge.errors import FileError
from mnist_edge.file_access import read_bytes
from mnist_edge.image_shape import MNIST_SHAPE, Fit, ImageShape
from mnist_edge.predict.results import Failure

_MOST_BYTES = 100_000_000
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read(
    path: str, wanted: ImageShape = MNIST_SHAPE, fit: Fit = Fit.DIGIT
) -> NDArray[np.uint8] | Failure:
    """A file's array of images of the `wanted` shape, or of one, uint8, or why it holds none: as a
    network takes them whose pictures are brought to it by `fit`."""
    try:
        content = read_bytes(path, _MOST_BYTES)
    except FileError as error:
        return Failure(error.reason, file=path)
    stream = io.BytesIO(content)
    try:
        shape, is_fortran, dtype = _HEADERS[np.lib.format.read_magic(stream)](stream)
    except Exception:  # headers are Python, and damaged ones raise what they spell
        return Failure("is not an array as numpy.save writes it, or a damaged one", file=path)
    if failure := _dtype_failure(dtype, fit) or _shape_failure(shape, wanted):
        return failure._replace(file=path)
    start = stream.tell()
    if len(content) - start != int(np.prod(shape, dtype=object)):
        return Failure("is damaged or cut off", "save it anew", path)
    order: Any = "F" if is_fortran else "C"
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape, order=order)


def _dtype_failure(dtype: np.dtype[Any], fit: Fit) -> Failure | None:
    if dtype == np.uint8:
        return None
    scale = "(255 * x).round()" if dtype.kind == "f" else "x"
    remedy = f"save {scale}.astype(numpy.uint8)"
    if fit is Fit.DIGIT:
        remedy += ", where 0 is background and 255 ink"
    kind = "Python objects" if dtype.hasobject else f"{dtype}"[:40]
    return Failure(f"is an array of {kind}, and uint8 is read", remedy)


def _shape_failure(found: tuple[int, ...], wanted: ImageShape) -> Failure | None:
    if wanted.dims in (found, found[1:]):
        return Failure("is an array without pictures") if 0 in found else None
    reason = f"is an array of the shape {found}"[:90]
    reason += f", and uint8 {wanted.array} or {wanted.dims} is read"
    first = (wanted.channels, wanted.height, wanted.width)
    if wanted.is_color and first in (found, found[1:]):
        axes = "1, 2, 0" if found == first else "0, 2, 3, 1"
        return Failure(reason, f"x.transpose({axes}) has the channels last")
    if wanted.is_color and wanted.dims[:2] in (found, found[1:]):
        return Failure(reason, "numpy.stack([x] * 3, axis=-1) makes RGB of grey")
    if wanted.values in (math.prod(found), math.prod(found[1:])):
        return Failure(reason, "reshape it")
    return Failure(reason, f"this file takes images of {wanted}")
