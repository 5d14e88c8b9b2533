import pytest

from mnist_edge.metrics import Accuracy
from mnist_edge.report import text


@pytest.mark.parametrize(
    ("fraction", "digits", "expected"),
    [(0.9965, 2, "99.65 %"), (1, 2, "100.00 %"), (0, 2, "0.00 %"), (0.4161, 1, "41.6 %")],
)
def test_percent(fraction: float, digits: int, expected: str) -> None:
    assert text.percent(fraction, digits) == expected


def test_interval_is_in_percent() -> None:
    assert text.interval(Accuracy(9965, 10000)) == "99.51-99.75"


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0 kB"),
        (31_780, "32 kB"),
        (318_000, "318 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (19_234_567, "19.2 MB"),
    ],
)
def test_size(count: int, expected: str) -> None:
    assert text.size(count) == expected


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0"),
        (999, "999"),
        (999.7, "1.0 k"),
        (1000, "1.0 k"),
        (77_842, "77.8 k"),
        (999_949, "999.9 k"),
        (999_950, "1.00 M"),
        (2_550_000, "2.55 M"),
    ],
)
def test_amount(count: float, expected: str) -> None:
    assert text.amount(count) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(None, "-"), (0.4, "0"), (61.6, "62"), (12345.6, "12,346")]
)
def test_microseconds(value: float | None, expected: str) -> None:
    assert text.microseconds(value) == expected


@pytest.mark.parametrize(
    ("value_us", "expected"), [(None, "-"), (61, "0.1"), (1234, "1.2"), (98_765, "98.8")]
)
def test_milliseconds(value_us: float | None, expected: str) -> None:
    assert text.milliseconds(value_us) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1:00 min"), (61, "1:01 min"), (3725, "62:05 min")],
)
def test_duration(seconds: float, expected: str) -> None:
    assert text.duration(seconds) == expected
