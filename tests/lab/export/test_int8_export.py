import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray

from mnist_edge.classifier import Classifier
from mnist_edge.datasets import Dataset, Split
from mnist_edge.errors import EdgeError, GateError, ModelError
from mnist_edge.files import sha256
from mnist_edge.lab.export import pipeline as lab
from mnist_edge.lab.export.candidate import (
    Candidate,
    OnnxModel,
    with_metadata,
    without_metadata,
)
from mnist_edge.lab.export.finetune import Finetuning
from mnist_edge.lab.export.gate import Portability, check
from mnist_edge.lab.export.inputs import ExportInputs, Original, open_fp32, open_original
from mnist_edge.lab.export.int8_plan import Int8Plan, calibration_images
from mnist_edge.lab.training.checkpoint import CHECKPOINT, load_checkpoint
from mnist_edge.lab.training.models import build
from mnist_edge.metrics import Accuracy, fit_threshold
from tests.conftest import make_card, write_tiny_model
from tests.helpers.exports import INT8_GATE, int8_candidate, to_onnx_once, verification
from tests.lab.conftest import settled, solved

# Calibration images.


def noise(count: int, seed: int) -> Split:
    """Images of which no two are alike."""
    images = np.random.default_rng(seed).integers(0, 256, (count, 28, 28), np.uint8)
    return Split(images, np.arange(count, dtype=np.int64) % 10)


@pytest.fixture(scope="module")
def noisy() -> Dataset:
    return Dataset("noise", tuple("0123456789"), noise(700, 1), noise(300, 2), "here")


def rows(images: NDArray[np.uint8]) -> set[bytes]:
    return {image.tobytes() for image in images}


def test_calibration_sees_nothing_but_the_training_split(noisy: Dataset) -> None:
    training, validation = noisy.training, noisy.validation
    seen = rows(calibration_images(noisy, len(training), 0))
    assert seen == rows(training.images)
    assert not seen & rows(validation.images)
    assert not seen & rows(noisy.test.images)


@pytest.mark.parametrize(
    ("total", "asked", "count"), [(700, None, 512), (100, None, 90), (700, 1, 1), (700, 64, 64)]
)
def test_as_many_different_images_as_were_asked_for(
    noisy: Dataset, total: int, asked: int | None, count: int
) -> None:
    data = replace(noisy, train=noisy.train[slice(0, total)])
    found = calibration_images(data, asked, 0)
    assert found.shape == (count, 28, 28)
    assert found.dtype == np.uint8
    assert len(rows(found)) == count


def test_a_seed_gives_the_same_images_and_another_one_others(noisy: Dataset) -> None:
    first = calibration_images(noisy, 64, 3)
    np.testing.assert_array_equal(first, calibration_images(noisy, 64, 3))
    assert rows(first) != rows(calibration_images(noisy, 64, 4))


def test_more_images_than_there_are_is_an_error_with_both_numbers(noisy: Dataset) -> None:
    assert len(calibration_images(noisy, 630, 0)) == 630
    with pytest.raises(
        EdgeError,
        match="the training split of noise has 630 images, fewer than the 1,631 to calibrate on: "
        "ask for fewer with --calibration-images",
    ):
        calibration_images(noisy, 1631, 0)


