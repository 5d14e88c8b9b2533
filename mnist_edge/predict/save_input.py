"""What the network saw, as PNG files: for a person who asks why it misread."""

import io
import os
import re
from pathlib import Path

from PIL import Image

from mnist_edge.files import make_folder, write_together
from mnist_edge.output_paths import check_folder
from mnist_edge.predict.results import Reading
from mnist_edge.predict.sources import STDIN
from mnist_edge.preprocess import Pixels

_OF_AN_ARRAY = re.compile(r"\.npy\[([0-9]+)\]$", re.IGNORECASE)
_LONGEST = 200  # bytes of a path that a name keeps; those at its end


class InputFolder:
    """A folder, made where it is missing, that takes the images of readings.

    A file is named after the whole path of its picture and the image's width and height, `a/7.jpg`
    becoming `a-7.28x28.png`, so that pictures of the same name stay apart; where two would still
    get one name, the later gets a number. No picture is ever written over but one that an earlier
    run wrote. EdgeError when it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.taken: set[str] = set()
        make_folder(path)
        check_folder("--save-input", path)

    def save(self, reading: Reading) -> list[Path]:
        """Write the image of every answer; where they are now, in order."""
        stem = _stem(reading.file)
        digits = reading.digits
        stems = [stem] if len(digits) == 1 else [f"{stem}-{at + 1}" for at in range(len(digits))]
        return [
            self._write(self._free(name, digit.image), digit.image)
            for name, digit in zip(stems, digits, strict=True)
        ]

    def _free(self, stem: str, image: Pixels) -> Path:
        name, number = stem, 1
        while name.casefold() in self.taken:  # some file systems do not tell A from a
            number += 1
            name = f"{stem}~{number}"
        self.taken.add(name.casefold())
        height, width = image.shape[:2]
        return self.path / f"{name}.{width}x{height}.png"

    def _write(self, path: Path, image: Pixels) -> Path:
        """Beside its place first, so that nobody meets half a picture; it need not survive a
        power cut, and so thousands are written in seconds."""
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        write_together({path: buffer.getvalue()}, durable=False)
        return path


def _stem(file: str) -> str:
    if file == STDIN:
        return "stdin"
    file = _OF_AN_ARRAY.sub(r"-\1.npy", file)
    parts = Path(os.path.splitext(file)[0]).parts  # noqa: PTH122 - that of "." is "."
    name = "-".join(re.sub(r"[/\\:]", "", part) for part in parts if part != "..").strip("-.")
    while len(os.fsencode(name)) > _LONGEST:
        name = name[1:]
    return name or "picture"
