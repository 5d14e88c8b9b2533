from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from scipy.special import softmax
from sklearn.metrics import confusion_matrix

from mnist_edge.classifier import Classifier, in_chunks
from mnist_edge.datasets import Outliers, Split
from mnist_edge.errors import GateCheck, GateError, ModelError
from mnist_edge.lab.export.gate import (
    Answers,
    Portability,
    check_drop,
    check_equal,
    check_portable,
    compare,
    measure_portability,
)
from mnist_edge.model_file.reader import ModelFile
from mnist_edge.rejection import Rejection
from tests.conftest import make_card, write_tiny_model
from tests.helpers.exports import verification

Floats = NDArray[np.float32]


def by_hand(path: Path, images: NDArray[np.uint8]) -> Floats:
    """What the tiny linear model computes, by numpy alone."""
    (weights,) = (
        numpy_helper.to_array(tensor)
        for tensor in onnx.load(path).graph.initializer
        if tensor.name == "weights"
    )
    answer: Floats = images.reshape(len(images), -1).astype(np.float32) @ weights
    return answer


def answers_of(path: Path, test: Split) -> Answers:
    return Answers.of(ModelFile.read(path), test)


def test_the_same_function_passes(tiny_model: Path, random_split: Split) -> None:
    original = by_hand(tiny_model, random_split.images)
    result = compare(original, answers_of(tiny_model, random_split), random_split)
    check_equal(result, "tiny.onnx")
    assert result.agreement.changed == 0
    assert result.original == result.exported
    assert result.exported.total == 200
    assert result.exported.correct == (original.argmax(axis=1) == random_split.labels).sum()
    assert result.largest_logit == pytest.approx(np.abs(original).max())


def test_images_of_no_class_are_wrong_however_they_are_answered(
    tiny_model: Path, random_split: Split
) -> None:
    """In the threshold, and counted by it on the test images of both."""
    file, validation = ModelFile.read(tiny_model), random_split[slice(0, 60)]
    strange = random_split.images[60:] // 4
    outliers = Outliers(strange[:0], strange[:40], strange[40:])
    alone = Answers.of(file, random_split, validation)
    assert alone.rejection is None
    right = by_hand(tiny_model, validation.images).argmax(axis=1)
    easy = Split(validation.images, right)
    found = Answers.of(file, random_split, easy, outliers=outliers)
    known, unknown = (
        softmax(by_hand(tiny_model, images), axis=1).max(axis=1)
        for images in (easy.images, outliers.validation)
    )
    surest = unknown.max()
    assert found.threshold is not None
    assert found.threshold.total == 100
    assert found.threshold.value == pytest.approx(known[known > surest].min(), rel=1e-5)
    tops = [
        softmax(by_hand(tiny_model, images), axis=1).max(axis=1)
        for images in (outliers.test, random_split.images)
    ]
    counts = [int((top < found.threshold.value).sum()) for top in tops]
    assert found.rejection == Rejection(counts[0], len(tops[0]), counts[1], len(tops[1]))
    surer = Outliers(strange, easy.images, strange)  # than all others: no threshold tells them
    without = Answers.of(file, random_split, easy).threshold
    assert without is not None
    assert without.value == pytest.approx(known.min(), rel=1e-5)
    assert Answers.of(file, random_split, easy, outliers=surer).threshold == without


def test_the_answers_are_counted_by_label(tiny_model: Path, random_split: Split) -> None:
    answers = by_hand(tiny_model, random_split.images).argmax(axis=1)
    found = Answers.of(ModelFile.read(tiny_model), random_split).confusion
    expected = confusion_matrix(random_split.labels, answers, labels=range(10))
    assert found == tuple(map(tuple, expected.tolist()))


def test_very_many_classes_are_not_counted(tmp_path: Path, random_split: Split) -> None:
    for count, counted in ((100, True), (101, False)):
        card = make_card(classes=tuple(map(str, range(count))))
        path = write_tiny_model(tmp_path / f"{count}.onnx", card)
        assert (Answers.of(ModelFile.read(path), random_split).confusion is not None) is counted


def test_more_images_than_a_chunk_are_all_compared(tiny_model: Path, random_split: Split) -> None:
    many = Split(random_split.images.repeat(6, axis=0), random_split.labels.repeat(6))
    original = by_hand(tiny_model, many.images)
    original[-1] += 5
    result = compare(original, answers_of(tiny_model, many), many)
    assert result.exported.total == 1200
    assert result.max_logit_difference == pytest.approx(5, rel=1e-3)


def test_one_changed_answer_does_not_pass(tiny_model: Path, random_split: Split) -> None:
    original = by_hand(tiny_model, random_split.images)
    top = original[7].argmax()
    original[7, (top + 1) % 10] = original[7, top] + 1e-6
    result = compare(original, answers_of(tiny_model, random_split), random_split)
    assert result.agreement.changed == 1
    with pytest.raises(GateError, match=r"tiny.onnx does not compute .* 1 of 200 answers changed"):
        check_equal(result, "tiny.onnx")


