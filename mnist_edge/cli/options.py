"""Options that several commands have, declared once."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnist_edge.catalogue import DATASETS

if TYPE_CHECKING:
    from mnist_edge.image_shape import ImageOptions


def _usable(threads: int) -> int:
    from mnist_edge.host.machine import threads_for

    return threads_for(threads)


MODEL_HELP = "An exported file, or its name, such as edge-int8 [default: edge]."
MODELS_HELP = (
    "Exported files, names such as edge-int8, or folders [default: all of exported/, else all "
    "that came with the package]."
)


DATASETS_HELP = f"{', '.join(DATASETS)}, folder:PATH, or several: mnist+folder:PATH"


def _number_or_auto(text: str) -> str:
    parse_threads(text)
    return text


def parse_threads(text: str) -> int | None:
    """The number of threads that --threads names; None for "auto"."""
    if text == "auto":
        return None
    if not (text.isascii() and text.isdigit()):
        raise typer.BadParameter(f"'{text}' is neither a number nor auto", param_hint="--threads")
    return _usable(int(text))


def split_names(texts: Iterable[str]) -> tuple[str, ...]:
    """The names, each once, of an option that takes several with commas, or is given again."""
    return tuple(dict.fromkeys(name.strip() for text in texts for name in text.split(",")))


def parse_image_options(size: str | None, color: bool | None, fit: str | None) -> "ImageOptions":
    """What --size, --color or --grey, and --fit ask of a data set's images."""
    from mnist_edge.image_shape import Fit, ImageOptions

    if fit not in (None, Fit.PAD, Fit.CROP):
        raise typer.BadParameter(f"'{fit}' is neither pad nor crop", param_hint="--fit")
    chosen = None if fit is None else Fit(fit)
    return ImageOptions(None if size is None else _parse_size(size), color, chosen)


def _parse_size(text: str) -> tuple[int, int]:
    """(width, height), of 64, or 48x96."""
    from mnist_edge.image_shape import MAX_SIDE, MIN_SIDE

    parts = text.lower().replace("×", "x").split("x")
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise typer.BadParameter(
            f"'{text}' is no size: give a number of pixels, as 64, or width x height, as 48x96",
            param_hint="--size",
        )
    sides = [int(part[:9]) for part in parts]
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in sides):
        raise typer.BadParameter(
            f"'{text}': an image has {MIN_SIDE} to {MAX_SIDE} pixels a side", param_hint="--size"
        )
    return sides[0], sides[-1]


DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder with the data set's files [default: $MNIST_EDGE_DATA, the user's cache, a "
        "download].",
        show_default=False,
    ),
]
Threads = Annotated[
    int,
    typer.Option(
        min=0,
        callback=_usable,
        help="Cores that one answer may use; 0 for all that affinity and CPU quota allow.",
    ),
]
TrainingThreads = Annotated[
    str,
    typer.Option(
        "--threads",
        metavar="N|auto",
        callback=_number_or_auto,
        help="Threads that train on a CPU: auto times 1 and all cores, and takes the faster; 0 "
        "for all.",
    ),
]
Device = Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")]
Size = Annotated[
    str | None,
    typer.Option(
        "--size",
        metavar="N|WxH",
        help="Pixels of an image, width x height, 16 to 96 each [default: what a folder's pictures "
        "have; a published set's own].",
        show_default=False,
    ),
]
Color = Annotated[
    bool | None,
    typer.Option(
        "--color/--grey",
        help="Images in RGB, or in grey [default: RGB where a folder has coloured pictures].",
        show_default=False,
    ),
]
FitName = Annotated[
    str | None,
    typer.Option(
        "--fit",
        metavar="pad|crop",
        help="Keep all of a picture, on a ground of its border's mean, or cut out its middle "
        "[default: pad].",
        show_default=False,
    ),
]
OutlierFolder = Annotated[
    Path | None,
    typer.Option(
        "--none",
        metavar="DIR",
        help="A folder with pictures of no class, for a data set without a folder _none.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
