"""What the tests of whole benchmarks share: none of the waits."""

from collections.abc import Iterator

import pytest

from mnist_edge.backends import Contender
from tests.helpers import fakes


@pytest.fixture(autouse=True)
def _little_to_collect() -> Iterator[None]:
    with fakes.little_to_collect():
        yield


@pytest.fixture
def cold_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is called to warm up."""
    fakes.skip_warm_up(monkeypatch)


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[Contender]:
    """Which contenders were started in processes of their own; none really is."""
    return fakes.start_no_process(monkeypatch)
