"""A store with many connections, of which one in a hundred has something due."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

import redis
from celery import Celery

from bench.stores import TEAM, stores_at
from cli.embedded import EmbeddedServer
from pipeline.rules.windows import DAY_US
from pipeline.stages.stores import Stores
from pipeline.store.client import ask, clock, connect
from pipeline.store.keys import Keys
from workers.names import sending
from workers.schedule import Outgoing, Pulls

ONE_IN: Final = 100
_PLAIN: Final = "plain"
_AT_A_TIME: Final = 5000
_REPEATED: Final = 20
"""One plain question is too short to be measured alone."""


class Town:
    """What is due, and the processor seconds of each way to deal with it."""

    def __init__(self, stores: Stores, broker: redis.Redis, app: Celery, names: Sequence[str]) -> None:
        self._stores, self._broker, self._app = stores, broker, app
        self._windows = [(stores.shards.of(name), _item(stores.shards.of(name), n)) for n, name in _hundredth(names)]
        self._plans = [(stores.shards.of(name), f"plan:{name}") for _, name in _hundredth(names)]
        self.due = len(self._windows)
        pulls = Pulls("workflow", "http://sluice.invalid", at_once=self.due)
        self._outgoing = Outgoing(stores, None, None, pulls)  # type: ignore[arg-type] # nothing is asked of Paragon

    def plain(self) -> float:
        """The members of one sorted set that are due."""
        self._make_due(self._windows)
        now = clock(self._stores.client)
        return self._cost(lambda: self._ask(now)) / _REPEATED

    def shared(self) -> float:
        """Windows leased and given their turns; nobody is told."""
        return self._dispatched(self._windows, lambda _, __: None)

    def sent(self) -> float:
        """The same, and each goes to the broker as a task."""
        cost = self._dispatched(self._windows, self._send)
        self._broker.flushall()
        return cost

    def _send(self, name: str, what: str) -> None:
        self._app.send_task(name, args=[what], expires=60)

    def planned(self) -> float:
        """Plans, which dispatch makes itself."""
        return self._dispatched(self._plans, lambda _, __: None)

    def _dispatched(self, items: Sequence[tuple[Keys, str]], send: Callable[[str, str], None]) -> float:
        self._make_due(items)
        done = Counter[str]()
        cost = self._cost(lambda: done.update(self._outgoing.dispatch(send)))
        if done["waiting"] or done.total() < len(items):
            raise RuntimeError(f"{len(items)} were due, and this was dealt with: {dict(done)}")
        return cost

    def _ask(self, now: int) -> None:
        for _ in range(_REPEATED):
            if len(ask(self._stores.client, "ZRANGEBYSCORE", _PLAIN, "-inf", now)) != self.due:
                raise RuntimeError("the plain set does not hold what is due")

    def _make_due(self, items: Sequence[tuple[Keys, str]]) -> None:
        at = clock(self._stores.client) - DAY_US // 24
        with self._stores.client.pipeline(transaction=False) as pipe:
            for number, (keys, item) in enumerate(items):
                pipe.zadd(keys.due, {item: at + number})
                pipe.zadd(_PLAIN, {item: at + number}, xx=True)
            pipe.execute()

    def _cost(self, work: Callable[[], object]) -> float:
        before = self._used()
        work()
        return self._used() - before

    def _used(self) -> float:
        """Processor seconds so far: the servers tell theirs to the microsecond."""
        said = [server.info("cpu") for server in (self._stores.client, self._broker)]
        return time.process_time() + sum(float(one["used_cpu_user"] + one["used_cpu_sys"]) for one in said)


@contextmanager
def built(connections: int) -> Iterator[Town]:
    """So many connections of as many organisations, each with a window and a plan that are due some day."""
    with ExitStack() as stack:
        store = stack.enter_context(EmbeddedServer(durable=True))
        broker = stack.enter_context(EmbeddedServer(durable=False))
        stores, other = stack.enter_context(stores_at(store.url)), connect(broker.url)
        stack.callback(other.close)
        app = stack.enter_context(Celery("bench", set_as_current=False))
        app.conf.update(sending(broker.url))
        names = [f"somebody@example.com/organisation-{number}" for number in range(connections)]
        for start in range(0, connections, _AT_A_TIME):
            _settle(stores, start, names[start : start + _AT_A_TIME])
        for _, name in _hundredth(names):
            _register(stores, name)
        town = Town(stores, other, app, names)
        town.planned()
        _put_off(stores)
        yield town


def _settle(stores: Stores, start: int, names: Sequence[str]) -> None:
    some_day = clock(stores.client) + DAY_US
    with stores.client.pipeline(transaction=False) as pipe:
        for number, name in enumerate(names, start):
            keys = stores.shards.of(name)
            item = _item(keys, number)
            pipe.hset(keys.run(item.partition(":")[2]), "connection", name)
            pipe.zadd(keys.due, {item: some_day + number, f"plan:{name}": some_day + number})
            pipe.zadd(_PLAIN, {item: some_day + number})
        pipe.execute()


def _register(stores: Stores, name: str) -> None:
    """Connected, with one channel."""
    stores.connections.register(name, team=TEAM, who={"name": "Somebody"}, by="bench")
    stores.allowlists.put(name, ["C0000000001"], if_match=0, by="bench")
    stores.client.zrem(stores.shards.of(name).due, f"patch:{name}", f"look:{name}")


def _put_off(stores: Stores) -> None:
    """What the first plans have asked for is not due while it is measured."""
    now = clock(stores.client)
    for keys in stores.shards.all():
        for item in ask(stores.client, "ZRANGEBYSCORE", keys.due, "-inf", now + DAY_US // 2):
            ask(stores.client, "ZADD", keys.due, now + DAY_US, item)


def _item(keys: Keys, number: int) -> str:
    return f"trigger:{keys.shard:02x}{number:024x}"


def _hundredth(names: Sequence[str]) -> list[tuple[int, str]]:
    return list(enumerate(names))[::ONE_IN]
