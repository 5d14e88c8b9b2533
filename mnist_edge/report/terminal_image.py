"""A small image, grey or in colour, and bars of probabilities, in the characters of a terminal."""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product, zip_longest

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mnist_edge.preprocess import Pixels, to_luminance, to_rgb
from mnist_edge.report.formatting import percent

PLAIN, SIXTEEN, INDEXED, FULL = "ascii", "16", "256", "24bit"
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
    return INDEXED if "256" in term else SIXTEEN


def shrink(image: Pixels, columns: int) -> Pixels:
    """An image, uint8 (H, W) or (H, W, 3), that is no wider than so many columns: reduced by a
    whole factor where it is."""
    factor = -(-image.shape[1] // max(1, columns))
    return image if factor == 1 else np.asarray(Image.fromarray(image).reduce(factor))


def render_image(image: Pixels, colours: str) -> list[str]:
    """An image, uint8 (H, W) or (H, W, 3), as H / 2 lines of W characters, rounded up.

    Each character shows two pixels, one above the other: as an upper half block of the one colour
    on a ground of the other, or without colours as the mean of both on a ramp of letters.
    """
    if colours == PLAIN:
        grey = to_luminance(image)
        below = grey[[*range(1, len(grey), 2), *[-1] * (len(grey) % 2)]]
        mean = (grey[::2].astype(np.uint16) + below) // 2
        return ["".join(_RAMP[value * len(_RAMP) // 256] for value in row) for row in mean.tolist()]
    rows: list[Sequence[list[int] | None]] = list(to_rgb(image).tolist())
    ground = [None] * image.shape[1]  # the terminal's own, below a last row
    pairs = zip_longest(rows[::2], rows[1::2], fillvalue=ground)
    return [_line(upper, lower, colours) for upper, lower in pairs]


def _line(
    upper: Sequence[list[int] | None], lower: Sequence[list[int] | None], colours: str
) -> str:
    """A line of half blocks; a colour is named where it changes."""
    parts, before = [], ""
    for above, below in zip(upper, lower, strict=True):
        colour = f"\x1b[{_code(above, 38, colours)};{_code(below, 48, colours)}m"
        parts.append(_UPPER_HALF if colour == before else colour + _UPPER_HALF)
        before = colour
    return "".join(parts) + _RESET


def _code(pixel: list[int] | None, layer: int, colours: str) -> str:
    """The SGR parameters of a pixel's colour: of the `layer` 38, the letter's, or 48, the ground's;
    the terminal's own for None."""
    if pixel is None:
        return f"{layer + 1}"
    if colours == FULL:
        return f"{layer};2;{pixel[0]};{pixel[1]};{pixel[2]}"
    if colours == INDEXED:
        return f"{layer};5;{_indexed(*pixel)}"
    return str(_sixteen(*pixel) + layer - 38)


@cache
def _indexed(red: int, green: int, blue: int) -> int:
    """The nearest of xterm's 256 colours. Greys: the colour cube's black and white, and between
    them the ramp 232 to 255, grey 8 to 238."""
    if red == green == blue:
        inside = 232 + min(23, max(0, round((red - 8) / 10)))
        return 16 if red < 4 else 231 if red > 246 else inside
    return 16 + _nearest((red, green, blue), _CUBE)


@cache
def _sixteen(red: int, green: int, blue: int) -> int:
    """The code of the nearest of 16 colours. Greys: black, bright black, white, bright white."""
    if red == green == blue:
        return (30, 90, 37, 97)[red // 64]
    at = _nearest((red, green, blue), _SIXTEEN)
    return at + (30 if at < 8 else 82)


def _nearest(pixel: tuple[int, int, int], palette: NDArray[np.int64]) -> int:
    return int(((palette - pixel) ** 2).sum(axis=1).argmin())


_LEVELS = (0, 95, 135, 175, 215, 255)
_CUBE = np.array(  # xterm's 16 to 255: a cube of six levels a side, and a ramp of greys
    [*product(_LEVELS, _LEVELS, _LEVELS), *((grey,) * 3 for grey in range(8, 248, 10))]
)
_SIXTEEN = np.array(  # as xterm shows 30 to 37 and 90 to 97
    [
        *((0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0)),
        *((0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229)),
        *((127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0)),
        *((92, 92, 255), (255, 0, 255), (0, 255, 255), (255, 255, 255)),
    ]
)


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
