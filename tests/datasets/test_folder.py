"""folder: sets: every mode and layout that a person may have, and every mistake."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnist_edge.datasets import Dataset, Split, folder_layout, load
from mnist_edge.errors import DataError
from mnist_edge.image_shape import Fit, ImageOptions
from mnist_edge.preprocess import render_digits


def draw(path: Path, seed: int = 0, size: tuple[int, int] = (28, 28)) -> Path:
    """A picture of noise, as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    Image.fromarray(random.integers(0, 256, size, np.uint8)).save(path)
    return path


def make(root: Path, counts: dict[str, int], offset: int = 0) -> Path:
    """`counts` pictures in each subfolder, none like another."""
    for at, (name, count) in enumerate(counts.items()):
        for number in range(count):
            draw(root / name / f"{number:03}.png", offset + 1000 * at + number)
    return root


def folder(path: Path) -> Dataset:
    return load(f"folder:{path}")


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        folder(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Layouts


def test_train_and_test_folders_are_the_splits(tmp_path: Path) -> None:
    make(tmp_path / "train", {"cat": 3, "ant": 2})
    make(tmp_path / "test", {"cat": 1, "ant": 4}, offset=500)

    found = folder(tmp_path)

    assert found.classes == ("ant", "cat")
    assert found.train.labels.tolist() == [0, 0, 1, 1, 1]
    assert found.test.labels.tolist() == [0, 0, 0, 0, 1]
    wanted = np.asarray(Image.open(tmp_path / "train" / "ant" / "001.png"))
    np.testing.assert_array_equal(found.train.images[1], wanted)
    assert found.name == f"folder:{tmp_path.name}"
    assert found.source == str(tmp_path)


def test_class_may_be_missing_in_test(tmp_path: Path) -> None:
    make(tmp_path / "train", {"a": 2, "b": 2})
    make(tmp_path / "test", {"b": 2}, offset=500)

    assert folder(tmp_path).test.labels.tolist() == [1, 1]


def test_class_names_are_sorted(tmp_path: Path) -> None:
    make(tmp_path, {"two": 2, "10": 2, "9": 2, "Zebra": 2})

    assert folder(tmp_path).classes == ("10", "9", "Zebra", "two")


def contents(split: Split) -> set[tuple[bytes, int]]:
    pairs = zip(split.images, split.labels.tolist(), strict=True)
    return {(image.tobytes(), label) for image, label in pairs}


def test_without_splits_a_fifth_tests_and_a_tenth_of_the_rest_validates(tmp_path: Path) -> None:
    found = folder(make(tmp_path, {"few": 10, "many": 290}))

    splits = (found.training, found.validation, found.test)
    assert sum(map(len, splits)) == 300
    assert len(set().union(*map(contents, splits))) == 300
    # Four deviations of a binomial.
    assert abs(len(found.test) - 60) < 28
    assert abs(len(found.validation) - 24) < 20
    assert set(found.test.labels) == set(found.training.labels) == {0, 1}


def test_split_is_the_same_twice_and_wherever_the_folder_lies(tmp_path: Path) -> None:
    first = folder(make(tmp_path / "one", {"a": 13, "b": 17}))
    (tmp_path / "one").rename(tmp_path / "two")
    for path in sorted((tmp_path / "two" / "a").iterdir()):
        path.rename(path.with_name(f"renamed {path.name}"))
    second = folder(tmp_path / "two")

    assert contents(first.test) == contents(second.test)
    assert contents(first.validation) == contents(second.validation)
    assert first.fingerprint == second.fingerprint


@pytest.mark.parametrize("start", range(3, 12))
def test_added_pictures_move_none_that_was_trained_on(tmp_path: Path, start: int) -> None:
    """The fault of fastai#2336: a new seeded draw put training images into the test."""
    classes = {"a": start, "b": 2 * start}
    before = folder(make(tmp_path, classes, offset=start * 7919))
    for added in range(3):
        make(tmp_path / "more", dict.fromkeys(classes, 4), offset=10**6 * (added + 1))
        for path in sorted((tmp_path / "more").glob("*/*")):
            path.rename(tmp_path / path.parent.name / f"{added}-{path.name}")
        (tmp_path / "more" / "a").rmdir()
        (tmp_path / "more" / "b").rmdir()
        (tmp_path / "more").rmdir()
        after = folder(tmp_path)
        assert not contents(before.training) & contents(after.test)
        assert not contents(before.validation) & contents(after.test)
        assert before.fingerprint != after.fingerprint
        before = after


def test_copies_are_on_one_side(tmp_path: Path) -> None:
    make(tmp_path, {"a": 30, "b": 30})
    for path in sorted(tmp_path.glob("*/*.png")):
        path.with_name(f"copy of {path.name}").write_bytes(path.read_bytes())

    found = folder(tmp_path)

    assert not contents(found.training) & contents(found.test)
    assert not contents(found.training) & contents(found.validation)
    assert found.findings is not None
    assert found.findings.in_two_splits == ()


def test_pictures_that_look_alike_on_both_sides_are_noticed(tmp_path: Path) -> None:
    make(tmp_path / "train", {"a": 2, "b": 2})
    make(tmp_path / "test", {"a": 2, "b": 2}, offset=500)
    Image.open(tmp_path / "train" / "a" / "000.png").save(tmp_path / "test" / "a" / "again.bmp")
    Image.open(tmp_path / "train" / "b" / "001.png").save(tmp_path / "train" / "a" / "other.bmp")

    found = folder(tmp_path).findings

    assert found is not None
    assert ("train/a/000.png", "test/a/again.bmp") in found.in_two_splits
    (pair,) = found.in_two_classes
    assert set(pair) == {"train/b/001.png", "train/a/other.bmp"}


def test_smallest_set_keeps_a_picture_of_each_class_for_the_test(tmp_path: Path) -> None:
    found = folder(make(tmp_path, {"a": 2, "b": 2}))

    assert sorted(found.test.labels.tolist()) == [0, 1]
    assert sorted(found.train.labels.tolist()) == [0, 1]
    assert (len(found.training), len(found.validation)) == (1, 1)


@pytest.mark.parametrize("train", ["train", "Train", "training", "TRAINING"])
@pytest.mark.parametrize("test", ["test", "Testing"])
@pytest.mark.parametrize("validation", ["val", "Valid", "validation"])
def test_names_of_splits_are_understood(
    tmp_path: Path, train: str, test: str, validation: str
) -> None:
    make(tmp_path / train, {"a": 3, "b": 3})
    make(tmp_path / test, {"a": 1, "b": 1}, offset=500)
    make(tmp_path / validation, {"a": 2, "b": 2}, offset=700)

    found = folder(tmp_path)

    assert found.classes == ("a", "b")
    assert (len(found.training), len(found.validation), len(found.test)) == (6, 4, 2)
    wanted = np.asarray(Image.open(tmp_path / validation / "b" / "001.png"))
    np.testing.assert_array_equal(found.validation.images[3], wanted)


def test_validation_without_test_is_a_validation_split(tmp_path: Path) -> None:
    make(tmp_path / "train", {"a": 20, "b": 20})
    make(tmp_path / "val", {"a": 2, "b": 2}, offset=700)

    found = folder(tmp_path)

    assert len(found.validation) == 4
    assert len(found.training) + len(found.test) == 40
    assert found.findings is not None
    assert found.findings.cut_test


def test_train_alone_is_split_as_a_folder_of_classes(tmp_path: Path) -> None:
    make(tmp_path / "train", {"a": 12, "b": 12})

    found = folder(tmp_path)

    assert len(found.training) + len(found.validation) + len(found.test) == 24
    assert found.classes == ("a", "b")


def test_pictures_below_a_class_belong_to_it(tmp_path: Path) -> None:
    make(tmp_path, {"a": 2, "b": 2, "a/2024/summer": 3}, offset=0)

    found = folder(tmp_path)

    assert found.classes == ("a", "b")
    assert sum(found.train.labels == 0) + sum(found.test.labels == 0) == 5


def test_what_is_passed_over_is_counted(tmp_path: Path) -> None:
    make(tmp_path / "train", {"a": 2, "b": 2})
    make(tmp_path / "test", {"a": 1}, offset=500)
    make(tmp_path, {"sketches": 1, "__MACOSX": 1, ".thumbnails": 1}, offset=900)
    for name in ("a.svg", "b.SVG", "notes.txt", "README", ".DS_Store", "Thumbs.db", "._x.png"):
        (tmp_path / "train" / "a" / name).write_bytes(b"no picture")
    draw(tmp_path / "train" / "loose.png", 800)

    found = folder(tmp_path).findings

    assert found is not None
    assert found.suffixes == {"": 1, ".svg": 2, ".txt": 1}
    assert (found.loose, found.folders, found.untested) == (1, ("sketches",), ("b",))


def test_heic_without_its_plugin_is_passed_over(tmp_path: Path) -> None:
    make(tmp_path, {"a": 2, "b": 2})
    (tmp_path / "a" / "photo.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    folder_layout._suffixes.cache_clear()

    found = folder(tmp_path).findings

    assert found is not None
    assert found.suffixes == {".heic": 1}


def test_lost_colour_is_counted(tmp_path: Path) -> None:
    make(tmp_path, {"a": 3, "b": 3})
    grey = np.random.default_rng(0).integers(0, 256, (64, 48, 1), np.uint8).repeat(3, axis=2)
    Image.fromarray(grey).save(tmp_path / "a" / "grey.jpg", quality=30)
    Image.new("RGB", (300, 20), (200, 40, 40)).save(tmp_path / "a" / "red.jpg")

    found = load(f"folder:{tmp_path}", options=ImageOptions(color=False))

    assert found.findings is not None
    assert (found.findings.pictures, found.findings.coloured) == (8, 1)
    assert (found.findings.smallest, found.findings.largest) == ((28, 28), (300, 20))
    assert found.fingerprint is not None
    assert found.fingerprint.coloured == 1
    kept = folder(tmp_path)
    assert (kept.shape.is_color, kept.findings and kept.findings.coloured) == (True, 1)
    assert kept.fingerprint == replace(found.fingerprint, coloured=0)


def test_hidden_and_foreign_files_are_no_pictures(tmp_path: Path) -> None:
    make(tmp_path, {"a": 3, "b": 3})
    (tmp_path / "a" / "._000.png").write_bytes(b"\0\5\x16\7 what macOS leaves behind")
    (tmp_path / "a" / "notes.txt").write_text("no picture")
    (tmp_path / "b" / "folder.png").mkdir()
    (tmp_path / ".thumbnails").mkdir()
    (tmp_path / "README.md").write_text("about these pictures")

    found = folder(tmp_path)

    assert found.classes == ("a", "b")
    assert len(found.train) + len(found.test) == 6


def test_home_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    make(tmp_path / "set", {"a": 2, "b": 2})

    assert load("folder:~/set").classes == ("a", "b")


def test_progress_is_told_picture_by_picture(tmp_path: Path) -> None:
    make(tmp_path, {"a": 2, "b": 3})
    told: list[tuple[str, int, int]] = []

    load(f"folder:{tmp_path}", progress=lambda *news: told.append(news))

    steps = (f"looking through {tmp_path}", f"reading {tmp_path}")
    assert told == [(step, done, 5) for step in steps for done in range(1, 6)]


# Pictures


@pytest.mark.parametrize("suffix", ["png", "PNG", "bmp", "gif", "tif", "pgm", "webp", "jpg"])
def test_formats_hold_the_same_picture(tmp_path: Path, suffix: str) -> None:
    make(tmp_path, {"a": 2, "b": 2})
    smooth = np.add.outer(np.arange(28), np.arange(28)).astype(np.uint8) * 4
    for at in range(2):
        (tmp_path / "a" / f"00{at}.png").unlink()
        lossless = {"lossless": True} if suffix == "webp" else {"quality": 95}
        Image.fromarray(smooth).save(tmp_path / "a" / f"{at}.{suffix}", **lossless)

    found = folder(tmp_path)

    image = found.train.images[found.train.labels == 0][0].astype(int)
    assert np.abs(image - smooth).max() <= (6 if suffix == "jpg" else 1)


def _as_mode(grey: np.ndarray, mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(grey.astype(np.uint16) * 257)
    if mode == "F":
        return Image.fromarray(grey.astype(np.float32) / 255)
    return Image.fromarray(grey).convert(mode)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "CMYK", "I;16", "F"])
def test_modes_hold_the_same_picture(tmp_path: Path, mode: str) -> None:
    make(tmp_path, {"b": 2})
    (tmp_path / "a").mkdir()
    grey = np.arange(28 * 28).reshape(28, 28).astype(np.uint8)
    grey[0, 0] = 255  # so that a float picture reaches 1
    for at in range(2):
        _as_mode(grey, mode).save(tmp_path / "a" / f"{at}.tif")

    found = folder(tmp_path)

    image = found.train.images[found.train.labels == 0][0].astype(int)
    assert np.abs(image - grey).max() <= 1


def test_rotated_photo_stands_upright(tmp_path: Path) -> None:
    make(tmp_path, {"a": 2, "b": 2})
    upright = render_digits(8)[7]
    for path in (tmp_path / "a").iterdir():
        lying = Image.fromarray(np.rot90(upright))
        exif = Image.Exif()
        exif[0x0112] = 6  # "turn a quarter clockwise to see it upright"
        lying.save(path, exif=exif)

    found = folder(tmp_path)

    np.testing.assert_array_equal(found.train.images[found.train.labels == 0][0], upright)


def test_other_sizes_are_fitted_into_the_square(tmp_path: Path) -> None:
    make(tmp_path, {"b": 2})
    for at in range(2):
        path = tmp_path / "a" / f"{at}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("L", (56, 28), 200).save(path)

    found = folder(tmp_path)

    image = found.train.images[found.train.labels == 0][0]
    assert (image[7:21] == 200).all()
    assert (image[:7] == 200).all()
    assert (image[21:] == 200).all()
    assert found.fit is Fit.PAD


# Mistakes


def test_missing_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no") == (
        f"there is no folder {tmp_path / 'no'}: give folder:PATH with a subfolder per class"
    )


