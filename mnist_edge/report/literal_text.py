"""Texts that matplotlib draws, for charts and curves alike."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mnist_edge.report.fonts import FAMILIES, escaped

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@contextmanager
def literal_texts() -> Iterator[None]:
    """Texts that are drawn in here are what they are: `$` begins no formula, and what the usual
    font lacks is taken from others that are installed. ImportError without matplotlib."""
    import matplotlib
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    families = ["DejaVu Sans", *(name for name in FAMILIES if name in installed)]
    with (
        matplotlib.rc_context({"text.parse_math": False, "font.family": families}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", message="Glyph")
        yield


def escape_what_fonts_lack(figure: "Figure") -> None:
    """Before a figure becomes pixels: the letters of its texts that no font has, in escapes. To be
    called in `literal_texts`."""
    import matplotlib
    from matplotlib.font_manager import FontProperties, findfont, get_font
    from matplotlib.text import Text

    families = matplotlib.rcParams["font.family"]
    fonts = [get_font(findfont(FontProperties(family=[name]))) for name in families]
    for found in figure.findobj(Text):
        assert isinstance(found, Text)
        text = found.get_text()
        letters = {one for one in text if not (one.isascii() or one.isspace())}
        lacking = {
            one for one in letters if not any(font.get_char_index(ord(one)) for font in fonts)
        }
        if lacking:
            found.set_text(escaped(text, lacking))
