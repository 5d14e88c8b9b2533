import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_edge import machine
from mnist_edge.datasets import digits
from mnist_edge.files import sha256
from tests.clitools import assert_fails, invoke, move_package, write_folder
from tests.conftest import Cli, make_card, write_tiny_model
from tests.trained import Trained

QUICK = ("--duration", "0.05")


pytestmark = pytest.mark.usefixtures("threads_as_before")


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody's runs/ and exported/ are in reach."""
    monkeypatch.chdir(tmp_path)
    move_package(monkeypatch, tmp_path)


def cells(output: str, name: str) -> list[str]:
    """The figures in the line of the table that begins with a name."""
    line = next(line for line in output.splitlines() if line.strip().startswith(name))
    return line.strip().removeprefix(name).split()


def measured(tmp_path: Path, *args: object) -> tuple[str, dict[str, Any]]:
    path = tmp_path / "bench.json"
    result = invoke("bench", *args, "--json", path)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith(f"wrote {path}\n")
    return result.stdout, json.loads(path.read_text())


def test_the_table_says_what_the_json_says(tiny_model: Path, tmp_path: Path) -> None:
    output, record = measured(tmp_path, tiny_model, *QUICK)
    (entry,) = record["contenders"]
    single, accuracy = entry["batch_1"], entry["accuracy"]
    found = cells(output, "tiny.onnx")
    assert found[0] == f"{accuracy['correct'] / accuracy['total'] * 100:.2f}"
    assert found[2:4] == ["32", "kB"]
    assert found[6:] == [
        *(f"{single[f'p{rank}_us']:,.0f}" for rank in (50, 90, 99)),
        f"{entry['batch_64']['images_per_s']:,.0f}",
    ]
    assert f"{single['n']:,} calls each, interleaved; test images of digits" in output
    assert f"{record['machine']['cores']} core" in output
    assert record["machine"]["cpu"] in output
    assert max(map(len, output.splitlines()[:4])) <= 100


def test_percentiles_can_be_computed_again_from_the_raw_samples(
    tiny_model: Path, tmp_path: Path
) -> None:
    _, record = measured(tmp_path, tiny_model, *QUICK)
    (entry,) = record["contenders"]
    for part, least in (("load", 11), ("first", 11), ("batch_1", 700), ("batch_64", 64)):
        found = entry[part]
        assert found["n"] == len(found["samples_us"]) >= least
        for rank, needed in ((50, 11), (90, 64), (95, 130), (99, 662), (99.9, 6636)):
            expected = np.percentile(found["samples_us"], rank) if found["n"] >= needed else None
            assert found[f"p{rank}_us"] == pytest.approx(expected, abs=1e-3)
    for part in ("batch_1", "batch_64"):
        assert sum(entry[part]["samples_us"]) >= 0.05e6 * 0.999  # rounded to nanoseconds


def test_the_json_says_on_what_and_how_it_was_measured(tiny_model: Path, tmp_path: Path) -> None:
    _, record = measured(tmp_path, tiny_model, *QUICK, "--threads", 2, "--seed", 5)
    assert record["schema"] == 1
    assert record["threads"] == 2
    assert record["timed_images"] == "test images of digits"
    assert record["protocol"] == {
        "samples": 700,
        "duration_s": 0.05,
        "warmup_s": 0.2,
        "burst": 20,
        "settle": 2,
        "seed": 5,
    }
    assert {"cpu", "flags", "cores", "governor", "system", "python", "packages"} == set(
        record["machine"]
    )
    (entry,) = record["contenders"]
    assert entry["sha256"] == sha256(tiny_model)
    assert entry["bytes"] == tiny_model.stat().st_size
    assert entry["accuracy"]["total"] == len(digits.load().test)


def test_all_contenders_get_equally_many_calls(tiny_model: Path, tmp_path: Path) -> None:
    other = write_tiny_model(tmp_path / "other.onnx", seed=1)
    output, record = measured(tmp_path, tiny_model, other, *QUICK)
    for part in ("batch_1", "batch_64"):
        assert len({entry[part]["n"] for entry in record["contenders"]}) == 1
    assert [entry["name"] for entry in record["contenders"]] == ["tiny.onnx", "other.onnx"]
    assert cells(output, "other.onnx")


def test_all_of_exported_is_measured_when_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "exported").mkdir()
    for name in ("b", "a"):
        write_tiny_model(tmp_path / "exported" / f"{name}.onnx")
    result = invoke("bench", *QUICK)
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()[1:3]] == ["a.onnx", "b.onnx"]


def test_namesakes_in_different_folders_are_told_apart(tmp_path: Path) -> None:
    paths = []
    for folder in ("old", "new"):
        (tmp_path / folder / "exported").mkdir(parents=True)
        paths.append(write_tiny_model(tmp_path / folder / "exported" / "edge.onnx"))
    output = invoke("bench", *paths, *QUICK).stdout
    assert cells(output, "old/exported/edge.onnx")
    assert cells(output, "new/exported/edge.onnx")


