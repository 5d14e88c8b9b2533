import json
import os
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from mnist_edge.classifier import Classifier
from mnist_edge.errors import EdgeError, ModelError
from mnist_edge.web import site
from mnist_edge.web.runtime import MODULE, WASM, Runtime, from_cdn, from_package, integrity
from mnist_edge.web.site import export
from tests.conftest import make_card, write_golden_model, write_tiny_model
from tests.web.packages import contents, unpacked


@pytest.fixture
def models(tmp_path: Path) -> list[Path]:
    return [
        write_golden_model(tmp_path / "golden.onnx"),
        write_tiny_model(tmp_path / "a b#c.onnx", make_card(dataset="folder:/secret")),
    ]


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    return from_package(unpacked(tmp_path / "package", contents()))


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_everything_that_the_site_names_is_in_it(
    models: list[Path], runtime: Runtime, tmp_path: Path
) -> None:
    made = export(models, tmp_path / "site", runtime)
    files = files_of(made.folder)
    site = json.loads(files["site.json"])
    assert sorted(files) == site["files"]
    assert (made.files, made.size_bytes) == (len(files), sum(map(len, files.values())))
    assert made.models == ("golden", "a b#c")
    named = [site["engine"]["module"], site["engine"]["wasm"], *site["models"]]
    for entry in named:
        assert entry["integrity"] == integrity(files[unquote(entry["url"])])
        assert "#" not in entry["url"]
    texts = {name: text.decode() for name, text in files.items() if name.endswith((".html", ".js"))}
    for name, text in texts.items():
        if name.endswith(".html"):
            links = re.findall(r'(?:href|src)="([^"]+)"', text)
        else:
            links = re.findall(r'(?:from|import\() ?"\./([^"]+)"', text)
        assert set(links) <= set(files), name
    icons = json.loads(files["app.webmanifest"])["icons"]
    assert {icon["src"] for icon in icons} <= set(files)


def test_models_are_as_they_were_and_described(
    models: list[Path], runtime: Runtime, tmp_path: Path
) -> None:
    export(models, tmp_path / "site", runtime)
    golden, other = json.loads((tmp_path / "site" / "site.json").read_bytes())["models"]
    assert (tmp_path / "site" / "models" / "golden.onnx").read_bytes() == models[0].read_bytes()
    card = Classifier(models[0]).card
    assert card.golden
    assert golden["golden"] == json.loads(card.golden.to_json())
    assert golden["accuracy"] == {"correct": 90, "total": 100}
    assert (other["golden"], other["fit"], other["dataset"]) == (None, "zero-pad", "folder")


def test_the_worker_keeps_every_file(models: list[Path], runtime: Runtime, tmp_path: Path) -> None:
    export(models, tmp_path / "site", runtime)
    files = files_of(tmp_path / "site")
    kept = kept_by(files["sw.js"])
    assert kept.pop("./") == integrity(files["index.html"])
    assert kept == {
        name.replace(" ", "%20").replace("#", "%23"): integrity(content)
        for name, content in files.items()
        if name != "sw.js"
    }


def kept_by(worker: bytes) -> dict[str, str]:
    found = re.search(r"const FILES = (\[.*?\n\]);", worker.decode(), re.DOTALL)
    assert found
    return {entry["url"]: entry["integrity"] for entry in json.loads(found[1])}


def test_from_the_cdn_nothing_is_taken_along_but_the_page_may_load_it(
    models: list[Path], tmp_path: Path
) -> None:
    export(models, tmp_path / "site", from_cdn())
    files = files_of(tmp_path / "site")
    assert not any(name.startswith("runtime/") for name in files)
    page = files["index.html"].decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy
    assert f"connect-src 'self' {from_cdn().sources};" in policy[1]
    assert "script-src 'self' 'wasm-unsafe-eval' blob:;" in policy[1]
    kept = kept_by(files["sw.js"])
    engine = from_cdn().engine
    assert kept[engine["module"]["url"]] == engine["module"]["integrity"]
    assert kept[engine["wasm"]["url"]] == engine["wasm"]["integrity"]


def test_the_same_models_make_the_same_bytes_and_others_another_version(
    models: list[Path], runtime: Runtime, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        export(models, tmp_path / name, runtime)
    one = files_of(tmp_path / "one")
    assert one == files_of(tmp_path / "two")
    export(models[:1], tmp_path / "two", runtime)
    version = re.compile(rb'const VERSION = "(.+)";')
    found = [version.findall(files["sw.js"]) for files in (one, files_of(tmp_path / "two"))]
    assert len(found[0]) == len(found[1]) == 1
    assert found[0] != found[1]


def test_a_site_is_replaced_with_all_that_belonged_to_it(
    models: list[Path], runtime: Runtime, tmp_path: Path
) -> None:
    folder = tmp_path / "site"
    export(models, folder, runtime)
    (folder / "CNAME").write_text("example.org")
    export(models[:1], folder, from_cdn())
    files = files_of(folder)
    assert files.pop("CNAME") == b"example.org"
    assert sorted(files) == json.loads(files["site.json"])["files"]
    assert not {"models/a b#c.onnx", f"runtime/{MODULE}", f"runtime/{WASM}"} & set(files)


def test_a_site_of_an_older_version_is_replaced(
    models: list[Path], runtime: Runtime, tmp_path: Path
) -> None:
    export(models, tmp_path / "new", runtime)
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "gone.js").write_text("of an older page")
    (folder / "site.json").write_text(
        '{"mnist_edge": 1, "files": ["site.json", "gone.js"], "models": []}'
    )
    export(models, folder, runtime)
    assert files_of(folder) == files_of(tmp_path / "new")