# Plans.


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"method": "kl"}, "no calibration 'kl': choose one of minmax, entropy, percentile"),
        ({"images": 0}, "0 images cannot calibrate"),
        ({"images": -5}, "-5 images cannot calibrate"),
        ({"max_drop": -0.1}, "--max-drop is in percentage points, 0 to 100, not -0.1"),
        ({"max_drop": 100.5}, "not 100.5"),
        ({"max_drop": float("nan")}, "not nan"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(EdgeError, match=message):
        Int8Plan(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("max_drop", [0.0, 100.0])
def test_a_plan_may_forbid_or_allow_everything(max_drop: float) -> None:
    assert Int8Plan(max_drop=max_drop).max_drop == max_drop


# From an fp32 file to a draft.


@pytest.fixture(scope="module")
def original(trained: Path, digits: Dataset) -> Original:
    return open_original(trained, load_checkpoint(trained), digits)


@pytest.fixture(scope="module")
def fp32(original: Original, digits: Dataset) -> Candidate:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lab, "to_onnx", to_onnx_once)
        made = lab.export(ExportInputs(digits, original), None)
    assert made.refused is None
    (candidate,) = made.candidates
    return candidate


def quantized(
    fp32: OnnxModel, data: Dataset, plan: Int8Plan, original: Original | None
) -> Candidate:
    return lab.int8_candidate(fp32, ExportInputs(data, original), plan)


@pytest.fixture(scope="module")
def int8(fp32: Candidate, original: Original, digits: Dataset) -> Candidate:
    return quantized(fp32, digits, Int8Plan(), original)


def graph_of(made: Candidate) -> bytes:
    """The bytes of a file without its card."""
    model = onnx.load_model_from_string(made.file.content)
    del model.metadata_props[:]
    return bytes(model.SerializeToString(deterministic=True))


def run(content: bytes, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    answer: NDArray[np.float32] = session.run(["logits"], {"image": images})[0]
    return answer


def test_the_card_of_a_draft_tells_the_whole_chain(
    int8: Candidate, fp32: Candidate, trained: Path, tmp_path: Path
) -> None:
    (tmp_path / int8.name).write_bytes(int8.file.content)
    card = Classifier(tmp_path / int8.name).card
    assert card == int8.card
    assert card.golden is not None
    assert fp32.card.golden is not None
    assert card.golden.tolerance > 10 * fp32.card.golden.tolerance  # its own, and not the source's
    assert Classifier(tmp_path / int8.name).check()
    assert int8.name == "edge-xs-int8.onnx"
    assert card.precision == "int8"
    assert card.source_sha256 == hashlib.sha256(fp32.file.content).hexdigest()
    assert card.original_sha256 == card.checkpoint_sha256 == sha256(trained / CHECKPOINT)
    assert card.calibration == {"method": "minmax", "images": 512, "seed": 0, "weight_bits": 7}
    inherited = ("model", "classes", "dataset", "params", "macs", "temperature", "trained")
    for name in inherited:
        assert getattr(card, name) == getattr(fp32.card, name)


def test_its_threshold_is_fitted_on_its_own_answers(int8: Candidate, digits: Dataset) -> None:
    validation = digits.validation
    answers = run(int8.file.content, validation.images)
    assert int8.card.threshold == fit_threshold(answers, validation.labels)


def test_accuracies_are_those_of_the_file_and_of_the_original(
    int8: Candidate, original: Original, fp32: Candidate, digits: Dataset
) -> None:
    answers = run(int8.file.content, digits.test.images).argmax(axis=1)
    before = original.logits.argmax(axis=1)
    right, was = answers == digits.test.labels, before == digits.test.labels
    assert int8.card.accuracy == Accuracy(int(right.sum()), len(right))
    assert int8.card.original_accuracy == Accuracy(int(was.sum()), len(was))
    gate = int8.gate
    assert gate.original is not None
    assert gate.fp32 is not None
    assert gate.original.agreement.changed == int((answers != before).sum())
    assert gate.original.agreement.worse == int((was & ~right).sum())
    difference = np.abs(run(int8.file.content, digits.test.images) - original.logits).max()
    assert gate.original.max_logit_difference == pytest.approx(difference, rel=1e-3)
    assert gate.fp32.original == fp32.card.accuracy
    difference = np.abs(
        run(int8.file.content, digits.test.images) - run(fp32.file.content, digits.test.images)
    ).max()
    assert gate.fp32.max_logit_difference == pytest.approx(difference, rel=1e-3)


def test_a_trained_network_passes(int8: Candidate) -> None:
    check(int8.gate, int8.name, 1.0)
    assert int8.card.accuracy.value > 0.95


def test_it_is_a_third_of_its_source_and_needs_no_later_opset(
    int8: Candidate, fp32: Candidate
) -> None:
    weights = 4 * fp32.card.params
    assert len(int8.file.content) < len(fp32.file.content) - weights / 2
    assert int8.opset == onnx.load_model_from_string(int8.file.content).opset_import[0].version
    assert int8.opset <= 18


def test_the_same_plan_gives_the_same_bytes(
    fp32: Candidate, int8: Candidate, original: Original, digits: Dataset
) -> None:
    assert quantized(fp32, digits, Int8Plan(), original).file.content == int8.file.content


def test_neither_test_nor_validation_images_choose_anything(
    fp32: Candidate, int8: Candidate, original: Original, digits: Dataset
) -> None:
    validation = digits.validation
    held_out = rows(validation.images) - rows(digits.training.images)
    train = Split(digits.train.images.copy(), digits.train.labels)
    for image in train.images:
        if image.tobytes() in held_out:
            image[:] = 255
    test = Split(255 - digits.test.images, digits.test.labels)
    other = quantized(fp32, replace(digits, train=train, test=test), Int8Plan(), original)
    assert graph_of(other) == graph_of(int8)
    assert other.card.accuracy != int8.card.accuracy


def test_other_training_images_calibrate_otherwise(
    fp32: Candidate, int8: Candidate, original: Original, digits: Dataset
) -> None:
    other = quantized(fp32, digits, Int8Plan(images=32, seed=5), original)
    assert graph_of(other) != graph_of(int8)
    assert other.card.calibration is not None
    assert (other.card.calibration["images"], other.card.calibration["seed"]) == (32, 5)


def test_without_its_original_it_is_compared_with_the_fp32_file(
    fp32: Candidate, int8: Candidate, digits: Dataset
) -> None:
    alone = quantized(fp32, digits, Int8Plan(), None)
    assert alone.gate.original is None
    assert alone.gate.verification == alone.gate.fp32 == int8.gate.fp32
    assert alone.card == int8.card
    assert alone.file.content == int8.file.content


def test_layers_left_in_float_are_recorded_and_take_more_room(
    fp32: Candidate, int8: Candidate, original: Original, digits: Dataset
) -> None:
    layers = tuple(node.name for node in fp32.model.graph.node if node.op_type == "Gemm")
    kept = quantized(fp32, digits, Int8Plan(keep_float=layers), original)
    assert kept.card.calibration is not None
    assert kept.card.calibration["keep_float"] == list(layers)
    assert len(kept.file.content) > len(int8.file.content)


def test_what_was_fine_tuned_is_quantized_in_the_sources_stead(
    fp32: Candidate, original: Original, digits: Dataset
) -> None:
    torch.manual_seed(3)
    other = solved(settled(build("edge-xs"), 3), digits.train)
    did = {"epochs": 2, "lr": 1e-4}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lab, "finetuned_graph", lambda *args: (to_onnx_once(other), did))
        inputs = ExportInputs(digits, original)
        made = lab.int8_candidate(fp32, inputs, Int8Plan(), Finetuning(2))
    assert made.card.calibration is not None
    assert made.card.calibration["finetune"] == did
    assert made.card.source_sha256 == fp32.file.sha256
    assert made.card.original_sha256 == fp32.card.source_sha256
    untouched = quantized(fp32, digits, Int8Plan(), original)
    assert graph_of(made) != graph_of(untouched)
    found = run(made.file.content, digits.test.images)
    # Another network: the gate sees it with the eyes of the original.
    assert made.gate.original is not None
    changed = (found.argmax(axis=1) != original.logits.argmax(axis=1)).sum()
    assert made.gate.original.agreement.changed == changed > 50


def test_images_of_one_grey_calibrate_nothing(
    fp32: Candidate, original: Original, digits: Dataset
) -> None:
    black = Split(np.zeros_like(digits.train.images), digits.train.labels)
    with pytest.raises(EdgeError, match="the calibration images are all of one grey"):
        quantized(fp32, replace(digits, train=black), Int8Plan(), original)


# Whether it passes.


def test_what_lost_too_much_does_not_pass() -> None:
    made = int8_candidate()  # lost 5 of 10,000
    check(made.gate, made.name, 0.05)
    with pytest.raises(GateError, match=r"tiny-int8.onnx has 99.60%, its original 99.65%"):
        check(made.gate, made.name, 0.04)


def test_it_is_the_original_that_counts_and_else_the_fp32_file() -> None:
    lost = verification(9965, 9900)
    check(replace(INT8_GATE, fp32=lost), "tiny-int8.onnx", 0.1)
    with pytest.raises(GateError, match=r"lost 0.65 points"):
        check(replace(INT8_GATE, original=None, fp32=lost), "tiny-int8.onnx", 0.1)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (Portability(1000, 0, 0.0, 0.1, 129), "would saturate on CPUs without VNNI"),
        (Portability(1000, 3, 0.0, 0.1, 128), "3 of 1,000 answers differ"),
    ],
)
def test_what_depends_on_the_cpu_does_not_pass(found: Portability, message: str) -> None:
    with pytest.raises(GateError, match=message):
        check(replace(INT8_GATE, portability=found), "tiny-int8.onnx", 100)


