"""The experiments of mnist-edge reproduce, listed, and how long each takes here."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mnist_edge.catalogue import EXPERIMENTS
from mnist_edge.cli.console import echo, echo_json, progress_bar

if TYPE_CHECKING:
    from mnist_edge.catalogue import Experiment
    from mnist_edge.lab.reproduce.experiments import Options


def show_list(as_json: bool, options: "Options | None" = None, device: str = "auto") -> None:
    """The experiments, which needs no PyTorch; with options, how long each takes here too."""
    times = _estimate(options, device) if options else {}
    if as_json:
        seconds = {name: {"estimate_s": round(time_s)} for name, time_s in times.items()}
        echo_json([_values(one) | seconds.get(one.name, {}) for one in EXPERIMENTS.values()])
        return
    for one in EXPERIMENTS.values():
        _show_experiment(one)
        if options:
            echo(f"  takes    about {rough_duration(times[one.name])} {_where(one, options)}")
        echo("")
    if not options:
        echo("how long each takes here: mnist-edge reproduce --list --time")
    echo("train one: mnist-edge reproduce NAME")


def _estimate(options: "Options", device: str) -> dict[str, float]:
    from mnist_edge.lab.reproduce.estimate import estimate_experiments
    from mnist_edge.lab.training.distributed import process_group

    with process_group(device) as group, progress_bar() as progress:
        return estimate_experiments(options, group, progress)


def _where(one: "Experiment", options: "Options") -> str:
    """here, on mnist, small size, 3 seeds"""
    from mnist_edge.report.formatting import count

    size = f", {options.size} size" if one.sized else ""
    seeds = f", {count(options.seeds or one.seeds, 'seed')}" if one.seeds else ""
    return f"here, on {options.dataset}{size}{seeds}"


def _show_experiment(one: "Experiment") -> None:
    echo(f"{one.name}: {one.what}")
    echo(f"  source   {one.source}")
    if one.claims:
        claims = "; ".join(f"{claim.figure} {claim.of}" for claim in one.claims)
        echo(f"  claimed  {claims}")
    echo(f"  trains   {one.trains}")


def _values(one: "Experiment") -> dict[str, Any]:
    values = asdict(one)
    del values["of_mnist"]
    return values


def rough_duration(seconds: float) -> str:
    """40 s, 12 min, 3 h 20 min"""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
