"""Each slot has one effect, whoever ticks and however often; and nobody's many keep another's one waiting."""

from concurrent.futures import ThreadPoolExecutor

from outgoing_world import World
from sluice import CONNECTION, SHARDS, now_us

from pipeline.connection import split_connection
from pipeline.rules.regimes import STANDARD
from pipeline.store.keys import Keys, shard_of
from workers.names import TRIGGER
from workers.schedule import Outgoing, Pulls

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US


def neighbour(keys: Keys, number: int = 0) -> str:
    """A connection of another organisation in the same shard."""
    orgs = (f"end{n}" for n in range(100_000))
    return "ann/" + [org for org, _ in zip(orgs, range(2000), strict=False) if shard_of(org, 16) == keys.shard][number]


def runs(world: World, connection: str, count: int, *, at: int = 1, kind: str = "trigger") -> list[str]:
    """So many windows of a connection that are due since then."""
    keys, client = SHARDS.of(connection), world.sluice.client
    names = [f"{keys.shard:02x}{abs(hash((connection, at, kind, n))):024x}"[:26] for n in range(count)]
    with client.pipeline(transaction=False) as pipe:
        for number, name in enumerate(names):
            pipe.hset(keys.run(name), "connection", connection)
            pipe.zadd(keys.due, {f"{kind}:{name}": at + number})
        pipe.execute()
    return names


def test_a_thousand_windows_of_one_keep_the_one_of_another_waiting_for_no_round(world: World) -> None:
    other = neighbour(world.keys)
    assert split_connection(other)[1] != split_connection(CONNECTION)[1]
    assert SHARDS.of(other) == world.keys
    many = runs(world, CONNECTION, 1000)
    [one] = runs(world, other, 1, at=now_us() - 1000)
    sent = [name for what, name in world.dispatch() if what == TRIGGER]
    assert one in sent
    assert len(set(sent) & set(many)) == STANDARD.flights, "as many as it has places for"


def test_what_a_connection_has_no_place_for_comes_up_again_spread_over_a_minute(world: World) -> None:
    runs(world, CONNECTION, 400)
    world.dispatch()
    now = now_us()
    items = world.sluice.client.zrange(world.keys.due, 0, -1, withscores=True)
    again = [due - now for name, due in items if name.startswith(b"trigger:")]
    assert sum(wait < 10_000_000 for wait in again) < 40, "or each of them would cost a look every few seconds"
    assert max(again) < 75_000_000


def test_of_few_places_each_connection_gets_one_before_any_gets_two(world: World) -> None:
    names = [CONNECTION, *(neighbour(world.keys, number) for number in range(4))]
    whose = {run: name for name in names for run in runs(world, name, 50)}
    world.outgoing = Outgoing(world.sluice.stores, world.paragon, world.tokens, Pulls("w", "http://s.test", at_once=5))
    sent = [whose[name] for what, name in world.dispatch() if what == TRIGGER]
    assert sorted(sent) == sorted(names)


def test_live_windows_go_before_the_past_whoever_they_belong_to(world: World) -> None:
    other = neighbour(world.keys)
    runs(world, other, 10, kind="backfill")
    live = runs(world, CONNECTION, 2, at=now_us() - 10)
    world.outgoing = Outgoing(world.sluice.stores, world.paragon, world.tokens, Pulls("w", "http://s.test", at_once=2))
    assert {name for what, name in world.dispatch() if what == TRIGGER} == set(live)


def test_two_beats_send_each_window_once(world: World) -> None:
    names = [neighbour(world.keys, number) for number in range(60)]
    due = {run for name in names for run in runs(world, name, 2)}
    with ThreadPoolExecutor(4) as threads:
        sent = [name for part in threads.map(lambda _: world.dispatch(), range(4)) for _, name in part]
    assert sorted(sent) == sorted(due)


def test_a_beat_that_was_away_for_an_hour_asks_for_one_window_and_plans_once(world: World) -> None:
    world.allow("C1")
    world.outgoing.patch(CONNECTION)
    world.sluice.client.zadd(world.keys.due, {f"plan:{CONNECTION}": now_us() - HOUR_US})
    sent = [name for _ in range(5) for what, name in world.dispatch() if what == TRIGGER]
    assert len(sent) == 1
    assert 700 < (world.item("plan", CONNECTION) or 0) < 901, "one period from now, not four of them at once"


def test_what_was_put_off_by_a_clock_that_was_ahead_is_due_when_it_is_right_again(world: World) -> None:
    world.sluice.client.zadd(
        world.keys.due, {f"look:{CONNECTION}": now_us() + 400 * DAY_US, "look:a/b": now_us() + DAY_US}
    )
    world.dispatch()
    assert (world.item("look", CONNECTION) or 0) <= 61, "leased, or due"
    assert ((world.item("look", "a/b")) or 0) > 80_000
