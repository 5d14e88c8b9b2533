from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mnist_edge.backends import Runner
from mnist_edge.benchmark import Plan, timing
from mnist_edge.benchmark.latency import Latency
from mnist_edge.benchmark.timing import batches, time_all, time_preparation
from tests.helpers.fakes import Clock, Timed, numbered, numbers

IMAGES = numbered(200)
SHORT = Plan(duration_s=0.01, batches=(1,))
YARDSTICK_US = 50.0
ALL_DIFFERENT_US = [100 + at / 1000 for at in range(100_000)]  # a sample then tells its call
REAL_YARDSTICK = timing._yardstick


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """With a yardstick that takes such time too: real work would take none of it."""
    clock = Clock.instead_of_time(monkeypatch)
    monkeypatch.setattr(timing, "_yardstick", lambda: lambda count: clock.spend(YARDSTICK_US))
    return clock


def time_them(
    runners: list[Any], plan: Plan, meters: Mapping[str, Callable[[], float]] | None = None
) -> timing.Timings:
    return time_all(
        runners, [IMAGES] * len(runners), plan, meters or {}, lambda what, done, total: None
    )


def calls_of(latency: Latency) -> NDArray[np.int64]:
    """Which call each sample is of, where all of them took another time."""
    return np.searchsorted(ALL_DIFFERENT_US, latency.samples_us - 1e-4)


def test_only_the_call_is_timed(clock: Clock) -> None:
    """Preparation takes seven times as long as the answer, and no sample shows it."""
    spy = Timed(clock, prepare_us=700)
    found = time_them([spy], Plan(duration_s=0.1, batches=(1, 8)))
    for size in (1, 8):
        assert set(found.batches[size][0].samples_us) == {100.0}
    assert len(spy.prepared) == 200 + 25
    assert {id(one) for one in spy.answered} == {id(one) for one in spy.prepared}


def test_preparation_is_a_figure_of_its_own(clock: Clock) -> None:
    spy = Timed(clock, prepare_us=7)
    found = time_preparation(spy, IMAGES)
    assert set(found.samples_us) == {7.0}
    assert len(found.samples_us) >= 700
    assert spy.answered == []
    assert {len(one) for one in spy.prepared} == {1}
    assert set(np.concatenate(spy.prepared)) == set(range(200))


@pytest.mark.parametrize(("size", "in_all"), [(1, 200), (8, 200), (64, 256)])
def test_real_images_come_in_turn_and_all_of_them(clock: Clock, size: int, in_all: int) -> None:
    spy = Timed(clock, ALL_DIFFERENT_US)
    latency = time_them([spy], Plan(duration_s=0.1, batches=(size,))).batches[size][0]
    found = np.array([spy.answered[at] for at in calls_of(latency)])
    # Behind the last whole batch comes one that begins anew.
    expected = np.arange(found.size).reshape(-1, size) % in_all % 200
    np.testing.assert_array_equal(found, expected)
    assert set(found.ravel()) == set(range(200))


@pytest.mark.parametrize(("count", "size"), [(200, 1), (200, 64), (200, 200), (5, 64), (1, 8)])
def test_batches_are_full_and_miss_no_image(count: int, size: int) -> None:
    found = batches(numbered(count), size)
    assert {len(one) for one in found} == {size}
    assert set(np.concatenate([numbers(one) for one in found])) == set(range(count))
    assert (len(found) - 1) * size < count


def test_every_sample_is_kept_in_its_order_and_none_is_clipped(clock: Clock) -> None:
    costs = ALL_DIFFERENT_US.copy()
    costs[2100::10] = [1000 * cost for cost in costs[2100::10]]
    spy = Timed(clock, costs)
    latency = time_them([spy], Plan(duration_s=1, batches=(1,))).batches[1][0]
    ordinary = latency.samples_us[latency.samples_us < 50_000]
    outliers = latency.samples_us[latency.samples_us > 50_000]
    assert set(latency.samples_us.round(3)) <= set(np.round(costs, 3))
    assert (np.diff(ordinary) > 0).all()
    assert (np.diff(outliers) > 0).all()
    assert len(outliers) >= 5
    assert latency.turns.sum() == len(latency.samples_us)


def test_contenders_and_the_yardstick_are_timed_in_the_same_rounds(clock: Clock) -> None:
    costs = (100.0, 30.0, 400.0)
    spies = [Timed(clock, (cost,)) for cost in costs]
    found = time_them(spies, Plan(duration_s=1, batches=(1, 8)))
    for latencies in found.batches.values():
        assert len({len(latency.turns) for latency in latencies}) == 1
        assert [set(latency.samples_us) for latency in latencies] == [
            {cost} for cost in (*costs, YARDSTICK_US)
        ]


