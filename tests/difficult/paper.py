"""Digits on paper, seen by a scanner or made clean: pens, pencils, rulings, colours, dust."""

import colorsys

import numpy as np

from tests.difficult.canvas import (
    WHITE,
    Hand,
    Kind,
    Picture,
    Random,
    blurred,
    cloud,
    grain,
    grey,
    image_of,
    laid,
    pen_colour,
    plane,
    uniform,
    write,
)
from tests.difficult.strokes import Field, Shape


def page_size(random: Random, low: int = 120, high: int = 700) -> tuple[int, int]:
    """Height and width of a page, in pixels: any, but no strip."""
    side = int(np.exp(random.uniform(np.log(low), np.log(high))))
    return side, int(side * random.uniform(0.75, 1.35))


def pen(shape: Shape, random: Random) -> Picture:
    """A ballpoint pen on white paper."""
    size = page_size(random)
    ink = write(shape, random, size, Hand(half=(0.012, 0.03), half_px=0.7, rough=0.3))
    ground = plane(size, grey(uniform(random, WHITE))) + grain(random, size, 0.01)[..., None]
    return _saved(laid(ground, ink, pen_colour(random)), random)


def pencil(shape: Shape, random: Random) -> Picture:
    """Pencil: grey, grainy, broken where the paper is low."""
    size = page_size(random, 160)
    ink = write(shape, random, size, Hand(half=(0.014, 0.035), half_px=1.0))
    ink *= np.clip(uniform(random, (0.65, 1.0)) + grain(random, size, 0.3, 0.7), 0, 1)
    ground = plane(size, grey(uniform(random, WHITE))) + grain(random, size, 0.015, 0.8)[..., None]
    return _saved(laid(ground, ink, grey(random.uniform(0.25, 0.5))), random)


def marker(shape: Shape, random: Random) -> Picture:
    """A felt marker: fat, unevenly filled."""
    size = page_size(random)
    ink = write(shape, random, size, Hand((0.5, 0.85), (0.05, 0.085), 0.8, rough=0.3))
    ground = plane(size, grey(uniform(random, WHITE))) + grain(random, size, 0.008)[..., None]
    return _saved(laid(ground, ink, pen_colour(random)), random)


def faint(shape: Shape, random: Random) -> Picture:
    """Ink hardly darker than its paper."""
    size = page_size(random)
    ink = write(shape, random, size, Hand(half=(0.02, 0.05), half_px=1.0))
    paper = random.uniform(0.55, 0.97)
    step = random.uniform(0.12, 0.25) * (1 if random.random() < 0.8 else -1)
    step = step if paper - step < 1 else -step
    values = paper - step * ink + grain(random, size, abs(step) * random.uniform(0.02, 0.12))
    return Picture(image_of(values), "PNG")


def ruled(size: tuple[int, int], random: Random, squared: bool, dark: bool) -> Field:
    """How much of a ruling covers each pixel: lines, or squares, a little rotated."""
    turn = np.deg2rad(random.uniform(-4, 4))
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
    step = random.uniform(*((0.07, 0.2) if squared else (0.16, 0.4))) * min(size)
    half = max(0.55, step * random.uniform(0.008, 0.02))
    cover = np.zeros(size, np.float32)
    across = rows * np.cos(turn) + columns * np.sin(turn)
    along = columns * np.cos(turn) - rows * np.sin(turn)
    for axis in [across, along] if squared else [across]:
        place = (axis + random.uniform(0, step)) % step
        line = np.clip(half + 0.5 - np.minimum(place, step - place), 0, 1)
        cover = np.maximum(cover, line)
    return cover * (random.uniform(0.75, 1.0) if dark else random.uniform(0.2, 0.6))


def ruling_colour(random: Random) -> tuple[float, float, float]:
    return [(0.35, 0.5, 0.8), (0.4, 0.4, 0.45), (0.75, 0.4, 0.45)][random.integers(3)]


def lined(shape: Shape, random: Random) -> Picture:
    """Lined or squared paper, from a scanner."""
    return _on_ruling(shape, random, dark=False)


def dark_ruling(shape: Shape, random: Random) -> Picture:
    """A ruling as dark as the ink: thinner than it."""
    return _on_ruling(shape, random, dark=True)


def _on_ruling(shape: Shape, random: Random, dark: bool) -> Picture:
    size = page_size(random, 200)
    ink_colour = pen_colour(random)
    ground = plane(size, grey(uniform(random, WHITE)))
    lines = ruled(size, random, bool(random.random() < 0.5), dark)
    ground = laid(ground, lines, ink_colour if dark else ruling_colour(random))
    ink = write(shape, random, size, Hand((0.45, 0.8), (0.03, 0.06), 1.6))
    return _saved(laid(ground, ink, ink_colour) + grain(random, size, 0.012)[..., None], random)


def margin_line(shape: Shape, random: Random) -> Picture:
    """A coloured margin line beside the digit, and sometimes the holes of a binder."""
    size = page_size(random, 200)
    ground = plane(size, grey(uniform(random, WHITE)))
    column = np.arange(size[1]) / size[1]
    line = np.clip(1.5 - np.abs(column - random.uniform(0.06, 0.14)) * size[1], 0, 1)
    cover = np.broadcast_to(line.astype(np.float32), size)
    ground = laid(ground, cover, [(0.85, 0.3, 0.35), (0.8, 0.2, 0.6)][random.integers(2)])
    if random.random() < 0.5:
        ground = _with_holes(ground, random)
    ink = write(shape, random, size, Hand((0.4, 0.6), (0.02, 0.05), 1.0, stray=0.2))
    return _saved(
        laid(ground, ink, pen_colour(random)) + grain(random, size, 0.01)[..., None], random
    )


