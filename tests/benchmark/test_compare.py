"""An earlier benchmark, drawn from distributions that are known, against a later one."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_edge.benchmark.compare import Change, Floats, changes, check_same_machine, read
from mnist_edge.errors import EdgeError
from mnist_edge.intervals import Ratio

Record = dict[str, Any]
MACHINE = {
    "cpu": "Some CPU",
    "flags": ["avx2"],
    "cores": 4,
    "quota": None,
    "system": "Linux x86_64",
    "packages": {"numpy": "2.0", "onnxruntime": "1.31"},
}
SCHEMA = 2


def latency(center_us: float, clock: Floats, seed: int) -> Record:
    """Ten samples a round, of at least a time that follows the clock of the machine."""
    random = np.random.default_rng(seed)
    samples = center_us * clock[:, None] * (1 + random.exponential(0.1, (len(clock), 10)))
    return {
        "samples_us": samples.ravel().tolist(),
        "turns": [10] * len(clock),
        "min_us": float(samples.min()),
    }


def record(times: dict[str, float], clock: float = 1.0, seed: int = 0) -> Record:
    """A benchmark of files that take so many microseconds, on a machine that drifts by a tenth."""
    drift = clock * (1 + 0.1 * np.sin(np.linspace(0, 6, 60)))
    contenders = [
        {
            "name": name,
            "file": name,
            "runtime": "onnxruntime",
            "batches": {
                "1": latency(center_us, drift, seed + at),
                "64": latency(30 * center_us, drift, seed + 50 + at),
            },
        }
        for at, (name, center_us) in enumerate(times.items())
    ]
    yardstick = {size: latency(20, drift, seed + 90) for size in ("1", "64")}
    return {
        "schema": SCHEMA,
        "machine": copy.deepcopy(MACHINE),
        "plan": {"threads": 1},
        "contenders": contenders,
        "yardstick": yardstick,
    }


def paired(found: list[Change], name: str, batch: int = 1) -> Ratio:
    (change,) = [one for one in found if (one.name, one.batch) == (name, batch)]
    assert change.paired is not None
    return change.paired


def test_the_same_again_is_a_tie() -> None:
    found = changes(record({"a": 50, "b": 80}), record({"a": 50, "b": 80}, seed=7))
    assert [(one.name, one.batch) for one in found] == [("a", 1), ("a", 64), ("b", 1), ("b", 64)]
    for change in found:
        assert change.paired is not None
        assert change.paired.low < 1.02
        assert change.paired.high > 0.98
        assert change.paired.value == pytest.approx(1, abs=0.03)
        assert not change.slower(0.05)


def test_what_became_slower_is_found_though_the_machine_became_faster() -> None:
    """A clock 40 % faster hides from the fastest call that a file takes 20 % longer."""
    found = changes(record({"a": 50, "b": 80}), record({"a": 60, "b": 80}, clock=0.7, seed=7))
    assert paired(found, "a").value == pytest.approx(1.2, abs=0.04)
    assert paired(found, "a", 64).value == pytest.approx(1.2, abs=0.04)
    assert paired(found, "b").value == pytest.approx(1.0, abs=0.04)
    assert [one.name for one in found if one.slower(0.1)] == ["a", "a"]
    assert [one.name for one in found if one.slower(0.3)] == []
    assert all(one.minimum < 1 for one in found)


def test_what_became_faster_is_not_slower() -> None:
    found = changes(record({"a": 50}), record({"a": 40}, seed=3))
    assert paired(found, "a").value == pytest.approx(0.8, abs=0.03)
    assert not any(one.slower(0) for one in found)


def test_with_another_numpy_the_fastest_calls_decide() -> None:
    """The fixed piece of work is numpy's: another version may do it in another time."""
    old, new = record({"a": 50}), record({"a": 75}, seed=7)
    old["machine"]["packages"]["numpy"] = "1.26"
    found = changes(old, new)
    for change in found:
        assert change.paired is None
        assert change.minimum == pytest.approx(1.5, abs=0.05)
        assert change.slower(0.1)
        assert not change.slower(0.7)


