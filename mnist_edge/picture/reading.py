"""Files that Pillow reads -> pixels: upright, on a plain ground, no larger than is useful."""

import functools
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from mnist_edge.errors import DataError

Source = str | Path | BinaryIO | Image.Image

LEAST_SIDE = 8
MOST_PIXELS = 64_000_000
_USEFUL_SIDE = 1536  # a stroke of a pen on a whole page is still some pixels wide
_IN_PIECES = (None, "PNG", "JPEG", "MPO", "GIF", "BMP", "TIFF", "PPM")
_MOST_AT_ONCE = 24_000_000  # decoders of other formats hold a picture four times over
_STRIPE = 64  # lines
_SMALL = 1 << 16  # bytes
_USUAL = ("PNG", "JPEG", "GIF", "BMP")  # they are tried first
_BY_OTHER_PROGRAMS = ("EPS", "WMF")  # Ghostscript, GDI
_ON_ITS_SIDE = (5, 6, 7, 8)  # EXIF orientations that turn by a quarter
_RAW_TOPS = (255.0, 1023.0, 4095.0, 16383.0, 65535.0)  # full scale of 8 to 16 bits


@dataclass(frozen=True, slots=True)
class Loaded:
    """A picture: `pixels` uint8, (H, W) grey or (H, W, 3) RGB, upright.

    `size` is (width, height) of the upright picture in the file, of which `pixels` may be a
    reduced copy. `note` is what a person should know of how it was read.
    """

    pixels: NDArray[np.uint8]
    size: tuple[int, int]
    note: str | None = None


def name_of(source: Source) -> str:
    """What to call a picture in a message."""
    if isinstance(source, (str, Path)):
        return str(source)
    return str(getattr(source, "filename", "") or getattr(source, "name", "") or "the picture")


def load(source: Source) -> Loaded:
    """Read a picture: a path, an open binary file, or a Pillow image.

    Of an animation or a file of several pages the first is read, and the note says so. Raises
    DataError when it is missing, is no picture, is damaged or cut off, or is too large or small.
    """
    if not isinstance(source, (str, Path, Image.Image)) and not hasattr(source, "read"):
        raise TypeError(f"a picture is a path, a binary file or a Pillow image, not {source!r:.60}")
    try:
        if isinstance(source, Image.Image):
            return _loaded(source, source.size)
        if isinstance(source, (str, Path)):
            with open(source, "rb", buffering=0) as file:  # noqa: PTH123 - a Path takes longer
                return _opened(file)
        return _opened(source)
    except DataError as error:
        raise DataError(f"{name_of(source)}: {error}") from None
    except MemoryError:
        raise DataError(f"{name_of(source)}: there is not memory enough to read it") from None
    except Exception as error:  # decoders of hostile files raise whatever they like
        raise DataError(f"{name_of(source)}: {_reason(error)}") from error


def _opened(file: BinaryIO | io.RawIOBase) -> Loaded:
    # A small file is read in one call: half the time of reading a small picture is in the others.
    begins = file.tell() if file.seekable() else None
    start = file.read(_SMALL)
    if not start:
        raise DataError("is empty")
    if len(start) < _SMALL:
        rest = file.read()
        stream: Any = io.BytesIO(start + rest if rest else start)
    elif begins == 0:
        file.seek(0)
        stream = file
    else:
        stream = io.BytesIO(start + (file.read() or b""))
    with Image.open(stream, formats=_formats()) as image:
        full = image.size
        # JPEG is decoded at a fraction of its size; a caller's own image would be changed by that.
        if full[0] * full[1] <= MOST_PIXELS:
            image.draft("RGB", (_USEFUL_SIDE, _USEFUL_SIDE))
        return _loaded(image, full)


@functools.cache
def _formats() -> tuple[str, ...]:
    """The formats that are read: all of Pillow's but those that start another program."""
    Image.init()
    others = (name for name in Image.OPEN if name not in (*_USUAL, *_BY_OTHER_PROGRAMS))
    return (*_USUAL, *others)


