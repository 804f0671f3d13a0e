"""A user who connects another Slack team: its directory never goes under the old one."""

from collections.abc import Iterator
from typing import Any

import pytest
from core_api import Core
from outgoing_world import World
from sluice import CONNECTION, ORG, TEAM, Sluice
from test_outgoing_looks import connected, look

from pipeline.store import counters, receipts

OTHER = "T0OTHER"


@pytest.fixture
def world(sluice: Sluice, simulated: str) -> Iterator[World]:
    made = World(sluice, simulated)
    sluice.drain()
    made.wire.asked.clear()
    yield made
    made.close()


def users(*ids: str, team: str | None = None, **said: Any) -> dict[str, Any]:
    members = [{"id": one, "name": one.lower(), **({"team_id": team} if team else {})} for one in ids]
    return {
        "kind": "users",
        "run_id": "later",
        "cursor": "",
        "next_cursor": "",
        "has_more": False,
        "members": members,
    } | said


def channels(*ids: str, team: str | None = None) -> dict[str, Any]:
    rows = [{"id": one, "name": one.lower(), **({"context_team_id": team} if team else {})} for one in ids]
    return {"kind": "channels", "run_id": "later", "cursor": "", "next_cursor": "", "has_more": False, "channels": rows}


def sees(world: World, team: str) -> None:
    world.wire.fail("GET me", connected(team))
    look(world)


def receipt(world: World, name: str) -> dict[str, Any]:
    found = receipts.find(world.sluice.client, world.keys, name)
    assert found is not None
    return found


def members(world: World) -> set[str]:
    return {row["user_id"] for row in world.sluice.live("user").values() if row["kind"] == "org"}


def again(world: World) -> None:
    """What was parked is due at once."""
    world.sluice.client.zadd(world.keys.ready, {CONNECTION: 1})
    world.sluice.drain()


def test_while_the_newest_look_sees_another_team_its_directory_is_dropped_and_counted(world: World) -> None:
    sees(world, OTHER)
    known = world.sluice.stores.connections.get(CONNECTION)
    assert known is not None
    their_users, their_channels, empty = world.sluice.receive(users("UX", "UY"), channels("CX"), users(snapshot=True))
    world.sluice.drain()
    assert "UX" not in members(world)
    assert {"UX", "CX"}.isdisjoint(one.channel for one in world.sluice.stores.directory.channels(ORG, TEAM))
    assert world.sluice.stores.directory.user_names(ORG, TEAM, ["UX"]) == {}
    told = receipt(world, their_users)
    assert (told["state"], told["dropped"]) == ("nothing_allowed", {"other_team.user": 2})
    assert receipt(world, their_channels)["dropped"] == {"other_team.allowed_slack_channel": 1}
    assert counters.totals(world.sluice.client, world.sluice.stores.shards)["dropped.other_team.user"] == 2
    assert receipt(world, empty)["state"] == "nothing_allowed"
    assert world.sluice.stores.connections.get(CONNECTION) == known, "it completes no directory of the old team"


def test_what_came_meanwhile_is_dropped_after_the_first_team_is_back_too(world: World) -> None:
    sees(world, OTHER)
    [late] = world.sluice.receive(users("UX"))
    sees(world, TEAM)
    world.sluice.drain()
    assert receipt(world, late)["dropped"] == {"other_team.user": 1}
    world.sluice.receive(users("UNEW"))
    again(world)
    assert "UNEW" in members(world)
    assert "UX" not in members(world)


def test_a_page_in_doubt_waits_for_a_look_and_is_dropped_if_that_sees_another_team(world: World) -> None:
    """Reconnected, and the next look is minutes away."""
    sees(world, TEAM)
    [theirs] = world.sluice.receive(users("UX", "UY", team=OTHER))
    assert world.sluice.drain()["held"] == 1
    assert receipt(world, theirs)["state"] == "waiting"
    assert (world.item("look") or 1) <= 0, "a look is due now"
    sees(world, OTHER)
    again(world)
    assert receipt(world, theirs)["dropped"] == {"other_team.user": 2}
    assert "UX" not in members(world)


@pytest.mark.parametrize("page", [users("USTRANGER", team=OTHER), channels("C1", team=OTHER)])
def test_a_page_of_strangers_alone_passes_once_a_look_has_seen_the_team(world: World, page: dict[str, Any]) -> None:
    sees(world, TEAM)
    [strangers] = world.sluice.receive(page)
    assert world.sluice.drain()["held"] == 1
    sees(world, TEAM)
    again(world)
    assert receipt(world, strangers)["state"] == "delivered" or page["kind"] == "channels"
    assert not any("other_team" in reason for reason in receipt(world, strangers)["dropped"])


def test_a_look_that_fails_is_not_pressed_and_the_page_waits(world: World) -> None:
    world.sluice.stores.schedule.backoff(world.keys, "look", CONNECTION, 60)
    world.sluice.client.zadd(world.keys.due, {f"look:{CONNECTION}": 2**52})
    world.sluice.receive(users("UX", team=OTHER))
    assert world.sluice.drain()["held"] == 1
    assert (world.item("look") or 0) > 0


def test_pages_that_name_the_team_or_none_need_no_look(world: World) -> None:
    world.sluice.receive(users("U7", team=TEAM), users("U8"))
    world.sluice.drain()
    assert {"U7", "U8"} <= members(world)


def test_the_core_service_can_see_why(world: World) -> None:
    sees(world, OTHER)
    shown = Core(world.sluice, drains=False).call("GET", "/v1/status").json()
    assert "dropped.other_team.user" not in shown["counters"]
    world.sluice.receive(users("UX"))
    world.sluice.drain()
    shown = Core(world.sluice, drains=False).call("GET", "/v1/status").json()
    assert shown["counters"]["dropped.other_team.user"] == 1
