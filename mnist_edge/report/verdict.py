"""Whether a timing can be trusted, and why not, in words."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from mnist_edge.host.noise import MOST_SPREAD, Cause, Noise

_GOVERNORS = {
    "ondemand": "the clock follows the load",
    "conservative": "the clock follows the load",
    "schedutil": "the clock follows the load",
    "powersave": "the clock stays at its lowest",
    "userspace": "the clock is what somebody set",
}


def reasons(noise: Noise) -> tuple[str, ...]:
    """A sentence for each cause, with what to do about it; none where the timing is trusted."""
    return tuple(_SENTENCES[cause](noise) for cause in noise.causes)


def text(noise: Noise) -> str:
    """`trusted`, or `noisy: ` and the reasons."""
    return "trusted" if noise.trusted else f"noisy: {'; '.join(reasons(noise))}"


def as_json(noise: Noise) -> dict[str, Any]:
    """What was read of the machine, and what follows."""
    verdict = {"trusted": noise.trusted, "causes": noise.causes, "reasons": reasons(noise)}
    return asdict(noise) | verdict


def word_and_why(noise: Noise) -> tuple[str, str]:
    """`Trusted` or `Noisy`, and why, for a page."""
    if noise.trusted:
        return "Trusted", "nothing that can be read of this machine disturbed the timing"
    return "Noisy", "; ".join(reasons(noise))


def _governor(noise: Noise) -> str:
    governor = noise.clock.governor if noise.clock else "unknown"
    habit = _GOVERNORS.get(governor, "the clock may change")
    return f"governor is {governor}: {habit}; set performance"


def _spread(noise: Noise) -> str:
    wide = {name: value for name, value in noise.spread.items() if value > MOST_SPREAD}
    worst = max(wide, key=lambda name: wide[name])
    more = f" (and {len(wide) - 1} more)" if len(wide) > 1 else ""
    return f"{worst}{more} varied by {_percent(wide[worst])} between rounds: measure again"


def _percent(part: float | None) -> str:
    return f"{(part or 0) * 100:.0f} %"


_SENTENCES: Mapping[Cause, Callable[[Noise], str]] = {
    Cause.STEAL: lambda noise: (
        f"the host gave {_percent(noise.steal)} of this machine's CPU time to other guests"
    ),
    Cause.OTHER_PROGRAMS: lambda noise: (
        f"{_percent(noise.others)} of the CPU was used by other programs: close them"
    ),
    Cause.LOAD: lambda noise: (
        f"the load was {noise.load:.1f} per core when it began: close other programs"
    ),
    Cause.SWITCHES: lambda noise: (
        f"it lost its core to others {noise.switches_per_s:,.0f} times a second: close other "
        "programs"
    ),
    Cause.QUOTA: lambda noise: (
        f"the CPU quota stopped it {noise.throttled:,} times: use fewer threads, or raise the quota"
    ),
    Cause.PAUSES: lambda noise: (
        f"it stood still for {_percent(noise.paused)} of the time, which no counter of this "
        "machine explains: its host, a job control or another limit stops it"
    ),
    Cause.GOVERNOR: _governor,
    Cause.SPREAD: _spread,
}
