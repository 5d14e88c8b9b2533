"""Pictures into MNIST's form, against scipy, Pillow and MNIST itself."""

import re
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from mnist_edge import picture
from mnist_edge.datasets import Dataset
from mnist_edge.errors import DataError

Grey = NDArray[np.uint8]


def drawing(
    text: str = "4", paper: int = 0, ink: int = 255, size: tuple[int, int] = (120, 90)
) -> Grey:
    """A character somewhere on a page, uint8 (height, width)."""
    width, height = size[1], size[0]
    page = Image.new("L", (width, height), paper)
    font = ImageFont.load_default(size=height / 2)
    ImageDraw.Draw(page).text((width * 0.4, height * 0.45), text, ink, font, anchor="mm")
    return np.asarray(page)


def extent(image: Grey) -> tuple[int, int]:
    """Height and width of what is not black."""
    rows, columns = np.nonzero(image)
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


# MNIST's form


def test_real_mnist_lies_exactly_where_it_would_be_placed(mnist: Dataset) -> None:
    moved = []
    for image in mnist.test.images[:500]:
        rows, columns = np.nonzero(image)
        cropped = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        # Enlarged tenfold, far from the middle, on a page of its own.
        large = np.zeros((400, 320), np.uint8)
        enlarged = cropped.repeat(10, axis=0).repeat(10, axis=1)
        large[150 : 150 + enlarged.shape[0], 10 : 10 + enlarged.shape[1]] = enlarged
        found = picture.digit(large)
        shift = np.subtract(ndimage.center_of_mass(found), ndimage.center_of_mass(image))
        moved.append(np.abs(shift).max())

    assert np.median(moved) < 0.05
    assert np.mean(np.array(moved) > 0.5) < 0.03  # rounded to the other pixel


@pytest.mark.parametrize("text", list("0123456789"))
def test_centre_of_mass_is_at_pixel_14(text: str) -> None:
    found = picture.digit(drawing(text))

    np.testing.assert_allclose(ndimage.center_of_mass(found), (14, 14), atol=0.5 + 1e-9)


@pytest.mark.parametrize("text", ["1", "8", "m", "-"])
@pytest.mark.parametrize("size", [(40, 40), (64, 200), (700, 300)])
def test_ink_fills_the_box_and_keeps_its_aspect(text: str, size: tuple[int, int]) -> None:
    page = drawing(text, size=size)

    height, width = extent(picture.digit(page))

    wanted = extent(np.where(page > 0.15 * 255, page, 0).astype(np.uint8))
    assert max(height, width) == pytest.approx(20, abs=1)
    scale = 20 / max(wanted)
    assert height == pytest.approx(max(1, wanted[0] * scale), abs=1.01)
    assert width == pytest.approx(max(1, wanted[1] * scale), abs=1.01)


def test_place_on_the_page_does_not_matter() -> None:
    page = np.pad(drawing(), 60)

    shifted = np.roll(page, (-35, 50), axis=(0, 1))

    np.testing.assert_array_equal(picture.digit(shifted), picture.digit(page))


def test_mass_far_from_the_middle_stays_in_the_field() -> None:
    lopsided = np.zeros((100, 100), np.uint8)
    lopsided[10:90, 10:14] = 255  # a heavy stroke, and far away
    lopsided[88:90, 10:95] = 255

    found = picture.centre(lopsided)

    assert max(extent(found)) == 20


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (5, 28), (28, 28)])
def test_extreme_shapes_are_centred(shape: tuple[int, int]) -> None:
    found = picture.centre(np.full(shape, 255, np.uint8))

    assert found.shape == (28, 28)
    assert max(extent(found)) == 20
    np.testing.assert_allclose(ndimage.center_of_mass(found), (14, 14), atol=0.5 + 1e-9)


def test_nothing_centred_is_nothing() -> None:
    assert not picture.centre(np.zeros((40, 30), np.uint8)).any()


# Polarity


def test_dark_on_light_is_light_on_dark() -> None:
    np.testing.assert_array_equal(
        picture.digit(drawing(paper=255, ink=0)), picture.digit(drawing(paper=0, ink=255))
    )


