"""`mnist-edge bench --record`: what it leaves with the files, and when it refuses."""

import errno
import json
from pathlib import Path
from typing import Any

import pytest

from mnist_edge import benchmark
from mnist_edge.backends import Contender
from mnist_edge.errors import EdgeError
from mnist_edge.files import sha256
from mnist_edge.host.machine import this_machine
from mnist_edge.host.noise import Noise
from mnist_edge.model_file.manifest import MANIFEST, read_manifest, recorded_latency, to_text
from mnist_edge.report import model_card, record_latency
from tests.cli.test_bench import nothing_measured, starts  # noqa: F401
from tests.conftest import make_card, write_tiny_model
from tests.helpers.cli import assert_fails, invoke
from tests.report import records

QUICK = ("--duration", 0.02, "--batch", "1,8")


def exported(folder: Path, *names: str) -> list[Path]:
    """Files with a manifest that knows them, of a set that is not here."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [
        write_tiny_model(folder / name, make_card(dataset="folder:letters"), seed)
        for seed, name in enumerate(names)
    ]
    files = {path.name: {"sha256": sha256(path), "bytes": 31} for path in paths}
    (folder / MANIFEST).write_text(to_text(files), "utf-8")
    return paths


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_latency_stands_in_the_manifest_and_in_the_card(tmp_path: Path) -> None:
    one, other = exported(tmp_path / "exported", "a.onnx", "b.onnx")
    before = read_manifest(tmp_path / "exported" / MANIFEST)
    result = invoke("bench", "--record", *QUICK, "--json", "bench.json")
    assert (result.exit_code, result.stderr) == (0, "")
    folder = Path("exported")
    assert result.stdout.splitlines()[-4:] == [
        "wrote bench.json",
        *(f"wrote {folder / name}" for name in (MANIFEST, "a.md", "b.md")),
    ]
    after = read_manifest(folder / MANIFEST)
    measured: dict[str, Any] = json.loads(Path("bench.json").read_text())
    for path, entry in zip((one, other), measured["contenders"], strict=True):
        found = recorded_latency(after, path.name, sha256(path))
        single = entry["batches"]["1"]
        assert found is not None
        for rank in (50, 90, 99):
            assert getattr(found, f"p{rank}_us") == pytest.approx(single[f"p{rank}_us"], abs=0.006)
        assert (found.n, found.batch, found.threads) == (single["n"], 1, 1)
        assert found.cpu == this_machine().cpu
        assert found.onnxruntime == this_machine().packages["onnxruntime"]
        assert found.measured_at == measured["measured_at"]
        assert found.verdict.startswith("trusted" if measured["noise"]["trusted"] else "noisy: ")
        assert {**after[path.name], "latency": None} == {**before[path.name], "latency": None}
        text = path.with_suffix(".md").read_text("utf-8")
        assert text == model_card.render_file(path)
        assert f"p50 {single['p50_us']:,.0f} µs" in text


def test_files_of_several_folders_are_recorded_each_in_its_own(tmp_path: Path) -> None:
    (one,), (other,) = (exported(tmp_path / name, "a.onnx") for name in ("x", "y"))
    assert invoke("bench", one, other, "--record", *QUICK).exit_code == 0
    for path in (one, other):
        files = read_manifest(path.with_name(MANIFEST))
        assert recorded_latency(files, path.name, sha256(path)) is not None
        assert path.with_suffix(".md").exists()


def test_without_it_nothing_is_written(tmp_path: Path) -> None:
    exported(tmp_path / "exported", "a.onnx")
    before = contents(tmp_path)
    assert invoke("bench", *QUICK).exit_code == 0
    assert contents(tmp_path) == before


@pytest.mark.usefixtures("nothing_measured")
def test_what_cannot_be_recorded_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    known, changed = exported(tmp_path / "exported", "a.onnx", "b.onnx")
    alone = write_tiny_model(tmp_path / "alone.onnx")
    write_tiny_model(changed, seed=7)
    before = contents(tmp_path)
    for files, message in (
        ((known, alone), r"--record writes into the manifest\.json .*alone\.onnx has none: export"),
        ((known, changed), r"manifest\.json does not know b\.onnx as it is .*: export it again"),
    ):
        assert_fails(invoke("bench", *files, "--record"), message)
    single = invoke("bench", known, "--record", "--batch", "8,64")
    assert_fails(
        single, "--record is of one image a call: leave --batch away, or ask for 1 too$", 2
    )
    loadgen = invoke("bench", known, "--record", "--loadgen", "offline")
    assert_fails(loadgen, "--loadgen goes without --record", 2)
    assert contents(tmp_path) == before
    known.with_suffix(".md").write_text("# mine\n")
    assert_fails(invoke("bench", known, "--record"), r"a\.md is in the way of the model card")
    (tmp_path / "exported" / MANIFEST).write_text("{")
    assert_fails(invoke("bench", known, "--record"), r"manifest\.json cannot be read")


def test_other_runtimes_leave_nothing(tmp_path: Path) -> None:
    (path,) = exported(tmp_path, "a.onnx")
    contenders: list[Contender] = [records.file(str(path), "openvino")]
    with pytest.raises(EdgeError, match="--record is of files in ONNX Runtime"):
        record_latency.check(contenders, benchmark.Plan())
    timed = records.entry(records.file(str(path)), center_us=50, sha256=sha256(path))
    other = records.entry(records.file(str(path), "openvino"), center_us=9, sha256=sha256(path))
    result = records.benchmark(other, timed)
    text = record_latency.contents(result)[path.with_name(MANIFEST)]
    found = json.loads(text)["files"]["a.onnx"]["latency"]
    assert found["p50_us"] == pytest.approx(50, rel=1e-3)


def test_a_noisy_run_says_so(tmp_path: Path) -> None:
    (path,) = exported(tmp_path, "a.onnx")
    entry = records.entry(records.file(str(path)), sha256=sha256(path))
    noisy = records.benchmark(entry, noise=Noise(others=0.5))
    written_files = record_latency.contents(noisy)
    told = "noisy: 50 % of the CPU was used by other programs"
    assert all(told in text for text in written_files.values())
    assert len(written_files) == 2


def test_a_file_that_changed_while_it_was_timed_is_refused(tmp_path: Path) -> None:
    (path,) = exported(tmp_path, "a.onnx")
    entry = records.entry(records.file(str(path)), sha256="0" * 64)
    with pytest.raises(EdgeError, match=r"does not know a\.onnx as it is"):
        record_latency.contents(records.benchmark(entry))


def test_a_run_that_was_stopped_is_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = exported(tmp_path / "exported", "a.onnx")
    before = contents(tmp_path)
    entry = records.entry(records.file(str(path)), sha256=sha256(path))
    monkeypatch.setattr(benchmark, "run", lambda *args: records.benchmark(entry, stopped=True))
    result = invoke("bench", "--record")
    assert result.exit_code == 130
    assert "nothing was recorded: the run was stopped" in result.stderr
    assert contents(tmp_path) == before


def test_where_nothing_can_be_written_all_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported(tmp_path / "exported", "a.onnx")
    assert invoke("bench", "--record", *QUICK).exit_code == 0
    before = contents(tmp_path / "exported")
    replace = Path.replace

    def fail(part: Path, target: Path) -> Path:
        if target.name == "a.md":
            raise OSError(errno.ENOSPC, "No space left on device")
        return replace(part, target)

    monkeypatch.setattr(Path, "replace", fail)
    assert_fails(invoke("bench", "--record", *QUICK), r"cannot write exported/a\.md: No space")
    assert contents(tmp_path / "exported") == before
