"""Train a small residual network, ship it as one ONNX file, know what it costs on a CPU."""

import os
from typing import TYPE_CHECKING, Any

# onnxruntime sends telemetry by default; an edge tool stays silent. Set before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
__all__ = ["Classifier", "EdgeError", "Prediction", "__version__", "read_picture"]

if TYPE_CHECKING:
    from mnist_edge.classifier import Classifier, Prediction
    from mnist_edge.errors import EdgeError
    from mnist_edge.preprocess import read_picture


def __getattr__(name: str) -> Any:
    """The public names, imported when they are asked for, so that `--help` starts at once."""
    if name in ("Classifier", "Prediction"):
        from mnist_edge import classifier

        return getattr(classifier, name)
    if name == "EdgeError":
        from mnist_edge.errors import EdgeError

        return EdgeError
    if name == "read_picture":
        from mnist_edge.preprocess import read_picture

        return read_picture
    raise AttributeError(f"module 'mnist_edge' has no attribute '{name}'")
