"""A file server on 127.0.0.1 that can be told to misbehave. Nothing outside is ever asked."""

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Server(ThreadingHTTPServer):
    """Serves `files` (path -> content) and keeps a list of what was asked.

    breaks: so many answers stop half-way, each with the connection closed.
    knows_ranges: whether a Range header is honoured. garbled: answer with no HTTP at all.
    says_length: whether Content-Length is sent. chunked: send chunks, and never the last.
    silent: send nothing at all until it is stopped. length: what Content-Length says instead.
    leads_to: a redirection. drips: after the headers, a byte at a time and never the last;
    continues: "100 Continue" again and again in place of headers.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.breaks = 0
        self.knows_ranges = True
        self.garbled = False
        self.says_length = True
        self.chunked = False
        self.silent = False
        self.length: str | None = None
        self.leads_to: str | None = None
        self.drips = False
        self.continues = False
        self.stopped = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append((self.path, wanted))
        content = self.server.files.get(self.path)
        if self.server.silent:
            self.server.stopped.wait(60)
        elif self.server.leads_to is not None:
            self.wfile.write(
                f"HTTP/1.1 302 Found\r\nLocation: {self.server.leads_to}\r\n\r\n".encode()
            )
        elif self.server.continues:
            self._again_and_again(b"HTTP/1.1 100 Continue\r\n\r\n")
        elif self.server.drips:
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            self._again_and_again(b"x")
        elif self.server.garbled:
            self.wfile.write(b"220 ready\r\n\r\n")
        elif content is None:
            self.send_error(404)
        elif self.server.chunked:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"ff\r\nshort")
        elif wanted and self.server.knows_ranges:
            self._send_from(int(wanted.removeprefix("bytes=").removesuffix("-")), content)
        else:
            self._send(200, content)

    def _again_and_again(self, some: bytes) -> None:
        with contextlib.suppress(OSError):
            while not self.server.stopped.wait(0.02):
                self.wfile.write(some)
                self.wfile.flush()

    def _send_from(self, start: int, content: bytes) -> None:
        if start >= len(content):
            self.send_error(416)
        else:
            self._send(206, content[start:])

    def _send(self, status: int, content: bytes) -> None:
        self.send_response(status)
        if self.server.says_length:
            self.send_header("Content-Length", self.server.length or str(len(content)))
        self.end_headers()
        if self.server.breaks:
            self.server.breaks -= 1
            content = content[: len(content) // 2]
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving() -> Iterator[Server]:
    """A running server; it is stopped at the end."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.stopped.set()
            server.shutdown()
            thread.join()
