"""What a reader must not overlook, or may not expect."""

from dataclasses import replace
from pathlib import Path

from mnist_edge.backends import InputFormat, OnnxRuntime
from mnist_edge.benchmark.kernels import Deviation, Kernels
from mnist_edge.model_file.reader import ModelFile
from mnist_edge.report import notes
from mnist_edge.report.input_formats import describe_input
from mnist_edge.report.notes import Kind, Note
from tests.report.records import FINDINGS, INT8_FINDINGS, benchmark, entry, file

SATURATING = Deviation(500, 41, 9.7, 0.09)


def test_files_that_compute_what_they_must_need_no_warning() -> None:
    record = benchmark(entry(file("edge.onnx")), entry(file("edge-int8.onnx", precision="int8")))
    assert notes.notes(record) == []


def test_a_saturating_file_is_named_with_what_to_do() -> None:
    wrong = replace(INT8_FINDINGS, deviation=SATURATING)
    own = file("x/edge-int8.onnx", precision="int8")
    foreign = file("other.onnx", precision="int8", ours=False)
    first, second = notes.notes(
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
    (note,) = notes.notes(benchmark(entry(file("edge.onnx"), findings=broken)))
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
    assert notes.notes(record) == [Note(Kind.IN_FLOAT, told)]
    assert notes.notes(record)[0].line == told


def test_what_speaks_against_shipping_a_file_is_a_warning_and_nothing_else() -> None:
    found = {kind: Note(kind, "why") for kind in Kind}
    assert {kind for kind, note in found.items() if note.is_warning} == {
        Kind.WRONG_HERE,
        Kind.MAY_SATURATE,
    }
    wide = replace(INT8_FINDINGS, widest_pair=254)
    (note,) = notes.notes(benchmark(entry(file("a.onnx", precision="int8"), findings=wide)))
    assert note.kind is Kind.MAY_SATURATE
    assert note.line.startswith("warning: a.onnx may compute wrongly on x86 CPUs without VNNI")


def test_a_warning_stands_with_what_was_not_timed_and_not_among_the_remarks() -> None:
    wide = replace(INT8_FINDINGS, widest_pair=254)
    partly = replace(INT8_FINDINGS, kernels=Kernels(14, 9, 7, 1, 1, ("Conv_0",)))
    made = [
        entry(file(name, precision="int8"), findings=findings)
        for name, findings in (("a.onnx", wide), ("b.onnx", partly))
    ]
    record = benchmark(*made, stopped=True)
    first, second = notes.warnings(record)
    assert first.startswith("a.onnx may compute wrongly on x86 CPUs without VNNI")
    assert second.startswith("The run was stopped before all was measured")
    assert notes.remarks(record) == ["b.onnx: Conv_0 stayed in float"]


def test_how_a_file_of_others_is_fed_is_told() -> None:
    input_format = InputFormat("Input3", "float32", (1, 1, 28, 28), "Plus214", 10, plain=True)
    info = file("peers/mnist-12.onnx", ours=False).info
    foreign = OnnxRuntime(ModelFile(Path("peers/mnist-12.onnx"), b""), info, input_format)
    told = notes.remarks(benchmark(replace(entry(file("a.onnx")), contender=foreign)))
    assert told == [f"mnist-12.onnx is not a file of mnist-edge: {describe_input(input_format)}."]
    assert not notes.remarks(benchmark(entry(file("a.onnx"))))