@pytest.mark.parametrize(
    ("paper", "ink"), [(180, 30), (140, 40), (110, 10), (60, 200), (140, 250), (200, 160)]
)
def test_grey_paper_becomes_black_and_ink_white(paper: int, ink: int) -> None:
    found = picture.digit(drawing("5", paper, ink))

    wanted = picture.digit(drawing("5"))
    assert np.abs(found.astype(int) - wanted).max() <= 12  # 40 shades of ink are rounded
    assert found.max() > 240


def test_noisy_paper_is_cropped_all_the_same() -> None:
    noise = np.random.default_rng(0).normal(0, 4, (120, 90))
    photo = (drawing("3", 190, 60) + noise).clip(0, 255).astype(np.uint8)

    found, wanted = picture.digit(photo), picture.digit(drawing("3"))

    assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.98


def test_28_by_28_passes_unchanged(mnist: Dataset) -> None:
    for image in mnist.test.images[:200]:
        np.testing.assert_array_equal(picture.digit(image), image)
        np.testing.assert_array_equal(picture.digit(255 - image), image)


def test_small_drawing_of_28_by_28_is_not_moved() -> None:
    corner = np.zeros((28, 28), np.uint8)
    corner[1:5, 1:3] = 200

    np.testing.assert_array_equal(picture.digit(corner), corner)


@pytest.mark.parametrize("grey", [0, 128, 255])
@pytest.mark.parametrize("size", [(28, 28), (50, 40)])
def test_blank_page_is_refused(tmp_path: Path, grey: int, size: tuple[int, int]) -> None:
    path = tmp_path / "blank.png"
    page = np.full(size, grey, np.uint8)
    page[5, 5] = abs(grey - 12)  # dust
    Image.fromarray(page).save(path)

    with pytest.raises(DataError) as caught:
        picture.prepare(path, "mnist")

    assert str(caught.value) == f"{path} is blank: there is nothing to read"


# Files


def saved(tmp_path: Path, image: Image.Image, name: str = "drawing.png", **options: object) -> Path:
    path = tmp_path / name
    image.save(path, **options)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("ink", [0, 255], ids=["black", "white"])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_ink_on_a_transparent_ground_is_seen(tmp_path: Path, ink: int, mode: str) -> None:
    alpha = Image.fromarray(drawing())
    page = Image.new("LA", alpha.size, (ink, 0))
    page.putalpha(alpha)

    found = picture.prepare(saved(tmp_path, page.convert(mode)), "mnist")

    np.testing.assert_array_equal(found, picture.digit(drawing()))


def test_palette_with_a_transparent_colour_is_seen(tmp_path: Path) -> None:
    page = Image.fromarray((drawing() > 127).astype(np.uint8), "P")
    page.putpalette([0, 0, 0, 0, 0, 0])  # black on transparent black
    path = saved(tmp_path, page, "drawing.gif", transparency=0)

    found = picture.prepare(path, "mnist")

    np.testing.assert_array_equal(
        found, picture.digit(np.where(drawing() > 127, 255, 0).astype(np.uint8))
    )


