"""Which file is recommended, and for which reasons: values, without a sentence."""

from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from mnist_edge.benchmark import Entry
from mnist_edge.benchmark.fitness import UnfitReason
from mnist_edge.benchmark.recommend import (
    Alternative,
    Decision,
    Int8Verdict,
    Merit,
    PrecisionChoice,
    Recommendation,
    recommendations,
)
from mnist_edge.metrics import Accuracy, Agreement
from tests.report.models import (
    AS_GOOD,
    BEST,
    CLEARLY_WORSE,
    WORSE,
    WRONG,
    fp32,
    int8,
    model,
)
from tests.report.records import (
    FINDINGS,
    INT8_FINDINGS,
    benchmark,
    dataset,
    entry,
    file,
    latency,
    original,
)


def recommended(*entries: Entry, **changes: Any) -> Recommendation:
    """Of files of one data set."""
    (found,) = recommendations(benchmark(*entries, **changes))
    return found


def path(one: Entry | None) -> str | None:
    return one.contender.path.as_posix() if one else None


def shipped(found: Recommendation) -> str | None:
    """The file to ship; fails where there is nothing to choose from."""
    assert found.decision is Decision.SHIP
    return path(found.choice.entry) if found.choice else None


def only(found: Recommendation) -> str | None:
    assert found.decision is Decision.ONLY
    assert not found.others
    return path(found.choice.entry) if found.choice else None


def others(found: Recommendation) -> dict[str, Alternative]:
    return {one.choice.entry.contender.path.as_posix(): one for one in found.others}


def merits(found: Recommendation) -> dict[str, str]:
    return {name: str(one.merit) for name, one in others(found).items()}


def misfits(found: Recommendation) -> dict[str, UnfitReason]:
    return {one.entry.contender.path.as_posix(): one.why for one in found.unfit}


def precisions(*entries: Entry) -> PrecisionChoice:
    """Why int8 or fp32 of one model; the value names what is shipped, too."""
    found = recommended(*entries)
    assert found.choice
    assert found.choice.precisions
    own = found.choice.precisions
    assert found.choice.entry is (own.int8 if own.why.preferred else own.fp32)
    assert not found.others
    return own


# int8 or fp32


def test_a_faster_int8_that_keeps_its_answers_is_shipped() -> None:
    found = precisions(fp32(), int8(50.0, 1200.0))
    assert (found.why, found.gap) == (Int8Verdict.FASTER, 0.0)
    assert found.speed
    assert found.batch_speed
    assert found.speed.value == pytest.approx(1.2)
    assert found.batch_speed.value == pytest.approx(2.0)


@pytest.mark.parametrize(("batch_us", "times"), [(3000.0, 0.8), (1200.0, 2.0)])
def test_a_slower_int8_is_said_and_fp32_shipped(batch_us: float, times: float) -> None:
    found = precisions(fp32(), int8(75.0, batch_us))
    assert found.why is Int8Verdict.SLOWER
    assert found.speed
    assert found.batch_speed
    assert found.speed.value == pytest.approx(0.8)
    assert found.batch_speed.value == pytest.approx(times)


@pytest.mark.parametrize("center_us", [58.5, 60.0, 61.5])
def test_within_the_noise_the_smaller_file_is_shipped(center_us: float) -> None:
    found = precisions(fp32(), int8(center_us, seed=1))
    assert found.why is Int8Verdict.SMALLER
    assert found.speed
    assert found.speed.tie
    larger = int8(center_us, seed=1, size_bytes=400_000)
    assert precisions(fp32(), larger).why is Int8Verdict.NO_GAIN


def test_a_significant_loss_comes_before_speed() -> None:
    found = precisions(fp32(), int8(30.0, 1200.0, change=CLEARLY_WORSE))
    assert found.why is Int8Verdict.LESS_ACCURATE
    assert found.speed
    assert found.speed.value == pytest.approx(2.0)


def test_without_a_comparison_with_the_original_the_two_files_are_compared() -> None:
    lossy = int8(30.0, accuracy=WORSE, change=None)
    found = precisions(fp32(accuracy=BEST), lossy)
    assert found.why is Int8Verdict.LESS_ACCURATE
    assert found.gap == pytest.approx(-0.0025)
    assert precisions(fp32(accuracy=BEST), int8(30.0, accuracy=AS_GOOD, change=None)).gap == 0


