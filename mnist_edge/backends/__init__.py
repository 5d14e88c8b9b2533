"""What can be timed: one small class per runtime, behind one protocol."""

from mnist_edge.backends.base import (
    Backend,
    Contender,
    ContenderKind,
    FileContender,
    Runner,
    answer,
)
from mnist_edge.backends.detect_input import Examples
from mnist_edge.backends.input_format import GuessVerdict, InputFormat, InputGuess
from mnist_edge.backends.model_info import ModelInfo
from mnist_edge.backends.onnxruntime import OnnxRuntime
from mnist_edge.backends.pytorch import PyTorch, TorchCompile, find_original
from mnist_edge.backends.registry import (
    ALL,
    RUNTIMES,
    Discovery,
    ForeignOptions,
    find_contenders,
    load_backend,
)
from mnist_edge.types import Images

__all__ = [
    "ALL",
    "RUNTIMES",
    "Backend",
    "Contender",
    "ContenderKind",
    "Discovery",
    "Examples",
    "FileContender",
    "ForeignOptions",
    "GuessVerdict",
    "Images",
    "InputFormat",
    "InputGuess",
    "ModelInfo",
    "OnnxRuntime",
    "PyTorch",
    "Runner",
    "TorchCompile",
    "answer",
    "find_contenders",
    "find_original",
    "load_backend",
]
