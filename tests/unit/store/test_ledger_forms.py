"""What the ledger keeps of days, threads and channels comes back as it was, and is kept shortly."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.rules.rereading import Day
from pipeline.rules.showing import Tally, Thread
from pipeline.rules.versions import us_ts
from pipeline.store import threads
from pipeline.store.progress import pack, unpack
from pipeline.store.run import lists, read

SECOND_US = 1_000_000
TALLIES = st.none() | st.builds(Tally, st.integers(0, 10**6), st.integers(0, 2**48 - 1))
DAYS = st.dictionaries(
    st.integers(0, 99_999), st.builds(Day, TALLIES, st.integers(0, 4 * 10**9).map(lambda s: s * SECOND_US)), max_size=40
)
MOMENTS = st.integers(1, 10**16 - 1).map(us_ts)
LATEST = st.just("") | MOMENTS | st.just("1700000000.39")


@given(DAYS, st.integers(0, 99_999))
def test_days_come_back_as_they_were_but_for_those_that_are_forgotten(days: dict[int, Day], oldest: int) -> None:
    assert unpack(pack(days, oldest)) == {day: known for day, known in days.items() if day >= oldest}


def test_eight_days_that_follow_each_other_take_a_fifth_less_than_spelled_out() -> None:
    days = {20_500 + n: Day(Tally(20, 2**47 + n), (1_760_000_000 + 90 * n) * SECOND_US) for n in range(8)}
    spelled_out = ";".join(f"{d}:20:{k.tally.mark:x}:{k.read_at // SECOND_US}" for d, k in days.items() if k.tally)
    assert len(pack(days, 0)) < 0.8 * len(spelled_out)


def test_days_that_layout_two_has_kept_are_read() -> None:
    kept = "20500:20:a50000000000ff00:1760000000;20502:::1760000100;20503:3:0:0"
    assert unpack(kept) == {
        20_500: Day(Tally(20, 0xFF00), 1_760_000_000 * SECOND_US),
        20_502: Day(None, 1_760_000_100 * SECOND_US),
        20_503: Day(Tally(3, 0), 0),
    }
    assert unpack("") == unpack(None) == unpack(pack({}, 0)) == {}


@given(st.dictionaries(MOMENTS, st.builds(Thread, st.integers(0, 10**5), LATEST), max_size=20))
def test_threads_come_back_as_they_were(known: dict[str, Thread]) -> None:
    kept = {threads.place(ts).encode(): threads.value(ts, thread).encode() for ts, thread in known.items()}
    assert threads.read(kept) == known
    assert [threads.began(threads.place(ts)) for ts in known] == list(known)


def test_threads_that_layout_two_has_kept_are_read() -> None:
    kept = {b"1700000000.000100": b"3|1700000900.000200", b"1700000001.000000": b"1|"}
    assert threads.read(kept) == {
        "1700000000.000100": Thread(3, "1700000900.000200"),
        "1700000001.000000": Thread(1, ""),
    }


@given(st.lists(st.text(min_size=1, max_size=20), max_size=30))
def test_the_channels_of_a_run_come_back_in_their_order(channels: list[str]) -> None:
    said = {"connection": "a/b", "team": "T1", "oldest": "0", "latest": "1", "state": "requested"}
    said |= {"attempt": "0", "requested_at": "0"}
    assert read("00", said | lists(channels)).channels == channels


def test_no_field_of_twenty_channels_is_too_long_to_be_kept_tightly() -> None:
    fields = lists([f"C{number:010}" for number in range(20)])
    assert max(map(len, fields.values())) <= 64


def test_channels_that_layout_two_has_kept_are_read() -> None:
    said = {"connection": "a/b", "team": "T1", "oldest": "0", "latest": "1", "state": "requested"}
    said |= {"attempt": "0", "requested_at": "0", "channels": '["C1", "C2", "C3", "C4", "C5"]'}
    assert read("00", said).channels == ["C1", "C2", "C3", "C4", "C5"]
