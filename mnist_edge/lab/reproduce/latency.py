"""What exported files cost here: one image a call, one thread, all in one run, interleaved."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mnist_edge.contenders import intake
from mnist_edge.intervals import Ratio
from mnist_edge.opening import open_session
from mnist_edge.picture import drawn_digits
from mnist_edge.report.grid import Grid
from mnist_edge.report.sections import Section
from mnist_edge.stopwatch import Call, Protocol, measure, speedup

Name = TypeVar("Name", bound=Hashable)

PROTOCOL = Protocol(samples=200, duration_s=2.0, rounds=41)
_IMAGES = 200


@dataclass(frozen=True, slots=True)
class Timed:
    """A file's median time, and that time as a multiple of the first file's; None for the first
    itself."""

    p50_us: float
    ratio: Ratio | None

    def cells(self) -> tuple[str, str]:
        """p50, and the ratio with its 95 % interval."""
        return f"{self.p50_us:,.1f} µs", "1" if self.ratio is None else ratio(self.ratio)

    def as_dict(self) -> dict[str, Any]:
        found = self.ratio
        return {
            "p50_us": self.p50_us,
            "ratio": None
            if found is None
            else {"value": found.value, "interval95": [found.low, found.high]},
        }


def time_files(files: Mapping[Name, Path]) -> dict[Name, Timed]:
    """The times of files, by name. ModelError for one that is no classifier of images."""
    first, *others = measure([_call(path) for path in files.values()], PROTOCOL).latencies
    timed = [Timed(float(np.median(first.samples_us)), None)]
    timed += [Timed(float(np.median(one.samples_us)), speedup(one, first)) for one in others]
    return dict(zip(files, timed, strict=True))


def section(timed: Mapping[str, Timed], lines: Sequence[str] = ()) -> Section:
    """The times of all files."""
    rows = tuple((name, *one.cells()) for name, one in timed.items())
    return Section(
        "time of one image, one thread, interleaved in one run",
        Grid(("file", "p50", "times the first (95 %)"), rows),
        tuple(lines),
    )


def ratio(found: Ratio) -> str:
    """1.07 (1.05-1.09)"""
    return f"{found.value:.2f} ({found.low:.2f}-{found.high:.2f})"


def fastest(timed: Mapping[str, Timed], names: Sequence[str]) -> str:
    """The name, of some, of the file with the smallest median."""
    return min(names, key=lambda name: timed[name].p50_us)


def _call(path: Path) -> Call:
    """One image, one answer, as `bench` calls a file, ours or a stranger's."""
    taken = intake.read(path)
    run = open_session(path).run
    images = [taken.prepare(image[None]) for image in drawn_digits(_IMAGES)]

    def one(count: int) -> object:
        return run([taken.output], {taken.name: images[count % len(images)]})

    return one
