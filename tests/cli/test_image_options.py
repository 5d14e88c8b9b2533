"""--size, --color, --grey and --fit: what is asked for is in checkpoint and file, and the folder is
read the same way again."""

from pathlib import Path

import pytest

from mnist_edge.classifier import read_card
from mnist_edge.image_shape import Fit, ImageShape
from mnist_edge.lab.training.checkpoint import load_checkpoint
from tests.cli.test_folder import Home, write_shapes
from tests.helpers.cli import assert_fails, invoke

_SHAPE = ImageShape(24, 32, 3)
_QUICK = ("--model", "edge-xs", "--epochs", 2, "--batch-size", 8, "--device", "cpu")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("home"))
    write_shapes(home.shapes, 0, 16)
    asked = ("--size", "32x24", "--color", "--fit", "crop")
    done = invoke("train", "--dataset", f"folder:{home.shapes}", "--out", home.run, *_QUICK, *asked)
    assert done.exit_code == 0, done.stderr
    done = invoke("export", home.run, "--out", home.file.parent)
    assert (done.exit_code, done.stderr) == (0, "")
    return home


def test_checkpoint_and_file_have_what_was_asked_for(home: Home) -> None:
    for kept in (load_checkpoint(home.run), read_card(home.file)):
        assert (kept.shape, kept.fit) == (_SHAPE, Fit.CROP)


def test_eval_reads_the_folder_as_training_did(home: Home) -> None:
    done = invoke("eval", home.file, "--dataset", f"folder:{home.shapes}", "--json")

    assert done.exit_code == 0, done.stderr
    assert "note:" not in done.stderr
    accuracy = load_checkpoint(home.run).test_accuracy
    assert accuracy is not None
    assert f'"correct": {accuracy.correct}' in done.stdout


@pytest.mark.parametrize("other", [("--size", "48"), ("--grey",), ("--fit", "pad")])
def test_a_run_is_not_resumed_with_other_images(home: Home, other: tuple[str, ...]) -> None:
    data = ("--dataset", f"folder:{home.shapes}")
    done = invoke("train", "--resume", "--out", home.run, *data, *_QUICK, *other)

    assert_fails(done, "was trained (on images of 32×24 colour, not|with fit crop, not pad)")


@pytest.mark.parametrize("command", [("train", "--dataset"), ("data",)])
@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--size", text) for text in ("8", "4000", "5x", "x", "", "32x", "32x200", "-32", "²8")),
        *(("--size", text) for text in ("16x16x16", "1e2", "9" * 5000)),
        *(("--fit", text) for text in ("zero-pad", "digit", "stretch", "")),
    ],
)
def test_what_no_image_has_is_a_mistake_in_one_line(
    command: tuple[str, ...], option: str, value: str, tmp_path: Path
) -> None:
    done = invoke(*command, f"folder:{tmp_path}", option, value)

    assert_fails(done, f"(?i)invalid value for {option}", code=2)


def test_a_published_set_has_its_own_shape() -> None:
    assert_fails(invoke("data", "digits", "--size", 32), "images of 28×28 grey: .* 32×32 grey")
    assert_fails(invoke("data", "digits", "--color"), "images of 28×28 grey: .* 28×28 colour")
    assert invoke("data", "digits", "--size", "28", "--grey").exit_code == 0
