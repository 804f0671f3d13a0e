"""What Slack sent that this version does not know, counted by name (`pipeline.slack.census`): what a new release has to
learn. Written by the settle of the pages that showed it.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final

import redis

from pipeline.store.client import ask, ask_all
from pipeline.store.keys import Keys, Shards
from pipeline.store.scripts import Changes

MOST_NAMES: Final = 64
"""Names that a shard keeps, the `other` of each kind aside: a bound on the store and on the labels of a metric."""
OTHER: Final = "other"
Name = tuple[str, str]
"""Kind and name."""


def add(client: redis.Redis, changes: Changes, keys: Keys, counts: Mapping[Name, int]) -> None:
    """Add to a shard's census as part of a settle, whose lease keeps others from adding names meanwhile."""
    if not counts:
        return
    known = {_read(row) for row in ask(client, "HKEYS", keys.census)}
    room = MOST_NAMES - sum(name != OTHER for _, name in known)
    kept: Counter[Name] = Counter()
    for (kind, name), number in sorted(counts.items()):
        if name != OTHER and (kind, name) not in known:
            room -= 1
        kept[kind, name if (kind, name) in known or room >= 0 else OTHER] += number
    for (kind, name), number in kept.items():
        changes.do("HINCRBY", keys.census, f"{kind}|{name}", number)


def totals(client: redis.Redis, shards: Shards) -> Counter[Name]:
    """The census of all shards."""
    sums: Counter[Name] = Counter()
    for row in ask_all(client, [("HGETALL", keys.census) for keys in shards.all()]):
        for name, number in row.items():
            sums[_read(name)] += int(number)
    return sums


def _read(row: bytes) -> Name:
    kind, _, name = row.decode().partition("|")
    return kind, name
