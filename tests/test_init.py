import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import mnist_edge


@pytest.mark.parametrize("name", mnist_edge.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(mnist_edge, name) is not None


def test_the_lazy_names_are_the_real_ones() -> None:
    from mnist_edge.classifier import Classifier, Prediction
    from mnist_edge.errors import EdgeError

    assert mnist_edge.Classifier is Classifier
    assert mnist_edge.Prediction is Prediction
    assert mnist_edge.EdgeError is EdgeError


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"'mnist_edge' has no attribute 'Clasifier'"):
        mnist_edge.Clasifier  # noqa: B018


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    assert mnist_edge.__version__ == project["project"]["version"]


# Notes what the environment says at the moment when somebody first looks for onnxruntime, and
# stops there: with telemetry on, its import alone leaves an id in the user's cache.
_SPY = """
import json, os, sys
class Stop(BaseException):
    pass
class Spy:
    seen = []
    def find_spec(self, name, path=None, target=None):
        if name == "onnxruntime":
            self.seen.append(os.environ.get("ORT_DISABLE_TELEMETRY"))
            raise Stop
sys.meta_path.insert(0, Spy())
import mnist_edge
early = "onnxruntime" in sys.modules
try:
    exec(sys.argv[1])
except Stop:
    pass
print(json.dumps([early, Spy.seen]))
"""


@pytest.mark.parametrize("use", ["mnist_edge.Classifier", "import mnist_edge.benchmark"])
@pytest.mark.parametrize(("set_by_user", "expected"), [(None, "1"), ("0", "0")])
def test_telemetry_is_off_before_onnxruntime_comes_in_unless_the_user_said_otherwise(
    use: str, set_by_user: str | None, expected: str
) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    if set_by_user is not None:
        environment["ORT_DISABLE_TELEMETRY"] = set_by_user
    done = subprocess.run(
        [sys.executable, "-c", _SPY, use],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    early, seen = json.loads(done.stdout)
    assert not early
    assert seen == [expected]
