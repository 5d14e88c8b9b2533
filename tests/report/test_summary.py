"""What bench says below its tables: on what, how, and how far to believe it."""

from dataclasses import replace

import pytest

from mnist_edge.benchmark import Benchmark, Plan
from mnist_edge.benchmark.compare import Change
from mnist_edge.benchmark.kernels import Deviation, Kernels
from mnist_edge.host.cpus import Clock
from mnist_edge.host.noise import Noise
from mnist_edge.intervals import Ratio
from mnist_edge.report import summary
from mnist_edge.report.summary import Kind, Note
from tests.report.records import FINDINGS, INT8_FINDINGS, MACHINE, benchmark, entry, file, latency

SATURATING = Deviation(500, 41, 9.7, 0.09)


def made(**changes: object) -> Benchmark:
    return benchmark(entry(file("edge.onnx")), **changes)


def test_the_machine_and_the_calls_come_first() -> None:
    machine = replace(MACHINE, flags=("avx2", "avx_vnni"), packages={"onnxruntime": "1.31.1"})
    record = made(machine=machine, plan=Plan(threads=2, batches=(1, 64)))
    assert summary.lines(record)[:2] == [
        "Some CPU (avx2, avx_vnni), 4 cores, 2 threads that spin while they wait "
        "(in a Classifier they sleep); onnxruntime 1.31.1",
        "700 calls each in 20 interleaved rounds; test images of digits",
    ]
    paced = made(plan=Plan(threads=2, rate_hz=20))
    assert "(in a Classifier, and in the paced run, they sleep); " in summary.lines(paced)[0]
    unknown = made(machine=replace(MACHINE, flags=(), cores=1))
    assert summary.lines(unknown)[0] == "Some CPU, 1 core, 1 thread; onnxruntime of unknown version"


def test_counts_of_calls_are_those_of_the_smallest_batch() -> None:
    counts = (1234, 90)
    record = benchmark(*(entry(file(f"{count}.onnx"), count=count) for count in counts))
    assert "90 to 1,234 calls each in 20 interleaved rounds; " in summary.lines(record)[1]


def test_a_run_that_ctrl_c_ended_says_so() -> None:
    stopped = made(stopped=True, plan=Plan(batches=(1, 8, 64)))
    assert any("stopped by Ctrl-C" in line for line in summary.lines(stopped))
    assert not any("Ctrl-C" in line for line in summary.lines(made()))
    # Only the larger batch was timed before it came.
    late = benchmark(
        entry(file("edge.onnx"), batches={8: latency(300.0)}),
        plan=Plan(batches=(8, 1)),
        stopped=True,
    )
    assert summary.lines(late)[1] == "test images of digits"


def test_what_is_not_known_or_not_here_is_said() -> None:
    plain = summary.lines(made())
    assert "energy: this machine has no energy counter" in plain
    assert not any("energy" in line for line in summary.lines(made(energy_why_not=None)))
    assert not any(line.startswith("*") for line in plain)
    missing = ("ncnn is not installed: pip install ncnn", "torch-compile needs a C++ compiler")
    recorded = benchmark(entry(file("edge.onnx"), recorded=True), missing=missing)
    told = summary.lines(recorded)
    assert set(missing) <= set(told)
    assert any(line.startswith("* as recorded in the file") for line in told)


@pytest.mark.parametrize(
    ("noise", "last"),
    [
        (Noise(), "the timing is trusted"),
        (
            Noise(unreadable=("steal", "governor")),
            "the timing is trusted (cannot be read here: steal and governor)",
        ),
        (
            Noise(throttled=3, clock=Clock("ondemand", "acpi-cpufreq"), unreadable=("load",)),
            "the timing is noisy: the CPU quota stopped it 3 times: use fewer threads, or raise "
            "the quota; governor is ondemand: the clock follows the load; set performance "
            "(cannot be read here: load)",
        ),
    ],
)
def test_the_verdict_comes_last_with_its_reasons(noise: Noise, last: str) -> None:
    assert summary.lines(made(noise=noise))[-1] == last


def test_files_that_compute_what_they_must_need_no_warning() -> None:
    record = benchmark(entry(file("edge.onnx")), entry(file("edge-int8.onnx", precision="int8")))
    assert summary.notes(record) == []


