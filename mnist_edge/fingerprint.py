"""Which images a network was trained, chosen and measured on: digests that travel with it.

A checkpoint and an exported file carry the fingerprint of their data set, so that whoever gives
them another one, or the same folder with other pictures in it, is told.
"""

from dataclasses import asdict, dataclass
from typing import Any

_DIGITS = frozenset("0123456789abcdef")
_MOST_IMAGES = 10**9


@dataclass(frozen=True, slots=True)
class SplitDigest:
    """The images of a split: how many, and the SHA-256 of them all and of the names of their
    classes, in whatever order they stand."""

    images: int
    sha256: str

    def __post_init__(self) -> None:
        if type(self.images) is not int or not 0 <= self.images <= _MOST_IMAGES:
            raise ValueError(f"images is a count, not {self.images!r:.40}")
        if not isinstance(self.sha256, str) or len(self.sha256) != 64 or set(self.sha256) - _DIGITS:
            raise ValueError(f"sha256 is 64 hexadecimal digits, not {self.sha256!r:.40}")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The three splits of a data set; `coloured` is how many of its pictures lost a colour.
    `outliers` are those of no class, of all splits; None where there are none."""

    training: SplitDigest
    validation: SplitDigest
    test: SplitDigest
    coloured: int = 0
    outliers: SplitDigest | None = None

    def as_dict(self) -> dict[str, Any]:
        values = asdict(self)
        if self.outliers is None:
            del values["outliers"]
        return values

    @classmethod
    def from_dict(cls, values: Any) -> "Fingerprint":
        """ValueError, KeyError or TypeError for values that are none."""
        coloured = values["coloured"]
        if type(coloured) is not int or not 0 <= coloured <= _MOST_IMAGES:
            raise ValueError(f"coloured is a count, not {coloured!r:.40}")
        training, validation, test = (
            SplitDigest(**dict(values[name])) for name in ("training", "validation", "test")
        )
        known = values.get("outliers")
        outliers = None if known is None else SplitDigest(**dict(known))
        return cls(training, validation, test, coloured, outliers)


_NO_IMAGES = SplitDigest(0, "0" * 64)


def describe_changes(
    before: Fingerprint | None, now: Fingerprint | None, *, outliers_needed: bool = False
) -> str | None:
    """Which splits hold other images now, in words; None where none does, or nothing is known.

    Images of no class can be given apart from the set: where they are not, its images are what they
    were, unless they are needed as well.
    """
    if before is None or now is None:
        return None
    told = [
        _changed(name, getattr(before, name), getattr(now, name))
        for name in ("training", "validation", "test")
    ]
    if outliers_needed or (before.outliers and now.outliers):
        both = (before.outliers or _NO_IMAGES, now.outliers or _NO_IMAGES)
        told.append(_changed("of no class", *both))
    return ", ".join(filter(None, told)) or None


def _changed(name: str, before: SplitDigest, now: SplitDigest) -> str:
    if before == now:
        return ""
    if before.images == now.images:
        return f"{name} {before.images:,} images then as now, but others"
    return f"{name} {before.images:,} images then, {now.images:,} now"
