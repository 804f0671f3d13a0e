"""Planning and triggering, against the simulator: what is asked, how often, and what a refusal costs."""

import re
import time
from collections.abc import Callable
from email.utils import formatdate

import pytest
from channel_world import directory
from outgoing_world import CALLBACK, Fault, World, answer, timed_out
from sluice import CONNECTION, page

from pipeline.rules.versions import ts_us
from pipeline.rules.windows import FIRST_STEP_US
from pipeline.store import counters
from simulator.config import MESSAGES
from workers.looking import find_team
from workers.names import PATCH_METADATA, TRIGGER

POST = f"POST {MESSAGES}"


def test_what_is_allowed_is_planned_then_asked_for(world: World) -> None:
    world.allow("C1", "C2")
    patch, (name, run) = world.dispatch()
    assert (patch, name) == ((PATCH_METADATA, CONNECTION), TRIGGER), (
        "the plan runs in the tick, and its run is due in it"
    )
    assert world.outgoing.trigger(run) == "asked"
    assert world.state(run) == ("requested", 1)
    assert world.dispatch() == []


def test_the_trigger_body_is_what_the_workflow_is_promised(world: World) -> None:
    run = world.planned("C2", "C1")
    before = time.time()
    world.outgoing.trigger(run)
    body = dict(world.wire.trigger)
    claims = world.tokens.verify(body.pop("run_token"), time.time())
    oldest, latest = body.pop("oldest"), body.pop("latest")
    assert ts_us(latest) - ts_us(oldest) == FIRST_STEP_US - 1, "both ends belong to it"
    assert body == {
        "run_id": run,
        "attempt": 1,
        "callback_url": CALLBACK,
        "channels": ["C1", "C2"],
        "inclusive": True,
        "limit": 200,
        "include_all_metadata": True,
        "replies": True,
    }
    assert before - 125 < float(latest) < before - 119, "Slack may still show late messages of the last two minutes"
    assert (claims.connection, claims.run, claims.attempt, claims.gen) == (CONNECTION, run, 1, 1)
    assert before * 1e6 - 1e6 < claims.epoch < time.time() * 1e6 + 1e6


def test_two_dispatches_at_once_lease_nothing_twice(world: World) -> None:
    world.allow("C1")
    assert sorted(name for name, _ in world.dispatch()) == sorted([PATCH_METADATA, TRIGGER])
    assert world.dispatch() == []


def test_an_item_that_was_leased_and_not_finished_is_due_again(world: World) -> None:
    run = world.planned("C1")
    world.make_due("trigger", run)
    assert world.dispatch() == [(TRIGGER, run)]
    waits = world.item("trigger", run)
    assert waits is not None
    assert 55 < waits <= 61


def test_a_plan_that_runs_twice_requests_once(world: World) -> None:
    world.allow("C1")
    assert [world.outgoing.plan(CONNECTION), world.outgoing.plan(CONNECTION)] == [1, 0]
    waits = world.item("plan")
    assert waits is not None
    assert 809 < waits < 901, "a period, less a tenth at most: connections do not march in step"


def test_a_trigger_that_runs_twice_asks_once(world: World) -> None:
    run = world.planned("C1")
    assert [world.outgoing.trigger(run), world.outgoing.trigger(run)] == ["asked", "early"]
    assert world.wire.count(POST) == 1


@pytest.mark.parametrize(
    ("fault", "least", "most"),
    [
        (lambda: answer(429, Retry_After="40"), 39, 41),
        (lambda: answer(429, Retry_After="4000"), 3999, 4001),
        (lambda: answer(429, Retry_After=formatdate(time.time() + 60, usegmt=True)), 57, 61),
        (lambda: answer(429), 0.9, 2.1),
        (lambda: answer(500, {"message": "canary"}), 0.9, 2.1),
        (lambda: answer(503, Retry_After="0"), 0.9, 2.1),
        (lambda: timed_out, 0.9, 2.1),
    ],
)
def test_an_outage_of_paragon_is_waited_out_and_costs_no_try(
    world: World, fault: Callable[[], Fault], least: float, most: float, caplog: pytest.LogCaptureFixture
) -> None:
    run = world.planned("C1")
    world.wire.fail(POST, fault())
    assert world.outgoing.trigger(run) == "unavailable"
    waits = world.item("trigger", run)
    assert waits is not None
    assert least - 0.5 < waits < most
    assert world.state(run) == ("requested", 1)
    assert world.outgoing.trigger(run) == "early", "nobody asks before its time"
    world.make_due("trigger", run)
    assert world.outgoing.trigger(run) == "asked again"
    assert world.sluice.client.hget(world.keys.run(run), "failed") == b"1"
    assert "canary" not in caplog.text


