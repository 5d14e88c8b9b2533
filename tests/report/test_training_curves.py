import io
import warnings
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mnist_edge.experiment_results import ErrorCurves
from mnist_edge.report.training_curves import plot_depths, plot_run

NETWORKS = ("plain20", "plain56", "resnet20", "resnet56")


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
def test_draws_a_picture_of_every_history(wrong: tuple[int, ...]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = plot_run(history(*wrong), "edge on digits")
    with Image.open(io.BytesIO(drawn)) as image:
        assert image.format == "PNG"
        grey = np.asarray(image.convert("L"))
    assert grey.shape[1] > 600
    assert np.ptp(grey) > 200


@pytest.mark.parametrize("name", ["a$\\frac{$", "$x$", "\\alpha", "\U0001f600 木", "a\nb"])
def test_a_name_is_drawn_as_it_is(name: str) -> None:
    """A data set is named after its folder, which may have any name."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert plot_run(history(3), f"edge on {name}").startswith(b"\x89PNG")
        errors = {f"plain{depth}": ErrorCurves((0.2,), (0.1,)) for depth in (20, 56)}
        assert plot_depths(errors, f"on {name}").startswith(b"\x89PNG")


def test_what_is_drawn_depends_on_the_numbers() -> None:
    histories = ((50, 10), (50, 20), (50, 20, 1))
    assert len({plot_run(history(*wrong), "edge on digits") for wrong in histories}) == 3


@pytest.mark.parametrize("names", [NETWORKS, ("plain20",), ("resnet56", "resnet20")])
def test_depths_are_drawn_of_what_there_is(names: tuple[str, ...]) -> None:
    errors = {name: ErrorCurves((0.5, 0.1, 0.0), (0.4, 0.2, 0.01)) for name in names}
    with Image.open(io.BytesIO(plot_depths(errors, "digits"))) as image:
        assert image.format == "PNG"
        left, right = np.array_split(np.asarray(image.convert("RGB")).astype(int), 2, axis=1)
    coloured = [np.ptp(half, axis=2).max() > 100 for half in (left, right)]
    assert coloured == [any(n.startswith(kind) for n in names) for kind in ("plain", "resnet")]
