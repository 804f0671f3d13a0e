"""How much is asked for at a time: places of a connection and of all, halves, regimes, the gate of the credential."""

from collections.abc import Iterator
from typing import Any

import pytest
from outgoing_world import World, answer
from pulls_world import Pulls, page
from sluice import CONNECTION, ORG, TEAM, now_us

from pipeline.rules.regimes import RESTRICTED, STANDARD
from pipeline.rules.windows import FIRST_STEP_US
from pipeline.store.looks import Look
from pipeline.store.runs import Attempt
from pipeline.store.scripts import Changes
from workers.schedule import Outgoing
from workers.schedule import Pulls as Asking

CHANNELS = [f"C{number:03}" for number in range(120)]


@pytest.fixture
def pulls(store: str) -> Iterator[Pulls]:
    made = Pulls(store)
    made.register()
    yield made
    made.close()


def allowed(pulls: Pulls, *channels: str) -> None:
    pulls.allow(*channels)
    pulls.drain()
    pulls.patched()


def test_so_many_runs_of_a_connection_are_out_at_a_time_and_the_next_goes_when_one_lands(pulls: Pulls) -> None:
    allowed(pulls, *CHANNELS)
    names = pulls.plan()
    assert len(names) == 6, "20 channels share a trigger"
    said = [pulls.begin(name) for name in names]
    out = [one for one in said if isinstance(one, Attempt)]
    assert (len(out), said.count("busy")) == (STANDARD.flights, 2)
    first = out[0]
    pulls.answer(first, *(page(channel) for channel in first.channels))
    assert pulls.get(first.run.id).state == "covered"
    [one, other] = [name for name, word in zip(names, said, strict=True) if word == "busy"]
    pulls.client.hset(pulls.keys.run(one), "ask_at", 0)
    pulls.client.hset(pulls.keys.run(other), "ask_at", 0)
    assert isinstance(pulls.begin(one), Attempt)
    assert pulls.begin(other) == "busy"


def test_a_run_that_nobody_answers_gives_its_place_back_when_it_is_overdue(pulls: Pulls) -> None:
    allowed(pulls, *CHANNELS)
    names = pulls.plan()
    for name in names:
        pulls.begin(name)
    waiting = next(name for name in names if pulls.get(name).attempt == 0)
    for key in (pulls.keys.flights, pulls.keys.flights_of(CONNECTION)):
        pulls.client.zadd(key, dict.fromkeys(pulls.client.zrange(key, 0, -1), 1))
    pulls.client.hset(pulls.keys.run(waiting), "ask_at", 0)
    assert isinstance(pulls.begin(waiting), Attempt)


def test_so_many_are_out_in_all_and_live_windows_go_first(world: World) -> None:
    world.outgoing = Outgoing(
        world.sluice.stores, world.paragon, world.tokens, Asking("w", "http://sluice.test", at_once=1)
    )
    world.allow("C1", "C2")
    world.outgoing.patch(CONNECTION)
    world.dispatch()
    ledger, later = world.sluice.stores.ledger, now_us() + 10_000_000
    [run] = [found.id for found in ledger.runs.listing(CONNECTION)]
    world.sluice.client.zadd(world.keys.due, {f"backfill:{run}": 1})
    world.sluice.client.zadd(world.keys.due, {f"trigger:{run}": 2})
    assert [name for _, name in world.dispatch()] == [run]
    assert world.item("trigger", run) or 0 > 30, "leased"
    assert -1 < (world.item("backfill", run) or 0) < 2, "soon again"
    world.sluice.client.zadd(world.keys.flights, {"another": later})
    world.make_due("trigger", run)
    assert world.dispatch() == [], "somebody else is out"


