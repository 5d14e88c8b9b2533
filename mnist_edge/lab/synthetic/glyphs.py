"""Digits as strokes, in the ways in which the world writes them.

Each function chooses a style and its proportions, and gives what `strokes` draws: a glyph of
about 1 in height. What could be taken for another digit is left out.
"""

from collections.abc import Callable

import numpy as np

from mnist_edge.lab.synthetic.strokes import Floats, Glyph

Random = np.random.Generator


def digit_glyph(value: int, random: Random) -> Glyph:
    """Strokes of a digit, 0 to 9, in some style."""
    return _DIGITS[value](random)


def arc(
    centre: tuple[float, float], radii: tuple[float, float], start_deg: float, sweep_deg: float
) -> Floats:
    """Points along an ellipse, about one each 40 degrees: 0 is right, 90 is down."""
    count = max(3, round(abs(sweep_deg) / 40) + 1)
    angles = np.radians(np.linspace(start_deg, start_deg + sweep_deg, count))
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii + centre
    return np.asarray(points)


def _zero(random: Random) -> Glyph:
    wide = random.uniform(0.2, 0.5)
    turn = -1 if random.random() < 0.8 else 1  # most write it against the clock
    closing = random.uniform(335, 400)
    oval = arc((0.5, 0.5), (wide, 0.5), random.uniform(-125, -45), turn * closing)
    oval[-1] = 0.6 * oval[-1] + 0.4 * oval[-1].mean()  # the end meets the start inside, or crosses
    if random.random() < 0.06:
        slash = np.array([[0.5 + wide * 0.8, 0.12], [0.5 - wide * 0.8, 0.88]])
        return [arc((0.5, 0.5), (max(0.3, wide), 0.5), -90, -360), slash]
    return [oval]


def _one(random: Random) -> Glyph:
    style = random.choice(6, p=[0.15, 0.3, 0.2, 0.22, 0.08, 0.05])
    bend = random.normal(0, 0.02)
    stem = _points((0.5, 0), (0.5 + bend, 0.5), (0.5, 1))
    if style == 0:
        return [stem]
    flag = (0.5 - random.uniform(0.12, 0.34), random.uniform(0.12, 0.32))
    if style == 3:  # the long upstroke of Germany and France, as long as most of the stem
        long, steep = random.uniform(0.45, 0.85), np.radians(random.uniform(25, 66))
        flag = (0.5 - long * np.sin(steep), long * np.cos(steep))
    bow = random.normal(0, 0.02) if random.random() < 0.7 else random.uniform(-0.09, 0.09)
    rise = ((flag[0] + 0.5) / 2 + bow, flag[1] / 2 + bow)
    whole = _points(flag, rise, (0.5, 0), (0.5, 0), (0.5 + bend, 0.5), (0.5, 1))
    if style == 1 or (style == 3 and random.random() < 0.7):
        return [whole]
    if style == 5:  # a loop at the foot, into the next digit
        return [np.concatenate([whole, _loop(0.5, 1)])]
    half, level = random.uniform(0.16, 0.36), random.normal(0, 0.02)
    base = _points((0.5 - half, 1 + level), (0.5 + half, 1 - level))
    if style == 4 and flag[1] < 0.3:  # a flag that is a serif
        return [_points((flag[0], flag[1] * 0.5), (0.5, 0), (0.5, 0), (0.5, 1)), base]
    return [whole, base]


