"""Contact sheets, opened again with Pillow."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mnist_edge.errors import EdgeError
from mnist_edge.report import contact_sheet


def shades(count: int) -> NDArray[np.uint8]:
    """Images each of one grey of their own."""
    return np.stack([np.full((28, 28), 20 * (at + 1), np.uint8) for at in range(count)])


def opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        assert image.format == "PNG"
        return image.copy()


def test_every_image_is_on_the_sheet_three_times_as_large(tmp_path: Path) -> None:
    contact_sheet.write(tmp_path / "sheet.png", shades(7), ["x"] * 7, columns=3)

    found = np.asarray(opened(tmp_path / "sheet.png"))

    for at in range(7):
        rows, columns = np.nonzero(found == 20 * (at + 1))
        # Text is smoothed, so that its edges may have any grey: most pixels are the image's.
        assert 84 * 84 <= len(rows) < 84 * 84 + 100
        block = (int(np.median(rows)), int(np.median(columns)))
        assert found[block] == 20 * (at + 1)
        assert block[0] == pytest.approx(10 + 42 + at // 3 * 108, abs=2)
        assert block[1] == pytest.approx(10 + 42 + at % 3 * 94, abs=2)


@pytest.mark.parametrize(
    ("count", "columns", "wanted"),
    [
        (1, 10, (1, 1)),
        (10, 10, (10, 1)),
        (11, 10, (10, 2)),
        (25, 0, (10, 3)),
        (3, 2, (2, 2)),
        (0, 5, (1, 1)),
    ],
)
def test_sheet_is_as_large_as_its_rows_and_columns(
    tmp_path: Path, count: int, columns: int, wanted: tuple[int, int]
) -> None:
    images = np.zeros((count, 28, 28), np.uint8)

    contact_sheet.write(tmp_path / "sheet.png", images, ["1"] * count, columns)

    across, down = wanted
    assert opened(tmp_path / "sheet.png").size == (across * 94 + 10, down * 108 + 10)


def test_long_captions_widen_the_columns_and_never_meet() -> None:
    images = np.full((2, 28, 28), 128, np.uint8)

    found = np.asarray(
        contact_sheet.draw(images, ["a caption wider than its image"] * 2, columns=2)
    )

    line = np.any(found[-24:-8] < 200, axis=0)  # the text under the images
    starts = np.flatnonzero(np.diff(np.concatenate([[0], line.astype(int)])) == 1)
    gaps = np.diff(np.flatnonzero(line))
    assert found.shape[1] > 2 * 94 + 10
    assert gaps.max() >= 8
    assert starts[0] >= 10
    assert not line[-3:].any()


def test_captions_are_drawn() -> None:
    images = np.zeros((1, 28, 28), np.uint8)

    with_text, without = (contact_sheet.draw(images, [text], 1) for text in ("Ankle boot", ""))

    assert (np.asarray(with_text) < 250).sum() > (np.asarray(without) < 250).sum()


def test_each_image_needs_its_caption() -> None:
    with pytest.raises(ValueError, match="shorter"):
        contact_sheet.draw(np.zeros((2, 28, 28), np.uint8), ["one"], columns=2)


def test_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    path = tmp_path / "taken" / "sheet.png"

    with pytest.raises(EdgeError) as caught:
        contact_sheet.write(path, shades(1), ["1"])

    assert str(caught.value).startswith(f"cannot write {path}: ")


def test_names_stand_below_the_captions() -> None:
    images = np.full((3, 28, 28), 250, np.uint8)
    captions, names = ["one", "two", "three"], ["a.png", "b" * 5000, "c\n.png"]

    plain = np.asarray(contact_sheet.draw(images, captions, 3))
    named = np.asarray(contact_sheet.draw(images, captions, 3, names))
    swapped = np.asarray(contact_sheet.draw(images, names, 3, captions))

    assert named.shape[0] == plain.shape[0] + 14
    assert named.shape[1] < 1500
    below = named[plain.shape[0] - 10 :]
    assert (below < 200).any()
    assert not (plain[plain.shape[0] - 10 :] < 200).any()
    assert not np.array_equal(named, swapped)
