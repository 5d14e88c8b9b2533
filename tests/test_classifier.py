import pickle
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import ExifTags, Image

from mnist_edge import Classifier, read_picture
from mnist_edge.datasets import Split
from mnist_edge.errors import ModelError
from mnist_edge.image_shape import Fit
from mnist_edge.metrics import Threshold
from mnist_edge.model_file import model_paths
from mnist_edge.model_file.contract import PREFIX
from mnist_edge.model_file.session import open_session
from mnist_edge.preprocess import fit_image
from tests.conftest import make_card, make_color_card, write_tiny_model


def changed(path: Path, **changes: Any) -> Path:
    """The tiny model with another `input`, `output` (type, shape) or `metadata`."""
    model = onnx.load(path)
    for value, key in ((model.graph.input[0], "input"), (model.graph.output[0], "output")):
        if key in changes:
            value.CopyFrom(helper.make_tensor_value_info(*changes[key]))
    if "metadata" in changes:
        metadata = {item.key: item.value for item in model.metadata_props} | changes["metadata"]
        del model.metadata_props[:]
        helper.set_model_props(model, {k: v for k, v in metadata.items() if v is not None})
    onnx.save(model, path)
    return path


def write_passing_on(path: Path, kind: int, shape: list[int | str] | None, name: str) -> Path:
    """A foreign file whose one input has this name, type and shape."""
    graph = helper.make_graph(
        [helper.make_node("Cast", [name], ["logits"], to=TensorProto.FLOAT)],
        "foreign",
        [helper.make_tensor_value_info(name, kind, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, shape)],
    )
    opset = helper.make_opsetid("", 14)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=7), path)
    return path


