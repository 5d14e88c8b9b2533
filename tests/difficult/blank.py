"""Blank pages: all that paper, light and scanners leave where nothing is written."""

from collections.abc import Callable

import numpy as np

from tests.difficult import scenes
from tests.difficult.canvas import Picture, Random, blurred, cloud, grain, image_of, plane
from tests.difficult.paper import specks
from tests.difficult.strokes import Field

Size = tuple[int, int]
Blank = Callable[[Random], Picture]

_SIDES = (28, 28, 48, 64, 100, 150, 200, 280, 400, 640)


def blank_size(random: Random) -> Size:
    """Height and width: MNIST's, an icon's, a photograph's."""
    side = int(_SIDES[random.integers(len(_SIDES))])
    return (side, side) if random.random() < 0.5 else (side, int(side * random.uniform(0.7, 1.5)))


def paper_grey(random: Random) -> float:
    """Of white paper most often, of dark paper now and then."""
    return float(random.uniform(0.75, 1.0) if random.random() < 0.75 else random.uniform(0.02, 0.4))


def step(random: Random, paper: float) -> float:
    """How far something on the paper is lighter or darker than it: from hardly to wholly."""
    far = float(np.exp(random.uniform(np.log(0.03), np.log(0.9))))
    down = paper > 0.5 if random.random() < 0.85 else paper <= 0.5
    return -min(far, paper) if down else min(far, 1 - paper)


def photographed(values: Field, random: Random) -> Picture:
    """A page's grey values (H, W): tinted or grey, with noise or without, PNG or JPEG."""
    if random.random() < 0.5:
        values = values + grain(random, values.shape[:2], random.uniform(0.002, 0.03))
    if random.random() < 0.4:
        values = values[..., None] * (1 + random.normal(0, 0.05, 3)).astype(np.float32)
    return Picture(image_of(values), "PNG" if random.random() < 0.6 else "JPEG", 85)


def _turned(values: Field, random: Random) -> Field:
    return np.ascontiguousarray(np.rot90(values, int(random.integers(4))))


def strips(random: Random) -> Picture:
    """A strip along one to three sides: a scanner's lid, the next page, a cut that went wrong."""
    size, paper = blank_size(random), paper_grey(random)
    values = np.full(size, paper, np.float32)
    for _ in range(int(random.choice([1, 2, 3], p=[0.6, 0.25, 0.15]))):
        values = _turned(values, random)
        wide = random.uniform(0.02, 0.2) * values.shape[1]
        lean = random.uniform(-0.06, 0.06) * (random.random() < 0.5)
        edge = np.maximum(1, wide + lean * (np.arange(len(values)) - len(values) / 2))
        inside = np.arange(values.shape[1])[None, :] - edge[:, None]
        cover = np.clip(0.5 - inside / random.choice([0.01, 1, 4]), 0, 1).astype(np.float32)
        values = values * (1 - cover) + (paper + step(random, paper)) * cover
    return photographed(values, random)


def gradients(random: Random) -> Picture:
    """Light that falls off to one side, evenly or not."""
    size, paper = blank_size(random), paper_grey(random)
    rows, columns = scenes.grid(size)
    direction = random.uniform(0, 2 * np.pi)
    slope = rows * np.sin(direction) + columns * np.cos(direction)
    slope = (slope - slope.min()) / np.ptp(slope)
    cover = slope ** float(np.exp(random.uniform(np.log(0.4), np.log(6))))
    return photographed(paper + step(random, paper) * cover, random)


def vignettes(random: Random) -> Picture:
    """Dark corners, or a lamp's spot that leaves the rest dark."""
    size, paper = blank_size(random), paper_grey(random)
    rows, columns = (np.linspace(-1, 1, side) for side in size)
    y, x = random.uniform(-0.6, 0.6, 2) * (random.random() < 0.6)
    away = np.hypot(rows[:, None] - y, columns[None, :] - x) / random.uniform(0.8, 1.8)
    cover = np.clip(away, 0, None) ** random.uniform(1.5, 6)
    shaded = 1 - random.uniform(0.1, 0.95) * np.minimum(cover, 1)
    return photographed((paper * shaded).astype(np.float32), random)


