"""Events that wait to be told to the core service: written by the change that they tell of, gone once they were taken.

    {sN}:events         id → the event and how often it was tried
    {sN}:events:order   id → when it was written
    {sN}:events:due     id → from when it may be sent

The shard's schedule holds one item for all of them, `events:<shard>`: however many wait, plans and triggers do not wait
behind them. Where no address is set, nothing is written.
"""

import secrets

import msgspec
import redis

from pipeline.events import ConnectionEvent, Event, body
from pipeline.store import counters
from pipeline.store.keys import Keys, Shards
from pipeline.store.scripts import Changes, now

KIND = "events"
"""Of the schedule's item."""
_COUNTER = "outgoing"


class Waiting(msgspec.Struct, frozen=True):
    """An event on its way. `body` is what is signed and sent; `reason` is why the last try failed, one word."""

    id: str
    type: str
    connection: str | None
    org: str | None
    at: int
    body: str
    tries: int = 0
    reason: str = ""


def item(keys: Keys) -> str:
    """The name of a shard's events in its schedule."""
    return str(keys.shard)


def count(changes: Changes, keys: Keys, outcome: str, kind: str) -> None:
    """Count what became of an event as part of the change that makes it so."""
    counters.add(changes, keys, {f"{_COUNTER}.{outcome}.{kind}": 1})


def put(changes: Changes, keys: Keys, waiting: Waiting) -> None:
    """Let an event wait, due at once, as part of a change."""
    changes.do("HSET", keys.events, waiting.id, msgspec.json.encode(waiting))
    changes.do("ZADD", keys.events_order, now(), waiting.id).do("ZADD", keys.events_due, now(), waiting.id)
    changes.do("ZADD", keys.due, "LT", now(), f"{KIND}:{item(keys)}")


def take_out(changes: Changes, keys: Keys, name: str) -> None:
    """End an event's waiting as part of a change."""
    changes.do("HDEL", keys.events, name).do("ZREM", keys.events_order, name).do("ZREM", keys.events_due, name)


class Events:
    """Events of all shards. `wanted` is whether anybody is there to be told: else nothing is written."""

    def __init__(self, client: redis.Redis, shards: Shards, *, wanted: bool) -> None:
        self._client, self._shards, self.wanted = client, shards, wanted

    def append(self, changes: Changes, keys: Keys, event: Event) -> str | None:
        """Add an event to an atomic change: it is sent if, and only if, the change happens. Its id, the `webhook-id`.

        `keys` are those of its connection's shard, as in the rest of the change. None where nobody is to be told.
        """
        if not self.wanted:
            return None
        name = f"{keys.shard:02x}{secrets.token_hex(16)}"
        connection, org = (event.connection, event.org) if isinstance(event, ConnectionEvent) else (None, None)
        put(changes, keys, Waiting(name, event.type, connection, org, event.at, body(event)))
        count(changes, keys, "written", event.type)
        return name
