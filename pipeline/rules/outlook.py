"""What the pulls of a connection will take: the period that can be kept, how long the backfill has to go. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from pipeline.rules.regimes import Regime, shortest_period, time_for
from pipeline.rules.rereading import Day, days_to_read
from pipeline.rules.windows import SETTLING_US, SLACK_BEGAN_US, Progress

State = Literal["never", "backfill", "covered", "behind"]
_LATE: Final = 2
"""Periods without a covered window after which a channel is behind."""


class Cost(NamedTuple):
    """What the last slice of a channel took: so many requests for so many microseconds of history."""

    requests: int
    length: int


@dataclass(frozen=True, slots=True)
class Outlook:
    """`period` is what will be kept (µs), `shortest` the shortest that can be; the estimates go by what the last slices
    took. `eta` is None where nothing is left to read back, `unread` counts the days, `moved` the threads
    that are still to be read again.
    """

    regime: Regime
    period: int
    shortest: int
    channels: int
    unfinished: int
    requests: int
    eta: int | None
    unread: int
    moved: int


def outlook(
    channels: Iterable[tuple[Progress, Cost | None, Mapping[int, Day]]],
    regime: Regime,
    *,
    now: int,
    wanted: int,
    reread_days: int,
    moved: int,
    since: int,
) -> Outlook:
    """`wanted` is the period asked for (µs), `moved` how many threads have moved, `since` when the present round of
    re-reading began.
    """
    known = list(channels)
    left = [(progress, cost) for progress, cost, _ in known if not progress.complete]
    requests = sum(_requests(progress, cost) for progress, cost in left)
    shortest = shortest_period(len(known), regime)
    unread = sum(
        day not in days or days[day].read_at < since
        for progress, _, days in known
        for day in days_to_read(progress.covered, now, reread_days)
    )
    eta = time_for(requests, regime) if left else None
    return Outlook(regime, max(wanted, shortest), shortest, len(known), len(left), requests, eta, unread, moved)


def state_of(progress: Progress, now: int, period: int) -> State:
    """Where a channel stands: never read, being read back, covered, or behind by more than its period."""
    if progress.covered is None:
        return "never"
    if progress.covered.head < now - SETTLING_US - _LATE * period:
        return "behind"
    return "covered" if progress.complete else "backfill"


def _requests(progress: Progress, cost: Cost | None) -> int:
    """How many requests the rest of a channel's history takes, if it is as dense as its last slice; one at least."""
    tail = progress.covered.tail if progress.covered else 0
    rest = max(tail - max(progress.start, SLACK_BEGAN_US), 0)
    if cost is None or not cost.length:
        return 1
    return max(1, round(rest * cost.requests / cost.length))
