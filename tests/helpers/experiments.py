"""Experiments of `mnist-edge reproduce`, so small that they take seconds."""

from dataclasses import replace

import pytest

from mnist_edge.benchmark.stopwatch import Protocol
from mnist_edge.lab.reproduce import estimate, exports
from mnist_edge.lab.training import models


def make_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quick timings, and edge-xs in the place of every network."""
    monkeypatch.setattr(
        exports, "TIMING_PROTOCOL", Protocol(samples=20, duration_s=0.0, warmup_s=0.0)
    )
    monkeypatch.setattr(estimate, "TRAINING_S", 0.01)
    monkeypatch.setattr(estimate, "ANSWERING_S", 0.0)
    quick = models.ZOO["edge-xs"].build
    for name, known in models.ZOO.items():
        monkeypatch.setitem(models.ZOO, name, replace(known, build=quick))
