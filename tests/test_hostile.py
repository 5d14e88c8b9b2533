"""Small files that ask for much: each is answered in one line, and in less than 600 MB.

What a command takes at its highest is measured from outside, in a process of its own.
"""

import gzip
import json
import os
import pickle
import re
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnist_edge.lab.training.checkpoint import CHECKPOINT
from tests.conftest import write_tiny_model
from tests.crash.nursery import Nursery
from tests.model_file import bombs
from tests.preprocess import hostile

MOST_MB = 600

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux tells kilobytes")


TELLING = """
import atexit, pathlib, time
place, status = pathlib.Path("peak").absolute(), pathlib.Path("/proc/self/status")
atexit.register(lambda: place.write_text(f"{time.process_time()} {status.read_text()}"))
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended, the most memory that it had, and the processor time that it took."""

    code: int
    stdout: str
    stderr: str
    peak_mb: float
    cpu_s: float


def run(folder: Path, *args: object) -> Ended:
    """`python -m mnist_edge ARGS…` in a folder."""
    return measured(folder, "from mnist_edge.cli import main; main()", *args)


def measured(folder: Path, code: str, *args: object) -> Ended:
    """Python code in a process of its own, which tells its highest memory when it ends.

    It has to tell itself: what wait4 says of a child begins with what its parent had.
    """
    done = subprocess.run(
        [sys.executable, "-c", TELLING + code, *map(str, args)],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    peak = folder / "peak"
    seconds, status = peak.read_text().split(maxsplit=1)
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    peak.unlink()
    return Ended(done.returncode, done.stdout, done.stderr, int(found[1]) / 1024, float(seconds))


def refusal(ended: Ended) -> str:
    """The one line of a command that refused its input."""
    assert ended.code == 1, ended
    assert ended.stdout == ""
    assert ended.stderr.startswith("error: ")
    assert ended.stderr.count("\n") == 1
    assert ended.peak_mb < MOST_MB, f"{ended.peak_mb:.0f} MB"
    return ended.stderr


# Models


@pytest.mark.parametrize("name", bombs.TOO_LARGE)
def test_models(name: str, tmp_path: Path) -> None:
    """Foreign ones; tests/model_file has those that claim to be ours."""
    bombs.write(tmp_path / "bomb.onnx", bombs.TOO_LARGE[name]())
    said = refusal(run(tmp_path, "bench", "bomb.onnx", "--dataset", "digits"))
    assert "bomb.onnx is refused: " in said


def test_a_card_of_a_million_brackets(tmp_path: Path) -> None:
    import onnx

    path = write_tiny_model(tmp_path / "deep.onnx")
    model = onnx.load(path)
    for entry in model.metadata_props:
        if entry.key == "mnist_edge.trained":
            entry.value = "[" * 5_000_000
    onnx.save(model, path)
    said = refusal(run(tmp_path, "eval", "deep.onnx"))
    assert "its metadata mnist_edge.trained cannot be read" in said


# Data


def test_ten_gigabytes_of_gzip(tmp_path: Path) -> None:
    folder = tmp_path / "mnist"
    folder.mkdir()
    megabyte = gzip.compress(bytes(1 << 20))
    header = struct.pack(">HBBI", 0, 8, 1, 2**32 - 1)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        with (folder / f"{name}-ubyte.gz").open("wb") as file:
            file.write(gzip.compress(header))
            for _ in range(9000):  # members of one file: 9 MB, unpacked 9 GB
                file.write(megabyte)
    said = refusal(run(tmp_path, "data", "mnist", "--data-dir", tmp_path))
    assert "holds more than 128 MB" in said


# Those that take long to write, or are refused as others are; the benchmark has them.
SLOW = (
    *("innerj2k.icns", "inner.icns", "inner.ico", "inner.avif", "gz.fits"),
    *("scans35.jpg", "wide.tif", "deep.png", "half.png", "lossy.webp", "animated.webp"),
)


def test_pictures_that_are_refused(tmp_path: Path) -> None:
    """All in one process: the least memory and time that any of them can be read in."""
    write_tiny_model(tmp_path / "tiny.onnx")
    names = [name for name in hostile.REFUSED if name not in SLOW]
    for name in names:
        hostile.REFUSED[name](tmp_path / name)
    hostile.inner_png_ico(tmp_path / "inner.ico", 4000)
    ended = run(tmp_path, "predict", *names, "inner.ico", "--model", "tiny.onnx", "--workers", 1)
    assert (ended.code, ended.stdout) == (1, "")
    said = ended.stderr.splitlines()
    for name, line in zip([*names, "inner.ico"], said, strict=True):
        assert re.match(rf"error: {name}: (is an? |8000×8000 are 64 megapixels, more)", line)
    assert ended.peak_mb < 250, f"{ended.peak_mb:.0f} MB"
    assert ended.cpu_s < 5


@pytest.mark.parametrize("name", [name for name in hostile.READ if name not in SLOW])
def test_pictures_as_large_as_are_read(name: str, tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "tiny.onnx")
    hostile.READ[name](tmp_path / name)
    assert (tmp_path / name).stat().st_size < 10e6
    ended = run(tmp_path, "predict", name, "--model", "tiny.onnx")
    assert ended.code == 0, ended
    assert ended.peak_mb < MOST_MB, f"{ended.peak_mb:.0f} MB"


def test_opaque_and_transparent_cost_like_plain(tmp_path: Path) -> None:
    """An alpha channel that shows nothing, or all, costs less than 1.5 × the memory of none."""
    write_tiny_model(tmp_path / "tiny.onnx")
    page = Image.new("RGB", (3071, 3071), (250, 250, 250))
    peaks = []
    for at, alpha in enumerate((None, 255, 0)):
        if alpha is not None:
            page.putalpha(alpha)
        page.save(tmp_path / f"{at}.png")
        peaks.append(run(tmp_path, "predict", f"{at}.png", "--model", "tiny.onnx").peak_mb)
    assert max(peaks) < 1.5 * peaks[0], peaks


def test_pages_that_are_texture_are_refused(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "tiny.onnx")
    hostile.PAGES["dots12.png"](tmp_path / "dots.png")
    for mode in ("--line", "--grid"):
        said = refusal(run(tmp_path, "predict", "dots.png", mode, "--model", "tiny.onnx"))
        assert "dots.png: 16,384 pieces of ink: this is no page of digits" in said


@pytest.mark.parametrize("name", ["strokes20x20.png", "noise0.2.png"])
def test_what_a_page_costs_is_bounded(name: str, tmp_path: Path) -> None:
    """Pieces by the hundred, and one that is all of the page."""
    write_tiny_model(tmp_path / "tiny.onnx")
    hostile.PAGES[name](tmp_path / name)
    ended = run(tmp_path, "predict", name, "--grid", "--model", "tiny.onnx")
    assert ended.code == 0, ended
    assert ended.peak_mb < MOST_MB, f"{ended.peak_mb:.0f} MB"


# Runs


def archive(run: Path, parts: dict[str, bytes], compression: int) -> None:
    run.mkdir(parents=True)
    with zipfile.ZipFile(run / CHECKPOINT, "w", compression) as file:
        for name, content in parts.items():
            file.writestr(f"checkpoint/{name}", content)


def zip_bomb(run: Path) -> None:
    archive(run, {"data.pkl": pickle.dumps(1), "data/0": bytes(64 << 20)}, zipfile.ZIP_DEFLATED)


def pickle_bomb(run: Path) -> None:
    """Every byte is a list of its own."""
    archive(run, {"data.pkl": b"\x80\x02" + b"]" * 10_000_000 + b"."}, zipfile.ZIP_STORED)


def overlapping(run: Path) -> None:
    """The same megabytes under many names (Fifield 2019, "A better zip bomb")."""
    archive(run, {f"data/{at}": b"" for at in range(2000)}, zipfile.ZIP_STORED)
    path = run / CHECKPOINT
    content = bytearray(path.read_bytes())
    at = content.find(b"PK\x01\x02")
    while at >= 0:
        struct.pack_into("<II", content, at + 20, 5_000_000, 5_000_000)
        at = content.find(b"PK\x01\x02", at + 4)
    path.write_bytes(content + bytes(5_000_000))


def two_archives(run: Path) -> None:
    """The small one is behind; PyTorch would take the place that its end states, and unpack."""
    giant = run.with_name("giant")
    archive(giant, {"data.pkl": b"\x80\x02" + b"]" * 30_000_000 + b"."}, zipfile.ZIP_DEFLATED)
    archive(run, {"data.pkl": pickle.dumps(1, 2)}, zipfile.ZIP_STORED)
    before, own = (giant / CHECKPOINT).read_bytes(), (run / CHECKPOINT).read_bytes()
    (run / CHECKPOINT).write_bytes(before + own)


def legacy(run: Path) -> None:
    """A pickle in front of an archive: what torch.save wrote before it wrote archives."""
    archive(run, {"data.pkl": pickle.dumps(1, 2)}, zipfile.ZIP_STORED)
    before = b"\x80\x02(" + b"]" * 9_000_000 + b"t."
    (run / CHECKPOINT).write_bytes(before + (run / CHECKPOINT).read_bytes())


def sets(run: Path) -> None:
    archive(run, {"data.pkl": b"\x80\x04(" + b"\x8f" * 4_000_000 + b"t."}, zipfile.ZIP_STORED)


def many_objects(run: Path) -> None:
    """As many as are counted, each the largest that a byte can ask for, and each remembered."""
    archive(run, {"data.pkl": b"\x80\x02(" + b"}q\x01" * 199_000 + b"t."}, zipfile.ZIP_STORED)


def many_entries(run: Path) -> None:
    archive(run, {f"data/{at}": b"" for at in range(100_000)}, zipfile.ZIP_STORED)


def expanded(run: Path) -> None:
    """Tensors of gigabytes over storages of four bytes."""
    import torch

    from mnist_edge.lab.training.models import build
    from mnist_edge.lab.training.recipe import Recipe
    from tests.lab.conftest import told

    weights = build("edge").state_dict()
    vast = torch.zeros(1, dtype=torch.float32).expand(600_000_000)
    state = {number: {"step": vast, "exp_avg": vast, "exp_avg_sq": vast} for number in range(9)}
    values = {
        "format": 1,
        "recipe": (Recipe().as_dict() | {"dataset": "digits"}),
        "classes": tuple("0123456789"),
        "epochs_done": 1,
        "history": [told(1)],
        "network": weights,
        "average": weights,
        "optimizer": {"state": state, "param_groups": []},
        "trained": {},
        "result": {"split": "test", "correct": 1, "total": 382},
    }
    run.mkdir(parents=True)
    torch.save(values, run / CHECKPOINT)


def giant_network(run: Path) -> None:
    import torch

    from mnist_edge.lab.training.recipe import Recipe
    from tests.lab.conftest import told

    recipe = Recipe().as_dict() | {
        "model": "9999-9999-9999-9999",
        "dataset": "digits",
    }
    values = {"format": 1, "recipe": recipe, "classes": tuple("0123456789")}
    values |= {
        "epochs_done": 1,
        "history": [told(1)],
        "network": {},
        "average": {},
        "optimizer": {},
        "trained": {},
    }
    result = {"split": "test", "correct": 1, "total": 382}
    run.mkdir(parents=True)
    torch.save(values | {"result": result}, run / CHECKPOINT)


@pytest.fixture(scope="module")
def imported_mb(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> float:
    """What the packages of the lab take by themselves, in a process that does nothing."""
    ended = nursery.run(tmp_path_factory.mktemp("alone"), "--version")
    assert ended.code == 0
    return ended.peak_mb


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (zip_bomb, "it would grow when it is unpacked"),
        (pickle_bomb, "it holds more objects than a run has"),
        (overlapping, "is damaged or not ours|it would grow when it is unpacked"),
        (giant_network, "has more than 50,000,000 parameters"),
        (two_archives, "is damaged or not ours"),
        (legacy, "is damaged or not ours"),
        (sets, "is damaged or not ours"),
        (many_objects, "is damaged or not ours"),
        (many_entries, "more than 10,000 entries"),
        (expanded, "tensors that are larger than their storage"),
    ],
)
def test_checkpoints(
    make: Callable[[Path], None],
    message: str,
    nursery: Nursery,
    imported_mb: float,
    tmp_path: Path,
) -> None:
    """PyTorch itself takes 400 to 600 MB, before it has read anything."""
    make(tmp_path / "runs" / "edge")
    ended = nursery.run(tmp_path, "export", "runs/edge")
    assert ended.code == 1, ended
    assert re.fullmatch(rf"error: .*({message}).*\n", ended.said), ended.said
    assert ended.peak_mb < imported_mb + 100, f"{ended.peak_mb:.0f} MB"


