"""Where a block changes shape: zeros for the new channels (A), or a 1×1 projection (B)?"""

from mnist_edge.catalogue import SHORTCUTS
from mnist_edge.experiment_results import Shortcuts
from mnist_edge.lab.reproduce import timing
from mnist_edge.lab.reproduce.exports import export_best, paths
from mnist_edge.lab.reproduce.session import Request, Work, by_part
from mnist_edge.lab.training.models import build, cost
from mnist_edge.seed_statistics import Spread

_MODEL, _PLAIN = "resnet20", "plain20"


def conclude(work: Work, request: Request) -> Shortcuts:
    """Accuracy over the seeds, cost, and the time of the best seeds' files."""
    parts, classes = by_part(work.finished()), len(work.data.classes)
    exported = export_best(work, parts, request)
    request.tell("timing the files", 0, 0)
    return Shortcuts(
        accuracies={kind: Spread.of([one.accuracy.value for one in parts[kind]]) for kind in parts},
        costs={kind: cost(build(_MODEL, classes, kind)) for kind in SHORTCUTS},
        plain_params=cost(build(_PLAIN, classes)).params,
        exported=exported,
        timed=timing.time_files(paths(work, exported)),
    )
