"""`mnist-edge data` and `models`: what they say, and how they fail."""

import gzip
import hashlib
import json
import re
import struct
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from mnist_edge.catalogue import DATASETS, NETWORKS
from mnist_edge.cli import main
from mnist_edge.datasets import DATA_DIR_VARIABLE, Dataset, load
from mnist_edge.datasets.idx_datasets import SOURCES, PublishedFile
from mnist_edge.model_file import model_paths
from tests.conftest import Cli, make_card, write_tiny_model
from tests.datasets.idx_files import idx_bytes, small_arrays, write_set
from tests.datasets.server import Server, serving


class Said(NamedTuple):
    code: object
    out: str
    err: str


Say = Callable[..., Said]


@pytest.fixture
def said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Say:
    """Run a command in this process, where mirrors can be pointed at 127.0.0.1.

    No folder of data is named, the cache is empty, and waits between tries take no time.
    """
    monkeypatch.delenv(DATA_DIR_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("mnist_edge.datasets.file_names.sys.platform", "linux")
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    for name, source in SOURCES.items():  # nothing outside is ever asked
        monkeypatch.setitem(SOURCES, name, replace(source, mirrors=("http://127.0.0.1:9/",)))

    def run(*args: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["mnist-edge", *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            main()
        return Said(ended.value.code, *capsys.readouterr())

    return run


def failed(result: Said, code: int = 1) -> str:
    """The message of a failure: one line on stderr, nothing on stdout, an exit code."""
    assert result.code == code
    assert result.out == ""
    assert result.err.startswith("error: ")
    assert result.err.endswith("\n")
    assert result.err.count("\n") == 1
    return result.err.removeprefix("error: ").rstrip("\n")


def make_folder(root: Path) -> Path:
    """Two classes of pictures, each with a grey of its own: 15 cats, 5 ants."""
    for name, count, grey in (("cat", 15, 100), ("ant", 5, 200)):
        (root / name).mkdir(parents=True)
        for at in range(count):
            page = np.full((28, 28), grey + at, np.uint8)
            Image.fromarray(page).save(root / name / f"{at}.png")
    return root


# What it says


def test_real_mnist_for_a_person(cli: Cli, mnist: Dataset) -> None:
    done = cli("data", "--data-dir", mnist.source)

    assert (done.returncode, done.stderr) == (0, "")
    first, blank, *table = done.stdout.splitlines()
    assert (first, blank) == (f"mnist, from {mnist.source}: checked", "")
    lines = [line.split() for line in table]
    assert lines[:2] == [["class", "train", "test"], ["0", "5,923", "980"]]
    assert lines[-1] == ["all", "60,000", "10,000"]


def test_digits_for_a_script(cli: Cli) -> None:
    pytest.importorskip("sklearn")

    done = cli("data", "digits", "--json")

    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert list(found) == ["name", "source", "classes", "shape", "fit", "train", "test"]
    assert found["classes"] == list("0123456789")
    # As UCI publishes the counts of the 1,797 digits.
    together = np.add(found["train"], found["test"]).tolist()
    assert together == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_folder_for_a_person(said: Say, tmp_path: Path) -> None:
    pictures = make_folder(tmp_path / "pets")
    data = load(f"folder:{pictures}")
    splits = [np.bincount(one.labels) for one in (data.training, data.validation, data.test)]

    result = said("data", f"folder:{pictures}")

    assert (result.code, result.err) == (0, "")
    first, table, words = result.out.split("\n\n")
    assert first == f"folder:pets, from {pictures}: checked"
    assert [line.split() for line in table.splitlines()] == [
        ["class", "train", "validation", "test"],
        ["ant", *(str(counts[0]) for counts in splits)],
        ["cat", *(str(counts[1]) for counts in splits)],
        ["all", *(str(sum(counts)) for counts in splits)],
    ]
    assert words.splitlines() == [
        "20 pictures of 28×28 pixels become 28×28 grey",
        f"test split: {len(data.test)} of 20 pictures, by a hash of each file: pictures that are "
        "added later move no other into it",
    ]


def test_json_counts_every_class_even_without_images(said: Say, tmp_path: Path) -> None:
    arrays = small_arrays()
    arrays[1] = np.zeros(40, np.uint8)
    arrays[3] = np.full(20, 3, np.uint8)
    write_set(tmp_path, "fashion-mnist", arrays)

    result = said("data", "fashion-mnist", "--data-dir", tmp_path, "--json")

    assert (result.code, result.err) == (0, "")
    found = json.loads(result.out)
    assert found == {
        "name": "fashion-mnist",
        "source": str(tmp_path),
        "classes": list(SOURCES["fashion-mnist"].classes),
        "shape": {"height": 28, "width": 28, "channels": 1},
        "fit": "pad",
        "train": [40, *[0] * 9],
        "test": [0, 0, 0, 20, *[0] * 6],
    }


def test_preview_shows_ten_of_each_class(said: Say, tmp_path: Path) -> None:
    pictures, preview = make_folder(tmp_path / "pets"), tmp_path / "preview.png"

    result = said("data", f"folder:{pictures}", "--preview", preview)

    assert (result.code, result.err) == (0, "")
    assert result.out.endswith(f"\nwrote {preview}\n")
    with Image.open(preview) as image:
        sheet = np.asarray(image)
    # All ants of 200 and above, then 10 cats of 100 and above; each is 84 × 84 pixels.
    shown = np.bincount(sheet.ravel(), minlength=256) // (84 * 84)
    ants, cats = np.bincount(load(f"folder:{pictures}").train.labels)
    assert cats > 10
    assert shown[200:205].sum() == ants
    assert shown[100:115].sum() == 10


def test_preview_leaves_json_alone(said: Say, tmp_path: Path) -> None:
    pictures, preview = make_folder(tmp_path / "pets"), tmp_path / "preview.png"

    result = said("data", f"folder:{pictures}", "--preview", preview, "--json")

    assert json.loads(result.out)["name"] == "folder:pets"
    assert preview.is_file()


def test_environment_names_the_folder(cli: Cli, tmp_path: Path) -> None:
    write_set(tmp_path / "data", "kmnist")

    done = cli("data", "kmnist", **{DATA_DIR_VARIABLE: str(tmp_path / "data")})

    assert done.returncode == 0
    assert done.stdout.startswith(f"kmnist, from {tmp_path / 'data'}: checked\n")


def test_models_for_a_person(said: Say) -> None:
    """The networks, then the files that have names: in 80 columns."""
    result = said("models")

    assert (result.code, result.err) == (0, "")
    networks, note, files, places = result.out.split("\n\n")
    header, *rows = networks.splitlines()
    assert header.split() == ["network", "what", "it", "is", "parameters", "MACs"]
    assert [row.split()[0] for row in rows] == list(NETWORKS)
    assert "uint8 (N, 28, 28)" in note
    header, *rows = files.splitlines()
    assert header.split() == ["file", "data", "set", "accuracy", "size"]
    assert [row.split()[0] for row in rows] == [path.stem for path in model_paths.all_named()]
    assert re.match(r"edge-int8 +mnist +99\.63 % +85 kB$", rows[1])
    assert str(model_paths.find("edge").parent) in places
    assert max(map(len, f"{networks}\n{files}".splitlines())) <= 80


def test_exported_files_for_a_script(
    said: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "exported").mkdir()
    write_tiny_model(tmp_path / "exported" / "mine.onnx", make_card(dataset="folder:x"))
    (tmp_path / "exported" / "bad.onnx").write_text("no model")
    result = said("models", "--files", "--json")
    assert result.code == 0
    assert result.err.startswith("left out: exported/bad.onnx")
    found = {entry["name"]: entry for entry in json.loads(result.out)}
    assert set(found) == {path.stem for path in model_paths.all_named()} - {"bad"}
    assert found["mine"] | {"size_bytes": 0} == {
        "name": "mine",
        "file": "exported/mine.onnx",
        "model": "tiny",
        "dataset": "folder:x",
        "precision": "fp32",
        "accuracy": 0.9,
        "size_bytes": 0,
    }


def test_a_file_is_copied_with_its_card(
    said: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = said("models", "--copy", "edge-xs-int8", "device")
    assert (result.code, result.out) == (0, "wrote device/edge-xs-int8.onnx\n")
    copied = tmp_path / "device" / "edge-xs-int8.onnx"
    assert copied.read_bytes() == model_paths.find("edge-xs-int8").read_bytes()
    assert copied.with_suffix(".md").is_file()
    copied.write_text("another")
    result = said("models", "--copy", "edge-xs-int8", "device")
    assert (result.code, copied.read_text()) == (1, "another")
    assert result.err == (
        "error: device/edge-xs-int8.onnx is another file: use --force to replace it\n"
    )
    assert said("models", "--copy", "edge-xs-int8", "device", "--force").code == 0
    assert copied.read_bytes() == model_paths.find("edge-xs-int8").read_bytes()


@pytest.mark.parametrize(
    "args",
    [
        ("--summary",),
        ("edge", "--files"),
        ("edge", "--copy", "edge", "x"),
        ("--copy", "edge", "x", "--json"),
        ("--force",),
        ("--files", "--size", "32"),
        ("--copy", "edge", "DIR", "--color"),
    ],
)
def test_options_of_models_that_do_not_fit_each_other(said: Say, args: tuple[str, ...]) -> None:
    result = said("models", *args)
    assert (result.code, result.out) == (2, "")
    assert re.fullmatch(r"error: --.*\n", result.err)


def test_models_for_a_script(said: Say) -> None:
    found = json.loads(said("models", "--json").out)

    assert list(found) == list(NETWORKS)
    # He et al. 2015, table 6: 0.27 M weights; skips that only copy add none.
    assert found["resnet20"]["params"] == pytest.approx(0.27e6, rel=0.02)
    assert found["plain20"]["params"] == found["resnet20"]["params"]
    assert found["resnet20"]["shortcuts"] == ["zero", "projection"]
    assert all(entry["macs"] > 0 for entry in found.values())


def test_a_model_alone_is_a_row_alone(said: Say) -> None:
    every, alone = said("models").out.splitlines(), said("models", "edge").out.splitlines()
    assert [line.split() for line in alone[:2]] == [line.split() for line in every[:2]]
    assert alone[2] == ""
    assert "uint8 (N, 28, 28)" in alone[3]
    assert len(alone) == 4
    found, known = (json.loads(said("models", *name, "--json").out) for name in ((), ("edge",)))
    assert known == {"edge": found["edge"]}


def test_a_summary_has_a_line_for_each_layer_and_their_sum(said: Say) -> None:
    result = said("models", "resnet20", "--summary")

    assert (result.code, result.err) == (0, "")
    _, table, note = result.out.split("\n\n")
    header, *rows, total = table.splitlines()
    assert header.split() == ["layer", "kind", "output", "parameters", "MACs"]
    assert re.match(r"0\.0 +Conv2d 3×3 +\(N, 16, 28, 28\) +144 +112,896$", rows[0])
    assert re.match(r"\S+ +Linear +\(N, 10\) +650 +640$", rows[-1])
    columns = [[row.replace(",", "").split()[at] for row in rows] for at in (-2, -1)]
    sums = [sum(map(int, column)) for column in columns]
    assert total.replace(",", "").split() == ["all", *map(str, sums)]
    assert all(len(row) <= 100 for row in rows)
    assert "ZeroShortcut" in table
    assert note.startswith("Sums, and what else is no module")
    assert "folds" not in note


def test_the_layers_for_a_script(said: Say) -> None:
    found = json.loads(said("models", "resnet20", "--summary", "--json").out)["resnet20"]

    assert found["layers"][0]["output"] == [16, 28, 28]
    for key in ("params", "macs"):
        assert sum(layer[key] for layer in found["layers"]) == found[key]


def test_a_summary_of_what_folds_says_what_is_left_of_it(said: Say) -> None:
    """The layers are those that learn; what the model costs is what its exported file costs."""
    known = json.loads(said("models", "edge", "--summary", "--json").out)["edge"]
    _, table, notes = said("models", "edge", "--summary").out.split("\n\n")

    total = table.splitlines()[-1]
    assert known["layers"][0]["output"] == [16, 12, 12]
    learns = {key: sum(layer[key] for layer in known["layers"]) for key in ("params", "macs")}
    assert re.fullmatch(rf"all, while it learns +{learns['params']:,} +{learns['macs']:,}", total)
    assert known["params"] < learns["params"]
    assert known["macs"] < learns["macs"]
    assert (
        "\nAn exported file folds each block into one convolution: "
        f"{known['params']:,} parameters, {known['macs'] / 1e6:.2f} M multiply-adds.\n"
    ) in notes
    assert max(map(len, notes.splitlines())) <= 100


def test_a_network_is_counted_for_the_images_that_are_asked_for(said: Say) -> None:
    """MLPerf Tiny's ResNet-8 has 78 k parameters and 12.5 M multiply-adds on CIFAR-10."""
    pytest.importorskip("mnist_edge.lab.training.models", exc_type=ImportError)
    shape = ("--size", "32", "--color")
    known = json.loads(said("models", "resnet8", "--summary", *shape, "--json").out)["resnet8"]
    assert (known["params"], known["macs"]) == (78_042, 12_501_632)
    assert known["input"] == "uint8 (N, 32, 32, 3)"
    assert known["layers"][0]["output"] == [16, 32, 32]
    shown = said("models", "resnet8", *shape).out
    assert "12.50 M" in shown
    assert "uint8 (N, 32, 32, 3)" in shown

    wide = json.loads(said("models", "edge-xs", "--size", "96x48", "--summary", "--json").out)
    assert wide["edge-xs"]["input"] == "uint8 (N, 48, 96)"
    assert wide["edge-xs"]["layers"][0]["output"] == [16, 22, 46]


@pytest.mark.parametrize("size", ["8", "4000", "big", "32x", "16x16x3"])
def test_a_size_that_no_image_has_is_refused(said: Say, size: str) -> None:
    result = said("models", "edge", "--size", size)
    assert (result.code, result.out) == (2, "")
    assert re.fullmatch(r"error: invalid value for --size: .*\n", result.err)


def test_the_list_is_counted_for_them_too(said: Say) -> None:
    pytest.importorskip("mnist_edge.lab.training.models", exc_type=ImportError)
    found = json.loads(said("models", "--size", "32", "--color", "--json").out)
    assert list(found) == list(NETWORKS)
    assert found["resnet8"]["macs"] == 12_501_632
    assert {entry["input"] for entry in found.values()} == {"uint8 (N, 32, 32, 3)"}
    assert all(found[name]["macs"] > NETWORKS[name].macs for name in NETWORKS)


def test_a_chain_is_a_model_too(said: Say) -> None:
    pytest.importorskip("mnist_edge.lab.training.models", exc_type=ImportError)
    name = "8k5s2v-8s2-16s2"
    header, row, *_ = said("models", name).out.splitlines()
    assert header.startswith("network")
    assert row.startswith(f"{name}  a chain of folding blocks  ")
    known = json.loads(said("models", name, "--summary", "--json").out)
    assert list(known) == [name]
    assert known[name]["shortcuts"] == []
    assert failed(said("models", "8k4-16"), 2).startswith("'8k4-16' is no chain such as ")


def test_an_unknown_model_is_named(said: Say) -> None:
    pytest.importorskip("mnist_edge.lab.training.models", exc_type=ImportError)
    for args in (["models", "nope"], ["models", "nope", "--summary"]):
        assert failed(said(*args), 2).startswith("there is no model 'nope': choose one of edge, ")


# Downloads


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: Say) -> Iterator[Server]:
    """A made-up KMNIST, published on 127.0.0.1."""
    with serving() as running:
        files = []
        for path in write_set(tmp_path / "published", "kmnist"):
            content = running.files[f"/{path.name}"] = path.read_bytes()
            files.append(
                PublishedFile(path.name, hashlib.sha256(gzip.decompress(content)).hexdigest())
            )
        first, second, third, fourth = files
        published = replace(
            SOURCES["kmnist"], files=(first, second, third, fourth), mirrors=(running.url,)
        )
        monkeypatch.setitem(SOURCES, "kmnist", published)
        yield running


def test_data_downloads_into_the_cache(said: Say, server: Server, tmp_path: Path) -> None:
    result = said("data", "kmnist")

    place = tmp_path / "cache" / "mnist-edge" / "kmnist"
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"kmnist, from {place}: checked\n")
    assert len(list(place.iterdir())) == 4


def test_no_network_is_one_clear_line(said: Say, server: Server) -> None:
    server.shutdown()
    server.server_close()

    message = failed(said("data", "kmnist"))

    assert message.startswith("cannot download train-images-idx3-ubyte.gz (URLError: ")
    assert message.endswith(
        "): put the set's files into a folder and name it with --data-dir or MNIST_EDGE_DATA"
    )


def test_damaged_file_in_the_cache_is_named(said: Say, server: Server, tmp_path: Path) -> None:
    said("data", "kmnist")
    path = tmp_path / "cache" / "mnist-edge" / "kmnist" / "t10k-images-idx3-ubyte.gz"
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])

    message = failed(said("data", "kmnist"))

    assert message == f"{path} is truncated or damaged: delete it and fetch it again"
    path.unlink()  # as advised
    assert said("data", "kmnist").code == 0
    assert path.read_bytes() == whole


