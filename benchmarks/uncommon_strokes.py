"""How the shapes in which some people write are read. Run it with

    python -m benchmarks.uncommon_strokes [FILE] [--per-kind 100] [--seed 0] [--sheet PNG]

Strangers' digits were misread in these ways: a 1 with a long upstroke is taken for a 7, a 4 like a
turned triangle for a 9, and so on. They are drawn here with Pillow, large, and read as pictures,
by recipes that are not those of the training mix (`lab.synthetic.glyphs`). Printed are, for each
kind: how many are read right, how many surely wrong, and what they are taken for. Choose by seeds
from 200 on; 0 and 100 are for counting.
"""

import argparse
import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mnist_edge.classifier import Classifier
from mnist_edge.preprocess import prepare_images

Random = np.random.Generator
Points = Sequence[tuple[float, float]]
Lines = list[Points]
_SIDE, _MARGIN = 280, 60


def one_with_a_long_upstroke(random: Random) -> Lines:
    angle, length = math.radians(random.uniform(50, 65)), 70 * random.uniform(0.5, 0.8)
    bow = random.uniform(-4, 4)
    tip = (60.0, 20.0)
    start = (tip[0] - length * math.sin(angle), tip[1] + length * math.cos(angle))
    middle = ((start[0] + tip[0]) / 2 + bow, (start[1] + tip[1]) / 2 + bow)
    foot: Lines = [[(45, 90), (75, 90)]] if random.random() < 0.3 else []
    return [[start, middle, tip, (60, 90)], *foot]


def one_with_a_bowed_flag_and_a_foot(random: Random) -> Lines:
    flag = _arc((40, 40), (22, 22), 200, 110)
    half = random.uniform(24, 36)
    return [[*flag, (60, 24), (60, 100)], [(60 - half, 100), (60 + half, 100)]]


def four_like_a_turned_triangle(random: Random) -> Lines:
    left, right = (15 + random.uniform(-4, 4), 52.0), (75.0, 72 + random.uniform(-6, 6))
    return [[(60, 20), left, right, (60, 20)], [right, (77, 150 + random.uniform(-10, 20))]]


def four_like_an_n(random: Random) -> Lines:
    low, turn = (12.0, 80 + random.uniform(-6, 6)), (66.0, 28 + random.uniform(-8, 10))
    return [[(28, 10), low, turn, (60 + random.uniform(-6, 2), 130)]]


def seven_with_a_wave_and_a_low_bar(random: Random) -> Lines:
    deep, level = random.uniform(4, 9), random.uniform(58, 72)
    top = [(10 + x, 20 + deep * math.sin(x / 60 * 2 * math.pi)) for x in range(0, 61, 6)]
    return [[*top, (36, 110)], [(28, level), (66, level - 3)]]


def six_with_a_curl(random: Random) -> Lines:
    curl = _arc((66, 22), (12, 10), 90, -250)
    loop = _arc((48, 88), (26 + random.uniform(-3, 3), 24), 180, -360)
    return [[*curl, (30, 50), (22, 88)], loop]


def nine_with_a_foot(random: Random) -> Lines:
    half = random.uniform(14, 26)
    return [
        [*_arc((44, 40), (24, 22), 0, -360), (66, 110)],
        [(66 - half, 110), (66 + half, 110)],
    ]


def five_of_straight_lines(random: Random) -> Lines:
    neck, right = 52 + random.uniform(-6, 6), 66 + random.uniform(-6, 6)
    return [[(70, 14), (26, 14), (20, neck), (right, neck + 6), (right - 4, 108), (14, 110)]]


def one_with_a_loop_at_its_foot(random: Random) -> Lines:
    return [[(44, 34), (58, 14), (58, 96), *_arc((48, 100), (11, 8), 0, 300), (84, 94)]]


def two_with_a_loop_at_its_foot(random: Random) -> Lines:
    top = _arc((44, 34), (26, 22), 190, 200)
    return [[*top, (30, 96), *_arc((24, 100), (11, 9), 60, 300), (80, 108)]]


