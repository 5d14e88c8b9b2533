import hashlib
import os
from pathlib import Path

import onnx
import pytest

from mnist_edge import shipped
from mnist_edge.classifier import read_card
from mnist_edge.errors import ModelError
from mnist_edge.manifest import MANIFEST, read_manifest
from tests.clitools import move_package

EXPORTED = Path(__file__).parent.parent / "exported"


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A package without models, seen from an empty folder."""
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    return move_package(monkeypatch, tmp_path)


def touch(path: Path, age_s: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (1e9 - age_s, 1e9 - age_s))
    return path


def test_without_any_model_the_error_says_how_to_get_one(package: Path) -> None:
    touch(package / "exported" / "manifest.json")
    for ask in (shipped.files, shipped.default):
        with pytest.raises(ModelError, match=r"no exported model: .*'mnist-edge export'"):
            ask()


def test_the_current_folder_comes_before_the_wheel_and_the_wheel_before_the_checkout(
    package: Path,
) -> None:
    checkout = touch(package.parent / "exported" / "c.onnx")
    assert shipped.files() == [checkout]
    wheel = touch(package / "exported" / "w.onnx")
    assert shipped.files() == [wheel]
    touch(Path("exported/b.onnx"))
    touch(Path("exported/a.onnx"))
    assert shipped.files() == [Path("exported/a.onnx"), Path("exported/b.onnx")]


def test_edge_answers_by_default_even_when_another_is_newer(package: Path) -> None:
    touch(Path("exported/zoo.onnx"), age_s=0)
    touch(Path("exported/edge.onnx"), age_s=100)
    assert shipped.default() == Path("exported/edge.onnx")


def test_without_edge_the_newest_answers(package: Path) -> None:
    touch(Path("exported/a.onnx"), age_s=50)
    touch(Path("exported/b.onnx"), age_s=10)
    touch(Path("exported/c.onnx"), age_s=90)
    assert shipped.default() == Path("exported/b.onnx")


@pytest.mark.parametrize("path", sorted(EXPORTED.glob("*.onnx")), ids=lambda path: path.name)
def test_shipped_files_run_in_onnx_runtime_1_8(path: Path) -> None:
    """What it reads: opset 14, IR 7, and no Reshape that states allowzero. The files were run in
    1.8.1, 1.9.0 and 1.10.0, and told all 10,000 test images apart as in 1.32.0."""
    model = onnx.load(path)
    assert [(one.domain, one.version) for one in model.opset_import] == [("", 14)]
    assert model.ir_version <= 7
    stated = {item.name for node in model.graph.node for item in node.attribute}
    assert "allowzero" not in stated


def test_shipped_files_are_those_that_the_manifest_and_each_other_name() -> None:
    known = read_manifest(EXPORTED / MANIFEST)
    assert {path.name for path in EXPORTED.glob("*.onnx")} == set(known)
    for name, entry in known.items():
        content = (EXPORTED / name).read_bytes()
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
        assert entry["bytes"] == len(content)
        assert entry["source_sha256"] == read_card(EXPORTED / name).source_sha256
    for name in ("edge", "edge-xs"):  # the fp32 file of resnet3 is not shipped
        assert known[f"{name}-int8.onnx"]["source_sha256"] == known[f"{name}.onnx"]["sha256"]
