import base64
import io
import itertools
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mnist_edge import preprocess
from mnist_edge.classifier import Classifier
from mnist_edge.datasets import Dataset, digits
from mnist_edge.types import Grey
from tests.browser.conftest import NAMES, Open, Opened, Tabs
from tests.preprocess.drawing import drawing

Points = list[tuple[float, float]]
DIGITS: dict[str, list[Points]] = {
    "0": [[(140, 50), (90, 90), (85, 180), (130, 230), (185, 200), (195, 100), (140, 50)]],
    "1": [[(150, 40), (140, 130), (130, 235)]],
    "2": [[(85, 90), (130, 50), (185, 80), (165, 140), (85, 225), (200, 222)]],
    "3": [[(90, 70), (150, 55), (180, 90), (120, 138), (190, 180), (150, 225), (85, 210)]],
    "4": [[(110, 45), (85, 140), (195, 135)], [(180, 60), (165, 235)]],
    "5": [
        [(105, 60), (100, 130), (165, 130), (185, 180), (145, 225), (85, 215)],
        [(105, 60), (190, 55)],
    ],
    "6": [[(165, 45), (105, 120), (95, 200), (140, 230), (180, 190), (150, 150), (100, 180)]],
    "7": [[(80, 60), (195, 60), (130, 235)]],
}
FILES = ["edge", "edge-int8", "edge-xs", "edge-xs-int8", "resnet3-int8"]


@dataclass
class Read:
    """What the page made of one drawing."""

    label: str
    top: str
    sure: str
    ink: Grey
    seen: NDArray[np.uint8]


@pytest.fixture(scope="module")
def read(tabs: Tabs, url: str) -> dict[str, Read]:
    """The digits as they are read one after the other on one page, which complains of nothing."""
    found = {}
    with ExitStack() as stack:
        opened = tabs.open(stack, url)
        for digit, strokes in DIGITS.items():
            opened.clear()
            opened.draw(*strokes)
            opened.settled()
            found[digit] = Read(
                opened.text("label"),
                opened.page.locator(".bars .top .name").inner_text(),
                opened.text("sure"),
                grey(opened.page.evaluate(_TO_TEXT % "app.pad.ink().data"), 280),
                opened.seen()[:, :, 0],
            )
        assert opened.complaints == []
    return found


@pytest.mark.parametrize("digit", DIGITS)
def test_strokes_are_read_as_what_they_are(read: dict[str, Read], digit: str) -> None:
    assert read[digit].label == digit
    assert read[digit].top == digit
    assert "%" in read[digit].sure


def test_a_page_that_is_drawn_on_loads_what_it_preloads_alone(tab: Open, url: str) -> None:
    opened = tab(url)
    opened.add_strokes(*DIGITS["3"])
    opened.settled()
    loaded, preloaded, engine = opened.page.evaluate(_SCRIPTS)
    checks = {"golden.js"} if engine == "wasm" else set()
    assert set(loaded) == {"app.js", *preloaded} | checks
    assert not {"fit.js", "picture.js"} & set(loaded)  # digits that are drawn need neither


_SCRIPTS = """import("./app.js").then((app) => {
  const loaded = performance.getEntriesByType("resource").map((one) => one.name.split("/").pop());
  const preloaded = [...document.querySelectorAll("link[rel=modulepreload]")];
  return [
    loaded.filter((name) => name.endsWith(".js")),
    preloaded.map((link) => link.getAttribute("href")),
    app.state.site.engine.kind,
  ];
})"""


def test_the_answer_comes_while_one_draws(tab: Open, url: str) -> None:
    opened = tab(url)
    box = opened.page.locator("#pad").bounding_box()
    assert box
    opened.page.mouse.move(box["x"] + 100, box["y"] + 60)
    opened.page.mouse.down()
    opened.page.mouse.move(box["x"] + 100, box["y"] + 200, steps=10)
    opened.until("document.getElementById('label').textContent !== '–'")
    opened.page.mouse.up()


