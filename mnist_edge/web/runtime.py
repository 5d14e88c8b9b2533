"""onnxruntime-web, which answers in the browser: vendored from its npm package, or pinned on a CDN.

Two files of it are enough: the module for WebAssembly alone, with its loader inside, and the
WebAssembly.
"""

import base64
import hashlib
import io
import json
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_edge.errors import EdgeError

NAME = "onnxruntime-web"
VERSION = "1.30.0"
MODULE, WASM = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"
_CDN = f"https://cdn.jsdelivr.net/npm/{NAME}@{VERSION}/dist/"
# Of the files of the npm package of that version.
_INTEGRITY = {
    MODULE: "sha384-PLWz+nHEVHpjwBsO0YVdvQj6n5814Iv8E3b8FG0Rp/uIAtjFMCKOpP66iPzedrIG",
    WASM: "sha384-vjBJ1z7qrhkTyYsNqKeF6c7N+nOJSU94czEo+tvZcu8G75JparGq9kB+kTnEUNVM",
}
_MOST_BYTES = 64_000_000
_NOTICE = f"""{NAME} {{version}}, copyright Microsoft Corporation, MIT licence:
https://github.com/microsoft/onnxruntime/blob/main/LICENSE
"""


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where the page finds onnxruntime-web: `files`, by their place in the site, go with it; none
    do where it comes from the CDN. `origin` is where they are from, for a person."""

    version: str
    origin: str
    files: dict[str, bytes]

    @property
    def engine(self) -> dict[str, Any]:
        """As site.json says it."""
        return {
            "kind": "wasm",
            "version": self.version,
            "module": self._place(MODULE),
            "wasm": self._place(WASM),
        }

    @property
    def sources(self) -> str:
        """What a Content-Security-Policy must let in besides the site itself."""
        return "" if self.files else _CDN

    def _place(self, name: str) -> dict[str, str]:
        if not self.files:
            return {"url": _CDN + name, "integrity": _INTEGRITY[name]}
        place = f"runtime/{name}"
        return {"url": place, "integrity": integrity(self.files[place])}


def from_cdn() -> Runtime:
    """The pinned version, fetched by each visitor's browser once, and checked by its hash."""
    return Runtime(VERSION, _CDN, {})


def from_package(path: Path) -> Runtime:
    """An npm package, unpacked (node_modules/onnxruntime-web) or as `npm pack` gives it (.tgz).

    EdgeError where it is not there, is another package, or differs from the pinned one of its
    version.
    """
    contents = _unpack(path) if path.is_file() else _read_folder(path)
    try:
        package = json.loads(contents["package.json"])
        name, version = package["name"], str(package["version"])
        found = {name: contents[f"dist/{name}"] for name in (MODULE, WASM)}
    except (KeyError, ValueError, TypeError) as error:
        raise EdgeError(f"{path} is no npm package of {NAME}: {_HOW}") from error
    if name != NAME:
        raise EdgeError(f"{path} is the package {name}, not {NAME}: {_HOW}")
    if version == VERSION:
        for name, content in found.items():
            if integrity(content) != _INTEGRITY[name]:
                raise EdgeError(f"{path} is damaged: {name} is not the published one. {_HOW}")
    files = {f"runtime/{name}": content for name, content in found.items()}
    files["runtime/NOTICE.txt"] = _NOTICE.format(version=version).encode()
    return Runtime(version, str(path), files)


def integrity(content: bytes) -> str:
    """As Subresource Integrity (W3C) writes a hash."""
    return "sha384-" + base64.b64encode(hashlib.sha384(content).digest()).decode()


_HOW = f"npm install {NAME}@{VERSION}"
_WANTED = ("package.json", f"dist/{MODULE}", f"dist/{WASM}")


def _read_folder(path: Path) -> dict[str, bytes]:
    try:
        return {name: _check_size((path / name).read_bytes(), path) for name in _WANTED}
    except OSError as error:
        raise EdgeError(f"{path} holds no npm package of {NAME}: {_HOW}") from error


def _unpack(path: Path) -> dict[str, bytes]:
    found = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(path.read_bytes()), mode="r:gz") as archive:
            for member in archive:
                name = member.name.partition("/")[2]  # after "package/"
                if member.isfile() and name in _WANTED and member.size <= _MOST_BYTES:
                    file = archive.extractfile(member)
                    found[name] = file.read() if file else b""
    except (OSError, tarfile.TarError, EOFError, zlib.error) as error:
        raise EdgeError(f"{path} cannot be unpacked: npm pack {NAME}@{VERSION}") from error
    return found


def _check_size(content: bytes, path: Path) -> bytes:
    if len(content) > _MOST_BYTES:
        raise EdgeError(f"{path} is too large to be {NAME}: {_HOW}")
    return content
