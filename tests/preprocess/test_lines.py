"""Numbers and sheets: how many digits, in which order, and where."""

import io
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mnist_edge.classifier import Classifier
from mnist_edge.datasets import Dataset, Split, digits
from mnist_edge.errors import DataError
from mnist_edge.preprocess import load
from mnist_edge.preprocess.several import lines
from mnist_edge.preprocess.several.frames import remove_frames
from mnist_edge.preprocess.several.lines import FoundDigit, read_grid, read_line
from mnist_edge.preprocess.several.oversegment import Atom, Row
from mnist_edge.preprocess.several.segmentation import Run, cheapest_path, find_runs
from mnist_edge.preprocess.several.strokes import Strokes
from tests.helpers import page_pictures
from tests.helpers.page_pictures import Page

Grey = NDArray[np.uint8]
Pen = ImageDraw.ImageDraw
SPLIT: Split = digits.load().test


def page_of(kind: str, sheet: page_pictures.Sheet) -> Page:
    return page_pictures.page_of(kind, sheet, 240, 30)


def number(seed: int, count: int | None = None, high: float = 60.0, skew: float = 0.0) -> Page:
    random = np.random.default_rng(seed)
    count = count or int(random.integers(1, 8))
    return page_of("number", page_pictures.number(SPLIT, random, count, high, skew=skew))


def assert_found(
    found: list[FoundDigit], boxes: list[page_pictures.Box], least: float = 0.7
) -> None:
    """One box for each true one, in order, and an image with ink in it."""
    assert len(found) == len(boxes)
    for one, box in zip(found, boxes, strict=True):
        assert page_pictures.overlap(one.box, box) > least
        assert one.image.shape == (28, 28)
        assert one.image.dtype == np.uint8
        assert one.image.max() == 255


def drawn(strokes: Callable[[Pen], object], size: tuple[int, int] = (400, 160)) -> Grey:
    image = Image.new("L", size, 235)
    strokes(ImageDraw.Draw(image))
    return np.asarray(image)


def boxes(found: list[FoundDigit]) -> list[page_pictures.Box]:
    return [one.box for one in found]


@pytest.mark.parametrize("seed", range(4))
def test_the_digits_of_a_number_from_left_to_right(seed: int) -> None:
    page = number(seed)
    assert_found(read_line(page.loaded), page.boxes[0])


@pytest.mark.parametrize("skew", [-10.0, 10.0])
def test_a_skewed_line_is_one_line(skew: float) -> None:
    page = number(3, count=8, skew=skew)
    assert_found(read_line(page.loaded), page.boxes[0])


def test_light_ink_is_found_where_dark_ink_is() -> None:
    page = number(5, count=5)
    inverted = Page("inverted", 255 - page.pixels, page.labels, page.boxes, page.indices)
    assert_found(read_line(inverted.loaded), page.boxes[0])


@pytest.mark.parametrize("seed", range(2))
def test_a_photograph_with_uneven_light(seed: int) -> None:
    page = page_pictures.photographed(number(seed, count=4), np.random.default_rng(seed))
    assert_found(read_line(page.loaded), page.boxes[0], least=0.6)


@pytest.mark.parametrize("squared", [False, True])
def test_ruled_paper(squared: bool) -> None:
    random = np.random.default_rng(1)
    sheet = page_pictures.number(SPLIT, random, 5, 60)
    page = page_of("ruled", page_pictures.ruled(sheet, random, 60, squared))
    assert_found(read_line(page.loaded), page.boxes[0], least=0.6)


@pytest.mark.parametrize("seed", range(2))
def test_printed_squares_are_no_digits(seed: int) -> None:
    random = np.random.default_rng(seed)
    sheet = page_pictures.boxed(page_pictures.number(SPLIT, random, 4 + seed, 60), random, 60)
    page = page_of("boxed", sheet)
    assert_found(read_line(page.loaded), page.boxes[0])


def test_dots_commas_dashes_and_specks_are_left_out() -> None:
    random = np.random.default_rng(2)
    plain = page_pictures.number(SPLIT, random, 6, 60, gap=lambda _: 0.5)
    dotted = page_pictures.dotted(plain, random, 60)
    assert (dotted.ink != plain.ink).sum() > 50
    assert_found(read_line(page_of("dotted", dotted).loaded), plain.boxes[0])


