"""What `mnist-edge export` tells: of its files, of the gate that they passed, of each layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_edge.cli import export_site as site
from mnist_edge.cli.console import echo, echo_err, echo_json, print_table
from mnist_edge.errors import EdgeError, GateCheck, GateError
from mnist_edge.escaping import json_text

if TYPE_CHECKING:
    from mnist_edge.lab.export.diagnose import Diagnosis
    from mnist_edge.lab.export.pipeline import Job
    from mnist_edge.lab.export.publish import Draft, Exported
    from mnist_edge.web.runtime import Runtime
    from mnist_edge.web.site import Site


def note_old_data(run: Path, job: "Job") -> None:
    """Of a run from before data sets had fingerprints: that nobody can tell whether its splits are
    those of then."""
    from mnist_edge.report import dataset

    card = job.card
    if line := dataset.changed_images_note(str(run), card.dataset, card.fingerprint, job.data):
        echo_err(line)


def write_report(
    path: Path | None, drafts: Sequence["Draft"], verdict: str, must: bool = True
) -> None:
    from mnist_edge.cli import gate_report
    from mnist_edge.files import write_atomically

    if path is None:
        return
    values = {"verdict": verdict, "files": [draft.as_dict() for draft in drafts]}
    as_json = json_text(values, indent=2) + "\n"
    text = gate_report.markdown(drafts, verdict) if path.suffix == ".md" else as_json
    try:
        write_atomically(path, text)
    except EdgeError as error:
        if must:
            raise
        echo_err(f"the report was not written: {error}")  # the gate's own error comes after it


def refusal(error: GateError) -> str:
    """What is said of a file that did not pass, and is not written: why, and what may help."""
    if error.check is not GateCheck.ACCURACY_DROP:
        return f"{error}. Nothing was written"
    return (
        f"{error}, and --max-drop is {error.limit:.2f}. Nothing was written. Try "
        "--finetune-epochs 3, or see with --diagnose which layers lose"
    )


def show(run: Path, exported: "Exported") -> None:
    from mnist_edge.report import formatting

    card, gate = exported.card, exported.gate
    if exported.replaced:
        echo(f"replaced {exported.path}, which had {formatting.percent(exported.replaced.value)}")
    made = f"{run} -> {exported.path}: {formatting.size(exported.path.stat().st_size)}"
    if card.calibration is None:
        echo(f"{made}, opset {exported.opset}, temperature {card.temperature:.3f}")
    else:
        echo(f"{made}, {_calibrated(card.calibration)}")
    if sure := card.threshold:
        echo(
            f"  sure at probabilities of {sure.value:.4f} and more: {sure.accepted:,} of "
            f"{sure.total:,} validation images, {sure.right:,} of them rightly"
        )
    against, checked = ("original", gate.original) if gate.original else ("fp32 file", gate.fp32)
    assert checked is not None  # one of them is what the file was made from
    change = checked.agreement
    changed = f"{change.changed} answer{'s' * (change.changed != 1)} changed"
    if change.changed:
        changed += f" (+{change.better} -{change.worse}, McNemar's p {change.p:.2g})"
    echo(
        f"  against the {against}, on {change.total:,} test images: {changed}, mean |Δp| "
        f"{checked.shift.mean:.1e}, max {checked.shift.most:.1e}, max |Δlogit| "
        f"{checked.max_logit_difference:.1e}"
    )
    if gate.portability:
        found = gate.portability
        echo(
            f"  the same on every CPU: weights cannot saturate 16 bits (widest pair "
            f"{found.widest_pair} of 128), {found.changed} of {found.images:,} answers differ from "
            "the float reference"
        )
    echo(
        f"  accuracy {formatting.percent(card.accuracy.value)} (95 % interval "
        f"{formatting.interval(card.accuracy)}), original "
        f"{formatting.percent(card.original_accuracy.value)}"
    )


def _calibrated(calibration: dict[str, Any]) -> str:
    told = [f"{calibration['method']} on {calibration['images']:,} training images"]
    if "finetune" in calibration:
        epochs, threads = (calibration["finetune"][name] for name in ("epochs", "threads"))
        told.append(
            f"{epochs} epoch{'s' * (epochs > 1)} of fine-tuning on {threads} "
            f"thread{'s' * (threads > 1)}"
        )
    if "keep_float" in calibration:
        told.append(f"{', '.join(calibration['keep_float'])} in float")
    return "; ".join(told)


@dataclass(frozen=True, slots=True)
class Done:
    """What an export wrote: its files, and a site that has them where one was asked for."""

    run: Path
    drafts: Sequence["Draft"]
    placed: Sequence["Exported"]
    site: "Site | None"
    runtime: "Runtime | None"

    @property
    def paths(self) -> list[Path]:
        return [exported.path for exported in self.placed]

    def as_dict(self) -> dict[str, object]:
        from mnist_edge.model_file import card_files

        return {
            "run": str(self.run),
            "files": [
                draft.as_dict()
                | {
                    "file": str(exported.path),
                    "card": str(card_files.card_path(exported.path)),
                    "replaced_accuracy": exported.replaced.value if exported.replaced else None,
                }
                for draft, exported in zip(self.drafts, self.placed, strict=True)
            ],
            **site.as_dict(self.site, self.runtime),
        }


def show_all(done: Done, report: Path | None, following: str, as_json: bool) -> None:
    """What was written, and the command that measures it."""
    from mnist_edge.model_file import card_files

    if as_json:
        echo_json(done.as_dict())
        return
    for exported in done.placed:
        show(done.run, exported)
    cards = " and ".join(str(card_files.card_path(path)) for path in done.paths)
    echo(f"model card{'s' * (len(done.placed) > 1)}: {cards}")
    if report:
        echo(f"wrote {report}")
    if done.site and done.runtime:
        site.tell(done.site, done.runtime)
    echo(f"next: {following}")


def show_diagnosis(diagnosis: "Diagnosis", as_json: bool) -> None:
    from mnist_edge.cli import gate_report
    from mnist_edge.report.grid import Grid

    if as_json:
        echo_json(diagnosis.as_dict())
        return
    rows = tuple(map(tuple, gate_report.diagnosis_rows(diagnosis)))
    print_table(Grid(("layer", "what", "weights", "output", "gain"), rows, left=2))
    echo(
        "weights, output: signal to quantization noise, dB; all in int8, mean |Δp| against fp32 "
        f"is {diagnosis.mean_shift:.1e} on {diagnosis.images:,} validation images"
    )
    echo("gain: the part of it that goes when --keep-float leaves this layer alone in float")
    if worst := gate_report.worst_layers(diagnosis):
        echo(f"most is lost in {', '.join(worst)}")
    echo("nothing was written")
