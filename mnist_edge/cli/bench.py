"""mnist-edge bench"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnist_edge.catalogue import BACKENDS
from mnist_edge.cli import bench_options, bench_output
from mnist_edge.cli.console import INTERRUPTED, echo, print_table, progress_bar
from mnist_edge.cli.options import MODELS_HELP, DataDir, Threads, split_names
from mnist_edge.errors import EdgeError

if TYPE_CHECKING:
    from mnist_edge.backends import Contender, Discovery, ForeignOptions
    from mnist_edge.benchmark import Benchmark, Data, Plan

_NOISY, _SATURATES, _SLOWER = 3, 4, 5
"""Exit codes of their own, beside 1 for an error and 2 for a usage error."""


def bench(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help=MODELS_HELP, show_default=False),
    ] = None,
    contender: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RUNTIME",
            help=f"{', '.join(BACKENDS)}, or all that are installed; several with commas "
            "[default: onnxruntime, and pytorch where the original is here].",
            show_default=False,
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(help="Another data set than the files' own.", show_default=False),
    ] = None,
    data_dir: DataDir = None,
    duration: Annotated[
        float, typer.Option(min=0, help="Seconds of timed calls for each contender.")
    ] = 10.0,
    batch: Annotated[
        str, typer.Option(metavar="N,…", help="Images a call; they share the duration.")
    ] = "1,8,64",
    threads: Threads = 1,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            metavar="HZ",
            help="Also a paced run, one image at this rate, as a camera's frames come.",
            show_default=False,
        ),
    ] = None,
    cold: Annotated[
        bool, typer.Option("--cold", help="Also from process start to the first answer.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the order within rounds.")] = 0,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit code 3 when the machine was noisy.")
    ] = False,
    record_it: Annotated[
        bool,
        typer.Option(
            "--record", help="Write each file's latency into its manifest.json and model card."
        ),
    ] = False,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json",
            metavar="FILE",
            help="Write everything, raw samples too; - is stdout, and no tables then.",
        ),
    ] = None,
    markdown_file: Annotated[
        Path | None,
        typer.Option("--markdown", metavar="FILE", help="Write the tables; - is stdout."),
    ] = None,
    html_file: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write one page with tables and charts."),
    ] = None,
    plot_file: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Draw accuracy over latency, and latencies: .png or .svg.",
        ),
    ] = None,
    compare: Annotated[
        Path | None,
        typer.Option(
            metavar="OLD.json", help="Tell what changed since an earlier --json of this machine."
        ),
    ] = None,
    fail_slower: Annotated[
        str | None,
        typer.Option(metavar="10%", help="With --compare: exit code 5 when one is slower by more."),
    ] = None,
    loadgen: Annotated[
        str | None,
        typer.Option(
            metavar="SCENARIO",
            help="Drive the contenders by MLCommons LoadGen instead: single-stream, multi-stream, "
            "server (needs --rate) or offline.",
            show_default=False,
        ),
    ] = None,
    loadgen_logs: Annotated[Path, typer.Option(help="Where LoadGen's logs go.")] = Path("loadgen"),
    input_scale: Annotated[
        str | None,
        typer.Option(
            metavar="X",
            help="Files of others: input = (pixel - mean) × scale, pixels 0..255, one number or "
            "those of red, green and blue: X,X,X [default: guess].",
            show_default=False,
        ),
    ] = None,
    input_mean: Annotated[
        str | None, typer.Option(metavar="X", help="See --input-scale.", show_default=False)
    ] = None,
    bgr: Annotated[
        bool | None,
        typer.Option(
            "--bgr/--rgb",
            help="Files of others: the order of their channels [default: guess].",
            show_default=False,
        ),
    ] = None,
    invert: Annotated[
        bool | None,
        typer.Option(
            "--invert/--no-invert",
            help="Files of others: ink is dark on light [default: guess].",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Measure accuracy and speed on this CPU, beside the original.

    All contenders are timed in one run, interleaved in random order, on test images. Any ONNX
    classifier of images of 16 to 96 pixels a side, grey or RGB, can be measured too.
    """
    from mnist_edge import backends, benchmark
    from mnist_edge.benchmark import compare as comparison
    from mnist_edge.report import record_latency

    limit = bench_options.parse_limit(fail_slower, compare)
    bench_options.check_finite(duration, rate)
    plan = benchmark.Plan(threads, duration, bench_options.parse_batches(batch), rate, cold, seed)
    outputs = {
        "--json": json_file,
        "--markdown": markdown_file,
        "--html": html_file,
        "--plot": plot_file,
    }
    if loadgen:
        bench_options.check_loadgen(outputs, compare, cold, strict, record_it)
    bench_options.check_outputs(outputs)
    old = bench_options.read_earlier(compare, plan)
    examples = cache(lambda shape: benchmark.load_examples(dataset, data_dir, shape))
    scaling = bench_options.parse_scaling(input_scale, input_mean)
    foreign = backends.ForeignOptions(examples, dataset or "mnist", *scaling, invert, bgr)
    found = _find_contenders(files, split_names(contender or ()) or None, foreign)
    logs = loadgen_logs if loadgen else None
    bench_options.check_writable(outputs, logs, found.contenders, compare)
    if record_it:
        record_latency.check(found.contenders, plan)
    running, data, unfit = benchmark.match_data(found.contenders, dataset, data_dir)
    if old:
        comparison.check_common(old, running, plan.batches)
    refused = (*found.refused, *unfit)
    bench_output.print_foreign_inputs(found.foreign_inputs, outputs)
    bench_output.print_errors(refused)
    if loadgen:
        _run_loadgen(running, data, plan, loadgen, loadgen_logs)
        raise typer.Exit(1 if refused else 0)
    with progress_bar() as progress:
        result = benchmark.run(running, data, plan, progress, found.missing)
    bench_output.print_errors(result.refused)
    result = replace(result, refused=(*map(str, refused), *result.refused))
    changes = bench_output.show(result, outputs, record_it, old, limit)
    _end(result, strict, any(change.slower(limit) for change in changes if limit is not None))


