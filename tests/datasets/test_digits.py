"""The digits of scikit-learn, against scikit-learn and scipy."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from mnist_edge.datasets import Dataset, load, load_if_here
from mnist_edge.errors import MissingExtraError

load_digits = pytest.importorskip("sklearn.datasets").load_digits


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


def test_all_labels_are_those_of_scikit_learn_in_order(digits: Dataset) -> None:
    found = np.concatenate([digits.train.labels, digits.test.labels])

    np.testing.assert_array_equal(found, load_digits().target)
    assert digits.classes == tuple("0123456789")


def test_no_form_is_in_both_splits(digits: Dataset) -> None:
    # Everybody copied the same text, so that its beginning shows where the next form begins.
    train, test = ("".join(map(str, split.labels)) for split in (digits.train, digits.test))

    assert test[:37] == train[:37] == "0123456789" * 3 + "0955650"
    assert len(train) + len(test) == 1797
    assert 0.15 < len(test) / 1797 < 0.25


def test_images_fill_mnists_box(digits: Dataset) -> None:
    for image in digits.train.images[:200]:
        rows, columns = np.nonzero(image)
        assert max(np.ptp(rows), np.ptp(columns)) < 20
        assert image.max() > 200


def test_centre_of_mass_is_where_mnist_has_it(digits: Dataset) -> None:
    for image in digits.test.images:
        np.testing.assert_allclose(ndimage.center_of_mass(image), (14, 14), atol=0.5 + 1e-9)


def test_images_show_their_digits(digits: Dataset) -> None:
    # Shrunk to 8×8 they are still the original: 1 is ideal, an unrelated digit has about 0.4.
    original = load_digits().images[: len(digits.train)].reshape(len(digits.train), -1)
    boxes = digits.train.images[:, 4:24, 4:24].astype(float)
    small = np.stack([ndimage.zoom(box, 0.4, order=1) for box in boxes])
    small = small.reshape(len(small), -1)
    own = [np.corrcoef(pair)[0, 1] for pair in zip(small, original, strict=True)]
    strange = [np.corrcoef(pair)[0, 1] for pair in zip(small, original[::-1], strict=True)]

    assert np.median(own) > 0.6
    assert np.median(own) > np.median(strange) + 0.3


def test_missing_scikit_learn_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)

    with pytest.raises(MissingExtraError) as caught:
        load("digits")

    assert str(caught.value) == (
        "the digits come with scikit-learn: pip install 'mnist-edge[train]'"
    )
    assert load_if_here("digits") is None


def test_digits_are_read_without_importing_scikit_learn() -> None:
    code = "import sys; from mnist_edge.datasets import load; load('digits'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "numpy" in done.stdout.split()
    assert "sklearn" not in done.stdout.split()


def test_where_its_file_lies_elsewhere_scikit_learn_is_asked(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "is_file", lambda path: False)
    found = load("digits")
    for one, other in ((found.train, digits.train), (found.test, digits.test)):
        np.testing.assert_array_equal(one.images, other.images)
        np.testing.assert_array_equal(one.labels, other.labels)


def test_digits_are_always_here(digits: Dataset) -> None:
    found = load_if_here("digits")

    assert found is not None
    np.testing.assert_array_equal(found.train.images, digits.train.images)