def test_a_dark_desk_around_the_sheet_is_no_digit() -> None:
    page = number(4, count=4)
    height, width = page.pixels.shape
    desk = np.full((height + 60, width + 60), 40, np.uint8)
    desk[30 : 30 + height, 30 : 30 + width] = page.pixels
    shifted = [(box[0] + 30, box[1] + 30, box[2] + 30, box[3] + 30) for box in page.boxes[0]]
    assert_found(read_line(load(Image.fromarray(desk))), shifted)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_blank_page_has_no_digits(value: int) -> None:
    blank = load(Image.new("L", (300, 90), value))
    assert read_line(blank) == []
    assert read_grid(blank) == []


def test_noise_alone_is_blank() -> None:
    noise = np.random.default_rng(0).normal(200, 4, (120, 400)).clip(0, 255).astype(np.uint8)
    assert read_line(load(Image.fromarray(noise))) == []


def test_an_image_in_mnists_form_is_its_own_digit() -> None:
    image = SPLIT.images[3].copy()
    for shown in (image, 255 - image):
        (found,) = read_line(load(Image.fromarray(shown)))
        assert found.box[2] <= 28
        assert abs(found.image.astype(int) - image).mean() < 12


def test_mnists_own_images_pass_unchanged(mnist: Dataset) -> None:
    for image in mnist.test.images[:5]:
        for shown in (image, 255 - image):
            (found,) = read_line(load(Image.fromarray(shown)))
            assert np.array_equal(found.image, image)
            assert found.box == (0, 0, 28, 28)


def _five(pen: Pen) -> None:
    pen.line([(60, 45), (55, 75), (85, 80), (88, 105), (70, 120), (52, 112)], 20, 6)
    pen.line([(66, 34), (98, 32)], 20, 6)  # its bar, apart from it


def _four(pen: Pen) -> None:
    pen.line([(170, 35), (155, 85), (192, 85)], 20, 6)
    pen.line([(199, 40), (197, 125)], 20, 6)


def _one(pen: Pen) -> None:
    pen.line([(300, 36), (298, 124)], 20, 6)


def test_strokes_that_belong_together_are_joined() -> None:
    def all_three(pen: Pen) -> None:
        for one in (_five, _four, _one):
            one(pen)

    def like(images: Grey) -> NDArray[np.float64]:
        """What has ink in both halves, and not a "1" is a digit: the 4 is joined for it."""
        wide = np.minimum(images[:, :, :12].max((1, 2)), images[:, :, 16:].max((1, 2))) > 100
        return np.where(wide, 0.99, 0.3)

    found = boxes(read_line(load(Image.fromarray(drawn(all_three))), like))
    assert len(found) == 3
    assert page_pictures.overlap(found[0], (52, 29, 99, 123)) > 0.85
    assert page_pictures.overlap(found[1], (152, 35, 203, 125)) > 0.85


def test_a_detached_bar_is_joined_by_its_place_alone() -> None:
    (found,) = read_line(load(Image.fromarray(drawn(_five))))
    assert page_pictures.overlap(found.box, (52, 29, 99, 123)) > 0.85


def _touching_rings(pen: Pen) -> None:
    for left in (40, 96):
        pen.ellipse((left, 30, left + 60, 120), None, 20, 7)
    _one(pen)


def test_touching_digits_are_cut_where_they_touch() -> None:
    left, right, one = boxes(read_line(load(Image.fromarray(drawn(_touching_rings)))))
    assert page_pictures.overlap(left, (40, 30, 98, 121)) > 0.7
    assert page_pictures.overlap(right, (98, 30, 157, 121)) > 0.7
    assert page_pictures.overlap(one, (296, 36, 303, 125)) > 0.6


def _wide(pen: Pen) -> None:
    pen.line([(40, 50), (70, 34), (120, 45), (110, 80), (42, 118), (145, 118)], 20, 7)
    pen.ellipse((190, 35, 285, 120), None, 20, 7)
    pen.line([(330, 36), (328, 124)], 20, 6)


def test_a_wide_digit_stays_whole() -> None:
    assert len(read_line(load(Image.fromarray(drawn(_wide))))) == 3


