"""Stage 1: it trains on the device, in the precision and layout that it says, and what it leaves
opens, resumes and exports without a GPU."""

import math
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.gpu.plan import Ended, Finding, Plan, edge, edge_interrupted
from mnist_edge.datasets import load
from mnist_edge.lab.training.checkpoint import load_checkpoint
from mnist_edge.lab.training.distributed import ProcessGroup
from mnist_edge.lab.training.recipes import recipe_for
from mnist_edge.lab.training.trainer import Trainer
from mnist_edge.lab.training.training_inputs import TrainingInputs
from mnist_edge.metrics import Accuracy

_EPOCHS = 3
_TINY_EPOCHS = 6  # so short that Ctrl-C would come too late for three
_LEFT_BYTES = 4 << 30  # of the GPU's memory, for the training that is to run out of it
_LARGE = ("resnet56", 55_000)  # about 2.7 MB of activations for each image


def measure(plan: Plan) -> Iterator[Finding]:
    """Train, stop, resume, export; see what the tensors are."""
    model = "edge-xs" if plan.tiny else "edge"
    common = ("--model", model, "--dataset", plan.dataset)
    epochs = 1 if plan.tiny else _EPOCHS
    runs = plan.out / "runs"
    shutil.rmtree(runs, ignore_errors=True)

    def trained(device: str) -> dict[str, Any]:
        return _train(
            edge(
                "train", *common, "--epochs", epochs, "--device", device,
                "--out", runs / device, "--json", gpu=device != "cpu",
            )
        )  # fmt: skip

    yield "tensors", tensors(plan, model)
    yield "accelerations", agreement(plan, model)
    with ThreadPoolExecutor(1) as pool:
        on_cpu = pool.submit(trained, "cpu")  # beside the other, which leaves the CPU time
        if plan.device != "cpu":
            yield f"trained on {plan.device}", trained(plan.device)
        yield "trained on cpu", on_cpu.result()
    with ThreadPoolExecutor(1) as pool:
        exported = pool.submit(_export, plan, runs / plan.device)  # it needs no GPU
        yield "Ctrl-C", _interrupt(plan, common, runs / "stopped")
        yield "resumed", _resume(plan, runs / "stopped", plan.device, gpu=True)
        yield "exported without a GPU", exported.result()
    if plan.device == "cuda":
        yield "resumed on a CPU", _resume(plan, runs / "stopped-cpu", "cpu", gpu=False)
        yield "out of memory", _run_out_of_memory(plan)


def tensors(plan: Plan, model: str) -> dict[str, Any]:
    """Types and memory layout of every convolution's output and weights in one real step."""
    trainer = _trainer(plan, model, "eager")
    seen = list[Tensor]()
    for layer in trainer.network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda layer, inputs, output: seen.append(output))
    trainer.network.train()
    trainer.step(torch.arange(trainer.batch, device=plan.device), 0)
    images = [tensor for tensor in seen if tensor.shape[2] > 1]
    layout = torch.channels_last
    weights = [p for p in trainer.network.parameters() if p.ndim == 4]
    return {
        "convolutions": len(seen),
        "types of their outputs": sorted({str(tensor.dtype) for tensor in seen}),
        "types of their weights": sorted({str(weight.dtype) for weight in weights}),
        "outputs in channels_last": sum(t.is_contiguous(memory_format=layout) for t in images),
        "outputs that have a layout": len(images),
        "weights in channels_last": sum(w.is_contiguous(memory_format=layout) for w in weights),
        "device": str(seen[0].device),
    }


def agreement(plan: Plan, model: str) -> dict[str, Any]:
    """One epoch by each way to launch a step: the same draws, and so nearly the same weights."""
    found = dict[str, Any]()
    for acceleration in ("eager", "cuda-graph", "compile+cuda-graph"):
        if acceleration.startswith("compile") and plan.tiny:
            continue
        result = _trainer(plan, model, acceleration).epoch(0, lambda step: None)
        found[acceleration] = {
            "loss": result.loss,
            "validation accuracy": result.validation_accuracy,
            "images/s, start included": result.images_per_s,
        }
    return found


