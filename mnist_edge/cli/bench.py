"""mnist-edge bench"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnist_edge.cli.options import DataDir, Threads
from mnist_edge.cli.shell import progress_bar, say, show

if TYPE_CHECKING:
    from mnist_edge.benchmark import Benchmark


def bench(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Exported files [default: all of exported/].", show_default=False),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(help="Another data set than the files' own.", show_default=False),
    ] = None,
    data_dir: DataDir = None,
    threads: Threads = 1,
    duration: Annotated[
        float, typer.Option(min=0, help="Seconds of timed calls, at least, per contender.")
    ] = 2.0,
    seed: Annotated[int, typer.Option(min=0, help="Of the order within rounds.")] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write everything, raw samples too, as JSON.")
    ] = None,
) -> None:
    """Measure accuracy and speed on this CPU, against the original where it is here.

    All contenders are timed in one run, interleaved in random order, on test images.
    """
    from mnist_edge import benchmark, shipped
    from mnist_edge.files import write_atomically
    from mnist_edge.report import record
    from mnist_edge.stopwatch import Protocol

    contenders = benchmark.gather(files or shipped.files(), Path("runs"))
    data = benchmark.find_data(contenders, dataset, data_dir)
    with progress_bar() as tell:
        result = benchmark.run(
            contenders,
            data,
            threads,
            Protocol(duration_s=duration, seed=seed),
            lambda what, fraction: tell(what, fraction, 1.0),
        )
    _show(result)
    if json_file:
        write_atomically(json_file, json.dumps(record.benchmark(result)) + "\n")
        say(f"wrote {json_file}")


def _show(result: "Benchmark") -> None:
    from mnist_edge.report import advice, table

    show(table.benchmark(result))
    say(table.BENCHMARK_UNITS)
    machine = result.machine
    flags = f" ({', '.join(machine.flags)})" if machine.flags else ""
    say(
        f"\n{machine.cpu}{flags}, {machine.cores} core{'s' * (machine.cores > 1)}, "
        f"{result.threads} thread{'s' * (result.threads > 1)}; "
        f"onnxruntime {machine.packages.get('onnxruntime', 'of unknown version')}"
    )
    counts = [len(entry.single.samples_us) for entry in result.entries]
    say(f"{min(counts):,} calls each, interleaved; {result.images}")
    if any(entry.recorded for entry in result.entries):
        say("* as recorded in the file: its data set is not here ('mnist-edge data' fetches MNIST)")
    for line in advice.lines(result):
        say(line)
