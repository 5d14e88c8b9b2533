"""What the pictures are made of: inked shapes, grounds, light, and files."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from tests.difficult.strokes import STEP, Field, Shape

Random = np.random.Generator
Range = tuple[float, float]
_ORIENTATION = 0x0112
WHITE: Range = (0.9, 1.0)
Kind = Callable[[Shape, Random], "Picture"]


@dataclass(frozen=True, slots=True)
class Picture:
    """An image and how it is to be saved."""

    image: Image.Image
    format: str = "PNG"
    quality: int = 90
    orientation: int = 1  # EXIF's: how the camera was held

    def encoded(self) -> bytes:
        """The bytes of the file."""
        target = io.BytesIO()
        exif = Image.Exif()
        exif[_ORIENTATION] = self.orientation
        if self.format in ("JPEG", "WEBP"):
            self.image.save(target, self.format, quality=self.quality, exif=exif)
        elif self.format == "PNG":
            self.image.save(target, self.format, compress_level=1)
        else:
            self.image.save(target, self.format)
        return target.getvalue()


@dataclass(frozen=True, slots=True)
class Hand:
    """How a shape is written: ranges of its height (of the shorter side), half-width, turn.

    `half` is in heights of the digit, `half_px` the least in pixels; `stray` is how far from the
    middle it may be, 1 = up to the border.
    """

    height: Range = (0.35, 0.75)
    half: Range = (0.02, 0.06)
    half_px: float = 0.5
    turn_deg: float = 7.0
    stray: float = 0.4
    rough: float = 0.0


def uniform(random: Random, span: Range) -> float:
    return float(random.uniform(*span))


def render(
    shape: Shape, height_px: float, half: float, turn_deg: float = 0.0, hard: bool = False
) -> Field:
    """How much ink covers each pixel, 0..1, cropped to the ink; `height_px` of the longer side."""
    half = min(half, shape.fattest)
    source = shape.distance if half >= shape.thinnest else shape.spine()
    turn = np.deg2rad(turn_deg)
    scale = STEP / height_px
    along, across = scale * np.cos(turn), scale * np.sin(turn)
    rows, columns = source.shape
    size = int(np.ceil(np.hypot(rows, columns) / scale))
    left = columns / 2 - (along + across) * size / 2
    top = rows / 2 - (along - across) * size / 2
    how = (along, across, left, -across, along, top)
    field = Image.fromarray(1 - source).transform(
        (size, size), Image.Transform.AFFINE, how, Image.Resampling.BILINEAR
    )  # what lies outside is 0: a whole height away from the stroke
    cover = np.clip(0.5 + (half - 1 + np.asarray(field, np.float32)) * height_px, 0, 1)
    return cropped((cover >= 0.5 if hard else cover).astype(np.float32))


def cropped(cover: Field) -> Field:
    """Only the rows and columns with ink."""
    rows, columns = np.nonzero(cover > 0.02)
    if not len(rows):
        return np.ones((1, 1), np.float32)
    cut: Field = cover[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    return cut.astype(np.float32)


def write(
    shape: Shape, random: Random, size: tuple[int, int], hand: Hand, hard: bool = False
) -> Field:
    """The shape on a page of `size` (height, width): cover 0..1, wholly on the page."""
    height_px = min(uniform(random, hand.height) * min(size), min(size))
    least_px = max(hand.half_px, 0.75 if hard else 0)  # a hard line of less is dotted
    half = max(uniform(random, hand.half), least_px / height_px)
    turn_deg = random.uniform(-hand.turn_deg, hand.turn_deg)
    ink = render(shape, height_px, half, turn_deg, hard)
    if ink.shape[0] > size[0] or ink.shape[1] > size[1]:  # it grew by its width and its turn
        shrink = min(size[0] / ink.shape[0], size[1] / ink.shape[1]) * 0.97
        ink = render(shape, height_px * shrink, half, turn_deg, hard)
    page = np.zeros(size, np.float32)
    top, left = (
        int(np.clip(free / 2 * (1 + hand.stray * random.uniform(-1, 1)), 0, free))
        for free in (max(0, size[0] - ink.shape[0]), max(0, size[1] - ink.shape[1]))
    )
    ink = ink[: size[0], : size[1]]
    page[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return page * roughness(random, size, hand.rough) if hand.rough else page


def roughness(random: Random, size: tuple[int, int], depth: float) -> Field:
    """Ink that is laid on unevenly: 1 - depth .. 1, in clouds and in grain."""
    clouds = cloud(random, size, max(3, min(size) // 12))
    return np.clip(1 - depth * np.abs(clouds) * 1.2, 0, 1).astype(np.float32)


def cloud(random: Random, size: tuple[int, int], cell_px: float) -> Field:
    """Smooth noise, about -1..1, whose features are `cell_px` wide."""
    rows, columns = (int(np.ceil(side / cell_px)) + 3 for side in size)
    small = random.normal(0, 0.5, (rows, columns)).astype(np.float32)
    wide = (int(columns * cell_px) + 1, int(rows * cell_px) + 1)
    big = np.asarray(Image.fromarray(small).resize(wide, Image.Resampling.BICUBIC))
    return big[: size[0], : size[1]].astype(np.float32)


def grain(random: Random, size: tuple[int, int], sigma: float, blur_px: float = 0.0) -> Field:
    """Fine noise of this standard deviation, blurred or not."""
    noise = random.standard_normal(size, np.float32)
    if blur_px:
        noise = ndimage.gaussian_filter(noise, blur_px)
        noise /= noise.std()
    return noise * np.float32(sigma)


def plane(size: tuple[int, int], colour: tuple[float, float, float]) -> Field:
    """One colour everywhere, float32 (H, W, 3) in 0..1."""
    return np.broadcast_to(np.array(colour, np.float32), (*size, 3)).copy()


def laid(ground: Field, cover: Field, colour: tuple[float, float, float]) -> Field:
    """Ink of a colour laid over a ground (H, W, 3)."""
    result: Field = np.array(colour, np.float32) - ground
    result *= cover[..., None]
    result += ground
    return result


def grey(value: float) -> tuple[float, float, float]:
    return (value, value, value)


def image_of(values: Field) -> Image.Image:
    """Values 0..1, (H, W) or (H, W, 3), as an image of mode L or RGB."""
    return Image.fromarray(np.round(values.clip(0, 1) * 255).astype(np.uint8))


def blurred(values: Field, sigma_px: float) -> Field:
    """Gaussian blur of each band alone."""
    sigmas = (sigma_px, sigma_px) + (0.0,) * (values.ndim - 2)
    result: Field = ndimage.gaussian_filter(values, sigmas)
    return result


INKS: dict[str, tuple[float, float, float]] = {
    "black": (0.08, 0.08, 0.1),
    "blue": (0.12, 0.16, 0.55),
    "dark blue": (0.08, 0.1, 0.35),
    "red": (0.75, 0.1, 0.12),
    "green": (0.05, 0.4, 0.15),
}


def pen_colour(random: Random) -> tuple[float, float, float]:
    """The colour of a pen, blue and black most often."""
    names = list(INKS)
    chosen = INKS[names[random.choice(len(names), p=[0.35, 0.3, 0.15, 0.1, 0.1])]]
    red, green, blue = (float(np.clip(band + random.normal(0, 0.03), 0, 1)) for band in chosen)
    return red, green, blue
