"""The stopwatch, by a clock that only calls move."""

import gc
import statistics
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from mnist_edge.benchmark.latency import NEEDED_SAMPLES, Latency, speedup
from mnist_edge.benchmark.stopwatch import Protocol, measure
from mnist_edge.errors import EdgeError
from mnist_edge.intervals import percentile_upper_bound, relative_spread
from tests.helpers.fakes import Clock

Event = tuple[str, int]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock.instead_of_time(monkeypatch)


@pytest.fixture(autouse=True)
def _collector_as_before() -> Iterator[None]:
    yield
    gc.enable()


def noting(
    clock: Clock, log: list[Event], name: str, cost_us: float = 100
) -> Callable[[int], object]:
    def call(count: int) -> None:
        log.append((name, count))
        clock.spend(cost_us)

    return call


def protocol(samples: int = 1, **changes: float) -> Protocol:
    """So many samples, in turns of a millisecond, after one call to warm up."""
    values = {"duration_s": 0, "rounds": 1, "turn_s": 0.001, "warmup_s": 0, "settle": 0}
    return Protocol(samples=samples, **{**values, **changes})  # type: ignore[arg-type]


def rounds(clock: Clock, names: str, samples: int, seed: int = 0) -> list[list[Event]]:
    """The calls of a measurement, cut into rounds; ten calls are a turn."""
    log: list[Event] = []
    measure([noting(clock, log, name) for name in names], protocol(samples, seed=seed))
    log = log[len(names) :]  # each was called once to warm up
    size = len(names) * 10
    return [log[at : at + size] for at in range(0, len(log), size)]


def test_a_round_has_each_contender_once_in_one_turn(clock: Clock) -> None:
    found = rounds(clock, "ABC", samples=80)
    assert len(found) == 8
    for number, events in enumerate(found):
        order = [events[at][0] for at in range(0, 30, 10)]
        assert sorted(order) == ["A", "B", "C"]
        counts = range(number * 10, number * 10 + 10)
        assert events == [(name, count) for name in order for count in counts]


def test_the_order_within_rounds_varies_and_is_drawn_from_the_seed(clock: Clock) -> None:
    def orders(seed: int) -> list[str]:
        found = rounds(clock, "ABC", samples=200, seed=seed)
        return ["".join(name for name, _ in events[::10]) for events in found]

    assert len(set(orders(0))) > 3
    assert orders(0) == orders(0)
    assert orders(0) != orders(1)


def test_every_sample_is_kept_in_its_order(clock: Clock) -> None:
    (found,) = measure([lambda count: clock.spend(count + 1)], protocol(50)).latencies
    np.testing.assert_allclose(found.samples_us, np.arange(len(found.samples_us)) + 1)
    assert found.samples_us.dtype == np.float64
    assert found.turns.sum() == len(found.samples_us) >= 50


def test_each_contender_gets_its_own_samples_and_a_turn_of_equal_length(clock: Clock) -> None:
    calls = [lambda count, cost=cost: clock.spend(cost) for cost in (3, 70, 0.5)]
    found = measure(calls, protocol(30)).latencies
    assert [set(latency.samples_us) for latency in found] == [{3.0}, {70.0}, {0.5}]
    assert [set(latency.turns) for latency in found] == [{334}, {15}, {2000}]
    assert [len(latency.turns) for latency in found] == [2, 2, 2]


def test_an_outlier_is_not_clipped(clock: Clock) -> None:
    call = [lambda count: clock.spend(1e6 if count == 7 else 1)]
    (found,) = measure(call, protocol(20)).latencies
    assert found.samples_us[7] == 1e6
    assert (np.delete(found.samples_us, 7) == 1).all()


@pytest.mark.parametrize(
    ("minima", "expected_rounds"),
    [
        ({"samples": 700}, 70),
        ({"samples": 700, "duration_s": 0.05}, 70),
        ({"samples": 10, "duration_s": 0.1}, 100),
        ({"samples": 1}, 1),
        ({"samples": 11}, 2),
        ({"samples": 1, "rounds": 11}, 11),
    ],
)
def test_all_minima_are_honoured(
    clock: Clock, minima: dict[str, float], expected_rounds: int
) -> None:
    call = [lambda count: clock.spend(100)]
    (found,) = measure(call, protocol(**minima)).latencies  # type: ignore[arg-type]
    assert len(found.turns) == expected_rounds
    assert len(found.samples_us) == expected_rounds * 10


def test_the_duration_is_an_average_over_contenders(clock: Clock) -> None:
    calls = [lambda count, cost=cost: clock.spend(cost) for cost in (10, 9000)]
    fast, slow = measure(calls, protocol(duration_s=0.05)).latencies
    assert len(fast.turns) == len(slow.turns) == 10  # 1 ms and 9 ms a round
    assert fast.samples_us.sum() + slow.samples_us.sum() == pytest.approx(2 * 50_000)


