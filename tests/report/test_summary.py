"""A benchmark in sentences: on what, how, how quietly, and what changed."""

from dataclasses import replace

import pytest

from mnist_edge.benchmark import Benchmark, Plan
from mnist_edge.benchmark.compare import Change
from mnist_edge.host.cpus import Clock
from mnist_edge.host.noise import Noise
from mnist_edge.intervals import Ratio
from mnist_edge.report import summary, verdict
from tests.report.records import MACHINE, benchmark, entry, file, latency


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


def test_a_page_has_the_verdict_and_why() -> None:
    assert verdict.word_and_why(Noise()) == (
        "Trusted",
        "nothing that can be read of this machine disturbed the timing",
    )
    assert verdict.word_and_why(Noise(throttled=3, others=0.5)) == (
        "Noisy",
        "50 % of the CPU was used by other programs: close them; the CPU quota stopped it "
        "3 times: use fewer threads, or raise the quota",
    )


def test_the_machine_is_told_with_what_limits_it() -> None:
    limited = replace(MACHINE, cores=2, logical=8, quota=1.5, governor="schedutil", virtual=True)
    told = dict(summary.machine(benchmark(entry(file("a.onnx")), machine=limited)))
    assert told["cores"] == "2 of 8 usable"
    assert told["CPU quota"] == "1.5 cores"
    assert told["clock governor"] == "schedutil"
    assert told["system"] == "Linux x86_64, a virtual machine"
    free = dict(
        summary.machine(benchmark(entry(file("a.onnx")), machine=replace(MACHINE, flags=())))
    )
    assert (free["cores"], free["CPU quota"]) == ("4", "none")
    assert free["clock governor"] == "cannot be read here"
    assert free["flags that matter to int8"] == "none that is known"


def test_noise_tells_what_was_read_and_what_could_not_be() -> None:
    found = Noise(
        steal=0.0123,
        others=0.05,
        switches_per_s=3.14,
        load=0.5,
        throttled=1200,
        spread={"a": 0.02, "b": 0.0345},
        unreadable=("governor", "load"),
    )
    assert summary.noise(benchmark(entry(file("a.onnx")), noise=found)) == [
        ("CPU time that the host gave to other guests", "1.23 %"),
        ("CPU used by other programs", "5.00 %"),
        ("involuntary switches a second", "3.1"),
        ("load per core when it began", "0.50"),
        ("times that the CPU quota stopped it", "1,200"),
        ("largest difference between rounds (interquartile)", "3.5 %, b"),
        ("cannot be read here", "governor and load"),
    ]
    assert summary.noise(benchmark(entry(file("a.onnx")))) == []


def test_calls_and_rounds_are_those_of_the_samples() -> None:
    record = benchmark(entry(file("a.onnx"), count=800), entry(file("b.onnx"), count=7000))
    told = summary.protocol(record)
    assert (
        "Each was timed for 800 to 7,000 calls of 1 image in 20 rounds and 64 calls of 64 images "
        "in 20 rounds." in told
    )
    assert "What they were timed on: test images of digits." in told


def test_how_long_images_take_into_their_form_is_said_in_terminal_and_page() -> None:
    record = benchmark(entry(file("a.onnx"), prepare=latency(0.5)), entry(file("b.onnx")))
    told = (
        "Only the call is timed: bringing an image into the form that the model takes adds 0.5 µs"
    )
    assert told in summary.lines(record)
    assert f"{told}." in summary.protocol(record)


def test_the_fixed_piece_of_work_is_told_as_far_as_it_was_timed() -> None:
    def told(**yardstick: object) -> str:
        return " ".join(summary.protocol(benchmark(entry(file("a.onnx")), **yardstick)))

    spread = latency(9.0).spread
    assert spread
    assert f"took 9.0 µs at the median; half of its rounds lay within {spread:.1%}"[:-1] in told()
    assert "took 9.0 µs at the median." in told(yardstick={1: latency(9.0, rounds=3)})
    assert "fixed piece" not in told(yardstick={1: latency(9.0, 5)})
    assert "fixed piece" not in told(yardstick={})


def test_a_short_run_says_nothing_of_calls_that_were_not_made() -> None:
    nothing = benchmark(entry(file("a.onnx"), batches={}))
    assert not [line for line in summary.protocol(nothing) if "Each was timed" in line]


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
