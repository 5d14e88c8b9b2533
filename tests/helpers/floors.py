"""The lowest versions that the device's dependencies may have, as pip takes them: `make floors`."""

import sys
import tomllib
from pathlib import Path


def floors() -> list[str]:
    """numpy==1.26, …"""
    text = (Path(__file__).parent.parent.parent / "pyproject.toml").read_text()
    return [one.replace(">=", "==") for one in tomllib.loads(text)["project"]["dependencies"]]


if __name__ == "__main__":
    sys.stdout.write(" ".join(floors()) + "\n")
