"""How many of the difficult pictures are read right. Run it with

    python -m benchmarks.difficult_pictures [--seed N] [--model FILE] [--per-kind N]
        [--strokes mnist,digits,drawn,fonts] [--fonts DIR] [--only KIND,KIND] [--baseline]
        [--nondigits] [--threshold P] [--json] [--sheet FILE.png]

`--baseline` reads them behind a simple threshold, a 20-pixel box and the centre of mass.
"""

import argparse
import io
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mnist_edge.classifier import Classifier
from mnist_edge.errors import EdgeError
from mnist_edge.metrics import Accuracy
from mnist_edge.model_file import model_paths
from mnist_edge.preprocess import PreparedImage, load, prepare_images
from tests.difficult import DEFAULT_STROKES, PER_KIND, Case, cases, nondigits
from tests.difficult.strokes import sources

Grey = NDArray[np.uint8]
Reader = Callable[[Case], PreparedImage]
_BLANK = PreparedImage(np.zeros((28, 28), np.uint8), 0)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to one picture: the label, its probability, what the network saw, and how
    many digits were found."""

    case: Case
    label: str
    probability: float
    seen: Grey
    digits: int

    @property
    def right(self) -> bool:
        return self.label == self.case.label


def ours(case: Case) -> PreparedImage:
    """The picture as this package reads it; one that cannot be read is blank."""
    try:
        return prepare_images([load(io.BytesIO(case.data)).pixels])[0]
    except EdgeError:
        return _BLANK


def baseline(case: Case) -> PreparedImage:
    """Half-way between the darkest and the lightest, a 20-pixel box, the centre of mass."""
    image: Image.Image = Image.open(io.BytesIO(case.data))
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    grey = np.asarray(image.convert("L") if image.mode != "I;16" else image, np.float64)
    ink = grey.max() - grey if grey.mean() > (grey.max() + grey.min()) / 2 else grey - grey.min()
    ink = np.where(ink > ink.max() / 2, ink, 0)
    if not ink.any():
        return _BLANK
    rows, columns = np.nonzero(ink)
    cut = ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] * (255 / ink.max())
    scale = 20 / max(cut.shape)
    size = (max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale)))
    small = Image.fromarray(cut.astype(np.uint8)).resize(size, Image.Resampling.BOX)
    weight = np.asarray(small, np.float64) + 1e-9
    middle = [np.average(np.arange(weight.shape[at]) + 0.5, weights=weight.sum(1 - at))
              for at in (0, 1)]  # fmt: skip
    top, left = (int(np.clip(round(14.5 - middle[at]), 0, 28 - weight.shape[at])) for at in (0, 1))
    field = Image.new("L", (28, 28))
    field.paste(small, (left, top))
    return PreparedImage(np.asarray(field), 1)


def answers(pictures: Iterable[Case], read: Reader, model: Classifier) -> list[Answer]:
    """What the model answers to each picture."""
    taken = list(pictures)
    seen = [read(case) for case in taken]
    chances = model.predict(np.stack([found.image for found in seen])).probabilities
    return [
        Answer(case, model.classes[int(row.argmax())], float(row.max()), found.image, found.digits)
        for case, row, found in zip(taken, chances, seen, strict=True)
    ]


def share(accuracy: Accuracy) -> str:
    low, high = accuracy.interval
    return f"{accuracy.value:7.2%} ({low:.2%} to {high:.2%})"


def table(groups: dict[str, list[Answer]], threshold: float | None) -> str:
    """A row for each group: right of total, and how many are not sure."""
    lines = []
    for name, group in groups.items():
        right = sum(answer.right for answer in group)
        line = f"  {name:<24}{right:5}/{len(group):<5}{right / len(group):8.1%}"
        if threshold is not None:
            line += f"   ? {sum(unsure(answer, threshold) for answer in group):4}"
        lines.append(line)
    return "\n".join(lines)


def unsure(answer: Answer, threshold: float) -> bool:
    """Whether it is answered with '?': below the threshold, or there is not one digit."""
    return answer.probability < threshold or answer.digits != 1


def group_by(given: list[Answer], by: Callable[[Answer], str]) -> dict[str, list[Answer]]:
    groups: dict[str, list[Answer]] = {}
    for answer in given:
        groups.setdefault(by(answer), []).append(answer)
    return groups


def report(given: list[Answer], threshold: float | None) -> str:
    """The tables by kind, by strokes, and in total."""
    total = Accuracy(sum(answer.right for answer in given), len(given))
    lines = [table(group_by(given, lambda answer: answer.case.kind), threshold), ""]
    lines += [table(group_by(given, lambda answer: answer.case.strokes), threshold), ""]
    lines += [f"  in total {total.correct}/{total.total} {share(total)}"]
    if threshold is not None:
        for name, right in (("right", True), ("wrong", False)):
            group = [answer for answer in given if answer.right is right]
            doubted = sum(unsure(answer, threshold) for answer in group)
            lines.append(f"  '?' below {threshold:.4g}: {doubted} of {len(group)} {name} ones")
    return "\n".join(lines)


def report_nondigits(given: list[Answer], threshold: float) -> str:
    """How many of each kind of non-digits get a '?'."""
    lines = ["  non-digits that get a '?'"]
    for kind, group in group_by(given, lambda answer: answer.case.kind).items():
        doubted = sum(unsure(answer, threshold) for answer in group)
        lines.append(f"  {kind:<24}{doubted:5}/{len(group):<5}{doubted / len(group):8.1%}")
    total = Accuracy(sum(unsure(answer, threshold) for answer in given), len(given))
    return "\n".join([*lines, f"  in total {total.correct}/{total.total} {share(total)}"])


def sheet(given: list[Answer], path: Path, columns: int = 6, side: int = 112) -> None:
    """Draw pictures beside what the network saw, with captions, into one image."""
    wide, high = 2 * side + 12, side + 28
    rows = max(1, -(-len(given) // columns))
    page = Image.new("RGB", (columns * wide, rows * high), (110, 150, 130))
    pen = ImageDraw.Draw(page)
    for at, answer in enumerate(given):
        left, top = at % columns * wide, at // columns * high
        said = f"{answer.case.label or 'none'} read {answer.label} {answer.probability:.2f}"
        pen.text((left, top), f"{answer.case.name} {answer.case.strokes}", "white")
        pen.text((left, top + 12), said, "yellow")
        page.paste(thumbnail(answer.case, side), (left, top + 26))
        seen = Image.fromarray(answer.seen).resize((side, side), Image.Resampling.NEAREST)
        page.paste(seen, (left + side + 4, top + 26))
    page.save(path)


def thumbnail(case: Case, side: int) -> Image.Image:
    """A case's picture scaled to fit `side`, on lilac where it is transparent."""
    image: Image.Image = Image.open(io.BytesIO(case.data))
    if image.mode == "I;16":
        values = np.asarray(image, np.float64)
        image = Image.fromarray((values * 255 / max(1.0, values.max())).astype(np.uint8))
    rgba = image.convert("RGBA")
    ground = Image.new("RGBA", rgba.size, (200, 170, 220, 255))
    ground.alpha_composite(rgba)
    scale = side / max(rgba.size)
    size = (max(1, int(rgba.width * scale)), max(1, int(rgba.height * scale)))
    how = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX
    return ground.convert("RGB").resize(size, how)