def test_what_a_forked_process_takes_is_measured(
    nursery: Nursery, imported_mb: float, tmp_path: Path
) -> None:
    nursery.prelude = "import numpy; numpy.ones(200_000_000, 'u1')"
    ended = nursery.run(tmp_path, "--version")
    nursery.prelude = ""
    assert 150 < ended.peak_mb - imported_mb < 300


# Benchmarks


@pytest.mark.parametrize(
    "content",
    ["[" * 10_000_000, "[" + "[]," * 3_000_000 + "0]", json.dumps({"schema": "9" * 9_000_000})],
    ids=["deep", "wide", "a long number"],
)
def test_earlier_benchmarks(content: str, tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "tiny.onnx")
    (tmp_path / "before.json").write_text(content)
    ended = run(tmp_path, "bench", "tiny.onnx", "--dataset", "digits", "--compare", "before.json")
    assert "before.json" in refusal(ended)


def test_what_is_measured_is_what_a_process_takes(tmp_path: Path) -> None:
    """The measurement itself: 700 MB are seen, and those of this process are not."""
    here = np.ones(800_000_000, np.uint8)
    assert measured(tmp_path, "import numpy; numpy.ones(700_000_000, 'u1')").peak_mb > MOST_MB
    assert measured(tmp_path, "import numpy").peak_mb < 100
    assert here[-1] == 1
