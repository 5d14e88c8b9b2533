"""npm packages made by hand, with the few files of onnxruntime-web that a site needs."""

import io
import json
import tarfile
from pathlib import Path

from mnist_edge.web.runtime import MODULE, NAME, WASM


def contents(version: str = "1.0.0", name: str = NAME) -> dict[str, bytes]:
    return {
        "package.json": json.dumps({"name": name, "version": version}).encode(),
        f"dist/{MODULE}": b"export const env = {};",
        f"dist/{WASM}": b"\0asm",
        "dist/other.js": b"",
    }


def unpacked(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def packed(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path
