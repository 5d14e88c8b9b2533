import functools
import importlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mnist_edge import backends, benchmark, files
from mnist_edge.backends import Contender, Discovery
from mnist_edge.benchmark import compare, runner, scored_data, stopwatch
from mnist_edge.catalogue import BACKENDS
from mnist_edge.datasets import digits
from mnist_edge.errors import EdgeError
from mnist_edge.files import sha256
from mnist_edge.host import machine, noise
from mnist_edge.host.noise import Noise
from mnist_edge.report import to_json, verdict
from tests.backends import foreign
from tests.conftest import Cli, make_card, write_tiny_model
from tests.helpers import fakes
from tests.helpers.cli import assert_fails, invoke, move_package, write_folder
from tests.helpers.trained import Trained

QUICK = ("--duration", 0.05, "--batch", "1,64")
SINGLE = ("--duration", 0.02, "--batch", 1)
HEADINGS = 3  # quality, speed, what ran
Values = dict[str, Any]
Earlier = Callable[[Callable[[Values], None]], Path]


@pytest.fixture(autouse=True)
def starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[Contender]]:
    """Nobody's runs/ and exported/ are in reach, and nothing waits. Which contenders were started
    in processes of their own; none really is."""
    monkeypatch.chdir(tmp_path)
    move_package(monkeypatch, tmp_path)
    fakes.skip_warm_up(monkeypatch)
    monkeypatch.setattr(scored_data, "_TIMED_IMAGES", 64)  # digits take a while to draw
    with fakes.little_to_collect():
        yield fakes.start_no_process(monkeypatch)


