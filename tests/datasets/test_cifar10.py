"""CIFAR-10: the publisher's archive, what is unpacked of it, and a folder of pictures."""

import hashlib
import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnist_edge import preprocess
from mnist_edge.classifier import Classifier
from mnist_edge.datasets import DATA_DIR_VARIABLE, Dataset, cifar10, load, load_if_here
from mnist_edge.errors import DataError
from mnist_edge.image_shape import Fit, ImageOptions
from tests.conftest import make_card, write_tiny_model
from tests.datasets.server import serving
from tests.datasets.test_folder_images import picture
from tests.helpers.cli import assert_fails, invoke

_EACH = 20
FILES = (*cifar10.TRAIN_FILES, *cifar10.TEST_FILES)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A set of few images, nothing in the cache, and nothing outside that is asked."""
    monkeypatch.setattr(cifar10, "IMAGES", _EACH)
    monkeypatch.setattr(cifar10, "MIRRORS", ("http://127.0.0.1:9/",))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(DATA_DIR_VARIABLE, raising=False)


def records(seed: int) -> bytes:
    """One file as published: for each image a label, then its planes."""
    random = np.random.default_rng(seed)
    rows = random.integers(0, 256, (_EACH, 1 + 3072), np.uint8)
    rows[:, 0] = np.arange(_EACH) % 10
    return rows.tobytes()


def archive(path: Path, contents: dict[str, bytes], **kinds: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as file:
        for name, content in contents.items():
            member = tarfile.TarInfo(f"{cifar10.BATCHES}/{name}")
            member.size, member.type = len(content), kinds.get("type", tarfile.REGTYPE)
            file.addfile(member, io.BytesIO(content))
    return path


def published(path: Path, monkeypatch: pytest.MonkeyPatch, **changes: bytes) -> Path:
    """The archive with its digest; `changes` are contents by a file's stem."""
    contents = {name: records(at) for at, name in enumerate(FILES)}
    contents |= {f"{name}.bin": content for name, content in changes.items()}
    contents["readme.html"] = b"<html>"
    made = archive(path, contents)
    monkeypatch.setattr(cifar10, "MD5", hashlib.md5(made.read_bytes()).hexdigest())
    return made


def unpack(root: Path) -> Path:
    root.mkdir(parents=True)
    for at, name in enumerate(FILES):
        (root / name).write_bytes(records(at))
    return root


def assert_is_the_set(found: Dataset) -> None:
    assert (found.name, found.classes, found.fit) == ("cifar10", cifar10.CLASSES, Fit.PAD)
    assert (len(found.train), len(found.test), found.shape) == (5 * _EACH, _EACH, cifar10.SHAPE)
    first = np.frombuffer(records(0), np.uint8).reshape(_EACH, -1)[3]
    assert found.train.labels[3] == first[0]
    assert found.train.images[3, 4, 5].tolist() == [
        first[1 + c * 1024 + 4 * 32 + 5] for c in range(3)
    ]
    assert found.train.images.flags.c_contiguous


@pytest.mark.parametrize("where", ["", "cifar10", cifar10.BATCHES])
def test_unpacked_files_are_read(tmp_path: Path, where: str) -> None:
    unpack(tmp_path / "data" / where)
    assert_is_the_set(load("cifar10", tmp_path / "data"))


def test_the_archive_and_what_is_unpacked_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = published(tmp_path / "a" / "cifar10" / cifar10.ARCHIVE, monkeypatch)
    unpacked = load("cifar10", unpack(tmp_path / "b"))
    for place in (path, path.parent, tmp_path / "a"):
        found = load("cifar10", place)
        assert_is_the_set(found)
        assert found.fingerprint == unpacked.fingerprint is not None
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(tmp_path / "a"))
    here = load_if_here("cifar10")
    assert here is not None
    assert_is_the_set(here)
    monkeypatch.setattr("mnist_edge.datasets.idx_datasets.fetch", _refuse)
    with pytest.raises(DataError, match="cannot download train-images"):
        load("mnist")  # a place that holds CIFAR-10 alone is no mistake


def _refuse(urls: list[str], *args: object, **options: object) -> None:
    raise DataError("cannot download train-images")


def test_it_is_downloaded_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = published(tmp_path / cifar10.ARCHIVE, monkeypatch)
    with serving() as running:
        running.files[f"/{cifar10.ARCHIVE}"] = path.read_bytes()
        monkeypatch.setattr(cifar10, "MIRRORS", (running.url,))
        assert load_if_here("cifar10") is None
        assert_is_the_set(load("cifar10"))
    assert_is_the_set(load("cifar10"))


