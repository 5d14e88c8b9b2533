"""A contender in a process of its own: from the start of the process to its first answer, and the
memory that it takes.

Run as a program (see `child_python`), it is that process: it reads a contender from its standard
input, says when the first answer is there, and then how much memory it took at most.
"""

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO

from mnist_edge import child_python
from mnist_edge.backends import Contender, answer
from mnist_edge.backends.base import Images
from mnist_edge.errors import ModelError

_ANSWERS = 20  # after the first: memory that a runtime takes late is memory all the same


@dataclass(frozen=True, slots=True)
class ColdStart:
    """One fresh process: process start to first answer, and its peak resident memory.

    `peak_bytes` is None where the system does not tell.
    """

    first_answer_s: float
    peak_bytes: int | None


def start(contender: Contender, threads: int, image: Images) -> ColdStart:
    """Start a process that answers `image`, uint8 (1, 28, 28), and then a few times more.

    ModelError when it fails. Whatever interrupts this ends the process too.
    """
    job = pickle.dumps((contender, threads, image))
    with tempfile.TemporaryFile() as errors:  # a pipe could fill up before the first answer
        begin = time.perf_counter()
        with child_python.safely():
            process = subprocess.Popen(
                child_python.command("mnist_edge.benchmark.cold_start"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        assert process.stdin is not None  # both are pipes
        assert process.stdout is not None
        with _ended(process):
            with suppress(BrokenPipeError):  # it has failed already, and says why
                process.stdin.write(job)
                process.stdin.close()
            answered = process.stdout.readline()
            first_answer_s = time.perf_counter() - begin
            peak = process.stdout.readline().strip()
        if process.returncode or not answered:
            name = f"{contender.subject.name} in {contender.runtime}"
            reason = _reason(errors, process.returncode)
            raise ModelError(f"{name} failed in a process of its own: {reason}")
    return ColdStart(first_answer_s, int(peak) if peak else None)


@contextmanager
def _ended(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Wait for a process; where waiting is cut short, as by Ctrl-C, so is the process."""
    with process:
        try:
            yield
            process.wait()
        except BaseException:
            process.kill()
            raise


def _reason(errors: BinaryIO, code: int) -> str:
    """What a process said last, and which signal ended it."""
    errors.seek(0)
    said = errors.read().decode(errors="replace").strip().splitlines() or ["it said nothing"]
    return f"{said[-1]} ({signal.strsignal(-code)})" if code < 0 else said[-1]


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