@pytest.fixture
def nothing_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong has to be found before anything is measured."""

    def run(*args: object) -> None:
        raise AssertionError("measured before the mistake was found")

    monkeypatch.setattr(benchmark, "run", run)


@pytest.fixture
def letters(tmp_path: Path) -> Path:
    """letters.onnx, whose data set is not here: nothing is scored."""
    return write_tiny_model(tmp_path / "letters.onnx", make_card(dataset="folder:letters"))


def rows(output: str, name: str) -> list[list[str]]:
    """The figures in each line that begins with a name: a line in each table."""
    lines = [line.strip() for line in output.splitlines()]
    return [line.removeprefix(name).split() for line in lines if line.startswith(f"{name} ")]


def measured(tmp_path: Path, *args: object) -> tuple[str, Values]:
    path = tmp_path / "bench.json"
    result = invoke("bench", *args, "--json", path)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith(f"wrote {path}\n")
    return result.stdout, json.loads(path.read_text())


def test_the_tables_say_what_the_json_says(tiny_model: Path, tmp_path: Path) -> None:
    output, found = measured(tmp_path, tiny_model, *QUICK)
    (entry,) = found["contenders"]
    single, accuracy = entry["batches"]["1"], entry["accuracy"]
    quality, speed, ran = rows(output, "tiny.onnx")
    assert quality[0] == f"{accuracy['correct'] / accuracy['total'] * 100:.2f}"
    assert f"{entry['expected_calibration_error'] * 100:.2f}" in quality
    assert "32 kB" in " ".join(quality)
    assert quality[-2:] == ["1", "MB"]
    figures = [f"{single[f'p{rank}_us']:,.0f}" for rank in (50, 90, 99)]
    assert speed[: len(figures)] == figures
    assert f"{entry['batches']['64']['images_per_s']:,.0f}" in speed
    assert f"{single['cpu_us_per_image']:,.0f}" in speed
    assert ran[0] == "float"
    assert f"{single['n']:,} calls each in {len(single['turns']):,} interleaved rounds" in output
    assert "test images of digits" in output
    assert f"{found['machine']['cores']} core" in output
    assert found["machine"]["cpu"] in output


def test_the_tables_fit_100_columns(tiny_model: Path, tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "with-a-name-of-25.onnx", seed=1)
    output, found = measured(tmp_path, tiny_model, tmp_path / "with-a-name-of-25.onnx", *QUICK)
    prose = [found["machine"]["cpu"], "wrote ", "the timing ", "on this CPU", *found["advice"]]
    prose += ["energy: ", "where ", "no reason to ship"]
    lines = [line for line in output.splitlines() if not line.startswith(tuple(prose))]
    assert len(lines) > 3 * HEADINGS
    assert max(map(len, lines)) <= 100


def test_percentiles_can_be_computed_again_from_the_raw_samples(
    tiny_model: Path, tmp_path: Path
) -> None:
    _, found = measured(tmp_path, tiny_model, *QUICK)
    (entry,) = found["contenders"]
    parts = [(entry["load"], 11), (entry["first"], 11), (entry["prepare"], 700)]
    parts += [(entry["batches"]["1"], 700), (entry["batches"]["64"], 64)]
    for part, least in parts:
        assert part["n"] == len(part["samples_us"]) >= least
        assert part["min_us"] == pytest.approx(min(part["samples_us"]), abs=1e-3)
        for rank, needed in ((50, 11), (90, 64), (95, 130), (99, 662), (99.9, 6636)):
            shown, upper = part[f"p{rank}_us"], part[f"p{rank}_upper99_us"]
            if part["n"] < needed:
                assert shown is upper is None
                continue
            assert shown == pytest.approx(np.percentile(part["samples_us"], rank), abs=1e-3)
            assert shown <= upper <= max(part["samples_us"]) + 1e-3
    for size in ("1", "64"):
        timed = [entry["batches"][size], found["yardstick"][size]]
        assert sum(sum(part["samples_us"]) for part in timed) >= 2 * 0.025e6 * 0.999
        assert sum(timed[0]["turns"]) == timed[0]["n"]


def test_the_json_says_on_what_and_how_it_was_measured(tiny_model: Path, tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    _, found = measured(tmp_path, tiny_model, *QUICK, "--seed", 5, "--cold")
    schema = Path(to_json.__file__).with_name("bench.schema.json")
    jsonschema.validate(found, json.loads(schema.read_text()))
    assert found["schema"] == to_json.SCHEMA
    assert found["timed_images"] == "test images of digits"
    assert found["plan"] == {
        "threads": 1,
        "duration_s": 0.05,
        "batches": [1, 64],
        "rate_hz": None,
        "cold": True,
        "seed": 5,
    }
    assert found["machine"]["cpu"] == machine.this_machine().cpu
    (entry,) = found["contenders"]
    assert entry["sha256"] == sha256(tiny_model)
    assert entry["bytes"] == tiny_model.stat().st_size
    assert entry["accuracy"]["total"] == len(digits.load().test)
    assert entry["cold"]["n"] == 11


def test_cold_starts_and_a_paced_run_have_columns_of_their_own(
    letters: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopwatch, "_PACED_TURN_S", 0.02)
    output, found = measured(tmp_path, letters, *SINGLE, "--cold", "--rate", 400)
    quality, speed = output.splitlines()[0], output.split("\n\n")[1].splitlines()[0]
    assert "cold" in quality.split()
    assert "400 Hz" in speed
    (entry,) = found["contenders"]
    assert entry["cold"]["samples_us"] == [1e6 * at for at in range(1, 12)]
    assert f"{1000 * 6:,}" in rows(output, "letters.onnx")[0]  # the median, in ms
    assert set(entry["paced"]["turns"]) == {8}
    assert found["plan"]["rate_hz"] == 400


def test_all_contenders_are_timed_in_the_same_rounds(tiny_model: Path, tmp_path: Path) -> None:
    other = write_tiny_model(tmp_path / "other.onnx", seed=1)
    output, found = measured(tmp_path, tiny_model, other, *QUICK)
    for size in ("1", "64"):
        parts = [entry["batches"][size] for entry in found["contenders"]]
        assert len({len(part["turns"]) for part in [*parts, found["yardstick"][size]]}) == 1
        assert parts[0]["speedup"] is None
        assert parts[1]["speedup"]["over"] == "tiny.onnx"
    assert [entry["name"] for entry in found["contenders"]] == ["tiny.onnx", "other.onnx"]
    assert len(rows(output, "other.onnx")) == HEADINGS


def test_all_usable_threads_are_one_word(letters: Path, tmp_path: Path) -> None:
    _, found = measured(tmp_path, letters, *SINGLE, "--threads", 0)
    assert found["plan"]["threads"] == machine.usable_threads()


def test_all_of_exported_is_measured_when_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "exported").mkdir()
    for name in ("b", "a"):
        write_tiny_model(tmp_path / "exported" / f"{name}.onnx")
    result = invoke("bench", *SINGLE)
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()[1:3]] == ["a.onnx", "b.onnx"]


def test_namesakes_in_different_folders_are_told_apart(tmp_path: Path) -> None:
    paths = []
    for folder in ("old", "new"):
        (tmp_path / folder / "exported").mkdir(parents=True)
        card = make_card(dataset="folder:letters")
        paths.append(write_tiny_model(tmp_path / folder / "exported" / "edge.onnx", card))
    output = invoke("bench", *paths, *SINGLE).stdout
    assert len(rows(output, "old/exported/edge.onnx")) == HEADINGS
    assert len(rows(output, "new/exported/edge.onnx")) == HEADINGS


def test_without_its_data_a_file_shows_its_recorded_accuracy_with_a_star(
    letters: Path, tmp_path: Path
) -> None:
    output, found = measured(tmp_path, letters, *SINGLE)
    assert rows(output, "letters.onnx")[0][0] == "90.00*"
    assert re.search(r"^\* as recorded in the file: its data set is not here", output, re.M)
    (command,) = re.findall(r"'mnist-edge (\w+)' fetches", output)
    assert invoke(command, "--help").exit_code == 0
    assert "digits drawn in a font: no data set is here" in output
    (entry,) = found["contenders"]
    assert entry["accuracy"]["recorded"] is True
    assert (entry["accuracy"]["correct"], entry["accuracy"]["total"]) == (90, 100)


def test_a_measured_accuracy_has_no_star(letters: Path, tmp_path: Path) -> None:
    output, found = measured(tmp_path, letters, *SINGLE, "--dataset", "digits")
    assert "*" not in output
    assert found["contenders"][0]["accuracy"]["recorded"] is False
    assert "test images of digits" in output


@pytest.mark.usefixtures("threads_as_before")
def test_the_original_is_measured_beside_its_file_and_nothing_has_changed(
    made: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(made.home)
    fakes.skip_warm_up(monkeypatch, samples=20)
    output, found = measured(tmp_path, *SINGLE)
    file, original = found["contenders"]
    assert (file["runtime"], original["runtime"]) == ("onnxruntime", "pytorch")
    assert (file["change"]["changed"], file["change"]["mcnemar_p"]) == (0, 1)
    assert original["change"] is None
    assert file["accuracy"] == original["accuracy"]
    assert original["sha256"] == sha256(made.run / "checkpoint.pt")
    assert rows(output, "edge-xs.onnx")[0][3] == "0"
    assert rows(output, "PyTorch original")[0][0] == f"{original['accuracy']['value'] * 100:.2f}"
    golden = file["computed"]["golden"]
    assert (golden["images"], golden["changed"]) == (8, 0)


@pytest.mark.usefixtures("nothing_measured")
def test_no_exported_model_says_how_to_make_one() -> None:
    assert_fails(invoke("bench"), r"no exported model: name a file, .*'mnist-edge export'$")


def test_refused_files_among_good_ones_are_a_line_each_and_the_rest_is_measured(
    tiny_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.onnx").write_text("nothing")
    golden = fakes.with_golden(tmp_path / "golden.onnx", make_card(dataset="folder:x"), off=0.5)
    foreign.write(tmp_path / "three.onnx", output=("N", 10), inner=(3, 784))
    gone, unknown = tmp_path / "gone.onnx", "no-such-name"
    files = (tmp_path / "bad.onnx", gone, tiny_model, unknown, golden, tmp_path / "three.onnx")
    result = invoke("bench", *files, *SINGLE, "--json", tmp_path / "a.json")
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert [line.startswith("error: ") for line in lines] == [True] * 5
    told = (str(gone), unknown, "bad.onnx", "three.onnx", "golden.onnx")
    for line, name in zip(lines, told, strict=True):
        assert name in line
    found = json.loads((tmp_path / "a.json").read_text())
    assert [entry["name"] for entry in found["contenders"]] == ["tiny.onnx"]
    assert [f"error: {line}" for line in found["refused"]] == lines


@pytest.mark.usefixtures("nothing_measured")
def test_where_every_file_is_refused_the_first_is_the_error(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.onnx").write_text("nothing")
    result = invoke("bench", tmp_path / "a.onnx", tmp_path / "b.onnx")
    assert_fails(result, r"a\.onnx is not an ONNX file, or a damaged one")
    assert_fails(invoke("bench", tmp_path / "a.onnx", tmp_path / "gone.onnx"), r"gone\.onnx: ")
    assert_fails(invoke("bench", "gone", tmp_path / "lost.onnx"), "there is no model file gone: ")
    assert result.stdout == ""


def test_a_file_of_another_number_of_classes_does_not_end_the_others(
    tiny_model: Path, tmp_path: Path
) -> None:
    root = write_folder(tmp_path / "letters", "a", "b", "c")
    card = make_card(dataset=f"folder:{root}", classes=("a", "b", "c"))
    other = write_tiny_model(tmp_path / "three.onnx", card)
    result = invoke("bench", tiny_model, other, *SINGLE, "--dataset", "digits")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert "three" in line
    assert rows(result.stdout, "tiny.onnx")


@pytest.mark.usefixtures("nothing_measured")
def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert_fails(invoke("bench", tmp_path / "no.onnx"), f"no model file {tmp_path / 'no.onnx'}: ")


@pytest.mark.usefixtures("nothing_measured")
def test_a_set_with_other_classes_says_both(tiny_model: Path, tmp_path: Path) -> None:
    root = write_folder(tmp_path / "letters", "a", "b", "c")
    result = invoke("bench", tiny_model, "--dataset", f"folder:{root}")
    assert_fails(result, r"letters has the classes a, b, c; tiny\.onnx tells 0, 1, .*9 apart")


@pytest.mark.usefixtures("nothing_measured")
@pytest.mark.parametrize(
    ("args", "message", "code"),
    [
        (["--dataset", "x"], "no data set 'x': choose one of", 2),
        (["--batch", "0"], r"--batch is counts of images such as 1,8,64, not 0$", 2),
        (["--batch", "8,1,8"], "--batch names a count of images twice: 8,1,8$", 2),
        (["--batch", "x"], r"--batch is .* not x$", 2),
        (["--batch", "1,"], r"--batch is .* not 1,$", 2),
        (["--batch", "8,-1"], r"--batch is .* not 8,-1$", 2),
        (["--batch", "100000"], r"--batch is .* not 100000$", 2),
        (["--threads", "999"], r"this process may use \d+ cores? .*: --threads \d+ at most", 2),
        (["--duration", "inf"], "--duration and --rate are finite numbers", 2),
        (["--rate", "inf"], "--duration and --rate are finite numbers", 2),
        (["--plot", "x.pdf"], r"--plot writes \.png or \.svg, and x\.pdf is neither$", 2),
        (["--plot", "png"], r"--plot writes \.png or \.svg, and png is neither$", 2),
        (["--contender", "tflite"], "there is no contender 'tflite': choose from onnxruntime, ", 2),
        (["--contender", "onnxruntime,"], "there is no contender '': choose from onnxruntime, ", 2),
        (["--contender", "pytorch"], "pytorch runs the PyTorch network .* its run is not here", 1),
        (["--fail-slower", "10%"], r"--fail-slower needs .*: --compare OLD\.json$", 2),
        (["--compare", "no.json"], r"no\.json: there is no such file", 1),
        (["--compare", "."], r"\.: is a folder, not a file", 1),
        (["--compare", "letters.onnx"], r"letters\.onnx is not what 'mnist-edge bench --json'", 1),
        (["--loadgen", "offline", "--json", "x"], "--loadgen goes without --json, ", 2),
        (["--loadgen", "offline", "--plot", "x.svg"], "--loadgen goes without --json, ", 2),
        (["--loadgen", "offline", "--compare", "x"], "--loadgen goes without --compare", 2),
        (["--loadgen", "offline", "--cold"], "--loadgen goes without --cold", 2),
        (["--loadgen", "offline", "--strict"], "--loadgen goes without --strict", 2),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_measured(
    letters: Path, args: list[str], message: str, code: int
) -> None:
    result = invoke("bench", letters, *args)
    assert_fails(result, message, code)
    assert result.stdout == ""


@pytest.mark.usefixtures("nothing_measured")
@pytest.mark.parametrize("share", ["abc", "-1%", "", "%", "10%%", "nan", "1000%", "5", "10% x"])
def test_a_share_that_is_none_is_refused(letters: Path, share: str) -> None:
    """A plain 5 is refused too: who means 5 % would wait for five times as long."""
    result = invoke("bench", letters, "--compare", "old.json", "--fail-slower", share)
    assert_fails(result, f"--fail-slower is a share such as 10%, not {share}$", code=2)


@pytest.mark.usefixtures("nothing_measured")
@pytest.mark.parametrize(
    "args", [["--duration", "-1"], ["--duration", "x"], ["--rate", "0"], ["--threads", "-1"]]
)
def test_a_number_out_of_range_is_a_usage_error(letters: Path, args: list[str]) -> None:
    result = invoke("bench", letters, *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert args[0] in result.stderr


def test_everything_is_written_where_it_was_asked_for(letters: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    names = {"--json": "b.json", "--markdown": "b.md", "--html": "b.html", "--plot": "b.SVG"}
    folder = tmp_path / "folder"
    folder.mkdir()
    places = [item for option, name in names.items() for item in (option, folder / name)]
    result = invoke("bench", letters, *SINGLE, *places)
    assert (result.exit_code, result.stderr) == (0, "")
    told = [line for line in result.stdout.splitlines() if line.startswith("wrote ")]
    assert told == [f"wrote {folder / name}" for name in names.values()]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names.values())
    content = {name: (folder / name).read_text() for name in names.values()}
    assert all("letters.onnx" in content[name] for name in ("b.json", "b.md", "b.html"))
    assert "<!doctype html>" in content["b.html"]
    assert "<svg" in content["b.SVG"]


def test_json_on_stdout_is_json_alone(letters: Path, tmp_path: Path) -> None:
    result = invoke("bench", letters, *SINGLE, "--json", "-", "--markdown", tmp_path / "b.md")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["contenders"][0]["name"] == "letters.onnx"
    assert result.stderr == f"wrote {tmp_path / 'b.md'}\n"
    assert not Path("-").exists()


def test_markdown_on_stdout_is_what_a_file_would_hold(letters: Path) -> None:
    result = invoke("bench", letters, *SINGLE, "--markdown", "-")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("# mnist-edge bench\n")
    assert "p50 p90" not in result.stdout


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--json", "-", "--markdown", "-"), "takes one of --json and --markdown"),
        (("--html", "-"), "--html writes a file"),
        (("--plot", "-"), "--plot writes .png or .svg"),
    ],
)
@pytest.mark.usefixtures("nothing_measured")
def test_what_stdout_does_not_take_is_refused(
    letters: Path, args: tuple[str, ...], message: str
) -> None:
    assert_fails(invoke("bench", letters, *args), message, 2)


def test_a_file_that_cannot_be_written_is_an_error_behind_the_tables(
    letters: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full by now; and one file that fails keeps no other away."""

    def write(path: Path, content: str) -> None:
        if path.suffix == ".json":
            raise EdgeError("cannot write x.json: No space left on device")
        path.write_text(content)

    monkeypatch.setattr(files, "write_atomically", write)
    places = ("--json", tmp_path / "x.json", "--markdown", tmp_path / "x.md")
    result = invoke("bench", letters, *SINGLE, *places)
    assert_fails(result, r"cannot write x\.json: No space left")
    assert len(rows(result.stdout, "letters.onnx")) == HEADINGS  # what was measured is not lost
    assert f"wrote {tmp_path / 'x.md'}\n" in result.stdout