def _trainer(plan: Plan, model: str, acceleration: str) -> Trainer:
    """On the images of the set alone: what is drawn beside them takes a CPU seconds."""
    data = load(plan.dataset)
    recipe = replace(recipe_for(model, plan.dataset), synthetic_share=0.0, outlier_share=0.0)
    group = ProcessGroup(0, 1, torch.device(plan.device))
    return Trainer(TrainingInputs.of(recipe, data), group, acceleration=acceleration)


def _train(ended: Ended) -> dict[str, Any]:
    if ended.code:
        return {"exit code": ended.code, "error": ended.last}
    said = ended.json
    test = Accuracy(said["test"]["correct"], said["test"]["total"])
    return {
        "exit code": 0,
        "losses": [epoch["loss"] for epoch in said["history"]],
        "finite": all(math.isfinite(epoch["loss"]) for epoch in said["history"]),
        "images/s of each epoch": [round(epoch["images_per_s"]) for epoch in said["history"]],
        "test accuracy": test.value,
        "95 % interval": list(test.interval),
        "device": said["trained"]["device"],
        "precision": said["trained"]["precision"],
    }


def _export(plan: Plan, run: Path) -> dict[str, Any]:
    """The parity gate, in a process that sees no GPU: not one prediction may change."""
    ended = edge("export", run, "--out", plan.out / "exported", "--force", "--json", gpu=False)
    if ended.code:
        return {"exit code": ended.code, "error": ended.last}
    (file,) = ended.json["files"]
    against = file["against_original"]
    names = ("changed", "total", "accuracy_before", "accuracy_after", "max_logit_difference")
    return {"exit code": 0} | {name: against[name] for name in names}


def _interrupt(plan: Plan, common: tuple[str, ...], run: Path) -> dict[str, Any]:
    ended = edge_interrupted(
        "train", *common, "--epochs", _TINY_EPOCHS if plan.tiny else _EPOCHS,
        "--device", plan.device, "--out", run,
        after="epoch ",
    )  # fmt: skip
    shutil.copytree(run, run.with_name("stopped-cpu"), dirs_exist_ok=True)
    return {
        "exit code": ended.code,
        "said": ended.last,
        "epochs saved": load_checkpoint(run).epochs_done,
    }


def _resume(plan: Plan, run: Path, device: str, gpu: bool) -> dict[str, Any]:
    before = load_checkpoint(run)
    ended = edge("train", "--resume", "--device", device, "--out", run, "--json", gpu=gpu)
    if ended.code:
        return {"exit code": ended.code, "error": ended.last}
    numbers = [epoch["epoch"] for epoch in ended.json["history"]]
    return {
        "exit code": 0,
        "epochs before": before.epochs_done,
        "epochs after": len(numbers),
        "none twice, none lost": numbers == list(range(1, before.recipe.epochs + 1)),
        "test accuracy": ended.json["test"]["correct"] / ended.json["test"]["total"],
    }


def _run_out_of_memory(plan: Plan) -> dict[str, Any]:
    """A batch that cannot fit, beside a program that holds most of the memory."""
    free, _ = torch.cuda.mem_get_info()
    held = torch.empty(max(0, free - _LEFT_BYTES), dtype=torch.uint8, device="cuda")
    model, batch = _LARGE
    ended = edge(
        "train", "--model", model, "--dataset", plan.dataset, "--epochs", 1, "--device", "cuda",
        "--batch-size", batch, "--out", plan.out / "runs" / "large",
    )  # fmt: skip
    del held
    torch.cuda.empty_cache()
    errors = [line for line in ended.err.splitlines() if line.startswith("error:")]
    return {
        "exit code": ended.code,
        "one line": len(errors) == 1 and "Traceback" not in ended.err,
        "said": ended.last,
    }