def _two(random: Random) -> Glyph:
    top = [(0.08, random.uniform(0.16, 0.32)), (0.28, 0.03), (0.6, 0), (0.88, 0.22)]
    style = random.choice(4, p=[0.35, 0.3, 0.15, 0.2])
    end = (random.uniform(0.85, 1.1), random.uniform(0.92, 1.04))
    if style == 0:  # a flat base
        foot = [(0.68, 0.55), (0.35, 0.82), (0.04, 1), (0.04, 1), (0.5, 0.98), end]
    elif style == 1:  # a loop
        low = random.uniform(0.72, 0.84)
        foot = [(0.68, 0.55), (0.35, 0.86), (0.12, 1.0), (0.03, 0.9), (0.18, low), (0.5, 0.93), end]
    elif style == 2:  # like a Z, with its curve at the top
        top = [(0.06, 0.14), (0.4, 0), (0.78, 0.04), (0.85, 0.22)]
        foot = [(0.5, 0.6), (0.04, 1), (0.04, 1), (0.5, 0.98), end]
    else:  # a wave
        foot = [(0.62, 0.6), (0.3, 0.86), (0.06, 0.97), (0.3, 0.9), (0.6, 0.98), end]
    return [_points(*top, *foot)]


def _three(random: Random) -> Glyph:
    waist = (random.uniform(0.3, 0.5), random.uniform(0.42, 0.5))
    low = [(0.72, 0.54), (0.88, 0.74), (0.7, 0.96), (0.38, 1), (0.06, random.uniform(0.8, 0.95))]
    style = random.choice(3, p=[0.55, 0.25, 0.2])
    if style == 1:  # a flat top
        high = [(0.1, 0.04), (0.45, 0.02), (0.85, 0.02), (0.85, 0.02), waist, waist]
    elif style == 2:  # a small loop at the waist
        high = [(0.1, 0.14), (0.4, 0), (0.8, 0.12), (0.72, 0.38), (0.42, 0.5), (0.36, 0.44)]
        low[0] = (0.6, 0.47)
    else:
        high = [(0.08, 0.16), (0.38, 0), (0.78, 0.08), (0.76, 0.32), waist, waist]
    return [_points(*high, *low)]


def _four(random: Random) -> Glyph:
    style = random.choice(7, p=[0.3, 0.22, 0.16, 0.14, 0.07, 0.07, 0.04])
    bar = random.uniform(0.48, 0.78)
    if style >= 4:
        return (_triangle_four, _four_like_an_n, _looped_four)[style - 4](random)
    foot = (random.uniform(0.6, 0.75), random.uniform(0.98, 1.12))
    if style == 0:  # open, two strokes
        lean = random.uniform(0.1, 0.35)
        left = _points(
            (lean, 0), (0.06, bar), (0.06, bar), (0.95, bar - random.uniform(-0.04, 0.1))
        )
        return [left, _points((0.76, random.uniform(0, 0.3)), foot)]
    if style == 1:  # closed, two strokes
        tip = (random.uniform(0.6, 0.74), 0.0)
        bar = min(bar, 0.7)
        left = _points(tip, tip, (0.03, bar + 0.05), (0.03, bar + 0.05), (1, bar))
        return [left, _points(tip, (tip[0] + random.normal(0, 0.02), 1))]
    if style == 2:  # open like a U, with a long stem
        left = _points((0.12, 0), (0.1, bar * 0.7), (0.3, bar), (0.74, bar - 0.06))
        return [left, _points((0.8, random.uniform(0, 0.25)), (0.74, 0.5), (0.7, 1.1))]
    tip, bar = (random.uniform(0.55, 0.7), 0.0), min(bar, 0.7)  # closed, one stroke
    start = _points((0.95, bar), (0.03, bar), (0.03, bar), tip, tip, (tip[0] - 0.02, 1.05))
    return [start]


def _triangle_four(random: Random) -> Glyph:
    """A triangle that is turned, on a long stem."""
    left, right = (random.uniform(0, 0.12), 0.26), (0.5, random.uniform(0.34, 0.48))
    tip = (random.uniform(0.34, 0.46), 0.0)
    return [_points(tip, tip, left, left, right), _points(tip, tip, right, (0.5, 1.0))]


