import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mnist_edge.catalogue import EXTRAS
from mnist_edge.host import cpus, noise
from mnist_edge.host.cpus import Clock
from mnist_edge.host.machine import this_machine
from mnist_edge.report import doctor
from tests.helpers.cli import assert_fails, invoke, move_package
from tests.helpers.proc import pretend

# As on a device where `pip install mnist-edge` brought what it brings, and nothing else.
_DEVICE = """
import sys
from mnist_edge.catalogue import EXTRAS
LAB = {module for extra in EXTRAS for module in extra.modules}
class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in LAB:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Wall())
from mnist_edge.cli import main
main()
"""
# Runs doctor, then tells on the last line of stdout what it has imported.
_TELLING = """
import json, sys
from mnist_edge.cli import main
try:
    main()
finally:
    print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


@pytest.fixture(autouse=True)
def short_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where doctor runs in this process, it looks at the noise for an instant only."""
    sample = noise.sample
    monkeypatch.setattr(noise, "sample", lambda duration_s: sample(0.01))


def unwrapped(output: str) -> str:
    """A line for each fact."""
    return output.replace("\n" + " " * 11, " ")


def told() -> str:
    """What doctor says in this process, a line for each fact."""
    done = invoke("doctor")
    assert (done.exit_code, done.stderr) == (0, "")
    return unwrapped(done.stdout)


def record() -> dict[str, Any]:
    done = invoke("doctor", "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def python(code: str, *args: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *args], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize(("columns", "widest"), [(80, 80), (250, 100)])
def test_everything_is_said_in_the_terminals_columns_and_100_at_most(
    monkeypatch: pytest.MonkeyPatch, columns: int, widest: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("MNIST_EDGE_DATA", "/nowhere")  # a path is never broken: none that is long
    monkeypatch.chdir("/")
    lines = invoke("doctor").stdout.splitlines()
    paths = [line for line in lines if line.strip().startswith("/")]
    assert max(len(line) for line in lines if line not in paths) <= widest
    labels = [line.split()[0] for line in lines if line[:1].strip()]
    assert labels == [
        *("CPU", "flags", "int8", "cores", "clock", "energy", "noise", "telemetry"),
        *("MNIST", "models", "versions", "extras"),
    ]
    text = unwrapped("\n".join(lines))
    assert this_machine().cpu in text
    assert "\nnoise      trusted (" in text or "\nnoise      noisy: " in text


def test_json_says_the_same_and_nothing_heavy_is_imported_for_it(tmp_path: Path) -> None:
    *output, imported = python(_TELLING, "doctor", "--json", cwd=tmp_path).splitlines()
    found = json.loads("\n".join(output))
    here = this_machine()
    assert found["machine"]["cpu"] == here.cpu
    assert found["machine"]["packages"] == here.packages
    assert found["noise"]["duration_s"] >= 1
    assert found["noise"]["trusted"] is (found["noise"]["reasons"] == [])
    assert found["telemetry_off"] is True
    assert list(found["extras"]) == [extra.name for extra in EXTRAS]
    heavy = {module for extra in EXTRAS for module in extra.modules}
    assert set(json.loads(imported)) & heavy == set()


def test_a_device_is_told_what_each_missing_extra_would_give(tmp_path: Path) -> None:
    output = unwrapped(python(_DEVICE, "doctor", cwd=tmp_path))
    for extra in EXTRAS:
        modules = ", ".join(extra.modules)
        install = f"pip install 'mnist-edge[{extra.name}]'"
        assert f"missing ({modules}): {install} gives {extra.gives}\n" in output
    assert "installed" not in output


def test_a_module_that_python_cannot_look_for_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(doctor, "find_spec", refuse)
    assert "  ncnn     missing (ncnn, pnnx): pip install 'mnist-edge[ncnn]' gives bench" in told()
    assert record()["extras"]["loadgen"]["missing"] == ["mlperf_loadgen"]


def test_it_works_where_there_is_no_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, {})
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    output = told()
    assert "flags      none that matters to int8 could be read\n" in output
    assert "int8       unknown: mnist-edge bench tells what it gains here\n" in output
    assert f"{os.cpu_count()} of {os.cpu_count()} by affinity, no quota" in output
    assert "clock      the governor is not readable here\n" in output
    assert "energy     this machine shows no RAPL counters\n" in output
    assert "not readable: steal, other programs, " in output


@pytest.mark.parametrize(
    ("flags", "meaning"),
    [
        ("avx2 avx512f avx512_vnni", "fast: one instruction .* \\(VNNI\\)"),
        ("avx2 avx_vnni", "fast: one instruction .* \\(VNNI\\)"),
        ("avx2 avx512f", "no VNNI: .* in 16 bits, .* exported files use 7 bits, and cannot"),
        ("avx2", "no VNNI: .* in 16 bits, .* exported files use 7 bits, and cannot"),
        ("asimd asimddp", "fast: one instruction .* \\(dot product\\)"),
        ("asimd", "no dot product instructions: little to gain"),
    ],
)
def test_the_flags_are_said_to_mean_something(
    monkeypatch: pytest.MonkeyPatch, flags: str, meaning: str
) -> None:
    pretend(monkeypatch, {"/proc/cpuinfo": f"model name : Some CPU\nflags : {flags}\n"})
    output = told()
    assert f"flags      {', '.join(flags.split())}\n" in output
    assert re.search(f"\nint8       {meaning}\n", output), output


def test_what_limits_the_threads_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpus, "allowed", lambda: [0, 1, 2])
    monkeypatch.setattr(cpus, "quota", lambda: 2.5)
    assert "3 of " in told()
    assert "by affinity, a quota of 2.5: --threads 2 at most" in told()
    assert record()["threads"] == 2