def reference_logits(path: Path, images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What the tiny model should say, computed by numpy in float64."""
    weights = {w.name: numpy_helper.to_array(w) for w in onnx.load(path).graph.initializer}
    flat = images.reshape(len(images), -1).astype(np.float64)
    logits: np.ndarray[Any, Any] = flat @ weights["weights"].astype(np.float64)
    return logits


@pytest.mark.parametrize("count", [1, 2, 64, 200])
def test_answers_are_those_of_numpy_for_one_image_and_for_many(
    tiny_model: Path, random_split: Split, count: int
) -> None:
    images = random_split.images[:count]
    model, expected = Classifier(tiny_model), reference_logits(tiny_model, images)
    found = model.predict(images)
    np.testing.assert_allclose(model.logits(images), expected, atol=1e-4)
    np.testing.assert_array_equal(found.labels, expected.argmax(1))
    softmax = torch.softmax(torch.from_numpy(expected), 1).numpy()
    np.testing.assert_allclose(found.probabilities, softmax, atol=1e-5)


def test_types_and_shapes_are_as_documented(tiny_model: Path, random_split: Split) -> None:
    found = Classifier(tiny_model).predict(random_split.images)
    assert (str(found.labels.dtype), found.labels.shape) == ("int64", (200,))
    assert (str(found.probabilities.dtype), found.probabilities.shape) == ("float32", (200, 10))
    np.testing.assert_allclose(found.probabilities.sum(1), 1, atol=1e-6)


def test_no_image_gets_no_answer(tiny_model: Path) -> None:
    found = Classifier(tiny_model).predict(np.empty((0, 28, 28), np.uint8))
    assert found.labels.shape == (0,)
    assert found.probabilities.shape == (0, 10)


def test_an_answer_does_not_depend_on_the_batch_threads_or_optimizer(
    tiny_model: Path, random_split: Split
) -> None:
    images = random_split.images[:20]
    whole = Classifier(tiny_model).logits(images)
    model = Classifier(tiny_model, threads=2)
    one_by_one = np.concatenate([model.logits(image[None]) for image in images])
    np.testing.assert_allclose(one_by_one, whole, atol=1e-4)
    plain = open_session(tiny_model, optimize=False).run(["logits"], {"image": images})[0]
    np.testing.assert_allclose(plain, whole, atol=1e-4)


def test_strided_views_are_read_right(tiny_model: Path) -> None:
    wide = np.random.default_rng(0).integers(0, 256, (6, 28, 56), np.uint8)
    view = wide[::2, ::-1, ::2]
    model = Classifier(tiny_model)
    np.testing.assert_array_equal(model.logits(view), model.logits(np.ascontiguousarray(view)))


def test_the_card_is_the_files_and_classes_may_be_any_number(tmp_path: Path) -> None:
    card = make_card(classes=("yes", "no", "maybe"), dataset="folder:words")
    model = Classifier(str(write_tiny_model(tmp_path / "words.onnx", card)))
    assert model.card == card
    assert model.classes == ("yes", "no", "maybe")
    assert model.predict(np.zeros((1, 28, 28), np.uint8)).probabilities.shape == (1, 3)


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [
        (np.float32, (1, 28, 28)),
        (np.int64, (1, 28, 28)),
        (np.bool_, (1, 28, 28)),
        (np.uint8, (28, 27)),
        (np.uint8, (1, 1, 28, 28)),
        (np.uint8, (1, 32, 32)),
        (np.uint8, (28, 28, 1)),
        (np.uint8, (1, 784)),
    ],
)
@pytest.mark.parametrize("method", ["logits", "predict"])
def test_other_images_are_a_type_error_that_says_what_came(
    tiny_model: Path, method: str, dtype: Any, shape: tuple[int, ...]
) -> None:
    images = np.zeros(shape, dtype)
    with pytest.raises(TypeError) as raised:
        getattr(Classifier(tiny_model), method)(images)
    came = (1, *shape) if method == "predict" and len(shape) == 2 else shape
    wanted = "images must be a NumPy array uint8 (N, 28, 28)"
    assert str(raised.value).startswith(f"{wanted}, not {images.dtype} {came}: ")


@pytest.mark.parametrize(
    ("images", "said"),
    [
        ([[0] * 28] * 28, "not list: np.stack makes one"),
        (None, "not NoneType: "),
        (np.zeros((2, 28, 28), np.float32), r"\(images \* 255\)\.round\(\)\.astype\(np\.uint8\)"),
        (np.zeros((2, 28, 28), np.int64), r"images\.astype\(np\.uint8\)"),
        (np.zeros((2, 1, 28, 28), np.uint8), r"images\[:, 0\] is without the channel"),
        (np.zeros((2, 28, 28, 3), np.uint8), "Classifier.read makes"),
        (np.uint8(1), "not uint8: "),
    ],
)
@pytest.mark.parametrize("method", ["logits", "predict"])
def test_what_is_no_array_of_images_is_a_type_error_that_says_how_to_make_one(
    tiny_model: Path, method: str, images: Any, said: str
) -> None:
    with pytest.raises(TypeError, match=f"^images must be a NumPy array .*{said}"):
        getattr(Classifier(tiny_model), method)(images)


@pytest.mark.parametrize("fit", [Fit.PAD, Fit.CROP, Fit.ZERO_PAD])
def test_a_picture_is_read_as_its_file_takes_it(tmp_path: Path, fit: Fit) -> None:
    model = Classifier(write_tiny_model(tmp_path / "things.onnx", make_color_card(fit=fit)))
    pixels = np.random.default_rng(0).integers(0, 256, (50, 90, 3), np.uint8)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 3
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    image = model.read(tmp_path / "turned.png")
    np.testing.assert_array_equal(image, fit_image(pixels[::-1, ::-1], model.shape, fit))
    (probabilities,) = model.predict(image).probabilities
    wanted = reference_logits(model.path, image[np.newaxis])[0]
    np.testing.assert_allclose(probabilities, np.exp(wanted) / np.exp(wanted).sum(), rtol=1e-4)


def test_only_a_file_of_digits_looks_for_one(tiny_model: Path) -> None:
    picture = Image.fromarray(np.pad(np.full((60, 20), 30, np.uint8), 40, constant_values=200))
    image = Classifier(tiny_model).read(picture)
    np.testing.assert_array_equal(image, read_picture(picture))
    assert image[0, 0] == 0  # the paper, which is light in the picture


def test_answers_have_names_and_say_whether_they_are_sure(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (50, 28, 28), np.uint8)
    plain = write_tiny_model(tmp_path / "a.onnx", make_card(classes=("a", "b", "c")))
    found = Classifier(plain).predict(images)
    assert found.names == tuple("abc"[label] for label in found.labels)
    assert found.sure.all()  # the file states no threshold
    limit = float(np.median(found.probabilities.max(axis=1)))
    card = make_card(classes=("a", "b", "c"), threshold=Threshold(limit, 2, 2, 3))
    found = Classifier(write_tiny_model(tmp_path / "b.onnx", card)).predict(images)
    assert found.sure.dtype == np.bool_
    np.testing.assert_array_equal(found.sure, found.probabilities.max(axis=1) >= limit)
    assert 0 < found.sure.sum() < 50


def test_models_are_named_as_in_the_commands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Classifier().path == Classifier("edge").path == model_paths.default()
    assert Classifier("edge-int8").card.precision == "int8"
    with pytest.raises(ModelError, match="no model file edge-int4: name a path, or one of edge"):
        Classifier("edge-int4")
    assert pickle.loads(pickle.dumps(Classifier("edge-xs"))).path.name == "edge-xs.onnx"


def test_a_single_image_is_a_batch_of_one(tiny_model: Path, random_split: Split) -> None:
    model = Classifier(tiny_model)
    alone = model.predict(random_split.images[3])
    np.testing.assert_array_equal(alone.logits, model.logits(random_split.images[3:4]))
    with pytest.raises(TypeError, match=r"not uint8 \(28, 28\)"):
        model.logits(random_split.images[3])


@pytest.mark.parametrize(
    ("kind", "shape", "name", "said"),
    [
        (TensorProto.FLOAT, ["N", 28, 28], "image", "image float32 (N, 28, 28)"),
        (TensorProto.FLOAT, [1, 1, 28, 28], "Input3", "Input3 float32 (1, 1, 28, 28)"),
        (TensorProto.UINT8, ["N", 28, 28], "x", "x uint8 (N, 28, 28)"),
        (TensorProto.UINT8, ["N", 1, 28, 28], "image", "image uint8 (N, 1, 28, 28)"),
        (TensorProto.UINT8, ["N", 8, 32], "image", "image uint8 (N, 8, 32)"),
        (TensorProto.UINT8, ["N", 32, 97, 3], "image", "image uint8 (N, 32, 97, 3)"),
        (TensorProto.UINT8, ["N", 32, 32, 4], "image", "image uint8 (N, 32, 32, 4)"),
        (TensorProto.UINT8, ["N", 32, "W", 3], "image", "image uint8 (N, 32, N, 3)"),
        (TensorProto.UINT8, ["N", "H", "W"], "image", "image uint8 (N, N, N)"),
        (TensorProto.UINT8, [1, 28, 28], "image", "image uint8 (1, 28, 28)"),
        (TensorProto.UINT8, None, "image", "image uint8 (?)"),
    ],
)
def test_a_foreign_input_is_refused_and_shown(
    tmp_path: Path, kind: int, shape: list[int | str] | None, name: str, said: str
) -> None:
    path = write_passing_on(tmp_path / "foreign.onnx", kind, shape, name)
    with pytest.raises(ModelError) as raised:
        Classifier(path)
    assert str(raised.value) == (
        f"{path} is not a file of mnist-edge: its input is {said}, not image uint8 (N, H, W) or "
        "(N, H, W, 3)"
    )


def test_a_graph_of_another_shape_than_its_card_is_refused(tmp_path: Path) -> None:
    path = write_passing_on(tmp_path / "other.onnx", TensorProto.UINT8, ["N", 32, 32], "image")
    add = {PREFIX + key: value for key, value in [("x", "")]} | make_card().to_metadata()
    path = changed(path, metadata=add)
    with pytest.raises(ModelError, match="takes images of 32×32 grey, and its metadata say 28×28"):
        Classifier(path)


def test_two_inputs_are_shown_both_and_none_is_missing(tmp_path: Path) -> None:
    def write(name: str, inputs: list[str]) -> Path:
        numbers = numpy_helper.from_array(np.zeros((1, 10), np.float32), "numbers")
        infos = [helper.make_tensor_value_info(i, TensorProto.UINT8, [1]) for i in inputs]
        graph = helper.make_graph(
            [helper.make_node("Identity", ["numbers"], ["logits"])],
            "foreign",
            infos,
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 10])],
            [numbers],
        )
        opset = helper.make_opsetid("", 14)
        onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=7), tmp_path / name)
        return tmp_path / name

    with pytest.raises(ModelError, match=r"its input is a uint8 \(1\) and b uint8 \(1\), not "):
        Classifier(write("two.onnx", ["a", "b"]))
    with pytest.raises(ModelError, match="its input is missing, not image"):
        Classifier(write("none.onnx", []))


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (dict.fromkeys(make_card().to_metadata()), "its metadata lacks mnist_edge.version"),
        ({PREFIX + "classes": None}, "its metadata lacks mnist_edge.classes"),
        (
            {PREFIX + "version": "3"},
            "it follows version 3 of the contract, of which 2 is the newest",
        ),
        ({PREFIX + "accuracy": "good"}, "its metadata mnist_edge.accuracy cannot be read"),
    ],
)
def test_foreign_metadata_is_refused_with_its_entry(
    tiny_model: Path, metadata: dict[str, str | None], message: str
) -> None:
    path = changed(tiny_model, metadata=metadata)
    with pytest.raises(ModelError) as raised:
        Classifier(path)
    assert str(raised.value).startswith(f"{path} is not a file of mnist-edge: {message}")


def test_another_output_name_is_refused(tiny_model: Path) -> None:
    model = onnx.load(tiny_model)
    model.graph.node[-1].output[0] = model.graph.output[0].name = "scores"
    onnx.save(model, tiny_model)
    with pytest.raises(
        ModelError,
        match=r"its output is scores float32 \(N, 10\), not logits float32 \(N, 10\)$",
    ):
        Classifier(tiny_model)


def test_more_classes_than_logits_are_refused(tiny_model: Path) -> None:
    path = changed(tiny_model, metadata={PREFIX + "classes": '["a", "b", "c"]'})
    with pytest.raises(
        ModelError, match=r"its output is logits float32 \(N, 10\), not logits float32 \(N, 3\)$"
    ):
        Classifier(path)


def test_an_output_of_unknown_size_is_refused(tiny_model: Path) -> None:
    model = onnx.load(tiny_model)
    # Through Squeeze, so that shape inference cannot fill in what the file does not state.
    model.graph.initializer.append(numpy_helper.from_array(np.array([0]), "axes"))
    model.graph.node[-1].output[0] = "inner"
    model.graph.node.extend(
        [
            helper.make_node("Unsqueeze", ["inner", "axes"], ["deep"]),
            helper.make_node("Squeeze", ["deep"], ["logits"]),
        ]
    )
    model.graph.output[0].CopyFrom(
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", "C"])
    )
    onnx.save(model, tiny_model)
    with pytest.raises(ModelError, match=r"its output is logits float32 \(N, N\), not "):
        Classifier(tiny_model)


@pytest.mark.parametrize(
    "content", [b"", b"hello\nworld\n", b"\x89PNG\r\n\x1a\n", bytes(range(256)) * 40]
)
def test_a_file_that_is_not_onnx_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "not.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError) as raised:
        Classifier(path)
    assert str(raised.value).startswith(f"{path} is not an ONNX file")
    assert "\n" not in str(raised.value)


def test_half_a_file_is_refused(tiny_model: Path) -> None:
    tiny_model.write_bytes(tiny_model.read_bytes()[:5000])
    with pytest.raises(ModelError, match="is not an ONNX file, or a damaged one"):
        Classifier(tiny_model)


def test_a_missing_file_and_a_folder_are_no_model_file(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.onnx", tmp_path):
        with pytest.raises(ModelError) as raised:
            Classifier(path)
        assert str(raised.value).startswith(
            f"{path} is a folder: it holds no .onnx file"
            if path.is_dir()
            else f"there is no model file {path}: name a path, or one of "
        )


def test_a_classifiers_threads_sleep_between_two_answers(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "tiny.onnx")

    def spinning(session: Any) -> str:
        options = session.get_session_options()
        return str(options.get_session_config_entry("session.intra_op.allow_spinning"))

    assert spinning(Classifier(path, threads=2).session) == "0"
    assert spinning(open_session(path, threads=2, spinning=False)) == "0"
    with pytest.raises(RuntimeError, match="allow_spinning"):  # as ONNX Runtime has it
        spinning(open_session(path, threads=2))
