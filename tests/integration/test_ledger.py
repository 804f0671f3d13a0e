"""Every requested window is accounted for: asked once at a time, covered only by proof, and by its own attempt's."""

from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from typing import Any

import pytest
from pulls_world import OTHER, Pulls, page
from sluice import CONNECTION, ORG, SHARDS, TEAM, now_us

from pipeline.rules.windows import FIRST_STEP_US, SETTLING_US
from pipeline.store.connections import draw_epoch
from pipeline.store.ledger import Ledger
from pipeline.store.runs import MOST_ATTEMPTS, Attempt, Run

FIRST, SECOND, THIRD = (f"1700000000.000{n}00" for n in (1, 2, 3))


@pytest.fixture
def pulls(store: str) -> Any:
    made = Pulls(store)
    for connection in (CONNECTION, OTHER):
        made.register(connection)
    made.allow("C1", "C2")
    made.drain()
    made.patched()
    yield made
    made.close()


def one_channel(pulls: Pulls) -> tuple[str, Attempt]:
    """A run for C1 alone, asked for."""
    pulls.allow("C1")
    pulls.drain()
    pulls.patched()
    [name] = pulls.plan()
    return name, pulls.ask(name)


# Planning.


def test_planning_twice_makes_one_run_for_all_channels_that_share_a_start(pulls: Pulls) -> None:
    [name] = pulls.plan()
    assert pulls.plan() == []
    run = pulls.get(name)
    assert (run.kind, run.channels, run.state) == ("live", ["C1", "C2"], "requested")
    assert run.latest - run.oldest == FIRST_STEP_US, "the newest slice; what is before follows"
    assert 0 <= now_us() - SETTLING_US - run.latest < 5_000_000


def test_planning_at_the_same_moment_makes_one_run(pulls: Pulls) -> None:
    with ThreadPoolExecutor(6) as threads:
        made = list(threads.map(lambda _: pulls.plan(), range(6)))
    assert sum(map(len, made)) == 1


def test_a_channel_revoked_while_its_plan_is_made_is_not_asked_for_and_can_be_later(pulls: Pulls) -> None:
    read_before = pulls.stores.allowlists.own(CONNECTION, TEAM)
    pulls.allow("C1")
    assert pulls.stores.ledger.plan(CONNECTION, TEAM, read_before, now_us()) == []
    pulls.allow("C1", "C2")
    [name] = pulls.plan()
    assert pulls.get(name).channels == ["C1", "C2"]


def test_a_window_goes_on_where_the_last_one_was_covered(pulls: Pulls) -> None:
    name, attempt = one_channel(pulls)
    pulls.answer(attempt, page("C1", FIRST))
    later = now_us() + 3600 * 1_000_000
    first = pulls.get(name)
    [live, back] = [pulls.get(one) for one in pulls.stores.ledger.plan(CONNECTION, TEAM, ["C1"], later)]
    assert (live.kind, live.oldest, live.latest) == ("live", first.latest, later - SETTLING_US)
    assert (back.kind, back.latest) == ("back", first.oldest)
    assert back.latest - back.oldest > FIRST_STEP_US, "a slice that came back near-empty is followed by a longer one"
    assert pulls.stores.ledger.plan(CONNECTION, TEAM, ["C1"], later) == []


# Attempts.


def test_a_run_is_asked_once_at_a_time(pulls: Pulls) -> None:
    [name] = pulls.plan()
    with ThreadPoolExecutor(6) as threads:
        said = list(threads.map(lambda _: pulls.begin(name), range(6)))
    [attempt] = [one for one in said if isinstance(one, Attempt)]
    assert (attempt.number, attempt.generation, attempt.channels) == (1, 1, ["C1", "C2"])
    assert sorted(map(str, said), key=len)[:5] == ["early"] * 5


def test_an_attempt_that_was_never_answered_is_asked_again_when_it_is_overdue(pulls: Pulls) -> None:
    [name] = pulls.plan()
    pulls.ask(name)
    assert pulls.begin(name) == "early"
    assert pulls.ask(name).number == 2


def test_the_worker_that_dies_between_drawing_and_asking_costs_a_minute(pulls: Pulls) -> None:
    [name] = pulls.plan()
    assert isinstance(pulls.begin(name), Attempt)
    due = pulls.client.zscore(pulls.keys.due, f"trigger:{name}")
    assert due is not None
    assert 55_000_000 < due - now_us() <= 60_000_000


def test_while_pages_come_in_nobody_asks_again(pulls: Pulls) -> None:
    [name] = pulls.plan()
    pulls.answer(pulls.ask(name), page("C1", FIRST, has_more=True, next_cursor="a"))
    pulls.client.hset(pulls.keys.run(name), "ask_at", 0)
    assert pulls.begin(name) == "progress"
    assert (pulls.client.zscore(pulls.keys.due, f"trigger:{name}") or 0) > now_us() + 50_000_000
    assert pulls.get(name).public()["state"] == "receiving"


