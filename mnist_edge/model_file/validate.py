"""What is looked at in an ONNX file before ONNX Runtime reads it.

A file may name other files of this machine as its weights (CVE-2022-25882, CVE-2024-27318), ask
for operators of strangers, or be written so that two parsers see two things in it. None of that is
a small image classifier, and none of it gets past here.
"""

from functools import partial
from pathlib import Path

from mnist_edge.errors import FileError, ModelError
from mnist_edge.file_access import Kind, kind, open_file
from mnist_edge.model_file import external_data, foreign_formats, graph
from mnist_edge.model_file.graph import Graph
from mnist_edge.model_file.onnx_schema import RefusedError
from mnist_edge.model_file.tensors import Tensor

LARGEST_FILE = 128 << 20
_OPTIMIZED = ("com.microsoft.nchwc", "com.ms.internal.nhwc")
_DOMAINS = ("", "ai.onnx.ml", "com.microsoft")  # what ONNX Runtime itself brings


def read(path: Path) -> bytes:
    """A model file's bytes. ModelError when it is missing, cannot be read, or is too large."""
    try:
        if kind(path) in (Kind.MISSING, Kind.FOLDER):
            raise ModelError(f"there is no model file {path}")
        with open_file(path) as file:
            content = file.read(LARGEST_FILE + 1)
    except FileError as error:
        raise ModelError(str(error)) from error
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
    if len(content) > LARGEST_FILE:
        raise ModelError(
            f"{path} is larger than {LARGEST_FILE >> 20} MB: this tool is for small classifiers"
        )
    return content


def with_external_data(content: bytes, path: Path) -> bytes:
    """A model's bytes with the weights in them that lie in a file beside it, under the name that it
    gives and no path. ModelError where that file is not there, is a link, which may lead anywhere,
    or is too large."""
    if b"location" not in content:  # the key under which every such name stands
        return content
    try:
        if not external_data.external_files(graph.read(content)):
            return content
        return external_data.inline(content, partial(_beside, path), LARGEST_FILE)
    except RefusedError as error:
        raise ModelError(f"{path} is refused: {error}") from None
    except ValueError:
        return content  # `check` says what is wrong with it


def _beside(path: Path, name: str) -> bytes:
    data = path.with_name(name)
    if data.is_symlink():
        raise RefusedError(f"its weights' file {_shown(name)} is a link: put the file itself there")
    try:
        return read(data)
    except ModelError as error:
        if kind(data) is Kind.MISSING:
            raise RefusedError(
                f"its weights lie in {_shown(name)}, which is not beside it: put it there, or save "
                "the model as one file"
            ) from None
        raise RefusedError(f"its weights cannot be read: {error}") from None


def check(content: bytes, path: Path) -> Graph:
    """A file's graph. ModelError, naming `path`, for what is no ONNX file, or one that is
    refused."""
    try:
        found = graph.read(content)
        _check(found)
    except RefusedError as error:
        raise ModelError(f"{path} is refused: {error}") from None
    except ValueError as error:
        if known := foreign_formats.identify(content):
            raise ModelError(f"{path} is not an ONNX file: it is {known}") from None
        raise ModelError(f"{path} is not an ONNX file, or a damaged one: {error}") from None
    return found


def _check(found: Graph) -> None:
    for node in found.nodes:
        if node.domain in _OPTIMIZED:
            raise RefusedError(
                "it was optimized by ONNX Runtime for one kind of CPU: give the file that it was "
                "made from"
            )
        if node.domain not in _DOMAINS:
            raise RefusedError(
                f"it needs operators of '{_shown(node.domain)}', which ONNX Runtime lacks"
            )
    tensors = [one for node in found.nodes for one in node.attributes.values()]
    for tensor in (*found.constants.values(), *tensors):
        if isinstance(tensor, Tensor) and tensor.external is not None:
            raise RefusedError("its weights lie in other files: save it as one file")


def _shown(text: str) -> str:
    text = text[:100]
    return text if text.isprintable() else ascii(text)[1:-1]
