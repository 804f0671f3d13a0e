"""What waits to be told to the core service, and what could not be: for routes, command line and metrics."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import redis

from pipeline.store.client import ask, ask_all
from pipeline.store.events import Waiting, read
from pipeline.store.keys import Keys, Shards

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Counts:
    """How many events wait and how many are dead; the age of the oldest waiting one in seconds, None: none waits."""

    waiting: int
    dead: int
    oldest_age: float | None


def counts(client: redis.Redis, shards: Shards, now_us: int) -> Counts:
    """Of all shards."""
    every = shards.all()
    waiting = ask_all(client, [("ZCARD", keys.events_order) for keys in every])
    dead = ask_all(client, [("ZCARD", keys.events_dead_order) for keys in every])
    firsts = ask_all(client, [("ZRANGE", keys.events_order, 0, 0, "WITHSCORES") for keys in every])
    written = [float(row[1]) for row in firsts if row]
    return Counts(sum(waiting), sum(dead), max(0.0, (now_us - min(written)) / 1e6) if written else None)


def counts_of(client: redis.Redis, shards: Shards, org: str, now_us: int) -> Counts:
    """Of one organisation: events are read one by one, since others share its shard."""
    keys = shards.of_org(org)
    waiting = [at for at, event in _newest_first(client, keys.events, keys.events_order) if event.org == org]
    dead = sum(event.org == org for _, event in _newest_first(client, keys.events_dead, keys.events_dead_order))
    return Counts(len(waiting), dead, max(0.0, (now_us - waiting[-1]) / 1e6) if waiting else None)


def listing(client: redis.Redis, shards: Shards, org: str | None, limit: int, *, dead: bool) -> list[dict[str, Any]]:
    """The newest events that wait, or that are dead, of an organisation or of all; since when, in microseconds."""
    wanted = shards.all() if org is None else [shards.of_org(org)]
    rows = [row for keys in wanted for row in islice(_of(client, keys, org, dead=dead), limit)]
    return sorted(rows, key=lambda row: -row["since"])[:limit]


def _of(client: redis.Redis, keys: Keys, org: str | None, *, dead: bool) -> Iterator[dict[str, Any]]:
    kept, order = (keys.events_dead, keys.events_dead_order) if dead else (keys.events, keys.events_order)
    for at, event in _newest_first(client, kept, order):
        if org in (None, event.org):
            yield public(event) | {"since": at}


def public(event: Waiting) -> dict[str, Any]:
    """What is shown of an event: all but what is sent."""
    return {name: getattr(event, name) for name in event.__struct_fields__ if name != "body"}


def _newest_first(client: redis.Redis, kept: str, order: str) -> Iterator[tuple[int, Waiting]]:
    start = 0
    while rows := ask(client, "ZRANGE", order, start, start + _PAGE - 1, "REV", "WITHSCORES"):
        names, scores = rows[::2], rows[1::2]
        for at, one in zip(scores, ask(client, "HMGET", kept, *names), strict=True):
            if one is not None:
                yield int(float(at)), read(one)
        start += len(names)
