"""Who may import whom: each module belongs to a wing, each wing may use those below it, and no
modules import each other in a circle. Imports inside functions and for types count as all others.

No file and no function of the package is longer than somebody takes in at once.

Three lists, to be edited as the house moves: MODULES says what belongs to which wing, MAY_USE what
a wing may import, and `KNOWN` what breaks this today. Nothing is ever added to `KNOWN`; what is no
longer needed there has to go.
"""

import ast
import functools
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import mnist_edge

ROOT = Path(mnist_edge.__file__).parent
Edge = tuple[str, str]  # a module, and one that it imports

# A name stands for the module and all below it; the longest that fits decides.
MODULES = {
    "ground": "errors catalogue child_python class_recall dataset_names escaping "
    "experiment_results file_access image_kind image_shape "
    "files fingerprint intervals metrics output_paths rejection seed_statistics types",
    "model_file": "model_file",
    "datasets": "datasets",
    "preprocess": "preprocess",
    "host": "host",
    "classifier": "classifier",
    "predict": "predict",
    "web": "web",
    "backends": "backends",
    "benchmark": "benchmark",
    "report": "report",
    "synthetic": "lab.synthetic",
    "training": "lab",  # what the other wings of the lab do not name
    "export": "lab.export",
    "reproduce": "lab.reproduce",
    "cli": "cli __main__",
    "face": "",  # mnist_edge itself: the version, and the public names
}

_BELOW_CLASSIFIER = "ground model_file host datasets preprocess"
_EDGE = f"{_BELOW_CLASSIFIER} classifier predict web backends benchmark"
# Beside itself, and the version in `face`. That the edge imports the lab in bodies of functions
# only, tests/test_wall.py holds.
MAY_USE = {
    "ground": "",
    "model_file": "ground",
    "host": "ground",
    "preprocess": "ground",
    # A folder's pictures are read as all pictures are, and its class names go into a file.
    "datasets": "ground model_file preprocess",
    "classifier": _BELOW_CLASSIFIER,
    "predict": f"{_BELOW_CLASSIFIER} classifier",
    "web": f"{_BELOW_CLASSIFIER} classifier",
    "backends": f"{_BELOW_CLASSIFIER} classifier training",
    "benchmark": f"{_BELOW_CLASSIFIER} classifier backends",
    "report": _EDGE,
    "synthetic": _EDGE,
    "training": f"{_EDGE} synthetic",
    "export": f"{_EDGE} synthetic training",
    "reproduce": f"{_EDGE} synthetic training export",
    "cli": f"{_EDGE} report synthetic training export reproduce",
    "face": f"{_BELOW_CLASSIFIER} classifier",
}

# Exceptions that may only become fewer: there is none.
KNOWN: dict[str, str] = {}
KNOWN_IN_CIRCLES: dict[str, str] = {}

LONGEST_FILE, LONGEST_BODY = 280, 40  # lines


def modules(root: Path = ROOT) -> dict[str, Path]:
    """Every module of a package by its name within it; the package itself is ''."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(name: str, path: Path, known: Iterable[str], package: str) -> Iterator[str]:
    """The modules of `package` that one of its modules names in any import, anywhere in it."""
    inside = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            asked = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            asked = [(_absolute(node, package, inside), alias.name) for alias in node.names]
        else:
            continue
        for full, item in asked:
            if full.split(".")[0] != package:
                continue
            module = full.removeprefix(package).removeprefix(".")
            within = f"{module}.{item}".removeprefix(".")
            yield within if within in known else module


def _absolute(node: ast.ImportFrom, package: str, inside: str) -> str:
    """What `from .. import x` means in a package's part."""
    if not node.level:
        return node.module or ""
    parts = [package, *filter(None, inside.split("."))]
    parts = parts[: len(parts) - node.level + 1]
    return ".".join([*parts, *filter(None, [node.module])])


@functools.cache
def edges(root: Path = ROOT) -> set[Edge]:
    known = modules(root)
    return {
        (name, other)
        for name, path in known.items()
        for other in imported(name, path, known, root.name)
        if other != name
    }


def wing(module: str) -> str | None:
    """The wing of a module, None for one that no list names."""
    while module:
        for name, names in MODULES.items():
            if module in names.split():
                return name
        module = module.rpartition(".")[0]
    return None


def forbidden(found: Iterable[Edge]) -> set[Edge]:
    """The imports that MAY_USE does not allow."""
    wrong = set()
    for module, other in found:
        mine, theirs = wing(module) if module else "face", wing(other) if other else "face"
        # Which version this is, everyone may ask.
        if mine != theirs != "face" and theirs not in MAY_USE[mine or ""].split():
            wrong.add((module, other))
    return wrong


def circular(found: Iterable[Edge]) -> set[Edge]:
    """The imports from whose end a way of imports leads back to their beginning."""
    out: dict[str, set[str]] = {}
    for module, other in found:
        out.setdefault(module, set()).add(other)
    reached = {module: _reached(module, out) for module in out}
    return {(a, b) for a, after in out.items() for b in after if a in reached.get(b, ())}


