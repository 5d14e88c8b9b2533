"""A real browser for the page: the system's Chromium, driven by Playwright.

`make test-web` installs what is needed where apt and npm are there; else these tests are skipped,
and say why.
"""

import base64
import functools
import http.server
import json
import os
import shutil
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mnist_edge.classifier import Classifier
from mnist_edge.image_shape import Fit, ImageShape
from mnist_edge.model_file import model_paths
from mnist_edge.web.runtime import NAME, VERSION, Runtime, from_package
from mnist_edge.web.server import Server
from mnist_edge.web.service import AnswerService
from mnist_edge.web.site import export
from tests.conftest import make_card, write_golden_model, write_tiny_model

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ROOT / ".web"
NAMES = ("apple", "Birne", "a rather long name of a class")
OTHERS: dict[str, dict[str, Any]] = {
    "things": {
        "classes": ("aeroplane", "cat", "ship"),
        "dataset": "folder:things",
        "shape": ImageShape(height=24, width=32, channels=3),
        "fit": Fit.PAD,
    },
    "parts": {
        "classes": ("ok", "left door, scratched on the outside of the frame", "x" * 200),
        "dataset": "folder:parts",
        "shape": ImageShape(height=96, width=48, channels=3),
        "fit": Fit.CROP,
    },
    "signs": {
        "classes": ("left", "right", "straight on"),
        "dataset": "folder:signs",
        "shape": ImageShape(height=20, width=64),
        "fit": Fit.PAD,
    },
}
"""Files in colour and in grey, of other shapes than MNIST's: what is changed of their cards."""
_PATIENCE_MS = 20_000
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# As root, and without what makes Chromium call home.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",  # a camera, which pages still have to ask for
]


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    api = pytest.importorskip("playwright.sync_api", reason="needs Playwright: make test-web")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("needs Chromium: make test-web")
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def runtime() -> Runtime:
    """onnxruntime-web, as `make test-web` or an `npm install` brought it."""
    for path in (PACKAGES / f"{NAME}-{VERSION}.tgz", ROOT / "node_modules" / NAME):
        if path.exists():
            return from_package(path)
    pytest.skip(f"needs {NAME}: make test-web")


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core, which looks for what keeps people out: its JavaScript."""
    for path in PACKAGES.glob("axe-core-*.tgz"):
        with tarfile.open(path) as archive:
            file = archive.extractfile("package/axe.min.js")
            assert file
            return file.read().decode()
    pytest.skip("needs axe-core: make test-web")


class _Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def hosting(folder: Path) -> Iterator[str]:
    """A folder on a plain static host: its address."""
    handler = functools.partial(_Files, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as host:
        threading.Thread(target=host.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{host.server_port}/"
        host.shutdown()


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The shipped files, one of a folder's classes, and three of pictures in other shapes."""
    folder = tmp_path_factory.mktemp("own")
    card = make_card(classes=NAMES, dataset="folder:fruit")
    own = write_tiny_model(folder / "fruit & more.onnx", card)
    others = [write_golden_model(folder / f"{name}.onnx", **card) for name, card in OTHERS.items()]
    return [*model_paths.default_files(), own, *others]


@pytest.fixture(scope="session")
def drawn_server(models: list[Path]) -> Iterator[str]:
    with Server(AnswerService([Classifier(path) for path in models])) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.url
        server.shutdown()


