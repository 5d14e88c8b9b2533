"""How many numbers and sheets are read right. Run it with

    python -m benchmarks.lines_read [--seed N] [--per-kind N] [--only KIND,KIND]
        [--model FILE] [--validation] [--unscored] [--sheet FILE.png]

Lines of 1 to 10 digits and sheets, written with MNIST's test images (with `--validation`, those
held out of training: what is tuned is tuned on them). By kind: the share of numbers read whole,
what the network alone makes of the same digits, digits read right, and boxes that overlap the true
ones by half.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mnist_edge.classifier import Classifier, in_chunks
from mnist_edge.datasets import Split, load_if_here
from mnist_edge.model_file import model_paths
from mnist_edge.preprocess.several.lines import FoundDigit, Score, read_grid, read_line
from tests.helpers import page_pictures
from tests.helpers.page_pictures import Page, Random, Sheet

Draw = Callable[[str, Split, Random], Page]
"""A page of a kind, with digits of a split."""

Choose = Callable[[Random], Any]
Mark = Callable[[Sheet, Random, float], Sheet]


def _dark(kind: str, sheet: Sheet, random: Random) -> Page:
    return page_pictures.page_of(kind, sheet, random.uniform(200, 255), random.uniform(0, 80))


def _count(random: Random) -> int:
    return int(random.integers(1, 11))


def _high(random: Random) -> float:
    return float(random.uniform(40, 120))


def _number(count: Choose = _count, high: Choose = _high, **how: Any) -> Draw:
    """A number, written as `page_pictures.number` says."""

    def draw(kind: str, split: Split, random: Random) -> Page:
        sheet = page_pictures.number(split, random, count(random), high(random), **how)
        return _dark(kind, sheet, random)

    return draw


def _marked(mark: Mark) -> Draw:
    """A number, and then what `mark` does to it."""

    def draw(kind: str, split: Split, random: Random) -> Page:
        high = _high(random)
        number = page_pictures.number(split, random, _count(random), high)
        return _dark(kind, mark(number, random, high), random)

    return draw


def _ruled(sheet: Sheet, random: Random, high: float) -> Sheet:
    return page_pictures.ruled(sheet, random, high, random.random() < 0.4)


def _skewed(kind: str, split: Split, random: Random) -> Page:
    skew = random.uniform(-10, 10)
    return _number(skew=skew)(kind, split, random)


def _photo(kind: str, split: Split, random: Random) -> Page:
    sheet = page_pictures.number(
        split, random, _count(random), _high(random), skew=random.uniform(-6, 6)
    )
    page = page_pictures.page_of(kind, sheet, random.uniform(170, 240), random.uniform(20, 90))
    return page_pictures.photographed(page, random)


def _inverted(kind: str, split: Split, random: Random) -> Page:
    sheet = page_pictures.number(split, random, _count(random), _high(random))
    return page_pictures.page_of(kind, sheet, random.uniform(0, 70), random.uniform(190, 255))


def _sheet(turn: float = 0, lattice: bool = False, photo: bool = False) -> Draw:
    """Rows of numbers, or of single digits in squares, turned by up to so many degrees."""

    def draw(kind: str, split: Split, random: Random) -> Page:
        page = _dark(kind, (_squares if lattice else _rows)(split, random), random)
        if turn:
            angle = random.uniform(-turn, turn)
            page = page_pictures.turned(page, angle, int(page.pixels.max()))
        return page_pictures.photographed(page, random) if photo else page

    return draw


def _empty(random: Random) -> tuple[Sheet, float, int, int]:
    """A sheet, how high its digits are, its rows, and how many digits a row has at most."""
    high = float(random.uniform(28, 60))
    rows, most = int(random.integers(3, 8)), int(random.integers(3, 9))
    size = round(_PITCH * high * rows + high), round(_PITCH * high * most + high)
    return Sheet(np.zeros(size, np.float32)), high, rows, most


def _gap(random: Random) -> float:
    return float(random.uniform(0.15, 0.4))


def _rows(split: Split, random: Random) -> Sheet:
    sheet, high, rows, most = _empty(random)
    for row in range(rows):
        middle = 0.5 * high + (row + 0.5) * _PITCH * high
        chosen = random.integers(len(split.labels), size=int(random.integers(1, most + 1)))
        left = round(high * random.uniform(0.5, 1.2))
        page_pictures.write(sheet, split, chosen, left, middle, high, random, _gap)
    return sheet


def _squares(split: Split, random: Random) -> Sheet:
    sheet, high, rows, most = _empty(random)
    pitch = _PITCH * high
    for row in range(rows):
        middle = 0.5 * high + (row + 0.5) * pitch
        digits = []
        for column in range(most):
            index = int(random.integers(len(split.labels)))
            own = page_pictures.stroke_of(split.images[index], high * random.uniform(0.9, 1.1))
            y = middle - own.shape[0] / 2 + random.uniform(-0.1, 0.1) * high
            x = 0.5 * high + (column + 0.5) * pitch - own.shape[1] / 2
            x += random.uniform(-0.15, 0.15) * high
            digits.append((int(split.labels[index]), sheet.put(own, round(x), round(y)), index))
        labels, boxes, indices = map(list, zip(*digits, strict=True))
        sheet.labels.append(labels)
        sheet.boxes.append(boxes)
        sheet.indices.append(indices)
    thick = max(1, round(high / 25))
    places = [round(0.5 * high + at * pitch) for at in range(max(rows, most) + 1)]
    ink = sheet.ink[places[0] : places[rows] + thick, places[0] : places[most] + thick]
    for place in (place - places[0] for place in places):
        ink[place : place + thick] = 1
        ink[:, place : place + thick] = 1
    return sheet


_PITCH = 1.75  # from row to row, in heights
LINES: dict[str, Draw] = {
    "separate": _number(),
    "tight": _number(gap=page_pictures.tight),
    "skewed": _skewed,
    "varied": _number(varied=0.35),
    "ruled": _marked(_ruled),
    "boxed": _marked(page_pictures.boxed),
    "dotted": _marked(page_pictures.dotted),
    "photo": _photo,
    "inverted": _inverted,
    "small": _number(high=lambda random: random.uniform(16, 24)),
    "broken": _marked(page_pictures.broken),
    "touching": _number(
        lambda random: int(random.integers(2, 9)), gap=page_pictures.tight, touching=0.5
    ),
}
SHEETS: dict[str, Draw] = {
    "sheet_plain": _sheet(),
    "sheet_turned": _sheet(turn=5),
    "sheet_lattice": _sheet(turn=3, lattice=True),
    "sheet_photo": _sheet(turn=4, photo=True),
}


def page(kind: str, split: Split, seed: int, number: int) -> Page:
    """A page of a kind: other seeds and other numbers give others."""
    random = np.random.default_rng([seed, number, sum(map(ord, f"_{kind}"))])
    return (LINES | SHEETS)[kind](kind, split, random)


@dataclass(frozen=True, slots=True)
class Result:
    page: Page
    rows: list[list[FoundDigit]]
    read: list[list[int]]
    alone: list[bool]  # for each number, whether the network reads its single images
    duration_s: float

    @property
    def whole(self) -> list[bool]:
        """For each number, whether it was read."""
        wanted = self.page.labels
        if len(self.read) != len(wanted):
            return [row in self.read for row in wanted]
        return [one == other for one, other in zip(self.read, wanted, strict=True)]

    def digits(self) -> Iterator[tuple[bool, bool]]:
        """For each true digit, whether there is a box for it, and whether that was read right."""
        found = [
            (item.box, label)
            for row, labels in zip(self.rows, self.read, strict=True)
            for item, label in zip(row, labels, strict=True)
        ]
        for labels, boxes in zip(self.page.labels, self.page.boxes, strict=True):
            for label, box in zip(labels, boxes, strict=True):
                overlaps = [page_pictures.overlap(box, other) for other, _ in found]
                at = int(np.argmax(overlaps)) if overlaps else -1
                boxed = at >= 0 and overlaps[at] >= 0.5
                yield boxed, boxed and found[at][1] == label


def read(
    model: Classifier, page: Page, known: NDArray[np.bool_], score: Score | None, sheet: bool
) -> Result:
    loaded = page.loaded
    start = perf_counter()
    rows = read_grid(loaded, score) if sheet else [read_line(loaded, score)]
    duration_s = perf_counter() - start
    labels = [
        model.predict(np.stack([item.image for item in row])).labels.tolist() if row else []
        for row in rows
    ]
    return Result(page, rows, labels, [bool(known[row].all()) for row in page.indices], duration_s)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--per-kind", type=int, default=40)
    parser.add_argument("--only", default="")
    parser.add_argument("--model", type=Path, default=None)
    parser.add_argument("--validation", action="store_true")
    parser.add_argument("--unscored", action="store_true")
    parser.add_argument("--sheet", type=Path, default=None, help="draws those read wrong")
    args = parser.parse_args()
    data = load_if_here("mnist")
    if data is None:
        raise SystemExit("MNIST is not here: name its folder in MNIST_EDGE_DATA")
    split = data.validation if args.validation else data.test
    model = Classifier(args.model or model_paths.default())

    def score(images: page_pictures.Grey) -> NDArray[np.float32]:
        return np.asarray(model.predict(images).probabilities.max(axis=1), np.float32)

    wrong: list[Result] = []
    everything: list[Result] = []
    known = in_chunks(model.logits, split.images).argmax(axis=1) == split.labels
    print(f"{model.path}: {known.mean():.2%} of the single images right")
    heads = ("pages", "numbers", "whole", "alone", "digits", "right", "boxed", "extra", "ms")
    print(f"{'':16}" + "".join(f"{head:>9}" for head in heads))
    for kind in [*LINES, *SHEETS]:
        if args.only and kind not in args.only.split(","):
            continue
        count = args.per_kind if kind in LINES else max(1, args.per_kind // 4)
        results = [
            read(
                model,
                page(kind, split, args.seed, at),
                known,
                None if args.unscored else score,
                kind in SHEETS,
            )
            for at in range(count)
        ]
        wrong += [result for result in results if not all(result.whole)]
        _say(kind, results)
        everything += results if kind in LINES else []
    if everything:
        _say("all lines", everything)
    if args.sheet:
        _draw(wrong, args.sheet)


def _say(kind: str, results: list[Result]) -> None:
    whole = [one for result in results for one in result.whole]
    alone = [one for result in results for one in result.alone]
    digits = [one for result in results for one in result.digits()]
    extra = sum(len(row) for result in results for row in result.rows) - len(digits)
    boxed, right = np.mean(digits, axis=0)
    spent = np.median([result.duration_s for result in results])
    print(
        f"{kind:16}{len(results):9}{len(whole):9}{np.mean(whole):9.1%}{np.mean(alone):9.1%}"
        f"{len(digits):9}{right:9.1%}{boxed:9.1%}{extra:+9}{spent * 1000:9.0f}"
    )


def _draw(results: list[Result], path: Path, width: int = 1000) -> None:
    """The pages that were read wrong, with the boxes that were found."""
    drawn = []
    for result in results[:24]:
        image = Image.fromarray(result.page.pixels).convert("RGB")
        pen = ImageDraw.Draw(image)
        for row, labels in zip(result.rows, result.read, strict=True):
            for at, (item, label) in enumerate(zip(row, labels, strict=True)):
                colour = ("red", "blue", "green")[at % 3]
                pen.rectangle(item.box, outline=colour, width=2)
                pen.text(item.box[:2], str(label), fill=colour, font_size=18)
        image.thumbnail((width // 2 - 6, 400))
        field = Image.new("RGB", (width // 2, image.height + 18), "white")
        field.paste(image, (0, 18))
        said = f"{result.page.kind}: {result.page.labels[0]}"
        ImageDraw.Draw(field).text((2, 2), said, fill="black")
        drawn.append(field)
    columns: list[list[Image.Image]] = [drawn[::2], drawn[1::2]]
    height = max(sum(image.height for image in column) for column in columns)
    whole = Image.new("RGB", (width, max(1, height)), "white")
    for x, column in zip((0, width // 2), columns, strict=True):
        y = 0
        for image in column:
            whole.paste(image, (x, y))
            y += image.height
    whole.save(path)


if __name__ == "__main__":
    main()
