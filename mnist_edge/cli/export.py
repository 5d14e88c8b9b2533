"""mnist-edge export"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnist_edge.cli.options import AsJson, DataDir
from mnist_edge.cli.shell import progress_bar, say, say_json
from mnist_edge.errors import EdgeError

if TYPE_CHECKING:
    from mnist_edge.lab.export import Exported


def export(
    run: Annotated[
        Path | None,
        typer.Argument(help="A run's folder [default: the newest in runs/].", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the file goes.")] = Path("exported"),
    data_dir: DataDir = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Also quantize (not available yet).")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a better file.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a trained model as one ONNX file, and check it against the original.

    The file and the PyTorch network answer the whole test split; unless all answers are the same,
    nothing is written.
    """
    if int8:
        raise EdgeError("--int8 is not available in this version: leave it away for fp32")
    from mnist_edge.datasets import load
    from mnist_edge.lab import checkpoint
    from mnist_edge.lab import export as lab

    run = run or checkpoint.newest(Path("runs"))
    with progress_bar() as tell:
        data = load(checkpoint.load(run).recipe.dataset, data_dir, tell)
    exported = lab.export(run, out, data, force)
    if as_json:
        say_json(_as_dict(run, exported))
    else:
        _show(run, exported)


def _show(run: Path, exported: "Exported") -> None:
    from mnist_edge.report import text

    card, checked = exported.card, exported.verification
    if exported.replaced:
        say(f"replaced {exported.path}, which had {text.percent(exported.replaced.value)}")
    say(
        f"{run} -> {exported.path}: {text.size(exported.path.stat().st_size)}, "
        f"opset {exported.opset}, temperature {card.temperature:.3f}"
    )
    say(
        f"gate passed on {checked.agreement.total:,} test images: max |Δlogit| "
        f"{checked.max_logit_difference:.1e}, {checked.agreement.changed} answers changed"
    )
    say(
        f"accuracy {text.percent(card.accuracy.value)} (95 % interval "
        f"{text.interval(card.accuracy)}), original {text.percent(card.original_accuracy.value)}"
    )
    say("next: mnist-edge bench")


def _as_dict(run: Path, exported: "Exported") -> dict[str, object]:
    from mnist_edge.report import record

    checked = exported.verification
    return {
        "run": str(run),
        "file": str(exported.path),
        "bytes": exported.path.stat().st_size,
        "opset": exported.opset,
        "temperature": exported.card.temperature,
        "accuracy": record.accuracy(exported.card.accuracy),
        "original_accuracy": record.accuracy(exported.card.original_accuracy),
        "change": record.agreement(checked.agreement),
        "max_logit_difference": checked.max_logit_difference,
        "replaced_accuracy": exported.replaced.value if exported.replaced else None,
    }
