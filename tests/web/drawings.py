"""Drawings and what is to be made of them, for every language that prepares drawings.

    python -m tests.web.drawings

writes drawings.json again: a list of objects with `name`, `width`, `height`, `ink` (its bytes, row
by row, compressed by zlib, in base64), `drawn` and `letterbox` (28 × 28 bytes, in base64).
"""

import base64
import json
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mnist_edge.image_shape import MNIST_SHAPE, Fit
from mnist_edge.preprocess import fit_image, prepare_drawing

Grey = NDArray[np.uint8]
FILE = Path(__file__).with_name("drawings.json")
_FINER = 4


def scribble(seed: int, side: int, width: float) -> Grey:
    """Some bent strokes of a round pen on a square canvas, with smooth edges."""
    random = np.random.default_rng(seed)
    canvas = Image.new("L", (side * _FINER, side * _FINER))
    pen = ImageDraw.Draw(canvas)
    for _ in range(random.integers(1, 4)):
        places = random.uniform(0.15, 0.85, (random.integers(2, 6), 2)) * side * _FINER
        wide = max(1, round(width * _FINER * random.uniform(0.6, 1.4)))
        pen.line([tuple(place) for place in places], 255, wide, joint="curve")
        for x, y in places:
            pen.ellipse((x - wide / 2, y - wide / 2, x + wide / 2, y + wide / 2), 255)
    return np.asarray(canvas.resize((side, side), Image.Resampling.BOX))


def drawings() -> Iterator[tuple[str, Grey]]:
    for seed in range(16):
        side = (280, 280, 140, 97)[seed % 4]
        yield f"strokes {seed}", scribble(seed, side, (2, 8, 18, 30, 55)[seed % 5] * side / 280)
    yield "empty", np.zeros((280, 280), np.uint8)
    yield "full", np.full((64, 64), 255, np.uint8)
    yield "a dot", _filled((9, 9))
    yield "one pixel", _filled((1, 1))
    yield "upright", _filled((200, 3))
    yield "level", _filled((3, 200))
    yield "as large as the box", _filled((20, 19))
    yield "faint", scribble(3, 280, 12) // 3
    grains = np.zeros((280, 280), np.uint8)
    for at in range(40):
        y, x = at * 37 % 270, at * 61 % 270
        grains[y : y + 5, x : x + 5] = 200
    yield "grains", grains
    specks = scribble(5, 280, 20).copy()
    specks[3:6, 270:274] = specks[272:274, 4:9] = 255
    yield "specks", specks
    yield "noise", np.random.default_rng(0).integers(0, 256, (60, 90), dtype=np.uint8)


def _filled(size: tuple[int, int]) -> Grey:
    canvas = np.zeros((280, 280), np.uint8)
    canvas[20 : 20 + size[0], 30 : 30 + size[1]] = 255
    return canvas


def read() -> list[tuple[str, Grey, Grey, Grey]]:
    """Name, ink, and both forms of every drawing of the file."""
    found = []
    for entry in json.loads(FILE.read_text()):
        ink = zlib.decompress(base64.b64decode(entry["ink"]))
        shape = entry["height"], entry["width"]
        forms = (_bytes_of(base64.b64decode(entry[form]), (28, 28)) for form in _FORMS)
        found.append((entry["name"], _bytes_of(ink, shape), *forms))
    return found


_FORMS: dict[str, Callable[[Grey], Grey]] = {
    "drawn": prepare_drawing,
    "letterbox": partial(fit_image, shape=MNIST_SHAPE, fit=Fit.ZERO_PAD),
}


def _bytes_of(values: bytes, shape: tuple[int, int]) -> Grey:
    return np.frombuffer(values, np.uint8).reshape(shape)


def _entry(name: str, ink: Grey) -> dict[str, object]:
    forms = {form: _text(make(ink).tobytes()) for form, make in _FORMS.items()}
    packed = _text(zlib.compress(ink.tobytes(), 9))
    return {"name": name, "height": ink.shape[0], "width": ink.shape[1], "ink": packed, **forms}


def _text(values: bytes) -> str:
    return base64.b64encode(values).decode()


if __name__ == "__main__":
    entries = [json.dumps(_entry(name, ink)) for name, ink in drawings()]
    FILE.write_text("[\n" + ",\n".join(entries) + "\n]\n")
