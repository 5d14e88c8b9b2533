"""The page's own JavaScript, outside of a browser, where there is a Node.js."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from mnist_edge.golden import inputs
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
