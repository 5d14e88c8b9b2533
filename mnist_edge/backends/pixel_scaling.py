"""What trainers do to pixels before a network sees them: (pixel - mean) × scale, of levels 0..255,
the same for all channels or of red, green and blue each."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PerChannel = float | tuple[float, float, float]
"""One number for all channels, or those of red, green and blue."""

_CHUNK = 1000


class Scaling(NamedTuple):
    """(pixel - mean) × scale, of pixels 0..255."""

    scale: PerChannel = 1.0
    mean: PerChannel = 0.0

    @classmethod
    def normalized(cls, mean: PerChannel, deviation: PerChannel) -> "Scaling":
        """Less a mean, over a deviation, both of pixels 0..1, as they are published."""
        return cls(_each(1 / (255 * np.array(deviation))), _each(255 * np.array(mean)))

    @property
    def per_channel(self) -> bool:
        return isinstance(self.scale, tuple) or isinstance(self.mean, tuple)

    def is_near(self, other: "Scaling", tolerance: float) -> bool:
        """Whether no scale differs by more than a part of itself, and what comes out of no pixel
        of 0 by more than that."""
        (scale, mean), (other_scale, other_mean) = map(_arrays, (self, other))
        ratio, shift = scale / other_scale, (mean - other_mean) * other_scale
        return bool((np.abs(ratio - 1) < tolerance).all() and (np.abs(shift) < tolerance).all())


def _arrays(scaling: Scaling) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.array(scaling.scale), np.array(scaling.mean)


def _each(values: NDArray[np.float64]) -> PerChannel:
    if not values.ndim:
        return float(values)
    red, green, blue = values.tolist()
    return red, green, blue


RAW = Scaling()
UNIT = Scaling(1 / 255)
MNIST = Scaling.normalized(0.1307, 0.3081)
SIGNED = Scaling(1 / 127.5, 127.5)
CENTRED = Scaling(1 / 255, 127.5)
IMAGENET = Scaling.normalized((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CIFAR_10 = Scaling.normalized((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
CIFAR_10_OF_KUANGLIU = Scaling.normalized((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
CAFFE = Scaling(1.0, (123.68, 116.779, 103.939))

_NAMES = {
    RAW: "0..255 as they are",
    UNIT: "as 0..1",
    MNIST: "less MNIST's mean 0.1307, over its deviation 0.3081",
    SIGNED: "as -1..1",
    CENTRED: "as -0.5..0.5",
    IMAGENET: "normalized by ImageNet's mean and deviation",
    CIFAR_10: "normalized by CIFAR-10's mean and deviation",
    CIFAR_10_OF_KUANGLIU: "normalized by CIFAR-10's mean and 0.2023, 0.1994, 0.2010",
    CAFFE: "0..255 less ImageNet's mean",
}

GREY_SCALINGS = (RAW, UNIT, MNIST, SIGNED, CENTRED)
RGB_SCALINGS = (RAW, UNIT, SIGNED, CENTRED, IMAGENET, CIFAR_10, CIFAR_10_OF_KUANGLIU, CAFFE)
"""Those that are usual, the plainest first. Of CIFAR-10 there are two: its deviation over all
pixels, and the mean of each image's, which pytorch-cifar (kuangliu) made the commoner one. CAFFE is
what Keras does for VGG and ResNet, in BGR."""


def describe(scaling: Scaling) -> str:
    """In words: its name, or the formula."""
    for usual, name in _NAMES.items():
        if scaling.is_near(usual, 1e-5):
            return name
    return f"(pixel - {_text(scaling.mean)}) × {_text(scaling.scale)}"


def _text(values: PerChannel) -> str:
    return ",".join(f"{one:g}" for one in (values if isinstance(values, tuple) else (values,)))


def of_images(images: NDArray[np.uint8]) -> Scaling:
    """Normalized by the mean and the deviation of all pixels of these images, uint8 (N, H, W) or
    (N, H, W, 3), for each channel."""
    channels = images.shape[3] if images.ndim == 4 else 1
    counts = np.zeros((channels, 256), np.int64)
    for at in range(0, len(images), _CHUNK):
        pixels = images[at : at + _CHUNK].reshape(-1, channels)
        counts += [np.bincount(pixels[:, one], minlength=256) for one in range(channels)]
    levels, totals = np.arange(256), counts.sum(axis=1)
    means = counts @ levels / totals
    deviations = np.sqrt(np.maximum(counts @ levels**2 / totals - means**2, 1e-6))
    mean, deviation = ((values[0] if channels == 1 else values) for values in (means, deviations))
    return Scaling(_each(1 / np.array(deviation)), _each(np.array(mean)))
