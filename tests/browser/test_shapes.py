"""The page with files of other shapes: it sees what Python sees, and never speaks of digits."""

import base64
import io
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import ExifTags, Image

from mnist_edge.classifier import Classifier
from mnist_edge.preprocess import Pixels, to_rgb
from tests.browser.conftest import OTHERS, Open, Opened
from tests.browser.test_page import DIGITS, compare
from tests.web.test_drawings import transparent

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

COLOR = [name for name, card in OTHERS.items() if card["shape"].is_color]


def photograph(width: int = 90, height: int = 70) -> Pixels:
    """Soft colours, as a camera's: JPEG keeps them."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / 9 + k) * np.cos(y / (7 + k)) for k in range(3)]
    return (128 + 120 * np.stack(waves, axis=2)).astype(np.uint8)


def encoded(pixels: Pixels, form: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return exif


def cutout() -> Pixels:
    """Opaque in the middle, and wholly transparent around it."""
    pixels = np.dstack([photograph(), np.full((70, 90), 255, np.uint8)])
    pixels[:5, :, 3] = pixels[:, 80:, 3] = 0
    return pixels


PICTURES: dict[str, Callable[[], bytes]] = {
    "photo.png": lambda: encoded(photograph()),
    "grey.png": lambda: encoded(photograph()[:, :, 0]),
    "small.png": lambda: encoded(photograph(9, 8)),
    "long.png": lambda: encoded(photograph(2400, 31)),
    "cutout.png": lambda: encoded(cutout()),
    "turned.png": lambda: encoded(photograph(), exif=turned(6)),
    "photo.jpg": lambda: encoded(photograph(), "JPEG", quality=95, subsampling=0),
    "turned.jpg": lambda: encoded(photograph(), "JPEG", quality=95, exif=turned(8)),
    "coarse.jpg": lambda: encoded(photograph(300, 400), "JPEG", subsampling=2, progressive=True),
    "photo.webp": lambda: encoded(photograph(), "WEBP", quality=80),
    "photo.gif": lambda: encoded(photograph(), "GIF"),
    "photo.bmp": lambda: encoded(photograph(), "BMP"),
}


def file_of(models: list[Path], name: str) -> Path:
    return next(path for path in models if path.stem == name)


def expected(models: list[Path], name: str, body: bytes) -> Pixels:
    return to_rgb(Classifier(file_of(models, name)).read(io.BytesIO(body)))


def test_the_network_sees_what_python_makes_of_the_same_picture(
    tab: Open, url: str, models: list[Path]
) -> None:
    opened = tab(url)
    bodies = {picture: make() for picture, make in PICTURES.items()}
    for name in OTHERS:
        opened.choose(name)
        for picture, body in bodies.items():
            opened.show(picture, body)
            seen = opened.seen()
            assert (seen[:, :, 3] == 255).all(), (name, picture)
            wanted = expected(models, name, body)
            assert np.array_equal(seen[:, :, :3], wanted), (name, picture)
            assert opened.text("label") in OTHERS[name]["classes"], (name, picture)
    assert opened.complaints == []


def test_half_transparent_pixels_are_off_by_what_a_canvas_rounds(
    tab: Open, hosted: str, models: list[Path]
) -> None:
    """It keeps colours multiplied by their alpha, in 8 bits: the limit that docs/web.md states."""
    opened = tab(hosted)
    opened.choose("things")
    body = encoded(transparent(24, 32, 3))
    opened.show("half.png", body)
    off = opened.seen()[:, :, :3].astype(int) - expected(models, "things", body)
    assert np.abs(off).max() <= 1


def test_a_drawing_or_a_picture_by_the_file(tab: Open, url: str) -> None:
    opened = tab(url)
    pad = opened.page.locator("#pad")
    for name, card in OTHERS.items():
        opened.choose(name)
        drawn = name not in COLOR
        nothing = "Nothing is drawn yet." if drawn else "There is no picture yet."
        assert opened.text("sure") == nothing, name
        opened.draw(*DIGITS["7"])
        opened.settled()
        assert (opened.text("label") != "–") == drawn, name
        assert pad.get_attribute("role") == ("application" if drawn else "img"), name
        box = pad.bounding_box()
        assert box
        aspect = card["shape"].width / card["shape"].height
        assert box["width"] / box["height"] == pytest.approx(aspect, rel=0.01), name
        opened.clear()


def test_nothing_is_said_of_digits(tab: Open, url: str) -> None:
    opened = tab(url)
    body = encoded(photograph())
    for name in (*OTHERS, "fruit & more"):
        assert opened.text("pad-title") == "Draw a digit", name
        assert opened.page.title() == "mnist-edge: draw a digit", name
        opened.choose(name)
        for state in ("empty", "picture"):
            if state == "picture":
                opened.show("photo.png", body)
            words = opened.page.evaluate(
                "document.title + document.body.innerText + document.body.outerHTML"
            )
            assert "digit" not in words.lower(), (name, state)
        opened.clear()
        opened.choose("edge")
    assert opened.text("pad-title") == "Draw a digit"


def test_what_was_drawn_waits_for_a_file_that_takes_it(tab: Open, url: str) -> None:
    opened = tab(url)
    opened.add_strokes(*DIGITS["3"])
    opened.choose("things")
    assert opened.text("label") == "–"
    assert opened.page.locator("#clear").is_disabled()
    assert opened.page.locator("#undo").is_disabled()
    opened.choose("edge")
    assert opened.text("label") == "3"
    opened.choose("things")
    opened.show("photo.png", encoded(photograph()))
    assert opened.text("label") in OTHERS["things"]["classes"]
    opened.page.keyboard.press("Control+z")
    opened.settled()
    assert opened.text("label") == "–"
    opened.choose("edge")
    assert opened.text("label") == "3"


def test_an_empty_sheet_asks_for_a_file(tab: Open, url: str) -> None:
    opened = tab(url)
    opened.choose("things")
    with opened.page.expect_file_chooser():
        opened.page.locator("#sheet").click()


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_pictures_come_by_drop_and_paste(tab: Open, url: str, models: list[Path], way: str) -> None:
    opened = tab(url)
    opened.choose("things")
    body = encoded(photograph())
    opened.page.evaluate(_GIVEN, [way, base64.b64encode(body).decode()])
    opened.until("document.getElementById('label').textContent !== '–'")
    assert np.array_equal(opened.seen()[:, :, :3], expected(models, "things", body))


_GIVEN = """([way, text]) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], "photo.png", { type: "image/png" }));
  const given = { bubbles: true, cancelable: true };
  document.body.dispatchEvent(way === "drop"
    ? new DragEvent("drop", { dataTransfer: data, ...given })
    : new ClipboardEvent("paste", { clipboardData: data, ...given }));
}"""


def test_a_picture_too_large_to_be_sent_is_prepared_in_the_page(
    tab: Open, drawn_server: str, models: list[Path]
) -> None:
    opened = tab(drawn_server)
    opened.choose("things")
    noise = np.random.default_rng(0).integers(0, 256, (1700, 1700, 3), np.uint8)
    body = encoded(noise, compress_level=0)
    assert len(body) > 8_000_000
    opened.show("noise.png", body)
    assert np.array_equal(opened.seen()[:, :, :3], expected(models, "things", body))
    assert opened.text("error") == ""


@pytest.mark.parametrize("name", OTHERS)
def test_webassembly_answers_as_python_in_every_shape(
    engine_page: Opened, models: list[Path], name: str
) -> None:
    shape = OTHERS[name]["shape"]
    images = np.random.default_rng(0).integers(0, 256, (20, *shape.dims), np.uint8)
    compare(engine_page, file_of(models, name), images)


def test_golden_answers_of_every_shape_are_checked_here(tab: Open, url: str) -> None:
    opened = tab(url)
    for name in OTHERS:
        opened.choose(name)
        assert opened.page.locator("#self-test.passed").count() == 1, name


def test_a_picture_is_taken_with_the_camera(tab: Open, url: str) -> None:
    opened = tab(url, permissions=["camera"])
    page = opened.page
    assert not page.locator("#camera").is_visible()  # a digit is drawn, as before
    opened.choose("things")
    page.get_by_role("button", name="Camera").click()
    opened.until("document.getElementById('live').videoWidth > 0")
    assert page.evaluate("document.activeElement.id") == "take"
    page.keyboard.press("Enter")
    opened.until("import('./app.js').then((app) => !app.camera.on && app.settled())")
    opened.until("document.getElementById('label').textContent !== '–'")
    assert not page.locator("#live").is_visible()
    assert opened.seen()[:, :, 1].max() > 100  # the picture of Chromium's fake camera is green
    assert page.evaluate("document.activeElement.id") == "camera"
    assert opened.complaints == []


def test_the_camera_is_closed_by_escape_and_by_a_file_of_digits(tab: Open, url: str) -> None:
    opened = tab(url, permissions=["camera"])
    page = opened.page
    opened.choose("things")
    opened.show("photo.png", encoded(photograph()))
    before = opened.text("label")
    page.get_by_role("button", name="Camera").click()
    opened.until("document.getElementById('live').videoWidth > 0")
    assert opened.text("label") == "–"  # no old answer beside what is live
    tracks = page.evaluate_handle("document.getElementById('live').srcObject.getTracks()")
    page.keyboard.press("Escape")
    opened.settled()
    assert opened.text("label") == before
    assert tracks.evaluate("(tracks) => tracks.map((track) => track.readyState)") == ["ended"]
    page.get_by_role("button", name="Camera").click()
    opened.until("import('./app.js').then((app) => app.camera.on)")
    opened.choose("edge")
    assert not page.locator("#live").is_visible()
    assert page.evaluate("import('./app.js').then((app) => !app.camera.on)")


def refuse(context: "BrowserContext") -> None:
    context.clear_permissions()


def without_camera(context: "BrowserContext") -> None:
    """As a page that is neither on https nor on localhost."""
    context.add_init_script("delete Navigator.prototype.mediaDevices")


def test_a_camera_that_is_refused_or_missing_is_one_line(tab: Open, url: str) -> None:
    opened = tab(url, prepare=refuse)
    opened.choose("things")
    assert not opened.page.locator("#no-camera").is_visible()
    opened.page.get_by_role("button", name="Camera").click()
    opened.until("document.getElementById('error').textContent !== ''")
    assert "the camera was refused" in opened.text("error")
    assert not opened.page.locator("#live").is_visible()
    opened.show("photo.png", encoded(photograph()))
    assert opened.text("error") == ""

    opened = tab(url, prepare=without_camera)
    assert not opened.page.locator("#no-camera").is_visible()
    opened.choose("things")
    assert "https and localhost" in opened.text("no-camera")
    assert not opened.page.locator("#camera").is_visible()


_STATES: dict[str, Callable[[Opened], None]] = {
    "empty": lambda opened: None,
    "picture": lambda opened: opened.show("photo.png", encoded(photograph())),
    "camera": lambda opened: opened.page.get_by_role("button", name="Camera").click(),
}


@pytest.mark.parametrize(("width", "scheme"), [*itertools.product([360, 1440], ["light", "dark"])])
def test_nobody_is_kept_out_in_any_state(
    tab: Open, hosted: str, axe: str, screenshots: Path, width: int, scheme: str
) -> None:
    opened = tab(hosted, width, color_scheme=scheme, bypass_csp=True, permissions=["camera"])
    opened.page.add_script_tag(content=axe)
    for name, (state, enter) in itertools.product(COLOR, _STATES.items()):
        opened.choose(name)
        opened.page.keyboard.press("Delete")
        enter(opened)
        opened.settled()
        found = opened.page.evaluate(
            "axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] })"
        )
        told = [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]]
        assert told == [], (name, state)
        opened.page.screenshot(path=screenshots / f"{name}-{state}-{width}-{scheme}.png")
        opened.page.keyboard.press("Escape")


def test_long_names_stick_out_nowhere(tab: Open, url: str) -> None:
    opened = tab(url)
    body = encoded(photograph())
    for name in OTHERS:
        opened.clear()
        opened.choose(name)
        opened.show("photo.png", body)
        for width in (320, 360, 720, 1280):
            opened.resize(width)
            assert opened.page.evaluate("document.documentElement.scrollWidth") <= width, name
            edges = opened.page.evaluate(
                """[...document.querySelectorAll(".bars span")].map((part) => {
                  const card = part.closest(".card").getBoundingClientRect();
                  return card.right - part.getBoundingClientRect().right;
                })"""
            )
            assert min(edges) > 0, (name, width)
