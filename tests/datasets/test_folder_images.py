"""folder: sets: which shape their images get, pictures of no class, and unusual pictures."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mnist_edge import preprocess
from mnist_edge.datasets import Dataset, fingerprint_by_name, folder_shape, load
from mnist_edge.errors import DataError
from mnist_edge.fingerprint import describe_changes
from mnist_edge.image_shape import MNIST_SHAPE, Fit, ImageOptions, ImageShape
from mnist_edge.preprocess.header import read_header
from tests.datasets.test_folder import draw, folder, make, refusal


def picture(path: Path, size: tuple[int, int], color: bool, seed: int, **save: Any) -> Path:
    """Coarse noise of a size, in colour or in grey, in the format of the path's suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    image = Image.fromarray(noise if color else noise[:, :, :1].repeat(3, axis=2))
    image.resize(size, Image.Resampling.BILINEAR).save(path, **save)
    return path


def pictures(root: Path, *sizes: tuple[int, int], color: bool = False, suffix: str = "png") -> Path:
    """One picture of each size in each of two classes."""
    for at, size in enumerate(sizes):
        for number, name in enumerate(("a", "b")):
            picture(root / name / f"{at}.{suffix}", size, color, 2 * at + number)
    return root


# Shape


@pytest.mark.parametrize(
    ("sizes", "side"),
    [
        ([(28, 28)] * 3, 28),
        ([(20, 20)] * 3, 28),
        ([(30, 25)] * 3, 32),
        ([(32, 32)] * 3, 32),
        ([(40, 12)] * 3, 48),
        ([(12, 57)] * 3, 64),
        ([(640, 480)] * 3, 96),
        ([(31, 40), (33, 33), (640, 480)], 48),
        ([(28, 28), (28, 28), (28, 28), (640, 480)], 28),
    ],
)
def test_the_side_is_the_nearest_to_the_median(
    tmp_path: Path, sizes: list[tuple[int, int]], side: int
) -> None:
    assert folder(pictures(tmp_path, *sizes)).shape == ImageShape(side, side)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "bmp", "gif"])
def test_colour_is_kept_where_there_is_any(tmp_path: Path, suffix: str) -> None:
    sizes = [(32, 32)] * 4
    assert folder(pictures(tmp_path / "1", *sizes, color=True, suffix=suffix)).shape.is_color
    assert not folder(pictures(tmp_path / "2", *sizes, suffix=suffix)).shape.is_color


def test_one_coloured_picture_among_many_is_no_reason(tmp_path: Path) -> None:
    make(tmp_path, {"a": 150, "b": 150})
    picture(tmp_path / "a" / "red.png", (28, 28), True, 7)

    found = folder(tmp_path)

    assert found.shape == MNIST_SHAPE
    assert found.findings is not None
    assert (found.findings.coloured, found.fingerprint and found.fingerprint.coloured) == (1, 1)
    for number in range(3):  # 4 of 304
        picture(tmp_path / "a" / f"{number}.png", (28, 28), True, number)
    assert folder(tmp_path).shape.is_color


def test_what_is_asked_for_decides(tmp_path: Path) -> None:
    pictures(tmp_path, *[(64, 40)] * 4, color=True)

    def shape(**asked: Any) -> tuple[ImageShape, Fit]:
        found = load(f"folder:{tmp_path}", options=ImageOptions(**asked))
        return found.shape, found.fit

    assert shape() == (ImageShape(64, 64, 3), Fit.PAD)
    assert shape(size=(48, 16)) == (ImageShape(16, 48, 3), Fit.PAD)
    assert shape(color=False, fit=Fit.CROP) == (ImageShape(64, 64), Fit.CROP)
    everything = ImageOptions.of(ImageShape(20, 30), Fit.ZERO_PAD)
    assert load(f"folder:{tmp_path}", options=everything).shape == ImageShape(20, 30)


