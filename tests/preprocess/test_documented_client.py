"""docs/model-file.md: the client with Pillow alone prepares a picture as `Classifier.read` does."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from mnist_edge.classifier import Classifier
from mnist_edge.image_shape import ImageShape
from tests.conftest import make_color_card, write_tiny_model

PAGE = Path(__file__).parents[2] / "docs" / "model-file.md"
(SNIPPET,) = re.findall(r"^```py\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
SIZES = [
    *((60, 100), (100, 60), (32, 24), (24, 32), (33, 25), (31, 97), (211, 13)),
    *((479, 640), (9, 2303)),
]
SHAPES = [ImageShape(24, 32, 3), ImageShape(32, 32, 3), ImageShape(96, 48, 3), ImageShape(24, 32)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_documented_client_makes_the_same_bytes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    shape: ImageShape,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("exported").mkdir()
    model = Classifier(write_tiny_model(Path("exported/signs.onnx"), make_color_card(shape=shape)))
    for at, (width, height) in enumerate(SIZES):
        noise = np.random.default_rng(at).integers(0, 256, (height, width, 3), np.uint8)
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = 1 if at % 2 else 6  # which is on its side
        Image.fromarray(noise).save("stop.jpg", exif=exif)
        found: dict[str, Any] = {}
        exec(SNIPPET, found)
        np.testing.assert_array_equal(found["image"][0], model.read("stop.jpg"))
        label, probability = capsys.readouterr().out.split()
        wanted = model.predict(model.read("stop.jpg"))
        assert label == wanted.names[0]
        assert float(probability) == pytest.approx(wanted.probabilities.max(), abs=1e-6)
