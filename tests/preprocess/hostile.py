"""Small files that ask for much: each is written by a function of its own.

`REFUSED` must be refused in one line, `READ` are as large as what is read, `PAGES` are for --line
and --grid. tests/test_hostile.py and benchmarks/hostile_pictures.py read them.
"""

import gzip
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Write = Callable[[Path], None]
SIDE = 8000  # 64 megapixels, the most that is read
_WHOLE = 4890  # 24, of formats that are decoded as a whole


def _bytes(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


# Refused: pictures inside of pictures


def icns(inner: bytes) -> bytes:
    entry = b"ic07" + struct.pack(">I", 8 + len(inner)) + inner
    return b"icns" + struct.pack(">I", 8 + len(entry)) + entry


def ico(inner: bytes) -> bytes:
    head = struct.pack("<HHH", 0, 1, 1)
    return head + struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(inner), 22) + inner


def flat_png(side: int) -> bytes:
    return _bytes(Image.new("RGB", (side, side)), "PNG")


def inner_j2k_icns(path: Path) -> None:
    path.write_bytes(icns(_bytes(Image.new("RGB", (SIDE, SIDE)), "JPEG2000")))


def inner_png_icns(path: Path) -> None:
    path.write_bytes(icns(flat_png(13_000)))


def inner_png_ico(path: Path, side: int = 13_000) -> None:
    path.write_bytes(ico(flat_png(side)))


def inner_dib_ico(path: Path) -> None:
    """9,000×9,000 pixels of one bit, of which the file has all."""
    header = struct.pack("<IiiHHIIiiII", 40, 9000, 18_000, 1, 1, 0, 0, 0, 0, 2, 2) + bytes(8)
    path.write_bytes(ico(header + bytes(1128 * 9000)))


def inner_avif(path: Path, side: int = 16_000) -> None:
    """The boxes claim 16×16; the frame inside has 256 megapixels."""
    data = bytearray(_bytes(Image.new("RGB", (side, side)), "AVIF", speed=10, quality=50))
    at = data.find(b"ispe")
    while at > 0:
        struct.pack_into(">II", data, at + 8, 16, 16)
        at = data.find(b"ispe", at + 4)
    path.write_bytes(data)


# Refused: what takes time


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content


def scans(path: Path, count: int, progressive: bool = True, side: int = SIDE) -> None:
    """A JPEG whose one scan is repeated."""
    data = _bytes(Image.new("RGB", (side, side)), "JPEG", progressive=progressive)
    start = data.rindex(b"\xff\xda")
    first = data.index(b"\xff\xda")
    once = data[start:-2] if progressive else data[first:-2]
    path.write_bytes(data[:-2] + once * count + data[-2:])


def segments(path: Path) -> None:
    data = _bytes(Image.new("RGB", (64, 64)), "JPEG")
    path.write_bytes(data[:2] + _segment(0xE5, b"") * 2_000_000 + data[2:])


def comments_pgm(path: Path) -> None:
    path.write_bytes(b"P2 1000 1000 255\n" + b"#\n" * 4_000_000 + b"7 " * 1_000_000)


def plain_ppm(path: Path) -> None:
    path.write_bytes(b"P3 1290 1290 255\n" + b"7 " * (3 * 1290 * 1290))


def odd_maxval_ppm(path: Path) -> None:
    """Values of 0 to 254, which Pillow scales in Python."""
    path.write_bytes(b"P6 1800 1800 254\n" + bytes(3 * 1800 * 1800))


def rle_bmp(path: Path, side: int = SIDE, runs: bytes = b"\0\2\0\0" * 2_500_000) -> None:
    """A BMP of runs; ten megabytes of them, of which none has a pixel."""
    palette = b"".join(bytes([value, value, value, 0]) for value in range(256))
    header = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(runs), 0, 0, 256, 256)
    offset = 14 + len(header) + len(palette)
    path.write_bytes(
        b"BM" + struct.pack("<IHHI", offset + len(runs), 0, 0, offset) + header + palette + runs
    )


def dds_masks(path: Path) -> None:
    side = 3000
    pixel_format = struct.pack("<IIIIIIII", 32, 0x40, 0, 8, 0xE0, 0x1C, 0x03, 0)
    header = struct.pack("<IIIIIII", 124, 0x1007, side, side, side, 0, 0) + bytes(44)
    path.write_bytes(b"DDS " + header + pixel_format + bytes(20) + bytes(side * side))


def qoi(path: Path) -> None:
    path.write_bytes(b"qoif" + struct.pack(">IIBB", SIDE, SIDE, 3, 0) + b"\x01" * 8_000_000)


