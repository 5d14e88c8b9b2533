"""What an experiment's finished runs came to: accuracies beside claims and targets, cost, files."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

import numpy as np
import torch
from numpy.typing import NDArray

from mnist_edge import metrics
from mnist_edge.catalogue import SHORTCUTS, Claim
from mnist_edge.experiment_results import (
    Best,
    Degradation,
    Depth,
    ErrorCurves,
    ExperimentResult,
    ExportedRun,
    Findings,
    FinishedRun,
    OneEpoch,
    Part,
    PlannedRun,
    Shortcuts,
    Target,
    ThreeBlock,
    Timed,
)
from mnist_edge.lab.reproduce.experiments import DEPTH_NETWORKS, Run
from mnist_edge.lab.reproduce.exports import Exporter, time_files
from mnist_edge.lab.reproduce.session import Session, TrainedRun, by_part
from mnist_edge.lab.training.layer_summary import cost, layers
from mnist_edge.lab.training.models import build
from mnist_edge.seed_statistics import ClaimCheck, Spread

_CLEAR = 1.96  # standard errors: 95 %
_TARGETS = {
    "resnet3": Target(0.9975),
    "edge": Target(0.9970, time=1.0),
    "edge-xs": Target(0.995, time=0.65, params=20_000, int8_bytes=40_000),
}


def conclude(session: Session, exporter: Exporter) -> ExperimentResult:
    """What an experiment's finished runs came to; their files are exported for it."""
    images, runs = len(session.data.training), session.trained_runs()
    size = session.options.size if session.experiment.sized else None
    return ExperimentResult(
        experiment=session.experiment,
        options=asdict(session.options) | {"size": size},
        dataset=session.data.name,
        images={
            "training": images,
            "validation": len(session.data.validation),
            "test": len(session.data.test),
        },
        device=session.group.device.type,
        torch=str(torch.__version__),
        planned=tuple(_planned_run(run, images) for run in session.runs),
        runs=tuple(map(_finished_run, runs)),
        findings=_FINDINGS[session.experiment.name](session, runs, exporter),
    )


def _planned_run(run: Run, images: int) -> PlannedRun:
    recipe = run.recipe
    return PlannedRun(run.name, recipe.model, min(recipe.images or images, images), recipe.epochs)


def _finished_run(one: TrainedRun) -> FinishedRun:
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


def _three_block(session: Session, runs: Sequence[TrainedRun], exporter: Exporter) -> ThreeBlock:
    """The layers, the accuracy beside the claim, and the files."""
    (claim,) = session.experiment.claims
    network = build(runs[0].run.recipe.model, len(session.data.classes))
    return ThreeBlock(
        layers=tuple(layers(network)),
        accuracy=_accuracy(runs),
        check=_check(session, claim, runs),
        exported=exporter.export_best(runs),
    )


def _one_epoch(session: Session, runs: Sequence[TrainedRun], exporter: Exporter) -> OneEpoch:
    """Accuracy and macro F1 beside the claims, the answers of every class, and the files."""
    of_accuracy, _ = session.experiment.claims
    counts = {one.run.name: _confusion(one, session) for one in runs}
    return OneEpoch(
        accuracy=_accuracy(runs),
        macro_f1=Spread.of([metrics.per_class(one).macro.f1 for one in counts.values()]),
        check=_check(session, of_accuracy, runs),
        classes=session.data.classes,
        confusions=counts,
        exported=exporter.export_best(runs),
    )


def _accuracy(runs: Sequence[TrainedRun]) -> Spread:
    return Spread.of([one.accuracy.value for one in runs])


def _confusion(one: TrainedRun, session: Session) -> NDArray[np.int64]:
    """Of the test split, counts, int64 (classes, classes)."""
    test = session.data.test
    answers = one.checkpoint.trained_network().predict_logits(test.images).argmax(axis=1)
    return metrics.confusion(answers, test.labels, len(session.data.classes))


