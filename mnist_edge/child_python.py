"""How this package starts another Python: never with the current folder on its path.

`python -m` and `python -c` look for modules in the current folder first, where a `pickle.py` beside
a downloaded model would be run (CWE-427). `-P` and PYTHONSAFEPATH leave it out (Python 3.11
and newer).
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SAFE = "PYTHONSAFEPATH"
# A checkout that is not installed is found too: after everything else, so that it shadows nothing.
_RUN = "import sys, runpy; sys.path.append(sys.argv.pop(1)); runpy.run_module({!r}, None, {!r})"


def module_command(module: str) -> list[str]:
    """What runs a module of this package as a program in a Python of its own."""
    place = Path(__file__).parent.parent
    return [sys.executable, "-P", "-c", _RUN.format(module, "__main__"), str(place)]


def set_safe_path() -> None:
    """All Pythons that this process and its libraries start from now on, and theirs."""
    os.environ[_SAFE] = "1"


@contextmanager
def safe_path() -> Iterator[None]:
    """As `set_safe_path`, for what is started within: multiprocessing runs `python -c` itself."""
    before = os.environ.get(_SAFE)
    set_safe_path()
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_SAFE, None)
        else:
            os.environ[_SAFE] = before
