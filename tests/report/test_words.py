"""What the figures rest on, in words."""

from dataclasses import replace
from pathlib import Path

from mnist_edge.backends import InputFormat, OnnxRuntime
from mnist_edge.benchmark.kernels import Kernels
from mnist_edge.host.noise import Noise
from mnist_edge.model_file.reader import ModelFile
from mnist_edge.report import summary, words
from tests.report.records import INT8_FINDINGS, MACHINE, benchmark, entry, file, latency


def test_the_verdict_is_a_value_and_one_sentence() -> None:
    quiet = words.verdict(benchmark(entry(file("a.onnx"))))
    assert (quiet.trusted, quiet.word) == (True, "Trusted")
    assert str(quiet) == ("Trusted: nothing that can be read of this machine disturbed the timing.")
    noisy = words.verdict(benchmark(entry(file("a.onnx")), noise=Noise(throttled=3, others=0.5)))
    assert (noisy.trusted, noisy.word) == (False, "Noisy")
    assert str(noisy) == (
        "Noisy: 50 % of the CPU was used by other programs: close them; the CPU quota stopped it "
        "3 times: use fewer threads, or raise the quota."
    )


def test_a_warning_stands_with_what_was_not_timed_and_not_among_the_remarks() -> None:
    wide = replace(INT8_FINDINGS, widest_pair=254)
    partly = replace(INT8_FINDINGS, kernels=Kernels(14, 9, 7, 1, 1, ("Conv_0",)))
    made = [
        entry(file(name, precision="int8"), findings=findings)
        for name, findings in (("a.onnx", wide), ("b.onnx", partly))
    ]
    record = benchmark(*made, stopped=True)
    first, second = words.warnings(record)
    assert first.startswith("a.onnx may compute wrongly on x86 CPUs without VNNI")
    assert second.startswith("The run was stopped before all was measured")
    assert words.remarks(record) == ["b.onnx: Conv_0 stayed in float"]


def test_the_machine_is_told_with_what_limits_it() -> None:
    limited = replace(MACHINE, cores=2, logical=8, quota=1.5, governor="schedutil", virtual=True)
    told = dict(words.machine(benchmark(entry(file("a.onnx")), machine=limited)))
    assert told["cores"] == "2 of 8 usable"
    assert told["CPU quota"] == "1.5 cores"
    assert told["clock governor"] == "schedutil"
    assert told["system"] == "Linux x86_64, a virtual machine"
    free = dict(words.machine(benchmark(entry(file("a.onnx")), machine=replace(MACHINE, flags=()))))
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
    assert words.noise(benchmark(entry(file("a.onnx")), noise=found)) == [
        ("CPU time that the host gave to other guests", "1.23 %"),
        ("CPU used by other programs", "5.00 %"),
        ("involuntary switches a second", "3.1"),
        ("load per core when it began", "0.50"),
        ("times that the CPU quota stopped it", "1,200"),
        ("largest difference between rounds (interquartile)", "3.5 %, b"),
        ("cannot be read here", "governor and load"),
    ]
    assert words.noise(benchmark(entry(file("a.onnx")))) == []


def test_calls_and_rounds_are_those_of_the_samples() -> None:
    record = benchmark(entry(file("a.onnx"), count=800), entry(file("b.onnx"), count=7000))
    told = words.protocol(record)
    assert (
        "Each was timed for 800-7,000 calls of 1 image in 20 rounds and 64 calls of 64 images in "
        "20 rounds." in told
    )
    assert "What they were timed on: test images of digits." in told


def test_preparation_is_told_as_the_terminal_tells_it() -> None:
    record = benchmark(entry(file("a.onnx"), prepare=latency(0.5)), entry(file("b.onnx")))
    assert f"{summary.preparation(record)}." in words.protocol(record)


def test_the_fixed_piece_of_work_is_told_as_far_as_it_was_timed() -> None:
    def told(**yardstick: object) -> str:
        return " ".join(words.protocol(benchmark(entry(file("a.onnx")), **yardstick)))

    spread = latency(9.0).spread
    assert spread
    assert f"took 9.0 µs at the median; half of its rounds lay within {spread:.1%}"[:-1] in told()
    assert "took 9.0 µs at the median." in told(yardstick={1: latency(9.0, rounds=3)})
    assert "fixed piece" not in told(yardstick={1: latency(9.0, 5)})
    assert "fixed piece" not in told(yardstick={})


def test_how_a_file_of_others_is_fed_is_told() -> None:
    input_format = InputFormat("Input3", "float32", (1, 1, 28, 28), "Plus214", 10, plain=True)
    subject = file("peers/mnist-12.onnx", ours=False).subject
    foreign = OnnxRuntime(ModelFile(Path("peers/mnist-12.onnx"), b""), subject, input_format)
    told = words.remarks(benchmark(replace(entry(file("a.onnx")), contender=foreign)))
    assert told == [f"mnist-12.onnx is not a file of mnist-edge: {input_format.described()}."]
    assert not words.remarks(benchmark(entry(file("a.onnx"))))


def test_a_short_run_says_nothing_of_calls_that_were_not_made() -> None:
    nothing = benchmark(entry(file("a.onnx"), batches={}))
    assert not [line for line in words.protocol(nothing) if "Each was timed" in line]
