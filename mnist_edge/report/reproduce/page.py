"""An experiment's result as it is read: in the terminal, as a page of Markdown, as curves."""

from collections.abc import Sequence

import mnist_edge
from mnist_edge.experiment_results import Depth, ExperimentResult, FinishedRun
from mnist_edge.host.machine import Machine
from mnist_edge.report import formatting, markdown_elements, training_curves
from mnist_edge.report.grid import Grid, Section
from mnist_edge.report.reproduce import findings


def sections(result: ExperimentResult) -> list[Section]:
    """Everything there is to read, the setting first, then the figures, then the runs."""
    total_s, names = sum(one.duration_s for one in result.runs), {one.name for one in result.runs}
    setting = _setting_lines(result)
    if not result.is_as_claimed:
        setting.append(_why_no_claim(result))
    if left := [run.name for run in result.planned if run.name not in names]:
        setting.append(f"not trained yet: {', '.join(left)}")
    return [
        Section(result.experiment.what, None, tuple(setting)),
        *findings.sections(result.findings, result.experiment.claims),
        Section("runs", _runs(result.runs), (f"trained in {formatting.duration(total_s)} in all",)),
    ]


def plots(result: ExperimentResult) -> dict[str, bytes]:
    """What is drawn of a result, by its name."""
    if not isinstance(result.findings, Depth):
        return {}
    size, first = result.options["size"], result.planned[0]
    title = f"{result.dataset}, {size} size: {first.images:,} images, {first.epochs} epochs"
    return {findings.CURVES: training_curves.plot_depths(result.findings.errors, title)}


def page(
    result: ExperimentResult, command: str, at: str, machine: Machine, drawn: Sequence[str]
) -> str:
    """Markdown; `drawn` are names of pictures beside it, `at` is when, in ISO 8601."""
    lines = [f"# {result.experiment.name}", "", f"Made by `{command}`.", ""]
    lines += [f"![{name}]({name})" for name in drawn]
    lines += [""] * bool(drawn)
    where = (
        f"{machine.cpu}, {formatting.count(machine.cores, 'core')}, "
        f"{machine.system}{', a virtual machine' if machine.virtual else ''}",
        f"finished at {at.replace('T', ' ').replace('+00:00', ' UTC')}; "
        f"mnist-edge {mnist_edge.__version__}, torch {result.torch}, "
        f"onnxruntime {machine.packages.get('onnxruntime', '-')}",
    )
    lines += markdown_elements.sections([*sections(result), Section("machine", None, where)])
    return "\n".join(lines).rstrip() + "\n"


def _setting_lines(result: ExperimentResult) -> list[str]:
    size = f", {result.options['size']} size" if result.experiment.sized else ""
    return [
        f"source: {result.experiment.source}",
        f"trained: {result.experiment.trains}",
        f"on {result.dataset}{size}: {'; '.join(_run_sizes(result))}; "
        f"{result.images['validation']:,} of the training images are held out for validation",
    ]


def _why_no_claim(result: ExperimentResult) -> str:
    """In what it is another training than that which the claims or aims are of."""
    dataset, epochs = result.options["dataset"], result.options["epochs"]
    other = []
    if result.experiment.of_mnist and dataset != "mnist":
        other.append(f"on {dataset}, not on mnist")
    if epochs is not None:
        other.append(
            f"{formatting.count(epochs, 'epoch')}, as asked for, in place of the recipe's own"
        )
    return f"a try, and not the recipe itself: {'; '.join(other)}"


def _run_sizes(result: ExperimentResult) -> list[str]:
    """How many images and epochs each run has; by their models, where these differ in it."""
    models: dict[str, list[str]] = {}
    for run in result.planned:
        amount = f"{run.images:,} training images, {formatting.count(run.epochs, 'epoch')}"
        models.setdefault(amount, []).append(run.model)
    if len(models) == 1:
        return list(models)
    return [f"{', '.join(dict.fromkeys(names))}: {amount}" for amount, names in models.items()]


def _runs(found: Sequence[FinishedRun]) -> Grid:
    rows = [
        (
            one.name,
            str(one.trained.get("device", "")),
            str(one.trained.get("precision", "")),
            str(one.trained.get("threads", "")),
            str(one.recipe["seed"]),
            str(one.recipe["epochs"]),
            formatting.percent(one.test.value),
            formatting.interval(one.test),
            formatting.duration(one.duration_s),
        )
        for one in found
    ]
    columns = ("run", "device", "in", "threads", "seed", "epochs", "test", "95 %", "trained in")
    return Grid(columns, tuple(rows), left=3)
