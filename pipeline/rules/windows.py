"""Which windows to ask for. Pure; integer microseconds; a window is (oldest, latest].

What is proved of a channel is one stretch, (tail, head]. Live windows move its head on, backfill moves its tail back,
newest first, in slices; both begin where the stretch ends, so that there is no gap and no overlap.

         start                    tail                                    head           now
    ───────┼─────── … ──┼───────────┼═══════════════════════════════════════┼──────────────┼─▶
           │   later    │ backfill  │                covered                │ live │settles│
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from pipeline.rules.regimes import STANDARD, Regime
from pipeline.rules.versions import us_ts

SETTLING_US: Final = 120 * 1_000_000  # Slack may still show late messages of the last two minutes.
HOUR_US: Final = 3600 * 1_000_000
DAY_US: Final = 24 * HOUR_US
FIRST_STEP_US: Final = 30 * DAY_US
LONGEST_STEP_US: Final = 3650 * DAY_US
SLACK_BEGAN_US: Final = 1_356_998_400 * 1_000_000
"""2013: what is older is asked for in one piece, being next to nothing (imported history)."""


class Stretch(NamedTuple):
    """What is proved of a channel: (tail, head]."""

    tail: int
    head: int


class Progress(NamedTuple):
    """Where a channel stands.

    `covered` is None until its first window is; nothing at or before `start` is wanted; `step` is how long its next
    slice is; `live` and `back` say that a window of that kind is asked for already.
    """

    channel: str
    covered: Stretch | None
    start: int = 0
    step: int = FIRST_STEP_US
    live: bool = False
    back: bool = False

    @property
    def complete(self) -> bool:
        """Whether the backfill has come to its end."""
        return self.covered is not None and self.covered.tail <= self.start


class Window(NamedTuple):
    """One window and the channels that share it."""

    oldest: int
    latest: int
    channels: tuple[str, ...]


def extend(covered: Stretch | None, oldest: int, latest: int) -> Stretch:
    """The stretch with a window that was proved. One that does not touch it leaves it as it is: it has no gaps."""
    if covered is None:
        return Stretch(oldest, latest)
    if oldest > covered.head or latest < covered.tail:
        return covered
    return Stretch(min(covered.tail, oldest), max(covered.head, latest))


def plan_live(channels: Iterable[Progress], now: int, regime: Regime = STANDARD) -> list[Window]:
    """What came since the head; for a channel that was never read, its newest slice."""
    latest = now - SETTLING_US
    wanted = []
    for one in channels:
        oldest = _back(latest, one) if one.covered is None else one.covered.head
        if not one.live and oldest < latest:
            # Whoever was away for long comes back in slices, too.
            wanted.append((oldest, min(latest, oldest + one.step) if one.covered else latest, one.channel))
    return _grouped(wanted, regime)


def plan_back(channels: Iterable[Progress], regime: Regime = STANDARD) -> list[Window]:
    """The next slice before the tail of every channel that is not read to its start, newest first."""
    wanted = [
        (_back(one.covered.tail, one), one.covered.tail, one.channel)
        for one in channels
        if one.covered is not None and not one.back and one.covered.tail > one.start
    ]
    return _grouped(wanted, regime)


def next_step(step: int, requests: int, regime: Regime = STANDARD) -> int:
    """The length of the slice after one that took so many requests: longer after a near-empty one, much longer after
    one of a single page, else shorter.
    """
    if requests <= regime.few:
        return min(step * (4 if requests > 1 else 16), LONGEST_STEP_US)
    return max(step // 4, HOUR_US) if requests > regime.many else step


def half(oldest: int, latest: int, *, older: bool) -> tuple[int, int] | None:
    """Half of a window that is too much for one attempt: the older one of a live window, which begins at the head, else
    the newer one. None for a window that is short as it is.
    """
    if latest - oldest <= HOUR_US:
        return None
    middle = oldest + (latest - oldest) // 2
    return (oldest, middle) if older else (middle, latest)


def on_the_wire(oldest: int, latest: int) -> tuple[str, str]:
    """The window as Slack's `oldest` and `latest` with `inclusive`: both ends belong to it, so the start moves one."""
    return us_ts(oldest + 1), us_ts(latest)


def slice_before(latest: int, step: int, start: int) -> int:
    """Where a slice that ends at `latest` begins: a step before, or, where hardly anything is older, at the start."""
    oldest = latest - step
    return start if oldest < max(start, SLACK_BEGAN_US) else oldest


def _back(latest: int, one: Progress) -> int:
    return slice_before(latest, one.step, one.start)


def _grouped(wanted: Iterable[tuple[int, int, str]], regime: Regime) -> list[Window]:
    """Channels that share a window share a trigger, as many as the regime bears; the newest windows first."""
    shared: dict[tuple[int, int], list[str]] = {}
    for oldest, latest, channel in wanted:
        shared.setdefault((latest, oldest), []).append(channel)
    return [
        Window(oldest, latest, tuple(group[i : i + regime.channels]))
        for (latest, oldest), group in sorted(shared.items(), reverse=True)
        for i in range(0, len(group), regime.channels)
    ]
