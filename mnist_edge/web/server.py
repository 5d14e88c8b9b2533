"""The page and its answers over HTTP, for whoever sits at this machine. Connections and their rate
are limited; what is asked for is looked at in `handler`."""

import ipaddress
import re
import socket
import sys
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

from mnist_edge.errors import EdgeError
from mnist_edge.web import facts
from mnist_edge.web.answering import Answers
from mnist_edge.web.handler import JSON, Handler, RefusedError, as_json
from mnist_edge.web.limits import Connections, Memory, Rate

LOOPBACK = "127.0.0.1"
_MOST_CONNECTIONS, _MOST_OF_ONE = 32, 8  # of one address that is not this machine's
_PER_SECOND, _BURST = 400.0, 800.0  # requests; a pen asks at each frame of the screen
_BODIES, _BODIES_S = 24_000_000, 10.0  # bytes that are held at once, and how long one waits
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?")
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
    ".json": JSON,
}


class Server(ThreadingHTTPServer):
    """Serves the page and answers on `host`:`port`; port 0 takes a free one.

    EdgeError where it cannot listen there. `serve_forever` serves, `shutdown` ends it.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, answers: Answers, host: str = LOOPBACK, port: int = 0) -> None:
        self.answers = answers
        self.files = _page() | {f"/{facts.FILE}": (JSON, as_json(answers.site))}
        self._host = host
        self.rate = Rate(_PER_SECOND, _BURST)
        self.connections = Connections(_MOST_CONNECTIONS, _MOST_OF_ONE)
        self.memory = Memory(_BODIES, _BODIES_S)
        try:
            super().__init__((host, port), Handler)
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

    @property
    def is_open(self) -> bool:
        """Whether others than this machine are let in."""
        return not _is_loopback(str(self.server_address[0]))

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
        address = str(client_address[0])
        if not self.connections.admit(request, address, limited=not _is_loopback(address)):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.connections.leave(request)

    def service_actions(self) -> None:
        """Called by `serve_forever` some times a second."""
        self.connections.hang_up_on_late()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in between is no error; a bug keeps its traceback."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)

    def check_rate(self) -> None:
        if not self.rate.take():
            raise RefusedError(HTTPStatus.TOO_MANY_REQUESTS, "too many requests: wait a second")

    def is_own(self, host: str) -> bool:
        """Whether a Host header names this server: an address, localhost, or what it was told to
        listen on."""
        if not _HOST.fullmatch(host):
            return False
        try:
            parts = urlsplit(f"//{host}")
            name, port = parts.hostname or "", parts.port or 80
        except ValueError:
            return False
        if port != self.server_port:
            return False
        known = name in ("localhost", self._host) or _is_loopback(name)
        return known or (not _is_loopback(self._host) and _is_address(name))


def _page() -> dict[str, tuple[str, bytes]]:
    """What is served: every path, with its type and its bytes."""
    found = {
        f"/{name}": (_TYPES[suffix], content)
        for name, content in facts.page().items()
        if (suffix := PurePath(name).suffix) in _TYPES
    }
    return found | {"/": found["/index.html"]}


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
