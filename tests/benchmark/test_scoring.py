import re

import numpy as np
import pytest
from numpy.typing import NDArray

from mnist_edge import metrics
from mnist_edge.backends import Contender, outputs
from mnist_edge.backends.model_info import ImagesKey
from mnist_edge.backends.outputs import OutputKind
from mnist_edge.benchmark import Data, Score
from mnist_edge.benchmark.scoring import answers as answers_of
from mnist_edge.benchmark.scoring import scores
from mnist_edge.errors import ModelError
from mnist_edge.metrics import Accuracy
from tests.helpers.fakes import Known, Table, dataset, table_of

COUNT = 1203  # more than two chunks
LABELS = np.arange(COUNT, dtype=np.int64) * 7 % 10
DATA: Data = {ImagesKey("numbered"): dataset(LABELS)}


def answers(seed: int) -> NDArray[np.int64]:
    """Labels of which some are not right: each seed another number of them."""
    wrong = 90 + 30 * seed
    random = np.random.default_rng(seed)
    found = LABELS.copy()
    places = random.choice(COUNT, wrong, replace=False)
    found[places] = (found[places] + random.integers(1, 10, wrong)) % 10
    return found


def score_them(*contenders: Contender, data: Data = DATA) -> list[Score | None]:
    logits = [answers_of(contender, contender.load(1), data) for contender in contenders]
    return scores(contenders, logits, data)


def score_one(contender: Contender, data: Data = DATA) -> Score:
    (found,) = score_them(contender, data=data)
    assert found is not None
    return found


def test_the_whole_split_is_answered_however_many_images_it_has() -> None:
    table = table_of(answers(0))
    found = score_one(Known(table))
    assert found.accuracy == Accuracy(COUNT - 90, COUNT)
    np.testing.assert_array_equal(found.logits, table.logits)
    assert sum(table.sizes) == COUNT
    assert max(table.sizes) <= 500  # memory stays small


def test_classes_in_another_order_are_scored_by_their_names() -> None:
    own = DATA[ImagesKey("numbered")].classes
    turned = own[::-1]
    table = table_of(np.array([turned.index(own[label]) for label in LABELS]))

    found = score_one(Known(table, names=turned))

    assert found.accuracy == Accuracy(COUNT, COUNT)
    np.testing.assert_array_equal(found.logits, table.logits[:, ::-1])


def expected_ece(shares: NDArray[np.float64], bins: int = 15) -> float:
    """Written out: in each bin of confidence, the gap between confidence and accuracy, weighted."""
    error = 0.0
    for at in range(bins):
        inside = [
            (row.max(), row.argmax() == label)
            for row, label in zip(shares, LABELS, strict=True)
            if at <= row.max() * bins < at + 1 or (at == bins - 1 and row.max() == 1)
        ]
        if inside:
            confidence, right = np.mean(inside, axis=0)
            error += abs(confidence - right) * len(inside) / len(shares)
    return error


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    powers = np.exp(logits.astype(np.float64))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def test_the_calibration_error_is_that_of_the_softmax() -> None:
    table = table_of(answers(1), seed=3)
    found = score_one(Known(table))
    assert found.calibration_error == pytest.approx(expected_ece(softmax(table.logits)), abs=1e-5)
    assert found.calibration_error
    assert found.calibration_error > 0.1  # these answers are far too modest


def test_files_that_answer_with_probabilities_are_taken_at_their_word() -> None:
    shares = softmax(3 * table_of(answers(1)).logits)
    found = score_one(Known(Table(shares.astype(np.float32)), ours=False))
    assert found.calibration_error == pytest.approx(expected_ece(shares), abs=1e-5)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([[0.2, 0.8], [0.7, 0.4]], OutputKind.SCORES),  # one sum is 1, the other is not
        ([[0.2, 0.8], [0.7, 0.3]], OutputKind.PROBABILITIES),
        ([[-0.5, 1.5], [0.0, 1.0]], OutputKind.LOGITS),  # sums of 1, and a share below 0
        ([[2.0, 0.1], [0.3, 0.4]], OutputKind.LOGITS),
        ([[float("nan"), 0.1], [0.3, 0.4]], OutputKind.LOGITS),
    ],
)
def test_what_answers_are_is_told_from_all_of_them(
    values: list[list[float]], kind: OutputKind
) -> None:
    assert outputs.detect_kind(np.array(values, np.float32)) is kind


