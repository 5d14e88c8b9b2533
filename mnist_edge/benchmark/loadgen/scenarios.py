"""The four scenarios of MLPerf Inference, and LoadGen's settings for each."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mnist_edge.benchmark.latency import NEEDED_SAMPLES
from mnist_edge.errors import EdgeError

SERVER_BOUND_US = 15_000.0
"""What the p99 of `server` must keep to: MLPerf's bound for its image classifier, ResNet-50."""

_QUERIES = NEEDED_SAMPLES[99]
_MOST_PLANNED = 5_000_000  # LoadGen plans all of them before the first, in 300 bytes each
_SHORTEST_US = 5.0  # no query through Python is planned for as shorter
_STREAM_SLACK = 1.5  # LoadGen plans for half of the latency that it expects, without the rest
_OFFLINE_SLACK = 1.25  # more images than fit into the duration, or the test was too short


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario: our name for it and LoadGen's.

    `size` is images a query, None for all at once. Its result is `metric`, in `unit`, under `key`
    in LoadGen's log. `plan` fills in its settings, and tells how many queries LoadGen will plan:
    of settings, images an answer, the shortest answer in µs, the duration in s, and queries/s.
    """

    name: str
    its_name: str
    size: int | None
    metric: str
    unit: str
    key: str
    plan: Callable[[Any, int, float, float, float], int]

    @property
    def latency_keys(self) -> tuple[str, ...]:
        """Under which LoadGen logs the p50, p90 and p99 of its queries, in nanoseconds."""
        pattern = _QUERY_LATENCY if self.name == "multi-stream" else _LATENCY
        return tuple(pattern.format(rank) for rank in (50, 90, 99))

    def settings(
        self, lg: Any, size: int, shortest_us: float, duration_s: float, target_qps: float | None
    ) -> Any:
        """LoadGen's settings for answers to `size` images, which take `shortest_us` at best; all
        seeds are 0, which is its default. EdgeError where it would plan more queries than fit into
        memory."""
        settings = lg.TestSettings()
        settings.scenario = getattr(lg.TestScenario, self.its_name)
        settings.mode = lg.TestMode.PerformanceOnly
        settings.min_duration_ms = round(duration_s * 1000)
        settings.min_query_count = _QUERIES
        shortest_us = max(shortest_us, _SHORTEST_US)
        planned = self.plan(settings, size, shortest_us, duration_s, target_qps or 0.0)
        if planned > _MOST_PLANNED:
            raise EdgeError(
                f"LoadGen would plan {planned:,} queries ahead, which takes too much memory: "
                "choose a lower --rate or a shorter --duration"
            )
        return settings


def _stream(
    settings: Any, size: int, shortest_us: float, duration_s: float, target_qps: float
) -> int:
    expected_us = _STREAM_SLACK * shortest_us
    settings.single_stream_expected_latency_ns = round(expected_us * 1000)
    settings.multi_stream_expected_latency_ns = round(expected_us * 1000)
    settings.multi_stream_samples_per_query = size
    return round(2e6 * duration_s / expected_us)


def _server(
    settings: Any, size: int, shortest_us: float, duration_s: float, target_qps: float
) -> int:
    settings.server_target_qps = target_qps
    settings.server_target_latency_ns = round(SERVER_BOUND_US * 1000)
    settings.server_max_async_queries = 1  # only after an error are queries left unanswered
    planned_s = max(duration_s, _QUERIES / target_qps)
    settings.max_duration_ms = round(2000 * planned_s) + 1000  # for one that cannot keep up
    return round(planned_s * target_qps)


def _offline(
    settings: Any, size: int, shortest_us: float, duration_s: float, target_qps: float
) -> int:
    pace_qps = size / shortest_us * 1e6
    settings.offline_expected_qps = pace_qps
    wanted = max(_OFFLINE_SLACK * pace_qps * duration_s, _QUERIES)
    settings.min_query_count = math.ceil(wanted / size) * size  # whole batches
    return int(settings.min_query_count)


_LATENCY = "result_{}.00_percentile_latency_ns"
_QUERY_LATENCY = "result_{}.00_percentile_per_query_latency_ns"
_COMPLETED = "result_completed_samples_per_sec"
_THROUGHPUT = "result_samples_per_second"
_ALL = (
    Scenario("single-stream", "SingleStream", 1, "p90", "µs", _LATENCY.format(90), _stream),
    Scenario("multi-stream", "MultiStream", 8, "p99", "µs", _QUERY_LATENCY.format(99), _stream),
    Scenario("server", "Server", 1, "completed", "queries/s", _COMPLETED, _server),
    Scenario("offline", "Offline", None, "throughput", "images/s", _THROUGHPUT, _offline),
)
SCENARIOS = {scenario.name: scenario for scenario in _ALL}
