import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mnist_edge.classifier import Classifier
from mnist_edge.errors import GoldenError, ModelError
from mnist_edge.model_file import golden
from mnist_edge.model_file.golden import GENERATOR, Golden, GoldenCheck
from tests.conftest import make_card, write_golden_model, write_tiny_model

Images = NDArray[np.uint8]
Logits = NDArray[np.float32]


def linear(images: Images) -> Logits:
    """Ten logits of each image, some of which are not round numbers."""
    weights = np.random.default_rng(0).normal(0, 1e-3, (784, 10)).astype(np.float32)
    # One by one, so that the sums have the same order however many there are.
    return np.stack([image.reshape(-1).astype(np.float32) @ weights for image in images])


def test_the_inputs_are_what_they_have_always_been() -> None:
    """Files that are out there carry this hash, and other clients draw the same."""
    images = golden.inputs()
    assert images.dtype == np.uint8
    assert images.shape == (8, 28, 28)
    assert hashlib.sha256(images.tobytes()).hexdigest() == (
        "e8b192d4e8e2f09e3674d6514261e3cbd1800a1fd291faf503385c87b869cff5"
    )


def test_the_inputs_reach_the_extremes_and_look_like_strokes() -> None:
    blank, full, noise, *strokes = golden.inputs()
    assert blank.max() == 0
    assert full.min() == 255
    assert len(np.unique(noise)) > 200
    for image in strokes:
        assert set(np.unique(image)) == {0, 144, 255}
        assert 0.03 < (image > 0).mean() < 0.5
        assert image[[0, 1, -1, -2]].max() == image[:, [0, 1, -1, -2]].max() == 0
    assert len({image.tobytes() for image in strokes}) == 5


def test_noise_is_marsaglias_xorshift() -> None:
    """Written once more, in another way, from the paper."""
    state, expected = np.uint64(2463534242 + 2), []
    for _ in range(784):
        for shift in (13, -17, 5):
            moved = state << np.uint64(shift) if shift > 0 else state >> np.uint64(-shift)
            state = (state ^ moved) & np.uint64(0xFFFFFFFF)
        expected.append(int(state) >> 24)
    assert golden.inputs()[2].ravel().tolist() == expected


@pytest.mark.parametrize("int8", [False, True])
def test_the_same_answers_pass(int8: bool) -> None:
    made = golden.compute(linear, int8)
    found = golden.check(made, linear)
    assert found.passed
    assert (found.images, found.changed, found.max_logit_difference) == (8, 0, 0)
    assert found.tolerance == made.tolerance > 0
    assert str(found).startswith("8 of 8 as where it was made")


def test_they_travel_as_short_json_and_come_back_the_same() -> None:
    made = golden.compute(linear, int8=True)
    text = made.to_json()
    assert len(text) < 1500
    back = Golden.from_json(text)
    assert golden.check(back, linear).max_logit_difference == 0
    assert back.tolerance == pytest.approx(made.tolerance, rel=0.01)
    assert json.loads(text)["generator"] == GENERATOR
    assert Golden.from_json(back.to_json()) == back


def test_an_int8_file_may_be_off_by_four_quanta_and_a_float_file_by_rounding() -> None:
    logits = linear(golden.inputs())
    assert golden.compute(linear, int8=True).tolerance == pytest.approx(
        4 * np.ptp(logits) / 255, rel=0.01
    )
    assert golden.compute(linear, int8=False).tolerance == pytest.approx(
        1e-4 * max(1, np.abs(logits).max()), rel=0.01
    )
    assert golden.compute(lambda images: linear(images) * 0, False).tolerance == 1e-4


@pytest.mark.parametrize(("share", "changed"), [(0.9, 0), (1.1, 1)])
def test_one_logit_of_one_image_is_enough_to_fail(share: float, changed: int) -> None:
    made = golden.compute(linear, int8=True)

    def off(images: Images) -> Logits:
        answers = linear(images)
        fifth = (images == golden.inputs()[5]).all(axis=(1, 2))
        answers[fifth, 3] += share * made.tolerance
        return answers

    found = golden.check(made, off)
    assert (found.changed, found.passed) == (changed, not changed)
    assert found.max_logit_difference == pytest.approx(share * made.tolerance, rel=1e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_never_passes(value: float) -> None:
    found = golden.check(
        golden.compute(linear, True), lambda images: np.full_like(linear(images), value)
    )
    assert not found.passed
    assert str(found).startswith("8 of 8 golden answers changed")


def test_a_failed_check_says_by_how_much() -> None:
    assert str(GoldenCheck(8, 2, 3.4, 0.2, 1.0)) == (
        "2 of 8 golden answers changed, max |Δlogit| 3.4 (tolerance 0.2)"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"generator": "dice-7"}, "to inputs of 'dice-7', which this version does not know"),
        ({"sha256": "0" * 64}, "to other inputs than"),
        ({"logits": ((1.0, 2.0),), "tolerance": 0.0}, r"are \(1, 2\), it answers \(8, 10\)"),
    ],
)
def test_what_cannot_be_checked_is_an_error(changes: dict[str, object], message: str) -> None:
    made = replace(golden.compute(linear, True), **changes)  # type: ignore[arg-type]
    with pytest.raises(GoldenError, match=message):
        golden.check(made, linear)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "null", '{"generator": "x", "sha256": "y", "tolerance": 1}', "NaN"],
)
def test_a_damaged_entry_is_refused_with_the_file(text: str) -> None:
    metadata = make_card().to_metadata() | {"mnist_edge.golden": text}
    with pytest.raises(ModelError, match=r"metadata mnist_edge\.golden cannot be read"):
        type(make_card()).from_metadata(metadata)


@pytest.mark.parametrize(
    "logits", [((1.0,), (1.0, 2.0)), ((float("nan"),),), ((float("inf"), 1.0),), (), (1.0,)]
)
def test_golden_answers_are_finite_and_have_a_shape(logits: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        Golden("x", "y", 0.1, logits)  # type: ignore[arg-type]


def test_a_card_carries_them_through_the_metadata() -> None:
    card = make_card(golden=Golden.from_json(golden.compute(linear, False).to_json()))
    assert type(card).from_metadata(card.to_metadata()) == card
    assert make_card().golden is None
    assert "mnist_edge.golden" not in make_card().to_metadata()


def test_a_classifier_checks_itself(tmp_path: Path) -> None:
    found = Classifier(write_golden_model(tmp_path / "a.onnx")).check()
    assert found is not None
    assert found.passed
    assert Classifier(write_tiny_model(tmp_path / "b.onnx")).check() is None


@pytest.mark.parametrize(
    ("precision", "advice"),
    [("fp32", "the file is damaged, or"), ("int8", "its int8 sums may saturate on this CPU")],
)
def test_a_classifier_that_computes_something_else_says_so(
    tmp_path: Path, precision: str, advice: str
) -> None:
    model = Classifier(write_golden_model(tmp_path / "a.onnx", 1.0, precision=precision))
    with pytest.raises(
        GoldenError, match=r"1 of 8 golden answers changed, max \|Δlogit\| 1 .*"
    ) as e:
        model.check()
    assert str(e.value).startswith(f"{tmp_path / 'a.onnx'} does not compute here what")
    assert advice in str(e.value)


def test_a_classifier_that_cannot_be_checked_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    own = replace(golden.compute(linear, False), generator="dice-7")
    with pytest.raises(GoldenError, match=r"a\.onnx cannot be checked: .*dice-7"):
        Classifier(write_tiny_model(path, make_card(golden=own))).check()
