"""manifest.json: what a folder says of its exported files, by their names."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mnist_edge.errors import EdgeError
from mnist_edge.escaping import json_text
from mnist_edge.file_access import Kind, kind, read_bytes

MANIFEST = "manifest.json"
_LATENCY = "latency"
_LARGEST = 10_000_000  # bytes


@dataclass(frozen=True, slots=True)
class RecordedLatency:
    """How fast ONNX Runtime answered `batch` images a call, as one run of `bench` measured it.

    Percentiles of `n` calls in microseconds, None where so few calls cannot tell them; `verdict`
    is on the run, `trusted` or `noisy: ` and why; `measured_at` is when it began (ISO 8601, UTC).
    """

    p50_us: float | None
    p90_us: float | None
    p99_us: float | None
    n: int
    batch: int
    threads: int
    cpu: str
    onnxruntime: str
    measured_at: str
    verdict: str

    def __post_init__(self) -> None:
        percentiles = [one for one in (self.p50_us, self.p90_us, self.p99_us) if one is not None]
        numbers = (*percentiles, self.n, self.batch, self.threads)
        texts = (self.cpu, self.onnxruntime, self.measured_at, self.verdict)
        if not all(isinstance(one, int | float) for one in numbers):
            raise TypeError("a latency is told in numbers")
        if not all(isinstance(one, str) for one in texts):
            raise TypeError("a latency's circumstances are told in words")


def read_manifest(path: Path) -> dict[str, Any]:
    """What the folder's manifest says of its files, by name; nothing where there is none."""
    if kind(path) is Kind.MISSING:
        return {}
    try:
        return dict(json.loads(read_bytes(path, _LARGEST))["files"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise EdgeError(f"{path} cannot be read: repair or delete it") from error


def to_text(files: Mapping[str, Any]) -> str:
    """A manifest's text; the files in the order of their names."""
    entries = {name: files[name] for name in sorted(files)}
    return json_text({"files": entries}, indent=2) + "\n"


def add_entries(
    path: Path, entries: Mapping[str, Any]
) -> tuple[str, dict[str, RecordedLatency | None]]:
    """The text of a folder's manifest with new entries for these files; and of each of them the
    latency that was recorded of the same bytes, which stays in it. EdgeError as `read_manifest`."""
    before = read_manifest(path)
    files, timed = {**before, **entries}, dict[str, RecordedLatency | None]()
    for name, entry in entries.items():
        timed[name] = kept = recorded_latency(before, name, entry["sha256"])
        if kept:
            files = with_latency(files, name, kept)
    return to_text(files), timed


def has_file(files: Mapping[str, Any], name: str, sha256: str) -> bool:
    """Whether a manifest's entry of that name is of the file with that SHA-256."""
    entry = files.get(name)
    return isinstance(entry, dict) and entry.get("sha256") == sha256


def recorded_latency(files: Mapping[str, Any], name: str, sha256: str) -> RecordedLatency | None:
    """What `bench --record` measured of a file; None where it did not, or of another content.

    EdgeError where the entry is not what `with_latency` writes.
    """
    found = files[name].get(_LATENCY) if has_file(files, name, sha256) else None
    try:
        return None if found is None else RecordedLatency(**found)
    except TypeError as error:
        raise EdgeError(
            f"the latency of {name} in its {MANIFEST} cannot be read: "
            "measure it again with 'mnist-edge bench --record'"
        ) from error


def with_latency(files: Mapping[str, Any], name: str, found: RecordedLatency) -> dict[str, Any]:
    """The same manifest with a file's latency in the file's entry."""
    return {**files, name: files[name] | {_LATENCY: asdict(found)}}
