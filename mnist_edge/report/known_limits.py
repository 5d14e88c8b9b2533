"""What a file cannot do, as far as its metadata tells."""

from mnist_edge.dataset_names import is_folder_dataset
from mnist_edge.model_file.contract import Card
from mnist_edge.report import formatting

_FEW = 1000  # test images, below which an accuracy is known to about a point at best


def lines(card: Card, timed: bool) -> list[str]:
    """A sentence or two for each limit; `timed` says whether a latency stands beside them."""
    text = [
        _form(card),
        _classes(card),
        f"Its accuracy is that on the test split of {card.dataset}, {card.accuracy.total:,} images "
        "of the same origin as those that it learned from. Other writers, pens, cameras or things "
        "can be much harder, and were not measured here.",
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


def _form(card: Card) -> str:
    if is_folder_dataset(card.dataset):
        return (
            "It sees 28×28 grey pixels and nothing else: colour, and detail finer than a 28th of a "
            "picture's longer side, are lost before it answers."
        )
    return (
        "It sees 28×28 grey pixels, light ink on a background of 0, and nothing else: any other "
        "picture has to be brought into that form first, and errors there are not in its accuracy."
    )


def _classes(card: Card) -> str:
    recipe = card.trained.get("recipe")
    others = recipe.get("outlier_share") if isinstance(recipe, dict) else None
    seen = (
        "Some of its training images were no digits, so that it doubts what is none; it can still "
        "be sure of one."
        if others
        else "It was never shown anything else, and can be sure of nonsense."
    )
    return (
        f"It knows its {len(card.classes):,} classes alone, and always answers one of them. {seen}"
    )


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
