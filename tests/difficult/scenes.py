"""What a phone makes of a page: light, shadows, perspective, a table, the camera itself."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.difficult.canvas import Picture, Random, blurred, cloud, grain, image_of, plane
from tests.difficult.strokes import Field

Corners = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Camera:
    """What a phone does to a scene. `tilt` is how far corners move, of the side; 0 = none."""

    blur_px: tuple[float, float] = (0.4, 1.6)
    noise: tuple[float, float] = (0.005, 0.03)
    vignette: float = 0.3
    quality: tuple[int, int] = (50, 92)

    def picture(self, scene: Field, random: Random) -> Picture:
        """The scene, float (H, W, 3), as a JPEG."""
        size = scene.shape[:2]
        values = blurred(scene, random.uniform(*self.blur_px)) * vignette(
            size, self.vignette, random
        )
        tint = (1 + random.normal(0, 0.04, 3)).astype(np.float32)
        values = values * tint + grain(random, size, random.uniform(*self.noise))[..., None]
        return Picture(image_of(values), "JPEG", int(random.integers(*self.quality)))


def photo_size(random: Random) -> tuple[int, int]:
    """Height and width, of a shrunk or cropped photograph most often."""
    long = int(np.exp(random.uniform(np.log(260), np.log(1000))))
    short = int(long * random.uniform(0.65, 1.0))
    return (long, short) if random.random() < 0.6 else (short, long)


def vignette(size: tuple[int, int], depth: float, random: Random) -> Field:
    """Darker corners, float (H, W, 1)."""
    rows, columns = (np.linspace(-1, 1, side) for side in size)
    away = (rows[:, None] ** 2 + columns[None, :] ** 2) / 2
    return (1 - depth * random.random() * away)[..., None].astype(np.float32)


def grid(size: tuple[int, int]) -> tuple[Field, Field]:
    """Rows and columns of each pixel, in longer sides: (H, 1) and (1, W)."""
    rows = np.arange(size[0], dtype=np.float32) / np.float32(max(size))
    columns = np.arange(size[1], dtype=np.float32) / np.float32(max(size))
    return rows[:, None], columns[None, :]


def light(size: tuple[int, int], random: Random) -> Field:
    """Light that falls off to one side, float (H, W, 1), at most 1."""
    rows, columns = grid(size)
    direction = random.uniform(0, 2 * np.pi)
    slope = rows * np.sin(direction) + columns * np.cos(direction)
    slope = (slope - slope.min()) / max(1e-6, float(np.ptp(slope)))
    values = 1 - random.uniform(0.1, 0.5) * slope + 0.06 * cloud(random, size, max(size) / 2.5)
    result: Field = values.clip(0.2, 1.0)[..., None] * np.float32(random.uniform(0.65, 1.0))
    return result


def shadow(size: tuple[int, int], random: Random, soft: bool) -> Field:
    """The shadow of a hand or a phone over a part of the page, float (H, W, 1)."""
    rows, columns = grid(size)
    direction = random.uniform(0, 2 * np.pi)
    along = rows * np.sin(direction) + columns * np.cos(direction)
    along = along + 0.05 * cloud(random, size, max(size) / 4)
    edge = np.quantile(along[::8, ::8], random.uniform(0.25, 0.75))
    softness = random.uniform(0.06, 0.25) if soft else random.uniform(0.003, 0.015)
    cover = np.clip((along - edge) / softness + 0.5, 0, 1)
    result: Field = (1 - random.uniform(0.25, 0.6) * cover)[..., None].astype(np.float32)
    return result


def tilted(page: Field, ground: Field, tilt: float, inset: float, random: Random) -> Field:
    """A page (H, W, 3) seen aslant on a ground of the same size."""
    height, width = page.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    inward = np.sign(np.array([width, height]) / 2 - corners) * np.array([width, height])
    seen = corners + inward * (inset + random.uniform(-tilt, tilt, (4, 2)))
    how = tuple(_homography(seen, corners))
    bands = [_warped(page[..., band], how) for band in range(3)]
    cover = _warped(np.ones((height, width), np.float32), how)[..., None]
    result: Field = np.stack(bands, axis=2) + ground * (1 - cover)
    return result


def _warped(band: Field, how: tuple[float, ...]) -> Field:
    image = Image.fromarray(np.ascontiguousarray(band, np.float32))
    moved = image.transform(image.size, Image.Transform.PERSPECTIVE, how, Image.Resampling.BILINEAR)
    return np.asarray(moved, np.float32)


def _homography(source: Corners, target: Corners) -> Corners:
    """The eight numbers that Pillow's PERSPECTIVE wants: from output to input."""
    rows, values = [], []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
        values += [u, v]
    result: Corners = np.linalg.solve(np.array(rows), np.array(values))
    return result


def wood(size: tuple[int, int], random: Random) -> Field:
    """A table: planks with a grain along one side, or plain and dark."""
    colour = [(0.45, 0.3, 0.18), (0.62, 0.45, 0.3), (0.2, 0.14, 0.1), (0.3, 0.3, 0.33)]
    ground = plane(size, colour[random.integers(4)])
    tall = cloud(random, (size[0], max(8, size[1] // 30)), 6)
    long = np.asarray(Image.fromarray(tall).resize((size[1], size[0]), Image.Resampling.BICUBIC))
    return ground * (1 + np.float32(random.uniform(0.05, 0.25)) * long[..., None])
