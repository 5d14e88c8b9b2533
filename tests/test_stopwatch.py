import gc
import statistics
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np
import pytest

from mnist_edge import stopwatch
from mnist_edge.stopwatch import NEEDED_SAMPLES, Latency, Protocol, measure

Event = tuple[str, int]


class Clock:
    """Time that passes only when a call says so: what is measured is then known exactly."""

    def __init__(self) -> None:
        self.now_ns = 0

    def spend(self, duration_us: float) -> None:
        self.now_ns += round(duration_us * 1000)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    fake = SimpleNamespace(
        perf_counter_ns=lambda: clock.now_ns, perf_counter=lambda: clock.now_ns / 1e9
    )
    monkeypatch.setattr(stopwatch, "time", fake)
    return clock


@pytest.fixture(autouse=True)
def _collector_as_before() -> Iterator[None]:
    yield
    gc.enable()


def noting(log: list[Event], name: str) -> Callable[[int], object]:
    return lambda count: log.append((name, count))


def rounds(names: str, protocol: Protocol) -> list[list[Event]]:
    """The calls of a measurement without warm-up time, cut into rounds."""
    log: list[Event] = []
    measure([noting(log, name) for name in names], protocol)
    log = log[len(names) :]  # each was called once to warm up
    size = len(names) * protocol.burst
    return [log[at : at + size] for at in range(0, len(log), size)]


def untimed(samples: int, burst: int = 10, seed: int = 0) -> Protocol:
    """So many samples, however long they take, after one call to warm up."""
    return Protocol(samples, duration_s=0, warmup_s=0, burst=burst, settle=0, seed=seed)


def test_a_round_has_each_contender_once_in_one_burst() -> None:
    protocol = untimed(samples=40, burst=5)
    found = rounds("ABC", protocol)
    assert len(found) == 8
    for number, events in enumerate(found):
        order = [events[at][0] for at in range(0, 15, 5)]
        assert sorted(order) == ["A", "B", "C"]
        counts = range(number * 5, number * 5 + 5)
        assert events == [(name, count) for name in order for count in counts]


def test_the_order_within_rounds_varies_and_is_drawn_from_the_seed() -> None:
    def orders(seed: int) -> list[str]:
        found = rounds("ABC", untimed(samples=200, burst=10, seed=seed))
        return ["".join(name for name, _ in events[::10]) for events in found]

    assert len(set(orders(0))) > 3
    assert orders(0) == orders(0)
    assert orders(0) != orders(1)


def test_every_sample_is_kept_in_its_order(clock: Clock) -> None:
    slow = measure([lambda count: clock.spend(count + 1)], untimed(samples=50))[0]
    np.testing.assert_allclose(slow.samples_us, np.arange(50) + 1)
    assert slow.samples_us.dtype == np.float64


def test_each_contender_gets_its_own_samples(clock: Clock) -> None:
    calls = [lambda count, cost=cost: clock.spend(cost) for cost in (3, 70, 0.5)]
    found = measure(calls, untimed(samples=30, burst=7))
    assert [set(latency.samples_us) for latency in found] == [{3.0}, {70.0}, {0.5}]


def test_an_outlier_is_not_clipped(clock: Clock) -> None:
    found = measure([lambda count: clock.spend(1e6 if count == 7 else 1)], untimed(samples=20))[0]
    assert found.samples_us[7] == 1e6
    assert (np.delete(found.samples_us, 7) == 1).all()


@pytest.mark.parametrize(
    ("samples", "duration_s", "expected"),
    [
        (700, 0.0, 700),  # the samples decide
        (700, 0.05, 700),
        (10, 0.1, 1000),  # the time decides: 1000 calls of 100 µs
        (1, 0.0, 20),  # never less than a burst
        (15, 0.0, 20),
    ],
)
def test_both_minima_are_honoured(
    clock: Clock, samples: int, duration_s: float, expected: int
) -> None:
    protocol = Protocol(samples=samples, duration_s=duration_s, warmup_s=0)
    latency = measure([lambda count: clock.spend(100)], protocol)[0]
    assert len(latency.samples_us) == expected
    assert latency.samples_us.sum() >= duration_s * 1e6


