"""What bounds hostile files leaves honest ones alone; a decoder that does not end is ended."""

import io
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from mnist_edge import child_python
from mnist_edge.errors import DataError
from mnist_edge.preprocess import decoder_process, load, loading
from tests.preprocess import hostile
from tests.preprocess.drawing import drawing


def jpeg(**options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.stack([drawing()] * 3, -1)).save(file, "JPEG", **options)
    return file.getvalue()


def refusal(data: bytes) -> str:
    with pytest.raises(DataError) as caught:
        load(io.BytesIO(data))
    return str(caught.value).removeprefix("the picture: ")


# JPEG


def test_scans_are_counted_where_a_decoder_finds_them() -> None:
    """Not in metadata, in thumbnails, or in what phones append."""
    plain = jpeg(progressive=True)
    fakes = b"\xff\xda\0\x02" * 5000
    inside = plain[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(fakes)) + fakes + plain[2:]
    for data in (plain, inside, plain + fakes, plain[:2] + b"\xff" * 900 + plain[2:]):
        np.testing.assert_array_equal(load(io.BytesIO(data)).pixels, load(io.BytesIO(plain)).pixels)


@pytest.mark.parametrize("filling", [b"", b"\xff" * 3, b"\0" * 7, b"\xff\x00\xff\xd0"])
def test_hidden_scans_are_counted(filling: bytes, tmp_path: Path) -> None:
    """libjpeg passes over what lies between markers, and so does the count."""
    path = tmp_path / "x.jpg"
    hostile.scans(path, 1, side=64)
    data = path.read_bytes()
    once = data[data.rindex(b"\xff\xda") : -2]
    assert load(io.BytesIO(data)).size == (64, 64)
    many = data[:-2] + (filling + once) * 60 + data[-2:]
    assert refusal(many) == "is a JPEG of too many scans: save it anew"


# What Pillow decodes in Python


@pytest.mark.parametrize("head", [b"P2\n# by GIMP\n20 30\n# more\n255\n", b"P2 20 30 15 "])
def test_plain_text_is_read(head: bytes) -> None:
    assert load(io.BytesIO(head + b"# a comment\n" + b"7 \n" * 600)).size == (20, 30)


def test_many_comments_are_refused() -> None:
    said = refusal(b"P2 20 30 255\n" + b"#\n" * 2000 + b"7 " * 600)
    assert said == "is a PPM of a kind that takes long to decode, and large: save it as PNG"


def test_small_bmps_of_runs_are_read(tmp_path: Path) -> None:
    path = tmp_path / "runs.bmp"
    hostile.rle_bmp(path, 20, b"\x14\xff\0\0" * 20)
    assert (load(path).pixels == 255).all()


# Icons


@pytest.mark.parametrize("kind", ["png", "bmp"])
def test_icons_are_read(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x.ico"
    image = Image.fromarray(drawing(size=(256, 256)))
    image.convert("RGBA").save(path, bitmap_format=kind, sizes=[(256, 256), (16, 16)])
    assert load(path).size == (256, 256)


@pytest.mark.parametrize(
    "start",
    [
        b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + struct.pack(">II", 9000, 9000),
        struct.pack("<Iii", 40, 9000, 18_000),
        struct.pack("<Iii", 40, 9000, -18_000),
        struct.pack("<IHH", 12, 9000, 18_000),
    ],
)
def test_what_an_icon_holds_is_looked_at(start: bytes) -> None:
    assert "is an icon that holds 9,000×" in refusal(hostile.ico(start + bytes(100)))


# Length


def test_files_are_no_longer_than_pictures(tmp_path: Path) -> None:
    for name, start, most in [("x.bmp", b"BM", 400), ("x.jpg", b"\xff\xd8\xff\xe0", 100)]:
        path = tmp_path / name
        path.write_bytes(start)
        os.truncate(path, (most + 10) * 1_000_000)
        with pytest.raises(DataError, match=f"holds more than the {most} MB that are read"):
            load(path)


# The process that decodes


@pytest.fixture
def with_child(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    monkeypatch.setattr(decoder_process, "_running", None)
    yield monkeypatch
    decoder_process._kill_at_exit()


needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")


def avif() -> bytes:
    file = io.BytesIO()
    Image.fromarray(drawing()).save(file, "AVIF", quality=100)
    return file.getvalue()


@needs_avif
def test_it_reads_one_picture_after_another(with_child: pytest.MonkeyPatch) -> None:
    data = avif()
    for at in (None, 300, None):
        if at:
            assert refusal(data[:at]).startswith("is damaged or cut off (")
            continue
        assert np.abs(load(io.BytesIO(data)).pixels.astype(int) - drawing()).mean() < 2
    assert decoder_process._running
    assert decoder_process._running[1].poll() is None


@needs_avif
@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("while True: pass", "takes more than 10 s to decode: save it as PNG"),
        ("import time; time.sleep(60)", "takes more than 10 s to decode: save it as PNG"),
        ("import os; os.abort()", r"its decoder failed \(-6\): save it as PNG"),
        ("", r"its decoder failed \(0\): save it as PNG"),
    ],
)
def test_when_it_ends_the_next_is_read_by_another(
    code: str, said: str, with_child: pytest.MonkeyPatch
) -> None:
    limit = "from mnist_edge.preprocess.decoder_process import _limit_time; _limit_time(0.2)\n"
    with with_child.context() as patch:
        patch.setattr(
            child_python, "module_command", lambda _: [sys.executable, "-c", limit + code]
        )
        patch.setattr(decoder_process, "_MAX_S", 3.0)
        with pytest.raises(DataError, match=f"^the picture: {said}$"):
            load(io.BytesIO(avif()))
    assert load(io.BytesIO(avif())).size == (90, 120)


GREEDY = """
from mnist_edge.preprocess import decoder_process
decoder_process._limit_memory()
held = bytearray(300 << 20)
try:
    held += bytearray(200 << 20)
except MemoryError:
    print("refused")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much there is")
def test_its_memory_is_bounded() -> None:
    done = subprocess.run([sys.executable, "-c", GREEDY], capture_output=True, check=False)
    assert done.stdout == b"refused\n"


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")
def test_formats_that_are_decoded_apart_are_not_decoded_here(
    with_child: pytest.MonkeyPatch,
) -> None:
    if not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    with_child.setattr(loading, "decode", None)
    assert load(io.BytesIO(avif())).size == (90, 120)
