"""Opened pictures -> pixels: upright, on a plain ground, no larger than is useful."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from mnist_edge.errors import DataError
from mnist_edge.preprocess.formats import FORMATS, Format
from mnist_edge.preprocess.limits import check_decoder
from mnist_edge.preprocess.transparency import flatten_alpha, is_opaque

MIN_SIDE, MAX_SIDE = 8, 65_535
MAX_PIXELS = max(one.most_pixels for one in FORMATS)
_USEFUL_SIDE = 1536  # a stroke of a pen on a whole page is still some pixels wide
_STRIPE = 1 << 20  # pixels
_FEW_BYTES = 3 << 12  # of 4,096 pixels
_FULL_SCALES = (255.0, 1023.0, 4095.0, 16383.0, 65535.0)  # full scale of 8 to 16 bits
_ORIENTATIONS = {  # EXIF's orientations
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (5, 6, 7, 8)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A picture: `pixels` uint8, (H, W) grey or (H, W, 3) RGB, upright.

    `size` is (width, height) of the upright picture in the file, of which `pixels` may be a
    reduced copy. `note` is what a person should know of how it was read. One that `is_ready` is an
    image as a network takes it, whatever it shows.
    """

    pixels: NDArray[np.uint8]
    size: tuple[int, int]
    note: str | None = None
    is_ready: bool = False


def decode(stream: Any, form: Format, file_bytes: int) -> Loaded:
    """The picture in a binary stream at its beginning, of `file_bytes`. DataError where it is too
    large; whatever decoders raise where it is damaged: `describe_error` tells."""
    with Image.open(stream, formats=(form.name,)) as image:
        full = image.size
        check_decoder(image, stream, file_bytes)
        # JPEG is decoded at a fraction of its size; a caller's own image would be changed by that.
        if full[0] * full[1] <= form.most_pixels:
            image.draft("RGB", (_USEFUL_SIDE, _USEFUL_SIDE))
        return load_image(image, full, form)


def load_image(image: Image.Image, full: tuple[int, int], form: Format | None = None) -> Loaded:
    """The pixels of an image that is `full` (width, height) in its file."""
    _check_size(full, form)
    note = _note(image)
    image.load()  # some formats find their orientation only now
    if image.mode == "L" and image.format == "PNG" and not image.info and max(full) <= _USEFUL_SIDE:
        # The plainest there are, of which thousands come at once: nothing more to find out.
        return Loaded(_grey_pixels(image), full, note)
    turned = image.getexif().get(ExifTags.Base.Orientation, 1)
    plain = _to_8_bits(image)
    if turned in _ORIENTATIONS:
        plain = plain.transpose(_ORIENTATIONS[turned])
    return Loaded(_flat_pixels(plain), full[::-1] if turned in _SIDEWAYS else full, note)


def describe_error(error: Exception) -> str:
    """What whoever gave a picture is told of an error that a decoder raised."""
    if isinstance(error, DataError):
        return str(error)
    if isinstance(error, MemoryError):
        return "there is not memory enough to read it"
    if isinstance(error, Image.DecompressionBombError):
        return "its header claims a size that no picture has: refused"
    said = str(error).splitlines()[0][:100] if str(error) else type(error).__name__
    if isinstance(error, UnidentifiedImageError):
        said = "its header"
    return f"is damaged or cut off ({said})"


def _check_size(size: tuple[int, int], form: Format | None) -> None:
    width, height = size
    most = form.most_pixels if form else MAX_PIXELS
    if width * height > most:
        of = f" of {form.name}" if form and most < MAX_PIXELS else ""
        raise DataError(
            f"{width}×{height} are {width * height / 1e6:,.0f} megapixels, more than the "
            f"{most / 1e6:.0f} that are read{of}: reduce it"
        )
    if min(size) < MIN_SIDE:
        raise DataError(f"{width}×{height} pixels are too few: {MIN_SIDE} a side are the fewest")
    if max(size) > MAX_SIDE:
        raise DataError(f"{width}×{height} pixels are longer than {MAX_SIDE:,} on a side: cut it")


