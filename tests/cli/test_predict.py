import csv
import io
import json
import math
import os
import re
import signal
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from mnist_edge import predict
from mnist_edge import preprocess as picture
from mnist_edge.classifier import Classifier
from mnist_edge.cli import app, predict_formats
from mnist_edge.cli.predict_formats import Json
from mnist_edge.errors import DataError
from mnist_edge.metrics import Threshold
from mnist_edge.model_file import model_paths
from mnist_edge.predict import Failure, Reading
from mnist_edge.preprocess import read_picture, render_digits
from mnist_edge.preprocess.several import lines
from tests.conftest import Cli, make_card, write_golden_model, write_tiny_model
from tests.difficult import several
from tests.helpers.cli import assert_fails, invoke, write_digit

THREE = ("a", "b", "c")
KEYS = ["file", "label", "probability", "guess", "second", "probabilities", "saved"]
KEYS += ["threshold", "model", "note", "error"]


def letters_model(folder: Path) -> Path:
    card = make_card(classes=THREE, dataset="folder:letters")
    return write_tiny_model(folder / "letters.onnx", card)


def write_digits(folder: Path, count: int) -> list[Path]:
    """0.png, 1.png, … as `write_digit` writes them."""
    folder.mkdir(parents=True, exist_ok=True)
    images = render_digits(count)
    for at, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{at}.png")
    return [folder / f"{at}.png" for at in range(count)]


def write_bar(path: Path) -> Path:
    """A bar of 20 × 2 pixels: a picture that already has MNIST's form, and is read at once."""
    image = np.zeros((28, 28), np.uint8)
    image[4:24, 13:15] = 255
    Image.fromarray(image).save(path)
    return path


def objects(text: str) -> list[dict[str, Any]]:
    """JSON lines; a line that is no object fails."""
    assert text == "" or text.endswith("\n")
    return [dict(json.loads(line)) for line in text.splitlines()]


# which file answered


@pytest.mark.parametrize("named", [(), ("--model", "edge"), ("--model", "edge.onnx")])
def test_it_says_which_file_answered_where_its_path_was_not_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: tuple[str, ...]
) -> None:
    """The nearest one: that of the current folder's exported/, else the package's."""
    monkeypatch.chdir(tmp_path)
    args = ("predict", write_digit(Path("1.png")), *named)
    for own in (False, True):
        if own:
            Path("exported").mkdir()
            write_tiny_model(Path("exported/edge.onnx"))
        answers = str(model_paths.find("edge"))
        assert answers.startswith("exported") == own
        assert invoke(*args).stderr == f"model: {answers}\n"
        (found,) = objects(invoke(*args, "--json").stdout)
        (row,) = csv.DictReader(io.StringIO(invoke(*args, "--csv").stdout))
        assert found["model"] == row["model"] == answers
    assert invoke(*args, "--json").stderr == ""


# rows, objects, and a table


