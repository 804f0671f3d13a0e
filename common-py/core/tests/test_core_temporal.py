import contextlib
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from common_core import temporal
from common_core.temporal import AmbiguousTime, UnreadableTime, parse
from hypothesis import given, settings
from hypothesis import strategies as st

UNHURRIED = settings(deadline=None)
NOON = datetime(2024, 2, 29, 12, 0, tzinfo=UTC)
zones = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
# Hypothesis wants its bounds without a zone; a year of distance to the calendar's ends leaves room for any offset.
times = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=zones)  # noqa: DTZ001


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-29T12:00:00Z",
        "2024-02-29 13:00:00+01:00",
        "20240229T120000Z",
        "2024-W09-4T12:00:00Z",
        "2024-02-29T12:00:00.0000009Z",
        "Thu, 29 Feb 2024 12:00:00 GMT",
        "Thu, 29 Feb 2024 12:00:00 -0000",
        "29 Feb 2024 07:00:00 EST",
        "1709208000",
        "1709208000000",
        "1709208000000000",
        "1709208000.000000",
        " 1709208000\n",
        "2024-060T12:00:00Z",
        "2024060t12:00z",
        "2024-02-29 12:00:00 UTC",
        "2024-02-29 13:00 +0100",
        "2024-02-29T11:00:00\u221201:00",
        "2024-02-29T12Z",
        "29 February 2024, 12:00 UTC",
        "Thursday, 29-Feb-2024 12:00:00 GMT",
        "Thu,  29 Feb\r\n 2024 13:00:00 +0100 (CET)",
        "February 29th, 2024 at 12:00 PM UTC",
        "Feb. 29, 2024 12 p.m. Z",
        "Thu Feb 29 12:00:00 UTC 2024",
        "Thu Feb 29 12:00:00.0 GMT 2024",
        "2024/02/29 12:00 UTC",
        "29/02/2024 12:00:00 UTC",
        "02/29/2024 12:00PM UTC",
        "29.02.2024, 12:00 UTC",
        "29-02-2024 12:00 UTC",
    ],
)
def test_every_written_form_of_one_moment_reads_the_same(text: str) -> None:
    assert parse(text) == NOON
    assert parse(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-29T12:00:00",
        "2024-02-29",
        "Thu, 29 Feb 2024 12:00:00",
        "29 Feb 2024 12:00:00 XYZ",
        "86400",
        "20240229",
        "170920800000",
        "20240229120000",
        "01/02/2024 12:00 UTC",
        "1.2.2024 12:00 UTC",
        "29 Feb 24 12:00:00 GMT",
        "24-02-29 12:00 UTC",
        "Mon, 29 Feb 2024 12:00:00 GMT",
        "2024-02-29 12:00 CET",
        "Feb 29, 2024 12:00 IST",
        "Thu Feb 29 12:00:00 2024",
        "29.02.2024 12:00",
    ],
)
def test_what_could_mean_several_moments_is_ambiguous(text: str) -> None:
    with pytest.raises(AmbiguousTime):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "noon",
        "2024-02-30T12:00:00Z",
        "2024-02-29T25:00:00Z",
        "31 Feb 2024 12:00:00 GMT",
        "0001-01-01T00:00:00+14:00",
        "1709208000.5",
        "17092080000000000",
        "٣٤٥٦",
        "-1709208000",
        "2023-366T12:00:00Z",
        "9999-999T12:00:00Z",
        "0000-001T12:00:00Z",
        "2024-02-29x12:00:00Z",
        "2024-02-29T12:00:00+24:00",
        "2024-02-29T12:00.5Z",
        "2024-02-29T12,5Z",
        "2024-02-29T12:00:60Z",
        "2024-02-29T24:00:00.1Z",
        "2024-02-29T24:01Z",
        "9999-12-31T24:00Z",
        "29 Brumaire 2024 12:00 UTC",
        "29 Feb 2024 13:00 PM UTC",
        "29 Feb 2024 0 am UTC",
        "29 Feb 2024 12 UTC",
        "31/31/2024 12:00 UTC",
        "Xxx, 29 Feb 2024 12:00 UTC",
        "29 Feb 2024 12:00:60 UTC",
        "٢٩/02/2024 12:00 UTC",
    ],
)
def test_what_is_no_time_is_unreadable_and_not_quoted(text: str) -> None:
    with pytest.raises(UnreadableTime) as caught:
        parse(text)
    assert not isinstance(caught.value, AmbiguousTime)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert not text or text not in str(caught.value)


