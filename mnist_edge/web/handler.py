"""One request to the page's server: who asks, for what, and whether it is answered.

Browsers let any site send requests to this address, so each is asked where it comes from: its
Host must be an address of this server (else a name that was turned to it would do: DNS
rebinding), its Origin the page's own (Fetch Metadata; RFC 9110, RFC 6454). Paths are looked up in
a table and never on the disk.
"""

import contextlib
import json
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

from mnist_edge.errors import DataError, ModelError
from mnist_edge.web.access import GuardedServer, RefusedError
from mnist_edge.web.request_limits import State
from mnist_edge.web.service import MOST_PICTURE_BYTES

JSON = "application/json"
_SLOWEST_S = 15.0  # for a body to arrive
_SINGLE = ("Host", "Origin", "Content-Length", "Content-Type")  # of two, which one counts?
_IMAGE, _PICTURE = "application/octet-stream", "image/"
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


class Handler(BaseHTTPRequestHandler):
    server: GuardedServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "mnist-edge", ""
    timeout = _SLOWEST_S
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        """As http.server does, within the time that a request may take to arrive."""
        connections = self.server.connections
        connections.enter(self.connection, State.IDLE)
        with contextlib.suppress(OSError):
            if self.rfile.peek(1):  # type: ignore[attr-defined]
                connections.enter(self.connection, State.HEAD)
                super().handle_one_request()
                return
        self.close_connection = True

    def do_GET(self) -> None:
        self._answer(self._find_file)

    def do_HEAD(self) -> None:
        self._answer(self._find_file)

    def do_POST(self) -> None:
        self._answer(self._answer_post)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the terminal is the user's."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What http.server itself refuses: lines too long, methods unknown."""
        self.close_connection = True
        status = HTTPStatus(code)
        if status is HTTPStatus.NOT_IMPLEMENTED:
            status = HTTPStatus.METHOD_NOT_ALLOWED
        self._send(status, JSON, as_json({"error": message or status.phrase}))

    def _answer(self, handle: Callable[[], tuple[str, bytes]]) -> None:
        self.server.connections.enter(self.connection, State.WORK)
        try:
            self._check_head()
            self.server.check_rate()
            kind, content = handle()
            self._send(HTTPStatus.OK, kind, content)
        except RefusedError as refused:
            self.close_connection = True  # its body has not been read
            self._send(refused.status, JSON, as_json({"error": str(refused)}))

    def _check_head(self) -> None:
        if any(len(self.headers.get_all(name, ())) > 1 for name in _SINGLE):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "a header stands there twice")
        told = self.headers.get("Content-Length", "0") != "0"
        if self.command != "POST" and (told or "Transfer-Encoding" in self.headers):
            self.close_connection = True  # nobody reads this body: it is no next request
        self._check_origin()
        asked = self._requested_url()
        if asked.scheme and asked.netloc != self.headers["Host"]:
            raise RefusedError(HTTPStatus.FORBIDDEN, "this server is no proxy")

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

    def _requested_url(self) -> SplitResult:
        try:
            return urlsplit(self.path)
        except ValueError as error:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "this is no address") from error

    def _find_file(self) -> tuple[str, bytes]:
        found = self.server.files.get(self._requested_url().path)
        if found is None:
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is no such page")
        return found

    def _answer_post(self) -> tuple[str, bytes]:
        asked = self._requested_url()
        if asked.path != "/answer":
            raise RefusedError(HTTPStatus.NOT_FOUND, "only /answer is posted to")
        name = parse_qs(asked.query).get("model", [""])[0]
        answers = self.server.answers
        if name not in answers:
            raise RefusedError(HTTPStatus.NOT_FOUND, "there is no such model: see site.json")
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        image_bytes = answers.shape(name).values
        if kind != _IMAGE and not kind.startswith(_PICTURE):
            raise RefusedError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"post an image as {_IMAGE}, {image_bytes} bytes, or a picture as image/…",
            )
        size = self._length(image_bytes if kind == _IMAGE else MOST_PICTURE_BYTES)
        with self.server.memory.hold(size) as held:
            if not held:
                raise RefusedError(
                    HTTPStatus.SERVICE_UNAVAILABLE, "other pictures are being read: try again"
                )
            try:
                read = answers.answer_image if kind == _IMAGE else answers.answer_picture
                return JSON, as_json(read(name, self._body(size)))
            except DataError as error:
                raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
            except ModelError as error:
                raise RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR, str(error)) from error

    def _length(self, most: int) -> int:
        length = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not length.isascii() or not length.isdigit():
            raise RefusedError(HTTPStatus.LENGTH_REQUIRED, "say the body's length: Content-Length")
        if len(length) > 12 or int(length) > most:
            raise RefusedError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body may have {most:,} bytes at most"
            )
        return int(length)

    def _body(self, wanted: int) -> bytes:
        parts, ends = [], time.monotonic() + _SLOWEST_S
        while wanted:
            try:
                self.connection.settimeout(max(0.001, ends - time.monotonic()))
                part = self.rfile.read1(min(wanted, 1 << 16))
            except TimeoutError as error:
                raise RefusedError(
                    HTTPStatus.REQUEST_TIMEOUT, "the body came too slowly"
                ) from error
            if not part:
                raise RefusedError(HTTPStatus.BAD_REQUEST, "the body is shorter than was said")
            parts.append(part)
            wanted -= len(part)
        self.connection.settimeout(self.timeout)
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


def as_json(values: Any) -> bytes:
    return json.dumps(values).encode()
