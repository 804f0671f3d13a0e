"""The ledger under whatever may happen: pages that come twice, late, out of order, of several attempts or not at all,
refusals and flaws, lists and pauses that change, windows that are halved and given up, clocks that lag, two that look.

A channel is never said to be covered without one attempt that brought its window whole; what is covered has no gap and
is in the mesh; no window is asked for twice at a time; and what is open is due some day.
"""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from pulls_world import Pulls
from slack_played import Channel, delivered, pages
from sluice import CONNECTION, ORG, SHARDS, TEAM, now_us

from pipeline.rules.identity import REASONS
from pipeline.rules.versions import ts_us, us_ts
from pipeline.rules.windows import DAY_US, HOUR_US, SETTLING_US
from pipeline.store import channel_pauses
from pipeline.store.keys import Keys
from pipeline.store.ledger import Ledger
from pipeline.store.runs import MARKS, MOST_ATTEMPTS, Attempt, Run
from pipeline.store.scripts import Changes

NAMES = ("C1", "C2")
FLAWS = ("ok: false", "no list", "no cursor", "no next cursor", "no end", "late window", "empty with a cursor")
SLACKS = ("whole", "whole", "with an empty page", "hiding", "hiding")


Done = TypeVar("Done", bound=Callable[..., None])
DEEDS: list[tuple[str, st.SearchStrategy[dict[str, Any]]]] = []
"""What may happen, by the name of the machine's method and what it is drawn with; more often what stands more often."""


def deed(often: int = 1, **drawn: st.SearchStrategy[Any]) -> Callable[[Done], Done]:
    """A rule, but for Hypothesis's choice among rules: it leaves out some in each example, and what asks, answers and
    ends seldom came together.
    """

    def note(done: Done) -> Done:
        DEEDS.extend([(done.__name__, st.fixed_dictionaries(drawn))] * often)
        return done

    return note


class Blind(Ledger):
    """Sees nothing of what its pages prove."""

    def look(self, _: Keys, __: str) -> list[str]:
        return []


@dataclass
class Asked:
    """An attempt, what the workflow has read for it, and which of these pages have arrived where that counts."""

    attempt: Attempt
    script: dict[str, list[dict[str, Any]]]
    period: dict[str, int]
    hidden: dict[str, set[str]]
    arrived: dict[str, set[int]] = field(default_factory=dict)

    def whole(self, channel: str) -> bool:
        return self.arrived.get(channel) == set(range(len(self.script[channel])))


