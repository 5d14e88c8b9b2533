"""What is known of a file before it is timed: whether it computes here what it should, and how."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mnist_edge.backends import Contender, FileContender, OnnxRuntime, Runner, answer
from mnist_edge.backends.base import chunk_size, full_name
from mnist_edge.benchmark import kernels
from mnist_edge.benchmark.kernels import Deviation, Kernels
from mnist_edge.classifier import Classifier
from mnist_edge.errors import ModelError
from mnist_edge.model_file.consistency import find_inconsistency
from mnist_edge.model_file.golden import GoldenCheck
from mnist_edge.model_file.resource_bounds import MOST_MEMORY
from mnist_edge.model_file.saturation import LARGEST_PAIR, widest_pair
from mnist_edge.model_file.tensors import FLOAT16

_REFERENCE_IMAGES = 500


@dataclass(frozen=True, slots=True)
class Inspection:
    """What ONNX Runtime makes of a file on this CPU; `golden` is None for a file without golden
    answers; `widest_pair` is the largest |a| + |b| of two int8 weights of one sum."""

    golden: GoldenCheck | None
    kernels: Kernels
    deviation: Deviation
    widest_pair: int = 0

    @property
    def saturates(self) -> bool:
        """Whether the kernels of this CPU do not compute what the graph says."""
        return not self.deviation.alike

    @property
    def may_saturate(self) -> bool:
        """Whether the kernels of some other CPU may not: its weights do not rule it out."""
        return self.kernels.any_int8 and self.widest_pair > LARGEST_PAIR


def inspect(
    contender: Contender, runner: Runner, images: NDArray[np.uint8], threads: int
) -> Inspection | None:
    """Look into a file that ONNX Runtime runs, on images of its shape; None for other runtimes.

    GoldenError for a file that does not compute here what it computed where it was made.
    """
    if not isinstance(contender, OnnxRuntime):
        return None
    images = images[:_REFERENCE_IMAGES]
    reference = contender.load(threads, optimize=False)
    return Inspection(
        golden=Classifier(contender.model, threads).check() if contender.info.ours else None,
        kernels=kernels.profile_kernels(contender.model, contender.feed(images[:1])),
        deviation=kernels.compare_with_reference(
            partial(answer, reference), partial(answer, runner), images, chunk_size(contender)
        ),
        widest_pair=widest_pair(contender.model.graph),
    )


def check_batches(
    contender: Contender, runner: Runner, images: NDArray[np.uint8], batches: Sequence[int]
) -> None:
    """ModelError for a contender that takes too much memory for so many images a call, or whose
    answer to one depends on the others, on their number, or on chance."""
    name = full_name(contender)
    if isinstance(contender, FileContender) and max(batches) > contender.most_images:
        raise ModelError(
            f"{name} takes more than {MOST_MEMORY >> 20} MB for {max(batches)} images a call: it "
            f"can be measured with --batch {contender.most_images}"
        )
    call = partial(answer, runner)
    found = find_inconsistency(
        call, images[: chunk_size(contender)], (1, *batches), _exact(contender)
    )
    if found:
        raise ModelError(f"{name} cannot be measured: {found}")


def _exact(contender: Contender) -> bool:
    """Whether it computes in float32 throughout."""
    if contender.info.precision != "fp32":
        return False
    if not isinstance(contender, FileContender):
        return True
    graph = contender.model.graph
    halves = [one for one in graph.constants.values() if one.dtype == FLOAT16]
    return not halves and all(value.dtype != FLOAT16 for value in graph.inputs)
