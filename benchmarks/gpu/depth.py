"""Stage 6: `mnist-edge reproduce depth` at the paper's size, as far as the time goes."""

import signal
import subprocess
from collections.abc import Iterator

from benchmarks.gpu.plan import TOOL, Finding, Plan, environment
from mnist_edge.lab.training.checkpoint import CHECKPOINT, load_checkpoint

_ENDING_S = 10.0  # for Ctrl-C to save the curves


def measure(plan: Plan) -> Iterator[Finding]:
    """Run the experiment until the time is up, and tell how far each network has come."""
    out = plan.out / "depth"
    size = ("--size", "small", "--epochs", "1", "--dataset", "digits") if plan.tiny else (
        "--size", "full",
    )  # fmt: skip
    command = [*TOOL, "reproduce", "depth", *size, "--device", plan.device, "--out", str(out)]
    child = subprocess.Popen(
        command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        _, said = child.communicate(timeout=1 if plan.tiny else max(1.0, plan.left_s - _ENDING_S))
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=60)
    yield "exit code", child.returncode
    yield "last line", (said.strip().splitlines() or [""])[-1]
    for checkpoint in sorted(out.rglob(CHECKPOINT)):
        saved = load_checkpoint(checkpoint.parent)
        last = saved.history[-1]
        yield (
            checkpoint.parent.name,
            {
                "epochs": f"{saved.epochs_done} of {saved.recipe.epochs}",
                "training error": [1 - epoch["training_accuracy"] for epoch in saved.history],
                "images/s": last["images_per_s"],
            },
        )
