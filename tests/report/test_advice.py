"""Which file bench recommends, and how it says why."""

from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from mnist_edge.benchmark import Entry
from mnist_edge.benchmark.fitness import Unfit
from mnist_edge.kernels import Deviation
from mnist_edge.metrics import Accuracy, Agreement
from mnist_edge.report import advice
from tests.report.made import (
    FINDINGS,
    INT8_FINDINGS,
    benchmark,
    dataset,
    entry,
    file,
    latency,
    original,
)

SLIGHTLY_WORSE = Agreement(changed=6, better=1, worse=5, total=10_000)
CLEARLY_WORSE = Agreement(changed=30, better=2, worse=25, total=10_000)
WRONG = {
    False: replace(FINDINGS, deviation=Deviation(500, 500, float("nan"), 0.09)),
    True: replace(INT8_FINDINGS, deviation=Deviation(500, 41, 9.7, 0.09)),
}
# Scores made by hand nest: all that one reads wrong, another that reads more wrong does too.
# So of n answers that differ, all are better or all worse, and chance explains five at most.
BEST, AS_GOOD, WORSE = (Accuracy(correct, 10_000) for correct in (9_967, 9_963, 9_942))


def fp32(center_us: float = 60.0, batch_us: float = 2400.0, **others: Any) -> Entry:
    return entry(file("exported/edge.onnx"), center_us=center_us, batch_us=batch_us, **others)


def int8(center_us: float, batch_us: float = 2400.0, **others: Any) -> Entry:
    values: dict[str, Any] = {"change": SLIGHTLY_WORSE, "size_bytes": 98_000} | others
    contender = file("exported/edge-int8.onnx", precision="int8")
    return entry(contender, center_us=center_us, batch_us=batch_us, **values)


def model(name: str, accuracy: Accuracy = BEST, **others: Any) -> Entry:
    """A model of its own, in one file."""
    values: dict[str, Any] = {"accuracy": accuracy} | others
    subject = {key: values.pop(key) for key in ("dataset", "precision") if key in values}
    return entry(file(f"{name}.onnx", family=name, **subject), **values)


def only_line(*entries: Entry, **changes: Any) -> str:
    (line,) = advice.lines(benchmark(*entries, **changes))
    return line


# int8 or fp32


def test_a_faster_int8_that_keeps_its_answers_is_shipped() -> None:
    assert only_line(fp32(), int8(50.0, 1200.0)) == (
        "on this CPU, ship edge-int8.onnx: 99.65 %; 1.20 × as fast as fp32, 2.00 × at 64 images a "
        "call, 98 kB against 318 kB; 6 of 10,000 answers changed (+1 -5: within chance)"
    )


def test_a_slower_int8_is_said_and_fp32_shipped() -> None:
    assert only_line(fp32(), int8(75.0, 3000.0)) == (
        "on this CPU, ship edge.onnx: 99.65 %; int8 is slower here (0.80 ×): take it only where "
        "size counts (98 kB against 318 kB)"
    )


def test_a_slower_int8_may_be_faster_in_batches() -> None:
    line = only_line(fp32(), int8(75.0, 1200.0))
    assert line.endswith("(98 kB against 318 kB), or images come 64 at a time (2.00 ×)")


@pytest.mark.parametrize("center_us", [58.5, 60.0, 61.5])
def test_within_the_noise_the_smaller_file_is_shipped(center_us: float) -> None:
    assert only_line(fp32(), int8(center_us, seed=1)).startswith(
        "on this CPU, ship edge-int8.onnx: 99.65 %; as fast as fp32, 98 kB against 318 kB; "
    )
    line = only_line(fp32(), int8(center_us, seed=1, size_bytes=400_000))
    assert line.startswith("on this CPU, ship edge.onnx: ")
    assert line.endswith("; int8 is neither faster nor smaller (400 kB against 318 kB)")


def test_a_significant_loss_comes_before_speed() -> None:
    assert only_line(fp32(), int8(30.0, 1200.0, change=CLEARLY_WORSE)) == (
        "on this CPU, ship edge.onnx: 99.65 %; int8 made 25 answers wrong and 2 right (p <0.001), "
        "at 2.00 × the speed of fp32, 98 kB against 318 kB"
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (Agreement(0, 0, 0, 10_000), "; no answer changed"),
        (Agreement(30, 25, 2, 10_000), "30 of 10,000 answers changed (+25 -2: more right than "),
    ],
)
def test_an_int8_that_lost_nothing_says_so(change: Agreement, told: str) -> None:
    line = only_line(fp32(), int8(50.0, 1200.0, change=change))
    assert line.startswith("on this CPU, ship edge-int8.onnx: ")
    assert told in line