BERLIN, NEW_YORK, SAMOA = "Europe/Berlin", "America/New_York", "Pacific/Apia"


@pytest.mark.parametrize(
    "text",
    ["2024-02-29T13:00", "2024-02-29 13:00:00", "Thu, 29 Feb 2024 13:00:00", "Feb 29, 2024 1 pm", "29.02.2024 13:00"],
)
def test_a_time_without_a_zone_is_one_where_a_zone_is_given(text: str) -> None:
    assert parse(text, BERLIN) == parse(text, ZoneInfo(BERLIN)) == NOON
    assert parse(text, timezone(timedelta(hours=1))) == NOON


@pytest.mark.parametrize(
    "text", ["2024-02-28T24:00Z", "20240228t24z", "2024-059 24:00:00.000 UTC", "2024-W09-3T240000Z"]
)
def test_the_end_of_a_day_is_the_beginning_of_the_next(text: str) -> None:
    assert parse(text) == NOON - timedelta(hours=12)


def test_a_zone_in_the_text_goes_before_the_one_given() -> None:
    assert parse("2024-02-29T12:00Z", BERLIN) == parse("29 Feb 2024 12:00 GMT", BERLIN) == NOON


def test_a_day_alone_is_its_beginning_in_the_zone_given() -> None:
    assert parse("2024-02-29", BERLIN) == parse("29/2/2024", BERLIN) == NOON - timedelta(hours=13)
    assert parse("20240229", BERLIN) == parse("2024-02-29", BERLIN)
    assert parse("02.02.2024", BERLIN) == parse("2024-02-02", BERLIN)


@pytest.mark.parametrize("zone", ["Nowhere", "../etc/passwd", "", "Europe"])
def test_an_unknown_zone_is_unreadable(zone: str) -> None:
    with pytest.raises(UnreadableTime, match="no such zone"):
        parse("2024-02-29T12:00", zone)


@pytest.mark.parametrize(
    ("wall", "zone", "why", "earlier", "later"),
    [
        ("2024-10-27T02:30", BERLIN, "shows it twice", "2024-10-27T00:30Z", "2024-10-27T01:30Z"),
        ("2024-03-31T02:30", BERLIN, "skips it", "2024-03-31T00:30Z", "2024-03-31T01:30Z"),
        ("2024-11-03 01:00", NEW_YORK, "shows it twice", "2024-11-03T05:00Z", "2024-11-03T06:00Z"),
        ("10 March 2024 02:00", NEW_YORK, "skips it", "2024-03-10T06:00Z", "2024-03-10T07:00Z"),
        ("2011-12-30T12:00", SAMOA, "skips it", "2011-12-29T22:00Z", "2011-12-30T22:00Z"),
    ],
)
def test_a_time_that_a_clock_shows_twice_or_skips_has_to_be_chosen(
    wall: str, zone: str, why: str, earlier: str, later: str
) -> None:
    with pytest.raises(AmbiguousTime, match=why):
        parse(wall, zone)
    assert parse(wall, zone, "earlier") == parse(earlier)
    assert parse(wall, zone, "later") == parse(later)


def test_a_chosen_time_that_needs_no_choice_is_what_it_is() -> None:
    assert parse("2024-06-01T12:00", BERLIN, "earlier") == parse("2024-06-01T12:00", BERLIN, "later")


@pytest.mark.parametrize(("start", "hours"), [("2024-03-30T12:00+01:00", 23), ("2024-10-26T12:00+02:00", 25)])
def test_a_day_is_a_day_on_the_clock_and_an_hour_is_an_hour(start: str, hours: int) -> None:
    when = parse(start)
    assert temporal.add_days(when, 1, BERLIN) - when == timedelta(hours=hours)
    assert temporal.add_hours(when, 24) - when == timedelta(hours=24)
    assert temporal.add_days(temporal.add_days(when, 1, BERLIN), -1, BERLIN) == when


def test_a_day_that_ends_in_a_gap_has_to_be_chosen() -> None:
    when = parse("2024-03-30T02:30", BERLIN)
    with pytest.raises(AmbiguousTime):
        temporal.add_days(when, 1, BERLIN)
    assert temporal.add_days(when, 1, BERLIN, "later") == parse("2024-03-31T03:30", BERLIN)


