"""How many stops a network makes on its way through `mnist-edge export --int8`.

Run it as `python -m benchmarks.export_stops RUN`, with the folder of a finished run, whose data set
has to be there. The files go into a temporary folder.

What is exported is a checkpoint first, then a PyTorch network, an ONNX model, and a card: alone, or
in a tuple, a list or a dataclass of at most two levels. All calls are looked at (sys.setprofile),
in order, of named functions of mnist_edge that are given it or return it; lambdas, comprehensions,
properties and what dataclasses generate are none. A stop is a visit to a file: one or more of these
calls of functions in the same file. Who follows the way with an editor opens that many files.
"""

import argparse
import dataclasses
import itertools
import sys
import tempfile
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Any

EXPORTED = {"Checkpoint", "Network", "ModelProto", "Card"}  # names of types
LEVELS = 2


@dataclasses.dataclass(slots=True)
class Call:
    """A call of a function in a file of the package; `carries` what is exported, in or out."""

    file: str
    function: str
    carries: bool


def carries(value: object, levels: int = LEVELS) -> bool:
    """Whether a value is what is exported, or holds it."""
    if type(value).__name__ in EXPORTED:
        return True
    if not levels:
        return False
    inner: Iterable[object] = ()
    if isinstance(value, tuple | list):
        inner = value[:10]
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [item.name for item in dataclasses.fields(value)]
        inner = [getattr(value, name) for name in names if hasattr(value, name)]
    return any(carries(one, levels - 1) for one in inner)


def is_property(frame: FrameType) -> bool:
    """Whether a call of a function is the reading of an attribute."""
    found: object = sys.modules.get(frame.f_globals["__name__"])
    *owners, name = frame.f_code.co_qualname.split(".")
    for owner in owners:
        found = getattr(found, owner, None)
    return isinstance(getattr(found, "__dict__", {}).get(name), property | cached_property)


def trace(arguments: Sequence[str], package: Path) -> list[Call]:
    """Run a command, and give all calls of functions in the package's folder, in order."""
    from mnist_edge.cli import app

    calls: list[Call] = []
    under_way: list[Call] = []
    root = f"{package}/"

    def watch(frame: FrameType, event: str, value: Any) -> None:
        code = frame.f_code
        if event not in ("call", "return") or not code.co_filename.startswith(root):
            return
        if code.co_name.startswith("<") or is_property(frame):
            return
        if event == "call":
            given = any(map(carries, list(frame.f_locals.values())))
            call = Call(code.co_filename.removeprefix(root), code.co_qualname, given)
            calls.append(call)
            under_way.append(call)
        elif carries(value):
            under_way.pop().carries = True
        else:
            under_way.pop()

    sys.setprofile(watch)
    try:
        app(list(arguments), standalone_mode=False)
    finally:
        sys.setprofile(None)
    return calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="the folder of a finished run")
    run = parser.parse_args().run
    import mnist_edge

    with tempfile.TemporaryDirectory() as folder:
        arguments = ["export", str(run), "--int8", "--max-drop", "5", "--out", folder]
        calls = trace(arguments, Path(mnist_edge.__file__).parent)
    on_the_way = [call for call in calls if call.carries]
    stops = 0
    for stops, (file, group) in enumerate(itertools.groupby(on_the_way, lambda call: call.file), 1):
        functions = dict.fromkeys(call.function for call in group)
        print(f"{stops:3} {file}: {', '.join(functions)}")
    distinct = {(call.file, call.function) for call in on_the_way}
    files = {call.file for call in on_the_way}
    print(f"{stops} stops in {len(files)} files, {len(distinct)} functions")


if __name__ == "__main__":
    main()
