import hashlib
import json
from pathlib import Path

import onnx
import pytest

from mnist_edge.classifier import Classifier
from mnist_edge.datasets import Dataset, Split
from mnist_edge.errors import EdgeError, ModelError
from mnist_edge.host.machine import this_machine
from mnist_edge.lab.export.candidate import (
    measure_candidate,
    with_metadata,
    without_metadata,
)
from mnist_edge.lab.export.publish import publish
from mnist_edge.metrics import Accuracy
from mnist_edge.model_file.contract import PREFIX
from mnist_edge.model_file.manifest import MANIFEST, read_manifest, to_text, with_latency
from mnist_edge.report import model_card as cards
from tests.conftest import make_card, write_tiny_model
from tests.helpers.exports import CALIBRATION, FP32_GATE, fp32_candidate, int8_candidate
from tests.model_file.test_manifest import TIMED


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def in_the_way(folder: Path, name: str = "tiny.onnx", **card: object) -> Path:
    return write_tiny_model(folder / name, make_card(**card), seed=9)


def test_files_are_written_as_they_are(tmp_path: Path) -> None:
    candidates = [fp32_candidate(), int8_candidate()]
    published = publish(candidates, tmp_path / "a" / "b", cards.render)
    files = [MANIFEST, "tiny-int8.md", "tiny-int8.onnx", "tiny.md", "tiny.onnx"]
    assert sorted(contents(tmp_path / "a" / "b")) == files
    for made, exported in zip(candidates, published, strict=True):
        assert exported.path == tmp_path / "a" / "b" / made.name
        assert exported.path.read_bytes() == made.file.content
        assert Classifier(exported.path).card == exported.card == made.card
        assert exported.candidate is made
        assert exported.replaced is None


