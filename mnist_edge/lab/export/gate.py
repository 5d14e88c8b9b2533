"""The gate: is the exported file still the original?"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_edge import metrics
from mnist_edge.benchmark import kernels
from mnist_edge.benchmark.kernels import Deviation
from mnist_edge.classifier import CHUNK_SIZE, in_chunks, logits_function
from mnist_edge.datasets import Dataset, Outliers, Split
from mnist_edge.errors import GateCheck, GateError
from mnist_edge.lab.export.thresholds import fit_threshold, measure_rejection
from mnist_edge.metrics import Accuracy, Agreement, Shift, Threshold
from mnist_edge.model_file import golden
from mnist_edge.model_file.consistency import find_inconsistency
from mnist_edge.model_file.contract import Counts
from mnist_edge.model_file.golden import Golden
from mnist_edge.model_file.reader import ModelFile
from mnist_edge.model_file.saturation import LARGEST_PAIR, widest_pair
from mnist_edge.rejection import Rejection

# A correct fp32 export differs by rounding alone, about 1e-5 of a logit. This is the most that is
# let through, relative to the largest logit: networks with large logits round more coarsely.
_TOLERANCE = 1e-4
_REFERENCE_IMAGES = 1000
_ALONE = 8  # images that are answered one by one
_SIZES = (1, 8, 64)  # images a call, as bench times them
_MOST_CLASSES = 100  # whose confusion a file carries: a thousand would make it 2 MB larger


@dataclass(frozen=True, slots=True)
class Verification:
    """A file against what it was made from, on every image of the test split."""

    original: Accuracy
    exported: Accuracy
    agreement: Agreement
    shift: Shift
    max_logit_difference: float
    largest_logit: float

    @property
    def drop(self) -> float:
        """The accuracy that was lost, in percentage points; negative when it was won."""
        return (self.original.value - self.exported.value) * 100

    def as_dict(self) -> dict[str, Any]:
        return {
            "accuracy_before": self.original.value,
            "accuracy_after": self.exported.value,
            **self.agreement.as_dict(),
            "mean_probability_difference": self.shift.mean,
            "max_probability_difference": self.shift.most,
            "max_logit_difference": self.max_logit_difference,
        }


@dataclass(frozen=True, slots=True)
class Portability(Deviation):
    """Whether an int8 file computes the same on every CPU: how far this machine's int8 kernels
    are from the same graph in float, and a bound on the file (see `saturation`)."""

    widest_pair: int


@dataclass(frozen=True, slots=True)
class Gate:
    """All that was checked of one file. `original` is None where the PyTorch network is not here,
    `fp32` and `portability` are an int8 file's."""

    original: Verification | None
    fp32: Verification | None = None
    portability: Portability | None = None

    @property
    def verification(self) -> Verification:
        """Against the original, or else against the fp32 file that gave the original's answers."""
        found = self.original or self.fp32
        assert found is not None  # one of them is what a file was made from
        return found

    def as_dict(self) -> dict[str, Any]:
        """For JSON: what was compared with the original, the fp32 file, the float reference."""
        found: dict[str, Any] = {}
        for name, checked in (("against_original", self.original), ("against_fp32", self.fp32)):
            if checked is not None:
                found[name] = checked.as_dict()
        if self.portability is not None:
            found["against_float_reference"] = asdict(self.portability)
        return found


@dataclass(frozen=True, slots=True)
class Answers:
    """A file's logits (N, C) of the test split, in batches, and of its first images one by one;
    and what it will carry: its golden answers, None where it answers what is no number; the
    threshold fitted on its answers to a validation split, None without one; its confusion, and
    what the threshold does to images of no class (see `Card`)."""

    logits: NDArray[np.float32]
    alone: NDArray[np.float32]
    golden: Golden | None
    threshold: Threshold | None = None
    confusion: Counts | None = None
    rejection: Rejection | None = None

    @classmethod
    def of(
        cls,
        file: ModelFile,
        test: Split,
        validation: Split | None = None,
        int8: bool = False,
        outliers: Outliers | None = None,
    ) -> "Answers":
        """ModelError when the file will not open, GateError when its answer to an image depends on
        other things than the image. It need not have a card yet."""
        run = logits_function(file)
        asked = [(test.images, CHUNK_SIZE), (test.images[:_ALONE], 1)]
        if validation:
            asked.append((validation.images, CHUNK_SIZE))
        logits, alone, *chosen = (in_chunks(run, images, size) for images, size in asked)
        if found := find_inconsistency(run, test.images[:CHUNK_SIZE], _SIZES, exact=not int8):
            raise GateError(
                file.path.name,
                GateCheck.CONSISTENCY,
                f"is not fit to ship: {found}",
                found=found.max_logit_difference,
                limit=found.allowed,
            )
        answered, threshold = None, None  # a file that answers what is no number passes no gate
        if np.isfinite(logits).all():
            answered = golden.compute(run, int8, test.shape)
            if validation:
                threshold = fit_threshold(run, chosen[0], validation.labels, outliers)
        rejection = measure_rejection(run, logits, threshold, outliers)
        return cls(logits, alone, answered, threshold, _confusion(logits, test), rejection)