def rounds(clock: Clock, seed: int) -> list[str]:
    """Who answered in each round. A call is longer than a turn here, so that a turn is one that
    settles, and one that is timed."""
    spies = [Timed(clock, (30_000.0,)) for _ in "abc"]
    time_them(spies, Plan(duration_s=0, batches=(8,), seed=seed))
    named = zip("abc", spies, strict=True)
    calls = sorted((at, name) for name, spy in named for at in spy.begun_ns[7:])  # warm by then
    names = "".join(name for _, name in calls)
    return [names[at : at + 6] for at in range(0, len(names), 6)]


def test_in_each_round_all_have_a_turn_in_an_order_drawn_from_the_seed(clock: Clock) -> None:
    found = rounds(clock, seed=1)
    assert len(found) == 64  # as many samples as a p90 needs
    assert set(found) == {"aabbcc", "aaccbb", "bbaacc", "bbccaa", "ccaabb", "ccbbaa"}
    assert found == rounds(clock, seed=1) != rounds(clock, seed=2)


def test_batch_sizes_share_the_duration(clock: Clock) -> None:
    spies = [Timed(clock, (100.0,)), Timed(clock, (300.0,))]
    found = time_them(spies, Plan(duration_s=6, batches=(1, 8, 64)))
    for latencies in found.batches.values():
        spent_s = sum(latency.samples_us.sum() for latency in latencies) / 1e6
        # The yardstick is one of three; a round is 75 ms.
        assert 3 * 2 <= spent_s <= 3 * 2 + 0.08


@pytest.mark.parametrize(("batch", "least"), [(1, 700), (8, 64), (64, 64)])
def test_however_short_there_are_samples_for_percentiles_and_rounds_for_a_speedup(
    clock: Clock, batch: int, least: int
) -> None:
    found = time_them([Timed(clock)], Plan(duration_s=0, batches=(batch,)))
    for latency in found.batches[batch]:
        assert len(latency.samples_us) >= least
        assert len(latency.turns) >= 11


def test_a_short_duration_has_short_turns_and_many_rounds(clock: Clock) -> None:
    found = time_them([Timed(clock)], Plan(duration_s=0.3, batches=(8,)))
    assert len(found.batches[8][0].turns) >= 20


def test_without_a_rate_nothing_is_paced(clock: Clock) -> None:
    assert time_them([Timed(clock)], SHORT).paced is None


def test_a_paced_run_comes_beside_the_tight_loop(clock: Clock) -> None:
    """Images one at a time, 50 ms apart, for as long as the tight loop."""
    spy = Timed(clock, (3000.0,))
    found = time_them([spy], Plan(duration_s=20, batches=(1, 8), rate_hz=20))
    assert set(found.batches) == {1, 8}
    assert found.paced is not None
    (latency,) = found.paced  # no yardstick: its turns would last a second too
    assert set(latency.samples_us) == {3000.0}
    assert latency.turns.tolist() == [20] * 20
    turn = spy.begun_ns[-20:]
    assert set(np.diff(turn)) == {50_000_000}
    assert {len(one) for one in spy.answered[-20:]} == {1}


def test_who_waits_is_asked_in_the_paced_run_alone(clock: Clock) -> None:
    spins, sleeps = Timed(clock), Timed(clock, (3000.0,))
    plan = Plan(duration_s=1, batches=(1,), rate_hz=20)
    found = time_all([spins], [IMAGES], plan, {}, lambda *one: None, waiting=[sleeps])
    assert found.paced is not None
    assert set(found.paced[0].samples_us) == {3000.0}
    assert 3000.0 not in found.batches[1][0].samples_us


def test_meters_are_read_for_each_contender_in_each_round(clock: Clock) -> None:
    spies = [Timed(clock, (cost,)) for cost in (100.0, 300.0)]
    found = time_them(spies, SHORT, {"clock_s": lambda: clock.now_ns / 1e9})
    for latency, cost_us in zip(found.batches[1], (100, 300, YARDSTICK_US), strict=True):
        assert latency.used["clock_s"] == pytest.approx(latency.turns * cost_us / 1e6)


def test_progress_names_what_is_under_way_and_ends_each(clock: Clock) -> None:
    told: list[tuple[str, float]] = []
    plan = Plan(duration_s=2, batches=(1, 64), rate_hz=50)

    def tell(what: str, done: float, total: float) -> None:
        told.append((what, done / total))

    time_all([Timed(clock)], [IMAGES], plan, {}, tell)
    assert list(dict(told)) == [
        "timing, 1 image a call",
        "timing, 64 images a call",
        "timing, one image at 50 Hz",
    ]
    for phase in dict(told):
        fractions = [fraction for what, fraction in told if what == phase]
        assert fractions == sorted(fractions)
        assert (fractions[0], fractions[-1]) == (0, 1)


