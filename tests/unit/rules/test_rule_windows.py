"""The planner against a model: which microseconds were ever proved, kept as plain intervals."""

import itertools
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from pipeline.rules.regimes import REGIMES, RESTRICTED, STANDARD, Regime
from pipeline.rules.versions import ts_us
from pipeline.rules.windows import (
    FIRST_STEP_US,
    HOUR_US,
    LONGEST_STEP_US,
    SETTLING_US,
    Progress,
    Stretch,
    Window,
    extend,
    half,
    next_step,
    on_the_wire,
    plan_back,
    plan_live,
)

NOW = 1_800_000_000_000_000
REGIME = st.sampled_from([STANDARD, RESTRICTED])
TIMES = st.integers(0, NOW)


@st.composite
def some_progress(draw: st.DrawFn) -> Progress:
    """A channel somewhere on its way."""
    tail, head = sorted((draw(TIMES), draw(TIMES)))
    covered = draw(st.sampled_from([None, Stretch(tail, head)]))
    start = draw(st.sampled_from([0, tail, tail // 2]))
    step = draw(st.integers(HOUR_US, LONGEST_STEP_US))
    name = f"C{draw(st.integers(0, 200))}"
    return Progress(name, covered, start, step, draw(st.booleans()), draw(st.booleans()))


CHANNELS = st.lists(some_progress(), max_size=60, unique_by=lambda one: one.channel)


@given(CHANNELS, REGIME)
def test_every_channel_that_lacks_something_is_asked_for_once_where_its_stretch_ends(
    channels: list[Progress], regime: Regime
) -> None:
    live, back = plan_live(channels, NOW, regime), plan_back(channels, regime)
    for windows in (live, back):
        asked = [name for window in windows for name in window.channels]
        assert len(asked) == len(set(asked))
        assert all(window.oldest < window.latest for window in windows)
        assert all(1 <= len(window.channels) <= regime.channels for window in windows)
    begun = {name: window.oldest for window in live for name in window.channels}
    assert begun == {
        one.channel: one.covered.head if one.covered else begun.get(one.channel)
        for one in channels
        if not one.live and (one.covered is None or one.covered.head < NOW - SETTLING_US)
        if one.covered or one.start < NOW - SETTLING_US
    }
    ended = {name: window.latest for window in back for name in window.channels}
    assert ended == {
        one.channel: one.covered.tail
        for one in channels
        if one.covered and not one.back and one.covered.tail > one.start
    }


@given(CHANNELS, REGIME)
def test_no_window_reaches_into_what_has_not_settled_or_is_not_wanted(channels: list[Progress], regime: Regime) -> None:
    starts = {one.channel: one.start for one in channels}
    for window in plan_live(channels, NOW, regime) + plan_back(channels, regime):
        assert window.latest <= NOW - SETTLING_US
    for window in plan_back(channels, regime):
        assert all(starts[name] <= window.oldest for name in window.channels)


@given(CHANNELS)
def test_the_newest_windows_come_first(channels: list[Progress]) -> None:
    for windows in (plan_live(channels, NOW), plan_back(channels)):
        assert [w.latest for w in windows] == sorted((w.latest for w in windows), reverse=True)


@dataclass
class Life:
    """One channel, run by the planner's word alone; `proved` is kept apart, as a list of disjoint intervals."""

    regime: Regime
    start: int
    now: int = NOW
    covered: Stretch | None = None
    step: int = FIRST_STEP_US
    open: dict[str, tuple[int, int]] = field(default_factory=dict)
    proved: list[tuple[int, int]] = field(default_factory=list)

    def progress(self) -> Progress:
        return Progress("C1", self.covered, self.start, self.step, "live" in self.open, "back" in self.open)

    def plan(self) -> None:
        for kind, windows in (
            ("live", plan_live([self.progress()], self.now, self.regime)),
            ("back", plan_back([self.progress()], self.regime)),
        ):
            for window in windows:
                assert kind not in self.open
                self.ask(kind, window)

    def ask(self, kind: str, window: Window) -> None:
        asked = (window.oldest, window.latest)
        for other in [*self.proved, *self.open.values()]:
            assert asked[1] <= other[0] or other[1] <= asked[0], "a window overlaps what is proved or asked for"
        self.open[kind] = asked

    def prove(self, kind: str, requests: int) -> None:
        if kind in self.open:
            window = self.open.pop(kind)
            self.covered, before = extend(self.covered, *window), self.covered
            assert self.covered != before, "a window that was asked for changed nothing"
            self.step = next_step(self.step, requests, self.regime)
            self.proved.append(window)

    def split(self, kind: str) -> None:
        """Too much for one attempt: half of it is asked for."""
        part = half(*self.open[kind], older=kind == "live" and self.covered is not None) if kind in self.open else None
        if part is not None:
            self.open[kind] = part

    def repeat(self) -> None:
        """What was proved already is proved once more, and a late whole counts if it touches the stretch."""
        for window in self.proved:
            assert extend(self.covered, *window) == self.covered


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(-10 * HOUR_US, 400 * 24 * HOUR_US)),
        st.tuples(st.just("plan"), st.just(0)),
        st.tuples(st.sampled_from(["prove live", "prove back"]), st.integers(0, 200)),
        st.tuples(st.sampled_from(["lose live", "lose back", "split live", "split back", "repeat"]), st.just(0)),
    ),
    max_size=60,
)