def measure(
    file: ModelFile,
    data: Dataset,
    original: NDArray[np.float32] | None,
    fp32: NDArray[np.float32] | None = None,
) -> tuple[Gate, Answers]:
    """What the gate and a file's card need to know, asked of the file once.

    `original` are the PyTorch network's logits of the test split, `fp32` those of the file that
    an int8 one was made from.
    """
    answers = Answers.of(
        file, data.test, data.validation, int8=fp32 is not None, outliers=data.outliers
    )
    gate = Gate(
        original=None if original is None else compare(original, answers, data.test),
        fp32=None if fp32 is None else compare(fp32, answers, data.test),
        portability=None if fp32 is None else measure_portability(file, data.test.images),
    )
    return gate, answers


def check(gate: Gate, file: str, max_drop: float = 0.0) -> None:
    """GateError unless an fp32 file computes what its original does; and an int8 one alike on
    every CPU, having lost no more than `max_drop` percentage points."""
    if gate.portability is None:
        check_equal(gate.verification, file)
        return
    check_portable(gate.portability, file)
    check_drop(gate.verification, file, max_drop)


def _confusion(logits: NDArray[np.float32], test: Split) -> Counts | None:
    classes = logits.shape[1]
    if classes > _MOST_CLASSES:
        return None
    counts = metrics.confusion(logits.argmax(axis=1), test.labels, classes)
    return tuple(tuple(row) for row in counts.tolist())


def compare(original: NDArray[np.float32], answers: Answers, test: Split) -> Verification:
    """Compare a file's answers to the whole test split, in batches and one by one, with the
    original's logits (N, C)."""
    exported, alone = answers.logits, answers.alone
    differences = [np.abs(exported - original).max(), np.abs(alone - original[: len(alone)]).max()]
    return Verification(
        *metrics.differences(original, exported, test.labels),
        max_logit_difference=float(np.max(differences)),  # unlike max(), it keeps a NaN
        largest_logit=float(np.abs(original).max()),
    )


def check_equal(verification: Verification, file: str) -> None:
    """GateError unless the file computes the same: no answer changed, logits equal to rounding."""
    limit = _TOLERANCE * max(1.0, verification.largest_logit)
    changed = verification.agreement.changed
    # Written so that a NaN, which compares as false, does not pass.
    if changed or not verification.max_logit_difference <= limit:
        raise GateError(
            file,
            GateCheck.EQUALITY,
            f"does not compute what its original computes: {changed} of "
            f"{verification.agreement.total:,} answers changed, max |Δlogit| "
            f"{verification.max_logit_difference:.2g} (limit {limit:.2g})",
            found=verification.max_logit_difference,
            limit=limit,
            changed=changed,
        )


def check_drop(verification: Verification, file: str, max_drop: float) -> None:
    """GateError when a file lost more accuracy than `max_drop` percentage points."""
    # Counted in images: 0.1 points of 10,000 are 10 images, and not 10.000000000000009.
    lost = verification.original.correct - verification.exported.correct
    finite = np.isfinite(verification.max_logit_difference)
    if lost > max_drop / 100 * verification.exported.total + 1e-9 or not finite:
        raise GateError(
            file,
            GateCheck.ACCURACY_DROP,
            f"has {verification.exported.value:.2%}, its original "
            f"{verification.original.value:.2%}: it lost {verification.drop:.2f} points ({lost} of "
            f"{verification.exported.total:,} images)",
            found=verification.drop,
            limit=max_drop,
            changed=verification.agreement.changed,
        )


def measure_portability(file: ModelFile, images: NDArray[np.uint8]) -> Portability:
    """How much an int8 file depends on the CPU that runs it; a thousand images are enough."""
    reference, run = (logits_function(file, optimize) for optimize in (False, True))
    found = kernels.compare_with_reference(reference, run, images[:_REFERENCE_IMAGES])
    return Portability(**asdict(found), widest_pair=widest_pair(file.graph))


def check_portable(found: Portability, file: str) -> None:
    """GateError unless the file computes on every CPU what its float reference computes."""
    if found.widest_pair > LARGEST_PAIR:
        raise GateError(
            file,
            GateCheck.SATURATION,
            "would saturate on CPUs without VNNI: two of its weights add up to "
            f"{found.widest_pair}, more than {LARGEST_PAIR}",
            found=found.widest_pair,
            limit=LARGEST_PAIR,
        )
    if not found.alike:
        raise GateError(
            file,
            GateCheck.FLOAT_REFERENCE,
            f"does not compute here what its float reference computes: {found.changed} of "
            f"{found.images:,} answers differ, max |Δlogit| {found.max_logit_difference:.2g} "
            f"(limit {found.limit:.2g})",
            found=found.max_logit_difference,
            limit=found.limit,
            changed=found.changed,
        )