class LedgerMachine(RuleBasedStateMachine):
    """Two channels of one connection, Slack behind them, and what was truly delivered."""

    store: ClassVar[str]
    happened: ClassVar[Counter[str]] = Counter()
    pulls: Pulls

    @initialize(
        old=st.lists(st.integers(0, 8) | st.integers(0, 90), min_size=2, max_size=12),
        empty=st.sampled_from([False] * 7 + [True]),
    )
    def begin(self, old: list[int], empty: bool) -> None:
        self.pulls = Pulls(self.store)
        self.pulls.client.flushall()
        self.pulls.register()
        self.now, self.count = now_us(), 0
        self.slack = {name: Channel(name) for name in NAMES}
        self.listed: set[str] = set()
        self.paused: set[str] = set()
        self.periods = dict.fromkeys(NAMES, 0)
        self.asked: list[Asked] = []
        self.proved: dict[str, list[tuple[int, int]]] = {name: [] for name in NAMES}
        self.hidden: dict[str, set[str]] = {name: set() for name in NAMES}
        self.successes: set[str] = set()
        self._put({*NAMES})
        for number, days in enumerate([] if empty else old):
            self._post(NAMES[number % 2], self.now - HOUR_US - days * DAY_US)
        for days in [] if empty else old[:2]:
            self.somebody_answers(NAMES[days % 2], days)

    @rule(number=st.integers(0, 10**6), data=st.data())
    def something_happens(self, number: int, data: st.DataObject) -> None:
        name, drawn = DEEDS[number % len(DEEDS)]
        getattr(self, name)(**data.draw(drawn, label=name))

    # Slack.

    def _post(self, channel: str, at: int, thread: str = "") -> None:
        self.count += 1
        self.slack[channel].post(us_ts(at + self.count), thread=thread)

    @deed(2, channel=st.sampled_from(NAMES), times=st.integers(1, 5))
    def somebody_writes(self, channel: str, times: int) -> None:
        for _ in range(times):
            self._post(channel, self.now)

    @deed(2, channel=st.sampled_from(NAMES), which=st.integers(0, 99))
    def somebody_answers(self, channel: str, which: int) -> None:
        parents = [ts for ts, said in self.slack[channel].messages.items() if "thread_ts" not in said]
        if parents:
            self._post(channel, self.now, parents[which % len(parents)])

    @deed(channel=st.sampled_from(NAMES), which=st.integers(0, 99))
    def somebody_deletes(self, channel: str, which: int) -> None:
        there = sorted(ts for ts, said in self.slack[channel].messages.items() if said.get("subtype") != "tombstone")
        if there:
            self.slack[channel].delete(there[which % len(there)])

    @deed(minutes=st.sampled_from([3, 20, 90, 1440, 60 * 24 * 40]))
    def time_passes(self, minutes: int) -> None:
        self.now += minutes * 60_000_000

    # The admin and the operator.

    def _put(self, listed: set[str]) -> None:
        for name in self.listed ^ listed:
            self.periods[name] += 1
            self.proved[name], self.hidden[name] = [], set()
        self.paused -= self.listed - listed
        self.listed = set(listed)
        self.pulls.allow(*sorted(listed))
        self.pulls.drain()
        self.pulls.patched()

    @deed(channel=st.sampled_from(NAMES), what=st.sampled_from(["list", "pause", "again", "again since yesterday"]))
    def the_admin_or_the_operator_acts(self, channel: str, what: str) -> None:
        match what:
            case "list":
                self._put(self.listed ^ {channel})
            case "pause":
                self._pause_or_resume(channel)
            case _:
                since = 0 if what == "again" else self.now - DAY_US
                self.pulls.stores.ledger.rereads.again(CONNECTION, [channel], since, by="operator")

    def _pause_or_resume(self, channel: str) -> None:
        if channel in self.listed:
            changes, keys = Changes(), self.pulls.keys
            if channel in self.paused:
                channel_pauses.lift(changes, keys, ORG, TEAM, channel)
            else:
                pause = channel_pauses.ChannelPause(ORG, TEAM, channel, REASONS[0], now_us())
                channel_pauses.put(changes, keys, pause)
            assert changes.commit(self.pulls.client) == 0
            self.paused ^= {channel}

    # The planner.

    @deed(lag=st.sampled_from([0, 0, 0, 1, 30, 60 * 24 * 3]))
    def a_plan_is_made(self, lag: int) -> None:
        """By a clock that is right, or set back."""
        self._plan(self.now - lag * 60_000_000)

    def _plan(self, at: int) -> list[str]:
        stores = self.pulls.stores
        return stores.ledger.plan(CONNECTION, TEAM, stores.allowlists.pullable(CONNECTION, TEAM), at)

    @deed(4, which=st.integers(0, 99), slack=st.sampled_from(SLACKS))
    def a_run_is_asked(self, which: int, slack: str) -> None:
        if not self._open():
            self.now += HOUR_US
            self._plan(self.now)
        if runs := self._open():
            self._ask(runs[which % len(runs)], slack)

    def _ask(self, run: Run, slack: str = "whole") -> Asked | None:
        self.pulls.wait(run.id)
        attempt = self.pulls.begin(run.id)
        if not isinstance(attempt, Attempt):
            assert attempt in ("paused", "busy", "cancelled", "given_up"), attempt
            return None
        self.pulls.stores.ledger.runs.asked(attempt, now_us())
        script, hidden = {}, {}
        for name in attempt.channels:
            script[name], hidden[name] = _read(self.slack[name], attempt, slack)
        periods = {name: self.periods[name] for name in attempt.channels}
        self.asked.append(Asked(attempt, script, periods, hidden))
        return self.asked[-1]

    @deed(which=st.integers(0, 99), how=st.sampled_from(["halved", "missed", "given up"]))
    def a_run_comes_to_an_end(self, which: int, how: str) -> None:
        if runs := self._open():
            run, ledger = runs[which % len(runs)], self.pulls.stores.ledger
            match how:
                case "halved":
                    ledger.halve(run, self.now)
                case "missed":
                    ledger.rereads.missed.abandon(run, self.now)
                case _:
                    self._give_up(run)

    def _give_up(self, run: Run) -> None:
        self.pulls.client.hset(self.pulls.keys.run(run.id), mapping={"attempt": MOST_ATTEMPTS, "failed": 0})
        self.pulls.wait(run.id)
        assert self.pulls.begin(run.id) in ("given_up", "paused", "cancelled") or run.state == "given_up"

    def _open(self) -> list[Run]:
        listed = self.pulls.stores.ledger.runs.listing(CONNECTION, 500)
        return sorted((run for run in listed if run.open), key=lambda run: (run.oldest, run.latest, run.thread_ts))

    # Pages.

    @deed(
        4, which=st.integers(0, 5), some=st.lists(st.integers(0, 99), min_size=1, max_size=4), lookers=st.integers(1, 2)
    )
    def some_pages_arrive(self, which: int, some: list[int], lookers: int) -> None:
        """In any order, twice, late, of any of the newest attempts."""
        if not self.asked:
            return
        asked = self.asked[-1 - which % len(self.asked)]
        places = [(name, number) for name, script in asked.script.items() for number in range(len(script))]
        self._arrive(asked, [places[number % len(places)] for number in some], lookers)

    @deed(
        6,
        which=st.integers(0, 3),
        lost=st.none() | st.integers(0, 99),
        lookers=st.integers(1, 2),
        backwards=st.booleans(),
        looked=st.booleans(),
    )
    def all_pages_arrive(self, which: int, lost: int | None, lookers: int, backwards: bool, looked: bool) -> None:
        """Of one of the newest attempts, perhaps but for one that is lost."""
        if not self.asked:
            return
        asked = self.asked[-1 - which % len(self.asked)]
        places = [(name, number) for name, script in asked.script.items() for number in range(len(script))]
        if lost is not None:
            del places[lost % len(places)]
        self._arrive(asked, places[::-1] if backwards else places, lookers)
        if looked:
            self.pulls.looked(at=now_us() + 1_000_000)

    @deed(3, which=st.integers(0, 3), page=st.integers(0, 99), flaw=st.sampled_from(FLAWS))
    def a_flawed_page_arrives(self, which: int, page: int, flaw: str) -> None:
        if not self.asked:
            return
        asked = self.asked[-1 - which % len(self.asked)]
        name = sorted(asked.script)[page % len(asked.script)]
        if script := asked.script[name]:
            self.pulls.answer(asked.attempt, _flawed(script[page % len(script)], flaw))
            self.happened[flaw] += 1

    def _arrive(self, asked: Asked, places: list[tuple[str, int]], lookers: int) -> None:
        run, attempt = asked.attempt.run, asked.attempt
        before = self.pulls.stores.ledger.get(run.id)
        self._note(asked, places, before)
        waiting = {name for name in asked.script if self.pulls.shown(name).get(run.mark) == run.id}
        for name, number in places:
            if before is not None and before.open and self._counts(asked, name):
                asked.arrived.setdefault(name, set()).add(number)
        for name in waiting:
            if asked.whole(name) and run.kind in ("live", "back"):
                self.proved[name].append((run.oldest, run.latest))
                self.successes.add(run.id)
                self.hidden[name] |= asked.hidden[name]
        made = [asked.script[name][number] for name, number in places]
        if lookers == 1:
            self.pulls.answer(attempt, *made)
        else:
            self._looked_at_by_two(attempt, made)
        for name in waiting:
            if asked.whole(name) and run.kind in ("live", "back"):
                assert self.pulls.shown(name).get(run.mark) != run.id, "what is proved is covered"

    def _note(self, asked: Asked, places: list[tuple[str, int]], run: Run | None) -> None:
        """What kinds of pages there were, so that a long run can say that it met them all."""
        ended = run is None or not run.open
        self.happened["page of an ended run"] += ended
        self.happened["page of a run that was given up"] += run is not None and run.state == "given_up"
        self.happened["page of an older attempt"] += (
            not ended and run is not None and run.attempt > asked.attempt.number
        )
        self.happened["page twice"] += any(number in asked.arrived.get(name, ()) for name, number in places)
        self.happened["pages out of order"] += places != sorted(places)
        self.happened["hiding Slack"] += not ended and any(asked.hidden.values())

    def _looked_at_by_two(self, attempt: Attempt, made: list[dict[str, Any]]) -> None:
        pulls, ledger = self.pulls, self.pulls.stores.ledger
        object.__setattr__(pulls.stores, "ledger", Blind(pulls.client, SHARDS, pulls.vault, overdue_us=60_000_000))
        pulls.answer(attempt, *made)
        object.__setattr__(pulls.stores, "ledger", ledger)
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda _: [ledger.look(pulls.keys, one) for one in ledger.touched(pulls.keys)], range(2)))
        for name in ledger.touched(pulls.keys):  # where one came in the way of the other
            ledger.look(pulls.keys, name)
        pulls.drain()

    def _counts(self, asked: Asked, name: str) -> bool:
        return name in self.listed - self.paused and asked.period[name] == self.periods[name]

    @deed(credential=st.sampled_from(["cred-1", "cred-1", "cred-1", "cred-2"]))
    def paragon_is_asked(self, credential: str) -> None:
        self.pulls.looked(credential=credential, at=now_us() + 1_000_000)

    # What holds after every step.

    @invariant()
    def what_is_covered_was_delivered_whole_and_has_no_gap(self) -> None:
        for name in NAMES:
            shown = self.pulls.shown(name)
            assert (name in self.listed) == ("since" in shown)
            if "head" not in shown:
                continue
            reached = shown["tail"]
            for oldest, latest in sorted(self.proved[name]):
                reached = max(reached, latest) if oldest <= reached else reached
            assert reached >= shown["head"], f"{name} is covered further than anything shows"
            assert shown["tail"] in {oldest for oldest, _ in self.proved[name]}

    @invariant()
    def what_is_covered_is_in_the_mesh_or_marked_as_hidden_by_slack(self) -> None:
        self.happened["steps"] += 1
        for name in NAMES:
            shown, there = self.pulls.shown(name), delivered(self.pulls, name)
            assert name in self.listed or not there, "what is revoked is gone"
            if "head" not in shown:
                continue
            history = {one["ts"] for one in self.slack[name].history(shown["tail"], shown["head"])}
            lacking = {ts for ts in history if ts in self.slack[name].truth()} - set(there)
            assert lacking <= self.hidden[name]
            assert all(ts_us(ts) <= shown.get("limited", -1) for ts in lacking), "hidden, and nobody is told"

    @invariant()
    def what_is_open_is_asked_for_once_and_due_some_day(self) -> None:
        for name in self.listed:
            shown = self.pulls.shown(name)
            for mark in (mark for mark in MARKS.values() if mark in shown):
                run = self.pulls.get(shown[mark])
                assert run.open, "a mark of a run that has ended would keep the channel waiting for ever"
                assert self.pulls.client.zscore(self.pulls.keys.due, f"{run.item}:{run.id}") is not None
                if "head" in shown and mark == "run":
                    assert run.oldest == shown["head"]
                if mark == "back":
                    assert run.latest == shown["tail"]

    @invariant()
    def no_success_is_silent(self) -> None:
        for run in self.pulls.stores.ledger.runs.listing(CONNECTION, 500):
            if run.kind in ("live", "back") and run.state == "covered":
                assert run.id in self.successes

    def teardown(self) -> None:
        """In the end, with everybody in good health, all is read, and the mesh shows what Slack shows."""
        if not hasattr(self, "pulls"):
            return
        try:
            self._finish()
            for run in self.pulls.stores.ledger.runs.listing(CONNECTION, 500):
                self.happened[f"{run.kind} {run.state}"] += 1
        finally:
            self.pulls.close()

    def _finish(self) -> None:
        for name in list(self.paused):
            self._pause_or_resume(name)
        self.now += HOUR_US
        self._settle()
        self.pulls.stores.ledger.rereads.again(CONNECTION, sorted(self.listed), 0, by="operator")
        self._settle()
        for name in self.listed:
            shown = self.pulls.shown(name)
            assert (shown["tail"], shown["head"]) == (0, self.now - SETTLING_US)
            assert "limited" not in shown
            truth = {ts for ts in self.slack[name].truth() if ts_us(ts) <= shown["head"]}
            assert {ts for ts in delivered(self.pulls, name) if ts_us(ts) <= shown["head"]} == truth
        assert self._open() == []

    def _settle(self) -> None:
        for _ in range(80):
            self._plan(self.now)
            self.pulls.drain()  # a plan that finds a whole reading done sends its fence
            runs = self._open()
            if not runs:
                return
            for run in runs:
                for key in (self.pulls.keys.flights, self.pulls.keys.flights_of(CONNECTION)):
                    self.pulls.client.delete(key)
                if asked := self._ask(run):
                    places = [(name, number) for name, made in asked.script.items() for number in range(len(made))]
                    self._arrive(asked, places, 1)
            self.pulls.looked(at=now_us() + 1_000_000)
        raise AssertionError("the plans never end")