def _reason(error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return "its header claims a size that no picture has: refused"
    if isinstance(error, UnidentifiedImageError):
        return "is not a picture in any format that Pillow reads"
    if isinstance(error, FileNotFoundError):
        return "there is no such picture"
    if isinstance(error, IsADirectoryError):
        return "is a folder, not a picture"
    if isinstance(error, PermissionError):
        return "permission denied"
    if isinstance(error, OSError) and error.errno is not None:
        return f"cannot be opened ({error.strerror})"
    said = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
    return f"is damaged or cut off ({said})"


def _loaded(image: Image.Image, full: tuple[int, int]) -> Loaded:
    """The pixels of an image that is `full` (width, height) in its file."""
    width, height = full
    most = MOST_PIXELS if image.format in _IN_PIECES else _MOST_AT_ONCE
    if width * height > most:
        megapixels = width * height / 1e6
        raise DataError(
            f"{width}×{height} are {megapixels:,.0f} megapixels, more than the "
            f"{most / 1e6:.0f} that are read{_of(image)}: reduce it"
        )
    if min(width, height) < LEAST_SIDE:
        raise DataError(f"{width}×{height} pixels are too few to hold a digit")
    note = _note(image)
    image.load()  # some formats find their orientation only now
    if image.mode == "L" and image.format == "PNG" and not image.info and max(full) <= _USEFUL_SIDE:
        # The plainest there are, of which thousands come at once: nothing more to find out.
        return Loaded(_bytes_of(image), full, note)
    turned = image.getexif().get(ExifTags.Base.Orientation, 1)
    plain = _plain(image)
    if turned != 1:
        plain.getexif()[ExifTags.Base.Orientation] = turned
        plain = ImageOps.exif_transpose(plain)
    size = (height, width) if turned in _ON_ITS_SIDE else (width, height)
    return Loaded(_pixels(plain), size, note)


def _of(image: Image.Image) -> str:
    return "" if image.format in _IN_PIECES else f" of {image.format}"


def _note(image: Image.Image) -> str | None:
    if not getattr(image, "is_animated", False):
        return None
    kind = "pages" if image.format in ("TIFF", "MPO") else "frames"
    return f"has several {kind}: only the first was read"


def _plain(image: Image.Image) -> Image.Image:
    """An image as L, LA, RGB or RGBA, of 8 bits, no larger than is useful.

    A large one is worked through in stripes: as a whole, it would be there three times.
    """
    deep = image.mode.startswith(("I", "F"))
    grey = deep or image.mode in ("1", "L", "LA", "La")
    mode = ("L" if grey else "RGB") + ("A" if image.has_transparency_data and not deep else "")
    depth = _Depth.of(image) if deep else None
    factor = max(image.size) // _USEFUL_SIDE
    if factor <= 1:
        return _as_mode(image, mode, depth)
    width, height = image.size
    plain = Image.new(mode, (-(-width // factor), -(-height // factor)))
    for top in range(0, height, _STRIPE * factor):
        stripe = image.crop((0, top, width, min(height, top + _STRIPE * factor)))
        plain.paste(_as_mode(stripe, mode, depth).reduce(factor), (0, top // factor))
    return plain


def _as_mode(image: Image.Image, mode: str, depth: "_Depth | None") -> Image.Image:
    if depth is not None:
        image = Image.fromarray(depth.eight_bits(np.asarray(image)))
    return image if image.mode == mode else image.convert(mode)


def _pixels(plain: Image.Image) -> NDArray[np.uint8]:
    if plain.mode == "L":
        return _bytes_of(plain)
    pixels = np.asarray(plain)
    return _on_a_ground(pixels) if plain.mode.endswith("A") else _flat(pixels)


def _bytes_of(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels of a grey image, in half the time that NumPy takes by itself."""
    width, height = image.size
    return np.frombuffer(image.tobytes(), np.uint8).reshape(height, width)


def _flat(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey where the colours say nothing."""
    if pixels.ndim == 2:
        return pixels
    red, green, blue = pixels[:, :, 0], pixels[:, :, 1], pixels[:, :, 2]
    return red if np.array_equal(red, green) and np.array_equal(green, blue) else pixels


@dataclass(frozen=True, slots=True)
class _Depth:
    """Which deep grey values are black and white: by the full scale of the depth that is used."""

    black: float
    white: float

    @classmethod
    def of(cls, image: Image.Image) -> "_Depth":
        width, height = image.size
        ends: list[float] = []
        for top in range(0, height, _STRIPE):
            stripe = image.crop((0, top, width, min(height, top + _STRIPE)))
            values = _finite(np.asarray(stripe))
            ends += float(values.min()), float(values.max())
        low, high = min(ends), max(ends)
        if low < 0 or high > _RAW_TOPS[-1] or 0 < high <= 1:
            return cls(min(low, 0), high)
        return cls(0, next(top for top in _RAW_TOPS if high <= top))

    def eight_bits(self, values: NDArray[np.generic]) -> NDArray[np.uint8]:
        scale = 255 / ((self.white - self.black) or 1)
        return np.round((_finite(values) - self.black) * scale).astype(np.uint8)


def _finite(values: NDArray[np.generic]) -> NDArray[np.float64]:
    return np.nan_to_num(values.astype(np.float64), posinf=0, neginf=0)


def _on_a_ground(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pixels (H, W, 2 or 4) whose last channel is alpha, put on a plain ground.

    Where most is opaque, what is transparent gets the colour of the rest. Ink on a transparent
    canvas gets the ground that it contrasts with: black under light ink, white under dark.
    """
    colour, alpha = pixels[:, :, :-1].astype(np.float32), pixels[:, :, -1:] / np.float32(255)
    visible = alpha[:, :, 0] > 0.5
    if visible.mean() > 0.5:
        ground = np.median(colour[visible], axis=0)
    else:
        weight = max(float(alpha.sum()), 1e-6)
        mean = float((colour.mean(axis=2, keepdims=True) * alpha).sum()) / weight
        ground = np.full(colour.shape[2], 255.0 if mean < 127.5 else 0.0)
    flat = np.round(colour * alpha + ground * (1 - alpha)).astype(np.uint8)
    return _flat(flat[:, :, 0] if flat.shape[2] == 1 else flat)
