"""What contenders are called: no two that differ have one name."""

from dataclasses import replace

from mnist_edge.backends import RUNTIMES
from mnist_edge.report import labels
from mnist_edge.report.labels import Label
from tests.helpers.fakes import kind_of
from tests.report.records import Stand, benchmark, entry, file, original


def compiled(path: str, **changes: object) -> Stand:
    return replace(original(path, **changes), runtime="torch-compile")


def test_files_are_called_by_their_names_and_other_runtimes_stand_indented_below() -> None:
    record = benchmark(
        entry(file("exported/edge.onnx")),
        entry(file("exported/edge-int8.onnx", precision="int8")),
        entry(file("exported/edge.onnx", "openvino")),
        entry(file("exported/edge-int8.onnx", "openvino", precision="int8")),
        entry(file("exported/edge.onnx", "ncnn")),
        entry(compiled("runs/edge/checkpoint.pt", model="edge")),
        entry(original("runs/edge/checkpoint.pt", model="edge")),
    )
    under = ("openvino fp32", "openvino int8", "ncnn fp32", "torch.compile", "PyTorch original")
    assert labels.row_labels(record) == [
        Label("edge.onnx"),
        Label("edge-int8.onnx"),
        *(Label(name, under=True) for name in under),
    ]
    assert labels.full_names(record) == [
        "edge.onnx",
        "edge-int8.onnx",
        "edge.onnx in openvino",
        "edge-int8.onnx in openvino",
        "edge.onnx in ncnn",
        "edge in torch-compile",
        "edge in pytorch",
    ]
    assert labels.file_names(record)[2:] == [
        "edge.onnx",
        "edge-int8.onnx",
        "edge.onnx",
        "edge",
        "edge",
    ]


def test_two_files_of_one_precision_in_one_runtime_are_told_apart() -> None:
    both = ("old/edge-int8.onnx", "new/edge-int8.onnx")
    record = benchmark(
        *(entry(file(path, precision="int8")) for path in both),
        *(entry(file(path, "openvino", precision="int8")) for path in both),
    )
    assert labels.row_labels(record) == [
        *map(Label, both),
        *(Label(f"openvino {path}", under=True) for path in both),
    ]


def test_two_runs_of_one_model_are_told_apart() -> None:
    record = benchmark(
        *(
            entry(kind(f"{folder}/checkpoint.pt", model="edge", family=folder[-1] * 64))
            for folder in ("runs/edge", "runs/edge-1")
            for kind in (compiled, original)
        )
    )
    assert labels.full_names(record) == [
        "edge in torch-compile",
        "edge in pytorch",
        "edge-1 in torch-compile",
        "edge-1 in pytorch",
    ]


def test_no_two_contenders_have_one_full_name() -> None:
    record = benchmark(
        *(
            entry(file(f"{folder}/{name}{ending}", runtime, family=folder * 64, model="edge"))
            for folder in "ab"
            for name in ("edge", "edge-int8")
            for runtime in RUNTIMES
            for ending in [".onnx" if kind_of(runtime).is_file else ".pt"]
            if name == "edge" or kind_of(runtime).is_file
        )
    )
    found = labels.full_names(record)
    of_files = sum(kind_of(runtime).is_file for runtime in RUNTIMES)
    assert len(set(found)) == len(found) == 2 * (len(RUNTIMES) + of_files)
