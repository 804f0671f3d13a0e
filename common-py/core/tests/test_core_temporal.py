import contextlib
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

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
    ],
)
def test_what_is_no_time_is_unreadable_and_not_quoted(text: str) -> None:
    with pytest.raises(UnreadableTime) as caught:
        parse(text)
    assert not isinstance(caught.value, AmbiguousTime)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert not text or text not in str(caught.value)


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
    st.text(max_size=30) | st.from_regex(r"\d{4}-?\d{2}-?\d{2}[T ]?[\d:.+Z-]{0,20}") | st.from_regex(r"\d+ \w{3} .*")
)
def test_no_text_raises_anything_else(text: str) -> None:
    with contextlib.suppress(UnreadableTime):
        assert parse(text).tzinfo is UTC
