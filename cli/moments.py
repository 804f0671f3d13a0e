"""Moments as people write and read them. Inside, they are integer microseconds, UTC."""

import argparse
import time
from datetime import UTC
from typing import Final

from common_core import temporal

from pipeline.rules.windows import DAY_US

_UNITS: Final = ((86_400, "d"), (3600, "h"), (60, "min"))
_CLOSE: Final = 0.1
"""A unit is said where there are three of it, or where rounding to it is off by no more than this part."""


def moment(text: str) -> int:
    """`2026-11-23`, `2026-11-23T09:00:00+01:00` (UTC where no zone is given) or a Slack ts, in microseconds."""
    try:
        return temporal.to_us(temporal.parse(text, UTC))
    except temporal.UnreadableTime as error:
        raise argparse.ArgumentTypeError(f"{text!r} is neither an ISO 8601 date nor a Slack ts: {error}") from None


def minute(us: int) -> str:
    """`2026-11-23 09:30`."""
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(us / 1e6))


def window(oldest: int, latest: int) -> str:
    """A window (oldest, latest]: whole UTC days by their names, the day said once where it is the same."""
    if (oldest + 1) % DAY_US == 0 and (latest + 1) % DAY_US == 0 and oldest < latest:
        first, last = minute(oldest + 1)[:10], minute(latest)[:10]
        return first if first == last else f"{first} to {last}"
    begin, end = minute(oldest), minute(latest)
    if oldest <= 0:
        return f"the beginning to {end}"
    return f"{begin} to {end[11:] if begin[:10] == end[:10] else end}"


def span(us: float) -> str:
    """How long, in the largest unit that says it well enough: `40 s`, `90 s`, `3 min`, `35 h`, `12 d`."""
    seconds = max(us / 1e6, 0.0)
    for size, unit in _UNITS:
        number = round(seconds / size)
        if number >= 3 or (number and abs(number * size - seconds) <= _CLOSE * seconds):
            return f"{number} {unit}"
    return f"{int(seconds + 0.5)} s"
