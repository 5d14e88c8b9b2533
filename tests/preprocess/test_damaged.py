"""Files that are no pictures, damaged or dangerous: one line that names the file, every time."""

import io
import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnist_edge.errors import DataError
from mnist_edge.preprocess import load
from tests.preprocess.drawing import drawing

KINDS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")


def encoded(kind: str) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, kind)
    return file.getvalue()


def outcome(path: Path) -> str:
    """`read`, or `refused` by one line that names the file. Whatever else happens is a failure."""
    try:
        loaded = load(path)
    except DataError as error:
        said = str(error)
        assert said.startswith(f"{path}: ")
        assert "\n" not in said.removeprefix(str(path))
        assert len(said) < len(str(path)) + 200
        return "refused"
    assert loaded.pixels.dtype == np.uint8
    assert loaded.pixels.shape[2:] in ((), (3,))
    return "read"


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


# What is no picture


@pytest.mark.parametrize("name", ["no.png", "no such picture.png", "Zahl ünd 数字.png"])
def test_missing_pictures_are_named(name: str, tmp_path: Path) -> None:
    assert refusal(tmp_path / name) == "there is no such picture"


def test_folders_are_no_pictures(tmp_path: Path) -> None:
    assert refusal(tmp_path) == "is a folder, not a picture"


def test_empty_files_are_empty(tmp_path: Path) -> None:
    path = tmp_path / "an empty one.png"
    path.touch()
    assert refusal(path) == "is empty"
    with pytest.raises(DataError, match=r"^the picture: is empty$"):
        load(io.BytesIO())


@pytest.mark.parametrize("content", [b"a letter\n", b"\0" * 100_000, b"P", b"\xff\xd8", b"GIF8"])
def test_other_files_are_no_pictures(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "7 of ½.png"
    path.write_bytes(content)
    listed = "PNG, JPEG, GIF, BMP, TIFF, WebP, PPM, ICO, AVIF, HEIF"
    assert refusal(path) == f"is not a picture in a format that is read ({listed})"


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"8BPS\0\1", "is a PSD file: save it as PNG"),
        (b"icns\0\0\1\0", "is an ICNS file: save it as PNG"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "is a JPEG2000 file: save it as PNG"),
        (b"SIMPLE  =                    T", "is a FITS file: save it as PNG"),
        (b"DDS \x7c\0\0\0", "is a DDS file: save it as PNG"),
        (b"qoif\0\0\0\1", "is a QOI file: save it as PNG"),
        (b"/* XPM */", "is an XPM file: save it as PNG"),
        (b"BLP2\1\0\0\0", "is a BLP file: save it as PNG"),
        (b"<svg/>", "is an SVG file: save it as PNG"),
        (b"%PDF-1.4", "is a PDF file: save it as PNG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "is a PostScript file: save it as PNG"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "is a JPEG XL file: save it as PNG"),
        (b"<!DOCTYPE html>", "is a web page"),
        (b"PK\x03\x04", "is a ZIP archive"),
        (
            b"version https://git-lfs.github.com/spec/v1",
            "is a Git LFS pointer: fetch the picture with git lfs pull",
        ),
    ],
)
def test_formats_that_are_not_read_are_named(start: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "7.png"
    path.write_bytes(start + bytes(200))
    assert refusal(path) == said


def test_names_that_no_file_can_have() -> None:
    for name in ("n" * 300, "null\0byte.png"):
        assert outcome(Path(name)) == "refused"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_pictures_of_others_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "private.png"
    path.write_bytes(encoded("PNG"))
    path.chmod(0)
    assert refusal(path) == "permission denied"


def test_names_of_pillow_images_are_told(tmp_path: Path) -> None:
    path = tmp_path / "cut.png"
    path.write_bytes(encoded("PNG")[:-1000])

    with Image.open(path) as image, pytest.raises(DataError) as caught:
        load(image)

    assert str(caught.value).startswith(f"{path}: ")
    with pytest.raises(DataError, match=r"^the picture: 7×9 pixels are too few"):
        load(Image.new("L", (7, 9)))


# What is damaged


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_pictures_cut_anywhere_are_refused(kind: str, tmp_path: Path) -> None:
    whole, path = encoded(kind), tmp_path / f"cut off.{kind.lower()}"
    cuts = np.linspace(1, len(whole), 120).astype(int)
    outcomes = []
    for cut in cuts:
        path.write_bytes(whole[:cut])
        outcomes.append(outcome(path))

    assert outcomes[-1] == "read"
    assert set(outcomes[:60]) == {"refused"}
    assert "read" not in outcomes[: np.searchsorted(cuts, len(whole) - 16)]


@pytest.mark.filterwarnings("ignore")  # Pillow's, of odd tags
@pytest.mark.parametrize("kind", KINDS)
def test_flipped_bytes_break_nothing(kind: str, tmp_path: Path) -> None:
    random = np.random.default_rng(KINDS.index(kind))
    whole = np.frombuffer(encoded(kind), np.uint8)
    path = tmp_path / "damaged"
    outcomes = set()
    for _ in range(60):
        damaged = whole.copy()
        places = random.integers(0, min(len(whole), int(random.choice([60, 400, 1 << 30]))), 4)
        damaged[places] = random.integers(0, 256, 4)
        path.write_bytes(damaged[: len(whole) - int(random.choice([0, 0, 50]))].tobytes())
        outcomes.add(outcome(path))

    assert "refused" in outcomes


def test_a_damaged_picture_says_so(tmp_path: Path) -> None:
    path = tmp_path / "half.png"
    path.write_bytes(encoded("PNG")[:2000])
    assert refusal(path).startswith("is damaged or cut off (")


# What is dangerous


def png_header(width: int, height: int) -> bytes:
    """A PNG of one bit a pixel that claims a size and has no pixels."""
    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")

    def chunk(name: bytes, content: bytes) -> bytes:
        check = zlib.crc32(name + content).to_bytes(4, "big")
        return len(content).to_bytes(4, "big") + name + content + check

    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 10_000_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size + b"\x01\0\0\0\0") + pixels