# Files to start from.


def test_an_fp32_file_is_a_source(fp32: Candidate, tmp_path: Path) -> None:
    path = tmp_path / "renamed.onnx"
    path.write_bytes(fp32.file.content)
    found = open_fp32(path)
    assert found.card == fp32.card
    assert found.file.sha256 == sha256(path) == fp32.file.sha256
    assert found.model == onnx.load(path)
    assert found.model.graph == fp32.model.graph


def test_an_int8_file_is_no_source(int8: Candidate, tmp_path: Path) -> None:
    path = tmp_path / "int8.onnx"
    path.write_bytes(int8.file.content)
    with pytest.raises(ModelError, match=r"int8.onnx is quantized already: name the fp32 file"):
        open_fp32(path)


def test_what_claims_to_be_int8_is_no_source(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "x.onnx", make_card(precision="int8"))
    with pytest.raises(ModelError, match="quantized already"):
        open_fp32(path)


def test_an_int8_graph_that_claims_to_be_fp32_is_no_source(
    int8: Candidate, fp32: Candidate, tmp_path: Path
) -> None:
    path = tmp_path / "disguised.onnx"
    path.write_bytes(with_metadata(without_metadata(int8.model), fp32.card))
    with pytest.raises(ModelError, match=r"disguised.onnx is quantized already"):
        open_fp32(path)


def test_what_is_not_ours_is_no_source(tmp_path: Path) -> None:
    (tmp_path / "notes.onnx").write_text("somebody's notes")
    with pytest.raises(ModelError, match=r"notes.onnx is not an ONNX file"):
        open_fp32(tmp_path / "notes.onnx")
    with pytest.raises(ModelError, match=r"there is no model file .*gone.onnx"):
        open_fp32(tmp_path / "gone.onnx")


def test_a_graph_that_the_lab_did_not_make_is_refused_in_words(
    tiny_model: Path, digits: Dataset
) -> None:
    with pytest.raises(EdgeError):
        quantized(open_fp32(tiny_model), digits, Int8Plan(), None)