def _with_holes(ground: Field, random: Random) -> Field:
    height, width = ground.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    dark = grey(random.uniform(0.15, 0.6))
    for place in (0.2, 0.8):
        away = np.hypot(rows - place * height, columns - 0.03 * width)
        ground = laid(ground, np.clip(0.02 * min(height, width) - away, 0, 1), dark)
    return ground


def coloured(shape: Shape, random: Random) -> Picture:
    """Coloured ink on coloured paper, sometimes of the same luminance."""
    size = page_size(random)
    hue = random.random()
    other = (hue + random.uniform(0.3, 0.7)) % 1
    paper = np.array(colorsys.hsv_to_rgb(hue, random.uniform(0.3, 0.8), random.uniform(0.7, 1)))
    ink = np.array(colorsys.hsv_to_rgb(other, random.uniform(0.7, 1), random.uniform(0.3, 0.9)))
    if random.random() < 0.4:
        ink = _as_light_as(ink, paper)
    cover = write(shape, random, size, Hand(half=(0.025, 0.065), half_px=1.0))
    values = laid(plane(size, _triple(paper)), cover, _triple(ink))
    return Picture(image_of(values + grain(random, size, 0.01)[..., None]), "PNG")


_LUMA = np.array([0.299, 0.587, 0.114])


def _as_light_as(ink: Field, paper: Field) -> Field:
    """The ink, scaled or whitened to the luminance of the paper (ITU-R BT.601)."""
    have, want = float(_LUMA @ ink), float(_LUMA @ paper)
    if want <= have:
        return ink * (want / have)
    scaled = ink / ink.max()
    have = float(_LUMA @ scaled)
    white = max(0.0, (want - have) / max(1e-6, 1 - have))
    result: Field = scaled * (want / have) if want <= have else scaled + (1 - scaled) * white
    return result


def _triple(colour: Field) -> tuple[float, float, float]:
    return float(colour[0]), float(colour[1]), float(colour[2])


def scan(shape: Shape, random: Random) -> Picture:
    """600 dpi: large, with the paper's grain, specks of dust, and now and then a dark edge."""
    size = page_size(random, 900, 1700)
    ink = write(shape, random, size, Hand((0.25, 0.6), (0.012, 0.035), 4.0, rough=0.25))
    values = (
        plane(size, grey(random.uniform(0.88, 0.98))) + grain(random, size, 0.02, 1.2)[..., None]
    )
    values = laid(values, blurred(ink, 1.0), pen_colour(random))
    values = laid(values, specks(size, random, int(random.integers(5, 60)), 5.0), grey(0.3))
    if random.random() < 0.5:
        values = _with_edge(values, random)
    return Picture(image_of(values), "JPEG", 85)


def _with_edge(values: Field, random: Random) -> Field:
    """The lid of the scanner shows along one side."""
    turns = int(random.integers(4))
    turned = np.rot90(values, turns).copy()
    wide = int(turned.shape[1] * random.uniform(0.01, 0.04))
    slope = (np.arange(turned.shape[0]) * random.uniform(-0.01, 0.01)).astype(int)
    columns = np.arange(turned.shape[1])[None, :] < (wide + slope)[:, None]
    turned[columns] = random.uniform(0.05, 0.4)
    return np.rot90(turned, -turns)


def specks(size: tuple[int, int], random: Random, count: int, radius_px: float) -> Field:
    """Cover of small round specks, anywhere."""
    cover = np.zeros(size, np.float32)
    for _ in range(count):
        radius = random.uniform(0.3, 1) * radius_px
        row, column = random.uniform(0, size[0]), random.uniform(0, size[1])
        reach = int(radius) + 2
        top, left = max(0, int(row) - reach), max(0, int(column) - reach)
        patch = cover[top : int(row) + reach, left : int(column) + reach]
        rows, columns = np.mgrid[: patch.shape[0], : patch.shape[1]]
        away = np.hypot(rows + top - row, columns + left - column)
        patch[:] = np.maximum(patch, np.clip(radius + 0.5 - away, 0, 1))
    return cover


def specked(shape: Shape, random: Random) -> Picture:
    """Specks and crumbs around the digit, smaller than its strokes."""
    size = page_size(random, 100, 500)
    hand = Hand((0.5, 0.8), (0.03, 0.07), 1.2)
    ink = write(shape, random, size, hand)
    dust = specks(size, random, int(random.integers(4, 40)), 0.012 * min(size))
    values = laid(
        plane(size, grey(uniform(random, WHITE))), np.maximum(ink, dust), pen_colour(random)
    )
    if random.random() < 0.4:
        values = values + 0.04 * cloud(random, size, min(size) / 4)[..., None]
    return _saved(values, random)


def _saved(values: Field, random: Random) -> Picture:
    """PNG or a good JPEG, grey now and then."""
    image = image_of(values)
    image = image.convert("L") if random.random() < 0.3 else image
    return Picture(image, ["PNG", "JPEG", "WEBP"][random.choice(3, p=[0.4, 0.5, 0.1])], 88)


KINDS: dict[str, Kind] = {
    "pen": pen,
    "pencil": pencil,
    "marker": marker,
    "faint": faint,
    "lined": lined,
    "dark ruling": dark_ruling,
    "margin line": margin_line,
    "coloured": coloured,
    "scan 600 dpi": scan,
    "specks": specked,
}
