import hashlib
import os
from pathlib import Path

import onnx
import pytest

from mnist_edge.classifier import read_card
from mnist_edge.errors import EdgeError, ModelError
from mnist_edge.model_file import model_paths
from mnist_edge.model_file.manifest import MANIFEST, read_manifest
from tests.helpers.cli import move_package

EXPORTED = Path(__file__).parent.parent.parent / "exported"


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
    for ask in (model_paths.default_files, model_paths.default):
        with pytest.raises(ModelError, match=r"no exported model: .*'mnist-edge export'"):
            ask()


def test_the_current_folder_comes_before_the_wheel_and_the_wheel_before_the_checkout(
    package: Path,
) -> None:
    checkout = touch(package.parent / "exported" / "c.onnx")
    assert model_paths.default_files() == [checkout]
    wheel = touch(package / "exported" / "w.onnx")
    assert model_paths.default_files() == [wheel]
    touch(Path("exported/b.onnx"))
    touch(Path("exported/a.onnx"))
    assert model_paths.default_files() == [Path("exported/a.onnx"), Path("exported/b.onnx")]


def test_edge_answers_by_default_even_when_another_is_newer(package: Path) -> None:
    touch(Path("exported/zoo.onnx"), age_s=0)
    touch(Path("exported/edge.onnx"), age_s=100)
    assert model_paths.default() == Path("exported/edge.onnx")


def test_without_edge_the_newest_answers(package: Path) -> None:
    touch(Path("exported/a.onnx"), age_s=50)
    touch(Path("exported/b.onnx"), age_s=10)
    touch(Path("exported/c.onnx"), age_s=90)
    assert model_paths.default() == Path("exported/b.onnx")


def test_a_name_is_the_path_then_exported_then_the_package(package: Path) -> None:
    shipped_one = touch(package / "exported" / "edge-int8.onnx")
    assert model_paths.find("edge-int8") == model_paths.find("edge-int8.onnx") == shipped_one
    local = touch(Path("exported/edge-int8.onnx"))
    assert model_paths.find("edge-int8") == model_paths.find(Path("edge-int8.onnx")) == local
    assert model_paths.find(shipped_one) == shipped_one
    assert model_paths.find("exported/edge-int8") == local
    beside = touch(Path("edge-int8.onnx"))
    assert model_paths.find("edge-int8") == beside
    whole = touch(Path("edge-int8"))
    assert model_paths.find("edge-int8") == whole
    assert model_paths.find("edge-int8.onnx") == beside


def test_dots_are_part_of_a_name(package: Path) -> None:
    path = touch(Path("exported/mnist-1.2.onnx"))
    assert model_paths.find("mnist-1.2") == path


def test_a_folder_stands_in_the_way_of_no_name(package: Path) -> None:
    """runs/edge has a folder edge in it, and exported/edge.onnx is still 'edge'."""
    Path("edge").mkdir()
    with pytest.raises(ModelError, match=r"^edge is a folder: it holds no \.onnx file$"):
        model_paths.find("edge")
    path = touch(package / "exported" / "edge.onnx")
    assert model_paths.find("edge") == path
    touch(Path("mine/a.onnx"))
    with pytest.raises(ModelError, match=r"^mine is a folder: name one of its files: a\.onnx$"):
        model_paths.find("mine")


def test_none_is_the_default_one(package: Path) -> None:
    touch(package / "exported" / "a.onnx")
    path = touch(package / "exported" / "edge.onnx")
    assert model_paths.find() == model_paths.find(None) == path


@pytest.mark.parametrize("name", ["nothing", "x/edge-xs", "edge.ort", "", ".", "a\0b"])
def test_a_name_of_nothing_lists_what_there_is(package: Path, name: str) -> None:
    touch(package / "exported" / "edge-xs.onnx")
    touch(Path("exported/mine.onnx"))
    with pytest.raises(ModelError) as raised:
        model_paths.find(name)
    if Path(name).parts:
        suffix = "'edge-xs' alone is one that is here" if "/" in name else "name a path, or one of "
        assert f": {suffix}" in str(raised.value)
        assert "/" in name or str(raised.value).endswith("edge-xs, mine")


def test_without_any_model_a_name_says_how_to_get_one(package: Path) -> None:
    with pytest.raises(ModelError, match=r"model file edge: .* make one with 'mnist-edge export'"):
        model_paths.find("edge")


def test_why_a_path_cannot_be_looked_at_is_said_by_whoever_opens_it(package: Path) -> None:
    assert model_paths.find(long := "a" * 5000) == Path(long)


def test_several_are_files_names_and_folders_each_once(package: Path) -> None:
    shipped_one = touch(package / "exported" / "edge-xs.onnx")
    assert model_paths.find_all(None) == model_paths.find_all([]) == [shipped_one]
    own = [touch(Path("mine/b-int8.onnx")), touch(Path("mine/b.onnx")), touch(Path("mine/a.onnx"))]
    touch(Path("mine/notes.txt"))
    assert model_paths.find_all(["mine", "edge-xs", "mine/a.onnx"]) == [*own[::-1], shipped_one]
    Path("bare").mkdir()
    with pytest.raises(ModelError, match="bare is a folder: it holds no"):
        model_paths.find_all(["mine", "bare"])


def test_a_copy_is_the_file_and_its_card(package: Path) -> None:
    touch(package / "exported" / "edge.onnx").write_bytes(b"model")
    touch(package / "exported" / "edge.md").write_text("card")
    touch(package / "exported" / "edge-xs.onnx")
    assert model_paths.copy("edge", Path("device/models")) == Path("device/models/edge.onnx")
    assert Path("device/models/edge.onnx").read_bytes() == b"model"
    assert Path("device/models/edge.md").read_text() == "card"
    model_paths.copy("edge", Path("device/models"))  # the same again is no harm
    Path("device/models/edge.md").write_text("my notes")
    with pytest.raises(EdgeError, match=r"edge\.md is another file: use --force to replace it"):
        model_paths.copy("edge", Path("device/models"))
    model_paths.copy("edge", Path("device/models"), force=True)
    assert Path("device/models/edge.md").read_text() == "card"
    assert model_paths.copy("edge-xs", Path()) == Path("edge-xs.onnx")
    assert model_paths.find("edge-xs") == Path("edge-xs.onnx")
    model_paths.copy("edge-xs", Path())  # onto itself


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
