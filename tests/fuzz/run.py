"""The long fuzz run: `make fuzz`, or python -m tests.fuzz.run [--runs N] [TARGET …].

Coverage-guided, by atheris (libFuzzer), each target in a process of its own. An input that breaks
one is written to tests/fuzz/found/<target>/, where `make test` tries it for ever after.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.targets import TARGETS, seeds

FOUND = Path(__file__).parent / "found"
# Executions of each in a run of a million: by how long one takes.
SHARES = {
    "idx_file": 300_000,
    "picture": 60_000,
    "onnx_file": 250_000,
    "opened_model": 50_000,
    "card": 200_000,
    "checkpoint": 20_000,
    "earlier_benchmark": 150_000,
    "manifest": 150_000,
}
# Under libFuzzer, a process that reads pictures grows by 0.2 MB for each, which it does not alone.
PIECES = {"picture": 5000}
SLOWEST_S, MOST_MB = 5, 2048


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(TARGETS)} [default: all]")
    parser.add_argument("--runs", type=int, help="executions of each target [default: a million]")
    given = parser.parse_args()
    found = {
        target: fuzz(target, given.runs or SHARES[target]) for target in given.targets or TARGETS
    }
    broken = [target for target, (_, passed) in found.items() if not passed]
    total = sum(executed for executed, _ in found.values())
    print(f"{total:,} executions in all; broken: {', '.join(broken) or 'none'}")
    return 1 if broken else 0


def fuzz(target: str, runs: int) -> tuple[int, bool]:
    """How many inputs were tried, and whether all passed."""
    (FOUND / target).mkdir(parents=True, exist_ok=True)
    started, executed, slowest, covered = time.monotonic(), 0, 0, list[str]()
    with tempfile.TemporaryDirectory() as corpus:
        for at, content in enumerate(seeds(target)):
            (Path(corpus) / f"seed-{at}").write_bytes(content)
        while executed < runs:
            options = [
                f"-runs={min(runs - executed, PIECES.get(target, runs))}",
                f"-seed={executed + 1}",
                f"-timeout={SLOWEST_S}",
                f"-rss_limit_mb={MOST_MB}",
                "-max_len=20000",
                f"-artifact_prefix={FOUND / target}/",
                "-print_final_stats=1",
                corpus,
            ]
            command = [sys.executable, "-m", "tests.fuzz.child", target, *options]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            executed += _number(done.stderr, "stat::number_of_executed_units:")
            slowest = max(slowest, _number(done.stderr, "stat::slowest_unit_time_sec:"))
            covered += re.findall(r"cov: (\d+)", done.stderr)
            if done.returncode != 0:
                print(done.stderr[-3000:])
                break
    print(
        f"{target}: {executed:,} executions in {time.monotonic() - started:.0f} s, the slowest "
        f"{slowest} s; {covered[0] if covered else '?'} places reached by honest inputs, "
        f"{covered[-1] if covered else '?'} in the end",
        flush=True,
    )
    return executed, done.returncode == 0


def _number(log: str, name: str) -> int:
    lines = [line for line in log.splitlines() if line.startswith(name)]
    return int(lines[-1].split()[-1]) if lines else 0


if __name__ == "__main__":
    sys.exit(main())
