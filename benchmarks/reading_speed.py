"""How fast `mnist-edge predict` reads small files, against decoding them alone. Run it with

    python -m benchmarks.reading_speed [--files N] [--rounds N] [--model FILE] [--pictures DIR]

Decoding alone is `Image.open(path).load()`, in a loop on one thread. Reading is all that the
command does after its start, into JSON lines that go nowhere, by one process and by as many as
there are cores. All take turns on the same files, and the ratio is the median over the turns, with
its 95 % interval. Files: MNIST's own images as PNGs of 28×28, and the same drawn black on white,
280×280; digits in Pillow's font where MNIST is not here. Or those of a folder, with a file that
takes such pictures. Below, what each stage costs when it is all that is done, on one thread.
"""

import argparse
import io
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mnist_edge import predict, preprocess
from mnist_edge.classifier import Classifier
from mnist_edge.cli.predict_formats import SINGLE, Json
from mnist_edge.datasets import load_if_here
from mnist_edge.host.machine import usable_threads
from mnist_edge.intervals import paired_ratio
from mnist_edge.model_file import model_paths

_STAGED = 500  # files

Paths = Sequence[str]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--model", type=Path, default=None)
    parser.add_argument("--pictures", type=Path, default=None)
    args = parser.parse_args()
    model = Classifier(args.model or model_paths.default())
    if args.pictures:
        found = islice(predict.find([str(args.pictures)], recursive=True), args.files)
        _measure(model, f"pictures of {args.pictures}", [one.name for one in found], args.rounds)
        return
    with tempfile.TemporaryDirectory() as name:
        kinds = {
            "28×28, in MNIST's form": _write(Path(name) / "28", args.files, _as_it_is),
            "280×280, black on white": _write(Path(name) / "280", args.files // 20, _draw),
        }
        for kind, paths in kinds.items():
            _measure(model, f"PNGs of {kind}", paths, args.rounds)


def _measure(model: Classifier, kind: str, paths: Paths, rounds: int) -> None:
    print(f"\n{len(paths):,} {kind}; {model.path}")
    _race(model, paths, rounds)
    _stages(model, paths[:_STAGED])


def _write(folder: Path, count: int, form: Callable[[NDArray[np.uint8]], Image.Image]) -> Paths:
    folder.mkdir()
    mnist = load_if_here("mnist")
    images = mnist.test.images[:count] if mnist else preprocess.render_digits(count)
    for at, image in enumerate(images):
        form(image).save(folder / f"{at}.png")
    return [source.name for source in predict.find([str(folder)])]


def _as_it_is(image: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(image)


def _draw(image: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(255 - image).resize((280, 280), Image.Resampling.BICUBIC)


def _decode(paths: Paths) -> None:
    for path in paths:
        Image.open(path).load()


def _read(paths: Paths, model: Classifier, processes: int) -> None:
    look = predict.detector_of(model.card)
    writer = Json(SINGLE, model.classes, 0.5, "edge.onnx")
    with open(os.devnull, "w") as out:  # noqa: PTH123
        for batch in predict.read(model, map(predict.Source, paths), look, 0.5, processes):
            out.write("".join([writer.text(each, ()) for each in batch]))
            out.flush()


def _race(model: Classifier, paths: Paths, rounds: int) -> None:
    """Speeds, and their ratio to that of decoding: 1 is as fast."""
    counts = sorted({1, usable_threads()})
    took: dict[int, list[float]] = {processes: [] for processes in (0, *counts)}
    for _ in range(rounds):
        took[0].append(_time(_decode, paths))
        for processes in counts:
            took[processes].append(_time(partial(_read, model=model, processes=processes), paths))
    print(f"  {'decoding alone':<34} {len(paths) / np.median(took[0]):>9,.0f} pictures/s")
    for processes in counts:
        ratio = paired_ratio(np.array(took[0]), np.array(took[processes]))
        assert ratio
        print(
            f"  {f'predict --workers {processes}':<34}"
            f" {len(paths) / np.median(took[processes]):>9,.0f}"
            f" pictures/s, {ratio.value:.0%} ({ratio.low:.0%}-{ratio.high:.0%}) of decoding"
        )


def _time(call: Callable[[Paths], object], paths: Paths) -> float:
    start = time.perf_counter()
    call(paths)
    return time.perf_counter() - start


def _stages(model: Classifier, paths: Paths) -> None:
    """What each stage takes by itself: the fastest of seven turns."""
    loaded = [preprocess.load(path) for path in paths]
    pixels = [each.pixels for each in loaded]
    shape, fit, detector = model.shape, model.card.fit, predict.detector_of(model.card)
    images = np.stack([found.image for found in preprocess.prepare_images(pixels, shape, fit)])
    sources = [predict.Source(path) for path in paths]
    readings = [each for batch in predict.read(model, sources, detector, 0.5) for each in batch]
    writer = Json(SINGLE, model.classes, 0.5, "edge.onnx")
    stages: dict[str, Callable[[Paths], object]] = {
        "Image.open(path).load()": _decode,
        "preprocess.load": lambda paths: [preprocess.load(path) for path in paths],
        "preprocess.prepare_images, 64 at once": lambda _: [
            preprocess.prepare_images(pixels[at : at + 64], shape, fit)
            for at in range(0, len(pixels), 64)
        ],
        "network, 64 at once": lambda _: [
            model.predict(images[at : at + 64]).probabilities for at in range(0, len(images), 64)
        ],
        "JSON lines": lambda _: io.StringIO().write(
            "".join([writer.text(each, ()) for each in readings])
        ),
    }
    for name, stage in stages.items():
        fastest = min(_time(stage, paths) for _ in range(7))
        print(f"  {name:<34} {fastest / len(paths) * 1e6:>9.1f} µs a picture")


if __name__ == "__main__":
    main()