def test_the_slow_and_the_fast_get_equally_many_calls_and_the_duration_on_average(
    clock: Clock,
) -> None:
    calls = [lambda count, cost=cost: clock.spend(cost) for cost in (10, 1000)]
    fast, slow = measure(calls, Protocol(samples=5, duration_s=0.02, warmup_s=0))
    assert len(fast.samples_us) == len(slow.samples_us) == 40  # one burst each is 20.2 ms
    assert fast.samples_us.sum() + slow.samples_us.sum() == pytest.approx(2 * 20_200)


def test_real_time_is_honoured_too() -> None:
    found = measure([lambda count: None] * 2, Protocol(samples=3, duration_s=0.02, warmup_s=0))
    assert len({len(latency.samples_us) for latency in found}) == 1
    assert sum(latency.samples_us.sum() for latency in found) >= 2 * 20_000
    assert all((latency.samples_us >= 0).all() for latency in found)


def test_the_warm_up_is_not_timed(clock: Clock) -> None:
    calls = 0

    def call(count: int) -> None:
        nonlocal calls
        calls += 1
        clock.spend(5000 if calls <= 20 else 1)  # the first 100 ms are slow

    found = measure([call], Protocol(samples=30, duration_s=0, warmup_s=0.1))[0]
    assert calls == 20 + 4 + 40
    assert set(found.samples_us) == {1.0}


def test_everything_is_called_once_at_least_before_it_is_timed() -> None:
    log: list[Event] = []
    measure([noting(log, "A"), noting(log, "B")], untimed(samples=1, burst=1))
    assert log[:2] == [("A", 0), ("B", 0)]
    assert sorted(log[2:]) == [("A", 0), ("B", 0)]


def test_the_first_calls_of_a_burst_settle_untimed(clock: Clock) -> None:
    counts: list[int] = []

    def cold_at_first(count: int) -> None:
        place = (len(counts) - 1) % 5  # behind the one warm-up call: two settle, three are timed
        clock.spend(1000 if place < 2 else 1)
        counts.append(count)

    protocol = Protocol(samples=30, duration_s=0, warmup_s=0, burst=3, settle=2)
    found = measure([cold_at_first], protocol)[0]
    assert found.samples_us.tolist() == [1.0] * 30
    assert counts[1:11] == [0, 1, 0, 1, 2, 3, 4, 3, 4, 5]


def test_the_argument_lets_a_call_cycle_through_its_inputs() -> None:
    inputs, seen = ["a", "b", "c"], list[str]()
    measure([lambda count: seen.append(inputs[count % 3])], untimed(samples=9, burst=3))
    assert seen[1:] == inputs * 3  # behind the one warm-up call


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_rests_while_it_times_and_is_then_as_before(enabled: bool) -> None:
    seen: list[bool] = []
    (gc.enable if enabled else gc.disable)()
    measure([lambda count: seen.append(gc.isenabled())], untimed(samples=5))
    assert seen[1:] == [False] * 10
    assert gc.isenabled() is enabled


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_as_before_when_a_call_fails(enabled: bool) -> None:
    def fail(count: int) -> None:
        if not gc.isenabled() and count == 3:
            raise RuntimeError("broken")

    (gc.enable if enabled else gc.disable)()
    with pytest.raises(RuntimeError, match="broken"):
        measure([fail], untimed(samples=5))
    assert gc.isenabled() is enabled


def test_progress_rises_from_0_to_1_between_rounds(clock: Clock) -> None:
    told: list[float] = []
    log: list[int] = []

    def call(count: int) -> None:
        clock.spend(10)
        log.append(len(told))

    measure([call, call], Protocol(40, 0.001, 0, settle=0), told.append)
    assert told[0] == 0
    assert told[-1] == 1
    assert told == sorted(told)
    assert len(told) == 6  # 100 calls of 10 µs are five bursts
    assert log[2:] == [at for at in range(1, 6) for _ in range(40)]


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
        ("burst", 0, "protocol: burst must be at least 1"),
        ("burst", -3, "protocol: burst must be at least 1"),
        ("settle", -1, "protocol: settle cannot be negative"),
        ("duration_s", -0.1, "protocol: duration_s cannot be negative"),
        ("warmup_s", -1.0, "protocol: warmup_s cannot be negative"),
    ],
)
def test_the_bad_field_of_a_protocol_is_named(name: str, value: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Protocol(**{name: value})  # type: ignore[arg-type]
