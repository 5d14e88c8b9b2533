import base64
import contextlib
import http.client
import io
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from mnist_edge import preprocess
from mnist_edge.classifier import Classifier
from mnist_edge.errors import EdgeError
from mnist_edge.image_shape import Fit, ImageShape
from mnist_edge.web import handler, request_limits
from mnist_edge.web import server as web
from mnist_edge.web.request_limits import State
from mnist_edge.web.server import Server
from mnist_edge.web.service import AnswerService
from tests.conftest import make_card, write_golden_model, write_tiny_model
from tests.difficult import several
from tests.preprocess.drawing import drawing

IMAGE = "application/octet-stream"
SHAPE = ImageShape(height=24, width=40, channels=3)
Reply = tuple[int, dict[str, str], bytes]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("models")
    names = make_card(classes=("Löwe", "a b", "c"), dataset="folder:/secret/animals")
    return [
        write_golden_model(folder / "golden.onnx"),
        write_golden_model(folder / "off.onnx", off_by=1.0),
        write_tiny_model(folder / "animals & so.onnx", names),
        write_golden_model(
            folder / "things.onnx", classes=("bus", "cat", "dog"), shape=SHAPE, fit=Fit.CROP
        ),
    ]


@pytest.fixture(scope="module")
def server(models: list[Path]) -> Iterator[Server]:
    with Server(AnswerService([Classifier(path) for path in models])) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture(autouse=True)
def unhurried(server: Server) -> None:
    """The limit of the rate is of one test alone."""
    server.rate = request_limits.Rate(1e6, 1e6)


def ask(
    server: Server,
    path: str = "/",
    method: str = "GET",
    body: bytes | None = None,
    **headers: str,
) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, named)
    response = connection.getresponse()
    found = response.status, dict(response.getheaders()), response.read()
    connection.close()
    return found


def answer(server: Server, body: bytes, kind: str = IMAGE, model: str = "golden") -> Any:
    status, _, content = ask(server, f"/answer?model={model}", "POST", body, Content_Type=kind)
    return status, json.loads(content)


