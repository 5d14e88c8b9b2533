"""Digits as files hold them: MNIST's own form, figures, screenshots, transparency, modes."""

import numpy as np
from PIL import Image
from scipy import ndimage

from tests.difficult.canvas import (
    Hand,
    Kind,
    Picture,
    Random,
    grey,
    image_of,
    plane,
    render,
    write,
)
from tests.difficult.screens import either, lossless, square
from tests.difficult.strokes import Field, Shape


def like_mnist(shape: Shape, random: Random) -> Field:
    """20 pixels high, centred by mass in 28×28: how MNIST shows it, as cover 0..1."""
    ink = render(shape, 19, max(0.05, shape.natural * random.uniform(0.9, 1.2)))
    ink = ndimage.gaussian_filter(ink, 0.45)
    rows, columns = np.mgrid[: ink.shape[0], : ink.shape[1]]
    top = round(float(13.5 - (ink * rows).sum() / ink.sum()))
    left = round(float(13.5 - (ink * columns).sum() / ink.sum()))
    field = np.zeros((28, 28), np.float32)
    top, left = (int(np.clip(at, 0, 28 - n)) for at, n in zip((top, left), ink.shape, strict=True))
    field[top : top + ink.shape[0], left : left + ink.shape[1]] = ink[:28, :28]
    result: Field = field / field.max()
    return result


def mnist_like(shape: Shape, random: Random) -> Picture:
    """MNIST's own form, as it is or inverted."""
    return Picture(either(like_mnist(shape, random), random, 0.6), "PNG")


def enlarged(shape: Shape, random: Random) -> Picture:
    """MNIST's form enlarged 2 to 20 times, with hard pixels or smoothly."""
    side = 28 * int(random.integers(2, 21))
    how = Image.Resampling.NEAREST if random.random() < 0.5 else Image.Resampling.BICUBIC
    image = either(like_mnist(shape, random), random).resize((side, side), how)
    return Picture(image, "JPEG" if random.random() < 0.3 else "PNG", 80)


