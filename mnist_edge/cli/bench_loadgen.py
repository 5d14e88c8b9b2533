"""mnist-edge bench --loadgen"""

from pathlib import Path
from typing import TYPE_CHECKING

from mnist_edge.cli.console import echo, print_table, progress_bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mnist_edge.backends import Contender
    from mnist_edge.benchmark import Data, Plan


def drive(
    contenders: "Sequence[Contender]",
    data: "Data",
    plan: "Plan",
    scenario: str,
    logs: Path,
) -> None:
    from mnist_edge import benchmark
    from mnist_edge.benchmark import loadgen
    from mnist_edge.report import loadgen as load

    images, described = benchmark.timing_images(data)
    results: list[loadgen.LoadResult] = []
    with progress_bar() as progress:
        for contender, name in zip(contenders, loadgen.folder_names(contenders), strict=True):
            progress(f"LoadGen, {scenario}", len(results), len(contenders))
            results.append(
                loadgen.run(
                    contender,
                    images,
                    scenario,
                    plan.threads,
                    plan.duration_s,
                    plan.rate_hz,
                    logs,
                    max(plan.batches),
                    name,
                )
            )
    print_table(load.table(results))
    for line in load.notes(results):
        echo(line)
    echo(f"{described}; LoadGen's own logs are in {logs}/")
