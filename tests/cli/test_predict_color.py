"""`predict` with a file that takes pictures in colour, of things that are no digits."""

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from mnist_edge.classifier import Classifier
from mnist_edge.image_shape import Fit, ImageShape
from mnist_edge.preprocess import Pixels, fit_image
from tests.conftest import make_card, make_color_card, write_tiny_model
from tests.helpers.cli import assert_fails, invoke
from tests.preprocess.drawing import drawing

RED, BLUE = (200, 30, 20), (10, 60, 240)
DIGITS_WORDS = re.compile(r"digit|drawn|drawing|ink\b|MNIST|28", re.IGNORECASE)


def noise(*dims: int) -> Pixels:
    return np.random.default_rng(sum(dims)).integers(0, 256, dims, np.uint8)


def objects(*args: object) -> list[dict[str, Any]]:
    return [json.loads(line) for line in invoke("predict", *args, "--json").stdout.splitlines()]


def expected(model: Path, pixels: Pixels) -> tuple[str, float]:
    """Label and probability of a picture that is fitted and nothing else."""
    classifier = Classifier(model)
    answer = classifier.predict(fit_image(pixels, classifier.shape, classifier.card.fit))
    return answer.names[0], float(answer.probabilities.max())


@pytest.mark.parametrize("fit", [Fit.PAD, Fit.CROP])
@pytest.mark.parametrize(
    "shape", [ImageShape(24, 32, 3), ImageShape(33, 21, 3), ImageShape(20, 16)]
)
def test_a_picture_is_decoded_set_upright_and_fitted(
    tmp_path: Path, fit: Fit, shape: ImageShape
) -> None:
    model = write_tiny_model(tmp_path / "things.onnx", make_color_card(shape=shape, fit=fit))
    pixels = noise(50, 90, 3)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # as a phone held upright writes it
    Image.fromarray(np.ascontiguousarray(np.rot90(pixels))).save(tmp_path / "a.png", exif=exif)
    (found,) = objects(tmp_path / "a.png", "--model", model)
    label, probability = expected(model, pixels)
    assert (found["label"], found["note"], found["error"]) == (label, None, None)
    assert found["probability"] == pytest.approx(probability, abs=1e-5)


def in_every_mode(pixels: Pixels) -> Iterator[tuple[str, Pixels, dict[str, Any]]]:
    """A file's name, the pixels that it shows, and how Pillow is told to write them."""
    picture = Image.fromarray(pixels)
    grey = picture.convert("L")
    yield "rgb.png", pixels, {"image": picture}
    yield "grey.png", np.asarray(grey), {"image": grey}
    deep = np.asarray(grey).astype(np.uint16) * 257
    yield "16-bit.png", np.asarray(grey), {"image": Image.fromarray(deep)}
    palette = picture.quantize(16)
    yield "palette.gif", np.asarray(palette.convert("RGB")), {"image": palette}
    animated = {"image": palette, "save_all": True, "append_images": [palette.rotate(180)]}
    yield "animated.gif", np.asarray(palette.convert("RGB")), animated
    cmyk = picture.convert("CMYK")
    yield "cmyk.tiff", np.asarray(cmyk.convert("RGB")), {"image": cmyk}
    # What is transparent gets the median colour of the rest, where most is opaque.
    cut_out = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    cut_out[:, :, :3], cut_out[:10, :10, 3] = RED, 0
    cut_out[:10, :10, :3] = BLUE
    yield "cut out.png", np.full_like(pixels, RED), {"image": Image.fromarray(cut_out)}


def test_every_kind_of_picture_is_read_in_colour(tiny_color_model: Path, tmp_path: Path) -> None:
    (folder := tmp_path / "pictures").mkdir()
    shown = {}
    for name, pixels, options in in_every_mode(noise(30, 40, 3)):
        options.pop("image").save(folder / name, **options)
        shown[name] = pixels
    found = objects(folder, "--model", tiny_color_model)
    assert [Path(one["file"]).name for one in found] == sorted(shown)
    for one in found:
        label, probability = expected(tiny_color_model, shown[Path(one["file"]).name])
        assert one["label"] == label, one
        assert one["probability"] == pytest.approx(probability, abs=1e-5), one
    notes = {Path(one["file"]).name: one["note"] for one in found if one["note"]}
    assert notes == {"animated.gif": "has several frames: only the first was read"}


