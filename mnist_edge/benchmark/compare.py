"""A benchmark against an earlier one of the same machine: has anything become slower?"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_edge.backends import Contender
from mnist_edge.benchmark.latency import round_medians
from mnist_edge.errors import EdgeError
from mnist_edge.file_access import read_bytes
from mnist_edge.intervals import Ratio, resampled_medians

Floats = NDArray[np.float64]
Record = Mapping[str, Any]
"""A benchmark as `report.to_json` writes it."""

_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
_NOTHING_IN_COMMON = "the earlier benchmark has no contender in common with this one"
_LARGEST = 1_000_000_000  # bytes: a run keeps all its samples
_SAME = ("cpu", "flags", "cores", "quota", "system")


@dataclass(frozen=True, slots=True)
class Change:
    """How long one contender takes now, as a multiple of what it took before.

    `paired` divides each round's median by that of the fixed piece of work in the same round, so
    that a machine whose clock was another cancels out; None where the earlier run had another
    numpy, whose work it is. `minimum` compares the fastest calls.
    """

    name: str
    batch: int
    paired: Ratio | None
    minimum: float

    def slower(self, limit: float) -> bool:
        """Whether it takes more than `limit` (0.1: 10 %) longer, and not by chance."""
        if self.paired is None:
            return self.minimum > 1 + limit
        return self.paired.value > 1 + limit and self.paired.low > 1


def read(path: Path, schemas: Collection[int]) -> Record:
    """An earlier benchmark. EdgeError when it is missing, damaged, or follows none of the schemas,
    of which the highest is this version's."""
    try:
        # Windows' editors begin with a byte order mark.
        record = json.loads(read_bytes(path, _LARGEST).decode("utf-8-sig"))
        if not isinstance(record["schema"], int):
            raise TypeError("a schema is a number")
        if record["schema"] not in schemas:
            raise EdgeError(
                f"{path} follows schema {record['schema']}, this is {max(schemas)}: "
                "measure it again with this version"
            )
        _check_form(record)
    except _UNREADABLE as error:
        raise EdgeError(f"{path} is not what 'mnist-edge bench --json' writes") from error
    return dict(record)


def changes(old: Record, new: Record) -> list[Change]:
    """What changed for each contender and batch size that both have, by name and runtime.

    EdgeError when they are of different machines or threads, or have nothing in common.
    """
    check_same_machine(old, new["machine"], new["plan"]["threads"])
    before = {(one["name"], one["runtime"]): one for one in old["contenders"]}
    same_numpy = _numpy(old) == _numpy(new)
    found = []
    for one in new["contenders"]:
        earlier = before.get((one["name"], one["runtime"]))
        if earlier is None:
            continue
        shared = [size for size in one["batches"] if size in earlier["batches"]]
        found += [_change(earlier, one, old, new, size, same_numpy) for size in shared]
    if not found:
        raise EdgeError(_NOTHING_IN_COMMON)
    return found


def check_common(old: Record, contenders: Sequence[Contender], sizes: Sequence[int]) -> None:
    """EdgeError when an earlier benchmark has none of these contenders, by file name and runtime,
    at none of these batch sizes: known before anything is measured."""
    before = {
        (one["file"], one["runtime"])
        for one in old["contenders"]
        if not one["batches"].keys().isdisjoint(map(str, sizes))
    }
    if before.isdisjoint((one.path.name, one.runtime) for one in contenders):
        raise EdgeError(_NOTHING_IN_COMMON)


def _change(
    old: Record, new: Record, old_run: Record, new_run: Record, size: str, same_numpy: bool
) -> Change:
    before, after = old["batches"][size], new["batches"][size]
    paired = None
    if same_numpy:
        paired = _compare_medians(
            _medians(before) / _medians(old_run["yardstick"][size]),
            _medians(after) / _medians(new_run["yardstick"][size]),
        )
    return Change(new["name"], int(size), paired, after["min_us"] / before["min_us"])


def _compare_medians(before: Floats, after: Floats) -> Ratio:
    """How the medians compare; the interval is the bootstrap over the rounds of both."""
    drawn = resampled_medians(after, seed=1) / resampled_medians(before, seed=0)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Ratio(float(np.median(after) / np.median(before)), float(low), float(high))


def _medians(latency: Record) -> Floats:
    """The median of each round's turn."""
    samples = np.array(latency["samples_us"], np.float64)
    return round_medians(samples, np.array(latency["turns"], np.int64))


def check_same_machine(old: Record, machine: Mapping[str, Any], threads: int) -> None:
    """EdgeError when an earlier benchmark is of another machine, or of other threads."""
    for what in _SAME:
        before, after = old["machine"].get(what), machine.get(what)
        if _as_list(before) != _as_list(after):
            raise EdgeError(
                f"the earlier benchmark is of another machine ({what}: {_as_text(before)}, here "
                f"{_as_text(after)}): times of different machines say nothing about a change"
            )
    if old["plan"]["threads"] != threads:
        raise EdgeError(
            f"the earlier benchmark ran with --threads {old['plan']['threads']}, this one with "
            f"{threads}"
        )


def _as_list(value: Any) -> Any:
    return list(value) if isinstance(value, list | tuple) else value


def _as_text(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list | tuple) else str(value)


def _numpy(record: Record) -> Any:
    return record["machine"]["packages"].get("numpy")


def _check_form(record: Record) -> None:
    """KeyError, TypeError or ValueError where what is compared is not there, or not sound."""
    record["machine"]["packages"], record["plan"]["threads"]
    for one in [*record["contenders"]]:
        one["name"], one["runtime"], one["file"]
        for size, latency in one["batches"].items():
            _check_latency(latency)
            _check_latency(record["yardstick"][size])


def _check_latency(latency: Record) -> None:
    samples, turns = np.array(latency["samples_us"], float), np.array(latency["turns"], int)
    sound = samples.ndim == turns.ndim == 1 and len(turns) > 0 and turns.min() > 0
    if not sound or turns.sum() != len(samples) or not (samples > 0).all():
        raise ValueError("samples that do not fit their rounds")
    if not float(latency["min_us"]) > 0:
        raise ValueError("a call that takes no time")