def _four_like_an_n(random: Random) -> Glyph:
    """One stroke: down, back up, down."""
    low = (random.uniform(0.02, 0.1), random.uniform(0.5, 0.66))
    turn = (random.uniform(0.56, 0.72), random.uniform(0.12, 0.3))
    start, end = (random.uniform(0.14, 0.3), 0.0), (turn[0] - random.uniform(0, 0.12), 1.02)
    return [_points(start, low, low, turn, turn, end)]


def _looped_four(random: Random) -> Glyph:
    """Closed, with a loop at the foot."""
    low = random.uniform(0.56, 0.68)
    cross = _points((0.66, 0), (0.66, 0), (0.05, low), (0.05, low), (0.98, low))
    stem = _points((0.66, 0), (0.66, 0.5), (0.64, 1))
    return [cross, np.concatenate([stem, _loop(0.64, 1)])]


def _five(random: Random) -> Glyph:
    neck, corner = random.uniform(0.36, 0.46), random.uniform(0.12, 0.24)
    end = (random.uniform(0, 0.12), random.uniform(0.74, 0.97))
    belly = [(0.5, random.uniform(0.3, 0.38)), (0.86, 0.56), (0.8, 0.86), (0.4, 1), end]
    reach = random.uniform(0.75, 1.15)
    if random.random() < 0.1:  # straight lines and corners alone
        turn, low = (random.uniform(0.72, 0.9), neck + 0.06), (random.uniform(0.66, 0.86), 0.98)
        corners = [(0.24, 0.02), (corner, neck), turn, low, (end[0], 1.0)]
        return [_points((reach, 0.0), *(point for point in corners for _ in range(2)))]
    if random.random() < 0.4:  # one stroke
        top = [(reach, random.normal(0.02, 0.03)), (0.26, 0.02), (0.26, 0.02)]
        return [_points(*top, (corner, neck), (corner, neck), *belly)]
    left = _points((0.26, 0.02), (corner, neck), (corner, neck), *belly)
    gap, rise = random.uniform(-0.06, 0.12), random.normal(0, 0.035)
    return [left, _points((0.26 + gap, 0.01 + rise), (reach, 0.0 - rise))]


def _six(random: Random) -> Glyph:
    high = random.uniform(0.38, 0.6)
    loop = [(0.2, 0.94), (0.52, 1), (0.86, 0.84), (0.8, high + 0.06), (0.48, high), (0.12, 0.74)]
    style = random.choice(4, p=[0.33, 0.33, 0.27, 0.07])
    if style == 3:  # a curl at the top
        stem = [(0.66, 0.2), (0.82, 0.12), (0.6, 0), (0.22, 0.16), (0.05, 0.46), (0.07, 0.72)]
    elif style == 0:  # a straight stem
        stem = [(random.uniform(0.5, 0.78), 0), (0.3, 0.34), (0.08, 0.7)]
    elif style == 1:  # one that comes round from above, as in print
        start = (random.uniform(0.78, 0.9), random.uniform(0.12, 0.24))
        stem = [start, (random.uniform(0.48, 0.62), 0), (0.2, 0.14), (0.05, 0.44), (0.07, 0.72)]
    else:
        stem = [(random.uniform(0.7, 0.9), 0.04), (0.4, 0.12), (0.12, 0.42), (0.06, 0.7)]
    if random.random() < 0.3:  # the loop ends open, inside
        loop[-1] = (0.26, 0.72)
    return [_points(*stem, *loop)]