def test_a_clock_that_follows_the_load_is_said_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpus, "clock", lambda: Clock("ondemand", "cpufreq-dt"))
    output = told()
    assert "clock      governor ondemand, driver cpufreq-dt\n" in output
    assert "governor is ondemand: the clock follows the load; set performance" in output


@pytest.mark.parametrize("reason", ["", "only root may read energy: sudo …"])
def test_energy_is_readable_or_there_is_a_reason(
    monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    monkeypatch.setattr("mnist_edge.host.energy.unavailable_reason", lambda: reason)
    assert f"energy     {reason or 'readable (RAPL)'}\n" in told()


@pytest.mark.parametrize(("value", "off"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_whether_onnxruntime_keeps_silent(
    monkeypatch: pytest.MonkeyPatch, value: str, off: bool
) -> None:
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", value)
    assert record()["telemetry_off"] is off
    output = told()
    assert (f"telemetry  off (ORT_DISABLE_TELEMETRY={value})\n" in output) is off
    assert ("onnxruntime may send data to its makers" in output) is not off


def test_where_mnist_is_and_where_it_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    monkeypatch.delenv("MNIST_EDGE_DATA", raising=False)
    assert "MNIST      not here: 'mnist-edge data' fetches it, or MNIST_EDGE_DATA" in told()
    assert record()["mnist"] is None
    (tmp_path / "train-images-idx3-ubyte").touch()
    monkeypatch.setenv("MNIST_EDGE_DATA", str(tmp_path))
    assert record()["mnist"] == str(tmp_path)
    monkeypatch.setenv("MNIST_EDGE_DATA", str(tmp_path / "nowhere"))
    assert "which is not a folder" in told()


def test_the_models_that_would_be_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    move_package(monkeypatch, tmp_path)
    assert "models     there is no exported model: " in told()
    (tmp_path / "exported").mkdir()
    (tmp_path / "exported" / "edge.onnx").touch()
    assert "models     edge in exported\n" in told()
    assert record()["models"] == [str(Path("exported/edge.onnx"))]


def test_torch_compile_needs_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", sys.executable)
    assert record()["compiler"] == sys.executable
    assert "torch-compile needs" not in told()
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert record()["compiler"] is None
    missing = record()["extras"]["train"]["missing"]
    assert missing or "; torch-compile needs a C++ compiler\n" in told()


@pytest.mark.parametrize(
    ("command", "option"), [("predict", "workers"), ("eval", "threads"), ("bench", "threads")]
)
def test_more_threads_than_there_are_cores_is_a_users_mistake(
    monkeypatch: pytest.MonkeyPatch, command: str, option: str
) -> None:
    monkeypatch.setattr(cpus, "allowed", lambda: [0])
    done = invoke(command, "picture.png", f"--{option}", 2)
    assert_fails(done, f"this process may use 1 core .*: --{option} 1 at most, or 0 for all$", 2)
