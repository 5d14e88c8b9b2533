"""The gate: is the exported file still the original?"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_edge import golden, kernels, metrics
from mnist_edge.classifier import CHUNK, Classifier, in_chunks
from mnist_edge.consistency import inconsistency
from mnist_edge.contract import INPUT, OUTPUT, Counts
from mnist_edge.datasets import Split
from mnist_edge.errors import GateCheck, GateError
from mnist_edge.golden import Golden
from mnist_edge.kernels import Deviation
from mnist_edge.metrics import Accuracy, Agreement, Shift, Threshold
from mnist_edge.opening import open_session
from mnist_edge.opening.model_file import ModelFile
from mnist_edge.saturation import LARGEST_PAIR, widest_pair

# A correct fp32 export differs by rounding alone, about 1e-5 of a logit. This is the most that is
# let through, relative to the largest logit: networks with large logits round more coarsely.
_TOLERANCE = 1e-4
_REFERENCE_IMAGES = 1000
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
    threshold fitted on its answers to a validation split, None without one; and its confusion
    (see `Card`)."""

    logits: NDArray[np.float32]
    alone: NDArray[np.float32]
    golden: Golden | None
    threshold: Threshold | None = None
    confusion: Counts | None = None

    @classmethod
    def of(cls, file: Path, test: Split, validation: Split | None = None) -> "Answers":
        """ModelError when the file will not open, GateError when its answer to an image depends on
        other things than the image."""
        model = Classifier(file)
        few = [model.logits(test.images[at : at + 1]) for at in range(min(8, len(test)))]
        logits = in_chunks(model.logits, test.images)
        _check_consistent(model, test.images)
        answered, threshold = None, None  # such a file passes no gate
        if np.isfinite(logits).all():
            answered = golden.made(model.logits, model.card.precision == "int8")
            if validation:
                chosen = in_chunks(model.logits, validation.images)
                threshold = metrics.fit_threshold(chosen, validation.labels)
        confusion = _confusion(logits, test)
        return cls(logits, np.concatenate(few), answered, threshold, confusion)


def _check_consistent(model: Classifier, images: NDArray[np.uint8]) -> None:
    exact = model.card.precision == "fp32"
    found = inconsistency(model.logits, images[:CHUNK], _SIZES, exact)
    if found:
        raise GateError(
            model.path.name,
            GateCheck.CONSISTENCY,
            f"is not fit to ship: {found}",
            found=found.max_logit_difference,
            limit=found.allowed,
        )


def _confusion(logits: NDArray[np.float32], test: Split) -> Counts | None:
    classes = logits.shape[1]
    if classes > _MOST_CLASSES:
        return None
    counts = metrics.confusion(logits.argmax(axis=1), test.labels, classes)
    return tuple(tuple(row) for row in counts.tolist())


def compare(original: NDArray[np.float32], file: Path | Answers, test: Split) -> Verification:
    """Compare a file's answers to the whole test split with the original's logits (N, C).

    It answers in batches of many and one by one: both must work. ModelError when it will not
    open.
    """
    found = Answers.of(file, test) if isinstance(file, Path) else file
    exported, alone = found.logits, found.alone
    differences = [np.abs(exported - original).max(), np.abs(alone - original[: len(alone)]).max()]
    before, after = original.argmax(axis=1), exported.argmax(axis=1)
    return Verification(
        original=metrics.accuracy(before, test.labels),
        exported=metrics.accuracy(after, test.labels),
        agreement=metrics.agreement(before, after, test.labels),
        shift=metrics.shift(original, exported),
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


def portability(file: Path, images: NDArray[np.uint8]) -> Portability:
    """How much an int8 file depends on the CPU that runs it; a thousand images are enough."""
    images = images[:_REFERENCE_IMAGES]
    model = ModelFile.read(file)
    reference = open_session(model, optimize=False)
    expected = in_chunks(lambda some: reference.run([OUTPUT], {INPUT: some})[0], images)
    found = kernels.deviation(expected, in_chunks(Classifier(model).logits, images))
    return Portability(
        found.images,
        found.changed,
        found.max_logit_difference,
        found.quantum,
        widest_pair(model.graph),
    )


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
