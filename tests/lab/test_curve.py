import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mnist_edge.errors import EdgeError
from mnist_edge.lab import curve
from mnist_edge.lab.reproduce import curves
from mnist_edge.lab.reproduce.depth import Errors


def history(*wrong: int, total: int = 100) -> list[dict[str, Any]]:
    return [
        {
            "epoch": at + 1,
            "loss": 1 / (at + 1),
            "validation_correct": total - errors,
            "validation_total": total,
        }
        for at, errors in enumerate(wrong)
    ]


@pytest.mark.parametrize("wrong", [(90, 40, 9, 3), (5,), (0,), (0, 0, 0), (100, 50, 0), (3, 3)])
def test_draws_a_picture_of_every_history(tmp_path: Path, wrong: tuple[int, ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        curve.draw(tmp_path / "curve.png", history(*wrong), "edge on digits")
    with Image.open(tmp_path / "curve.png") as image:
        assert image.format == "PNG"
        grey = np.asarray(image.convert("L"))
    assert grey.shape[1] > 600
    assert np.ptp(grey) > 200


@pytest.mark.parametrize("name", ["a$\\frac{$", "$x$", "\\alpha", "\U0001f600 木", "a\nb"])
def test_a_name_is_drawn_as_it_is(tmp_path: Path, name: str) -> None:
    """A data set is named after its folder, which may have any name."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        curve.draw(tmp_path / "curve.png", history(3), f"edge on {name}")
        errors = {f"plain{depth}": Errors((0.2,), (0.1,)) for depth in (20, 56)}
        assert curves.draw(errors, f"on {name}").startswith(b"\x89PNG")


def test_what_is_drawn_depends_on_the_numbers(tmp_path: Path) -> None:
    contents = set()
    for wrong in ((50, 10), (50, 20), (50, 20, 1)):
        curve.draw(tmp_path / "curve.png", history(*wrong), "edge on digits")
        contents.add((tmp_path / "curve.png").read_bytes())
    assert len(contents) == 3


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EdgeError, match=r"cannot write .*file"):
        curve.draw(tmp_path / "file" / "curve.png", history(1), "x")