# How it fails


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def _replace_by_text(path: Path) -> None:
    path.write_text("404: not found")


def _lie_about_size(path: Path) -> None:
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(struct.pack(">HBB3I", 0, 8, 3, 41, 28, 28) + content[16:])


def _cut_header(path: Path) -> None:
    path.write_bytes(gzip.decompress(path.read_bytes())[:10])


def _other_size(path: Path) -> None:
    path.write_bytes(idx_bytes(np.zeros((40, 32, 32), np.uint8)))


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_truncate, "is truncated or damaged: delete it and fetch it again"),
        (_replace_by_text, "is not an IDX file: put the data set's own file there"),
        (_cut_header, "is cut off in its header: delete it and fetch it again"),
        (
            _lie_about_size,
            ": its header promises 32,144 bytes of data (41, 28, 28), it holds 31,360: "
            "delete it and fetch it again",
        ),
        (
            _other_size,
            "must hold images uint8 (N, 28, 28), it holds uint8 (40, 32, 32): "
            "put the data set's own file there",
        ),
    ],
)
def test_damaged_file_is_named(
    said: Say, tmp_path: Path, damage: Callable[[Path], None], words: str
) -> None:
    paths = write_set(tmp_path, "kmnist")
    damage(paths[0])

    message = failed(said("data", "kmnist", "--data-dir", tmp_path))

    assert message == f"{paths[0]}{'' if words.startswith(':') else ' '}{words}"


