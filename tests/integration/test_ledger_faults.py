"""In between: two that look at once, threads that are no more, readings that never come, a clock set back."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from outgoing_world import World
from pulls_world import Pulls, page
from sluice import CONNECTION, SHARDS, TEAM, now_us

from pipeline.rules.regimes import STANDARD
from pipeline.rules.versions import us_ts
from pipeline.rules.windows import DAY_US, HOUR_US
from pipeline.store import counters
from pipeline.store.keys import Keys
from pipeline.store.ledger import Ledger
from pipeline.store.progress import Channels
from pipeline.store.runs import Attempt, Run, Wanted
from pipeline.store.scripts import Changes
from pipeline.store.threads import place

THREAD = us_ts(now_us() // DAY_US * DAY_US - 12 * HOUR_US)


def covered(pulls: Pulls, *channels: str) -> None:
    """Their newest slice is read."""
    for run in pulls.planned():
        pulls.answer(pulls.ask(run.id), *(page(channel) for channel in channels or ("C1",)))


def wanted(pulls: Pulls, want: Wanted) -> Run:
    """A run of our own making."""
    name = pulls.stores.ledger.runs.request(CONNECTION, TEAM, want, now_us(), Changes())
    assert name is not None
    return pulls.get(name)


def thread(pulls: Pulls, ts: str = THREAD, channel: str = "C1") -> Run:
    return wanted(pulls, Wanted("thread", 0, now_us(), [channel], thread_ts=ts))


def no_such_thread(attempt: Attempt, channel: str = "C1") -> dict[str, Any]:
    return {"channel": channel, "thread_ts": attempt.run.thread_ts, "ok": False, "error": "thread_not_found"}


class Overtaken(Channels):
    """Somebody else changes the channel after it was read."""

    def __init__(self, pulls: Pulls, meanwhile: Callable[[], object]) -> None:
        super().__init__(pulls.client, SHARDS)
        self._meanwhile: Callable[[], object] | None = meanwhile

    def guarded(self, changes: Changes, keys: Keys, connection: str, channel: str, fields: Sequence[str]) -> list[str]:
        found = super().guarded(changes, keys, connection, channel, fields)
        if self._meanwhile is not None:
            meanwhile, self._meanwhile = self._meanwhile, None
            meanwhile()
        return found


class Blind(Ledger):
    """Sees nothing of what its pages prove."""

    def look(self, _: Keys, __: str) -> list[str]:
        return []


def test_a_window_whose_proof_came_in_the_way_of_another_is_looked_at_again(pulls: Pulls) -> None:
    covered(pulls)
    [live, back] = [pulls.get(name) for name in pulls.plan(at=now_us() + HOUR_US)]
    assert (live.kind, back.kind) == ("live", "back")
    ledger = pulls.stores.ledger
    for run in (live, back):
        object.__setattr__(pulls.stores, "ledger", Blind(pulls.client, SHARDS, pulls.vault, overdue_us=60_000_000))
        pulls.answer(pulls.ask(run.id), page("C1"))
    object.__setattr__(pulls.stores, "ledger", ledger)
    plain, ledger.channels = ledger.channels, Overtaken(pulls, lambda: ledger.look(pulls.keys, live.id))
    assert ledger.look(pulls.keys, back.id) == []
    ledger.channels = plain
    assert pulls.get(live.id).state == "covered"
    assert (pulls.get(back.id).state, pulls.shown("C1").get("back")) == ("requested", back.id), "still waited for"
    assert ledger.look(pulls.keys, back.id) == ["C1"]
    shown = pulls.shown("C1")
    assert (pulls.get(back.id).state, shown["tail"], shown["head"]) == ("covered", back.oldest, live.latest)
    assert "back" not in shown


def test_a_run_that_is_asked_again_while_it_is_closed_is_closed_all_the_same(pulls: Pulls) -> None:
    [run] = pulls.planned()

    def asked_again() -> None:
        pulls.client.hset(pulls.keys.run(run.id), "state", "blocked")

    pulls.stores.ledger.channels = Overtaken(pulls, asked_again)
    pulls.answer(pulls.ask(run.id), page("C1"))
    assert pulls.get(run.id).state == "covered"
    assert pulls.client.zscore(pulls.keys.due, f"trigger:{run.id}") is None


# Threads that are no more.


def test_a_thread_that_slack_does_not_know_any_more_ends_and_lets_the_next_one_go(pulls: Pulls) -> None:
    covered(pulls)
    pulls.client.zadd(pulls.keys.moved(CONNECTION), {f"C1|{THREAD}": 1})
    pulls.client.hset(pulls.keys.threads(CONNECTION, "C1"), place(THREAD), "2|0")
    run = thread(pulls)
    pulls.answer(attempt := pulls.ask(run.id), no_such_thread(attempt))
    pulls.looked(at=now_us() + 1_000_000)
    assert pulls.get(run.id).state == "covered"
    assert pulls.client.zcard(pulls.keys.moved(CONNECTION)) == 0
    assert pulls.client.hlen(pulls.keys.threads(CONNECTION, "C1")) == 0
    assert "th" not in pulls.shown("C1")
    fences = [one for one in pulls.live("retraction").values() if one["match"].get("lane") == f"thread:{THREAD}"]
    assert len(fences) == 1, "its replies are gone with it"


def test_a_long_thread_that_is_gone_at_once_waits_for_an_operator(pulls: Pulls) -> None:
    covered(pulls)
    pulls.client.hset(pulls.keys.threads(CONNECTION, "C1"), place(THREAD), "200|0")
    run = thread(pulls)
    pulls.answer(attempt := pulls.ask(run.id), no_such_thread(attempt))
    pulls.looked(at=now_us() + 1_000_000)
    assert pulls.get(run.id).state == "held"
    assert [one for one in pulls.live("retraction").values() if "lane" in one["match"]] == []


@pytest.mark.parametrize("error", ["ratelimited", "channel_not_found", None])
def test_any_other_refusal_proves_nothing_of_a_thread(pulls: Pulls, error: str | None) -> None:
    covered(pulls)
    run = thread(pulls)
    attempt = pulls.ask(run.id)
    pulls.answer(attempt, {key: said for key, said in (no_such_thread(attempt) | {"error": error}).items() if said})
    pulls.looked(at=now_us() + 1_000_000)
    assert pulls.get(run.id).state == "requested"


def test_history_is_not_proved_by_a_thread_that_is_not_found(pulls: Pulls) -> None:
    [run] = pulls.planned()
    pulls.answer(pulls.ask(run.id), {"channel": "C1", "thread_ts": "", "ok": False, "error": "thread_not_found"})
    assert pulls.get(run.id).state == "requested"


def test_a_window_is_whole_though_a_thread_of_it_vanished_under_way(pulls: Pulls) -> None:
    [run] = pulls.planned()
    shown = page("C1", THREAD)
    shown["messages"][0] |= {"thread_ts": THREAD, "reply_count": 1, "latest_reply": THREAD}
    gone = {"channel": "C1", "thread_ts": THREAD, "ok": False, "error": "thread_not_found"}
    pulls.answer(pulls.ask(run.id), shown)
    assert pulls.get(run.id).state == "requested"
    pulls.answer(Attempt(pulls.get(run.id), 1, pulls.get(run.id).epoch or 0, 1, "requested", ["C1"]), gone)
    assert pulls.get(run.id).state == "covered"


# Readings that never come whole.


def day_of(pulls: Pulls, days: int = 1) -> tuple[int, int]:
    day = now_us() // DAY_US - days
    return day * DAY_US - 1, (day + 1) * DAY_US - 1


def test_a_day_that_never_comes_whole_gives_the_next_one_its_turn(world: World) -> None:
    run = world.planned("C1")
    found, ledger = world.sluice.stores.ledger.get(run), world.sluice.stores.ledger
    assert found is not None
    key = world.keys.coverage(CONNECTION)
    world.sluice.client.hdel(key, "C1|run")
    world.sluice.client.hset(key, mapping={"C1|head": found.latest, "C1|tail": found.oldest})
    day = now_us() // DAY_US - 1
    want = Wanted("reread", day * DAY_US - 1, (day + 1) * DAY_US - 1, ["C1"], replies=False)
    name = ledger.runs.request(CONNECTION, "T0534672TWT", want, now_us(), Changes())
    assert name is not None
    said = []
    for _ in range(5):
        world.sluice.client.hset(world.keys.run(name), "ask_at", 0)
        said.append(world.outgoing.trigger(name))
    assert said == ["asked", *["asked again"] * 3, "missed"]
    again = ledger.get(name)
    assert again is not None
    assert (again.state, ledger.coverage(CONNECTION)["C1"].get("re")) == ("missed", None)
    assert counters.totals(world.sluice.client, SHARDS)["reread.missed"] == 1
    followed = [ledger.get(one) for one in ledger.plan(CONNECTION, "T0534672TWT", ["C1"], now_us() + DAY_US)]
    assert day * DAY_US - 1 not in [one.oldest for one in followed if one and one.kind == "reread"]


def test_a_thread_that_never_comes_goes_behind_the_others(pulls: Pulls) -> None:
    covered(pulls)
    other = us_ts(int(float(THREAD)) * 1_000_000 + 5_000_000)
    pulls.client.zadd(pulls.keys.moved(CONNECTION), {f"C1|{THREAD}": 1, f"C1|{other}": 2})
    run = thread(pulls)
    assert pulls.stores.ledger.rereads.missed.abandon(run, now_us())
    assert not pulls.stores.ledger.rereads.missed.abandon(run, now_us()), "once"
    assert [name.decode() for name in pulls.client.zrange(pulls.keys.moved(CONNECTION), 0, -1)] == [
        f"C1|{other}",
        f"C1|{THREAD}",
    ]
    assert "th" not in pulls.shown("C1")


def test_what_somebody_asked_for_goes_on_in_shorter_pieces_and_past_what_never_comes(pulls: Pulls) -> None:
    covered(pulls)
    rereads = pulls.stores.ledger.rereads
    assert rereads.again(CONNECTION, ["C1"], 0, by="operator") == ["C1"]
    lengths = []
    for _ in range(12):
        runs = [pulls.get(name) for name in pulls.plan()]
        [piece] = [run for run in runs if run.kind == "reread"] or [None]
        if piece is None:
            break
        lengths.append(piece.latest - piece.oldest)
        assert rereads.missed.abandon(piece, now_us())
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-1] <= HOUR_US
    assert len(lengths) < 12 or lengths.count(HOUR_US) > 1, "past what does not come"


def test_a_window_is_not_given_up_like_that(pulls: Pulls) -> None:
    [run] = pulls.planned()
    assert not pulls.stores.ledger.rereads.missed.abandon(run, now_us())


def test_a_trigger_that_comes_twice_ends_no_attempt_that_has_its_time_before_it(world: World) -> None:
    run = world.planned("C1")
    for _ in range(3):
        world.sluice.client.hset(world.keys.run(run), "ask_at", 0)
        assert world.outgoing.trigger(run).startswith("asked")
    world.sluice.client.hset(world.keys.run(run), "pages", 1)
    assert world.outgoing.trigger(run) == "early"
    world.sluice.client.hset(world.keys.run(run), "ask_at", 0)
    assert world.outgoing.trigger(run) == "halved"


def test_backfills_that_nobody_can_bring_keep_no_other_from_going(pulls: Pulls) -> None:
    names = [f"C{number}" for number in range(1, 8)]
    pulls.allow(*names)
    pulls.drain()
    pulls.patched()
    covered(pulls, *names)
    first = [run for run in pulls.planned() if run.kind == "back"]
    assert first
    stuck = [wanted(pulls, Wanted("thread", 0, now_us(), [name], thread_ts=THREAD)) for name in names[:4]]
    assert len(stuck) == STANDARD.flights
    for run in (*first, *stuck):
        pulls.client.hset(pulls.keys.run(run.id), mapping={"state": "given_up", "attempt": 10})
        for name in run.channels:
            pulls.client.hdel(pulls.keys.coverage(CONNECTION), f"{name}|back")
    assert [run.kind for run in pulls.planned()].count("back") == 1


# What must not be forgotten, and what must.


def test_a_thread_of_a_paused_channel_waits_and_that_of_a_revoked_one_is_forgotten(pulls: Pulls) -> None:
    pulls.allow("C1", "C2")
    pulls.drain()
    pulls.patched()
    covered(pulls, "C1", "C2")
    key = pulls.keys.moved(CONNECTION)
    pulls.client.zadd(key, {f"C2|{THREAD}": 1, f"C9|{THREAD}": 2})
    ledger = pulls.stores.ledger
    ledger.rereads.wanted(CONNECTION, TEAM, ledger.channels.read(CONNECTION, ["C1"]), now_us(), STANDARD)
    assert pulls.client.zrange(key, 0, -1) == [f"C2|{THREAD}".encode()]


def test_what_waits_for_an_operator_is_kept_as_long_as_its_proof_is(pulls: Pulls) -> None:
    covered(pulls)
    ledger, key = pulls.stores.ledger, pulls.keys.runs(CONNECTION)
    names = []
    for age in (1, 31):
        run = wanted(pulls, Wanted("reread", *day_of(pulls, age), ["C1"]))
        then = now_us() - age * DAY_US
        pulls.client.hset(pulls.keys.run(run.id), mapping={"state": "held", "requested_at": then})
        pulls.client.hdel(pulls.keys.coverage(CONNECTION), "C1|re")
        pulls.client.sadd(pulls.keys.sweeps, run.id)
        pulls.client.zadd(key, {run.id: age})
        names.append(run.id)
    pulls.client.zadd(key, {f"{number:026x}": 10**15 + number for number in range(200)})
    assert pulls.plan(at=now_us() + HOUR_US), "a plan that asks for something looks for what can be forgotten"
    assert [ledger.get(name) is not None for name in names] == [True, False]
    assert pulls.client.smembers(pulls.keys.sweeps) == {names[0].encode()}


def test_threads_that_nobody_holds_against_anything_any_more_are_forgotten(pulls: Pulls) -> None:
    covered(pulls)
    threads, old = pulls.keys.threads(CONNECTION, "C1"), us_ts(now_us() - 40 * DAY_US)
    pulls.client.hset(threads, mapping={place(old): "1|0", place(THREAD): "1|0"})
    run = wanted(pulls, Wanted("reread", *day_of(pulls), ["C1"], replies=False))
    shown = page("C1", THREAD)
    shown["messages"][0] |= {"thread_ts": THREAD, "reply_count": 1, "latest_reply": THREAD}
    pulls.answer(pulls.ask(run.id), shown)
    pulls.looked(at=now_us() + 1_000_000)
    assert pulls.get(run.id).state == "covered"
    assert pulls.client.hkeys(threads) == [place(THREAD).encode()]


# Asking Paragon for a look.


def test_a_reading_waits_for_a_look_no_more_often_than_paragon_wants_to_be_asked(pulls: Pulls) -> None:
    covered(pulls)
    pulls.looked(at=1)
    run, item = wanted(pulls, Wanted("reread", *day_of(pulls), ["C1"], replies=False)), f"look:{CONNECTION}"
    later, soon = now_us() + HOUR_US, now_us() + 30_000_000
    pulls.client.zadd(pulls.keys.due, {item: later})
    pulls.client.hset(pulls.keys.tries, item, 3)
    pulls.answer(pulls.ask(run.id), page("C1"))
    assert pulls.client.zscore(pulls.keys.due, item) == later, "it failed, and was told when to come back"
    pulls.client.hdel(pulls.keys.tries, item)
    pulls.client.zadd(pulls.keys.due, {item: soon})
    pulls.stores.ledger.look(pulls.keys, run.id)
    assert pulls.client.zscore(pulls.keys.due, item) == soon, "somebody is at it"
    pulls.client.zadd(pulls.keys.due, {item: later})
    pulls.stores.ledger.look(pulls.keys, run.id)
    assert (pulls.client.zscore(pulls.keys.due, item) or 0) <= now_us()


# A clock that was set back.


def test_what_was_written_by_a_clock_that_was_ahead_keeps_nothing_waiting(pulls: Pulls) -> None:
    [run] = pulls.planned()
    ahead = now_us() + 400 * DAY_US
    pulls.client.hset(pulls.keys.run(run.id), mapping={"ask_at": ahead, "progress": ahead, "attempt": 1})
    for key in (pulls.keys.flights, pulls.keys.flights_of(CONNECTION)):
        pulls.client.zadd(key, {f"lost{number}": ahead for number in range(STANDARD.flights)})
    assert isinstance(pulls.begin(run.id), Attempt)
    assert pulls.client.zcard(pulls.keys.flights) == 1
