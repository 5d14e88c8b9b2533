import io
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mnist_edge.classifier import Classifier
from mnist_edge.datasets import Dataset, Split
from mnist_edge.errors import CheckpointError, DataError, EdgeError
from mnist_edge.files import sha256
from mnist_edge.image_shape import MNIST_SHAPE
from mnist_edge.lab.training import bf16, soft_target_files
from mnist_edge.lab.training import distillation as lab
from mnist_edge.lab.training.augment import Augmentation
from mnist_edge.lab.training.checkpoint import CHECKPOINT, load_checkpoint
from mnist_edge.lab.training.distillation import (
    Teacher,
    find_teachers,
    match_data,
    open_teacher,
    soft_targets,
)
from mnist_edge.lab.training.models import Network, build
from mnist_edge.lab.training.photograph_augmentation import PhotographAugmentation
from mnist_edge.lab.training.recipe import Distillation, Recipe
from mnist_edge.lab.training.recipes import recipe_for
from mnist_edge.lab.training.runs import finish, train
from mnist_edge.lab.training.training_mix import with_synthetic
from tests.helpers.exports import exported as export
from tests.lab.conftest import CPU, inputs

RECIPE = Recipe(
    "edge-xs", "digits", epochs=2, batch_size=32, synthetic_share=0.2, outlier_share=0.1
)


@pytest.fixture(scope="module")
def few(digits: Dataset) -> tuple[Split, Split]:
    training, validation = digits.training, digits.validation
    return training[slice(0, 100)], validation[slice(0, 50)]


def trained(
    run: Path,
    recipe: Recipe,
    few: tuple[Split, Split],
    digits: Dataset,
    taught: lab.SoftTargets | None,
) -> Path:
    for _ in train(replace(inputs(recipe, few), soft_targets=taught), run, CPU):
        pass
    finish(run, load_checkpoint(run), digits.test)
    return run


@pytest.fixture
def teacher(tmp_path: Path, few: tuple[Split, Split], digits: Dataset) -> Teacher:
    return open_teacher(trained(tmp_path / "teacher", RECIPE, few, digits, None), tmp_path)


def network_of(teacher: Teacher) -> Network:
    return load_checkpoint(teacher.source).trained_network()


def student(*teachers: Teacher, count: int = 2) -> Recipe:
    names = tuple(teacher.sha256 for teacher in teachers)
    return replace(RECIPE, seed=3, distillation=Distillation(names, views=count))


def test_views_carry_what_the_teacher_answers_to_them(
    teacher: Teacher, few: tuple[Split, Split]
) -> None:
    found = soft_targets([teacher], few[0], student(teacher), CPU.device)
    whole = with_synthetic(few[0], replace(RECIPE, seed=0))
    assert found.images.shape == (2, len(whole), 28, 28)
    assert found.images.dtype == torch.uint8
    assert np.array_equal(found.whole.labels, whole.labels)
    for images, logits in zip(found.images, found.logits, strict=True):
        expected = torch.from_numpy(network_of(teacher).predict_logits(images.numpy())).log_softmax(
            dim=1
        )
        torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)
    assert not torch.equal(found.images[0], found.images[1])


def test_a_view_shows_each_image_in_its_own_place(
    teacher: Teacher, few: tuple[Split, Split]
) -> None:
    hardly = replace(student(teacher), augmentation=Augmentation(3.0, 0.02, 0.02, 0.01, 0.1))
    found = soft_targets([teacher], few[0], hardly, CPU.device)
    originals = torch.from_numpy(found.whole.images).float().flatten(1)
    seen = found.images[0].float().flatten(1)
    similar = F.cosine_similarity(seen[:, None], originals[None], dim=2)
    own = (similar.argmax(dim=1) == torch.arange(len(seen))).float().mean()
    assert own > 0.9  # a warped image is most like the one that it comes from


def test_an_exported_file_teaches_as_the_run_that_it_was_made_of(
    teacher: Teacher, few: tuple[Split, Split], digits: Dataset, tmp_path: Path
) -> None:
    path = export(teacher.source, tmp_path / "exported", digits).path
    file = open_teacher(path, tmp_path / "runs")
    assert file.sha256 == sha256(path)
    assert (file.model, file.classes, file.dataset) == ("edge-xs", digits.classes, "digits")
    assert Classifier(path).card.temperature != 1
    of_file = soft_targets([file], few[0], student(file), CPU.device)
    of_run = soft_targets([teacher], few[0], student(teacher), CPU.device)
    assert torch.equal(of_file.images, of_run.images)
    torch.testing.assert_close(of_file.logits, of_run.logits, atol=1e-4, rtol=1e-4)
    assert list((tmp_path / "runs").glob("views-*/*.npz"))


