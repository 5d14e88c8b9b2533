"""The commands of the README and of docs/, run in an empty folder: on small data, but for the rest
as they stand."""

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.signal_lamps import write_folder
from mnist_edge.classifier import Classifier
from mnist_edge.preprocess import read_picture
from tests.crash.nursery import Nursery
from tests.helpers.cli import invoke

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [
    README,
    *DOCS,
    *(ROOT / f"{name}.md" for name in ("CONTRIBUTING", "CHANGELOG", "SECURITY")),
]
INSTALLS = ("make", "pip", "python3")  # CI's own run has done these
SHORTER = {
    "train": ["--epochs", "1"],
    "bench": ["--duration", "0.05", "--batch", "1"],
}


def blocks(language: str, *pages: Path) -> list[str]:
    """The pieces of code in that language, in the order of the pages."""
    texts = (page.read_text() for page in pages)
    found = (
        re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE) for text in texts
    )
    return [block for page in found for block in page]


def commands() -> list[list[str]]:
    """Every command once: the README's in its order, then what only docs/ have."""
    lines = [line for block in blocks("sh", README, *DOCS) for line in block.splitlines()]
    words = [shlex.split(line, comments=True) for line in lines if line.strip()]
    return [list(command) for command in dict.fromkeys(map(tuple, words))]


def on_small_data(words: list[str]) -> list[str]:
    """A command of the README as the test runs it: its arguments, and what makes it short."""
    command = words[1]
    extra = SHORTER.get(command, [])
    own_data = any(word.startswith(("folder:", "--dataset")) for word in words)
    if command == "train" and not own_data:
        extra = [*extra, "--dataset", "digits"]
    if "--int8" in words:  # one of the few test digits is more than the usual 0.10 points
        extra = [*extra, "--max-drop", "100"]
    return words[1:] + extra


def draw(folder: Path) -> None:
    """`mnist-edge draw`, until it serves."""
    with subprocess.Popen(
        [sys.executable, "-m", "mnist_edge", "draw", "--no-browser"],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_readme_commands_run_as_they_stand(nursery: Nursery, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    write_folder(tmp_path / "lamps", per_class=20, seed=0, faults=True)
    ran = set()
    for words in commands():
        if words[0] in INSTALLS or words[0] == "torchrun":
            continue
        assert words[0] == "mnist-edge", (
            f"the README names a program the test does not know: {words}"
        )
        ran.add(words[1])
        if words[1] == "draw":
            draw(tmp_path)
            continue
        done = nursery.run(tmp_path, *on_small_data(words))
        assert done.code == 0, f"{' '.join(words)}: {done.said}"
    assert ran == {
        *("train", "export", "bench", "eval", "predict", "draw", "data", "doctor", "reproduce")
    }
    snippets = blocks("python", README, *DOCS)
    snippet = subprocess.run(
        [sys.executable, "-c", "\n".join(snippets)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert snippet.returncode == 0, snippet.stderr
    answers = snippet.stdout.splitlines()
    assert len(answers) == len(snippets)
    for label, probability in map(str.split, answers):
        assert label in "0123456789"
        assert 0 < float(probability) <= 1


def test_readme_shows_the_numbers_of_the_shipped_files() -> None:
    manifest = json.loads((ROOT / "exported/manifest.json").read_text())
    table = README.read_text().split("<!-- bench -->")[1].split("<!-- /bench -->")[0]
    for name, entry in manifest["files"].items():
        row = next(line for line in table.splitlines() if f"`{name}`" in line)
        assert f"{entry['accuracy']['value'] * 100:.2f}" in row


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if link.startswith("https://"):
            continue
        file, _, heading = link.partition("#")
        target = page.parent / file if file else page
        assert target.exists(), link
        if heading:
            titles = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
            assert heading in slugs, link


# What CONTRIBUTING names, it tells to make: tests/test_contributing.py.
@pytest.mark.parametrize("page", [README, *DOCS], ids=lambda page: page.name)
def test_every_file_and_module_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    paths = re.findall(r"(?<![\w/])((?:mnist_edge|tests|benchmarks)/[\w/.-]*\w)", text)
    modules = re.findall(r"python -m ((?:tests|benchmarks)[\w.]*\w)", text)
    paths += [module.replace(".", "/") for module in modules]
    assert [path for path in paths if not _exists(ROOT / path)] == []


def _exists(path: Path) -> bool:
    return path.exists() or path.with_suffix(".py").exists()


def test_the_readme_and_every_page_are_short() -> None:
    assert len(README.read_bytes()) <= 10_000
    assert all(len(page.read_bytes()) <= 12_000 for page in DOCS)


def test_the_examples_are_read_as_they_are_meant() -> None:
    scans = {"two.png": "2", "seven.png": "7"}
    found = invoke("predict", EXAMPLES / "scans", "--recursive", "--json").stdout.splitlines()
    assert {Path(one["file"]).name: one["guess"] for one in map(json.loads, found)} == scans
    for name, option, text in (
        ("house.png", "--line", "719"),
        ("sheet.png", "--grid", "31415\n92653\n58979"),
    ):
        shown = invoke("predict", EXAMPLES / name, option, "--threshold", 0, "--json").stdout
        assert json.loads(shown)["text"] == text
    image = np.asarray(Image.open(EXAMPLES / "28x28.png"))
    assert Classifier().predict(image).names == ("3",)
    assert Classifier().predict(read_picture(EXAMPLES / "three.png")).names == ("3",)
