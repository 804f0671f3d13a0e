"""Somebody else writes into our keys of the metadata: seen by the next look, shown, counted, and mended."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from common_core.log_manager.formats import JsonLines
from common_core.log_manager.speech import FORBIDDEN, Speech
from core_api import AT, Core
from outgoing_world import World, answer
from sluice import CONNECTION, SHARDS, Sluice

from pipeline.store import counters
from workers.names import LOOK, PATCH_METADATA

OURS = {"userid": CONNECTION, "allowListedChannels": ["C1", "C2"]}


@pytest.fixture
def world(sluice: Sluice, simulated: str) -> Iterator[World]:
    """C1 and C2 are allowed, and the metadata says so."""
    made = World(sluice, simulated)
    made.paragon.patch_meta(CONNECTION, {})
    made.allow("C1", "C2")
    assert made.outgoing.patch(CONNECTION) == "patched"
    made.wire.asked.clear()
    yield made
    made.close()


def elsewhere(world: World, **meta: Any) -> None:
    """Somebody else writes; null takes a key away."""
    said = httpx.post(f"{world.url}/_sim/metadata", json={"connection": CONNECTION, "meta": meta})
    assert said.status_code == 200


def look(world: World) -> str:
    world.sluice.client.zadd(world.keys.due, {f"look:{CONNECTION}": 1})
    return world.looking.look(CONNECTION)


def shown(world: World) -> Any:
    return Core(world.sluice, drains=False).call("GET", AT).json()["metadata_drift"]


def counted(world: World) -> dict[str, int]:
    rows = counters.totals(world.sluice.client, SHARDS).items()
    return {name: number for name, number in rows if name.startswith("drift.")}


def noted(world: World) -> list[dict[str, Any]]:
    rows = [json.loads(row[b"e"]) for _, row in world.sluice.client.xrange(world.keys.audit)]
    return [row for row in rows if row["event"] == "metadata.drifted"]


def test_a_changed_list_is_seen_shown_counted_and_mended_by_the_ordinary_patch(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere(world, allowListedChannels=["C2", "C8", "C9"], plan="pro")
    assert shown(world) is None
    look(world)
    seen = shown(world)
    assert seen == {"at": seen["at"], "keys": ["allowListedChannels"], "added": 2, "missing": 1, "mended": False}
    assert counted(world) == {"drift.allowListedChannels": 1}
    numbers = Core(world.sluice, drains=False).call("GET", "/metrics", None).text
    assert 'sluice_metadata_drift_total{key="allowListedChannels"} 1.0' in numbers
    [entry] = noted(world)
    assert (entry["connection"], entry["by"], entry["at"]) == (CONNECTION, "look", seen["at"])
    assert (entry["channels_added"], entry["channels_missing"]) == (["C8", "C9"], ["C1"])
    [record] = [one for one in caplog.records if one.message == "metadata.drifted"]
    line = JsonLines(Speech(FORBIDDEN)).format(record)
    said = {"connection": CONNECTION, "metadata": ["allowListedChannels"], "added": 2, "missing": 1}
    assert said.items() <= json.loads(line).items()
    assert "C9" not in line

    assert world.wire.count("PATCH me") == 0, "there is one writer, and a look is not it"
    assert (PATCH_METADATA, CONNECTION) in world.dispatch()
    assert world.outgoing.patch(CONNECTION) == "patched"
    assert world.meta() == OURS | {"plan": "pro"}
    assert shown(world) == seen | {"mended": True}
    look(world)
    assert (len(noted(world)), world.item("patch")) == (1, None), "what was mended is not found again"


def test_a_changed_user_and_a_key_that_is_gone_are_found_each_time(world: World) -> None:
    for changed in ({"userid": "somebody"}, {"userid": None, "allowListedChannels": None}):
        elsewhere(world, **changed)
        look(world)
        assert world.outgoing.patch(CONNECTION) == "patched"
        assert world.meta() == OURS
    assert counted(world) == {"drift.userid": 2, "drift.allowListedChannels": 1}
    assert (shown(world)["missing"], shown(world)["mended"]) == (2, True)


def test_keys_of_others_are_their_own(world: World) -> None:
    elsewhere(world, plan="pro", channels=["C9"])
    look(world)
    assert (shown(world), counted(world), world.item("patch")) == (None, {}, None)


def test_before_anything_was_written_nothing_in_there_is_ours(sluice: Sluice, simulated: str) -> None:
    world = World(sluice, simulated)
    world.paragon.patch_meta(CONNECTION, {"userid": "by hand", "allowListedChannels": ["C7"]})
    look(world)
    assert (shown(world), world.item("patch")) == (None, None)
    world.close()


def test_the_trigger_waits_until_it_is_mended(world: World) -> None:
    world.dispatch()
    [run] = world.sluice.stores.ledger.runs.listing(CONNECTION, 1)
    elsewhere(world, allowListedChannels=[])
    look(world)
    world.wire.asked.clear()
    assert world.outgoing.trigger(run.id) in ("blocked", "asked")
    assert world.wire.order[:3] == ["GET me", "PATCH me", "GET me"]
    assert world.meta() == OURS


def test_two_beats_send_one_look(world: World) -> None:
    world.sluice.client.zadd(world.keys.due, {f"look:{CONNECTION}": 1})
    sent = [*world.dispatch(), *world.dispatch()]
    assert sent.count((LOOK, CONNECTION)) == 1


def test_two_looks_at_once_count_once(world: World) -> None:
    elsewhere(world, userid="somebody")
    found = world.meta()

    def meanwhile(_: httpx.Request) -> httpx.Response:
        look(world)
        return me(found)

    world.wire.fail("GET me", meanwhile)
    look(world)
    assert (counted(world), len(noted(world))) == ({"drift.userid": 1}, 1)


def me(meta: dict[str, Any]) -> httpx.Response:
    return httpx.Response(200, json={"authenticated": True, "meta": meta})


def a_list(world: World) -> None:
    world.sluice.allow("C1")


def a_list_that_was_carried(world: World) -> None:
    world.sluice.allow("C1")
    assert world.outgoing.patch(CONNECTION) == "patched"


def a_patch_of_the_same(world: World) -> None:
    world.sluice.client.zadd(world.keys.due, {f"patch:{CONNECTION}": 1})
    assert world.outgoing.patch(CONNECTION) == "unchanged"


def a_wish_of_the_core_service(world: World) -> None:
    world.sluice.stores.connections.set_metadata(CONNECTION, {"seats": 3})


def an_end(world: World) -> None:
    world.sluice.disconnect(CONNECTION, by="test")


CHANGES = [a_list, a_list_that_was_carried, a_patch_of_the_same, a_wish_of_the_core_service, an_end]


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_on_our_side_while_paragon_answers_is_no_drift(
    world: World, change: Callable[[World], None]
) -> None:
    def meanwhile(_: httpx.Request) -> httpx.Response:
        change(world)
        return me({"userid": CONNECTION, "allowListedChannels": ["C7"]})

    world.wire.fail("GET me", meanwhile)
    look(world)
    assert (counted(world), noted(world)) == ({}, [])


def test_a_list_that_has_not_been_carried_yet_is_no_drift(world: World) -> None:
    world.sluice.allow("C1")
    look(world)
    assert (shown(world), counted(world)) == (None, {})


def test_paragon_away_costs_no_check(world: World) -> None:
    elsewhere(world, userid="somebody")
    world.wire.fail("GET me", answer(503, None, Retry_After="7"))
    assert look(world) == "unavailable"
    assert 6 < (world.item("look") or 0) < 8
    assert counted(world) == {}
    look(world)
    assert counted(world) == {"drift.userid": 1}


def test_a_drift_ends_with_its_connection(world: World) -> None:
    elsewhere(world, userid="somebody")
    look(world)
    world.sluice.disconnect(CONNECTION, by="test")
    assert (world.item("patch"), world.item("look")) == (None, None)
    world.sluice.register()
    assert shown(world) is None
