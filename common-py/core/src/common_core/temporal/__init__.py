"""Points in time: many ways to write them, one way to hold them (aware, UTC), integers for arithmetic.

    >>> parse("2024-02-29T12:00:00+01:00")
    datetime.datetime(2024, 2, 29, 11, 0, tzinfo=datetime.timezone.utc)
    >>> parse("Thu, 29 Feb 2024 12:00:00 +0100") == parse("1709204400") == parse("1709204400.000000")
    True
    >>> parse("February 29, 2024 at 12:00 PM", zone="Europe/Berlin") == parse("29.02.2024 11:00 UTC")
    True
    >>> to_us(parse("1709204400.000001"))
    1709204400000001

Ambiguity is an error: a time without a zone unless one is given, one that a clock shows twice or skips unless told
which (`choose`), 01/02/2024, a year of two digits, a zone's abbreviation, a number that could be seconds or
milliseconds. No float takes part anywhere: a float does not hold microseconds of our century to the digit.
"""

from common_core.temporal.points import (
    AmbiguousTime,
    Choose,
    Unit,
    UnreadableTime,
    Zone,
    add_days,
    add_hours,
    from_epoch,
    from_slack_ts,
    from_us,
    in_utc,
    slack_ts_us,
    to_iso8601,
    to_us,
    us_slack_ts,
)
from common_core.temporal.texts import from_iso8601, from_rfc2822, from_written, parse

__all__ = [
    "AmbiguousTime",
    "Choose",
    "Unit",
    "UnreadableTime",
    "Zone",
    "add_days",
    "add_hours",
    "from_epoch",
    "from_iso8601",
    "from_rfc2822",
    "from_slack_ts",
    "from_us",
    "from_written",
    "in_utc",
    "parse",
    "slack_ts_us",
    "to_iso8601",
    "to_us",
    "us_slack_ts",
]