@pytest.mark.parametrize("digit", DIGITS)
def test_the_network_sees_what_python_makes_of_the_same_canvas(
    read: dict[str, Read], digit: str
) -> None:
    ink, seen = read[digit].ink, read[digit].seen
    assert np.array_equal(seen, preprocess.prepare_drawing(ink))
    page = io.BytesIO()
    Image.fromarray(255 - ink).save(page, "PNG")
    page.seek(0)
    assert np.array_equal(seen, preprocess.read_picture(page))


_TO_TEXT = """import('./app.js').then((app) => {
  let text = "";
  for (const byte of %s) text += String.fromCharCode(byte);
  return btoa(text);
})"""


def grey(text: str, side: int) -> Grey:
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(side, side)


_ANSWERS = """async ([name, text]) => {
  const { state } = await import("./app.js");
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const model = state.site.models.find((one) => one.name === name);
  const found = [];
  const { height, width, channels } = model.shape, size = height * width * channels;
  for (let at = 0; at < bytes.length; at += size) {
    const answer = await state.engine.answer(model, bytes.slice(at, at + size));
    found.push([answer.label, answer.logits]);
  }
  return JSON.stringify(found);
}"""


def compare(opened: Opened, file: Path, images: Grey) -> None:
    """Labels are equal; logits differ by 1e-4 at most, in int8 by one of 255 steps."""
    model = Classifier(file)
    wanted = model.predict(images)
    asked = [file.stem, base64.b64encode(images.tobytes()).decode()]
    found = json.loads(opened.page.evaluate(_ANSWERS, asked))
    labels = [model.classes[at] for at in wanted.labels]
    assert [label for label, _ in found] == labels
    off = np.abs(np.array([logits for _, logits in found], np.float32) - wanted.logits).max()
    quantum = float(np.ptp(wanted.logits)) / 255
    assert off <= (quantum if model.card.precision == "int8" else 1e-4)


@pytest.mark.parametrize("name", FILES)
def test_webassembly_answers_as_python_on_digits(
    engine_page: Opened, models: list[Path], name: str
) -> None:
    file = next(path for path in models if path.stem == name)
    compare(engine_page, file, digits.load().test.images[:100])


@pytest.mark.parametrize("name", FILES)
def test_webassembly_answers_as_python_on_a_thousand_test_images(
    engine_page: Opened, models: list[Path], name: str, mnist: Dataset
) -> None:
    file = next(path for path in models if path.stem == name)
    compare(engine_page, file, mnist.test.images[:1000])


def test_golden_answers_are_checked_here(tab: Open, url: str) -> None:
    opened = tab(url)
    for name in FILES:
        opened.choose(name)
        assert opened.page.locator("#self-test.passed").count() == 1, name
        assert not opened.page.locator("#self-test").is_visible(), name  # until somebody asks
        opened.page.get_by_text("How it was timed and tested").click()
        assert "8 of 8 as where it was made" in opened.text("self-test"), name
        assert "the CPU sleeps in between" in opened.page.locator("#checks").inner_text(), name
        opened.page.get_by_text("How it was timed and tested").click()


def test_a_self_test_that_fails_is_in_sight(tab: Open, url: str) -> None:
    opened = tab(url)
    failing = "async () => ({ passed: false, text: '3 of 8 differ' })"
    opened.page.evaluate(
        f"import('./app.js').then((app) => {{ app.state.engine.selfTest = {failing} }})"
    )
    opened.choose("edge-xs")
    assert opened.page.locator("#self-test.failed").is_visible()
    assert "3 of 8 differ" in opened.text("self-test")


def test_models_are_switched_between_and_each_has_its_own_median(tab: Open, url: str) -> None:
    opened = tab(url)
    opened.add_strokes(*DIGITS["3"])
    opened.settled()
    assert opened.text("file-facts") == "edge.onnx, 286 kB"
    assert opened.text("accuracy").startswith("99.65 %")
    for name in FILES[1:]:
        opened.choose(name)
        assert opened.text("label") == "3"
        assert opened.text("file-facts").startswith(f"{name}.onnx")
        assert opened.text("median").endswith(", of 1")
    opened.draw([(10, 10), (12, 12)])
    opened.settled()
    assert int(opened.text("median").split()[-1]) > 1