def test_another_archive_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / cifar10.ARCHIVE, {"data_batch_1.bin": records(0)})
    with pytest.raises(DataError, match=r"its MD5 is not [0-9a-f]{32}\. Delete it"):
        load("cifar10", tmp_path)
    assert path.exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"test_batch": records(1)[:-1]}, "test_batch.bin has 61,459 bytes, not 61,460"),
        ({"data_batch_2": b"\x0a" + records(1)[1:]}, "data_batch_2.bin holds labels outside 0..9"),
    ],
)
def test_structure_is_checked_behind_the_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, bytes], said: str
) -> None:
    published(tmp_path / cifar10.ARCHIVE, monkeypatch, **changes)
    with pytest.raises(DataError, match=said):
        load("cifar10", tmp_path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.DIRTYPE])
def test_members_that_are_no_files_are_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: bytes
) -> None:
    path = archive(tmp_path / cifar10.ARCHIVE, dict.fromkeys(FILES, b""), type=kind)
    monkeypatch.setattr(cifar10, "MD5", hashlib.md5(path.read_bytes()).hexdigest())
    with pytest.raises(DataError, match=r"lacks data_batch_1\.bin, "):
        load("cifar10", tmp_path)


def test_damage_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = published(tmp_path / cifar10.ARCHIVE, monkeypatch)
    path.write_bytes(path.read_bytes()[:5000])
    monkeypatch.setattr(cifar10, "MD5", hashlib.md5(path.read_bytes()).hexdigest())
    with pytest.raises(DataError, match="is damaged: delete it"):
        load("cifar10", tmp_path)
    (unpack(tmp_path / "b") / FILES[2]).unlink()
    with pytest.raises(DataError, match=f"lacks {FILES[2]}: put it beside"):
        load("cifar10", tmp_path / "b")


def write_pictures(root: Path, size: tuple[int, int] = (32, 32)) -> Path:
    for split, count in (("train", 3), ("test", 1)):
        for at, name in enumerate(cifar10.CLASSES):
            for number in range(count):
                seed = 100 * at + number + 50 * (split == "test")
                picture(root / split / name / f"{number:04}.jpg", size, True, seed)
    return root


def test_a_folder_of_pictures_is_the_set_too(tmp_path: Path) -> None:
    root = write_pictures(tmp_path / "cifar10")
    for place in (tmp_path, root):
        found = load("cifar10", place)
        assert (found.name, found.classes, found.shape) == (
            "cifar10",
            cifar10.CLASSES,
            cifar10.SHAPE,
        )
        assert (len(found.train), len(found.test)) == (30, 10)
        assert found.fingerprint is not None
        image = np.asarray(Image.open(root / found.names[4]))
        np.testing.assert_array_equal(found.train.images[4], image)


def test_other_folders_are_not_the_set(tmp_path: Path) -> None:
    write_pictures(tmp_path / "large", (48, 48))
    with pytest.raises(DataError, match="pictures that are not 32×32"):
        load("cifar10", tmp_path / "large")
    root = write_pictures(tmp_path / "more")
    for number in range(3):
        picture(root / "train" / "zebra" / f"{number}.jpg", (32, 32), True, number)
    with pytest.raises(DataError, match="has other classes than CIFAR-10"):
        load("cifar10", root)
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        DataError, match=r"does not hold cifar-10-binary\.tar\.gz, .*only the binary"
    ):
        load("cifar10", tmp_path / "empty")


def test_it_can_be_had_in_grey(tmp_path: Path) -> None:
    unpack(tmp_path / "data")
    colored = load("cifar10", tmp_path / "data")
    grey = load("cifar10", tmp_path / "data", options=ImageOptions(color=False))
    assert grey.shape == replace(cifar10.SHAPE, channels=1)
    wanted = preprocess.to_luminance(colored.test.images[7])
    np.testing.assert_array_equal(grey.test.images[7], wanted)
    assert grey.fingerprint != colored.fingerprint
    with pytest.raises(DataError, match=r"32×32 colour: they cannot be 28×28 colour\. Leave"):
        load("cifar10", tmp_path / "nowhere", options=ImageOptions(size=(28, 28)))


def test_a_file_in_grey_is_measured_on_it_in_grey(tmp_path: Path) -> None:
    place, shape = unpack(tmp_path / "data"), replace(cifar10.SHAPE, channels=1)
    card = make_card(classes=cifar10.CLASSES, dataset="cifar10", shape=shape, fit=Fit.PAD)
    path = write_tiny_model(tmp_path / "grey.onnx", card)
    grey = load("cifar10", place, options=ImageOptions(color=False)).test
    answers = Classifier(path).predict(grey.images).labels
    done = invoke("eval", path, "--data-dir", place, "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["accuracy"]["correct"] == (answers == grey.labels).sum()
    other = write_tiny_model(tmp_path / "mnists.onnx", make_card(classes=cifar10.CLASSES))
    for command in ("eval", "bench"):
        refused = invoke(command, other, "--dataset", "cifar10", "--data-dir", tmp_path / "nowhere")
        assert_fails(refused, "cifar10 has images of 32×32 colour, and .* takes 28×28 grey: name")
