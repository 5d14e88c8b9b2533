import json
import signal
import socket
import subprocess
import sys
import urllib.request
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mnist_edge.web.server import Server
from tests.conftest import write_golden_model, write_tiny_model
from tests.helpers.cli import assert_fails, invoke


@contextmanager
def drawing(*args: object, cwd: Path) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-m", "mnist_edge", "draw", "--no-browser", *map(str, args)],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def exported(empty: Path) -> Path:
    (empty / "exported").mkdir()
    write_golden_model(empty / "exported" / "edge.onnx")
    write_golden_model(empty / "exported" / "edge-int8.onnx", precision="int8")
    return empty


def test_serves_until_ctrl_c(exported: Path) -> None:
    with drawing(cwd=exported) as process:
        assert process.stdout
        assert process.stderr
        line = process.stdout.readline()
        url, _, rest = line.partition(" ")
        assert rest == "answers with edge, edge-int8 (Ctrl-C stops it)\n"
        assert url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(url) as page:
            assert b"<title>mnist-edge" in page.read()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert process.stderr.read() == "stopped\n"
        assert process.stdout.read() == ""


def test_json_is_for_scripts_and_a_file_comes_first(exported: Path, tmp_path: Path) -> None:
    other = write_tiny_model(tmp_path / "other.onnx")
    with drawing(other, "--json", cwd=exported) as process:
        assert process.stdout
        text = ""
        while not text.endswith("}\n"):
            text += process.stdout.readline()
        found = json.loads(text)
        assert found["models"] == ["other", "edge", "edge-int8"]
        with urllib.request.urlopen(f"{found['url']}site.json") as site:
            assert [model["name"] for model in json.load(site)["models"]] == found["models"]


def served(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it be stopped as soon as it serves."""

    def stopped(self: Server, poll_interval: float = 0) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Server, "serve_forever", stopped)


@pytest.mark.parametrize(("screen", "opened"), [("", 0), (":0", 1)])
def test_opens_a_browser_where_there_is_a_screen(
    exported: Path, monkeypatch: pytest.MonkeyPatch, screen: str, opened: int
) -> None:
    served(monkeypatch)
    urls: list[str] = []
    monkeypatch.setattr(webbrowser, "open", urls.append)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", screen)
    result: Any = invoke("draw")
    assert (result.exit_code, result.stderr) == (0, "stopped\n")
    assert len(urls) == opened
    assert all(result.stdout.startswith(url) for url in urls)
    assert invoke("draw", "--no-browser").exit_code == 0
    assert len(urls) == opened


def test_a_bad_file_beside_is_left_out_and_said(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served(monkeypatch)
    (exported / "exported" / "bad.onnx").write_bytes(b"nonsense")
    result = invoke("draw", "--no-browser")
    assert result.exit_code == 0
    assert result.stderr.startswith("left out: exported/bad.onnx")
    assert "answers with edge, edge-int8 (" in result.stdout


def test_a_bad_file_that_is_named_is_an_error(exported: Path) -> None:
    (exported / "bad.onnx").write_bytes(b"nonsense")
    assert_fails(invoke("draw", "bad.onnx"), "bad.onnx")
    assert_fails(invoke("draw", "nowhere.onnx"), "there is no model file nowhere.onnx")


def test_nothing_to_draw_for_is_an_error(empty: Path) -> None:
    assert_fails(invoke("draw"), "there is no exported model")


def test_a_port_that_is_taken_is_one_line(exported: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert_fails(invoke("draw", "--port", port), f"cannot serve on 127.0.0.1, port {port}")
