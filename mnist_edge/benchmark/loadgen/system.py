"""What LoadGen drives."""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mnist_edge.backends import Runner
from mnist_edge.benchmark.loadgen.scenarios import Scenario
from mnist_edge.benchmark.stopwatch import no_garbage_collection
from mnist_edge.types import Images

_WARMUP_S = 0.2


class System:
    """The images, in the form that the model takes, and the model; LoadGen calls its methods.

    Queries are answered where they are issued, as LoadGen allows: it counts the latency of
    `server` from when a query was due, so waiting for those before is in it, and handing them to
    another thread would cost as much as a small network does. No exception may get through to
    LoadGen's C++: the first is kept in `failures`. From then on nothing is computed, so that the
    test soon ends.
    """

    def __init__(
        self, lg: Any, runner: Runner, images: Images, size: int, scenario: Scenario
    ) -> None:
        self.size = size
        self.failures: list[BaseException] = []
        in_batches = scenario.size is None  # one query, which goes through all images in order
        count = math.ceil(len(images) / size) * size if in_batches else len(images)
        self.images = images.take(range(count), axis=0, mode="wrap")
        self._lg, self._runner = lg, runner
        self._step = size if in_batches else 1
        self._holds_back = scenario.name == "server"
        self._held: list[int] = []
        self._prepared: list[Any] = [None] * count

    def load(self, indices: list[int]) -> None:
        """Prepare each answer that can be asked for, under the index of its first image.

        A query of several holds neighbours in this order, in which LoadGen has shuffled them; for
        `multi-stream` the first few stand at the end once more.
        """
        try:
            for at in range(0, len(indices) - self.size + 1, self._step):
                some = self.images[indices[at : at + self.size]]
                self._prepared[indices[at]] = self._runner.prepare(some)
        except BaseException as error:
            self.failures.append(error)

    def unload(self, indices: list[int]) -> None:
        for index in indices:
            self._prepared[index] = None

    def query_handler(self) -> Callable[[list[int], list[int]], None]:
        """What LoadGen issues queries to: the ids of the samples, the indices of their images.

        All that it does counts as latency: objects are made once, and a query of one image is
        answered without a loop. Responses point to no answers, since LoadGen reads none in its
        performance mode.
        """
        run, prepared, failures, size = self._runner.run, self._prepared, self.failures, self.size
        held, holds_back, complete = self._held, self._holds_back, self._lg.QuerySamplesComplete
        responses = [self._lg.QuerySampleResponse(0, 0, 0) for _ in range(size)]
        only = responses[0]

        def one(ids: list[int], indices: list[int]) -> None:
            try:
                if not failures:
                    run(prepared[indices[0]])
            except BaseException as error:
                failures.append(error)
            if holds_back and failures:
                held.extend(ids)
                return
            only.id = ids[0]
            complete(responses)

        def several(ids: list[int], indices: list[int]) -> None:
            for at in range(0, len(ids), size):
                try:
                    if not failures:
                        run(prepared[indices[at]])
                except BaseException as error:
                    failures.append(error)
                for response, sample in zip(responses, ids[at : at + size], strict=True):
                    response.id = sample
                complete(responses)

        return one if size == 1 else several

    def flush(self) -> None:
        """Respond at last to what was held back: LoadGen waits for each sample. It would go on to
        the end of `server`'s schedule, but takes two that stay away for a breakdown."""
        if self._held:
            response = self._lg.QuerySampleResponse
            self._lg.QuerySamplesComplete([response(sample, 0, 0) for sample in self._held])
            self._held.clear()

    def shortest_us(self) -> float:
        """How long an answer takes at best, in microseconds, in a warm-up."""
        prepared = self._runner.prepare(self.images[: self.size])
        samples: list[int] = []
        clock, end = time.perf_counter_ns, time.perf_counter() + _WARMUP_S
        while len(samples) < 3 or time.perf_counter() < end:
            start = clock()
            self._runner.run(prepared)
            samples.append(clock() - start)
        return min(samples) / 1000


def drive(lg: Any, system: System, settings: Any, folder: Path) -> None:
    """One test, from beginning to end; LoadGen's logs are whole when it returns.

    Raises what went wrong in the system, and KeyboardInterrupt after Ctrl-C.
    """
    log = lg.LogSettings()
    log.log_output.outdir = str(folder)
    log.enable_trace = False  # several hundred bytes a query
    system_of_its = lg.ConstructFastSUT(system.query_handler(), system.flush)
    count = len(system.images)
    library = lg.ConstructQSL(count, count, system.load, system.unload)
    try:
        with _undisturbed(system.failures):
            # Without a name, it does not look for an audit.config in the working directory.
            lg.StartTestWithLogSettings(system_of_its, library, settings, log, "")
    finally:
        lg.DestroyFastSUT(system_of_its)
        lg.DestroyQSL(library)
    if system.failures:
        raise system.failures[0]


@contextmanager
def _undisturbed(failures: list[BaseException]) -> Iterator[None]:
    """No collection of garbage, and Ctrl-C as a failure: raised between two lines of `issue`, it
    would end the process."""

    def note(number: int, frame: object) -> None:
        failures.append(KeyboardInterrupt())

    before = signal.getsignal(signal.SIGINT)
    heeds = callable(before) and threading.current_thread() is threading.main_thread()
    if heeds:  # not so in a background job
        signal.signal(signal.SIGINT, note)
    try:
        with no_garbage_collection():
            yield
    finally:
        if heeds:
            signal.signal(signal.SIGINT, before)
