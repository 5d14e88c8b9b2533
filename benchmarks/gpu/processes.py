"""Stage 5: several processes under torchrun, beside one alone."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.plan import Ended, Finding, Plan, edge
from mnist_edge.lab.training.checkpoint import CHECKPOINT, load_checkpoint


def measure(plan: Plan) -> Iterator[Finding]:
    """One process under torchrun has the weights of one alone; several come as far."""
    alone = plan.out / "runs" / plan.device  # of the first stage
    if not (alone / CHECKPOINT).is_file():
        yield "alone", "was not trained"
        return
    recipe = load_checkpoint(alone).recipe
    options = (
        "train", "--model", recipe.model, "--dataset", recipe.dataset,
        "--epochs", recipe.epochs, "--device", plan.device,
    )  # fmt: skip
    counts = {1, 2 if plan.device == "cpu" else torch.cuda.device_count()}
    for count in sorted(counts - {0} - ({2} if plan.tiny else set())):
        run = plan.out / "processes" / str(count)
        done = _torchrun(plan, count, *options, "--out", run)
        if done.code:
            yield f"{count} under torchrun", {"exit code": done.code, "error": done.last}
        else:
            yield f"{count} under torchrun", _compare(alone, run)


def _torchrun(plan: Plan, count: int, *arguments: object) -> Ended:
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--standalone")
    tool = (*torchrun, f"--nproc-per-node={count}", "-m", "mnist_edge")
    return edge(*arguments, tool=tool, timeout_s=max(60.0, plan.left_s))


def _compare(alone: Path, together: Path) -> dict[str, Any]:
    one, other = load_checkpoint(alone), load_checkpoint(together)
    pairs = [(one.average[name].float(), other.average[name].float()) for name in one.average]
    return {
        "exit code": 0,
        "processes": other.trained["processes"],
        "same bits": all(torch.equal(*pair) for pair in pairs),
        "largest difference of a weight": max(float((a - b).abs().max()) for a, b in pairs),
        "validation accuracies": [
            saved.history[-1]["validation_accuracy"] for saved in (one, other)
        ],
    }
