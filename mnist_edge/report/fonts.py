"""Letters that fonts have. Names in any script go into pictures of Pillow and charts of matplotlib:
with an installed font that has their letters, else in escapes, so that two names never look alike
as rows of boxes."""

import importlib.util
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.ImageFont import FreeTypeFont, ImageFont

    Font = FreeTypeFont | ImageFont

# Of what Linux, Windows and macOS come with; Pillow looks in the system's folders.
_FILES = """
    DejaVuSans.ttf; segoeui.ttf; Arial.ttf; NotoSansCJK-Regular.ttc; NotoSansCJKsc-Regular.otf;
    wqy-microhei.ttc; wqy-zenhei.ttc; DroidSansFallbackFull.ttf; msyh.ttc; malgun.ttf; YuGothR.ttc;
    PingFang.ttc; Hiragino Sans GB.ttc; Arial Unicode.ttf
"""
# The same fonts by the names that matplotlib has for them, without those of Europe's letters.
_FAMILIES = """
    Noto Sans CJK SC; Noto Sans CJK JP; WenQuanYi Micro Hei; WenQuanYi Zen Hei; Droid Sans Fallback;
    Microsoft YaHei; Malgun Gothic; Yu Gothic; PingFang SC; Hiragino Sans GB; Arial Unicode MS
"""
_NO_LETTER = "\U0010fffe"  # of which every font shows what it shows for letters that it lacks


def pillow_font(texts: Sequence[str], size: int) -> tuple["Font", list[str]]:
    """A font for Pillow, and the texts as it can draw them: Pillow's own where it has all of their
    letters, else the installed one that lacks the fewest."""
    letters = set("".join(texts))
    found: tuple[Font, set[str]] | None = None
    for font in _fonts(size):
        lacking = {one for one in letters if _lacks(font, one)}
        if found is None or len(lacking) < len(found[1]):
            found = font, lacking
        if not lacking:
            break
    assert found is not None  # there is Pillow's own
    return found[0], [_escape(text, found[1]) for text in texts]


def _fonts(size: int) -> Iterator["Font"]:
    from PIL import ImageFont

    yield ImageFont.load_default(size)
    for file in (*_names(_FILES), *_matplotlib_file()):
        try:
            yield ImageFont.truetype(file, size)
        except OSError:  # it is not installed
            continue


def _matplotlib_file() -> Iterable[str]:
    """The file of the font that comes with matplotlib, where that is: it is not imported."""
    found = importlib.util.find_spec("matplotlib")
    if found is None or found.origin is None:
        return ()
    return (str(Path(found.origin).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf"),)


def _lacks(font: "Font", letter: str) -> bool:
    if letter.isspace() or (letter.isascii() and letter.isprintable()):
        return False
    shown, box = font.getmask(letter), font.getmask(_NO_LETTER)
    return shown.size == box.size and bytes(shown) == bytes(box)


@contextmanager
def literal_texts() -> Iterator[None]:
    """Texts that are drawn in here are what they are: `$` begins no formula, and what the usual
    font lacks is taken from others that are installed. ImportError without matplotlib."""
    import matplotlib
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    families = ["DejaVu Sans", *(name for name in _names(_FAMILIES) if name in installed)]
    with (
        matplotlib.rc_context({"text.parse_math": False, "font.family": families}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", message="Glyph")
        yield


def escape_missing_letters(figure: "Figure") -> None:
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
            found.set_text(_escape(text, lacking))


def _names(fonts: str) -> list[str]:
    return [name.strip() for name in fonts.split(";")]


def _escape(text: str, lacking: Collection[str]) -> str:
    """`text` with the letters that a font lacks as Python writes them: `\\u732b`."""
    return "".join(
        one.encode("ascii", "backslashreplace").decode() if one in lacking else one for one in text
    )
