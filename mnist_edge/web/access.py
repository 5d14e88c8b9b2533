"""Who may ask the page's server, and how much of it: names and addresses, connections, rate and
memory."""

import ipaddress
import re
import sys
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from mnist_edge.web.request_limits import Connections, Memory, Rate
from mnist_edge.web.service import AnswerService

_MOST_CONNECTIONS, _MOST_OF_ONE = 32, 8  # of one address that is not this machine's
_PER_SECOND, _BURST = 400.0, 800.0  # requests; a pen asks at each frame of the screen
_BODIES, _BODIES_S = 24_000_000, 10.0  # bytes that are held at once, and how long one waits
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?")


class RefusedError(Exception):
    """A request that is not answered, with the status and the reason that it is told."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class GuardedServer(ThreadingHTTPServer):
    """A server with limits, which knows its own names. `files` are what it serves: a type and
    bytes by path."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self,
        answers: AnswerService,
        files: Mapping[str, tuple[str, bytes]],
        address: tuple[str, int],
        handler: type[BaseHTTPRequestHandler],
    ) -> None:
        self.answers, self.files = answers, files
        self.host = address[0]
        self.rate = Rate(_PER_SECOND, _BURST)
        self.connections = Connections(_MOST_CONNECTIONS, _MOST_OF_ONE)
        self.memory = Memory(_BODIES, _BODIES_S)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        address = str(client_address[0])
        if not self.connections.admit(request, address, limited=not is_loopback(address)):
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
        known = name in ("localhost", self.host) or is_loopback(name)
        return known or (not is_loopback(self.host) and _is_address(name))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(name: str) -> bool:
    return name == "localhost" or (_is_address(name) and ipaddress.ip_address(name).is_loopback)


def is_any(name: str) -> bool:
    return name == "" or (_is_address(name) and ipaddress.ip_address(name).is_unspecified)