def test_a_call_that_is_longer_than_a_turn_has_the_turn_to_itself(clock: Clock) -> None:
    (found,) = measure([lambda count: clock.spend(5000)], protocol(3)).latencies
    assert found.turns.tolist() == [1, 1, 1]


def test_real_time_is_honoured_too() -> None:
    found = measure([lambda count: None] * 2, protocol(3, duration_s=0.02)).latencies
    assert len({len(latency.turns) for latency in found}) == 1
    assert sum(latency.samples_us.sum() for latency in found) >= 2 * 20_000
    assert all((latency.samples_us >= 0).all() for latency in found)


def test_the_warm_up_is_not_timed(clock: Clock) -> None:
    calls = 0

    def call(count: int) -> None:
        nonlocal calls
        calls += 1
        clock.spend(5000 if calls <= 20 else 1)  # the first 100 ms are slow

    (found,) = measure([call], protocol(30, warmup_s=0.1, settle=2)).latencies
    assert calls == 20 + 2 + 1000
    assert set(found.samples_us) == {1.0}


def test_everything_is_called_once_at_least_before_it_is_timed(clock: Clock) -> None:
    log: list[Event] = []
    measure([noting(clock, log, "A", 2000), noting(clock, log, "B", 2000)], protocol())
    assert log[:2] == [("A", 0), ("B", 0)]
    assert sorted(log[2:]) == [("A", 0), ("B", 0)]


def test_the_first_calls_of_a_turn_settle_untimed(clock: Clock) -> None:
    counts: list[int] = []

    def cold_at_first(count: int) -> None:
        place = (len(counts) - 1) % 5  # behind the one warm-up call: two settle, three are timed
        counts.append(count)
        clock.spend(900 if place < 2 else 400)

    (found,) = measure([cold_at_first], protocol(6, settle=2)).latencies
    assert found.samples_us.tolist() == [400.0] * 6
    assert counts[1:] == [0, 1, 0, 1, 2, 3, 4, 3, 4, 5]


def test_long_calls_settle_only_as_often_as_fits(clock: Clock) -> None:
    counts: list[int] = []

    def call(count: int) -> None:
        counts.append(count)
        clock.spend(3000)

    measure([call], protocol(2, settle=2))
    assert counts[1:] == [0, 0, 1, 1]  # one each instead of two


def test_the_argument_lets_a_call_cycle_through_its_inputs(clock: Clock) -> None:
    inputs, seen = ["a", "b", "c"], list[str]()

    def call(count: int) -> None:
        seen.append(inputs[count % 3])
        clock.spend(250)

    measure([call], protocol(12))
    assert seen[1:] == inputs * 4  # behind the one warm-up call


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_rests_while_it_times_and_is_then_as_before(
    clock: Clock, enabled: bool
) -> None:
    seen: list[bool] = []

    def call(count: int) -> None:
        seen.append(gc.isenabled())
        clock.spend(100)

    (gc.enable if enabled else gc.disable)()
    measure([call], protocol(10))
    assert seen[1:] == [False] * 10
    assert gc.isenabled() is enabled


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_as_before_when_a_call_fails(clock: Clock, enabled: bool) -> None:
    def fail(count: int) -> None:
        clock.spend(100)
        if not gc.isenabled() and count == 3:
            raise RuntimeError("broken")

    (gc.enable if enabled else gc.disable)()
    with pytest.raises(RuntimeError, match="broken"):
        measure([fail], protocol(5))
    assert gc.isenabled() is enabled


def test_progress_rises_from_0_to_1_between_rounds(clock: Clock) -> None:
    told: list[float] = []
    log: list[int] = []

    def call(count: int) -> None:
        clock.spend(100)
        log.append(len(told))

    measure([call, call], protocol(50), told.append)
    assert told == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert log[2:] == [at for at in range(1, 6) for _ in range(20)]


def test_meters_are_read_around_the_timed_calls_of_each_turn(clock: Clock) -> None:
    calls = [lambda count, cost=cost: clock.spend(cost) for cost in (100, 250)]
    meter = {"clock_us": lambda: clock.now_ns / 1000}
    quick, slow = measure(calls, protocol(20, settle=2), meters=meter).latencies
    for latency, cost in ((quick, 100), (slow, 250)):
        assert latency.used["clock_us"] == pytest.approx(latency.turns * cost)
        assert latency.per_call("clock_us") == pytest.approx(cost)
        assert latency.per_call("another") is None


def interrupting(clock: Clock, at: int) -> Callable[[int], object]:
    def call(count: int) -> None:
        clock.spend(100)
        if count == at:
            raise KeyboardInterrupt

    return call


def test_ctrl_c_keeps_the_whole_rounds_until_then(clock: Clock) -> None:
    other: list[Event] = []
    calls = [noting(clock, other, "other"), interrupting(clock, 25)]
    timing = measure(calls, protocol(1000))
    assert timing.stopped
    assert [latency.turns.tolist() for latency in timing.latencies] == [[10, 10], [10, 10]]
    assert gc.isenabled()


