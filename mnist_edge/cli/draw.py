"""mnist-edge draw"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mnist_edge.cli.console import echo, echo_err, echo_json
from mnist_edge.cli.options import AsJson

if TYPE_CHECKING:
    from mnist_edge.classifier import Classifier


def draw(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="An exported file to begin with, or its name [default: edge].",
            show_default=False,
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 lets everybody in this network in.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for a free one.")
    ] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Open a page that classifies what you draw or show.

    The page is served by this machine, to this machine alone, until Ctrl-C. All exported files
    are there to switch between. A file that takes colours is shown pictures: dropped, pasted,
    chosen, or taken with the camera.
    """
    try:
        _serve(file, host, port, browser, as_json)
    except KeyboardInterrupt:  # whenever it comes: this is how a server ends
        echo_err("stopped")


def _serve(file: Path | None, host: str, port: int, browser: bool, as_json: bool) -> None:
    from mnist_edge.classifier import Classifier
    from mnist_edge.model_file import model_paths
    from mnist_edge.web.server import Server
    from mnist_edge.web.service import AnswerService

    first = model_paths.find(file)
    classifiers = [Classifier(first), *_others(first)]
    with Server(AnswerService(classifiers), host, port) as server:
        names = [model["name"] for model in server.answers.site["models"]]
        if as_json:
            echo_json({"url": server.url, "models": names})
            sys.stdout.flush()
        else:
            echo(f"{server.url} answers with {', '.join(names)} (Ctrl-C stops it)")
            if address := server.address_elsewhere():
                echo(f"other devices find it at {address}")
        if server.is_open:
            echo_err(
                "anybody in this network can use the page and this machine's time: there is no "
                "password, and nothing is encrypted"
            )
        if browser and _has_screen():
            import webbrowser

            webbrowser.open(server.url)
        server.serve_forever(poll_interval=0.1)


def _others(first: Path) -> "Iterator[Classifier]":
    """The exported files of other names that can be opened; what is wrong with one is said."""
    from mnist_edge.classifier import Classifier
    from mnist_edge.errors import EdgeError
    from mnist_edge.model_file import model_paths

    try:
        paths = model_paths.default_files()
    except EdgeError:  # there are none
        return
    for path in (path for path in paths if path.stem != first.stem):
        try:
            yield Classifier(path)
        except EdgeError as error:
            echo_err(f"left out: {error}")


def _has_screen() -> bool:
    """Whether a browser would have a window; in a terminal alone, one would take the terminal."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
