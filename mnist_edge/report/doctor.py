"""What `mnist-edge doctor` tells: this machine, this installation, and what is missing."""

import os
import shutil
import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mnist_edge.catalogue import EXTRAS, Extra
from mnist_edge.datasets import DATA_DIR_VARIABLE, idx_datasets
from mnist_edge.errors import EdgeError
from mnist_edge.host import energy, machine, noise
from mnist_edge.host.machine import Machine
from mnist_edge.host.noise import Noise
from mnist_edge.model_file import model_paths
from mnist_edge.report import verdict
from mnist_edge.report.formatting import percent

WIDTH = 100
_LABEL = 11  # columns
_NO_BREAK = "\N{NO-BREAK SPACE}"
_TELEMETRY = "ORT_DISABLE_TELEMETRY"
_VNNI = {"avx_vnni", "avx512_vnni", "avx_vnni_int8", "amx_int8"}
_DOT_PRODUCT = {"asimddp", "i8mm"}


@dataclass(frozen=True, slots=True)
class Health:
    """`threads` is the most that --threads takes; `missing` names, for each extra, the modules
    that are not installed. Of `mnist`, `models` and `energy`, either they are here or a sentence
    says why not."""

    machine: Machine
    int8: str
    threads: int
    noise: Noise
    energy_why_not: str
    telemetry: str
    mnist: str | None
    mnist_why_not: str
    models: tuple[str, ...]
    models_why_not: str
    missing: dict[str, tuple[str, ...]]
    compiler: str | None


def examine(duration_s: float = 1.0) -> Health:
    """Look at everything; the noise for `duration_s`. Nothing heavy is imported."""
    here = machine.this_machine()
    mnist, mnist_why_not = _mnist()
    models, models_why_not = _models()
    return Health(
        machine=here,
        int8=_about_int8(set(here.flags)),
        threads=machine.usable_threads(),
        noise=noise.sample(duration_s),
        energy_why_not=energy.unavailable_reason(),
        telemetry=os.environ.get(_TELEMETRY, ""),
        mnist=mnist,
        mnist_why_not=mnist_why_not,
        models=models,
        models_why_not=models_why_not,
        missing={extra.name: tuple(filter(_is_missing, extra.modules)) for extra in EXTRAS},
        compiler=shutil.which(machine.cpp_compiler()),
    )


def as_json(health: Health) -> dict[str, Any]:
    """For a script."""
    extras = {
        extra.name: {
            "gives": extra.gives,
            "missing": health.missing[extra.name],
            "install": _install(extra),
        }
        for extra in EXTRAS
    }
    values = asdict(health) | {"noise": verdict.as_json(health.noise)}
    del values["missing"]
    return values | {"telemetry_off": _is_off(health.telemetry), "extras": extras}


def lines(health: Health, width: int = WIDTH) -> Iterator[str]:
    """As a person reads it, so many columns wide, and 100 at most; a path is never broken."""
    width = min(width, WIDTH)
    here = health.machine
    guest = ": a virtual machine, whose neighbours can slow it down unseen" if here.virtual else ""
    facts = {
        "CPU": f"{here.cpu}, {here.system}{guest}",
        "flags": ", ".join(here.flags) or "none that matters to int8 could be read",
        "int8": health.int8,
        "cores": _about_cores(health),
        "clock": _about_clock(health.noise),
        "energy": health.energy_why_not or "readable (RAPL)",
        "noise": _about_noise(health.noise),
        "telemetry": _about_telemetry(health.telemetry),
        "MNIST": health.mnist or health.mnist_why_not,
        "models": _about_models(health),
        "versions": ", ".join(
            _unbroken(f"{name} {version}")
            for name, version in {"Python": here.python, **here.packages}.items()
        ),
    }
    for label, text in facts.items():
        yield from _wrapped(label, text, width)
    yield ""
    yield "extras"
    for extra in EXTRAS:
        yield from _wrapped(f"  {extra.name}", _about_extra(extra, health), width)


