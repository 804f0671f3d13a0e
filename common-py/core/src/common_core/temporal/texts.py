"""The forms in which a point in time is written."""

import re
from datetime import date, datetime, timedelta, timezone, tzinfo

from common_core.temporal.points import (
    AmbiguousTime,
    Choose,
    UnreadableTime,
    Zone,
    from_epoch,
    from_slack_ts,
    in_utc,
    unreadable,
)

_SLACK_TS = re.compile(r"\d{1,10}\.\d{6}\Z", re.ASCII)
_DIGITS = re.compile(r"\d+\Z", re.ASCII)
_ISO_DAY = re.compile(r"\d{4}-?(\d{2}-?\d{2}|W\d{2}|\d{3})", re.ASCII | re.IGNORECASE)
_ISO = re.compile(
    r"(?P<day>[\dWw-]{7,10}(?:[T ]\d\d(?::?\d\d(?::?\d\d(?:[.,]\d+)?)?)?)?) ?(?P<zone>[+-][\d:]+|[A-Z]{1,5})?",
    re.ASCII | re.IGNORECASE,
)
_END_OF_DAY = re.compile(r"(?<=[T ])24(?=(?::?00)*(?:[.,]0+)?\Z)", re.ASCII)
_ORDINAL_DAY = re.compile(r"\A(\d{4})-?(\d{3})(?=[T ]|\Z)", re.ASCII | re.IGNORECASE)

_MONTHS = [
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
]
_WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
# By RFC 2822; any other abbreviation is used for more than one zone.
_NAMED_HOURS = {"UTC": 0, "GMT": 0, "UT": 0, "Z": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6}
_NAMED_HOURS |= {"PST": -8, "PDT": -7}
_WEEKDAY = r"(?:(?P<weekday>[a-z]{3,9}),? )?"
_MONTH = r"(?P<month>[a-z]{3,9})\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>\d{4}|\d{2})"
_SECONDS = r"(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?"
_CLOCK = rf"(?P<hour>\d{{1,2}})(?::(?P<minute>\d\d){_SECONDS})?(?: ?(?P<half>[ap])\.?m\.?)?"
_OF_ZONE = r"(?P<zone>[+-]\d\d:?\d\d|[a-z]{1,5})"
_TIME = rf"(?:,?(?: at)? {_CLOCK}(?: ?{_OF_ZONE})?(?: \([^()]*\))?)?"
_WRITTEN = [
    re.compile(form, re.ASCII | re.IGNORECASE)
    for form in (
        rf"{_WEEKDAY}{_DAY}[ -](?:of )?{_MONTH},?[ -]{_YEAR}{_TIME}",  # RFC 2822, HTTP, and with the month in full
        rf"{_WEEKDAY}{_MONTH} {_DAY},? {_YEAR}{_TIME}",
        rf"{_WEEKDAY}{_MONTH} {_DAY} {_CLOCK}(?: {_OF_ZONE})? {_YEAR}",  # ctime and date
        rf"{_WEEKDAY}(?P<year>\d{{4}})[/.](?P<month>\d{{1,2}})[/.](?P<day>\d{{1,2}}){_TIME}",
        rf"{_WEEKDAY}(?P<one>\d{{1,2}})[/.-](?P<other>\d{{1,2}})[/.-]{_YEAR}{_TIME}",
    )
]


def parse(text: str, zone: Zone | None = None, choose: Choose | None = None) -> datetime:
    """A point in time from its text: ISO 8601, RFC 2822, a Slack ts, digits since 1970, or as people write it.

    `zone` is for a text that names none; a day alone is its beginning. Raises `AmbiguousTime` or `UnreadableTime`;
    neither quotes the text.

    >>> parse("2024-02-29T12:00:00")
    Traceback (most recent call last):
    common_core.temporal.points.AmbiguousTime: no zone
    """
    text = text.strip()
    if _SLACK_TS.match(text):
        return from_slack_ts(text)
    if _DIGITS.match(text) and len(text) != 8:  # eight are a day, as ISO 8601 writes it
        return from_epoch(int(text)) if len(text) <= 16 else unreadable("too many digits")
    if _ISO_DAY.match(text):
        return from_iso8601(text, zone, choose)
    return from_written(text, zone, choose)


