from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from mnist_edge.errors import EdgeError
from mnist_edge.model_file.manifest import (
    MANIFEST,
    RecordedLatency,
    has_file,
    read_manifest,
    recorded_latency,
    to_text,
    with_latency,
)

TIMED = RecordedLatency(
    p50_us=84.25,
    p90_us=92.0,
    p99_us=None,
    n=700,
    batch=1,
    threads=2,
    cpu="Größter CPU",
    onnxruntime="1.31.1",
    measured_at="2026-11-22T14:25:20+00:00",
    verdict="trusted",
)
FILES: dict[str, dict[str, Any]] = {
    "b.onnx": {"sha256": "b" * 64, "bytes": 1},
    "a.onnx": {"sha256": "a" * 64},
}


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    text = to_text(with_latency(FILES, "b.onnx", TIMED))
    (tmp_path / MANIFEST).write_text(text, "utf-8")
    files = read_manifest(tmp_path / MANIFEST)
    assert list(files) == ["a.onnx", "b.onnx"]
    assert files["a.onnx"] == FILES["a.onnx"]
    assert files["b.onnx"] == FILES["b.onnx"] | {"latency": asdict(TIMED)}
    assert recorded_latency(files, "b.onnx", "b" * 64) == TIMED
    assert "Größter" in text
    assert text.endswith("}\n")


def test_a_latency_is_of_one_content_of_a_file() -> None:
    files = with_latency(FILES, "b.onnx", TIMED)
    assert recorded_latency(files, "b.onnx", "a" * 64) is None
    assert recorded_latency(files, "a.onnx", "a" * 64) is None
    assert recorded_latency(files, "c.onnx", "b" * 64) is None
    assert "latency" not in FILES["b.onnx"]
    later = with_latency(files, "b.onnx", replace(TIMED, n=9))
    assert recorded_latency(later, "b.onnx", "b" * 64) == replace(TIMED, n=9)


@pytest.mark.parametrize("entry", [None, 1, [], {}, {"sha256": None}])
def test_an_entry_without_its_hash_is_not_known(entry: object) -> None:
    assert not has_file({"a.onnx": entry}, "a.onnx", "a" * 64)
    assert recorded_latency({"a.onnx": entry}, "a.onnx", "a" * 64) is None


@pytest.mark.parametrize(
    "value",
    [
        3,
        [],
        {},
        asdict(TIMED) | {"more": 1},
        {"p50_us": 1.0},
        asdict(TIMED) | {"p50_us": "fast"},
        asdict(TIMED) | {"n": None},
        asdict(TIMED) | {"cpu": None},
        asdict(TIMED) | {"verdict": ["noisy"]},
    ],
)
def test_a_latency_that_nobody_can_read_says_how_to_get_another(value: object) -> None:
    files = {"a.onnx": {"sha256": "a" * 64, "latency": value}}
    with pytest.raises(EdgeError, match=r"^the latency of a\.onnx .* 'mnist-edge bench --record'$"):
        recorded_latency(files, "a.onnx", "a" * 64)


def test_without_a_manifest_nothing_is_known(tmp_path: Path) -> None:
    assert read_manifest(tmp_path / MANIFEST) == {}


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"files": null}', '{"files": [1]}', "\xff"])
def test_an_unreadable_manifest_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / MANIFEST).write_text(content, "latin-1")
    with pytest.raises(EdgeError, match=rf"{MANIFEST} cannot be read: repair or delete it$"):
        read_manifest(tmp_path / MANIFEST)
