"""What small hostile pictures cost `mnist-edge predict`. Run it with

    python -m benchmarks.hostile_pictures [--only WORD] [--model FILE]

Every file of tests/preprocess/hostile.py is written, and read by a process of its own: pages by
--line and by --grid. A row is the file's size, the most memory that the process had (and with it
the most that a process of its own for decoding had), the processor time that they took together,
the wall time, and what was said. The README promises less than 600 MB and, on a quiet machine, 5 s.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mnist_edge.model_file import model_paths
from tests.preprocess import hostile

MOST_MB, MOST_S, _KILLED_S = 600, 5.0, 120.0

_MEASURED = """
import atexit, json, pathlib, re, resource, sys
def tell():
    of = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    status = pathlib.Path("/proc/self/status").read_text()
    peak = int(re.search(r"VmHWM:\\s+(\\d+)", status)[1]) + of[1].ru_maxrss
    seconds = sum(one.ru_utime + one.ru_stime for one in of)
    pathlib.Path(sys.argv[0]).write_text(json.dumps([peak / 1024, seconds]))
sys.argv[:2] = [sys.argv[1]]
atexit.register(tell)
from mnist_edge.cli import main
main()
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="part of a file's name")
    parser.add_argument("--model", type=Path, default=None)
    args = parser.parse_args()
    model = args.model or model_paths.default()
    print(f"{'':24} {'bytes':>10} {'MB':>6} {'CPU s':>6} {'s':>6}")
    over = 0
    with tempfile.TemporaryDirectory() as name:
        for file, write in (hostile.REFUSED | hostile.READ | hostile.PAGES).items():
            if args.only not in file:
                continue
            path = Path(name) / file
            write(path)
            for mode in ("--line", "--grid") if file in hostile.PAGES else ("",):
                over += _row(path, mode, model)
            path.unlink()
    print(f"{over} over {MOST_MB} MB or {MOST_S:.0f} s of processor time")


def _row(path: Path, mode: str, model: Path) -> bool:
    """Print what reading a file cost; whether that is more than is promised."""
    peak, told = path.parent / "peak", [str(path), "--model", str(model), *mode.split()]
    command = [sys.executable, "-c", _MEASURED, str(peak), "predict", *told, "--json"]
    start = time.perf_counter()
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=_KILLED_S,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        digits = done.stdout.count('"box"')
        said = done.stderr.splitlines() or [f"{digits:,} digits"]
        peak_mb, cpu_s = json.loads(peak.read_text())
    except subprocess.TimeoutExpired:
        said, peak_mb, cpu_s = ["killed"], float("nan"), float("inf")
    wall_s = time.perf_counter() - start
    over = not (peak_mb < MOST_MB and cpu_s < MOST_S)
    name, size = f"{path.name} {mode}", path.stat().st_size
    line = said[-1].replace(f"{path}: ", "")[:70]
    print(f"{name:24} {size:10,} {peak_mb:6.0f} {cpu_s:6.1f} {wall_s:6.1f} {line}", flush=True)
    return over


if __name__ == "__main__":
    main()