def from_iso8601(text: str, zone: Zone | None = None, choose: Choose | None = None) -> datetime:
    """ISO 8601 with a zone; digits after the sixth of a fraction are cut, 24:00 is the next day's beginning. A fraction
    of minutes or hours, which readers take for one of seconds, and a leap second are not read.

    >>> from_iso8601("2024-02-29T12:00:00.5Z") == from_iso8601("2024-060 12:00:00.5 UTC")
    True
    """
    match = _ISO.fullmatch(text.replace("\u2212", "-"))  # the minus that ISO 8601 prefers
    if not match:
        raise UnreadableTime("not ISO 8601")
    try:
        day, at_its_end = _END_OF_DAY.subn("00", _ORDINAL_DAY.sub(_by_month, match["day"].upper()))
        wall = datetime.fromisoformat(day) + timedelta(days=at_its_end)
    except (ValueError, OverflowError):
        raise UnreadableTime("not ISO 8601") from None
    return in_utc(wall, _zone_of(match["zone"]) or zone, choose)


def from_rfc2822(text: str, zone: Zone | None = None) -> datetime:
    """The date of e-mail and HTTP headers. `-0000` is UTC as RFC 5322 has it; an unknown zone name is ambiguous.

    >>> from_rfc2822("Thu, 29 Feb 2024 12:00:00 GMT")
    datetime.datetime(2024, 2, 29, 12, 0, tzinfo=datetime.timezone.utc)
    """
    match = _WRITTEN[0].fullmatch(" ".join(text.split()))
    return _point(match, zone, None) if match else unreadable("not RFC 2822")


def from_written(text: str, zone: Zone | None = None, choose: Choose | None = None) -> datetime:
    """A time as people write it, with English names or day, month and year in an order that only one reading has.

    >>> from_written("Thu Feb 29 12:00:00 UTC 2024") == from_written("02/29/2024 12:00 pm", zone="UTC")
    True
    >>> from_written("01/02/2024 12:00 UTC")
    Traceback (most recent call last):
    common_core.temporal.points.AmbiguousTime: day or month first
    """
    spaced = " ".join(text.split())
    match = next(filter(None, (form.fullmatch(spaced) for form in _WRITTEN)), None)
    return _point(match, zone, choose) if match else unreadable("no known form")


def _zone_of(text: str | None) -> tzinfo | None:
    """An offset or one of the few names that mean one zone only."""
    if not text:
        return None
    if text[0] not in "+-":
        if text.upper() not in _NAMED_HOURS:
            raise AmbiguousTime("a zone's abbreviation")
        return timezone(timedelta(hours=_NAMED_HOURS[text.upper()]))
    try:
        return datetime.fromisoformat(f"2000-01-01T00:00:00{text}").tzinfo
    except ValueError:
        raise UnreadableTime("no such offset") from None


def _by_month(match: re.Match[str]) -> str:
    """The day of a year as month and day. Raises ValueError, or OverflowError behind the year 9999."""
    day = date(int(match[1]), 1, 1) + timedelta(days=int(match[2]) - 1)
    return day.isoformat() if day.year == int(match[1]) else ""


def _point(match: re.Match[str], zone: Zone | None, choose: Choose | None) -> datetime:
    """The time in a match of `_WRITTEN`."""
    parts = match.groupdict()
    if len(parts["year"]) == 2:
        raise AmbiguousTime("a year of two digits")
    month, day = _month_and_day(parts)
    fraction = (parts["fraction"] or "")[:6].ljust(6, "0")
    try:
        clock = (_hour(parts), int(parts["minute"] or 0), int(parts["second"] or 0), int(fraction))
        wall = datetime(int(parts["year"]), month, day, *clock)  # noqa: DTZ001 - its zone comes below
    except ValueError:
        raise UnreadableTime("no such date or time") from None
    if parts["weekday"] and _index(_WEEKDAYS, parts["weekday"]) != wall.weekday():
        raise AmbiguousTime("the weekday is another")
    return in_utc(wall, _zone_of(parts["zone"]) or zone, choose)


def _month_and_day(parts: dict[str, str]) -> tuple[int, int]:
    if "one" not in parts:
        month = parts["month"]
        return (int(month) if month.isdigit() else _index(_MONTHS, month) + 1), int(parts["day"])
    one, other = int(parts["one"]), int(parts["other"])
    if one <= 12 and other <= 12 and one != other:
        raise AmbiguousTime("day or month first")
    return min(one, other), max(one, other)


def _hour(parts: dict[str, str]) -> int:
    hour, half = int(parts["hour"] or 0), (parts["half"] or "").lower()
    if not half:
        return hour if parts["minute"] or not parts["hour"] else unreadable("an hour alone")
    if not 1 <= hour <= 12:
        raise UnreadableTime("no such hour")
    return hour % 12 + (12 if half == "p" else 0)


def _index(names: list[str], name: str) -> int:
    found = [at for at, full in enumerate(names) if full.startswith(name.lower())]
    return found[0] if found else unreadable("no known name")