def _read(channel: Channel, attempt: Attempt, slack: str) -> tuple[list[dict[str, Any]], set[str]]:
    """What the workflow reads now, perhaps with a page on the way that is empty, as Slack may put one, or of a Slack
    whose plan hides the older half; and which messages it does not show.
    """
    made = pages(channel, attempt)
    if slack == "with an empty page" and made:
        first = made[0]
        return [
            first | {"messages": [], "has_more": True, "next_cursor": "e"},
            first | {"cursor": "e"},
            *made[1:],
        ], set()
    if slack == "hiding" and not attempt.run.thread_ts:
        oldest = (attempt.run.oldest + attempt.run.latest) // 2
        left = Channel(channel.id, {ts: one for ts, one in channel.messages.items() if ts_us(ts) > oldest})
        return [one | {"is_limited": True} for one in pages(left, attempt)], set(channel.messages) - set(left.messages)
    return made, set()


def _flawed(one: dict[str, Any], flaw: str) -> dict[str, Any]:
    """A page that Slack or the workflow spoiled."""
    match flaw:
        case "ok: false":
            return one | {"ok": False, "error": "ratelimited", "messages": [], "has_more": False, "next_cursor": ""}
        case "no list":
            return {key: said for key, said in one.items() if key != "messages"}
        case "no cursor":
            return {key: said for key, said in one.items() if key != "cursor"}
        case "no next cursor":
            return one | {"has_more": True, "next_cursor": ""}
        case "empty with a cursor":
            return one | {"messages": [], "has_more": True, "next_cursor": "more"}
        case "late window":
            return (
                one | {"oldest": us_ts(now_us() + 4000 * DAY_US)} if not one["thread_ts"] else one | {"latest": "1.0"}
            )
        case _:
            return one | {"has_more": None}
