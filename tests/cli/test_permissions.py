"""Places that a person may not read, write or be in: one line each, as an ordinary user."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mnist_edge.datasets.file_names import cache_dir
from mnist_edge.errors import DataError
from tests.conftest import make_card, write_tiny_model
from tests.crash.nursery import Nursery
from tests.helpers.cli import write_digit
from tests.helpers.privileges import as_ordinary_user, without_privileges

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX's permissions")

LOCKED = "locked/edge.onnx"
LONG = "n" * 300
COMMANDS = {
    "eval": ("eval", LOCKED),
    "bench": ("bench", LOCKED),
    "bench --json": ("bench", "tiny.onnx", "--json", LOCKED),
    "bench --compare": ("bench", "tiny.onnx", "--compare", LOCKED),
    "predict": ("predict", "1.png", "--model", LOCKED),
    "predict, a picture": ("predict", LOCKED, "--model", "tiny.onnx"),
    "export": ("export", LOCKED),
    "export --web": ("export", "tiny.onnx", "--web", LOCKED),
    "draw": ("draw", LOCKED, "--no-browser"),
    "data": ("data", "mnist", "--data-dir", LOCKED),
    "data folder:": ("data", f"folder:{LOCKED}"),
    "train --out": ("train", "--dataset", "digits", "--out", LOCKED),
    "train --resume": ("train", "--resume", "--out", LOCKED),
    "train --teacher": ("train", "--dataset", "digits", "--teacher", LOCKED),
    "reproduce --out": ("reproduce", "three-block", "--dataset", "digits", "--out", LOCKED),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a locked folder in it, and pictures and a model outside."""
    root = tmp_path_factory.mktemp("permissions")
    (root / "locked").mkdir()
    write_tiny_model(root / "tiny.onnx", make_card(dataset="folder:letters"))
    shutil.copy(root / "tiny.onnx", root / LOCKED)
    write_digit(root / "1.png")
    (root / "locked").chmod(0)
    return root


def run(folder: Path, *args: str, locked: bool = False) -> tuple[int, str, str]:
    done = as_ordinary_user("-P", "-m", "mnist_edge", *args, cwd=folder, locked=locked)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """Forks commands that permissions hold for."""
    with Nursery(begin=without_privileges()) as found:
        yield found


@pytest.mark.parametrize("name", COMMANDS)
def test_a_locked_folder_is_one_line(folder: Path, nursery: Nursery, name: str) -> None:
    ended = nursery.run(folder, *COMMANDS[name])
    assert ended.code == 1, ended.said
    assert ended.said.startswith("error: ")
    assert ended.said.count("\n") == 1
    assert "ermission denied" in ended.said
    assert "locked" in ended.said


def test_a_latency_that_could_not_be_recorded_is_said_before_measuring(tmp_path: Path) -> None:
    """As of files that an administrator installed for all."""
    file = write_tiny_model(tmp_path / "theirs.onnx", make_card(dataset="folder:letters"))
    (tmp_path / "manifest.json").write_text("{}")
    (tmp_path / "elsewhere").mkdir()
    tmp_path.chmod(0o555)
    try:
        code, shown, said = run(tmp_path / "elsewhere", "bench", str(file), "--record")
    finally:
        tmp_path.chmod(0o755)
    assert (code, shown, said.count("\n")) == (1, "", 1), said
    assert said.startswith(f"error: cannot write {tmp_path}, --record: Permission denied")


@pytest.mark.parametrize("name", ["export", "train --out", "train --resume", "data", "eval"])
def test_a_name_that_is_too_long_is_one_line(folder: Path, nursery: Nursery, name: str) -> None:
    ended = nursery.run(folder, *(LONG if part == LOCKED else part for part in COMMANDS[name]))
    assert (ended.code, ended.said.count("\n")) == (1, 1), ended.said
    assert "name too long" in ended.said


def test_a_current_folder_without_permission_is_no_hindrance(folder: Path, tmp_path: Path) -> None:
    """`sudo -u www-data` in somebody's home: what is named elsewhere is read."""
    picture, model = str(folder / "1.png"), str(folder / "tiny.onnx")
    here = tmp_path / "here"
    here.mkdir()
    code, rows, said = run(here, "predict", picture, locked=True)
    assert (code, rows.startswith(picture)) == (0, True), said
    bench = ("bench", model, "--duration", "0", "--batch", "1")
    code, table, said = run(here, *bench, locked=True)
    assert (code, "tiny.onnx" in table) == (0, True), said
    assert run(here, "doctor", locked=True)[0] == 0


def test_without_a_home_there_is_no_cache_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nobody(uid: int) -> None:
        raise KeyError("getpwuid(): uid not found")

    for name in ("HOME", "XDG_CACHE_HOME", "MNIST_EDGE_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    monkeypatch.setattr(sys, "platform", "linux")
    from mnist_edge import datasets

    with pytest.raises(DataError, match=r"no home folder .*--data-dir"):
        cache_dir()
    assert datasets.load_if_here("mnist") is None
