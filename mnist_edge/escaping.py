"""Text that comes from files, such as names: made safe to show.

A name may hold what a terminal obeys (escape sequences, titles, a cursor that moves), what turns
the order of letters round, or a line break that makes two lines of one. All of it is shown as
escapes, and never done. Outputs for programs keep the text, in escapes that they turn back.
"""

import json
import re
import unicodedata
from typing import Any

_UNSHOWN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # controls, invisible signs, half pairs, line ends
_LONGEST = 4000  # letters of a text: more is nobody's to read
_FORMULA = "=+-@"
_NOT_ASCII = re.compile(r"[^\x20-\x7e]")
_NOT_ASCII_LINES = re.compile(r"[^\x20-\x7e\n]")


def printable(text: str, longest: int | None = _LONGEST) -> str:
    """`text` on one line that does nothing but stand there, with the middle of a very long one
    left out.

    Controls (C0, C1), invisible signs such as right-to-left marks, line and paragraph separators
    and lone surrogates become escapes as Python writes them: `\\x1b`, `\\u202e`; a byte of a file
    name that is no text, as `os.fsdecode` tells it, becomes `\\xff`. What is plain stays as it is,
    so that it does no harm to call this twice.
    """
    if longest is not None and len(text) > longest:
        text = f"{text[: longest // 2]} … {text[-(longest // 2) :]}"
    if text.isprintable():
        return text
    return _NOT_ASCII.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    letter = found[0]
    if unicodedata.category(letter) not in _UNSHOWN:
        return letter
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def json_text(value: Any, indent: int | None = None, encoding: str = "utf-8") -> str:
    """`value` as JSON: letters as they are where `encoding` has them, all else in escapes, and so
    nothing that a terminal obeys. A reader of JSON gets the same text back."""
    whole = json.dumps(value, indent=indent, ensure_ascii=False)
    text = _NOT_ASCII_LINES.sub(_json_escaped, whole)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent).replace("\x7f", "\\u007f")
    return text


def _json_escaped(found: re.Match[str]) -> str:
    letter = found[0]
    if unicodedata.category(letter) not in _UNSHOWN:
        return letter
    return "\\u007f" if letter == "\x7f" else json.dumps(letter)[1:-1]


def spreadsheet_cell(text: str) -> str:
    """`text` as a cell of a table for spreadsheets: plain, but for its lines, which quotes hold
    together, and never taken for a formula.

    One that begins as a formula does gets an apostrophe in front, as OWASP advises ("CSV
    Injection"); a number, or a sign alone, is none.
    """
    shown = "\n".join(map(printable, text.split("\n")))
    first = unicodedata.normalize("NFKC", shown[:1])
    if len(shown) < 2 or first not in _FORMULA or _is_number(shown):
        return shown
    return f"'{shown}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