class Interrupted(Timed):
    """Ctrl-C comes once: at its n-th preparation or answer, whichever is set."""

    answers_left = preparations_left = 1 << 60

    def prepare(self, images: Any) -> Any:
        self.preparations_left -= 1
        if self.preparations_left == -1:
            raise KeyboardInterrupt
        return super().prepare(images)

    def run(self, prepared: Any) -> Any:
        self.answers_left -= 1
        if self.answers_left == -1:
            raise KeyboardInterrupt
        return super().run(prepared)


def answers_in(clock: Clock, plan: Plan) -> int:
    """How many answers a plan asks for."""
    spy = Timed(clock)
    time_them([spy], plan)
    return len(spy.answered)


def test_ctrl_c_before_anything_is_timed_is_what_it_is(clock: Clock) -> None:
    for answers in (0, 2000, 2005):  # in the warm-up, behind it, in the first round
        spy = Interrupted(clock)
        spy.answers_left = answers
        with pytest.raises(KeyboardInterrupt):
            time_them([spy], SHORT)


def test_ctrl_c_keeps_the_whole_rounds_until_then(clock: Clock) -> None:
    spy, other = Interrupted(clock), Timed(clock)
    spy.answers_left = 2000 + 5000
    found = time_them([other, spy], Plan(duration_s=60, batches=(1, 8), rate_hz=20))
    assert found.stopped
    assert (set(found.batches), found.paced) == ({1}, None)
    assert len({len(latency.turns) for latency in found.batches[1]}) == 1
    assert 10 <= len(found.batches[1][0].turns) < 60 / 0.025


@pytest.mark.parametrize("into_it", [1, 1000, 2001])
def test_ctrl_c_in_the_first_round_of_a_batch_size_keeps_those_before(
    clock: Clock, into_it: int
) -> None:
    plan = Plan(duration_s=0.1, batches=(1, 8))
    before = answers_in(clock, Plan(duration_s=0.05, batches=(1,)))
    spy = Interrupted(clock)
    spy.answers_left = before + into_it
    found = time_them([spy], plan)
    assert (set(found.batches), found.stopped) == ({1}, True)


def test_ctrl_c_while_images_are_prepared_keeps_the_sizes_before(clock: Clock) -> None:
    spy = Interrupted(clock)
    spy.preparations_left = len(IMAGES) + 3
    found = time_them([spy], Plan(duration_s=0.1, batches=(1, 8)))
    assert (set(found.batches), found.stopped) == ({1}, True)


def test_ctrl_c_in_the_paced_run_keeps_the_tight_one(clock: Clock) -> None:
    tight = answers_in(clock, Plan(duration_s=0.05, batches=(1,)))
    spy = Interrupted(clock)
    spy.answers_left = tight + 3
    found = time_them([spy], Plan(duration_s=0.05, batches=(1,), rate_hz=20))
    assert (set(found.batches), found.paced, found.stopped) == ({1}, None, True)


def test_what_was_not_stopped_does_not_say_so(clock: Clock) -> None:
    assert not time_them([Timed(clock)], SHORT).stopped


def test_the_yardstick_does_the_same_work_each_time() -> None:
    """The square of the matrix of 0 to 1,023: whole numbers, all of which int32 holds."""
    call, matrix = REAL_YARDSTICK(), np.arange(1024, dtype=np.int64).reshape(32, 32)
    for count in (0, 1, 12345):
        np.testing.assert_array_equal(call(count), np.einsum("ij,jk->ik", matrix, matrix))


def test_real_time_passes_too() -> None:
    class Quick:
        def prepare(self, images: Any) -> Any:
            return images

        def run(self, prepared: Any) -> Any:
            return prepared.sum()

    runners: list[Runner] = [Quick(), Quick()]
    found = time_all(runners, [IMAGES] * len(runners), SHORT, {}, lambda what, done, total: None)
    samples: Iterator[float] = chain.from_iterable(one.samples_us for one in found.batches[1])
    assert min(samples) > 0


@pytest.mark.parametrize(("size", "through"), [(1, 10), (8, 10), (10, 10), (64, 70)])
def test_of_a_fixed_number_of_images_each_batch_takes_its_share(
    clock: Clock, size: int, through: int
) -> None:
    """Ten images a call: one takes a tenth, 64 take 64 parts of seven calls."""
    sizes: set[int] = set()

    class Ten:
        def prepare(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
            return images

        def run(self, prepared: NDArray[np.uint8]) -> NDArray[np.float32]:
            sizes.add(len(prepared))
            clock.spend(10 * len(prepared))
            return np.zeros((len(prepared), 10), np.float32)

    plan = Plan(duration_s=0.01, batches=(size,))
    found = time_all([Ten()], [IMAGES], plan, {}, lambda what, done, total: None, [10])
    assert sizes == {through}
    np.testing.assert_allclose(found.batches[size][0].samples_us, 10 * size)
