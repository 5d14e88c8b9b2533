"""IDX files written with struct and gzip alone, independent of the reader under test."""

import gzip
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnist_edge.datasets.idx_datasets import SOURCES

_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array: NDArray[np.generic]) -> bytes:
    """The IDX form of an array: magic, big-endian shape, big-endian data."""
    header = struct.pack(">HBB", 0, _CODES[array.dtype.str[1:]], array.ndim)
    shape = struct.pack(f">{array.ndim}I", *array.shape)
    return header + shape + array.astype(array.dtype.newbyteorder(">")).tobytes()


def small_arrays(train: int = 40, test: int = 20, seed: int = 0) -> list[NDArray[np.generic]]:
    """Train images, train labels, test images, test labels; the labels take turns."""
    random = np.random.default_rng(seed)
    arrays: list[NDArray[np.generic]] = []
    for count in (train, test):
        arrays.append(random.integers(0, 256, (count, 28, 28), np.uint8))
        arrays.append((np.arange(count) % 10).astype(np.uint8))
    return arrays


def write_set(
    folder: Path, name: str, arrays: list[NDArray[np.generic]] | None = None, packed: bool = True
) -> list[Path]:
    """The four files of the set `name`, with made-up content, packed as published or unpacked."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for file, array in zip(SOURCES[name].files, arrays or small_arrays(), strict=True):
        content = idx_bytes(array)
        path = folder / (file.name if packed else file.name.removesuffix(".gz"))
        path.write_bytes(gzip.compress(content, mtime=0) if packed else content)
        paths.append(path)
    return paths
