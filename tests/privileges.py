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
    *args: object, cwd: Path, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Run Python with these arguments. Root keeps its name and its files, and loses what lifts
    it above permissions; skips where the system does not let go of that."""
    drop: Callable[[], None] | None = None
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        if sys.platform != "linux":
            pytest.skip("root may do anything here")
        prctl = ctypes.CDLL(None, use_errno=True).prctl

        def laid_down() -> None:
            for capability in _OVERRIDES:
                if prctl(_DROP, capability, 0, 0, 0):
                    os._exit(77)

        drop = laid_down

    done = subprocess.run(
        [sys.executable, *map(str, args)],
        cwd=cwd,
        preexec_fn=drop,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77 and drop:
        pytest.skip("root cannot lay down its privileges here")
    return done
