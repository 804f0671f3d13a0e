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
from pipeline.store.client import ask, ask_all
from pipeline.store.keys import Keys, Shards
from pipeline.store.scripts import Changes, now

KIND = "events"
"""Of the schedule's item."""
_COUNTER = "outgoing"
_AT_ONCE = 1000


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

    @property
    def stored(self) -> bytes:
        """As it lies in the store."""
        return _encoder.encode(self)


_encoder, _decoder = msgspec.json.Encoder(), msgspec.json.Decoder(Waiting)
read = _decoder.decode
"""A stored event."""


def item(keys: Keys) -> str:
    """The name of a shard's events in its schedule."""
    return str(keys.shard)


def count(changes: Changes, keys: Keys, outcome: str, waiting: Waiting) -> None:
    """Count what became of an event as part of the change that makes it so."""
    counters.add(changes, keys, {f"{_COUNTER}.{outcome}.{waiting.type}": 1})


def put(changes: Changes, keys: Keys, waiting: Waiting) -> None:
    """Let an event wait, due at once, as part of a change."""
    changes.do("HSET", keys.events, waiting.id, waiting.stored)
    changes.do("ZADD", keys.events_order, now(), waiting.id).do("ZADD", keys.events_due, now(), waiting.id)
    changes.do("ZADD", keys.due, "LT", now(), f"{KIND}:{item(keys)}")


def take_out(changes: Changes, keys: Keys, waiting: Waiting) -> None:
    """End an event's waiting as part of a change, which holds only while it is as it was read."""
    changes.expect(waiting.stored, "HGET", keys.events, waiting.id).do("HDEL", keys.events, waiting.id)
    changes.do("ZREM", keys.events_order, waiting.id).do("ZREM", keys.events_due, waiting.id)


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
        waiting = Waiting(name, event.type, connection, org, event.at, body(event))
        put(changes, keys, waiting)
        count(changes, keys, "written", waiting)
        return name

    def next(self, keys: Keys, at: int) -> Waiting | None:
        """The event that has been due the longest at that time (microseconds)."""
        names = ask(self._client, "ZRANGEBYSCORE", keys.events_due, "-inf", at, "LIMIT", 0, 1)
        return self.get(keys, names[0].decode()) if names else None

    def get(self, keys: Keys, name: str) -> Waiting | None:
        """A waiting event by id."""
        found = ask(self._client, "HGET", keys.events, name)
        return None if found is None else read(found)

    def sent(self, keys: Keys, waiting: Waiting) -> bool:
        """It was taken. False where another try has ended it meanwhile."""
        changes = Changes()
        take_out(changes, keys, waiting)
        count(changes, keys, "sent", waiting)
        return changes.commit(self._client) == 0

    def failed(self, keys: Keys, waiting: Waiting, reason: str, at: int) -> bool:
        """A try failed; the next is due at that time (microseconds)."""
        tried = msgspec.structs.replace(waiting, tries=waiting.tries + 1, reason=reason)
        changes = Changes().expect(waiting.stored, "HGET", keys.events, waiting.id)
        changes.do("HSET", keys.events, waiting.id, tried.stored).do("ZADD", keys.events_due, "XX", at, waiting.id)
        count(changes, keys, "failed", waiting)
        return changes.commit(self._client) == 0

    def rest(self, keys: Keys, seen: str, not_before: int) -> bool:
        """End a round: the shard's item is due when its next event is, but not before that time; False where somebody
        wrote an event meanwhile, so that it is due already.
        """
        number, first = ask_all(
            self._client,
            [("ZCARD", keys.events_order), ("ZRANGE", keys.events_due, 0, 0, "WITHSCORES")],
        )
        due = f"{KIND}:{item(keys)}"
        # An event that came in between may have left the item's time as it was: the number tells.
        changes = Changes().expect(seen, "ZSCORE", keys.due, due).expect(number, "ZCARD", keys.events_order)
        if first:
            changes.do("ZADD", keys.due, max(int(float(first[1])), not_before), due)
        else:
            changes.do("ZREM", keys.due, due)
        return changes.commit(self._client) == 0

    def older(self, keys: Keys, than: int, most: int) -> list[Waiting]:
        """The oldest waiting events that were written before that time (microseconds)."""
        names = ask(self._client, "ZRANGEBYSCORE", keys.events_order, "-inf", than, "LIMIT", 0, most)
        found = ask(self._client, "HMGET", keys.events, *names) if names else []
        return [read(one) for one in found if one is not None]

    def hurry(self, keys: Keys, at: int) -> None:
        """Let everything of a shard be sent at that time (microseconds), whatever it was waiting for."""
        names = ask(self._client, "ZRANGE", keys.events_order, 0, -1)
        for i in range(0, len(names), _AT_ONCE):
            ask_all(self._client, [("ZADD", keys.events_due, "XX", "LT", at, one) for one in names[i : i + _AT_ONCE]])
        ask(self._client, "ZADD", keys.due, "XX", "LT", at, f"{KIND}:{item(keys)}")
