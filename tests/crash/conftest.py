from collections.abc import Iterator

import pytest

from tests.crash.nursery import Nursery


@pytest.fixture
def nursery(nursery: Nursery) -> Iterator[Nursery]:
    """That of all tests; a prelude is a test's own."""
    yield nursery
    nursery.prelude = ""
