"""What can be timed: one small class per runtime, behind one protocol."""

from mnist_edge.backends.base import Backend, Contender, Images, Runner, Runs, Subject, answer
from mnist_edge.backends.detect_input import Examples
from mnist_edge.backends.input_format import Guess, Intake, Verdict
from mnist_edge.backends.onnxruntime import OnnxRuntime
from mnist_edge.backends.pytorch import PyTorch, TorchCompile, original_of
from mnist_edge.backends.registry import (
    ALL,
    RUNTIMES,
    ForeignOptions,
    Gathered,
    gather,
    load_backend,
)

__all__ = [
    "ALL",
    "RUNTIMES",
    "Backend",
    "Contender",
    "Examples",
    "ForeignOptions",
    "Gathered",
    "Guess",
    "Images",
    "Intake",
    "OnnxRuntime",
    "PyTorch",
    "Runner",
    "Runs",
    "Subject",
    "TorchCompile",
    "Verdict",
    "answer",
    "gather",
    "load_backend",
    "original_of",
]