@pytest.mark.parametrize("change", [Agreement(0, 0, 0, 10_000), Agreement(30, 25, 2, 10_000)])
def test_an_int8_that_lost_nothing_is_shipped(change: Agreement) -> None:
    assert precisions(fp32(), int8(50.0, 1200.0, change=change)).why is Int8Verdict.FASTER


def test_an_int8_that_computes_wrongly_here_is_never_shipped() -> None:
    wrong = int8(30.0, findings=WRONG[True])
    found = recommended(fp32(), wrong)
    assert shipped(found) == "exported/edge.onnx"
    assert found.choice
    assert [one.why for one in found.choice.wrong] == [UnfitReason.WRONG_HERE]
    assert found.choice.precisions is None
    assert recommended(wrong).decision is Decision.NONE
    both = recommended(fp32(findings=WRONG[False]), wrong)
    assert (both.decision, both.choice) == (Decision.NONE, None)
    assert misfits(both) == dict.fromkeys(
        ("exported/edge.onnx", "exported/edge-int8.onnx"), UnfitReason.WRONG_HERE
    )
    with_another = recommended(wrong, model("other", WORSE))
    assert shipped(with_another) == "other.onnx"
    assert with_another.choice
    assert not with_another.choice.wrong  # that is another model's


def test_an_int8_whose_weights_may_saturate_elsewhere_is_not_recommended_here() -> None:
    wide = int8(30.0, 1200.0, findings=replace(INT8_FINDINGS, widest_pair=254))
    found = recommended(fp32(), wide)
    assert shipped(found) == "exported/edge.onnx"
    assert misfits(found) == {"exported/edge-int8.onnx": UnfitReason.MAY_SATURATE}
    assert recommended(wide).decision is Decision.NONE
    safe = int8(30.0, 1200.0, findings=replace(INT8_FINDINGS, widest_pair=128))
    assert shipped(recommended(fp32(), safe)) == "exported/edge-int8.onnx"


@pytest.mark.parametrize("beside", [[fp32()], []], ids=["with fp32", "alone"])
def test_of_two_int8_files_of_one_model_the_faster_is_shipped(beside: list[Entry]) -> None:
    for first_us, second_us, winner, other in ((50, 40, "new", "old"), (40, 50, "old", "new")):
        both = [
            replace(int8(us), contender=file(f"{name}/edge-int8.onnx", precision="int8"))
            for name, us in (("old", first_us), ("new", second_us))
        ]
        found = recommended(*both, *beside)
        assert shipped(found) == f"{winner}/edge-int8.onnx"
        assert found.choice
        assert (found.choice.precisions is not None) is bool(beside)
        assert merits(found) == {f"{other}/edge-int8.onnx": "none"}


# Several models


def test_a_model_that_is_clearly_more_accurate_wins_and_others_say_what_speaks_for_them() -> None:
    found = recommended(
        model("quick", WORSE, center_us=20.0),
        model("small", WORSE, center_us=80.0, size_bytes=33_000),
        model("edge", BEST, center_us=60.0),
        model("large", AS_GOOD, center_us=3000.0, size_bytes=4_900_000),
    )
    assert shipped(found) == "edge.onnx"
    assert merits(found) == {"quick.onnx": "speed", "small.onnx": "size", "large.onnx": "none"}
    quick, _, large = found.others
    assert quick.speed
    assert large.speed
    assert [quick.speed.value, large.speed.value] == pytest.approx([3.0, 0.02])
    assert [quick.gap, large.gap] == pytest.approx([-0.0025, 0.0])


def test_a_model_that_another_outdoes_is_not_offered_for_its_speed() -> None:
    made = [
        model("edge", center_us=60.0),
        model("quick", WORSE, center_us=20.0, size_bytes=84_000, seed=1),
        model("old", Accuracy(9_891, 10_000), center_us=50.0, size_bytes=90_000, seed=2),
    ]
    found = recommended(*made)
    assert shipped(found) == "edge.onnx"
    assert merits(found) == {"quick.onnx": "speed", "old.onnx": "none"}
    assert path(others(found)["old.onnx"].outdone_by) == "quick.onnx"
    smaller = [*made[:2], replace(made[2], size_bytes=26_000)]
    assert merits(recommended(*smaller))["old.onnx"] == "size"


