"""What only the static site has: it works without a network, and from a CDN that is not trusted."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mnist_edge.model_file import model_paths
from mnist_edge.web.runtime import Runtime, from_cdn
from mnist_edge.web.site import export
from tests.browser.conftest import Open, hosting
from tests.browser.test_page import DIGITS

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Route


@pytest.fixture
def copied(site: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(site, tmp_path / "site"))


def fresh(context: "BrowserContext") -> None:
    """A browser that has never seen the page."""


_KEPT = "navigator.serviceWorker.ready.then(({ active }) => active.state === 'activated')"


def test_after_the_first_visit_it_needs_no_network(tab: Open, copied: Path) -> None:
    with hosting(copied) as url:
        opened = tab(url, prepare=fresh)
        opened.until(_KEPT)
    opened.page.context.set_offline(True)
    opened.page.reload()
    opened.started()
    opened.add_strokes(*DIGITS["3"])
    opened.settled()
    assert opened.text("label") == "3"
    opened.choose("edge-xs-int8")  # no model that was not shown before is missing
    assert opened.text("label") == "3"


def test_a_new_version_takes_the_place_of_what_is_kept(
    tab: Open, copied: Path, runtime: Runtime
) -> None:
    with hosting(copied) as url:
        opened = tab(url, prepare=fresh)
        opened.until(_KEPT)
        export(model_paths.default_files()[:1], copied, runtime)
        opened.page.reload()
        opened.until(
            "caches.keys().then((names) => names.length === 1 && names[0] !== before)".replace(
                "before", repr(opened.page.evaluate("caches.keys().then((names) => names[0])"))
            )
        )
        opened.page.reload()
        opened.started()
        assert opened.page.locator("#model option").count() == 1


def test_it_can_be_installed(tab: Open, hosted: str) -> None:
    opened = tab(hosted, prepare=fresh)
    opened.until(_KEPT)
    page = opened.page
    found = page.context.new_cdp_session(page).send("Page.getInstallabilityErrors")
    reasons = {error["errorId"] for error in found["installabilityErrors"]}
    assert reasons <= {"in-incognito"}  # as every context of Playwright is


@pytest.mark.parametrize("file", ["models/edge.onnx", "runtime/ort-wasm-simd-threaded.wasm"])
def test_what_was_changed_on_its_way_is_not_run(tab: Open, copied: Path, file: str) -> None:
    path = copied / file
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with hosting(copied) as url:
        opened = tab(url, prepare=fresh)
        opened.add_strokes(*DIGITS["3"])
        opened.until("document.getElementById('error').textContent !== ''")
        assert opened.text("label") == "–"


@pytest.mark.parametrize("changed", [False, True])
def test_from_a_cdn(tab: Open, tmp_path: Path, runtime: Runtime, changed: bool) -> None:
    """The network ends here, so the CDN's addresses are answered from the npm package."""
    site = export(model_paths.default_files()[:2], tmp_path / "site", from_cdn()).folder

    def answer(asked: "Route") -> None:
        name = asked.request.url.removeprefix(from_cdn().sources)
        content = runtime.files[f"runtime/{name}"]
        kind = "text/javascript" if name.endswith("mjs") else "application/wasm"
        body = content + b" " if changed else content
        asked.fulfill(body=body, content_type=kind, headers={"Access-Control-Allow-Origin": "*"})

    def prepare(context: "BrowserContext") -> None:
        context.route(f"{from_cdn().sources}*", answer)

    with hosting(site) as url:
        opened = tab(url, prepare=prepare)
        if changed:
            assert "cannot be loaded, or is not what was published" in opened.text("error")
            return
        opened.add_strokes(*DIGITS["3"])
        opened.settled()
        assert (opened.text("label"), opened.text("error")) == ("3", "")


def test_another_site_cannot_use_the_drawing_server(
    tab: Open, drawn_server: str, hosted: str
) -> None:
    page = tab(hosted, prepare=fresh, bypass_csp=True).page
    code = """async (url) => {
      const tell = (call) => call.then(() => "read", () => "refused");
      const bytes = new Uint8Array(784);
      const plain = { method: "POST", body: bytes };
      const sent = { ...plain, headers: { "Content-Type": "image/png" } };
      return [
        await tell(fetch(`${url}site.json`)),
        await tell(fetch(`${url}answer?model=edge`, sent)),
        await tell(fetch(`${url}answer?model=edge`, { ...plain, mode: "no-cors" })),
      ];
    }"""
    assert page.evaluate(code, drawn_server) == ["refused"] * 3