def four_with_a_loop_at_its_foot(random: Random) -> Lines:
    return [
        [(58, 14), (14, 72), (82, 72)],
        [(58, 14), (58, 104), *_arc((48, 106), (11, 8), 0, 300), (84, 100)],
    ]


KINDS: dict[Callable[[Random], Lines], int] = {
    one_with_a_long_upstroke: 1,
    one_with_a_bowed_flag_and_a_foot: 1,
    one_with_a_loop_at_its_foot: 1,
    two_with_a_loop_at_its_foot: 2,
    four_like_a_turned_triangle: 4,
    four_like_an_n: 4,
    four_with_a_loop_at_its_foot: 4,
    five_of_straight_lines: 5,
    six_with_a_curl: 6,
    seven_with_a_wave_and_a_low_bar: 7,
    nine_with_a_foot: 9,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.uncommon_strokes")
    parser.add_argument("file", nargs="?", default="edge")
    parser.add_argument("--per-kind", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheet", type=Path, help="write some of each kind as a picture")
    given = parser.parse_args()
    classifier = Classifier(given.file)
    threshold = classifier.card.threshold.value if classifier.card.threshold else 0.0
    sheet = list[NDArray[np.uint8]]()
    right = surely_wrong = 0
    for at, (kind, label) in enumerate(KINDS.items()):
        random = np.random.default_rng([given.seed, at])
        pictures = [draw(kind, random) for _ in range(given.per_kind)]
        answer = classifier.predict(np.stack([found.image for found in prepare_images(pictures)]))
        found = answer.labels
        probability = answer.probabilities.max(axis=1)
        wrong = found != label
        taken = ", ".join(
            f"{many} as {name}" for name, many in Counter(found[wrong]).most_common(3)
        )
        sure = int((wrong & (probability >= threshold)).sum())
        right, surely_wrong = right + int((~wrong).sum()), surely_wrong + sure
        name = kind.__name__.replace("_", " ")
        print(f"{name:<36} right {(~wrong).sum():>4}  surely wrong {sure:>4}  {taken}")
        sheet.append(np.hstack(pictures[:8]))
    total = given.per_kind * len(KINDS)
    print(f"{'all':<36} right {right:>4}  surely wrong {surely_wrong:>4}  of {total}")
    if given.sheet:
        Image.fromarray(np.vstack(sheet)).save(given.sheet)


def draw(kind: Callable[[Random], Lines], random: Random) -> NDArray[np.uint8]:
    """Dark strokes on white, uint8 (280, 280), slanted, turned and placed at random."""
    angle, slant = (
        math.radians(random.normal(0, 5)),
        math.tan(math.radians(random.uniform(-20, 20))),
    )
    cos, sin, scale = math.cos(angle), math.sin(angle), random.uniform(1.1, 1.6)
    matrix = np.array([[1, 0], [-slant, 1]]) @ [[cos, sin], [-sin, cos]] * scale
    lines = [np.array(line, float) @ matrix for line in kind(random)]
    lines = [line + random.normal(0, 1.2, line.shape) for line in lines]
    corner = np.concatenate(lines).min(axis=0) - _MARGIN / 2
    extent = np.ptp(np.concatenate(lines), axis=0).max() + _MARGIN
    image = Image.new("L", (2 * _SIDE, 2 * _SIDE), 255)
    pen, width = ImageDraw.Draw(image), int(random.integers(8, 26))
    for line in lines:
        places = [(float(x), float(y)) for x, y in (line - corner) / extent * image.width]
        pen.line(places, 0, width, joint="curve")
        for x, y in (places[0], places[-1]):
            pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=0)
    return np.asarray(image.reduce(2))


def _arc(
    centre: tuple[float, float], radii: tuple[float, float], start_deg: float, sweep_deg: float
) -> list[tuple[float, float]]:
    """Points along an ellipse; 0 is right, 90 is down."""
    steps = np.radians(start_deg + np.linspace(0, sweep_deg, 16))
    return [(centre[0] + radii[0] * math.cos(t), centre[1] + radii[1] * math.sin(t)) for t in steps]


if __name__ == "__main__":
    main()