def test_wholly_transparent_picture_is_blank(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is blank"):
        picture.prepare(saved(tmp_path, Image.new("RGBA", (40, 40))), "mnist")


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_deep_pictures_are_scaled_and_not_clipped(tmp_path: Path, dtype: type) -> None:
    grey = np.linspace(0, 1, 40 * 30).reshape(40, 30)
    top = 1 if dtype is np.float32 else 65535

    found = picture.read(saved(tmp_path, Image.fromarray((grey * top).astype(dtype)), "deep.tif"))

    assert np.abs(found - grey * 255).max() <= 0.51


def test_photo_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    path = saved(tmp_path, Image.fromarray(drawing()[::-1, ::-1]), exif=exif)

    np.testing.assert_array_equal(picture.read(path), drawing())


@pytest.mark.parametrize("name", ["nothing.png", "folder.png"])
def test_missing_picture_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.png").mkdir()

    with pytest.raises(DataError) as caught:
        picture.prepare(tmp_path / name, "mnist")

    assert str(caught.value) == f"there is no picture {tmp_path / name}"


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n", b"P5 9 9 255 x"])
@pytest.mark.parametrize("dataset", ["mnist", "folder:mine"])
def test_file_that_is_no_picture_is_named(tmp_path: Path, content: bytes, dataset: str) -> None:
    path = tmp_path / "note.png"
    path.write_bytes(content)

    with pytest.raises(DataError, match=f"^{re.escape(str(path))} is not a picture") as caught:
        picture.prepare(path, dataset)

    assert "\n" not in str(caught.value)


def test_tiff_whose_data_begins_at_a_fraction_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(drawing()), "x.tif")
    content, tag = (
        path.read_bytes(),
        struct.pack("<HH", 273, 4),
    )  # where the pixels begin: an integer
    assert content.count(tag) == 1
    path.write_bytes(content.replace(tag, struct.pack("<HH", 273, 5)))

    with pytest.raises(DataError, match=f"^{re.escape(str(path))} is not a picture"):
        picture.read(path)


def test_name_that_no_file_has_is_named() -> None:
    with pytest.raises(DataError, match=r"^n{300} is not a picture that can be read"):
        picture.read(Path("n" * 300))


def test_picture_that_would_fill_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path, Image.fromarray(drawing()))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)

    with pytest.raises(DataError, match="decompression bomb"):
        picture.read(path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "tif", "webp", "ppm"])
def test_damaged_pictures_never_break_the_reader(tmp_path: Path, suffix: str) -> None:
    random = np.random.default_rng(0)
    noise = Image.fromarray(random.integers(0, 256, (30, 20, 3), np.uint8))
    path = saved(tmp_path, noise, f"x.{suffix}")
    whole = path.read_bytes()
    outcomes: set[int | str] = set()
    for _ in range(100):
        damaged = bytearray(whole[: random.integers(1, len(whole) + 1)])
        for at in random.integers(0, min(len(damaged), 150), 3):
            damaged[at] = random.integers(256)
        path.write_bytes(damaged)
        try:
            outcomes.add(picture.read(path).ndim)
        except DataError:
            outcomes.add("refused")

    assert "refused" in outcomes
    assert outcomes <= {"refused", 2}


# folder: sets


@pytest.mark.parametrize("size", [(28, 28), (56, 56), (14, 28), (100, 30), (1, 500), (7, 7)])
def test_letterbox_keeps_the_aspect_in_the_middle(size: tuple[int, int]) -> None:
    found = picture.letterbox(np.full(size, 90, np.uint8))

    scale = 28 / max(size)
    height, width = extent(found)
    assert found.shape == (28, 28)
    assert height == max(1, round(size[0] * scale))
    assert width == max(1, round(size[1] * scale))
    np.testing.assert_allclose(ndimage.center_of_mass(found), (13.5, 13.5), atol=0.5 + 1e-9)


def test_pictures_of_a_folder_set_keep_their_greys(tmp_path: Path) -> None:
    light = np.full((28, 28), 230, np.uint8)
    light[10:12] = 200
    path = saved(tmp_path, Image.fromarray(light))

    np.testing.assert_array_equal(picture.prepare(path, "folder:mine"), light)
    np.testing.assert_array_equal(picture.prepare(path, "mnist"), 255 - light)


# Drawn digits


def test_drawn_digits_stand_in_for_images() -> None:
    images = picture.drawn_digits(30, seed=1)

    assert (images.shape, images.dtype) == ((30, 28, 28), np.dtype(np.uint8))
    assert all(image.max() > 128 for image in images)
    assert all(np.median(image) == 0 for image in images)
    assert len({image.tobytes() for image in images}) == 30
    np.testing.assert_array_equal(images, picture.drawn_digits(30, seed=1))
    assert (images != picture.drawn_digits(30, seed=2)).any()
    assert picture.drawn_digits(0).shape == (0, 28, 28)
