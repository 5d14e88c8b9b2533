"""The classic projects trained again: each experiment's runs, and what they came to."""

from collections.abc import Callable
from dataclasses import asdict

import torch

from mnist_edge.experiment_results import ExperimentResult, Findings, FinishedRun, PlannedRun
from mnist_edge.lab.reproduce import best, classics, depth, shortcuts
from mnist_edge.lab.reproduce.experiments import Run
from mnist_edge.lab.reproduce.session import Finished
from mnist_edge.lab.reproduce.session import Request as Request
from mnist_edge.lab.reproduce.session import Work as Work

_CONCLUSIONS: dict[str, Callable[[Work, Request], Findings]] = {
    "three-block": classics.three_block,
    "resnet18-one-epoch": classics.one_epoch,
    "depth": depth.conclude,
    "shortcuts": shortcuts.conclude,
    "best": best.conclude,
}


def conclude(work: Work, request: Request) -> ExperimentResult:
    """What an experiment's finished runs came to; their files are exported for it."""
    findings = _CONCLUSIONS[work.experiment.name](work, request)
    size = work.options.size if work.experiment.sized else None
    return ExperimentResult(
        experiment=work.experiment,
        options=asdict(work.options) | {"size": size},
        dataset=work.data.name,
        images={
            "training": len(work.training),
            "validation": len(work.validation),
            "test": len(work.data.test),
        },
        device=work.group.device.type,
        torch=str(torch.__version__),
        planned=tuple(_planned(run, len(work.training)) for run in work.runs),
        runs=tuple(map(_finished, work.finished())),
        findings=findings,
    )


def _planned(run: Run, images: int) -> PlannedRun:
    recipe = run.recipe
    return PlannedRun(run.name, recipe.model, min(recipe.images or images, images), recipe.epochs)


def _finished(one: Finished) -> FinishedRun:
    return FinishedRun(
        name=one.run.name,
        part=one.run.part,
        recipe=one.checkpoint.recipe.as_dict(),
        trained=one.checkpoint.trained,
        history=one.checkpoint.history,
        test=one.accuracy,
        validation=one.validation,
        duration_s=one.duration_s,
    )
