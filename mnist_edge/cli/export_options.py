"""The options of `mnist-edge export`: which of them go together, and the run that is meant."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_edge.cli.options import split_names
from mnist_edge.errors import EdgeError, ModelError, UsageError

if TYPE_CHECKING:
    from mnist_edge.lab.export.int8_plan import Int8Plan

RUNS = Path("runs")
OUT = Path("exported")
_MAX_DROP = 0.10
_NAME = re.compile(r"[^\W_][\w.-]*")


def find_run(run: Path | None) -> Path | None:
    """A run's folder, by its path or by its name in runs/; else a model file. EdgeError where
    there is none of these."""
    if run is None or run.is_dir():
        return run
    from mnist_edge.model_file import model_paths

    if len(run.parts) == 1 and (RUNS / run).is_dir():
        return RUNS / run
    try:
        return model_paths.find(run)
    except ModelError:
        if run.suffix == ".onnx":
            raise
    raise EdgeError(f"there is no run {run}, and no model file: train a run first, or name another")


def check_names(out: Path, name: str | None) -> None:
    """UsageError for names that no file, or no folder, can have."""
    if out.suffix == ".onnx" and not out.is_dir():
        raise UsageError(
            f"--out names a folder, and {out} looks like a file: --name {out.stem} names the file"
        )
    if name is not None and not _NAME.fullmatch(name):
        raise UsageError(
            f"--name is letters, digits, dots, - and _, without .onnx and folders, not '{name}'"
        )
    if name is not None and name.endswith((".onnx", "-int8")):
        raise UsageError(f"--name goes without .onnx and -int8, which are added: not '{name}'")


def check_together(
    run: Path | None,
    int8: bool,
    wants_int8: dict[str, Any],
    report: Path | None,
    web: Path | None,
    threads: str,
) -> None:
    """UsageError for options that do not go together; `wants_int8` are those about int8."""
    for name, value in wants_int8.items():
        if value is not None and not int8:
            raise UsageError(f"{name} is about int8: add --int8")
    if run and run.is_file() and not int8 and not web:
        raise UsageError(f"{run} is a file already: add --int8 to quantize it, or name a run")
    if report and report.suffix not in (".md", ".json"):
        raise UsageError(f"--report writes .md or .json, and {report} is neither")
    if threads != "auto" and not wants_int8["--finetune-epochs"]:
        raise EdgeError("--threads is about fine-tuning: add --finetune-epochs")


def int8_plan(
    calibration: str | None,
    images: int | None,
    keep_float: list[str] | None,
    max_drop: float | None,
) -> "Int8Plan":
    """How to quantize: what the options say, and what holds where they are left out."""
    from mnist_edge.lab.export.int8_plan import Int8Plan

    return Int8Plan(
        calibration or "minmax",
        images,
        keep_float=split_names(keep_float or ()),
        max_drop=_MAX_DROP if max_drop is None else max_drop,
    )


def check_diagnosis(given: dict[str, Any]) -> None:
    """UsageError for options that --diagnose would ignore."""
    for name in ("--finetune-epochs", "--keep-float", "--max-drop", "--report"):
        if given[name] is not None:
            raise UsageError(
                f"--diagnose shows the network as it is, and writes nothing: no {name}"
            )


def check_places(run: Path, out: Path | None, report: Path | None, web: Path | None) -> None:
    """EdgeError for places that cannot be read or written, before minutes of work; an `out` of None
    is not written to."""
    from mnist_edge import output_paths
    from mnist_edge.lab.training.checkpoint import CHECKPOINT
    from mnist_edge.model_file.manifest import MANIFEST, read_manifest

    read = [run / CHECKPOINT if run.is_dir() else run]
    if out is not None:
        read.append(out / MANIFEST)
        read_manifest(out / MANIFEST)
    output_paths.check_files({"--report": report}, read)
    output_paths.check_folder("--out", out)
    output_paths.check_folder("--web", web)


def next_command(out: Path, files: Sequence[Path], dataset: str) -> str:
    """The command that measures what was made: no other files, on the images that they need.
    `dataset` is as the run names it, with the way to a folder; "" where there is no run."""
    from mnist_edge.dataset_names import folder_dataset, folder_of, has_folder, join_names, parts_of

    words = ["mnist-edge", "bench"]
    if out != OUT or has_folder(dataset):
        words += map(str, files)
    if has_folder(dataset):
        found = [(part, folder_of(part)) for part in parts_of(dataset)]
        names = [folder_dataset(_from_here(path)) if path else part for part, path in found]
        words += ["--dataset", join_names(names)]
    return shlex.join(words)


def _from_here(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
