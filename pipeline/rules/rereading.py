"""Reading the last days again: what is gone, and which threads have moved. Pure.

Slack tells of an edit, a deletion or a late reply only whoever reads the old window again (facts.md, 2). A day that was
read again completely is the truth about that day: what it does not show any more is gone. But a reading that Slack cut
short must not empty a customer's archive, so a sweep that takes too much of a day waits for a person.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

from pipeline.rules.regimes import Regime
from pipeline.rules.showing import Tally, Thread
from pipeline.rules.windows import DAY_US, SETTLING_US, Stretch, Window

BRAKE: Final = 0.2
"""The part of a day's messages above which a sweep waits for an operator."""
SMALLEST: Final = 5
"""So many may always go: one deletion among three messages is no accident of Slack's."""
MOST_DAYS: Final = 31
"""As far back as re-reading can be told to go."""
_NIGHT_US: Final = DAY_US // 4
Verdict = Literal["same", "first", "sweep", "brake"]


class Day(NamedTuple):
    """What is known of one UTC day of a channel: what its last sound reading showed, None before the first one; and
    when (µs) its last reading was asked for.
    """

    tally: Tally | None
    read_at: int = 0


class Stale(NamedTuple):
    """A channel with the days that were known of it."""

    channel: str
    covered: Stretch | None
    days: Mapping[int, Day]
    rereading: bool = False


class Wish(NamedTuple):
    """What somebody wants read again whole: of all up to `top`, (low, high] is still to be read, the newest first.

    `below` is the epoch of its first reading, None before that. Whatever of (low, top] has a lower one when all is read
    is gone, in whatever thread; 0 where that cannot be said: a reading was not sound, or it does not begin at the
    beginning, and threads of messages before it were not read.
    """

    low: int
    high: int
    top: int
    below: int | None

    @property
    def read(self) -> bool:
        """Whether only threads are left that went on after their piece was read."""
        return self.high <= self.low

    def further(self, oldest: int, epoch: int, *, sound: bool) -> "Wish | None":
        """With the next piece read, back to `oldest`; None where nothing more is to be done."""
        known = epoch if self.below is None else self.below
        after = self._replace(high=oldest, below=known if sound else 0)
        return after if after.below or not after.read else None

    def in_doubt(self) -> "Wish | None":
        """With something of it that could not be read; None where nothing more is to be done."""
        return None if self.read else self._replace(below=0)


def cycle(now: int, spread: float) -> int:
    """When the present round of re-reading began: once a day, in the first quarter of it (UTC), each its own moment.

    `spread` (0 to 1) is the connection's place in the night.
    """
    offset = int(_NIGHT_US * spread)
    return (now - offset) // DAY_US * DAY_US + offset


def plan_again(channels: Iterable[Stale], now: int, days: int, since: int, regime: Regime) -> list[Window]:
    """Days that were not read since `since`, the longest unread first; one a channel, channels of a day together."""
    wanted: dict[int, list[tuple[int, str]]] = {}
    for one in channels:
        stale = [
            (one.days[day].read_at if day in one.days else 0, -day) for day in days_to_read(one.covered, now, days)
        ]
        stale = [pair for pair in stale if pair[0] < since]
        if stale and not one.rereading:
            read_at, day = min(stale)
            wanted.setdefault(-day, []).append((read_at, one.channel))
    groups = sorted(wanted.items(), key=lambda group: (min(group[1]), -group[0]))
    return [
        Window(*bounds(day), tuple(channel for _, channel in sorted(group)[i : i + regime.channels]))
        for day, group in groups
        for i in range(0, len(group), regime.channels)
    ]


def days_to_read(covered: Stretch | None, now: int, days: int) -> list[int]:
    """The last whole UTC days (numbers since 1970) that lie within what is covered, newest first."""
    if covered is None:
        return []
    today = (now - SETTLING_US) // DAY_US
    return [day for day in range(today - 1, today - 1 - days, -1) if within(covered, day)]


def bounds(day: int) -> tuple[int, int]:
    """A UTC day as a window (oldest, latest]."""
    return day * DAY_US - 1, (day + 1) * DAY_US - 1


def days_within(oldest: int, latest: int, until: int) -> range:
    """The whole UTC days inside a window, from day `until` on."""
    return range(max(-(-(oldest + 1) // DAY_US), until), (latest + 1) // DAY_US)


def within(covered: Stretch, day: int) -> bool:
    """Whether a day is covered whole."""
    oldest, latest = bounds(day)
    return covered.tail <= oldest and latest <= covered.head


def verdict(known: Tally | None, seen: Tally) -> Verdict:
    """What a complete reading of a day (or of a thread) means for what was known of it.

    `same`: nothing is gone. `first`: nothing was known, so nothing can be missed. `sweep`: what was not seen is gone.
    `brake`: so much would go that a person must look first.
    """
    if known is None:
        return "first"
    if known == seen:
        return "same"
    gone = known.messages - seen.messages
    return "brake" if gone > max(SMALLEST, BRAKE * known.messages) else "sweep"


def moved(known: Mapping[str, Thread], seen: Mapping[str, Thread]) -> list[str]:
    """Threads whose replies must be read again: new ones, and those that Slack counts or dates in another way."""
    return sorted(ts for ts, thread in seen.items() if known.get(ts) != thread)


def ended(known: Mapping[str, Thread], seen: Mapping[str, Thread]) -> list[str]:
    """Threads that had replies and have none any more, with their parent or without."""
    return sorted(ts for ts in known if ts not in seen)
