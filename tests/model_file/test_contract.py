import dataclasses
import json
import tomllib
from pathlib import Path

import pytest

from mnist_edge.errors import ModelError
from mnist_edge.fingerprint import Fingerprint, SplitDigest
from mnist_edge.image_shape import Fit, ImageShape
from mnist_edge.metrics import Accuracy, Threshold
from mnist_edge.model_file.contract import LICENCE, PREFIX, VERSION, Card
from mnist_edge.model_file.golden import Golden
from mnist_edge.rejection import Rejection
from tests.conftest import make_card

KEYS = sorted(make_card().to_metadata())
INT8: dict[str, object] = {
    "precision": "int8",
    "calibration": {"method": "minmax", "images": 512, "keep_float": ["Conv_2"]},
    "original_sha256": "f" * 64,
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"classes": ("お", "き", 'with "quotes"', "a,b", "")},
        {"temperature": 0.1 + 0.2},
        {"trained": {"recipe": {"lr": 0.003, "shortcut": None}, "device": "cpu (x86_64)"}},
        {"accuracy": Accuracy(0, 1), "original_accuracy": Accuracy(10000, 10000)},
        {"dataset": "folder:my letters", "params": 0, "macs": 10**12, "precision": "int8"},
        INT8,
        INT8 | {"calibration": {"finetune": {"lr": 1e-4, "epochs": 3}, "größe": None}},
    ],
)
def test_a_card_survives_its_metadata(changes: dict[str, object]) -> None:
    card = make_card(**changes)
    assert Card.from_metadata(card.to_metadata()) == card


THRESHOLD = Threshold(0.1 + 0.2, accepted=90, right=89, total=100)
CONFUSION = ((89, 10), (0, 1))
TWO: dict[str, object] = {"classes": ("no", "yes"), "confusion": CONFUSION}
PART = SplitDigest(100, "0" * 64)
FINGERPRINT = Fingerprint(PART, SplitDigest(11, "1" * 64), PART, coloured=3)
GOLDEN = Golden("a generator", "0" * 64, 0.001, ((1.5, -2.0),))


def test_metadata_is_text_under_the_prefix_and_names_every_field() -> None:
    carried: dict[str, object] = {
        "golden": GOLDEN,
        "threshold": THRESHOLD,
        "licence": LICENCE,
        "rejection": Rejection(90, 100, 3, 1000),
    }
    carried["fingerprint"] = FINGERPRINT
    metadata = make_card(**INT8, **TWO, **carried).to_metadata()
    assert all(isinstance(value, str) for value in metadata.values())
    fields = {field.name for field in dataclasses.fields(Card)} | {"version"}
    assert {key.removeprefix(PREFIX) for key in metadata} == fields - {"shape", "fit"}
    assert metadata[PREFIX + "version"] == "1"
    carried |= {"shape": ImageShape(32, 48, 3), "fit": Fit.CROP}
    metadata = make_card(**INT8, **TWO, **carried).to_metadata()
    assert {key.removeprefix(PREFIX) for key in metadata} == fields
    assert metadata[PREFIX + "version"] == str(VERSION) == "2"
    assert json.loads(metadata[PREFIX + "shape"]) == {"height": 32, "width": 48, "channels": 3}
    assert Card.from_metadata(metadata) == make_card(**INT8, **TWO, **carried)


def test_a_file_without_them_says_nothing_of_quantization_and_golden_answers() -> None:
    metadata, card = make_card().to_metadata(), make_card()
    fields = {field.name for field in dataclasses.fields(Card)}
    said = {key.removeprefix(PREFIX) for key in metadata}
    optional = {"calibration", "original_sha256", "golden", "threshold", "confusion", "licence"}
    optional |= {"fingerprint", "shape", "fit", "rejection"}
    assert fields - said == optional
    assert Card.from_metadata(metadata).calibration is card.calibration is None
    assert Card.from_metadata(metadata).original_sha256 is card.original_sha256 is None
    assert Card.from_metadata(metadata).golden is card.golden is None
    assert Card.from_metadata(metadata).threshold is card.threshold is None
    assert Card.from_metadata(metadata).confusion is card.confusion is None
    assert Card.from_metadata(metadata).licence is card.licence is None
    assert Card.from_metadata(metadata).fingerprint is card.fingerprint is None