def test_names_of_ones_own_classes_are_shown(tab: Open, url: str) -> None:
    opened = tab(url)
    opened.choose("fruit & more")
    opened.add_strokes(*DIGITS["3"])
    opened.settled()
    assert opened.page.locator(".bars .name").all_inner_texts() == list(NAMES)
    assert opened.text("label") in NAMES
    before = opened.seen()
    opened.page.get_by_label("dark on light").check()
    opened.settled()
    after = opened.seen()
    assert abs(int(after[0, 0, 0]) - int(before[0, 0, 0])) == 255


def test_undo_and_clear_by_keyboard(tab: Open, url: str) -> None:
    opened = tab(url)
    press = opened.page.keyboard.press
    opened.draw(DIGITS["7"][0])
    opened.settled()
    seven = opened.seen()
    opened.draw([(40, 40), (60, 250)])
    opened.settled()
    assert not np.array_equal(opened.seen(), seven)
    press("Control+z")
    opened.settled()
    assert np.array_equal(opened.seen(), seven)
    press("Delete")
    opened.settled()
    assert (opened.text("label"), opened.text("sure")) == ("–", "Nothing is drawn yet.")
    press("Control+z")  # what was cleared comes back
    opened.settled()
    assert np.array_equal(opened.seen(), seven)
    for _ in range(5):
        press("Control+z")
    opened.settled()
    assert opened.text("label") == "–"
    assert opened.page.locator("#undo").is_disabled()


def test_undo_and_clear_by_buttons(tab: Open, url: str) -> None:
    opened = tab(url)
    opened.draw(DIGITS["1"][0])
    opened.page.get_by_role("button", name="Clear").click()
    opened.settled()
    assert opened.text("label") == "–"
    opened.page.get_by_role("button", name="Undo").click()
    opened.settled()
    assert opened.text("label") == "1"


def test_a_digit_can_be_drawn_with_the_keyboard_alone(tab: Open, url: str) -> None:
    opened = tab(url)
    page = opened.page
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "pad":
            break
    for key, times in (("ArrowUp", 12), (" ", 1), ("ArrowDown", 24), (" ", 1)):
        for _ in range(times):
            page.keyboard.press(key)
    opened.settled()
    assert opened.text("label") == "1"


def test_fingers_draw_and_do_not_scroll(tab: Open, url: str) -> None:
    opened = tab(url, 360, 740, has_touch=True, is_mobile=True)
    touch = opened.page.context.new_cdp_session(opened.page)
    box = opened.page.locator("#pad").bounding_box()
    assert box
    scale, points = box["width"] / 280, DIGITS["7"][0]
    path = [
        {
            "x": box["x"] + scale * (a[0] + (b[0] - a[0]) * step / 10),
            "y": box["y"] + scale * (a[1] + (b[1] - a[1]) * step / 10),
        }
        for a, b in itertools.pairwise(points)
        for step in range(11)
    ]
    for at, place in enumerate(path):
        kind = "touchMove" if at else "touchStart"
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [place]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    opened.settled()
    assert opened.text("label") == "7"
    assert opened.page.evaluate("scrollY") == 0