@pytest.mark.parametrize("fit", [Fit.PAD, Fit.CROP, Fit.ZERO_PAD])
@pytest.mark.parametrize("color", [True, False])
def test_images_are_what_predict_makes_of_the_pictures(
    tmp_path: Path, fit: Fit, color: bool
) -> None:
    pictures(tmp_path, (50, 31), (31, 50), (28, 28), color=True)
    shape = ImageShape(24, 40, 3 if color else 1)

    found = load(f"folder:{tmp_path}", options=ImageOptions((40, 24), color, fit))

    images = np.concatenate([found.train.images, found.test.images])
    for image, name in zip(images, found.names, strict=True):
        wanted = preprocess.read_picture(tmp_path / name, shape, fit)
        np.testing.assert_array_equal(image, wanted)


def test_grey_that_was_found_is_grey_that_was_asked_for(tmp_path: Path) -> None:
    """To be fitted in colour and then to lose it would not be the same."""
    for at in range(200):
        picture(tmp_path / "ab"[at % 2] / f"{at}.png", (50, 31), at == 0, at)

    found, asked = folder(tmp_path), load(f"folder:{tmp_path}", options=ImageOptions(color=False))

    assert not found.shape.is_color
    np.testing.assert_array_equal(found.train.images, asked.train.images)


def test_28_by_28_grey_keeps_its_bytes(tmp_path: Path) -> None:
    make(tmp_path, {"a": 5, "b": 5})
    found = folder(tmp_path)
    for image, name in zip(found.train.images, found.names, strict=False):
        np.testing.assert_array_equal(image, np.asarray(Image.open(tmp_path / name)))


# Memory


def test_more_than_memory_holds_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures(tmp_path, *[(200, 100)] * 4, color=True)
    monkeypatch.setattr(folder_shape, "MOST_BYTES", 8 * 64 * 64 * 3)
    monkeypatch.setattr(preprocess, "load", None)  # a call would fail

    assert "8 pictures of 96×96 colour are " in refusal(tmp_path)
    assert ": --size 64 fits" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("pictures", "shape", "advice"),
    [
        (72_337, ImageShape(96, 96, 3), None),
        (110_000, ImageShape(96, 96, 3), "3.0 GB, .*--size 64 fits, and so may --grey"),
        (900_000, ImageShape(96, 96, 1), "8.3 GB, .*--size 32 fits$"),
        (300_000, ImageShape(48, 96, 3), "4.1 GB, .*--size 32 fits"),
        (10_000_000, ImageShape(28, 28, 1), "7.8 GB, .*use fewer pictures$"),
    ],
)
def test_two_gigabytes_are_held(pictures: int, shape: ImageShape, advice: str | None) -> None:
    if advice is None:
        folder_shape.check_memory(pictures, shape)
        return
    with pytest.raises(DataError, match=advice):
        folder_shape.check_memory(pictures, shape)


# No class


def outlier_counts(found: Dataset) -> tuple[int, int, int] | None:
    own = found.outliers
    return (len(own.training), len(own.validation), len(own.test)) if own else None


@pytest.mark.parametrize("name", ["_none", "_None"])
def test_pictures_of_no_class_are_in_no_split(tmp_path: Path, name: str) -> None:
    alone = folder(make(tmp_path, {"a": 10, "b": 10}))
    make(tmp_path, {name: 40}, offset=5000)

    found = folder(tmp_path)

    assert found.classes == ("a", "b")
    assert len(found.train) + len(found.test) == 20
    assert found.outliers is not None
    assert len(found.outliers) == 40
    assert min(outlier_counts(found) or ()) > 0
    assert found.outliers.training.shape[1:] == found.shape.dims
    assert alone.outliers is None
    assert alone.fingerprint is not None
    assert alone.fingerprint.outliers is None
    assert "outliers" not in alone.fingerprint.as_dict()
    assert found.fingerprint is not None
    assert found.fingerprint.training == alone.fingerprint.training
    assert found.fingerprint.outliers is not None
    assert found.fingerprint.outliers.images == 40
    assert type(found.fingerprint).from_dict(found.fingerprint.as_dict()) == found.fingerprint


def test_pictures_of_no_class_in_the_splits(tmp_path: Path) -> None:
    make(tmp_path / "train", {"a": 4, "b": 4, "_none": 20})
    make(tmp_path / "val", {"a": 1, "b": 1, "_none": 3}, offset=300)
    make(tmp_path / "test", {"a": 1, "b": 1, "_none": 5}, offset=500)

    assert outlier_counts(folder(tmp_path)) == (20, 3, 5)


