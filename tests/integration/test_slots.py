"""Slots: plans of many do not keep step, what is asked again takes a place, and an hour lost or gained asks once."""

from collections.abc import Iterator

import pytest
from outgoing_world import World
from pulls_world import Pulls
from sluice import CONNECTION, SHARDS, TEAM, now_us

from pipeline.connection import split_connection
from pipeline.rules.regimes import STANDARD
from pipeline.store.runs import Attempt
from pipeline.store.scripts import Changes
from workers.names import TRIGGER

HOUR_US = 3_600_000_000
TIMES = ("ask_at", "progress", "requested_at", "epoch")


@pytest.fixture
def pulls(store: str) -> Iterator[Pulls]:
    made = Pulls(store)
    made.register()
    made.allow(*(f"C{number}" for number in range(20 * (STANDARD.flights + 1))))
    made.drain()
    made.patched()
    yield made
    made.close()


def jump(world: World, by: int) -> None:
    """The store's clock jumps: all that was written before lies so much later, or earlier, in its time."""
    client = world.sluice.client
    for key in (world.keys.due, world.keys.flights, world.keys.flights_of(CONNECTION)):
        for item, at in client.zrange(key, 0, -1, withscores=True):
            client.zadd(key, {item: at - by})
    for run in world.sluice.stores.ledger.runs.listing(CONNECTION):
        key = world.keys.run(run.id)
        for field in TIMES:
            if (said := client.hget(key, field)) is not None:
                client.hset(key, field, int(said) - by)
    for field, said in client.hgetall(world.keys.coverage(CONNECTION)).items():
        if field.endswith((b"|head", b"|since")):
            client.hset(world.keys.coverage(CONNECTION), field, int(said) - by)
    org = world.keys.org(split_connection(CONNECTION)[1])
    client.hset(org, "epoch", int(client.hget(org, "epoch") or 0) - by)


def tick(world: World) -> list[str]:
    """One tick of beat and what it leads to; the words that its triggers end with."""
    return [world.outgoing.trigger(run) for name, run in world.dispatch() if name == TRIGGER]


def test_plans_that_were_due_together_do_not_come_back_together(world: World) -> None:
    names = [f"somebody@example.com/org{number}" for number in range(40)]
    for name in names:
        world.sluice.register(name)
        world.sluice.client.zadd(SHARDS.of(name).due, {f"plan:{name}": 1})
    world.dispatch()
    again = [SHARDS.of(name) for name in names]
    due = sorted(world.sluice.client.zscore(keys.due, f"plan:{name}") for keys, name in zip(again, names, strict=True))
    assert 40_000_000 < due[-1] - due[0] < 95_000_000, "over a tenth of their period of a quarter of an hour"
    assert due[-1] < now_us() + 900_000_000, "and none is put off"


def test_what_is_asked_again_takes_a_place_as_what_is_asked_first(pulls: Pulls) -> None:
    runs = [pulls.get(name) for name in pulls.plan()]
    first, others = runs[0], runs[1:]
    assert isinstance(pulls.begin(first.id), Attempt)
    for key in (pulls.keys.flights, pulls.keys.flights_of(CONNECTION)):
        pulls.client.zadd(key, {first.id: 1})  # nobody has answered: its place is another's by now
    assert [isinstance(pulls.begin(run.id), Attempt) for run in others] == [True] * STANDARD.flights
    pulls.wait(first.id)
    assert pulls.begin(first.id) == "busy", "the re-ask waits for a place"
    pulls.stores.ledger.runs.land(changes := Changes(), pulls.keys, others[0])
    assert changes.commit(pulls.client) == 0
    pulls.wait(first.id)
    again = pulls.begin(first.id)
    assert isinstance(again, Attempt)
    assert again.number == 2
    pulls.wait(others[0].id)
    assert pulls.begin(others[0].id) == "busy", "and what is asked first waits for the re-ask's"


def test_a_clock_that_jumps_an_hour_ahead_asks_again_once(world: World) -> None:
    run = world.planned("C1")
    assert world.outgoing.trigger(run) == "asked"
    jump(world, HOUR_US)
    said = [word for _ in range(5) for word in tick(world)]
    assert said == ["asked again"], "it is overdue by that clock, once; no other window is asked for meanwhile"
    assert len(world.sluice.stores.ledger.runs.listing(CONNECTION)) == 1
    assert 0 < (world.item("plan") or 0) < 901, "one plan, and the next one in a period"


def test_a_clock_that_jumps_an_hour_back_asks_nothing_twice_and_goes_on(world: World) -> None:
    run = world.planned("C1")
    assert world.outgoing.trigger(run) == "asked"
    jump(world, -HOUR_US)
    assert [word for _ in range(5) for word in tick(world)] == []
    assert world.outgoing.trigger(run) == "early", "however it comes to be triggered"
    assert world.sluice.stores.ledger.plan(CONNECTION, TEAM, ["C1"], now_us()) == [], "nor is its window planned anew"
    jump(world, HOUR_US)
    world.make_due("trigger", run)
    assert tick(world) == ["asked again"]