def photograph(text: str) -> bytes:
    """Dark ink on grey paper in a light that is a little uneven."""
    page = drawing(text, paper=200, ink=50, size=(400, 300)).astype(np.float32)
    page *= np.linspace(0.8, 1.1, 300, dtype=np.float32)
    buffer = io.BytesIO()
    Image.fromarray(page.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


@pytest.mark.parametrize("way", ["chosen", "dropped", "pasted"])
def test_pictures_are_read(tab: Open, url: str, way: str) -> None:
    opened = tab(url)
    body = photograph("4")
    if way == "chosen":
        file = {"name": "four.jpg", "mimeType": "image/jpeg", "buffer": body}
        opened.page.locator("#file").set_input_files(file)  # type: ignore[arg-type]
    else:
        opened.page.evaluate(_GIVEN, [way, base64.b64encode(body).decode()])
    opened.until("document.getElementById('label').textContent === '4'")
    opened.page.keyboard.press("Control+z")
    opened.settled()
    assert opened.text("label") == "–"
    assert opened.complaints == []


_GIVEN = """([way, text]) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], "four.jpg", { type: "image/jpeg" }));
  const kind = way === "dropped"
    ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
    : new ClipboardEvent("paste", { clipboardData: data, bubbles: true });
  document.body.dispatchEvent(kind);
}"""


def test_what_is_no_picture_is_said(tab: Open, url: str) -> None:
    opened = tab(url)
    file = {"name": "notes.png", "mimeType": "image/png", "buffer": b"nonsense"}
    opened.page.locator("#file").set_input_files(file)  # type: ignore[arg-type]
    opened.until("document.getElementById('error').textContent !== ''")
    assert opened.text("error") == "notes.png is no picture that this browser can read"
    opened.add_strokes(*DIGITS["3"])
    opened.settled()
    assert (opened.text("label"), opened.text("error")) == ("3", "")


@pytest.mark.parametrize(("width", "height"), [(360, 740), (1440, 900)])
def test_nothing_moves_and_nothing_sticks_out(tab: Open, url: str, width: int, height: int) -> None:
    opened = tab(url, width, height)
    opened.add_strokes(*DIGITS["3"])
    opened.settled()
    opened.choose("edge-xs-int8")
    shift = opened.page.evaluate(_SHIFT)
    assert shift < 0.01
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_longest_text_of_the_list_fits_in(tab: Open, url: str) -> None:
    opened = tab(url)
    for width in (320, 360, 390, 720, 1280):
        opened.resize(width)
        needed, room = opened.page.evaluate(_LIST)
        assert needed + _ARROW <= room, width


_ARROW = 20  # pixels at the right end of a list
_LIST = """(() => {
  const list = document.getElementById('model');
  const style = getComputedStyle(list);
  const pen = document.createElement('canvas').getContext('2d');
  pen.font = style.font;
  const widths = [...list.options].map((option) => pen.measureText(option.text).width);
  const padding = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
  return [Math.max(...widths), list.clientWidth - padding];
})()"""


def test_a_laptop_shows_the_whole_page(tab: Open, url: str) -> None:
    opened = tab(url)
    opened.add_strokes(*DIGITS["3"])
    for width, height in ((1280, 800), (1366, 768), (1440, 900)):
        opened.resize(width, height)
        opened.settled()
        needed = opened.page.evaluate("document.documentElement.scrollHeight")
        assert needed <= height, (width, height)


_SHIFT = """new Promise((resolve) => {
  let sum = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) sum += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
  setTimeout(() => resolve(sum), 300);
})"""


def looks(opened: Opened) -> Iterator[tuple[int, str]]:
    """The page as a phone and a laptop show it, by day and by night, in turn."""
    for width, scheme in itertools.product((360, 1440), ("light", "dark")):
        opened.resize(width)
        opened.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        opened.settled()
        yield width, scheme


def test_nobody_is_kept_out(tab: Open, url: str, axe: str) -> None:
    opened = tab(url, bypass_csp=True)
    opened.page.add_script_tag(content=axe)
    opened.add_strokes(*DIGITS["3"])
    for look in looks(opened):
        found = opened.page.evaluate(
            "axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] })"
        )
        told = [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]]
        assert told == [], look


def test_a_screen_reader_is_told_once_the_pen_rests(tab: Open, url: str) -> None:
    opened = tab(url)
    opened.draw(*DIGITS["3"])
    opened.until("document.getElementById('spoken').textContent.startsWith('3, 9')")


def test_screenshots_for_a_person_to_look_at(
    tab: Open, url: str, screenshots: Path, request: pytest.FixtureRequest
) -> None:
    opened = tab(url)
    opened.add_strokes(*DIGITS["3"])
    opened.page.wait_for_selector("#self-test.passed", state="attached")
    name = "draw" if "drawn_server" in request.node.name else "web"
    for width, scheme in looks(opened):
        path = screenshots / f"{name}-{width}-{scheme}.png"
        opened.page.screenshot(path=path, full_page=True)
        with Image.open(path) as image:
            assert image.width == width
            corner = np.asarray(image.convert("L"))[2, 2]
        assert (corner > 128) == (scheme == "light"), (width, scheme)