def test_an_int8_that_computes_wrongly_here_is_never_shipped() -> None:
    wrong = int8(30.0, findings=WRONG[True])
    assert only_line(fp32(), wrong) == (
        "on this CPU, ship edge.onnx: 99.65 %; int8 computes wrongly on this CPU"
    )
    assert only_line(wrong) == "on this CPU, do not ship edge-int8.onnx: computed wrongly here"
    both = only_line(fp32(findings=WRONG[False]), wrong)
    assert both == "on this CPU, do not ship edge.onnx and edge-int8.onnx: computed wrongly here"
    with_another = only_line(wrong, model("other", WORSE))
    assert with_another == "on this CPU, ship other.onnx: 99.42 %"


def test_a_recorded_accuracy_recommends_nothing() -> None:
    """Anybody can write any number into a file."""
    forged = model("forged", Accuracy(10_000, 10_000), recorded=True)
    assert only_line(fp32(recorded=True), forged) == (
        "nothing is said for or against edge.onnx and forged.onnx: accuracy only as recorded in "
        "the file"
    )
    (found,) = advice.recommendations(benchmark(forged))
    assert (found.ship, found.only) == (None, None)
    assert found.unfit == {"forged.onnx": Unfit.NOT_SCORED}


def test_where_there_is_nothing_to_choose_nothing_is_recommended() -> None:
    line = "edge.onnx: 99.65 %; there is no other file to choose from"
    assert only_line(fp32()) == line
    assert only_line(fp32(), entry(original("runs/edge/checkpoint.pt"), center_us=900)) == line
    (found,) = advice.recommendations(benchmark(fp32()))
    assert (found.dataset, found.ship, found.only) == ("digits", None, "edge.onnx")


@pytest.mark.parametrize("correct", [900, 1_000, 1_090, 1_999])
def test_what_is_hardly_better_than_chance_is_not_recommended(correct: int) -> None:
    bad = model("bad", Accuracy(correct, 10_000), center_us=5.0)
    assert only_line(bad) == "do not ship bad.onnx: hardly better than chance"
    first, second = advice.lines(benchmark(bad, fp32()))
    assert first == "on this CPU, ship edge.onnx: 99.65 %"
    assert second == only_line(bad)


def test_few_images_do_not_tell_an_accuracy_from_chance() -> None:
    assert only_line(model("bad", Accuracy(2, 6))) == (
        "do not ship bad.onnx: hardly better than chance"
    )
    assert only_line(model("poor", Accuracy(30, 100))).startswith("poor.onnx: 30.00 %; ")


def test_an_int8_whose_weights_may_saturate_elsewhere_is_not_recommended_here() -> None:
    wide = int8(30.0, 1200.0, findings=replace(INT8_FINDINGS, widest_pair=254))
    assert only_line(fp32(), wide) == (
        "on this CPU, ship edge.onnx: 99.65 %; int8 may compute wrongly on CPUs without VNNI"
    )
    assert only_line(wide) == (
        "do not ship edge-int8.onnx: int8 sums may saturate on x86 CPUs without VNNI"
    )
    safe = int8(30.0, 1200.0, findings=replace(INT8_FINDINGS, widest_pair=128))
    assert only_line(fp32(), safe).startswith("on this CPU, ship edge-int8.onnx")
    in_float = fp32(30.0, findings=replace(FINDINGS, widest_pair=254))  # no int8 kernel runs
    assert only_line(in_float).startswith("edge.onnx: 99.65 %")


@pytest.mark.parametrize("beside", [[fp32()], []], ids=["with fp32", "alone"])
def test_of_two_int8_files_of_one_model_the_faster_is_shipped(beside: list[Entry]) -> None:
    def both(first_us: float, second_us: float) -> list[str]:
        named = {"old": first_us, "new": second_us}
        found = [
            replace(int8(us), contender=file(f"{name}/edge-int8.onnx", precision="int8"))
            for name, us in named.items()
        ]
        return advice.lines(benchmark(*found, *beside))

    for lines, winner, other in (
        (both(50.0, 40.0), "new", "old"),
        (both(40.0, 50.0), "old", "new"),
    ):
        assert len(lines) == 2
        assert lines[0].startswith(f"on this CPU, ship {winner}/edge-int8.onnx: 99.65 %")
        assert ("1.50 × as fast as fp32" in lines[0]) is bool(beside)
        assert lines[1] == (
            f"nothing speaks for {other}/edge-int8.onnx here: 1.25 × as slow, as accurate (within "
            "chance), 98 kB against 98 kB"
        )