def test_a_difference_above_rounding_does_not_pass(tiny_model: Path, random_split: Split) -> None:
    original = by_hand(tiny_model, random_split.images)
    shifted = original + np.float32(0.01)  # no answer changes
    result = compare(shifted, answers_of(tiny_model, random_split), random_split)
    assert result.agreement.changed == 0
    with pytest.raises(GateError, match=r"0 of 200 answers changed, max \|Δlogit\| 0\.01 \(limit"):
        check_equal(result, "tiny.onnx")


def test_what_rounds_more_coarsely_is_measured_by_its_largest_logit(
    tiny_model: Path, random_split: Split
) -> None:
    result = compare(
        by_hand(tiny_model, random_split.images), answers_of(tiny_model, random_split), random_split
    )
    check_equal(replace(result, max_logit_difference=0.009, largest_logit=100.0), "x")
    with pytest.raises(GateError):
        check_equal(replace(result, max_logit_difference=0.011, largest_logit=100.0), "x")
    with pytest.raises(GateError):
        check_equal(replace(result, max_logit_difference=0.00011, largest_logit=0.01), "x")


def test_a_nan_in_the_original_does_not_pass(tiny_model: Path, random_split: Split) -> None:
    original = by_hand(tiny_model, random_split.images)
    original[3, original[3].argmin()] = np.nan
    with pytest.raises(GateError, match="nan"):
        check_equal(
            compare(original, answers_of(tiny_model, random_split), random_split), "tiny.onnx"
        )


def test_a_file_that_gives_nan_does_not_pass(tiny_model: Path, random_split: Split) -> None:
    original = by_hand(tiny_model, random_split.images)
    model = onnx.load(tiny_model)
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "weights")
    values = numpy_helper.to_array(weights).copy()
    values[0, 0] = np.nan
    weights.CopyFrom(numpy_helper.from_array(values, "weights"))
    onnx.save(model, tiny_model)
    with pytest.raises(GateError):
        check_equal(
            compare(original, answers_of(tiny_model, random_split), random_split), "tiny.onnx"
        )


def test_a_file_that_fails_on_single_images_does_not_pass(
    tiny_model: Path, random_split: Split
) -> None:
    # logits * (N - 1) / (N - 1): the same for a batch, NaN for one image.
    original, model = by_hand(tiny_model, random_split.images), onnx.load(tiny_model)
    graph = model.graph
    graph.node[-1].output[0] = "right"
    graph.initializer.append(numpy_helper.from_array(np.ones(1, np.float32), "one"))
    graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.int64), "first"))
    graph.node.extend(
        [
            helper.make_node("Shape", ["image"], ["shape_of"]),
            helper.make_node("Gather", ["shape_of", "first"], ["count"]),
            helper.make_node("Cast", ["count"], ["floats"], to=1),
            helper.make_node("Sub", ["floats", "one"], ["others"]),
            helper.make_node("Mul", ["right", "others"], ["more"]),
            helper.make_node("Div", ["more", "others"], ["logits"]),
        ]
    )
    onnx.save(model, tiny_model)
    with pytest.raises(GateError, match=r"tiny\.onnx is not fit to ship: .* 1 at a time"):
        compare(original, answers_of(tiny_model, random_split), random_split)


def test_a_file_that_does_not_open_is_no_match(tmp_path: Path, random_split: Split) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match="is not an ONNX file"):
        ModelFile.read(tmp_path / "broken.onnx")


def test_probabilities_are_compared_too(tiny_model: Path, random_split: Split) -> None:
    exported = by_hand(tiny_model, random_split.images)
    original = exported + np.random.default_rng(0).normal(0, 1, exported.shape).astype(np.float32)
    distance = np.abs(softmax(original, axis=1) - softmax(exported, axis=1))
    found = compare(original, answers_of(tiny_model, random_split), random_split).shift
    assert found.mean == pytest.approx(distance.mean(), rel=1e-3)
    assert found.most == pytest.approx(distance.max(), rel=1e-3)


@pytest.mark.parametrize("count", [1, 499, 500, 501, 1001])
def test_any_number_of_images_is_answered(tiny_model: Path, count: int) -> None:
    images = np.random.default_rng(count).integers(0, 256, (count, 28, 28), np.uint8)
    found = in_chunks(Classifier(tiny_model).logits, images)
    np.testing.assert_allclose(found, by_hand(tiny_model, images), atol=1e-3)


# What a quantized file may lose.


