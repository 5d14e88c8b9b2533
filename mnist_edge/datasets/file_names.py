"""Where the files of a published set may lie, under all the names that tools give them."""

import os
import sys
from pathlib import Path

from mnist_edge.datasets.published import SOURCES
from mnist_edge.errors import DataError
from mnist_edge.file_access import is_file, is_folder

KERAS = "mnist.npz"
"""The one file in which Keras keeps MNIST."""
_OTHER_FORMS = (".csv", ".npz", ".npy", ".parquet", ".pt", ".pkl", ".pkl.gz", ".zip", ".arff")
_MOST_NAMED = 3


def cache_dir() -> Path:
    """The user's cache folder for this tool, by the platform's convention. DataError where there
    is no home folder: for a user that the system does not know, as in some containers."""
    try:
        return _cache() / "mnist-edge"
    except RuntimeError as error:
        raise DataError(
            "there is no home folder to keep data sets in: name one in XDG_CACHE_HOME, or the "
            "folder that holds them in MNIST_EDGE_DATA or with --data-dir"
        ) from error


def _cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def existing_variants(place: Path, name: str) -> list[Path]:
    """A published file where it exists: as published, unpacked, or with the dot that some tools
    put into its name; or in a folder of its own name, as Kaggle packs it."""
    names = []
    for packed in (name, name.removesuffix(".gz")):
        names += [packed, packed.replace("-idx", ".idx")]
    bare = name.removesuffix(".gz")
    paths = [place / one for one in names] + [place / bare / bare]
    return [path for path in paths if is_file(path)]


def find_in(name: str, folder: Path) -> Path | None:
    """The place of the set in a folder: the subfolder of its name, the folders that torchvision
    makes, or the folder itself, whichever holds a file of the set; or Keras' file of MNIST."""
    theirs = SOURCES[name].torchvision
    places = (folder / name, folder / theirs / "raw", folder / theirs, folder, folder / "raw")
    for place in places:
        if any(existing_variants(place, file.name) for file in SOURCES[name].files):
            return place
    if name == "mnist":
        if folder.name.endswith(".npz") and is_file(folder):
            return folder
        return next((place / KERAS for place in places if is_file(place / KERAS)), None)
    return None


def unread_formats(folder: Path) -> list[str]:
    """The names of files in a folder that look like a set in a form that is not read."""
    if not is_folder(folder):
        return [folder.name] if folder.name.lower().endswith(_OTHER_FORMS) else []
    found = [name for name in list_names(folder) if name.lower().endswith(_OTHER_FORMS)]
    return found[:_MOST_NAMED]


def list_names(folder: Path) -> list[str]:
    """The names in a folder, sorted. DataError where it cannot be listed."""
    try:
        return sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise DataError(f"cannot read the folder {folder}: {error.strerror or error}") from error
