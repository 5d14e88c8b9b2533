"""Files of every kind -> pixels: modes, formats, orientation, depth, size and sources."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps, features

from mnist_edge.errors import DataError
from mnist_edge.preprocess import load
from mnist_edge.preprocess.loading import name_of
from tests.preprocess.drawing import Grey, drawing

FORMATS: dict[str, dict[str, Any]] = {
    "png": {},
    "jpg": {"quality": 95},
    "gif": {},
    "bmp": {},
    "webp": {"lossless": True},
    "tif": {},
    "ppm": {},
}


def noise(*shape: int) -> Grey:
    return np.random.default_rng(0).integers(0, 256, shape or (20, 30), np.uint8)


def colours() -> Grey:
    """Smooth and coloured, so that no format loses much of it."""
    y, x = np.mgrid[:40, :48]
    return np.stack([4 * x, 5 * y, 255 - 2 * (x + y)], axis=-1).astype(np.uint8)


def saved(image: Image.Image, kind: str, **options: object) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, kind, **options)
    file.seek(0)
    return file


# Modes


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "PA"])
def test_greys_are_the_same_in_every_mode(mode: str) -> None:
    grey = noise()

    loaded = load(Image.fromarray(grey).convert(mode))

    assert loaded.pixels.dtype == np.uint8
    np.testing.assert_array_equal(loaded.pixels, grey)
    assert (loaded.size, loaded.note) == ((30, 20), None)


def test_one_bit_is_black_and_white() -> None:
    bits = noise() > 127

    loaded = load(Image.fromarray(bits))

    np.testing.assert_array_equal(loaded.pixels, np.where(bits, 255, 0))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "CMYK", "RGBX"])
def test_colours_stay(mode: str) -> None:
    loaded = load(Image.fromarray(colours()).convert(mode))

    np.testing.assert_array_equal(loaded.pixels, colours())


def test_colours_of_a_palette_are_looked_up() -> None:
    paletted = Image.fromarray(colours()).quantize(16)

    np.testing.assert_array_equal(load(paletted).pixels, np.asarray(paletted.convert("RGB")))


@pytest.mark.parametrize("top", [255, 1023, 4095, 16383, 65535])
@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_deep_greys_are_scaled_by_the_depth_they_use(top: int, dtype: type) -> None:
    shades = np.linspace(0, 1, 600).reshape(20, 30)
    deep: NDArray[Any] = np.round(shades * top).astype(dtype)

    loaded = load(Image.fromarray(deep))

    assert np.abs(loaded.pixels - shades * 255).max() <= 1.01


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1, 1), (0, 1e9), (-500, 500)])
def test_greys_of_no_known_depth_are_stretched(low: float, high: float) -> None:
    shades = np.linspace(0, 1, 600).reshape(20, 30)
    values = (low + shades * (high - low)).astype(np.float32)

    loaded = load(saved(Image.fromarray(values), "TIFF"))

    assert np.abs(loaded.pixels - shades * 255).max() <= 0.51


def test_what_is_no_number_is_black() -> None:
    values = np.full((10, 10), 255, np.float32)
    values[0, :3] = np.nan, np.inf, -np.inf

    pixels = load(Image.fromarray(values)).pixels

    assert pixels[0, :3].tolist() == [0, 0, 0]
    assert (pixels.ravel()[3:] == 255).all()


# Formats and sources


@pytest.mark.parametrize("kind", FORMATS)
def test_formats_are_read_as_they_were_written(kind: str, tmp_path: Path) -> None:
    if kind == "webp" and not features.check("webp"):
        pytest.skip("this Pillow was built without WebP")
    path = tmp_path / f"x.{kind}"
    Image.fromarray(colours()).save(path, **FORMATS[kind])

    loaded = load(path)

    lost = np.abs(loaded.pixels.astype(int) - colours())
    assert lost.mean() < {"jpg": 3, "gif": 6}.get(kind, 1e-9)
    assert loaded.size == (48, 40)


@pytest.mark.parametrize("shape", [(20, 30), (400, 300)])  # read in one call, and in several
def test_every_source_gives_the_same(shape: tuple[int, int], tmp_path: Path) -> None:
    image = Image.fromarray(noise(*shape))
    path = tmp_path / "x.png"
    image.save(path)

    class Pipe(io.RawIOBase):
        """What a pipe gives: short pieces, and no way back."""

        def __init__(self) -> None:
            self.rest = path.read_bytes()

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: object) -> int:
            piece, view = self.rest[:1000], memoryview(buffer)  # type: ignore[arg-type]
            view[: len(piece)] = piece
            self.rest = self.rest[len(piece) :]
            return len(piece)

    sources: list[object] = [path, str(path), io.BytesIO(path.read_bytes()), image]
    sources += [Image.open(path), io.BufferedReader(Pipe())]
    for source in sources:
        np.testing.assert_array_equal(load(source).pixels, noise(*shape))  # type: ignore[arg-type]
    with path.open("rb") as file:
        np.testing.assert_array_equal(load(file).pixels, noise(*shape))


@pytest.mark.parametrize("shape", [(20, 30), (400, 300)])
def test_an_open_file_is_read_from_where_it_stands(shape: tuple[int, int]) -> None:
    file = io.BytesIO(b"before" + saved(Image.fromarray(noise(*shape)), "PNG").read())
    file.seek(len(b"before"))

    np.testing.assert_array_equal(load(file).pixels, noise(*shape))


def test_sources_have_names(tmp_path: Path) -> None:
    path = tmp_path / "a name.png"
    Image.fromarray(noise()).save(path)

    with path.open("rb") as file, Image.open(path) as image:
        assert {name_of(source) for source in (path, str(path), file, image)} == {str(path)}
    assert name_of(io.BytesIO()) == name_of(Image.new("L", (9, 9))) == "the picture"


# Orientation


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_upright(kind: str, orientation: int) -> None:
    stored = drawing("4", size=(64, 40))
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = saved(Image.fromarray(stored), kind, exif=exif)

    loaded = load(file)

    flip, turn, mirror = stored[::-1], stored.T, stored[:, ::-1]
    upright = {1: stored, 2: mirror, 3: mirror[::-1], 4: flip, 5: turn, 6: flip.T, 7: flip.T[::-1]}
    wanted = upright.get(orientation, mirror.T)
    assert loaded.size == (wanted.shape[1], wanted.shape[0])
    assert np.abs(loaded.pixels.astype(int) - wanted).mean() < 3
    if kind == "PNG":
        np.testing.assert_array_equal(loaded.pixels, wanted)
        reference = ImageOps.exif_transpose(Image.open(file))
        np.testing.assert_array_equal(loaded.pixels, np.asarray(reference))


# Sizes


@pytest.mark.parametrize(("width", "height"), [(4000, 3100), (1500, 3072), (3072, 40)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_large_pictures_are_reduced_and_know_their_size(width: int, height: int, kind: str) -> None:
    page = np.zeros((height, width), np.uint8)
    page[height // 2 :, : width // 4] = 200

    loaded = load(
        saved(Image.fromarray(page), kind, **({"compress_level": 1} if kind == "PNG" else {}))
    )

    assert loaded.size == (width, height)
    assert 1500 <= max(loaded.pixels.shape) < 3072
    assert loaded.pixels.shape[1] / loaded.pixels.shape[0] == pytest.approx(
        width / height, rel=0.02
    )
    wanted = Image.fromarray(page).resize(loaded.pixels.shape[::-1], Image.Resampling.BOX)
    assert np.abs(loaded.pixels.astype(int) - np.asarray(wanted)).mean() < 1


@pytest.mark.parametrize("size", [(8, 8), (8, 500), (1536, 1200)])
def test_small_pictures_keep_every_pixel(size: tuple[int, int]) -> None:
    page = noise(*size)

    np.testing.assert_array_equal(load(Image.fromarray(page)).pixels, page)


@pytest.mark.parametrize("size", [(7, 7), (7, 500), (500, 7), (1, 1)])
def test_pictures_too_small_for_a_digit_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(DataError, match=f"{size[0]}×{size[1]} pixels are too few"):
        load(Image.new("L", size))


# Notes


@pytest.mark.parametrize(
    ("kind", "word"), [("GIF", "frames"), ("PNG", "frames"), ("TIFF", "pages")]
)
def test_of_several_pictures_the_first_is_read(kind: str, word: str) -> None:
    pages = [drawing(text) for text in "123"]
    first, *others = [Image.fromarray(page) for page in pages]

    loaded = load(saved(first, kind, save_all=True, append_images=others))

    assert loaded.note == f"has several {word}: only the first was read"
    np.testing.assert_array_equal(loaded.pixels, pages[0])


def test_one_frame_needs_no_note() -> None:
    assert load(saved(Image.fromarray(drawing()), "GIF", save_all=True)).note is None


def test_what_a_phone_keeps_beside_a_photograph_is_no_page() -> None:
    first, second = (Image.fromarray(drawing(text)) for text in "12")
    buffer = io.BytesIO()
    first.save(buffer, "MPO", save_all=True, append_images=[second])
    loaded = load(io.BytesIO(buffer.getvalue()))
    assert loaded.note is None
    assert np.abs(loaded.pixels.astype(int) - np.asarray(first)).mean() < 5
