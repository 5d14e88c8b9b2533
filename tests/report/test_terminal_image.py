import re

import numpy as np
import pytest

from mnist_edge.preprocess import render_digits
from mnist_edge.report import terminal_image

COLOURED = (terminal_image.SIXTEEN, terminal_image.INDEXED, terminal_image.FULL)


def pixels(line: str) -> list[tuple[int, int]]:
    """The greys of a line of half blocks, as a terminal would show them: above, below."""
    return [(grey(above), grey(below)) for above, below in codes(line)]


def codes(line: str) -> list[tuple[str, str]]:
    """The colours of a line of half blocks, as they are written: above, below."""
    shown, pair = [], ("", "")
    for written, letter in re.findall(r"\x1b\[([0-9;]*)m|(.)", line):
        if letter:
            assert letter == "▀"
            shown.append(pair)
        elif written != "0":
            first, second = re.fullmatch(
                r"(38;2;\d+;\d+;\d+|38;5;\d+|\d+);(48;2;.*|48;5;.*|\d+)", written
            ).groups()  # type: ignore[union-attr]
            pair = (first, second)
    return shown


def grey(code: str) -> int:
    numbers = [int(number) for number in code.split(";")]
    if numbers[1:2] == [2]:
        assert numbers[2] == numbers[3] == numbers[4]
        return numbers[2]
    if numbers[1:2] == [5]:  # xterm's 256 colours: the cube's corners, and a ramp
        return {16: 0, 231: 255}.get(numbers[2]) or max(0, 8 + 10 * (numbers[2] - 232))
    return {30: 0, 90: 127, 37: 229, 97: 255}[numbers[0] % 10 + (90 if numbers[0] >= 90 else 30)]


@pytest.mark.parametrize(
    ("colours", "off"),
    [(terminal_image.FULL, 0), (terminal_image.INDEXED, 8), (terminal_image.SIXTEEN, 101)],
)
def test_the_colours_of_the_half_blocks_are_the_pixels(colours: str, off: int) -> None:
    image = np.arange(0, 252, 9, dtype=np.uint8)[:, None].repeat(28, axis=1)
    for shown in (image, image.T.copy(), render_digits(3)[2]):
        lines = [pixels(line) for line in terminal_image.render_image(shown, colours)]
        back = np.array(lines).transpose(0, 2, 1).reshape(28, 28)
        assert np.abs(back - shown.astype(int)).max() <= off
        assert set(np.unique(back[shown == 0])) <= {0}


def test_in_full_colour_the_half_blocks_are_the_pixels() -> None:
    image = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    for at, line in enumerate(terminal_image.render_image(image, terminal_image.FULL)):
        shown = [
            [tuple(map(int, code.split(";")[2:])) for code in column]
            for column in zip(*codes(line), strict=True)
        ]
        assert shown == [list(map(tuple, row)) for row in image[2 * at : 2 * at + 2].tolist()]


@pytest.mark.parametrize(
    ("colours", "colour", "code"),
    [
        (terminal_image.INDEXED, (255, 0, 0), "38;5;196"),  # of xterm's cube
        (terminal_image.INDEXED, (90, 140, 170), f"38;5;{16 + 36 + 2 * 6 + 3}"),
        (terminal_image.INDEXED, (119, 118, 117), "38;5;243"),  # nearly grey: of the ramp
        (terminal_image.SIXTEEN, (190, 10, 5), "31"),
        (terminal_image.SIXTEEN, (10, 250, 20), "92"),
        (terminal_image.SIXTEEN, (140, 120, 130), "90"),
    ],
)
def test_fewer_colours_are_the_nearest(
    colours: str, colour: tuple[int, int, int], code: str
) -> None:
    image = np.full((2, 1, 3), colour, np.uint8)
    (line,) = terminal_image.render_image(image, colours)
    below = code.replace("38;", "48;") if ";" in code else str(int(code) + 10)
    assert codes(line) == [(code, below)]


@pytest.mark.parametrize("dims", [(21, 16), (21, 16, 3)])
def test_below_an_odd_row_is_the_terminals_own_ground(dims: tuple[int, ...]) -> None:
    image = np.full(dims, 200, np.uint8)
    for colours in COLOURED:
        *_, last = terminal_image.render_image(image, colours)
        assert {below for _, below in codes(last)} == {"49"}
    lines = terminal_image.render_image(image, terminal_image.PLAIN)
    assert len(lines) == 11
    assert set(lines) == {lines[0]}


