"""What a picture may cost, told from its bytes: before a decoder spends it.

A header's width and height bound most formats. Not a JPEG, whose scans go over the whole picture
again and again; an icon, which holds another picture of any size; what Pillow decodes in Python.
"""

import re
import struct
from typing import BinaryIO

from PIL import Image

from mnist_edge.errors import DataError

MAX_BYTES = 400_000_000  # of a file: 64 megapixels of 48 bits
MAX_WHOLE_BYTES = 100_000_000  # of one that a decoder has in memory
MAX_PIPED_BYTES = 200_000_000  # 64 megapixels of 24 bits
_MAX_SCANS = 50  # encoders write 1 to 20
_MAX_SEGMENTS = 5000  # of at most 64 kB each; those of large metadata are some hundred
_MAX_ICON_PIXELS = 1 << 20  # pixels; icons are 256×256
_MAX_ICONS = 256
_SLOW_PIXELS, _SLOW_BYTES = 2_000_000, 4_000_000
_MAX_COMMENTS = 1000  # each moves all that follows it in a block of 1 MB
_TIFF = ("raw", "tiff_ccitt", "group3", "group4", "tiff_lzw", "jpeg", "tiff_adobe_deflate")
_TIFF_COMPRESSIONS = (*_TIFF, "tiff_deflate", "packbits", "tiff_raw_16")

_MARKER = re.compile(rb"\xff+([\x02-\xcf\xd9-\xfe])")  # without those that have no length
_START_OF_SCAN, _END = 0xDA, 0xD9
_PNG = b"\x89PNG\r\n\x1a\n"


def check_length(bytes_: int, most: int) -> None:
    """DataError where a file holds more bytes than are read of its format."""
    if bytes_ > most:
        raise DataError(f"holds more than the {most / 1e6:.0f} MB that are read: reduce it")


def check_bytes(name: str, data: bytes) -> None:
    """DataError where a file of a format costs more than its size tells."""
    if name == "JPEG":
        _check_jpeg(data)
    elif name == "ICO":
        _check_icon(data)


def check_decoder(image: Image.Image, stream: BinaryIO, bytes_: int) -> None:
    """DataError where an opened image is large and of a kind that takes long to decode."""
    compression = image.info.get("compression")
    if image.format == "TIFF" and compression not in _TIFF_COMPRESSIONS:
        raise DataError(f"is a TIFF compressed by {compression}: save it as PNG")
    if not {tile[0] for tile in getattr(image, "tile", ())} & set(Image.DECODERS):
        return
    values = image.width * image.height * len(image.getbands())
    if values > _SLOW_PIXELS or bytes_ > _SLOW_BYTES or _is_mostly_comments(image, stream):
        raise DataError(
            f"is a {image.format} of a kind that takes long to decode, and large: save it as PNG"
        )


def _is_mostly_comments(image: Image.Image, stream: BinaryIO) -> bool:
    if image.format != "PPM":
        return False
    stream.seek(0)
    return stream.read(_SLOW_BYTES).count(b"#") > _MAX_COMMENTS


def _check_jpeg(data: bytes) -> None:
    """By the markers as libjpeg finds them: a length is skipped, what is coded is searched."""
    scans = segments = 0
    at = 2
    while (found := _MARKER.search(data, at)) and found[1][0] != _END:
        scans += found[1][0] == _START_OF_SCAN
        segments += 1
        if scans > _MAX_SCANS or segments > _MAX_SEGMENTS:
            what = "scans" if scans > _MAX_SCANS else "segments"
            raise DataError(f"is a JPEG of too many {what}: save it anew")
        at = found.end() + max(2, int.from_bytes(data[found.end() : found.end() + 2], "big"))


def _check_icon(data: bytes) -> None:
    """By the pictures inside, whose sizes need not be those that the icon claims."""
    (count,) = struct.unpack_from("<H", data.ljust(6), 4)
    if count > _MAX_ICONS or len(data) > _SLOW_BYTES:
        raise DataError("is a large icon of many pictures: save one of them as PNG")
    for entry in range(6, min(6 + 16 * count, len(data) - 15), 16):
        (offset,) = struct.unpack_from("<I", data, entry + 12)
        width, height = _inner_size(data[offset : offset + 24].ljust(24, b"\0"))
        if width * height > _MAX_ICON_PIXELS:
            raise DataError(f"is an icon that holds {width:,}×{height:,} pixels: save it as PNG")


def _inner_size(start: bytes) -> tuple[int, int]:
    if start.startswith(_PNG):
        width, height = struct.unpack_from(">II", start, 16)
    elif start[0] == 12:  # OS/2
        width, height = struct.unpack_from("<HH", start, 4)
    else:
        width, height = struct.unpack_from("<Ii", start, 4)
    return abs(width), abs(height)