def test_the_wait_grows_with_every_failure_and_is_forgotten_after_a_success(world: World) -> None:
    run = world.planned("C1")
    waits = []
    for _ in range(6):
        world.wire.fail(POST, answer(500))
        world.outgoing.trigger(run)
        waits.append(world.item("trigger", run) or 0)
        world.make_due("trigger", run)
    assert waits[-1] > 30 > 4 > waits[0]
    assert sorted(waits) == waits, "jitter takes at most half, so that doubling always shows"
    world.outgoing.trigger(run)
    assert not world.sluice.stores.schedule.failing(world.keys, "trigger", run)


def test_ten_failures_give_nothing_up(world: World) -> None:
    run = world.planned("C1")
    world.wire.fail(POST, *[answer(500)] * 15)
    for _ in range(15):
        assert world.outgoing.trigger(run) == "unavailable"
        world.make_due("trigger", run)
    assert world.outgoing.trigger(run) == "asked again"
    assert world.state(run) == ("requested", 16)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (answer(401, {"message": "canary"}), "blocked"),
        (answer(403), "blocked"),
        (answer(400, {"message": "canary", "meta": {"isIntegrationError": True}}), "blocked"),
        (answer(302, Location="http://127.0.0.1:1/"), "blocked"),
        (answer(404, {"message": "canary"}), "rejected"),
    ],
)
def test_a_refusal_blocks_the_run_alarms_and_lets_it_resume(
    world: World, fault: Fault, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    run = world.planned("C1")
    world.wire.fail(POST, fault)
    assert world.outgoing.trigger(run) == said
    assert world.state(run) == ("blocked", 1)
    found = world.sluice.stores.ledger.get(run)
    assert found is not None
    assert found.reason
    assert [record.levelname for record in caplog.records if record.name == "workers.schedule"] == ["ERROR"]
    assert "canary" not in caplog.text + found.reason
    world.make_due("trigger", run)
    assert world.outgoing.trigger(run) == "asked again"
    assert world.state(run) == ("requested", 2)


def test_a_run_without_progress_is_asked_again_as_a_new_attempt_with_a_higher_epoch(world: World) -> None:
    run = world.planned("C1")
    world.outgoing.trigger(run)
    waits = world.item("trigger", run)
    assert waits is not None
    assert 55 < waits < 61, "SLUICE_OVERDUE_SECONDS of this world"
    first = world.wire.trigger
    world.make_due("trigger", run)
    assert world.outgoing.trigger(run) == "asked again"
    second = world.wire.trigger
    epochs = [world.tokens.verify(body["run_token"], time.time()).epoch for body in (first, second)]
    assert (second["run_id"], second["attempt"], second["oldest"]) == (run, 2, first["oldest"])
    assert epochs[1] > epochs[0]


def test_a_run_whose_pages_arrive_is_not_asked_again(world: World) -> None:
    run = world.planned("C1")
    world.outgoing.trigger(run)
    claims = world.tokens.verify(world.wire.trigger["run_token"], time.time())
    facts = {"gen": 1, "run_id": run, "attempt": 1, "epoch": claims.epoch, "thread_ts": ""}
    world.sluice.receive(page("C1", "1700000000.000100", has_more=True, next_cursor="x", **facts))
    world.sluice.drain()
    world.make_due("trigger", run)
    assert world.outgoing.trigger(run) == "progress"
    world.sluice.receive(page("C1", "1700000000.000050", cursor="x", **facts))
    world.sluice.drain()
    assert world.state(run)[0] == "covered"
    assert world.outgoing.trigger(run) == "closed"
    assert world.item("trigger", run) is None
    assert world.wire.count(POST) == 1


def test_a_run_that_is_never_answered_is_given_up_with_an_alarm_and_asked_once_a_day_from_then_on(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    run = world.planned("C1")
    for _ in range(10):
        assert world.outgoing.trigger(run).startswith("asked")
        world.make_due("trigger", run)
    assert world.outgoing.trigger(run) == "given_up"
    assert world.state(run) == ("given_up", 10)
    due = world.item("trigger", run)
    assert due is not None
    assert 86_000 < due < 86_401
    assert [one.levelname for one in caplog.records if one.message == "pull.given_up"] == ["ERROR"]
    assert counters.totals(world.sluice.client, world.sluice.stores.shards)["pulls.given_up"] == 1
    world.make_due("trigger", run)
    assert world.outgoing.trigger(run) == "asked again"
    assert world.state(run) == ("given_up", 11)


def test_a_channel_that_is_revoked_before_its_trigger_is_not_asked_for(world: World) -> None:
    run = world.planned("C1", "C2")
    world.sluice.allow("C2")
    world.outgoing.trigger(run)
    assert world.wire.trigger["channels"] == ["C2"]
    world.sluice.allow()
    assert world.item("trigger", run) is None
    assert world.outgoing.trigger(run) == "closed"
    assert world.wire.count(POST) == 1


def test_a_disconnected_connection_is_asked_for_nothing(world: World) -> None:
    run = world.planned("C1")
    world.sluice.disconnect(CONNECTION, by="test")
    assert world.outgoing.plan(CONNECTION) == 0
    assert world.outgoing.patch(CONNECTION) == "unchanged"
    assert world.outgoing.trigger(run) == "unknown"
    assert world.wire.count(POST) == 0


def test_nothing_is_asked_before_the_directory_was_read_to_its_end(world: World) -> None:
    other = "ann/end10843"
    world.sluice.register(other)
    world.sluice.allow("C1", connection=other)
    assert world.outgoing.plan(other) == 0


@pytest.mark.parametrize("run", ["", "zz", "00", "ff" + "0" * 24, "0a" + "0" * 24, "-1x", "../x"])
def test_a_run_that_is_none_is_unknown_and_leaves_nothing(world: World, run: str) -> None:
    before = set(world.sluice.client.keys())
    assert world.outgoing.trigger(run) == "unknown"
    assert set(world.sluice.client.keys()) == before


def test_a_run_that_was_lost_leaves_the_schedule(world: World) -> None:
    run = world.planned("C1")
    world.sluice.client.delete(world.keys.run(run))
    assert world.outgoing.trigger(run) == "unknown"
    assert world.item("trigger", run) is None


def test_a_worker_whose_clock_is_wrong_asks_no_more_often(world: World) -> None:
    """What is due is measured by the store's clock: ours may be ten minutes behind."""
    object.__setattr__(world.sluice.stores, "now_us", lambda: time.time_ns() // 1000 - 600_000_000)
    run = world.planned("C1")
    world.outgoing.trigger(run)
    waits = world.item("trigger", run)
    assert waits is not None
    assert 55 < waits < 61
    assert world.outgoing.trigger(run) == "early"


def test_a_window_of_what_turned_out_to_be_a_direct_message_waits_and_costs_no_try(world: World) -> None:
    run = world.planned("C1")
    world.sluice.receive(directory({"id": "C1", "is_mpim": True}))
    world.sluice.drain()
    world.make_due("trigger", run)
    assert (world.outgoing.trigger(run), world.state(run)) == ("paused", ("blocked", 0))
    assert world.wire.count(POST) == 0


def test_the_team_comes_from_paragon(world: World) -> None:
    assert re.fullmatch(r"T[A-Z0-9]+", find_team(world.paragon, CONNECTION))
