"""The README's JavaScript, as it stands."""

import base64
import io
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from mnist_edge import shipped
from mnist_edge.classifier import Classifier
from mnist_edge.picture import drawn
from mnist_edge.web.runtime import Runtime
from tests.browser.conftest import hosting
from tests.picture.drawing import drawing
from tests.test_readme import blocks

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_it_runs_the_file_without_us(browser: "Browser", runtime: Runtime, tmp_path: Path) -> None:
    (snippet,) = blocks("js")
    (tmp_path / "read.js").write_text(snippet)
    (tmp_path / "index.html").write_text("<!doctype html><title>plain</title>")
    shutil.copy(shipped.default(), tmp_path / "edge.onnx")
    for name, content in runtime.files.items():
        (tmp_path / Path(name).name).write_bytes(content)
    image = drawn(drawing("4", size=(280, 280)))
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
    wanted = Classifier(shipped.default()).predict(image)
    assert found["digit"] == wanted.labels[0] == 4
    assert abs(found["probability"] - float(wanted.probabilities.max())) < 1e-5