@pytest.mark.parametrize("name", ["~nobody-of-this-name/set", "n" * 300])
def test_folder_that_cannot_be_looked_up(name: str) -> None:
    assert refusal(Path(name)).startswith(f"cannot read the folder {name}: ")


def test_folder_without_permission(tmp_path: Path) -> None:
    make(tmp_path, {"a": 2, "b": 2})
    (tmp_path / "b").chmod(0)
    # Root may read everything, so a child gives that right up, after its imports.
    script = (
        "import os, sys\nfrom mnist_edge.datasets import folder\nfrom pathlib import Path\n"
        "from mnist_edge.errors import DataError\nimport PIL.PngImagePlugin\n"
        "os.geteuid() or os.seteuid(65534)\n"
        "try: folder.load(Path('.'))\nexcept DataError as error: print(error)"
    )
    tmp_path.chmod(0o755)

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    (tmp_path / "b").chmod(0o755)
    assert (done.stdout, done.stderr, done.returncode) == (
        "cannot read the folder .: [Errno 13] Permission denied: 'b'\n",
        "",
        0,
    )


@pytest.mark.parametrize("classes", [{}, {"only": 5}])
def test_one_class_is_too_few(tmp_path: Path, classes: dict[str, int]) -> None:
    make(tmp_path, classes)

    assert refusal(tmp_path) == (
        f"{tmp_path} needs at least two subfolders, one per class: it has {len(classes)}"
    )