def _reached(start: str, out: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        new = out.get(waiting.pop(), set()) - seen
        seen |= new
        waiting += new
    return seen


def listed(exceptions: dict[str, str]) -> set[Edge]:
    """The imports of a list of exceptions; '' is mnist_edge itself, among the imported too."""
    return {
        (module, other) for module, others in exceptions.items() for other in others.split() or [""]
    }


def differences(found: set[Edge], exceptions: dict[str, str], what: str) -> list[str]:
    """What is to be done, a line for each import; none where exactly the exceptions are found."""
    known = listed(exceptions)
    told = [(what, *edge) for edge in sorted(found - known)]
    told += [("mended, take it off the list", *edge) for edge in sorted(known - found)]
    return [f"{why}: {a or ROOT.name} imports {b or ROOT.name}" for why, a, b in told]


def bodies(source: str) -> Iterator[tuple[str, int]]:
    """Every function, however deep within others, and the lines that it has besides its signature
    and docstring."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            documented = ast.get_docstring(node) is not None
            body = node.body[documented:]
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            yield node.name, lines


def test_every_module_belongs_to_a_wing_and_every_name_to_a_module() -> None:
    known = modules()
    assert [name for name in known if name and wing(name) is None] == []
    names = [name for names in MODULES.values() for name in names.split()]
    assert len(names) == len(set(names))
    assert set(names) - set(known) == set()
    assert set(MAY_USE) == set(MODULES)
    assert {name for used in MAY_USE.values() for name in used.split()} <= set(MODULES)


def test_the_wings_themselves_have_an_order() -> None:
    """But for backends, of which one runs the network that was trained."""
    allowed = {(name, used) for name, names in MAY_USE.items() for used in names.split()}
    assert circular(allowed - {("backends", "training")}) == set()


def test_a_module_imports_what_its_wing_may_use() -> None:
    told = differences(forbidden(edges()), KNOWN, "not allowed")
    assert not told, "\n".join(told)


def test_no_modules_import_each_other_in_a_circle() -> None:
    told = differences(circular(edges()), KNOWN_IN_CIRCLES, "in a circle")
    assert not told, "\n".join(told)


@pytest.mark.parametrize(
    "source",
    [
        "import house.b",
        "import house.b.c",
        "from house import b",
        "from house.b import anything",
        "from . import b",
        "from .b import anything",
        "def f():\n  from house.b import anything",
        "class A:\n  def f(self):\n    import house.b as c",
        "if TYPE_CHECKING:\n  from house.b import anything",
        "try:\n  import house.b\nexcept ImportError:\n  pass",
    ],
)
def test_this_test_sees_every_kind_of_import(tmp_path: Path, source: str) -> None:
    root = tmp_path / "house"
    (root / "b").mkdir(parents=True)
    for name in ("__init__.py", "b/__init__.py", "b/c.py"):
        (root / name).touch()
    (root / "a.py").write_text(f"import os\nfrom housekeeping import b\n{source}\n")
    (edge,) = edges(root)
    assert edge == ("a", "b.c" if "b.c" in source else "b")
    (root / "b" / "c.py").write_text("from .. import a\nfrom . import anything\n")
    edges.cache_clear()
    assert edges(root) - {edge} == {("b.c", "a"), ("b.c", "b")}


def test_circles_are_found_of_any_length_and_nothing_beside_them() -> None:
    circle = {("a", "b"), ("b", "c"), ("c", "a")}
    assert circular(circle | {("x", "a"), ("c", "y"), ("y", "z")}) == circle
    assert circular({("a", "b"), ("b", "a")}) == {("a", "b"), ("b", "a")}
    assert circular({("a", "b"), ("b", "c"), ("a", "c")}) == set()


def test_what_is_not_allowed_is_found_and_what_is_mended_as_well() -> None:
    assert (
        forbidden({("files", "errors"), ("cli.train", "lab.training.trainer"), ("errors", "")})
        == set()
    )
    wrong = {
        ("metrics", "datasets"),
        ("lab.export.qdq", "report.formatting"),
        ("predict", "benchmark.run"),
    }
    assert forbidden(wrong) == wrong
    known = {"metrics": "datasets", "lab.export.qdq": "report.formatting gone"}
    assert differences(wrong, known, "not allowed") == [
        "not allowed: predict imports benchmark.run",
        "mended, take it off the list: lab.export.qdq imports gone",
    ]


def test_no_file_and_no_body_of_a_function_is_too_long() -> None:
    sources = {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in modules().values()}
    files = {name: source.count("\n") for name, source in sources.items()}
    assert {name: lines for name, lines in files.items() if lines > LONGEST_FILE} == {}
    functions = [(name, *one) for name, source in sources.items() for one in bodies(source)]
    assert len(functions) > len(files)
    assert [one for one in functions if one[-1] > LONGEST_BODY] == []


def test_a_body_is_counted_without_its_signature_and_docstring() -> None:
    source = """
@decorated(
    1,
)
def outer(
    a: int,
) -> int:
    '''One line.

    And more.
    '''
    def inner() -> int: return (
        a
    )

    return inner()
class A:
    async def only_told(self) -> None:
        "Nothing to do."
"""
    assert dict(bodies(source)) == {"outer": 5, "inner": 3, "only_told": 0}
