"""Which contenders there are for some files, on this machine."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import cast

from mnist_edge.backends import input_format
from mnist_edge.backends.base import Backend, Contender, ContenderKind
from mnist_edge.backends.detect_input import Examples, detect_input_format
from mnist_edge.backends.input_format import InputFormat
from mnist_edge.backends.model_info import ModelInfo
from mnist_edge.backends.onnxruntime import OnnxRuntime
from mnist_edge.backends.pixel_scaling import PerChannel
from mnist_edge.backends.pytorch import PyTorch, find_original
from mnist_edge.catalogue import BACKENDS
from mnist_edge.classifier import read_card
from mnist_edge.errors import EdgeError, MissingExtraError, ModelError, UsageError, try_each
from mnist_edge.image_shape import Fit, ImageShape
from mnist_edge.model_file.contract import PREFIX, Card
from mnist_edge.model_file.reader import ModelFile

ALL = "all"
RUNTIMES = tuple(BACKENDS)
"""The names of all runtimes, in the order of a table."""

_DEFAULT = ("onnxruntime", "pytorch")

FOREIGN_FIT = Fit.PAD
"""How pictures of a folder become images for files of others."""

Source = OnnxRuntime | PyTorch


@dataclass(frozen=True, slots=True)
class ForeignOptions:
    """What a person says of files that are not ours: the data set to score them on, and how they
    take pixels (see `InputFormat`), None being what is to be found out.

    `examples` gives labelled images to find it out with, of that shape where the set can have
    several; it is called only when there is something to find out.
    """

    examples: Callable[[ImageShape | None], Examples]
    dataset: str = "mnist"
    scale: PerChannel | None = None
    mean: PerChannel | None = None
    invert: bool | None = None
    bgr: bool | None = None


@dataclass(frozen=True, slots=True)
class Discovery:
    """`missing` says what else was asked for, and why it is not among the contenders;
    `foreign_inputs`, how each file that is not ours is fed; `refused`, what is wrong with files
    that nothing can run."""

    contenders: tuple[Contender, ...]
    missing: tuple[str, ...] = ()
    foreign_inputs: Mapping[Path, InputFormat] = field(default_factory=dict)
    refused: tuple[EdgeError, ...] = ()


def find_contenders(
    files: Sequence[Path],
    runs: Path,
    runtimes: Sequence[str] | None,
    foreign: ForeignOptions,
    absent: Sequence[EdgeError] = (),
) -> Discovery:
    """The files, those of one original together: in ONNX Runtime, then in the other runtimes.

    `runtimes` are names of RUNTIMES, or "all" for all that are installed; None is ONNX Runtime,
    and PyTorch where it and an original are here. A file that one runtime cannot run is among the
    missing; one that breaks the contract, or that nobody could feed, is refused, and its
    ModelError raised where no other file is left; what was wrong with `absent` ones comes before.
    Raises EdgeError for an unknown name,
    MissingExtraError for a named runtime that is not installed, ModelError when it can run nothing.
    """
    named = _check_names(runtimes)
    everything = named is not None and ALL in named
    wanted = RUNTIMES if everything else (named or _DEFAULT)
    refused = [*absent]
    read = try_each(files, lambda path: _open(path, foreign), refused)
    sources = _sources([one for _, one in read], runs)
    foreign_inputs = {file.path: file.input_format for _, (file, card) in read if card is None}
    found: list[Contender] = []
    missing: list[str] = []
    for name in [name for name in RUNTIMES if name in wanted]:
        made, errors = _make_contenders(name, sources)
        if named and not everything and not made:
            raise errors[0]
        missing += [str(error) for error in errors if named]
        found += made
    families = [one.info.family for one in sources]
    found.sort(key=lambda one: families.index(one.info.family))
    return Discovery(tuple(found), tuple(missing), foreign_inputs, tuple(refused))


def _check_names(runtimes: Sequence[str] | None) -> Sequence[str] | None:
    for name in runtimes or ():
        if name not in (*RUNTIMES, ALL):
            known = ", ".join([*RUNTIMES, ALL])
            raise UsageError(f"there is no contender '{name}': choose from {known}")
    return runtimes


def _make_contenders(
    name: str, sources: Sequence[Source]
) -> tuple[list[Contender], list[EdgeError]]:
    """One runtime's contenders, and what stood in the way of others."""
    backend = load_backend(name)
    taken = [
        one for one in sources if one.kind.is_file is backend.kind.is_file and backend.accepts(one)
    ]
    if not taken:
        return [], [ModelError(_nothing_to_run(name, backend))]
    if reason := backend.unavailable_reason():  # asked for late: to import PyTorch takes seconds
        return [], [MissingExtraError(reason)]
    made: list[Contender] = []
    errors: list[EdgeError] = []
    for source in taken:
        try:
            one = backend.of(source)
            if isinstance(source, OnnxRuntime) and one.kind is ContenderKind.CONVERTED:
                source.check(one)
            made.append(one)
        except ModelError as error:
            errors.append(error)
    return made, errors


def load_backend(name: str) -> Backend:
    """The class that BACKENDS names: imported when it is asked for, as other runtimes' are not."""
    module, _, kind = BACKENDS[name].entry_point.partition(":")
    return cast(Backend, getattr(import_module(module), kind))


def _nothing_to_run(name: str, backend: Backend) -> str:
    """That there is nothing for a runtime to run."""
    if backend.kind.is_file:
        return f"{name} runs {BACKENDS[name].runs}, and there is none among these files"
    return (
        f"{name} runs {BACKENDS[name].runs}, and its run is not here: train it again, or name "
        "another runtime"
    )


def _open(path: Path, foreign: ForeignOptions) -> tuple[OnnxRuntime, Card | None]:
    """A file, and its card where it is ours."""
    model = ModelFile.read(path)
    card = _own_card(model)
    return (_open_foreign(model, foreign) if card is None else OnnxRuntime.ours(model, card)), card


def _sources(files: Sequence[tuple[OnnxRuntime, Card | None]], runs: Path) -> list[Source]:
    """The files and their originals, those of one original together."""
    families: dict[str, list[Source]] = {}
    cards: dict[str, Card] = {}
    for file, card in files:
        families.setdefault(file.info.family, []).append(file)
        if card is not None:
            cards.setdefault(file.info.family, card)
    for family, card in cards.items():
        if original := find_original(card, runs):
            families[family].append(original)
    return [one for own in families.values() for one in own]


def _own_card(model: ModelFile) -> Card | None:
    """A file's card; None for a file that does not claim to be ours. ModelError for one that
    does, and breaks the contract."""
    ours = any(key.startswith(PREFIX) for key in model.graph.metadata)
    return read_card(model) if ours else None


def _open_foreign(model: ModelFile, options: ForeignOptions) -> OnnxRuntime:
    stated = input_format.stated_image(model)

    def examples() -> Examples:
        found = options.examples(stated)
        if stated and stated != found.image:
            raise ModelError(
                input_format.describe_misfit(model.path, stated, options.dataset, found.image)
            )
        return found

    all_given = options.scale is not None and (options.invert, options.bgr) != (None, None)
    row = input_format.row_image(model) if all_given else None
    image = stated or row or examples().image
    read = input_format.read(model, lambda: examples().classes, image)
    found = detect_input_format(
        model, read, examples, options.scale, options.mean, options.invert, options.bgr
    )
    info = ModelInfo.of_foreign(
        model, options.dataset, found.classes, found.batch, image, FOREIGN_FIT
    )
    return OnnxRuntime(model, info, found)
