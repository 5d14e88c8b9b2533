"""Training steps in bfloat16 against float32, on a CPU. Run it with

    python -m benchmarks.bf16_training

Each network takes the steps of `mnist-edge train`, on noise, in both precisions, in turns of one
step. The ratio is paired: the median over rounds of float32 / bfloat16, with its 95 % interval.
`lab/training/bf16.py` says which of these networks `train` gives to bfloat16 here.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from unittest.mock import patch

import numpy as np
import torch

from mnist_edge.datasets import Split
from mnist_edge.host.machine import has_flag, this_machine
from mnist_edge.intervals import paired_ratio
from mnist_edge.lab.training import bf16
from mnist_edge.lab.training.distributed import ProcessGroup
from mnist_edge.lab.training.models import build
from mnist_edge.lab.training.recipes import recipe_for
from mnist_edge.lab.training.trainer import trial_step
from mnist_edge.lab.training.training_inputs import TrainingInputs
from mnist_edge.types import SIDE

_CPU = torch.device("cpu")
_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", default="edge,resnet20,resnet3")
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    flags = ", ".join(filter(has_flag, _FLAGS)) or "none of these flags"
    print(f"{this_machine().cpu} ({flags}), {args.threads} threads, torch {torch.__version__}")
    for model in args.models.split(","):
        print(_compare(model, args.rounds), flush=True)


def _compare(model: str, rounds: int) -> str:
    steps = [_step(model, in_bf16) for in_bf16 in (False, True)]
    seconds = np.array([[_duration_s(step) for step in steps] for _ in range(rounds + 2)])[2:]
    slow, fast = seconds.T  # (rounds,) each; the first two prepared kernels and memory
    told = f"{model:<10} float32 {statistics.median(slow):.4f} s a step of 128 images, "
    told += f"bfloat16 {statistics.median(fast):.4f} s"
    if ratio := paired_ratio(slow, fast):
        told += f": {ratio.value:.2f} times as fast ({ratio.low:.2f}-{ratio.high:.2f})"
    return f"{told}; train uses {'bf16' if bf16.should_use(build(model), _CPU) else 'fp32'}"


def _step(model: str, in_bf16: bool) -> Callable[[], int]:
    random = np.random.default_rng(0)
    noise = Split(random.integers(0, 256, (128, SIDE, SIDE), np.uint8), np.arange(128) % 10)
    inputs = TrainingInputs(
        recipe=recipe_for(model),
        classes=tuple("0123456789"),
        training=noise,
        validation=noise,
    )
    with patch.object(bf16, "should_use", return_value=in_bf16):
        return trial_step(inputs, ProcessGroup(0, 1, _CPU))


def _duration_s(step: Callable[[], int]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
