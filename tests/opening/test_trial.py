"""Files that want too much, run with bounds."""

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from mnist_edge.classifier import Classifier
from mnist_edge.errors import ModelError
from mnist_edge.opening import trial
from tests.conftest import make_card, write_tiny_model
from tests.opening import bombs

BLANK = np.zeros((1, 28, 28), np.uint8)
ASKS = r"\.onnx cannot be run: it asks for more than 256 MB$"


@pytest.mark.parametrize("name", bombs.TOO_LARGE)
def test_what_asks_for_gigabytes_is_refused(name: str, tmp_path: Path) -> None:
    path = bombs.write(tmp_path / f"{name}.onnx", bombs.TOO_LARGE[name](), make_card())
    with pytest.raises(ModelError, match=ASKS):
        Classifier(path)
    with pytest.raises(ModelError, match=ASKS), trial(path) as tried:
        tried.answer({"image": BLANK})


def test_what_never_ends_is_refused(tmp_path: Path) -> None:
    path = bombs.write(tmp_path / "loop.onnx", bombs.endless_loop(), make_card())
    with pytest.raises(ModelError, match="graphs within its graph"):
        Classifier(path)


def test_a_trial_leaves_no_thread_and_no_memory(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "tiny.onnx")
    Classifier(path)
    before = threading.active_count()
    for _ in range(5):
        Classifier(path)
    assert threading.active_count() == before


def test_answers_outside_of_a_trial_are_not_bounded(tmp_path: Path) -> None:
    """What is bounded is one answer at the beginning, not what a user asks for later."""
    path = write_tiny_model(tmp_path / "tiny.onnx")
    images = np.zeros((100_000, 28, 28), np.uint8)  # 314 MB as floats
    assert Classifier(path).logits(images).shape == (100_000, 10)
    with pytest.raises(ModelError, match="256 MB"), trial(path) as tried:
        tried.answer({"image": images})


def test_threads_that_open_files_at_once_do_not_share_the_bound(tmp_path: Path) -> None:
    """Each trial takes 150 MB of its 256; in a process of its own, where none was made before."""
    code = (
        "import sys\nfrom concurrent.futures import ThreadPoolExecutor\n"
        "import numpy as np\nfrom pathlib import Path\nfrom mnist_edge.opening import trial\n"
        "def once(at):\n"
        "    with trial(Path(sys.argv[1])) as tried:\n"
        "        return tried.answer({'image': np.zeros((40_000, 28, 28), np.uint8)})[0].shape\n"
        "with ThreadPoolExecutor(8) as pool: print(set(pool.map(once, range(8))))\n"
    )
    path = write_tiny_model(tmp_path / "tiny.onnx")
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("{(40000, 10)}\n", "")


@pytest.mark.skipif(sys.platform != "linux", reason="reads VmHWM")
@pytest.mark.parametrize("name", bombs.TOO_LARGE)
def test_a_bomb_takes_little_memory(name: str, tmp_path: Path) -> None:
    path = bombs.write(tmp_path / f"{name}.onnx", bombs.TOO_LARGE[name](), make_card())
    code = (
        "import sys, pathlib\n"
        "from mnist_edge import Classifier\n"
        "try: Classifier(sys.argv[1])\n"
        "except Exception as error: print(error)\n"
        "print(next(one for one in pathlib.Path('/proc/self/status').read_text().splitlines()"
        " if one.startswith('VmHWM')).split()[1])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    said, peak_kb = done.stdout.splitlines()
    assert said.endswith("it asks for more than 256 MB")
    assert int(peak_kb) < 600_000
