"""Stage 3: seconds to 99.5 % and 99.7 %, first for some ways to launch a step and some batch sizes,
then for the fastest of them over five seeds."""

import statistics
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from benchmarks.gpu.plan import Finding, Plan
from benchmarks.seconds_to import TARGETS, Epoch, reached, train_until
from mnist_edge.lab.training.recipes import recipe_for

_MODEL, _EPOCHS, _SEEDS = "edge", 16, 5
_TRY_EPOCHS = 8
_RESERVE_S = 10.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A way to train. Adam's rate grows with the square root of the batch (Malladi et al. 2022,
    arXiv 2205.10287)."""

    acceleration: str
    batch_size: int

    def lr(self, model: str) -> float:
        recipe = recipe_for(model)
        return float(recipe.lr * (self.batch_size / recipe.batch_size) ** 0.5)


CANDIDATES = (
    Candidate("eager", 128),
    Candidate("cuda-graph", 128),
    Candidate("cuda-graph", 512),
    Candidate("compile+cuda-graph", 512),
    Candidate("cuda-graph", 1024),
)


def measure(plan: Plan) -> Iterator[Finding]:
    """Validation images choose the way; the test split is what is reported."""
    tried = dict[Candidate, float]()
    candidates = CANDIDATES[:2] if plan.tiny else CANDIDATES
    for candidate in candidates:
        began = time.monotonic()
        epochs = _train(plan, candidate, 0, 1 if plan.tiny else _TRY_EPOCHS)
        if not tried:
            start_s = time.time() - plan.started - epochs[-1].seconds
            yield "from process start to the first step", start_s
        tried[candidate] = _score(epochs)
        yield (
            f"{candidate.acceleration}, batch {candidate.batch_size}",
            {
                "lr": candidate.lr(_model(plan)),
                "epochs": [asdict(epoch) for epoch in epochs],
                "with its start": time.monotonic() - began,
            },
        )
        if plan.left_s < 2 * (time.monotonic() - began) + _RESERVE_S:
            break
    fastest = min(tried, key=lambda one: tried[one])
    yield "chosen on validation images", asdict(fastest)
    found = list[list[Epoch]]()
    for seed in range(2 if plan.tiny else _SEEDS):
        began = time.monotonic()
        found.append(_train(plan, fastest, seed, 1 if plan.tiny else _EPOCHS))
        yield f"seed {seed}", [asdict(epoch) for epoch in found[-1]]
        yield "median", _medians(found)
        if plan.left_s < 1.3 * (time.monotonic() - began):
            return


def _train(plan: Plan, how: Candidate, seed: int, epochs: int) -> list[Epoch]:
    model = _model(plan)
    batch, lr = (32, None) if plan.tiny else (how.batch_size, how.lr(model))
    return list(
        train_until(model, plan.dataset, seed, epochs, plan.device, how.acceleration, batch, lr)
    )


def _model(plan: Plan) -> str:
    return "edge-xs" if plan.tiny else _MODEL


def _score(epochs: list[Epoch]) -> float:
    """Seconds to the first target on validation images; what never reaches it comes last."""
    found = reached(epochs, TARGETS[0], "validation")
    return found if found is not None else 1000 + epochs[-1].seconds


def _medians(found: list[list[Epoch]]) -> dict[str, float | None]:
    """Median seconds over the seeds; None where half of them did not get there."""
    medians = dict[str, float | None]()
    for target in TARGETS:
        times = [reached(epochs, target) for epochs in found]
        values = sorted(float("inf") if value is None else value for value in times)
        median = statistics.median_high(values)
        medians[f"{target:g}"] = None if median == float("inf") else median
    return medians
