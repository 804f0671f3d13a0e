"""A point in time as it is held: aware, UTC, and as an integer; what clocks do with it in a zone."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal, NoReturn
from zoneinfo import ZoneInfo

Unit = Literal["s", "ms", "us"]
Zone = tzinfo | str
"""A zone, or its IANA name."""
Choose = Literal["earlier", "later"]
"""Of a time that a clock shows twice, which; of one that it skips, as if the clock had been set before, or not yet."""

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_IN_MICROSECONDS: dict[Unit, int] = {"s": 1_000_000, "ms": 1_000, "us": 1}
# The numbers of 2001-09-09 to 2286-11-20 in each unit: ten, thirteen and sixteen digits, no overlap.
_UNIT_OF_DIGITS: dict[int, Unit] = {10: "s", 13: "ms", 16: "us"}
_SLACK_TS = re.compile(r"(\d{1,10})\.(\d{6})\Z", re.ASCII)


class UnreadableTime(ValueError):
    """No known form, or a point outside the years 1 to 9999."""


class AmbiguousTime(UnreadableTime):
    """More than one point in time could be meant: no zone, or a number of an unknown unit."""


def from_epoch(count: int, unit: Unit | None = None) -> datetime:
    """A count of seconds, milliseconds or microseconds since 1970. Without a unit its length decides.

    >>> from_epoch(1709204400) == from_epoch(1709204400000) == from_epoch(1709204400, "s")
    True
    >>> from_epoch(86400)
    Traceback (most recent call last):
    common_core.temporal.points.AmbiguousTime: seconds, milliseconds or microseconds
    """
    if type(count) is not int:
        raise TypeError("a count is an int")
    if unit is None:
        unit = _UNIT_OF_DIGITS.get(len(str(count))) if 0 < count < 10**16 else None
    if unit is None:
        raise AmbiguousTime("seconds, milliseconds or microseconds")
    return from_us(count * _IN_MICROSECONDS[unit])


def from_slack_ts(ts: str) -> datetime:
    """The time in a Slack message's `ts`.

    >>> from_slack_ts("1681413317.397479")
    datetime.datetime(2023, 4, 13, 19, 15, 17, 397479, tzinfo=datetime.timezone.utc)
    """
    return from_us(slack_ts_us(ts))


def slack_ts_us(ts: str) -> int:
    """A Slack `ts` as integer microseconds; `us_slack_ts` gives the same string back.

    >>> slack_ts_us("1681413317.397479")
    1681413317397479
    """
    match = _SLACK_TS.match(ts)
    if not match:
        raise UnreadableTime("not a Slack ts")
    return int(match[1]) * 1_000_000 + int(match[2])


def us_slack_ts(us: int) -> str:
    """Integer microseconds as Slack writes them.

    >>> us_slack_ts(1681413317000001)
    '1681413317.000001'
    """
    if not 0 <= us < 10**16:
        raise UnreadableTime("outside of what a Slack ts can say")
    return f"{us // 1_000_000:010d}.{us % 1_000_000:06d}"


def to_us(when: datetime) -> int:
    """Integer microseconds since 1970. Raises `AmbiguousTime` for a time without a zone."""
    return (in_utc(when) - _BEGINNING) // _MICROSECOND


def from_us(us: int) -> datetime:
    """The point in time of integer microseconds since 1970."""
    try:
        return _BEGINNING + timedelta(microseconds=us)
    except OverflowError:
        return unreadable("outside the years 1 to 9999")


def in_utc(when: datetime, zone: Zone | None = None, choose: Choose | None = None) -> datetime:
    """The same point in time, in UTC. `zone` is for a time without one; without it that is an `AmbiguousTime`.

    >>> twice = datetime(2024, 10, 27, 2, 30)
    >>> in_utc(twice, "Europe/Berlin")
    Traceback (most recent call last):
    common_core.temporal.points.AmbiguousTime: the clock shows it twice
    >>> in_utc(twice, "Europe/Berlin", "later")
    datetime.datetime(2024, 10, 27, 1, 30, tzinfo=datetime.timezone.utc)
    """
    try:
        if when.utcoffset() is not None:
            return when.astimezone(UTC)
        return _of_wall(when, zone_named(zone), choose)
    except OverflowError:
        return unreadable("outside the years 1 to 9999")


def add_days(when: datetime, days: int, zone: Zone, choose: Choose | None = None) -> datetime:
    """The same time of day so many days later on a clock in `zone`, which may be 23 or 25 hours a day.

    >>> add_days(datetime(2024, 3, 30, 11, tzinfo=UTC), 1, "Europe/Berlin")  # noon in winter, noon in summer
    datetime.datetime(2024, 3, 31, 10, 0, tzinfo=datetime.timezone.utc)
    """
    try:
        wall = in_utc(when).astimezone(zone_named(zone)).replace(tzinfo=None)
        return in_utc(wall + timedelta(days=days), zone, choose) if days else in_utc(when)
    except OverflowError:
        return unreadable("outside the years 1 to 9999")


def add_hours(when: datetime, hours: int) -> datetime:
    """So many hours later as time passes, whatever clocks do meanwhile.

    >>> add_hours(datetime(2024, 3, 30, 11, tzinfo=UTC), 24)
    datetime.datetime(2024, 3, 31, 11, 0, tzinfo=datetime.timezone.utc)
    """
    return from_us(to_us(when) + hours * 3_600_000_000)


def to_iso8601(when: datetime) -> str:
    """ISO 8601 in UTC, always with microseconds, so that the texts sort as the times do.

    >>> to_iso8601(from_us(0))
    '1970-01-01T00:00:00.000000+00:00'
    """
    return in_utc(when).isoformat(timespec="microseconds")


def _of_wall(wall: datetime, zone: tzinfo, choose: Choose | None) -> datetime:
    """What a clock in `zone` shows, in UTC. Its two readings differ where it shows a time twice, or skips it."""
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first != second and choose is None:
        shown = first.astimezone(zone).replace(tzinfo=None, fold=0) == wall.replace(fold=0)
        raise AmbiguousTime("the clock shows it twice" if shown else "the clock skips it")
    return max(first, second) if choose == "later" else min(first, second)


def zone_named(zone: Zone | None) -> tzinfo:
    """The zone itself. Raises `AmbiguousTime` where there is none, `UnreadableTime` where it is not known."""
    if zone is None:
        raise AmbiguousTime("no zone")
    try:
        return ZoneInfo(zone) if isinstance(zone, str) else zone
    except (ValueError, KeyError, OSError):
        raise UnreadableTime("no such zone") from None


def unreadable(why: str) -> NoReturn:
    """Raise `UnreadableTime`."""
    raise UnreadableTime(why) from None
