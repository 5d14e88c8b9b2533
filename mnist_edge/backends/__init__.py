"""What can be timed: one small class per runtime, behind one protocol."""

from mnist_edge.backends.base import Backend, Contender, FileContender, Runner, Runs, answer
from mnist_edge.backends.detect_input import Examples
from mnist_edge.backends.input_format import Guess, InputFormat, Verdict
from mnist_edge.backends.model_info import ModelInfo
from mnist_edge.backends.onnxruntime import OnnxRuntime
from mnist_edge.backends.pytorch import PyTorch, TorchCompile, original_of
from mnist_edge.backends.registry import (
    ALL,
    RUNTIMES,
    Discovery,
    ForeignOptions,
    gather,
    load_backend,
)
from mnist_edge.classifier import Images

__all__ = [
    "ALL",
    "RUNTIMES",
    "Backend",
    "Contender",
    "Discovery",
    "Examples",
    "FileContender",
    "ForeignOptions",
    "Guess",
    "Images",
    "InputFormat",
    "ModelInfo",
    "OnnxRuntime",
    "PyTorch",
    "Runner",
    "Runs",
    "TorchCompile",
    "Verdict",
    "answer",
    "gather",
    "load_backend",
    "original_of",
]
