"""What is looked for in a picture: one digit, a line of them, or a sheet."""

import io

import numpy as np
from numpy.typing import NDArray

from mnist_edge import picture
from mnist_edge.classifier import Classifier
from mnist_edge.datasets import FOLDER
from mnist_edge.picture import lines
from mnist_edge.reading.answers import Grey, Seen
from mnist_edge.reading.reader import Look


def single(dataset: str) -> Look:
    """One character, brought into the form in which `dataset` shows its images."""

    def look(source: str | io.BytesIO) -> Seen:
        loaded = picture.load(source)
        image = picture.prepared(loaded.pixels, dataset)
        blank = not dataset.startswith(FOLDER) and not image.any()
        note = loaded.note or ("is blank: there is nothing to read" if blank else None)
        return Seen([[(image, None)]], note, blank)

    return look


def line(model: Classifier) -> Look:
    """The digits of a number on one line, left to right; the network tells where to cut."""

    def look(source: str | io.BytesIO) -> Seen:
        loaded = picture.load(source)
        row = lines.line(loaded, _score(model))
        return Seen([[(found.image, found.box) for found in row]] if row else [], loaded.note)

    return look


def grid(model: Classifier) -> Look:
    """The digits of a sheet, row by row; the network tells where to cut."""

    def look(source: str | io.BytesIO) -> Seen:
        loaded = picture.load(source)
        rows = lines.grid(loaded, _score(model))
        return Seen([[(found.image, found.box) for found in row] for row in rows], loaded.note)

    return look


def _score(model: Classifier) -> lines.Score:
    def score(images: Grey) -> NDArray[np.floating]:
        best: NDArray[np.float32] = model.predict(images).probabilities.max(axis=1)
        return best

    return score