def test_a_saturating_file_is_named_with_what_to_do() -> None:
    wrong = replace(INT8_FINDINGS, deviation=SATURATING)
    own = file("x/edge-int8.onnx", precision="int8")
    foreign = file("other.onnx", precision="int8", ours=False)
    first, second = summary.notes(
        benchmark(entry(file("edge.onnx")), *(entry(one, findings=wrong) for one in (own, foreign)))
    )
    told = (
        "computes wrongly on this CPU: 41 of 500 answers differ from its float reference, "
        "max |Δlogit| 9.7 (limit 0.36): its int8 sums saturate. Quantize it again"
    )
    ours = f"edge-int8.onnx {told} with 'mnist-edge export --int8', or ship fp32"
    assert first == Note(Kind.WRONG_HERE, ours)
    assert first.line == f"warning: {ours}"
    assert second == Note(Kind.WRONG_HERE, f"other.onnx {told} to 7-bit weights, or ship fp32")


def test_a_float_file_that_deviates_is_not_said_to_saturate() -> None:
    broken = replace(FINDINGS, deviation=Deviation(500, 500, float("nan"), 0.09))
    (note,) = summary.notes(benchmark(entry(file("edge.onnx"), findings=broken)))
    assert note.kind is Kind.WRONG_HERE
    assert note.text.startswith("edge.onnx computes wrongly on this CPU: 500 of 500 answers")
    assert note.text.endswith(": do not ship it")
    assert "int8" not in note.text


def test_layers_that_stayed_in_float_are_named_for_int8_files_only() -> None:
    partly = replace(INT8_FINDINGS, kernels=Kernels(14, 9, 7, 1, 1, ("Conv_0", "Conv_4")))
    record = benchmark(
        entry(file("edge.onnx")),  # all in float, as it should be
        entry(file("edge-int8.onnx", precision="int8"), findings=partly),
    )
    told = "edge-int8.onnx: Conv_0 and Conv_4 stayed in float"
    assert summary.notes(record) == [Note(Kind.IN_FLOAT, told)]
    assert summary.notes(record)[0].line == told


def test_what_speaks_against_shipping_a_file_is_a_warning_and_nothing_else() -> None:
    found = {kind: Note(kind, "why") for kind in Kind}
    assert {kind for kind, note in found.items() if note.is_warning} == {
        Kind.WRONG_HERE,
        Kind.MAY_SATURATE,
    }
    wide = replace(INT8_FINDINGS, widest_pair=254)
    (note,) = summary.notes(benchmark(entry(file("a.onnx", precision="int8"), findings=wide)))
    assert note.kind is Kind.MAY_SATURATE
    assert note.line.startswith("warning: a.onnx may compute wrongly on x86 CPUs without VNNI")


SLOWER = Change("edge.onnx", 1, Ratio(1.124, 1.101, 1.152), minimum=1.13)
FASTER = Change("edge.onnx in openvino", 64, Ratio(0.92, 0.9, 0.95), minimum=0.9)
TIE = Change("edge.onnx", 8, Ratio(1.12, 0.99, 1.2), minimum=1.5)
BY_MINIMUM = Change("tiny in pytorch", 1, None, minimum=1.2)


def test_a_change_is_in_percent_of_the_time_before() -> None:
    assert summary.changes([SLOWER, FASTER, TIE, BY_MINIMUM], None) == [
        "edge.onnx, 1 image a call: time +12.4 % (+10.1 % to +15.2 %)",
        "edge.onnx in openvino, 64 images a call: time -8.0 % (-10.0 % to -5.0 %)",
        "edge.onnx, 8 images a call: tie (time -1.0 % to +20.0 %)",
        "tiny in pytorch, 1 image a call: time +20.0 % (fastest calls; another numpy before)",
    ]


@pytest.mark.parametrize(
    ("limit", "failed", "told"),
    [(0.1, {SLOWER, BY_MINIMUM}, "10 %"), (0.125, {BY_MINIMUM}, "12.5 %"), (0.3, set(), "")],
)
def test_what_fails_the_limit_says_so(limit: float, failed: set[Change], told: str) -> None:
    for change in (SLOWER, FASTER, TIE, BY_MINIMUM):
        (line,) = summary.changes([change], limit)
        assert line.endswith(f": slower by more than {told}") is (change in failed)
        assert ("slower by" in line) is change.slower(limit)
