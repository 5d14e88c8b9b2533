"""Batches of photographs, moved and changed as a whole, on the device that they lie on.

Nothing here reads a tensor's value, so it can be a part of a CUDA graph. Whole pixels are gathered,
not interpolated: on a CPU that is several times as fast as `augment.warp`, and nothing is blurred.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from mnist_edge.errors import EdgeError

_BRIGHTEST = 255.0


@dataclass(frozen=True, slots=True)
class PhotographAugmentation:
    """How photographs are changed for training.

    `flip`: half of the images are mirrored, left to right. `shift`: by up to this fraction of each
    side, in whole pixels; what comes in from outside is mirrored at the border. `brightness`,
    `contrast`, `saturation`: each is multiplied by 1 ± up to this. `cutout`: the side of a square
    that gets the image's mean, as a fraction of the shorter side; its middle is anywhere in the
    image (DeVries and Taylor 2017, arXiv 1708.04552).
    """

    flip: bool = True
    shift: float = 0.125
    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2
    cutout: float = 0.25

    def __post_init__(self) -> None:
        for item in fields(self):
            most = 0.5 if item.name == "shift" else 1
            if not 0 <= getattr(self, item.name) <= most:
                raise EdgeError(f"photographs: {item.name} must be in 0 to {most}")

    @property
    def jitters(self) -> bool:
        """Whether colours change."""
        return any((self.brightness, self.contrast, self.saturation))


def augment_photographs(
    images: Tensor, how: PhotographAugmentation, generator: torch.Generator
) -> Tensor:
    """Every image of a batch in its own way.

    images: uint8 or float (N, H, W) or (N, H, W, 3) in 0..255, on the generator's device. Returns
    float32 of that shape in 0..255.
    """
    moved = _flip_and_shift(images, how, generator).float()
    if how.jitters:
        moved = _jitter(moved, how, generator)
    return _cut_out(moved, how.cutout, generator) if how.cutout else moved


def _flip_and_shift(
    images: Tensor, how: PhotographAugmentation, generator: torch.Generator
) -> Tensor:
    """Each image by its own number of pixels down and across, and mirrored, where it is drawn."""
    if not how.flip and not how.shift:
        return images
    count, height, width = images.shape[:3]
    rows, columns = (_sources(count, side, how.shift, generator) for side in (height, width))
    if how.flip:
        mirrored = _draw(count, generator) < 0.5
        columns = torch.where(mirrored[:, None], width - 1 - columns, columns)
    first = torch.arange(count, device=images.device)[:, None] * height
    index = ((first + rows)[:, :, None] * width + columns[:, None, :]).flatten()
    return images.reshape(count * height * width, -1).index_select(0, index).view(images.shape)


def _sources(count: int, side: int, shift: float, generator: torch.Generator) -> Tensor:
    """The row, or column, that each one of each image is read from: int64 (count, side)."""
    most = min(round(shift * side), side - 1)
    place = torch.arange(side, device=generator.device).expand(count, side)
    if not most:
        return place
    size = (count, 1)
    place = place + torch.randint(
        -most, most + 1, size, generator=generator, device=generator.device
    )
    place = place.abs()  # mirrored at the first pixel, which is not repeated, and at the last
    return place - 2 * (place - (side - 1)).clamp(min=0)


def _jitter(images: Tensor, how: PhotographAugmentation, generator: torch.Generator) -> Tensor:
    """Saturation, then contrast about the mean of each image, then brightness."""

    def factor(most: float) -> Tensor:
        drawn = 1 + (_draw(len(images), generator) * 2 - 1) * most
        return drawn.view(-1, *[1] * (images.ndim - 1))

    brightness, contrast = factor(how.brightness), factor(how.contrast)
    if images.ndim == 4:
        red, green, blue = images.unbind(3)
        grey = (red * 0.299 + green * 0.587 + blue * 0.114).unsqueeze(3)  # ITU-R BT.601
        images = torch.lerp(grey, images, factor(how.saturation))
    else:
        grey = images
    mean = grey.mean(dim=(1, 2), keepdim=True)
    return (images - mean).mul_(contrast).add_(mean).mul_(brightness).clamp_(0, _BRIGHTEST)


def _cut_out(images: Tensor, cutout: float, generator: torch.Generator) -> Tensor:
    count, height, width = images.shape[:3]
    half = cutout * min(height, width) / 2

    def inside(side: int) -> Tensor:
        middle = _draw(count, generator)[:, None] * side
        place = torch.arange(side, device=images.device) + 0.5
        return (place - middle).abs() < half

    square = inside(height)[:, :, None] & inside(width)[:, None, :]
    if images.ndim == 4:
        square = square.unsqueeze(-1)
    return torch.where(square, images.mean(dim=(1, 2), keepdim=True), images)


def _draw(count: int, generator: torch.Generator) -> Tensor:
    """A number in 0..1 for each image, (count,)."""
    return torch.rand(count, generator=generator, device=generator.device)