def test_manifest_matches_the_files(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text(json.dumps({"files": {"other.onnx": {"bytes": 1}}}))
    published = publish([fp32_candidate(), int8_candidate()], tmp_path, cards.render)
    files = json.loads((tmp_path / MANIFEST).read_text())["files"]
    assert list(files) == ["other.onnx", "tiny-int8.onnx", "tiny.onnx"]
    assert files.pop("other.onnx") == {"bytes": 1}
    for exported in published:
        entry, content = files[exported.path.name], exported.path.read_bytes()
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
        assert entry["bytes"] == len(content)
        accuracy = exported.card.accuracy
        assert entry["accuracy"]["correct"] == accuracy.correct
        assert entry["accuracy"]["value"] == accuracy.correct / accuracy.total
        assert entry["accuracy"]["interval95"] == list(accuracy.interval)
        assert entry["accuracy"]["split"] == "test"
        assert entry["original_accuracy"] == exported.card.original_accuracy.value
        assert entry["precision"] == exported.card.precision
        assert entry["trained"] == exported.card.trained
        assert entry["source_sha256"] == exported.card.source_sha256
        assert entry["verified_on"] == this_machine().cpu


def test_manifest_says_what_the_gates_found(tmp_path: Path) -> None:
    publish([fp32_candidate(), int8_candidate()], tmp_path, cards.render)
    files = read_manifest(tmp_path / MANIFEST)
    assert set(files["tiny.onnx"]["gate"]) == {"against_original"}
    assert files["tiny.onnx"]["gate"]["against_original"]["max_logit_difference"] == 1e-5
    gate = files["tiny-int8.onnx"]["gate"]
    assert set(gate) == {"against_original", "against_fp32", "against_float_reference"}
    assert gate["against_original"]["accuracy_before"] == 0.9965
    assert gate["against_original"]["changed"] == 8 + 5
    assert gate["against_fp32"]["accuracy_before"] == 0.9964
    assert gate["against_fp32"]["max_logit_difference"] == 0.75
    assert gate["against_float_reference"]["widest_pair"] == 128


def test_only_an_int8_file_is_said_to_be_calibrated(tmp_path: Path) -> None:
    publish([fp32_candidate(), int8_candidate()], tmp_path, cards.render)
    files = read_manifest(tmp_path / MANIFEST)
    assert files["tiny-int8.onnx"]["calibration"] == CALIBRATION
    assert files["tiny-int8.onnx"]["original_sha256"] == "0" * 64
    assert {"calibration", "original_sha256"} & set(files["tiny.onnx"]) == set()


def test_an_entry_is_replaced_with_its_file(tmp_path: Path) -> None:
    publish([fp32_candidate(), int8_candidate()], tmp_path, cards.render)
    before = read_manifest(tmp_path / MANIFEST)
    again = fp32_candidate(seed=5)
    publish([again], tmp_path, cards.render)
    after = read_manifest(tmp_path / MANIFEST)
    assert after["tiny.onnx"]["sha256"] == again.file.sha256 != before["tiny.onnx"]["sha256"]
    assert after["tiny-int8.onnx"] == before["tiny-int8.onnx"]


def test_each_file_has_its_model_card_beside_it(tmp_path: Path) -> None:
    for exported in publish([fp32_candidate(), int8_candidate()], tmp_path, cards.render):
        card = exported.path.with_suffix(".md").read_text("utf-8")
        assert card == cards.render_file(exported.path)
        assert hashlib.sha256(exported.path.read_bytes()).hexdigest() in card


def test_a_latency_stays_as_long_as_the_file_is_the_same(tmp_path: Path) -> None:
    publish([fp32_candidate(), int8_candidate()], tmp_path, cards.render)
    files = read_manifest(tmp_path / MANIFEST)
    for name in files:
        files = with_latency(files, name, TIMED)
    (tmp_path / MANIFEST).write_text(to_text(files), "utf-8")
    publish([fp32_candidate(), int8_candidate(model="other")], tmp_path, cards.render, force=True)
    after = read_manifest(tmp_path / MANIFEST)
    assert after["tiny.onnx"] == files["tiny.onnx"]
    assert "latency" not in after["tiny-int8.onnx"]
    assert TIMED.cpu in (tmp_path / "tiny.md").read_text("utf-8")
    assert TIMED.cpu not in (tmp_path / "tiny-int8.md").read_text("utf-8")
    for name in ("tiny.onnx", "tiny-int8.onnx"):
        card = (tmp_path / name).with_suffix(".md").read_text("utf-8")
        assert card == cards.render_file(tmp_path / name)


def test_somebodys_notes_in_a_cards_place_stay_without_force(tmp_path: Path) -> None:
    (tmp_path / "tiny-int8.md").write_text("# mine\n")
    with pytest.raises(EdgeError, match=r"tiny-int8\.md is in the way of the model card"):
        publish([fp32_candidate(), int8_candidate()], tmp_path, cards.render)
    assert contents(tmp_path) == {"tiny-int8.md": b"# mine\n"}
    publish([fp32_candidate(), int8_candidate()], tmp_path, cards.render, force=True)
    assert (tmp_path / "tiny-int8.md").read_text("utf-8") == cards.render_file(
        tmp_path / "tiny-int8.onnx"
    )


def test_without_a_manifest_nothing_is_known(tmp_path: Path) -> None:
    assert read_manifest(tmp_path / MANIFEST) == {}


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"files": null}', '{"files": [1]}'])
def test_an_unreadable_manifest_stops_before_anything_is_written(
    tmp_path: Path, content: str
) -> None:
    (tmp_path / MANIFEST).write_text(content)
    before = contents(tmp_path)
    with pytest.raises(EdgeError, match=r"manifest.json cannot be read: repair or delete it"):
        publish([fp32_candidate()], tmp_path, cards.render, force=True)
    assert contents(tmp_path) == before


def test_an_equal_file_is_replaced_and_said(tmp_path: Path) -> None:
    first = fp32_candidate()
    publish([first], tmp_path, cards.render)
    assert (
        publish([fp32_candidate(seed=5)], tmp_path, cards.render)[0].replaced == first.card.accuracy
    )
    assert (tmp_path / "tiny.onnx").read_bytes() != first.file.content


def test_a_worse_file_is_replaced(tmp_path: Path) -> None:
    in_the_way(tmp_path, accuracy=Accuracy(1, 10))
    assert publish([fp32_candidate()], tmp_path, cards.render)[0].replaced == Accuracy(1, 10)
    assert Classifier(tmp_path / "tiny.onnx").card == fp32_candidate().card


