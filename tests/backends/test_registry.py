import shutil
import sys
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from mnist_edge.backends import (
    RUNTIMES,
    Discovery,
    Examples,
    ForeignOptions,
    PyTorch,
    TorchCompile,
    find_contenders,
    load_backend,
)
from mnist_edge.backends.ncnn import Ncnn
from mnist_edge.backends.openvino import OpenVino
from mnist_edge.catalogue import EXTRAS
from mnist_edge.classifier import Classifier
from mnist_edge.errors import EdgeError, MissingExtraError, ModelError
from mnist_edge.files import sha256
from mnist_edge.image_shape import ImageShape
from tests.backends.foreign import Preparation, examples, write
from tests.conftest import write_tiny_model
from tests.helpers.trained import Trained


def never(shape: ImageShape | None) -> Examples:
    raise AssertionError("there was nothing to guess")


KNOWN = ("onnxruntime", "openvino", "ncnn", "torch-compile", "pytorch")
OURS = ForeignOptions(examples=never)
FOREIGN = ForeignOptions(examples=lambda shape: examples())


def shown(found: Discovery) -> list[tuple[str, str]]:
    return [(one.path.name, one.runtime) for one in found.contenders]


def int8_of(made: Trained, path: Path) -> Path:
    """An int8 file of the trained network, as far as its card is concerned."""
    fp32 = Classifier(made.file).card
    card = replace(
        fp32,
        precision="int8",
        source_sha256=sha256(made.file),
        original_sha256=fp32.source_sha256,
        calibration={"method": "minmax"},
    )
    return write_tiny_model(path, card)


def test_files_of_one_original_are_followed_by_it_and_it_comes_once(
    made: Trained, tmp_path: Path
) -> None:
    copy = Path(shutil.copy(made.file, tmp_path / "copy.onnx"))
    tiny = write_tiny_model(tmp_path / "tiny.onnx")
    found = find_contenders([tiny, made.file, copy], made.home / "runs", None, OURS).contenders
    assert [one.path for one in found] == [tiny, made.file, copy, made.run / "checkpoint.pt"]


@pytest.mark.parametrize("int8_first", [False, True])
def test_an_fp32_file_and_its_int8_file_share_one_original(
    made: Trained, tmp_path: Path, int8_first: bool
) -> None:
    files = [made.file, int8_of(made, tmp_path / "edge-xs-int8.onnx")]
    tiny = write_tiny_model(tmp_path / "tiny.onnx")
    files.sort(reverse=int8_first, key=lambda path: path.stem.endswith("int8"))
    found = find_contenders([files[0], tiny, files[1]], made.home / "runs", None, OURS).contenders
    assert [one.path for one in found] == [*files, made.run / "checkpoint.pt", tiny]
    assert [one.runtime for one in found].count("pytorch") == 1
    assert len({one.info.family for one in found}) == 2


def test_an_int8_file_alone_is_followed_by_its_original(made: Trained, tmp_path: Path) -> None:
    int8 = int8_of(made, tmp_path / "edge-xs-int8.onnx")
    found = find_contenders([int8], made.home / "runs", None, OURS).contenders
    assert [one.path for one in found] == [int8, made.run / "checkpoint.pt"]