@pytest.mark.parametrize(
    "site",
    [
        None,
        b"{",
        b"[]",
        b'{"mnist_edge": 1}',
        b'{"mnist_edge": 1, "files": 3}',
        b'{"mnist_edge": 99, "files": ["thesis.tex"]}',
        b'{"mnist_edge": true, "files": ["thesis.tex"]}',
    ],
)
def test_a_folder_of_other_things_is_left_alone(
    models: list[Path], runtime: Runtime, tmp_path: Path, site: bytes | None
) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    if site is not None:
        (folder / "site.json").write_bytes(site)
    before = files_of(folder)
    with pytest.raises(EdgeError, match="holds other things than a site of this tool"):
        export(models, folder, runtime)
    assert files_of(folder) == before


def test_a_tampered_list_removes_nothing_outside(
    models: list[Path], runtime: Runtime, tmp_path: Path
) -> None:
    folder = tmp_path / "site"
    export(models, folder, runtime)
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (folder / "link").symlink_to(tmp_path)
    site = json.loads((folder / "site.json").read_bytes())
    site["files"] += ["../outside", str(outside), "link/outside", "models", 3]
    (folder / "site.json").write_text(json.dumps(site))
    export(models, folder, runtime)
    assert outside.read_text() == "mine"
    assert (folder / "models").is_dir()


def test_a_site_whose_export_was_killed_is_made_whole(
    models: list[Path], runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between any two renames: the same command again ends as if it had never been killed."""
    export(models[:1], tmp_path / "wanted", runtime)
    replace, left = Path.replace, 0

    def rename(path: Path, place: Path) -> Path:
        nonlocal left
        if place.name != "site.json" and (left := left - 1) < 0:
            os._exit(9)
        return replace(path, place)

    for already in (True, False):
        for left in (0, 1, 7):
            folder = tmp_path / f"site-{already}-{left}"
            if already:
                export(models, folder, from_cdn())
            child = os.fork()
            if not child:
                monkeypatch.setattr(Path, "replace", rename)
                export(models[:1], folder, runtime)
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
            export(models[:1], folder, runtime)
            assert files_of(folder) == files_of(tmp_path / "wanted")


def test_a_site_that_cannot_be_written_stays_as_it_was(
    models: list[Path], runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site"
    export(models, folder, runtime)
    before = files_of(folder)

    def full(contents: object) -> None:
        raise EdgeError("the disk is full")

    monkeypatch.setattr(site, "write_together", full)
    with pytest.raises(EdgeError, match="disk is full"):
        export(models[:1], folder, from_cdn())
    assert files_of(folder) == before


def test_a_folder_that_is_to_be_published_may_hold_what_publishing_needs(
    models: list[Path], runtime: Runtime, tmp_path: Path
) -> None:
    folder = tmp_path / "site"
    (folder / ".git").mkdir(parents=True)
    (folder / "CNAME").write_text("example.org")
    export(models, folder, runtime)
    assert (folder / "CNAME").read_text() == "example.org"


@pytest.mark.parametrize("name", ["\0", "\ud800", "a" * 300, "a/" * 3000, 7, None])
def test_odd_names_in_a_site_are_passed_over(
    models: list[Path], runtime: Runtime, tmp_path: Path, name: object
) -> None:
    folder = tmp_path / "site"
    export(models, folder, runtime)
    before = files_of(folder)
    site = json.loads(before["site.json"])
    (folder / "site.json").write_text(json.dumps(site | {"files": [*site["files"], name]}))
    export(models, folder, runtime)
    assert files_of(folder) == before


def test_a_description_that_is_a_pipe_is_not_waited_for(
    models: list[Path], runtime: Runtime, tmp_path: Path
) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    os.mkfifo(folder / "site.json")
    with pytest.raises(EdgeError, match="holds other things"):
        export(models, folder, runtime)


def test_what_is_no_model_is_refused_before_anything_is_written(
    models: list[Path], runtime: Runtime, tmp_path: Path
) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"nonsense")
    with pytest.raises(ModelError):
        export([*models, tmp_path / "bad.onnx"], tmp_path / "site", runtime)
    assert not (tmp_path / "site").exists()


def test_two_models_of_one_name_are_refused(
    models: list[Path], runtime: Runtime, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    same = write_tiny_model(tmp_path / "other" / "golden.onnx")
    with pytest.raises(EdgeError, match="same name"):
        export([*models, same], tmp_path / "site", runtime)


def test_a_place_that_is_a_file_is_refused(
    models: list[Path], runtime: Runtime, tmp_path: Path
) -> None:
    (tmp_path / "site").write_text("a file")
    with pytest.raises(EdgeError, match="cannot write into"):
        export(models, tmp_path / "site", runtime)
