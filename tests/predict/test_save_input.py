from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnist_edge.errors import EdgeError
from mnist_edge.predict import ClassProbability, Digit, Failure, Reading
from mnist_edge.predict.save_input import InputFolder
from mnist_edge.preprocess import render_digits

IMAGES = render_digits(10)


def reading(file: str, *numbers: int) -> Reading:
    return Reading(
        file,
        [
            [
                Digit(IMAGES[at], str(at), ClassProbability(str(at), 1.0), None, [1.0])
                for at in numbers
            ]
        ],
    )


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def test_the_files_hold_exactly_what_the_network_saw(tmp_path: Path) -> None:
    folder = InputFolder(tmp_path / "made" / "here")
    (path,) = folder.save(reading("seven.jpg", 7))
    with Image.open(path) as image:
        assert (image.format, image.mode) == ("PNG", "L")
        np.testing.assert_array_equal(np.asarray(image), IMAGES[7])
    assert names(list((tmp_path / "made" / "here").iterdir())) == ["seven.28x28.png"]


def test_no_two_pictures_share_a_file(tmp_path: Path) -> None:
    folder = InputFolder(tmp_path)
    files = ["a/7.png", "b/7.png", "a-7.png", "a/7.jpg", "A/7.png", "a/7.png", "../a/7.png", "-"]
    written = [path for file in files for path in folder.save(reading(file, 3))]
    assert len({path.name.casefold() for path in written}) == len(files)
    assert names(written)[:3] == ["a-7.28x28.png", "b-7.28x28.png", "a-7~2.28x28.png"]
    assert names(written)[-1] == "stdin.28x28.png"
    assert sorted(names(written)) == sorted(names(list(tmp_path.iterdir())))


def test_the_digits_of_a_number_are_counted(tmp_path: Path) -> None:
    written = InputFolder(tmp_path).save(reading("house.jpg", 4, 2))
    assert names(written) == ["house-1.28x28.png", "house-2.28x28.png"]
    with Image.open(written[1]) as image:
        np.testing.assert_array_equal(np.asarray(image), IMAGES[2])


def test_a_second_run_takes_the_place_of_the_first(tmp_path: Path) -> None:
    first = InputFolder(tmp_path).save(reading("a.png", 1))
    assert InputFolder(tmp_path).save(reading("a.png", 2)) == first
    with Image.open(first[0]) as image:
        np.testing.assert_array_equal(np.asarray(image), IMAGES[2])


def test_a_folder_of_pictures_keeps_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("8.png").write_bytes(b"an original")
    InputFolder(Path()).save(reading("8.png", 8))
    assert Path("8.png").read_bytes() == b"an original"


def test_nothing_is_written_outside(tmp_path: Path) -> None:
    folder = InputFolder(tmp_path / "in")
    for file in (
        "/etc/7.png",
        "../../7.png",
        "..",
        ".",
        "/",
        "x" * 999,
        "字" * 99,
        "\udcff.png",
        "a/..",
    ):
        (path,) = folder.save(reading(file, 7))
        assert path.parent == tmp_path / "in"
    assert len(list((tmp_path / "in").iterdir())) == 9


def test_an_unreadable_picture_leaves_nothing(tmp_path: Path) -> None:
    assert InputFolder(tmp_path).save(Reading("a.png", failure=Failure("is empty"))) == []
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EdgeError, match=r"cannot write .*file: .*choose another place$"):
        InputFolder(tmp_path / "file")


def test_a_failed_write_leaves_no_part(tmp_path: Path) -> None:
    (tmp_path / "a.28x28.png").mkdir()
    with pytest.raises(EdgeError, match=r"cannot write .*a\.28x28\.png"):
        InputFolder(tmp_path).save(reading("a.png", 1))
    assert names(list(tmp_path.iterdir())) == ["a.28x28.png"]
