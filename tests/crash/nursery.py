"""Commands that can be killed in hundreds: forked from a process that has imported everything.

A fresh process takes seconds to import PyTorch; a fork takes a millisecond. The parent computes
nothing and opens no session, so that its children start as if they had been started by hand.
"""

import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, the negative signal where it was killed; what it said;
    how long it took; the most memory that it had, with what was imported for it."""

    code: int
    said: str
    duration_s: float
    peak_mb: float


class Nursery:
    """A process that forks commands in the folders that it is told; a context manager.

    `prelude` is Python that each child runs before its command; `begin` is what the process does
    before anything else.
    """

    def __init__(self, prelude: str = "", begin: Callable[[], None] | None = None) -> None:
        self.prelude, self.begin = prelude, begin

    def __enter__(self) -> "Nursery":
        # What children do is not the test's own code: coverage would slow it down.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            preexec_fn=self.begin,
            env={**environment, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        )
        self._hear()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def run(self, folder: Path, *args: object, kill_after_s: float | None = None) -> Ended:
        """Run a command in a folder; with `kill_after_s`, SIGKILL it then if it still runs."""
        assert self._process.stdin
        log = folder.parent / f"{folder.name}.log"
        command = {"folder": str(folder), "args": [str(arg) for arg in args], "log": str(log)}
        started = time.perf_counter()
        print(json.dumps(command | {"prelude": self.prelude}), file=self._process.stdin, flush=True)
        pid = int(self._hear())
        if kill_after_s is not None:
            time.sleep(max(0, started + kill_after_s - time.perf_counter()))
            os.kill(pid, signal.SIGKILL)  # one that has ended waits until its parent asks for it
        print(file=self._process.stdin, flush=True)
        code, peak_kb = map(int, self._hear().split())
        duration_s = time.perf_counter() - started
        return Ended(code, log.read_text(), duration_s, peak_kb / 1024)

    def _hear(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the nursery is gone"
        return line


def main() -> None:
    """Fork what stdin asks for; after an empty line, wait for its end."""
    _import_everything()
    _tell("ready")
    while line := sys.stdin.readline():
        command = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _child(command)
        _tell(pid)
        sys.stdin.readline()
        _, status, used = os.wait4(pid, 0)
        _tell(f"{os.waitstatus_to_exitcode(status)} {used.ru_maxrss}")


def _tell(what: object) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


# What commands import on their way, beside this package's own modules.
_IMPORTS = (
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "onnx.reference",
    "onnxruntime.quantization",
    "onnxscript",
    "torch._dynamo",
    "torch.onnx._internal.exporter._core",
)


def _import_everything() -> None:
    import mnist_edge

    own = (found.name for found in pkgutil.walk_packages(mnist_edge.__path__, "mnist_edge."))
    for name in (*_IMPORTS, *(name for name in own if not name.endswith("__main__"))):
        importlib.import_module(name)

    import torch

    torch.set_num_threads(1)


def _child(command: dict[str, str]) -> None:
    """Never returns."""
    from mnist_edge.cli import main as cli

    log = os.open(command["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.chdir(command["folder"])
    sys.argv = ["mnist-edge", *command["args"]]
    code: int | str | None = 0
    try:
        exec(command["prelude"], {})
        cli()
    except SystemExit as error:
        code = error.code
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 70
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    main()
