"""What `export --int8` makes of a run that never changes: `run/`, written by
`mnist-edge train --model edge-xs --dataset digits --epochs 8`, without what only training needs.

On one machine the bytes are the same each time. From CPU to CPU the last bits of floats differ, in
kernels that fold and calibrate: of a graph, its nodes, names, types, shapes and versions are
compared as they are, floats (scales among them) to 1e-5, int8 weights but for one step in one of a
thousand, which such a bit may tip. Of the metadata, what was measured or fitted on answers is
compared by its keys, all else by its values.
"""

import hashlib
import json
import os
import shutil
from difflib import unified_diff
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from tests import golden
from tests.helpers.cli import invoke

FILES = {"fp32": "edge-xs.onnx", "int8": "edge-xs-int8.onnx"}
MEASURED = (
    *("accuracy", "original_accuracy", "temperature", "threshold", "confusion", "golden"),
    "source_sha256",
)
CLOSE = 1e-5
VERSIONS = {name: version(name) for name in ("torch", "onnx", "onnxscript", "onnxruntime")}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both files, and beside them what was said with --json."""
    home = tmp_path_factory.mktemp("golden")
    shutil.copytree(golden.FOLDER / "run", home / "run")
    args = ("export", home / "run", "--int8", "--max-drop", 5, "--out", home, "--json")
    done = invoke(*args)
    assert (done.exit_code, done.stderr) == (0, "")
    (home / "said.json").write_text(done.stdout)
    return home


def nodes(model: onnx.ModelProto) -> str:
    """All of a graph but its constants' values, as text."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    del bare.metadata_props[:]
    for tensor in bare.graph.initializer:
        tensor.ClearField("raw_data")
        tensor.ClearField("float_data")
        tensor.ClearField("int32_data")
        tensor.ClearField("int64_data")
    return str(bare)


def constants(model: onnx.ModelProto) -> dict[str, NDArray[Any]]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def different(before: onnx.ModelProto, after: onnx.ModelProto) -> list[str]:
    """The names of constants that differ by more than CPUs do."""
    old, new = constants(before), constants(after)
    return [name for name in old if not _alike(old[name], new[name])]


def _alike(old: NDArray[Any], new: NDArray[Any]) -> bool:
    if old.dtype == np.float32:
        return bool(np.allclose(old, new, rtol=CLOSE, atol=CLOSE * np.abs(old).max(initial=0)))
    apart = np.abs(old.astype(np.int64) - new.astype(np.int64))
    if old.dtype == np.int32:  # biases, in steps of two scales
        return bool((apart <= 1 + CLOSE * np.abs(old.astype(np.float64))).all())
    if old.dtype == np.int8:
        return bool(apart.max() <= 1 and (apart > 0).mean() <= 1e-3)
    return not apart.any()


@pytest.mark.parametrize("precision", FILES)
def test_the_graph_is_what_it_was(exported: Path, precision: str) -> None:
    """The kept file has no metadata but the versions of what wrote it, for whom it may concern."""
    model = onnx.load(exported / FILES[precision])
    kept = golden.FOLDER / "export" / FILES[precision]
    if os.environ.get(golden.REWRITE):
        _keep(model, kept)
    before = onnx.load(kept)
    told = list(unified_diff(nodes(before).splitlines(), nodes(model).splitlines(), lineterm=""))
    told = told or [f"{name} has other values" for name in different(before, model)]
    if told:
        versions = {entry.key: entry.value for entry in before.metadata_props}
        told.append(f"kept with {versions}, now {VERSIONS}; if that is meant: {golden.ANEW}")
        pytest.fail("\n".join(told), pytrace=False)


def _keep(model: onnx.ModelProto, path: Path) -> None:
    """Write the graph anew, but not where only the CPU is another."""
    if path.is_file():
        before = onnx.load(path)
        if nodes(before) == nodes(model) and not different(before, model):
            return
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.metadata_props[:]
    helper.set_model_props(copy, VERSIONS)
    path.parent.mkdir(exist_ok=True)
    onnx.save(copy, path)


@pytest.mark.parametrize("precision", FILES)
def test_the_metadata_is_what_it_was(exported: Path, precision: str) -> None:
    model = onnx.load(exported / FILES[precision])
    lines = []
    for entry in model.metadata_props:
        key = entry.key.removeprefix("mnist_edge.")
        assert key != entry.key
        lines.append(f"{key}: {_measured(entry.value) if key in MEASURED else entry.value}")
    golden.check(f"export/{precision}-metadata.txt", "\n".join(lines))


def _measured(value: str) -> str:
    """What kind of value it is: the keys of an object, else its type."""
    try:
        found = json.loads(value)
    except ValueError:
        return "text"
    return ", ".join(found) if isinstance(found, dict) else type(found).__name__


def test_each_file_names_the_one_that_it_was_made_from(exported: Path) -> None:
    source = exported / "run" / "checkpoint.pt"
    for name in FILES.values():
        props = {entry.key: entry.value for entry in onnx.load(exported / name).metadata_props}
        digest = hashlib.sha256(source.read_bytes()).hexdigest()
        assert props["mnist_edge.source_sha256"] == digest
        source = exported / name


def test_the_json_of_export_has_the_keys_that_it_had(exported: Path) -> None:
    golden.check_keys("json/export.txt", json.loads((exported / "said.json").read_text()))
    manifest = json.loads((exported / "manifest.json").read_text())
    golden.check_keys("json/manifest.txt", manifest, names=["files"])


def test_what_no_cpu_makes_different_is_seen(exported: Path) -> None:
    """A changed weight, scale, name or shape fails; a last bit does not."""
    path = exported / FILES["int8"]
    before = onnx.load(path)
    kinds: dict[int, str] = {}
    for tensor in before.graph.initializer:
        kinds.setdefault(tensor.data_type, tensor.name)
    for kind, name in kinds.items():
        after = onnx.load(path)
        (tensor,) = (one for one in after.graph.initializer if one.name == name)
        values = numpy_helper.to_array(tensor).copy()
        values.flat[0] += 4 if values.dtype != np.int32 else 4 + values.flat[0] // 1000
        tensor.CopyFrom(numpy_helper.from_array(values, name))
        assert different(before, after) == [name], kind
        assert nodes(before) == nodes(after)
        last_bit = onnx.load(path)
        (tensor,) = (one for one in last_bit.graph.initializer if one.name == name)
        values = numpy_helper.to_array(tensor).copy()
        if values.dtype == np.float32:
            values.flat[0] = np.nextafter(values.flat[0], np.float32(np.inf))
            tensor.CopyFrom(numpy_helper.from_array(values, name))
            assert different(before, last_bit) == []
        tensor.name += "x"
        assert nodes(before) != nodes(last_bit)
