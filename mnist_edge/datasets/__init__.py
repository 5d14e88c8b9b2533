"""Data sets by name: images uint8 (N, H, W) or (N, H, W, 3) and labels int64 (N,), checked as they
come in."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from mnist_edge.catalogue import DATASETS
from mnist_edge.dataset_names import folder_dataset, folder_of, has_folder, parts_of
from mnist_edge.datasets.base import (
    DATA_DIR_VARIABLE,
    Dataset,
    FolderFindings,
    Outliers,
    Split,
    compute_fingerprint,
    fingerprint_by_name,
)
from mnist_edge.datasets.folder_layout import OUTLIERS
from mnist_edge.datasets.splits import stratified_mask
from mnist_edge.errors import DataError, DataSetNameError
from mnist_edge.image_shape import ImageOptions
from mnist_edge.types import Progress

__all__ = [
    "DATA_DIR_VARIABLE",
    "Dataset",
    "FolderFindings",
    "ImageOptions",
    "Outliers",
    "Split",
    "compute_fingerprint",
    "fingerprint_by_name",
    "load",
    "load_if_here",
    "stratified_mask",
]

_AS_IT_IS = ImageOptions()


def load(
    name: str,
    data_dir: Path | None = None,
    progress: Progress | None = None,
    options: ImageOptions = _AS_IT_IS,
    *,
    outliers: Path | None = None,
    skip_unreadable: bool = False,
) -> Dataset:
    """The data set of a name: one of `catalogue.DATASETS`, folder:PATH, or several with a +.

    Published sets are looked for in `data_dir`, in $MNIST_EDGE_DATA, in the user's cache, and then
    downloaded into the cache. `options` are asked of the images. `outliers` is a folder of pictures
    of no class, for a set that has none of its own. Where unreadable pictures of a folder are
    skipped, they are findings. Raises DataError, naming the file and what to do.
    """
    data = _load(name, data_dir, progress, options, skip_unreadable)
    return data if outliers is None else _with_outliers(data, outliers, progress)


def _load(
    name: str,
    data_dir: Path | None,
    progress: Progress | None,
    options: ImageOptions,
    skip_unreadable: bool,
) -> Dataset:
    from mnist_edge.datasets import folder, idx_datasets

    if len(parts_of(name)) > 1:
        return _load_joined(parts_of(name), data_dir, progress, options, skip_unreadable)
    if (path := folder_of(name)) is not None:
        return folder.load(path, progress, options, skip_unreadable)
    if name in DATASETS:
        _check_shape(name, options)
        if DATASETS[name].module:
            return _convert(_module(name).load(data_dir, progress), options)
        place = idx_datasets.find(name, data_dir) or idx_datasets.download(name, progress)
        return _convert(idx_datasets.read(name, place), options)
    if name and Path(name).is_dir():
        raise DataSetNameError(f"'{name}' is a folder: name it as {folder_dataset(name)}")
    known = ", ".join([*DATASETS, folder_dataset("PATH")])
    raise DataSetNameError(f"there is no data set '{name}': choose one of {known}")


def _with_outliers(data: Dataset, path: Path, progress: Progress | None) -> Dataset:
    """The set with the pictures of a folder as its images of no class. DataError where it has
    some of its own."""
    from mnist_edge.datasets.folder_outliers import load_outliers

    if data.outliers:
        raise DataError(
            f"{data.name} has pictures of no class already, in its folder {OUTLIERS}: put those of "
            f"{path} there, or leave --none away"
        )
    images, digest = load_outliers(path, data, progress)
    known = data.fingerprint or fingerprint_by_name(data)
    return replace(data, outliers=images, fingerprint=replace(known, outliers=digest))


def _load_joined(
    names: tuple[str, ...],
    data_dir: Path | None,
    progress: Progress | None,
    options: ImageOptions,
    skip_unreadable: bool,
) -> Dataset:
    """Several sets as one. Folders are read in the shape and with the fit of the first published
    one, or of the first at all."""
    from mnist_edge.datasets.concatenated import check_shapes, join

    check_shapes([(name, DATASETS[name].shape) for name in names if name in DATASETS])
    lead = next((name for name in names if not has_folder(name)), names[0])
    first = _load(lead, data_dir, progress, options, skip_unreadable)
    alike = ImageOptions.of(first.shape, first.fit)

    def load_part(name: str) -> Dataset:
        asked = alike if has_folder(name) else _AS_IT_IS
        if name == lead:
            return first
        return _load(name, data_dir, progress, asked, skip_unreadable)

    return join([load_part(name) for name in names])


def load_if_here(
    name: str, data_dir: Path | None = None, options: ImageOptions = _AS_IT_IS
) -> Dataset | None:
    """The data set if it is on this machine, else None: nothing is downloaded.

    A person's own folder is never here by its name alone. Raises DataError for damaged files.
    """
    from mnist_edge.datasets import idx_datasets

    if name not in DATASETS:
        return None
    _check_shape(name, options)
    if DATASETS[name].module:
        found = _module(name).load_if_here(data_dir)
        return found and _convert(found, options)
    place = idx_datasets.find(name, data_dir)
    return _convert(idx_datasets.read(name, place), options) if place else None


class _DatasetModule(Protocol):
    """The module of a data set of another form than MNIST's four files."""

    def load(self, data_dir: Path | None, progress: Progress | None) -> Dataset: ...
    def load_if_here(self, data_dir: Path | None) -> Dataset | None: ...


def _module(name: str) -> _DatasetModule:
    return cast(_DatasetModule, import_module(DATASETS[name].module))


def _check_shape(name: str, options: ImageOptions) -> None:
    """DataError for a published set whose images cannot be what is asked for; before any of it is
    fetched."""
    own = DATASETS[name].shape
    if not own.can_become(asked := options.apply(own)):
        raise DataError(
            f"{name} has images of {own}: they cannot be {asked}. Leave --size and --color away, "
            "or name a folder, whose pictures are resized"
        )


def _convert(data: Dataset, options: ImageOptions) -> Dataset:
    """A published set as it is asked for."""
    if options.apply(data.shape) != data.shape:
        data = _to_grey(data)
    return replace(data, fit=options.fit) if options.fit else data


def _to_grey(data: Dataset) -> Dataset:
    """A set in colour by the luminance of its images, as pictures become grey."""
    from mnist_edge.preprocess import to_luminance

    def luminance(split: Split) -> Split:
        count, height, width, _ = split.images.shape
        grey = to_luminance(split.images.reshape(count * height, width, 3))
        return Split(grey.reshape(count, height, width).copy(), split.labels)

    grey = replace(data, train=luminance(data.train), test=luminance(data.test))
    return replace(grey, fingerprint=compute_fingerprint(grey))
