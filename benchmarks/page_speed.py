"""How soon the page answers, in a browser that has never seen it. Run it with

    python -m benchmarks.page_speed

after `make test-web` has installed Chromium and onnxruntime-web. A stroke is drawn as soon as the
page has loaded; printed are the medians, and the least and greatest, of the milliseconds from the
start of the navigation to its load event and to the first answer, on loopback, by `mnist-edge draw`
and from a static host in turn.
"""

import argparse
import shutil
import statistics
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from mnist_edge.classifier import Classifier
from mnist_edge.model_file import model_paths
from mnist_edge.web.runtime import NAME, VERSION, from_package
from mnist_edge.web.server import Server
from mnist_edge.web.service import AnswerService
from mnist_edge.web.site import export
from tests.browser.conftest import BROWSERS, FLAGS, PACKAGES, hosting

_STROKE = """addEventListener("load", async () => {
  window.loaded = performance.now();
  const label = document.getElementById("label");
  new MutationObserver(() => {
    if (label.textContent !== "–") window.answered ??= performance.now();
  }).observe(label, { childList: true });
  const app = await import("./app.js");
  app.pad.strokes.push([[140, 40], [135, 130], [130, 235]]);
  await app.started;
  app.refresh();
});"""


@contextmanager
def serve() -> Iterator[str]:
    with Server(
        AnswerService([Classifier(path) for path in model_paths.default_files()])
    ) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.url
        server.shutdown()


def first_answer(browser: Browser, url: str) -> tuple[float, float]:
    """Milliseconds to the load event and to the first answer."""
    context = browser.new_context(bypass_csp=True)
    page = context.new_page()
    page.add_init_script(_STROKE)
    page.goto(url)
    page.wait_for_function("window.answered")
    loaded, answered = page.evaluate("[window.loaded, window.answered]")
    context.close()
    return loaded, answered


def summarize(values: list[float]) -> str:
    return f"{statistics.median(values):.0f} ({min(values):.0f}-{max(values):.0f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    rounds = parser.parse_args().rounds
    runtime = from_package(PACKAGES / f"{NAME}-{VERSION}.tgz")
    found = next(filter(None, map(shutil.which, BROWSERS)))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        site = export(model_paths.default_files(), Path(folder) / "site", runtime).folder
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        with serve() as draw, hosting(site) as web:
            places = {"mnist-edge draw": draw, "export --web": web}
            times = {name: list[tuple[float, float]]() for name in places}
            for _ in range(rounds):
                for name, url in places.items():
                    times[name].append(first_answer(browser, url))
        print(f"Chromium {browser.version}, {rounds} visits each")
        browser.close()
    for name, values in times.items():
        loaded, answered = (list(column) for column in zip(*values, strict=True))
        after = [end - start for start, end in values]
        print(
            f"{name}: loaded after {summarize(loaded)} ms, "
            f"first answer after {summarize(answered)} ms, "
            f"{summarize(after)} ms after the load event"
        )


if __name__ == "__main__":
    main()
