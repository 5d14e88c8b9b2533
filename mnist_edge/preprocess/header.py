"""What a picture's header says of it, before anything is decoded."""

import io
from dataclasses import dataclass

from PIL import ExifTags, Image

from mnist_edge.preprocess.formats import PREFIX_BYTES, detect_format

_SIDEWAYS = (5, 6, 7, 8)  # EXIF's orientations by which a picture lies on its side
_GREY_MODES = ("1", "L", "LA", "La", "I", "F")  # by how Pillow's modes begin: I;16 is grey too


@dataclass(frozen=True, slots=True)
class Header:
    """`size` is (width, height) of the upright picture. `may_have_color`: it has channels for it,
    which may say nothing."""

    size: tuple[int, int]
    may_have_color: bool


def read_header(content: bytes) -> Header | None:
    """The header of a picture's file. None where it says nothing: what is damaged or of no format
    that is read, and AVIF and HEIF, whose decoders run in a process of their own."""
    try:
        form = detect_format(content[:PREFIX_BYTES])
        if form.apart:
            return None
        with Image.open(io.BytesIO(content), formats=(form.name,)) as image:
            width, height = image.size
            if image.getexif().get(ExifTags.Base.Orientation, 1) in _SIDEWAYS:
                width, height = height, width
            color = image.mode not in _GREY_MODES and not image.mode.startswith("I;")
            return Header((width, height), color)
    except Exception:  # parsers of hostile files raise whatever they like; decoding says what
        return None
