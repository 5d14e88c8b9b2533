"""The page and its answers over HTTP, for whoever sits at this machine.

Browsers let any site send requests to this address, so each is asked where it comes from: its
Host must be an address of this server (else a name that was turned to it would do: DNS
rebinding), its Origin the page's own (Fetch Metadata; RFC 9110, RFC 6454). Paths are looked up in
a table and never on the disk. Bodies, connections and rate are limited.
"""

import contextlib
import ipaddress
import json
import socket
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any
from urllib.parse import parse_qs, urlsplit

from mnist_edge.errors import DataError, EdgeError, ModelError
from mnist_edge.web import facts
from mnist_edge.web.answering import IMAGE_BYTES, Answers

LOOPBACK = "127.0.0.1"
_MOST_BODY = 20_000_000  # bytes: a photograph
_MOST_CONNECTIONS = 32
_PER_SECOND, _BURST = 120.0, 240.0  # requests
_SLOWEST_S = 15.0  # for a request to arrive
_IMAGE, _PICTURE = "application/octet-stream", "image/"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
    ".json": "application/json",
}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class RefusedError(Exception):
    """A request that is not answered, with the status and the reason that it is told."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Server(ThreadingHTTPServer):
    """Serves the page and answers on `host`:`port`; port 0 takes a free one.

    EdgeError where it cannot listen there. `serve_forever` serves, `shutdown` ends it.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, answers: Answers, host: str = LOOPBACK, port: int = 0) -> None:
        self.answers = answers
        self.files = _page() | {f"/{facts.FILE}": (_TYPES[".json"], _json(answers.site))}
        self._host = host
        self._rate = _Rate(_PER_SECOND, _BURST)
        self._free = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise EdgeError(
                f"cannot serve on {host}, port {port}: {reason}. Choose another --port, or leave "
                "it out"
            ) from error

    @property
    def url(self) -> str:
        """Where the page is."""
        shown = LOOPBACK if _is_any(self._host) else self._host
        return f"http://{shown}:{self.server_port}/"

    def address_elsewhere(self) -> str | None:
        """Where other devices find the page, if they are let in and this one has a network."""
        if not _is_any(self._host):
            return None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(("192.0.2.1", 9))  # sends nothing (RFC 5737), but chooses a way out
            except OSError:
                return None
            return f"http://{probe.getsockname()[0]}:{self.server_port}/"

    def server_bind(self) -> None:
        super(ThreadingHTTPServer, self).server_bind()  # the other asks a name server for a name

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in between is no error; a bug keeps its traceback."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)

    def check_rate(self) -> None:
        if not self._rate.take():
            raise RefusedError(HTTPStatus.TOO_MANY_REQUESTS, "too many requests: wait a second")

    def is_own(self, host: str) -> bool:
        """Whether a Host header names this server: an address, localhost, or what it was told to
        listen on."""
        try:
            parts = urlsplit(f"//{host}")
            name, port = parts.hostname or "", parts.port or 80
        except ValueError:
            return False
        if port != self.server_port:
            return False
        known = name in ("localhost", self._host) or _is_loopback(name)
        return known or (not _is_loopback(self._host) and _is_address(name))


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "mnist-edge", ""
    timeout = _SLOWEST_S
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer(self._file)

    def do_HEAD(self) -> None:
        self._answer(self._file)

    def do_POST(self) -> None:
        self._answer(self._posted)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the terminal is the user's."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What http.server itself refuses: lines too long, methods unknown."""
        self.close_connection = True
        status = HTTPStatus(code)
        if status is HTTPStatus.NOT_IMPLEMENTED:
            status = HTTPStatus.METHOD_NOT_ALLOWED
        self._send(status, _TYPES[".json"], _json({"error": message or status.phrase}))

    def _answer(self, handle: Any) -> None:
        try:
            self._check_origin()
            self.server.check_rate()
            kind, content = handle()
            self._send(HTTPStatus.OK, kind, content)
        except RefusedError as refused:
            self.close_connection = True  # its body has not been read
            self._send(refused.status, _TYPES[".json"], _json({"error": str(refused)}))

    def _check_origin(self) -> None:
        host = self.headers.get("Host", "")
        if not self.server.is_own(host):
            raise RefusedError(
                HTTPStatus.FORBIDDEN, "this server is not called so: use its address"
            )
        origin = self.headers.get("Origin")
        if origin is not None and origin != f"http://{host}":
            raise RefusedError(HTTPStatus.FORBIDDEN, "requests of other sites are not answered")
        place = self.headers.get("Sec-Fetch-Site", "none")
        opened = self.command == "GET" and self.headers.get("Sec-Fetch-Mode") == "navigate"
        if place not in ("same-origin", "none") and not opened:
            raise RefusedError(HTTPStatus.FORBIDDEN, "requests of other sites are not answered")

    def _file(self) -> tuple[str, bytes]:
        found = self.server.files.get(urlsplit(self.path).path)
        if found is None:
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is no such page")
        return found

    def _posted(self) -> tuple[str, bytes]:
        asked = urlsplit(self.path)
        if asked.path != "/answer":
            raise RefusedError(HTTPStatus.NOT_FOUND, "only /answer is posted to")
        name = parse_qs(asked.query).get("model", [""])[0]
        answers = self.server.answers
        if name not in answers:
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is no such model: see site.json")
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != _IMAGE and not kind.startswith(_PICTURE):
            raise RefusedError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"post an image as {_IMAGE}, {IMAGE_BYTES} bytes, or a picture as image/…",
            )
        body = self._body(IMAGE_BYTES if kind == _IMAGE else _MOST_BODY)
        try:
            read = answers.of_image if kind == _IMAGE else answers.of_picture
            return _TYPES[".json"], _json(read(name, body))
        except DataError as error:
            raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
        except ModelError as error:
            raise RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR, str(error)) from error

    def _body(self, most: int) -> bytes:
        length = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not length.isascii() or not length.isdigit():
            raise RefusedError(HTTPStatus.LENGTH_REQUIRED, "say the body's length: Content-Length")
        if len(length) > 12 or int(length) > most:
            raise RefusedError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body may have {most:,} bytes at most"
            )
        wanted, parts, ends = int(length), [], time.monotonic() + _SLOWEST_S
        while wanted:
            if time.monotonic() > ends:
                raise RefusedError(HTTPStatus.REQUEST_TIMEOUT, "the body came too slowly")
            part = self.rfile.read1(min(wanted, 1 << 16))
            if not part:
                raise RefusedError(HTTPStatus.BAD_REQUEST, "the body is shorter than was said")
            parts.append(part)
            wanted -= len(part)
        return b"".join(parts)

    def _send(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            with contextlib.suppress(ConnectionError):
                self.wfile.write(content)


class _Rate:
    """A token bucket: so many a second, and a burst more."""

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second, self._burst = per_second, burst
        self._tokens, self._last = burst, time.monotonic()
        self._lock = threading.Lock()

    def take(self) -> bool:
        with self._lock:
            now = time.monotonic()
            gained = (now - self._last) * self._per_second
            self._tokens, self._last = min(self._burst, self._tokens + gained), now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True


def _page() -> dict[str, tuple[str, bytes]]:
    """What is served: every path, with its type and its bytes."""
    found = {}
    for file in (resources.files(__package__) / "page").iterdir():
        suffix = f".{file.name.rpartition('.')[2]}"
        if suffix in _TYPES:
            found[f"/{file.name}"] = (_TYPES[suffix], file.read_bytes())
    found["/"] = found["/index.html"]
    return found


def _json(values: Any) -> bytes:
    return json.dumps(values, ensure_ascii=False).encode()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    return name == "localhost" or (_is_address(name) and ipaddress.ip_address(name).is_loopback)


def _is_any(name: str) -> bool:
    return name == "" or (_is_address(name) and ipaddress.ip_address(name).is_unspecified)