def test_a_threshold_survives_its_metadata() -> None:
    card = make_card(threshold=THRESHOLD)
    metadata = card.to_metadata()
    assert Card.from_metadata(metadata).threshold == THRESHOLD
    assert json.loads(metadata[PREFIX + "threshold"]) == dataclasses.asdict(THRESHOLD)


def test_a_confusion_survives_its_metadata_and_is_small_there() -> None:
    card = make_card(**TWO, licence="CC-BY-4.0")
    metadata = card.to_metadata()
    assert Card.from_metadata(metadata) == card
    assert metadata[PREFIX + "confusion"] == "[[89,10],[0,1]]"
    assert metadata[PREFIX + "licence"] == "CC-BY-4.0"


def test_a_fingerprint_survives_its_metadata() -> None:
    card = make_card(fingerprint=FINGERPRINT)
    assert Card.from_metadata(card.to_metadata()) == card


@pytest.mark.parametrize("value", ["", "3", "{}", "[]", "null", '{"training": 3}'])
def test_a_foreign_fingerprint_is_unreadable(value: str) -> None:
    metadata = make_card().to_metadata() | {PREFIX + "fingerprint": value}
    with pytest.raises(ModelError, match=rf"^its metadata {PREFIX}fingerprint cannot be read$"):
        Card.from_metadata(metadata)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "90",
        "{}",
        "[]",
        "[[89,10]]",
        "[[89,10],[0]]",
        "[[89,10],[0,1],[0,0]]",
        "[[89,10],[0,2]]",  # 101 images
        "[[88,11],[0,1]]",  # 89 right
        "[[91,10],[0,-1]]",
        "[[89.0,10],[0,1]]",
        "[[89,10],[false,true]]",
        '[["89",10],[0,1]]',
        "[[89,10],null]",
        "[[90,0,0],[0,0,10],[0,0,0]]",  # of three classes
    ],
)
def test_counts_that_do_not_fit_the_rest_of_the_card_are_unreadable(value: str) -> None:
    metadata = make_card(**TWO).to_metadata() | {PREFIX + "confusion": value}
    with pytest.raises(ModelError, match=rf"^its metadata {PREFIX}confusion cannot be read$"):
        Card.from_metadata(metadata)


def test_the_licence_is_that_of_the_package() -> None:
    project = tomllib.loads((Path(__file__).parent.parent.parent / "pyproject.toml").read_text())
    assert project["project"]["license"] == LICENCE


def test_a_chain_begins_with_the_checkpoint() -> None:
    fp32 = make_card(source_sha256="a" * 64)
    int8 = make_card(source_sha256="b" * 64, original_sha256="a" * 64)
    assert fp32.checkpoint_sha256 == int8.checkpoint_sha256 == "a" * 64


def test_any_client_can_read_the_json_in_it() -> None:
    metadata = make_card(classes=("o", "お")).to_metadata()
    assert json.loads(metadata[PREFIX + "classes"]) == ["o", "お"]
    assert json.loads(metadata[PREFIX + "accuracy"]) == {
        "value": 0.9,
        "correct": 90,
        "total": 100,
        "split": "test",
    }
    assert float(metadata[PREFIX + "temperature"]) == 1.0


def test_entries_of_others_are_ignored() -> None:
    metadata = make_card().to_metadata() | {"author": "somebody", PREFIX + "later": "?"}
    assert Card.from_metadata(metadata) == make_card()


