"""How any picture becomes an image of a model's shape, in words (see `preprocess.fit`)."""

from mnist_edge.image_shape import Fit, ImageShape

_RESAMPLED = "bicubic, antialiased, as Pillow does it"
_TRANSPARENCY = (
    "what is transparent gets the median colour of the rest; in a picture that mostly is, black "
    "under what is light, white under what is dark"
)
_GROUNDS = {
    Fit.PAD: "with the mean of the picture's border, channel by channel",
    Fit.ZERO_PAD: "with 0, which is black",
}


def rows(shape: ImageShape, fit: Fit) -> list[tuple[str, str]]:
    """What is done, and how, in the order in which it is done. ValueError for DIGIT, which looks
    for a digit: that is no matter of a few lines."""
    if fit is Fit.DIGIT:
        raise ValueError("how digits are looked for is told elsewhere")
    return [
        ("colour", _color(shape)),
        (
            "size",
            f"{_crop(shape) if fit is Fit.CROP else _pad(shape, fit)}. {shape.size} stays as it is",
        ),
        ("light and dark", "stay as they are in the picture: 0 = black, 255 = white"),
        ("transparency", _TRANSPARENCY),
    ]


def _color(shape: ImageShape) -> str:
    if shape.is_color:
        return "red, green, blue, in this order; a grey picture has all three alike"
    return "is not used: grey is 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601)"


def _pad(shape: ImageShape, fit: Fit) -> str:
    size = (
        f"the longer side becomes {shape.width} pixels"
        if shape.width == shape.height
        else f"the largest that fits into {shape.size} pixels"
    )
    return (
        f"{size}, and the aspect is kept ({_RESAMPLED}); the picture lies in the middle, and the "
        f"rest is filled {_GROUNDS[fit]}"
    )


def _crop(shape: ImageShape) -> str:
    what = "the largest square" if shape.width == shape.height else "the largest part of its aspect"
    return f"{what} in the middle is cut out, and made {shape.size} pixels ({_RESAMPLED})"
