"""Looking at a connection as Paragon sees it: kept, shown, acted upon; the directory workflows started by us."""

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from core_api import AT, Core
from outgoing_world import World, answer
from sluice import CONNECTION, TEAM, Sluice

from simulator.config import CHANNELS, MESSAGES, USERS
from workers.names import LOOK

DAY = 24 * 3600 * 1_000_000
PAGE = (Path(__file__).parents[2] / "docs" / "workflows.md").read_text(encoding="utf-8")


@pytest.fixture
def world(sluice: Sluice, simulated: str) -> Iterator[World]:
    """Registered anew, without a team; Slack is connected at Paragon."""
    made = World(sluice, simulated)
    sluice.disconnect(CONNECTION, by="test")
    sluice.register(team=None)
    made.wire.asked.clear()
    yield made
    made.close()


def me(**slack: Any) -> Callable[[httpx.Request], httpx.Response]:
    return answer(200, {"authenticated": True, "integrations": {"slack": slack}})


def connected(team: str | None = TEAM, status: str = "VALID") -> Callable[[httpx.Request], httpx.Response]:
    return me(enabled=True, credentialStatus=status, providerData={"team": {"id": team}} if team else {})


def look(world: World) -> str:
    world.sluice.client.zadd(world.keys.due, {f"look:{CONNECTION}": 1})
    return world.looking.look(CONNECTION)


def shown(world: World) -> Any:
    return Core(world.sluice, drains=False).call("GET", AT).json()


def starts(world: World) -> list[tuple[str, Any]]:
    return [(name.split()[1], body) for name, _, body in world.wire.asked if name.startswith("POST slack-")]


def test_a_registered_connection_is_looked_at_at_once_and_its_team_is_fixed(world: World) -> None:
    assert (LOOK, CONNECTION) in world.dispatch()
    assert shown(world)["slack"] is None
    assert look(world) == "connected"
    known = shown(world)
    team = world.paragon.me(CONNECTION).slack.team
    assert (known["team"], known["credential"]) == (team, "accepted")
    assert known["slack"] == {
        "enabled": True,
        "credential_status": "VALID",
        "team": team,
        "team_differs": False,
        "looked_at": known["slack"]["looked_at"],
    }
    assert abs(known["slack"]["looked_at"] / 1e6 - time.time()) < 60
    assert world.item("look") == pytest.approx(900, abs=10)


def test_who_has_not_connected_yet_is_looked_at_soon_again_and_later_less_often(world: World) -> None:
    world.wire.fail("GET me", *[me(enabled=False)] * 2)
    assert look(world) == "not connected"
    assert 0 < (world.item("look") or 0) < 10
    assert (shown(world)["slack"]["enabled"], shown(world)["credential"]) == (False, "unknown")
    assert starts(world) == []
    key = world.keys.connection(CONNECTION)
    seen = json.loads(world.sluice.client.hget(key, "me") or b"")
    world.sluice.client.hset(key, "me", json.dumps(seen | {"blocked_since": 1}))
    look(world)
    assert world.item("look") == pytest.approx(900, abs=10)


def test_an_invalid_credential_is_refused_and_starts_nothing(world: World) -> None:
    world.wire.fail("GET me", connected(status="INVALID"))
    look(world)
    assert (shown(world)["credential"], shown(world)["slack"]["credential_status"]) == ("refused", "INVALID")
    assert starts(world) == []


def test_without_provider_data_slack_itself_names_the_team_and_its_no_is_one(world: World) -> None:
    world.wire.fail("GET me", *[connected(team=None)] * 2)
    world.wire.fail("GET auth.test", answer(200, {"output": {"ok": False, "error": "token_revoked"}}))
    look(world)
    assert (shown(world)["team"], shown(world)["credential"]) == (None, "refused")
    look(world)
    assert (shown(world)["team"], shown(world)["credential"]) == (shown(world)["slack"]["team"], "accepted")
    assert shown(world)["team"] is not None