@pytest.mark.parametrize("option", ["--json", "--markdown", "--html", "--plot"])
def test_outputs_are_looked_at_before_measuring(
    letters: Path, tmp_path: Path, nothing_measured: None, option: str
) -> None:
    suffix = ".svg" if option == "--plot" else ".x"
    typo = tmp_path / "typo" / f"a{suffix}"
    result = invoke("bench", letters, option, typo)
    assert_fails(result, rf"cannot write {typo}, {option}: there is no folder .*: make it first$")
    assert not typo.parent.exists()
    (link := tmp_path / f"link{suffix}").symlink_to(letters)
    before = letters.read_bytes()
    assert_fails(
        invoke("bench", letters, option, link), rf"{option} would be written over {link}", 2
    )
    assert letters.read_bytes() == before


def test_the_earlier_benchmark_is_an_input_too(
    letters: Path, tmp_path: Path, nothing_measured: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (old := tmp_path / "old.json").write_text("{}")
    monkeypatch.setattr(compare, "read", lambda *args: {})
    result = invoke("bench", letters, "--compare", old, "--json", old)
    assert_fails(result, f"--json would be written over {old}, which is read", 2)
    assert old.read_text() == "{}"


def test_a_chart_without_matplotlib_is_refused_before_measuring(
    letters: Path, monkeypatch: pytest.MonkeyPatch, nothing_measured: None
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for option, name in (("--plot", "x.png"), ("--html", "x.html")):
        result = invoke("bench", letters, option, name)
        assert_fails(result, r"matplotlib, which is not installed: pip install 'mnist-edge\[report")


NOISY = Noise(others=0.5)


@pytest.mark.parametrize(
    ("found", "strict", "code"),
    [(NOISY, True, 3), (NOISY, False, 0), (Noise(), True, 0)],
)
def test_strict_makes_noise_an_exit_code(
    letters: Path, monkeypatch: pytest.MonkeyPatch, found: Noise, strict: bool, code: int
) -> None:
    monkeypatch.setattr(noise, "between", lambda *readings: found)
    result = invoke("bench", letters, *SINGLE, *["--strict"] * strict)
    assert (result.exit_code, result.stderr) == (code, "")
    assert len(rows(result.stdout, "letters.onnx")) == HEADINGS
    assert verdict.text(found) in result.stdout


def test_noise_that_was_there_is_told(letters: Path, tmp_path: Path) -> None:
    output, found = measured(tmp_path, letters, *SINGLE)
    verdict = "; ".join(found["noise"]["reasons"])
    assert (f"noisy: {verdict}" if verdict else "trusted") in output
    assert found["noise"]["trusted"] == (not verdict)


def test_a_file_that_computes_wrongly_here_is_a_warning_and_an_exit_code(tmp_path: Path) -> None:
    path = fakes.write_absorbing_model(tmp_path / "bad.onnx", make_card(dataset="folder:x"))
    good = write_tiny_model(tmp_path / "good.onnx", make_card(dataset="folder:x"))
    result = invoke("bench", good, path, *SINGLE, "--json", "b.json", "--strict")
    assert result.exit_code == 4
    assert re.match(r"warning: bad\.onnx computes wrongly on this CPU: .*\n$", result.stderr)
    assert len(rows(result.stdout, "bad.onnx")) == HEADINGS
    found = json.loads((tmp_path / "b.json").read_text())
    assert [one["computed"]["saturates"] for one in found["contenders"]] == [False, True]


def test_golden_answers_that_fail_are_an_error_and_no_table(tmp_path: Path) -> None:
    path = fakes.with_golden(tmp_path / "bad.onnx", make_card(dataset="folder:x"), off=0.5)
    result = invoke("bench", path, *SINGLE)
    assert_fails(result, r"bad\.onnx does not compute here what it computed .* 1 of 8 golden")
    assert result.stdout == ""


def test_golden_answers_that_hold_are_counted(tmp_path: Path) -> None:
    path = fakes.with_golden(tmp_path / "good.onnx", make_card(dataset="folder:x"))
    result = invoke("bench", path, *SINGLE)
    assert (result.exit_code, result.stderr) == (0, "")
    assert " ".join(rows(result.stdout, "good.onnx")[2]).endswith("8 of 8")


def other_time(times: float) -> Callable[[Values], None]:
    """As if its contender had taken so many times as long."""

    def change(old: Values) -> None:
        for latency in old["contenders"][0]["batches"].values():
            latency["samples_us"] = [times * sample for sample in latency["samples_us"]]
            latency["min_us"] *= times

    return change


@functools.cache
def benchmark_of_this_machine(letters: Path) -> str:
    """The JSON of a file that does nothing much; once for all tests."""
    path = letters.with_name("once.json")
    assert invoke("bench", letters, *SINGLE, "--json", path).exit_code == 0
    return path.read_text()


@pytest.fixture
def earlier(letters: Path, tmp_path_factory: pytest.TempPathFactory) -> Earlier:
    """Write a benchmark of this machine, changed afterwards."""
    folder = tmp_path_factory.getbasetemp() / "earlier"
    folder.mkdir(exist_ok=True)
    same = folder / letters.name
    if not same.exists():
        shutil.copy(letters, same)

    def write(change: Callable[[Values], None]) -> Path:
        old = json.loads(benchmark_of_this_machine(same))
        change(old)
        path = letters.with_name("old.json")
        path.write_text(json.dumps(old))
        return path

    return write


CHANGED = r"^letters\.onnx, 1 image a call: .*[+-]\d+\.\d %"


@pytest.mark.parametrize(
    ("times", "share", "code"), [(1 / 4, "50 %", 5), (1 / 4, "500%", 0), (4, "0.5", 0)]
)
def test_a_file_that_became_slower_has_an_exit_code(
    letters: Path, earlier: Earlier, times: float, share: str, code: int
) -> None:
    old = earlier(other_time(times))
    result = invoke("bench", letters, *SINGLE, "--compare", old, "--fail-slower", share)
    assert (result.exit_code, result.stderr) == (code, "")
    (line,) = re.findall(f"{CHANGED}.*$", result.stdout, re.M)
    assert ("slower by more than 50 %" in line) == (code == 5)


def test_without_a_limit_what_became_slower_is_only_told(letters: Path, earlier: Earlier) -> None:
    result = invoke("bench", letters, *SINGLE, "--compare", earlier(other_time(1 / 4)))
    assert (result.exit_code, result.stderr) == (0, "")
    assert len(re.findall(CHANGED, result.stdout, re.M)) == 1


def put(where: str, what: str, value: object) -> Callable[[Values], None]:
    def change(old: Values) -> None:
        old[where][what] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("machine", "cpu", "Another"), r"of another machine \(cpu: Another, here .*\): times"),
        (put("machine", "cores", 4096), r"of another machine \(cores: 4096, here \d+\)"),
        (put("plan", "threads", 64), "ran with --threads 64, this one with 1$"),
        (lambda old: old.update(schema=1), rf"follows schema 1, this is {to_json.SCHEMA}: measure"),
        (lambda old: old.pop("yardstick"), "old.json is not what 'mnist-edge bench --json' writes"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_measuring(
    letters: Path,
    earlier: Earlier,
    change: Callable[[Values], None],
    message: str,
    request: pytest.FixtureRequest,
) -> None:
    old = earlier(change)
    request.getfixturevalue("nothing_measured")
    result = invoke("bench", letters, "--compare", old, "--fail-slower", "10%")
    assert_fails(result, message)
    assert result.stdout == ""


@pytest.mark.parametrize("change", [{"name": "other.onnx", "file": "other.onnx"}, {"batches": {}}])
def test_nothing_in_common_is_an_error_before_anything_is_measured(
    letters: Path, earlier: Earlier, request: pytest.FixtureRequest, change: Values
) -> None:
    old = earlier(lambda old: old["contenders"][0].update(change))
    request.getfixturevalue("nothing_measured")
    result = invoke("bench", letters, *SINGLE, "--compare", old)
    assert_fails(result, "has no contender in common with this one$")
    assert result.stdout == ""


def greys(root: Path) -> Path:
    """A set of ten greys, which the classifier of `tests.backends.foreign` can tell apart."""
    some = foreign.greys(50)
    for at, (image, label) in enumerate(zip(some.images, some.labels, strict=True)):
        (root / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(root / str(label) / f"{at}.png")
    return root


def test_a_file_of_others_is_scored_and_its_guess_is_shown(tmp_path: Path) -> None:
    """Its own training images are what the guess rests on."""
    made_for = foreign.Preparation(scale=1 / 255, invert=True)
    path = foreign.write(tmp_path / "foreign.onnx", made_for=made_for)
    root = greys(tmp_path / "greys")
    output, found = measured(tmp_path, path, *SINGLE, "--dataset", f"folder:{root}")
    assert output.splitlines()[0].startswith(
        "foreign.onnx: input float32 (N, 1, 28, 28), pixels as 0..1, inverted (guessed on "
    )
    assert "% right; next best, " in output
    (entry,) = found["contenders"]
    assert entry["accuracy"]["value"] == 1
    assert entry["change"] is None
    assert entry["computed"]["golden"] is None


def test_what_a_person_says_of_a_file_of_others_is_handed_on(tmp_path: Path) -> None:
    """Where all is said, nothing is guessed; said wrongly, it reads wrongly."""
    made_for = foreign.Preparation(scale=0.5, mean=7.0, invert=True)
    path = foreign.write(tmp_path / "foreign.onnx", made_for=made_for)
    set_ = ("--dataset", f"folder:{greys(tmp_path / 'greys')}")
    said = ["--input-scale", 0.5, "--input-mean", 7]
    output, found = measured(tmp_path, path, *SINGLE, *set_, *said, "--invert")
    told = "foreign.onnx: input float32 (N, 1, 28, 28), pixels (pixel - 7) × 0.5, inverted"
    assert output.splitlines()[0] == told
    assert found["contenders"][0]["accuracy"]["value"] == 1
    output, found = measured(tmp_path, path, *SINGLE, *set_, *said, "--no-invert")
    assert output.splitlines()[0] == told.removesuffix(", inverted")
    assert found["contenders"][0]["accuracy"]["value"] < 0.5


def test_without_a_set_digits_drawn_in_a_font_are_guessed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is known of the accuracy."""
    monkeypatch.setattr("mnist_edge.datasets.load_if_here", lambda *args, **options: None)
    path = foreign.write(tmp_path / "foreign.onnx", ("N", 784))
    output, found = measured(tmp_path, path, *SINGLE)
    assert "(guessed on 500 labelled images: " in output.splitlines()[0]
    assert "digits drawn in a font: no data set is here" in output
    assert found["contenders"][0]["accuracy"] is None


def test_all_takes_what_is_installed_and_names_what_is_not(
    letters: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in {module for one in BACKENDS.values() for module in one.modules}:
        monkeypatch.setitem(sys.modules, module, None)
    output, found = measured(tmp_path, letters, *SINGLE, "--contender", "all")
    assert [one["runtime"] for one in found["contenders"]] == ["onnxruntime"]
    for name in ("openvino", "ncnn"):
        told = rf"^{name}\b.* not installed: pip install 'mnist-edge\[{name}\]'$"
        assert re.search(told, output, re.M)
    assert any(line.startswith("pytorch runs the PyTorch network") for line in found["missing"])


@pytest.mark.usefixtures("nothing_measured")
def test_a_named_contender_that_is_not_installed_is_an_error(
    letters: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    result = invoke("bench", letters, "--contender", "openvino")
    assert_fails(result, r"openvino is not installed: pip install 'mnist-edge\[openvino\]'$")


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ([], None),
        (["--contender", "ncnn"], ("ncnn",)),
        (
            ["--contender", "openvino, ncnn", "--contender", "ncnn", "--contender", "all"],
            ("openvino", "ncnn", "all"),
        ),
    ],
)
def test_contenders_are_named_with_commas_or_one_by_one(
    letters: Path,
    monkeypatch: pytest.MonkeyPatch,
    args: list[str],
    expected: tuple[str, ...] | None,
) -> None:
    def find_contenders(files: list[Path], runs: Path, runtimes: object, *rest: Any) -> Discovery:
        asked.append(runtimes)
        return real(files, runs, ["onnxruntime"], *rest)

    asked: list[object] = []
    real = backends.find_contenders
    monkeypatch.setattr(backends, "find_contenders", find_contenders)
    assert invoke("bench", letters, *SINGLE, *args).exit_code == 0
    assert asked == [expected]


@pytest.fixture
def _loadgen(monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("mlperf_loadgen") is None:
        pytest.skip("needs the extra [loadgen]")
    monkeypatch.setattr("mnist_edge.benchmark.loadgen.system._WARMUP_S", 0.02)


@pytest.mark.usefixtures("_loadgen")
def test_loadgen_drives_every_contender_and_keeps_its_logs(tmp_path: Path) -> None:
    """Namesakes keep logs apart."""
    card = make_card(dataset="folder:letters")
    paths = []
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        paths.append(write_tiny_model(tmp_path / name / "edge.onnx", card))
    args = ("--duration", 0.05, "--loadgen", "single-stream", "--loadgen-logs", "logs")
    result = invoke("bench", *paths, *args)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = [line for line in result.stdout.splitlines() if "edge.onnx" in line]
    assert len(lines) == 2
    assert all(line.rstrip().lower().endswith("valid") for line in lines)
    assert "digits drawn in a font" in result.stdout
    assert "logs/" in result.stdout
    assert len(list((tmp_path / "logs").rglob("mlperf_log_summary.txt"))) == 2


@pytest.mark.parametrize(
    ("scenario", "message"),
    [
        ("burst", "--loadgen is single-stream, .* or offline, not burst$"),
        ("server", "--loadgen server needs --rate: "),
    ],
)
def test_a_scenario_that_cannot_be_driven_is_refused(
    letters: Path, tmp_path: Path, scenario: str, message: str
) -> None:
    result = invoke("bench", letters, "--loadgen", scenario)
    assert_fails(result, message, code=2)
    assert result.stdout == ""
    assert not (tmp_path / "loadgen").exists()


@pytest.mark.usefixtures("_loadgen")
def test_loadgen_server_runs_at_the_rate(letters: Path, tmp_path: Path) -> None:
    args = ("--duration", 0.05, "--loadgen", "server", "--rate", 4000)
    result = invoke("bench", letters, *args)
    assert (result.exit_code, result.stderr) == (0, "")
    (summary,) = (tmp_path / "loadgen").rglob("mlperf_log_summary.txt")
    assert re.search(r"target_qps : 4000", summary.read_text())


def test_loadgen_that_is_not_installed_names_the_extra(
    letters: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlperf_loadgen", None)
    result = invoke("bench", letters, "--loadgen", "offline")
    assert_fails(result, r"not installed: pip install 'mnist-edge\[loadgen\]'$")


@pytest.mark.parametrize(
    ("flags", "cores", "expected"),
    [
        (("asimd", "i8mm"), 4, "Some CPU (asimd, i8mm), 4 cores, 1 thread; onnxruntime "),
        ((), 1, "Some CPU, 1 core, 1 thread; onnxruntime "),
    ],
)
def test_the_machine_is_told_in_plain_words(
    monkeypatch: pytest.MonkeyPatch,
    letters: Path,
    flags: tuple[str, ...],
    cores: int,
    expected: str,
) -> None:
    packages = machine.this_machine().packages
    pretended = machine.Machine("Some CPU", flags, cores, None, "Linux", "3.12", packages)
    monkeypatch.setattr(runner, "this_machine", lambda: pretended)
    assert f"\n{expected}" in invoke("bench", letters, *SINGLE).stdout


def test_a_real_process_measures_and_fails_alike(cli: Cli, letters: Path, tmp_path: Path) -> None:
    done = cli("bench", "letters.onnx", *QUICK, "--json", "b.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(rows(done.stdout, "letters.onnx")) == HEADINGS
    found = json.loads((tmp_path / "b.json").read_text())
    assert found["schema"] == to_json.SCHEMA
    peak = found["contenders"][0]["peak_bytes"]
    assert peak is None or peak > 10_000_000  # of a process that was really started
    assert_fails(cli("bench", "no.onnx"), r"no model file no\.onnx: ")


# Says on stderr when the first whole round has been timed.
_TELLING = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
from mnist_edge.benchmark import timing
from mnist_edge.cli import main
measure = timing.measure
def telling(calls, protocol, progress=None, meters=None):
    told = []
    def tell(fraction):
        if fraction > 0 and not told:
            told.append(fraction)
            print("timing", file=sys.stderr, flush=True)
        progress(fraction)
    return measure(calls, protocol, tell, meters) if progress else measure(calls, protocol)
timing.measure = telling
sys.argv[0] = "mnist-edge"
main()
"""


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_ctrl_c_while_it_times_shows_the_rounds_until_then(letters: Path, tmp_path: Path) -> None:
    """An hour's measurement, of which a moment is enough."""
    args = ("bench", "letters.onnx", "--duration", "3600", "--json", "b.json")
    process = subprocess.Popen(
        [sys.executable, "-c", _TELLING, *args],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout
        assert process.stderr
        assert process.stderr.readline() == "timing\n"
        process.send_signal(signal.SIGINT)
        # communicate() would lose what was buffered behind that line.
        output, errors = process.stdout.read(), process.stderr.read()
    assert (process.returncode, errors) == (130, "")
    quality, speed, ran = rows(output, "letters.onnx")
    assert (quality[0], ran[0]) == ("90.00*", "float")
    assert speed
    assert "stopped by Ctrl-C" in output
    found = json.loads((tmp_path / "b.json").read_text())
    assert found["stopped"] is True
    (entry,) = found["contenders"]
    assert len(entry["batches"]["1"]["turns"]) >= 1
    assert "64" not in entry["batches"]


def test_files_are_known_by_name_and_a_folder_is_all_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "exported").mkdir()
    for name in ("mine/a.onnx", "mine/b.onnx", "exported/c.onnx"):
        write_tiny_model(tmp_path / name)
    result = invoke("bench", "mine", "c", *SINGLE, "--json", "out.json")
    assert result.exit_code == 0, result.stderr
    entries = json.loads((tmp_path / "out.json").read_text())["contenders"]
    assert [entry["file"] for entry in entries] == ["a.onnx", "b.onnx", "c.onnx"]
    assert_fails(invoke("bench", "d"), "there is no model file d: name a path, or one of c$")
