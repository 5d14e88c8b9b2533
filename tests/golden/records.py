"""A machine of which everything is known, a benchmark on it that nobody ran, and a folder of
pictures with a mistake in it."""

import shutil
from dataclasses import replace
from pathlib import Path

from PIL import Image

from mnist_edge.benchmark import Plan
from mnist_edge.benchmark.kernels import Deviation
from mnist_edge.catalogue import EXTRAS
from mnist_edge.host.cpus import Clock
from mnist_edge.host.machine import Machine
from mnist_edge.host.noise import Noise
from mnist_edge.metrics import Accuracy, Agreement
from mnist_edge.report.doctor import Health
from tests.helpers.cli import write_folder
from tests.report.records import FINDINGS, benchmark, entry, file, latency, original

HEALTH = Health(
    machine=Machine(
        cpu="Some CPU",
        flags=("avx2", "avx_vnni"),
        cores=4,
        governor="powersave",
        system="Linux x86_64",
        python="3.12.1",
        packages={"onnxruntime": "1.31.1", "numpy": "2.0.2"},
        quota=1.5,
        logical=8,
        virtual=True,
    ),
    int8="fast: one instruction multiplies and adds up in 32 bits (VNNI)",
    threads=1,
    noise=Noise(
        duration_s=1.0,
        own=0.02,
        steal=0.03,
        others=0.41,
        switches_per_s=0.0,
        load=0.5,
        throttled=0,
        clock=Clock("powersave", "intel_pstate"),
        unreadable=("paused",),
    ),
    energy_why_not="this machine has no energy counter",
    telemetry="1",
    mnist=None,
    mnist_why_not="not here: 'mnist-edge data' fetches it",
    models=("exported/edge.onnx", "exported/edge-int8.onnx"),
    models_why_not="",
    missing={extra.name: ("ncnn", "pnnx") * (extra.name == "ncnn") for extra in EXTRAS},
    compiler=None,
)

BENCH = benchmark(
    entry(
        file("exported/edge.onnx"), count=5_000, cold=latency(350e3, 11), paced=latency(110.0, 700)
    ),
    entry(original("runs/edge/checkpoint.pt"), center_us=900, cold=latency(2.1e6, 11)),
    entry(
        file("exported/edge-int8.onnx", precision="int8"),
        Accuracy(9960, 10_000),
        Agreement(8, 1, 6, 10_000),
        center_us=40,
        size_bytes=98_000,
        seed=1,
        cold=latency(340e3, 11),
        paced=latency(80.0, 700),
    ),
    entry(
        file("others/mnist-12.onnx", family="1" * 64, model="mnist-12", recorded=None, ours=False),
        Accuracy(9890, 10_000),
        center_us=75,
        findings=replace(FINDINGS, golden=None, deviation=Deviation(500, 7, 2.5, 0.09)),
        size_bytes=26_000,
        seed=2,
    ),
    plan=Plan(threads=2, batches=(1, 64), rate_hz=20.0, cold=True),
    machine=HEALTH.machine,
    noise=replace(HEALTH.noise, spread={"edge.onnx in onnxruntime": 0.05}),
    missing=("ncnn is not installed: pip install 'mnist-edge[ncnn]'",),
)


def write_pictures(root: Path) -> None:
    """A `folder:` set, one of whose pictures is in two classes. Its files, whose bytes say which
    are for tests, are BMPs, which everybody writes alike."""
    for path in write_folder(root, "a", "b").rglob("*.png"):
        Image.open(path).save(path.with_suffix(".bmp"))
        path.unlink()
    shutil.copy(root / "a" / "0.bmp", root / "b" / "again.bmp")
