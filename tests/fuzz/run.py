"""The long fuzz run: `make fuzz`, or python -m tests.fuzz.run [--runs N] [TARGET …].

Coverage-guided, by atheris (libFuzzer), each target in a process of its own. An input that breaks
one is written to tests/fuzz/found/<target>/, where `make test` tries it for ever after.
"""

import argparse
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
    "card": 200_000,
    "checkpoint": 20_000,
    "earlier_benchmark": 150_000,
    "manifest": 150_000,
}
SLOWEST_S, MOST_MB = 5, 2048


def fuzz(target: str, arguments: list[str]) -> None:
    """Never returns: libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["mnist_edge"]):
        from tests.fuzz import targets as instrumented

        run = instrumented.TARGETS[target]
    atheris.Setup([sys.argv[0], *arguments], run)
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(TARGETS)} [default: all]")
    parser.add_argument("--runs", type=int, help="executions of each target [default: a million]")
    parser.add_argument("--child", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        fuzz(given.child[0], given.child[1:])
    total, broken = 0, []
    for target in given.targets or TARGETS:
        runs = given.runs or SHARES[target]
        (FOUND / target).mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as corpus:
            for at, content in enumerate(seeds(target)):
                (Path(corpus) / f"seed-{at}").write_bytes(content)
            options = [
                f"-runs={runs}",
                f"-timeout={SLOWEST_S}",
                f"-rss_limit_mb={MOST_MB}",
                "-max_len=20000",
                f"-artifact_prefix={FOUND / target}/",
                "-print_final_stats=1",
                corpus,
            ]
            command = [sys.executable, "-m", "tests.fuzz.run", "--child", target, *options]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        took_s = time.monotonic() - started
        executed = _number(done.stderr, "stat::number_of_executed_units:")
        slowest = _number(done.stderr, "stat::slowest_unit_time_sec:")
        total += executed
        print(f"{target}: {executed:,} executions in {took_s:.0f} s, the slowest {slowest} s")
        if done.returncode != 0:
            broken.append(target)
            print(done.stderr[-3000:])
    print(f"{total:,} executions in all; broken: {', '.join(broken) or 'none'}")
    return 1 if broken else 0


def _number(log: str, name: str) -> int:
    lines = [line for line in log.splitlines() if line.startswith(name)]
    return int(lines[-1].split()[-1]) if lines else 0


if __name__ == "__main__":
    sys.exit(main())
