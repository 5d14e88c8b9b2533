"""Labelled pictures of one digit each, as difficult as real ones, and pictures of anything else.

They judge and teach nothing: no generator here may serve to train. Everything is seeded, each
picture by its own kind and number, so that more pictures of a kind leave the first ones as they
are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from tests.difficult import files, others, paper, photos, screens
from tests.difficult.canvas import Kind, Picture
from tests.difficult.strokes import LABELS, Source, sources

PER_KIND = 12
KINDS: dict[str, Kind] = {**paper.KINDS, **photos.KINDS, **screens.KINDS, **files.KINDS}
LARGE: dict[str, Kind] = {**photos.LARGE, **screens.LARGE}  # a few are enough: they take long
_SHARE_OF_LARGE = 4
DEFAULT_STROKES = ("mnist", "digits", "drawn")


@dataclass(frozen=True, slots=True)
class Case:
    """A picture in a file's bytes, and what it shows: None for no digit.

    `strokes` names the source of its strokes, `suffix` is the file's, with the dot.
    """

    name: str
    kind: str
    label: str | None
    data: bytes
    suffix: str
    strokes: str = ""


def cases(
    strokes: Sequence[Source] | None = None,
    seed: int = 0,
    per_kind: int = PER_KIND,
    only: Sequence[str] | None = None,
) -> Iterator[Case]:
    """Pictures of one digit, `per_kind` of each kind, a quarter of it of the very large ones.

    Sources and labels take turns, each from another start in every kind.
    """
    hands = list(strokes) if strokes is not None else sources(DEFAULT_STROKES)
    for kind, make in {**KINDS, **LARGE}.items():
        if only is not None and kind not in only:
            continue
        start = crc32(kind.encode())
        count = per_kind if kind in KINDS else -(-per_kind // _SHARE_OF_LARGE)
        for at in range(count):
            random = _random(seed, kind, at)
            source = hands[(start + at) % len(hands)]
            label = LABELS[(start // 7 + at * 3 + seed) % 10]
            shape = source.shape(label, random)
            yield _case(kind, at, label, make(shape, random), shape.source)


def nondigits(seed: int = 0, per_kind: int = 20) -> Iterator[Case]:
    """Pictures of anything but one digit, `per_kind` of each kind."""
    for kind, make in others.KINDS.items():
        for at in range(per_kind):
            yield _case(kind, at, None, make(_random(seed, kind, at)), "")


def _random(seed: int, kind: str, at: int) -> np.random.Generator:
    return np.random.default_rng([seed, crc32(kind.encode()), at])


def _case(kind: str, at: int, label: str | None, picture: Picture, strokes: str) -> Case:
    suffix = "." + picture.format.lower().replace("jpeg", "jpg")
    return Case(f"{kind} {at}", kind, label, picture.encoded(), suffix, strokes)
