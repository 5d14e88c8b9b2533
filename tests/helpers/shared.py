"""What takes seconds to make is made once for all workers of pytest-xdist."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mnist_edge.files import lock_folder, write_atomically

_places: dict[str, Path] = {}


def begin(factory: pytest.TempPathFactory) -> None:
    """Say where: a folder that all workers of this run have in common, and this worker's own."""
    own = factory.getbasetemp()
    common = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    _places.update(own=own / "own", common=common / "common")
    _places["common"].mkdir(exist_ok=True)


def folder_once(name: str, make: Callable[[Path], object]) -> Path:
    """A folder with what `make` puts into it. The first worker that asks makes it, another waits
    for it, and each has a copy of its own, which its tests may change."""
    own, common = _places["own"] / name, _places["common"] / name
    if own.exists():
        return own
    with lock_folder(_places["common"]):
        if not common.exists():
            make(_places["common"] / f"new-{name}")
            (_places["common"] / f"new-{name}").rename(common)
    return Path(shutil.copytree(common, own))


def bytes_once(name: str, make: Callable[[], bytes]) -> bytes:
    """What `make` returns: the same for all workers, whichever of them makes it."""
    path = _places["common"] / name
    if not path.exists():
        write_atomically(path, make(), durable=False)
    return path.read_bytes()
