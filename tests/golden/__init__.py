"""What a user of today sees and a script of today reads, kept as text files beside these tests.

A difference is either a fault or meant. Where it is meant,

    python -m tests.golden

writes the files anew, to be read in the diff of the commit.
"""

import difflib
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent
REWRITE = "MNIST_EDGE_REWRITE_GOLDEN"
ANEW = "python -m tests.golden"


def check(name: str, text: str) -> None:
    """Fail, with the lines that differ, unless the file `name` in this folder holds `text`."""
    path = FOLDER / name
    text = _stripped(text)
    if os.environ.get(REWRITE):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    kept = path.read_text(encoding="utf-8") if path.is_file() else ""
    if kept != text:
        lines = difflib.unified_diff(kept.splitlines(), text.splitlines(), name, "now", lineterm="")
        pytest.fail("\n".join([*lines, f"if that is meant: {ANEW}"]), pytrace=False)


def _stripped(text: str) -> str:
    """Without blanks at the ends of lines, and with one newline at the end."""
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n") + "\n"


def check_keys(name: str, value: Any, names: Collection[str] = ()) -> None:
    """`check` for what a JSON value is made of: its paths with the types that stand there.

    The items of a list share one path, and so do those of an object whose keys are names, such as
    of files or classes; `names` are the paths of these.
    """
    found: dict[str, set[str]] = {}
    _walk(value, "", names, found)
    lines = [f"{path or '.'}: {' or '.join(sorted(types))}" for path, types in found.items()]
    check(name, "\n".join(lines))


def _walk(value: Any, path: str, names: Collection[str], found: dict[str, set[str]]) -> None:
    found.setdefault(path, set()).add(_TYPES[type(value)])
    if isinstance(value, list):
        for item in value:
            _walk(item, f"{path}[]", names, found)
    if isinstance(value, dict):
        for key, item in value.items():
            step = "*" if path in names else key
            _walk(item, f"{path}.{step}".removeprefix("."), names, found)


_TYPES: dict[type, str] = {
    dict: "object",
    list: "list",
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    type(None): "null",
}
