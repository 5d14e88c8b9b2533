"""What can be timed: one small class per runtime, behind one protocol."""

from mnist_edge.contenders.base import Backend, Contender, Images, Runner, Runs, Subject, answer
from mnist_edge.contenders.gathering import (
    ALL,
    RUNTIMES,
    ForeignOptions,
    Gathered,
    gather,
    load_backend,
)
from mnist_edge.contenders.guess import Examples
from mnist_edge.contenders.intake import Guess, Intake, Verdict
from mnist_edge.contenders.onnxruntime import OnnxRuntime
from mnist_edge.contenders.pytorch import PyTorch, TorchCompile, original_of

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
