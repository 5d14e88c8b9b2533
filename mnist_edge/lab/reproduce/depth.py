"""Do deeper networks train worse? Plain ones against residual ones (He et al. 2015)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mnist_edge.lab.reproduce import curves
from mnist_edge.lab.reproduce.experiments import NETWORKS
from mnist_edge.lab.reproduce.outcome import Outcome, Request
from mnist_edge.lab.reproduce.work import Work
from mnist_edge.report import text
from mnist_edge.report.grid import Grid
from mnist_edge.report.sections import Section

CURVES = "curves.png"
_CLEAR = 1.96  # standard errors: 95 %


@dataclass(frozen=True, slots=True)
class Errors:
    """Of one network, in 0..1: training and test error after every epoch."""

    training: tuple[float, ...]
    test: tuple[float, ...]

    @classmethod
    def of(cls, history: Sequence[Mapping[str, Any]], tested: int) -> "Errors":
        """`tested` is the number of test images. The training error is of the batches as they
        came, augmented, as in the paper."""
        return cls(
            tuple(1 - entry["training_accuracy"] for entry in history),
            tuple(1 - entry["test_correct"] / tested for entry in history),
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether the deeper network of a pair has the larger training error, and not by chance."""

    plain_is_worse: bool
    residual_is_worse: bool
    sentence: str

    @property
    def shown(self) -> bool:
        """The degradation of plain networks, cured by skips."""
        return self.plain_is_worse and not self.residual_is_worse


def conclude(work: Work, request: Request) -> Outcome:
    """The curves, the errors, and what follows from them once all four networks are trained."""
    found = work.finished()
    errors = {one.run.name: Errors.of(one.checkpoint.history, len(work.data.test)) for one in found}
    figures: dict[str, Any] = {"errors": {name: asdict(one) for name, one in errors.items()}}
    lines = [
        "training error: of the last, or the best, epoch's batches as they came, augmented",
        f"curves: {CURVES}",
    ]
    if len(errors) == len(NETWORKS):
        finding = find({name: one.training[-1] for name, one in errors.items()}, _images(work))
        figures["finding"] = asdict(finding) | {"shown": finding.shown}
        lines.insert(0, finding.sentence)
    section = Section("errors", _grid(errors), tuple(lines))
    return Outcome((section,), figures, {CURVES: curves.draw(errors, _title(work))})


def find(training: Mapping[str, float], images: int) -> Finding:
    """What the four final training errors, in 0..1, each of so many images, say."""
    plain = _worse(training["plain56"], training["plain20"], images)
    residual = _worse(training["resnet56"], training["resnet20"], images)
    told = (
        f"{_pair('plain', training, plain)}; {_pair('resnet', training, residual)}: "
        f"{_MEANING[plain, residual]}"
    )
    return Finding(plain, residual, told)


_MEANING = {
    (True, False): "the degradation of He et al. is there, and skips cure it",
    (True, True): "depth degrades both here, and skips do not cure it",
    (False, False): "no degradation shows in this setting",
    (False, True): "the opposite of He et al.: only the residual network degrades",
}


def _pair(kind: str, training: Mapping[str, float], worse: bool) -> str:
    """plain56 trains worse than plain20 (training error 5.2 % against 2.1 %)"""
    deep, shallow = f"{kind}56", f"{kind}20"
    one, other = text.percent(training[deep]), text.percent(training[shallow])
    how = "trains worse" if worse else "does not train worse"
    return f"{deep} {how} than {shallow} (training error {one} against {other})"


def _worse(deep: float, shallow: float, images: int) -> bool:
    """Whether the deeper one's error is larger by more than the noise of so many images each, by
    the two-proportion z test."""
    pooled = (deep + shallow) / 2
    return deep - shallow > _CLEAR * math.sqrt(2 * pooled * (1 - pooled) / images)


def _images(work: Work) -> int:
    """How many images the training error of one epoch is of."""
    recipe = work.runs[0].recipe
    count = min(recipe.images or len(work.training), len(work.training))
    batch = min(recipe.batch_size, count)
    return count // batch * batch


def _grid(errors: Mapping[str, Errors]) -> Grid:
    columns = ("network", "training error", "best", "test error", "best")
    rows = [
        (
            name,
            text.percent(one.training[-1]),
            text.percent(min(one.training)),
            text.percent(one.test[-1]),
            text.percent(min(one.test)),
        )
        for name, one in errors.items()
    ]
    return Grid(columns, tuple(rows))


def _title(work: Work) -> str:
    recipe = work.runs[0].recipe
    count = min(recipe.images or len(work.training), len(work.training))
    return f"{work.data.name}, {work.options.size} size: {count:,} images, {recipe.epochs} epochs"