def test_another_team_is_shown_and_not_followed_and_nothing_is_asked_of_it(
    sluice: Sluice, simulated: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(sluice, simulated)
    run = world.planned("C1")
    world.wire.fail("GET me", connected(team="T0OTHER"))
    world.wire.asked.clear()
    assert look(world) == "team_differs"
    assert [line.levelname for line in caplog.records if line.message == "connection.team_differs"] == ["ERROR"]
    known = shown(world)
    assert (known["team"], known["slack"]["team"], known["slack"]["team_differs"]) == (TEAM, "T0OTHER", True)
    assert world.outgoing.trigger(run) == "blocked"
    assert starts(world) == []
    world.wire.fail("GET me", connected())
    assert look(world) == "connected"
    world.make_due("trigger", run)
    assert world.outgoing.trigger(run) == "asked again"
    assert MESSAGES in [name for name, _ in starts(world)]
    world.close()


def test_the_directory_workflows_are_started_once_then_daily_with_what_the_page_says(world: World) -> None:
    look(world)
    look(world)
    assert [name for name, _ in starts(world)] == [CHANNELS, USERS]
    found = re.search(r"<!-- trigger: directory -->\n```json\n(.*?)```", PAGE, re.S)
    assert found is not None
    for kind, (_, body) in zip(("channels", "users"), starts(world), strict=True):
        assert set(body) == set(json.loads(found[1]))
        assert body["connection"] == CONNECTION
        assert body["callback_url"] == f"http://sluice.test/v1/webhooks/slack/{kind}"
    key = world.keys.connection(CONNECTION)
    now = time.time_ns() // 1000
    world.sluice.client.hset(key, mapping={f"{kind}_complete_at": now for kind in ("channels", "users")})
    world.sluice.client.hset(key, mapping={"channels_asked_at": now - DAY - 1, "users_asked_at": now - DAY // 2})
    look(world)
    assert [name for name, _ in starts(world)] == [CHANNELS, USERS, CHANNELS]


def test_a_directory_that_was_not_read_to_its_end_is_asked_for_again_in_an_hour(world: World) -> None:
    look(world)
    hour_ago = time.time_ns() // 1000 - DAY // 24 - 1
    world.sluice.client.hset(world.keys.connection(CONNECTION), "users_asked_at", hour_ago)
    look(world)
    assert [name for name, _ in starts(world)] == [CHANNELS, USERS, USERS]


def test_a_start_that_fails_is_tried_again_and_the_other_one_is_not_repeated(world: World) -> None:
    world.wire.fail(f"POST {USERS}", answer(503, None, Retry_After="7"))
    assert look(world) == "unavailable"
    assert 6 < (world.item("look") or 0) < 8
    assert shown(world)["slack"]["enabled"] is True
    assert 6 < (world.item("look") or 0) < 8, "looking at it does not break the wait that Paragon asked for"
    assert look(world) == "connected"
    assert [name for name, _ in starts(world)] == [CHANNELS, USERS, USERS]


def test_an_aged_look_is_wanted_anew_by_whoever_asks(world: World) -> None:
    look(world)
    shown(world)
    assert world.item("look") == pytest.approx(900, abs=10)
    key = world.keys.connection(CONNECTION)
    old = json.loads(world.sluice.client.hget(key, "me")) | {"at": time.time_ns() // 1000 - 31_000_000}
    world.sluice.client.hset(key, "me", json.dumps(old))
    shown(world)
    assert (world.item("look") or 0) <= 0


def test_who_is_disconnected_is_looked_at_no_more_and_nothing_of_the_look_stays(world: World) -> None:
    look(world)
    world.sluice.disconnect(CONNECTION, by="test")
    assert world.item("look") is None
    assert look(world) == "gone"
    fields = {name.decode() for name in world.sluice.client.hkeys(world.keys.connection(CONNECTION))}
    assert fields.isdisjoint({"me", "channels_asked_at", "users_asked_at"})
