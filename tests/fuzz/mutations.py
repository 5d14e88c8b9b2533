"""Honest inputs spoilt at random, from a seed: for runs of seconds, without a fuzzer."""

import random
from collections.abc import Iterator

_STRANGE = (0, 1, 0x7F, 0x80, 0xFF)
_TOKENS = (b"[" * 2000, b"{}", b"null", b"-1", b"1e999", b"NaN", b'""', b"9" * 400, b"\xff" * 9)


def spoilt(seeds: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    """`count` inputs made of `seeds`, the same for the same seed."""
    dice = random.Random(seed)
    for _ in range(count):
        content = bytearray(dice.choice(seeds))
        for _ in range(dice.choice((1, 1, 2, 4, 16))):
            _spoil(content, seeds, dice)
        yield bytes(content)


def _spoil(content: bytearray, seeds: list[bytes], dice: random.Random) -> None:
    at = dice.randrange(len(content) + 1)
    size = min(dice.choice((1, 2, 4, 8, 64)), len(content) - at)
    kind = dice.randrange(7)
    if kind == 0:
        content[at : at + size] = dice.randbytes(size)
    elif kind == 1:
        content[at : at + size] = bytes([dice.choice(_STRANGE)]) * size
    elif kind == 2:
        del content[at : at + size]
    elif kind == 3:
        content[at:at] = dice.choice(_TOKENS)
    elif kind == 4:
        del content[at:]
    elif kind == 5:
        content[at:at] = content[at : at + size] * dice.choice((2, 50))
    else:
        other = dice.choice(seeds)
        start = dice.randrange(len(other) + 1)
        content[at : at + size] = other[start : start + dice.choice((8, 64, 512))]