PEAK = """
import resource, sys
from mnist_edge.errors import DataError
from mnist_edge.preprocess import load
load(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    load(sys.argv[2])
except DataError as error:
    print(error)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_claimed_size_takes_no_memory(tmp_path: Path) -> None:
    pytest.importorskip("resource", reason="no way to ask for the peak of memory")
    small, bomb = tmp_path / "small.png", tmp_path / "bomb.png"
    small.write_bytes(encoded("PNG"))
    bomb.write_bytes(png_header(100_000, 100_000))  # 1.25 GB as bits

    command = [sys.executable, "-c", PEAK, str(small), str(bomb)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    said, grown = done.stdout.splitlines()
    assert said == f"{bomb}: its header claims a size that no picture has: refused"
    assert int(grown) / (1024 if sys.platform == "darwin" else 1) < 50_000  # kB


@pytest.mark.parametrize("size", [(9000, 9000), (8, 8_100_000)])
def test_too_many_megapixels_are_refused(size: tuple[int, int], tmp_path: Path) -> None:
    path = tmp_path / "poster.png"
    path.write_bytes(png_header(*size))

    said = refusal(path)

    assert said.startswith(f"{size[0]}×{size[1]} are ")
    assert "more than the 64 that are read: reduce it" in said


def test_64_megapixels_are_read() -> None:
    loaded = load(Image.new("1", (8000, 8000), 1))

    assert loaded.size == (8000, 8000)
    assert (loaded.pixels == 255).all()


def test_no_other_program_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = tmp_path / "started"
    for name in ("gs", "gswin64c"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\ntouch '{started}'\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    path = tmp_path / "drawing.eps"
    Image.fromarray(drawing()).save(path, "EPS")
    path.rename(renamed := tmp_path / "drawing.png")

    assert refusal(renamed) == "is a PostScript file: save it as PNG"
    assert not started.exists()
