"""A function mapped over many items, a chunk at a time: in this process, and what takes longer in
several."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from mnist_edge.predict.chunks import Call, ChunkSizer, Item, Result, cut, timed

# A process that is forked is there at once; elsewhere it has to import everything first.
_FORKS = sys.platform == "linux"
_ALONE_S = 0.05 if _FORKS else 1.0


def map_chunks(
    call: Call[Item, Result],
    items: Iterable[Item],
    processes: int = 1,
    *,
    here: Callable[[Item], bool] = lambda item: False,
) -> Iterator[tuple[Sequence[Item], Result]]:
    """`call` of all items, a few at a time, in their order: each chunk with what became of it.

    The first moments are worked here. What is left then is shared out to so many other
    `processes`, if more than one: `call`, items and results are pickled for that. An item that
    must be worked `here`, such as one that reads from standard input, is a chunk of its own. An
    exception of a call is raised at its turn; EdgeError when a process dies. Who stops in the
    middle waits for no call.
    """
    sizer = ChunkSizer()
    chunks = cut(items, here, sizer)
    start = time.perf_counter()
    for chunk in chunks:
        result, seconds = timed(call, chunk.items)
        sizer.update(len(chunk.items), seconds)
        yield chunk.items, result
        if processes > 1 and time.perf_counter() - start > _ALONE_S:
            # What takes no longer does without multiprocessing, which takes 40 ms to import.
            from mnist_edge.predict.processes import shared

            yield from shared(call, chunks, sizer, processes, _FORKS)
            return
