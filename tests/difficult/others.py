"""Pictures of anything but one digit: blank pages, scribbles, letters, photographs, several."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from tests.difficult import files, paper, photos, scenes, screens
from tests.difficult.canvas import (
    Hand,
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
    write,
)
from tests.difficult.drawn import style_of, written
from tests.difficult.strokes import LABELS, Shape, of_curves, of_text

# Letters that no one takes for a digit: not O o Q D I l i j J S s Z z B b G g q a T t Y y u U.
LETTERS = "ACEFHKMNPRVWXdefhkmnprvwxLc"
SYMBOLS = "?!#%&@*+=<>{}[]~^$§"
_WRITTEN_ON = {
    **{name: paper.KINDS[name] for name in ("pen", "pencil", "marker", "lined")},
    **{name: photos.KINDS[name] for name in ("phone", "chalk", "whiteboard", "soft shadow")},
    **{name: screens.KINDS[name] for name in ("paint", "mouse 28x28", "one pixel")},
    "MNIST-like": files.KINDS["MNIST-like"],
}
_WAYS = list(_WRITTEN_ON.values())
Other = Callable[[Random], Picture]


def _shown(shape: Shape, random: Random) -> Picture:
    return _WAYS[random.integers(len(_WAYS))](shape, random)


def blank(random: Random) -> Picture:
    """Nothing: white, grey, black, a gradient, noise."""
    size = (28, 28) if random.random() < 0.2 else paper.page_size(random)
    which = random.integers(4)
    values = np.full(size, [1.0, random.uniform(0.2, 1), 0.0, 0.9][random.integers(4)], np.float32)
    if which == 1:
        values = values * scenes.light(size, random)[..., 0]
    elif which == 2:
        values = values + grain(random, size, random.uniform(0.01, 0.2))
    elif which == 3:
        values = values * scenes.shadow(size, random, True)[..., 0] + grain(random, size, 0.02)
    return Picture(image_of(values), "PNG" if random.random() < 0.5 else "JPEG", 85)


def blank_ruled(random: Random) -> Picture:
    """Lined or squared paper with nothing on it."""
    size = paper.page_size(random, 200)
    lines = paper.ruled(size, random, bool(random.random() < 0.5), bool(random.random() < 0.3))
    values = laid(plane(size, grey(0.95)), lines, paper.ruling_colour(random))
    if random.random() < 0.5:
        values = values * scenes.light(size, random)
    return Picture(image_of(values + grain(random, size, 0.012)[..., None]), "JPEG", 85)


def letter(random: Random) -> Picture:
    """A letter in a font, upright or slanted, in the same kinds as the digits."""
    font = ImageFont.load_default(size=160)
    text = LETTERS[random.integers(len(LETTERS))]
    return _shown(of_text(text, font, text, "letters"), random)


_STROKED: dict[str, list[list[tuple[float, float]]]] = {
    "A": [[(0, 1), (0.35, 0)], [(0.35, 0), (0.7, 1)], [(0.15, 0.6), (0.55, 0.6)]],
    "E": [[(0.5, 0), (0, 0)], [(0, 0), (0, 1)], [(0, 1), (0.5, 1)], [(0, 0.5), (0.4, 0.5)]],
    "F": [[(0.5, 0), (0, 0)], [(0, 0), (0, 1)], [(0, 0.45), (0.4, 0.45)]],
    "H": [[(0, 0), (0, 1)], [(0.6, 0), (0.6, 1)], [(0, 0.5), (0.6, 0.5)]],
    "K": [[(0, 0), (0, 1)], [(0.55, 0), (0, 0.55)], [(0, 0.55), (0.6, 1)]],
    "M": [[(0, 1), (0.1, 0)], [(0.1, 0), (0.4, 0.7)], [(0.4, 0.7), (0.7, 0)], [(0.7, 0), (0.8, 1)]],
    "N": [[(0, 1), (0, 0)], [(0, 0), (0.6, 1)], [(0.6, 1), (0.6, 0)]],
    "P": [[(0, 0), (0, 1)], [(0, 0.02), (0.4, 0), (0.5, 0.25), (0.35, 0.48), (0, 0.5)]],
    "R": [[(0, 0), (0, 1)], [(0, 0.02), (0.4, 0), (0.5, 0.25), (0.35, 0.48), (0, 0.5)],
          [(0.15, 0.5), (0.55, 1)]],
    "W": [[(0, 0), (0.2, 1)], [(0.2, 1), (0.45, 0.3)], [(0.45, 0.3), (0.7, 1)],
          [(0.7, 1), (0.9, 0)]],
    "X": [[(0, 0), (0.6, 1)], [(0.6, 0), (0, 1)]],
    "e": [[(0.05, 0.5), (0.6, 0.45), (0.5, 0.1), (0.25, 0), (0, 0.4), (0.15, 0.95), (0.6, 0.9)]],
    "m": [[(0, 0), (0, 1)], [(0, 0.4), (0.25, 0), (0.4, 0.3), (0.4, 1)],
          [(0.4, 0.4), (0.65, 0), (0.8, 0.3), (0.8, 1)]],
}  # fmt: skip


def written_letter(random: Random) -> Picture:
    """A letter written by hand."""
    text = list(_STROKED)[random.integers(len(_STROKED))]
    return _shown(of_curves(written(_STROKED[text], random), text, "letters"), random)


def symbol(random: Random) -> Picture:
    """Punctuation and signs."""
    font = ImageFont.load_default(size=160)
    text = SYMBOLS[random.integers(len(SYMBOLS))]
    return _shown(of_text(text, font, text, "symbols"), random)


def scribble(random: Random) -> Picture:
    """A pen that went to and fro."""
    steps = int(random.integers(14, 40))
    points = np.cumsum(random.normal(0, 0.22, (steps, 2)), axis=0)
    points -= 0.6 * points.mean(axis=0) * np.linspace(0, 1, steps)[:, None]
    smooth = ndimage.zoom(points, (10, 1), order=3)
    return _shown(of_curves([smooth], "?", "scribbles"), random)


_ARCS = np.linspace(0, 2 * np.pi, 40)


def _circle(x: float, y: float, radius: float) -> NDArray[np.float64]:
    return np.stack([x + radius * np.cos(_ARCS), y + radius * np.sin(_ARCS)], axis=1)


def drawing(random: Random) -> Picture:
    """A house, a face, an arrow, a star, a tree."""
    star = [(0.5 + 0.5 * np.sin(k * 4 * np.pi / 5), 0.5 - 0.5 * np.cos(k * 4 * np.pi / 5))
            for k in range(6)]  # fmt: skip
    drawings: list[list[ArrayLike]] = [
        [[(0, 1), (0, 0.45), (0.5, 0), (1, 0.45), (1, 1), (0, 1)],
         [(0.4, 1), (0.4, 0.65), (0.6, 0.65), (0.6, 1)]],
        [_circle(0.5, 0.5, 0.5), _circle(0.33, 0.38, 0.05), _circle(0.67, 0.38, 0.05),
         [(0.3, 0.65), (0.42, 0.76), (0.58, 0.76), (0.7, 0.65)]],
        [[(0, 0.5), (1, 0.5)], [(0.7, 0.25), (1, 0.5), (0.7, 0.75)]],
        [star],
        [[(0.5, 1), (0.5, 0.6)], _circle(0.5, 0.3, 0.3), [(0.2, 1), (0.8, 1)]],
    ]  # fmt: skip
    lines = [np.asarray(line, np.float64) for line in drawings[random.integers(len(drawings))]]
    moved = [line + random.normal(0, 0.015, line.shape) for line in lines]
    return _shown(of_curves(moved, "?", "drawings"), random)


def several(random: Random) -> Picture:
    """Two to four digits at once, side by side."""
    count, high = int(random.integers(2, 5)), random.uniform(60, 200)
    half = random.uniform(0.03, 0.06)
    labels = [LABELS[at] for at in random.integers(0, 10, count)]
    shapes = [of_curves(written(style_of(text, random), random), text, "drawn") for text in labels]
    inks = [render(shape, high, half) for shape in shapes]
    tall = max(ink.shape[0] for ink in inks)
    gap = int(high * random.uniform(0.15, 0.35))
    padded = [np.pad(ink, ((tall - ink.shape[0], 0), (gap, 0))) for ink in inks]
    cover = np.pad(np.hstack(padded), int(high * 0.3)).astype(np.float32)
    values = laid(plane((len(cover), cover.shape[1]), grey(0.96)), cover, pen_colour(random))
    return Picture(image_of(values), "JPEG", 85)


def texture(random: Random) -> Picture:
    """Plasma, checkers, stripes, blobs."""
    size = paper.page_size(random, 60, 400)
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
    cell = random.uniform(0.06, 0.35) * min(size)
    turn = random.uniform(0, np.pi)
    along = rows * np.sin(turn) + columns * np.cos(turn)
    made = [
        0.5 + 0.5 * cloud(random, size, cell) + 0.2 * cloud(random, size, cell / 3),
        ((rows // cell + columns // cell) % 2).astype(np.float32),
        0.5 + 0.5 * np.sin(along * 2 * np.pi / cell),
        (cloud(random, size, cell) > 0.2).astype(np.float32),
        random.random(size).astype(np.float32),
    ]
    return Picture(image_of(made[random.integers(len(made))]), "JPEG", 80)


def photograph(random: Random) -> Picture:
    """A part of a photograph of a temple or a flower; a texture without scikit-learn."""
    try:
        from sklearn.datasets import load_sample_images
    except ImportError:
        return texture(random)
    whole = load_sample_images().images[random.integers(2)]
    side = int(random.integers(120, 420))
    top, left = (random.integers(0, limit - side) for limit in whole.shape[:2])
    image = Image.fromarray(whole[top : top + side, left : left + side])
    small = int(random.choice([28, 64, 200, side]))
    return Picture(image.resize((small, small)), "JPEG", 85)


def stroke(random: Random) -> Picture:
    """Lines that are no digit: a cross, a tick, a wave, a spiral, one or two lying bars."""
    turn = np.linspace(0.5, 5 * np.pi, 60)
    wave = np.linspace(0, 1, 60)
    made: list[list[ArrayLike]] = [
        [[(0, 0), (1, 1)], [(1, 0), (0, 1)]],
        [[(0, 0.6), (0.3, 1), (1, 0)]],
        [np.stack([wave, 0.15 * np.sin(wave * 6 * np.pi)], axis=1)],
        [np.stack([turn * np.cos(turn), turn * np.sin(turn)], axis=1) / 30],
        [[(0, 0), (1, 0.03)]],
        [[(0, 0), (1, 0)], [(0, 0.4), (1, 0.4)]],
    ]
    lines = [np.asarray(line, np.float64) for line in made[random.integers(len(made))]]
    return _shown(of_curves(lines, "?", "strokes"), random)


def many_words(random: Random) -> Picture:
    """Some lines of print."""
    size = (int(random.integers(80, 300)), int(random.integers(160, 500)))
    image = Image.new("L", (size[1], size[0]), 245)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(size=int(random.integers(12, 30)))
    letters = np.array(list("abcdefghkmnoprstuvw   "))
    for row in range(4, size[0] - 20, 34):
        text = "".join(letters[random.integers(0, len(letters), 40)])
        pen.text((6, row), text, int(random.integers(0, 90)), font)
    return Picture(image, "PNG")


def lone_page(random: Random) -> Picture:
    """An empty sheet on a table."""
    size = scenes.photo_size(random)
    page = plane(size, grey(0.92))
    scene = scenes.tilted(page, scenes.wood(size, random), 0.03, random.uniform(0.04, 0.15), random)
    return scenes.Camera().picture(scene * scenes.light(size, random), random)


def letter_on_page(random: Random) -> Picture:
    """A letter in a fat pen, on a white page."""
    shape = of_text(
        LETTERS[random.integers(len(LETTERS))], ImageFont.load_default(size=90), "?", "letters"
    )
    size = paper.page_size(random)
    cover = write(shape, random, size, Hand((0.4, 0.8), (0.05, 0.09), 1.0, 15))
    values = laid(plane(size, grey(0.95)), cover, pen_colour(random))
    return Picture(image_of(values), "JPEG", 80)


KINDS: dict[str, Other] = {
    "blank": blank,
    "blank, ruled": blank_ruled,
    "empty sheet on a table": lone_page,
    "letters": letter,
    "written letters": written_letter,
    "fat letters": letter_on_page,
    "symbols": symbol,
    "scribbles": scribble,
    "strokes": stroke,
    "drawings": drawing,
    "several digits": several,
    "print": many_words,
    "textures": texture,
    "photographs": photograph,
}