def test_every_epoch_of_an_organisation_is_higher_than_all_before(pulls: Pulls) -> None:
    pulls.allow("C1", connection=OTHER)
    pulls.patched()
    [one], [other] = pulls.plan(), pulls.plan(OTHER)
    far = now_us() + 10**9  # The clock was set back: what was drawn before lies in the future.
    pulls.client.hset(pulls.keys.org(ORG), "epoch", far)
    epochs = [pulls.ask(name).epoch for name in (one, other, one)]
    epochs.append(draw_epoch(pulls.client, pulls.keys, ORG))
    epochs.append(pulls.ask(other).epoch)
    assert epochs == sorted(set(epochs))
    assert epochs[0] > far


def test_a_run_is_given_up_with_an_alarm_but_a_late_page_still_counts(pulls: Pulls) -> None:
    name, attempt = one_channel(pulls)
    for number in range(2, MOST_ATTEMPTS + 1):
        assert pulls.ask(name).number == number
    pulls.wait(name)
    assert pulls.begin(name) == "given_up"
    assert pulls.begin(name) == "early", "once a day from now on"
    pulls.answer(attempt, page("C1", FIRST))
    assert pulls.get(name).state == "covered"


def test_somebody_elses_outage_costs_a_run_none_of_its_tries(pulls: Pulls) -> None:
    [name] = pulls.plan()
    for _ in range(MOST_ATTEMPTS + 2):
        pulls.wait(name)
        attempt = pulls.begin(name)
        assert isinstance(attempt, Attempt)
        pulls.stores.ledger.runs.not_asked(attempt, now_us(), reason="paragon away", blocked=True)
        assert (pulls.get(name).state, pulls.get(name).reason) == ("blocked", "paragon away")
    assert isinstance(pulls.begin(name), Attempt)


def test_an_older_attempts_answer_from_paragon_changes_nothing(pulls: Pulls) -> None:
    [name] = pulls.plan()
    old = pulls.ask(name)
    pulls.ask(name)
    before = pulls.client.hgetall(pulls.keys.run(name))
    pulls.stores.ledger.runs.asked(old, now_us())
    pulls.stores.ledger.runs.not_asked(old, now_us(), reason="late", blocked=True)
    assert pulls.client.hgetall(pulls.keys.run(name)) == before


def test_a_list_that_paragon_does_not_have_yet_goes_first(pulls: Pulls) -> None:
    [name] = pulls.plan()
    pulls.allow("C1", "C2", "C3")
    assert pulls.begin(name) == "metadata"


# What is revoked.


def test_a_run_whose_channels_were_all_revoked_is_cancelled_and_a_new_list_asks_anew(pulls: Pulls) -> None:
    [name] = pulls.plan()
    pulls.allow()
    pulls.patched()
    assert pulls.get(name).state == "cancelled"
    assert pulls.client.zscore(pulls.keys.due, f"trigger:{name}") is None
    assert pulls.begin(name) == "closed"
    pulls.allow("C1")
    [following] = pulls.plan()
    assert following != name


def test_a_run_asks_for_what_is_still_allowed(pulls: Pulls) -> None:
    [name] = pulls.plan()
    pulls.allow("C2")
    pulls.patched()
    attempt = pulls.begin(name)
    assert isinstance(attempt, Attempt)
    assert attempt.channels == ["C2"]


def test_a_disconnect_forgets_the_runs_and_a_reconnect_begins_from_nothing(pulls: Pulls) -> None:
    [name] = pulls.plan()
    pulls.disconnect(CONNECTION, by="test")
    assert pulls.stores.ledger.get(name) is None
    pulls.register()
    pulls.allow("C1")
    pulls.patched()
    [following] = pulls.plan()
    assert pulls.ask(following).generation == 2


def test_a_channel_revoked_under_way_is_not_covered_and_closes_the_run(pulls: Pulls) -> None:
    name, attempt = one_channel(pulls)
    pulls.allow()
    pulls.answer(attempt, page("C1", FIRST))
    assert (pulls.get(name).state, pulls.head("C1")) == ("cancelled", None)
    assert pulls.live() == {}


def test_an_attempt_older_than_the_last_allow_proves_nothing(pulls: Pulls) -> None:
    name, attempt = one_channel(pulls)
    pulls.allow()
    pulls.allow("C1")
    pulls.patched()
    [following] = pulls.plan()
    pulls.answer(attempt, page("C1", FIRST))
    assert pulls.head("C1") is None
    assert pulls.live() == {}, "it lies below the fence of the revocation"
    pulls.answer(pulls.ask(following), page("C1", FIRST))
    assert pulls.head("C1") == pulls.get(following).latest
    assert len(pulls.live()) == 1
    assert name != following


# Proof.


def window(parent: str = SECOND) -> list[dict[str, Any]]:
    """Two pages of history, the second with a parent, and the two pages of its thread."""
    second = page("C1", parent, cursor="a")
    second["messages"][0] |= {"thread_ts": parent, "reply_count": 2}
    replies = [
        page("C1", parent, thread_ts=parent, has_more=True, next_cursor="r"),
        page("C1", THIRD, thread_ts=parent),
    ]
    replies[1] |= {"cursor": "r"}
    return [page("C1", FIRST, has_more=True, next_cursor="a"), second, *replies]


