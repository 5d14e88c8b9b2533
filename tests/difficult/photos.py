"""Pictures taken with a phone: paper, tables, blackboards, whiteboards."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.difficult.canvas import (
    Hand,
    Kind,
    Picture,
    Random,
    cloud,
    grain,
    grey,
    image_of,
    laid,
    pen_colour,
    plane,
    render,
    uniform,
    write,
)
from tests.difficult.paper import ruled, ruling_colour, specks
from tests.difficult.scenes import Camera, grid, light, photo_size, shadow, tilted, wood
from tests.difficult.strokes import Field, Shape


def _page(shape: Shape, random: Random, hand: Hand) -> Field:
    """A white page with a digit on it, (H, W, 3)."""
    size = photo_size(random)
    ground = (
        plane(size, grey(random.uniform(0.85, 0.97))) + grain(random, size, 0.01, 1.0)[..., None]
    )
    return laid(ground, write(shape, random, size, hand), pen_colour(random))


_HAND = Hand((0.3, 0.7), (0.018, 0.055), 1.5, 10, 0.5, rough=0.15)


def phone(shape: Shape, random: Random) -> Picture:
    """Paper under uneven light, a little aslant."""
    page = _page(shape, random, _HAND)
    page = tilted(page, page[:1, :1] * np.ones_like(page), 0.05, 0.0, random)
    return Camera().picture(page * light(page.shape[:2], random), random)


def soft_shadow(shape: Shape, random: Random) -> Picture:
    """The soft shadow of the one who takes the picture."""
    page = _page(shape, random, _HAND)
    size = page.shape[:2]
    return Camera().picture(page * light(size, random) * shadow(size, random, True), random)


def hard_shadow(shape: Shape, random: Random) -> Picture:
    """A shadow with an edge, often right through the digit."""
    page = _page(shape, random, Hand((0.3, 0.7), (0.025, 0.06), 1.8, 10, 0.5))
    size = page.shape[:2]
    return Camera((0.3, 1.0)).picture(page * shadow(size, random, False), random)


def on_table(shape: Shape, random: Random) -> Picture:
    """A sheet that lies on a darker table, which shows on all sides."""
    page = _page(shape, random, Hand((0.3, 0.6), (0.02, 0.055), 1.6, 10, 0.3))
    size = page.shape[:2]
    inset = random.uniform(0.03, 0.14)
    scene = tilted(page, wood(size, random), 0.03, inset, random)
    return Camera().picture(scene * light(size, random), random)


def table_beside(shape: Shape, random: Random) -> Picture:
    """The table shows on one or two sides only."""
    page = _page(shape, random, Hand((0.3, 0.6), (0.02, 0.055), 1.6, 10, 0.2))
    size = page.shape[:2]
    table = wood(size, random)
    rows, columns = grid(size)
    lean = random.uniform(-0.06, 0.06)
    beside = columns + lean * rows < random.uniform(0.05, 0.15)
    if random.random() < 0.5:
        beside |= rows + lean * columns < random.uniform(0.03, 0.1)
    page[beside] = table[beside]
    turn = int(random.integers(2)) * 2  # the table at the right and below
    scene = page if turn == 0 else _mirrored_ground(page, table, beside, shape, random)
    return Camera().picture(scene * light(size, random), random)


def _mirrored_ground(
    page: Field, table: Field, beside: NDArray[np.bool_], shape: Shape, random: Random
) -> Field:
    """The same scene with the table on the other side; the digit is written anew, upright."""
    size = page.shape[:2]
    ground = plane(size, grey(random.uniform(0.85, 0.97)))
    cover = write(shape, random, size, Hand((0.3, 0.6), (0.02, 0.055), 1.6, 10, 0.2))
    ground = laid(ground, cover, pen_colour(random))
    other = beside[::-1, ::-1]
    ground[other] = table[other]
    return ground


def squared_photo(shape: Shape, random: Random) -> Picture:
    """Lined or squared paper, photographed."""
    size = photo_size(random)
    ground = plane(size, grey(random.uniform(0.85, 0.97)))
    lines = ruled(size, random, bool(random.random() < 0.6), False)
    ground = laid(ground, lines, ruling_colour(random))
    ink = write(shape, random, size, Hand((0.35, 0.7), (0.025, 0.055), 1.8, 8))
    page = laid(ground, ink, pen_colour(random))
    page = tilted(page, np.full_like(page, 0.85), 0.04, -0.04, random)
    return Camera().picture(page * light(size, random), random)


def blurry(shape: Shape, random: Random) -> Picture:
    """Out of focus, in poor light: much noise, much compression."""
    page = _page(shape, random, Hand((0.35, 0.75), (0.03, 0.06), 2.0, 10))
    size = page.shape[:2]
    blur = min(size) * random.uniform(0.004, 0.009)
    camera = Camera((blur, blur), (0.03, 0.08), 0.5, (25, 60))
    return camera.picture(page * light(size, random), random)


def chalk(shape: Shape, random: Random) -> Picture:
    """Chalk on a blackboard: grainy strokes, wiped smears, green or black."""
    size = photo_size(random)
    board = [(0.1, 0.1, 0.11), (0.12, 0.22, 0.18), (0.2, 0.22, 0.24)][random.integers(3)]
    smear = np.clip(cloud(random, size, min(size) / 3), 0, 1) * random.uniform(0, 0.22)
    ground = laid(plane(size, board), smear, grey(0.7))
    ink = write(shape, random, size, Hand((0.35, 0.75), (0.025, 0.06), 2.2))
    rough = np.clip(0.85 + grain(random, size, 0.45, uniform(random, (0.8, 1.8))), 0.1, 1)
    scene = laid(ground, ink * rough, grey(random.uniform(0.8, 0.98)))
    return Camera((0.3, 1.0)).picture(scene * light(size, random), random)


def whiteboard(shape: Shape, random: Random) -> Picture:
    """A marker on a glossy white board: a glare, the ghosts of what was wiped."""
    size = photo_size(random)
    ground = plane(size, (0.82, 0.84, 0.86))
    ghost = np.clip(cloud(random, size, min(size) / 5), 0, 1) * random.uniform(0, 0.1)
    ground = laid(ground, ghost, grey(0.5))
    rows, columns = grid(size)
    spot = np.hypot(rows - random.random(), columns - random.random()) / random.uniform(0.1, 0.3)
    ink = write(shape, random, size, Hand((0.35, 0.75), (0.025, 0.055), 2.0, rough=0.2))
    scene = laid(ground, ink, pen_colour(random)) + 0.25 * np.exp(-(spot[..., None] ** 2))
    return Camera((0.3, 1.0)).picture(scene * light(size, random), random)


def held_sideways(shape: Shape, random: Random) -> Picture:
    """Stored lying or head down; EXIF says how to turn it."""
    upright = phone(shape, random)
    orientation, turn = ((6, Image.Transpose.ROTATE_90), (8, Image.Transpose.ROTATE_270),
                         (3, Image.Transpose.ROTATE_180))[random.integers(3)]  # fmt: skip
    return Picture(upright.image.transpose(turn), "JPEG", 85, orientation)


def twelve_megapixels(shape: Shape, random: Random) -> Picture:
    """A whole photograph, as it comes from the phone: 4000×3000."""
    size = (3000, 4000)
    small = (750, 1000)
    ground = plane(small, grey(random.uniform(0.8, 0.95))) * light(small, random)
    ground = ground * shadow(small, random, True)
    big = np.asarray(image_of(ground).resize((size[1], size[0]), Image.Resampling.BICUBIC))
    values = big.copy()
    ink = render(shape, random.uniform(700, 1900), random.uniform(0.02, 0.05))
    top, left = (int(random.uniform(0.2, 0.8) * (size[at] - ink.shape[at])) for at in (0, 1))
    patch = values[top : top + ink.shape[0], left : left + ink.shape[1]]
    dark = np.array(pen_colour(random), np.float32) * 160
    patch[:] = (patch * (1 - ink[..., None]) + dark * ink[..., None]).astype(np.uint8)
    noise = random.integers(-9, 10, (512, 512, 1), np.int16)
    noisy = values + np.tile(noise, (6, 8, 1))[: size[0], : size[1]]
    return Picture(Image.fromarray(noisy.clip(0, 255).astype(np.uint8)), "JPEG", 80)


def dusty_photo(shape: Shape, random: Random) -> Picture:
    """Recycled paper: brownish, with fibres and crumbs."""
    size = photo_size(random)
    paper = (random.uniform(0.75, 0.85), random.uniform(0.68, 0.76), random.uniform(0.55, 0.65))
    ground = plane(size, paper) + 0.03 * cloud(random, size, 6)[..., None]
    ground = laid(ground, specks(size, random, 60, 0.004 * min(size)), grey(0.45))
    ink = write(shape, random, size, Hand((0.35, 0.7), (0.025, 0.055), 2.0))
    scene = laid(ground, ink, pen_colour(random))
    return Camera().picture(scene * light(size, random), random)


KINDS: dict[str, Kind] = {
    "phone": phone,
    "EXIF": held_sideways,
    "soft shadow": soft_shadow,
    "hard shadow": hard_shadow,
    "on a table": on_table,
    "table beside": table_beside,
    "squared, photo": squared_photo,
    "blurry photo": blurry,
    "brown paper": dusty_photo,
    "chalk": chalk,
    "whiteboard": whiteboard,
}
LARGE: dict[str, Kind] = {"photo 12 MP": twelve_megapixels}
