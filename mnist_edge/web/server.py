"""The page and its answers over HTTP, for whoever sits at this machine."""

import socket
from http.server import ThreadingHTTPServer
from pathlib import PurePath

from mnist_edge.errors import EdgeError
from mnist_edge.web import site_json
from mnist_edge.web.access import GuardedServer, is_any, is_loopback
from mnist_edge.web.handler import JSON, Handler, as_json
from mnist_edge.web.service import AnswerService

LOOPBACK = "127.0.0.1"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
    ".json": JSON,
}


class Server(GuardedServer):
    """Serves the page and answers on `host`:`port`; port 0 takes a free one.

    EdgeError where it cannot listen there. `serve_forever` serves, `shutdown` ends it.
    """

    def __init__(self, answers: AnswerService, host: str = LOOPBACK, port: int = 0) -> None:
        files = _page() | {f"/{site_json.FILE}": (JSON, as_json(answers.site))}
        try:
            super().__init__(answers, files, (host, port), Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise EdgeError(
                f"cannot serve on {host}, port {port}: {reason}. Choose another --port, or leave "
                "it out"
            ) from error

    @property
    def url(self) -> str:
        """Where the page is."""
        shown = LOOPBACK if is_any(self.host) else self.host
        return f"http://{shown}:{self.server_port}/"

    @property
    def is_open(self) -> bool:
        """Whether others than this machine are let in."""
        return not is_loopback(str(self.server_address[0]))

    def address_elsewhere(self) -> str | None:
        """Where other devices find the page, if they are let in and this one has a network."""
        if not is_any(self.host):
            return None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(("192.0.2.1", 9))  # sends nothing (RFC 5737), but chooses a way out
            except OSError:
                return None
            return f"http://{probe.getsockname()[0]}:{self.server_port}/"

    def server_bind(self) -> None:
        super(ThreadingHTTPServer, self).server_bind()  # the other asks a name server for a name


def _page() -> dict[str, tuple[str, bytes]]:
    """What is served: every path, with its type and its bytes."""
    found = {
        f"/{name}": (_TYPES[suffix], content)
        for name, content in site_json.page_files().items()
        if (suffix := PurePath(name).suffix) in _TYPES
    }
    return found | {"/": found["/index.html"]}
