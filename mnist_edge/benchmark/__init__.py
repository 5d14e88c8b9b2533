"""Contenders × data × stopwatch -> one Benchmark record."""

from mnist_edge.benchmark.data import examples, find_data, images_to_time, with_data
from mnist_edge.benchmark.record import Benchmark, Data, Entry, Plan, Score
from mnist_edge.benchmark.runner import run

__all__ = [
    "Benchmark",
    "Data",
    "Entry",
    "Plan",
    "Score",
    "examples",
    "find_data",
    "images_to_time",
    "run",
    "with_data",
]
