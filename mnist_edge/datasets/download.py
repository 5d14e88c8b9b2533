"""A file from one of its mirrors: resumed, retried, checked, and renamed into place when right."""

import contextlib
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from mnist_edge.datasets import ENVIRONMENT, Progress
from mnist_edge.datasets.idx import LARGEST
from mnist_edge.errors import DataError
from mnist_edge.files import alone_in

_TIMEOUT_S = 10
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
    with alone_in(target.parent):
        if not target.is_file():
            _fetch(urls, target, check, progress)


def _fetch(
    urls: Sequence[str],
    target: Path,
    check: Callable[[Path], None],
    progress: Progress | None,
) -> None:
    partial = target.with_name(target.name + ".part")
    if partial.is_symlink():  # what arrives goes here, and nowhere else
        partial.unlink()
    reason = "no mirror is known"
    for url in urls:
        try:
            _get(url, partial, target.name, check, progress)
            partial.replace(target)
            return
        except DataError as error:
            reason = str(error)
        except (OSError, http.client.HTTPException) as error:
            reason = _in_words(error)
    raise _failed(target, reason)


def _in_words(error: Exception) -> str:
    # URLError, timeouts and a full disk are OSErrors; a garbled answer is none.
    words = f"{type(error).__name__}: {getattr(error, 'reason', None) or error}"
    return " ".join(words.split())  # a garbled answer is quoted with its line ends


def _failed(target: Path, reason: str) -> DataError:
    return DataError(
        f"cannot download {target.name} ({reason}): "
        f"put the set's four files into a folder and name it with --data-dir or {ENVIRONMENT}"
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
    for had_beginning in (partial.exists(), False):
        _resume(url, partial, name, progress)
        try:
            check(partial)
            return
        except DataError:
            partial.unlink(missing_ok=True)
            if not had_beginning:
                raise


def _resume(url: str, partial: Path, name: str, progress: Progress | None) -> None:
    for attempt in range(_TRIES):
        try:
            _transfer(url, partial, name, progress)
            return
        except (TimeoutError, ConnectionError, http.client.IncompleteRead, _BrokenOffError):
            if attempt == _TRIES - 1:
                raise
            time.sleep(0.5 * 2**attempt)


class _BrokenOffError(OSError):
    """The server closed the connection before the promised end."""


def _transfer(url: str, partial: Path, name: str, progress: Progress | None) -> None:
    have = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "mnist-edge"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    with contextlib.ExitStack() as stack:
        try:
            response = stack.enter_context(urllib.request.urlopen(request, timeout=_TIMEOUT_S))
        except urllib.error.HTTPError as error:
            if error.code == 416:  # nothing is left to send: the part is whole
                return
            raise
        if response.status != 206:  # the server starts from the beginning
            have = 0
        total = have + int(response.headers.get("Content-Length") or 0)
        file = stack.enter_context(partial.open("ab" if have else "wb"))
        while chunk := response.read(_CHUNK):
            file.write(chunk)
            have += len(chunk)
            if have > LARGEST:
                raise DataError(f"what arrives is longer than {LARGEST >> 20} MB")
            if progress:
                progress(f"downloading {name}", have, total)
    if have < total:
        raise _BrokenOffError(f"{name} broke off after {have:,} of {total:,} bytes")
