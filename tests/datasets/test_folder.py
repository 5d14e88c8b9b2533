"""folder: sets: every mode and layout that a person may have, and every mistake."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnist_edge.datasets import Dataset, load
from mnist_edge.errors import DataError
from mnist_edge.picture import drawn_digits


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


def test_without_splits_one_in_five_tests_in_proportion(tmp_path: Path) -> None:
    make(tmp_path, {"few": 10, "many": 40})

    found = folder(tmp_path)

    assert Counter(found.test.labels.tolist()) == {0: 2, 1: 8}
    assert Counter(found.train.labels.tolist()) == {0: 8, 1: 32}
    both = np.concatenate([found.train.images, found.test.images])
    assert len({image.tobytes() for image in both}) == 50


def test_split_is_the_same_twice(tmp_path: Path) -> None:
    make(tmp_path, {"a": 13, "b": 17})

    first, second = folder(tmp_path), folder(tmp_path)

    np.testing.assert_array_equal(first.test.images, second.test.images)
    np.testing.assert_array_equal(first.train.labels, second.train.labels)


def test_smallest_set_keeps_one_picture_for_the_test(tmp_path: Path) -> None:
    found = folder(make(tmp_path, {"a": 2, "b": 2}))

    assert (len(found.train), len(found.test)) == (3, 1)
    assert set(found.train.labels) == {0, 1}


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

    assert told == [(f"reading {tmp_path}", done, 5) for done in range(1, 6)]


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
    upright = drawn_digits(8)[7]
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
    assert not image[:7].any()
    assert not image[21:].any()


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

    assert message.startswith(f"{tmp_path / 'b'} holds fewer than two pictures (.bmp, .gif, ")
    assert message.endswith("): add some, or remove the folder")


def test_train_without_test(tmp_path: Path) -> None:
    make(tmp_path / "train", {"a": 2, "b": 2})

    assert refusal(tmp_path) == (
        f"{tmp_path} has a train folder but no test folder: add it, or drop both"
    )


def test_class_only_in_test(tmp_path: Path) -> None:
    make(tmp_path / "train", {"a": 2, "b": 2})
    make(tmp_path / "test", {"a": 1, "d": 1, "c": 1})

    assert refusal(tmp_path) == f"{tmp_path / 'test'} has classes that train lacks: c, d"


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


def test_dangling_link_is_passed_over(tmp_path: Path) -> None:
    make(tmp_path, {"a": 3, "b": 3})
    (tmp_path / "a" / "link.png").symlink_to(tmp_path / "gone.png")

    found = folder(tmp_path)

    assert len(found.train) + len(found.test) == 6
