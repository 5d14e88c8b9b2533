"""A small grey image, and bars of probabilities, in the characters of a terminal."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mnist_edge.report.formatting import percent

PLAIN, SIXTEEN, GREYS, FULL = "ascii", "16", "256", "24bit"
"""How many colours there are to draw with; `ascii` for none."""

_RAMP = " .:-=+*#%@"
_UPPER_HALF = "▀"
_EIGHTHS = " ▏▎▍▌▋▊▉"
_RESET = "\x1b[0m"


def colour_depth(is_terminal: bool, environment: Mapping[str, str]) -> str:
    """What a terminal can show, as it says itself: TERM, COLORTERM and NO_COLOR (no-color.org)."""
    term = environment.get("TERM", "")
    if not is_terminal or environment.get("NO_COLOR") or term in ("", "dumb"):
        return PLAIN
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return FULL
    return GREYS if "256" in term else SIXTEEN


def render_image(image: NDArray[np.uint8], colours: str) -> list[str]:
    """An image, uint8 (H, W) with an even H, as H / 2 lines of W characters.

    Each character shows two pixels, one above the other: as an upper half block of the one colour
    on a ground of the other, or without colours as the mean of both on a ramp of letters.
    """
    if colours == PLAIN:
        mean = (image[::2].astype(np.uint16) + image[1::2]) // 2
        return ["".join(_RAMP[value * len(_RAMP) // 256] for value in row) for row in mean.tolist()]
    code = _CODES[colours]
    pairs = zip(image[::2].tolist(), image[1::2].tolist(), strict=True)
    return [_line(upper, lower, code) for upper, lower in pairs]


def _line(upper: Sequence[int], lower: Sequence[int], code: Callable[[int, bool], str]) -> str:
    """A line of half blocks; a colour is named where it changes."""
    parts, before = [], ""
    for above, below in zip(upper, lower, strict=True):
        colour = f"\x1b[{code(above, False)};{code(below, True)}m"
        parts.append(_UPPER_HALF if colour == before else colour + _UPPER_HALF)
        before = colour
    return "".join(parts) + _RESET


def _full(grey: int, ground: bool) -> str:
    return f"{48 if ground else 38};2;{grey};{grey};{grey}"


def _greys(grey: int, ground: bool) -> str:
    """The colour cube's black and white, and between them the ramp 232 to 255, grey 8 to 238."""
    inside = 232 + min(23, max(0, round((grey - 8) / 10)))
    number = 16 if grey < 4 else 231 if grey > 246 else inside
    return f"{48 if ground else 38};5;{number}"


def _sixteen(grey: int, ground: bool) -> str:
    """Black, bright black, white, bright white."""
    return str((30, 90, 37, 97)[grey // 64] + 10 * ground)


_CODES = {FULL: _full, GREYS: _greys, SIXTEEN: _sixteen}


def render_bars(
    probabilities: Mapping[str, float], width: int, colours: str, most: int = 5
) -> list[str]:
    """The most probable classes, a line each: name, bar of up to `width` characters, percent."""
    best = sorted(probabilities.items(), key=lambda item: -item[1])[:most]
    longest = max((len(name) for name, _ in best), default=0)
    return [
        f"{name:>{longest}} {_bar(share, width, colours)} {percent(share, 1):>7}"
        for name, share in best
    ]


def _bar(share: float, width: int, colours: str) -> str:
    if colours == PLAIN:
        return f"{'#' * round(share * width):<{width}}"
    whole, eighths = divmod(round(share * width * 8), 8)
    return f"{'█' * whole + _EIGHTHS[eighths].strip():<{width}}"
