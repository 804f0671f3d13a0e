"""Where a channel stands, said in a word."""

import pytest

from pipeline.rules.outlook import state_of
from pipeline.rules.windows import SETTLING_US, Progress, Stretch

NOW = 1_763_892_000_000_000
SECOND = 1_000_000


@pytest.mark.parametrize("period", [5 * SECOND, 900 * SECOND])
def test_a_channel_is_behind_after_two_periods_and_the_settling_of_the_last_messages(period: int) -> None:
    pulled = Progress("C1", Stretch(0, NOW - SETTLING_US))
    assert state_of(pulled, NOW, period) == "covered", "a window ends two minutes before it is asked for"
    assert state_of(pulled, NOW + 2 * period, period) == "covered"
    assert state_of(pulled, NOW + 2 * period + 1, period) == "behind"


def test_a_channel_is_read_back_until_its_start() -> None:
    assert state_of(Progress("C1", None), NOW, SECOND) == "never"
    assert state_of(Progress("C1", Stretch(5, NOW), start=4), NOW, SECOND) == "backfill"
    assert state_of(Progress("C1", Stretch(4, NOW), start=4), NOW, SECOND) == "covered"
