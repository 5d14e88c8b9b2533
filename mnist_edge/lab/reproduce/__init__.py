"""The classic projects trained again: each experiment's runs, and what they came to."""

from mnist_edge.lab.reproduce import best, classics, depth, shortcuts
from mnist_edge.lab.reproduce.outcome import Conclude, Outcome
from mnist_edge.lab.reproduce.outcome import Request as Request
from mnist_edge.lab.reproduce.work import Work as Work

_CONCLUSIONS: dict[str, Conclude] = {
    "three-block": classics.three_block,
    "resnet18-one-epoch": classics.one_epoch,
    "depth": depth.conclude,
    "shortcuts": shortcuts.conclude,
    "best": best.conclude,
}


def conclude(work: Work, request: Request) -> Outcome:
    """What an experiment's finished runs came to, with the files that it exports."""
    return _CONCLUSIONS[work.experiment.name](work, request)