# Several models


def test_a_model_that_is_clearly_more_accurate_wins_and_others_say_what_speaks_for_them() -> None:
    assert advice.lines(
        benchmark(
            model("quick", WORSE, center_us=20.0),
            model("small", WORSE, center_us=80.0, size_bytes=33_000),
            model("edge", BEST, center_us=60.0),
            model("large", AS_GOOD, center_us=3000.0, size_bytes=4_900_000),
        )
    ) == [
        "on this CPU, ship edge.onnx: 99.67 %",
        "where speed counts more, quick.onnx: 3.00 × as fast, 0.25 points less accurate",
        "where size counts more, small.onnx: 33 kB against 318 kB, 1.33 × as slow, 0.25 points "
        "less accurate",
        "nothing speaks for large.onnx here: 50 × as slow, as accurate (within chance), 4.9 MB "
        "against 318 kB",
    ]


def test_a_model_that_another_outdoes_is_not_offered_for_its_speed() -> None:
    made = [
        model("edge", center_us=60.0),
        model("quick", WORSE, center_us=20.0, size_bytes=84_000, seed=1),
        model("old", Accuracy(9_891, 10_000), center_us=50.0, size_bytes=90_000, seed=2),
    ]
    told = advice.lines(benchmark(*made))
    assert told[0].startswith("on this CPU, ship edge.onnx")
    assert told[1].startswith("where speed counts more, quick.onnx: ")
    assert told[2:] == [
        "nothing speaks for old.onnx here: quick.onnx is faster and no less accurate"
    ]
    smaller = [*made[:2], replace(made[2], size_bytes=26_000)]
    assert advice.lines(benchmark(*smaller))[2].startswith(
        "where size counts more, old.onnx: 26 kB against 318 kB, "
    )


def test_of_models_that_chance_cannot_tell_apart_the_faster_wins() -> None:
    faster = advice.lines(benchmark(model("a", BEST), model("b", AS_GOOD, center_us=50.0)))
    assert faster[0] == "on this CPU, ship b.onnx: 99.63 %"
    assert faster[1].startswith("nothing speaks for a.onnx here: 1.2 × as slow, as accurate")


@pytest.mark.parametrize("center_us", [58.5, 60.0, 61.5])
def test_of_models_that_are_as_fast_the_smaller_wins(center_us: float) -> None:
    small = model("b", AS_GOOD, center_us=center_us, size_bytes=98_000, seed=1)
    smaller = advice.lines(benchmark(model("a", BEST), small))
    assert smaller[0] == "on this CPU, ship b.onnx: 99.63 %"
    assert smaller[1].startswith("nothing speaks for a.onnx here: as fast, as accurate")


def test_the_order_of_the_files_decides_nothing() -> None:
    """Chance explains `middle` beside either of the others, but not `quick` beside `edge`."""
    entries = [
        model("edge", Accuracy(9_967, 10_000), center_us=80.0),
        model("middle", Accuracy(9_963, 10_000), center_us=70.0),
        model("quick", Accuracy(9_959, 10_000), center_us=35.0),
    ]
    found = {tuple(sorted(advice.lines(benchmark(*some)))) for some in permutations(entries)}
    assert found == {
        (
            "nothing speaks for edge.onnx here: 1.14 × as slow, as accurate (within chance), "
            "318 kB against 318 kB",
            "on this CPU, ship middle.onnx: 99.63 %",
            "where speed counts more, quick.onnx: 2.00 × as fast, less accurate than edge.onnx",
        )
    }


