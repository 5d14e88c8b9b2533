"""Training alone, and beside a program that keeps one core busy. Run it with

    python -m benchmarks.training_beside_load

Each turn is `mnist-edge train` as `make demo` starts it, with fewer epochs, in a process of its
own; beside it, or not, runs a loop that does nothing else. It is asked for `--threads auto`, 1,
and all. The aim is that auto beside the loop takes at most twice what auto takes alone.
"""

import argparse
import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mnist_edge.datasets import load_if_here

_AIM = 2.0
_BUSY = "while True: pass"


@dataclass(frozen=True, slots=True)
class Turn:
    """How long a command took, the last epoch's images/s, and what its first line says of
    threads."""

    duration_s: float
    images_per_s: float
    threads: str


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--dataset", default="mnist" if load_if_here("mnist") else "digits")
    parser.add_argument("--threads", default="auto,1,0")
    args = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"edge on {args.dataset}, {args.epochs} epochs; load before it begins: {load:.1f}")
    for number in range(args.rounds):
        for asked in args.threads.split(","):
            turns = {}
            for beside in (False, True):
                with _busy_loop() if beside else contextlib.nullcontext():
                    turns[beside] = _train(args.dataset, args.epochs, asked)
                print(f"round {number + 1}  {_turn_text(asked, beside, turns[beside])}", flush=True)
            ratio = turns[True].duration_s / turns[False].duration_s
            aim = f"; at most {_AIM:g} is the aim" if asked == "auto" else ""
            print(f"round {number + 1}  --threads {asked}: {ratio:.2f} times its time alone{aim}")


def _turn_text(asked: str, beside: bool, turn: Turn) -> str:
    return (
        f"--threads {asked:<4}  {'beside a busy loop' if beside else 'alone':<18}  "
        f"{turn.duration_s:7.1f} s  {turn.images_per_s:8,.0f} images/s  on {turn.threads}"
    )


def _train(dataset: str, epochs: int, threads: str) -> Turn:
    environment = {key: one for key, one in os.environ.items() if not key.endswith("NUM_THREADS")}
    with tempfile.TemporaryDirectory() as folder:
        words = ("train", "--dataset", dataset, "--epochs", str(epochs), "--threads", threads)
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-P", "-m", "mnist_edge", *words, "--out", str(Path(folder, "run"))],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        duration_s = time.perf_counter() - started
    rates = re.findall(r"([\d,]+) images/s$", done.stderr, re.MULTILINE)
    where = re.search(r" on cpu, (.*)$", done.stderr, re.MULTILINE)
    return Turn(duration_s, float(rates[-1].replace(",", "")), where[1] if where else "?")


@contextlib.contextmanager
def _busy_loop() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", _BUSY])
    try:
        yield
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main()
