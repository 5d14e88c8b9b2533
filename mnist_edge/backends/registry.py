"""Which contenders there are for some files, on this machine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import cast

from mnist_edge import partial_failures
from mnist_edge.backends import input_format
from mnist_edge.backends.base import Backend, Contender
from mnist_edge.backends.detect_input import Examples, guess
from mnist_edge.backends.model_info import of_foreign
from mnist_edge.backends.onnxruntime import OnnxRuntime
from mnist_edge.backends.pytorch import PyTorch, original_of
from mnist_edge.catalogue import BACKENDS
from mnist_edge.classifier import read_card
from mnist_edge.errors import EdgeError, MissingExtraError, ModelError, UsageError
from mnist_edge.model_file.contract import PREFIX, Card
from mnist_edge.model_file.reader import ModelFile

ALL = "all"
RUNTIMES = tuple(BACKENDS)
"""The names of all runtimes, in the order of a table."""

_DEFAULT = ("onnxruntime", "pytorch")


@dataclass(frozen=True, slots=True)
class ForeignOptions:
    """What a person says of files that are not ours: the data set to score them on, and how they
    take pixels (see `InputFormat`), None being what is to be found out.

    `examples` gives labelled images to find it out with; it is called only when there is
    something to find out.
    """

    examples: Callable[[], Examples]
    dataset: str = "mnist"
    scale: float | None = None
    mean: float | None = None
    invert: bool | None = None


@dataclass(frozen=True, slots=True)
class Discovery:
    """`missing` says what else was asked for, and why it is not among the contenders; `guesses`,
    for each file that is not ours, how its input is fed; `refused`, what is wrong with files that
    nothing can run."""

    contenders: tuple[Contender, ...]
    missing: tuple[str, ...] = ()
    guesses: tuple[str, ...] = ()
    refused: tuple[EdgeError, ...] = ()


@dataclass(frozen=True, slots=True)
class _Family:
    """Files of one original, and that where it is here."""

    files: tuple[OnnxRuntime, ...]
    original: PyTorch | None

    def sources(self, backend: Backend) -> Sequence[OnnxRuntime | PyTorch]:
        """What a backend can run of them."""
        originals = (self.original,) if self.original else ()
        every: tuple[OnnxRuntime | PyTorch, ...] = self.files if backend.runs.file else originals
        return [source for source in every if backend.takes(source)]


def gather(
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
    named = _check(runtimes)
    everything = named is not None and ALL in named
    wanted = RUNTIMES if everything else (named or _DEFAULT)
    refused = [*absent]
    read = partial_failures.each(files, lambda path: _read(path, foreign), refused)
    families = _families([one for _, one in read], runs)
    guesses = tuple(
        f"{path.name}: {file.intake.described()}" for path, (file, card) in read if card is None
    )
    found: list[list[Contender]] = [[] for _ in families]
    missing: list[str] = []
    for name in [name for name in RUNTIMES if name in wanted]:
        made, errors = _made(name, families)
        if named and not everything and not any(made):
            raise errors[0]
        missing += [str(error) for error in errors if named]
        for own, more in zip(found, made, strict=True):
            own += more
    contenders = tuple(one for own in found for one in own)
    return Discovery(contenders, tuple(missing), guesses, tuple(refused))


def _check(runtimes: Sequence[str] | None) -> Sequence[str] | None:
    for name in runtimes or ():
        if name not in (*RUNTIMES, ALL):
            known = ", ".join([*RUNTIMES, ALL])
            raise UsageError(f"there is no contender '{name}': choose from {known}")
    return runtimes


def _made(name: str, families: Sequence[_Family]) -> tuple[list[list[Contender]], list[EdgeError]]:
    """One runtime's contenders, family by family, and what stood in the way of others."""
    backend = load_backend(name)
    taken = [family.sources(backend) for family in families]
    made: list[list[Contender]] = [[] for _ in families]
    if not any(taken):
        return made, [ModelError(_nothing(name, backend))]
    if reason := backend.unavailable_reason():  # asked for late: to import PyTorch takes seconds
        return made, [MissingExtraError(reason)]
    errors: list[EdgeError] = []
    for own, sources in zip(made, taken, strict=True):
        for source in sources:
            try:
                own.append(backend.of(source))
            except ModelError as error:
                errors.append(error)
    return made, errors


def load_backend(name: str) -> Backend:
    """The class that BACKENDS names: imported when it is asked for, as other runtimes' are not."""
    module, _, kind = BACKENDS[name].entry_point.partition(":")
    return cast(Backend, getattr(import_module(module), kind))


def _nothing(name: str, backend: Backend) -> str:
    """That there is nothing for a runtime to run."""
    if backend.runs.file:
        return f"{name} runs {BACKENDS[name].runs}, and there is none among these files"
    return (
        f"{name} runs {BACKENDS[name].runs}, and its run is not here: train it again, or name "
        "another runtime"
    )


def _read(path: Path, foreign: ForeignOptions) -> tuple[OnnxRuntime, Card | None]:
    """A file, and its card where it is ours."""
    model = ModelFile.read(path)
    card = _card(model)
    return (_foreign(model, foreign) if card is None else OnnxRuntime.ours(model, card)), card


def _families(files: Sequence[tuple[OnnxRuntime, Card | None]], runs: Path) -> list[_Family]:
    """The files by their originals."""
    members: dict[str, list[OnnxRuntime]] = {}
    originals: dict[str, PyTorch | None] = {}
    for file, card in files:
        family = file.subject.family
        members.setdefault(family, []).append(file)
        if card is not None and family not in originals:
            originals[family] = original_of(card, runs)
    return [_Family(tuple(own), originals.get(family)) for family, own in members.items()]


def _card(model: ModelFile) -> Card | None:
    """A file's card; None for a file that does not claim to be ours. ModelError for one that
    does, and breaks the contract."""
    ours = any(key.startswith(PREFIX) for key in model.graph.metadata)
    return read_card(model) if ours else None


def _foreign(model: ModelFile, options: ForeignOptions) -> OnnxRuntime:
    read = input_format.read(model, lambda: options.examples().classes)
    found = guess(model, read, options.examples, options.scale, options.mean, options.invert)
    subject = of_foreign(model, options.dataset, found.classes, found.batch)
    return OnnxRuntime(model, subject, found)
