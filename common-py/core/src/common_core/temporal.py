"""Points in time: many ways to write them, one way to hold them (aware, UTC), integers for arithmetic.

    >>> parse("2024-02-29T12:00:00+01:00")
    datetime.datetime(2024, 2, 29, 11, 0, tzinfo=datetime.timezone.utc)
    >>> parse("Thu, 29 Feb 2024 12:00:00 +0100") == parse("1709204400") == parse("1709204400.000000")
    True
    >>> to_us(parse("1709204400.000001"))
    1709204400000001

Ambiguity is an error: a time without a zone, a number that could be seconds or milliseconds. No float takes part
anywhere: a float does not hold microseconds of our century to the digit.
"""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal

Unit = Literal["s", "ms", "us"]

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_IN_MICROSECONDS: dict[Unit, int] = {"s": 1_000_000, "ms": 1_000, "us": 1}
# The numbers of 2001-09-09 to 2286-11-20 in each unit: ten, thirteen and sixteen digits, no overlap.
_UNIT_OF_DIGITS: dict[int, Unit] = {10: "s", 13: "ms", 16: "us"}
_SLACK_TS = re.compile(r"(\d{1,10})\.(\d{6})\Z", re.ASCII)
_DIGITS = re.compile(r"\d+\Z", re.ASCII)
_ISO_DAY = re.compile(r"\d{4}-?(\d{2}-?\d{2}|W\d{2}|\d{3})", re.ASCII)
_WEEKDAY = re.compile(r"(?:[A-Za-z]{3},?\s+)?\d{1,2}\s+[A-Za-z]{3}\b")


class UnreadableTime(ValueError):
    """No known form, or a point outside the years 1 to 9999."""


class AmbiguousTime(UnreadableTime):
    """More than one point in time could be meant: no zone, or a number of an unknown unit."""


def parse(text: str) -> datetime:
    """A point in time from its text: ISO 8601, RFC 2822, a Slack ts, or digits since 1970.

    Raises `AmbiguousTime` or `UnreadableTime`; neither quotes the text.

    >>> parse("2024-02-29T12:00:00")
    Traceback (most recent call last):
    common_core.temporal.AmbiguousTime: no zone
    """
    text = text.strip()
    if _SLACK_TS.match(text):
        return from_us(slack_ts_us(text))
    if _DIGITS.match(text):
        return from_epoch(int(text)) if len(text) <= 16 else _unreadable("too many digits")
    if _ISO_DAY.match(text):
        return from_iso8601(text)
    if _WEEKDAY.match(text):
        return from_rfc2822(text)
    raise UnreadableTime("no known form")


def from_iso8601(text: str) -> datetime:
    """ISO 8601 with a zone; digits after the sixth of a fraction are cut.

    >>> from_iso8601("2024-02-29T12:00:00.5Z")
    datetime.datetime(2024, 2, 29, 12, 0, 0, 500000, tzinfo=datetime.timezone.utc)
    """
    try:
        return in_utc(datetime.fromisoformat(text))
    except UnreadableTime:
        raise
    except ValueError:
        raise UnreadableTime("not ISO 8601") from None


def from_rfc2822(text: str) -> datetime:
    """The date of e-mail and HTTP headers. `-0000` is UTC as RFC 5322 has it; an unknown zone name is ambiguous.

    >>> from_rfc2822("Thu, 29 Feb 2024 12:00:00 GMT")
    datetime.datetime(2024, 2, 29, 12, 0, tzinfo=datetime.timezone.utc)
    """
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        raise UnreadableTime("not RFC 2822") from None
    if when.tzinfo is None and text.rstrip().endswith("-0000"):
        when = when.replace(tzinfo=UTC)
    return in_utc(when)


def from_epoch(count: int, unit: Unit | None = None) -> datetime:
    """A count of seconds, milliseconds or microseconds since 1970. Without a unit its length decides.

    >>> from_epoch(1709204400) == from_epoch(1709204400000) == from_epoch(1709204400, "s")
    True
    >>> from_epoch(86400)
    Traceback (most recent call last):
    common_core.temporal.AmbiguousTime: seconds, milliseconds or microseconds
    """
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
        return _unreadable("outside the years 1 to 9999")


def in_utc(when: datetime) -> datetime:
    """The same point in time, in UTC. Raises `AmbiguousTime` for a time without a zone."""
    if when.utcoffset() is None:
        raise AmbiguousTime("no zone")
    try:
        return when.astimezone(UTC)
    except OverflowError:
        return _unreadable("outside the years 1 to 9999")


def to_iso8601(when: datetime) -> str:
    """ISO 8601 in UTC, always with microseconds, so that the texts sort as the times do.

    >>> to_iso8601(from_us(0))
    '1970-01-01T00:00:00.000000+00:00'
    """
    return in_utc(when).isoformat(timespec="microseconds")


def _unreadable(why: str) -> datetime:
    raise UnreadableTime(why) from None
