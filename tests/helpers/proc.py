"""A /proc and a /sys made by hand."""

from pathlib import Path

import pytest


def pretend(monkeypatch: pytest.MonkeyPatch, files: dict[str, str]) -> None:
    """Let exactly these files be readable; others are not there."""

    def read_text(path: Path, **options: object) -> str:
        if str(path) not in files:
            raise FileNotFoundError(path)
        return files[str(path)]

    monkeypatch.setattr(Path, "read_text", read_text)
