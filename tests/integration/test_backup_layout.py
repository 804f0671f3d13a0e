"""The store's layout: written at the first start, brought up from older ones, refused where it is newer."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
import redis

from pipeline.store import durability, layout
from pipeline.store.client import connect
from pipeline.store.keys import META, Shards
from pipeline.store.layout import LAYOUT, LayoutError, bring_up

Upgrades = dict[int, Callable[[redis.Redis, Shards], None]]


@pytest.fixture
def client(store: str) -> Iterator[redis.Redis]:
    made = connect(store)
    yield made
    made.close()


def written(client: redis.Redis) -> dict[bytes, bytes]:
    return {name: value for name, value in client.hgetall(META).items() if name in (b"layout", b"shards")}


def test_a_fresh_store_gets_our_shard_count_and_layout_and_keeps_them(client: redis.Redis) -> None:
    for _ in range(2):
        durability.check(client, 16, asserted=False)
    assert written(client) == {b"layout": str(LAYOUT).encode(), b"shards": b"16"}


def test_a_newer_layout_stops_the_start(client: redis.Redis) -> None:
    client.hset(META, mapping={"layout": LAYOUT + 1, "shards": 16})
    with pytest.raises(durability.NotDurableError, match=f"has layout {LAYOUT + 1}, this version knows {LAYOUT}"):
        durability.check(client, 16, asserted=False)


def test_another_shard_count_stops_the_start_before_anything_is_upgraded(client: redis.Redis) -> None:
    client.hset(META, mapping={"layout": 1, "shards": 16})
    with pytest.raises(LayoutError, match="SLUICE_SHARDS=16"):
        bring_up(client, 8, layout=2, upgrades={1: _never})
    assert written(client)[b"layout"] == b"1"


def _never(client: redis.Redis, shards: Shards) -> None:
    raise AssertionError


def renamed(client: redis.Redis, shards: Shards) -> None:
    """A made-up upgrade that can be repeated: each shard's key moves to its new name."""
    for keys in shards.all():
        if client.exists(keys.audit):
            client.rename(keys.audit, f"{{s{keys.shard}}}:log")


def counted(client: redis.Redis, shards: Shards) -> None:
    client.set("upgraded", shards.count)


def test_an_older_store_is_brought_up_step_by_step_and_its_data_with_it(client: redis.Redis) -> None:
    client.hset(META, mapping={"layout": 1, "shards": 16})
    for keys in Shards(16).all():
        client.xadd(keys.audit, {"e": str(keys.shard)})
    bring_up(client, 16, layout=3, upgrades={1: renamed, 2: counted})
    assert written(client)[b"layout"] == b"3"
    assert [client.xlen(f"{{s{number}}}:log") for number in range(16)] == [1] * 16
    assert client.get("upgraded") == b"16"
    bring_up(client, 16, layout=3, upgrades={1: _never, 2: _never})


def test_a_step_that_dies_is_repeated_and_the_layout_moves_only_behind_it(client: redis.Redis) -> None:
    client.hset(META, mapping={"layout": 1, "shards": 16})
    client.xadd(Shards(16).all()[5].audit, {"e": "x"})
    lives = iter([True])

    def mortal(client: redis.Redis, shards: Shards) -> None:
        renamed(client, shards)
        if next(lives, False):
            raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        bring_up(client, 16, layout=2, upgrades={1: mortal})
    assert written(client)[b"layout"] == b"1"
    bring_up(client, 16, layout=2, upgrades={1: mortal})
    assert written(client)[b"layout"] == b"2"
    assert client.xlen("{s5}:log") == 1


def test_a_layout_without_a_way_from_it_is_refused(client: redis.Redis) -> None:
    client.hset(META, mapping={"layout": 1, "shards": 16})
    with pytest.raises(LayoutError, match="no way from it to 2"):
        bring_up(client, 16, layout=2, upgrades={})


def test_a_store_of_the_first_layout_is_brought_up_to_ours(client: redis.Redis) -> None:
    client.hset(META, mapping={"layout": 1, "shards": 16})
    bring_up(client, 16)
    assert int(client.hget(META, "layout") or 0) == LAYOUT


def test_processes_that_start_at_once_upgrade_once(client: redis.Redis, store: str) -> None:
    client.hset(META, mapping={"layout": 1, "shards": 16})
    done: Counter[str] = Counter()
    entered = threading.Event()

    def slow(_: redis.Redis, __: Shards) -> None:
        done["upgrades"] += 1
        entered.wait(0.5)

    def start() -> None:
        mine = connect(store)
        try:
            bring_up(mine, 16, layout=2, upgrades={1: slow})
            assert written(mine)[b"layout"] == b"2", "it went on before the upgrade had ended"
            done["started"] += 1
        finally:
            mine.close()

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == {"upgrades": 1, "started": 4}


def test_our_own_registry_leads_from_every_older_layout_to_ours() -> None:
    assert set(layout.UPGRADES) == set(range(1, LAYOUT))
