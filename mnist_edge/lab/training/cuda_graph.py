"""A training step recorded once as a CUDA graph, and then replayed with a single launch.

A step of a small network is some hundred kernels of a few microseconds each, which the CPU cannot
launch as fast as a GPU runs them. What changes from step to step therefore lies in tensors of
fixed addresses (https://pytorch.org/docs/stable/notes/cuda.html#cuda-graphs).
"""

from collections.abc import Callable

import torch
from torch import Tensor

_WARM_UP = 3  # steps before the recording, in which libraries choose kernels and take memory

Step = Callable[[Tensor, Tensor | int, Tensor | float, Tensor | float], tuple[Tensor, Tensor]]
"""Takes a batch's index int64 (N), the teachers' view, the learning rate, and the weight of the
new parameters in the average; gives the loss and how many predictions were correct."""

Launch = Callable[[Tensor, int, float, float], tuple[Tensor, Tensor]]
"""The same, told in plain numbers."""


class GraphedStep:
    """`step`, called as it is some times, then recorded and replayed.

    The generator that the step draws from stays the same for all calls, and may be seeded anew
    between them. `clear` forgets the gradients, so that the graph owns their memory. On devices
    other than CUDA nothing is recorded: the step runs through the same fixed tensors.
    """

    def __init__(
        self, step: Step, generator: torch.Generator, batch: int, clear: Callable[[], None]
    ) -> None:
        self._step, self._generator, self._clear = step, generator, clear
        self.device = generator.device
        self._index = torch.zeros(batch, dtype=torch.int64, device=self.device)
        self._view = torch.zeros((), dtype=torch.int64, device=self.device)
        self._rate = torch.zeros((), device=self.device)
        self._weight = torch.zeros((), device=self.device)
        self._calls = 0
        self._replay: Callable[[], tuple[Tensor, Tensor]] | None = None

    def __call__(
        self, index: Tensor, view: int, rate: float, weight: float
    ) -> tuple[Tensor, Tensor]:
        """One step. What it returns is overwritten by the next."""
        self._index.copy_(index)
        self._view.fill_(view)
        self._rate.fill_(rate)
        self._weight.fill_(weight)
        self._calls += 1
        if self.device.type != "cuda":
            return self._run()
        if self._replay is None and self._calls > _WARM_UP:
            self._replay = self._record()
        if self._replay is None:
            return self._warm_up()
        return self._replay()

    def _run(self) -> tuple[Tensor, Tensor]:
        return self._step(self._index, self._view, self._rate, self._weight)

    def _warm_up(self) -> tuple[Tensor, Tensor]:
        """A real step, on a stream beside the usual one, as the recording will be."""
        here, beside = torch.cuda.current_stream(self.device), torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        beside.wait_stream(here)
        with torch.cuda.stream(beside):
            found = self._run()
        here.wait_stream(beside)
        return found

    def _record(self) -> Callable[[], tuple[Tensor, Tensor]]:
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self._generator)
        self._clear()
        with torch.cuda.graph(graph):
            found = self._run()

        def replay() -> tuple[Tensor, Tensor]:
            graph.replay()
            return found

        return replay
