"""Contact sheets: many small images with a line or two under each, as one PNG."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mnist_edge.escaping import printable
from mnist_edge.files import write_atomically
from mnist_edge.report.fonts import pillow_font

_ZOOM, _GAP, _LINE, _COLUMNS = 3, 10, 14, 10
_PAPER, _TEXT = 250, 40
_LONGEST_NAME = 40  # letters; of a longer one the middle is left out


def write(
    path: Path,
    images: NDArray[np.uint8],
    captions: Sequence[str],
    columns: int = 0,
    names: Sequence[str] = (),
) -> None:
    """Draw images, uint8 (N, H, W) or (N, H, W, 3), three times as large, into a PNG at `path`.

    The columns are as wide as the longest caption needs. `names`, where there are any, stand below
    the captions, without the middle of long ones. EdgeError when it cannot be written.
    """
    buffer = io.BytesIO()
    draw(images, captions, columns or _COLUMNS, names).save(buffer, "PNG")
    write_atomically(path, buffer.getvalue())


def draw(
    images: NDArray[np.uint8], captions: Sequence[str], columns: int, names: Sequence[str] = ()
) -> Image.Image:
    """The sheet as a picture, grey where the images are."""
    shown = [printable(caption) for caption in captions]
    shown += [printable(name, _LONGEST_NAME) for name in names]
    font, texts = pillow_font(shown, size=12)
    lines = [texts[at :: len(captions)] for at in range(len(captions))]
    high, wide = (side * _ZOOM for side in images.shape[1:3])
    widest = max((font.getlength(text) for text in texts), default=0)
    width = max(wide, round(widest)) + _GAP
    height = high + (2 if names else 1) * _LINE + _GAP
    columns = min(columns, max(1, len(images)))
    rows = -(-len(images) // columns) or 1
    mode = "L" if images.ndim == 3 else "RGB"
    paper = Image.new("L", (columns * width + _GAP, rows * height + _GAP), _PAPER).convert(mode)
    pen, ink = ImageDraw.Draw(paper), (_TEXT if mode == "L" else (_TEXT,) * 3)
    for at, (image, below) in enumerate(zip(images, lines, strict=True)):
        left = _GAP + at % columns * width
        top = _GAP + at // columns * height
        large = Image.fromarray(image).resize((wide, high), Image.Resampling.NEAREST)
        paper.paste(large, (left, top))
        for row, text in enumerate(below):
            pen.text((left, top + high + 1 + row * _LINE), text, ink, font)
    return paper
