"""The process's stdout and stderr, prepared once for all commands.

Whatever becomes of them, a command does its work, writes its files, and ends with the exit code
that it would have had: a reader that has gone (`| head`), a full disk under a redirect, a closed
stream, an encoding that lacks a letter (cp1252 on Windows).
"""

import errno
import io
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import TextIO

_STANDARD = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


class _Tolerant(io.TextIOWrapper):
    """A stream that keeps the error of a write that failed, and takes the rest for nothing."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        super().__init__(
            stream.buffer,
            encoding=stream.encoding,
            errors="backslashreplace",
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
        self.owner = stream  # it would close the file, were it let go
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        """What waits to be written, and all that comes, leads nowhere."""
        self.error = self.error or error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def prepare() -> None:
    """Make stdout and stderr take any text, and never fail; what is closed leads nowhere."""
    for descriptor, (name, mode) in enumerate(_STANDARD):
        try:
            os.fstat(descriptor)
        except OSError:  # else the next file that is opened would be what others write to
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None and name != "stdin":  # who reads it, says that it is closed
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115
    sys.stdout, sys.stderr = _tolerant(sys.stdout), _tolerant(sys.stderr)


def _tolerant(stream: TextIO) -> TextIO:
    """The stream as it is where it is no file, but somebody's who calls from Python."""
    if not isinstance(stream, io.TextIOWrapper) or not _is_file(stream):
        return stream
    stream.flush()
    if os.name == "posix":  # a pipe that a parent made not to wait would lose what it cannot take
        os.set_blocking(stream.fileno(), True)
    return _Tolerant(stream)


def _is_file(stream: TextIO) -> bool:
    try:
        return stream.fileno() >= 0
    except io.UnsupportedOperation:
        return False


def error_of(stream: TextIO) -> OSError | None:
    """Why a stream could not be written to; None where all of it was."""
    return stream.error if isinstance(stream, _Tolerant) else None


def has_gone(stream: TextIO) -> bool:
    """Whether nobody reads any more, as behind `| head`."""
    error = error_of(stream)
    return error is not None and _is_gone(error)


def stdout_error() -> str | None:
    """What to say of a stdout that could not be written; None of one whose reader has gone."""
    error = error_of(sys.stdout)
    if error is None or _is_gone(error):
        return None
    return f"cannot write to stdout: {error.strerror or error}"


def _is_gone(error: OSError) -> bool:
    return isinstance(error, BrokenPipeError) or (error.errno == errno.EINVAL and os.name == "nt")


def handle_signals() -> Callable[[], int | None]:
    """Let SIGTERM, and SIGHUP of a terminal that has gone, stop a command as Ctrl-C does: what it
    has is written. The number of the one that came, if any, is what the result tells."""
    came: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        came.append(number)
        ctrl_c = signal.getsignal(signal.SIGINT)
        if callable(ctrl_c):  # who writes whole rows first has one of its own
            ctrl_c(number, frame)
        else:  # a job in the background ignores it
            raise KeyboardInterrupt

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, stop)
    return lambda: came[0] if came else None
