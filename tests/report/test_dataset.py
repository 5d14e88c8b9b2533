"""What is said of a person's folder: one golden text for each finding."""

from dataclasses import replace

import numpy as np

from mnist_edge.datasets import Dataset, FolderFindings, Outliers, Split
from mnist_edge.fingerprint import Fingerprint, SplitDigest
from mnist_edge.image_shape import Fit
from mnist_edge.report.dataset import (
    as_json,
    changed_images_note,
    lines,
    missing_outliers_note,
)

PLAIN = FolderFindings(
    pictures=200,
    coloured=0,
    smallest=(28, 28),
    largest=(28, 28),
    suffixes={},
    loose=0,
    folders=(),
    cut_test=False,
    untested=(),
    in_two_splits=(),
    in_two_classes=(),
)
SPLIT = Split(np.zeros((3, 28, 28), np.uint8), np.zeros(3, np.int64))


def dataset(findings: FolderFindings | None, known: Fingerprint | None = None) -> Dataset:
    return Dataset(
        "folder:shapes",
        ("a", "b"),
        SPLIT,
        SPLIT,
        "x",
        fingerprint=known,
        findings=findings,
        fit=Fit.PAD,
    )


def test_a_published_set_needs_no_words() -> None:
    assert lines(dataset(None)) == []
    assert as_json(None) is None


def test_a_plain_folder_needs_few() -> None:
    assert lines(dataset(PLAIN)) == ["200 pictures of 28×28 pixels become 28×28 grey"]


def test_what_pictures_become_is_said() -> None:
    in_color = np.zeros((2, 24, 32, 3), np.uint8)
    split = Split(in_color, np.zeros(2, np.int64))
    found = replace(PLAIN, coloured=200, smallest=(31, 40), largest=(640, 480))
    data = replace(dataset(found), train=split, test=split)
    start = "200 pictures of 31×40 to 640×480 pixels become 32×24 colour"

    assert lines(data) == [f"{start}, padded"]
    assert lines(replace(data, fit=Fit.CROP)) == [f"{start}, cut to the middle"]
    outliers = Outliers(in_color, in_color[:1], in_color[:0])
    assert lines(replace(data, outliers=outliers))[1] == (
        "3 pictures of no class: 2 to train on, 1 for validation, 0 for the test"
    )


def test_every_finding_has_its_line() -> None:
    found = replace(
        PLAIN,
        coloured=120,
        smallest=(8, 30),
        largest=(4000, 3000),
        suffixes={"": 1, ".heic": 3, ".txt": 1},
        loose=2,
        folders=("sketches", "raw"),
        cut_test=True,
        of_several=2,
        unreadable=(("a/9.png", "x/a/9.png: is empty"),),
        untested=("circle",),
        in_two_splits=(("a/1.png", "test/a/7.png"),),
        in_two_classes=tuple((f"a/{n}.png", f"b/{n}.png") for n in range(5)),
    )

    assert lines(dataset(found)) == [
        "200 pictures of 8×30 to 4000×3000 pixels become 28×28 grey, padded. Colour is not used, "
        "though 120 of them have some: --color keeps it. Classes that differ in colour alone "
        "cannot be told apart",
        "test split: 3 of 200 pictures, by a hash of each file: pictures that are added later move "
        "no other into it",
        "7 files passed over: 1 without a suffix, 3 .heic (save as PNG or JPEG, or pip install "
        "pillow-heif), 1 .txt, 2 pictures in no class's folder; folders beside the splits passed "
        "over: sketches, raw",
        "1 picture left out, unreadable: x/a/9.png: is empty",
        "2 files of several frames or pages: of each only the first is read",
        "no test images of circle: nothing will be known of them",
        "the same picture is in two splits: a/1.png = test/a/7.png: keep one, or the test knows it",
        "the same picture is in two classes: a/0.png = b/0.png, a/1.png = b/1.png, a/2.png = "
        "b/2.png and 2 more: one of them is wrong",
    ]


def fingerprint(test: int, training: int = 90) -> Fingerprint:
    return Fingerprint(
        SplitDigest(training, "0" * 64), SplitDigest(9, "0" * 64), SplitDigest(test, "0" * 64)
    )


def test_other_test_images_are_told() -> None:
    data = dataset(PLAIN, fingerprint(26, 93))

    assert changed_images_note("edge.onnx", "folder:shapes", fingerprint(24), data) == (
        "note: folder:shapes is not what edge.onnx was trained and measured on: training 90 images "
        "then, 93 now, test 24 images then, 26 now"
    )
    assert changed_images_note("edge.onnx", "folder:shapes", None, data) == (
        "note: edge.onnx does not say which pictures it was trained on, as files of older "
        "versions: some of these test images may be among them"
    )


def test_the_same_test_images_need_no_words() -> None:
    data = dataset(PLAIN, fingerprint(26, 93))

    assert changed_images_note("edge.onnx", "folder:shapes", fingerprint(26), data) == ""
    assert changed_images_note("edge.onnx", "mnist", None, data) == ""
    mnist = replace(data, name="mnist", fingerprint=None)
    assert changed_images_note("edge.onnx", "folder:shapes", fingerprint(26), mnist) == ""


def test_missing_images_of_no_class_are_told_where_the_set_is_the_models_own() -> None:
    known = replace(fingerprint(26), outliers=SplitDigest(20, "0" * 64))
    data = dataset(PLAIN)

    def note(before: Fingerprint | None, given: Dataset, name: str = "folder:shapes") -> str:
        return missing_outliers_note("edge.onnx", name, before, given, "so it is")

    assert note(known, data) == (
        "note: the 20 pictures of no class of edge.onnx are not here: so it is"
    )
    images = SPLIT.images
    assert note(known, replace(data, outliers=Outliers(images, images, images))) == ""
    assert note(fingerprint(26), data) == note(None, data) == ""
    assert note(known, data, "folder:others") == ""


def test_images_of_no_class_that_are_given_to_joined_sets_are_said() -> None:
    images = SPLIT.images
    own = replace(dataset(None), outliers=Outliers(images, images, images))
    without = replace(own, outliers=None)
    line = "9 pictures of no class: 3 to train on, 3 for validation, 3 for the test"
    assert lines(replace(own, parts=(without, without))) == [line]
    assert lines(replace(own, parts=(without, own))) == [f"folder:shapes: {line}"]
