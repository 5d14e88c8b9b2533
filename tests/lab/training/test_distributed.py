import re

import pytest
import torch
import torch.distributed as dist

from mnist_edge.errors import EdgeError
from mnist_edge.lab.training.distributed import ProcessGroup, process_group


def test_one_process_leads_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with process_group("cpu") as group:
        assert group == ProcessGroup(0, 1, torch.device("cpu"))
        assert group.is_main
        group.barrier()  # for nobody


def test_only_rank_0_leads() -> None:
    assert [ProcessGroup(rank, 3, torch.device("cpu")).is_main for rank in range(3)] == [
        True,
        False,
        False,
    ]


def test_auto_takes_the_best_device_there_is() -> None:
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    with process_group("auto") as group:
        assert group.device.type == ("cuda" if cuda else "mps" if mps else "cpu")


def test_an_unknown_device_lists_the_known_ones() -> None:
    with (
        pytest.raises(EdgeError, match="no device 'tpu': choose one of auto, cuda, mps, cpu"),
        process_group("tpu"),
    ):
        pass


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_says_what_to_use(device: str) -> None:
    if getattr(torch, device).is_available():
        pytest.skip(f"there is a {device} device here")
    with (
        pytest.raises(EdgeError, match=f"no {device} device here: use --device auto or cpu"),
        process_group(device),
    ):
        pass


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("message", ["[gloo/transport/tcp/pair.cc:534] Connection closed", "a bug"])
def test_a_process_that_another_left_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, rank: int, message: str
) -> None:
    """The error itself is rank 0's to say; a bug keeps its traceback."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in ("init_process_group", "destroy_process_group"):
        monkeypatch.setattr(dist, name, lambda *args: None)
    monkeypatch.setattr(dist, "get_rank", lambda: rank)
    lost = rank == 1 and "gloo" in message
    kind, told = (EdgeError, "process 1 ends") if lost else (RuntimeError, re.escape(message))
    with pytest.raises(kind, match=told), process_group("cpu"):
        raise RuntimeError(message)
