"""What people read: one text for each table, page, card and report, of records made by hand.

What a CPU's last bits or its clock could change is cut: times, and digits behind the third.
"""

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mnist_edge import benchmark
from mnist_edge.cli import export_output, gate_report
from mnist_edge.lab.export.publish import PublishedFile
from mnist_edge.metrics import Accuracy
from mnist_edge.model_file import model_paths
from mnist_edge.model_file.contract import Card
from mnist_edge.report import doctor, loadgen, plots
from mnist_edge.report import model_card as cards
from tests import golden
from tests.conftest import make_card, write_golden_model, write_tiny_model
from tests.golden.records import BENCH, HEALTH, write_pictures
from tests.helpers.cli import invoke, write_digit
from tests.helpers.exports import fp32_candidate, int8_candidate
from tests.model_file.test_manifest import TIMED
from tests.report.test_gate_report import DIAGNOSIS
from tests.report.test_html import Node, Reader
from tests.report.test_loadgen import MULTI, OFFLINE, SERVER, STREAM, shown
from tests.report.test_model_card import FACTS, FULL, INT8
from tests.report.test_training_description import RECIPE

INVISIBLE = ("style", "script", "title", "svg")


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(model_paths, "__file__", str(tmp_path / "none" / "model_paths.py"))


def said(*args: object, code: int = 0) -> str:
    """All that a command says: stdout, then stderr."""
    done = invoke(*args)
    assert done.exit_code == code, done.stderr
    return "\n---\n".join(filter(None, (done.stdout, done.stderr)))


def rounded(text: str) -> str:
    """Long fractions with three digits."""
    return re.sub(r"\d+\.\d{4,}(e-\d+)?", lambda found: f"{float(found[0]):.3f}", text)


def texts(node: Node) -> Iterator[str]:
    """What a reader of a page sees, a line for each piece, and for each row of a table."""
    for child in node.children:
        if isinstance(child, str):
            if child.strip():
                yield " ".join(child.split())
        elif child.tag == "tr":
            yield " | ".join(cell.text.strip() for cell in child.all("th", "td"))
        elif child.tag not in INVISIBLE:
            yield from texts(child)


def test_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the terminal, as Markdown and as a page, whose charts have tests of their own."""
    monkeypatch.setattr(benchmark, "run", lambda *_: BENCH)
    monkeypatch.setattr(plots, "svg_elements", lambda record, width: (None, None))
    model = write_tiny_model(Path("letters.onnx"), make_card(dataset="folder:letters"))
    golden.check(
        "texts/bench.txt", said("bench", model, "--markdown", "b.md", "--html", "b.html", code=4)
    )
    golden.check("texts/bench-markdown.txt", Path("b.md").read_text("utf-8"))
    page = Reader(Path("b.html").read_text("utf-8"))
    golden.check("texts/bench-page.txt", "\n".join(texts(page.root)))


def test_loadgen() -> None:
    parts = [
        "\n".join([*shown([result]), *loadgen.notes([result])])
        for result in (STREAM, MULTI, SERVER, OFFLINE)
    ]
    golden.check("texts/loadgen.txt", "\n\n".join(parts))


@pytest.mark.parametrize("card", [FULL, INT8], ids=["fp32", "int8"])
def test_model_card(card: Card) -> None:
    trained = {"recipe": RECIPE, "seed": 7, "device": "cpu", "threads": 2, "torch": "2.15.0"}
    text = cards.render(replace(card, trained=trained), replace(FACTS, latency=TIMED))
    golden.check(f"texts/model-card-{card.precision}.txt", text)


def test_gate_report() -> None:
    candidates = [fp32_candidate(), int8_candidate()]
    text = gate_report.markdown(candidates, "The gate was passed.")
    for made in candidates:
        text = text.replace(made.file.sha256, "SHA")
    golden.check("texts/gate.txt", text)


def test_export(capsys: pytest.CaptureFixture[str]) -> None:
    for made, before in ((fp32_candidate(), None), (int8_candidate(), Accuracy(9950, 10_000))):
        path = Path(made.name)
        path.write_bytes(bytes(12_345))
        export_output.print_published(Path("runs/tiny"), PublishedFile(path, made, before))
    export_output.print_diagnosis(DIAGNOSIS, as_json=False)
    golden.check("texts/export.txt", capsys.readouterr().out)


def test_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: HEALTH)
    golden.check("texts/doctor.txt", said("doctor"))


def test_eval() -> None:
    text = said("eval", write_golden_model(Path("tiny.onnx")))
    golden.check("texts/eval.txt", re.sub(r"[\d.e-]+ (ms|µs|\(limit)", r"… \1", text))


def test_predict() -> None:
    model, picture = write_golden_model(Path("tiny.onnx")), write_digit(Path("1.png"))
    broken = Path("broken.png")
    broken.write_bytes(b"no picture")
    parts = []
    for options in ((), ("--threshold", 0.999), ("--line",), ("--grid",), ("--csv",), ("--show",)):
        text = rounded(said("predict", picture, broken, "--model", model, *options, code=1))
        parts.append(f"$ predict {' '.join(map(str, options))}\n{text}")
    golden.check("texts/predict.txt", "\n".join(parts))


def test_train() -> None:
    """At the end of a run, which is told again when it is finished already."""
    shutil.copytree(golden.FOLDER / "run", "runs/edge-xs")
    args = ("--model", "edge-xs", "--dataset", "digits", "--epochs", 8, "--device", "cpu")
    golden.check("texts/train.txt", said("train", *args, "--resume"))


def test_data_and_models() -> None:
    write_pictures(Path("set"))
    golden.check("texts/data.txt", said("data", "folder:set"))
    Path("exported").mkdir()
    write_tiny_model(Path("exported/edge.onnx"))
    golden.check("texts/models.txt", said("models"))
    golden.check("texts/models-summary.txt", said("models", "edge-xs", "--summary"))
    golden.check("texts/reproduce-list.txt", said("reproduce", "--list"))