@given(REGIME, st.sampled_from([0, NOW - 400 * 24 * HOUR_US, NOW - HOUR_US]), STEPS)
def test_however_windows_are_split_lost_repeated_or_interrupted_there_is_no_gap_and_no_overlap(
    regime: Regime, start: int, steps: list[tuple[str, int]]
) -> None:
    life = Life(regime, start)
    for what, number in steps:
        match what.split():
            case ["wait"]:
                life.now += number
            case ["plan"]:
                life.plan()
            case ["prove", kind]:
                life.prove(kind, number)
            case ["lose", kind]:
                life.open.pop(kind, None)
            case ["split", kind]:
                life.split(kind)
            case _:
                life.repeat()
        pieces = sorted(life.proved)
        assert all(one[1] == other[0] for one, other in itertools.pairwise(pieces)), "a gap"
        assert life.covered == (Stretch(pieces[0][0], pieces[-1][1]) if pieces else None)
    life.now = max(life.now, start + HOUR_US)
    rounds = 0
    while rounds < 2000 and not (
        life.progress().complete and life.covered and life.covered.head >= life.now - SETTLING_US
    ):
        life.plan()
        life.prove("live", 0)
        life.prove("back", 0)
        rounds += 1
    assert life.covered is not None
    assert life.covered.tail == start
    assert life.covered.head >= life.now - SETTLING_US


@given(st.tuples(TIMES, TIMES).map(sorted), st.tuples(TIMES, TIMES).map(sorted))
def test_a_stretch_takes_in_what_touches_it_and_nothing_else(first: list[int], second: list[int]) -> None:
    covered = Stretch(*first)
    said = extend(covered, *second)
    touches = second[0] <= first[1] and second[1] >= first[0]
    assert said == (Stretch(min(first[0], second[0]), max(first[1], second[1])) if touches else covered)


@given(TIMES, st.integers(1, NOW))
def test_two_halves_are_the_whole_and_what_is_short_stays_whole(oldest: int, length: int) -> None:
    parts = [half(oldest, oldest + length, older=older) for older in (True, False)]
    if length <= HOUR_US:
        assert parts == [None, None]
        return
    [older, newer] = [part for part in parts if part is not None]
    assert older[0] == oldest < older[1] == newer[0] < newer[1] == oldest + length


@given(st.integers(HOUR_US, LONGEST_STEP_US), st.integers(0, 500), st.sampled_from(sorted(REGIMES)))
def test_a_slice_is_never_shorter_than_an_hour_or_longer_than_ten_years(step: int, requests: int, name: str) -> None:
    assert HOUR_US <= next_step(step, requests, REGIMES[name]) <= LONGEST_STEP_US


def test_slices_follow_what_comes_back() -> None:
    assert next_step(FIRST_STEP_US, 1) == 16 * FIRST_STEP_US
    assert next_step(FIRST_STEP_US, STANDARD.few) == 4 * FIRST_STEP_US
    assert next_step(FIRST_STEP_US, STANDARD.few + 1) == FIRST_STEP_US
    assert next_step(FIRST_STEP_US, STANDARD.many) == FIRST_STEP_US
    assert next_step(FIRST_STEP_US, STANDARD.many + 1) < FIRST_STEP_US


def test_an_empty_channel_is_read_to_its_beginning_in_a_few_slices() -> None:
    life, asked = Life(STANDARD, 0), 0
    while not life.progress().complete:
        life.plan()
        asked += len(life.open)
        life.prove("live", 1)
        life.prove("back", 1)
    assert asked <= 6


@given(st.integers(0, NOW), st.integers(1, NOW))
def test_on_the_wire_both_ends_belong_and_neighbours_share_none(oldest: int, length: int) -> None:
    first, last = (ts_us(ts) for ts in on_the_wire(oldest, oldest + length))
    following, _ = on_the_wire(oldest + length, oldest + 2 * length)
    assert (first, last) == (oldest + 1, oldest + length)
    assert ts_us(following) == last + 1
