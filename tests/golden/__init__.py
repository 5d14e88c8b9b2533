"""What a user of today sees and a script of today reads, kept as text files beside these tests.

A difference is either a fault or meant. Where it is meant,

    python -m tests.golden

writes the files anew, to be read in the diff of the commit.
"""

import difflib
import os
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
REWRITE = "MNIST_EDGE_REWRITE_GOLDEN"


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
        told = "\n".join(lines)
        pytest.fail(f"{told}\nif that is meant: python -m tests.golden", pytrace=False)


def _stripped(text: str) -> str:
    """Without blanks at the ends of lines, and with one newline at the end."""
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n") + "\n"
