from pathlib import Path

import pytest

from mnist_edge.intervals import Ratio
from mnist_edge.metrics import Accuracy
from mnist_edge.report import formatting


@pytest.mark.parametrize(
    ("fraction", "digits", "expected"),
    [(0.9965, 2, "99.65 %"), (1, 2, "100.00 %"), (0, 2, "0.00 %"), (0.4161, 1, "41.6 %")],
)
def test_percent(fraction: float, digits: int, expected: str) -> None:
    assert formatting.percent(fraction, digits) == expected


def test_interval_is_in_percent() -> None:
    assert formatting.interval(Accuracy(9965, 10000)) == "99.51-99.75"


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0 kB"),
        (31_780, "32 kB"),
        (318_000, "318 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (19_234_567, "19.2 MB"),
        (999_499_999, "999.5 MB"),
        (999_500_000, "1.0 GB"),
        (1_304_000_000, "1.3 GB"),
    ],
)
def test_size(count: int, expected: str) -> None:
    assert formatting.size(count) == expected


def test_size_may_do_without_digits() -> None:
    assert [formatting.size(count, 0) for count in (61_400_000, 999_499_999)] == ["61 MB", "999 MB"]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (Ratio(1.204, 1.196, 1.213), "1.20 (1.20-1.21)"),
        (Ratio(0.841, 0.829, 0.852), "0.84 (0.83-0.85)"),
        (Ratio(0.0713, 0.0698, 0.0751), "0.071 (0.070-0.075)"),
        (Ratio(9.99, 9.91, 10.04), "9.99 (9.91-10.04)"),
        (Ratio(11.24, 11.03, 11.41), "11.2 (11.0-11.4)"),
        (Ratio(225.8, 224.6, 227.4), "226 (225-227)"),
        (Ratio(1.01, 0.98, 1.03), "tie (0.98-1.03)"),
        (Ratio(1.0, 1.0, 1.0), "tie (1.00-1.00)"),
    ],
)
def test_speedup(found: Ratio, expected: str) -> None:
    assert formatting.speedup(found) == expected


@pytest.mark.parametrize(
    ("p", "expected"),
    [(1.0, "1"), (0.21875, "0.22"), (0.0016, "0.0016"), (0.001, "0.001"), (0.00099, "<0.001")],
)
def test_chance(p: float, expected: str) -> None:
    assert formatting.p_value(p) == expected


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
    assert formatting.amount(count) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(None, "-"), (0.4, "0"), (61.6, "62"), (12345.6, "12,346")]
)
def test_integers(value: float | None, expected: str) -> None:
    assert formatting.integer(value) == expected


@pytest.mark.parametrize(
    ("value_us", "expected"),
    [
        (None, "-"),
        (61, "0.1"),
        (1234, "1.2"),
        (98_765, "98.8"),
        (999_949, "999.9"),
        (999_950, "1,000"),
        (31_176_100, "31,176"),
    ],
)
def test_milliseconds(value_us: float | None, expected: str) -> None:
    assert formatting.milliseconds(value_us) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1:00 min"), (61, "1:01 min"), (3725, "62:05 min")],
)
def test_duration(seconds: float, expected: str) -> None:
    assert formatting.duration(seconds) == expected


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["exported/a.onnx", "exported/b.onnx"], ["a.onnx", "b.onnx"]),
        (["x/edge.onnx", "y/edge.onnx", "y/b.onnx"], ["x/edge.onnx", "y/edge.onnx", "b.onnx"]),
        (["x/exported/e.onnx", "y/exported/e.onnx"], ["x/exported/e.onnx", "y/exported/e.onnx"]),
        (["/e.onnx", "/tmp/e.onnx"], ["//e.onnx", "tmp/e.onnx"]),
        (["x/e.onnx", "x/e.onnx"], ["e.onnx", "e.onnx"]),
    ],
)
def test_names_are_as_long_as_it_takes_to_tell_files_apart(
    paths: list[str], expected: list[str]
) -> None:
    assert formatting.short_names([Path(path) for path in paths]) == expected


def test_a_file_in_the_current_folder_differs_from_its_namesake_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    found = formatting.short_names([Path("e.onnx"), Path("there/e.onnx")])
    assert found == ["here/e.onnx", "there/e.onnx"]


@pytest.mark.parametrize(
    ("number", "told"), [(0, "0 images"), (1, "1 image"), (2, "2 images"), (1200, "1,200 images")]
)
def test_one_of_a_thing_is_said_otherwise_than_several(number: int, told: str) -> None:
    assert formatting.count(number, "image") == told


@pytest.mark.parametrize(
    ("words", "expected"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_words_are_joined(words: list[str], expected: str) -> None:
    assert formatting.join_words(words) == expected