def test_without_its_data_a_file_shows_its_recorded_accuracy_with_a_star(tmp_path: Path) -> None:
    card = make_card(dataset="folder:letters")
    path = write_tiny_model(tmp_path / "letters.onnx", card)
    output, record = measured(tmp_path, path, *QUICK)
    assert cells(output, "letters.onnx")[0] == "90.00*"
    assert "\n* as recorded in the file: its data set is not here" in output
    (command,) = re.findall(r"'mnist-edge (\w+)' fetches", output)
    assert invoke(command, "--help").exit_code == 0
    assert "digits drawn in a font: no data set is here" in output
    (entry,) = record["contenders"]
    assert entry["accuracy"]["recorded"] is True
    assert (entry["accuracy"]["correct"], entry["accuracy"]["total"]) == (90, 100)


def test_a_measured_accuracy_has_no_star(tmp_path: Path) -> None:
    card = make_card(dataset="folder:letters")
    path = write_tiny_model(tmp_path / "letters.onnx", card)
    output, record = measured(tmp_path, path, *QUICK, "--dataset", "digits")
    assert "*" not in output
    assert record["contenders"][0]["accuracy"]["recorded"] is False
    assert "test images of digits" in output


def test_the_original_is_measured_beside_its_file_and_nothing_has_changed(
    made: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(made.home)
    output, record = measured(tmp_path, *QUICK)
    file, original = record["contenders"]
    assert (file["runtime"], original["runtime"]) == ("onnxruntime", "pytorch")
    assert file["change"]["changed"] == 0
    assert file["change"]["mcnemar_p"] == 1
    assert original["change"] is None
    assert file["accuracy"] == original["accuracy"]
    assert original["sha256"] == sha256(made.run / "checkpoint.pt")
    assert cells(output, "edge-xs.onnx")[2] == "0"
    assert cells(output, "PyTorch original")[0] == f"{original['accuracy']['value'] * 100:.2f}"


def test_without_its_run_a_file_stands_alone(made: Trained, tmp_path: Path) -> None:
    shutil.copy(made.file, tmp_path / "alone.onnx")
    output = invoke("bench", "alone.onnx", *QUICK).stdout
    assert "PyTorch" not in "".join(output.splitlines()[:3])
    assert cells(output, "alone.onnx")


def test_no_exported_model_says_how_to_make_one() -> None:
    assert_fails(invoke("bench"), r"no exported model: name a file, .*'mnist-edge export'$")


def test_a_foreign_file_among_good_ones_stops_before_measuring(
    tiny_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.onnx").write_text("nothing")
    result = invoke("bench", tiny_model, tmp_path / "bad.onnx", *QUICK)
    assert_fails(result, r"bad\.onnx cannot be opened by ONNX Runtime")
    assert result.stdout == ""


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert_fails(invoke("bench", tmp_path / "no.onnx"), f"no model file {tmp_path / 'no.onnx'}$")


def test_a_set_with_other_classes_says_both_numbers(tiny_model: Path, tmp_path: Path) -> None:
    root = write_folder(tmp_path / "letters", "a", "b", "c")
    result = invoke("bench", tiny_model, "--dataset", f"folder:{root}")
    assert_fails(result, "folder:letters has 3 classes, tiny tells 10 apart")


def test_an_unknown_set_lists_the_known(tiny_model: Path) -> None:
    assert_fails(invoke("bench", tiny_model, "--dataset", "x"), "no data set 'x': choose one of")


def test_json_that_cannot_be_written_is_an_error_behind_the_table(
    tiny_model: Path, tmp_path: Path
) -> None:
    result = invoke("bench", tiny_model, *QUICK, "--json", tiny_model / "x.json")
    assert_fails(result, rf"cannot write {tiny_model / 'x.json'}: ")
    assert cells(result.stdout, "tiny.onnx")  # what was measured is not lost


@pytest.mark.parametrize(
    ("flags", "cores", "threads", "expected"),
    [
        (("asimd", "i8mm"), 4, 1, "Some CPU (asimd, i8mm), 4 cores, 1 thread; onnxruntime "),
        ((), 1, 2, "Some CPU, 1 core, 2 threads; onnxruntime "),
    ],
)
def test_the_machine_is_told_in_plain_words(
    monkeypatch: pytest.MonkeyPatch,
    tiny_model: Path,
    flags: tuple[str, ...],
    cores: int,
    threads: int,
    expected: str,
) -> None:
    packages = machine.this_machine().packages
    pretended = machine.Machine("Some CPU", flags, cores, None, "Linux", "3.12", packages)
    monkeypatch.setattr("mnist_edge.benchmark.this_machine", lambda: pretended)
    result = invoke("bench", tiny_model, "--duration", 0, "--threads", threads)
    assert f"\n{expected}" in result.stdout


def test_a_real_process_measures_and_fails_alike(cli: Cli, tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "letters.onnx", make_card(dataset="folder:letters"))
    done = cli("bench", "letters.onnx", *QUICK, "--json", "out/b.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert cells(done.stdout, "letters.onnx")
    assert json.loads((tmp_path / "out" / "b.json").read_text())["schema"] == 1
    assert_fails(cli("bench", "no.onnx"), r"no model file no\.onnx$")