@pytest.mark.parametrize(
    ("ratio", "limit", "slower"),
    [
        (Ratio(1.2, 1.1, 1.3), 0.1, True),
        (Ratio(1.2, 0.9, 1.5), 0.1, False),  # may be chance
        (Ratio(1.05, 1.04, 1.06), 0.1, False),  # sure, but within the limit
        (Ratio(1.05, 1.04, 1.06), 0.0, True),
        (Ratio(0.5, 0.4, 0.6), 0.0, False),
    ],
)
def test_slower_is_by_more_than_the_limit_and_not_by_chance(
    ratio: Ratio, limit: float, slower: bool
) -> None:
    assert Change("a", 1, ratio, minimum=2.0).slower(limit) is slower


def test_only_what_both_have_is_compared() -> None:
    old, new = record({"a": 50, "b": 80}), record({"b": 80, "c": 9}, seed=7)
    del old["contenders"][1]["batches"]["64"]
    assert [(one.name, one.batch) for one in changes(old, new)] == [("b", 1)]
    new["contenders"][0]["runtime"] = "openvino"
    with pytest.raises(EdgeError, match="no contender in common"):
        changes(old, new)


@pytest.mark.parametrize(
    ("what", "value", "told"),
    [
        ("cpu", "Another CPU", r"another machine \(cpu: Some CPU, here Another CPU\)"),
        ("flags", ["avx2", "avx_vnni"], r"flags: avx2, here avx2, avx_vnni\)"),
        ("cores", 2, r"cores: 4, here 2\)"),
        ("quota", 1.5, r"quota: None, here 1.5\)"),
        ("system", "Darwin arm64", "system"),
    ],
)
def test_different_machines_are_refused_with_the_reason(what: str, value: Any, told: str) -> None:
    new = record({"a": 50})
    new["machine"][what] = value
    with pytest.raises(EdgeError, match=told):
        changes(record({"a": 50}), new)


def test_different_threads_are_refused() -> None:
    with pytest.raises(EdgeError, match="ran with --threads 1, this one with 2"):
        check_same_machine(record({"a": 50}), MACHINE, 2)


def test_flags_may_be_a_tuple_here_and_a_list_in_the_file() -> None:
    check_same_machine(record({"a": 50}), MACHINE | {"flags": ("avx2",)}, 1)


def written(tmp_path: Path, value: Any) -> Path:
    path = tmp_path / "old.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    old = record({"a": 50})
    assert read(written(tmp_path, old), [SCHEMA]) == old


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"schema": 2}', "{", "\0"])
def test_what_is_no_record_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(EdgeError, match=r"old\.json is not what 'mnist-edge bench --json' writes"):
        read(written(tmp_path, text), [SCHEMA])


@pytest.mark.parametrize(
    "damage",
    [
        lambda old: old["contenders"][0].pop("name"),
        lambda old: old["contenders"][0]["batches"]["1"].pop("turns"),
        lambda old: old["contenders"][0]["batches"]["1"]["turns"].pop(),
        lambda old: old["contenders"][0]["batches"]["1"]["samples_us"].append("x"),
        lambda old: old["contenders"][0]["batches"]["1"].update(min_us=0),
        lambda old: old["contenders"][0]["batches"]["1"].update(samples_us=[-1.0], turns=[1]),
        lambda old: old["yardstick"].pop("64"),
        lambda old: old["machine"].pop("packages"),
        lambda old: old.update(contenders={"a": 1}),
        lambda old: old.pop("plan"),
    ],
)
def test_a_damaged_record_is_refused(tmp_path: Path, damage: Any) -> None:
    old = record({"a": 50})
    damage(old)
    with pytest.raises(EdgeError, match="is not what"):
        read(written(tmp_path, old), [SCHEMA])


def test_another_schema_is_named(tmp_path: Path) -> None:
    old = record({"a": 50}) | {"schema": 1}
    with pytest.raises(EdgeError, match="follows schema 1, this is 3: measure it again"):
        read(written(tmp_path, old), [2, 3])
    assert read(written(tmp_path, record({"a": 50})), [2, 3])["schema"] == SCHEMA


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match=r"gone\.json: there is no such file"):
        read(tmp_path / "gone.json", [SCHEMA])


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = written(tmp_path, record({"a": 50}))
    plain = read(path, [SCHEMA])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read(path, [SCHEMA]) == plain
