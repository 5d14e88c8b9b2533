"""What a file cannot do, as far as its metadata tells."""

import numpy as np

from mnist_edge.catalogue import DATASETS
from mnist_edge.image_kind import ImageKind
from mnist_edge.image_shape import Fit
from mnist_edge.metrics import Accuracy
from mnist_edge.model_file.contract import Card
from mnist_edge.report import formatting

_A_POINT = 0.01
_FEW = 1000  # test images, below which an accuracy is known to about a point at best


def lines(card: Card, timed: bool) -> list[str]:
    """A sentence or two for each limit; `timed` says whether a latency stands beside them."""
    text = [
        _form(card),
        _classes(card),
        *_worst_class(card),
        f"Its accuracy is that on the test split of {card.dataset}, {card.accuracy.total:,} images "
        f"of the same origin as those that it learned from. {_others(card)} can be much harder, "
        "and were not measured here.",
    ]
    if card.accuracy.total < _FEW:
        low, high = card.accuracy.interval
        text.append(
            f"{card.accuracy.total:,} test images are few: the accuracy is known to within "
            f"{(high - low) * 100:.1f} points, and each image counts "
            f"{formatting.percent(1 / card.accuracy.total)}."
        )
    text.append(_threshold(card))
    if card.precision == "int8":
        text += _int8(card)
    if timed:
        text.append("The latency is of one machine in one run: measure it again on yours.")
    return text


def drawn_in_ink(card: Card) -> bool:
    """Whether its images are light strokes on a background of 0: digits, letters."""
    return card.fit is Fit.DIGIT and not _of_photographs(card)


def _of_photographs(card: Card) -> bool:
    public = DATASETS.get(card.dataset)
    return card.shape.is_color or (public is not None and public.kind is ImageKind.PHOTOGRAPHS)


def _others(card: Card) -> str:
    """What an accuracy says nothing of."""
    if _of_photographs(card):
        return "Other cameras, light or things"
    return "Other writers, pens, cameras or things"


def _form(card: Card) -> str:
    shape = card.shape
    if card.fit is Fit.DIGIT:
        light = "light ink" if drawn_in_ink(card) else "light"
        return (
            f"It sees {shape} pixels, {light} on a background of 0, and nothing else: any other "
            "picture has to be brought into that form first, and errors there are not in its "
            "accuracy."
        )
    lost = [] if shape.is_color else ["colour"]
    lost += ["what lies outside of a picture's middle"] if card.fit is Fit.CROP else []
    lost.append(f"detail finer than {_finest(card)}")
    if len(lost) == 1:
        return f"It sees {shape} pixels and nothing else: {lost[0]} is lost before it answers."
    return (
        f"It sees {shape} pixels and nothing else: {', '.join(lost[:-1])}, and {lost[-1]}, are "
        "lost before it answers."
    )


def _finest(card: Card) -> str:
    shape = card.shape
    if shape.width != shape.height:
        return f"{shape.size} pixels hold"
    side = "shorter" if card.fit is Fit.CROP else "longer"
    return f"a {_ordinal(shape.width)} of a picture's {side} side"


def _ordinal(number: int) -> str:
    """28th, 32nd, 63rd: from 16 to 96."""
    endings = {1: "st", 2: "nd", 3: "rd"} if number > 20 else {}
    return f"{number}{endings.get(number % 10, 'th')}"


def _classes(card: Card) -> str:
    recipe = card.trained.get("recipe")
    others = recipe.get("outlier_share") if isinstance(recipe, dict) else None
    public = DATASETS.get(card.dataset)
    digits = card.reads_digits or (public is not None and public.mnist_digits)
    what, of_these = ("no digits", "what is none") if digits else ("of no class", "what is of none")
    seen = (
        f"Some of its training images were {what}, so that it doubts {of_these}; it can still "
        "be sure of one."
        if others or _of_no_class(card)
        else "It was never shown anything else, and can be sure of nonsense."
    )
    return (
        f"It knows its {len(card.classes):,} classes alone, and always answers one of them. {seen}"
    )


def _of_no_class(card: Card) -> bool:
    """Whether a person's own pictures of no class were trained on."""
    return bool(card.fingerprint and card.fingerprint.outliers)


def _worst_class(card: Card) -> list[str]:
    """The class that is read worst, where it is worse than all together by a point, and by more
    than chance."""
    counts = np.array(card.confusion or (), np.int64)
    read = {
        at: Accuracy(int(row[at]), int(row.sum())) for at, row in enumerate(counts) if row.any()
    }
    if not read:
        return []
    worst = min(read, key=lambda at: read[at].value)
    if max(read[worst].interval[1], read[worst].value + _A_POINT) >= card.accuracy.value:
        return []
    row = counts[worst].copy()
    row[worst] = 0
    mistaken, most = card.classes[int(row.argmax())], int(row.max())
    return [
        f"The class that it reads worst is {card.classes[worst]}: "
        f"{formatting.percent(read[worst].value)} of its {read[worst].total:,} test images are "
        f"read right. Most often it is taken for {mistaken}, {formatting.count(most, 'time')}."
    ]


def _threshold(card: Card) -> str:
    if card.threshold is None:
        return "Nothing in the file says from which probability on to believe it."
    return (
        f"The threshold of {card.threshold.value:.4f} was fitted on {card.threshold.total:,} "
        "validation images of the same origin: for other images it promises nothing."
    )


def _int8(card: Card) -> list[str]:
    bits = (card.calibration or {}).get("weight_bits")
    text = [
        "In int8 its values are rounded: single answers and probabilities differ from those of "
        "the fp32 file. On CPUs without fast int8 products, and for narrow networks on any, it can "
        "be slower than that: mnist-edge bench compares both.",
    ]
    if isinstance(bits, int) and bits < 8:
        text.append(
            f"Its weights use {bits} of 8 bits, so that no CPU's 16-bit sums saturate; sums in "
            "another order can still round a value to a neighbouring step."
        )
    return text
