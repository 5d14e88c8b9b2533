"""What exported files cost here: one image a call, one thread, all in one run, interleaved."""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from mnist_edge.backends import input_format
from mnist_edge.benchmark.latency import speedup
from mnist_edge.benchmark.stopwatch import Call, Protocol, measure
from mnist_edge.experiment_results import Timed
from mnist_edge.model_file.session import open_session
from mnist_edge.preprocess import drawn_digits

Name = TypeVar("Name", bound=Hashable)

PROTOCOL = Protocol(samples=200, duration_s=2.0, rounds=41)
_IMAGES = 200


def time_files(files: Mapping[Name, Path]) -> dict[Name, Timed]:
    """The times of files, by name. ModelError for one that is no classifier of images."""
    first, *others = measure([_call(path) for path in files.values()], PROTOCOL).latencies
    timed = [Timed(float(np.median(first.samples_us)), None)]
    timed += [Timed(float(np.median(one.samples_us)), speedup(one, first)) for one in others]
    return dict(zip(files, timed, strict=True))


def fastest(timed: Mapping[str, Timed], names: Sequence[str]) -> str:
    """The name, of some, of the file with the smallest median."""
    return min(names, key=lambda name: timed[name].p50_us)


def _call(path: Path) -> Call:
    """One image, one answer, as `bench` calls a file, ours or a stranger's."""
    taken = input_format.read(path)
    run = open_session(path).run
    images = [taken.prepare(image[None]) for image in drawn_digits(_IMAGES)]

    def one(count: int) -> object:
        return run([taken.output], {taken.name: images[count % len(images)]})

    return one