def shadows(random: Random) -> Picture:
    """The shadow of a hand or a phone over a part of the page, soft or sharp."""
    size, paper = blank_size(random), paper_grey(random)
    shade = scenes.shadow(size, random, soft=bool(random.random() < 0.6))[..., 0]
    if random.random() < 0.4:
        shade = shade * scenes.light(size, random)[..., 0]
    return photographed(paper * shade, random)


def folds(random: Random) -> Picture:
    """Folds from edge to edge: a line, and a little other light on its two sides."""
    size, paper = blank_size(random), paper_grey(random)
    values = np.full(size, paper, np.float32)
    rows, columns = scenes.grid(size)
    for _ in range(int(random.integers(1, 4))):
        turn = random.choice([0, np.pi / 2]) + random.normal(0, 0.06)
        along = (rows - random.uniform(0.2, 0.8)) * np.cos(turn)
        along = along + (columns - random.uniform(0.2, 0.8)) * np.sin(turn)
        wide = random.uniform(0.6, 3) / max(size)
        line = np.exp(-((along / wide) ** 2))
        values = values + random.uniform(0.02, 0.3) * random.choice([-1, 1]) * line
        values = values + random.uniform(-0.08, 0.08) * np.sign(along) * np.exp(
            -np.abs(along) / 0.2
        )
    return photographed(values, random)


def dirt(random: Random) -> Picture:
    """Crumbs, stains, a smear along an edge."""
    size, paper = blank_size(random), paper_grey(random)
    values = np.full(size, paper, np.float32)
    small = specks(size, random, int(random.integers(1, 40)), max(0.8, 0.012 * min(size)))
    values = values + step(random, paper) * small
    for _ in range(int(random.integers(0, 4))):
        rows, columns = scenes.grid(size)
        reach = random.uniform(0.03, 0.15)
        y, x = random.uniform(0, 1, 2)
        away = np.hypot((rows - y) / random.uniform(0.5, 2), columns - x) / reach
        ragged = away + 0.3 * cloud(random, size, max(3, 0.06 * max(size)))
        stain = np.exp(-(np.clip(ragged, 0, None) ** random.uniform(2, 6)))
        values = values + 0.3 * step(random, paper) * stain
    return photographed(values, random)


def textures(random: Random) -> Picture:
    """Paper with a texture: rough, woven, crumpled, with fibres, printed through from its back."""
    size, paper = blank_size(random), paper_grey(random)
    which = random.integers(4)
    values = plane(size, (0.0, 0.0, 0.0))[..., 0]
    if which == 0:  # rough
        values = grain(random, size, 1.0, random.uniform(0.7, 3))
    elif which == 1:  # woven or laid
        rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
        pitch = random.uniform(2.5, 9)
        values = np.sin(2 * np.pi * rows / pitch) + random.choice([0, 1]) * np.sin(
            2 * np.pi * columns / pitch
        )
    elif which == 2:  # crumpled: facets of different light
        for cell in (0.3, 0.15, 0.08):
            facets: Field = np.abs(cloud(random, size, max(3.0, cell * max(size))))
            values = values + np.float32(4 * cell) * facets
    else:  # fibres
        values = blurred(grain(random, size, 1.0), 0.5)
        values = values + grain(random, size, 1.0, max(1.0, 0.02 * max(size)))
    depth = random.uniform(0.01, 0.12) / max(1e-6, float(np.abs(values).max()))
    return photographed(paper + np.float32(depth) * values, random)


def desks(random: Random) -> Picture:
    """A blank sheet that does not fill its picture: a desk around it, or beside it."""
    size = blank_size(random)
    size = (max(100, size[0]), max(100, size[1]))
    sheet = plane(size, (1.0, 1.0, 1.0)) * np.float32(random.uniform(0.75, 1))
    ground = scenes.wood(size, random)
    scene = scenes.tilted(sheet, ground, 0.03, random.uniform(-0.1, 0.15), random)
    return scenes.Camera().picture(scene * scenes.light(size, random), random)


KINDS: dict[str, Blank] = {
    "strips": strips,
    "gradients": gradients,
    "vignettes": vignettes,
    "shadows": shadows,
    "folds": folds,
    "dirt": dirt,
    "paper textures": textures,
    "desks": desks,
}
