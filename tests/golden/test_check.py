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
    golden.check("new/ä.txt", "größer \n")
    monkeypatch.delenv(golden.REWRITE)
    golden.check("new/ä.txt", "größer")
