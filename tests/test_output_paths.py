"""Places that cannot be written are found before the work; inputs are never written over."""

import os
import socket
from pathlib import Path

import pytest

from mnist_edge.errors import EdgeError
from mnist_edge.output_paths import check_files, check_folder
from tests.helpers.privileges import as_ordinary_user


def refusal(outputs: dict[str, Path | None], *inputs: Path) -> str:
    with pytest.raises(EdgeError) as caught:
        check_files(outputs, inputs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_can_be_written_passes_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text("old")
    (tmp_path / "link.md").symlink_to("old.md")
    check_files(
        {
            "--json": tmp_path / "old.json",
            "--markdown": tmp_path / "link.md",
            "--html": tmp_path / "new.html",
            "--plot": None,
        },
        [tmp_path / "a.onnx", tmp_path / "missing"],
    )
    check_folder("--out", tmp_path / "a" / "b")
    assert names(tmp_path) == ["link.md", "old.json"]
    assert (tmp_path / "old.json").read_text() == "old"


def test_devices_and_pipes_pass_as_often_as_they_are_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    null = Path(os.devnull)
    check_files({"--json": null, "--html": null, "--plot": tmp_path / "pipe"}, [null])


@pytest.mark.parametrize("way", ["same", "link", "hard link", "other spelling"])
def test_an_input_is_not_written_over(tmp_path: Path, way: str) -> None:
    model, output = tmp_path / "a.onnx", tmp_path / "b.json"
    model.write_bytes(b"model")
    if way == "same":
        output = model
    elif way == "link":
        output.symlink_to("a.onnx")
    elif way == "hard link":
        output.hardlink_to(model)
    else:
        output = tmp_path / "." / ".." / tmp_path.name / "a.onnx"
    said = refusal({"--json": output}, tmp_path / "other.onnx", model)
    assert said == f"--json would be written over {output}, which is read: name another"


def test_nor_is_a_picture_of_a_folder_that_is_read(tmp_path: Path) -> None:
    (tmp_path / "set" / "a").mkdir(parents=True)
    picture = tmp_path / "set" / "a" / "1.png"
    picture.write_bytes(b"picture")
    assert "--preview would be written over" in refusal({"--preview": picture}, tmp_path / "set")
    check_files({"--preview": picture.with_name("new.png")}, [tmp_path / "set"])


def test_two_outputs_need_two_files(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("a.json")
    said = refusal({"--json": tmp_path / "a.json", "--html": tmp_path / "link"})
    assert said == f"--json and --html are the same file, {tmp_path / 'link'}: name two"


def test_a_typo_makes_no_folder(tmp_path: Path) -> None:
    said = refusal({"--json": tmp_path / "typo" / "a.json"})
    assert said.endswith(f"there is no folder {tmp_path / 'typo'}: make it first")
    (tmp_path / "link.json").symlink_to("typo/a.json")
    assert f"there is no folder {tmp_path / 'typo'}" in refusal({"--json": tmp_path / "link.json"})
    assert names(tmp_path) == ["link.json"]


def test_what_is_no_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    assert "cannot write folder, --json: it is a folder" in refusal({"--json": Path("folder")})
    assert "there is no folder file: make it first" in refusal({"--json": Path("file/a.json")})
    assert "cannot write loop, --json: " in refusal({"--json": Path("loop")})
    assert "name too long" in refusal({"--json": Path("n" * 300)})
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("socket")
        assert "cannot write socket, --json: it is a socket" in refusal({"--json": Path("socket")})
    with pytest.raises(EdgeError, match="--out is a folder, and file is a file"):
        check_folder("--out", Path("file"))
    with pytest.raises(EdgeError, match="--out is a folder, and file is a file"):
        check_folder("--out", Path("file") / "below")


PLACES = """
import sys
from pathlib import Path
from mnist_edge.errors import EdgeError
from mnist_edge.output_paths import check_files, check_folder
for check in (
    lambda: check_files({"--json": Path("locked/new.json")}),
    lambda: check_files({"--json": Path("locked/old.json")}),
    lambda: check_files({"--json": Path("closed/old.json")}),
    lambda: check_folder("--out", Path("locked/below")),
    lambda: check_folder("--out", Path("closed/below")),
):
    try:
        check()
    except EdgeError as error:
        print(error)
"""


def test_folders_without_permission(tmp_path: Path) -> None:
    for name, mode in (("locked", 0o555), ("closed", 0)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "old.json").write_text("old")
        (tmp_path / name).chmod(mode)
    try:
        done = as_ordinary_user("-c", PLACES, cwd=tmp_path)
    finally:
        (tmp_path / "closed").chmod(0o755)
    assert done.stderr == ""
    told = ": Permission denied. Choose another place"
    assert done.stdout.splitlines() == [
        f"cannot write locked/new.json, --json{told}",
        f"cannot write locked/old.json, --json{told}",
        f"cannot write closed/old.json, --json{told}",
        f"cannot write locked/below, --out{told}",
        f"cannot write closed/below, --out{told}",
    ]
