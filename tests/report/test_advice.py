"""The recommendation in words: one text for each kind of advice. What is recommended is
tests/benchmark/test_recommend.py's."""

from dataclasses import replace

import pytest

from mnist_edge.benchmark import Entry
from mnist_edge.benchmark.fitness import UnfitReason
from mnist_edge.benchmark.recommend import Decision, Int8Verdict, Merit, recommendations
from mnist_edge.metrics import Accuracy, Agreement
from mnist_edge.report import advice
from tests.report.models import AS_GOOD, BEST, CLEARLY_WORSE, WORSE, WRONG, fp32, int8, model
from tests.report.records import INT8_FINDINGS, benchmark, entry, file, original

WIDE = int8(30.0, 1200.0, findings=replace(INT8_FINDINGS, widest_pair=254))
FORGED = model("forged", Accuracy(10_000, 10_000), recorded=True)
SLOW_INT8 = (
    "on this CPU, ship edge.onnx: 99.65 %; int8 is slower here (0.80 ×): take it only where size "
    "counts (98 kB against 318 kB"
)
SHIPPED_INT8 = (
    "on this CPU, ship edge-int8.onnx: 99.65 %; 1.20 × as fast as fp32, 2.00 × at 64 images a "
    "call, 98 kB against 318 kB; "
)
FOUR = (
    model("quick", WORSE, center_us=20.0),
    model("small", WORSE, center_us=80.0, size_bytes=33_000),
    model("edge", BEST, center_us=60.0),
    model("large", AS_GOOD, center_us=3000.0, size_bytes=4_900_000),
)
OUTDONE = (
    model("edge", center_us=60.0),
    model("quick", WORSE, center_us=20.0, size_bytes=84_000),
    model("old", Accuracy(9_891, 10_000), center_us=50.0, size_bytes=90_000),
)
BETWEEN = (
    model("edge", Accuracy(9_967, 10_000), center_us=80.0),
    model("middle", Accuracy(9_963, 10_000), center_us=70.0),
    model("quick", Accuracy(9_959, 10_000), center_us=35.0),
)
TOLD: dict[str, tuple[tuple[Entry, ...], list[str]]] = {
    "int8, within chance": (
        (fp32(), int8(50.0, 1200.0)),
        [f"{SHIPPED_INT8}6 of 10,000 answers changed (+1 -5: within chance)"],
    ),
    "int8, no answer changed": (
        (fp32(), int8(50.0, 1200.0, change=Agreement(0, 0, 0, 10_000))),
        [f"{SHIPPED_INT8}no answer changed"],
    ),
    "int8, more right": (
        (fp32(), int8(50.0, 1200.0, change=Agreement(30, 25, 2, 10_000))),
        [f"{SHIPPED_INT8}30 of 10,000 answers changed (+25 -2: more right than chance)"],
    ),
    "int8, not compared": (
        (fp32(), int8(50.0, 1200.0, change=None)),
        [f"{SHIPPED_INT8}its answers were not compared"],
    ),
    "int8, as fast": (
        (fp32(), int8(60.0)),
        [
            "on this CPU, ship edge-int8.onnx: 99.65 %; as fast as fp32, 98 kB against 318 kB; 6 "
            "of 10,000 answers changed (+1 -5: within chance)"
        ],
    ),
    "int8 slower": ((fp32(), int8(75.0, 3000.0)), [f"{SLOW_INT8})"]),
    "int8 slower, but in batches": (
        (fp32(), int8(75.0, 1200.0)),
        [f"{SLOW_INT8}), or images come 64 at a time (2.00 ×)"],
    ),
    "int8 no better": (
        (fp32(), int8(60.0, size_bytes=400_000)),
        [
            "on this CPU, ship edge.onnx: 99.65 %; int8 is neither faster nor smaller (400 kB "
            "against 318 kB)"
        ],
    ),
    "int8 lost answers": (
        (fp32(), int8(30.0, change=CLEARLY_WORSE)),
        [
            "on this CPU, ship edge.onnx: 99.65 %; int8 made 25 answers wrong and 2 right (p "
            "<0.001), at 2.00 × the speed of fp32, 98 kB against 318 kB"
        ],
    ),
    "int8 lost accuracy": (
        (fp32(accuracy=BEST), int8(30.0, accuracy=WORSE, change=None)),
        [
            "on this CPU, ship edge.onnx: 99.67 %; int8 is 0.25 points less accurate, at 2.00 × "
            "the speed of fp32, 98 kB against 318 kB"
        ],
    ),
    "int8 wrong": (
        (fp32(), int8(30.0, findings=WRONG[True])),
        ["on this CPU, ship edge.onnx: 99.65 %; int8 computes wrongly on this CPU"],
    ),
    "int8 wrong elsewhere": (
        (fp32(), WIDE),
        ["on this CPU, ship edge.onnx: 99.65 %; int8 may compute wrongly on CPUs without VNNI"],
    ),
    "none, all wrong": (
        (fp32(findings=WRONG[False]), int8(30.0, findings=WRONG[True])),
        ["on this CPU, do not ship edge.onnx and edge-int8.onnx: computed wrongly here"],
    ),
    "none, wrong elsewhere": (
        (WIDE,),
        ["do not ship edge-int8.onnx: int8 sums may saturate on x86 CPUs without VNNI"],
    ),
    "none, only recorded": (
        (fp32(recorded=True), FORGED),
        [
            "nothing is said for or against edge.onnx and forged.onnx: accuracy only as recorded "
            "in the file"
        ],
    ),
    "none, too few rounds": ((fp32(count=10), int8(50.0, count=10)), []),
    "none, nothing known": (
        (entry(file("other.onnx", family="f", recorded=None, ours=False), score=None),),
        [],
    ),
    "no file": ((entry(original("runs/edge/checkpoint.pt")),), []),
    "beside a guess": (
        (model("bad", Accuracy(1_000, 10_000)), fp32()),
        [
            "on this CPU, ship edge.onnx: 99.65 %",
            "do not ship bad.onnx: hardly better than chance",
        ],
    ),
    "the only one": (
        (fp32(),),
        ["edge.onnx: 99.65 %; there is no other file to choose from"],
    ),
    "another runtime": (
        (fp32(), entry(file("exported/edge.onnx", "openvino"), center_us=40.0)),
        [
            "edge.onnx: 99.65 %; there is no other file to choose from",
            "another runtime is faster still: edge.onnx in openvino, 1.50 ×",
        ],
    ),
    "several models": (
        FOUR,
        [
            "on this CPU, ship edge.onnx: 99.67 %",
            "where speed counts more, quick.onnx: 3.00 × as fast, 0.25 points less accurate",
            "where size counts more, small.onnx: 33 kB against 318 kB, 1.33 × as slow, 0.25 points "
            "less accurate",
            "no reason to ship large.onnx here: 50 × as slow, as accurate (within chance), 4.9 MB "
            "against 318 kB",
        ],
    ),
    "outdone": (
        OUTDONE,
        [
            "on this CPU, ship edge.onnx: 99.67 %",
            "where speed counts more, quick.onnx: 3.00 × as fast, 0.25 points less accurate",
            "no reason to ship old.onnx here: quick.onnx is faster and no less accurate",
        ],
    ),
    "less accurate than a third": (
        BETWEEN,
        [
            "on this CPU, ship middle.onnx: 99.63 %",
            "no reason to ship edge.onnx here: 1.14 × as slow, as accurate (within chance), "
            "318 kB against 318 kB",
            "where speed counts more, quick.onnx: 2.00 × as fast, less accurate than edge.onnx",
        ],
    ),
    "an int8 for speed": (
        (
            model("edge", BEST, center_us=60.0),
            entry(file("quick.onnx", family="q"), WORSE, center_us=30.0),
            entry(
                file("quick-int8.onnx", family="q", precision="int8"),
                WORSE,
                Agreement(0, 0, 0, 10_000),
                center_us=20.0,
                size_bytes=90_000,
            ),
        ),
        [
            "on this CPU, ship edge.onnx: 99.67 %",
            "where speed counts more, quick-int8.onnx: 3.00 × as fast, 0.25 points less accurate; "
            "1.50 × as fast as fp32, 1.50 × at 64 images a call, 90 kB against 318 kB; no answer "
            "changed",
        ],
    ),
    "namesakes": (
        tuple(entry(file(f"{folder}/edge.onnx", family=folder)) for folder in "ab"),
        [
            "on this CPU, ship a/edge.onnx: 99.65 %",
            "no reason to ship b/edge.onnx here: as fast, as accurate (within chance), 318 kB "
            "against 318 kB",
        ],
    ),
}


@pytest.mark.parametrize(("entries", "told"), TOLD.values(), ids=TOLD)
def test_each_kind_of_advice_has_its_words(entries: tuple[Entry, ...], told: list[str]) -> None:
    assert advice.lines(benchmark(*entries)) == told


def test_every_kind_of_decision_is_among_them() -> None:
    found = [one for entries, _ in TOLD.values() for one in recommendations(benchmark(*entries))]
    choices = [one.choice for one in found if one.choice]
    assert {one.decision for one in found} == set(Decision)
    assert {one.precisions.why for one in choices if one.precisions} == set(Int8Verdict)
    assert {other.merit for one in found for other in one.others} == set(Merit)
    assert {misfit.why for one in found for misfit in one.unfit} == set(UnfitReason)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("none, too few rounds", "No file was timed long enough to recommend it."),
        ("none, nothing known", "The accuracy of no file is known: there is none to recommend."),
        ("no file", "No file was measured in ONNX Runtime: there is none to recommend."),
        ("the only one", "edge.onnx: 99.65 %; there is no other file to choose from"),
    ],
)
def test_a_page_says_why_nothing_is_recommended(name: str, told: str) -> None:
    assert advice.lines_or_why_not(benchmark(*TOLD[name][0])) == [told]
