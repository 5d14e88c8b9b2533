"""Pages with several digits, drawn from images of single ones: what `--line` and `--grid` read."""

import io
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from mnist_edge.datasets import Split
from mnist_edge.preprocess import Loaded, load

Grey = NDArray[np.uint8]
Alpha = NDArray[np.float32]  # (H, W), how much ink there is: 0..1
Box = tuple[int, int, int, int]
Random = np.random.Generator


@dataclass(frozen=True, slots=True)
class Page:
    """A page: `pixels` uint8 (H, W), the `labels` of its rows, the digits' `boxes`, and
    the `indices` of their images."""

    kind: str
    pixels: Grey
    labels: list[list[int]]
    boxes: list[list[Box]]
    indices: list[list[int]]
    quality: int | None = None  # of a JPEG

    @property
    def loaded(self) -> Loaded:
        """The page as it is read from a file."""
        file = io.BytesIO()
        kind = {"format": "PNG"} if self.quality is None else {"format": "JPEG"}
        Image.fromarray(self.pixels).save(file, quality=self.quality or 90, **kind)
        file.seek(0)
        return load(file)


@dataclass(slots=True)
class Sheet:
    """A page that is being written on."""

    ink: Alpha
    labels: list[list[int]] = field(default_factory=list)
    boxes: list[list[Box]] = field(default_factory=list)
    indices: list[list[int]] = field(default_factory=list)

    def put(self, stroke: Alpha, left: int, top: int) -> Box:
        """Ink a stroke, and give the box of what can be seen of it."""
        height, width = stroke.shape
        here = self.ink[top : top + height, left : left + width]
        np.maximum(here, stroke[: here.shape[0], : here.shape[1]], out=here)
        rows, columns = np.nonzero(stroke > 0.4)
        return (
            left + int(columns.min()),
            top + int(rows.min()),
            left + int(columns.max()) + 1,
            top + int(rows.max()) + 1,
        )


def stroke_of(image: Grey, high: float) -> Alpha:
    """One digit, `high` pixels high if it fills the 20 pixels of its box, cut out."""
    rows, columns = np.flatnonzero(image.max(axis=1) > 60), np.flatnonzero(image.max(axis=0) > 60)
    cut = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    size = tuple(max(2, round(side * high / 20)) for side in cut.shape[::-1])
    resized = np.asarray(Image.fromarray(np.pad(cut, 1)).resize(size, Image.Resampling.BICUBIC))
    sharp = np.clip((resized.astype(np.float32) / 255 - 0.25) / 0.5, 0, 1)
    return np.asarray(sharp, np.float32)


Gap = Callable[[Random], float]
"""The paper between two digits, in heights; below 0 they overlap."""


def separate(random: Random) -> float:
    return float(random.uniform(0.08, 0.5))


def tight(random: Random) -> float:
    return float(random.uniform(0.03, 0.1))


def write(
    sheet: Sheet, split: Split, chosen: NDArray[np.int64], left: int, middle: float, high: float,
    random: Random, gap: Gap = separate, touching: float = 0.0, varied: float = 0.1,
    slope: float = 0.0,
) -> None:  # fmt: skip
    """Write digits on a line whose middle is at `middle` on the left; `touching` is the share of
    neighbours that are pushed together until they touch."""
    labels: list[int] = []
    boxes: list[Box] = []
    x = float(left)
    for index in chosen:
        own = stroke_of(split.images[index], high * random.uniform(1 - varied, 1 + varied))
        y = middle + slope * (x - left) - own.shape[0] / 2 + random.uniform(-0.06, 0.06) * high
        top = max(0, round(y))
        at = round(x)
        if boxes and random.random() < touching:
            at = int(_pushed(sheet, own, boxes[-1][2], top))
        box = sheet.put(own, at, top)
        boxes.append(box)
        labels.append(int(split.labels[index]))
        x = box[2] + max(2.0, gap(random) * high)
    sheet.labels.append(labels)
    sheet.boxes.append(boxes)
    sheet.indices.append([int(index) for index in chosen])


