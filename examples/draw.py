"""Draws the pictures of this folder, with the pen strokes that training mixes in: python draw.py

They are made, so that anybody may have them: no image of a data set is among them.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mnist_edge import read_picture
from mnist_edge.lab.synthetic.glyphs import digit
from mnist_edge.lab.synthetic.strokes import curve

HERE = Path(__file__).parent
PAPER, INK = (246, 244, 238), (38, 42, 90)
SIDE, LARGER = 96, 4  # pixels of a digit's square; drawn larger, for soft edges


def written(rows: list[str], seed: int, gap: float = 0.85) -> Image.Image:
    """Rows of digits in blue pen on paper, each row a digit's square high."""
    random = np.random.default_rng(seed)
    width = round((max(map(len, rows)) * gap + 0.6) * SIDE)
    page = Image.new("RGB", (width * LARGER, round((len(rows) + 0.4) * SIDE) * LARGER), PAPER)
    pen = ImageDraw.Draw(page)
    for row, digits in enumerate(rows):
        for column, value in enumerate(digits):
            corner = np.array([0.3 + column * gap, 0.2 + row]) * SIDE
            for stroke in digit(int(value), random):
                _draw(pen, (corner + _points(stroke) * SIDE) * LARGER)
    return page.resize((page.width // LARGER, page.height // LARGER), Image.Resampling.LANCZOS)


def _points(stroke: NDArray[np.float64]) -> NDArray[np.float64]:
    """A stroke's smooth way within a digit's square, with a margin."""
    return 0.14 + curve(curve(stroke)) * 0.72


def _draw(pen: ImageDraw.ImageDraw, points: NDArray[np.float64]) -> None:
    width = 7 * LARGER
    for x, y in points:
        pen.circle((x, y), width / 2, INK)
    pen.line([tuple(point) for point in points], INK, width)


def main() -> None:
    (HERE / "scans" / "page-1").mkdir(parents=True, exist_ok=True)
    for name, rows, seed in (
        ("three.png", ["3"], 0),
        ("house.png", ["719"], 1),
        ("sheet.png", ["31415", "92653", "58979"], 8),
        ("scans/page-1/seven.png", ["7"], 3),
        ("scans/two.png", ["2"], 4),
    ):
        written(rows, seed).quantize(32).save(HERE / name, optimize=True)
    # What a network gets: 28×28, 0 = background.
    Image.fromarray(read_picture(HERE / "three.png")).save(HERE / "28x28.png")


if __name__ == "__main__":
    main()
