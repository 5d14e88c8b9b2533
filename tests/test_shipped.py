import os
from pathlib import Path

import pytest

from mnist_edge import shipped
from mnist_edge.errors import ModelError
from tests.clitools import move_package


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
