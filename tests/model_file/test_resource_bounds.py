"""Files that want too much are refused before they are opened; others run in pieces that fit."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from mnist_edge import classifier
from mnist_edge.backends import input_format
from mnist_edge.classifier import Classifier
from mnist_edge.errors import ModelError
from mnist_edge.image_shape import MAX_SIDE, ImageShape
from mnist_edge.model_file.reader import ModelFile
from mnist_edge.model_file.resource_bounds import LARGEST_BATCH, MOST_MEMORY, MOST_WORK
from tests.conftest import make_card, make_color_card, write_tiny_model
from tests.model_file import bombs

EXPORTED = sorted((Path(__file__).parents[2] / "exported").glob("*.onnx"))
BLANK = np.zeros((1, 28, 28), np.uint8)
Make = Callable[[], onnx.ModelProto]


def bomb(folder: Path, make: Make) -> Path:
    return bombs.write(folder / f"{make.__name__}.onnx", make(), make_card())


@pytest.mark.parametrize("make", bombs.REFUSALS)
def test_what_asks_for_too_much_is_refused(make: Make, tmp_path: Path) -> None:
    path = bomb(tmp_path, make)
    # A file of others may still be given one image at a time.
    ways = (Classifier,) if make is bombs.all_pairs else (Classifier, input_format.read)
    for opened in ways:
        with pytest.raises(ModelError) as caught:
            opened(path)
        said = str(caught.value)
        assert said.startswith(f"{path} is refused: {bombs.REFUSALS[make]}")
        assert "\n" not in said


@pytest.mark.skipif(sys.platform != "linux", reason="reads VmHWM")
def test_bombs_take_little_memory_and_no_time(tmp_path: Path) -> None:
    """All of them, one after the other, in one process."""
    paths = [bomb(tmp_path, make) for make in bombs.REFUSALS]
    code = (
        "import sys, pathlib\n"
        "from mnist_edge import Classifier, EdgeError\n"
        "for path in sys.argv[1:]:\n"
        "    try: Classifier(path); print('opened', path)\n"
        "    except EdgeError: pass\n"
        "print(next(one for one in pathlib.Path('/proc/self/status').read_text().splitlines()"
        " if one.startswith('VmHWM')).split()[1])\n"
    )
    started = time.process_time()
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, paths)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 150_000
    assert time.process_time() - started < 5


def test_a_size_within_bounds_runs(tmp_path: Path) -> None:
    """The bound itself: 60 MB a layer are opened, and do not take more than was worked out."""
    make = helper.make_node
    model = bombs._model(
        [
            make("Expand", ["grey", "size"], ["wide"]),
            make("Sin", ["wide"], ["wave"]),
            make("ReduceMax", ["wave"], ["one"], axes=[1], keepdims=1),
        ],
        size=[1, 15_000_000],
    )
    path = bombs.write(tmp_path / "large.onnx", model, make_card())
    found = ModelFile.read(path).bounds({"image": (1, 28, 28)}, free=True)
    assert 120_000_000 < found.one.memory < MOST_MEMORY
    assert found.most_images == 1
    # Three images are three calls.
    assert Classifier(path).logits(np.repeat(BLANK, 3, axis=0)).shape == (3, 10)


@pytest.mark.parametrize("path", EXPORTED, ids=lambda path: path.name)
def test_what_ships_is_far_from_the_bounds(path: Path) -> None:
    found = ModelFile.read(path).bounds({"image": (1, 28, 28)}, free=True)
    assert found.one.memory < MOST_MEMORY / 10
    assert found.one.work < MOST_WORK / 100
    assert found.most_images == LARGEST_BATCH


def test_many_images_are_answered_in_pieces_that_fit(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "tiny.onnx")
    model = Classifier(path)
    images = np.random.default_rng(0).integers(0, 256, (1300, 28, 28), dtype=np.uint8)
    expected = np.concatenate([model.logits(images[at : at + 100]) for at in range(0, 1300, 100)])
    sizes: list[int] = []
    run = model._run

    def spied(outputs: object, given: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]):  # type: ignore[no-untyped-def]
        sizes.append(len(given["image"]))
        return run(outputs, given)

    model._run = spied
    np.testing.assert_allclose(model.logits(images), expected, atol=1e-5)
    assert sizes == [512, 512, 276]


def test_a_file_with_a_fixed_number_of_images_is_bounded_by_it(tmp_path: Path) -> None:
    graph = ModelFile.read(write_tiny_model(tmp_path / "tiny.onnx"))
    assert graph.bounds({"image": (10, 28, 28)}, free=False).most_images == 1
    with pytest.raises(ModelError, match="is refused: Reshape cannot take inputs"):
        graph.bounds({"image": (1, 28, 29)}, free=False)


LARGEST = ImageShape(MAX_SIDE, MAX_SIDE, 3)
DIGITS = tuple("0123456789")


def convolution(path: Path, shape: ImageShape, channels: int) -> Path:
    """A file of ours: a 3×3 convolution, its mean over the image, a dense layer."""
    make, classes = helper.make_node, 10
    random = np.random.default_rng(0)
    constants = {
        "kernel": random.normal(size=(channels, 3, 3, 3)).astype(np.float32),
        "dense": random.normal(size=(channels, classes)).astype(np.float32),
    }
    graph = helper.make_graph(
        [
            make("Cast", ["image"], ["float"], to=onnx.TensorProto.FLOAT),
            make("Transpose", ["float"], ["planes"], perm=[0, 3, 1, 2]),
            make("Conv", ["planes", "kernel"], ["maps"], pads=[1] * 4),
            make("GlobalAveragePool", ["maps"], ["mean"]),
            make("Flatten", ["mean"], ["flat"]),
            make("MatMul", ["flat", "dense"], ["logits"]),
        ],
        "wide",
        [helper.make_tensor_value_info("image", onnx.TensorProto.UINT8, ["N", *shape.dims])],
        [helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["N", classes])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    helper.set_model_props(model, make_color_card(shape=shape, classes=DIGITS).to_metadata())
    onnx.save(model, path)
    return path


def test_the_largest_images_are_counted_and_answered_in_pieces_that_fit(tmp_path: Path) -> None:
    path = convolution(tmp_path / "wide.onnx", LARGEST, 128)
    file, pixels = ModelFile.read(path), MAX_SIDE * MAX_SIDE
    found = file.bounds({"image": (1, *LARGEST.dims)}, free=True)
    least = 4 * pixels * (3 + 128)  # what the convolution takes and gives, in float32
    assert least < found.one.memory < 2 * least
    assert found.one.work > pixels * 128 * 27
    assert 0 < found.most_images < MOST_MEMORY // least
    file.bounds({"image": (found.most_images, *LARGEST.dims)}, free=False)
    with pytest.raises(ModelError, match="takes more than 256 MB"):
        file.bounds({"image": (found.most_images + 2, *LARGEST.dims)}, free=False)
    model = Classifier(file)
    count = found.most_images + 3
    images = np.random.default_rng(1).integers(0, 256, (count, *LARGEST.dims), dtype=np.uint8)
    alone = np.concatenate([model.logits(images[at : at + 1]) for at in (0, count - 1)])
    np.testing.assert_allclose(model.logits(images)[[0, -1]], alone, rtol=1e-3, atol=1e-3)


def test_an_image_that_fits_in_mnists_size_may_not_in_the_largest(tmp_path: Path) -> None:
    small, large = ImageShape(28, 28, 3), LARGEST
    for shape in (small, large):
        path = convolution(tmp_path / "wide.onnx", shape, 8000)
        if shape == small:
            assert Classifier(path).logits(np.zeros((1, *shape.dims), np.uint8)).shape == (1, 10)
        else:
            with pytest.raises(ModelError, match="is refused: an answer takes more than 256 MB"):
                Classifier(path)


def test_images_that_are_larger_than_any_are_refused_before_they_are_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classifier, "open_session", None)  # a call would fail
    model = onnx.load(convolution(tmp_path / "wide.onnx", LARGEST, 4))
    sides = model.graph.input[0].type.tensor_type.shape.dim[1:3]
    said = {entry.key: entry for entry in model.metadata_props}["mnist_edge.shape"]
    path = tmp_path / "larger.onnx"
    for stated, taken, reason in (
        (97, 96, "mnist_edge.shape cannot be read"),
        (96, 97, r"its input is image uint8 \(N, 97, 97, 3\)"),
        (4000, 4000, r"its input is image uint8 \(N, 4000, 4000, 3\)"),
        (10**12, 96, "mnist_edge.shape cannot be read"),
        (64, 96, "it takes images of 96×96 colour, and its metadata say 64×64 colour"),
    ):
        said.value = json.dumps({"height": stated, "width": stated, "channels": 3})
        for side in sides:
            side.dim_value = taken
        onnx.save(model, path)
        with pytest.raises(ModelError, match=reason):
            Classifier(path)


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ([("Relu", ["a"], ["b"]), ("Relu", ["b"], ["a"])], "wait for each other"),
        ([("Relu", ["float"], ["a"]), ("Relu", ["float"], ["a"])], "make the same tensor"),
        ([("Relu", ["nothing"], ["a"])], "takes what nothing gives"),
        ([("Relu", ["float"], ["a", "b"])], "gives more than is known of"),
        ([("Frobnicate", ["float"], ["a"])], "the operator Frobnicate, which no classifier"),
        ([("Fro\nb", ["float"], ["a"])], r"the operator Fro\\nb, which no classifier"),
    ],
)
def test_graphs_that_are_none_are_refused(
    nodes: list[tuple[str, list[str], list[str]]], reason: str, tmp_path: Path
) -> None:
    made = [helper.make_node(*node) for node in nodes]
    model = bombs._model([*made, helper.make_node("Identity", ["grey"], ["one"])])
    path = bombs.write(tmp_path / "odd.onnx", model, make_card())
    with pytest.raises(ModelError, match=reason):
        Classifier(path)


def test_more_operators_than_any_network_has_are_refused(tmp_path: Path) -> None:
    chain = [helper.make_node("Relu", [f"r{at}"], [f"r{at + 1}"]) for at in range(20_001)]
    model = bombs._model([*chain, helper.make_node("Identity", ["grey"], ["one"])], r0=[1.0])
    path = bombs.write(tmp_path / "long.onnx", model, make_card())
    with pytest.raises(ModelError, match="more than 20,000 operators"):
        Classifier(path)


def test_dropout_that_throws_dice_is_refused(tmp_path: Path) -> None:
    for on in (True, False):
        model = bombs._model(
            [helper.make_node("Dropout", ["grey", "half", "on"], ["one"])],
            half=np.array(0.5, np.float32),
            on=np.array(on),
        )
        path = bombs.write(tmp_path / "dropout.onnx", model, make_card())
        if on:
            with pytest.raises(ModelError, match="depend on chance"):
                Classifier(path)
        else:
            assert Classifier(path).logits(BLANK).shape == (1, 10)


def test_a_file_that_opens_and_does_not_run_is_told(tmp_path: Path) -> None:
    model = bombs._model(
        [helper.make_node("Gather", ["grey", "outside"], ["one"], axis=1)],
        outside=np.array([7], np.int64),
    )
    path = bombs.write(tmp_path / "gather.onnx", model, make_card())
    with pytest.raises(ModelError, match=r"gather\.onnx cannot be run by ONNX Runtime: "):
        Classifier(path)