@pytest.mark.parametrize("remove", [Path.unlink, _directory])
def test_missing_file_is_named(said: Say, tmp_path: Path, remove: Callable[[Path], None]) -> None:
    paths = write_set(tmp_path, "kmnist")
    remove(paths[1])

    assert failed(said("data", "kmnist", "--data-dir", tmp_path)) == (
        f"{tmp_path} lacks {paths[1].name}: put it beside the others, or delete them all"
    )


def test_wrong_checksum_is_named(cli: Cli, tmp_path: Path) -> None:
    paths = write_set(tmp_path, "mnist")

    done = cli("data", "--data-dir", tmp_path)

    assert failed(Said(done.returncode, done.stdout, done.stderr)) == (
        f"{paths[0]} is not the published {paths[0].name} (its SHA-256 differs): "
        "delete it and fetch it again"
    )


def test_mnist_offered_as_fashion_mnist_is_refused(said: Say, mnist: Dataset) -> None:
    message = failed(said("data", "fashion-mnist", "--data-dir", mnist.source))

    assert message.startswith(mnist.source)
    assert message.endswith(
        " is a file of MNIST, not of fashion-mnist: "
        "put fashion-mnist into a folder of its own, named fashion-mnist"
    )


def test_unknown_name_lists_the_known(cli: Cli) -> None:
    done = cli("data", "cifar100")

    assert failed(Said(done.returncode, done.stdout, done.stderr), 2) == (
        f"there is no data set 'cifar100': choose one of {', '.join(DATASETS)}, folder:PATH"
    )


