import numpy as np
import pytest
from scipy import stats

from mnist_edge.benchmark.latency import NEEDED_SAMPLES
from mnist_edge.intervals import (
    Ratio,
    paired_ratio,
    percentile_upper_bound,
    relative_spread,
    resampled_medians,
)


@pytest.mark.parametrize("rank", [50, 90, 95, 99, 99.9])
@pytest.mark.parametrize("count", [11, 64, 130, 662, 6_636, 50_000])
def test_the_upper_bound_is_the_order_statistic_that_scipy_names(rank: float, count: int) -> None:
    samples = np.random.default_rng(0).permutation(np.arange(count, dtype=np.float64))
    place = int(stats.binom.ppf(0.99, count, rank / 100))
    assert percentile_upper_bound(samples, rank) == (place if place < count else None)


@pytest.mark.parametrize(("rank", "count"), NEEDED_SAMPLES.items())
def test_with_the_samples_that_a_percentile_needs_it_has_a_bound(rank: float, count: int) -> None:
    samples = np.random.default_rng(1).lognormal(size=count)
    bound = percentile_upper_bound(samples, rank)
    assert bound is not None
    assert np.percentile(samples, rank) <= bound <= samples.max()


def test_the_upper_bound_holds_as_often_as_it_says() -> None:
    random, truth = np.random.default_rng(2), float(stats.expon.ppf(0.9))
    bounds = [percentile_upper_bound(random.exponential(size=200), 90) for _ in range(2000)]
    held = np.mean([bound is not None and bound >= truth for bound in bounds])
    assert held >= 0.985
    assert held < 0.9995  # a bound that always holds would say nothing


def test_paired_rounds_take_the_drift_of_the_machine_out_of_a_ratio() -> None:
    random = np.random.default_rng(3)
    drift = np.exp(np.cumsum(random.normal(0, 0.2, 300)))  # a machine that wanders far
    fast = 100 * drift * random.lognormal(0, 0.02, 300)
    slow = 110 * drift * random.lognormal(0, 0.02, 300)
    found = paired_ratio(slow, fast)
    assert found is not None
    assert found.low < 1.1 < found.high
    assert found.high - found.low < 0.02
    assert not found.tie
    unpaired = np.median(slow) / np.median(random.permutation(fast)[:150])
    assert abs(unpaired - 1.1) > found.high - found.low


def test_equals_tie() -> None:
    random = np.random.default_rng(4)
    found = paired_ratio(random.lognormal(0, 0.1, 100), random.lognormal(0, 0.1, 100))
    assert found is not None
    assert found.low < found.value < found.high
    assert found.tie


def test_the_bootstrap_interval_is_scipys() -> None:
    random = np.random.default_rng(5)
    slow, fast = random.lognormal(0.2, 0.1, 80), random.lognormal(0, 0.1, 80)
    found = paired_ratio(slow, fast)
    expected = stats.bootstrap(
        (slow / fast,), np.median, n_resamples=5000, method="percentile", rng=random
    ).confidence_interval
    assert found is not None
    assert (found.low, found.high) == pytest.approx(tuple(expected), rel=0.01)
    assert found.value == pytest.approx(float(np.median(slow / fast)))


def test_the_interval_is_the_same_each_time_and_turns_over_with_the_two() -> None:
    slow = np.random.default_rng(6).lognormal(0.3, 0.1, 41)  # odd: a median is one of the values
    one, again = paired_ratio(slow, np.ones(41)), paired_ratio(slow, np.ones(41))
    turned = paired_ratio(np.ones(41), slow)
    assert one is not None
    assert turned is not None
    assert one == again
    assert turned.value == pytest.approx(1 / one.value)
    assert turned.low == pytest.approx(1 / one.high, rel=1e-3)


@pytest.mark.parametrize(("rounds", "enough"), [(10, False), (11, True)])
def test_few_rounds_have_no_ratio(rounds: int, enough: bool) -> None:
    assert (paired_ratio(np.ones(rounds), np.ones(rounds)) is not None) is enough


@pytest.mark.parametrize(
    ("ratio", "tie"),
    [
        (Ratio(1.1, 1.05, 1.2), False),
        (Ratio(1.01, 0.99, 1.02), True),
        (Ratio(1, 1, 1), True),
        (Ratio(0.8, 0.7, 0.9), False),
    ],
)
def test_a_tie_is_an_interval_that_spans_one(ratio: Ratio, tie: bool) -> None:
    assert ratio.tie is tie


@pytest.mark.parametrize("count", [11, 5000])  # in one block of resamples, and in several
def test_resampled_medians_are_2000_and_lie_within_the_values(count: int) -> None:
    values = np.random.default_rng(7).normal(size=count)
    drawn = resampled_medians(values, 0)
    assert drawn.shape == (2000,)
    assert values.min() <= drawn.min() < drawn.max() <= values.max()
    assert np.median(drawn) == pytest.approx(np.median(values), abs=3 / np.sqrt(count))


def test_the_relative_spread_is_the_interquartile_range_over_the_median() -> None:
    values = np.random.default_rng(8).lognormal(3, 0.2, 101)
    assert relative_spread(values) == pytest.approx(stats.iqr(values) / np.median(values))
    assert relative_spread(7 * values) == pytest.approx(relative_spread(values))
    assert relative_spread(np.full(9, 3.0)) == 0