def _check(session: Session, claim: Claim, runs: Sequence[TrainedRun]) -> ClaimCheck | None:
    """None where the claim was made of something else."""
    if not session.is_as_claimed:
        return None
    return ClaimCheck.of(claim, [one.accuracy for one in runs])


def _depth(session: Session, runs: Sequence[TrainedRun], exporter: Exporter) -> Depth:
    """Do deeper networks train worse (He et al. 2015)? The errors, and what follows from them once
    all four networks are trained."""
    tested = len(session.data.test)
    errors = {one.run.name: ErrorCurves.of(one.checkpoint.history, tested) for one in runs}
    if len(errors) < len(DEPTH_NETWORKS):
        return Depth(errors, None)
    last = {name: one.training[-1] for name, one in errors.items()}
    return Depth(errors, degradation(last, _images_per_epoch(session)))


def degradation(training: Mapping[str, float], images: int) -> Degradation:
    """What the four final training errors, in 0..1, each of so many images, say."""
    plain = _is_worse(training["plain56"], training["plain20"], images)
    residual = _is_worse(training["resnet56"], training["resnet20"], images)
    return Degradation(plain, residual, training)


def _is_worse(deep: float, shallow: float, images: int) -> bool:
    """Whether the deeper one's error is larger by more than the noise of so many images each, by
    the two-proportion z test."""
    pooled = (deep + shallow) / 2
    return deep - shallow > _CLEAR * math.sqrt(2 * pooled * (1 - pooled) / images)


def _images_per_epoch(session: Session) -> int:
    """How many images the training error of one epoch is of."""
    recipe, own = session.runs[0].recipe, len(session.data.training)
    count = min(recipe.images or own, own)
    batch = min(recipe.batch_size, count)
    return count // batch * batch


def _shortcuts(session: Session, runs: Sequence[TrainedRun], exporter: Exporter) -> Shortcuts:
    """Zeros for the new channels (A), or a 1×1 projection (B)? Accuracy over the seeds, cost, and
    the time of the best seeds' files."""
    parts, classes = by_part(runs), len(session.data.classes)
    exported = exporter.export_parts(parts)
    exporter.progress("timing the files", 0, 0)
    return Shortcuts(
        accuracies={kind: _accuracy(of_kind) for kind, of_kind in parts.items()},
        costs={kind: cost(build("resnet20", classes, kind)) for kind in SHORTCUTS},
        plain_params=cost(build("plain20", classes)).params,
        exported=exported,
        timed=time_files(exporter.paths(exported)),
    )


def _best(session: Session, runs: Sequence[TrainedRun], exporter: Exporter) -> Best:
    """Our own recipes: accuracies beside their targets, what a teacher adds, the files and their
    times."""
    parts, timed = by_part(runs), dict[str, Timed]()
    exported = exporter.export_parts(parts)
    if exporter.against:
        exporter.progress("timing the files", 0, 0)
        files = {exporter.against.name: exporter.against} | exporter.paths(exported)
        timed = time_files(files)
    teachers = [one.run.teacher.name for one in runs if one.run.teacher]
    return Best(
        parts={name: _part(name, parts[name], exported[name], timed) for name in parts},
        teacher=teachers[0] if teachers else None,
        timed=timed,
    )


def _part(
    name: str, runs: Sequence[TrainedRun], exported: ExportedRun, timed: Mapping[str, Timed]
) -> Part:
    model, names = runs[0].run.recipe.model, exported.names_in(name)
    return Part(
        model=model,
        accuracy=_accuracy(runs),
        target=_TARGETS[model],
        exported=exported,
        taught=runs[0].run.teacher is not None,
        fastest=min(names, key=lambda file: timed[file].p50_us) if timed else None,
    )


_FINDINGS: dict[str, Callable[[Session, Sequence[TrainedRun], Exporter], Findings]] = {
    "three-block": _three_block,
    "resnet18-one-epoch": _one_epoch,
    "depth": _depth,
    "shortcuts": _shortcuts,
    "best": _best,
}