def test_folder_without_the_set_is_refused(said: Say, tmp_path: Path) -> None:
    assert failed(said("data", "--data-dir", tmp_path / "no")) == (
        f"{tmp_path / 'no'} does not hold train-images-idx3-ubyte.gz: "
        "name the folder with the four files of mnist"
    )


def test_environment_that_names_no_folder_is_refused(cli: Cli, tmp_path: Path) -> None:
    done = cli("data", **{DATA_DIR_VARIABLE: str(tmp_path / "no")})

    assert failed(Said(done.returncode, done.stdout, done.stderr)) == (
        f"{DATA_DIR_VARIABLE} names {tmp_path / 'no'}, which is not a folder"
    )


def test_broken_picture_in_a_folder_is_named(said: Say, tmp_path: Path) -> None:
    broken = make_folder(tmp_path / "pets") / "cat" / "3.png"
    broken.write_bytes(b"not a picture")

    message = failed(said("data", f"folder:{tmp_path / 'pets'}"))

    assert message.startswith(f"{broken}: is not a picture in a format that is read (PNG, JPEG, ")


@pytest.mark.parametrize("preview", ["taken/preview.png", "pets", "."])
def test_preview_that_cannot_be_written_is_named(
    said: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preview: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("a file")
    make_folder(tmp_path / "pets")

    message = failed(said("data", "folder:pets", "--preview", preview))

    assert message.startswith(f"cannot write {preview}, --preview: ")


def test_digits_without_scikit_learn_say_what_to_install(
    said: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)

    assert failed(said("data", "digits")) == (
        "the digits come with scikit-learn: pip install 'mnist-edge[train]'"
    )


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["data", "mnist", "digits"], "unexpected extra argument"),
        (["data", "--no-such-option"], "No such option"),
        (["data", "--preview"], "requires an argument"),
        (["models", "edge", "edge-xs"], "unexpected extra argument"),
        (["models", "--summary"], "--summary is of one network: name it"),
    ],
)
def test_usage_errors_exit_with_2(said: Say, args: list[str], words: str) -> None:
    result = said(*args)

    assert result.code == 2
    assert result.out == ""
    assert re.search(words, result.err, re.IGNORECASE)
    assert re.fullmatch(r"error: [^\n]+\n", result.err)
