"""read_picture: files in, images out; and the shipped network reads them as well."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnist_edge import preprocess
from mnist_edge.classifier import Classifier
from mnist_edge.datasets import Dataset
from mnist_edge.errors import DataError, EdgeError
from mnist_edge.image_shape import MNIST_SHAPE, Fit, ImageShape
from mnist_edge.model_file import model_paths
from mnist_edge.preprocess import extract_digit, fit_image, load, prepare_images, read_picture
from mnist_edge.preprocess.mnist_format import to_mnist_format
from tests.preprocess.drawing import Grey, drawing, likeness

COUNT = 1000
ENLARGED = 40


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    try:
        return Classifier(model_paths.default())
    except EdgeError as error:
        pytest.skip(f"no model is shipped here: {error}")


def png(pixels: Grey) -> io.BytesIO:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return io.BytesIO(file.getvalue())


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF"])
def test_a_file_is_read_into_the_form(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"five.{kind.lower()}"
    Image.fromarray(drawing("5", 240, 20, (300, 200))).save(path)

    found = read_picture(path)

    assert (found.shape, found.dtype) == ((28, 28), np.dtype(np.uint8))
    assert found.max() == 255
    assert likeness(found, to_mnist_format(drawing("5", size=(300, 200)))) > 0.9


def test_every_source_is_read(tmp_path: Path) -> None:
    image = Image.fromarray(drawing("5", 240, 20))
    image.save(path := tmp_path / "5.png")

    wanted = extract_digit(load(path).pixels)
    with path.open("rb") as file:
        for source in (path, str(path), file, io.BytesIO(path.read_bytes()), image):
            np.testing.assert_array_equal(read_picture(source), wanted)


def test_images_of_the_caller_are_left_as_they_were() -> None:
    file = io.BytesIO()
    Image.fromarray(drawing("5", 240, 20, (3600, 3200))).save(file, "JPEG")
    image = Image.open(file)

    assert read_picture(image).any()
    assert image.size == (3200, 3600)


def test_blank_pages_are_zeros_and_no_error() -> None:
    for mode in ("L", "RGB", "1", "LA"):
        assert not read_picture(Image.new(mode, (60, 50))).any()


def test_colours_and_greys_are_read_alike() -> None:
    grey = drawing("2", 200, 50)
    colours = np.stack([grey] * 3, axis=-1)
    np.testing.assert_array_equal(extract_digit(colours), extract_digit(grey))


def test_only_errors_with_a_name(tmp_path: Path) -> None:
    path = tmp_path / "note.png"
    path.write_text("milk, eggs")
    for read in (read_picture, lambda source: read_picture(source, MNIST_SHAPE, Fit.PAD)):
        with pytest.raises(DataError) as caught:
            read(path)
        assert str(caught.value).startswith(f"{path}: ")


# folder: sets


@pytest.mark.parametrize("shape", [(28, 28), (60, 90), (300, 40)])
def test_pictures_of_other_sets_are_fitted_only(shape: tuple[int, int]) -> None:
    light = np.full(shape, 230, np.uint8)
    light[shape[0] // 3 : shape[0] // 2] = 200

    for fit in (Fit.PAD, Fit.CROP, Fit.ZERO_PAD):
        wanted = fit_image(light, MNIST_SHAPE, fit)
        np.testing.assert_array_equal(read_picture(png(light), MNIST_SHAPE, fit), wanted)


def test_colours_of_a_folder_set_become_grey() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28, 3), np.uint8)
    wanted = np.asarray(Image.fromarray(pixels).convert("L"))

    np.testing.assert_array_equal(prepare_images([pixels], fit=Fit.PAD)[0].image, wanted)
    np.testing.assert_array_equal(preprocess.to_luminance(pixels), wanted)
    np.testing.assert_array_equal(preprocess.to_luminance(wanted), wanted)


def test_blank_pictures_of_a_folder_set_stay() -> None:
    blank = np.full((40, 40), 77, np.uint8)
    assert (read_picture(png(blank), ImageShape(48, 32, 3), Fit.PAD) == 77).all()


# MNIST


def test_mnist_as_files_is_mnist(mnist: Dataset) -> None:
    for image in mnist.test.images[:COUNT]:
        np.testing.assert_array_equal(read_picture(png(image)), image)
    for image in mnist.test.images[:COUNT:10]:
        np.testing.assert_array_equal(read_picture(png(255 - image)), image)


def test_enlarged_mnist_is_read_as_well(mnist: Dataset, classifier: Classifier) -> None:
    random = np.random.default_rng(0)
    images, labels = mnist.test.images[:ENLARGED], mnist.test.labels[:ENLARGED]
    read = []
    for image in images:
        large = Image.fromarray(image).resize((280, 280), Image.Resampling.BICUBIC)
        page = np.full((400, 400), 255, np.uint8)
        top, left = random.integers(0, 120, 2)
        page[top : top + 280, left : left + 280] -= np.asarray(large)
        read.append(read_picture(png(page)))

    correct = [
        int((classifier.predict(shown).labels == labels).sum())
        for shown in (images, np.stack(read))
    ]

    assert correct[1] >= correct[0] - 1
