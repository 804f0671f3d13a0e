"""A credential that comes to hold, or ceases to: told once, with the look that saw it."""

from collections.abc import Iterator
from typing import Any

import pytest
from events_world import Core
from outgoing_world import Fault, World, answer
from sluice import CONNECTION, ORG, TEAM, Sluice

from pipeline.store.looks import Look, Looks


@pytest.fixture
def sluice(store: str) -> Iterator[Sluice]:
    made = Sluice(store, events=True)
    yield made
    made.close()


@pytest.fixture
def core(world: World) -> Iterator[Core]:
    made = Core(world.sluice)
    yield made
    made.close()


def me(**slack: Any) -> Fault:
    return answer(200, {"authenticated": True, "integrations": {"slack": slack}})


def connected(status: str = "VALID", team: str = TEAM) -> Fault:
    return me(enabled=True, credentialStatus=status, providerData={"team": {"id": team}})


def look(world: World, seen: Fault) -> None:
    world.wire.fail("GET me", seen)
    world.sluice.client.zadd(world.keys.due, {f"look:{CONNECTION}": 1})
    world.looking.look(CONNECTION)


def told(core: Core) -> list[tuple[str, str | None]]:
    core.tell()
    found = [(event["type"].rpartition(".")[2], event["data"].get("reason")) for event in core.door.events]
    core.door.taken.clear()
    return found


def test_each_change_is_told_and_nothing_else(world: World, core: Core) -> None:
    for seen, expected in [
        (me(enabled=False), []),
        (connected("PENDING"), []),
        (connected(), [("valid", None)]),
        (connected(), []),
        (connected("INVALID"), [("invalid", "refused")]),
        (connected("PENDING"), []),
        (me(enabled=False), []),
        (connected(), [("valid", None)]),
        (me(enabled=False), [("invalid", "disconnected")]),
        (connected(), [("valid", None)]),
        (connected(team="T0OTHERTEAM"), [("invalid", "other_team")]),
        (connected(), [("valid", None)]),
    ]:
        look(world, seen)
        assert told(core) == expected


def test_what_is_told_names_the_connection_and_the_time_of_the_look(world: World, core: Core) -> None:
    look(world, connected("INVALID"))
    core.tell()
    [event] = core.door.events
    kept = Looks(core.client, world.sluice.stores.shards).get(CONNECTION)
    assert kept is not None
    data = {"connection": CONNECTION, "org": ORG, "team": TEAM, "at": kept.at, "reason": "refused"}
    assert event["data"] == data


def test_two_looks_at_once_tell_it_once(world: World, core: Core) -> None:
    known = world.sluice.stores.connections.get(CONNECTION)
    assert known is not None
    first, second = (Looks(core.client, world.sluice.stores.shards) for _ in range(2))
    seen = Look(5, True, "VALID", TEAM)

    class Meanwhile:
        """Events whose writing waits for the other look."""

        wanted = True

        def append(self, *words: Any) -> str | None:
            assert second.keep(known, seen, world.sluice.stores.events)
            return world.sluice.stores.events.append(*words)

    assert not first.keep(known, seen, Meanwhile())  # type: ignore[arg-type]
    assert told(core) == [("valid", None)]


def test_a_look_at_a_connection_that_ended_meanwhile_tells_nothing(world: World, core: Core) -> None:
    known = world.sluice.stores.connections.get(CONNECTION)
    assert known is not None
    world.sluice.disconnect(CONNECTION, by="test")
    world.sluice.drain()
    told(core)
    looks = Looks(core.client, world.sluice.stores.shards)
    assert not looks.keep(known, Look(5, True, "VALID", TEAM), world.sluice.stores.events)
    assert told(core) == []


def test_after_a_disconnect_a_new_connection_is_told_anew(world: World, core: Core) -> None:
    look(world, connected())
    world.sluice.disconnect(CONNECTION, by="test")
    world.sluice.register()
    told(core)
    look(world, connected())
    assert told(core) == [("valid", None)]


def test_while_paused_nobody_looks_and_what_was_seen_before_is_still_told(world: World, core: Core) -> None:
    look(world, connected())
    world.sluice.stores.pauses.pause("all", by="test")
    look(world, connected("INVALID"))
    assert told(core) == [("valid", None)]
    world.sluice.stores.pauses.resume("all", by="test")
    look(world, connected("INVALID"))
    assert told(core) == [("invalid", "refused")]


def test_when_an_address_is_set_later_the_first_look_tells_how_things_are(
    store: str, simulated: str, sluice: Sluice
) -> None:
    silent = Sluice(store)
    world = World(silent, simulated)
    look(world, connected())
    world.close()
    silent.close()
    world = World(sluice, simulated)
    core = Core(sluice)
    look(world, connected())
    assert told(core) == [("valid", None)]
    core.close()
    world.close()
