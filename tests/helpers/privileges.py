"""A Python process that permissions hold for, even where the tests run as root."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

_DROP = 24  # PR_CAPBSET_DROP of prctl(2)
_OVERRIDES = (1, 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH: what lets root into every file


def as_ordinary_user(
    *args: object, cwd: Path, locked: bool = False, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Run Python with these arguments. Root keeps its name and its files, and loses what lifts
    it above permissions; skips where the system does not let go of that.

    With `locked`, nobody may look into its current folder any more, once it is there.
    """
    lay_down = without_privileges()

    def begin() -> None:
        lay_down()
        if locked:
            Path().chmod(0)

    try:
        done = subprocess.run(
            [sys.executable, *map(str, args)],
            cwd=cwd,
            preexec_fn=begin,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        if locked:
            cwd.chmod(0o700)
    return done


def without_privileges() -> Callable[[], None]:
    """What a new process does to become one that permissions hold for; skips where it cannot."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return lambda: None
    if sys.platform != "linux":
        pytest.skip("root may do anything here")
    libc = ctypes.CDLL(None, use_errno=True)

    def lay_down() -> None:
        for capability in _OVERRIDES:
            if libc.prctl(_DROP, capability, 0, 0, 0):
                os._exit(77)

    if subprocess.run(["true"], preexec_fn=lay_down, check=False).returncode == 77:
        pytest.skip("root cannot lay down its privileges here")
    return lay_down
