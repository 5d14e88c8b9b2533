import json
import os
import pickle
import random
import zipfile
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch

from mnist_edge.datasets import Dataset
from mnist_edge.errors import CheckpointError, EdgeError
from mnist_edge.lab.training.checkpoint import (
    CHECKPOINT,
    HISTORY,
    RESULT,
    Checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from mnist_edge.lab.training.models import build
from mnist_edge.lab.training.recipe import Recipe
from tests.lab.conftest import make_run


@pytest.fixture(scope="module")
def made(digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "edge-xs", digits)


def written(run: Path, content: bytes) -> Path:
    run.mkdir(parents=True)
    (run / CHECKPOINT).write_bytes(content)
    return run


def test_round_trip(made: Path, tmp_path: Path) -> None:
    before = load_checkpoint(made)
    save_checkpoint(tmp_path, before)
    after = load_checkpoint(tmp_path)
    for field in fields(Checkpoint):
        one, other = getattr(before, field.name), getattr(after, field.name)
        if field.name in ("network", "average"):
            torch.testing.assert_close(one, other, atol=0, rtol=0)
        else:
            assert one == other


def test_history_and_result_are_readable_without_us(made: Path) -> None:
    saved = load_checkpoint(made)
    lines = (made / HISTORY).read_text().splitlines()
    assert [json.loads(line) for line in lines] == saved.history
    assert json.loads((made / RESULT).read_text()) == saved.result


def test_an_unfinished_run_has_no_result(made: Path, tmp_path: Path) -> None:
    save_checkpoint(tmp_path, replace(load_checkpoint(made), result=None))
    assert not (tmp_path / RESULT).exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [CHECKPOINT, HISTORY]


def test_a_missing_run_says_how_to_train_one(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no checkpoint: train one first"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", pickle.dumps({"format": 1})])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CheckpointError, match="is damaged or not ours: train it again"):
        load_checkpoint(written(tmp_path / "run", content))


@pytest.mark.parametrize("values", [{"format": 1}, {}, [1, 2], torch.zeros(3), {"format": None}])
def test_a_foreign_torch_file_is_refused(tmp_path: Path, values: object) -> None:
    torch.save(values, tmp_path / CHECKPOINT)
    with pytest.raises(CheckpointError):
        load_checkpoint(tmp_path)


def test_a_truncated_file_is_refused(made: Path, tmp_path: Path) -> None:
    content = (made / CHECKPOINT).read_bytes()
    for part in (1, len(content) // 3, len(content) - 1):
        with pytest.raises(CheckpointError, match="is damaged"):
            load_checkpoint(written(tmp_path / str(part), content[:part]))


def test_damaged_bytes_never_pass_for_weights(made: Path, tmp_path: Path) -> None:
    before, content = load_checkpoint(made), (made / CHECKPOINT).read_bytes()
    choose, refused = random.Random(0), 0
    for at in range(60):
        damaged = bytearray(content)
        # Half of the damage where the pickle lies, which is where it becomes strange errors.
        damaged[choose.randrange(6000 if at % 2 else len(content))] ^= choose.randrange(1, 256)
        try:
            after = load_checkpoint(written(tmp_path / str(at), bytes(damaged)))
        except CheckpointError:
            refused += 1
        else:  # it hit the padding between the parts
            torch.testing.assert_close(after.average, before.average, atol=0, rtol=0)
    assert refused > 40


def test_a_damaged_weight_names_the_part(made: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(made / CHECKPOINT) as archive:
        largest = max(archive.infolist(), key=lambda part: part.file_size)
    content = bytearray((made / CHECKPOINT).read_bytes())
    content[largest.header_offset + 200 + largest.file_size // 2] ^= 1
    with pytest.raises(CheckpointError, match=f"is damaged in {largest.filename}"):
        load_checkpoint(written(tmp_path / "run", bytes(content)))


def test_another_format_is_refused(made: Path, tmp_path: Path) -> None:
    values = torch.load(made / CHECKPOINT, weights_only=True)
    torch.save(values | {"format": 2}, tmp_path / CHECKPOINT)
    with pytest.raises(CheckpointError, match="written by another version of mnist-edge"):
        load_checkpoint(tmp_path)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    torch.save({"format": 1, "recipe": Trap()}, tmp_path / CHECKPOINT)
    with pytest.raises(CheckpointError, match="is damaged or not ours"):
        load_checkpoint(tmp_path)
    assert not (tmp_path / "sprung").exists()
    torch.load(tmp_path / CHECKPOINT, weights_only=False)  # the trap is a real one
    assert (tmp_path / "sprung").exists()


def test_original_is_the_average_in_eval_mode(made: Path) -> None:
    original = load_checkpoint(made).trained_network()
    assert not original.training
    torch.testing.assert_close(dict(original.state_dict()), load_checkpoint(made).average)


def test_weights_of_another_model_are_refused(made: Path) -> None:
    saved = replace(load_checkpoint(made), average=dict(build("edge").state_dict()))
    with pytest.raises(CheckpointError, match="not those of a 'edge-xs' of this version"):
        saved.trained_network()


def test_a_missing_weight_is_refused(made: Path) -> None:
    average = dict(load_checkpoint(made).average)
    average.popitem()
    with pytest.raises(CheckpointError, match="not those of"):
        replace(load_checkpoint(made), average=average).trained_network()


def test_the_shortcut_is_part_of_the_model() -> None:
    network = build("resnet20", shortcut="projection").state_dict()
    recipe = Recipe("resnet20", shortcut="projection")
    saved = Checkpoint(recipe, tuple("0123456789"), 1, [], network, network, {}, {})
    assert saved.trained_network().state_dict().keys() == network.keys()


@pytest.mark.parametrize("model", ["../../outside", "/tmp/outside", "16k5s2-32/../x", "edge\0"])
def test_a_models_name_leads_nowhere(made: Path, tmp_path: Path, model: str) -> None:
    """Exported files are named after it."""
    values = torch.load(made / CHECKPOINT, weights_only=True)
    values["recipe"]["model"] = model
    (tmp_path / "run").mkdir()
    torch.save(values, tmp_path / "run" / CHECKPOINT)
    with pytest.raises(EdgeError, match=r"there is no model|is no chain"):
        load_checkpoint(tmp_path / "run").trained_network()
