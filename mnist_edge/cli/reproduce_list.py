"""The experiments of mnist-edge reproduce, listed, and how long each takes here."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mnist_edge.catalogue import EXPERIMENTS
from mnist_edge.cli.console import echo, echo_json, progress_bar

if TYPE_CHECKING:
    from mnist_edge.catalogue import Experiment
    from mnist_edge.lab.reproduce.experiments import Options


def show_list(as_json: bool) -> None:
    """The experiments: nothing of it needs PyTorch."""
    if as_json:
        echo_json([_values(one) for one in EXPERIMENTS.values()])
        return
    for one in EXPERIMENTS.values():
        _tell(one)
        echo("")
    echo("how long each takes here: mnist-edge reproduce --list --time")
    echo("train one: mnist-edge reproduce NAME")


def show_times(options: "Options", device: str, as_json: bool) -> None:
    """The experiments, and how long each takes here."""
    from mnist_edge.lab.reproduce.estimate import estimate_experiments
    from mnist_edge.lab.training.distributed import process_group

    with process_group(device) as group, progress_bar() as progress:
        spent = estimate_experiments(options, group, progress)
    if as_json:
        echo_json(
            [_values(one) | {"estimate_s": round(spent[one.name])} for one in EXPERIMENTS.values()]
        )
        return
    for one in EXPERIMENTS.values():
        _tell(one)
        size = f", {options.size} size" if one.sized else ""
        seeds = one.seeds and (options.seeds or one.seeds)
        over = f", {seeds} seed{'s' * (seeds > 1)}" if seeds else ""
        echo(f"  takes    about {about(spent[one.name])} here, on {options.dataset}{size}{over}")
        echo("")
    echo("train one: mnist-edge reproduce NAME")


def _tell(one: "Experiment") -> None:
    echo(f"{one.name}: {one.what}")
    echo(f"  source   {one.source}")
    if one.claims:
        claims = "; ".join(f"{claim.figure} {claim.of}" for claim in one.claims)
        echo(f"  claimed  {claims}")
    echo(f"  trains   {one.trains}")


def _values(one: "Experiment") -> dict[str, Any]:
    return {
        "name": one.name,
        "what": one.what,
        "source": one.source,
        "claims": [asdict(claim) for claim in one.claims],
        "trains": one.trains,
        "sized": one.sized,
        "seeds": one.seeds,
    }


def about(seconds: float) -> str:
    """40 s, 12 min, 3 h 20 min"""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