@pytest.mark.parametrize("order", [*permutations(range(4))][::5])
def test_a_window_is_covered_when_its_last_page_is_in_whatever_the_order(pulls: Pulls, order: tuple[int, ...]) -> None:
    name, attempt = one_channel(pulls)
    *before, last = [window()[number] for number in order]
    pulls.answer(attempt, *before, *before)
    assert (pulls.head("C1"), pulls.get(name).state) == (None, "requested")
    assert pulls.client.scard(pulls.keys.touched) == 0, "looked at, until another page comes"
    pulls.answer(attempt, last)
    assert (pulls.head("C1"), pulls.get(name).state) == (pulls.get(name).latest, "covered")
    assert pulls.client.zscore(pulls.keys.due, f"trigger:{name}") is None
    assert pulls.client.keys(f"*facts:{name}*") == []
    assert pulls.begin(name) == "closed"


def test_pages_of_two_attempts_make_no_proof_and_one_whole_attempt_does(pulls: Pulls) -> None:
    name, first = one_channel(pulls)
    pulls.answer(first, *window()[:2])
    second = pulls.ask(name)
    pulls.answer(second, *window()[2:])
    assert pulls.head("C1") is None
    pulls.answer(first, *window()[2:])
    assert pulls.head("C1") == pulls.get(name).latest, "an older attempt is as good as any"


@pytest.mark.parametrize(
    "flaw",
    [
        {"cursor": None},
        {"thread_ts": None},
        {"has_more": None},
        {"has_more": True},
        {"next_cursor": "b", "has_more": True},
        {"ok": False},
        {"channel": "C9"},
        {"latest": SECOND},
        {"oldest": f"{now_us() // 1_000_000}.000000"},
    ],
)
def test_a_page_with_a_flaw_is_counted_and_proves_nothing(pulls: Pulls, flaw: dict[str, Any]) -> None:
    name, attempt = one_channel(pulls)
    flawed = {key: value for key, value in (page("C1", FIRST) | flaw).items() if value is not None}
    pulls.answer(attempt, flawed)
    assert (pulls.head("C1"), pulls.get(name).pages) == (None, 1)


def test_a_window_with_a_dead_record_is_covered_and_says_so(pulls: Pulls) -> None:
    name, attempt = one_channel(pulls)
    bad = page("C1", FIRST)
    bad["messages"].append({"type": "message", "text": "no identity"})
    pulls.answer(attempt, bad)
    assert (pulls.get(name).state, pulls.get(name).dead) == ("covered", 1)


def test_a_channel_is_covered_though_its_neighbour_is_not(pulls: Pulls) -> None:
    [name] = pulls.plan()
    pulls.answer(pulls.ask(name), page("C1", FIRST))
    assert (pulls.head("C1"), pulls.head("C2"), pulls.get(name).state) == (pulls.get(name).latest, None, "requested")
    attempt = pulls.ask(name)
    assert attempt.channels == ["C2"]
    pulls.answer(attempt, page("C2"))
    assert pulls.get(name).state == "covered"


def test_each_connection_proves_its_own_windows(pulls: Pulls) -> None:
    pulls.allow("C1", connection=OTHER)
    pulls.patched()
    [mine], [theirs] = pulls.plan(), pulls.plan(OTHER)
    pulls.answer(pulls.ask(mine), page("C1", FIRST))
    assert (pulls.head("C1"), pulls.head("C1", OTHER)) == (pulls.get(mine).latest, None)
    attempt = pulls.ask(theirs)
    stranger = Attempt(pulls.get(theirs), attempt.number, attempt.epoch, 1, "requested", ["C1"])
    pulls.receive(page("C1", FIRST, run_id=stranger.run.id, attempt=1, epoch=attempt.epoch, gen=1))
    pulls.drain()
    assert pulls.head("C1", OTHER) is None, "another connection's page names the run"
    assert pulls.get(theirs).pages == 0


class Dying(Ledger):
    """Dies in the middle of a look."""

    def _close(self, keys: Any, found: Run) -> None:
        raise MemoryError("stands for a worker that dies")


def test_a_look_that_dies_half_way_is_taken_again(pulls: Pulls) -> None:
    name, attempt = one_channel(pulls)
    token = {"run_id": name, "attempt": 1, "epoch": attempt.epoch, "gen": 1}
    pulls.receive(page("C1", FIRST) | token)
    whole = pulls.stores.ledger
    object.__setattr__(pulls.stores, "ledger", Dying(pulls.client, SHARDS, pulls.vault, overdue_us=60_000_000))
    with pytest.raises(MemoryError):
        pulls.drain()
    object.__setattr__(pulls.stores, "ledger", whole)
    pulls.client.delete(pulls.keys.state)
    pulls.drain()
    assert pulls.get(name).state == "covered"


def test_a_run_of_no_shape_is_no_run(pulls: Pulls) -> None:
    assert [pulls.stores.ledger.get(name) for name in ("", "zz", "00", "ff" + "0" * 24)] == [None] * 4
