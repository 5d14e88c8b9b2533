"""What is wrong with the options of `mnist-edge predict`: said before any file is opened."""

import sys
from collections.abc import Sequence
from math import isnan

from mnist_edge.errors import UsageError


def check(
    paths: Sequence[str],
    check_file: bool,
    line: bool,
    grid: bool,
    threshold: float | None,
    show: bool,
    as_json: bool,
    as_csv: bool,
) -> None:
    """UsageError for options that do not go together, or mean nothing."""
    mistakes = {
        "name a picture, or --check the file": not paths and not check_file,
        "--line and --grid exclude each other": line and grid,
        "--json and --csv exclude each other": as_json and as_csv,
        "--show goes without --json and --csv": show and (as_json or as_csv),
        "--threshold is a probability, 0 to 1": threshold is not None and isnan(threshold),
        "- is standard input, one picture: name it once": paths.count("-") > 1,
        "- is standard input, here a terminal: pipe a picture in": "-" in paths
        and sys.stdin is not None
        and sys.stdin.isatty(),
    }
    for message, made in mistakes.items():
        if made:
            raise UsageError(message)
