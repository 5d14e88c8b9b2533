"""A folder of colour pictures to try the tool on, drawn: the signal lamp on a machine, as a cheap
camera sees it. Run it with

    python -m benchmarks.signal_lamps FOLDER [--per-class N] [--seed N] [--faults]

FOLDER gets the classes red, amber and green, and `_none`: lamps that are off, and what is no lamp.
The classes differ by the colour of the light, whose place on the picture varies. `--faults` adds
what happens to real folders: a picture in the wrong class, and a copy in another split.

All of it is drawn by this program: whoever has no pictures of their own can type every command of
docs/own-images.md.
"""

import argparse
import shutil
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

LIGHTS = {"red": (255, 40, 24), "amber": (255, 168, 20), "green": (40, 230, 90)}
NONE = "_none"

Random = np.random.Generator


def draw_lamp(colour: tuple[int, int, int] | None, random: Random) -> Image.Image:
    """A lamp that is lit in a colour, or off: RGB, 56 to 120 pixels a side."""
    width, height = (int(side) for side in random.integers(56, 121, 2))
    picture = draw_wall(width, height, random)
    draw = ImageDraw.Draw(picture)
    side = min(width, height)
    radius = side * random.uniform(0.18, 0.28)
    x, y = (random.uniform(radius * 1.2, length - radius * 1.2) for length in (width, height))
    metal = int(random.integers(40, 110))
    base = [x - radius * 1.1, y + radius * 0.6, x + radius * 1.1, y + radius * 1.6]
    draw.rectangle(base, fill=(metal,) * 3)
    glass = colour or (int(random.integers(120, 190)),) * 3
    strength = random.uniform(0.65, 1.0)
    body = tuple(int(part * strength) for part in glass)
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=body, outline=(30, 30, 30))
    if colour is not None:
        picture = _add_glow(picture, colour, (x, y), radius, random)
    shine = [x - radius * 0.5, y - radius * 0.6, x - radius * 0.1, y - radius * 0.2]
    ImageDraw.Draw(picture).ellipse(shine, fill=(240, 240, 240))
    return _photograph(picture, random)


def draw_other(random: Random) -> Image.Image:
    """What is no lamp: a wall with labels, pipes and bolts."""
    width, height = (int(side) for side in random.integers(56, 121, 2))
    picture = draw_wall(width, height, random)
    draw = ImageDraw.Draw(picture)
    for _ in range(random.integers(1, 5)):
        left, top = random.uniform(0, width * 0.7), random.uniform(0, height * 0.7)
        box = [left, top, left + random.uniform(6, width / 2), top + random.uniform(6, height / 2)]
        draw.rectangle(box, fill=tuple(random.integers(40, 220, 3).tolist()), outline=(40, 40, 40))
    return _photograph(picture, random)


def draw_wall(width: int, height: int, random: Random) -> Image.Image:
    """An unevenly lit wall or panel, of any muted colour."""
    tint = random.uniform(60, 170) + random.uniform(-20, 20, 3)
    slope = random.uniform(-40, 40, 2)
    rows, columns = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    light = rows * slope[0] + columns * slope[1]
    field = np.clip(light[:, :, None] + tint, 0, 255).astype(np.uint8)
    picture = Image.fromarray(field)
    draw = ImageDraw.Draw(picture)
    for _ in range(random.integers(0, 4)):
        at = random.uniform(0, width)
        shade = tuple(int(part * random.uniform(0.6, 0.9)) for part in tint)
        draw.line([at, 0, at + random.uniform(-20, 20), height], fill=shade, width=3)
    return picture


def _add_glow(
    picture: Image.Image,
    colour: tuple[int, int, int],
    middle: tuple[float, float],
    radius: float,
    random: Random,
) -> Image.Image:
    """The light around a lamp, and its hot spot."""
    glow = Image.new("L", picture.size)
    x, y = middle
    wide = radius * random.uniform(1.2, 1.7)
    draw = ImageDraw.Draw(glow)
    draw.ellipse([x - wide, y - wide, x + wide, y + wide], fill=int(random.integers(90, 170)))
    glow = glow.filter(ImageFilter.GaussianBlur(radius / 2))
    picture = Image.composite(Image.new("RGB", picture.size, colour), picture, glow)
    hot = tuple(int(255 - (255 - part) * 0.4) for part in colour)
    spot = radius * 0.45
    ImageDraw.Draw(picture).ellipse([x - spot, y - spot, x + spot, y + spot], fill=hot)
    return picture


def _photograph(picture: Image.Image, random: Random) -> Image.Image:
    """Out of focus, too dark or too bright, and noisy."""
    soft = picture.filter(ImageFilter.GaussianBlur(random.uniform(0.3, 1.4)))
    pixels: NDArray[np.float64] = np.asarray(soft, np.float64) * random.uniform(0.6, 1.15)
    pixels += random.normal(0, random.uniform(2, 9), pixels.shape)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def write_folder(folder: Path, per_class: int, seed: int, faults: bool) -> int:
    """Write the pictures as JPEGs, FOLDER/<class>/<number>.jpg: how many there are."""
    random = np.random.default_rng(seed)
    for name, colour in LIGHTS.items():
        (folder / name).mkdir(parents=True)
        for number in range(per_class):
            draw_lamp(colour, random).save(folder / name / f"{number:03}.jpg", quality=88)
    (folder / NONE).mkdir()
    for number in range(per_class):
        off = draw_lamp(None, random) if number % 2 else draw_other(random)
        off.save(folder / NONE / f"{number:03}.jpg", quality=88)
    if faults:
        draw_lamp(LIGHTS["green"], random).save(folder / "red" / "wrong.jpg", quality=88)
        shutil.copy(folder / "amber" / "001.jpg", folder / "amber" / "copy.jpg")
        with Image.open(folder / "green" / "002.jpg") as picture:
            picture.save(folder / "green" / "saved-anew.jpg", quality=60)
    return sum(1 for _ in folder.glob("*/*.jpg"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--per-class", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", action="store_true")
    args = parser.parse_args()
    if args.folder.exists():
        print(f"{args.folder} exists already: choose another folder", file=sys.stderr)
        return 1
    count = write_folder(args.folder, args.per_class, args.seed, args.faults)
    print(f"{count} pictures in {args.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
