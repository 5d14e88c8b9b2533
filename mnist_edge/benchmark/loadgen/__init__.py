"""Contenders driven by MLCommons LoadGen, the load generator of MLPerf Inference (Reddi et al.
2020); needs the extra `[loadgen]`. LoadGen issues the queries, keeps the clock and judges."""

import importlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mnist_edge.backends import Contender
from mnist_edge.benchmark.loadgen.result import LoadResult, ServerLoad, read
from mnist_edge.benchmark.loadgen.scenarios import SCENARIOS, SERVER_BOUND_US, Scenario
from mnist_edge.benchmark.loadgen.system import System, drive
from mnist_edge.errors import EdgeError, MissingExtraError, UsageError
from mnist_edge.types import Images

__all__ = [
    "SCENARIOS",
    "SERVER_BOUND_US",
    "LoadResult",
    "ServerLoad",
    "folder_names",
    "read",
    "run",
]

_LOGS = ("summary.txt", "detail.txt", "accuracy.json", "trace.json")


def run(
    contender: Contender,
    images: Images,
    scenario: str,
    threads: int,
    duration_s: float,
    target_qps: float | None,
    logs: Path,
    batch: int,
    name: str = "",
) -> LoadResult:
    """Drive a contender on `threads` threads with images of its shape for at least
    `duration_s`, and as many queries as a p99 needs.

    `server` issues one image at a time, `target_qps` of them a second on average; `offline` all
    at once, answered `batch` at a time. LoadGen's logs lie in `logs`/`name`/`scenario`, where
    they replace those of an earlier test and nothing else; `name` says the file and the runtime
    unless it is given (see `folder_names`). EdgeError for what cannot be run, MissingExtraError
    without LoadGen; an error of the contender, and Ctrl-C, end the test and are raised. One test
    at a time: LoadGen keeps its state for the process.
    """
    kind = _scenario(scenario, target_qps)
    lg = _loadgen()
    runner = contender.load(threads)
    system = System(lg, runner, images, kind.size or batch, kind)
    settings = kind.settings(lg, system.size, system.shortest_us(), duration_s, target_qps)
    folder = _without_logs(logs / (name or folder_names([contender])[0]) / scenario)
    drive(lg, system, settings, folder)
    return read(folder, contender, threads, kind)


def folder_names(contenders: Sequence[Contender]) -> list[str]:
    """A folder's name for each contender: its file's, or its model's where it runs no file, and
    its runtime's; numbered where several are the same."""
    seen: Counter[str] = Counter()
    found = []
    for contender in contenders:
        label = contender.path.name if contender.kind.is_file else contender.info.model
        name = f"{label}-{contender.runtime}"
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return found


def _scenario(scenario: str, target_qps: float | None) -> Scenario:
    if scenario not in SCENARIOS:
        *some, last = SCENARIOS
        raise UsageError(f"--loadgen is {', '.join(some)} or {last}, not {scenario}")
    if scenario == "server" and not target_qps:
        raise UsageError("--loadgen server needs --rate: how many queries a second, on average")
    return SCENARIOS[scenario]


def _loadgen() -> Any:
    try:
        return importlib.import_module("mlperf_loadgen")
    except ImportError as error:
        raise MissingExtraError(
            "--loadgen needs MLCommons LoadGen, which is not installed: "
            "pip install 'mnist-edge[loadgen]'"
        ) from error


def _without_logs(folder: Path) -> Path:
    """The folder, without the logs of an earlier test: they must not pass for this one's."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for log in _LOGS:
            (folder / f"mlperf_log_{log}").unlink(missing_ok=True)
    except OSError as error:
        raise EdgeError(
            f"LoadGen's logs cannot be written to {folder}: {error.strerror or error}. "
            "Choose another place with --loadgen-logs"
        ) from error
    return folder