@pytest.mark.parametrize("key", KEYS)
def test_the_missing_entry_is_named(key: str) -> None:
    metadata = make_card().to_metadata()
    del metadata[key]
    with pytest.raises(ModelError, match=rf"^its metadata lacks {key}$"):
        Card.from_metadata(metadata)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("version", "one"),
        ("version", ""),
        ("classes", "0123456789"),
        ("classes", "[0, 1"),
        ("params", "7.5 k"),
        ("macs", ""),
        ("accuracy", "0.99"),
        ("accuracy", "{}"),
        ("accuracy", "[90, 100]"),
        ("accuracy", '{"correct": 101, "total": 100}'),
        ("accuracy", '{"correct": Infinity, "total": 100}'),
        ("original_accuracy", '{"correct": 0, "total": 0}'),
        ("original_accuracy", '{"correct": null, "total": 1}'),
        ("temperature", "warm"),
        ("trained", "yesterday"),
        ("trained", "[1, 2]"),
        ("trained", "3"),
        ("calibration", ""),
        ("calibration", "minmax"),
        ("calibration", "[1, 2]"),
        ("calibration", "512"),
        ("calibration", "null"),
        ("threshold", "0.9"),
        ("threshold", "{}"),
        ("threshold", '{"value": 1.5, "accepted": 9, "right": 9, "total": 9}'),
        ("threshold", '{"value": NaN, "accepted": 9, "right": 9, "total": 9}'),
        ("threshold", '{"value": 0.5, "accepted": 9, "right": 10, "total": 10}'),
        ("threshold", '{"value": 0.5, "accepted": 0, "right": 0, "total": 10}'),
        ("threshold", '{"value": 0.5, "accepted": 9, "right": 9}'),
        ("threshold", '{"value": 0.5, "accepted": 9, "right": 9, "total": 9, "split": "test"}'),
    ],
)
def test_the_unreadable_entry_is_named(key: str, value: str) -> None:
    metadata = make_card().to_metadata() | {PREFIX + key: value}
    with pytest.raises(ModelError, match=rf"^its metadata {PREFIX}{key} cannot be read$"):
        Card.from_metadata(metadata)


@pytest.mark.parametrize("version", [0, VERSION + 1])
def test_another_version_says_both_and_what_to_do(version: int) -> None:
    metadata = make_card().to_metadata() | {PREFIX + "version": str(version)}
    with pytest.raises(ModelError, match=f"version {version} .* {VERSION} is the newest .*export"):
        Card.from_metadata(metadata)


def test_the_version_is_judged_before_what_another_version_may_lack() -> None:
    with pytest.raises(ModelError, match="version 3"):
        Card.from_metadata({PREFIX + "version": "3"})


def test_a_folders_file_of_version_1_pads_with_black() -> None:
    """As its network learned it."""
    before = make_card(dataset="folder:leaves", fit=Fit.ZERO_PAD)
    assert before.version == 1
    assert PREFIX + "fit" not in before.to_metadata()
    assert Card.from_metadata(before.to_metadata()).fit is Fit.ZERO_PAD
    assert make_card(dataset="folder:leaves", fit=Fit.PAD).version == 2


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("shape", "[28, 28]"),
        ("shape", '{"height": 28}x'),
        ("shape", '{"height": 28.0, "width": 28, "channels": 1}'),
        ("shape", '{"height": 8, "width": 28, "channels": 1}'),
        ("shape", '{"height": 28, "width": 28, "channels": 2}'),
        ("shape", '{"height": 28, "width": 28, "channels": 1, "depth": 1}'),
        ("fit", "stretch"),
        ("fit", ""),
        ("fit", "digit"),  # of 32×32 in colour
    ],
)
def test_a_shape_or_fit_that_is_none_is_unreadable(key: str, value: str) -> None:
    metadata = make_card(shape=ImageShape(32, 32, 3), fit=Fit.PAD).to_metadata()
    with pytest.raises(ModelError, match=rf"^its metadata {PREFIX}{key} cannot be read$"):
        Card.from_metadata(metadata | {PREFIX + key: value})