def test_scores_of_each_class_by_itself_have_no_calibration_error() -> None:
    """Sigmoids: nobody says how often they should be right."""
    scores_of = 1 / (1 + np.exp(-table_of(answers(1), seed=3).logits))
    found = score_one(Known(Table(scores_of.astype(np.float32)), ours=False))
    assert found.calibration_error is None
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, rtol=1e-5)


def test_probabilities_may_be_rounded() -> None:
    rounded = softmax(table_of(LABELS).logits).astype(np.float16).astype(np.float32)
    assert outputs.detect_kind(rounded) is OutputKind.PROBABILITIES


@pytest.mark.parametrize("place", [0, 1, 2])
def test_all_of_a_family_are_compared_with_the_original_wherever_it_stands(place: int) -> None:
    """Changed, better and worse are counted once more here, without the metrics."""
    labels = [answers(seed) for seed in range(3)]
    family = [
        Known(table_of(labels[0]), "a.onnx", runtime="onnxruntime"),
        Known(table_of(labels[1]), "b.onnx", precision="int8", runtime="onnxruntime"),
    ]
    original = Known(table_of(labels[2]), "a", runtime="pytorch")
    found = score_them(*family[:place], original, *family[place:])
    own = found.pop(place)
    assert own is not None
    assert own.change is None
    for score, after in zip(found, labels, strict=False):
        assert score is not None
        assert score.change is not None
        triples = list(zip(labels[2], after, LABELS, strict=True))
        assert score.change.changed == sum(was != now for was, now, _ in triples) > 0
        assert score.change.better == sum(was != is_ == now for was, now, is_ in triples) > 0
        assert score.change.worse == sum(was == is_ != now for was, now, is_ in triples) > 0
        assert score.change.total == COUNT


def changes(*contenders: Known) -> list[int | None]:
    """How many answers changed; None for what is itself compared with, or stands alone."""
    found = score_them(*contenders)
    return [score.change.changed if score and score.change else None for score in found]


def between(one: int, other: int) -> int:
    return int((answers(one) != answers(other)).sum())


def known(seed: int, runtime: str = "onnxruntime", precision: str = "fp32") -> Known:
    return Known(table_of(answers(seed)), runtime=runtime, precision=precision)


def test_without_the_original_the_fp32_file_in_onnx_runtime_stands_in_for_it() -> None:
    int8, ncnn = known(0, precision="int8"), known(1, "ncnn")
    fp32, compiled = known(2), known(3, "torch-compile")
    found = changes(int8, ncnn, fp32, compiled)
    assert found == [between(0, 2), between(1, 2), None, between(3, 2)]


def test_without_either_there_is_nothing_to_compare_with() -> None:
    assert changes(known(0, precision="int8"), known(1, "openvino")) == [None, None]


def test_families_keep_to_themselves() -> None:
    others = Known(table_of(answers(1)), family="1" * 64, runtime="pytorch")
    assert changes(known(0), others) == [None, None]


def test_a_contender_whose_set_is_not_here_has_no_score() -> None:
    here, elsewhere = known(0), Known(table_of(LABELS), dataset="elsewhere")
    found = score_them(here, elsewhere)
    assert [score is None for score in found] == [False, True]


def test_each_is_scored_on_its_own_set() -> None:
    """The same answers to two sets whose labels differ."""
    data = {
        ImagesKey("a"): dataset(LABELS),
        ImagesKey("b"): dataset((LABELS + 1) % 10),
    }
    runner = table_of(LABELS)
    found = score_them(Known(runner, dataset="a"), Known(runner, dataset="b"), data=data)
    assert [score.accuracy.correct for score in found if score] == [COUNT, 0]


def test_a_change_is_what_the_metrics_call_one() -> None:
    _, found = score_them(known(0, "pytorch"), known(1))
    assert found is not None
    assert found.change == metrics.agreement(answers(0), answers(1), LABELS)


@pytest.mark.parametrize(("place", "value"), [(3, np.nan), (3, np.inf), (slice(None), -np.inf)])
def test_answers_that_are_no_numbers_are_an_error_with_a_name(
    place: int | slice, value: float
) -> None:
    table = table_of(LABELS)
    table.logits[7, place] = value
    message = f"broken.onnx in ncnn answers {value} to some images: leave it out"
    with pytest.raises(ModelError, match=re.escape(message)):
        score_one(Known(table, "broken.onnx", runtime="ncnn"))


def test_the_logarithm_of_nothing_is_a_number() -> None:
    table = table_of(LABELS)
    table.logits[LABELS != 3, 3] = -np.inf
    assert score_one(Known(table)).accuracy.correct == COUNT
    error = score_one(Known(table)).calibration_error
    assert error is not None
    assert np.isfinite(error)
