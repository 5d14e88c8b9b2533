"""The JavaScript of the README and of docs/web.md, as it stands."""

import base64
import io
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from mnist_edge.classifier import Classifier
from mnist_edge.model_file import model_paths
from mnist_edge.preprocess import prepare_drawing
from mnist_edge.web.runtime import Runtime
from tests.browser.conftest import hosting
from tests.preprocess.drawing import drawing
from tests.test_readme import README, ROOT, blocks

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_it_runs_the_file_without_us(browser: "Browser", runtime: Runtime, tmp_path: Path) -> None:
    (short,) = blocks("js", README)
    (whole,) = blocks("js", ROOT / "docs/web.md")
    (tmp_path / "short.js").write_text(short)
    (tmp_path / "read.js").write_text(whole)
    (tmp_path / "index.html").write_text("<!doctype html><title>plain</title>")
    for name in ("edge.onnx", "edge-int8.onnx"):
        shutil.copy(model_paths.default().with_name(name), tmp_path / name)
    for name, content in runtime.files.items():
        (tmp_path / Path(name).name).write_bytes(content)
    image = prepare_drawing(drawing("4", size=(280, 280)))
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    with hosting(tmp_path) as url, browser.new_context() as context:
        page = context.new_page()
        page.goto(url)
        found = page.evaluate(
            """async (text) => {
              const { readPicture } = await import("./read.js");
              const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
              return readPicture(new Blob([bytes], { type: "image/png" }));
            }""",
            base64.b64encode(buffer.getvalue()).decode(),
        )
        short_answer = page.evaluate(
            """async (pixels) => (await import("./short.js")).read(Uint8Array.from(pixels))""",
            image.ravel().tolist(),
        )
    wanted = Classifier(model_paths.default()).predict(image)
    assert short_answer == found["digit"] == wanted.labels[0] == 4
    assert abs(found["probability"] - float(wanted.probabilities.max())) < 1e-5