@pytest.mark.parametrize("count", [0, 1])
def test_class_with_too_few_pictures(tmp_path: Path, count: int) -> None:
    make(tmp_path, {"a": 3, "b": count})
    (tmp_path / "b").mkdir(exist_ok=True)

    message = refusal(tmp_path)

    assert message.startswith(f"{tmp_path / 'b'} holds fewer than two pictures (PNG, JPEG, ")
    assert message.endswith("): add some, or remove the folder")


@pytest.mark.parametrize("name", ["test", "Valid", "testing"])
def test_split_beside_the_classes_is_no_class(tmp_path: Path, name: str) -> None:
    make(tmp_path, {"a": 3, "b": 3, name: 3})

    assert refusal(tmp_path) == (
        f"{tmp_path} has {name} but no train folder: put the folders of the classes into "
        f"{tmp_path / 'train'}"
    )


def test_split_without_classes_is_said(tmp_path: Path) -> None:
    make(tmp_path / "train", {"a": 2, "b": 2})
    draw(tmp_path / "test" / "1.png")

    assert refusal(tmp_path) == (
        f"{tmp_path / 'test'} holds pictures, but no subfolder per class, so that nobody knows "
        "what they show: sort them, or move the folder away"
    )


def test_splits_inside_the_classes_are_said(tmp_path: Path) -> None:
    make(tmp_path, {"a/train": 2, "a/test": 1, "b/train": 2, "b/test": 1})

    assert refusal(tmp_path) == (
        f"{tmp_path / 'a'} has splits of its own (test, train): put the classes into the splits, "
        f"as {Path('test') / 'a'}"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only here any bytes are a name")
def test_class_name_that_is_not_utf8_is_refused_before_it_is_trained(tmp_path: Path) -> None:
    make(tmp_path, {"a": 2})
    (tmp_path / "b\udcff").mkdir()

    assert refusal(tmp_path) == (
        f"{tmp_path} has a subfolder whose name is not UTF-8 ('b\\udcff'): rename it"
    )


def test_two_names_of_one_split_are_said(tmp_path: Path) -> None:
    make(tmp_path, {"train/a": 2, "train/b": 2, "Training/a": 2, "Training/b": 2})

    assert refusal(tmp_path) == (
        f"{tmp_path} has Training and train, which mean the same split: keep one"
    )


def test_class_only_in_test(tmp_path: Path) -> None:
    make(tmp_path / "train", {"a": 2, "b": 2})
    make(tmp_path / "test", {"a": 1, "d": 1, "c": 1})

    assert refusal(tmp_path) == (
        f"{tmp_path / 'test'} has classes that train lacks: c, d; give them pictures to train on, "
        "or move them away"
    )


def test_empty_test(tmp_path: Path) -> None:
    make(tmp_path / "train", {"a": 2, "b": 2})
    (tmp_path / "test").mkdir()

    assert refusal(tmp_path) == f"{tmp_path / 'test'} holds no pictures"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"no picture", "is not a picture in a format that is read"),
        (None, "is damaged or cut off ("),
    ],
    ids=["empty", "text", "cut off"],
)
def test_broken_picture_is_named(tmp_path: Path, content: bytes | None, said: str) -> None:
    make(tmp_path, {"a": 3, "b": 3})
    broken = tmp_path / "b" / "001.png"
    broken.write_bytes(broken.read_bytes()[:100] if content is None else content)

    assert refusal(tmp_path).startswith(f"{broken}: {said}")


def test_all_broken_pictures_are_named_at_once(tmp_path: Path) -> None:
    make(tmp_path, {"a": 20, "b": 20})
    broken = sorted(tmp_path.glob("a/*.png"))[3:15] + sorted(tmp_path.glob("b/*.png"))
    for path in broken:
        path.write_bytes(b"")

    message = refusal(tmp_path)

    assert message.startswith(f"32 of 40 pictures cannot be read: {broken[0]}: is empty; ")
    assert message.count(": is empty; ") == 20
    assert message.endswith("; and 12 more. Mend or remove them")


def test_dangling_link_is_passed_over(tmp_path: Path) -> None:
    make(tmp_path, {"a": 3, "b": 3})
    (tmp_path / "a" / "link.png").symlink_to(tmp_path / "gone.png")

    found = folder(tmp_path)

    assert len(found.train) + len(found.test) == 6


def test_class_name_that_no_file_may_hold_is_refused_before_it_is_trained(tmp_path: Path) -> None:
    make(tmp_path, {"a": 2})
    (tmp_path / ("b" * 201)).mkdir()

    assert refusal(tmp_path) == (
        f"{tmp_path} has a class whose name has 201 letters ({'b' * 20}…): 200 at most, rename it"
    )
