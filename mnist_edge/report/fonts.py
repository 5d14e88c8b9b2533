"""Letters that fonts have. Names in any script go into pictures: with an installed font that has
their letters, else in escapes, so that two names never look alike as rows of boxes."""

import importlib.util
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

    Font = FreeTypeFont | ImageFont

_FILES = (  # of what Linux, Windows and macOS come with; Pillow looks in the system's folders
    *("DejaVuSans.ttf", "segoeui.ttf", "Arial.ttf", "NotoSansCJK-Regular.ttc"),
    *(
        "NotoSansCJKsc-Regular.otf",
        "wqy-microhei.ttc",
        "wqy-zenhei.ttc",
        "DroidSansFallbackFull.ttf",
    ),
    *("msyh.ttc", "malgun.ttf", "YuGothR.ttc", "PingFang.ttc", "Hiragino Sans GB.ttc"),
    "Arial Unicode.ttf",
)
FAMILIES = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei"),
    *("Droid Sans Fallback", "Microsoft YaHei", "Malgun Gothic", "Yu Gothic", "PingFang SC"),
    *("Hiragino Sans GB", "Arial Unicode MS"),
)
"""The same fonts by the names that matplotlib has for them, without those of Europe's letters."""
_NO_LETTER = "\U0010fffe"  # of which every font shows what it shows for letters that it lacks


def escaped(text: str, lacking: Collection[str]) -> str:
    """`text` with the letters that a font lacks as Python writes them: `\\u732b`."""
    return "".join(
        one.encode("ascii", "backslashreplace").decode() if one in lacking else one for one in text
    )


def for_pillow(texts: Sequence[str], size: int) -> tuple["Font", list[str]]:
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
    return found[0], [escaped(text, found[1]) for text in texts]


def _fonts(size: int) -> Iterator["Font"]:
    from PIL import ImageFont

    yield ImageFont.load_default(size)
    for file in (*_FILES, *_of_matplotlib()):
        try:
            yield ImageFont.truetype(file, size)
        except OSError:  # it is not installed
            continue


def _of_matplotlib() -> Iterable[str]:
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