def _pushed(sheet: Sheet, own: Alpha, right: int, top: int) -> int:
    """How far left a stroke goes until its ink and that before it overlap a little."""
    height, width = own.shape
    for at in range(right + 2, right - width // 2, -1):
        here = sheet.ink[top : top + height, at : at + width]
        both = (here > 0.5) & (own[: here.shape[0], : here.shape[1]] > 0.5)
        if both.sum() >= max(3, height // 16):
            return int(at)
    return int(right - width // 4)


def page_of(kind: str, sheet: Sheet, paper: float, ink: float) -> Page:
    pixels = paper + (ink - paper) * sheet.ink
    shown = np.round(pixels).clip(0, 255).astype(np.uint8)
    return Page(kind, shown, sheet.labels, sheet.boxes, sheet.indices)


def number(
    split: Split, random: Random, count: int, high: float, gap: Gap = separate,
    touching: float = 0.0, skew: float = 0.0, varied: float = 0.1,
) -> Sheet:  # fmt: skip
    """A line of digits on a sheet of its own, with a margin."""
    margin = round(high * random.uniform(0.3, 0.9))
    slope = float(np.tan(np.deg2rad(skew)))
    width = round((count + 1) * 1.45 * high) + 2 * margin
    rise = abs(slope) * width
    height = round(1.3 * high + rise) + 2 * margin
    sheet = Sheet(np.zeros((height, width), np.float32))
    middle = margin + 0.65 * high + (rise if slope < 0 else 0)
    chosen = random.integers(len(split.labels), size=count)
    write(sheet, split, chosen, margin, middle, high, random, gap, touching, varied, slope)
    right = sheet.boxes[0][-1][2] + margin
    return replace(sheet, ink=sheet.ink[:, :right])


def ruled(sheet: Sheet, random: Random, high: float, squared: bool = False) -> Sheet:
    """The sheet with faint printed lines."""
    pitch = high * random.uniform(0.5, 1.1)
    strength, thick = random.uniform(0.15, 0.45), max(1, round(high / 40))
    lines = np.zeros_like(sheet.ink)
    for y in np.arange(random.uniform(0, pitch), len(lines) - thick, pitch):
        lines[round(y) : round(y) + thick] = strength
    if squared:
        for x in np.arange(random.uniform(0, pitch), lines.shape[1] - thick, pitch):
            lines[:, round(x) : round(x) + thick] = strength
    return replace(sheet, ink=np.maximum(sheet.ink, lines))


def boxed(sheet: Sheet, random: Random, high: float) -> Sheet:
    """Each digit in a printed frame: lines between neighbours, and around all."""
    image = Image.fromarray(np.zeros(sheet.ink.shape, np.uint8))
    pen = ImageDraw.Draw(image)
    thick = max(1, round(high / random.uniform(15, 40)))
    (row,) = sheet.boxes
    off = round(0.12 * high) + thick
    top, bottom = min(box[1] for box in row) - off, max(box[3] for box in row) + off
    edges = [row[0][0] - off]
    edges += [(one[2] + two[0]) // 2 for one, two in itertools.pairwise(row)]
    edges.append(row[-1][2] + off)
    for left, right in itertools.pairwise(edges):
        pen.rectangle((left, top, right, bottom), outline=255, width=thick)
    drawn = np.asarray(image, np.float32) / 255 * random.uniform(0.5, 1)
    return replace(sheet, ink=np.maximum(sheet.ink, drawn))


def broken(sheet: Sheet, random: Random, high: float) -> Sheet:
    """The strokes with gaps: a pen that skips."""
    field_ = Image.fromarray(random.uniform(0, 255, sheet.ink.shape).astype(np.uint8))
    smooth = np.asarray(field_.filter(ImageFilter.GaussianBlur(high / 22)), np.float32)
    gaps = smooth < np.percentile(smooth, 9)
    return replace(sheet, ink=np.where(gaps, 0, sheet.ink).astype(np.float32))


def dotted(sheet: Sheet, random: Random, high: float) -> Sheet:
    """Commas, dots and dashes between the digits, and specks."""
    ink = sheet.ink.copy()
    (row,) = sheet.boxes
    for one, two in itertools.pairwise(row):
        gap = two[0] - one[2]
        if gap < 0.3 * high or random.random() < 0.4:
            continue
        x, thick = one[2] + gap // 2, max(2, round(0.09 * high))
        kind = random.integers(3)
        y = one[3] - thick if kind < 2 else (one[1] + one[3]) // 2
        if kind == 0:
            ink[y : y + thick, x - thick // 2 : x + thick // 2 + 1] = 1
        elif kind == 1:
            for step in range(round(0.2 * high)):
                at = x - step // 3
                ink[y + step : y + step + 2, at : at + thick] = 1
        else:
            ink[y : y + thick, x - round(0.1 * high) : x + round(0.1 * high)] = 1
    for _ in range(4):
        y, x = random.integers(ink.shape[0] - 3), random.integers(ink.shape[1] - 3)
        ink[y : y + 2, x : x + 2] = 1
    return replace(sheet, ink=ink)


def photographed(page: Page, random: Random) -> Page:
    """Uneven light, a soft shadow, blur, noise, JPEG."""
    height, width = page.pixels.shape
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j].astype(np.float32)
    turn = random.uniform(0, 2 * np.pi)
    along = np.cos(turn) * x + np.sin(turn) * y
    light = 1 - random.uniform(0.1, 0.45) * (along - along.min()) / np.ptp(along)
    edge = (along - np.quantile(along, random.uniform(0.2, 0.8))) / random.uniform(0.02, 0.2)
    light *= 1 - random.uniform(0, 0.4) / (1 + np.exp(-edge.clip(-30, 30)))
    values = page.pixels * light + random.normal(0, random.uniform(1, 6), page.pixels.shape)
    image = Image.fromarray(values.clip(0, 255).astype(np.uint8))
    image = image.filter(ImageFilter.GaussianBlur(random.uniform(0.3, 1.3)))
    return replace(page, pixels=np.asarray(image), quality=int(random.integers(40, 90)))


def turned(page: Page, degrees: float, ground: int) -> Page:
    """The page turned, with the boxes around the digits as they lie then."""
    image = Image.fromarray(page.pixels)
    pixels = np.asarray(
        image.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=ground)
    )
    old, new = np.array(image.size) / 2, np.array(pixels.shape[::-1]) / 2
    radians = np.deg2rad(degrees)
    matrix = np.array([[np.cos(radians), np.sin(radians)], [-np.sin(radians), np.cos(radians)]])

    def box(one: Box) -> Box:
        corners = np.array([(x, y) for x in one[::2] for y in one[1::2]]) - old
        there = corners @ matrix.T + new
        left, top = there.min(axis=0).round().astype(int)
        right, bottom = there.max(axis=0).round().astype(int)
        return int(left), int(top), int(right), int(bottom)

    return replace(page, pixels=pixels, boxes=[[box(one) for one in row] for row in page.boxes])


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return width * height / (sum(areas) - width * height)