@pytest.mark.parametrize(
    ("lost", "total", "max_drop", "passes"),
    [
        (10, 10000, 0.10, True),
        (11, 10000, 0.10, False),
        (-50, 10000, 0.10, True),
        (0, 10000, 0.0, True),
        (1, 10000, 0.0, False),
        (0, 382, 0.10, True),
        (1, 382, 0.10, False),  # one image of so few is 0.26 points
        (1, 382, 0.27, True),
        (100, 100, 100.0, True),
    ],
)
def test_the_boundary_is_the_last_drop_that_passes(
    lost: int, total: int, max_drop: float, passes: bool
) -> None:
    before = total if lost > 0 else total - 100
    found = verification(before, before - lost, total)
    assert found.drop == pytest.approx(100 * lost / total)
    if passes:
        check_drop(found, "x.onnx", max_drop)
        return
    with pytest.raises(GateError):
        check_drop(found, "x.onnx", max_drop)


@pytest.mark.parametrize("total", [1000, 10000])
def test_no_boundary_is_missed_by_rounding(total: int) -> None:
    for images in range(1, 200):
        max_drop = images * 100 / total
        check_drop(verification(total, total - images, total), "x.onnx", max_drop)
        with pytest.raises(GateError):
            check_drop(verification(total, total - images - 1, total), "x.onnx", max_drop)


def test_what_failed_stands_in_fields() -> None:
    with pytest.raises(GateError) as caught:
        check_drop(verification(9965, 9950), "x.onnx", 0.10)
    error = caught.value
    assert (error.file, error.check, error.limit) == ("x.onnx", GateCheck.ACCURACY_DROP, 0.10)
    assert error.found == pytest.approx(0.15)
    assert error.reason == (
        "has 99.50%, its original 99.65%: it lost 0.15 points (15 of 10,000 images)"
    )
    assert str(error) == f"x.onnx {error.reason}"
    with pytest.raises(GateError) as caught:
        check_equal(verification(9965, 9960, logits=0.25), "y.onnx")
    error = caught.value
    assert (error.file, error.check, error.found) == ("y.onnx", GateCheck.EQUALITY, 0.25)
    assert error.limit == pytest.approx(1e-4 * 20)
    assert error.changed == 13


@pytest.mark.parametrize("logits", [float("nan"), float("inf")])
def test_an_accuracy_from_logits_that_are_no_numbers_does_not_pass(logits: float) -> None:
    with pytest.raises(GateError):
        check_drop(verification(9965, 9965, logits=logits), "x.onnx", 100.0)


def test_a_file_that_gives_nan_does_not_pass_as_int8_either(
    tiny_model: Path, random_split: Split
) -> None:
    original = by_hand(tiny_model, random_split.images)
    original[3, original[3].argmin()] = np.nan
    with pytest.raises(GateError):
        check_drop(
            compare(original, answers_of(tiny_model, random_split), random_split),
            "tiny.onnx",
            100.0,
        )


# What computes the same on every CPU.

PORTABLE = Portability(widest_pair=128, images=1000, changed=0, max_logit_difference=0.2, quantum=1)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"widest_pair": 0},
        {"max_logit_difference": 0.0},
        {"max_logit_difference": 4.0},
        {"changed": 2},  # near ties, which rounding decides
    ],
)
def test_what_is_portable_passes(changes: dict[str, float]) -> None:
    check_portable(replace(PORTABLE, **changes), "x.onnx")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"widest_pair": 129},
            "x.onnx would saturate on CPUs without VNNI: two of its weights add up to 129, more "
            "than 128$",
        ),
        (
            {"changed": 3},
            r"x.onnx does not compute here what its float reference computes: 3 of 1,000 answers "
            r"differ, max \|Δlogit\| 0.2 \(limit 4\)$",
        ),
        ({"max_logit_difference": 4.1}, r"0 of 1,000 answers differ, max \|Δlogit\| 4.1 \(limit 4"),
        ({"max_logit_difference": float("nan")}, "nan"),
        ({"quantum": float("nan")}, "nan"),
    ],
)
def test_what_is_not_portable_is_told_apart(changes: dict[str, float], message: str) -> None:
    with pytest.raises(GateError, match=message):
        check_portable(replace(PORTABLE, **changes), "x.onnx")  # type: ignore[arg-type]


def test_a_float_file_is_its_own_reference(tiny_model: Path, random_split: Split) -> None:
    found = measure_portability(ModelFile.read(tiny_model), random_split.images)
    logits = by_hand(tiny_model, random_split.images)
    assert (found.widest_pair, found.images, found.changed) == (0, 200, 0)
    assert found.max_logit_difference < 1e-4 * np.abs(logits).max()
    assert found.quantum == pytest.approx((logits.max() - logits.min()) / 255, rel=1e-4)


def test_a_thousand_images_are_enough(tiny_model: Path, random_split: Split) -> None:
    many = random_split.images.repeat(6, axis=0)
    many[1000:] = 255  # would widen the range of the logits
    found = measure_portability(ModelFile.read(tiny_model), many)
    assert found.images == 1000
    assert found == measure_portability(ModelFile.read(tiny_model), many[:1000])