def test_a_window_that_never_comes_whole_is_asked_for_in_halves(pulls: Pulls) -> None:
    allowed(pulls, "C1")
    [name] = pulls.plan()
    for _ in range(3):
        pulls.answer(pulls.ask(name), page("C1", has_more=True, next_cursor="a"))
    whole = pulls.get(name)
    assert whole.unfinished == 3
    assert pulls.stores.ledger.halve(whole, now_us())
    assert not pulls.stores.ledger.halve(whole, now_us()), "once"
    assert pulls.get(name).state == "halved"
    [half] = [run for run in pulls.stores.ledger.runs.listing(CONNECTION) if run.state == "requested"]
    assert (half.latest, half.latest - half.oldest) == (whole.latest, FIRST_STEP_US // 2)
    pulls.answer(pulls.ask(half.id), page("C1"))
    assert pulls.head("C1") == whole.latest
    assert pulls.shown("C1")["tail"] == half.oldest


def test_a_window_that_brought_nothing_at_all_is_not_halved(pulls: Pulls) -> None:
    allowed(pulls, "C1")
    [name] = pulls.plan()
    for _ in range(4):
        pulls.ask(name)
    assert pulls.get(name).unfinished == 0


def test_a_page_cut_at_fifteen_tells_of_the_restricted_regime_and_a_longer_one_of_the_other(pulls: Pulls) -> None:
    allowed(pulls, "C1")
    rates = pulls.stores.rates
    assert rates.regime(ORG, TEAM) == STANDARD
    [name] = pulls.plan()
    cut = [f"17900000{number:02}.000100" for number in range(15)]
    pulls.answer(pulls.ask(name), page("C1", *cut, has_more=True, next_cursor="a"))
    assert rates.regime(ORG, TEAM) == RESTRICTED
    pulls.answer(pulls.ask(name), page("C1", *cut, "1790000050.000100"))
    assert rates.regime(ORG, TEAM) == STANDARD


def test_refusals_tell_of_it_too_and_what_was_set_by_hand_wins(pulls: Pulls) -> None:
    allowed(pulls, "C1")
    rates = pulls.stores.rates
    [name] = pulls.plan()
    for _ in range(3):
        pulls.answer(pulls.ask(name), {"channel": "C1", "thread_ts": "", "ok": False, "error": "ratelimited"})
    assert rates.regime(ORG, TEAM) == RESTRICTED
    for fixed in (STANDARD, RESTRICTED):
        changes = Changes()
        rates.fix(changes, ORG, TEAM, fixed.name)
        changes.commit(pulls.client)
        assert rates.regime(ORG, TEAM) == fixed
    changes = Changes()
    rates.fix(changes, ORG, TEAM, None)
    changes.commit(pulls.client)
    assert rates.regime(ORG, TEAM) == STANDARD


def test_the_restricted_regime_asks_for_little_at_a_time(pulls: Pulls) -> None:
    allowed(pulls, "C1", "C2", "C3")
    names = pulls.plan(regime=RESTRICTED)
    assert [pulls.get(name).channels for name in names] == [["C1"], ["C2"], ["C3"]]
    first, *rest = [pulls.begin(name, RESTRICTED) for name in names]
    assert isinstance(first, Attempt)
    assert rest == ["busy", "busy"]
    assert pulls.get(first.run.id).limit == RESTRICTED.limit


@pytest.mark.parametrize(
    ("enabled", "status", "reason"), [(True, "INVALID", "credential_invalid"), (False, None, "not_connected")]
)
def test_nothing_is_asked_for_with_a_credential_that_does_not_hold_and_it_goes_on_by_itself(
    world: World, enabled: bool, status: str | None, reason: str
) -> None:
    run = world.planned("C1")
    known = world.sluice.stores.connections.get(CONNECTION)
    assert known is not None
    looks = world.sluice.stores.ledger.rereads.looks
    looks.keep(known, Look(now_us(), enabled, status, TEAM), world.sluice.stores.events)
    for _ in range(12):
        assert world.outgoing.trigger(run) == reason
    found = world.sluice.stores.ledger.get(run)
    assert found is not None
    assert (found.state, found.reason, found.attempt) == ("blocked", reason, 0), "it costs none of its tries"
    assert 25 < (world.item("trigger", run) or 0) < 31
    looks.keep(known, Look(now_us(), True, "VALID", TEAM), world.sluice.stores.events)
    world.make_due("trigger", run)
    assert world.outgoing.trigger(run) == "asked"
    assert world.state(run) == ("requested", 1)


@pytest.mark.parametrize("slack", [{"enabled": False}, {"enabled": True, "credentialStatus": "INVALID"}])
def test_what_waited_while_a_user_was_cut_off_is_asked_for_as_soon_as_he_is_back(
    world: World, slack: dict[str, Any]
) -> None:
    run = world.planned("C1")
    world.wire.fail("POST slack-messages", answer(400, {"message": "not enabled", "status": 400, "meta": {}}))
    world.make_due("trigger", run)
    assert world.outgoing.trigger(run) == "rejected"
    assert (world.item("look") or 0) < 1, "somebody sees at once what is the matter"
    back = {"enabled": True, "credentialStatus": "VALID", "providerData": {"team": {"id": TEAM}}}
    seen = (answer(200, {"authenticated": True, "integrations": {"slack": one}}) for one in (slack, back))
    world.wire.fail("GET me", *seen)
    world.looking.look(CONNECTION)
    assert 0 < (world.item("look") or 0) < 10, "he is about to connect again"
    world.make_due("trigger", run)
    assert world.outgoing.trigger(run) in ("not_connected", "credential_invalid")
    assert (world.item("trigger", run) or 0) > 25
    world.make_due("look")
    world.looking.look(CONNECTION)
    assert (world.item("trigger", run) or 0) < 1
    assert world.outgoing.trigger(run) == "asked again"


def test_a_user_who_is_cut_off_between_two_looks_holds_his_windows_back_for_seconds(world: World) -> None:
    run = world.planned("C1")
    refusal = answer(400, {"message": "not enabled", "status": 400, "meta": {}})
    slack = {"enabled": True, "credentialStatus": "VALID", "providerData": {"team": {"id": TEAM}}}
    meta = {"userid": CONNECTION, "allowListedChannels": ["C1"]}
    for longest in (2, 4, 8):
        world.wire.fail("POST slack-messages", refusal)
        world.wire.fail("GET me", answer(200, {"authenticated": True, "meta": meta, "integrations": {"slack": slack}}))
        world.make_due("trigger", run)
        assert world.outgoing.trigger(run) == "rejected"
        world.looking.look(CONNECTION)
        assert (world.item("trigger", run) or 0) < longest, "both looks have found him connected"
    world.make_due("trigger", run)
    assert world.outgoing.trigger(run) == "asked again"


def test_a_channel_that_is_not_allowed_any_more_when_it_is_halved_stays_away(pulls: Pulls) -> None:
    allowed(pulls, "C1", "C2")
    [name] = pulls.plan()
    for _ in range(3):
        pulls.answer(pulls.ask(name), page("C1", has_more=True, next_cursor="a"))
    allowed(pulls, "C2")
    assert pulls.stores.ledger.halve(pulls.get(name), now_us())
    [half] = [run for run in pulls.stores.ledger.runs.listing(CONNECTION) if run.state == "requested"]
    assert half.channels == ["C2"]
