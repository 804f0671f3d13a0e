"""The allowlist in Paragon's metadata: merged, read back, and ahead of the next trigger."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from outgoing_world import Fault, World, answer, timed_out
from sluice import CONNECTION, Sluice

from simulator.config import MESSAGES
from workers.names import PATCH_METADATA, TRIGGER

POST = f"POST {MESSAGES}"


@pytest.fixture
def world(sluice: Sluice, simulated: str) -> Iterator[World]:
    made = World(sluice, simulated)
    made.paragon.patch_meta(CONNECTION, {})
    made.wire.asked.clear()
    yield made
    made.close()


def test_foreign_keys_stay_ours_are_set_and_the_result_is_read_back(world: World) -> None:
    theirs: dict[str, Any] = {"plan": "pro", "nested": {"a": [1, None, "\ud83d"]}, "Name": "Žofie"}
    world.paragon.patch_meta(CONNECTION, theirs)
    world.wire.asked.clear()
    world.allow("C2", "C1")
    assert world.outgoing.patch(CONNECTION) == "patched"
    assert world.wire.order == ["GET me", "PATCH me", "GET me"]
    assert world.meta() == theirs | {"userid": CONNECTION, "allowListedChannels": ["C1", "C2"]}
    assert world.item("patch") is None
    known = world.sluice.stores.connections.get(CONNECTION)
    assert known is not None
    assert known.metadata_at is not None


def test_twice_is_one_effect(world: World) -> None:
    world.allow("C1")
    assert [world.outgoing.patch(CONNECTION), world.outgoing.patch(CONNECTION)] == ["patched", "unchanged"]
    assert world.wire.count("PATCH me") == 1
    world.sluice.client.zadd(world.keys.due, {f"patch:{CONNECTION}": 1})
    assert world.outgoing.patch(CONNECTION) == "unchanged"
    assert world.wire.count("PATCH me") == 1


def test_what_the_core_service_adds_goes_along_and_ours_win(world: World) -> None:
    world.sluice.stores.connections.set_metadata(CONNECTION, {"seats": 3})
    world.allow("C1")
    world.outgoing.patch(CONNECTION)
    assert world.meta() == {"seats": 3, "userid": CONNECTION, "allowListedChannels": ["C1"]}


def test_only_the_connections_own_entries_are_carried(world: World) -> None:
    other = f"ann/{CONNECTION.rpartition('/')[2]}"
    world.sluice.register(other)
    world.sluice.allow("C2", connection=other)
    world.allow("C1")
    world.outgoing.patch(CONNECTION)
    assert world.meta()["allowListedChannels"] == ["C1"]


def test_an_addition_waits_a_moment_and_a_removal_does_not(world: World) -> None:
    world.sluice.allow("C1", "C2")
    added = world.item("patch")
    assert added is not None
    assert 0 < added < 1.1
    world.sluice.allow("C1")
    removed = world.item("patch")
    assert removed is not None
    assert removed < 0.1
    world.sluice.allow("C1", "C3")
    still = world.item("patch")
    assert still is not None
    assert still < 0.1, "a click that adds puts off no removal"


def tick(world: World) -> None:
    """What one tick sends of metadata, done at once."""
    for name, connection in world.dispatch():
        if name == PATCH_METADATA:
            world.outgoing.patch(connection)


def test_fifty_quick_additions_are_at_most_three_patches_however_often_somebody_looks(world: World) -> None:
    for number in range(1, 51):
        world.sluice.allow(*(f"C{one}" for one in range(1, number + 1)))
        tick(world)
    while world.item("patch") is not None:
        tick(world)
        time.sleep(0.05)
    assert 1 <= world.wire.count("PATCH me") <= 3
    assert len(world.meta()["allowListedChannels"]) == 50


def test_fifty_quick_changes_there_and_back_are_at_most_three_patches_at_the_pace_of_beat(world: World) -> None:
    began = ticked = time.monotonic()
    for number in range(50):
        world.sluice.allow(*("C1", "C2")[: 1 + number % 2], f"C{3 + number}")
        if time.monotonic() - ticked >= 1:
            tick(world)
            ticked = time.monotonic()
    slow = int(time.monotonic() - began)  # a machine on which they are not quick has more ticks
    while world.item("patch") is not None:
        time.sleep(max(0.0, ticked + 1 - time.monotonic()))
        tick(world)
        ticked = time.monotonic()
    assert 1 <= world.wire.count("PATCH me") <= max(3, slow + 2)
    assert world.meta()["allowListedChannels"] == ["C1", "C2", "C52"]


def test_a_removal_is_patched_before_the_next_trigger(world: World) -> None:
    run = world.planned("C1", "C2")
    world.wire.asked.clear()
    world.sluice.allow("C2")
    assert world.outgoing.trigger(run) == "asked"
    assert world.wire.order == ["GET me", "PATCH me", "GET me", POST]
    assert world.meta()["allowListedChannels"] == ["C2"]


@pytest.mark.parametrize(
    ("what", "fault", "said", "least", "most"),
    [
        ("GET me", answer(429, Retry_After="77"), "unavailable", 76, 78),
        ("PATCH me", answer(429, Retry_After="77"), "unavailable", 76, 78),
        ("PATCH me", answer(500), "unavailable", 0.5, 2.1),
        ("PATCH me", timed_out, "unavailable", 0.5, 2.1),
        ("GET me", answer(200, {"authenticated": False}), "unavailable", 0.5, 2.1),
        ("PATCH me", answer(401), "unavailable", 0.5, 2.1),
        ("PATCH me", answer(413, {"message": "canary"}), "rejected", 3599, 3601),
        ("PATCH me", answer(200, {}), "unavailable", 0.5, 2.1),
    ],
)
def test_a_patch_that_fails_is_tried_again_and_the_trigger_waits_as_long(
    world: World, what: str, fault: Fault, said: str, least: float, most: float
) -> None:
    run = world.planned("C1", "C2")
    world.sluice.allow("C2")
    world.wire.asked.clear()
    world.wire.fail(what, fault)
    assert world.outgoing.trigger(run) == f"metadata {said}"
    for kind, name in (("patch", CONNECTION), ("trigger", run)):
        waits = world.item(kind, name)
        assert waits is not None
        assert least - 0.4 < waits < most
    calls = len(world.wire.asked)
    assert world.outgoing.trigger(run) == "metadata waits", "Paragon said when to come back"
    assert (len(world.wire.asked), world.wire.count(POST)) == (calls, 0)
    assert world.state(run) == ("requested", 0), "no attempt was spent"
    world.make_due("patch")
    world.make_due("trigger", run)
    assert world.outgoing.trigger(run) == "asked"
    assert world.meta()["allowListedChannels"] == ["C2"]
    assert not world.sluice.stores.schedule.failing(world.keys, "patch", CONNECTION)


def test_a_list_that_changes_while_it_is_patched_is_patched_again(world: World) -> None:
    world.allow("C1")

    def meanwhile(_: Any) -> Any:
        world.sluice.allow("C1", "C2")
        return answer(500)(_)

    world.wire.fail("GET me", meanwhile)
    assert world.outgoing.patch(CONNECTION) == "unavailable"
    waits = world.item("patch")
    assert waits is not None
    assert waits < 1.1, "the change makes it due, not the failure"
    world.outgoing.patch(CONNECTION)
    assert world.meta()["allowListedChannels"] == ["C1", "C2"]


def test_a_disconnect_while_it_is_patched_leaves_no_date_behind(world: World) -> None:
    world.allow("C1")

    def meanwhile(_: Any) -> Any:
        world.sluice.disconnect(CONNECTION, by="test")
        return answer(200, {"authenticated": True, "meta": {"userid": CONNECTION, "allowListedChannels": ["C1"]}})(_)

    world.wire.fail("GET me", meanwhile)
    world.outgoing.patch(CONNECTION)
    world.sluice.register()
    known = world.sluice.stores.connections.get(CONNECTION)
    assert known is not None
    assert known.metadata_at is None


def test_a_dispatch_sends_names_and_ids_and_nothing_else(world: World) -> None:
    world.allow("C1")
    sent = [*world.dispatch(), *world.dispatch()]
    assert {name for name, _ in sent} == {"sluice.patch_metadata", TRIGGER}
    assert all(isinstance(what, str) for _, what in sent)
