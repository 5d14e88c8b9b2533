import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from mnist_edge.errors import EdgeError
from mnist_edge.predict import parallel as module
from mnist_edge.predict.parallel import map_chunks


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other processes take over after the first chunk."""
    monkeypatch.setattr(module, "_ALONE_S", 0)


# What other processes call must be importable there.


def squares(items: Sequence[int]) -> list[int]:
    return [item * item for item in items]


def processes_at_work(items: Sequence[int]) -> list[int]:
    time.sleep(0.02)
    return [os.getpid()] * len(items)


def strict(items: Sequence[int]) -> list[int]:
    if 40 in items:
        raise ValueError("item 40")
    return list(items)


def deadly(items: Sequence[int]) -> list[int]:
    if 40 in items:
        os._exit(9)
    return list(items)


@dataclass(frozen=True)
class Waits:
    """Waits until there is a file, where item 40 is among the items."""

    path: Path

    def __call__(self, items: Sequence[int]) -> list[int]:
        while 40 in items and not self.path.exists():
            time.sleep(0.01)
        return list(items)


def flat(parts: Iterator[tuple[Sequence[int], list[int]]]) -> list[tuple[int, int]]:
    return [pair for part, results in parts for pair in zip(part, results, strict=True)]


@pytest.mark.parametrize("processes", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 700])
def test_every_item_comes_with_its_result_and_in_order(processes: int, count: int) -> None:
    found = flat(map_chunks(squares, iter(range(count)), processes))
    assert found == [(item, item * item) for item in range(count)]


def test_several_processes_share_the_work() -> None:
    at_work = [pid for _, pid in flat(map_chunks(processes_at_work, range(100), 3))]
    assert len(set(at_work[1:])) == 3
    assert at_work[0] == os.getpid() not in at_work[1:]
    assert set(dict(flat(map_chunks(processes_at_work, range(9), 1))).values()) == {os.getpid()}


def test_processes_that_are_spawned_do_as_those_that_are_forked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_FORKS", False)  # as on macOS and Windows
    assert flat(map_chunks(squares, range(700), 2)) == [(item, item * item) for item in range(700)]


def test_nothing_is_shared_that_is_done_in_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ALONE_S", 60)
    at_work = flat(map_chunks(processes_at_work, range(20), 3))
    assert {pid for _, pid in at_work} == {os.getpid()}


def test_chunks_grow_to_a_twentieth_of_a_second() -> None:
    def slow(items: Sequence[int]) -> list[int]:
        time.sleep(0.004 * len(items))
        return list(items)

    sizes = [len(part) for part, _ in map_chunks(slow, range(100))]
    assert sizes[0] == 1
    assert max(sizes) <= 13
    quick = [len(part) for part, _ in map_chunks(squares, range(5000))]
    assert quick[:4] == [1, 4, 16, 64]
    assert set(quick[4:-1]) == {256}


@pytest.mark.parametrize("processes", [1, 3])
def test_what_must_be_done_here_is_a_chunk_of_its_own(processes: int) -> None:
    seen: list[int] = []
    for part, at_work in map_chunks(
        processes_at_work, range(60), processes, here=lambda item: item % 20 == 19
    ):
        seen.extend(part)
        if any(item % 20 == 19 for item in part):
            assert (len(part), at_work) == (1, [os.getpid()])
    assert seen == list(range(60))


@pytest.mark.parametrize("processes", [1, 2])
def test_items_are_taken_only_so_far_ahead(processes: int) -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        while taken < 100_000:
            taken += 1
            yield taken

    parts = map_chunks(squares, items(), processes)
    given = 0
    for part, _ in parts:
        given += len(part)
        assert taken <= given + 256 * 3 * processes
        if given > 3000:
            break
    stopped_at = taken
    time.sleep(0.05)
    assert taken == stopped_at


@pytest.mark.parametrize("processes", [1, 2])
def test_an_exception_is_raised_at_its_turn(processes: int) -> None:
    got: list[int] = []

    def collect() -> None:
        for part, _ in map_chunks(strict, range(1000), processes):
            got.extend(part)

    with pytest.raises(ValueError, match="item 40"):
        collect()
    assert got == list(range(len(got)))
    assert len(got) <= 40


def test_a_process_that_is_killed_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(EdgeError, match=r"ended from outside.*--workers 1"):
        flat(map_chunks(deadly, range(1000), 2))


def test_who_stops_waits_for_no_call_under_way(tmp_path: Path) -> None:
    file = tmp_path / "go on"
    parts = map_chunks(Waits(file), range(100), 2)
    for part, _ in parts:
        if part[-1] >= 5:
            break
    start = time.perf_counter()
    parts.close()  # type: ignore[attr-defined]
    assert time.perf_counter() - start < 20
    file.touch()


def orphan(path: Path) -> None:
    """Shares work that never ends, tells who works on it, and dies."""
    parts = map_chunks(Waits(path), range(100), 2)
    for part, _ in parts:
        if part[-1] >= 5:
            break
    children = [str(child.pid) for child in multiprocessing.active_children()]
    (path.parent / "children").write_text(" ".join(children))
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_processes_end_with_their_parent(tmp_path: Path) -> None:
    parent = multiprocessing.get_context("fork").Process(target=orphan, args=(tmp_path / "never",))
    parent.start()
    parent.join(60)
    assert parent.exitcode == -signal.SIGKILL
    children = [Path("/proc", pid) for pid in (tmp_path / "children").read_text().split()]
    assert len(children) == 2
    deadline = time.monotonic() + 60
    while any(map(alive, children)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(alive, children))


def alive(process: Path) -> bool:
    try:
        return "Z" not in (process / "stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def no_semaphores(*args: object) -> None:
    raise FileNotFoundError(2, "No such file or directory")  # as without /dev/shm


def test_without_semaphores_one_process_does_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("_multiprocessing.SemLock", no_semaphores)
    found = flat(map_chunks(processes_at_work, range(100), 2))
    assert [item for item, _ in found] == [*range(100)]
    assert {process for _, process in found} == {os.getpid()}


@pytest.mark.parametrize("most", [0, 1])
def test_without_more_processes_this_one_does_it_all(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, fork = [0], os.fork

    def scarce() -> int:
        if started[0] >= most:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        started[0] += 1
        return fork()

    monkeypatch.setattr(os, "fork", scarce)
    monkeypatch.setattr(module, "_FORKS", True)
    found = flat(map_chunks(processes_at_work, range(100), 2))
    assert [item for item, _ in found] == [*range(100)]
    assert not multiprocessing.active_children()