def test_of_models_that_chance_cannot_tell_apart_the_faster_wins() -> None:
    found = recommended(model("a", BEST), model("b", AS_GOOD, center_us=50.0))
    assert shipped(found) == "b.onnx"
    (other,) = found.others
    assert other.speed
    assert (other.merit, other.gap) == (Merit.NONE, 0.0)
    assert other.speed.value == pytest.approx(50 / 60)


@pytest.mark.parametrize("center_us", [58.5, 60.0, 61.5])
def test_of_models_that_are_as_fast_the_smaller_wins(center_us: float) -> None:
    small = model("b", AS_GOOD, center_us=center_us, size_bytes=98_000, seed=1)
    found = recommended(model("a", BEST), small)
    assert shipped(found) == "b.onnx"
    (other,) = found.others
    assert other.speed
    assert other.speed.tie


def test_the_order_of_the_files_decides_nothing() -> None:
    """Chance explains `middle` beside either of the others, but not `quick` beside `edge`."""
    entries = [
        model("edge", Accuracy(9_967, 10_000), center_us=80.0),
        model("middle", Accuracy(9_963, 10_000), center_us=70.0),
        model("quick", Accuracy(9_959, 10_000), center_us=35.0),
    ]
    for some in permutations(entries):
        found = recommended(*some)
        assert shipped(found) == "middle.onnx"
        assert merits(found) == {"edge.onnx": "none", "quick.onnx": "speed"}
        assert path(others(found)["quick.onnx"].less_accurate_than) == "edge.onnx"
        assert others(found)["edge.onnx"].less_accurate_than is None


@pytest.mark.parametrize("seed", range(6))
def test_what_is_shipped_is_beaten_by_none_and_every_file_has_its_place(seed: int) -> None:
    random = np.random.default_rng(seed)
    corrects = random.integers(9_930, 9_970, 5)
    medians_us = random.choice([20.0, 40.0, 60.0, 80.0, 100.0], 5)
    entries = [
        model(f"m{at}", Accuracy(int(correct), 10_000), center_us=float(us))
        for at, (correct, us) in enumerate(zip(corrects, medians_us, strict=True))
    ]
    found = recommended(*entries)
    own = shipped(found)
    assert {own, *merits(found)} == {f"m{at}.onnx" for at in range(5)}
    best = next(at for at in range(5) if own == f"m{at}.onnx")
    # Of nested answers 6 of one kind have p = 2 / 2^6 = 0.03, and 5 have 0.06.
    beaten = [any(other - correct > 5 for other in corrects) for correct in corrects]
    assert not beaten[best]
    assert medians_us[best] == min(
        us for us, worse in zip(medians_us, beaten, strict=True) if not worse
    )


def test_accuracies_are_compared_on_the_images_that_both_answered() -> None:
    """Paired: six answers of 10,000 are no chance where none went the other way, though the two
    intervals overlap by far."""
    one, other = Accuracy(9_966, 10_000), Accuracy(9_960, 10_000)
    assert one.interval[0] < other.interval[1]
    assert shipped(recommended(model("a", one), model("b", other, center_us=30.0))) == "a.onnx"
    assert dataset().test.labels.shape == (10_000,)


def test_files_of_others_are_weighed_by_what_they_answer() -> None:
    foreign = model("mnist-12", Accuracy(9_893, 10_000), center_us=30.0, size_bytes=26_000)
    found = recommended(foreign, fp32(), int8(50.0))
    assert shipped(found) == "exported/edge-int8.onnx"
    assert merits(found) == {"mnist-12.onnx": "speed"}


# What is no rival


def test_where_there_is_nothing_to_choose_the_only_file_is_named() -> None:
    assert only(recommended(fp32())) == "exported/edge.onnx"
    beside = entry(original("runs/edge/checkpoint.pt"), center_us=900)
    assert only(recommended(fp32(), beside)) == "exported/edge.onnx"
    in_float = fp32(30.0, findings=replace(FINDINGS, widest_pair=254))  # no int8 kernel runs
    assert only(recommended(in_float)) == "exported/edge.onnx"


