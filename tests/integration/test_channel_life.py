"""A channel from its first allow to its last: asked at once, dead at once, and alive again when somebody says so."""

from collections.abc import Iterator

import pytest
from core_api import Core
from outgoing_world import MESSAGES, World, simulator
from pulls_world import Pulls, page
from sluice import CONNECTION, ORG, SHARDS, TEAM, Sluice, now_us

from pipeline.rules.versions import ts_us
from pipeline.store import channel_pauses, removals
from pipeline.store.purging import purge
from pipeline.store.runs import Attempt
from workers.names import TRIGGER

POST = f"POST {MESSAGES}"
FIRST, SECOND = "1700000000.000100", "1700000000.000200"


@pytest.fixture
def pulls(store: str) -> Iterator[Pulls]:
    made = Pulls(store)
    yield made
    made.close()


@pytest.fixture
def world(sluice: Sluice) -> Iterator[World]:
    with simulator() as url:
        made = World(sluice, url)
        yield made
        made.close()


def asked(pulls: Pulls) -> Attempt:
    pulls.patched()
    [name] = pulls.plan()
    return pulls.ask(name)


def fence(pulls: Pulls) -> str:
    return str(pulls.live("retraction")[f"message:{TEAM}:C1"]["below"])


def test_a_channel_that_is_added_between_two_pulls_is_asked_for_within_a_moment(world: World) -> None:
    world.outgoing.trigger(world.planned("C1"))
    world.outgoing.plan(CONNECTION)
    waits = world.item("plan")
    assert waits is not None
    assert waits > 800, "the next pull is a quarter of an hour away"
    world.sluice.allow("C1", "C2")
    waits = world.item("plan")
    assert waits is not None
    assert waits < 1.1, "a second click of the same hand is waited for, and no more"
    world.make_due("plan")
    world.outgoing.patch(CONNECTION)
    [(name, run)] = world.dispatch()
    assert name == TRIGGER
    before = world.wire.count(POST)
    assert world.outgoing.trigger(run) == "asked"
    assert world.wire.count(POST) == before + 1
    assert world.wire.trigger["channels"] == ["C2"]
    assert abs(ts_us(world.wire.trigger["latest"]) - now_us()) < 130e6, "the newest first"


def test_the_clock_follows_a_removal_to_its_end(world: World) -> None:
    sluice, keys = world.sluice, world.keys
    sluice.allow("C1")
    receipt = sluice.allow().receipt
    assert receipt is not None
    world.dispatch()
    waits = world.item("removal", receipt)
    assert waits is not None
    assert 4 < waits < 5.1, "the fence waits: it is looked at again"
    sluice.drain()
    purge(sluice.client, SHARDS, sluice.vault)
    for _ in range(3000):
        world.make_due("removal", receipt)
        world.dispatch()
        if world.item("removal", receipt) is None:
            break
    found = removals.find(sluice.client, keys, receipt)
    assert found is not None
    assert found["state"] == "complete"


def test_what_was_revoked_and_is_allowed_again_lives_above_the_fence_and_what_was_asked_before_stays_dead(
    pulls: Pulls,
) -> None:
    core = Core(pulls).connected()
    core.allow("C1")
    first = asked(pulls)
    pulls.answer(first, page("C1", FIRST))
    assert list(pulls.live()) == [f"{TEAM}:C1:{FIRST}"]
    receipt = core.allow().json()["receipt"]
    assert (pulls.live(), pulls.live("allowed_slack_channel")) == ({}, {})
    assert pulls.shown("C1") == {}
    core.allow("C1")
    pulls.drain()
    assert list(pulls.live("allowed_slack_channel")) == [f"{TEAM}:C1"]
    pulls.answer(first, page("C1", FIRST, SECOND))
    assert pulls.live() == {}, "it was asked for before the revocation"
    assert "head" not in pulls.shown("C1"), "and proves nothing"
    pulls.answer(asked(pulls), page("C1", FIRST, SECOND))
    alive = pulls.live()
    assert list(alive) == [f"{TEAM}:C1:{FIRST}", f"{TEAM}:C1:{SECOND}"]
    assert all(one["version"][:16] > fence(pulls) for one in alive.values())
    assert core.call("GET", f"/v1/receipts/{receipt}").json()["removal"]["waiting"] == 0, "nothing came in between"


def test_a_fence_that_the_mesh_refuses_is_never_called_done(pulls: Pulls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.allowlist.SETTLE_SECONDS", 0.1)
    core = Core(pulls).connected()
    core.allow("C1")
    pulls.mesh.reject(f"message:{TEAM}:C1", "no_fences")
    answer = core.allow()
    assert (answer.status_code, answer.json()["state"]) == (202, "revoking")
    assert core.call("GET", f"/v1/receipts/{answer.json()['receipt']}").json()["state"] == "dead"


def test_a_paused_channel_that_is_revoked_and_allowed_again_is_paused_no_more(pulls: Pulls) -> None:
    core = Core(pulls).connected()
    core.allow("C1")
    at = f"/v1/orgs/{ORG}/connections/rob%40example.com/channels/C1/pause"
    assert core.call("POST", at).status_code == 200
    pulls.receive(page("C1", FIRST))
    pulls.drain()
    assert pulls.live() == {}, "paused"
    answer = core.allow()
    assert (answer.status_code, answer.json()["removed"]) == (200, ["C1"])
    assert channel_pauses.listing(pulls.client, pulls.stores.shards) == []
    core.allow("C1")
    pulls.answer(asked(pulls), page("C1", FIRST))
    assert list(pulls.live()) == [f"{TEAM}:C1:{FIRST}"]
