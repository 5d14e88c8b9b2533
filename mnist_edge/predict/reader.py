"""From sources to readings: opened, looked at and answered a chunk at a time."""

import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from mnist_edge import preprocess
from mnist_edge.classifier import Classifier, Prediction, in_chunks
from mnist_edge.errors import DataError
from mnist_edge.predict.detectors import Detector
from mnist_edge.predict.parallel import map_chunks
from mnist_edge.predict.results import Answers, Failure, Page, Reading, to_readings
from mnist_edge.predict.sources import STDIN, Source
from mnist_edge.types import Images

_BATCH = 64  # images in one call of the network


def read(
    model: Classifier,
    sources: Iterable[Source],
    detector: Detector,
    threshold: float,
    processes: int = 1,
) -> Iterator[list[Reading]]:
    """What the network reads in each source, in order; in lists, as soon as they are there.

    Where it takes longer than a moment, so many `processes` share the work. What cannot be read is
    a reading with a `failure`. A first guess less probable than `threshold`, 0..1, is labelled `?`.
    """
    reader = Reader(model, detector)
    for part, answers in map_chunks(reader, sources, processes, here=lambda one: one.streams):
        names = [source.name for source in part]
        yield to_readings(names, answers, model.classes, threshold)


@dataclass(frozen=True, slots=True)
class Reader:
    """Opens sources, makes images of them, and asks the network what they show."""

    model: Classifier
    detector: Detector

    def __call__(self, sources: Sequence[Source]) -> Answers:
        opened = [_open(source) for source in sources]
        seen = self.detector([each for each in opened if not isinstance(each, Failure)])
        found = iter([page for page, _ in seen])
        pages = [
            each if isinstance(each, Failure) else _with_name(source, next(found))
            for source, each in zip(sources, opened, strict=True)
        ]
        images = np.array([image for _, each in seen for image in each], np.uint8)
        images = images.reshape(-1, *self.model.shape.dims)
        return Answers(pages, images, self._probabilities(images))

    def _probabilities(self, images: Images) -> NDArray[np.float32]:
        if not len(images):
            return np.empty((0, len(self.model.classes)), np.float32)
        return Prediction(in_chunks(self.model.logits, images, _BATCH)).probabilities


def _with_name(source: Source, page: Page | Failure) -> Page | Failure:
    return page._replace(file=source.name) if isinstance(page, Failure) else page


def _open(source: Source) -> preprocess.Loaded | Failure:
    try:
        return source.failure or _load(source)
    except DataError as error:
        return Failure(str(error))  # which names the file


def _load(source: Source) -> preprocess.Loaded:
    if source.image is not None:
        height, width = source.image.shape[:2]
        return preprocess.Loaded(source.image, (width, height), is_ready=True)
    if not source.streams:
        return preprocess.load(source.name)
    if source.name == STDIN:
        if sys.stdin is None:
            raise DataError(f"{STDIN}: standard input is closed")
        return preprocess.load(cast(BinaryIO, _Stream(sys.stdin.buffer, STDIN)))
    try:
        with Path(source.name).open("rb", buffering=0) as file:
            return preprocess.load(cast(BinaryIO, _Stream(file, source.name)))
    except OSError as error:
        raise DataError(f"{source.name}: {error.strerror or error}") from error


class _Stream(io.RawIOBase):
    """Standard input, a named pipe or a device, from its beginning on; `name` is for messages."""

    def __init__(self, file: BinaryIO | io.RawIOBase, name: str) -> None:
        self.file, self.name = file, name

    def read(self, size: int = -1) -> bytes | None:
        return self.file.read(size)