def test_without_colours_it_is_the_luminance() -> None:
    image = np.zeros((2, 3, 3), np.uint8)
    image[:, 1, 1], image[:, 2] = 255, 255  # black, green, white
    (line,) = terminal_image.render_image(image, terminal_image.PLAIN)
    assert (line[0], line[2]) == (" ", "@")
    assert line[1] not in " @"


def test_what_is_wider_than_the_screen_is_reduced() -> None:
    image = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    assert terminal_image.shrink(image, 96) is image
    half = terminal_image.shrink(image, 95)
    wanted = image.reshape(48, 2, 48, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(half, wanted, atol=0.51)
    assert terminal_image.shrink(image[:, :, 0], 10).shape == (10, 10)


@pytest.mark.parametrize("colours", COLOURED)
def test_every_line_puts_the_colours_back(colours: str) -> None:
    lines = terminal_image.render_image(render_digits(1)[0], colours)
    assert len(lines) == 14
    assert all(line.endswith("\x1b[0m") for line in lines)
    assert all(line.count("▀") == 28 for line in lines)


def test_without_colours_it_is_plain_ascii_and_the_ink_is_where_it_is() -> None:
    image = np.zeros((28, 28), np.uint8)
    image[4:8, 10:12] = 255
    image[20, 3] = 255  # half a character
    lines = terminal_image.render_image(image, terminal_image.PLAIN)
    assert all(line.isascii() and len(line) == 28 for line in lines)
    assert lines[2] == lines[3] == " " * 10 + "@@" + " " * 16
    assert lines[10].strip() not in ("", "@")
    assert "".join(lines[:2] + lines[4:10] + lines[11:]).strip() == ""


@pytest.mark.parametrize(
    ("terminal", "environment", "colours"),
    [
        (True, {"TERM": "xterm-256color"}, terminal_image.INDEXED),
        (True, {"TERM": "xterm-256color", "COLORTERM": "truecolor"}, terminal_image.FULL),
        (True, {"TERM": "xterm", "COLORTERM": "24bit"}, terminal_image.FULL),
        (True, {"TERM": "linux"}, terminal_image.SIXTEEN),
        (True, {"TERM": "dumb", "COLORTERM": "truecolor"}, terminal_image.PLAIN),
        (True, {}, terminal_image.PLAIN),
        (True, {"TERM": "xterm-256color", "NO_COLOR": "1"}, terminal_image.PLAIN),
        (
            True,
            {"TERM": "xterm-256color", "NO_COLOR": ""},
            terminal_image.INDEXED,
        ),  # as no-color.org says
        (False, {"TERM": "xterm-256color", "COLORTERM": "truecolor"}, terminal_image.PLAIN),
    ],
)
def test_a_terminal_gets_what_it_can_show(
    terminal: bool, environment: dict[str, str], colours: str
) -> None:
    assert terminal_image.colour_depth(terminal, environment) == colours


def test_bars_tell_the_most_probable_classes_in_proportion() -> None:
    shares = {"0": 0.05, "cat": 0.5, "1": 0.25, "2": 0.1, "3": 0.1, "4": 0.0}
    lines = terminal_image.render_bars(shares, 20, terminal_image.PLAIN)
    assert [line.split()[0] for line in lines] == ["cat", "1", "2", "3", "0"]
    assert [line.count("#") for line in lines] == [10, 5, 2, 2, 1]
    assert lines[0] == "cat ##########            50.0 %"
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize("share", [0.0, 0.01, 0.124, 0.5, 0.999, 1.0])
def test_a_bar_of_eighths_is_as_long_as_its_share(share: float) -> None:
    (line,) = terminal_image.render_bars({"a": share}, 30, terminal_image.FULL)
    bar = line[2:32]
    eighths = 8 * bar.count("█") + sum(" ▏▎▍▌▋▊▉".index(letter) for letter in bar.replace("█", ""))
    assert eighths == round(share * 240)
    assert len(line) == 2 + 30 + 8
