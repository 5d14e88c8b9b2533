from pathlib import Path

import pytest

from tests import golden


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(golden, "FOLDER", tmp_path)
    monkeypatch.delenv(golden.REWRITE, raising=False)
    return tmp_path


def test_a_difference_fails_with_the_lines_that_differ(folder: Path) -> None:
    (folder / "a.txt").write_text("one\ntwo\nthree\n")
    golden.check("a.txt", "one\ntwo  \nthree")
    with pytest.raises(pytest.fail.Exception, match=r"(?s)-two\n\+2\n three\n.*-m tests\.golden"):
        golden.check("a.txt", "one\n2\nthree\n")


def test_a_text_that_is_not_kept_yet_fails(folder: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"\+one"):
        golden.check("a.txt", "one\n")
    assert list(folder.iterdir()) == []


def test_texts_are_written_anew_when_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(golden.REWRITE, "1")
    golden.check("new/a.txt", "größer \n")
    monkeypatch.delenv(golden.REWRITE)
    golden.check("new/a.txt", "größer")


def test_the_keys_of_a_value_are_its_paths_with_the_types_that_stand_there(folder: Path) -> None:
    value = {
        "files": [{"size": 1, "why": None}, {"size": 2.5, "why": "new"}],
        "classes": {"a": {"f1": 0.5}, "b": {"f1": 1, "support": True}},
        "none": [],
    }
    (folder / "a.txt").write_text(
        ".: object\nfiles: list\nfiles[]: object\nfiles[].size: number\n"
        "files[].why: null or string\nclasses: object\nclasses.*: object\n"
        "classes.*.f1: number\nclasses.*.support: boolean\nnone: list\n"
    )
    golden.check_keys("a.txt", value, names=["classes"])
    with pytest.raises(pytest.fail.Exception, match=r"-files\[\]\.why: null or string"):
        golden.check_keys("a.txt", value | {"files": [{"size": 1}]}, names=["classes"])