@pytest.mark.parametrize("at", [0, 5])
def test_ctrl_c_before_a_whole_round_is_what_it_is(clock: Clock, at: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        measure([interrupting(clock, at)], protocol(1000))


def test_a_measurement_that_runs_to_its_end_was_not_stopped(clock: Clock) -> None:
    assert not measure([lambda count: clock.spend(100)], protocol(5)).stopped


def test_paced_calls_come_when_they_are_due(clock: Clock) -> None:
    begun: list[int] = []

    def call(count: int) -> None:
        begun.append(clock.now_ns)
        clock.spend(3000)

    (found,) = measure([call], protocol(20, rate_hz=20)).latencies
    assert found.turns.tolist() == [20]  # a second's
    assert set(found.samples_us) == {3000.0}
    assert set(np.diff(begun[1:])) == {50_000_000}


def test_a_paced_call_that_had_to_wait_counts_from_when_it_was_due(clock: Clock) -> None:
    """120 ms each at 10 Hz: every call waits for the one before, 20 ms more each time."""
    call = [lambda count: clock.spend(120_000)]
    (found,) = measure(call, protocol(10, rate_hz=10)).latencies
    np.testing.assert_allclose(found.samples_us, 120_000 + 20_000 * np.arange(10))


def test_a_paced_run_lasts_as_long_as_it_should(clock: Clock) -> None:
    calls = [lambda count: clock.spend(50)] * 3
    found = measure(calls, protocol(1, rate_hz=20, duration_s=4)).latencies
    assert [len(latency.turns) for latency in found] == [4, 4, 4]


def latency(*turns: list[float]) -> Latency:
    samples = np.array([sample for turn in turns for sample in turn])
    return Latency(samples, np.array([len(turn) for turn in turns]))


def test_each_round_has_a_median_and_they_have_a_spread() -> None:
    turns = [[1.0 + at, 3.0 + at, 200.0] for at in range(11)]
    found = latency(*turns)
    assert found.medians_us.tolist() == [3.0 + at for at in range(11)]
    assert found.spread == pytest.approx(relative_spread(found.medians_us))
    assert latency(*turns[:10]).spread is None


def test_a_speedup_pairs_rounds() -> None:
    random = np.random.default_rng(0)
    drift = [float(value) for value in random.lognormal(0, 1, 40)]
    slow = latency(*[[3 * value, 3 * value] for value in drift])
    fast = latency(*[[value] for value in drift])
    found = speedup(slow, fast)
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((3, 3, 3))
    with pytest.raises(ValueError, match="different rounds cannot be paired"):
        speedup(slow, latency([1.0]))


def test_a_percentile_has_its_upper_bound_where_it_is_shown() -> None:
    samples = np.random.default_rng(0).lognormal(3, 1, 700)
    found = Latency(samples)
    assert found.upper_us(99) == percentile_upper_bound(samples, 99)
    assert found.upper_us(99.9) is None
    assert Latency(samples[:63]).upper_us(90) is None


@pytest.mark.parametrize(("rank", "needed"), [(50, 11), (90, 64), (95, 130), (99, 662)])
def test_a_percentile_needs_its_samples(rank: int, needed: int) -> None:
    samples = np.random.default_rng(0).lognormal(3, 1, needed)
    assert Latency(samples[:-1]).percentile_us(rank) is None
    cuts = statistics.quantiles(samples.tolist(), n=100, method="inclusive")
    assert Latency(samples).percentile_us(rank) == pytest.approx(cuts[rank - 1])


def test_the_99_9th_percentile_needs_6636_samples() -> None:
    samples = np.random.default_rng(0).lognormal(3, 1, 6636)
    assert Latency(samples[:-1]).percentile_us(99.9) is None
    cuts = statistics.quantiles(samples.tolist(), n=1000, method="inclusive")
    assert Latency(samples).percentile_us(99.9) == pytest.approx(cuts[998])


def test_these_are_all_the_percentiles() -> None:
    assert set(NEEDED_SAMPLES) == {50, 90, 95, 99, 99.9}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("samples", 0, "protocol: samples must be at least 1"),
        ("rounds", 0, "protocol: rounds must be at least 1"),
        ("turn_s", -0.1, "protocol: turn_s cannot be negative"),
        ("rate_hz", 0, "protocol: rate_hz must be above 0"),
        ("settle", -1, "protocol: settle cannot be negative"),
        ("duration_s", -0.1, "protocol: duration_s cannot be negative"),
        ("warmup_s", -1.0, "protocol: warmup_s cannot be negative"),
    ],
)
def test_the_bad_field_of_a_protocol_is_named(name: str, value: float, message: str) -> None:
    with pytest.raises(EdgeError, match=message):
        Protocol(**{name: value})  # type: ignore[arg-type]
