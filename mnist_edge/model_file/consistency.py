"""Whether a model's answer to an image depends on that image alone: not on chance, and not on the
other images of a call, nor on how many these are."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from mnist_edge.types import Images, Logits, LogitsFunction

# Other numbers of images are other orders of the same sums, and other kernels; int8 values round
# to neighbouring steps, and dynamic quantization to other steps altogether.
_ROUNDING = 1e-3
_STEPS = 0.1
"""The most that explains, as a part of the range of all logits."""


_COMPARED = 128  # images; one by one, they are that many calls


class Dependence(Enum):
    """What else answers depend on; the value is how a sentence calls it."""

    CHANCE = "chance"
    COMPANY = "the other images of a call"


@dataclass(frozen=True, slots=True)
class Inconsistency:
    """Answers to the same images that differ by up to `max_logit_difference`, which is more than
    `allowed`: those of a call of `size` images, and the same call again or a call of all."""

    dependence: Dependence
    size: int
    max_logit_difference: float
    allowed: float

    def __str__(self) -> str:
        """For a person."""
        how = "given twice" if self.dependence is Dependence.CHANCE else f"{self.size} at a time"
        return (
            f"its answers depend on {self.dependence.value}: the same images, {how}, have other "
            f"logits (max |Δlogit| {self.max_logit_difference:.2g})"
        )


def find_inconsistency(
    run: LogitsFunction, images: Images, sizes: Sequence[int], exact: bool
) -> Inconsistency | None:
    """Whether `run` answers the images, uint8 (N, H, W), otherwise when it is given all of them
    again, or the first of them so many at a time; None for a model that does not. `exact` is one
    that computes in float32 throughout.
    """
    first = images[:_COMPARED]
    expected = run(images)[:_COMPARED]
    finite = expected[np.isfinite(expected)]
    allowed = (_ROUNDING if exact else _STEPS) * float(np.ptp(finite)) if finite.size else 0.0
    off = _difference(expected, run(images)[:_COMPARED])
    if not off <= allowed:
        return Inconsistency(Dependence.CHANCE, len(images), off, allowed)
    for size in sorted(set(sizes)):
        if size >= len(images):
            continue
        parts = [run(first[at : at + size]) for at in range(0, len(first), size)]
        off = _difference(expected, np.concatenate(parts))
        if not off <= allowed:
            return Inconsistency(Dependence.COMPANY, size, off, allowed)
    return None


def _difference(one: Logits, other: Logits) -> float:
    """The largest; infinities that are the same (the logarithm of 0) are no difference."""
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    with np.errstate(invalid="ignore"):
        return float(np.max(np.abs(one - other), where=~same, initial=0.0))
