"""A static site that answers wholly in the browser: page, models, and perhaps the runtime."""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mnist_edge.classifier import read_card
from mnist_edge.errors import EdgeError
from mnist_edge.file_access import is_file, read_bytes
from mnist_edge.files import lock_folder, remove_stale_parts, write_together
from mnist_edge.model_file.contract import Card
from mnist_edge.web import site_json
from mnist_edge.web.runtime import Runtime, integrity

_MODELS, _RUNTIME = "models", "runtime"
_WORKER = "sw.js"
_MOST_FILES = 10_000  # of a folder that is looked through
_MOST_BYTES = 64_000_000  # of a site's description


@dataclass(frozen=True, slots=True)
class Site:
    """What was written: the folder, how many files with how many bytes, and the models' names."""

    folder: Path
    files: int
    size_bytes: int
    models: tuple[str, ...]


def export(models: Sequence[Path], folder: Path, runtime: Runtime) -> Site:
    """Write the site of some exported files into a folder of its own.

    A site that is there is replaced, with what belonged to it; one whose export was killed too.
    Byte for byte the same for the same models and runtime. EdgeError for a folder that holds
    something else, but for CNAME and hidden files such as .git; ModelError for a file that does
    not honour the contract.
    """
    cards = {path: read_card(path) for path in models}
    if len({path.name for path in models}) < len(models):
        raise EdgeError("two of the models have the same name: the site tells them apart by it")
    contents = _site_files(cards, runtime)
    with lock_folder(folder):
        for part in (folder, folder / _MODELS, folder / _RUNTIME):
            remove_stale_parts(part, older_than_s=0)
        old = _old_files(folder)
        with _claim(folder, sorted(old | set(contents))):
            write_together({folder / name: content for name, content in contents.items()})
        _remove(folder, old - set(contents))
    size = sum(map(len, contents.values()))
    return Site(folder, len(contents), size, tuple(path.stem for path in models))


def _site_files(cards: dict[Path, Card], runtime: Runtime) -> dict[str, bytes]:
    """Every file of the site, by its place in it. The list of them, site.json, is the last."""
    found = site_json.page_files()
    worker = found.pop(_WORKER).decode()
    found["index.html"] = _with_policy(found["index.html"], runtime)
    found |= runtime.files
    described = []
    for path, card in cards.items():
        place = f"{_MODELS}/{path.name}"
        found[place] = path.read_bytes()
        golden = asdict(card.golden) if card.golden else None
        described.append(
            site_json.describe_model(path, card)
            | {"url": quote(place), "integrity": integrity(found[place]), "golden": golden}
        )
    site = site_json.describe_site(runtime.engine, described)
    listed = sorted([*found, _WORKER, site_json.FILE])
    text = json.dumps(site | {"files": listed}, indent=1)
    found[site_json.FILE] = text.encode()
    found[_WORKER] = _worker(worker, found, runtime)
    found[site_json.FILE] = found.pop(site_json.FILE)  # written last
    return found


def _with_policy(html: bytes, runtime: Runtime) -> bytes:
    """The page, told what it may load: itself, and the runtime from where it is."""
    scripts = "'self' 'wasm-unsafe-eval'" + (" blob:" if runtime.sources else "")
    policy = (
        f"default-src 'none'; script-src {scripts}; style-src 'self'; img-src 'self' blob:; "
        f"connect-src 'self' {runtime.sources}; manifest-src 'self'; worker-src 'self'; "
        "base-uri 'none'; form-action 'none'"
    )
    tag = f'<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{policy}">'
    return html.replace(b'<meta charset="utf-8">', tag.encode())


def _worker(text: str, contents: dict[str, bytes], runtime: Runtime) -> bytes:
    """The service worker, with the list of what it keeps: another list is another version."""
    places = {"./": contents["index.html"]} | {
        quote(name): content for name, content in sorted(contents.items())
    }
    kept = [{"url": url, "integrity": integrity(content)} for url, content in places.items()]
    if not runtime.files:
        kept += [runtime.engine["module"], runtime.engine["wasm"]]
    files = json.dumps(kept, indent=1)
    version = hashlib.sha256(files.encode()).hexdigest()[:12]
    text = text.replace('const VERSION = "";', f'const VERSION = "{version}";')
    return text.replace("const FILES = [];", f"const FILES = {files};").encode()


@contextlib.contextmanager
def _claim(folder: Path, names: list[str]) -> Iterator[None]:
    """List what belongs to the site, old and new, while it is written: whoever comes after a kill
    knows what is to be removed. A site that cannot be written stays as it was."""
    place = folder / site_json.FILE
    before = read_bytes(place, _MOST_BYTES) if is_file(place) else None
    claim = json.dumps({"mnist_edge": site_json.VERSION, "files": names, "models": []})
    write_together({place: claim})
    try:
        yield
    except BaseException:
        if before is None:
            place.unlink(missing_ok=True)
        else:
            write_together({place: before})
        raise


def _old_files(folder: Path) -> set[str]:
    """The places of a site's files that are in a folder. EdgeError for a folder of other things."""
    if not any(_is_foreign(path.name) for path in folder.iterdir()):
        return set()
    files = _read_listed(folder / site_json.FILE)
    if files is None:
        raise EdgeError(
            f"{folder} holds other things than a site of this tool: choose an empty folder"
        )
    return {name for name in files[:_MOST_FILES] if isinstance(name, str) and _is_in(folder, name)}


def _read_listed(place: Path) -> list[Any] | None:
    """The files that a site says are its own; None where this says no such thing."""
    try:
        site = json.loads(read_bytes(place, _MOST_BYTES))
        files = site["files"] if site_json.is_readable(site["mnist_edge"]) else None
    except (EdgeError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return files if isinstance(files, list) else None


def _is_foreign(name: str) -> bool:
    """Whether a folder with this in it is somebody else's: not where a site is to be published."""
    return not name.startswith(".") and name != "CNAME"


def _is_in(folder: Path, name: str) -> bool:
    """Whether a name, which anybody may have written, is that of a file inside the folder."""
    try:
        inside = (folder / name).resolve().is_relative_to(folder.resolve())
        return inside and is_file(folder / name)
    except (OSError, ValueError, RuntimeError, EdgeError):  # null bytes, half characters, loops
        return False


def _remove(folder: Path, names: set[str]) -> None:
    for name in names:
        (folder / name).unlink(missing_ok=True)
    for part in (folder / _MODELS, folder / _RUNTIME):
        if part.is_dir() and not any(part.iterdir()):
            part.rmdir()
