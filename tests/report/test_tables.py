"""The tables of classes and of a data set."""

import numpy as np
import pytest
from sklearn.metrics import classification_report

from mnist_edge import metrics
from mnist_edge.cli import console
from mnist_edge.datasets import Dataset, Split
from mnist_edge.datasets.idx_datasets import SOURCES
from mnist_edge.report import tables
from tests.report.test_benchmark_tables import render, rows


def test_per_class_has_a_line_for_each_class_and_their_means_below() -> None:
    counts = np.array([[8, 2], [0, 1234]])
    lines = render(tables.per_class(["no", "yes"], counts, blank_line=True))
    assert lines[0].split() == ["class", "precision", "recall", "f1-score", "support"]
    assert lines[1].split() == ["no", "1.000", "0.800", "0.889", "10"]
    assert lines[2].split() == ["yes", "0.998", "1.000", "0.999", "1,234"]
    assert lines[3].strip() == ""
    assert lines[4].split() == ["accuracy", "0.998", "1,244"]
    assert lines[4].index("0.998") == lines[5].rindex(lines[5].split()[4])  # below f1-score
    assert lines[5].split() == ["macro", "avg", "0.999", "0.900", "0.944", "1,244"]
    assert lines[6].split() == ["weighted", "avg", "0.998", "0.998", "0.998", "1,244"]
    assert render(tables.per_class(["no", "yes"], counts)) == [*lines[:3], *lines[4:]]


@pytest.mark.parametrize("seed", range(20))
def test_per_class_is_scikit_learns_classification_report(seed: int) -> None:
    random = np.random.default_rng(seed)
    classes = [f"class-{at}" for at in range(int(random.integers(3, 13)))]
    labels = random.integers(1, len(classes), int(random.integers(1, 3000)))  # no support for 0
    right = random.random(len(labels)) < random.random()
    guesses = random.integers(0, len(classes) - 1, len(labels))
    answers = np.where(right & (labels < len(classes) - 1), labels, guesses)  # the last: never
    counts = metrics.confusion(answers, labels, len(classes))
    report = classification_report(
        labels,
        answers,
        labels=range(len(classes)),
        target_names=classes,
        digits=3,
        zero_division=0,
    )
    ours = [line.replace(",", "").split() for line in render(tables.per_class(classes, counts))]
    theirs = [line.split() for line in report.splitlines() if line]
    assert [line for line in ours[1:] if line] == theirs[1:]
    assert ours[0] == ["class", *theirs[0]]
    for name in (0, len(classes) - 1):
        assert ours[1 + name][3] == "0.000"


def test_confusion_has_labels_down_and_answers_across_and_dots_for_zeros() -> None:
    lines = render(tables.confusion(["no", "yes"], np.array([[8, 2], [0, 1234]])))
    assert lines == ["label \\ answer  no    yes", "no               8      2", lines[2]]
    assert lines[2].split() == ["yes", "·", "1,234"]


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_the_confusion_of_every_known_set_fits(name: str) -> None:
    counts = np.full((10, 10), 12) + np.eye(10, dtype=np.int64) * 880
    lines = render(tables.confusion(SOURCES[name].classes, counts))
    assert len(lines) == 11
    assert lines[0].startswith("label \\ answer")


def test_a_confusion_too_wide_for_100_columns_lists_the_commonest_mistakes() -> None:
    classes = [f"class {at}" for at in range(30)]
    counts = np.eye(30, dtype=np.int64) * 500
    counts[3, 7], counts[7, 3], counts[0, 29] = 5, 1200, 40
    lines = render(tables.confusion(classes, counts))
    assert lines[0].split() == ["label", "read", "as", "images"]
    assert [line.split() for line in lines[1:]] == [
        ["class", "7", "class", "3", "1,200"],
        ["class", "0", "class", "29", "40"],
        ["class", "3", "class", "7", "5"],
    ]


def test_classes_may_have_names_that_look_like_markup(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_table(tables.confusion(["[/b]", "[red]"], np.array([[8, 2], [0, 4]])))
    assert capsys.readouterr().out.splitlines()[0].split()[-2:] == ["[/b]", "[red]"]


def test_of_very_many_mistakes_the_first_thirty_are_listed() -> None:
    counts = np.arange(1600, dtype=np.int64).reshape(40, 40)
    found = rows(tables.confusion([str(at) for at in range(40)], counts))
    assert len(found) == 30
    assert found[0] == ["39", "38", "1,598"]


def test_dataset_counts_each_class_of_each_split(random_split: Split) -> None:
    few = random_split[slice(0, 15)]
    lines = render(tables.dataset(Dataset("x", tuple("abcdefghij"), random_split, few, "here")))
    assert lines[0].split() == ["class", "train", "test"]
    assert lines[1].split() == ["a", "20", "2"]
    assert lines[10].split() == ["j", "20", "1"]
    assert lines[11].split() == ["all", "200", "15"]
