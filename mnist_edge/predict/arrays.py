"""Arrays of pictures, as NumPy writes them (.npy): bounded, and never unpickled."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_edge.errors import FileError
from mnist_edge.file_access import read_bytes
from mnist_edge.predict.results import Failure
from mnist_edge.types import SIDE

_MOST_BYTES = 100_000_000
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_SHAPES = f"uint8 (N, {SIDE}, {SIDE}) or ({SIDE}, {SIDE})"


def read(path: str) -> NDArray[np.uint8] | Failure:
    """A file's array, uint8 (N, 28, 28) or (28, 28), 0 = background, or why it holds none."""
    try:
        content = read_bytes(path, _MOST_BYTES)
    except FileError as error:
        return Failure(error.reason, file=path)
    stream = io.BytesIO(content)
    try:
        shape, is_fortran, dtype = _HEADERS[np.lib.format.read_magic(stream)](stream)
    except Exception:  # headers are Python, and damaged ones raise what they spell
        return Failure("is not an array as numpy.save writes it, or a damaged one", file=path)
    if failure := _header_failure(shape, dtype):
        return failure._replace(file=path)
    start = stream.tell()
    if len(content) - start != int(np.prod(shape, dtype=object)):
        return Failure("is damaged or cut off", "save it anew", path)
    order: Any = "F" if is_fortran else "C"
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape, order=order)


def _header_failure(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Failure | None:
    if dtype != np.uint8:
        scale = "(255 * x).round()" if dtype.kind == "f" else "x"
        remedy = f"save {scale}.astype(numpy.uint8), where 0 is background and 255 ink"
        kind = "Python objects" if dtype.hasobject else f"{dtype}"[:40]
        return Failure(f"is an array of {kind}, and uint8 is read", remedy)
    if shape[-2:] != (SIDE, SIDE) or len(shape) > 3:
        found = f"{shape}"[:60]
        return Failure(f"is an array of the shape {found}, and {_SHAPES} is read", "reshape it")
    return Failure("is an array without pictures") if 0 in shape else None
