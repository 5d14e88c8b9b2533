import json
from pathlib import Path

import pytest

from tests.clitools import assert_fails, invoke
from tests.conftest import write_golden_model
from tests.trained import Trained
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
    assert first.startswith("site: a site of 16 files, ")
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


def test_an_installed_package_is_found(exported: Path) -> None:
    unpacked(Path("node_modules/onnxruntime-web"), contents("1.26.0"))
    result = invoke("export", "--web", "site", "--json")
    found = json.loads(result.stdout)["web"]
    assert found["runtime"] == {"version": "1.26.0", "origin": "node_modules/onnxruntime-web"}
    assert found["models"] == ["edge", "edge-xs"]
    assert found["size_bytes"] == sum(
        path.stat().st_size for path in Path("site").rglob("*") if path.is_file()
    )


def test_a_run_is_exported_first(
    made: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke("export", made.run, "--int8", "--max-drop", 5, "--web", "site")
    assert result.exit_code == 0, result.stderr
    assert models_of(Path("site")) == ["edge-xs", "edge-xs-int8"]
    assert "a site of 16 files" in result.stdout
    assert result.stdout.endswith("next: mnist-edge bench\n")
    result = invoke("export", made.run, "--web", "site", "--json", "--force")
    assert json.loads(result.stdout)["web"]["models"] == ["edge-xs"]
    assert models_of(Path("site")) == ["edge-xs"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--web-runtime", "x"), "--web-runtime is about the site: add --web DIR"),
        (("--web", "site", "--web-runtime", "x"), "x holds no npm package of onnxruntime-web"),
        (("--web", "exported"), "exported holds other things than a site"),
        (("nowhere.onnx", "--web", "site"), "there is no model file nowhere.onnx"),
    ],
)
def test_what_cannot_be_is_one_line(exported: Path, args: tuple[str, ...], message: str) -> None:
    assert_fails(invoke("export", *args), message)
    assert not Path("site").exists()


def test_without_models_there_is_no_site(empty: Path) -> None:
    assert_fails(invoke("export", "--web", "site"), "there is no exported model")
