"""A contender in a process of its own: from the start of the process to its first answer, and the
memory that it takes."""

import pickle
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO

from mnist_edge import child_python
from mnist_edge.backends import Contender
from mnist_edge.backends.base import full_name
from mnist_edge.errors import ModelError
from mnist_edge.types import Images


@dataclass(frozen=True, slots=True)
class ColdStart:
    """One fresh process: process start to first answer, and its peak resident memory.

    `peak_bytes` is None where the system does not tell.
    """

    first_answer_s: float
    peak_bytes: int | None


def start(contender: Contender, threads: int, image: Images) -> ColdStart:
    """Start a process that answers `image`, a batch of one, and then a few times more.

    ModelError when it fails. Whatever interrupts this ends the process too.
    """
    job = pickle.dumps((contender, threads, image))
    with tempfile.TemporaryFile() as errors:  # a pipe could fill up before the first answer
        begin = time.perf_counter()
        with child_python.safe_path():
            process = subprocess.Popen(
                child_python.module_command("mnist_edge.backends.cold_start_process"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        assert process.stdin is not None  # both are pipes
        assert process.stdout is not None
        with _wait_or_kill(process):
            with suppress(BrokenPipeError):  # it has failed already, and says why
                process.stdin.write(job)
                process.stdin.close()
            answered = process.stdout.readline()
            first_answer_s = time.perf_counter() - begin
            peak = process.stdout.readline().strip()
        if process.returncode or not answered:
            reason = _failure_reason(errors, process.returncode)
            name = full_name(contender)
            raise ModelError(f"{name} failed in a process of its own: {reason}")
    return ColdStart(first_answer_s, int(peak) if peak else None)


@contextmanager
def _wait_or_kill(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Wait for a process; where waiting is cut short, as by Ctrl-C, so is the process."""
    with process:
        try:
            yield
            process.wait()
        except BaseException:
            process.kill()
            raise


def _failure_reason(errors: BinaryIO, code: int) -> str:
    """What a process said last, and which signal ended it."""
    errors.seek(0)
    said = errors.read().decode(errors="replace").strip().splitlines() or ["it said nothing"]
    return f"{said[-1]} ({signal.strsignal(-code)})" if code < 0 else said[-1]
