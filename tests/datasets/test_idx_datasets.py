"""The IDX sets: where they are looked for, and how their files are checked."""

import gzip
import sys
from pathlib import Path

import numpy as np
import pytest

from mnist_edge.datasets import DATA_DIR_VARIABLE, Dataset, load, load_if_here
from mnist_edge.datasets.idx_datasets import SOURCES, cache_dir, find
from mnist_edge.errors import DataError
from tests.datasets.idx_files import small_arrays, write_set

UNSIGNED = ["fashion-mnist", "kmnist"]  # no SHA-256 of their content is known


@pytest.fixture(autouse=True)
def nothing_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder in the environment, and an empty cache."""
    monkeypatch.delenv(DATA_DIR_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "platform", "linux")


def real_mnist_folder(mnist: Dataset) -> Path:
    return Path(mnist.source)


# What is read


@pytest.mark.parametrize("packed", [True, False], ids=["packed", "unpacked"])
@pytest.mark.parametrize("name", UNSIGNED)
def test_files_come_back_as_written(tmp_path: Path, name: str, packed: bool) -> None:
    arrays = small_arrays()
    write_set(tmp_path, name, arrays, packed)

    found = load(name, tmp_path)

    splits = (found.train.images, found.train.labels, found.test.images, found.test.labels)
    for array, wanted in zip(splits, arrays, strict=True):
        np.testing.assert_array_equal(array, wanted)
    assert (found.name, found.source, len(found.classes)) == (name, str(tmp_path), 10)


def test_real_mnist_is_what_was_published(mnist: Dataset) -> None:
    # The counts of the original page, and the labels everyone knows: 5 0 4 1 9, 7 2 1 0 4.
    assert (len(mnist.train), len(mnist.test)) == (60_000, 10_000)
    assert mnist.train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert mnist.test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert np.bincount(mnist.test.labels).tolist() == [
        *(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)
    ]
    # The mean and the deviation that every MNIST tutorial normalises with.
    scaled = mnist.train.images / 255
    assert scaled.mean() == pytest.approx(0.1307, abs=5e-5)
    assert scaled.std() == pytest.approx(0.3081, abs=5e-5)


def test_unpacked_real_mnist_passes_the_same_checksums(mnist: Dataset, tmp_path: Path) -> None:
    for file in SOURCES["mnist"].files:
        content = (real_mnist_folder(mnist) / file.name).read_bytes()
        (tmp_path / file.name.removesuffix(".gz")).write_bytes(gzip.decompress(content))

    found = load("mnist", tmp_path)

    np.testing.assert_array_equal(found.train.labels, mnist.train.labels)
    np.testing.assert_array_equal(found.test.images, mnist.test.images)


def test_qmnist_labels_are_the_first_of_eight_columns(tmp_path: Path) -> None:
    arrays = small_arrays()
    for at in (1, 3):
        extended = np.random.default_rng(at).integers(100, 9999, (len(arrays[at]), 8))
        extended[:, 0] = arrays[at]
        arrays[at] = extended.astype(np.int32)
    write_set(tmp_path, "qmnist", arrays)

    found = load("qmnist", tmp_path)

    assert found.train.labels.dtype == np.int64
    np.testing.assert_array_equal(found.train.labels, np.arange(40) % 10)
    np.testing.assert_array_equal(found.test.labels, np.arange(20) % 10)


# What is refused


def refusal(name: str, folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        load(name, folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_mnist_with_another_content_is_not_mnist(tmp_path: Path) -> None:
    paths = write_set(tmp_path, "mnist")

    assert refusal("mnist", tmp_path) == (
        f"{paths[0]} is not the published {paths[0].name} (its SHA-256 differs): "
        "delete it and fetch it again"
    )


def test_one_changed_pixel_of_real_mnist_is_seen(mnist: Dataset, tmp_path: Path) -> None:
    for file in SOURCES["mnist"].files:
        (tmp_path / file.name).symlink_to(real_mnist_folder(mnist) / file.name)
    changed = tmp_path / "t10k-images-idx3-ubyte.gz"
    content = bytearray(gzip.decompress(changed.read_bytes()))
    content[5000] ^= 1
    changed.unlink()
    changed.write_bytes(gzip.compress(bytes(content), 1))

    assert "its SHA-256 differs" in (message := refusal("mnist", tmp_path))
    assert message.startswith(str(changed))


@pytest.mark.parametrize("name", UNSIGNED)
def test_mnist_is_not_taken_for_another_set(mnist: Dataset, name: str) -> None:
    folder = real_mnist_folder(mnist)

    assert refusal(name, folder) == (
        f"{folder / 'train-images-idx3-ubyte.gz'} is a file of MNIST, not of {name}: "
        f"put {name} into a folder of its own, named {name}"
    )


@pytest.mark.parametrize("missing", range(4))
def test_three_of_four_files_are_not_enough(tmp_path: Path, missing: int) -> None:
    paths = write_set(tmp_path, "kmnist")
    paths[missing].unlink()

    assert refusal("kmnist", tmp_path) == (
        f"{tmp_path} lacks {paths[missing].name}: put it beside the others, or delete them all"
    )


@pytest.mark.parametrize(
    ("at", "array", "words"),
    [
        pytest.param(
            1,
            np.full(40, 10, np.uint8),
            "{1} holds labels outside 0..9: it is not of this set",
            id="label too high",
        ),
        pytest.param(
            3,
            np.full(20, -1, np.int8),
            "{3} holds labels outside 0..9: it is not of this set",
            id="label too low",
        ),
        pytest.param(
            3,
            np.full(20, np.nan, np.float32),
            "{3} holds labels of type >f4, not whole numbers: it is not of this set",
            id="labels that are no numbers",
        ),
        pytest.param(
            1,
            np.full(40, 0.7, np.float64),
            "{1} holds labels of type >f8, not whole numbers: it is not of this set",
            id="labels between numbers",
        ),
        pytest.param(
            1,
            np.zeros(39, np.uint8),
            "{1} does not belong to its images: labels (39,), images (40, 28, 28). "
            "Put the set's own files side by side",
            id="label missing",
        ),
        pytest.param(
            3,
            np.zeros((20, 0), np.uint8),
            "{3} does not belong to its images: labels (20, 0), images (20, 28, 28). "
            "Put the set's own files side by side",
            id="labels without columns",
        ),
        pytest.param(
            0,
            np.zeros((40, 32, 32), np.uint8),
            "{0} must hold images uint8 (N, 28, 28), it holds uint8 (40, 32, 32): "
            "put the data set's own file there",
            id="other size",
        ),
        pytest.param(
            2,
            np.zeros((20, 28, 28), np.float32),
            "{2} must hold images uint8 (N, 28, 28), it holds >f4 (20, 28, 28): "
            "put the data set's own file there",
            id="other type",
        ),
        pytest.param(
            0,
            np.zeros(40, np.uint8),
            "{0} must hold images uint8 (N, 28, 28), it holds uint8 (40,): "
            "put the data set's own file there",
            id="labels for images",
        ),
        pytest.param(
            2,
            np.zeros((0, 28, 28), np.uint8),
            "{2} must hold images uint8 (N, 28, 28), it holds uint8 (0, 28, 28): "
            "put the data set's own file there",
            id="no images",
        ),
    ],
)
def test_files_that_do_not_fit_are_named(
    tmp_path: Path, at: int, array: np.ndarray, words: str
) -> None:
    arrays = small_arrays()
    arrays[at] = array
    paths = write_set(tmp_path, "kmnist", arrays)

    assert refusal("kmnist", tmp_path) == words.format(*paths)


# Under other names


@pytest.mark.parametrize(
    "place",
    ["", "kmnist", "KMNIST/raw", "KMNIST", "raw"],
    ids=["flat", "named", "torchvision", "torchvision without raw", "inside torchvision's"],
)
def test_set_is_found_where_other_tools_put_it(tmp_path: Path, place: str) -> None:
    write_set(tmp_path / place, "kmnist", packed=False)

    found = load("kmnist", tmp_path)

    np.testing.assert_array_equal(found.train.images, small_arrays()[0])
    assert found.source == str(tmp_path / place)


@pytest.mark.parametrize("packed", [True, False])
def test_dots_in_the_names_are_understood(tmp_path: Path, packed: bool) -> None:
    for path in write_set(tmp_path, "kmnist", packed=packed):
        path.rename(path.with_name(path.name.replace("-idx", ".idx")))

    np.testing.assert_array_equal(load("kmnist", tmp_path).test.images, small_arrays()[2])


def test_files_in_folders_of_their_own_names_are_found(tmp_path: Path) -> None:
    for path in write_set(tmp_path, "kmnist", packed=False):
        content = path.read_bytes()
        path.unlink()
        path.mkdir()
        (path / path.name).write_bytes(content)

    assert len(load("kmnist", tmp_path).test) == 20


def test_named_place_goes_before_the_folder_itself(tmp_path: Path) -> None:
    write_set(tmp_path, "mnist", small_arrays(seed=9))
    write_set(tmp_path / "FashionMNIST" / "raw", "fashion-mnist")

    found = load("fashion-mnist", tmp_path)

    np.testing.assert_array_equal(found.train.images, small_arrays()[0])


def _as_keras(path: Path, mnist: Dataset) -> Path:
    np.savez_compressed(
        path,
        x_train=mnist.train.images,
        y_train=mnist.train.labels.astype(np.uint8),
        x_test=mnist.test.images,
        y_test=mnist.test.labels.astype(np.uint8),
    )
    return path


def test_keras_file_is_the_same_mnist(mnist: Dataset, tmp_path: Path) -> None:
    path = _as_keras(tmp_path / "mnist.npz", mnist)

    for place in (path, tmp_path):
        found = load("mnist", place)
        np.testing.assert_array_equal(found.train.images, mnist.train.images)
        np.testing.assert_array_equal(found.test.labels, mnist.test.labels)
        assert found.source == str(path)


def _refusal_of_archive(path: Path) -> str:
    return refusal("mnist", path.parent)


def test_other_arrays_under_keras_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (9, 28, 28), np.uint8), np.arange(9, dtype=np.uint8)
    np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels)
    assert _refusal_of_archive(path) == (
        f"{path} does not hold the published MNIST: fetch it again"
    )
    np.savez(path, images=images)
    assert _refusal_of_archive(path) == f"{path} is not Keras' mnist.npz, or is damaged"
    np.savez(path, x_train=np.array([{}]), y_train=labels, x_test=images, y_test=labels)
    assert _refusal_of_archive(path) == f"{path} is not Keras' mnist.npz, or is damaged"
    path.write_bytes(b"no archive")
    assert _refusal_of_archive(path) == f"{path} is not Keras' mnist.npz, or is damaged"


def test_forms_that_are_not_read_are_named_with_the_way_on(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("label,pixel0\n")
    (tmp_path / "test.csv").write_text("pixel0\n")

    assert refusal("mnist", tmp_path) == (
        f"{tmp_path} does not hold train-images-idx3-ubyte.gz: name the folder with the four files "
        "of mnist (test.csv, train.csv there: only IDX files and Keras' mnist.npz are read. Write "
        "each image as a picture DIR/<label>/<number>.png and name folder:DIR, or let mnist-edge "
        "download the set)"
    )


# Where it is looked for


def test_places_are_asked_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named, environment = tmp_path / "named", tmp_path / "environment"
    cached = tmp_path / "cache" / "mnist-edge" / "kmnist"
    for folder in (named, environment, cached):
        write_set(folder, "kmnist")
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(environment))

    assert find("kmnist", named) == named
    assert find("kmnist", None) == environment
    monkeypatch.delenv(DATA_DIR_VARIABLE)
    assert find("kmnist", None) == cached
    (cached / SOURCES["kmnist"].files[3].name).unlink()
    assert find("kmnist", None) is None


def test_environment_without_the_set_leads_on_to_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(tmp_path / "empty"))
    cached = tmp_path / "cache" / "mnist-edge" / "kmnist"
    write_set(cached, "kmnist", packed=False)

    assert find("kmnist", None) == cached
    found = load_if_here("kmnist")
    assert found is not None
    assert found.source == str(cached)


def test_environment_that_holds_something_else_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photos" / "summer").mkdir(parents=True)
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(tmp_path / "photos"))
    write_set(tmp_path / "cache" / "mnist-edge" / "kmnist", "kmnist")

    with pytest.raises(DataError) as caught:
        load("kmnist")

    assert str(caught.value) == (
        f"{DATA_DIR_VARIABLE} names {tmp_path / 'photos'}, which holds none of the files of "
        f"{', '.join(SOURCES)}: name the folder that does, or unset it"
    )


@pytest.mark.parametrize("name", ["n" * 300, "no\0ne"])
def test_places_that_cannot_be_looked_up_are_one_line(tmp_path: Path, name: str) -> None:
    assert str(tmp_path / name) in refusal("kmnist", tmp_path / name)


def test_environment_of_another_set_leads_on_to_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_set(tmp_path / "sets", "qmnist")
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(tmp_path / "sets"))
    cached = tmp_path / "cache" / "mnist-edge" / "kmnist"
    write_set(cached, "kmnist")

    assert find("kmnist", None) == cached


def test_folder_of_several_sets_gives_each_its_own(tmp_path: Path) -> None:
    write_set(tmp_path, "mnist", small_arrays(seed=9))  # the files have the same names
    for seed, name in enumerate(UNSIGNED):
        write_set(tmp_path / name, name, small_arrays(seed=seed))

    for seed, name in enumerate(UNSIGNED):
        images = load(name, tmp_path).train.images
        np.testing.assert_array_equal(images, small_arrays(seed=seed)[0])


def test_named_folder_without_the_set_is_refused(tmp_path: Path) -> None:
    write_set(tmp_path / "cache" / "mnist-edge" / "kmnist", "kmnist")

    assert refusal("kmnist", tmp_path / "nowhere") == (
        f"{tmp_path / 'nowhere'} does not hold train-images-idx3-ubyte.gz: "
        "name the folder with the four files of kmnist"
    )


def test_environment_must_name_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_DIR_VARIABLE, str(tmp_path / "nowhere"))

    with pytest.raises(DataError) as caught:
        load("mnist")

    assert str(caught.value) == (
        f"{DATA_DIR_VARIABLE} names {tmp_path / 'nowhere'}, which is not a folder"
    )


def test_cache_follows_the_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "cache" / "mnist-edge"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir() == tmp_path / ".cache" / "mnist-edge"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_dir() == tmp_path / "Library" / "Caches" / "mnist-edge"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert cache_dir() == tmp_path / "local" / "mnist-edge"


def test_nothing_is_fetched_for_a_set_that_is_only_asked_for() -> None:
    assert load_if_here("mnist") is None
    assert load_if_here("folder:here") is None
    assert load_if_here("no-such-set") is None


def test_mnist_in_the_environment_is_not_taken_for_the_set_of_the_same_file_names(
    monkeypatch: pytest.MonkeyPatch, mnist: Dataset
) -> None:
    monkeypatch.setenv(DATA_DIR_VARIABLE, mnist.source)
    assert load_if_here("fashion-mnist") is None