def xpm(path: Path) -> None:
    row = b'"' + b"a" * 4000 + b'",\n'
    head = b'/* XPM */\nstatic char *x[] = {\n"4000 1500 1 1",\n"a c #000000",\n'
    path.write_bytes(head + row * 1500 + b"};")


def blp(path: Path) -> None:
    path.write_bytes(b"BLP2" + struct.pack("<IBBBBII", 1, 2, 0, 0, 0, 4000, 4000) + bytes(8 << 20))


def gzipped_fits(path: Path) -> None:
    cards = ["SIMPLE  =                    T", "BITPIX  =                    8", "NAXIS   = 0"]
    cards += ["END".ljust(80)]
    first = "".join(card.ljust(80) for card in cards).ljust(2880).encode()
    cards = ["XTENSION= 'BINTABLE'", "BITPIX  = 8", "NAXIS   = 2", "NAXIS1  = 8", "NAXIS2  = 1"]
    cards += ["PCOUNT  = 3000000", "ZIMAGE  = T", "ZCMPTYPE= 'GZIP_1  '", "ZBITPIX = 8"]
    cards += ["ZNAXIS  = 2", "ZNAXIS1 = 64", "ZNAXIS2 = 64", "END"]
    second = "".join(card.ljust(80) for card in cards).ljust(2880).encode()
    path.write_bytes(first + second + bytes(8) + gzip.compress(bytes(2_000_000_000), 1))


def compressed_tiff(path: Path, scheme: int) -> None:
    """Pillow may have been built without the scheme: another's number is changed."""
    data = bytearray(_bytes(Image.new("L", (64, 64)), "TIFF", compression="packbits"))
    at = data.index(struct.pack("<HHI", 259, 3, 1))
    struct.pack_into("<H", data, at + 8, scheme)
    path.write_bytes(data)


# Read: as large as what is read


