from hypothesis import given
from hypothesis import strategies as st

from pipeline.rules.versions import ts_us
from pipeline.rules.windows import MOST_CHANNELS, SETTLING_US, Progress, on_the_wire, plan

NOW = 1_800_000_000_000_000
HEADS = st.sampled_from([0, 5, NOW - SETTLING_US - 1, NOW - SETTLING_US, NOW - 1]) | st.integers(0, NOW)
CHANNELS = st.lists(
    st.builds(Progress, st.integers(0, 200).map(lambda n: f"C{n}"), HEADS, st.booleans()),
    max_size=80,
    unique_by=lambda progress: progress.channel,
)


@given(CHANNELS)
def test_every_channel_that_lacks_something_is_asked_for_once_and_from_where_it_stopped(
    channels: list[Progress],
) -> None:
    asked = {name: window for window in plan(channels, NOW) for name in window.channels}
    assert sum(len(window.channels) for window in plan(channels, NOW)) == len(asked)
    wanted = {p.channel: p.head for p in channels if not p.open_run and p.head < NOW - SETTLING_US}
    assert {name: window.oldest for name, window in asked.items()} == wanted


@given(CHANNELS)
def test_windows_end_where_slack_has_settled_and_hold_something(channels: list[Progress]) -> None:
    for window in plan(channels, NOW):
        assert window.oldest < window.latest == NOW - SETTLING_US
        assert 1 <= len(window.channels) <= MOST_CHANNELS


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=20))
def test_window_after_window_leaves_no_gap_and_no_overlap(waits: list[int]) -> None:
    head, now, windows = 0, NOW, []
    for wait in waits:
        now += wait
        for window in plan([Progress("C1", head, open_run=False)], now):
            windows.append((window.oldest, window.latest))
            head = window.latest
    assert windows[0][0] == 0
    assert [start for start, _ in windows[1:]] == [end for _, end in windows[:-1]]


@given(st.integers(0, NOW), st.integers(1, NOW))
def test_on_the_wire_both_ends_belong_and_neighbours_share_none(oldest: int, length: int) -> None:
    first, last = (ts_us(ts) for ts in on_the_wire(oldest, oldest + length))
    following, _ = on_the_wire(oldest + length, oldest + 2 * length)
    assert (first, last) == (oldest + 1, oldest + length)
    assert ts_us(following) == last + 1
