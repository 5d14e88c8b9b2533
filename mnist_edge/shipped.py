"""Where exported models lie: in the current folder, else inside the package."""

from pathlib import Path

from mnist_edge.errors import ModelError

_DEFAULT = "edge.onnx"
_HERE = Path("exported")


def files() -> list[Path]:
    """Every exported file of the current folder, else those that came with the package."""
    for folder in (_HERE, *_inside()):
        if found := sorted(folder.glob("*.onnx"), key=_by_model):
            return found
    raise ModelError(
        "there is no exported model: name a file, or make one with 'mnist-edge export'"
    )


def _by_model(path: Path) -> tuple[str, str]:
    """fp32 first, then int8, model by model."""
    return path.stem.removesuffix("-int8"), path.stem


def default() -> Path:
    """The model that answers when none is named: edge.onnx, else the one exported last."""
    found = files()
    for path in found:
        if path.name == _DEFAULT:
            return path
    return max(found, key=lambda path: path.stat().st_mtime_ns)


def _inside() -> tuple[Path, Path]:
    package = Path(__file__).parent
    return package / "exported", package.parent / "exported"  # a wheel's, a checkout's
