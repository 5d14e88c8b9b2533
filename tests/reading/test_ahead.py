import random
import threading
import time
from collections.abc import Iterator

import pytest

from mnist_edge.reading.ahead import ahead


def flat(lists: Iterator[list[int]]) -> list[int]:
    return [result for part in lists for result in part]


def collect(lists: Iterator[list[int]], into: list[int]) -> None:
    for part in lists:
        into += part


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_results_come_in_the_order_of_the_items(threads: int) -> None:
    def call(item: int) -> int:
        time.sleep(random.Random(item).random() / 1000)  # the later are often done first
        return item * item

    assert flat(ahead(call, range(300), threads)) == [item * item for item in range(300)]


@pytest.mark.parametrize("count", [0, 1, 511, 512, 513, 2000])
def test_every_item_has_its_result(count: int) -> None:
    assert flat(ahead(lambda item: item, iter(range(count)), 3)) == list(range(count))


def test_so_many_calls_are_made_at_the_same_time() -> None:
    meeting = threading.Barrier(4)

    def call(item: int) -> int:
        meeting.wait(timeout=30)  # raises where fewer than 4 meet
        return item

    assert flat(ahead(call, range(8), 4)) == list(range(8))


def test_no_result_waits_for_a_later_one() -> None:
    released = threading.Event()

    def call(item: int) -> int:
        if item == 1:
            released.wait(timeout=30)
        return item

    got = []
    for part in ahead(call, range(3), 1):
        got += part
        if part:
            assert got == [0] or released.is_set()
            released.set()
    assert got == [0, 1, 2]


def test_items_are_taken_only_so_far_ahead() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        while taken < 10_000:
            taken += 1
            yield taken

    results = ahead(lambda item: item, items(), 2)
    given = 0
    for part in results:
        given += len(part)
        assert taken <= given + 512 + 2
        if given > 3000:
            break
    results.close()  # type: ignore[attr-defined]
    time.sleep(0.05)
    stopped_at = taken
    time.sleep(0.05)
    assert taken == stopped_at <= given + 512 + 2


def test_an_exception_is_raised_at_its_turn() -> None:
    def call(item: int) -> int:
        if item == 100:
            raise ValueError("item 100")
        return item

    got: list[int] = []
    with pytest.raises(ValueError, match="item 100"):
        collect(ahead(call, range(1000), 3), got)
    assert got == list(range(100))


def test_an_exception_of_the_items_is_raised_after_the_results_before_it() -> None:
    def items() -> Iterator[int]:
        yield from range(10)
        raise OSError("no more items")

    got: list[int] = []
    with pytest.raises(OSError, match="no more items"):
        collect(ahead(lambda item: item, items(), 2), got)
    assert got == list(range(10))


def test_who_stops_waits_for_no_call_under_way() -> None:
    released = threading.Event()

    def call(item: int) -> int:
        if item == 1:
            released.wait(timeout=30)
        return item

    results = ahead(call, range(2), 1)
    assert flat(iter([next(part for part in results if part)])) == [0]
    start = time.perf_counter()
    results.close()  # type: ignore[attr-defined]
    assert not released.is_set()
    assert time.perf_counter() - start < 20  # and not the 30 s of the call
    released.set()
