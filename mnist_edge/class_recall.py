"""How many of each class's images are answered rightly, and which class has the fewest."""

from collections.abc import Sequence

import numpy as np

from mnist_edge.metrics import Accuracy
from mnist_edge.types import Labels


def recalls(answers: Labels, labels: Labels, classes: int) -> tuple[Accuracy | None, ...]:
    """The accuracy on the images of each class; None for a class without any."""
    total = np.bincount(labels, minlength=classes).tolist()
    correct = np.bincount(labels[answers == labels], minlength=classes).tolist()
    counts = zip(correct, total, strict=True)
    return tuple(Accuracy(right, of) if of else None for right, of in counts)


def worst_classes(found: Sequence[Accuracy | None]) -> tuple[int, ...]:
    """The places of the classes with the lowest recall; none where no class is below another."""
    known = [one.value for one in found if one is not None]
    if not known or min(known) == max(known):
        return ()
    return tuple(at for at, one in enumerate(found) if one and one.value == min(known))
