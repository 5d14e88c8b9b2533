"""How a set without splits of its own is split: by chance once for all, or by each picture's hash.

Published sets never change, and a seeded draw serves them. A person's folder grows: there each
picture's own hash decides, so that a picture that was trained on is never tested on later.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mnist_edge.fingerprint import SplitDigest

TEST, VALIDATION = "test", "validation"
_SHARES = {TEST: 0.2, VALIDATION: 0.1}

Mask = NDArray[np.bool_]


def stratified_mask(labels: NDArray[np.int64], size: int, seed: int) -> Mask:
    """A mask, bool (N,), of `size` seeded random positions, classes in their proportions."""
    classes, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    shares = counts * size / max(1, len(labels))
    quotas = np.floor(shares).astype(int)
    # What rounding down left over goes to the classes that lost most by it.
    rest = size - quotas.sum()
    quotas[np.argsort(quotas - shares, kind="stable")[:rest]] += 1
    random = np.random.default_rng(seed)
    mask = np.zeros(len(labels), bool)
    for position in range(len(classes)):
        members = np.flatnonzero(inverse == position)
        mask[random.permutation(members)[: quotas[position]]] = True
    return mask


def test_mask(digests: Sequence[bytes], labels: NDArray[np.int64]) -> Mask:
    """Which pictures, bool (N,), are for the test: a fifth, and of each class at least one.

    It is the class's lowest hash, and whatever is below 1/5. Both hold no longer, but never anew,
    when pictures are added: what was trained on stays there. Copies go the same way. (A class all
    of whose pictures are below 1/5, as one in 25 classes of two, keeps its highest to train on.)
    """
    places = _places(digests, TEST)
    mask = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        own = labels == label
        mask[own] = _some(places[own], (places[own] < _SHARES[TEST]) | _lowest(places[own]))
    return mask


def validation_mask(digests: Sequence[bytes], labels: NDArray[np.int64]) -> Mask:
    """Which of the pictures that are not for the test, bool (N,), are for validation: a tenth."""
    places = _places(digests, VALIDATION)
    mask = np.zeros(len(labels), bool)
    spare = np.zeros(len(labels), bool)  # what its class can do without
    for label in np.unique(labels):
        own = labels == label
        mask[own] = _some(places[own], places[own] < _SHARES[VALIDATION])
        spare[own] = places[own] < places[own].max()
    if not mask.any() and len(mask) > 1:
        candidates = np.flatnonzero(spare) if spare.any() else np.arange(len(mask))
        mask[candidates[places[candidates].argmin()]] = True
    return mask


def _lowest(places: NDArray[np.float64]) -> Mask:
    return np.asarray(places == places.min())


def _some(places: NDArray[np.float64], chosen: Mask) -> Mask:
    """The chosen, but never all: nobody learns a class from nothing."""
    return np.asarray(chosen & (places < places.max())) if chosen.all() else chosen


def _places(digests: Sequence[bytes], purpose: str) -> NDArray[np.float64]:
    """A number in [0, 1) for each picture, (N,), that depends on nothing else."""
    hashes = (hashlib.sha256(purpose.encode() + digest).digest() for digest in digests)
    return np.array([int.from_bytes(one[:6], "big") / (1 << 48) for one in hashes])


def split_digest(
    digests: Sequence[bytes], labels: NDArray[np.int64], classes: Sequence[str]
) -> SplitDigest:
    """The fingerprint of images with these digests and labels, in whatever order they stand."""
    names = [name.encode(errors="surrogatepass") for name in classes]
    lines = sorted(
        digest + names[label] for digest, label in zip(digests, labels.tolist(), strict=True)
    )
    whole = hashlib.sha256()
    for line in lines:
        whole.update(hashlib.sha256(line).digest())
    return SplitDigest(len(lines), whole.hexdigest())


def image_digests(images: NDArray[np.uint8]) -> list[bytes]:
    """The SHA-256 of each of images (N, H, W)."""
    return [hashlib.sha256(image.tobytes()).digest() for image in images]
