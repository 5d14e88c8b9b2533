import json
from dataclasses import replace

import pytest

from mnist_edge.cli import gate_report as gate
from mnist_edge.lab.export.diagnose import Diagnosis, LayerNoise
from mnist_edge.lab.export.gate import Gate
from tests.helpers.exports import CALIBRATION, INT8_GATE, fp32_candidate, int8_candidate

DIAGNOSIS = Diagnosis(
    layers=(
        LayerNoise("Conv_2", "4→32, 5×3", 41.26, 39.24, 0.0006),
        LayerNoise("Add_8", "", None, 31.849, None),
        LayerNoise("Gemm_18", "512→10", float("inf"), -6.4, 0.0010),
    ),
    mean_shift=0.0008,
    images=141,
)


def rows(markdown: str) -> list[list[str]]:
    """The cells of a Markdown table, header first; an escaped bar does not part them."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    plain = [line.replace(r"\|", "¦").strip("| ") for line in lines]
    return [[cell.strip() for cell in line.split("|")] for line in plain]


def test_markdown_has_a_row_for_each_comparison() -> None:
    told = gate.markdown([fp32_candidate(), int8_candidate()], "The gate was passed.")
    assert told.startswith("# tiny.onnx, tiny-int8.onnx\n\nThe gate was passed.\n\n")
    header, line, *found = rows(told)
    assert {len(row) for row in (header, line, *found)} == {len(header)}
    assert [row[:2] for row in found] == [
        ["`tiny.onnx`", "PyTorch original"],
        ["`tiny-int8.onnx`", "PyTorch original"],
        ["`tiny-int8.onnx`", "fp32 file"],
    ]
    cells = dict(zip(header, found[1], strict=True))
    low, high = (100 * end for end in INT8_GATE.verification.exported.interval)
    assert cells["accuracy before"] == "99.65 %"
    assert cells["accuracy after (95 %)"] == f"99.60 % ({low:.2f}-{high:.2f})"
    assert (cells["better"], cells["worse"]) == ("3", "8")
    assert cells["changed answers"] == "13 of 10,000"
    assert cells["McNemar's p"] == "0.23"
    assert (cells["mean ¦Δp¦"], cells["max ¦Δp¦"]) == ("0.0012", "0.46")
    assert cells["max ¦Δlogit¦"] == "0.25"
    assert found[2][2] == "99.64 %"


def test_markdown_names_the_bytes_and_how_they_were_made() -> None:
    int8 = int8_candidate(calibration=CALIBRATION | {"keep_float": ["Conv_2"]})
    candidates = [fp32_candidate(), int8]
    told = gate.markdown(candidates, "")
    for made in candidates:
        assert (
            f"`{made.name}`: {len(made.file.content) / 1000:.0f} kB, SHA-256 {made.file.sha256}"
            in told
        )
    assert told.count("calibration: ") == told.count("float reference") == 1
    assert r"images 512, seed 0, weight_bits 7, keep_float \['Conv_2'\]" in told
    assert "on 1,000 images: 0 answers differ, max |Δlogit| 0.011 (one quantum is 0.09)" in told
    assert "widest pair of weights 128 (at most 128 cannot saturate)" in told


def test_a_comparison_that_was_not_made_has_no_row() -> None:
    alone = int8_candidate(gate=replace(INT8_GATE, original=None))
    _, _, *found = rows(gate.markdown([alone], ""))
    assert [row[1] for row in found] == ["fp32 file"]


def test_values_are_the_candidates() -> None:
    made = int8_candidate()
    values = json.loads(json.dumps(made.as_dict()))
    assert values["file"] == "tiny-int8.onnx"
    assert values["sha256"] == made.file.sha256
    assert values["bytes"] == len(made.file.content)
    assert (values["precision"], values["dataset"], values["opset"]) == ("int8", "digits", 14)
    assert values["accuracy"]["correct"] == 9960
    assert values["accuracy"]["interval95"] == list(made.card.accuracy.interval)
    assert values["original_accuracy"]["correct"] == 9965
    assert values["calibration"] == CALIBRATION
    against = values["against_original"]
    assert (against["accuracy_before"], against["accuracy_after"]) == (0.9965, 0.996)
    assert (against["changed"], against["better"], against["worse"]) == (13, 3, 8)
    assert against["mcnemar_p"] == INT8_GATE.verification.agreement.p
    assert against["mean_probability_difference"] == 0.00123
    assert against["max_probability_difference"] == 0.456
    assert (against["max_logit_difference"], values["against_fp32"]["max_logit_difference"]) == (
        0.25,
        0.75,
    )
    assert values["against_float_reference"] == {
        "widest_pair": 128,
        "images": 1000,
        "changed": 0,
        "max_logit_difference": 0.011,
        "quantum": 0.09,
    }


@pytest.mark.parametrize("missing", ["original", "fp32", "portability"])
def test_values_lack_what_was_not_checked(missing: str) -> None:
    keys = {
        "original": "against_original",
        "fp32": "against_fp32",
        "portability": "against_float_reference",
    }
    checked: Gate = replace(INT8_GATE, **{missing: None})
    found = checked.as_dict()
    assert set(found) == set(keys.values()) - {keys[missing]}
    assert "calibration" not in fp32_candidate().as_dict()


def test_a_row_for_each_layer_with_its_gain_in_percent() -> None:
    assert gate.diagnosis_rows(DIAGNOSIS) == [
        ["Conv_2", "4→32, 5×3", "41.3", "39.2", "25 %"],
        ["Add_8", "", "", "31.8", ""],
        ["Gemm_18", "512→10", "inf", "-6.4", "-25 %"],
    ]


def test_the_worst_layers_are_those_that_gain_in_float() -> None:
    assert gate.worst_layers(DIAGNOSIS) == ["Conv_2 (25 %)"]
    assert gate.worst_layers(replace(DIAGNOSIS, mean_shift=0.01), count=1) == ["Conv_2 (94 %)"]


def test_a_network_that_loses_nothing_has_nothing_to_gain() -> None:
    lossless = replace(DIAGNOSIS, mean_shift=0.0)
    assert gate.worst_layers(lossless) == []
    assert [row[-1] for row in gate.diagnosis_rows(lossless)] == ["0 %", "", "0 %"]


def test_a_diagnosis_as_values_keeps_every_number() -> None:
    values = DIAGNOSIS.as_dict()
    assert (values["mean_probability_difference"], values["images"]) == (0.0008, 141)
    assert [layer["name"] for layer in values["layers"]] == ["Conv_2", "Add_8", "Gemm_18"]
    first, second, _ = values["layers"]
    assert (first["weights_db"], first["output_db"]) == (41.26, 39.24)
    assert first["gain"] == pytest.approx(0.25)
    assert second["weights_db"] is second["gain"] is None