@pytest.mark.parametrize("seed", range(6))
def test_what_is_shipped_is_beaten_by_none_and_every_model_has_a_line(seed: int) -> None:
    random = np.random.default_rng(seed)
    corrects = random.integers(9_930, 9_970, 5)
    medians_us = random.choice([20.0, 40.0, 60.0, 80.0, 100.0], 5)
    entries = [
        model(f"m{at}", Accuracy(int(correct), 10_000), center_us=float(us))
        for at, (correct, us) in enumerate(zip(corrects, medians_us, strict=True))
    ]
    lines = advice.lines(benchmark(*entries))
    assert len(lines) == len(entries)
    shipped = next(at for at in range(5) if f"m{at}.onnx" in lines[0])
    # Of nested answers 6 of one kind have p = 2 / 2^6 = 0.03, and 5 have 0.06.
    beaten = [any(other - own > 5 for other in corrects) for own in corrects]
    assert not beaten[shipped]
    assert medians_us[shipped] == min(
        us for us, worse in zip(medians_us, beaten, strict=True) if not worse
    )


# What is no rival


def test_files_of_different_data_sets_are_not_compared() -> None:
    record = benchmark(model("edge", BEST), model("kmnist", WORSE, dataset="kmnist", center_us=10))
    assert set(record.data) == {"digits", "kmnist"}
    assert advice.lines(record) == [
        "edge.onnx: 99.67 %; there is no other file to choose from",
        "kmnist.onnx: 99.42 %; there is no other file to choose from",
    ]


def test_too_few_rounds_choose_nothing() -> None:
    assert advice.lines(benchmark(fp32(count=10), int8(50.0, count=10))) == []
    assert len(advice.lines(benchmark(fp32(count=11), int8(50.0, count=11)))) == 1
    assert advice.lines(benchmark(entry(original("runs/edge/checkpoint.pt")))) == []


def test_files_of_others_are_weighed_by_what_they_answer() -> None:
    foreign = model("mnist-12", Accuracy(9_893, 10_000), center_us=30.0, size_bytes=26_000)
    assert advice.lines(benchmark(foreign, fp32(), int8(50.0))) == [
        only_line(fp32(), int8(50.0)),
        "where speed counts more, mnist-12.onnx: 1.67 × as fast, 0.72 points less accurate",
    ]


def test_a_file_of_whose_accuracy_nothing_is_known_is_no_rival() -> None:
    unknown = entry(
        file("other.onnx", family="f", recorded=None, ours=False), score=None, center_us=5.0
    )
    assert only_line(unknown, fp32()) == "edge.onnx: 99.65 %; there is no other file to choose from"
    assert advice.lines(benchmark(unknown)) == []


def test_a_runtime_that_is_clearly_faster_is_named() -> None:
    openvino = entry(file("exported/edge.onnx", "openvino"), center_us=40.0)
    ncnn = entry(file("exported/edge.onnx", "ncnn"), center_us=45.0)
    first, *others = advice.lines(benchmark(fp32(), ncnn, openvino))
    assert first == "edge.onnx: 99.65 %; there is no other file to choose from"
    assert others == ["another runtime is faster still: edge.onnx in openvino, 1.50 ×"]


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
    line = "edge.onnx: 99.65 %; there is no other file to choose from"
    assert only_line(fp32(), openvino) == line
    stranger = entry(file("x.onnx", "openvino", family="f"), center_us=5.0)
    assert only_line(fp32(), stranger) == line


def test_what_ctrl_c_left_unmeasured_is_left_out() -> None:
    def early(made: Entry) -> Entry:
        return replace(made, batches={1: made.batches[1]})

    line = only_line(early(fp32()), early(int8(50.0)), stopped=True)
    assert line.startswith(
        "on this CPU, ship edge-int8.onnx: 99.65 %; 1.20 × as fast as fp32, 98 kB"
    )


def test_namesakes_are_called_as_in_the_table() -> None:
    twins = [entry(file(f"{folder}/edge.onnx", family=folder)) for folder in "ab"]
    lines = advice.lines(benchmark(*twins))
    assert lines[0] == "on this CPU, ship a/edge.onnx: 99.65 %"
    assert lines[1].startswith("nothing speaks for b/edge.onnx here: as fast, as accurate")


def test_accuracies_are_compared_on_the_images_that_both_answered() -> None:
    """Paired: six answers of 10,000 are no chance where none went the other way, though the two
    intervals overlap by far."""
    one, other = Accuracy(9_966, 10_000), Accuracy(9_960, 10_000)
    assert one.interval[0] < other.interval[1]
    lines = advice.lines(benchmark(model("a", one), model("b", other, center_us=30.0)))
    assert lines[0] == "on this CPU, ship a.onnx: 99.66 %"
    assert dataset().test.labels.shape == (10_000,)
