"""Windows that wait for what was in the way are asked for at once when it is gone."""

from typing import Final

import redis

from pipeline.store.keys import Shards
from pipeline.store.runs import Runs
from pipeline.store.scripts import Changes, now

_LOOKED_THROUGH: Final = 200


def wake(client: redis.Redis, shards: Shards, runs: Runs, connection: str) -> int:
    """Make the blocked windows of a connection due, but for those of channels that wait for a person; how many."""
    keys, woken = shards.of(connection), 0
    for found in runs.listing(connection, _LOOKED_THROUGH):
        if found.state != "blocked" or found.reason == "channel_paused":
            continue
        changes = Changes().expect("blocked", "HGET", keys.run(found.id), "state")
        changes.expect(found.attempt, "HGET", keys.run(found.id), "attempt")
        changes.do("HSET", keys.run(found.id), "ask_at", 0).do("ZADD", keys.due, now(), f"{found.item}:{found.id}")
        woken += changes.commit(client) == 0
    return woken
