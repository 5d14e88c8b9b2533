"""Colour classifiers as others export them: small networks by torch.onnx.export, really trained for
one form of pixels each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mnist_edge.backends import Examples, ForeignOptions, OnnxRuntime, answer, find_contenders
from mnist_edge.backends.detect_input import detect_input_format
from mnist_edge.backends.input_format import read, stated_image
from mnist_edge.backends.model_info import ModelInfo
from mnist_edge.backends.openvino import OpenVino
from mnist_edge.backends.pixel_scaling import (
    CAFFE,
    CIFAR_10,
    IMAGENET,
    RAW,
    UNIT,
    Scaling,
    describe,
    of_images,
)
from mnist_edge.datasets import Split
from mnist_edge.errors import ModelError
from mnist_edge.image_shape import ImageShape
from mnist_edge.model_file.reader import ModelFile
from tests.backends.foreign import write

SHAPE = ImageShape(height=24, width=32, channels=3)
CLASSES = 6
Layout = Sequence[str | int]


def make_patches(count: int, seed: int = 0) -> Split:
    """Images of one dim colour among noise. Classes are pairs that differ in which channel is the
    brighter, and by how much: what is normalized otherwise, or in BGR, is misread."""
    random = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % CLASSES
    colors = np.array(
        [[90, 60, 30], [60, 90, 30], [30, 60, 90], [150, 120, 30], [30, 150, 120], [120, 30, 150]]
    )
    noise = random.normal(0, 40, (count, *SHAPE.dims))
    shift = random.normal(0, 12, (count, 1, 1, 3))
    images = colors[labels][:, None, None] + noise + shift
    return Split(images.clip(0, 255).astype(np.uint8), labels)


TRAINING = make_patches(3000)
OWN = of_images(TRAINING.images)


class Net(nn.Module):
    """A convolution and a product. Its normalization is outside, or inside: `raw` pixels then."""

    def __init__(self, form: "Form") -> None:
        super().__init__()
        self.form = form
        self.stem = nn.Conv2d(3, 8, 4, 4)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8 * SHAPE.height * SHAPE.width // 16, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        form = self.form
        if form.layout == "rows":
            x = x.reshape(len(x), *((3, SHAPE.height, SHAPE.width) if form.planes else SHAPE.dims))
        x = x.float()
        if not form.planes:
            x = x.permute(0, 3, 1, 2)
        if form.inside:
            scale, mean = (torch.tensor(one).reshape(-1, 1, 1) for one in form.scaling)
            x = (x - mean) * scale
        logits: torch.Tensor = self.head(self.norm(self.stem(x)).relu().flatten(1))
        return logits


@dataclass(frozen=True)
class Form:
    """What a network is given. `planes`: channels first. `inside`: normalized by the graph."""

    name: str
    scaling: Scaling
    planes: bool = True
    bgr: bool = False
    layout: str = "image"
    inside: bool = False
    dtype: str = "float32"

    def prepare(self, images: np.ndarray) -> torch.Tensor:
        """Written out once more."""
        values = images[..., ::-1].astype(np.float64) if self.bgr else images.astype(np.float64)
        if not self.inside:
            scale, mean = (np.array(one) for one in self.scaling)
            if self.bgr:
                scale, mean = (one[::-1] if one.ndim else one for one in (scale, mean))
            values = (values - mean) * scale
        if self.planes:
            values = values.transpose(0, 3, 1, 2)
        if self.layout == "rows":
            values = values.reshape(len(values), -1)
        return torch.from_numpy(np.ascontiguousarray(values).astype(self.dtype))


FORMS = [
    Form("unit", UNIT),
    Form("imagenet", IMAGENET),
    Form("own", OWN),
    Form("caffe", CAFFE, bgr=True),
    Form("unit-bgr", UNIT, bgr=True),
    Form("unit-last", UNIT, planes=False),
    Form("inside", CIFAR_10, inside=True),
    Form("bytes", CIFAR_10, inside=True, planes=False, dtype="uint8"),
    Form("bytes-bgr", UNIT, inside=True, bgr=True, dtype="uint8"),
    Form("rows", UNIT, layout="rows"),
    Form("rows-last", UNIT, planes=False, layout="rows"),
]
WANTED = {form.name: RAW if form.inside else form.scaling for form in FORMS}


def export(folder: Path, form: Form, steps: int = 60, batch: int | None = None) -> Path:
    """A network that was trained for this form, as an ONNX file."""
    torch.manual_seed(0)
    net, random = Net(form), np.random.default_rng(1)
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(steps):
        some = random.integers(0, len(TRAINING), 64)
        labels = torch.from_numpy(TRAINING.labels[some])
        loss = nn.functional.cross_entropy(net(form.prepare(TRAINING.images[some])), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    path = folder / f"{form.name}.onnx"
    free = None if batch else {"input": {0: "N"}, "output": {0: "N"}}
    torch.onnx.export(
        net.eval(),
        (form.prepare(TRAINING.images[: batch or 1]),),
        str(path),
        dynamo=False,
        input_names=["input"],
        output_names=["output"],
        dynamic_axes=free,
    )
    return path


def opened(path: Path, examples: Examples) -> OnnxRuntime:
    options = ForeignOptions(examples=lambda shape: examples, dataset="patches")
    (found,) = find_contenders([path], path.parent, ["onnxruntime"], options).contenders
    assert isinstance(found, OnnxRuntime)
    return found


pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_networks_of_known_form_are_guessed_rightly(tmp_path: Path, form: Form) -> None:
    path = export(tmp_path, form)
    file = opened(path, Examples.of(TRAINING, CLASSES))
    found = file.input_format
    test = make_patches(600, seed=5)
    answers = answer(file.load(1), test.images)
    assert (found.image, found.classes, file.info.shape) == (SHAPE, CLASSES, SHAPE)
    assert (describe(found.scaling), found.bgr) == (describe(WANTED[form.name]), form.bgr)
    assert found.channels_first == form.planes
    assert (answers.argmax(axis=1) == test.labels).mean() > 0.9


@pytest.mark.skipif(OpenVino.unavailable_reason() is not None, reason="OpenVINO is not here")
@pytest.mark.parametrize("form", [FORMS[1], FORMS[3], FORMS[7]], ids=lambda form: form.name)
def test_openvino_computes_the_same(tmp_path: Path, form: Form) -> None:
    file = opened(export(tmp_path, form, steps=5), Examples.of(TRAINING, CLASSES))
    images = make_patches(7).images
    found = answer(OpenVino.of(file).load(1), images)
    np.testing.assert_allclose(found, answer(file.load(1), images), rtol=1e-3, atol=1e-3)


def test_a_fixed_number_of_color_images_is_cut_into_calls(tmp_path: Path) -> None:
    path = export(tmp_path, FORMS[1], steps=5, batch=4)
    input_format = replace(read(path, image=SHAPE), scale=IMAGENET.scale, mean=IMAGENET.mean)
    assert (input_format.batch, input_format.shape) == (4, (4, 3, 24, 32))
    images = make_patches(10).images
    file = OnnxRuntime(
        ModelFile.read(path), ModelInfo.of_foreign(path, "patches", CLASSES), input_format
    )
    whole = answer(file.load(1), images)
    parts = [answer(file.load(1), images[at : at + 1]) for at in range(10)]
    np.testing.assert_allclose(whole, np.concatenate(parts), rtol=1e-4, atol=1e-4)
    assert len(np.unique(whole, axis=0)) == 10


def test_images_of_another_shape_are_refused_with_both_shapes(tmp_path: Path) -> None:
    path = export(tmp_path, FORMS[0], steps=1)
    assert stated_image(path) == SHAPE
    greys = Split(np.zeros((20, 28, 28), np.uint8), np.arange(20, dtype=np.int64) % 2)
    with pytest.raises(ModelError, match=r"takes images of 32×24 colour, and patches has 28×28 g"):
        opened(path, Examples.of(greys, 2))


def test_what_is_said_of_channels_is_taken_and_nothing_is_guessed(tmp_path: Path) -> None:
    def never(shape: ImageShape | None) -> Examples:
        raise AssertionError("there was nothing to guess")

    path = export(tmp_path, FORMS[1], steps=1)
    scale, mean = (0.1, 0.2, 0.3), (1.0, 2.0, 3.0)
    options = ForeignOptions(never, "patches", scale, mean, bgr=True)
    (found,) = find_contenders([path], tmp_path, None, options).foreign_inputs.values()
    assert found.form == "(pixel - 1,2,3) × 0.1,0.2,0.3, in BGR"
    image = np.array([10, 20, 30], np.uint8) * np.ones((1, *SHAPE.dims), np.uint8)
    planes = found.prepare(image)[0]
    np.testing.assert_allclose(planes[:, 0, 0], [(30 - 3) * 0.3, (20 - 2) * 0.2, (10 - 1) * 0.1])
    grey = write(tmp_path / "grey.onnx")
    for given in ({"scale": scale}, {"bgr": True}):
        with pytest.raises(ModelError, match=r"grey\.onnx takes grey images"):
            detect_input_format(grey, read(grey), lambda: never(None), **given)