def _find_contenders(
    files: list[Path] | None, runtimes: tuple[str, ...] | None, foreign: "ForeignOptions"
) -> "Discovery":
    from mnist_edge import backends
    from mnist_edge.model_file import model_paths

    absent: list[EdgeError] = []
    named = model_paths.find_all(files, absent)
    return backends.find_contenders(named, Path("runs"), runtimes, foreign, absent)


def _run_loadgen(
    contenders: "Sequence[Contender]", data: "Data", plan: "Plan", scenario: str, logs: Path
) -> None:
    from mnist_edge import benchmark
    from mnist_edge.benchmark import loadgen
    from mnist_edge.report.loadgen import notes, table

    images = benchmark.TimingImages.choose(contenders, data)
    results: list[loadgen.LoadResult] = []
    with progress_bar() as progress:
        for contender, name in zip(contenders, loadgen.folder_names(contenders), strict=True):
            progress(f"LoadGen, {scenario}", len(results), len(contenders))
            results.append(
                loadgen.run(
                    contender,
                    images.of(contender),
                    scenario,
                    plan.threads,
                    plan.duration_s,
                    plan.rate_hz,
                    logs,
                    max(plan.batches),
                    name,
                )
            )
    print_table(table(results))
    for line in notes(results):
        echo(line)
    echo(f"{images.source}; LoadGen's own logs are in {logs}/")


def _end(result: "Benchmark", strict: bool, slower: bool) -> None:
    """The exit code says the worst of what was found."""
    findings = [entry.findings for entry in result.entries if entry.findings]
    if result.stopped:
        raise typer.Exit(INTERRUPTED)
    if result.refused:
        raise typer.Exit(1)
    if any(found.saturates for found in findings):
        raise typer.Exit(_SATURATES)
    if strict and not result.noise.trusted:
        raise typer.Exit(_NOISY)
    if slower:
        raise typer.Exit(_SLOWER)
