"""What `mnist-edge export` tells: of its files, of the gate that they passed, of each layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_edge.cli import export_site
from mnist_edge.cli.console import echo, echo_err, echo_json, print_table
from mnist_edge.errors import EdgeError, GateCheck, GateError
from mnist_edge.escaping import json_text

if TYPE_CHECKING:
    from mnist_edge.lab.export.diagnose import Diagnosis
    from mnist_edge.lab.export.pipeline import Export
    from mnist_edge.lab.export.publish import PublishedFile
    from mnist_edge.metrics import Agreement
    from mnist_edge.web.runtime import Runtime
    from mnist_edge.web.site import Site


def write_report(path: Path | None, export: "Export") -> None:
    """What the gate found, where that is asked for and there is anything to say."""
    from mnist_edge.cli import gate_report
    from mnist_edge.files import write_atomically

    if path is None or not export.candidates:
        return
    verdict = "The gate was passed."
    if export.refused:
        verdict = f"The gate was not passed: {refusal(export.refused)}."
    if path.suffix == ".md":
        text = gate_report.markdown(export.candidates, verdict)
    else:
        files = [candidate.as_dict() for candidate in export.candidates]
        text = json_text({"verdict": verdict, "files": files}, indent=2) + "\n"
    try:
        write_atomically(path, text)
    except EdgeError as error:
        if not export.refused:
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


def print_published(run: Path, file: "PublishedFile") -> None:
    """What an export wrote of one file, how it was checked, and how good it is."""
    from mnist_edge.report import formatting

    card, gate = file.card, file.candidate.gate
    if file.replaced:
        echo(f"replaced {file.path}, which had {formatting.percent(file.replaced.value)}")
    how = f"opset {file.candidate.opset}, temperature {card.temperature:.3f}"
    if card.calibration is not None:
        how = _calibrated(card.calibration)
    echo(f"{run} -> {file.path}: {formatting.size(file.path.stat().st_size)}, {how}")
    if sure := card.threshold:
        echo(
            f"  sure at probabilities of {sure.value:.4f} and more: {sure.accepted:,} of "
            f"{sure.total:,} validation images, {sure.right:,} of them rightly"
        )
    if card.rejection:
        echo(f"  {formatting.rejection(card.rejection)}")
    against, checked = "original" if gate.original else "fp32 file", gate.verification
    echo(
        f"  against the {against}, on {checked.agreement.total:,} test images: "
        f"{_changed(checked.agreement)}, mean |Δp| {checked.shift.mean:.1e}, max "
        f"{checked.shift.most:.1e}, max |Δlogit| {checked.max_logit_difference:.1e}"
    )
    if found := gate.portability:
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


def _changed(found: "Agreement") -> str:
    changed = f"{found.changed} answer{'s' * (found.changed != 1)} changed"
    if not found.changed:
        return changed
    counts = f"+{found.better} -{found.worse}"
    if found.wrong_in_both:
        counts += f", {found.wrong_in_both} wrong both times"
    return f"{changed} ({counts}, McNemar's p {found.p:.2g})"


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
    files: Sequence["PublishedFile"]
    site: "Site | None"
    runtime: "Runtime | None"

    def as_dict(self) -> dict[str, object]:
        from mnist_edge.model_file import card_files

        return {
            "run": str(self.run),
            "files": [
                file.candidate.as_dict()
                | {
                    "file": str(file.path),
                    "card": str(card_files.card_path(file.path)),
                    "replaced_accuracy": file.replaced.value if file.replaced else None,
                }
                for file in self.files
            ],
            **export_site.as_dict(self.site, self.runtime),
        }


def print_done(done: Done, report: Path | None, next_command: str, as_json: bool) -> None:
    """What was written, and the command that measures it."""
    from mnist_edge.model_file import card_files

    if as_json:
        echo_json(done.as_dict())
        return
    for file in done.files:
        print_published(done.run, file)
    cards = " and ".join(str(card_files.card_path(file.path)) for file in done.files)
    echo(f"model card{'s' * (len(done.files) > 1)}: {cards}")
    if report:
        echo(f"wrote {report}")
    if done.site and done.runtime:
        export_site.print_text(done.site, done.runtime)
    echo(f"next: {next_command}")


def print_diagnosis(diagnosis: "Diagnosis", as_json: bool) -> None:
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
