"""Which windows to ask for. Pure; integer microseconds; a window is (oldest, latest]."""

from collections.abc import Iterable
from typing import NamedTuple

from pipeline.rules.versions import us_ts

SETTLING_US = 120 * 1_000_000  # Slack may still show late messages of the last two minutes.
MOST_CHANNELS = 20


class Progress(NamedTuple):
    """How far a channel is covered (0: never read), and whether a run for it is open."""

    channel: str
    head: int
    open_run: bool


class Window(NamedTuple):
    """One window and the channels that share it."""

    oldest: int
    latest: int
    channels: tuple[str, ...]


def plan(channels: Iterable[Progress], now: int) -> list[Window]:
    """All of history first, then what came since; channels that share a start share a trigger."""
    latest = now - SETTLING_US
    starts: dict[int, list[str]] = {}
    for progress in channels:
        if not progress.open_run and progress.head < latest:
            starts.setdefault(progress.head, []).append(progress.channel)
    return [
        Window(oldest, latest, tuple(group[i : i + MOST_CHANNELS]))
        for oldest, group in sorted(starts.items())
        for i in range(0, len(group), MOST_CHANNELS)
    ]


def on_the_wire(oldest: int, latest: int) -> tuple[str, str]:
    """The window as Slack's `oldest` and `latest` with `inclusive`: both ends belong to it, so the start moves one."""
    return us_ts(oldest + 1), us_ts(latest)
