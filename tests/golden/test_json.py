"""The keys of every `--json`, with the types that stand there (of export: test_export.py)."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from mnist_edge.host import machine
from mnist_edge.model_file import model_paths
from mnist_edge.report import doctor, to_json
from tests import golden
from tests.conftest import write_golden_model, write_tiny_model
from tests.golden.records import HEALTH, write_pictures
from tests.helpers.cli import invoke, write_digit
from tests.helpers.experiments import make_small
from tests.lab.conftest import one_thread  # noqa: F401
from tests.report.test_schema import bare, full


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def said(*args: object) -> Any:
    done = invoke(*args, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_bench() -> None:
    names = ("machine.packages", "noise.spread", "contenders[].batches", "yardstick")
    for kind, made in (("bench", full()), ("bench-least", bare())):
        values = json.loads(json.dumps(to_json.benchmark(made)))
        golden.check_keys(f"json/{kind}.txt", values, names)


def test_train() -> None:
    """A run that is finished already is told as at its end."""
    shutil.copytree(golden.FOLDER / "run", "runs/edge-xs")
    args = ("--model", "edge-xs", "--dataset", "digits", "--epochs", 8, "--device", "cpu")
    golden.check_keys("json/train.txt", said("train", *args, "--resume"))


def test_eval() -> None:
    model = write_golden_model(Path("tiny.onnx"))
    golden.check_keys("json/eval.txt", said("eval", model), names=["classes"])


def test_predict() -> None:
    model, picture = write_golden_model(Path("tiny.onnx")), write_digit(Path("1.png"))
    broken = Path("broken.png")
    broken.write_bytes(b"no picture")
    kinds = {
        "predict": ("--save-input", "in", "--threshold", 0.999),
        "predict-line": ("--line",),
        "predict-grid": ("--grid",),
        "predict-check": ("--check",),
    }
    for name, options in kinds.items():
        done = invoke("predict", picture, broken, "--model", model, *options, "--json")
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(lines) == 2 + (name == "predict-check")
        names = ("[].probabilities", "[].digits[].probabilities", "[].rows[][].probabilities")
        golden.check_keys(f"json/{name}.txt", lines, names)


def test_data() -> None:
    write_pictures(Path("set"))
    golden.check_keys("json/data.txt", said("data", "folder:set"))


def test_models(monkeypatch: pytest.MonkeyPatch) -> None:
    golden.check_keys("json/models.txt", said("models"), names=[""])
    golden.check_keys("json/models-summary.txt", said("models", "edge-xs", "--summary"), names=[""])
    monkeypatch.setattr(model_paths, "__file__", str(Path.cwd() / "none" / "model_paths.py"))
    Path("exported").mkdir()
    write_tiny_model(Path("exported/edge.onnx"))
    golden.check_keys("json/models-files.txt", said("models", "--files"))


def test_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: HEALTH)
    golden.check_keys("json/doctor.txt", said("doctor"), names=["machine.packages"])


def test_reproduce(monkeypatch: pytest.MonkeyPatch) -> None:
    golden.check_keys("json/reproduce-list.txt", said("reproduce", "--list"))
    make_small(monkeypatch)
    args = ("--dataset", "digits", "--epochs", 1, "--device", "cpu", "--threads", 1)
    monkeypatch.setattr(machine, "this_machine", lambda: HEALTH.machine)
    values = said("reproduce", "three-block", *args)
    for made in values["exported"]["files"]:
        made["threshold"] = None  # whether there is one, the training decides, on each CPU its own
    golden.check_keys("json/reproduce.txt", values, names=["machine.packages"])
    page = Path("runs/reproduce/three-block-digits-1-epoch/result.md").read_text("utf-8")
    golden.check("texts/reproduce.txt", unmeasured(page))


def unmeasured(page: str) -> str:
    """A page without what each CPU measures otherwise: of tables, the heads and first columns."""
    lines: list[str] = []
    for line in page.partition("\n## machine")[0].splitlines():
        row = [cell.strip() for cell in line.strip("|").split("|")]
        in_table = bool(lines) and lines[-1].startswith("|")
        if line.startswith("|"):
            lines.append(f"| {row[0] if in_table else ' | '.join(row)}")
        elif not line.startswith("- trained in "):
            lines.append(line)
    return re.sub(r"-{2,}", "--", "\n".join(lines))
