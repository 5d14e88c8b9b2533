"""How many threads train, and why a training has become slow: in words."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnist_edge.lab.training.slowdown import Slowdown
    from mnist_edge.lab.training.threads import ThreadChoice

_NOTICED = 0.2  # cores' worth of time: what any system does beside


def threads_text(choice: "ThreadChoice") -> str:
    """ "1 thread", or "2 threads (8,100 images/s; with 1: 5,300)" where they were timed."""
    told = thread_count_text(choice.count)
    if not choice.rates:
        return told
    others = "; ".join(
        f"with {count}: {rate:,.0f}"
        for count, rate in choice.rates.items()
        if count != choice.count
    )
    return f"{told} ({choice.images_per_s:,.0f} images/s; {others})"


def thread_count_text(*counts: int) -> str:
    """1 thread; 2 threads; 1 or 2 threads"""
    return f"{' or '.join(map(str, sorted(set(counts))))} thread{'s' * (max(counts) > 1)}"


def slowdown_text(found: "Slowdown", threads: int, go_on: str) -> str:
    """Why an epoch was slow, and what to do. `go_on` is the command that goes on on one thread."""
    told = (
        f"epoch {found.epoch} ran at {found.images_per_s:,.0f} images/s, after "
        f"{found.before:,.0f}: {_reason(found)}"
    )
    if threads == 1:
        return f"{told}. Nothing is lost, it takes longer"
    return (
        f"{told}, and {threads} threads wait for each other then. Ctrl-C, and '{go_on}' goes on "
        "with one, if this lasts"
    )


def _reason(found: "Slowdown") -> str:
    if found.others is not None and found.others >= _NOTICED:
        return f"other programs had {found.others:.1f} cores' worth of time"
    return "the CPU gives less than before (its clock, a quota, or a virtual machine's host)"
