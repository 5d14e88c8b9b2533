"""A file from one of its mirrors: resumed, retried, checked, and renamed into place when right."""

import contextlib
import http.client
import socket
import stat
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from mnist_edge.datasets.base import DATA_DIR_VARIABLE
from mnist_edge.errors import DataError
from mnist_edge.files import lock_folder
from mnist_edge.types import Progress

Connection = TypeVar("Connection", bound=http.client.HTTPConnection)

_TIMEOUT_S = 10  # of each read
_ANSWER_S = 60  # until an answer's headers are here, redirects and all
_WHOLE_S = 900  # that a mirror has for a file: 11 kB/s bring MNIST's largest, 190 CIFAR-10's
_LARGEST = 192 << 20  # bytes; the largest published file has 170 MB
_TRIES = 3
_CHUNK = 1 << 16


def fetch(
    urls: Sequence[str],
    target: Path,
    check: Callable[[Path], None],
    progress: Progress | None = None,
) -> None:
    """Download `target` from the first of `urls` that gives a file that passes `check`.

    A broken transfer is resumed, up to three times a mirror, and in a later call too. Raises
    DataError when no mirror gives the right file; then no file of that name exists. Of several
    processes that want it at once, one fetches it, and the others wait.
    """
    if target.is_file():
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _failed(target, _in_words(error)) from error
    with lock_folder(target.parent):
        if not target.is_file():
            _fetch(urls, target, check, progress)


def _fetch(
    urls: Sequence[str],
    target: Path,
    check: Callable[[Path], None],
    progress: Progress | None,
) -> None:
    partial = target.with_name(target.name + ".part")
    reason = "no mirror is known"
    for url in urls:
        try:
            _clear(partial)
            _get(url, partial, target.name, check, progress)
            partial.replace(target)
            return
        except DataError as error:
            reason = str(error)
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = _in_words(error)  # ValueErrors are what headers spell
    raise _failed(target, reason)


def _clear(partial: Path) -> None:
    """What arrives goes into a file of its own: no link is followed, and no pipe waited for."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(partial.lstat().st_mode):
            partial.unlink()


def _in_words(error: Exception) -> str:
    # URLError, timeouts and a full disk are OSErrors; a garbled answer is none.
    words = f"{type(error).__name__}: {getattr(error, 'reason', None) or error}"
    return " ".join(words.split())  # a garbled answer is quoted with its line ends


def _failed(target: Path, reason: str) -> DataError:
    return DataError(
        f"cannot download {target.name} ({reason}): "
        f"put the set's files into a folder and name it with --data-dir or {DATA_DIR_VARIABLE}"
    )


def _get(
    url: str,
    partial: Path,
    name: str,
    check: Callable[[Path], None],
    progress: Progress | None,
) -> None:
    """Complete `partial` from one mirror and check it; what is whole but wrong is removed.

    What was there before may be the beginning of another file: then once more, from nothing.
    """
    deadline = _Deadline(_WHOLE_S)
    for had_beginning in (partial.exists(), False):
        _resume(url, partial, name, progress, deadline)
        try:
            check(partial)
            return
        except DataError:
            partial.unlink(missing_ok=True)
            if not had_beginning:
                raise


def _resume(
    url: str, partial: Path, name: str, progress: Progress | None, deadline: "_Deadline"
) -> None:
    for attempt in range(_TRIES):
        try:
            _transfer(url, partial, name, progress, deadline)
            return
        except (TimeoutError, ConnectionError, http.client.IncompleteRead, _BrokenOffError):
            if attempt == _TRIES - 1:
                raise
            time.sleep(0.5 * 2**attempt)


class _BrokenOffError(OSError):
    """The server closed the connection before the promised end."""


class _TooLateError(OSError):
    """The server sends, but too slowly for anybody to wait."""


class _Deadline:
    """Ends connections that are still open when their time is over: a server that sends a byte a
    second passes the timeout of every read."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._ends = seconds, time.monotonic() + seconds
        self._passed = False
        self._sockets: list[socket.socket] = []

    def watch(self, connected: socket.socket) -> None:
        self._sockets.append(connected)

    @contextlib.contextmanager
    def within(self, most: float) -> Iterator[None]:
        """_TooLateError where the block takes longer than `most` seconds, or than all have left."""
        timer = threading.Timer(max(0, min(most, self._ends - time.monotonic())), self._end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (OSError, ValueError, http.client.HTTPException) as error:
            self._check(error)
            raise
        finally:
            timer.cancel()
        self._check(None)

    def _end(self) -> None:
        self._passed = True
        for connected in self._sockets:
            with contextlib.suppress(OSError):
                # Under TLS too, where the wrapper's own shutdown waits for the other thread.
                socket.socket.shutdown(connected, socket.SHUT_RDWR)

    def _check(self, error: Exception | None) -> None:
        if self._passed:
            raise _TooLateError("it comes too slowly") from error


def _opener(deadline: _Deadline) -> urllib.request.OpenerDirector:
    """Opens http and https alone, wherever it is redirected to, and shows its sockets."""

    def watched(kind: type[Connection]) -> Callable[..., Connection]:
        def make(*args: Any, **options: Any) -> Connection:
            connection = kind(*args, **options)
            connect = connection.connect

            def connect_and_show() -> None:
                connect()
                deadline.watch(connection.sock)

            connection.connect = connect_and_show  # type: ignore[method-assign]
            return connection

        return make

    class Http(urllib.request.HTTPHandler):
        def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(watched(http.client.HTTPConnection), request)

    class Https(urllib.request.AbstractHTTPHandler):
        https_request = urllib.request.AbstractHTTPHandler.do_request_

        def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
            if not hasattr(http.client, "HTTPSConnection"):
                raise urllib.error.URLError("this Python has no ssl module, which https needs")
            return self.do_open(watched(http.client.HTTPSConnection), request)

    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        Http(),
        Https(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _transfer(
    url: str, partial: Path, name: str, progress: Progress | None, deadline: _Deadline
) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "mnist-edge"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    with contextlib.ExitStack() as stack:
        try:
            with deadline.within(_ANSWER_S):
                response = stack.enter_context(_opener(deadline).open(request, timeout=_TIMEOUT_S))
        except urllib.error.HTTPError as error:
            if error.code == 416:  # nothing is left to send: the part is whole
                return
            raise
        if response.status != 206:  # the server starts from the beginning
            have = 0
        total = have + int(response.headers.get("Content-Length") or 0)
        _check_size(total, partial)
        file = stack.enter_context(partial.open("ab" if have else "wb"))
        stack.enter_context(deadline.within(_WHOLE_S))
        while chunk := response.read(_CHUNK):
            file.write(chunk)
            have += len(chunk)
            _check_size(have, partial)
            if progress:
                progress(f"downloading {name}", have, total)
    if have < total:
        raise _BrokenOffError(f"{name} broke off after {have:,} of {total:,} bytes")


def _check_size(size: int, partial: Path) -> None:
    """DataError, and nothing of it is kept, for what is longer than any published file."""
    if size > _LARGEST:
        partial.unlink(missing_ok=True)
        raise DataError(f"what arrives is longer than {_LARGEST >> 20} MB")
