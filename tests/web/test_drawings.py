"""The page's own JavaScript, outside of a browser, where there is a Node.js."""

import json
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnist_edge.image_shape import MNIST_SHAPE, ImageShape
from mnist_edge.model_file.golden import inputs
from mnist_edge.preprocess import Pixels, load, to_rgb
from tests.difficult import several
from tests.preprocess import fit_vectors
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
    assert node(script, PAGE, FILE) == f"{len(read())} drawings\n"


@needs_node
def test_javascript_makes_the_same_bytes_of_pictures_in_every_shape() -> None:
    script = Path(__file__).with_name("fit.mjs")
    count = len(json.loads(fit_vectors.FILE.read_text()))
    assert node(script, PAGE / "fit.js", fit_vectors.FILE) == f"{count} pictures\n"


def transparent(height: int, width: int, seed: int) -> Pixels:
    """RGBA noise, of which some is transparent, some opaque, and some in between."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (height, width, 4), np.uint8)
    opaque, clear = random.random((height, width)) < 0.2 + 0.2 * seed, random.random((height, 1))
    pixels[opaque, 3] = 255
    pixels[(clear < 0.3) & ~opaque, 3] = 0
    if seed == 1:  # light ink on a transparent canvas
        pixels[:, :, :3] = pixels[:, :, :3] // 4 + 190
        pixels[height // 3 :, :, 3] = 0
    return pixels


@needs_node
@pytest.mark.parametrize(
    ("height", "width", "seed"),
    [(40, 31, 0), (40, 31, 1), (33, 50, 2), (9, 8, 4), (2305, 21, 2), (17, 4620, 0), (31, 7700, 3)],
)
def test_javascript_reads_transparent_and_large_pictures_as_python_does(
    tmp_path: Path, height: int, width: int, seed: int
) -> None:
    pixels = transparent(height, width, seed)
    wanted = to_rgb(load(Image.fromarray(pixels)).pixels)
    (tmp_path / "rgba").write_bytes(pixels.tobytes())
    code = f"""import {{ flatten, reduce, reductionOf }} from {(PAGE / "fit.js").as_uri()!r};
    import {{ readFileSync, writeFileSync }} from "node:fs";
    const data = readFileSync({str(tmp_path / "rgba")!r});
    const rgba = {{ width: {width}, height: {height}, channels: 4, data }};
    const factor = reductionOf(Math.max({width}, {height}));
    const found = flatten(factor > 1 ? reduce(rgba, factor) : rgba);
    writeFileSync({str(tmp_path / "rgb")!r}, found.data);
    console.log(found.height, found.width);"""
    dims = [int(side) for side in node("--input-type=module", "--eval", code).split()]
    assert dims == list(wanted.shape[:2])
    assert (tmp_path / "rgb").read_bytes() == wanted.tobytes()


@needs_node
@pytest.mark.parametrize(
    "shape",
    [MNIST_SHAPE, ImageShape(32, 32, 3), ImageShape(96, 17), ImageShape(16, 64, 3)],
    ids=str,
)
def test_javascript_draws_the_inputs_of_the_golden_answers(shape: ImageShape) -> None:
    code = f"""import {{ drawn }} from {str(PAGE / "golden.js")!r};
    const shape = {json.dumps(asdict(shape))};
    for (let at = 0; at < 8; at++) console.log(Buffer.from(drawn(at, shape)).toString("hex"));"""
    found = node("--input-type=module", "--eval", code).split()
    assert found == [image.tobytes().hex() for image in inputs(shape)]


@needs_node
@pytest.mark.parametrize("file", sorted(PAGE.glob("*.js")), ids=lambda path: path.name)
def test_every_module_parses(file: Path, tmp_path: Path) -> None:
    module = tmp_path / f"{file.stem}.mjs"
    module.write_bytes(file.read_bytes())
    node("--check", module)


@needs_node
def test_javascript_counts_digits(tmp_path: Path) -> None:
    inks = []
    for at, shape in enumerate([(1, 2), (1, 4), (2, 2), (3, 5), *[(1, 1)] * 12]):
        page = several.sheet(np.random.default_rng([5, at]), *shape).image.convert("L")
        page.thumbnail((280, 280))
        values = np.abs(np.asarray(page, np.int64) - int(np.asarray(page)[0, 0]))
        inks.append(np.where(values > 80, 255, 0).astype(np.uint8))
    fields = [{"width": i.shape[1], "height": i.shape[0], "data": i.ravel().tolist()} for i in inks]
    (tmp_path / "inks.json").write_text(json.dumps(fields))
    code = f"""import {{ digitsOf }} from {(PAGE / "picture.js").as_uri()!r};
    import {{ readFileSync }} from "node:fs";
    const inks = JSON.parse(readFileSync({str(tmp_path / "inks.json")!r}, "utf8"));
    for (const ink of inks) console.log(digitsOf(ink));"""
    found = [int(line) for line in node("--input-type=module", "--eval", code).split()]
    assert found == [2, 4, 4, 15] + [1] * 12
