"""What one run of `bench` measured, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mnist_edge.backends import Contender, ContenderKind, ModelInfo, outputs
from mnist_edge.backends.model_info import ImagesKey
from mnist_edge.backends.outputs import OutputKind
from mnist_edge.benchmark.inspection import Inspection
from mnist_edge.benchmark.latency import Latency, speedup
from mnist_edge.datasets import Dataset
from mnist_edge.errors import EdgeError
from mnist_edge.host.machine import Machine
from mnist_edge.host.noise import Noise
from mnist_edge.intervals import Ratio
from mnist_edge.metrics import Accuracy, Agreement

Data = dict[ImagesKey, Dataset]
"""What a contender is scored on -> the set, in that shape."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure, and for how long.

    `duration_s` of timed calls for each contender on average, shared out among the `batches`,
    which are images a call. `rate_hz` adds a paced run of the same length at one image a call,
    `cold` fresh processes. `seed` decides the order within rounds.
    """

    threads: int = 1
    duration_s: float = 10.0
    batches: tuple[int, ...] = (1, 8, 64)
    rate_hz: float | None = None
    cold: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.batches or min(self.batches) < 1:
            raise EdgeError("plan: batches are counts of images, at least 1 each")
        if self.duration_s < 0:
            raise EdgeError("plan: duration_s cannot be negative")


@dataclass(frozen=True, slots=True)
class Score:
    """What a contender answered to the whole test split.

    `logits` float32 (N, classes), of whatever `kind` they are; `calibration_error` is None where
    that is no probabilities. `change` compares the labels with those of the PyTorch original
    or, for int8 where that is not here, of the fp32 file; None for what is itself compared with.
    """

    logits: NDArray[np.float32] = field(repr=False)
    accuracy: Accuracy
    calibration_error: float | None
    change: Agreement | None
    kind: OutputKind = OutputKind.LOGITS

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """The answers as shares that sum to 1, float32 (N, classes)."""
        return outputs.probabilities(self.logits, self.kind)


@dataclass(frozen=True, slots=True)
class Entry:
    """One contender's numbers.

    `score` is None where its data set is not here, `findings` for other runtimes than ONNX
    Runtime. `prepare` is how long one image takes into the form that the model takes; `batches`
    are the latencies of so many images a call; `paced` those at the plan's rate; `cold` from
    process start to first answer.
    """

    contender: Contender
    size_bytes: int
    sha256: str
    score: Score | None
    findings: Inspection | None
    load: Latency
    first: Latency
    prepare: Latency
    batches: Mapping[int, Latency]
    paced: Latency | None = None
    cold: Latency | None = None
    peak_bytes: int | None = None

    @property
    def info(self) -> ModelInfo:
        return self.contender.info

    @property
    def is_file(self) -> bool:
        """Whether this is the file as it ships, in ONNX Runtime."""
        return self.contender.kind is ContenderKind.FILE

    @property
    def is_int8(self) -> bool:
        return self.info.precision == "int8"

    @property
    def is_original(self) -> bool:
        """Whether this is the network that was trained, as its own framework runs it."""
        return self.contender.kind is ContenderKind.ORIGINAL

    @property
    def accuracy(self) -> Accuracy | None:
        """As measured here, or else as the file records it; None for a foreign file unmeasured."""
        return self.score.accuracy if self.score else self.info.recorded

    @property
    def recorded(self) -> bool:
        """Whether the accuracy is only what the file says of itself."""
        return self.score is None and self.info.recorded is not None

    def images_per_s(self, batch: int) -> float | None:
        """The throughput at `batch` images a call, from the median."""
        median = self.batches[batch].percentile_us(50) if batch in self.batches else None
        return None if median is None else batch / median * 1e6

    def cpu_us_per_image(self, batch: int) -> float | None:
        """CPU time of all threads for one image, in microseconds."""
        seconds = self.batches[batch].per_call("cpu_s") if batch in self.batches else None
        return None if seconds is None else seconds / batch * 1e6

    def joules_per_image(self, batch: int) -> float | None:
        """Energy of the whole CPU package for one image; None where it cannot be read."""
        joules = self.batches[batch].per_call("energy_j") if batch in self.batches else None
        return None if joules is None else joules / batch


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Everything that one run of `bench` measured, and on what.

    `images` says which images were timed, `yardstick` how long a fixed piece of work took in the
    rounds of each batch size, `energy_why_not` why energy could not be read, None where it could,
    `measured_at` when it began (ISO 8601, UTC), `missing` which contenders were asked for with
    "all" and are not installed, `refused` what is wrong with those that could not be measured.
    `stopped` says that Ctrl-C ended it before all was measured.
    """

    entries: tuple[Entry, ...]
    plan: Plan
    machine: Machine
    noise: Noise
    images: str
    yardstick: Mapping[int, Latency]
    energy_why_not: str | None
    measured_at: str = ""
    missing: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    data: Data = field(default_factory=dict, repr=False)
    stopped: bool = False

    def baseline(self, entry: Entry) -> Entry | None:
        """What an entry's speed is compared with: its PyTorch original, or else its fp32 file, or
        else the first entry of its model. None for that entry itself."""
        family = [other for other in self.entries if other.info.family == entry.info.family]
        originals = [other for other in family if other.is_original]
        files = [other for other in family if other.is_file and other.info.precision == "fp32"]
        first = (originals + files + family)[0]
        return None if first is entry else first

    def speedup(self, entry: Entry, over: Entry, batch: int) -> Ratio | None:
        """How many times as fast as another an entry is, paired round by round; None where either
        was not timed at `batch` images a call, or in too few rounds."""
        if batch not in entry.batches or batch not in over.batches:
            return None
        return speedup(over.batches[batch], entry.batches[batch])