@pytest.fixture(scope="session")
def site(models: list[Path], runtime: Runtime, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(models, tmp_path_factory.mktemp("web") / "site", runtime).folder


@pytest.fixture(scope="session")
def hosted(site: Path) -> Iterator[str]:
    with hosting(site) as url:
        yield url


@pytest.fixture(params=["drawn_server", "hosted"], scope="module")
def url(request: pytest.FixtureRequest) -> str:
    """The page, served by `mnist-edge draw` and by a static host in turn."""
    found: str = request.getfixturevalue(request.param)
    return found


_SEEN = """(() => {
  const canvas = document.getElementById("seen");
  const { width, height } = canvas;
  const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  let data = "";
  for (const byte of copy.getImageData(0, 0, width, height).data) {
    data += String.fromCharCode(byte);
  }
  return JSON.stringify({ width, height, data: btoa(data) });
})()"""


_STEPS = 4  # of the mouse from one point of a stroke to the next


def _between(start: tuple[float, float], end: tuple[float, float]) -> NDArray[np.float64]:
    """Where the mouse rests on its way, the end among it."""
    return np.linspace(start, end, _STEPS + 1)[1:]


_ADD = """async (strokes) => {
  const { pad } = await import("./app.js");
  pad.strokes.push(...strokes);
  pad.redraw();
  pad.changed();
}"""


@dataclass
class Opened:
    """The page in a tab, and what its console complained of."""

    page: "Page"
    complaints: list[str] = field(default_factory=list)

    def text(self, name: str) -> str:
        return self.page.locator(f"#{name}").inner_text()

    def draw(self, *strokes: list[tuple[float, float]]) -> None:
        """Strokes with the mouse, on a field of 280 × 280."""
        box = self.page.locator("#pad").bounding_box()
        assert box
        scale = box["width"] / 280
        mouse = self.page.mouse
        for points in strokes:
            for at, (x, y) in enumerate(points):
                mouse.move(box["x"] + x * scale, box["y"] + y * scale, steps=_STEPS if at else 1)
                if not at:
                    mouse.down()
            mouse.up()

    def add_strokes(self, *strokes: list[tuple[float, float]]) -> None:
        """What `draw` draws, at once: the page does not answer each move of the mouse."""
        paths = [
            [stroke[0], *np.concatenate([_between(*pair) for pair in pairwise(stroke)]).tolist()]
            for stroke in strokes
        ]
        self.page.evaluate(_ADD, paths)

    def clear(self) -> None:
        self.page.evaluate("import('./app.js').then((app) => app.pad.clear())")
        self.settled()

    def resize(self, width: int, height: int = 900) -> None:
        self.page.set_viewport_size({"width": width, "height": height})
        self.until("(size) => innerWidth === size[0] && innerHeight === size[1]", [width, height])

    def started(self) -> None:
        self.page.evaluate("import('./app.js').then((app) => app.started)")

    def until(self, expression: str, *arg: object) -> None:
        """Until JavaScript is true. Playwright's own waiting is against the page's policy."""
        ends = time.monotonic() + _PATIENCE_MS / 1000
        while not self.page.evaluate(expression, *arg):
            assert time.monotonic() < ends, expression
            time.sleep(0.02)

    def settled(self) -> "Opened":
        """Until what is shown is of what is drawn now."""
        self.page.evaluate("import('./app.js').then((app) => app.refresh())")
        self.until("import('./app.js').then((app) => app.settled())")
        return self

    def show(self, name: str, body: bytes, kind: str = "image/png") -> None:
        """A picture that is chosen; until it is answered."""
        file = {"name": name, "mimeType": kind, "buffer": body}
        self.page.locator("#file").set_input_files(file)  # type: ignore[arg-type]
        self.until(
            "name => import('./app.js').then((app) => app.pad.picture?.file.name === name)", name
        )
        self.settled()

    def seen(self) -> NDArray[np.uint8]:
        """What the network sees, as the page shows it: (H, W, 4)."""
        found = json.loads(self.page.evaluate(_SEEN))
        pixels = np.frombuffer(base64.b64decode(found["data"]), np.uint8)
        return pixels.reshape(found["height"], found["width"], 4)

    def choose(self, name: str) -> None:
        option = self.page.locator("#model option").filter(has_text=f"{name} ·")
        self.page.locator("#model").select_option(label=option.first.text_content())
        self.until(
            "name => document.getElementById('file-facts').textContent.startsWith(name)"
            " && document.getElementById('self-test').textContent !== '…'",
            f"{name}.onnx",
        )


Open = Callable[..., Opened]


class Tabs:
    """Opens pages, each in a tab of its own. Tabs of equal options share a context: what was
    loaded in one is kept for the next, as for a second visit."""

    def __init__(self, browser: "Browser") -> None:
        self._browser = browser
        self._contexts: dict[str, BrowserContext] = {}

    def _context(self, options: dict[str, Any]) -> "BrowserContext":
        key = json.dumps(options, sort_keys=True)
        if key not in self._contexts:
            context = self._contexts[key] = self._browser.new_context(**options)
            context.new_page()  # keeps its window open: Chromium needs longest for a new one
        return self._contexts[key]

    def open(
        self,
        stack: ExitStack,
        url: str,
        width: int = 1440,
        height: int = 900,
        color_scheme: str = "light",
        prepare: "Callable[[BrowserContext], None] | None" = None,
        **options: Any,
    ) -> Opened:
        """The page, started; the stack closes it. With `prepare`, in a context of its own, in
        which nothing was loaded before."""
        if prepare:
            context = stack.enter_context(self._browser.new_context(**options))
            prepare(context)
        else:
            context = self._context(options)
        page = context.new_page()
        stack.callback(page.close)
        page.set_default_timeout(_PATIENCE_MS)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=color_scheme)  # type: ignore[arg-type]
        opened = Opened(page)
        page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        page.on(
            "console",
            lambda said: (
                opened.complaints.append(said.text) if said.type in ("error", "warning") else None
            ),
        )
        page.goto(url)
        opened.started()
        return opened


@pytest.fixture(scope="session")
def tabs(browser: "Browser") -> Tabs:
    return Tabs(browser)


@pytest.fixture
def tab(tabs: Tabs) -> Iterator[Open]:
    """Opens a page, until the test ends."""
    with ExitStack() as stack:
        yield functools.partial(tabs.open, stack)


@pytest.fixture(scope="session")
def engine_page(tabs: Tabs, hosted: str) -> Iterator[Opened]:
    """A page of the static site whose engine alone is asked: nothing on it changes."""
    with ExitStack() as stack:
        yield tabs.open(stack, hosted)


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where pictures of the page go, for a person to look at."""
    folder = Path(os.environ.get("MNIST_EDGE_SCREENSHOTS", PACKAGES / "screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