def test_the_score_decides_what_shape_cannot() -> None:
    """The same strokes, cut or whole, as the network likes it."""

    def likes(narrow: bool) -> Callable[[Grey], NDArray[np.float64]]:
        def score(images: Grey) -> NDArray[np.float64]:
            assert images.dtype == np.uint8
            assert images.shape[1:] == (28, 28)
            width = (images > 60).any(axis=1).sum(axis=1)
            return np.where((width < 17) == narrow, 0.999, 0.01)

        return score

    loaded = load(Image.fromarray(drawn(_touching_rings)))
    assert len(read_line(loaded, likes(narrow=True))) == 3
    assert len(read_line(loaded, likes(narrow=False))) == 2


def test_boxes_are_in_pixels_of_the_file(tmp_path: Path) -> None:
    """Of a picture that is read at a fraction of its size too."""
    page = number(6, count=4, high=200)
    image = Image.fromarray(page.pixels).resize(
        (4 * page.pixels.shape[1], 4 * page.pixels.shape[0])
    )
    image.save(tmp_path / "large.png")
    loaded = load(tmp_path / "large.png")
    assert max(loaded.pixels.shape) < max(loaded.size) == max(image.size)
    enlarged = [tuple(4 * edge for edge in box) for box in page.boxes[0]]
    assert_found(read_line(loaded), enlarged)  # type: ignore[arg-type]


