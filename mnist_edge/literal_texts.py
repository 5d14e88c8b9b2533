"""Texts that matplotlib draws, for charts and curves alike."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def literal_texts() -> Iterator[None]:
    """Texts that are drawn in here are what they are: `$` begins no formula, and a letter that
    the font lacks is a box, without a word. ImportError without matplotlib."""
    import matplotlib

    with matplotlib.rc_context({"text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")
        yield