def test_pictures_of_no_class_beside_the_splits_are_split_by_hash(tmp_path: Path) -> None:
    make(tmp_path / "train", {"a": 4, "b": 4})
    make(tmp_path / "test", {"a": 1, "b": 1}, offset=500)
    make(tmp_path, {"_none": 30, "raw": 1}, offset=900)

    found = folder(tmp_path)

    assert found.findings is not None
    assert found.findings.folders == ("raw",)
    assert sum(outlier_counts(found) or ()) == 30
    assert min(outlier_counts(found) or ()) > 0


def test_empty_folder_of_no_class_means_nothing(tmp_path: Path) -> None:
    make(tmp_path, {"a": 3, "b": 3})
    (tmp_path / "_none").mkdir()

    assert folder(tmp_path).outliers is None


def test_pictures_of_no_class_from_another_folder(tmp_path: Path) -> None:
    pictures(tmp_path / "set", *[(32, 32)] * 5, color=True)
    make(tmp_path / "others", {".": 12, "below": 13})
    found = load(f"folder:{tmp_path / 'set'}", outliers=tmp_path / "others")
    again = load(f"folder:{tmp_path / 'set'}", outliers=tmp_path / "others")

    assert sum(outlier_counts(found) or ()) == 25
    assert found.outliers is not None
    assert found.outliers.test.shape[1:] == (32, 32, 3)
    assert found.fingerprint == again.fingerprint != folder(tmp_path / "set").fingerprint
    published, whole = load("digits", outliers=tmp_path / "others"), load("digits")
    assert sum(outlier_counts(published) or ()) == 25
    assert again.fingerprint is not None
    assert whole.fingerprint is None
    assert published.fingerprint == replace(
        fingerprint_by_name(whole), outliers=again.fingerprint.outliers
    )
    draw(tmp_path / "others" / "more.png", 999)
    more = load("digits", outliers=tmp_path / "others")
    assert describe_changes(published.fingerprint, more.fingerprint) == (
        "of no class 25 images then, 26 now"
    )


def test_a_folder_of_no_class_that_cannot_serve_is_said(tmp_path: Path) -> None:
    for name, count in (("empty", 0), ("one", 1), ("bad", 1)):
        make(tmp_path, {name: count})
        (tmp_path / name).mkdir(exist_ok=True)
    (tmp_path / "bad" / "1.png").write_bytes(b"no picture")
    few = "holds fewer than two pictures"
    for name, said in (
        ("no", "there is no folder"),
        ("~nobody-of-this-name", "cannot read the folder"),
        ("empty", few),
        ("one", few),
        ("bad", "is not a"),
    ):
        path = Path(name) if name.startswith("~") else tmp_path / name
        with pytest.raises(DataError, match=said):
            load("digits", outliers=path)


def test_pictures_are_of_a_class_or_of_none(tmp_path: Path) -> None:
    own = make(tmp_path / "set", {"a": 5, "b": 5, "_none": 3})
    others = make(tmp_path / "others", {".": 3}, offset=99)
    with pytest.raises(DataError, match=r"folder:set has pictures of no class already.* _none"):
        load(f"folder:{own}", outliers=others)
    with pytest.raises(DataError, match=r"folder:set has pictures of no class already"):
        load(f"digits+folder:{own}", outliers=others)
    shutil.rmtree(own / "_none")
    for name in ("a", "."):
        with pytest.raises(DataError, match=r"a/.*png is of a class of folder:set"):
            load(f"folder:{own}", outliers=own / name)
    with pytest.raises(DataError, match=r"b/.*png is of a class of digits.folder:set"):
        load(f"digits+folder:{own}", outliers=own / "b")


# Unusual pictures