@pytest.mark.parametrize(("orientation", "turn"), [(6, 90), (8, 270), (3, 180)])
def test_boxes_are_upright_after_a_turn_by_exif(orientation: int, turn: int) -> None:
    page = number(7, count=4)
    lying = Image.fromarray(page.pixels).rotate(turn, expand=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    lying.save(file, "PNG", exif=exif)
    file.seek(0)
    assert_found(read_line(load(file)), page.boxes[0])


def test_what_is_no_picture_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "no.png"
    path.write_text("no picture")
    with pytest.raises(DataError, match=r"no\.png"):
        read_line(load(path))


def sheet(
    seed: int, counts: tuple[int, ...] = (3, 1, 4, 2), high: float = 40.0
) -> page_pictures.Sheet:
    random = np.random.default_rng(seed)
    blank = np.zeros((round(1.8 * high * len(counts) + high), round(11 * high)), np.float32)
    written = page_pictures.Sheet(blank)
    for row, count in enumerate(counts):
        indices = random.integers(len(SPLIT.labels), size=count)
        left, middle = round(high * random.uniform(0.5, 1.5)), (1 + 1.8 * row) * high
        page_pictures.write(written, SPLIT, indices, left, middle, high, random)
    return written


def assert_rows(found: list[list[FoundDigit]], page: Page, least: float = 0.6) -> None:
    assert [len(row) for row in found] == [len(row) for row in page.boxes]
    for row, wanted in zip(found, page.boxes, strict=True):
        assert_found(row, wanted, least)


@pytest.mark.parametrize("degrees", [-5.0, 5.0])
def test_a_sheet_row_by_row(degrees: float) -> None:
    page = page_pictures.turned(page_of("sheet", sheet(1)), degrees, 240)
    assert_rows(read_grid(page.loaded), page, 0.55)


@pytest.mark.parametrize("degrees", [0.0, 2.0])
def test_a_printed_table(degrees: float) -> None:
    written = sheet(2, (5, 5, 5))
    image = Image.fromarray(np.zeros(written.ink.shape, np.uint8))
    pen = ImageDraw.Draw(image)
    lefts = [8, written.ink.shape[1] - 9]
    for y in (4, 76, 148, 220):
        pen.line([(lefts[0], y), (lefts[-1], y)], 255, 2)
    for x in lefts:
        pen.line([(x, 4), (x, 220)], 255, 2)
    written.ink = np.maximum(written.ink, np.asarray(image, np.float32) / 255)
    page = page_pictures.turned(page_of("squares", written), degrees, 240)
    assert_rows(read_grid(page.loaded), page, 0.55)


def test_a_sheet_of_one_row_is_a_line() -> None:
    page = number(8, count=5)
    (row,) = read_grid(page.loaded)
    assert boxes(row) == boxes(read_line(page.loaded))


def test_of_several_lines_that_with_most_ink_is_read() -> None:
    page = page_of("sheet", sheet(3, (2, 6, 1)))
    assert_found(read_line(page.loaded), page.boxes[1])


def test_a_frame_goes_and_a_stroke_across_it_stays() -> None:
    mask = np.zeros((120, 200), bool)
    mask[10:13, 10:190] = mask[107:110, 10:190] = mask[10:110, 10:13] = mask[10:110, 187:190] = True
    stroke = np.zeros_like(mask)
    stroke[60:118, 96:104] = True
    found = remove_frames(mask | stroke)
    assert not (found & ~stroke).sum() > 20  # what is left of the frame lies where it is crossed
    assert (found & stroke).sum() > 0.98 * stroke.sum()
    assert np.array_equal(remove_frames(stroke), stroke)


def _row(atoms: list[Atom], high: float) -> Row:
    return Row(atoms, np.full((1, 1), -1, np.int32), 0, 0, high, high / 8)


@pytest.mark.parametrize("seed", range(10))
def test_the_path_is_the_cheapest_of_all(seed: int) -> None:
    """Against every way to choose runs that follow one another without a gap."""
    random = np.random.default_rng(seed)
    atoms = [Atom((10 * at, 0, 10 * at + 9, 40), 200, at, 0.0) for at in range(6)]
    runs = [
        Run(a, b, 0.0) for a in range(6) for b in range(a, 6) if random.random() < 0.8 or a == b
    ]
    costs = random.uniform(0, 3, len(runs)).tolist()

    def covers(some: tuple[int, ...]) -> bool:
        follow = [at for run in some for at in range(runs[run].first, runs[run].last + 1)]
        return follow == list(range(6))

    ways = (some for size in range(1, 7) for some in combinations(range(len(runs)), size))
    best = min(sum(costs[at] for at in some) for some in ways if covers(some))
    found = cheapest_path(_row(atoms, 40), runs, costs)
    assert covers(tuple(found))
    assert sum(costs[at] for at in found) == pytest.approx(best)


@pytest.mark.parametrize("seed", range(4))
def test_what_was_not_looked_at_would_change_nothing(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs are scored when the path needs it: against scoring every one."""
    page = page_of("sheet", sheet(seed, (4, 6)))
    looked: list[int] = []

    def score(images: Grey) -> NDArray[np.floating]:
        """How a number drawn by the image itself likes it: the same whenever it is asked."""
        looked.append(len(images))
        seeds = images.astype(np.int64).sum(axis=(1, 2))
        return np.array([np.random.default_rng(one).random() for one in seeds])

    lazily = read_grid(page.loaded, score)
    few = sum(looked)

    def scoring_all(
        found: Strokes, row: Row, runs: list[Run], shapes: list[float], score: lines.Score
    ) -> tuple[list[int], dict[int, Grey]]:
        images = {at: lines._run_image(found, row, run) for at, run in enumerate(runs)}
        scores = lines._score_images(list(images.values()), score)
        costs = [
            run.cost - float(np.log(value)) + shape
            for run, value, shape in zip(runs, scores, shapes, strict=True)
        ]
        return cheapest_path(row, runs, costs), images

    monkeypatch.setattr(lines, "_cheapest_scored_path", scoring_all)
    looked.clear()
    wholly = read_grid(page.loaded, score)
    assert [boxes(row) for row in lazily] == [boxes(row) for row in wholly]
    for one, other in zip(lazily, wholly, strict=True):
        for digit, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(digit.image, same.image)
    assert few < sum(looked)


def test_runs_are_no_wider_than_a_digit_may_be() -> None:
    atoms = [Atom((50 * at, 0, 50 * at + 40, 60), 300, at, 0.0) for at in range(4)]
    found = {(run.first, run.last) for run in find_runs(_row(atoms, 60))}
    assert found == {(0, 0), (1, 1), (2, 2), (3, 3), (0, 1), (1, 2), (2, 3)}


def test_real_digits_are_read_with_the_shipped_network(mnist: Dataset) -> None:
    from mnist_edge.model_file import model_paths

    model = Classifier(model_paths.default())

    def score(images: Grey) -> NDArray[np.floating]:
        return np.asarray(model.predict(images).probabilities.max(axis=1), np.float32)

    right = total = 0
    for seed in range(4):
        random = np.random.default_rng(seed)
        page = page_of("number", page_pictures.number(mnist.test, random, 6, 50))
        found = read_line(page.loaded, score)
        assert_found(found, page.boxes[0])
        labels = model.predict(np.stack([one.image for one in found])).labels
        right += int((labels == page.labels[0]).sum())
        total += len(labels)
    assert right >= total - 2
