"""CONTRIBUTING.md, followed: its model, its backend and its data set are added to a copy of the
package where it says, and are then there for every command; the files that it names are here."""

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

from mnist_edge.catalogue import BACKENDS, EXTRAS
from tests.conftest import write_tiny_model
from tests.datasets.idx_files import write_set

ROOT = Path(__file__).parent.parent
GUIDE = ROOT / "CONTRIBUTING.md"
MOST_PLACES = 3
_HEAD = r"# (\S+?)(?:, in (\S+?))?(?::[^\n]*)?\n"
_BLOCK = re.compile(rf"^```(?:python|toml)\n{_HEAD}(.*?)^```", re.M | re.S)
_RECIPE = re.compile(r"^## Add an? (\w[^\n]*)\n(.*?)(?=^## |\Z)", re.M | re.S)
_COST = """
import sys
from mnist_edge.catalogue import NETWORKS
from mnist_edge.lab.training.layer_summary import cost
from mnist_edge.lab.training.models import build
from mnist_edge.lab.training.recipes import recipe_for
(name,) = sys.argv[1:]
found = cost(build(name))
assert (found.params, found.macs) == (NETWORKS[name].params, NETWORKS[name].macs), found
print(recipe_for(name).model)
"""

Block = tuple[str, str, str]  # a file, the name in it that is added to, what is added


def recipes() -> dict[str, list[Block]]:
    """What CONTRIBUTING.md adds, by what it is: "model", "backend", "data set", "option"."""
    found = _RECIPE.findall(GUIDE.read_text(encoding="utf-8"))
    return {name: _BLOCK.findall(text) for name, text in found}


def name_of(recipe: str) -> str:
    """What is added is called so in all its entries."""
    entries = [text for _, into, text in recipes()[recipe] if into and not into.startswith("[")]
    (name,) = {re.findall(r'"([\w-]+)"', text)[0] for text in entries}
    return str(name)


def add(root: Path, file: str, into: str, text: str) -> None:
    """A new module, or an entry at the end of a table."""
    path = root / file
    if not into:
        path.write_text(text, encoding="utf-8")
        return
    source = path.read_text(encoding="utf-8")
    start = re.search(rf"^{into}: [^\n]*= {{", source, re.M)
    assert start, f"{file} has no {into}"
    end = re.compile(r"^( {4})?}", re.M).search(source, start.end())
    assert end
    path.write_text(
        source[: end.start()] + textwrap.indent(text, " " * 8) + source[end.start() :],
        encoding="utf-8",
    )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package, to which everything was added."""
    root = tmp_path_factory.mktemp("house")
    shutil.copytree(ROOT / "mnist_edge", root / "mnist_edge")
    for blocks in recipes().values():
        for file, into, text in blocks:
            if file.startswith("mnist_edge/"):
                add(root, file, into, text)
    return root


def python(house: Path, *args: object) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, args)],
        cwd=house,
        env=os.environ | {"PYTHONPATH": str(house), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def command(house: Path, *args: object) -> str:
    return python(house, "-m", "mnist_edge", *args)


def test_each_recipe_has_at_most_three_places() -> None:
    found = recipes()
    assert list(found) == ["model", "backend", "data set", "option"]
    for name in ("model", "backend", "data set"):
        assert 2 <= len({file for file, _, _ in found[name]}) <= MOST_PLACES
    options = _RECIPE.findall(GUIDE.read_text(encoding="utf-8"))[-1][1]
    assert 2 <= len(re.findall(r"^\d\. `", options, re.M)) <= MOST_PLACES


def test_a_backend_is_in_help_doctor_and_the_table(house: Path, tmp_path: Path) -> None:
    name = name_of("backend")
    assert name in command(house, "bench", "--help")
    extra = json.loads(command(house, "doctor", "--json"))["extras"][name]
    assert extra["gives"] == f"bench --contender {name}"
    model, out = write_tiny_model(tmp_path / "tiny.onnx"), tmp_path / "bench.json"
    asked = ("--contender", f"onnxruntime,{name}", "--duration", 0, "--batch", 1, "--json", out)
    assert f"\n  {name} fp32 " in command(house, "bench", model, *asked)
    found = json.loads(out.read_text())["contenders"]
    assert [one["runtime"] for one in found] == ["onnxruntime", name]


def test_a_model_has_its_description_its_cost_and_its_recipe(house: Path) -> None:
    name = name_of("model")
    assert name in json.loads(command(house, "models", "--json"))
    assert python(house, "-c", _COST, name) == f"{name}\n"


def test_a_data_set_is_in_help_and_is_read(house: Path, tmp_path: Path) -> None:
    name = name_of("data set")
    for one in ("data", "train", "reproduce"):
        assert re.search(rf"mnist, .*\b{name}\b", command(house, one, "--help"))
    write_set(tmp_path, "kmnist")  # whose files have the same names
    assert command(house, "data", name, "--data-dir", tmp_path).startswith(f"{name}, from ")


def test_pyproject_has_the_extras_of_the_catalogue() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = settings["project"]["optional-dependencies"]
    assert {extra.name for extra in EXTRAS} <= set(extras)
    own = {one.extra for one in BACKENDS.values() if one.modules}
    assert {needed for name in own for needed in extras[name]} <= set(extras["dev"])
    for extra in EXTRAS:
        brought = {re.split(r"[^\w.-]", needed)[0] for needed in extras[extra.name]}
        assert set(extra.packages) <= brought
    banned = settings["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-module-level-imports"]
    assert {module for extra in EXTRAS for module in extra.modules} <= set(banned)


def test_the_extra_of_the_example_is_that_of_its_entry() -> None:
    (text,) = [text for file, _, text in recipes()["backend"] if file == "pyproject.toml"]
    assert list(tomllib.loads(text)) == [name_of("backend")]


def test_every_file_that_it_names_is_here() -> None:
    prose = re.sub(r"^```.*?^```", "", GUIDE.read_text(encoding="utf-8"), flags=re.M | re.S)
    named = re.findall(r"`([\w./-]+(?:/|\.py|\.md|\.toml))(?= |`)", prose)
    named += [file for blocks in recipes().values() for file, into, _ in blocks if into]
    assert len(named) > 12
    missing = [name for name in named if not (ROOT / name).exists()]
    assert missing == []


def test_it_is_short() -> None:
    assert GUIDE.stat().st_size <= 8_000