def _wrapped(label: str, text: str, width: int) -> list[str]:
    wrapper = textwrap.TextWrapper(
        width,
        initial_indent=f"{label:<{_LABEL - 1}} ",
        subsequent_indent=" " * _LABEL,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [
        line.replace(_NO_BREAK, " ") for line in wrapper.wrap(text.replace(" %", f"{_NO_BREAK}%"))
    ]


def _unbroken(text: str) -> str:
    """What stays on one line, such as a command."""
    return text.replace(" ", _NO_BREAK)


def _about_int8(flags: set[str]) -> str:
    """What the flags mean here (ONNX Runtime's mlas/lib/platform.cpp chooses kernels by them)."""
    if flags & _VNNI:
        return "fast: one instruction multiplies and adds up in 32 bits (VNNI)"
    if flags & _DOT_PRODUCT:
        return "fast: one instruction multiplies and adds up in 32 bits (dot product)"
    if "asimd" in flags:
        return "no dot product instructions: little to gain"
    if "avx2" in flags:
        return (
            "no VNNI: pairs of products are added up in 16 bits, where 8-bit weights can saturate; "
            "exported files use 7 bits, and cannot"
        )
    return "unknown: mnist-edge bench tells what it gains here"


def _about_cores(health: Health) -> str:
    here = health.machine
    quota = "no quota" if here.quota is None else f"a quota of {here.quota:g}"
    all_of_them = f" of {here.logical}" if here.logical else ""
    return f"{here.cores}{all_of_them} by affinity, {quota}: --threads {health.threads} at most"


def _about_clock(found: Noise) -> str:
    if found.clock is None:
        return "the governor is not readable here"
    driver = f", driver {found.clock.driver}" if found.clock.driver else ""
    return f"governor {found.clock.governor}{driver}"


def _about_noise(found: Noise) -> str:
    """The verdict, and what it rests on."""
    values = {"other programs used": found.others, "steal": found.steal}
    parts = [f"{name} {percent(value, 1)}" for name, value in values.items() if value is not None]
    if found.unreadable:
        parts.append(f"not readable: {', '.join(found.unreadable)}")
    text = verdict.text(found)
    return f"{text} ({'; '.join(parts)})" if parts else text


def _is_off(telemetry: str) -> bool:
    """As onnxruntime reads the variable (1.31, tried out)."""
    return telemetry.strip().lower() in ("1", "true", "yes", "on")


def _about_telemetry(value: str) -> str:
    if _is_off(value):
        return f"off ({_TELEMETRY}={value})"
    return f"{_TELEMETRY}={value}: onnxruntime may send data to its makers; unset it to stay silent"


def _mnist() -> tuple[str | None, str]:
    try:
        place = idx_datasets.find("mnist", None)
    except EdgeError as error:
        return None, str(error)
    missing = f"not here: 'mnist-edge data' fetches it, or {DATA_DIR_VARIABLE} names its folder"
    return (str(place), "") if place else (None, missing)


def _models() -> tuple[tuple[str, ...], str]:
    try:
        return tuple(str(path) for path in model_paths.default_files()), ""
    except EdgeError as error:
        return (), str(error)


def _about_models(health: Health) -> str:
    """Their names, with the folder once."""
    paths = [Path(model) for model in health.models]
    folders = {
        str(path.parent): [one.stem for one in paths if one.parent == path.parent] for path in paths
    }
    parts = [f"{', '.join(map(_unbroken, names))} in {folder}" for folder, names in folders.items()]
    return "; ".join(parts) or health.models_why_not


def _is_missing(module: str) -> bool:
    try:
        return find_spec(module) is None
    except (ImportError, ValueError):
        return True


def _install(extra: Extra) -> str:
    return f"pip install 'mnist-edge[{extra.name}]'"


def _about_extra(extra: Extra, health: Health) -> str:
    missing = health.missing[extra.name]
    if missing:
        return f"missing ({', '.join(missing)}): {_unbroken(_install(extra))} gives {extra.gives}"
    no_compiler = extra.name == "train" and health.compiler is None
    return f"installed: {extra.gives}" + ("; torch-compile needs a C++ compiler" * no_compiler)
