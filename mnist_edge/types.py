"""Types that several wings share."""

from collections.abc import Callable

Progress = Callable[[str, float, float], None]
"""Told what is under way, how much of it is done, and how much there is (0: unknown)."""
