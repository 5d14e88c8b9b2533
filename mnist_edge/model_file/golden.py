"""Golden answers: what a file answered where it was made, to inputs that anyone can make again.

They travel in the file's metadata as one JSON object, so that a device can tell in milliseconds
whether the file computes there what it computed at home. A client needs none of this code: the
inputs are drawn with 32-bit integers alone, and the tolerance stands beside the answers.
"""

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_edge.errors import GoldenError
from mnist_edge.image_shape import MNIST_SHAPE, ImageShape
from mnist_edge.types import Images, LogitsFunction

GENERATOR = "xorshift32-strokes-1"
# A float file differs from itself elsewhere by the order of its sums alone, about 1e-5 of a logit;
# relative to the largest logit: networks with large logits round more coarsely.
ROUNDING = 1e-4
# Two orders of the same sums round an int8 value to neighbouring steps now and then, and such
# steps add up to two quanta in the files that we measured; saturation is off by a hundred.
QUANTA = 4
_COUNT = 8
_SEED = 2463534242  # Marsaglia's own
_STROKE = np.array([[144, 255, 144], [255, 255, 255], [144, 255, 144]], np.uint8)


@dataclass(frozen=True, slots=True)
class GoldenCheck:
    """Answers given here against the golden ones.

    `changed` of the `images` have a logit that differs by more than `tolerance`, or is not finite,
    whether they are answered one by one or all at once.
    `duration_ms` is that of the whole check: drawing the inputs, answering, comparing.
    """

    images: int
    changed: int
    max_logit_difference: float
    tolerance: float
    duration_ms: float

    @property
    def passed(self) -> bool:
        return self.changed == 0

    def __str__(self) -> str:
        """For a person: how many, and how far off."""
        if self.passed:
            return (
                f"{self.images} of {self.images} as where it was made "
                f"(max |Δlogit| {self.max_logit_difference:.2g}, {self.duration_ms:.1f} ms)"
            )
        return (
            f"{self.changed} of {self.images} golden answers changed, max |Δlogit| "
            f"{self.max_logit_difference:.2g} (tolerance {self.tolerance:.2g})"
        )


@dataclass(frozen=True, slots=True)
class Golden:
    """A file's own logits, float32 (8, classes) as nested tuples, of the inputs of `generator`.

    `sha256` is of the inputs' bytes, `tolerance` the largest |Δlogit| that is let through.
    ValueError for answers without shape, or numbers that are not finite.
    """

    generator: str
    sha256: str
    tolerance: float
    logits: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        values = np.array(self.logits, np.float64)  # ValueError for rows of unequal lengths
        largest = np.finfo(np.float32).max
        if values.ndim != 2 or values.size == 0 or not (np.abs(values) <= largest).all():
            raise ValueError("golden answers are finite logits (N, classes)")
        # `made` writes three digits.
        if not 0 <= self.tolerance <= 1.01 * max(_exact(values), _rounded(values)):
            raise ValueError("golden answers allow what rounding does not explain")

    def to_json(self) -> str:
        """Compact, as it stands in the metadata."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Golden":
        """ValueError, KeyError, TypeError or OverflowError for what is not golden answers."""
        values = json.loads(text)
        rows = tuple(tuple(float(value) for value in row) for row in values["logits"])
        tolerance = float(values["tolerance"])
        return cls(str(values["generator"]), str(values["sha256"]), tolerance, rows)


def inputs(shape: ImageShape = MNIST_SHAPE) -> Images:
    """The inputs of GENERATOR, eight of a shape: blank, full ink, noise, and five of strokes.

    All is 32-bit integer arithmetic on Marsaglia's xorshift (Journal of Statistical Software 8,
    2003, the triple 13, 17, 5), so that any language draws the same: a stroke goes from one
    random point to the next in 16 steps; at each, the 3×3 pixels around it get at least 144, and
    it and its four neighbours 255. Points stay 4 pixels away from the border. Noise comes in the
    order of the bytes; in RGB, each channel has its own strokes, red first.
    """
    return np.stack([_drawn(at, shape) for at in range(_COUNT)])


def _drawn(at: int, shape: ImageShape) -> Images:
    image = np.zeros((shape.height, shape.width, shape.channels), np.uint8)
    random = _xorshift(_SEED + at)
    if at == 1:
        image[:] = 255
    elif at == 2:
        image.flat[:] = [next(random) >> 24 for _ in range(image.size)]
    elif at > 2:
        for channel in range(shape.channels):
            _draw_strokes(image[:, :, channel], random)
    return image.reshape(shape.dims)


def _draw_strokes(field: Images, random: Iterator[int]) -> None:
    rows, columns = (side - 8 for side in field.shape)
    points = [(4 + next(random) % rows, 4 + next(random) % columns) for _ in range(5)]
    for (top, left), (bottom, right) in pairwise(points):
        for step in range(17):
            y = (top * (16 - step) + bottom * step) // 16
            x = (left * (16 - step) + right * step) // 16
            near = field[y - 1 : y + 2, x - 1 : x + 2]
            np.maximum(near, _STROKE, out=near)


def _xorshift(seed: int) -> Iterator[int]:
    state = seed & 0xFFFFFFFF
    while True:
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        yield state


def compute(run: LogitsFunction, int8: bool, shape: ImageShape = MNIST_SHAPE) -> Golden:
    """A file's golden answers, given here by `run`: images of its shape -> logits.

    Each logit is the shortest decimal that is the same float32 again. ValueError for what is no
    number.
    """
    images = inputs(shape)
    logits = run(images)
    tolerance = _rounded(logits) if int8 else _exact(logits)
    rows = tuple(tuple(float(str(value)) for value in row) for row in logits)
    return Golden(GENERATOR, _sha256(images), float(f"{tolerance:.3g}"), rows)


def _rounded(logits: NDArray[Any]) -> float:
    return QUANTA * float(np.ptp(logits)) / 255


def _exact(logits: NDArray[Any]) -> float:
    return ROUNDING * max(1.0, float(np.abs(logits).max()))


def check(golden: Golden, run: LogitsFunction, shape: ImageShape = MNIST_SHAPE) -> GoldenCheck:
    """Answer the inputs again, with `run`, all at once and one by one, and compare. GoldenError
    where they cannot be drawn."""
    start = time.perf_counter()
    images = inputs(shape)
    if golden.generator != GENERATOR:
        raise GoldenError(
            f"its golden answers are to inputs of '{golden.generator}', which this version does "
            "not know: install a newer mnist-edge"
        )
    if golden.sha256 != _sha256(images):
        raise GoldenError(
            f"its golden answers are to other inputs than '{GENERATOR}' draws: export it again"
        )
    expected, found = np.array(golden.logits, np.float32), run(images)
    if found.shape != expected.shape:
        raise GoldenError(f"its golden answers are {expected.shape}, it answers {found.shape}")
    alone = np.concatenate([run(images[at : at + 1]) for at in range(len(images))])
    with np.errstate(invalid="ignore"):
        off = np.maximum(np.abs(found - expected), np.abs(alone - expected)).max(axis=1)
    return GoldenCheck(
        images=len(images),
        changed=int((~(off <= golden.tolerance)).sum()),  # so that a NaN counts
        max_logit_difference=float(np.max(off)),
        tolerance=golden.tolerance,
        duration_ms=(time.perf_counter() - start) * 1000,
    )


def _sha256(images: Images) -> str:
    return hashlib.sha256(images.tobytes()).hexdigest()
