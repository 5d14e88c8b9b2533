"""A short run of what `make fuzz` does for long, and every input that it ever found."""

import time
from pathlib import Path

import pytest

from tests.fuzz.mutations import spoilt
from tests.fuzz.targets import TARGETS, seeds

FOUND = sorted(path for path in (Path(__file__).parent / "found").glob("*/*") if path.is_file())
RUNS = {"picture": 400, "checkpoint": 200, "opened_model": 1000, "card": 2500}
SLOWEST_S = 5.0


@pytest.mark.filterwarnings("ignore")  # Pillow's and NumPy's, of strange values
@pytest.mark.parametrize("target", TARGETS)
def test_spoilt_inputs_are_read_or_refused(target: str) -> None:
    for content in spoilt(seeds(target), RUNS.get(target, 5000), seed=0):
        started = time.monotonic()
        try:
            TARGETS[target](content)
        except Exception as error:
            raise AssertionError(f"{target} raises on {content!r:.2000}") from error
        assert time.monotonic() - started < SLOWEST_S, content


@pytest.mark.parametrize("target", TARGETS)
def test_honest_inputs_are_read(target: str) -> None:
    for content in seeds(target):
        TARGETS[target](content)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_was_found_stays_mended(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())