def _animation(path: Path) -> None:
    frames = [Image.fromarray(np.full((32, 32), 40 * at, np.uint8)) for at in range(1, 4)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def _deep(path: Path) -> None:
    Image.fromarray(np.arange(32 * 32, dtype=np.uint16).reshape(32, 32) * 60).save(path)


_UNUSUAL: dict[str, Callable[[Path], object]] = {
    "x.gif": _animation,
    "x.png": _deep,
    "x.jpg": lambda path: Image.new("CMYK", (32, 32), (200, 10, 90, 0)).save(path),
    "x.tif": lambda path: Image.new("RGBA", (32, 32), (200, 10, 90, 99)).save(path),
    ".DS_Store": lambda path: path.write_text("no picture"),
}


@pytest.mark.parametrize("name", _UNUSUAL)
def test_unusual_pictures_are_read_or_passed_over(tmp_path: Path, name: str) -> None:
    pictures(tmp_path, *[(32, 32)] * 6, color=True)
    _UNUSUAL[name](tmp_path / "a" / name)

    found = folder(tmp_path)

    assert found.shape == ImageShape(32, 32, 3)
    assert found.findings is not None
    assert found.findings.pictures == 12 + (name != ".DS_Store")
    assert found.findings.suffixes == {}
    assert found.findings.of_several == (name == "x.gif")


def test_a_picture_of_a_hundred_megapixels_is_named(tmp_path: Path) -> None:
    pictures(tmp_path, *[(32, 32)] * 6)
    Image.new("1", (12_000, 9_000)).save(tmp_path / "a" / "huge.png")

    assert refusal(tmp_path).startswith(f"{tmp_path / 'a' / 'huge.png'}: 12000×9000 are 108 megap")
    found = load(f"folder:{tmp_path}", skip_unreadable=True)
    assert found.findings is not None
    ((name, reason),) = found.findings.unreadable
    assert (name, "megapixels" in reason) == ("a/huge.png", True)
    assert len(found.names) == 12 == len(found.train) + len(found.test)
    assert found.sizes is not None
    assert found.sizes.max() == 32


def test_unreadable_pictures_can_be_left_out(tmp_path: Path) -> None:
    make(tmp_path, {"a": 20, "b": 20})
    whole = folder(tmp_path)
    broken = sorted(tmp_path.glob("*/*.png"))[::7]
    for path in broken:
        path.write_bytes(b"broken")

    found = load(f"folder:{tmp_path}", skip_unreadable=True)

    assert found.findings is not None
    assert [name for name, _ in found.findings.unreadable] == [
        str(path.relative_to(tmp_path)) for path in broken
    ]
    assert len(found.names) == len(found.train) + len(found.test) == 40 - len(broken)
    for name, image in zip(found.names, [*found.train.images, *found.test.images], strict=True):
        np.testing.assert_array_equal(image, np.asarray(Image.open(tmp_path / name)))
        assert image.tobytes() in {
            one.tobytes() for one in (*whole.train.images, *whole.test.images)
        }


def test_nothing_that_can_be_read_is_said(tmp_path: Path) -> None:
    for path in make(tmp_path, {"a": 3, "b": 3}).glob("*/*.png"):
        path.write_bytes(b"broken")
    with pytest.raises(DataError, match="6 of 6 pictures cannot be read"):
        load(f"folder:{tmp_path}", skip_unreadable=True)


# Names


def test_names_that_differ_in_case_only_are_refused(tmp_path: Path) -> None:
    make(tmp_path, {"Cat": 3, "cat": 3, "dog": 3})
    if len(list(tmp_path.iterdir())) < 3:
        pytest.skip("one folder on this file system")
    assert refusal(tmp_path) == (
        f"{tmp_path} has the classes Cat and cat, whose names differ in case only: put them "
        "together, or rename one"
    )


def test_a_class_with_another_case_in_the_test_is_told(tmp_path: Path) -> None:
    make(tmp_path / "train", {"Cat": 3, "dog": 3})
    make(tmp_path / "test", {"cat": 3, "dog": 3})
    assert refusal(tmp_path) == (
        f"{tmp_path / 'test'} has classes that train lacks: cat; names of one class differ in case:"
        " cat (Cat): rename them"
    )


# Headers


def test_a_header_tells_the_upright_size(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = picture(tmp_path / "1.jpg", (40, 30), True, 0, exif=exif)
    header = read_header(path.read_bytes())
    assert header is not None
    assert (header.size, header.may_have_color) == ((30, 40), True)
    assert header.size == preprocess.load(path).size


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"no picture" * 9])
def test_no_header_is_no_error(content: bytes) -> None:
    assert read_header(content) is None


def test_grey_headers_have_no_colour(tmp_path: Path) -> None:
    header = read_header(draw(tmp_path / "1.png").read_bytes())
    assert header is not None
    assert not header.may_have_color
