"""Contenders that are loaded in a process of their own: pickled by name, so that they live here,
where little else is imported."""

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mnist_edge.backends import ContenderKind, ModelInfo
from mnist_edge.types import Images


@dataclass(frozen=True)
class Plain:
    """Answers with the sum of an image, and appends a line to `notes` for each answer."""

    path: Path = Path(__file__)
    runtime: str = "numpy"
    kind: ClassVar[ContenderKind] = ContenderKind.CONVERTED
    notes: Path | None = None

    @property
    def info(self) -> ModelInfo:
        name = type(self).__name__.lower()
        return ModelInfo(name, name, "0" * 64, "fp32", "digits", 2, None)

    def load(self, threads: int) -> "Plain":
        return self

    def prepare(self, images: Images) -> Images:
        return images

    def run(self, prepared: Images) -> NDArray[np.float32]:
        if self.notes:
            with self.notes.open("a") as file:
                file.write(f"{int(prepared.sum())} {len(prepared)} {os.getpid()}\n")
        return np.zeros((len(prepared), 2), np.float32)


@dataclass(frozen=True)
class Threads(Plain):
    """Notes on how many threads it was loaded."""

    def load(self, threads: int) -> "Plain":
        assert self.notes
        self.notes.write_text(str(threads))
        return Plain()


@dataclass(frozen=True)
class Hungry(Plain):
    """Takes so many bytes for a moment, once it has answered a few times."""

    size: int = 0
    answers: int = 5

    def load(self, threads: int) -> "Plain":
        return Hungry(size=self.size, answers=self.answers)

    def run(self, prepared: Images) -> NDArray[np.float32]:
        object.__setattr__(self, "answers", self.answers - 1)
        if self.answers == 0:
            np.ones(self.size, np.uint8)
        return super().run(prepared)


@dataclass(frozen=True)
class Slow(Plain):
    """Takes so many seconds to load, and for each answer but the first; notes its process."""

    load_s: float = 0.0
    again_s: float = 0.0
    answered: bool = False

    def load(self, threads: int) -> "Plain":
        if self.notes:
            self.notes.write_text(str(os.getpid()))
        time.sleep(self.load_s)
        return Slow(again_s=self.again_s)

    def run(self, prepared: Images) -> NDArray[np.float32]:
        if self.answered:
            time.sleep(self.again_s)
        object.__setattr__(self, "answered", True)
        return super().run(prepared)


@dataclass(frozen=True)
class Chatty(Plain):
    """A runtime that tells the world what it does, more than a pipe holds."""

    def load(self, threads: int) -> "Plain":
        sys.stdout.write("loading\n")
        sys.stdout.flush()
        os.write(1, b"loading from C\n")
        os.write(2, b"a warning\n" * 50_000)
        time.sleep(0.5)
        return self


@dataclass(frozen=True)
class Broken(Plain):
    """Raises what a runtime may raise, at its n-th answer."""

    answers: int = 0

    def run(self, prepared: Images) -> NDArray[np.float32]:
        if self.answers == 0:
            raise RuntimeError("first line\nno such operator")
        object.__setattr__(self, "answers", self.answers - 1)
        return super().run(prepared)


@dataclass(frozen=True)
class Crashing(Plain):
    """Dies as a library in C does."""

    signal: int = signal.SIGKILL

    def load(self, threads: int) -> "Plain":
        os.kill(os.getpid(), self.signal)
        return self


@dataclass(frozen=True)
class Silent(Plain):
    """Ends without a word."""

    def load(self, threads: int) -> "Plain":
        os._exit(3)
