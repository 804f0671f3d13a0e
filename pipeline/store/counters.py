"""Counters: names and numbers, written by the same script as what they count, so that they add up to the record."""

from collections.abc import Mapping

import redis

from pipeline.store.client import ask_all
from pipeline.store.keys import Keys, Shards
from pipeline.store.scripts import Changes


def add(changes: Changes, keys: Keys, counts: Mapping[str, int]) -> None:
    """Add to counters as part of an atomic change. Names are `<what>.<reason or model>`, never content."""
    for name, number in sorted(counts.items()):
        if number:
            changes.do("HINCRBY", keys.counters, name, number)


def totals(client: redis.Redis, shards: Shards) -> dict[str, int]:
    """All counters, summed over the shards."""
    rows = ask_all(client, [("HGETALL", keys.counters) for keys in shards.all()])
    sums: dict[str, int] = {}
    for row in rows:
        for name, number in row.items():
            sums[name.decode()] = sums.get(name.decode(), 0) + int(number)
    return sums
