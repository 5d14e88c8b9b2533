"""What a stage is told, and how it tells what it found."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

Finding = tuple[str, Any]
"""A name, and a value that JSON can hold."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One stage's: the folder of the record, the device, and when its time is up.

    `tiny` rehearses: little data, few steps, the smallest networks.
    """

    out: Path
    device: str
    tiny: bool
    deadline: float  # of time.monotonic()
    started: float  # of time.time(): when the stage's process was started

    @property
    def dataset(self) -> str:
        return "digits" if self.tiny else "mnist"

    @property
    def left_s(self) -> float:
        return max(0.0, self.deadline - time.monotonic())

    def record(self) -> dict[str, Any]:
        """The findings of the stages before this one, by their names."""
        path = self.out / "gpu.json"
        stages = json.loads(path.read_text())["stages"] if path.is_file() else {}
        return {name: stage["findings"] for name, stage in stages.items()}


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> str:
        """The last line that it said of what went wrong."""
        lines = self.err.strip().splitlines()
        return lines[-1] if lines else ""

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def environment(gpu: bool = True) -> dict[str, str]:
    """For a child: this project, installed or not, and the GPU or none."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path} | ({} if gpu else {"CUDA_VISIBLE_DEVICES": ""})


TOOL = (sys.executable, "-P", "-m", "mnist_edge")


def edge(
    *arguments: object,
    gpu: bool = True,
    timeout_s: float = 300,
    tool: Sequence[str] = TOOL,
) -> Ended:
    """Run the command line tool to its end."""
    done = subprocess.run(
        [*tool, *map(str, arguments)],
        env=environment(gpu),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def edge_interrupted(*arguments: object, after: str, timeout_s: float = 300) -> Ended:
    """Run the tool, and press Ctrl-C when a line of stderr or stdout holds `after`."""
    child = subprocess.Popen(
        [*TOOL, *map(str, arguments)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert child.stdout is not None
    said, pressed, deadline = list[str](), False, time.monotonic() + timeout_s
    for line in child.stdout:
        said.append(line)
        if after in line and not pressed:
            child.send_signal(signal.SIGINT)
            pressed = True
        if time.monotonic() > deadline:
            break
    return Ended(child.wait(timeout_s), "", "".join(said))