def framed(shape: Shape, random: Random) -> Picture:
    """A thin line around the picture, at its border or a little inside."""
    size = square(random)
    cover = write(shape, random, size, Hand((0.45, 0.7), (0.025, 0.07), 0.8, stray=0.3))
    at = int(random.integers(0, max(1, size[0] // 25)))
    for _ in range(int(random.integers(1, max(2, size[0] // 90)))):
        inner = cover[at : size[0] - at, at : size[1] - at]
        inner[[0, -1]], inner[:, [0, -1]] = 1, 1
        at += 1
    return lossless(either(cover, random), random)


def figure(shape: Shape, random: Random) -> Picture:
    """A figure of a plotting library: white margins, the enlarged picture, often axes."""
    zoom = int(random.integers(4, 14))
    values = like_mnist(shape, random)
    values = values if random.random() < 0.6 else 1 - values
    inner = np.kron(values, np.ones((zoom, zoom), np.float32))
    margin, side = int(28 * zoom * random.uniform(0.1, 0.35)), 28 * zoom
    page = np.ones((side + 2 * margin, side + 2 * margin), np.float32)
    page[margin : margin + side, margin : margin + side] = inner
    if random.random() < 0.6:
        _axes(page, margin, side, zoom)
    return Picture(image_of(page).convert("RGB"), "PNG")


def _axes(page: Field, margin: int, side: int, zoom: int) -> None:
    """A frame and its ticks; numbers would be digits of their own."""
    low, high = margin - 1, margin + side
    page[low, low : high + 1] = page[high, low : high + 1] = 0
    page[low : high + 1, low] = page[low : high + 1, high] = 0
    for tick in range(0, 28, 5):
        at = margin + tick * zoom + zoom // 2
        page[high : high + 5, at] = 0
        page[at, low - 4 : low] = 0


def screenshot(shape: Shape, random: Random) -> Picture:
    """A drawing window: a title bar with buttons, a canvas, a grey ground."""
    size = (int(random.integers(260, 620)), int(random.integers(260, 620)))
    values = plane(size, grey(random.uniform(0.85, 0.96)))
    bar = int(size[0] * random.uniform(0.06, 0.1))
    values[:bar] = [(0.25, 0.45, 0.75), (0.3, 0.3, 0.32), (0.8, 0.8, 0.82)][random.integers(3)]
    for at, colour in enumerate([(0.9, 0.3, 0.3), (0.9, 0.75, 0.3), (0.3, 0.75, 0.35)]):
        left = size[1] - (at + 1) * bar
        values[bar // 3 : 2 * bar // 3, left : left + bar // 3] = colour
    edge = int(random.integers(4, 20))
    top, bottom, left, right = bar + edge, size[0] - edge, edge, size[1] - edge
    room = (bottom - top, right - left)
    cover = write(shape, random, room, Hand((0.5, 0.8), (0.03, 0.07), 1.0))
    light_ink = random.random() < 0.4
    canvas = cover if light_ink else 1 - cover
    values[top:bottom, left:right] = canvas[..., None]
    return Picture(image_of(values), "PNG")


def transparent(shape: Shape, random: Random) -> Picture:
    """Ink on nothing: black or white or coloured ink, any RGB where alpha is 0."""
    size = square(random)
    cover = write(shape, random, size, Hand((0.45, 0.85), (0.025, 0.075), 0.8))
    ink = np.array([(0, 0, 0), (255, 255, 255), (30, 60, 190)][random.integers(3)], np.uint8)
    values = np.empty((*size, 4), np.uint8)
    values[..., :3] = ink
    if random.random() < 0.5:
        garbage = random.integers(0, 256, (*size, 3), np.uint8)
        values[cover == 0, :3] = garbage[cover == 0] if random.random() < 0.5 else 0
    values[..., 3] = np.round(cover * 255)
    return Picture(Image.fromarray(values), "WEBP" if random.random() < 0.15 else "PNG", 100)


def half_transparent(shape: Shape, random: Random) -> Picture:
    """An opaque drawing whose ground has an alpha of its own, or LA with a soft one."""
    size = square(random)
    cover = write(shape, random, size, Hand((0.45, 0.85), (0.025, 0.075), 0.8))
    if random.random() < 0.5:
        level = np.full(size, 255 if random.random() < 0.5 else 0, np.uint8)
        both = np.stack([level, np.round(cover * 255).astype(np.uint8)], axis=2)
        return Picture(Image.fromarray(both, "LA"), "PNG")
    image = either(cover, random).convert("RGBA")
    return Picture(image, "PNG")


_MODES = ("1", "P", "CMYK", "I;16", "LA", "RGBA", "RGB", "P transparent")


def modes(shape: Shape, random: Random) -> Picture:
    """The modes that Pillow knows, one after the other."""
    hand = Hand((0.45, 0.85), (0.025, 0.075), 0.8)
    cover = write(shape, random, square(random), hand)
    grey_image = either(cover, random, 0.4)
    mode = _MODES[random.integers(len(_MODES))]
    if mode == "CMYK":
        return Picture(grey_image.convert("RGB").convert("CMYK"), "JPEG", 90)
    if mode == "I;16":
        top = int(random.choice([4095, 65535]))
        deep = np.asarray(grey_image, np.float64) / 255 * top
        return Picture(Image.fromarray(deep.astype(np.uint16)), random.choice(["PNG", "TIFF"]))
    if mode == "P transparent":
        return Picture(_clear_palette(cover), random.choice(["PNG", "GIF"]))
    return Picture(grey_image.convert(mode), "PNG")


def _clear_palette(cover: Field) -> Image.Image:
    """A palette of two colours, the ground's clear."""
    image = Image.fromarray((cover > 0.5).astype(np.uint8), "P")
    image.putpalette([255, 255, 255, 20, 20, 20])
    image.info["transparency"] = 0
    return image


KINDS: dict[str, Kind] = {
    "MNIST-like": mnist_like,
    "enlarged": enlarged,
    "border line": framed,
    "figure": figure,
    "screenshot": screenshot,
    "transparent": transparent,
    "alpha": half_transparent,
    "modes": modes,
}