def _seven(random: Random) -> Glyph:
    tip = (random.uniform(0.86, 1.02), random.uniform(0, 0.06))
    foot = (random.uniform(0.15, 0.48), 1.0)
    middle = ((tip[0] + foot[0]) / 2 + random.uniform(-0.1, 0.02), 0.5)
    style = random.choice(3, p=[0.5, 0.25, 0.25])
    if style == 1:  # a serif
        start = [(0.06, random.uniform(0.12, 0.24)), (0.06, 0.02), (0.06, 0.02)]
    elif style == 2:  # a wave
        deep = random.uniform(0, 0.08)
        start = [(0.04, 0.14), (0.25, -deep), (0.55, 0.07 + deep)]
    else:
        start = [(0.0, random.normal(0.04, 0.03))]
    glyph = [_points(*start, tip, tip, middle, foot)]
    if random.random() < 0.5:  # the bar of most of Europe
        half, level = random.uniform(0.14, 0.32), random.uniform(0.4, 0.66)
        x = middle[0] + (tip[0] - middle[0]) * (0.5 - level)
        glyph.append(_points((x - half, level + 0.02), (x + half, level - random.normal(0, 0.03))))
    return glyph


def _eight(random: Random) -> Glyph:
    waist = random.uniform(0.42, 0.5)
    if random.random() < 0.3:  # two circles
        small, large = random.uniform(0.2, 0.32), random.uniform(0.26, 0.42)
        upper = arc((0.5, waist / 2), (small, waist / 2), random.uniform(0, 360), 370)
        lower = arc((0.5, (1 + waist) / 2), (large, (1 - waist) / 2), random.uniform(0, 360), 370)
        return [upper, lower]
    start = (random.uniform(0.68, 0.84), random.uniform(0.06, 0.16))
    down = [(0.46, 0), (0.2, 0.16), (0.3, 0.36), (0.52, waist), (0.8, 0.66), (0.78, 0.9), (0.5, 1)]
    up = [(0.2, 0.9), (0.18, 0.68), (0.48, waist), (0.72, 0.32)]
    end = start
    if random.random() < 0.35:  # an open top
        end = (start[0] + random.uniform(0, 0.1), start[1] - random.uniform(0.02, 0.1))
        start = (start[0] - random.uniform(0.02, 0.1), start[1])
    return [_points(start, *down, *up, end)]


def _nine(random: Random) -> Glyph:
    low, right = random.uniform(0.46, 0.62), 0.82
    top = (right, random.uniform(0.1, 0.2))
    loop = [top, (0.5, 0), (0.16, 0.16), (0.2, low - 0.08), (0.48, low), (right - 0.02, 0.26)]
    style = random.choice(5, p=[0.33, 0.24, 0.19, 0.19, 0.05])
    if style == 4:  # a foot under a straight tail, as a 1 has it
        tail = [(right, 0.24), (right, 0.24), (0.74, 1)]
        half = random.uniform(0.16, 0.34)
        loop.pop()
        return [_points(*loop, *tail), _points((0.74 - half, 1.0), (0.74 + half, 1.0))]
    if style == 0:  # a straight tail
        tail = [(right, 0.24), (right, 0.24), (random.uniform(0.6, 0.84), 1)]
        loop.pop()
    elif style == 1:  # a curved one
        tail = [(right - 0.02, 0.6), (random.uniform(0.3, 0.6), 1)]
    elif style == 2:  # a hook
        tail = [(right, 0.62), (0.72, 0.92), (0.44, 1), (0.14, random.uniform(0.86, 0.96))]
    else:  # one that comes round from below, as in print
        end = (random.uniform(0.1, 0.2), random.uniform(0.76, 0.88))
        tail = [(right + 0.02, 0.55), (0.7, 0.88), (random.uniform(0.38, 0.5), 1), end]
    return [_points(*loop, *tail)]


def _loop(x: float, y: float) -> Floats:
    """Where a stroke comes down to (x, y), goes round to the left, and leaves to the right."""
    round_ = [(x - 0.13, y - 0.06), (x - 0.1, y - 0.16), (x + 0.04, y - 0.1), (x + 0.3, y - 0.04)]
    return _points(*round_)


def _points(*points: tuple[float, float]) -> Floats:
    return np.array(points, np.float64)


_DIGITS: tuple[Callable[[Random], Glyph], ...] = (
    _zero,
    _one,
    _two,
    _three,
    _four,
    _five,
    _six,
    _seven,
    _eight,
    _nine,
)