def test_a_row_tells_file_label_probability_and_second_guess(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    paths = [write_digit(Path(name), at) for at, name in enumerate(("x.png", "longer.png"))]
    result = invoke("predict", *paths, "--model", tiny_model)
    assert (result.exit_code, result.stderr) == (0, "")
    images = np.stack([read_picture(path) for path in paths])
    expected = Classifier(tiny_model).predict(images).probabilities
    width = max(len(str(path)) for path in paths)
    assert result.stdout.splitlines() == [
        f"{path!s:<{width}}  {order[0]}  {row[order[0]] * 100:>5.1f} %"
        f"   {order[1]}  {row[order[1]] * 100:>4.1f} %"
        for path, row, order in zip(paths, expected, np.argsort(-expected), strict=True)
    ]


def test_the_json_is_an_object_per_line_with_all_probabilities(
    tiny_model: Path, tmp_path: Path
) -> None:
    paths = write_digits(tmp_path, 3)
    found = objects(invoke("predict", *paths, "--model", tiny_model, "--json").stdout)
    assert [item["file"] for item in found] == [str(path) for path in paths]
    images = np.stack([read_picture(path) for path in paths])
    expected = Classifier(tiny_model).predict(images).probabilities
    for item, row in zip(found, expected, strict=True):
        assert list(item) == KEYS
        assert list(item["probabilities"]) == list("0123456789")
        assert list(item["probabilities"].values()) == pytest.approx(row.tolist(), abs=1e-6)
        first, second = sorted(item["probabilities"].items(), key=lambda pair: -pair[1])[:2]
        assert (item["label"], item["guess"], item["probability"]) == (first[0], *first)
        assert item["second"] == {"label": second[0], "probability": second[1]}
        said = [item[key] for key in ("saved", "threshold", "model", "note", "error")]
        assert said == [None, 0, str(tiny_model), None, None]


def test_the_csv_says_what_the_json_says(tiny_model: Path, tmp_path: Path) -> None:
    paths = [*write_digits(tmp_path, 3), write_digit(tmp_path / 'a, "b"\nc.png'), tmp_path / "gone"]
    args = ("predict", *paths, "--model", tiny_model, "--threshold", 0.3)
    as_json, as_csv = invoke(*args, "--json"), invoke(*args, "--csv")
    assert (as_json.exit_code, as_json.stderr) == (as_csv.exit_code, as_csv.stderr)
    written = as_csv.stdout_bytes.decode()
    rows = list(csv.DictReader(io.StringIO(written, newline="")))
    found = objects(as_json.stdout)
    assert len(rows) == len(found) == 5
    for row, item in zip(rows, found, strict=True):
        second = item["second"] or {"label": None, "probability": None}
        values = {key: item[key] for key in ("file", "label", "probability", "guess")}
        values |= {"second": second["label"], "second_probability": second["probability"]}
        values |= {key: item[key] for key in ("threshold", "note", "error", "model")}
        assert row == {key: "" if value is None else str(value) for key, value in values.items()}
    assert written.count("\r\n") == 6  # RFC 4180; the newline in a name is its own


def test_without_a_threshold_nothing_is_unsure_and_with_it_the_guess_stays(
    tiny_model: Path, tmp_path: Path
) -> None:
    paths = write_digits(tmp_path, 10)
    args = ("predict", *paths, "--model", tiny_model)
    plain = objects(invoke(*args, "--json").stdout)
    limit = sorted(item["probability"] for item in plain)[5]
    found = objects(invoke(*args, "--json", "--threshold", repr(limit)).stdout)
    assert [item["label"] == "?" for item in found] == [
        item["probability"] < limit for item in plain
    ]
    assert sum(item["label"] == "?" for item in found) == 5
    assert [item["guess"] for item in found] == [item["label"] for item in plain]
    assert {item["threshold"] for item in found} == {limit}
    rows = invoke(*args, "--threshold", repr(limit)).stdout.splitlines()
    for row, item in zip(rows, found, strict=True):
        label = f"? {item['guess']}" if item["label"] == "?" else item["guess"]
        assert row.startswith(f"{item['file']}  {label} ")
    assert len({row.index(" %") for row in rows}) == 1  # aligned all the same


def test_a_files_own_threshold_holds_where_none_is_given(tmp_path: Path) -> None:
    card = make_card(threshold=Threshold(1.0, 90, 90, 100))
    model = write_tiny_model(tmp_path / "m.onnx", card)
    args = ("predict", write_digit(tmp_path / "1.png"), "--model", model, "--json")
    (own,), (none,) = objects(invoke(*args).stdout), objects(invoke(*args, "--threshold", 0).stdout)
    assert (own["threshold"], own["label"]) == (1.0, "?")
    assert (none["threshold"], none["label"]) == (0.0, own["guess"])


def test_classes_of_any_length_are_aligned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    card = make_card(classes=("cat", "数字", "x"), dataset="folder:things")
    model = write_tiny_model(tmp_path / "m.onnx", card)
    write_digits(Path("d"), 12)
    lines = invoke("predict", "d", "--model", model).stdout.splitlines()
    assert {label for line in lines for label in ("cat", "数字", "x") if label in line} > {"x"}
    columns = [line.replace("数字", "wide").index(" %") for line in lines]
    assert len(set(columns)) == 1


def test_a_network_of_one_class_has_no_second_guess(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "m.onnx", make_card(classes=("it",), dataset="folder:it"))
    path = write_digit(tmp_path / "1.png")
    assert invoke("predict", path, "--model", model).stdout == f"{path}  it  100.0 %\n"
    (found,) = objects(invoke("predict", path, "--model", model, "--json").stdout)
    assert (found["second"], found["label"]) == (None, "it")
    assert ",it,1.0,it,,,0.0,," in invoke("predict", path, "--model", model, "--csv").stdout


def test_a_picture_of_a_folders_file_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "plain.png"
    Image.new("L", (28, 28), 200).save(path)  # blank to a reader of digits
    (found,) = objects(invoke("predict", path, "--model", letters_model(tmp_path), "--json").stdout)
    expected = Classifier(letters_model(tmp_path)).predict(np.full((1, 28, 28), 200, np.uint8))
    assert list(found["probabilities"].values()) == pytest.approx(
        expected.probabilities[0].tolist(), abs=1e-6
    )


def test_predict_reads_any_size_and_both_polarities(tiny_model: Path, tmp_path: Path) -> None:
    white_on_black = np.zeros((120, 90), np.uint8)
    white_on_black[20:100, 40:50] = 255
    paths = [tmp_path / "light.png", tmp_path / "dark.png"]
    Image.fromarray(white_on_black).save(paths[0])
    Image.fromarray(255 - white_on_black).save(paths[1])
    first, second = objects(invoke("predict", *paths, "--model", tiny_model, "--json").stdout)
    assert first["probabilities"] == second["probabilities"]


def test_edge_is_the_model_when_none_is_named(empty: Path) -> None:
    (empty / "exported").mkdir()
    write_tiny_model(empty / "exported" / "edge.onnx", seed=0)
    write_tiny_model(empty / "exported" / "other.onnx", seed=1)
    picture = write_digit(empty / "7.png", 7)
    by_default = invoke("predict", picture, "--json").stdout
    named = [
        invoke("predict", picture, "--model", f"exported/{name}.onnx", "--json").stdout
        for name in ("edge", "other")
    ]
    assert by_default == named[0] != named[1]


# many


def test_folders_are_read_in_natural_order_and_duplicates_stay(
    tiny_model: Path, tmp_path: Path
) -> None:
    write_digits(tmp_path / "set", 11)
    write_digits(tmp_path / "set" / "below", 1)
    twice = tmp_path / "set" / "3.png"
    args = ("predict", tmp_path / "set", twice, twice, "--model", tiny_model, "--json")
    direct, below = (objects(invoke(*args, *more).stdout) for more in ([], ["--recursive"]))
    assert [Path(item["file"]).stem for item in direct] == [*map(str, range(11)), "3", "3"]
    assert [item["file"] for item in below] == [
        *(item["file"] for item in direct[:11]),
        str(tmp_path / "set" / "below" / "0.png"),
        *[str(twice)] * 2,
    ]


def test_workers_and_batches_change_nothing(tiny_model: Path, tmp_path: Path) -> None:
    paths = [write_bar(tmp_path / f"{at}.png") for at in range(150)]  # more than two batches
    for at in range(0, 150, 10):
        write_digit(paths[at], at % 7)  # takes longer
    paths[77].write_bytes(b"broken")
    together = [
        invoke("predict", tmp_path, "--model", tiny_model, "--json", option, workers)
        for option, workers in (
            ("--workers", 1),
            ("--workers", 0),
            ("--threads", 0),
        )  # its old name
    ]
    assert together[0].stdout == together[1].stdout == together[2].stdout
    found = objects(together[0].stdout)
    assert [item["file"] for item in found] == [str(path) for path in paths]
    (alone,) = objects(invoke("predict", paths[140], "--model", tiny_model, "--json").stdout)
    assert alone["label"] == found[140]["label"]
    assert alone["probabilities"] == pytest.approx(found[140]["probabilities"], abs=1e-6)


def test_many_end_with_a_summary_and_few_do_not(tiny_model: Path, tmp_path: Path) -> None:
    paths = [write_bar(tmp_path / f"{at}.png") for at in range(30)]
    for path in paths[:2]:
        path.write_bytes(b"")
    args = ("predict", "--model", tiny_model, "--threshold", 1, "--csv")
    *errors, summary = invoke(*args, tmp_path).stderr.splitlines()
    assert re.fullmatch(
        r"30 pictures: 28 read, 28 of them not sure; 2 unreadable; [\d,]+ pictures/s", summary
    )
    assert len(errors) == 2
    assert invoke(*args, *paths[2:22]).stderr == ""


# what cannot be read


def png(width: int, height: int) -> bytes:
    """A PNG that claims a size, and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IEND", b"")


def cut(kind: str) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 90), np.uint8))
        whole = io.BytesIO()
        image.save(whole, kind)
        path.write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])

    return make


def closed(path: Path) -> None:
    write_digit(path).chmod(0)


BAD: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "zero bytes": lambda path: path.touch(),
    "text": lambda path: path.write_text("not a picture"),
    "cut png": cut("PNG"),
    "cut jpeg": cut("JPEG"),
    "cut gif": cut("GIF"),
    "bomb": lambda path: path.write_bytes(png(100_000, 100_000)),
    "folder": Path.mkdir,
    "closed": pytest.param(  # type: ignore[dict-item]
        closed,
        marks=pytest.mark.skipif(
            not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read anything"
        ),
    ),
    "dead link": lambda path: path.symlink_to("gone"),
}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD)
def test_what_cannot_be_read_is_one_line_an_entry_and_exit_1_and_the_rest_goes_on(
    tiny_model: Path, tmp_path: Path, make: Callable[[Path], object]
) -> None:
    good, bad = write_digit(tmp_path / "good.png"), tmp_path / "bad picture ö.png"
    make(bad)
    args = ("predict", good, bad, good, "--model", tiny_model)
    result = invoke(*args)
    assert_fails(result, f"^error: {re.escape(str(bad))}: .{{5,150}}$")
    assert [line.split("  ")[0] for line in result.stdout.splitlines()] == [str(good)] * 2

    result = invoke(*args, "--json")
    assert_fails(result, re.escape(str(bad)))
    before, entry, after = objects(result.stdout)
    assert list(entry) == list(before) == KEYS
    assert before == after
    assert entry["error"] == result.stderr.removeprefix("error: ").rstrip()
    assert {key for key, value in entry.items() if value is not None} == {
        *("file", "threshold", "model", "error")
    }


def test_a_bomb_takes_no_memory(cli: Cli, tiny_model: Path, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    (tmp_path / "bomb.png").write_bytes(png(100_000, 100_000))  # 10 GB
    write_digit(tmp_path / "good.png")
    code = (
        "import resource, sys; from mnist_edge.cli import main; sys.argv[0] = 'mnist-edge'\n"
        "try: main()\n"
        "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks = []
    for name in ("good.png", "bomb.png"):
        done = subprocess.run(
            [sys.executable, "-c", code, "predict", name, "--model", tiny_model],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        peaks.append(int(done.stdout.splitlines()[-1]))
    assert re.match(r"error: bomb\.png: .*", done.stderr)
    assert peaks[1] < peaks[0] * 1.2
    assert resource.RUSAGE_SELF == 0


def test_an_animation_is_read_and_said_to_be_one(tiny_model: Path, tmp_path: Path) -> None:
    frames = [Image.fromarray(image).resize((56, 56)) for image in render_digits(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "a.png")
    args = ("--model", tiny_model, "--json")
    result = invoke("predict", tmp_path / "a.gif", *args)
    assert result.exit_code == 0
    (found,) = objects(result.stdout)
    assert "first" in found["note"]
    assert result.stderr == f"note: {tmp_path / 'a.gif'} {found['note']}\n"
    (first,) = objects(invoke("predict", tmp_path / "a.png", *args).stdout)
    assert found["probabilities"] == pytest.approx(first["probabilities"], abs=0.02)


def test_a_blank_page_is_never_sure(tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "blank.png"
    Image.new("RGB", (300, 200), (240, 235, 220)).save(path)
    result = invoke("predict", path, "--model", tiny_model, "--threshold", 0, "--json")
    (found,) = objects(result.stdout)
    assert (result.exit_code, found["label"]) == (0, "?")
    assert result.stderr == f"note: {path} is blank: there is nothing to read\n"
    assert f"{path}  ? {found['guess']}" in invoke("predict", path, "--model", tiny_model).stdout


def test_several_digits_are_never_one(tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    made = several.sheet(np.random.default_rng(1), 2, 3)
    path.write_bytes(made.encoded())
    result = invoke("predict", path, "--model", tiny_model, "--threshold", 0, "--json")
    (found,) = objects(result.stdout)
    assert (result.exit_code, found["label"]) == (0, "?")
    assert found["note"] == "several digits (6) are here: --line or --grid"
    assert result.stderr == f"note: {path} several digits (6) are here: --line or --grid\n"


def test_a_folder_without_pictures_is_an_error_among_others(
    tiny_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "none").mkdir()
    good = write_digit(tmp_path / "good.png")
    result = invoke("predict", tmp_path / "none", good, "--model", tiny_model, "--json")
    assert_fails(result, f"{tmp_path / 'none'}: is a folder without pictures")
    assert [item["error"] is None for item in objects(result.stdout)] == [False, True]


# names


NAMES = ("two words.png", "zwölf 十二 🎉.png", "'quoted' \"twice\".png", "-dash.png", "%s {0}.png")


def test_names_come_out_as_they_are(tiny_model: Path, tmp_path: Path) -> None:
    paths = [write_digit(tmp_path / name) for name in NAMES]
    args = ("predict", *paths, tmp_path / "gone ö.png", "--model", tiny_model)
    rows = invoke(*args)
    assert [row[: row.index(".png") + 4] for row in rows.stdout.splitlines()] == [*map(str, paths)]
    assert "gone ö.png" in rows.stderr
    found = objects(invoke(*args, "--json").stdout)
    assert [item["file"] for item in found] == [str(arg) for arg in args[1:-2]]


@pytest.mark.skipif(sys.platform != "linux", reason="needs a system that takes any bytes as a name")
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_names_that_are_no_text_never_break_a_row(
    tiny_model: Path, tmp_path: Path, encoding: str
) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    raw = [b"\xff\xfe.png", "ö\n\x1b[31m.png".encode(), b"gone\xff.png"]
    for name in raw[:2]:
        write_digit(Path(os.fsdecode(bytes(folder) + b"/" + name)))

    def run(*options: str) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "mnist_edge",
                "predict",
                *raw,
                "--model",
                str(tiny_model),
                *options,
            ],
            cwd=folder,
            env={**os.environ, "PYTHONIOENCODING": encoding},
            capture_output=True,
            check=False,
        )

    rows = run()
    assert rows.returncode == 1
    first, second = rows.stdout.splitlines()
    assert first.startswith(rb"\xff\xfe.png  ")
    assert re.match(rb"(\xc3\xb6|\\xf6|\\u00f6)\\x0a\\x1b\[31m\.png  ", second)
    assert len(rows.stderr.splitlines()) == 1
    assert rows.stderr.startswith(b"error: gone")

    as_json = run("--json").stdout.decode(encoding)
    assert [os.fsencode(item["file"]) for item in objects(as_json)] == raw
    table = io.StringIO(run("--csv").stdout.decode(encoding), newline="")
    assert next(iter(csv.DictReader(table)))["file"] == r"\xff\xfe.png"


def test_whatever_the_output_can_write_json_tells_every_name() -> None:
    name = "\udcffö\u5b57\x9b\u202e😀.png"  # a byte that is no text, and what outputs may lack
    for encoding in ("utf-8", "latin-1", "cp1252", "ascii"):
        writer = Json(predict_formats.SINGLE, THREE, 0.0, "edge.onnx", encoding)
        line = writer.text(Reading(name, failure=Failure("gone")), ())
        assert json.loads(line.encode(encoding))["file"] == name
        assert not set(line) & {"\udcff", "\x9b", "\u202e"}


# streams


def test_standard_input_is_a_picture(tiny_model: Path, tmp_path: Path) -> None:
    path = write_digit(tmp_path / "7.png", 7)
    args = ["predict", "-", str(path), "--model", str(tiny_model), "--json"]
    for data, code in [(path.read_bytes(), 0), (b"", 1), (b"no picture", 1)]:
        result = CliRunner().invoke(app, args, input=data, catch_exceptions=False)
        found, alone = objects(result.stdout)
        assert found["file"] == "-"
        assert result.exit_code == code
        assert (found["probabilities"] == alone["probabilities"]) is (code == 0)
        assert result.stderr.startswith("error: -: " * code)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_rows_come_before_the_next_picture_is_there(tiny_model: Path, tmp_path: Path) -> None:
    digit = write_digit(tmp_path / "1.png").read_bytes()
    pipes = [tmp_path / "first", tmp_path / "second"]
    for pipe in pipes:
        os.mkfifo(pipe)
    with subprocess.Popen(
        [sys.executable, "-m", "mnist_edge", "predict", *pipes, "--model", tiny_model, "--json"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        for pipe in pipes:
            pipe.write_bytes(digit)
            found = json.loads(process.stdout.readline())  # hangs where it waits for the second
            assert (found["file"], found["error"]) == (str(pipe), None)
    assert process.returncode == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_a_picture(tiny_model: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    data = write_digit(tmp_path / "1.png").read_bytes()
    threading.Thread(target=pipe.write_bytes, args=(data,)).start()
    args = ("--model", tiny_model, "--json")
    (found,) = objects(invoke("predict", pipe, *args).stdout)
    assert found["error"] is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_file_that_becomes_a_pipe_meanwhile_is_one_line(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the listing of its folder and its turn: nobody will ever write into it."""
    (tmp_path / "set").mkdir()
    write_digit(tmp_path / "set" / "1.png")
    swapped = write_digit(tmp_path / "set" / "2.png")
    find = predict.find

    def swapping(*args: Any) -> Iterator[predict.Source]:
        for source in find(*args):
            if source.name == str(swapped):
                swapped.unlink()
                os.mkfifo(swapped)
            yield source

    monkeypatch.setattr(predict, "find", swapping)
    result = invoke("predict", tmp_path / "set", "--model", tiny_model, "--json")
    assert [found["error"] is None for found in objects(result.stdout)] == [True, False]
    assert result.stderr == f"error: {swapped}: is a pipe, not a picture\n"


@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
def test_a_closed_standard_input_is_one_line(tiny_model: Path) -> None:
    command = f"'{sys.executable}' -m mnist_edge predict - --model '{tiny_model}' <&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "error: -: standard input is closed\n")


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_comes_between_rows_and_twice_at_once(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, presses: int
) -> None:
    path, before = write_bar(tmp_path / "1.png"), signal.getsignal(signal.SIGINT)
    text = Json.text
    rows = 0

    def pressing(writer: Json, *args: Any) -> str:
        nonlocal rows
        rows += 1
        for _ in range(presses if rows == 3 else 0):
            signal.raise_signal(signal.SIGINT)
        return text(writer, *args)

    monkeypatch.setattr(Json, "text", pressing)
    result = invoke("predict", *[path] * 2000, "--model", tiny_model, "--json")
    assert (result.exit_code, result.stderr) == (130, "stopped\n")
    assert 3 <= rows < 2000
    said = len(objects(result.stdout))
    assert said == rows if presses == 1 else said < rows
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_ctrl_c_stops_at_once_and_what_was_said_stays_valid(
    tiny_model: Path, tmp_path: Path
) -> None:
    paths = [write_bar(tmp_path / "1.png")] * 100
    os.mkfifo(tmp_path / "silent")  # nobody will ever write into it
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from mnist_edge.cli import main; sys.argv[0] = 'mnist-edge'; main()"
    )
    args = [*map(str, paths), str(tmp_path / "silent"), "--model", str(tiny_model), "--json"]
    with subprocess.Popen(
        [sys.executable, "-c", code, "predict", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stderr
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        found = objects(first + process.stdout.read())
        stderr = process.stderr.read()
    assert (process.returncode, stderr) == (130, "stopped\n")
    assert 1 <= len(found) <= 100
    assert all(list(item) == KEYS for item in found)


@pytest.mark.skipif(os.name != "posix", reason="needs a shell with head")
def test_head_takes_its_rows_and_all_is_quiet(tiny_model: Path, tmp_path: Path) -> None:
    write_bar(tmp_path / "1.png")
    pictures = " ".join(["1.png"] * 500)  # more than a pipe holds
    done = subprocess.run(
        f"'{sys.executable}' -m mnist_edge predict {pictures} --model tiny.onnx --json | head -3",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(objects(done.stdout)) == 3
    assert done.stderr == ""


@pytest.mark.skipif(sys.platform != "linux", reason="needs a pseudo-terminal")
def test_a_bar_runs_on_the_terminal_while_rows_go_elsewhere(
    tiny_model: Path, tmp_path: Path
) -> None:
    import pty

    pictures = [write_bar(tmp_path / "1.png")] * 30
    master, slave = pty.openpty()
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mnist_edge",
            "predict",
            *pictures,
            "gone.png",
            "--model",
            tiny_model,
        ],
        cwd=tmp_path,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80"},
        stdout=subprocess.PIPE,
        stderr=slave,
        text=True,
        check=False,
    )
    os.close(slave)
    seen = os.read(master, 1_000_000).decode()
    os.close(master)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 30
    assert "\x1b" not in done.stdout
    assert "reading" in seen
    assert "error: gone.png" in seen
    assert seen.rstrip().splitlines()[-1].endswith("pictures/s")


# what the network saw


def test_show_draws_below_each_row_what_the_network_saw(tiny_model: Path, tmp_path: Path) -> None:
    path = write_bar(tmp_path / "bar.png")
    lines = invoke("predict", path, "--model", tiny_model, "--show").stdout.splitlines()
    assert lines[0] == invoke("predict", path, "--model", tiny_model).stdout.rstrip()
    assert lines[1] == lines[16] == ""
    drawn = lines[2:16]
    assert [line[2:30].strip() for line in drawn] == [""] * 2 + ["@@"] * 10 + [""] * 2
    (found,) = objects(invoke("predict", path, "--model", tiny_model, "--json").stdout)
    bars = [line[30:].split() for line in drawn if line[30:].strip()]
    best = sorted(found["probabilities"].items(), key=lambda item: -item[1])[:5]
    assert [(bar[0], bar[-2]) for bar in bars] == [
        (label, f"{share * 100:.1f}") for label, share in best
    ]
    assert all(line.isascii() and len(line) <= 80 for line in lines[1:])


def test_saved_inputs_are_what_the_network_saw_and_the_json_says_where(
    tiny_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    paths = [write_digit(tmp_path / "a" / "7.png", 7), write_digit(tmp_path / "b" / "7.png", 3)]
    args = (
        "predict",
        *paths,
        "--model",
        tiny_model,
        "--json",
        "--save-input",
        tmp_path / "in" / "d",
    )
    found = objects(invoke(*args).stdout)
    assert len({item["saved"] for item in found}) == 2
    for item, path in zip(found, paths, strict=True):
        with Image.open(item["saved"]) as image:
            np.testing.assert_array_equal(np.asarray(image), read_picture(path))


def test_inputs_that_cannot_be_saved_stop_before_anything_is_read(
    tiny_model: Path, tmp_path: Path
) -> None:
    path = write_digit(tmp_path / "1.png")
    result = invoke("predict", path, "--model", tiny_model, "--save-input", path)
    assert_fails(result, f"cannot write {re.escape(str(path))}: ")
    assert result.stdout == ""


# several digits


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Digits as the segmentation would find them in any picture; none in blank.png."""
    digits = [
        SimpleNamespace(image=image, box=(10 * at, 1, 10 * at + 9, 30))
        for at, image in enumerate(render_digits(5))
    ]

    def load(source: str) -> Any:
        if source.endswith("bad.png"):
            raise DataError(f"{source}: is empty")
        return SimpleNamespace(blank=source.endswith("blank.png"), note=None)

    def line(loaded: Any, score: lines.Score) -> list[Any]:
        shares = score(np.stack([digit.image for digit in digits]))
        assert shares.shape == (5,)
        assert ((shares > 0) & (shares <= 1)).all()
        return [] if loaded.blank else digits

    def grid(loaded: Any, score: lines.Score) -> list[list[Any]]:
        return [] if loaded.blank else [line(loaded, score)[:3], line(loaded, score)[3:]]

    monkeypatch.setattr(picture, "load", load)
    monkeypatch.setattr(lines, "read_line", line)
    monkeypatch.setattr(lines, "read_grid", grid)
    return digits


def test_a_line_is_a_number_with_its_digits_and_boxes(
    tiny_model: Path, tmp_path: Path, found: list[Any]
) -> None:
    path = tmp_path / "photo.png"
    args = ("predict", path, "--model", tiny_model, "--line")
    (item,) = objects(invoke(*args, "--json").stdout)
    answers = Classifier(tiny_model).predict(np.stack([digit.image for digit in found]))
    text = "".join(map(str, answers.labels))
    keys = ["file", "text", "probability", "digits", "threshold", "model", "note", "error"]
    assert list(item) == keys
    assert item["text"] == text
    assert item["probability"] == pytest.approx(
        math.prod(answers.probabilities.max(1).tolist()), rel=1e-4
    )
    assert [tuple(digit["box"]) for digit in item["digits"]] == [digit.box for digit in found]
    assert "".join(digit["label"] for digit in item["digits"]) == text
    for digit, row in zip(item["digits"], answers.probabilities, strict=True):
        assert digit["probability"] == pytest.approx(row.max(), abs=1e-6)
        assert digit["second"]["probability"] == pytest.approx(np.sort(row)[-2], abs=1e-6)
        assert len(digit["probabilities"]) == 10
    said = invoke(*args).stdout
    assert said == f"{path}  {text}  {item['probability'] * 100:>5.1f} %\n"
    (row,) = csv.DictReader(io.StringIO(invoke(*args, "--csv").stdout))
    assert (row["text"], row["digits"]) == (text, "5")


def test_a_grid_is_rows_of_digits(tiny_model: Path, tmp_path: Path, found: list[Any]) -> None:
    path = tmp_path / "sheet.png"
    args = ("predict", path, "--model", tiny_model, "--grid")
    (item,) = objects(invoke(*args, "--json").stdout)
    assert [len(row) for row in item["rows"]] == [3, 2]
    assert [tuple(digit["box"]) for row in item["rows"] for digit in row] == [
        digit.box for digit in found
    ]
    rows = ["".join(digit["label"] for digit in row) for row in item["rows"]]
    assert item["text"] == "\n".join(rows)
    assert invoke(*args).stdout.splitlines() == [
        f"{path}  5 digits in 2 rows",
        *(f"  {row}" for row in rows),
    ]
    (row,) = csv.DictReader(io.StringIO(invoke(*args, "--csv").stdout_bytes.decode(), newline=""))
    assert row["text"] == item["text"]


def test_digits_that_are_not_sure_show_in_the_number(
    tiny_model: Path, tmp_path: Path, found: list[Any]
) -> None:
    args = ("predict", tmp_path / "photo.png", "--model", tiny_model, "--line")
    (item,) = objects(invoke(*args, "--json").stdout)
    shares = [digit["probability"] for digit in item["digits"]]
    limit = sorted(shares)[2]
    (unsure,) = objects(invoke(*args, "--json", "--threshold", repr(limit)).stdout)
    assert unsure["text"] == "".join(
        digit["guess"] if digit["probability"] >= limit else "?" for digit in item["digits"]
    )
    assert unsure["text"].count("?") == 2
    assert f"  {unsure['text']}  " in invoke(*args, "--threshold", repr(limit)).stdout


@pytest.mark.parametrize("option", ["--line", "--grid"])
def test_pages_without_digits_and_bad_files_have_the_same_keys(
    tiny_model: Path, tmp_path: Path, found: list[Any], option: str
) -> None:
    paths = [tmp_path / name for name in ("photo.png", "blank.png", "bad.png")]
    result = invoke("predict", *paths, "--model", tiny_model, option, "--json")
    assert_fails(result, r"bad\.png: is empty$")
    items = objects(result.stdout)
    assert len({tuple(item) for item in items}) == 1
    assert [item["text"] is None for item in items] == [False, False, True]
    assert (items[1]["text"], items[1]["probability"]) == ("", None)
    rows = invoke("predict", *paths, "--model", tiny_model, option).stdout
    assert re.search(r"blank\.png +no digit\n", rows)
    table = invoke("predict", *paths, "--model", tiny_model, option, "--csv").stdout
    assert [row["digits"] for row in csv.DictReader(io.StringIO(table))] == ["5", "0", ""]


def test_digits_of_a_number_are_shown_and_saved_one_by_one(
    tiny_model: Path, tmp_path: Path, found: list[Any]
) -> None:
    args = ("predict", tmp_path / "photo.png", "--model", tiny_model, "--line")
    assert len(invoke(*args, "--show").stdout.splitlines()) == 1 + 5 * 16
    (item,) = objects(invoke(*args, "--json", "--save-input", tmp_path / "in").stdout)
    for digit, part in zip(item["digits"], found, strict=True):
        with Image.open(digit["saved"]) as image:
            np.testing.assert_array_equal(np.asarray(image), part.image)


# usage, and golden answers


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "name a picture, or --check the file"),
        (["1.png", "--line", "--grid"], "--line and --grid exclude each other"),
        (["1.png", "--json", "--csv"], "--json and --csv exclude each other"),
        (["1.png", "--show", "--json"], "--show goes without --json and --csv"),
        (["1.png", "--show", "--csv"], "--show goes without --json and --csv"),
        (["-", "-"], "- is standard input, one picture: name it once"),
        (["1.png", "--threshold", "1.1"], "'--threshold'"),
        (["1.png", "--threshold", "-0.1"], "'--threshold'"),
        (["1.png", "--threshold", "nan"], "--threshold"),
        (["1.png", "--workers", "-1"], "'--workers'"),
    ],
)
def test_wrong_usage_is_said_before_anything_is_opened(args: list[str], message: str) -> None:
    result = invoke("predict", *args, "--model", "no such file.onnx")
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in re.sub(r"\s+", " ", result.stderr)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a pseudo-terminal")
def test_a_picture_typed_on_the_keyboard_is_none() -> None:
    import pty

    master, slave = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "mnist_edge", "predict", "-"],
        stdin=slave,
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(slave)
    os.close(master)
    assert done.returncode == 2
    assert "standard input, here a terminal: pipe a picture in" in done.stderr


def test_predict_checks_a_file_without_any_picture(tmp_path: Path) -> None:
    model = write_golden_model(tmp_path / "a.onnx")
    result = invoke("predict", "--check", "--model", model)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{model}: golden answers 8 of 8 as where it was made")
    (found,) = objects(invoke("predict", "--check", "--model", model, "--json").stdout)
    assert list(found) == ["golden"]
    assert (found["golden"]["images"], found["golden"]["changed"]) == (8, 0)


def test_predict_checks_before_it_reads(tmp_path: Path) -> None:
    model, path = write_golden_model(tmp_path / "a.onnx"), write_digit(tmp_path / "1.png")
    args = ("predict", "--model", model, path)
    checked, read = invoke(*args, "--check").stdout.splitlines()
    assert "golden answers" in checked
    assert read == invoke(*args).stdout.rstrip()
    golden, item = objects(invoke(*args, "--check", "--json").stdout)
    assert (list(golden), list(item)) == (["golden"], KEYS)
    table = invoke(*args, "--check", "--csv")
    assert "golden answers 8 of 8" in table.stderr
    assert table.stdout == invoke(*args, "--csv").stdout


def test_a_file_without_golden_answers_cannot_be_checked(tiny_model: Path) -> None:
    result = invoke("predict", "--check", "--model", tiny_model)
    assert_fails(result, "carries no golden answers: export it again$")


def test_real_processes_succeed_and_fail_alike(cli: Cli, tiny_model: Path, tmp_path: Path) -> None:
    path = write_digit(tmp_path / "1.png")
    done = cli("predict", path.name, "--model", tiny_model.name)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"1\.png  \d +\d+\.\d %   \d +\d+\.\d %\n", done.stdout)
    assert_fails(cli("predict", "2.png", "--model", tiny_model.name), r"^error: 2\.png: .*no such")
