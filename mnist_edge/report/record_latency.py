"""What a benchmark leaves with the files that it timed: their latency, in manifest and card."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mnist_edge.backends import Contender, ContenderKind
from mnist_edge.benchmark import Benchmark, Entry, Plan
from mnist_edge.classifier import read_card
from mnist_edge.errors import EdgeError, UsageError
from mnist_edge.files import lock_folder, sha256, write_together
from mnist_edge.model_file import card_files
from mnist_edge.model_file.manifest import (
    MANIFEST,
    RecordedLatency,
    has_file,
    read_manifest,
    to_text,
    with_latency,
)
from mnist_edge.model_file.model_paths import is_packaged
from mnist_edge.output_paths import check_folder
from mnist_edge.report import model_card, verdict

_BATCH = 1


def check(contenders: Sequence[Contender], plan: Plan) -> None:
    """EdgeError for what could not be recorded afterwards: a file that no manifest beside it
    knows, a card that is not ours, nothing timed in ONNX Runtime, or not one image a call."""
    if _BATCH not in plan.batches:
        raise UsageError("--record is of one image a call: leave --batch away, or ask for 1 too")
    timed = [one for one in contenders if one.kind is ContenderKind.FILE]
    if not timed:
        raise UsageError("--record is of files in ONNX Runtime: add --contender onnxruntime")
    for contender in timed:
        if is_packaged(contender.path):
            raise EdgeError(
                f"--record writes beside a file, and {contender.path} is the installed package's: "
                f"copy it and its {MANIFEST} into a folder of your own, and name it there"
            )
        check_folder("--record", contender.path.parent)
        _manifest_of(contender.path, sha256(contender.path))
        card_files.check_replaceable(card_files.card_path(contender.path))


def write(record: Benchmark) -> list[Path]:
    """Write the manifests and cards of all files that were timed in ONNX Runtime, all or none;
    where they are. EdgeError as by `check`, should a file have changed meanwhile."""
    folders = {entry.contender.path.parent for entry in record.entries if entry.is_file}
    with ExitStack() as stack:
        for folder in sorted(folders):
            stack.enter_context(lock_folder(folder))
        found = contents(record)
        write_together(found)
    return list(found)


def contents(record: Benchmark) -> dict[Path, str]:
    """What `write` writes."""
    manifests: dict[Path, dict[str, Any]] = {}
    found: dict[Path, str] = {}
    for entry in record.entries:
        path = entry.contender.path
        if not entry.is_file or path in found:
            continue
        place, timed = path.with_name(MANIFEST), _recorded(record, entry)
        before = manifests.get(place) or _manifest_of(path, entry.sha256)
        manifests[place] = with_latency(before, path.name, timed)
        facts = card_files.FileFacts(path.name, entry.size_bytes, entry.sha256, timed)
        found[card_files.card_path(path)] = model_card.render(read_card(path), facts)
    return {place: to_text(files) for place, files in manifests.items()} | found


def _manifest_of(path: Path, digest: str) -> dict[str, Any]:
    """The manifest beside a file, which knows it. EdgeError for any other."""
    place = path.with_name(MANIFEST)
    files = read_manifest(place)
    if not files:
        raise EdgeError(
            f"--record writes into the {MANIFEST} beside a file, and {path} has none: "
            "export it with 'mnist-edge export', or leave --record away"
        )
    if not has_file(files, path.name, digest):
        raise EdgeError(
            f"{place} does not know {path.name} as it is (its SHA-256): "
            "export it again, or leave it away"
        )
    return files


def _recorded(record: Benchmark, entry: Entry) -> RecordedLatency:
    latency = entry.batches[_BATCH]
    percentiles = map(latency.percentile_us, (50, 90, 99))
    p50, p90, p99 = (value and round(value, 2) for value in percentiles)
    return RecordedLatency(
        p50_us=p50,
        p90_us=p90,
        p99_us=p99,
        n=len(latency.samples_us),
        batch=_BATCH,
        threads=record.plan.threads,
        cpu=record.machine.cpu,
        onnxruntime=record.machine.packages.get("onnxruntime", "unknown"),
        measured_at=record.measured_at,
        verdict=verdict.text(record.noise),
    )
