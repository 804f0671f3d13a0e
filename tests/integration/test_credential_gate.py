"""Before a pull: a credential that does not hold, or Slack switched off, holds it back with the reason; it resumes by
itself.
"""

from typing import Any

import pytest
from core_api import AT, Core
from outgoing_world import World, answer
from sluice import CONNECTION, TEAM

from simulator.config import MESSAGES
from workers.names import LOOK, TRIGGER

POST = f"POST {MESSAGES}"
CUT_OFF: list[tuple[dict[str, Any], str]] = [
    ({"enabled": True, "credentialStatus": "INVALID"}, "credential_invalid"),
    ({"enabled": False}, "not_connected"),
]


def look(world: World, **slack: Any) -> None:
    """The look that is due, of a user whose Slack is so."""
    team = {"providerData": {"team": {"id": TEAM}}} if slack["enabled"] else {}
    meta = {"userid": CONNECTION, "allowListedChannels": ["C1"]}
    said = {"authenticated": True, "meta": meta, "integrations": {"slack": slack | team}}
    world.sluice.client.zadd(world.keys.due, {f"look:{CONNECTION}": 1})
    assert (LOOK, CONNECTION) in world.dispatch()
    world.wire.fail("GET me", answer(200, said))
    world.looking.look(CONNECTION)


def shown(world: World, rest: str = "") -> Any:
    return Core(world.sluice, drains=False).call("GET", AT + rest).json()


@pytest.mark.parametrize(("slack", "reason"), CUT_OFF)
def test_a_look_that_finds_it_holds_the_pull_back_with_the_reason_and_the_next_good_one_lets_it_go(
    world: World, slack: dict[str, Any], reason: str
) -> None:
    run = world.planned("C1")
    world.wire.asked.clear()
    look(world, **slack)
    world.make_due("trigger", run)
    assert (TRIGGER, run) in world.dispatch()
    assert world.outgoing.trigger(run) == reason
    [found] = shown(world, "/pulls")["runs"]
    assert (found["id"], found["state"], found["reason"], found["attempt"]) == (run, "blocked", reason, 0)
    assert world.wire.count(POST) == 0
    assert [one for one in world.dispatch() if one[0] == TRIGGER] == []

    look(world, enabled=True, credentialStatus="VALID")
    assert shown(world)["credential"] == "accepted"
    assert (TRIGGER, run) in world.dispatch(), "nobody has to ask for it"
    assert world.outgoing.trigger(run) == "asked"
    assert (world.wire.count(POST), world.state(run)) == (1, ("requested", 1))


@pytest.mark.parametrize(("slack", "reason"), CUT_OFF)
def test_what_is_planned_while_it_does_not_hold_waits_from_the_start(
    world: World, slack: dict[str, Any], reason: str
) -> None:
    look(world, **slack)
    run = world.planned("C1")
    assert world.outgoing.trigger(run) == reason
    assert world.state(run) == ("blocked", 0)
    assert world.wire.count(POST) == 0
