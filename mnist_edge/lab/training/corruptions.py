"""Corruptions: batches of training images as other pens, papers and cameras would leave them.

Whole batches, on their device. Every kind of corruption comes over a part of the images only, each
with a strength of its own; background stays 0 but for speckles.
"""

from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor

from mnist_edge.errors import EdgeError

_MAX_DISCS = 3  # at most, of each kind, on one image


@dataclass(frozen=True, slots=True)
class Corruptions:
    """How strong each kind may be, 0: not at all. `probability` is that of
    each kind, for an image.

    `erode` and `dilate`: how far, 0..1, a stroke moves towards what is left, or covered, by a
    pixel less or more on each side. `blur`: 0..1 towards a Gaussian of 1 px. `dropout`, `speckle`:
    radius, in pixels, of holes in the ink and of dots on the paper. `downsample`: 0..1 towards half
    the resolution. `contrast`: the steepest edge, in greys per grey, as thresholds leave them.
    `gamma`: ± in natural logarithms of the exponent. `fade`: the part of the ink that may be
    lost. `noise`: standard deviation in parts of the range, where there is ink.
    """

    probability: float = 0.3
    erode: float = 0.0
    dilate: float = 0.0
    blur: float = 0.0
    dropout: float = 0.0
    speckle: float = 0.0
    downsample: float = 0.0
    contrast: float = 0.0
    gamma: float = 0.0
    fade: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        whole = ("probability", "erode", "dilate", "blur", "downsample", "fade")
        for item in fields(self):
            most = 1 if item.name in whole else 10
            if not 0 <= getattr(self, item.name) <= most:
                raise EdgeError(f"corruptions: {item.name} must be in 0 to {most}")


def corrupt(images: Tensor, strengths: Corruptions, generator: torch.Generator) -> Tensor:
    """Corrupt every image of a batch in its own way: float32 (N, H, W) in 0..255 in and out."""
    dice = _RandomDraws(len(images), strengths.probability, generator)
    x = images / 255
    x = _change_thickness(x, dice, strengths.erode, strengths.dilate)
    if strengths.dropout:
        x = x * (1 - _soft_discs(x, strengths.dropout, dice))
    if strengths.speckle:
        x = torch.maximum(x, _soft_discs(x, strengths.speckle, dice))
    if strengths.downsample:
        small = F.avg_pool2d(x.unsqueeze(1), 2)
        large = F.interpolate(small, x.shape[1:], mode="bilinear", align_corners=False)
        x = x.lerp(large.squeeze(1), dice.masked_uniform(0, strengths.downsample))
    if strengths.blur:
        x = x.lerp(_blur(x), dice.masked_uniform(0, strengths.blur))
    if strengths.contrast:
        gain = dice.uniform(1, 1 + strengths.contrast)
        low = (dice.uniform(0.3, 0.6) - 0.5 / gain).clamp(min=0)  # 0 stays 0
        x = x.lerp(((x - low) * gain).clamp(0, 1), dice.mask())
    if strengths.gamma:
        power = dice.uniform(-strengths.gamma, strengths.gamma).exp()
        x = x.lerp(x.clamp(min=1e-4) ** power, dice.mask() * (x > 0))
    if strengths.noise:
        grain = torch.randn(x.shape, generator=generator, device=x.device)
        x = x + grain * dice.masked_uniform(0, strengths.noise) * (x > 0)
    if strengths.fade:
        x = x * (1 - dice.masked_uniform(0, strengths.fade))
    return x.clamp(0, 1) * 255


class _RandomDraws:
    """Numbers for each of the images of a batch, (N, 1, 1)."""

    def __init__(self, count: int, probability: float, generator: torch.Generator) -> None:
        self.count, self.probability, self.generator = count, probability, generator

    def uniform(self, low: float, high: float) -> Tensor:
        drawn = torch.rand(self.count, 1, 1, generator=self.generator, device=self.generator.device)
        return low + (high - low) * drawn

    def mask(self) -> Tensor:
        """1 for the images that it comes over, else 0."""
        return (self.uniform(0, 1) < self.probability).float()

    def masked_uniform(self, low: float, high: float) -> Tensor:
        return self.uniform(low, high) * self.mask()


def _change_thickness(x: Tensor, dice: _RandomDraws, erode: float, dilate: float) -> Tensor:
    """Grey erosion and dilation by a cross of 3×3, as far as drawn; a stroke never vanishes."""
    if not erode and not dilate:
        return x
    drawn = dice.uniform(-erode, dilate) * dice.mask()
    grown, shrunk = _dilate(x), 1 - _dilate(1 - x)
    x = x + drawn.clamp(min=0) * (grown - x) + drawn.clamp(max=0) * (x - shrunk)
    peak = x.amax(dim=(1, 2), keepdim=True)  # what was thin is faint now: as dark as before
    return torch.where(drawn < 0, x / peak.clamp(min=0.25), x)


# By shifted copies: ten times as fast on a CPU as max_pool2d, twice as fast as conv2d.


def _dilate(x: Tensor) -> Tensor:
    wide = F.pad(x, (1, 1, 1, 1))
    sides = torch.maximum(wide[:, 1:-1, :-2], wide[:, 1:-1, 2:])
    ends = torch.maximum(wide[:, :-2, 1:-1], wide[:, 2:, 1:-1])
    return torch.maximum(torch.maximum(sides, ends), x)


def _blur(x: Tensor) -> Tensor:
    """By a Gaussian of about 1 px: the binomial 1 4 6 4 1, both ways."""
    tall = F.pad(x, (0, 0, 2, 2))
    x = (tall[:, :-4] + tall[:, 4:] + 4 * (tall[:, 1:-3] + tall[:, 3:-1]) + 6 * x) / 16
    wide = F.pad(x, (2, 2))
    near = wide[:, :, 1:-3] + wide[:, :, 3:-1]
    return (wide[:, :, :-4] + wide[:, :, 4:] + 4 * near + 6 * x) / 16


def _soft_discs(x: Tensor, radius_px: float, dice: _RandomDraws) -> Tensor:
    """Up to three soft-edged discs on the chosen images, (N, H, W) in 0..1."""
    _, height, width = x.shape
    rows = torch.arange(height, device=x.device).view(1, -1, 1)
    columns = torch.arange(width, device=x.device).view(1, 1, -1)
    covered, chosen = torch.zeros_like(x), dice.mask()
    for _ in range(_MAX_DISCS):
        radius = dice.uniform(-radius_px / 2, radius_px) * chosen  # a third is none
        down, across = rows - dice.uniform(3, height - 4), columns - dice.uniform(3, width - 4)
        distance = (down**2 + across**2).sqrt()
        soft = (radius - distance + 0.5).clamp(0, 1)
        covered = torch.maximum(covered, soft * (radius > 0))
    return covered
