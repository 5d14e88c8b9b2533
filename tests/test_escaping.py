"""Text of strangers: whatever letters it has, it is shown as text."""

import ast
import csv
import io
import json
import sys
import unicodedata

import pytest

from mnist_edge.escaping import json_text, printable, spreadsheet_cell

ALL = [chr(code) for code in range(sys.maxunicode + 1)]
HARMFUL = [one for one in ALL if unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp")]


def harmful(text: str) -> set[str]:
    return set(text) & set(HARMFUL)


def test_every_letter_of_unicode_is_itself_or_an_escape() -> None:
    for letter in HARMFUL:
        shown = printable(letter)
        assert shown.isascii()
        assert shown.isprintable()
    rest = "".join(set(ALL) - set(HARMFUL))
    assert printable(rest, longest=None) == rest


def test_what_is_named_in_reports_of_attacks_is_gone() -> None:
    for name in ("\x1b]0;title\x07", "\x9b31m", "a\u202eb\u2066c", "two\nlines\r\u2028", "\ud800"):
        assert printable(name).isprintable()
    assert printable("\x1b[31m") == r"\x1b[31m"
    assert printable("\u202e") == r"\u202e"
    assert printable("\U000e0041") == r"\U000e0041"
    assert printable("\udcff.png") == r"\xff.png"  # as os.fsdecode tells a byte that is no text


def test_what_is_plain_stays_and_so_it_can_be_said_twice() -> None:
    for name in ("seven", "Grüße 字 😀", "a\\x1b", "50\u00a0%", ""):
        assert printable(name) == name
    once = printable("".join(HARMFUL[:300]))
    assert printable(once) == once


def test_a_very_long_text_keeps_its_ends() -> None:
    shown = printable("a" * 50_000 + "z" * 50_000)
    assert len(shown) < 5_000
    assert (shown[0], shown[-1], "…" in shown) == ("a", "z", True)
    assert len(printable("\x1b" * 100_000)) < 20_000


ENCODINGS = ["utf-8", "utf-16", "cp1252", "latin-1", "cp437", "gbk", "ascii"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("indent", [None, 2])
def test_json_says_the_same_without_anything_that_a_terminal_obeys(
    encoding: str, indent: int | None
) -> None:
    value = {"".join(HARMFUL[:70]): ["\ud800", "ö字😀", "\U000e0041", 'a"\\\n', 1.5, None], "ü": {}}
    text = json_text(value, indent, encoding)
    assert json.loads(text.encode(encoding).decode(encoding)) == value
    assert harmful(text) <= {"\n"}
    assert ("ö" in text) is (encoding in ("utf-8", "utf-16"))
    assert json_text(["ü"], encoding=encoding) in ('["ü"]', r'["\u00fc"]')


FORMULAS = [
    '=HYPERLINK("http://x.example","a")',
    "=cmd|'/C calc'!A0.png",
    "+1+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\uff1d1+1",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula(text: str) -> None:
    assert spreadsheet_cell(text) == f"'{text}"


def test_controls_before_a_formula_are_no_way_in() -> None:
    for begin in ("\t", "\r", "\0", "\u202e", "\ufeff"):
        assert spreadsheet_cell(f"{begin}=1+1")[0] not in "=+-@\t\r\0"


def test_other_cells_are_as_they_are() -> None:
    for text in ("seven", "-1", "+5", "-1e3", "-", "=", "a=b", "", "two\nlines", "'=a"):
        assert spreadsheet_cell(text) == text
    paper = io.StringIO()
    csv.writer(paper).writerow([spreadsheet_cell('a, "b"\n\x1b')])
    assert next(csv.reader(io.StringIO(paper.getvalue(), newline=""))) == ['a, "b"\n\\x1b']


def test_escapes_are_pythons() -> None:
    for letter in HARMFUL:
        if not "\udc80" <= letter <= "\udcff":
            assert ast.literal_eval(f"'{printable(letter)}'") == letter
