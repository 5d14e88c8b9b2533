"""Whether a data set is one for a model, as far as the shapes of their images tell."""

import pytest

from mnist_edge.datasets.compatibility import check_published_shape, options_as_trained
from mnist_edge.errors import DataError
from mnist_edge.image_shape import MNIST_SHAPE, Fit, ImageOptions, ImageShape

COLOR, GREY = ImageShape(32, 32, 3), ImageShape(32, 32)


@pytest.mark.parametrize(
    ("name", "shape", "fits"),
    [
        ("mnist", MNIST_SHAPE, True),
        ("mnist", ImageShape(28, 28, 3), False),
        ("mnist", GREY, False),
        ("cifar10", COLOR, True),
        ("cifar10", GREY, True),
        ("cifar10", MNIST_SHAPE, False),
        ("folder:mine", GREY, True),
        ("folder:mine+cifar10", COLOR, True),
        ("folder:mine+cifar10", ImageShape(64, 64, 3), False),
        ("unknown", GREY, True),  # which is said where it is looked for
    ],
)
def test_published_sets_are_judged_by_the_catalogue(
    name: str, shape: ImageShape, fits: bool
) -> None:
    if fits:
        check_published_shape(name, shape, "edge.onnx", "")
        return
    with pytest.raises(DataError, match=f"and edge.onnx takes {shape}: name another$"):
        check_published_shape(name, shape, "edge.onnx", "name another")


def test_a_model_in_grey_is_given_a_published_set_in_grey() -> None:
    assert options_as_trained("cifar10", GREY, Fit.PAD).apply(COLOR) == GREY
    assert options_as_trained("cifar10", COLOR, Fit.PAD).apply(COLOR) == COLOR
    assert options_as_trained("mnist", MNIST_SHAPE, Fit.DIGIT).apply(MNIST_SHAPE) == MNIST_SHAPE
    folder = options_as_trained("folder:x", GREY, Fit.CROP)
    assert folder == ImageOptions.of(GREY, Fit.CROP)
