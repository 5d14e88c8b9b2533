"""A process that decodes what cannot be bounded from outside, and that can be stopped.

The boxes of an AVIF or HEIF file claim one size, and the video frame inside has another, which its
decoder believes. So it runs in a process of its own, with limits on its memory (where the system
has them: Linux) and on its time. The process is started by the first such picture, and waits for
the next.
"""

import atexit
import contextlib
import io
import json
import os
import signal
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

import numpy as np

from mnist_edge import child_python
from mnist_edge.errors import DataError
from mnist_edge.preprocess.formats import PREFIX_BYTES, Format, detect_format
from mnist_edge.preprocess.pixels import Loaded, decode, describe_error

MAX_MB = 400  # above what the process takes before it decodes
MAX_CPU_S = 10.0
_MAX_S = 60.0  # where others use the cores too
_LENGTH = struct.Struct("<Q")

_lock = threading.Lock()
_running: "tuple[int, subprocess.Popen[bytes]] | None" = None  # and whose it is: forks inherit it


def decode_in_process(data: bytes) -> Loaded:
    """The picture in the bytes of a file. DataError as `pixels.decode`, and where decoding takes
    too much."""
    with _lock:
        process = _process()
        watchdog = threading.Timer(_MAX_S, process.kill)
        watchdog.start()
        try:
            answer = _request(process, data)
        except (OSError, EOFError):
            raise DataError(_describe_exit(process)) from None
        except BaseException:  # Ctrl-C: the next one must not get this one's answer
            process.kill()
            process.wait()
            raise
        finally:
            watchdog.cancel()
    if isinstance(answer, DataError):
        raise answer
    return answer


def _process() -> "subprocess.Popen[bytes]":
    global _running
    if _running and _running[0] == os.getpid() and _running[1].poll() is None:
        return _running[1]
    with child_python.safe_path():
        process = subprocess.Popen(
            child_python.module_command("mnist_edge.preprocess.decoder_process"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"},
        )
    _running = os.getpid(), process
    return process


@atexit.register
def _kill_at_exit() -> None:
    if _running and _running[0] == os.getpid():
        _running[1].kill()
        _running[1].wait()


def _request(process: "subprocess.Popen[bytes]", data: bytes) -> Loaded | DataError:
    """The picture, or why there is none. EOFError, OSError where the process has ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(_LENGTH.pack(len(data)))
    process.stdin.write(data)
    process.stdin.flush()
    said = json.loads(_receive(process.stdout))
    if "error" in said:
        return DataError(said["error"])
    pixels = np.frombuffer(_receive(process.stdout), np.uint8).reshape(said["shape"])
    return Loaded(pixels, (said["size"][0], said["size"][1]), said["note"])


def _describe_exit(process: "subprocess.Popen[bytes]") -> str:
    code = process.wait()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):  # what was not yet written
            pipe.close()  # type: ignore[union-attr]
    if code in (-signal.SIGKILL, -getattr(signal, "SIGPROF", 0)):
        return f"takes more than {MAX_CPU_S:.0f} s to decode: save it as PNG"
    return f"its decoder failed ({code}): save it as PNG"


def _receive(stream: IO[bytes]) -> bytes:
    (length,) = _LENGTH.unpack(_read_exactly(stream, _LENGTH.size))
    return _read_exactly(stream, length)


def _read_exactly(stream: IO[bytes], length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    return data


# In the process


def serve() -> None:
    """Decode what comes, until nothing more comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    limited = False
    with contextlib.suppress(EOFError):
        while True:
            data = _receive(sys.stdin.buffer)
            form = detect_format(data[:PREFIX_BYTES])  # imports its decoder
            if not limited:
                _limit_memory()
                limited = True
            _limit_time(MAX_CPU_S)
            answer = _answer(data, form)
            _limit_time(0)
            for part in answer:
                sys.stdout.buffer.write(_LENGTH.pack(len(part)) + part)
            sys.stdout.buffer.flush()


def _answer(data: bytes, form: Format) -> list[bytes]:
    try:
        found = decode(io.BytesIO(data), form, len(data))
    except Exception as error:  # whatever decoders raise
        return [json.dumps({"error": describe_error(error)}).encode()]
    said = {"shape": found.pixels.shape, "size": found.size, "note": found.note}
    return [json.dumps(said).encode(), found.pixels.tobytes()]


def _limit_memory() -> None:
    """To `MAX_MB` more than there is now, where the system tells how much that is."""
    with contextlib.suppress(ImportError, OSError):
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[5])  # of data and stack
        most = pages * resource.getpagesize() + (MAX_MB << 20)
        resource.setrlimit(
            resource.RLIMIT_DATA, (most, resource.getrlimit(resource.RLIMIT_DATA)[1])
        )


def _limit_time(seconds: float) -> None:
    """The process ends when it has computed so long; 0 for no limit."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


if __name__ == "__main__":
    serve()
