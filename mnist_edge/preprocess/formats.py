"""The formats of pictures that are read: those that people have, and no other.

Pillow reads some forty more, whose decoders are old, written in Python, or open a second picture
inside of the first. They are what a hostile file would choose: it is refused by name, before a
decoder has seen more of it than its first bytes.
"""

import contextlib
import importlib
import importlib.util
from dataclasses import dataclass

from PIL import Image

from mnist_edge.errors import DataError

PREFIX_BYTES = 64  # bytes of a file tell its format


@dataclass(frozen=True, slots=True)
class Format:
    """A format by Pillow's `name`, the `suffixes` its files have, and the `module` that reads it.

    `most_pixels` is what is read of it: less where a decoder holds the picture several times over.
    `whole`: the decoder takes all bytes at once. `apart`: it cannot be bounded from outside, and
    runs in a process of its own.
    """

    name: str
    suffixes: tuple[str, ...]
    module: str
    most_pixels: int = 64_000_000
    whole: bool = False
    apart: bool = False


_MAX_PIXELS_AT_ONCE = 24_000_000
_PNG = Format("PNG", (".png", ".apng"), "PIL.PngImagePlugin")
_JPEG = Format("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), "PIL.JpegImagePlugin", whole=True)
_GIF = Format("GIF", (".gif",), "PIL.GifImagePlugin")
_BMP = Format("BMP", (".bmp", ".dib"), "PIL.BmpImagePlugin")
FORMATS = (  # in the order in which they are tried: the usual ones first
    *(_PNG, _JPEG, _GIF, _BMP),
    Format("TIFF", (".tif", ".tiff"), "PIL.TiffImagePlugin"),
    Format("WEBP", (".webp",), "PIL.WebPImagePlugin", _MAX_PIXELS_AT_ONCE, whole=True),
    Format("PPM", (".ppm", ".pgm", ".pbm", ".pnm", ".pfm"), "PIL.PpmImagePlugin"),
    Format("ICO", (".ico",), "PIL.IcoImagePlugin", whole=True),
    Format(
        "AVIF",
        (".avif", ".avifs"),
        "PIL.AvifImagePlugin",
        _MAX_PIXELS_AT_ONCE,
        whole=True,
        apart=True,
    ),
    Format(
        "HEIF",
        (".heic", ".heif", ".hif"),
        "pillow_heif",
        _MAX_PIXELS_AT_ONCE,
        whole=True,
        apart=True,
    ),
)
# A JPEG of several pictures, of which the first is read: the JPEG plugin opens it.
_MPO = Format("MPO", (".mpo",), "PIL.MpoImagePlugin", whole=True)

SUFFIXES = frozenset(suffix for one in (*FORMATS, _MPO) for suffix in one.suffixes)
"""The suffixes of the pictures that are read, lower case, with their dot."""
NAMES = "PNG, JPEG, GIF, BMP, TIFF, WebP, PPM, ICO, AVIF, HEIF"
"""The formats that are read, as a sentence lists them."""

# What the suffix of a picture may hide, and Pillow does not know: how it begins, what it is called,
# and whether another program can make a picture of it.
_OTHERS = (
    (b"%PDF", "a PDF file", True),
    (b"%!PS", "a PostScript file", True),
    (b"\xc5\xd0\xd3\xc6", "a PostScript file", True),
    (b"<svg", "an SVG file", True),
    (b"\xff\x0a", "a JPEG XL file", True),
    (b"\0\0\0\x0cJXL ", "a JPEG XL file", True),
    (b"version https://git-lfs", "a Git LFS pointer: fetch the picture with git lfs pull", False),
    (b"/* XPM */", "an XPM file", True),
    (b"<!DOCTYPE", "a web page", False),
    (b"<html", "a web page", False),
    (b"PK\x03\x04", "a ZIP archive", False),
)
# Of files in ISO boxes, which begin alike (ISO/IEC 14496-12, 4.3: the type and what it fits).
_BRANDS = {
    "AVIF": {b"avif", b"avis"},
    "HEIF": {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"},
}
_UNRELIABLE = ("GBR",)  # whose plugin asks for two small numbers
_INSTALL = {"HEIF": "pip install pillow-heif"}


def detect_format(start: bytes) -> Format:
    """The format of a file that begins with these bytes, `PREFIX_BYTES` or all there are.

    DataError, by the file's own format where it can be told, when it is none that is read or this
    installation cannot decode it.
    """
    for one in FORMATS:
        if _begins(one, start):
            if _accepts(one, start):
                return one
            raise DataError(
                f"is {_with_article(one.name)} file, which this Pillow does not decode: "
                f"{_INSTALL.get(one.name, 'update it')}, or save the picture as PNG"
            )
    raise DataError(_refusal_message(start))


def _begins(one: Format, start: bytes) -> bool:
    """Whether a file may be of a format: by its own magic where Pillow may lack the plugin."""
    if one.name not in _BRANDS:
        return _accepts(one, start)
    length = int.from_bytes(start[:4], "big") if start[4:8] == b"ftyp" else 0
    brands = {start[at : at + 4] for at in range(8, min(length, len(start)), 4)}
    return not brands.isdisjoint(_BRANDS[one.name])


def _accepts(one: Format, start: bytes) -> bool:
    if one.name not in Image.OPEN and not _import_plugin(one.module):
        return False
    _, accepts = Image.OPEN.get(one.name, (None, None))
    return accepts is not None and accepts(start) is True


def _import_plugin(module: str) -> bool:
    """Whether there is the module that reads a format; it registers itself with Pillow."""
    try:
        plugin = importlib.import_module(module)
    except ImportError:
        return False
    if register := getattr(plugin, "register_heif_opener", None):
        register()
    return True


def _refusal_message(start: bytes) -> str:
    for magic, what, drawn in _OTHERS:
        if start.startswith(magic):
            return f"is {what}" + (": save it as PNG" if drawn else "")
    if name := _known_to_pillow(start):
        return f"is {_with_article(name)} file: save it as PNG"
    return f"is not a picture in a format that is read ({NAMES})"


def _known_to_pillow(start: bytes) -> str | None:
    """The format that Pillow would take it for, by its first bytes alone."""
    Image.init()
    for name in sorted(Image.OPEN, key=lambda name: name in _UNRELIABLE):
        _, accepts = Image.OPEN[name]
        with contextlib.suppress(Exception):  # they were written for longer files
            if accepts is not None and accepts(start):
                return name
    return None


def _with_article(name: str) -> str:
    return f"{'an' if name[0] in 'AEIMOX' else 'a'} {name}"