def test_a_recorded_accuracy_recommends_nothing() -> None:
    """Anybody can write any number into a file."""
    forged = model("forged", Accuracy(10_000, 10_000), recorded=True)
    found = recommended(fp32(recorded=True), forged)
    assert found.decision is Decision.NONE
    assert misfits(found) == dict.fromkeys(
        ("exported/edge.onnx", "forged.onnx"), UnfitReason.NOT_SCORED
    )


@pytest.mark.parametrize("correct", [900, 1_000, 1_090, 1_999])
def test_what_is_hardly_better_than_chance_is_not_recommended(correct: int) -> None:
    bad = model("bad", Accuracy(correct, 10_000), center_us=5.0)
    assert recommended(bad).decision is Decision.NONE
    found = recommended(bad, fp32())
    assert shipped(found) == "exported/edge.onnx"
    assert misfits(found) == {"bad.onnx": UnfitReason.NEAR_CHANCE}


def test_few_images_do_not_tell_an_accuracy_from_chance() -> None:
    assert recommended(model("bad", Accuracy(2, 6))).decision is Decision.NONE
    assert only(recommended(model("poor", Accuracy(30, 100)))) == "poor.onnx"


def test_files_of_different_data_sets_are_not_compared() -> None:
    record = benchmark(model("edge", BEST), model("kmnist", WORSE, dataset="kmnist", center_us=10))
    assert {one.dataset: only(one) for one in recommendations(record)} == {
        "digits": "edge.onnx",
        "kmnist": "kmnist.onnx",
    }


def test_too_few_rounds_choose_nothing() -> None:
    found = recommended(fp32(count=10), int8(50.0, count=10))
    assert found.decision is Decision.NONE
    assert set(misfits(found).values()) == {UnfitReason.TOO_FEW_ROUNDS}
    assert recommended(fp32(count=11), int8(50.0, count=11)).decision is Decision.SHIP


def test_the_original_alone_is_no_file_to_ship() -> None:
    assert recommendations(benchmark(entry(original("runs/edge/checkpoint.pt")))) == ()


def test_a_file_of_whose_accuracy_nothing_is_known_is_no_rival() -> None:
    unknown = entry(
        file("other.onnx", family="f", recorded=None, ours=False), score=None, center_us=5.0
    )
    found = recommended(unknown, fp32())
    assert only(found) == "exported/edge.onnx"
    assert misfits(found) == {"other.onnx": UnfitReason.UNKNOWN_ACCURACY}
    assert recommended(unknown).decision is Decision.NONE


def test_a_runtime_that_is_clearly_faster_is_named() -> None:
    openvino = entry(file("exported/edge.onnx", "openvino"), center_us=40.0)
    ncnn = entry(file("exported/edge.onnx", "ncnn"), center_us=45.0)
    faster = recommended(fp32(), ncnn, openvino).faster_runtime
    assert faster
    assert faster.entry is openvino
    assert faster.speed.value == pytest.approx(1.5)


@pytest.mark.parametrize(
    "changes",
    [
        {"center_us": 58.0},  # 1.03 ×: no reason to change the runtime
        {"center_us": 57.0, "seed": 1},  # chance
        {"center_us": 30.0, "accuracy": WORSE},
        {"center_us": 30.0, "batches": {64: latency(900.0)}},  # not timed at one image
    ],
)
def test_a_runtime_that_is_hardly_faster_or_less_accurate_is_not(changes: dict[str, Any]) -> None:
    openvino = entry(file("exported/edge.onnx", "openvino"), **changes)
    assert recommended(fp32(), openvino).faster_runtime is None
    stranger = entry(file("x.onnx", "openvino", family="f"), center_us=5.0)
    assert recommended(fp32(), stranger).faster_runtime is None


def test_what_ctrl_c_left_unmeasured_is_left_out() -> None:
    def early(made: Entry) -> Entry:
        return replace(made, batches={1: made.batches[1]})

    found = recommended(early(fp32()), early(int8(50.0)), stopped=True)
    assert shipped(found) == "exported/edge-int8.onnx"
    assert found.choice
    assert found.choice.precisions
    assert found.choice.precisions.batch_speed is None