def as_json(given: list[Answer]) -> str:
    rows = [
        {
            "name": answer.case.name,
            "kind": answer.case.kind,
            "strokes": answer.case.strokes,
            "label": answer.case.label,
            "answer": answer.label,
            "probability": round(answer.probability, 6),
        }
        for answer in given
    ]
    return json.dumps(rows, indent=1)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--per-kind", type=int, default=PER_KIND)
    parser.add_argument("--strokes", default=",".join(DEFAULT_STROKES))
    parser.add_argument("--fonts", type=Path, help="a folder of TrueType fonts")
    parser.add_argument("--only", help="kinds, separated by commas")
    parser.add_argument("--threshold", type=float, help="'?' below it (default: the model's)")
    parser.add_argument("--sheet", type=Path, help="draw the misread ones into this file")
    for flag in ("--json", "--baseline", "--nondigits"):
        parser.add_argument(flag, action="store_true")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    model = Classifier(given.model or model_paths.default())
    stated = model.card.threshold
    threshold: float | None = given.threshold or (stated.value if stated else None)
    if given.nondigits:
        pictures = nondigits(given.seed, given.per_kind)
        threshold = 0.9 if threshold is None else threshold
    else:
        hands = sources(given.strokes.split(","), given.fonts)
        if not hands:
            sys.exit("no strokes: name another source, or a folder of fonts with --fonts")
        only = given.only.split(",") if given.only else None
        pictures = cases(hands, given.seed, given.per_kind, only)
    start = perf_counter()
    taken = list(pictures)
    made_s, start = perf_counter() - start, perf_counter()
    found = answers(taken, baseline if given.baseline else ours, model)
    read_s = perf_counter() - start
    if given.sheet:
        accepted = [answer for answer in found if not unsure(answer, threshold or 0)]
        wrong = accepted if given.nondigits else [answer for answer in found if not answer.right]
        sheet(wrong, given.sheet)
    if given.json:
        print(as_json(found))
        return
    print(f"{model.path}, seed {given.seed}, made in {made_s:.1f} s, read in {read_s:.1f} s")
    print(report_nondigits(found, threshold or 0) if given.nondigits else report(found, threshold))


if __name__ == "__main__":
    main()
