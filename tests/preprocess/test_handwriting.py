"""Kinds of pictures of which the wrong thing was read: dashes in a 0, strokes that fade, turned
sheets, crops."""

import io

import numpy as np

from mnist_edge.classifier import Classifier, Prediction
from mnist_edge.datasets import Dataset
from mnist_edge.model_file import model_paths
from mnist_edge.preprocess import read_picture
from mnist_edge.preprocess.colour import project_to_grey
from mnist_edge.preprocess.rectify import rectify_sheet
from tests.difficult import handwriting
from tests.difficult.canvas import Picture
from tests.difficult.strokes import LABELS, Drawn

SEEDS = 20


def answers(pictures: list[Picture]) -> Prediction:
    images = [read_picture(io.BytesIO(made.encoded())) for made in pictures]
    return Classifier(model_paths.default()).predict(np.stack(images))


def test_a_dash_in_a_zero_is_part_of_it() -> None:
    made = [handwriting.ring(np.random.default_rng([2, seed])) for seed in range(SEEDS)]
    assert np.mean(answers(made).labels == 0) >= 0.9


def test_a_turned_sheet_is_no_ink() -> None:
    made = []
    for seed in range(SEEDS):
        random = np.random.default_rng([4, seed])
        made.append(handwriting.turned_sheet(Drawn().shape(LABELS[seed % 10], random), random))
    assert np.mean(answers(made).labels == np.arange(SEEDS) % 10) >= 0.9


def test_no_tight_crop_is_a_turned_sheet(mnist: Dataset) -> None:
    random = np.random.default_rng(5)
    for image in mnist.test.images[:300]:
        made = handwriting.tight_crop(image, random).image
        assert rectify_sheet(project_to_grey(np.asarray(made))) is None


def test_no_crop_of_a_digit_is_surely_another(mnist: Dataset) -> None:
    """Nor is the paper beside a 7 a sheet, whose edge is a 1."""
    random = np.random.default_rng(6)
    chosen = slice(120, 160)
    made = [handwriting.tight_crop(image, random) for image in mnist.test.images[chosen]]
    given = answers(made)
    wrong = given.labels != mnist.test.labels[chosen]
    threshold = Classifier(model_paths.default()).card.threshold
    assert threshold is not None
    assert wrong.sum() <= 1
    assert given.probabilities.max(axis=1)[wrong].max(initial=0) < threshold.value


def test_the_faint_part_of_a_stroke_is_seen() -> None:
    made = [handwriting.fading_eight(np.random.default_rng([3, seed])) for seed in range(SEEDS)]
    assert np.mean(answers(made).labels == 8) >= 0.9