def test_several_teachers_answer_with_the_mean_of_their_probabilities(
    teacher: Teacher, tmp_path: Path, few: tuple[Split, Split], digits: Dataset
) -> None:
    run = trained(tmp_path / "other", replace(RECIPE, seed=1), few, digits, None)
    other = open_teacher(run, tmp_path)
    found = soft_targets([teacher, other], few[0], student(teacher, other, count=1), CPU.device)
    images = found.images[0].numpy()
    probabilities = [
        torch.from_numpy(network_of(one).predict_logits(images)).softmax(dim=1)
        for one in (teacher, other)
    ]
    expected = torch.stack(probabilities).mean(dim=0)
    torch.testing.assert_close(found.logits[0].exp(), expected, atol=1e-4, rtol=1e-3)


def test_answers_are_kept_and_an_interrupted_round_goes_on(
    teacher: Teacher, few: tuple[Split, Split], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = student(teacher, count=3)

    def stop(what: str, done: float, total: float) -> None:
        if done > len(with_synthetic(few[0], RECIPE)):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        soft_targets([teacher], few[0], asked, CPU.device, stop)
    (folder,) = teacher.source.glob("views-*")
    assert [file.name for file in folder.iterdir()] == ["00.npz"]
    first = soft_targets([teacher], few[0], asked, CPU.device)
    monkeypatch.setattr(lab, "_mean_log_probabilities", None)  # nobody is asked again
    again = soft_targets([teacher], few[0], asked, CPU.device)
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.logits, again.logits)
    assert (
        soft_targets([teacher], few[0], student(teacher, count=2), CPU.device).images.shape[0] == 2
    )


def test_a_damaged_view_is_said(teacher: Teacher, few: tuple[Split, Split]) -> None:
    soft_targets([teacher], few[0], student(teacher, count=1), CPU.device)
    (file,) = teacher.source.glob("views-*/00.npz")
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(EdgeError, match=r"00\.npz is damaged: delete it"):
        soft_targets([teacher], few[0], student(teacher, count=1), CPU.device)


def forged(images: object, logits: object, save: Any = np.savez) -> bytes:
    buffer = io.BytesIO()
    save(buffer, images=images, logits=logits)
    return buffer.getvalue()


