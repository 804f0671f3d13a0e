"""How much waits, and since when: what health means here (a worker can answer pings and consume nothing)."""

from dataclasses import dataclass

import redis

from pipeline.store.client import ask_all
from pipeline.store.keys import Shards


@dataclass(frozen=True, slots=True)
class Backlog:
    """Entries waiting, the age of the oldest in seconds (None when nothing waits), connections parked."""

    entries: int
    oldest_age: float | None
    parked: int


def measure(client: redis.Redis, shards: Shards, now_us: int) -> Backlog:
    """The backlog of all shards."""
    every = shards.all()
    sets = [(keys, key) for keys in every for key in (keys.ready, keys.ready_effects)]
    ready = ask_all(client, [("ZRANGE", key, 0, -1) for _, key in sets])
    streams = [keys.stream(member.decode()) for (keys, _), row in zip(sets, ready, strict=True) for member in row]
    lengths = ask_all(client, [("XLEN", stream) for stream in streams])
    firsts = ask_all(client, [("XRANGE", stream, "-", "+", "COUNT", 1) for stream in streams])
    parked = ask_all(client, [("HLEN", keys.parked) for keys in every])
    born = [int(row[0][0].split(b"-")[0]) for row in firsts if row]
    age = max(0.0, now_us / 1e6 - min(born) / 1e3) if born else None
    return Backlog(sum(lengths), age, sum(parked))
