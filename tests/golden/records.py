"""A machine of which everything is known."""

from mnist_edge.cpus import Clock
from mnist_edge.machine import Machine
from mnist_edge.noise import Noise
from mnist_edge.report.health import EXTRAS, Health

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
