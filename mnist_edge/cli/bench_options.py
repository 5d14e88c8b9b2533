"""What the options of `mnist-edge bench` mean, and what is wrong with them: said before anything
is measured."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_edge.cli.bench_output import STDOUT
from mnist_edge.errors import UsageError

if TYPE_CHECKING:
    from mnist_edge.backends import Contender
    from mnist_edge.backends.pixel_scaling import PerChannel
    from mnist_edge.benchmark import Plan

_LARGEST_BATCH = 4096


def parse_limit(fail_slower: str | None, compare: Path | None) -> float | None:
    """10% or 0.1 as 0.1. UsageError for what is no share, or without anything to compare with.

    A plain 5 is no share: whoever means 5 % would wait for five times as long.
    """
    if fail_slower is None:
        return None
    if compare is None:
        raise UsageError("--fail-slower needs an earlier benchmark: --compare OLD.json")
    number, percent, rest = fail_slower.strip().partition("%")
    try:
        limit = float(number) / (100 if percent else 1)
    except ValueError:
        limit = -1.0
    if rest or not 0 <= limit < (10 if percent else 1):
        raise UsageError(f"--fail-slower is a share such as 10%, not {fail_slower}")
    return limit


def parse_batches(text: str) -> tuple[int, ...]:
    try:
        sizes = sorted(int(size) for size in text.split(","))
    except ValueError:
        sizes = []
    if len(set(sizes)) < len(sizes):
        raise UsageError(f"--batch names a count of images twice: {text}")
    if not sizes or not 1 <= sizes[0] <= sizes[-1] <= _LARGEST_BATCH:
        raise UsageError(f"--batch is counts of images such as 1,8,64, not {text}")
    return tuple(sizes)


def parse_scaling(
    scale: str | None, mean: str | None
) -> tuple["PerChannel | None", "PerChannel | None"]:
    """What --input-scale and --input-mean say of files of others."""
    return _parse_channels("--input-scale", scale), _parse_channels("--input-mean", mean)


def _parse_channels(option: str, text: str | None) -> "PerChannel | None":
    """One number for all channels, or those of red, green and blue."""
    if text is None:
        return None
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 3) or not all(map(math.isfinite, numbers)):
        raise UsageError(
            f"{option} is a number, or three of red, green and blue such as 0.5,0.5,0.4, not {text}"
        )
    return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1], numbers[2])


def check_finite(duration: float, rate: float | None) -> None:
    if not math.isfinite(duration) or not math.isfinite(rate or 0):
        raise UsageError("--duration and --rate are finite numbers of seconds and of Hz")


def check_loadgen(
    outputs: Mapping[str, Path | None],
    compare: Path | None,
    cold: bool,
    strict: bool,
    record: bool,
) -> None:
    """UsageError for options that --loadgen would ignore."""
    options = {
        "--json, --markdown, --html or --plot": any(outputs.values()),
        "--compare": compare is not None,
        "--cold": cold,
        "--strict": strict,
        "--record": record,
    }
    for name, given in options.items():
        if given:
            raise UsageError(
                f"--loadgen goes without {name}: LoadGen keeps its own clock and its own logs"
            )


def check_outputs(outputs: Mapping[str, Path | None]) -> None:
    """UsageError for what would fail after minutes of measuring."""
    from mnist_edge.report import plots

    plot_file, html_file = outputs["--plot"], outputs["--html"]
    if plot_file and plot_file.suffix.lower() not in plots.SUFFIXES:
        raise UsageError(f"--plot writes .png or .svg, and {plot_file} is neither")
    if html_file == STDOUT:
        raise UsageError("- is stdout, and --html writes a file: name one")
    if [*outputs.values()].count(STDOUT) > 1:
        raise UsageError("- is stdout, which takes one of --json and --markdown: name a file")
    if plot_file or html_file:
        plots.require_matplotlib()


def read_earlier(path: Path | None, plan: "Plan") -> Mapping[str, Any] | None:
    """The benchmark to compare with. EdgeError, before minutes of measuring, for one that cannot
    be compared with: of another machine, or with other threads."""
    if path is None:
        return None
    from mnist_edge.benchmark import compare
    from mnist_edge.host.machine import this_machine
    from mnist_edge.report import to_json

    old = compare.read(path, to_json.READABLE)
    if old:
        compare.check_same_machine(old, asdict(this_machine()), plan.threads)
    return old


def check_writable(
    outputs: Mapping[str, Path | None],
    logs: Path | None,
    contenders: "Sequence[Contender]",
    compare: Path | None,
) -> None:
    """EdgeError for places that cannot be written, UsageError for files that are read as well;
    `logs` is LoadGen's folder, where it is asked for."""
    from mnist_edge import output_paths

    read = [one.path for one in contenders] + ([compare] if compare else [])
    places = {option: path for option, path in outputs.items() if path != STDOUT}
    output_paths.check_files(places, read)
    output_paths.check_folder("--loadgen-logs", logs)