def test_it_is_a_colour_that_the_network_sees(tmp_path: Path) -> None:
    """The saved inputs are in colour, of the file's size, and what Classifier.read gives."""
    model = write_tiny_model(tmp_path / "things.onnx", make_color_card())
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[:] = RED
    pixels[20:40] = BLUE
    Image.fromarray(pixels).save(tmp_path / "flag.png")
    (found,) = objects(tmp_path / "flag.png", "--model", model, "--save-input", tmp_path / "in")
    assert found["saved"].endswith("flag.32x24.png")
    with Image.open(found["saved"]) as image:
        assert (image.mode, image.size) == ("RGB", (32, 24))
        np.testing.assert_array_equal(image, Classifier(model).read(tmp_path / "flag.png"))
        assert [image.getpixel(at) for at in ((0, 0), (16, 12))] == [RED, BLUE]


@pytest.mark.parametrize("processes", [1, 2])
def test_arrays_are_of_the_files_own_shape(
    tiny_color_model: Path, tmp_path: Path, processes: int
) -> None:
    images = noise(30, 24, 32, 3)
    np.save(tmp_path / "a.npy", images)
    np.save(tmp_path / "one.npy", images[7])
    args = ("--model", tiny_color_model, "--workers", processes)
    found = objects(tmp_path / "a.npy", tmp_path / "one.npy", *args)
    wanted = Classifier(tiny_color_model).predict(np.concatenate([images, images[7:8]]))
    assert [one["label"] for one in found] == list(wanted.names)
    assert [Path(one["file"]).name for one in found[-2:]] == ["a.npy[29]", "one.npy"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            noise(5, 3, 24, 32),
            r"\(5, 3, 24, 32\), and uint8 \(N, 24, 32, 3\) or \(24, 32, 3\) is read: "
            r"x\.transpose\(0, 2, 3, 1\) has the channels last",
        ),
        (noise(3, 24, 32), r": x\.transpose\(1, 2, 0\) has"),
        (noise(5, 24, 32), r": numpy\.stack\(\[x\] \* 3, axis=-1\) makes RGB of grey"),
        (noise(5, 2304), ": reshape it"),
        (noise(5, 32, 32, 3), ": this file takes images of 32×24 colour"),
        (noise(5, 24, 32, 3) / 255, r": save \(255 \* x\)\.round\(\)\.astype\(numpy\.uint8\)$"),
        (noise(5, 24, 32, 3)[:0], ": is an array without pictures"),
    ],
)
def test_another_array_is_one_line(
    tiny_color_model: Path, tmp_path: Path, values: Any, said: str
) -> None:
    np.save(path := tmp_path / "a.npy", values)
    result = invoke("predict", path, "--model", tiny_color_model)
    assert_fails(result, said)
    assert not DIGITS_WORDS.search(result.stderr.replace(str(path), ""))


@pytest.mark.parametrize("option", ["--line", "--grid"])
@pytest.mark.parametrize("dataset", ["folder:things", "folder:letters"])
def test_only_a_file_of_digits_cuts_pictures_into_digits(
    tmp_path: Path, option: str, dataset: str
) -> None:
    """Files of a folder's grey pictures, of before there was a choice, do not either."""
    card = make_color_card() if dataset == "folder:things" else make_card(dataset=dataset)
    model = write_tiny_model(tmp_path / "a.onnx", card)
    result = invoke("predict", "a.png", "--model", model, option)
    assert_fails(result, f"{option} cuts .*a\\.onnx takes pictures whole: leave it out", code=2)


