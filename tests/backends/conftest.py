"""What the tests of contenders share."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import mnist_edge
from mnist_edge.backends import Contender, OnnxRuntime, PyTorch, find_original
from mnist_edge.classifier import Classifier
from mnist_edge.types import Images
from tests.helpers.trained import Trained

SHIPPED = Path(mnist_edge.__file__).parents[1] / "exported"

_ANSWER = """
import pickle, sys
from mnist_edge.backends import answer
contender, images = pickle.load(sys.stdin.buffer)
sys.stdout.buffer.write(pickle.dumps(answer(contender.load(1), images)))
"""


def answered_elsewhere(contender: Contender, images: Images) -> NDArray[np.float32]:
    """The answers of a contender that was sent to a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", _ANSWER],
        input=pickle.dumps((contender, images)),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    found: NDArray[np.float32] = pickle.loads(done.stdout)
    return found


@pytest.fixture
def file(made: Trained) -> OnnxRuntime:
    """A trained network's file."""
    return OnnxRuntime.open(made.file)


@pytest.fixture
def original(made: Trained) -> PyTorch:
    """The network that it was exported from."""
    found = find_original(Classifier(made.file).card, made.home / "runs")
    assert found is not None
    return found
