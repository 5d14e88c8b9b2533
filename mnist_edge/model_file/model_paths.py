"""Exported models, and how they are named: by a path, or by a bare name such as `edge-int8`.

A bare name, with or without .onnx, is looked for in the current folder, in its `exported/`, and
among the files that came with the package. All commands and `Classifier` ask here.
"""

from collections.abc import Sequence
from pathlib import Path

from mnist_edge.errors import EdgeError, FileError, ModelError, try_each
from mnist_edge.file_access import Kind, kind
from mnist_edge.files import write_together

_DEFAULT = "edge.onnx"
_HERE = Path("exported")
_SUFFIX = ".onnx"


def default_files() -> list[Path]:
    """Every exported file of the current folder, else those that came with the package."""
    for found in (_models(_HERE), packaged()):
        if found:
            return found
    raise ModelError(
        "there is no exported model: name a file, or make one with 'mnist-edge export'"
    )


def packaged() -> list[Path]:
    """The files that came with the package, as a wheel or as a checkout."""
    for folder in _inside():
        if found := _models(folder):
            return found
    return []


def all_named() -> list[Path]:
    """All files that have a name: those of `exported/`, and of the package those whose names no
    file there has."""
    found = {path.stem: path for path in (*packaged(), *_models(_HERE))}
    return sorted(found.values(), key=_by_model)


def default() -> Path:
    """The model that answers when none is named: edge.onnx, else the one exported last."""
    found = default_files()
    for path in found:
        if path.name == _DEFAULT:
            return path
    return max(found, key=lambda path: path.stat().st_mtime_ns)


def is_packaged(path: Path) -> bool:
    """Whether a file is one that the installed package brought, and not a person's own."""
    package, _ = _inside()
    return path.resolve().parent == package.resolve()


def find(name: str | Path | None = None) -> Path:
    """The file that a person means by a path or a bare name; the default one by None.

    Whatever lies at the path comes first, then the path with .onnx; then, for a bare name, the
    file of that name in `exported/`, and the one that came with the package. ModelError for a name
    of nothing, which lists what there is, and for a folder.
    """
    if name is None:
        return default()
    path = Path(name)
    found = _meant(path)
    if found is None and _kind(path) is Kind.FOLDER:
        raise ModelError(f"{path} is a folder: {_which_in(path)}")
    if found is None:
        raise ModelError(f"there is no model file {path}: {_available(path)}")
    return found


def find_all(
    names: Sequence[str | Path] | None, refused: list[EdgeError] | None = None
) -> list[Path]:
    """The files that a person means by paths and names, of which folders stand for all files in
    them; all that there are by none. ModelError as by `find`, and for a folder without any: where
    it is `refused` that keeps it, only if no name is left."""
    if not names:
        return default_files()
    if refused is None:
        found = [_named(name) for name in names]
    else:
        found = [paths for _, paths in try_each(names, _named, refused)]
    return list(dict.fromkeys(path for paths in found for path in paths))


def _named(name: str | Path) -> list[Path]:
    return _models(Path(name)) or [find(name)]


def copy(name: str, folder: Path, force: bool = False) -> Path:
    """Copy a model file, with its model card where there is one; returns the copy's path.

    EdgeError where another file is in its place, unless `force`.
    """
    source = find(name)
    contents: dict[Path, bytes | str] = {
        folder / one.name: one.read_bytes()
        for one in (source, source.with_suffix(".md"))
        if _kind(one) is Kind.FILE
    }
    for target, content in contents.items():
        if not force and _kind(target) is Kind.FILE and target.read_bytes() != content:
            raise EdgeError(f"{target} is another file: use --force to replace it")
    write_together(contents)
    return folder / source.name


def _meant(path: Path) -> Path | None:
    for candidate in (path, _with_suffix(path)):
        if _kind(candidate) not in (None, Kind.MISSING, Kind.FOLDER):
            return candidate
    if len(path.parts) == 1:
        wanted = _with_suffix(path).name
        if found := next((one for one in all_named() if one.name == wanted), None):
            return found
    return path if _kind(path) is None else None  # whoever opens it says why it cannot be read


def _with_suffix(path: Path) -> Path:
    """edge-int8 as edge-int8.onnx; other dots, as in mnist-1.2, are part of the name."""
    return path if path.suffix == _SUFFIX or not path.name else path.with_name(path.name + _SUFFIX)


def _models(folder: Path) -> list[Path]:
    """A folder's ONNX files, fp32 before int8; none where it is no folder that can be read."""
    if _kind(folder) is not Kind.FOLDER:
        return []
    return sorted(folder.glob(f"*{_SUFFIX}"), key=_by_model)


def _by_model(path: Path) -> tuple[str, str]:
    """fp32 first, then int8, model by model."""
    return path.stem.removesuffix("-int8"), path.stem


def _available(path: Path) -> str:
    """What can be named instead, for an error."""
    names = [one.stem for one in all_named()]
    if not names:
        return "there is no exported model here either: make one with 'mnist-edge export'"
    stem = _with_suffix(path).stem
    if stem in names:
        return f"'{stem}' alone is one that is here"
    return f"name a path, or one of {', '.join(names)}"


def _which_in(folder: Path) -> str:
    names = [path.name for path in _models(folder)]
    return f"name one of its files: {', '.join(names)}" if names else "it holds no .onnx file"


def _kind(path: Path) -> Kind | None:
    """What a path names; None where the system does not tell."""
    try:
        return kind(path)
    except FileError:
        return None


def _inside() -> tuple[Path, Path]:
    package = Path(__file__).parent.parent
    return package / "exported", package.parent / "exported"  # a wheel's, a checkout's
