"""Readings said as they come: rows on stdout, what went wrong on stderr, and a bar meanwhile."""

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from mnist_edge.cli import streams
from mnist_edge.cli.console import echo_err, progress_bar
from mnist_edge.cli.predict_formats import Csv, Json, Text, Writer, name_width

if TYPE_CHECKING:
    from mnist_edge.classifier import Classifier
    from mnist_edge.predict import Reading
    from mnist_edge.predict.save_input import InputFolder


def make_writer(
    classifier: "Classifier",
    layout: str,
    threshold: float,
    names: Sequence[str],
    show: bool,
    as_json: bool,
    as_csv: bool,
) -> Writer:
    """What makes lines of readings; `names` of files decide how wide their column is."""
    model = str(classifier.path)
    if as_json:
        return Json(layout, classifier.classes, threshold, model, sys.stdout.encoding)
    if as_csv:
        return Csv(layout, threshold, model)
    colours = _colour_depth() if show else None
    columns = shutil.get_terminal_size().columns
    noun = "digit" if classifier.card.reads_digits else "character"
    return Text(layout, classifier.classes, threshold, name_width(names), colours, columns, noun)


def _colour_depth() -> str:
    from mnist_edge.report import terminal_image

    draws = sys.stdout.isatty() and sys.stdout.encoding.lower().startswith("utf")
    return terminal_image.colour_depth(draws, os.environ)


@dataclass(slots=True)
class Counts:
    """What has been read so far."""

    pictures: int = 0
    unsure: int = 0
    unreadable: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        read = self.pictures - self.unreadable
        return (
            f"{self.pictures:,} pictures: {read:,} read, {self.unsure:,} of them not sure; "
            f"{self.unreadable:,} unreadable; {self.pictures / self.seconds:,.0f} pictures/s"
        )


def print_readings(
    batches: "Iterable[Sequence[Reading]]",
    writer: "Writer",
    folder: "InputFolder | None",
    output: "Output",
    progress: Callable[[int], None],
) -> Counts:
    """Print what has been read, as soon as it is there."""
    counts, start = Counts(), time.perf_counter()
    for batch in _interruptible(batches):
        for reading in batch:
            counts.pictures += 1
            saved = folder.save(reading) if folder else ()
            output.rows(writer.text(reading, saved))
            if reading.failure is not None:
                counts.unreadable += 1
                output.remark(f"error: {reading.failure}")
            elif not reading.sure:
                counts.unsure += 1
            if reading.note is not None:
                output.remark(f"note: {reading.file} {reading.note}")
        output.flush()
        progress(counts.pictures)
        if counts.unreadable and folder is None and streams.has_gone(output.out):
            break  # nobody reads on, and nothing to come changes a file or the exit code
    counts.seconds = time.perf_counter() - start
    return counts


class Output:
    """Rows on stdout and remarks on stderr: in the order of the pictures where both are seen."""

    def __init__(self, out: TextIO) -> None:
        self.out = out
        self.waiting: list[str] = []

    def rows(self, text: str) -> None:
        self.waiting.append(text)

    def remark(self, line: str) -> None:
        self.flush()
        echo_err(line)

    def flush(self) -> None:
        """Whole rows at once: what Ctrl-C cuts off is no half row."""
        self.out.write("".join(self.waiting))
        self.waiting.clear()
        self.out.flush()


def _interruptible(batches: "Iterable[Sequence[Reading]]") -> "Iterator[Sequence[Reading]]":
    """The batches; Ctrl-C stops at once what is being read, but what has been read is said first,
    so that a script never gets half a row.

    A second Ctrl-C does not wait for that, for nobody may be reading what is being written.
    """
    saying = asked = False

    def ask(*_: object) -> None:
        nonlocal asked
        if asked or not saying:
            raise KeyboardInterrupt
        asked = True

    # A job in the background ignores it, and only the main thread may decide.
    listens = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not listens or threading.current_thread() is not threading.main_thread():
        yield from batches
        return
    signal.signal(signal.SIGINT, ask)
    try:
        for batch in batches:
            saying = True
            yield batch
            saying = False
            if asked:
                raise KeyboardInterrupt
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def reading_bar(many: bool, count: Callable[[], int]) -> Iterator[Callable[[int], None]]:
    """A bar on stderr where there are many pictures and somebody to see it; not under rows that
    scroll by on the same screen, and show as well how far it is."""
    if not many or not sys.stderr.isatty() or sys.stdout.isatty():
        yield lambda done: None
        return
    total = count()
    with progress_bar() as progress:
        yield lambda done: progress("reading", done, total)
