"""Stage 2: images/s in steady state, against the loop that most people write, and against what the
machine could do: its matrix products and its kernel launches."""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch._C._autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu.plan import Finding, Plan
from benchmarks.training_speed import Turn, ours, theirs
from mnist_edge.datasets import Split, load
from mnist_edge.lab.training.bf16 import should_use
from mnist_edge.lab.training.layer_summary import cost
from mnist_edge.lab.training.models import build
from mnist_edge.lab.training.recipe import Recipe
from mnist_edge.lab.training.recipes import recipe_for

MODELS = ("edge", "edge-xs", "resnet3", "resnet20")
_FURTHER = (
    *(("cuda-graph", 512), ("cuda-graph", 2048), ("eager", 2048)),
    *(("compile", 128), ("compile+cuda-graph", 128), ("compile+cuda-graph", 512)),
)
_TURNS, _RESERVE_S = 5, 15.0
_LAUNCHES = 20_000
_FLOPS_OF_A_MAC = 2 * 3  # forward, and the gradients of inputs and of weights


@dataclass(frozen=True, slots=True)
class Subject:
    """A model and what its steps are measured against."""

    recipe: Recipe
    their_rate: float  # images/s
    launches: int  # kernels of a step
    flops: float  # of one image, forward and backward


def measure(plan: Plan) -> Iterator[Finding]:
    """The machine's limits; every model by its own recipe; then what else may be faster, which
    takes a compiler minutes, the model that matters most first."""
    device = torch.device(plan.device)
    limits = {
        "matrix products, FLOP/s": _product_rate(device, 256 if plan.tiny else 8192),
        "launches/s": _launch_rate(device, 200 if plan.tiny else _LAUNCHES),
    }
    yield "machine", limits
    split = load(plan.dataset).train[: 300 if plan.tiny else 20_000]
    subjects = dict[str, Subject]()
    for model in ("edge-xs",) if plan.tiny else MODELS:
        subject, theirs_found = _subject(plan, device, model, split)
        yield f"{model}, their loop", theirs_found
        subjects[model] = subject
        for acceleration in ("eager", "cuda-graph"):
            if plan.left_s < _RESERVE_S:
                return
            batch = subject.recipe.batch_size
            found = _measure_one(plan, device, subject, split, acceleration, batch, limits)
            yield f"{model}, {acceleration}, batch {batch}", found
    for model, subject in () if plan.tiny else subjects.items():
        for acceleration, batch in _FURTHER:
            if plan.left_s < _RESERVE_S:
                return
            found = _measure_one(plan, device, subject, split, acceleration, batch, limits)
            yield f"{model}, {acceleration}, batch {batch}", found


def _subject(
    plan: Plan, device: torch.device, model: str, split: Split
) -> tuple[Subject, dict[str, Any]]:
    # Drawn digits and non-digits are images like others: without them, a turn starts at once.
    recipe = replace(recipe_for(model), synthetic_share=0.0, outlier_share=0.0)
    if plan.tiny:
        recipe = replace(recipe, batch_size=32)
    network = build(model)
    in_bf16 = should_use(network, device)
    workers = 0 if plan.tiny else min(16, len(os.sched_getaffinity(0)))
    turn = theirs(recipe, split, workers, device, in_bf16)
    their_rate = rate(turn, recipe.batch_size, _turn_s(plan))
    flops = float(_FLOPS_OF_A_MAC * cost(network).macs)
    subject = Subject(recipe, their_rate, _launches(device, recipe, split), flops)
    return subject, {"workers": workers, "bf16": in_bf16, "images/s": their_rate}


def _measure_one(
    plan: Plan,
    device: torch.device,
    subject: Subject,
    split: Split,
    acceleration: str,
    batch: int,
    limits: dict[str, float],
) -> dict[str, Any]:
    began = time.perf_counter()
    turn = ours(replace(subject.recipe, batch_size=batch), split, device, acceleration)
    turn(5)
    start_s = time.perf_counter() - began
    found = rate(turn, batch, _turn_s(plan))
    same = batch == subject.recipe.batch_size
    return {
        "images/s": found,
        "times their loop": found / subject.their_rate if same else None,
        "start_s": start_s,
        "kernels of a step": subject.launches,
        "limit of products, images/s": limits["matrix products, FLOP/s"] / subject.flops,
        "limit of launches, images/s": limits["launches/s"] / subject.launches * batch,
    }


def _turn_s(plan: Plan) -> float:
    return 0.05 if plan.tiny else 0.4


def rate(turn: Turn, batch: int, turn_s: float) -> float:
    """Images/s: the median of some turns, each long enough to be timed."""
    turn(3)
    began = time.perf_counter()
    turn(3)
    batches = max(3, round(3 * turn_s / (time.perf_counter() - began)))
    found = []
    for _ in range(_TURNS):
        began = time.perf_counter()
        turn(batches)
        found.append(batches * batch / (time.perf_counter() - began))
    return statistics.median(found)


def _product_rate(device: torch.device, side: int) -> float:
    """FLOP/s of a product of two bfloat16 matrices of random numbers."""
    left, right = (torch.randn(side, side, device=device).bfloat16() for _ in range(2))
    duration = _duration(lambda: left @ right, device, 10)
    return float(2 * side**3 / duration)


def _launch_rate(device: torch.device, count: int) -> float:
    """Kernels that a CPU can launch in a second, one by one."""
    small = torch.zeros(1, device=device)

    def some() -> None:
        for _ in range(count):
            small.add_(1.0)

    return count / _duration(some, device, 3)


def _duration(work: Callable[[], Any], device: torch.device, turns: int) -> float:
    found = []
    for _ in range(turns):
        _wait(device)
        began = time.perf_counter()
        work()
        _wait(device)
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def _launches(device: torch.device, recipe: Recipe, split: Split) -> int:
    """Kernels of one step; on a CPU, calls of operators."""
    turn = ours(recipe, split, device)
    turn(3)
    on_gpu = device.type == "cuda"
    kinds = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * on_gpu
    with profile(activities=kinds) as watched:
        turn(1)
    kind = DeviceType.CUDA if on_gpu else DeviceType.CPU
    return sum(1 for event in watched.events() or () if event.device_type == kind)