def _note(image: Image.Image) -> str | None:
    # What a phone keeps beside a photograph (MPO), such as a gain map, is no page of its own.
    if image.format == "MPO" or not getattr(image, "is_animated", False):
        return None
    kind = "pages" if image.format == "TIFF" else "frames"
    return f"has several {kind}: only the first was read"


def _to_8_bits(image: Image.Image) -> Image.Image:
    """An image as L, LA, RGB or RGBA, of 8 bits, no larger than is useful.

    A large one is worked through in stripes: as a whole, it would be there three times.
    """
    deep = image.mode.startswith(("I", "F"))
    grey = deep or image.mode in ("1", "L", "LA", "La")
    mode = ("L" if grey else "RGB") + ("A" if image.has_transparency_data and not deep else "")
    depth = _Depth.of(image) if deep else None
    factor = _reduction(max(image.size))
    if factor == 1:
        return _convert(image, mode, depth)
    width, height = image.size
    plain = Image.new(mode, (-(-width // factor), -(-height // factor)))
    for top, stripe in _stripes(image, factor):
        plain.paste(_convert(stripe, mode, depth).reduce(factor), (0, top // factor))
    return plain


def _reduction(side: int) -> int:
    """By how much a picture is reduced: to less than 1.5 × the useful side."""
    return max(side // _USEFUL_SIDE, 2 if side >= 1.5 * _USEFUL_SIDE else 1)


def _stripes(image: Image.Image, factor: int = 1) -> Iterator[tuple[int, Image.Image]]:
    """Parts of an image, each with its first line, a multiple of `factor`."""
    width, height = image.size
    lines = factor * max(1, _STRIPE // (width * factor))
    for top in range(0, height, lines):
        yield top, image.crop((0, top, width, min(height, top + lines)))


def _convert(image: Image.Image, mode: str, depth: "_Depth | None") -> Image.Image:
    """In a mode, without its alpha channel where nothing shows through: that takes three times as
    long."""
    if depth is not None:
        image = Image.fromarray(depth.to_8_bits(np.asarray(image)))
    if image.mode != mode:
        image = image.convert(mode)
    return image.convert(mode[:-1]) if mode.endswith("A") and is_opaque(image) else image


def _flat_pixels(plain: Image.Image) -> NDArray[np.uint8]:
    if plain.mode == "L":
        return _grey_pixels(plain)
    if plain.mode == "LA":
        return flatten_alpha(plain)[:, :, 0]
    content = plain.tobytes() if plain.mode == "RGB" else flatten_alpha(plain).tobytes()
    return _rgb_pixels(content, plain.size)


def _grey_pixels(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels of a grey image, in half the time that NumPy takes by itself."""
    width, height = image.size
    return np.frombuffer(image.tobytes(), np.uint8).reshape(height, width)


def _rgb_pixels(content: bytes, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The pixels of an RGB image of that width and height: grey where the colours say nothing.

    Bytes of a small image are compared in a third of the time that NumPy takes, and a large one
    mostly shows at its beginning that it has colours.
    """
    width, height = size
    for part in (content[:_FEW_BYTES], content):
        if not part[::3] == part[1::3] == part[2::3]:
            return np.frombuffer(content, np.uint8).reshape(height, width, 3)
    return np.frombuffer(content[::3], np.uint8).reshape(height, width)


@dataclass(frozen=True, slots=True)
class _Depth:
    """Which deep grey values are black and white: by the full scale of the depth that is used."""

    black: float
    white: float

    @classmethod
    def of(cls, image: Image.Image) -> "_Depth":
        ends: list[float] = []
        for _, stripe in _stripes(image):
            values = _finite(np.asarray(stripe))
            ends += float(values.min()), float(values.max())
        low, high = min(ends), max(ends)
        if low < 0 or high > _FULL_SCALES[-1] or 0 < high <= 1:
            return cls(min(low, 0), high)
        return cls(0, next(top for top in _FULL_SCALES if high <= top))

    def to_8_bits(self, values: NDArray[np.generic]) -> NDArray[np.uint8]:
        scale = 255 / ((self.white - self.black) or 1)
        return np.round((_finite(values) - self.black) * scale).astype(np.uint8)


def _finite(values: NDArray[np.generic]) -> NDArray[np.float64]:
    return np.nan_to_num(values.astype(np.float64), posinf=0, neginf=0)
