"""What a training learns from, as a person names it: runs, files and folders."""

from dataclasses import dataclass
from pathlib import Path

from mnist_edge.errors import DataError


@dataclass(frozen=True, slots=True)
class TrainingSources:
    """What a training learns from beside its data: a run or file to start from, and teachers."""

    start: Path | None
    teachers: list[Path]


def find_source(path: Path) -> Path:
    """A run's folder, or an exported file by its path or name."""
    from mnist_edge.model_file import model_paths

    if path.is_dir() or (len(path.parts) > 1 and path.suffix != ".onnx"):
        return path
    return model_paths.find(path)


def absolute_path(path: Path) -> Path:
    """The whole path of a folder. DataError for one in the home of nobody."""
    try:
        return path.expanduser().resolve()
    except RuntimeError as error:  # ~name of nobody
        raise DataError(f"there is no folder {path}: {error}") from error


def absolute_folder(dataset: str | None) -> str | None:
    """The name of a data set with its folders' whole paths, so that a later export, from another
    place, finds them again."""
    from mnist_edge.dataset_names import folder_dataset, folder_of, join_names, parts_of

    def absolute(part: str) -> str:
        path = folder_of(part)
        return part if path is None else folder_dataset(absolute_path(path))

    return join_names([absolute(part) for part in parts_of(dataset)]) if dataset else None
