"""Events that could not be told: kept until an operator resends or drops them; so many a shard, and what is cut is
counted (`outgoing.cut.<type>`).
"""

import msgspec
import redis

from pipeline.store import audit
from pipeline.store.client import ask, clock
from pipeline.store.events import Waiting, count, put, read, take_out
from pipeline.store.keys import Keys, Shards, shard_of_id
from pipeline.store.scripts import Changes, now

KEPT_PER_SHARD = 10_000


class DeadEvents:
    """Dead events of all shards."""

    def __init__(self, client: redis.Redis, shards: Shards, *, kept: int = KEPT_PER_SHARD) -> None:
        self._client, self._shards, self._kept = client, shards, kept

    def bury(self, keys: Keys, waiting: Waiting, dead: Waiting) -> bool:
        """Nobody sends `waiting` any more; it is kept as `dead`. False where another try has ended it meanwhile."""
        changes = Changes()
        take_out(changes, keys, waiting)
        changes.do("HSET", keys.events_dead, dead.id, dead.stored)
        changes.do("ZADD", keys.events_dead_order, now(), dead.id)
        count(changes, keys, "dead", dead)
        done = changes.commit(self._client) == 0
        self._cut(keys)
        return done

    def _cut(self, keys: Keys) -> None:
        """The oldest beyond what is kept go."""
        for name in ask(self._client, "ZRANGE", keys.events_dead_order, 0, -self._kept - 1):
            found = self._get(keys, name.decode())
            if found is not None:
                self._removal(keys, found, "cut").commit(self._client)

    def find(self, name: str) -> Waiting | None:
        """A dead event by id, None for an id that is unknown or malformed."""
        keys = self._keys(name)
        return self._get(keys, name) if keys else None

    def resend(self, name: str, *, by: str) -> bool:
        """Let it wait again under the same id, as if it had never been tried. False where it is not there."""
        return self._end(name, "resent", by)

    def drop(self, name: str, *, by: str) -> bool:
        """Forget it. False where it is not there."""
        return self._end(name, "dropped", by)

    def names(self) -> list[str]:
        """The ids of all, the oldest first within a shard."""
        every = [ask(self._client, "ZRANGE", keys.events_dead_order, 0, -1) for keys in self._shards.all()]
        return [name.decode() for row in every for name in row]

    def _end(self, name: str, outcome: str, by: str) -> bool:
        keys, found = self._keys(name), self.find(name)
        if keys is None or found is None:
            return False
        changes = self._removal(keys, found, outcome)
        if outcome == "resent":
            put(changes, keys, msgspec.structs.replace(found, tries=0, reason=""))
        audit.note(changes, keys, f"event.{outcome}", found.connection or "", by, clock(self._client), id=name)
        return changes.commit(self._client) == 0

    def _removal(self, keys: Keys, dead: Waiting, outcome: str) -> Changes:
        changes = Changes().expect(dead.stored, "HGET", keys.events_dead, dead.id)
        changes.do("HDEL", keys.events_dead, dead.id).do("ZREM", keys.events_dead_order, dead.id)
        count(changes, keys, outcome, dead)
        return changes

    def _keys(self, name: str) -> Keys | None:
        try:
            keys = Keys(shard_of_id(name))
        except ValueError:
            return None
        return keys if keys in self._shards.all() else None

    def _get(self, keys: Keys, name: str) -> Waiting | None:
        found = ask(self._client, "HGET", keys.events_dead, name)
        return None if found is None else read(found)
