"""A view on disk: warped images and what their teachers answered, as an .npz that is checked."""

import io
from pathlib import Path
from typing import Any

import numpy as np

from mnist_edge.errors import EdgeError, FileError
from mnist_edge.files import write_together
from mnist_edge.image_shape import ImageShape
from mnist_edge.lab.training.stored_zip import ArchiveError, read_entries

_MAX_HEADERS = 4096  # bytes around the numbers of a view


def write(file: Path, images: np.ndarray[Any, Any], logits: np.ndarray[Any, Any]) -> None:
    """EdgeError when it cannot be written."""
    buffer = io.BytesIO()
    np.savez(buffer, images=images, logits=logits)
    write_together({file: buffer.getvalue()})


def read(
    file: Path, count: int, shape: ImageShape, classes: int
) -> tuple[np.ndarray[Any, Any], ...]:
    """A kept view: images uint8 of a shape, logits float32 (count, classes). EdgeError for what
    is none: it lies in a run's folder, which may come from anywhere."""
    sizes: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = {
        "images.npy": (np.dtype(np.uint8), (count, *shape.dims)),
        "logits.npy": (np.dtype(np.float32), (count, classes)),
    }
    most_bytes = _MAX_HEADERS + count * (shape.values + 4 * classes)
    try:
        entries = read_entries(file, most_bytes)
        images, logits = (_array(entries[name], *size) for name, size in sizes.items())
    except (FileError, KeyError, ArchiveError, ValueError) as error:
        raise EdgeError(f"{file} is damaged: delete it, and it is made again") from error
    if not np.isfinite(logits).all():
        raise EdgeError(f"{file} holds answers that are no numbers: delete it, and its teacher")
    return images, logits


def _array(
    content: bytes, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> np.ndarray[Any, np.dtype[Any]]:
    """The array of a .npy file, which has to be of this form. ValueError for any other."""
    stream = io.BytesIO(content)
    try:
        if np.lib.format.read_magic(stream) != (1, 0):
            raise ValueError("another version of the format")
        header = np.lib.format.read_array_header_1_0(stream)
    except Exception as error:  # headers are Python, and damaged ones raise what they spell
        raise ValueError("no header") from error
    if header != (shape, False, dtype):
        raise ValueError("another form")
    numbers = np.frombuffer(content, dtype, offset=stream.tell())
    return numbers.reshape(shape)