def turned_png(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 5
    Image.new("RGBA", (3071, 3071), (9, 9, 9, 200)).save(path, exif=exif)


def clear_png(path: Path) -> None:
    page = Image.new("RGBA", (3071, 3071))
    ImageDraw.Draw(page).rectangle((900, 900, 1000, 2000), (0, 0, 0, 255))
    page.save(path)


def deep_png(path: Path) -> None:
    """16 bits a channel and interlaced: Pillow writes neither, so by hand."""
    side = SIDE
    passes = [(8, 8), (8, 8), (4, 8), (4, 4), (2, 4), (2, 2), (1, 2)]
    raw = zlib.compressobj(9)
    data = b""
    for across, down in passes:
        width, height = -(-side // across), -(-side // down)
        line = bytes(1 + 8 * width)
        for _ in range(height):
            data += raw.compress(line)
    data += raw.flush()

    def chunk(name: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + name + content
            + struct.pack(">I", zlib.crc32(name + content))
        )  # fmt: skip

    header = struct.pack(">IIBBBBB", side, side, 16, 6, 0, 0, 1)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def animated_webp(path: Path) -> None:
    frames = [Image.new("RGB", (_WHOLE, _WHOLE), (shade, 0, 0)) for shade in (9, 200)]
    frames[0].save(path, "WEBP", save_all=True, append_images=frames[1:], method=0)


def noisy_webp(path: Path) -> None:
    small = np.random.default_rng(0).integers(0, 256, (700, 700, 3), np.uint8)
    Image.fromarray(small).resize((_WHOLE, _WHOLE)).save(path, "WEBP", quality=50, method=0)


# For --line and --grid


def strokes(page: tuple[int, int], width: int, height: int) -> NDArray[np.uint8]:
    """Upright strokes of so many pixels all over a page."""
    side_y, side_x = page
    image = np.full(page, 255, np.uint8)
    for top in range(5, side_y - height, height + 20):
        for left in range(5, side_x - width, 2 * width + 20):
            image[top : top + height, left : left + max(3, width // 5)] = 0
    return image


def dots(side: int, apart: int, size: int = 2) -> NDArray[np.uint8]:
    image = np.full((side, side), 255, np.uint8)
    for down in range(size):
        for across in range(size):
            image[down::apart, across::apart] = 0
    return image


def noise(side: int, share: float) -> NDArray[np.uint8]:
    random = np.random.default_rng(0).random((side, side))
    return np.where(random < share, 0, 255).astype(np.uint8)


def squared(side: int, apart: int = 30) -> NDArray[np.uint8]:
    """Squared paper with a short stroke in each square."""
    image = np.full((side, side), 255, np.uint8)
    image[::apart] = image[:, ::apart] = 150
    for top in range(8, side - apart, apart):
        for left in range(12, side - apart, apart):
            image[top : top + 16, left : left + 4] = 0
    return image


def small_digits(side: int = 1535, points: float = 8, apart: float = 1.6) -> NDArray[np.uint8]:
    """An honest sheet: rows of small digits in Pillow's font."""
    page = Image.new("L", (side, side), 255)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=points)
    random = np.random.default_rng(0)
    step = round(points * apart)
    for y in range(step, side - step, step):
        for x in range(step, side - step, step):
            draw.text((x, y), str(random.integers(10)), 0, font, anchor="mm")
    return np.asarray(page)


def page(make: Callable[[], NDArray[np.uint8]]) -> Write:
    return lambda path: Image.fromarray(make()).save(path)


REFUSED: dict[str, Write] = {
    "innerj2k.icns": inner_j2k_icns,
    "inner.icns": inner_png_icns,
    "inner.ico": inner_png_ico,
    "innerdib.ico": inner_dib_ico,
    "inner.avif": inner_avif,
    "rgba.jp2": lambda path: Image.new("RGBA", (4898, 4898)).save(path, "JPEG2000"),
    "gz.fits": gzipped_fits,
    "scans20000.jpg": lambda path: scans(path, 20_000),
    "scans1000.jpg": lambda path: scans(path, 1000),
    "sequential.jpg": lambda path: scans(path, 300, False, 1000),
    "segments.jpg": segments,
    "comments.pgm": comments_pgm,
    "plain.ppm": plain_ppm,
    "maxval.ppm": odd_maxval_ppm,
    "rle1.bmp": rle_bmp,
    "masks.dds": dds_masks,
    "index.qoi": qoi,
    "dxt1.blp": blp,
    "big.xpm": xpm,
    "lzma.tif": lambda path: compressed_tiff(path, 34925),
    "zstd.tif": lambda path: compressed_tiff(path, 50000),
    "webp.tif": lambda path: compressed_tiff(path, 50001),
    "large.webp": lambda path: Image.new("RGB", (SIDE, SIDE)).save(path, lossless=True),
}
READ: dict[str, Write] = {
    "float.tif": lambda path: Image.new("F", (SIDE, SIDE), 1.0).save(
        path, compression="tiff_adobe_deflate"
    ),
    "wide.tif": lambda path: Image.new("F", (64_000, 1000), 1.0).save(
        path, compression="tiff_adobe_deflate"
    ),
    "in one strip.tif": lambda path: Image.new("RGBA", (SIDE, SIDE), (9, 9, 9, 255)).save(
        path, compression="tiff_lzw", tiffinfo={278: SIDE}
    ),
    "progressive.jpg": lambda path: Image.new("CMYK", (SIDE, SIDE)).save(path, progressive=True),
    "scans35.jpg": lambda path: scans(path, 35),
    "transparent.png": lambda path: Image.new("RGBA", (SIDE, SIDE)).save(path),
    "deep.png": deep_png,
    "turn.png": turned_png,
    "clear.png": clear_png,
    "half.png": lambda path: Image.new("RGBA", (SIDE, SIDE), (9, 9, 9, 100)).save(path),
    "palette.png": lambda path: Image.new("P", (SIDE, SIDE)).save(path, transparency=0),
    "large.gif": lambda path: Image.new("L", (SIDE, SIDE)).save(path),
    "whole.webp": lambda path: Image.new("RGB", (_WHOLE, _WHOLE)).save(path, lossless=True),
    "lossy.webp": noisy_webp,
    "animated.webp": animated_webp,
    "whole.avif": lambda path: Image.new("RGBA", (_WHOLE, _WHOLE)).save(path, speed=10),
}
PAGES: dict[str, Write] = {
    "strokes20x20.png": page(lambda: strokes((1200, 1200), 20, 20)),
    "strokes40x25.png": page(lambda: strokes((1200, 1200), 40, 25)),
    "dots4.png": page(lambda: dots(1535, 4)),
    "dots12.png": page(lambda: dots(1535, 12)),
    "dots6-3000.png": page(lambda: dots(2300, 6, 3)),
    "noise0.02.png": page(lambda: noise(1535, 0.02)),
    "noise0.2.png": page(lambda: noise(1535, 0.2)),
    "noise0.5.png": page(lambda: noise(2300, 0.5)),
    "squared.png": page(lambda: squared(1535)),
    "small digits.png": page(small_digits),
}
