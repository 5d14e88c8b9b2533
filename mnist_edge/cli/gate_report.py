"""What the gate found of exported files, and of each layer, as Markdown and as rows."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mnist_edge.report import formatting
from mnist_edge.report.markdown_elements import code, escape

if TYPE_CHECKING:
    from mnist_edge.lab.export.candidate import Candidate
    from mnist_edge.lab.export.diagnose import Diagnosis
    from mnist_edge.lab.export.gate import Verification


def markdown(candidates: Sequence["Candidate"], verdict: str) -> str:
    """A report for people: a row for each comparison, and the verdict."""
    named = escape(", ".join(candidate.name for candidate in candidates))
    lines = [f"# {named}", "", escape(verdict), ""]
    lines += [
        "| file | against | accuracy before | accuracy after (95 %) | changed answers | better | "
        "worse | McNemar's p | mean \\|Δp\\| | max \\|Δp\\| | max \\|Δlogit\\| |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for candidate in candidates:
        rows = (("PyTorch original", candidate.gate.original), ("fp32 file", candidate.gate.fp32))
        lines += [_row(candidate.name, against, found) for against, found in rows if found]
    lines.append("")
    for candidate in candidates:
        size, sha256 = len(candidate.file.content), candidate.file.sha256
        lines.append(f"- {code(candidate.name)}: {formatting.size(size)}, SHA-256 {sha256}")
        if candidate.card.calibration:
            told = ", ".join(f"{key} {value}" for key, value in candidate.card.calibration.items())
            lines.append(f"  - calibration: {escape(told)}")
        if portable := candidate.gate.portability:
            lines.append(
                f"  - against its float reference, on {portable.images:,} images: "
                f"{portable.changed} answers differ, max |Δlogit| "
                f"{portable.max_logit_difference:.2g} (one quantum is {portable.quantum:.2g}); "
                f"widest pair of weights {portable.widest_pair} (at most 128 cannot saturate)"
            )
    return "\n".join(lines) + "\n"


def _row(name: str, against: str, found: "Verification") -> str:
    change = found.agreement
    cells = [
        code(name),
        against,
        formatting.percent(found.original.value),
        f"{formatting.percent(found.exported.value)} ({formatting.interval(found.exported)})",
        f"{change.changed} of {change.total:,}",
        str(change.better),
        str(change.worse),
        f"{change.p:.2g}",
        f"{found.shift.mean:.2g}",
        f"{found.shift.most:.2g}",
        f"{found.max_logit_difference:.2g}",
    ]
    return f"| {' | '.join(cells)} |"


def diagnosis_rows(diagnosis: "Diagnosis") -> list[list[str]]:
    """A row for each layer: name, shape, the two noise ratios in decibels, the gain in percent."""
    rows = []
    for layer in diagnosis.layers:
        gain = diagnosis.gain(layer)
        weights = "" if layer.weights_db is None else f"{layer.weights_db:.1f}"
        told = "" if gain is None else f"{gain * 100:.0f} %"
        rows.append([layer.name, layer.what, weights, f"{layer.output_db:.1f}", told])
    return rows


def worst_layers(diagnosis: "Diagnosis", count: int = 3) -> list[str]:
    """The names of the layers that gain most in float, with their gain, the most first."""
    gains = sorted((diagnosis.gain(layer) or 0.0, layer.name) for layer in diagnosis.layers)
    return [f"{name} ({gain * 100:.0f} %)" for gain, name in gains[::-1][:count] if gain > 0]
