"""Batches of training images, warped as a whole, on the device that they lie on."""

import functools
import math
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor

from mnist_edge.errors import EdgeError
from mnist_edge.lab.training.models import channels_first

_ELASTIC_GRID = 5  # control points along a side: bends of about 6 pixels and wider


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far a training image may be moved. Each is drawn evenly from ± its value.

    `rotation_deg` degrees, `scale` and `shear` as fractions, `shift` as a fraction of the side;
    `elastic_px` is the standard deviation, in pixels, of a smooth random displacement field
    (after Simard et al. 2003, with a bicubic surface in place of their Gaussian filter).
    """

    rotation_deg: float = 12.0
    scale: float = 0.10
    shear: float = 0.12
    shift: float = 0.08
    elastic_px: float = 0.6

    @property
    def moves(self) -> bool:
        """Whether there is anything to move; without, images are as they are."""
        return any(getattr(self, item.name) for item in fields(self))

    def __post_init__(self) -> None:
        for item in fields(self):
            if not 0 <= getattr(self, item.name) < 90:
                raise EdgeError(f"augmentation: {item.name} must be 0 or more, and below 90")
        if self.scale >= 1:
            raise EdgeError("augmentation: scale must be below 1")


def warp(
    images: Tensor,
    augmentation: Augmentation,
    generator: torch.Generator,
    *,
    outside: str = "zeros",
) -> Tensor:
    """Move every image of a batch by its own random affine and elastic warp.

    images: uint8 or float (N, H, W) or (N, H, W, 3) in 0..255, on the generator's device. Returns
    float32 of that shape in 0..255; what comes in from `outside` is as in `sample`. Bilinear, one
    resampling.
    """
    count, height, width = images.shape[:3]
    return sample(images, random_grid(count, height, width, augmentation, generator), outside)


def random_grid(
    count: int, height: int, width: int, augmentation: Augmentation, generator: torch.Generator
) -> Tensor:
    """Where each pixel of each warped image comes from: float32 (N, H, W, 2), for `sample`."""
    theta = _affine(count, augmentation, generator)
    grid = F.affine_grid(theta, [count, 1, height, width], align_corners=False)  # (N, H, W, 2)
    if augmentation.elastic_px:
        grid = grid + _elastic(count, height, width, augmentation.elastic_px, generator)
    return grid


def sample(images: Tensor, grid: Tensor, outside: str = "zeros") -> Tensor:
    """Read images (N, H, W) or (N, H, W, 3) at a grid (N, H, W, 2): float32 of that shape.

    `outside` is grid_sample's padding mode: "zeros" for a background of 0, "border", or
    "reflection" for photographs.
    """
    read = F.grid_sample(
        channels_first(images).float(), grid, align_corners=False, padding_mode=outside
    )
    return read.squeeze(1) if images.ndim == 3 else read.permute(0, 2, 3, 1)


def _affine(count: int, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """Random maps from output to input coordinates, (N, 2, 3), in grid_sample's units (-1..1)."""

    def uniform(limit: float, *shape: int) -> Tensor:
        drawn = torch.rand(*shape, generator=generator, device=generator.device)
        return (drawn * 2 - 1) * limit

    angle = uniform(math.radians(augmentation.rotation_deg), count)
    zoom = 1 + uniform(augmentation.scale, count, 2)
    shear = uniform(augmentation.shear, count)
    shift = uniform(augmentation.shift * 2, count, 2)  # the side is 2 units long
    cos, sin = angle.cos(), angle.sin()
    rows = torch.stack(
        [
            torch.stack([cos, -sin + shear * cos, shift[:, 0]], dim=1),
            torch.stack([sin, cos + shear * sin, shift[:, 1]], dim=1),
        ],
        dim=1,
    )  # (N, 2, 3)
    rows[:, :, :2] *= zoom.unsqueeze(1)
    return rows


def _elastic(
    count: int, height: int, width: int, std_px: float, generator: torch.Generator
) -> Tensor:
    """A smooth random displacement of every pixel, (N, H, W, 2), in grid_sample's units."""
    knots = (count, 2, _ELASTIC_GRID, _ELASTIC_GRID)
    coarse = torch.randn(knots, generator=generator, device=generator.device) * std_px
    rows, columns = (_bicubic(side, generator.device) for side in (height, width))
    fine = rows @ coarse @ columns.T  # (N, 2, H, W)
    return fine.permute(0, 2, 3, 1) * _pixel_size(width, height, generator.device)


NO_AUGMENTATION = Augmentation(0, 0, 0, 0, 0)


@functools.cache
def _pixel_size(width: int, height: int, device: torch.device) -> Tensor:
    """The size of a pixel in grid_sample's units, (x, y): made once, as a CUDA graph asks."""
    return torch.tensor([2 / width, 2 / height], device=device)


@functools.cache
def _bicubic(side: int, device: torch.device) -> Tensor:
    """The matrix (side, knots) of bicubic interpolation along one side.

    Two small products with it are ten times as fast on a CPU as F.interpolate over the batch.
    """
    impulses = torch.eye(_ELASTIC_GRID, device=device)[None, :, :, None]  # (1, knots, knots, 1)
    spread = F.interpolate(impulses, (side, 1), mode="bicubic", align_corners=True)
    return spread[0, :, :, 0].T.contiguous()
