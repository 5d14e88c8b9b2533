"""The process of a cold start, run as a program (see `child_python`): it reads a contender from its
standard input, says when the first answer is there, and then how much memory it took at most.

It imports what answers, and nothing that measures: that would count as the contender's.
"""

import os
import pickle
import sys
from pathlib import Path
from typing import BinaryIO, TextIO

from mnist_edge.backends import answer

_ANSWERS = 20  # after the first: memory that a runtime takes late is memory all the same


def _peak_bytes() -> int | None:
    """This process's own peak: getrusage would count the parent's, from before the exec."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return _peak_of_a_mac()
    lines = [line.split() for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(lines[0][1]) * 1024 if lines else None


def _peak_of_a_mac() -> int | None:
    if sys.platform != "darwin":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes there, kB elsewhere


def _main() -> None:
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a runtime prints is no answer
    _serve(sys.stdin.buffer, out)


def _serve(job: BinaryIO, out: TextIO) -> None:
    contender, threads, image = pickle.load(job)
    runner = contender.load(threads)
    answer(runner, image)
    out.write("answered\n")
    out.flush()
    for _ in range(_ANSWERS):
        answer(runner, image)
    out.write(f"{_peak_bytes() or ''}\n")
    out.flush()


if __name__ == "__main__":
    _main()