@UNHURRIED
@given(
    times.filter(lambda when: 1900 < when.year < 2100),
    st.sampled_from([BERLIN, NEW_YORK, SAMOA, "UTC"]),
    st.integers(-400, 400),
)
def test_days_keep_the_time_of_day_and_hours_keep_the_distance(when: datetime, zone: str, count: int) -> None:
    assert temporal.add_hours(when, count) - when == timedelta(hours=count)
    assert temporal.add_days(when, 0, zone) == when
    with contextlib.suppress(AmbiguousTime):
        before, after = (at.astimezone(ZoneInfo(zone)) for at in (when, temporal.add_days(when, count, zone)))
        assert after.time() == before.time()
        assert after.date() - before.date() == timedelta(days=count)


@UNHURRIED
@given(times.filter(lambda when: 1900 < when.year < 2100), st.sampled_from([BERLIN, NEW_YORK, SAMOA]))
def test_what_a_clock_shows_is_read_back_unless_it_says_that_it_cannot(when: datetime, zone: str) -> None:
    wall = when.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    try:
        assert temporal.in_utc(wall, zone) == when
    except AmbiguousTime:
        assert when in (temporal.in_utc(wall, zone, "earlier"), temporal.in_utc(wall, zone, "later"))


@pytest.mark.parametrize("count", [1709204400.0, True, "1709204400"])
def test_a_count_is_an_int_and_nothing_like_it(count: Any) -> None:
    with pytest.raises(TypeError):
        temporal.from_epoch(count)


@pytest.mark.parametrize("us", [-(10**30), 10**30])
def test_a_count_beyond_the_calendar_is_unreadable(us: int) -> None:
    with pytest.raises(UnreadableTime):
        temporal.from_us(us)


@pytest.mark.parametrize("ts", ["1.5", "1681413317", "1681413317.3974790", "x", "1681413317.397479\n", ""])
def test_a_slack_ts_has_six_digits_after_the_point(ts: str) -> None:
    with pytest.raises(UnreadableTime):
        temporal.slack_ts_us(ts)


@UNHURRIED
@given(times)
def test_iso_8601_microseconds_and_back_is_the_same_moment(when: datetime) -> None:
    assert temporal.from_us(temporal.to_us(when)) == when
    assert parse(when.isoformat()) == when
    assert temporal.from_iso8601(temporal.to_iso8601(when)) == when


@UNHURRIED
@given(times, times)
def test_iso_texts_sort_as_the_times_do(one: datetime, other: datetime) -> None:
    assert (temporal.to_iso8601(one) < temporal.to_iso8601(other)) == (one < other)


@UNHURRIED
@given(times.filter(lambda when: when.year > 1900))
def test_rfc_2822_keeps_the_second(when: datetime) -> None:
    assert parse(format_datetime(when)) == when.replace(microsecond=0)


@UNHURRIED
@given(st.integers(10**9, 10**10 - 1), st.sampled_from([("s", 1), ("ms", 10**3), ("us", 10**6)]))
def test_the_length_of_a_count_tells_its_unit(seconds: int, unit: tuple[temporal.Unit, int]) -> None:
    name, factor = unit
    assert temporal.from_epoch(seconds * factor) == temporal.from_epoch(seconds * factor, name)
    assert temporal.to_us(parse(str(seconds * factor))) == seconds * 10**6


@UNHURRIED
@given(st.integers(0, 10**16 - 1))
def test_a_slack_ts_survives_to_the_digit(us: int) -> None:
    ts = temporal.us_slack_ts(us)
    assert temporal.slack_ts_us(ts) == us
    assert temporal.us_slack_ts(temporal.to_us(temporal.from_slack_ts(ts))) == ts


@UNHURRIED
@given(
    st.text(max_size=30)
    | st.from_regex(r"\d{4}-?\d{2}-?\d{2}[T ]?[\d:.+Z-]{0,20}")
    | st.from_regex(r"\d+ \w{3} .*")
    | st.from_regex(r"(Mon )?(Jan|Feb) \d{1,2},? \d{2,4}( at)? \d{1,2}:\d\d ?(pm)? ?[A-Z]{0,4}", fullmatch=True)
    | st.from_regex(r"\d{1,4}[/.-]\d{1,2}[/.-]\d{2,4} \d{1,2}(:\d\d)? ?(Z|[+-]\d{4})?", fullmatch=True)
    | st.from_regex(r"\d{4}-\d{3}T\d\dZ", fullmatch=True)
)
def test_no_text_raises_anything_else(text: str) -> None:
    with contextlib.suppress(UnreadableTime):
        assert parse(text).tzinfo is UTC
