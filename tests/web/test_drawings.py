"""The page's own JavaScript, outside of a browser, where there is a Node.js."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from mnist_edge.model_file.golden import inputs
from tests.difficult import several
from tests.web.drawings import FILE, drawings, read

PAGE = Path(__file__).parent.parent.parent / "mnist_edge" / "web" / "page"
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="needs Node.js")


def node(*args: object) -> str:
    assert NODE
    done = subprocess.run(
        [NODE, *map(str, args)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_file_holds_the_drawings_that_it_says() -> None:
    for (name, ink), (kept, kept_ink, _, _) in zip(drawings(), read(), strict=True):
        assert name == kept
        assert np.array_equal(ink, kept_ink), name


@needs_node
def test_javascript_makes_the_same_bytes_of_drawings() -> None:
    script = Path(__file__).with_name("drawings.mjs")
    assert node(script, PAGE / "drawing.js", FILE) == f"{len(read())} drawings\n"


@needs_node
def test_javascript_draws_the_inputs_of_the_golden_answers() -> None:
    code = f"""import {{ drawn }} from {str(PAGE / "golden.js")!r};
    for (let at = 0; at < 8; at++) console.log(Buffer.from(drawn(at)).toString("hex"));"""
    found = node("--input-type=module", "--eval", code).split()
    assert found == [image.tobytes().hex() for image in inputs()]


@needs_node
@pytest.mark.parametrize("file", sorted(PAGE.glob("*.js")), ids=lambda path: path.name)
def test_every_module_parses(file: Path, tmp_path: Path) -> None:
    module = tmp_path / f"{file.stem}.mjs"
    module.write_bytes(file.read_bytes())
    node("--check", module)


@needs_node
def test_javascript_counts_digits(tmp_path: Path) -> None:
    module = tmp_path / "picture.mjs"  # a folder without package.json takes .js for CommonJS
    text = (PAGE / "picture.js").read_text()
    module.write_text(text.replace("./drawing.js", (PAGE / "drawing.js").as_uri()))
    inks = []
    for at, shape in enumerate([(1, 2), (1, 4), (2, 2), (3, 5), *[(1, 1)] * 12]):
        page = several.sheet(np.random.default_rng([5, at]), *shape).image.convert("L")
        page.thumbnail((280, 280))
        values = np.abs(np.asarray(page, np.int64) - int(np.asarray(page)[0, 0]))
        inks.append(np.where(values > 80, 255, 0).astype(np.uint8))
    fields = [{"width": i.shape[1], "height": i.shape[0], "data": i.ravel().tolist()} for i in inks]
    (tmp_path / "inks.json").write_text(json.dumps(fields))
    code = f"""import {{ digitsOf }} from {module.as_uri()!r};
    import {{ readFileSync }} from "node:fs";
    const inks = JSON.parse(readFileSync({str(tmp_path / "inks.json")!r}, "utf8"));
    for (const ink of inks) console.log(digitsOf(ink));"""
    found = [int(line) for line in node("--input-type=module", "--eval", code).split()]
    assert found == [2, 4, 4, 15] + [1] * 12
