import numpy as np
import pytest

from mnist_edge.image_shape import MNIST_SHAPE, ImageShape
from mnist_edge.model_file import golden


@pytest.mark.parametrize(
    ("shape", "words", "dims", "array"),
    [
        (MNIST_SHAPE, "28×28 grey", (28, 28), "(N, 28, 28)"),
        (ImageShape(48, 96, 3), "96×48 colour", (48, 96, 3), "(N, 48, 96, 3)"),
    ],
)
def test_a_shape_in_words_and_as_an_array(
    shape: ImageShape, words: str, dims: tuple[int, ...], array: str
) -> None:
    assert (str(shape), shape.dims, shape.array) == (words, dims, array)
    images = np.zeros((5, *dims), np.uint8)
    assert ImageShape.of(images) == ImageShape.from_dims(dims) == shape
    assert shape.holds(images)
    assert shape.values == images[0].nbytes


@pytest.mark.parametrize(
    "sides", [(15, 28, 1), (28, 97, 1), (28, 28, 2), (28, 28, 4), (28.0, 28, 1), (True, 28, 1)]
)
def test_other_shapes_are_none(sides: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="an image has"):
        ImageShape(*sides)


@pytest.mark.parametrize("shape", [ImageShape(16, 16), ImageShape(32, 48, 3)])
def test_golden_inputs_are_drawn_in_every_shape(shape: ImageShape) -> None:
    images = golden.inputs(shape)
    assert ImageShape.of(images) == shape
    assert len({image.tobytes() for image in images}) == len(images)
    if shape.is_color:  # each channel has strokes of its own
        assert (images[3, :, :, 0] != images[3, :, :, 1]).any()
        assert (images[3].reshape(-1, 3).max(axis=0) == 255).all()
