"""Moments and spans as people read them."""

import pytest

from cli.moments import minute, moment, span, window
from pipeline.rules.windows import DAY_US, HOUR_US

NOON = moment("2026-11-23T12:00:00")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-3, "0 s"), (0.4, "0 s"), (4.5, "5 s"), (40, "40 s"), (59.99, "1 min"), (65, "1 min"), (90, "90 s"),
        (150, "150 s"), (179, "3 min"), (399, "7 min"), (900, "15 min"), (3599, "1 h"),
        (35 * 3600, "35 h"), (86_400, "1 d"), (12.2 * 86_400, "12 d"),
    ],
)  # fmt: skip
def test_a_span_is_said_in_the_largest_unit_that_says_it_well_enough(seconds: float, said: str) -> None:
    assert span(seconds * 1e6) == said


def test_a_window_names_whole_days_and_says_no_day_twice() -> None:
    day = NOON // DAY_US * DAY_US
    assert window(day - 1, day + DAY_US - 1) == "2026-11-23"
    assert window(day - 1, day + 3 * DAY_US - 1) == "2026-11-23 to 2026-11-25"
    assert window(NOON, NOON + HOUR_US) == "2026-11-23 12:00 to 13:00"
    assert window(NOON, NOON + DAY_US) == "2026-11-23 12:00 to 2026-11-24 12:00"
    assert window(0, NOON) == "the beginning to 2026-11-23 12:00"


def test_a_moment_without_a_zone_is_utc() -> None:
    assert minute(NOON) == "2026-11-23 12:00"
    assert moment("2026-11-23T13:00:00+01:00") == moment("1795435200.000000") == NOON