IMAGES, LOGITS = np.zeros((9, 28, 28), np.uint8), np.zeros((9, 10), np.float32)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        forged(IMAGES[:8], LOGITS[:8]),
        forged(IMAGES, LOGITS[:, :9]),
        forged(IMAGES[:, :27], LOGITS),
        forged(IMAGES.astype(np.float32), LOGITS),
        forged(IMAGES.astype(np.int8), LOGITS),
        forged(IMAGES, LOGITS.astype(np.float64)),
        forged(IMAGES, LOGITS.astype(">f4")),
        forged(IMAGES, np.full((9, 10), "x")),
        forged(np.asfortranarray(np.zeros((9, 28, 28), np.uint8)), LOGITS),
        forged([[None]], LOGITS),
        forged(IMAGES, np.full_like(LOGITS, np.nan)),
        forged(IMAGES, LOGITS, np.savez_compressed),
        forged(IMAGES, LOGITS).replace(b"images", b"pixels"),
        forged(IMAGES, LOGITS).replace(b"'descr'", b"'dtype'"),
        forged(IMAGES, LOGITS).replace(b"(9, 28, 28)", b"((((((((((("),
        forged(IMAGES, LOGITS) + bytes(10_000),
    ],
)
def test_a_strangers_view_is_one_line(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "00.npz"
    file.write_bytes(forged(IMAGES, LOGITS))
    found = soft_target_files.read(file, 9, MNIST_SHAPE, 10)
    assert [part.shape for part in found] == [(9, 28, 28), (9, 10)]
    file.write_bytes(content)
    with pytest.raises(
        EdgeError, match=r"00\.npz (is damaged|holds answers that are no numbers): de"
    ):
        soft_target_files.read(file, 9, MNIST_SHAPE, 10)


def test_a_view_that_is_an_array_or_a_pipe_is_one_line(
    teacher: Teacher, few: tuple[Split, Split]
) -> None:
    soft_targets([teacher], few[0], student(teacher, count=1), CPU.device)
    (file,) = teacher.source.glob("views-*/00.npz")
    file.unlink()
    np.save(file.with_suffix(".npy"), IMAGES)
    file.with_suffix(".npy").rename(file)
    with pytest.raises(EdgeError, match=r"00\.npz is damaged: delete it"):
        soft_targets([teacher], few[0], student(teacher, count=1), CPU.device)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(EdgeError, match=r"00\.npz is damaged: delete it"):
        soft_targets([teacher], few[0], student(teacher, count=1), CPU.device)


def test_students_of_all_seeds_share_the_views_and_resume_bit_identically(
    teacher: Teacher, few: tuple[Split, Split], digits: Dataset, tmp_path: Path
) -> None:
    asked = student(teacher)
    taught = soft_targets([teacher], few[0], asked, CPU.device)
    whole = load_checkpoint(trained(tmp_path / "whole", asked, few, digits, taught))
    lesson = replace(inputs(asked, few), soft_targets=taught)
    next(train(lesson, tmp_path / "parts", CPU))
    half = load_checkpoint(tmp_path / "parts")
    for _ in train(lesson, tmp_path / "parts", CPU, resume=half):
        pass
    resumed = load_checkpoint(tmp_path / "parts")
    torch.testing.assert_close(resumed.average, whole.average, atol=0, rtol=0, equal_nan=True)
    assert whole.recipe == asked


def test_teachers_are_found_by_their_checkpoint(teacher: Teacher, tmp_path: Path) -> None:
    (found,) = find_teachers([teacher.sha256], tmp_path)
    assert found.source == teacher.source
    assert found.sha256 == sha256(teacher.source / CHECKPOINT)
    with pytest.raises(CheckpointError, match="name its run or file with --teacher"):
        find_teachers(["0" * 64], tmp_path)


def test_an_unfinished_teacher_is_refused(
    few: tuple[Split, Split], digits: Dataset, tmp_path: Path
) -> None:
    next(train(inputs(RECIPE, few), tmp_path / "half", CPU))
    with pytest.raises(CheckpointError, match="stopped after epoch 1 of 2: a teacher has to be"):
        open_teacher(tmp_path / "half", tmp_path)


def test_a_teacher_whose_classes_stand_in_another_order_answers_in_the_students(
    teacher: Teacher, few: tuple[Split, Split]
) -> None:
    turned = tuple("9876543210")
    found = lab.match_classes(teacher, turned, "digits")
    images = torch.from_numpy(few[0].images)
    expected = network_of(teacher).predict_logits(few[0].images)[:, ::-1]
    np.testing.assert_allclose(found.logits_function(CPU.device)(images), expected, atol=1e-4)
    assert found.classes == turned
    assert lab.match_classes(teacher, teacher.classes, "digits") == teacher


def test_a_teacher_of_other_things_is_refused(teacher: Teacher) -> None:
    lab.match_classes(teacher, teacher.classes, "digits")
    with pytest.raises(
        EdgeError, match=r"letters has the classes a, b; .* tells 0, 1, .* apart: it cannot"
    ):
        lab.match_classes(teacher, ("a", "b"), "letters")


@pytest.mark.parametrize(
    ("field", "value"), [("teachers", ()), ("views", 0), ("share", 0), ("temperature", 0)]
)
def test_a_wrong_plan_names_its_field(field: str, value: object) -> None:
    right = {"teachers": ("a",), "views": 1, "share": 0.5, "temperature": 1.0}
    with pytest.raises(EdgeError, match=f"distillation: {field} cannot be"):
        Distillation(**{**right, field: value})  # type: ignore[arg-type]


def test_a_teacher_of_another_shape_or_of_other_classes_is_refused(
    teacher: Teacher, digits: Dataset
) -> None:
    assert match_data(teacher, digits).classes == digits.classes
    file = export(teacher.source, teacher.source.parent / "file", digits).path
    assert open_teacher(file, file.parent).shape == teacher.shape == digits.shape
    wide = Split(np.zeros((9, 32, 48, 3), np.uint8), digits.train.labels[:9])
    other = Dataset("folder:x", digits.classes, wide, wide, "here")
    told = r"folder:x has images of 48×32 colour, and .* takes 28×28 grey: it cannot"
    with pytest.raises(DataError, match=told):
        match_data(teacher, other)
    with pytest.raises(DataError, match="it cannot teach them"):
        match_data(teacher, replace(digits, classes=tuple("abcdefghij")))


def test_views_of_photographs_in_colour_are_changed_as_the_recipe_says(
    tmp_path: Path, digits: Dataset
) -> None:
    """And kept for that recipe and that shape alone."""
    colored = Split(np.repeat(digits.train.images[:40, ..., None], 3, 3), digits.train.labels[:40])
    network = build("2k5s2v-2s2", shape=colored.shape)
    answers = bf16.logits_function(network.eval(), CPU.device)
    classes = digits.classes
    taught = Teacher(tmp_path, "0" * 64, "x", classes, "x", tmp_path, lambda device: answers)
    recipe = replace(
        recipe_for("edge", "fashion-mnist"), distillation=Distillation(("0" * 64,), views=1)
    )
    assert recipe.photograph_augmentation is not None
    still = PhotographAugmentation(False, 0, 0, 0, 0, 0)
    for how in (recipe.photograph_augmentation, still):
        found = soft_targets(
            [taught], colored, replace(recipe, photograph_augmentation=how), CPU.device
        )
        assert found.images.shape == (1, 40, 28, 28, 3)
        as_they_are = np.array_equal(found.images[0].numpy(), colored.images)
        assert as_they_are == (how == still)
    grey = Split(digits.train.images[:40], digits.train.labels[:40])

    def even(images: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(images), 10)

    of_grey = replace(taught, logits_function=lambda device: even)
    soft_targets([of_grey], grey, recipe, CPU.device)
    assert len(list(tmp_path.glob("views-*"))) == 3
