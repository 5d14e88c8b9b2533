import json
from pathlib import Path

import pytest

from mnist_edge.web import runtime
from mnist_edge.web.runtime import MODULE, WASM, integrity
from tests.conftest import write_golden_model
from tests.helpers.cli import assert_fails, invoke
from tests.helpers.trained import Trained
from tests.web.packages import contents, packed, unpacked


@pytest.fixture
def exported(empty: Path) -> Path:
    (empty / "exported").mkdir()
    for name in ("edge", "edge-xs"):
        write_golden_model(empty / "exported" / f"{name}.onnx")
    return empty


def models_of(site: Path) -> list[str]:
    return [model["name"] for model in json.loads((site / "site.json").read_bytes())["models"]]


def test_alone_it_is_a_site_of_what_was_exported_before(exported: Path) -> None:
    result = invoke("export", "--web", "site")
    assert result.exit_code == 0
    first, second, third = result.stdout.splitlines()
    assert first.startswith("site: a site of 19 files, ")
    assert first.endswith("that answers in the browser with edge, edge-xs")
    assert "is fetched from https://" in second
    assert "npm install onnxruntime-web@" in second
    assert "python3 -m http.server --directory site" in third
    assert models_of(Path("site")) == ["edge", "edge-xs"]


def test_of_one_file_with_a_runtime_of_ones_own(exported: Path) -> None:
    packed(Path("ort.tgz"), contents("1.26.0"))
    result = invoke("export", "exported/edge-xs.onnx", "--web", "site", "--web-runtime", "ort.tgz")
    assert result.exit_code == 0
    assert "onnxruntime-web 1.26.0 from ort.tgz is in it" in result.stdout
    assert models_of(Path("site")) == ["edge-xs"]
    assert len(list(Path("site/runtime").iterdir())) == 3


def test_an_installed_package_is_found(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = contents(runtime.VERSION)
    published = {name: integrity(files[f"dist/{name}"]) for name in (MODULE, WASM)}
    monkeypatch.setattr(runtime, "_INTEGRITY", published)
    unpacked(Path("node_modules/onnxruntime-web"), files)
    result = invoke("export", "--web", "site", "--json")
    found = json.loads(result.stdout)["web"]
    origin = "node_modules/onnxruntime-web"
    assert found["runtime"] == {"version": runtime.VERSION, "origin": origin}
    assert found["models"] == ["edge", "edge-xs"]
    assert found["size_bytes"] == sum(
        path.stat().st_size for path in Path("site").rglob("*") if path.is_file()
    )


def test_an_installed_package_that_cannot_be_verified_has_to_be_asked_for(exported: Path) -> None:
    installed = unpacked(Path("node_modules/onnxruntime-web"), contents("1.26.0"))
    refused = invoke("export", "--web", "site")
    assert_fails(refused, f"or take it by --web-runtime {installed}")
    assert "version 1.26.0, whose files cannot be verified" in refused.stderr
    assert not Path("site").exists()
    assert invoke("export", "--web", "site", "--web-runtime", installed).exit_code == 0


def test_a_run_is_exported_first(
    made: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke("export", made.run, "--int8", "--max-drop", 5, "--web", "site")
    assert result.exit_code == 0, result.stderr
    assert models_of(Path("site")) == ["edge-xs", "edge-xs-int8"]
    assert "a site of 19 files" in result.stdout
    assert result.stdout.endswith("next: mnist-edge bench\n")
    result = invoke("export", made.run, "--web", "site", "--json", "--force")
    assert json.loads(result.stdout)["web"]["models"] == ["edge-xs"]
    assert models_of(Path("site")) == ["edge-xs"]


@pytest.mark.parametrize(
    ("args", "message", "code"),
    [
        (("--web-runtime", "x"), "--web-runtime is about the site: add --web DIR", 2),
        (("--web", "site", "--web-runtime", "x"), "x holds no npm package of onnxruntime-web", 1),
        (("--web", "exported"), "exported holds other things than a site", 1),
        (("nowhere.onnx", "--web", "site"), "there is no model file nowhere.onnx", 1),
    ],
)
def test_what_cannot_be_is_one_line(
    exported: Path, args: tuple[str, ...], message: str, code: int
) -> None:
    assert_fails(invoke("export", *args), message, code)
    assert not Path("site").exists()


def test_without_models_there_is_no_site(empty: Path) -> None:
    assert_fails(invoke("export", "--web", "site"), "there is no exported model")
