"""Run the stages one after the other, each in a process of its own, and keep the record."""

import argparse
import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.gpu import report
from benchmarks.gpu.plan import ROOT, Plan, environment
from mnist_edge.files import write_atomically

_LEAST_S = 20.0  # less is not worth a stage's start
_MARK = "finding "  # in front of a stage's findings on its stdout


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage and the share of the whole time that it may take; what it leaves, the next have."""

    name: str
    module: str
    share: float


STAGES = (
    Stage("training", "training", 0.25),
    Stage("speed", "speed", 0.2),
    Stage("seconds to", "seconds", 0.25),
    Stage("best files", "best", 0.2),
    Stage("several processes", "processes", 0.05),
    Stage("depth", "depth", 1.0),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu")
    parser.add_argument("--out", type=Path, default=Path("gpu"), help="the record's folder")
    parser.add_argument("--minutes", type=float, default=8.0, help="for all stages")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="a rehearsal: digits, few steps")
    parser.add_argument("--only", action="append", choices=[stage.name for stage in STAGES])
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stage:
        _measure(given)
        return
    if fault := _fault(given):
        print(f"error: {fault}", file=sys.stderr)
        raise SystemExit(1)
    _run(given)


def _fault(given: argparse.Namespace) -> str | None:
    """Why nothing can be measured here."""
    from mnist_edge.datasets import DATA_DIR_VARIABLE, load_if_here

    if given.device == "cuda" and not _has_gpu():
        return "PyTorch sees no GPU here: --device cpu --tiny rehearses"
    if not given.tiny and load_if_here("mnist") is None:
        return f"MNIST is not here: name its folder in {DATA_DIR_VARIABLE}"
    return None


def _run(given: argparse.Namespace) -> None:
    began, out = time.monotonic(), given.out
    out.mkdir(parents=True, exist_ok=True)
    record: dict[str, Any] = {
        "command": f"python -m benchmarks.gpu {' '.join(sys.argv[1:])}".strip(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": _machine(given.device),
        "seconds": 0.0,
        "goals": {},
        "stages": {},
    }
    whole_s = given.minutes * 60
    for stage in STAGES:
        if given.only and stage.name not in given.only:
            continue
        left_s = whole_s - (time.monotonic() - began)
        share_s = min(left_s, stage.share * whole_s)
        kept = {"status": "skipped", "seconds": 0.0, "findings": {}}
        record["stages"][stage.name] = kept
        if share_s < _LEAST_S and not given.tiny:
            kept["error"] = f"{max(0.0, left_s):.0f} s were left"
        else:
            print(f"{stage.name}: {share_s:.0f} s at most", flush=True)
            _watch(given, stage, share_s, kept, lambda: _keep(out, record, began))
            print(f"{stage.name}: {kept['status']} after {kept['seconds']:.0f} s", flush=True)
        _keep(out, record, began)
    print(f"wrote {out / 'gpu.json'} and {out / 'gpu.md'}")
    for name, (value, met) in record["goals"].items():
        print(f"  {name}: {'not measured' if met is None else f'{value:.4g}'}")


def _keep(out: Path, record: dict[str, Any], began: float) -> None:
    record["seconds"] = time.monotonic() - began
    findings = {name: stage["findings"] for name, stage in record["stages"].items()}
    record["goals"] = report.goals(findings)
    write_atomically(out / "gpu.json", json.dumps(record, indent=2) + "\n", durable=False)
    write_atomically(out / "gpu.md", report.page(record), durable=False)


def _watch(
    given: argparse.Namespace,
    stage: Stage,
    share_s: float,
    kept: dict[str, Any],
    keep: Callable[[], None],
) -> None:
    """Run a stage's process, and take down its findings as they come."""
    began = time.monotonic()
    command = [
        sys.executable, "-m", "benchmarks.gpu", "--stage", stage.module,
        "--out", str(given.out), "--device", given.device, "--seconds", str(share_s),
    ]  # fmt: skip
    with (given.out / f"{stage.module}.log").open("w+") as log:
        child = subprocess.Popen(
            [*command, *(["--tiny"] if given.tiny else [])],
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        # A stage looks at the time between its steps; one that does not come back is ended.
        late = threading.Timer(600 if given.tiny else share_s + 60, child.kill)
        late.daemon = True
        late.start()
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith(_MARK):
                name, value = json.loads(line.removeprefix(_MARK))
                kept["findings"][name] = value
                kept["seconds"] = time.monotonic() - began
                kept["status"] = "under way"
                keep()
        child.wait()
        late.cancel()
        kept["seconds"] = time.monotonic() - began
        kept["status"] = "done" if child.returncode == 0 else "failed"
        log.seek(0)
        said = log.read().strip().splitlines()
        if child.returncode and said:
            kept["error"] = said[-1]


def _measure(given: argparse.Namespace) -> None:
    """In a stage's process: print each finding as a line of JSON."""
    import importlib

    started = time.time()
    plan = Plan(
        given.out.resolve(),
        given.device,
        given.tiny,
        time.monotonic() + given.seconds,
        started,
    )
    stage = importlib.import_module(f"benchmarks.gpu.{given.stage}")
    for finding in stage.measure(plan):
        print(_MARK + json.dumps(finding), flush=True)


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _machine(device: str) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "device": platform.machine(),
        "CPU cores": len(os.sched_getaffinity(0)),
        "Python": platform.python_version(),
        "torch": version("torch"),
    }
    if device == "cuda":
        import torch

        facts["device"] = torch.cuda.get_device_name()
        facts |= {
            "GPUs": torch.cuda.device_count(),
            "CUDA": torch.version.cuda,
            "driver": _driver(),
        }
    return facts


def _driver() -> str:
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip().splitlines()[0]


if __name__ == "__main__":
    main()