def raw(server: Server, request: bytes) -> bytes:
    """What comes back until the server hangs up."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as connection:
        parts = []
        with contextlib.suppress(ConnectionError):  # it need not read all before it hangs up
            connection.sendall(request)
            while part := connection.recv(1 << 16):
                parts.append(part)
    return b"".join(parts)


def test_the_page_and_all_that_it_names_are_served(server: Server) -> None:
    status, headers, page = ask(server)
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    for name in ("style.css", "app.js", "pad.js", "icon.svg", "app.webmanifest"):
        assert name.encode() in page
        assert ask(server, f"/{name}")[0] == 200
    assert ask(server, "/", "HEAD")[2] == b""


def test_the_site_says_what_answers(server: Server, models: list[Path]) -> None:
    site = json.loads(ask(server, "/site.json")[2])
    assert site["engine"] == {"kind": "server", "most_bytes": 8_000_000}
    assert [model["name"] for model in site["models"]] == [
        "golden",
        "off",
        "animals & so",
        "things",
    ]
    golden, off, animals, things = site["models"]
    assert golden["self_test"]["passed"]
    assert not off["self_test"]["passed"]
    assert "golden answers changed" in off["self_test"]["text"]
    assert animals["self_test"] is None
    assert animals["classes"] == ["Löwe", "a b", "c"]
    assert (golden["fit"], animals["fit"]) == ("digit", "zero-pad")
    assert golden["shape"] == {"height": 28, "width": 28, "channels": 1}
    assert (things["fit"], things["shape"]) == ("crop", {"height": 24, "width": 40, "channels": 3})
    assert things["self_test"]["passed"]
    assert [model["reads_digits"] for model in site["models"]] == [True, True, False, False]
    assert animals["dataset"] == "folder"  # where it lies on this machine is nobody's business
    assert "secret" not in json.dumps(site)


def test_an_image_is_answered_as_python_answers_it(server: Server, models: list[Path]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    status, found = answer(server, image.tobytes())
    wanted = Classifier(models[0]).predict(image)
    assert status == 200
    assert found["logits"] == wanted.logits[0].tolist()
    assert found["probabilities"] == wanted.probabilities[0].tolist()
    assert found["label"] == str(wanted.labels[0])
    assert base64.b64decode(found["image"]) == image.tobytes()
    assert found["latency_us"] > 0


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_is_prepared_as_predict_prepares_it(server: Server, kind: str) -> None:
    buffer = io.BytesIO()
    Image.fromarray(drawing("4", paper=230, ink=40)).save(buffer, kind)
    status, found = answer(server, buffer.getvalue(), f"image/{kind.lower()}")
    assert status == 200
    wanted = preprocess.read_picture(io.BytesIO(buffer.getvalue()))
    assert base64.b64decode(found["image"]) == wanted.tobytes()
    assert found["digits"] == 1


def test_a_file_of_another_shape_takes_its_own_bytes_and_pictures(
    server: Server, models: list[Path]
) -> None:
    things = Classifier(models[3])
    picture = np.random.default_rng(1).integers(0, 256, (60, 50, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    wanted = preprocess.fit_image(picture, SHAPE, Fit.CROP)
    for body, kind in ((buffer.getvalue(), "image/png"), (wanted.tobytes(), IMAGE)):
        status, found = answer(server, body, kind, "things")
        assert status == 200
        assert base64.b64decode(found["image"]) == wanted.tobytes()
        assert found["logits"] == things.logits(wanted[np.newaxis])[0].tolist()
    status, told = answer(server, bytes(784), IMAGE, "things")
    assert (status, told["error"]) == (422, "an image of 40×24 colour is 2880 bytes, not 784")
    assert answer(server, bytes(2881), IMAGE, "things")[0] == 413


def test_of_a_picture_is_said_how_many_digits_it_shows(server: Server) -> None:
    page = several.sheet(np.random.default_rng(0), 1, 3).encoded()
    status, found = answer(server, page, "image/png")
    assert (status, found["digits"]) == (200, 3)


def test_names_are_read_from_the_url(server: Server) -> None:
    status, found = answer(server, bytes(784), model="animals%20%26%20so")
    assert (status, len(found["logits"])) == (200, 3)
    assert answer(server, bytes(784), model="nobody")[0] == 404


@pytest.mark.parametrize(
    ("body", "kind", "status", "reason"),
    [
        (b"", IMAGE, 422, "784 bytes"),
        (bytes(783), IMAGE, 422, "784 bytes"),
        (bytes(785), IMAGE, 413, "784 bytes"),
        (bytes(784), "text/plain", 415, "post an image"),
        (bytes(784), "", 415, "post an image"),
        (b"nonsense", "image/png", 422, "not a picture"),
        (b"", "image/png", 422, "empty"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "image/png", 422, ""),
        (bytes(8_000_001), "image/png", 413, "8,000,000 bytes"),
    ],
    ids=["empty", "short", "long", "text", "untyped", "nonsense", "no bytes", "torn", "giant"],
)
def test_hostile_bodies_are_refused_with_a_reason(
    server: Server, body: bytes, kind: str, status: int, reason: str
) -> None:
    try:
        found, told = answer(server, body, kind)
    except (BrokenPipeError, ConnectionResetError):  # it hung up on the rest of a giant
        assert status == 413
        return
    assert found == status
    assert reason in told["error"]


@pytest.mark.parametrize("length", ["-1", "1e3", "\uff10", "9" * 30, "", "0x10", "784, 784"])
def test_lengths_that_are_none_are_refused(server: Server, length: str) -> None:
    head = f"POST /answer?model=golden HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\n"
    head += f"Content-Type: {IMAGE}\r\nContent-Length: {length}\r\n\r\n"
    assert raw(server, head.encode()).split()[1] in (b"411", b"413")


def test_a_body_in_chunks_is_refused(server: Server) -> None:
    head = f"POST /answer?model=golden HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\n"
    head += f"Content-Type: {IMAGE}\r\nTransfer-Encoding: chunked\r\nContent-Length: 784\r\n\r\n"
    assert raw(server, head.encode() + b"310\r\n" + bytes(784)).split()[1] == b"411"


def test_a_body_that_stops_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "_SLOWEST_S", 0.2)
    head = f"POST /answer?model=golden HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\n"
    head += f"Content-Type: {IMAGE}\r\nContent-Length: 784\r\n\r\nabc"
    start = time.monotonic()
    assert b" 408 " in raw(server, head.encode())
    assert time.monotonic() - start < 10
    assert answer(server, bytes(784))[0] == 200


def test_a_body_that_drips_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "_SLOWEST_S", 0.3)
    port = server.server_port
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        head = f"POST /answer?model=golden HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        head += f"Content-Type: {IMAGE}\r\nContent-Length: 784\r\n\r\n"
        connection.sendall(head.encode())
        with contextlib.suppress(ConnectionError):  # it has hung up
            for _ in range(8):
                connection.sendall(b"\0")
                time.sleep(0.1)
        assert b" 408 " in connection.recv(1 << 16)


@pytest.mark.parametrize(
    "path",
    [
        "/../pyproject.toml",
        "/..%2f..%2fetc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/etc/passwd",
        "/page/../../errors.py",
        "/server.py",
        "/app.js/",
        "/app.js%00.css",
        "/exported/edge.onnx",
        "http://127.0.0.1/etc/passwd",
    ],
)
def test_no_file_of_the_machine_can_be_read(server: Server, path: str) -> None:
    status, _, content = ask(server, path)
    assert status == (403 if path.startswith("http:") else 404)
    assert list(json.loads(content)) == ["error"]


def test_every_file_of_the_page_and_no_other_is_served(server: Server) -> None:
    page = Path(web.__file__).with_name("page")
    assert set(server.files) == {"/", "/site.json"} | {f"/{path.name}" for path in page.iterdir()}


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:{port}"},
        {"Host": "127.0.0.1:1"},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1:{port}.evil.example"},
        {"Host": "[::1"},
        {"Host": "192.168.0.7:{port}"},
        {"Host": ""},
        {"Host": "evil@127.0.0.1:{port}"},
        {"Host": "127.0.0.1:{port}/evil"},
        {"Host": "127.0.0.1:{port}#"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Origin": "http://127.0.0.1:{port}.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    ],
)
def test_requests_of_other_sites_are_not_obeyed(server: Server, headers: dict[str, str]) -> None:
    given = {
        name: value.replace("{port}", str(server.server_port)) for name, value in headers.items()
    }
    for method, path in (("POST", "/answer?model=golden"), ("GET", "/site.json")):
        body = bytes(784) if method == "POST" else None
        status, found, content = ask(server, path, method, body, **given | {"Content-Type": IMAGE})
        assert status == 403, (method, given)
        assert list(json.loads(content)) == ["error"]
        assert not any(name.startswith("Access-Control") for name in found)


@pytest.mark.parametrize("name", ["Host", "Origin", "Content-Length", "Content-Type"])
def test_a_header_that_stands_there_twice_is_refused(server: Server, name: str) -> None:
    own = f"127.0.0.1:{server.server_port}"
    values = {
        "Host": own,
        "Origin": f"http://{own}",
        "Content-Length": "784",
        "Content-Type": IMAGE,
    }
    lines = [f"{key}: {value}" for key, value in values.items()] + [f"{name}: {values[name]}"]
    head = "\r\n".join(["POST /answer?model=golden HTTP/1.1", *lines]) + "\r\n\r\n"
    assert raw(server, head.encode() + bytes(784)).split()[1] == b"400"


def test_the_body_of_a_get_is_no_next_request(server: Server) -> None:
    own = f"Host: 127.0.0.1:{server.server_port}\r\n"
    hidden = f"GET /icon.svg HTTP/1.1\r\n{own}\r\n"
    head = f"GET /site.json HTTP/1.1\r\n{own}Content-Length: {len(hidden)}\r\n\r\n"
    found = raw(server, (head + hidden).encode())
    assert found.count(b"HTTP/1.1 ") == 1
    assert b"Connection: close" in found


@pytest.mark.parametrize(("to", "status"), [("evil.example", b"403"), ("127.0.0.1", b"200")])
def test_it_is_no_proxy(server: Server, to: str, status: bytes) -> None:
    port = server.server_port
    head = f"GET http://{to}:{port}/icon.svg HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    assert raw(server, (head + "Connection: close\r\n\r\n").encode()).split()[1] == status


def test_what_is_no_address_is_refused(server: Server) -> None:
    port = str(server.server_port).encode()
    found = raw(server, b"GET http://[ HTTP/1.1\r\nHost: 127.0.0.1:" + port + b"\r\n\r\n")
    assert found.split()[1] == b"400"


def test_names_that_no_text_holds_are_served_too(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "a.onnx", make_card(classes=("a", "b")))
    model = onnx.load(path)
    for entry in model.metadata_props:
        if entry.key.endswith("classes"):
            entry.value = '["\\ud800", "b"]'  # half of a character, escaped
    onnx.save(model, path)
    with Server(AnswerService([Classifier(path)])) as odd:
        site = json.loads(odd.files["/site.json"][1])
    assert site["models"][0]["classes"] == ["\\ud800", "b"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_its_own_page_is_obeyed(server: Server, host: str) -> None:
    own = f"{host}:{server.server_port}"
    headers = {"Host": own, "Origin": f"http://{own}", "Sec-Fetch-Site": "same-origin"}
    status, _, _ = ask(
        server, "/answer?model=golden", "POST", bytes(784), **headers | {"Content-Type": IMAGE}
    )
    assert status == 200


def test_a_link_on_another_site_may_open_the_page(server: Server) -> None:
    opened = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert ask(server, "/", "GET", None, **opened)[0] == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "BREW"])
def test_other_methods_are_not_known(server: Server, method: str) -> None:
    assert ask(server, "/", method)[0] == 405


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"\0\xff\xfe\r\n\r\n",
        b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: \xff\r\n\r\n",
    ],
    ids=["version", "path", "headers", "header", "bytes", "nothing", "host"],
)
def test_what_is_no_request_is_survived(server: Server, request_: bytes) -> None:
    found = raw(server, request_)
    assert not found or b" 4" in found[:20] or b" 505 " in found[:20] or b'"error"' in found
    assert_answers_again(server)


def assert_answers_again(server: Server) -> None:
    """Once the connections that it has are ended."""
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        try:
            assert ask(server)[0] == 200
            return
        except (http.client.HTTPException, ConnectionError):
            time.sleep(0.05)
    pytest.fail("it does not come back")


def test_noise_is_survived(server: Server) -> None:
    random = np.random.default_rng(0)
    start = b"POST /answer?model=golden HTTP/1.1\r\n"
    for _ in range(300):
        noise = random.integers(0, 256, random.integers(1, 300), dtype=np.uint8).tobytes()
        place = ("127.0.0.1", server.server_port)
        with (
            contextlib.suppress(ConnectionError),
            socket.create_connection(place, timeout=10) as connection,
        ):
            connection.sendall((start if random.random() < 0.5 else b"") + noise)
    assert_answers_again(server)


def test_too_many_requests_are_put_off(server: Server) -> None:
    server.rate = request_limits.Rate(50.0, 20.0)
    found = [ask(server, "/icon.svg")[0] for _ in range(60)]
    assert found[:20] == [200] * 20
    assert 429 in found
    time.sleep(0.2)
    assert ask(server)[0] == 200


def test_more_busy_connections_than_it_serves_are_hung_up_on(server: Server) -> None:
    held = held_open(server, 32)
    try:
        for connection in held:
            connection.sendall(b"GET / HTTP/1.1\r\n")  # and nothing more
        ends = time.monotonic() + 10
        while busy(server) < len(held):
            assert time.monotonic() < ends
            time.sleep(0.01)
        (late,) = held_open(server, 1)
        assert is_hung_up_on(late)
    finally:
        for connection in held:
            connection.close()
    assert_answers_again(server)


def held_open(server: Server, count: int) -> list[socket.socket]:
    place = ("127.0.0.1", server.server_port)
    return [socket.create_connection(place, timeout=10) for _ in range(count)]


def busy(server: Server) -> int:
    return [one.state for one in [*server.connections._open.values()]].count(State.HEAD)


def is_hung_up_on(connection: socket.socket) -> bool:
    with contextlib.suppress(ConnectionError):
        return connection.recv(100) == b""
    return True


def test_a_head_that_drips_is_hung_up_on(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(request_limits.LIMITS_S, State.HEAD, 0.5)
    held = held_open(server, 32)
    with contextlib.suppress(ConnectionError):
        for connection in held:
            connection.sendall(b"GET / HTTP/1.1\r\n")
        for _ in range(10):
            for connection in held:
                connection.sendall(b"X: y\r\n")
            time.sleep(0.1)
    assert all(is_hung_up_on(connection) for connection in held)
    assert ask(server)[0] == 200


def test_the_longest_idle_makes_room(server: Server) -> None:
    held = held_open(server, 32)
    assert ask(server)[0] == 200
    assert is_hung_up_on(held[0])
    held[-1].sendall(f"HEAD / HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\n\r\n".encode())
    assert b" 200 " in held[-1].recv(100)


def test_one_address_cannot_take_all_connections() -> None:
    found = request_limits.Connections(most=4, of_one=2)
    pairs = [socket.socketpair() for _ in range(6)]
    first, second, third, fourth, fifth, sixth = (pair[0] for pair in pairs)
    assert found.admit(first, "10.0.0.1", limited=True)
    assert found.admit(second, "10.0.0.1", limited=True)
    found.enter(first, State.WORK)
    found.enter(second, State.HEAD)
    assert not found.admit(third, "10.0.0.1", limited=True)
    assert found.admit(fourth, "10.0.0.2", limited=True)
    found.enter(second, State.IDLE)
    assert found.admit(third, "10.0.0.1", limited=True)  # in the place of the idle one
    assert is_hung_up_on(pairs[1][1])
    assert found.admit(fifth, "127.0.0.1", limited=False)
    found.leave(first)
    assert found.admit(sixth, "127.0.0.1", limited=False)


def test_bodies_wait_for_memory_before_they_are_read(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "memory", request_limits.Memory(1000, wait_s=0.2))
    assert answer(server, bytes(784))[0] == 200
    with server.memory.hold(500) as held:
        assert held
        assert answer(server, bytes(784))[0] == 503
    assert answer(server, bytes(784))[0] == 200


def test_many_ask_at_once(server: Server, models: list[Path]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (200, 28, 28), dtype=np.uint8)
    wanted = Classifier(models[0]).logits(images)
    wrong: list[int] = []

    def run(part: int) -> None:
        for at in range(part, len(images), 8):
            status, found = answer(server, images[at].tobytes())
            if status != 200 or not np.allclose(found["logits"], wanted[at], rtol=1e-5):
                wrong.append(at)

    threads = [threading.Thread(target=run, args=(part,)) for part in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_model_that_answers_no_numbers_is_an_error(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Classifier, "logits", lambda *_: np.full((1, 10), np.nan, np.float32))
    assert answer(server, bytes(784)) == (
        500,
        {"error": "golden.onnx answers with what is no number"},
    )


def test_of_two_files_of_one_name_the_first_answers(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    first = Classifier(write_tiny_model(tmp_path / "a.onnx"))
    second = Classifier(write_tiny_model(tmp_path / "other" / "a.onnx", seed=1))
    answers = AnswerService([first, second])
    assert answers.answer_image("a", bytes([9] * 784))["logits"] == (
        first.logits(np.full((1, 28, 28), 9, np.uint8))[0].tolist()
    )
    assert len(answers.site["models"]) == 1


def test_other_devices_are_let_in_only_where_asked_for(models: list[Path]) -> None:
    answers = AnswerService([Classifier(models[0])])
    with Server(answers, "0.0.0.0") as wide:
        port = wide.server_port
        assert wide.url == f"http://127.0.0.1:{port}/"
        assert wide.is_own(f"192.168.0.7:{port}")
        assert not wide.is_own(f"evil.example:{port}")
        elsewhere = wide.address_elsewhere()
        assert elsewhere is None or wide.is_own(elsewhere.split("/")[2])
    with Server(answers, "localhost") as named:
        assert not named.is_own(f"192.168.0.7:{named.server_port}")
        assert named.server_address[0] == "127.0.0.1"
        assert named.address_elsewhere() is None


@pytest.mark.parametrize("host", ["256.0.0.1", "no such host", "203.0.113.1"])
def test_where_it_cannot_listen_is_one_line(models: list[Path], host: str) -> None:
    with pytest.raises(EdgeError, match=f"cannot serve on {host}, port 0: .*Choose another --port"):
        Server(AnswerService([Classifier(models[0])]), host)


def test_a_port_that_is_taken_is_one_line(server: Server, models: list[Path]) -> None:
    if os.name != "posix":
        pytest.skip("Windows lets two listen on one port")
    with pytest.raises(EdgeError, match="Choose another --port"):
        Server(AnswerService([Classifier(models[0])]), "127.0.0.1", server.server_port)
