import pytest

from mnist_edge.errors import GateError
from mnist_edge.lab.quantize import Plan, check
from mnist_edge.lab.reproduce.shelving import refusal
from mnist_edge.lab.verify import check_equal
from tests.drafts import INT8_GATE, int8_draft, verification


def test_no_advice_is_given_on_options_that_reproduce_has_not() -> None:
    lost = int8_draft(gate=INT8_GATE)
    with pytest.raises(GateError) as caught:
        check(lost, Plan(max_drop=0.04))
    assert refusal(caught.value) == (
        "tiny-int8.onnx has 99.60%, its original 99.65%: it lost 0.05 points (5 of 10,000 images), "
        "more than the 0.04 that it may lose"
    )
    with pytest.raises(GateError) as caught:
        check_equal(verification(9965, 9960), "x.onnx")
    assert refusal(caught.value) == str(caught.value)
