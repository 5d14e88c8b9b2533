"""What is known of a file before it is timed: whether it computes here what it should, and how."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnist_edge import kernels
from mnist_edge.classifier import Classifier, in_chunks
from mnist_edge.contenders import Contender, OnnxRuntime, Runner, answer
from mnist_edge.golden import GoldenCheck
from mnist_edge.kernels import Deviation, Kernels
from mnist_edge.saturation import LARGEST_PAIR, widest_pair

_REFERENCE_IMAGES = 500


@dataclass(frozen=True, slots=True)
class Findings:
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
) -> Findings | None:
    """Look into a file that ONNX Runtime runs, on uint8 (N, 28, 28); None for other runtimes.

    GoldenError for a file that does not compute here what it computed where it was made.
    """
    if not isinstance(contender, OnnxRuntime):
        return None
    images = images[:_REFERENCE_IMAGES]
    reference = contender.load(threads, optimize=False)
    return Findings(
        golden=Classifier(contender.model, threads).check() if contender.subject.ours else None,
        kernels=kernels.running(contender.model, contender.feed(images[:1])),
        deviation=kernels.deviation(
            in_chunks(lambda some: answer(reference, some), images),
            in_chunks(lambda some: answer(runner, some), images),
        ),
        widest_pair=widest_pair(contender.model.graph),
    )
