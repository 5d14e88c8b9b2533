from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def plain_terminal() -> Iterator[None]:
    """Whatever terminal the tests run in: 100 columns, and no colours or bars where none is."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
            patch.delenv(name, raising=False)
        patch.setenv("COLUMNS", "100")
        yield
