"""What can be timed: one small class per runtime, behind one protocol."""

from mnist_edge.contenders.base import Contender, Images, Runner, Runs, Subject, answer
from mnist_edge.contenders.gathering import ALL, RUNTIMES, ForeignOptions, Gathered, gather
from mnist_edge.contenders.guess import Examples
from mnist_edge.contenders.intake import Guess, Intake, Verdict
from mnist_edge.contenders.ncnn import Ncnn
from mnist_edge.contenders.onnxruntime import OnnxRuntime
from mnist_edge.contenders.openvino import OpenVino
from mnist_edge.contenders.pytorch import PyTorch, TorchCompile, original_of

__all__ = [
    "ALL",
    "RUNTIMES",
    "Contender",
    "Examples",
    "ForeignOptions",
    "Gathered",
    "Guess",
    "Images",
    "Intake",
    "Ncnn",
    "OnnxRuntime",
    "OpenVino",
    "PyTorch",
    "Runner",
    "Runs",
    "Subject",
    "TorchCompile",
    "Verdict",
    "answer",
    "gather",
    "original_of",
]