def test_without_torch_there_is_no_original_and_no_word_of_it(
    made: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    found = find_contenders([made.file], made.home / "runs", None, OURS)
    assert shown(found) == [("edge-xs.onnx", "onnxruntime")]
    assert (found.missing, found.foreign_inputs) == ((), {})


def test_all_takes_what_is_here_in_the_order_of_a_table(made: Trained, tmp_path: Path) -> None:
    for backend in (OpenVino, Ncnn, PyTorch):
        if reason := backend.unavailable_reason():
            pytest.skip(reason)
    int8 = int8_of(made, tmp_path / "edge-xs-int8.onnx")
    found = find_contenders([made.file, int8], made.home / "runs", ["all"], OURS)
    compiled = [("checkpoint.pt", "torch-compile")] * (TorchCompile.unavailable_reason() is None)
    here = [name for name in RUNTIMES if load_backend(name).unavailable_reason() is None]
    assert list(dict.fromkeys(one.runtime for one in found.contenders)) == here
    assert [one for one in shown(found) if one[1] in KNOWN] == [
        ("edge-xs.onnx", "onnxruntime"),
        ("edge-xs-int8.onnx", "onnxruntime"),
        ("edge-xs.onnx", "openvino"),
        ("edge-xs-int8.onnx", "openvino"),
        ("edge-xs.onnx", "ncnn"),
        *compiled,
        ("checkpoint.pt", "pytorch"),
    ]


def test_all_names_what_is_missing(
    made: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for module in {module for extra in EXTRAS for module in extra.modules}:
        monkeypatch.setitem(sys.modules, module, None)
    found = find_contenders([made.file], made.home / "runs", ["all"], OURS)
    assert shown(found) == [("edge-xs.onnx", "onnxruntime")]
    assert len(found.missing) == len(RUNTIMES) - 1
    assert [line for line in found.missing if line.split()[0] in (*KNOWN, "torch")] == [
        "openvino is not installed: pip install 'mnist-edge[openvino]'",
        "ncnn and pnnx are not installed: pip install 'mnist-edge[ncnn]'",
        "torch is not installed: pip install 'mnist-edge[train]'",
        "torch is not installed: pip install 'mnist-edge[train]'",
    ]


def test_what_is_named_is_all_that_comes(made: Trained) -> None:
    found = find_contenders([made.file], made.home / "runs", ["pytorch"], OURS)
    assert shown(found) == [("checkpoint.pt", "pytorch")]
    found = find_contenders([made.file], made.home / "runs", ["onnxruntime"], OURS)
    assert shown(found) == [("edge-xs.onnx", "onnxruntime")]


@pytest.mark.parametrize("name", ["openvino", "ncnn", "pytorch", "torch-compile"])
def test_a_named_runtime_that_is_not_installed_names_its_extra(
    made: Trained, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, "torch" if "torch" in name else name, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mnist-edge\[\w+\]'"):
        find_contenders([made.file], made.home / "runs", ["onnxruntime", name], OURS)


@pytest.mark.parametrize("name", ["ncnn", "pytorch", "torch-compile"])
def test_a_named_runtime_that_has_nothing_to_run_says_so(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "foreign.onnx")
    with pytest.raises(ModelError, match=f"^{name} runs "):
        find_contenders([path], tmp_path / "runs", [name], FOREIGN)


def test_an_unknown_name_is_told_with_the_known_ones(tiny_model: Path) -> None:
    with pytest.raises(EdgeError, match=r"no contender 'tflite': choose from onnxruntime, .* all"):
        find_contenders([tiny_model], tiny_model.parent, ["onnxruntime", "tflite"], OURS)


def test_a_file_that_one_runtime_cannot_run_does_not_hold_up_the_others(
    made: Trained, tmp_path: Path
) -> None:
    if reason := Ncnn.unavailable_reason():
        pytest.skip(reason)
    tiny = write_tiny_model(tmp_path / "tiny.onnx")
    model = onnx.load(tiny)
    for node in model.graph.node:
        if node.op_type == "MatMul":
            node.output[0] = "product"
    # It computes what it did, in a way that nobody has written for ncnn.
    model.graph.node.extend(
        [
            onnx.helper.make_node("Greater", ["product", "product"], ["never"]),
            onnx.helper.make_node("Where", ["never", "product", "product"], ["logits"]),
        ]
    )
    onnx.save(model, tiny)
    found = find_contenders([tiny, made.file], tmp_path, ["ncnn"], OURS)
    assert shown(found) == [("edge-xs.onnx", "ncnn")]
    assert [line.partition(" ")[0] for line in found.missing] == [tiny.name]


def test_a_file_of_ours_that_breaks_the_contract_is_no_foreign_file(tmp_path: Path) -> None:
    path = write(tmp_path / "broken.onnx", metadata={"mnist_edge.version": "1"})
    with pytest.raises(ModelError, match=r"broken\.onnx is not a file of mnist-edge: its input"):
        find_contenders([path], tmp_path, None, FOREIGN)


def test_foreign_files_are_families_of_their_own_and_say_how_they_are_fed(tmp_path: Path) -> None:
    files = [
        write(tmp_path / "a.onnx", made_for=Preparation(1 / 255)),
        write(tmp_path / "b.onnx", (1, 784), output=(1, 10)),
    ]
    tiny = write_tiny_model(tmp_path / "tiny.onnx")
    found = find_contenders(
        [files[0], tiny, files[1]], tmp_path, None, replace(FOREIGN, dataset="kmnist")
    )
    assert shown(found) == [(name, "onnxruntime") for name in ("a.onnx", "tiny.onnx", "b.onnx")]
    first, ours, last = [one.info for one in found.contenders]
    assert (first.family, last.family) == (sha256(files[0]), sha256(files[1]))
    assert [one.dataset for one in (first, ours, last)] == ["kmnist", "digits", "kmnist"]
    assert [one.ours for one in (first, ours, last)] == [False, True, False]
    a, b = (found.foreign_inputs[path] for path in files)
    assert (a.shape, a.form, b.shape, b.form) == (
        (-1, 1, 28, 28),
        "as 0..1",
        (1, 784),
        "0..255 as they are",
    )
    assert a.guess is not None
    assert a.guess.examples == 60


def test_what_a_person_says_of_a_foreign_file_is_taken(tmp_path: Path) -> None:
    path = write(tmp_path / "a.onnx")
    options = ForeignOptions(never, scale=1.0, mean=0.0, invert=True)
    found = find_contenders([path], tmp_path, None, options)
    (taken,) = found.foreign_inputs.values()
    assert (taken.scale, taken.mean, taken.invert, taken.guess) == (1.0, 0.0, True, None)


def test_two_files_of_the_same_bytes_are_two_contenders(tmp_path: Path) -> None:
    a = write(tmp_path / "a.onnx")
    b = Path(shutil.copy(a, tmp_path / "b.onnx"))
    found = find_contenders([a, b], tmp_path, None, FOREIGN)
    assert shown(found) == [("a.onnx", "onnxruntime"), ("b.onnx", "onnxruntime")]
    assert len(found.foreign_inputs) == 2


def test_foreign_files_run_in_openvino_too(tmp_path: Path) -> None:
    if reason := OpenVino.unavailable_reason():
        pytest.skip(reason)
    found = find_contenders(
        [write(tmp_path / "a.onnx")], tmp_path, ["openvino", "onnxruntime"], FOREIGN
    )
    assert shown(found) == [("a.onnx", "onnxruntime"), ("a.onnx", "openvino")]
    assert len({one.info for one in found.contenders}) == 1


def test_every_name_is_one_of_the_runtimes(made: Trained) -> None:
    found = find_contenders([made.file], made.home / "runs", None, OURS).contenders
    assert {one.runtime for one in found} <= set(RUNTIMES)
