"""Pictures of several digits, in rows, and how many they are: what is no picture of one."""

import numpy as np

from tests.difficult.canvas import Picture, Random, grain, image_of, render
from tests.difficult.drawn import style_of, written
from tests.difficult.strokes import LABELS, Field, of_curves


def sheet(random: Random, rows: int, columns: int) -> Picture:
    """Rows of digits, some 25 to 120 pixels high, dark on light or light on dark."""
    high, gap = random.uniform(25, 120), random.uniform(0.2, 0.6)
    pitch, rim = high * (1 + gap), int(0.4 * high)
    page = np.zeros((int(rows * pitch + 2 * rim), int(columns * pitch + 2 * rim)), np.float32)
    half = random.uniform(0.03, 0.06)
    for at in range(rows * columns):
        ink = _digit(random, high * random.uniform(0.85, 1.05), half)
        top, left = rim + int(at // columns * pitch), rim + int(at % columns * pitch)
        place = page[top : top + ink.shape[0], left : left + ink.shape[1]]
        np.maximum(place, ink[: place.shape[0], : place.shape[1]], out=place)
    paper, step = (0.1, 0.8) if random.random() < 0.4 else (0.92, random.uniform(-0.85, -0.35))
    values = paper + np.float32(step) * page
    if random.random() < 0.5:
        values = values + grain(random, page.shape, 0.02)
    return Picture(image_of(values), "PNG" if random.random() < 0.6 else "JPEG", 85)


def _digit(random: Random, high: float, half: float) -> Field:
    text = LABELS[random.integers(len(LABELS))]
    return render(of_curves(written(style_of(text, random), random), text, "drawn"), high, half)