def test_no_word_of_digits_is_said(tiny_color_model: Path, tmp_path: Path) -> None:
    """Of what would be a blank page, several digits, or too small for one."""
    (folder := tmp_path / "pictures").mkdir()
    several = np.concatenate([drawing(text, 240, 20) for text in "427"], axis=1)
    for name, pixels in {
        "blank.png": np.full((80, 90), 240, np.uint8),
        "several.png": several,
        "tiny.png": np.zeros((3, 5), np.uint8),
        "digit.gif": drawing("7"),
    }.items():
        Image.fromarray(pixels).save(folder / name)
    (folder / "broken.jpg").write_bytes(b"milk, eggs")
    said = []
    for options in ((), ("--json",), ("--csv",), ("--show",), ("--threshold", 0.999999)):
        result = invoke("predict", folder, "--model", tiny_color_model, *options)
        assert result.exit_code == 1
        said += [result.stdout, result.stderr]
    text = "".join(said).replace(str(folder), "").replace("digit.gif", "")
    text = text.replace(str(tiny_color_model), "")
    # Numbers may have any figures.
    assert not DIGITS_WORDS.search(re.sub(r"[0-9.]+", "", text)), text
    assert "3 pixels are too few" in text


def test_things_in_mnists_form_that_are_no_digits_are_called_characters(tmp_path: Path) -> None:
    card = make_card(dataset="kmnist", classes=("o", "ki", "su"))
    model = write_tiny_model(tmp_path / "kana.onnx", card)
    several = np.concatenate([drawing(text, 240, 20) for text in "427"], axis=1)
    Image.fromarray(several).save(path := tmp_path / "a.png")
    (found,) = objects(path, "--model", model)
    assert re.fullmatch(r"several characters \(\d+\) are here: --line or --grid", found["note"])
    assert re.search(r"\d+ characters? in \d+ row", invoke(
        "predict", path, "--model", model, "--grid"
    ).stdout)  # fmt: skip


def test_a_table_has_the_same_columns_as_of_digits(
    tiny_model: Path, tiny_color_model: Path, tmp_path: Path
) -> None:
    Image.fromarray(noise(30, 40, 3)).save(path := tmp_path / "a.png")
    keys, columns = [], []
    for model in (tiny_model, tiny_color_model):
        (found,) = objects(path, "--model", model)
        keys.append(list(found))
        table = invoke("predict", path, "--model", model, "--csv").stdout
        columns.append(next(csv.reader(io.StringIO(table, newline=""))))
    assert keys[0] == keys[1]
    assert columns[0] == columns[1]


@pytest.mark.parametrize(
    ("shape", "classes", "lines", "beside"),
    [
        (ImageShape(24, 32, 3), ("cat", "ship"), 12, True),
        (ImageShape(33, 21, 3), ("cat", "ship"), 17, True),
        (ImageShape(64, 64, 3), ("cat", "ship"), 32 + 3, False),  # the bars are below
        (ImageShape(96, 96, 3), ("cat", "ship"), 24, True),  # at half its size
        (
            ImageShape(32, 32),
            ("cat", "a ship whose name has many letters"),
            16 + 3,
            False,
        ),
    ],
)
def test_show_fits_the_screen(
    tmp_path: Path, shape: ImageShape, classes: tuple[str, str], lines: int, beside: bool
) -> None:
    card = make_color_card(shape=shape, classes=classes)
    model = write_tiny_model(tmp_path / "things.onnx", card)
    Image.fromarray(noise(70, 70, 3)).save(path := tmp_path / "a.png")
    text = invoke("predict", path, "--model", model, "--show").stdout
    _, first, *drawn = text.splitlines()
    assert (first, drawn.pop()) == ("", "")
    assert len(drawn) == lines
    assert all(len(line) <= 80 for line in drawn)
    bars = [line for line in drawn if "%" in line[-1:]]
    assert len(bars) == 2
    assert {len(bar) for bar in bars} == {len(bars[0])}
    assert (len(bars[0].split()[0]) > 10) == beside  # a row of pixels goes before
