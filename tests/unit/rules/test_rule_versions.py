import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import Rejected
from pipeline.rules.versions import epoch_digits, epoch_of_entry, ts_us, us_ts, version

MICROSECONDS = st.integers(0, 10**16 - 1)
ANYTHING = st.integers(-(10**20), 10**20)


@given(MICROSECONDS)
def test_microseconds_survive_the_wire(us: int) -> None:
    assert ts_us(us_ts(us)) == us


@given(st.integers(0, 10**10 - 1), st.integers(0, 10**6 - 1))
def test_a_ts_survives_as_slack_wrote_it(seconds: int, micros: int) -> None:
    ts = f"{seconds}.{micros:06d}"
    assert us_ts(ts_us(ts)) == ts


@given(MICROSECONDS, MICROSECONDS)
def test_ts_in_one_width_order_like_time(one: int, other: int) -> None:
    wide = [us_ts(us).rjust(17, "0") for us in (one, other)]
    assert (wide[0] < wide[1]) == (one < other)


@pytest.mark.parametrize(("ts", "us"), [("1", 1_000_000), ("1.5", 1_500_000), ("0.000001", 1), ("1.", 1_000_000)])
def test_a_short_fraction_is_read_as_a_fraction(ts: str, us: int) -> None:
    assert ts_us(ts) == us


@given(st.one_of(st.text(), st.from_regex(r"-?[0-9٠-٩]{0,12}[.,]?[0-9²]{0,8}", fullmatch=True)))
def test_whatever_is_no_ts_is_rejected_and_nothing_else_is_raised(ts: str) -> None:
    try:
        us = ts_us(ts)
    except Rejected:
        return
    assert set(ts) <= set("0123456789.")
    assert us_ts(us).rstrip("0").lstrip("0") == (ts if "." in ts else f"{ts}.").rstrip("0").lstrip("0")


@pytest.mark.parametrize(
    "ts", ["", ".", ".5", "-1", "1e9", "1_0", "1.1.1", " 1", "1 ", "+1", "1.0000001", "²", "1.²", "１"]
)
def test_look_alikes_of_numbers_are_no_ts(ts: str) -> None:
    with pytest.raises(Rejected):
        ts_us(ts)


@given(st.tuples(MICROSECONDS, MICROSECONDS), st.tuples(MICROSECONDS, MICROSECONDS))
def test_versions_compared_bytewise_are_epoch_then_revision(one: tuple[int, int], other: tuple[int, int]) -> None:
    assert (version(*one).encode() < version(*other).encode()) == (one < other)
    assert (version(*one) == version(*other)) == (one == other)


@given(ANYTHING, ANYTHING)
def test_a_version_is_thirty_two_digits_whatever_it_is_made_of(epoch: int, revision: int) -> None:
    made = version(epoch, revision)
    assert len(made) == 32
    assert made.isdigit()
    assert made.startswith(epoch_digits(epoch))


@given(ANYTHING, ANYTHING)
def test_a_number_out_of_range_never_turns_the_order_round(low: int, high: int) -> None:
    low, high = sorted((low, high))
    assert version(low) <= version(high)


@given(MICROSECONDS, MICROSECONDS, MICROSECONDS)
def test_a_fence_kills_every_version_of_an_earlier_epoch_and_none_of_its_own(
    epoch: int, revision: int, fence: int
) -> None:
    assert (version(epoch, revision)[:16] < epoch_digits(fence)) == (epoch < fence)


@given(st.integers(0, 10**13 - 1), st.integers(0, 10**6), st.integers(0, 10**13 - 1), st.integers(0, 10**6))
def test_later_entries_have_no_lower_epoch(ms: int, seq: int, other_ms: int, other_seq: int) -> None:
    first, second = sorted([(ms, seq), (other_ms, other_seq)])
    epochs = [epoch_of_entry(f"{at}-{number}") for at, number in (first, second)]
    assert epochs[0] <= epochs[1]
    assert epochs[0] // 1000 == first[0], "the millisecond is never left"
