"""What cannot be read is a value among the readings, in its place, and becomes one line."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnist_edge.classifier import Classifier
from mnist_edge.predict import Detector, Failure, MultiDigit, Reading, SingleDigit, find, read
from mnist_edge.predict.results import NOT_A_NUMBER, Answers, Page, to_readings
from mnist_edge.preprocess import render_digits


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A digit, a file that is no picture, and an empty one."""
    Image.fromarray(255 - render_digits(1)[0]).resize((200, 200)).save(tmp_path / "1.png")
    (tmp_path / "2.png").write_text("no picture")
    (tmp_path / "3.png").touch()
    return tmp_path


def detector(model: Classifier, several: bool) -> Detector:
    return MultiDigit(model, on_one_line=False) if several else SingleDigit()


@pytest.mark.parametrize("several", [False, True], ids=["one digit", "a sheet"])
def test_what_cannot_be_read_stands_in_its_place(
    tiny_model: Path, pictures: Path, several: bool
) -> None:
    model = Classifier(tiny_model)
    sources = find([str(pictures), "gone.png", "https://example.org/3.png"])
    found = [
        reading for some in read(model, sources, detector(model, several), 0.0) for reading in some
    ]
    assert [reading.failure is None for reading in found] == [True, *[False] * 4]
    assert [reading.error for reading in found[2:]] == [
        f"{pictures / '3.png'}: is empty",
        "gone.png: there is no such picture",
        "https://example.org/3.png: is an address: download the picture, and name the file",
    ]
    for reading in found[1:]:
        assert (reading.rows, reading.note) == ((), None)
        assert isinstance(reading.failure, Failure)
        assert reading.error
        assert reading.error.startswith(f"{reading.file}: ")


def test_a_page_that_no_digits_are_found_in_names_its_file(
    tiny_model: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The detector does not know how a picture is called; the reader does."""
    failure = Failure("no page of digits", "cut it")
    monkeypatch.setattr(MultiDigit, "_detect", lambda *_: (failure, []))
    model = Classifier(tiny_model)
    ((reading,),) = read(model, find([str(pictures / "1.png")]), detector(model, several=True), 0.0)
    assert reading.failure == failure._replace(file=str(pictures / "1.png"))
    assert reading.error == f"{pictures / '1.png'}: no page of digits: cut it"


def test_an_answer_that_is_no_number_is_a_failure_of_that_picture_only() -> None:
    probabilities = np.array([[0.75, 0.25], [np.nan, np.nan]], np.float32)
    pages = [Page(((None,),)), Page(((None,),))]
    answers = Answers(pages, np.zeros((2, 28, 28), np.uint8), probabilities)
    first, second = to_readings(["a", "b"], answers, ["no", "yes"], 0.0)
    assert first.failure is None
    assert second == Reading("b", failure=NOT_A_NUMBER)