def test_a_better_file_stays_without_force(tmp_path: Path) -> None:
    in_the_way(tmp_path, accuracy=Accuracy(9999, 10000))
    before = contents(tmp_path)
    with pytest.raises(
        EdgeError, match=r"tiny.onnx is better \(99.99%\) than this one \(99.65%\): use --force"
    ):
        publish([fp32_candidate()], tmp_path, cards.render)
    assert contents(tmp_path) == before
    assert publish([fp32_candidate()], tmp_path, cards.render, force=True)[0].replaced == Accuracy(
        9999, 10000
    )


def test_a_file_of_another_data_set_stays_without_force(tmp_path: Path) -> None:
    in_the_way(tmp_path, dataset="mnist", accuracy=Accuracy(1, 10))
    before = contents(tmp_path)
    with pytest.raises(EdgeError, match=r"was made for mnist, this one is for digits: use --force"):
        publish([fp32_candidate()], tmp_path, cards.render)
    assert contents(tmp_path) == before
    publish([fp32_candidate()], tmp_path, cards.render, force=True)
    assert Classifier(tmp_path / "tiny.onnx").card.dataset == "digits"


def test_a_foreign_file_stays_without_force(tmp_path: Path) -> None:
    (tmp_path / "tiny.onnx").write_text("somebody's notes")
    with pytest.raises(EdgeError, match=r"is in the way and is not ours: use --force"):
        publish([fp32_candidate()], tmp_path, cards.render)
    assert contents(tmp_path) == {"tiny.onnx": b"somebody's notes"}
    assert publish([fp32_candidate()], tmp_path, cards.render, force=True)[0].replaced is None


@pytest.mark.parametrize("better", ["tiny.onnx", "tiny-int8.onnx"])
def test_all_files_are_published_or_none(tmp_path: Path, better: str) -> None:
    for name in ("tiny.onnx", "tiny-int8.onnx"):
        in_the_way(tmp_path, name, accuracy=Accuracy(9999 if name == better else 1, 10000))
    (tmp_path / MANIFEST).write_text('{"files": {}}')
    before = contents(tmp_path)
    with pytest.raises(EdgeError, match=rf"{better} is better"):
        publish([fp32_candidate(), int8_candidate()], tmp_path, cards.render)
    assert contents(tmp_path) == before
    published = publish([fp32_candidate(), int8_candidate()], tmp_path, cards.render, True)
    replaced = [exported.replaced for exported in published]
    assert sorted(accuracy.correct for accuracy in replaced if accuracy) == [1, 9999]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EdgeError, match=r"cannot write into .*file: "):
        publish([fp32_candidate()], tmp_path / "file", cards.render)


def test_a_card_takes_the_place_of_all_metadata_and_leaves_the_graph_alone(tmp_path: Path) -> None:
    model = onnx.load(write_tiny_model(tmp_path / "tiny.onnx"))
    onnx.helper.set_model_props(model, {"author": "somebody"})
    before = model.SerializeToString(deterministic=True)
    card = make_card(model="other")
    content = with_metadata(without_metadata(model), card)
    assert content == with_metadata(without_metadata(model), card)
    assert model.SerializeToString(deterministic=True) == before
    written = onnx.load_model_from_string(content)
    assert written.graph == model.graph
    assert {entry.key: entry.value for entry in written.metadata_props} == card.to_metadata()
    assert all(entry.key.startswith(PREFIX) for entry in written.metadata_props)


def test_a_candidates_hash_is_that_of_its_file(tmp_path: Path) -> None:
    made = fp32_candidate(gate=FP32_GATE)
    path = publish([made], tmp_path, cards.render)[0].path
    assert made.file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_candidate_is_opened_as_whoever_ships_it_will(
    tiny_model: Path, random_split: Split
) -> None:
    model, original = onnx.load(tiny_model), Classifier(tiny_model).logits(random_split.images)
    data = Dataset("made", tuple("0123456789"), random_split, random_split, "here")
    made = measure_candidate("x.onnx", model, make_card(), data, original)
    assert made.card.accuracy == made.gate.verification.exported
    assert made.card.golden is not None
    assert made.card.confusion is not None
    assert onnx.load_model_from_string(made.file.content).graph == model.graph
    with pytest.raises(ModelError, match=r"x\.onnx is not a file of mnist-edge"):
        measure_candidate("x.onnx", model, make_card(classes=("a", "b")), data, original)
