"""The newest runs over all connections, those that are open first: for the command line."""

import heapq
from collections.abc import Sequence
from typing import Any, NamedTuple

import redis

from pipeline.store.client import ask, ask_all, clock
from pipeline.store.keys import Keys, Shards
from pipeline.store.runs import ITEMS, Run, Runs

_KINDS = frozenset(ITEMS.values())


class Row(NamedTuple):
    """A run; whether Paragon is working at it; when it is asked for, or asked again (microseconds; None: it ended)."""

    run: Run
    out: bool
    due: int | None


class Shown(NamedTuple):
    """How many runs are open, how many of these are out, how many sweeps wait for an operator; and some of them all."""

    open: int
    out: int
    held: int
    at: int
    rows: list[Row]

    def public(self) -> dict[str, Any]:
        """As one JSON object."""
        runs = [row.run.public() | {"out": row.out, "due": row.due} for row in self.rows]
        return {"open": self.open, "out": self.out, "held": self.held, "runs": runs}


def shown(client: redis.Redis, shards: Shards, runs: Runs, connection: str | None, limit: int) -> Shown:
    """At most `limit` runs of a connection, or of all: what is held, what is out, what waits, then what ended last."""
    every = shards.all() if connection is None else [shards.of(connection)]
    now = clock(client)
    mine = _of(client, every, connection, limit)
    due, held, out = _due(client, every), _held(client, every), _out(client, every, now)
    if connection is not None:
        names = _all_of(client, shards.of(connection), connection)
        due, held, out = {name: at for name, at in due.items() if name in names}, held & names, out & names
    waiting = sorted(due, key=lambda name: (name not in out, due[name]))
    order = list(dict.fromkeys([*sorted(held), *waiting, *mine]))[:limit]
    rows = [Row(found, name in out, due.get(name)) for name in order if (found := runs.get(name))]
    return Shown(len(due), len(out & due.keys()), len(held), now, rows)


def _of(client: redis.Redis, every: Sequence[Keys], connection: str | None, limit: int) -> list[str]:
    """The newest runs, whatever became of them."""
    members = [[connection]] if connection is not None else _members(client, every)
    asked = [
        ("ZRANGE", keys.runs(name), 0, limit - 1, "REV", "WITHSCORES")
        for keys, names in zip(every, members, strict=True)
        for name in names
    ]
    scored = [pair for row in ask_all(client, asked) for pair in zip(row[::2], row[1::2], strict=True)]
    return [name.decode() for name, _ in heapq.nlargest(limit, scored, key=lambda pair: float(pair[1]))]


def _members(client: redis.Redis, every: Sequence[Keys]) -> list[list[str]]:
    rows = ask_all(client, [("SMEMBERS", keys.connections) for keys in every])
    return [[name.decode() for name in row] for row in rows]


def _all_of(client: redis.Redis, keys: Keys, connection: str) -> set[str]:
    return {name.decode() for name in ask(client, "ZRANGE", keys.runs(connection), 0, -1)}


def _due(client: redis.Redis, every: Sequence[Keys]) -> dict[str, int]:
    """Every open run, with when it is asked for."""
    found: dict[str, int] = {}
    for row in ask_all(client, [("ZRANGE", keys.due, 0, -1, "WITHSCORES") for keys in every]):
        for item, score in zip(row[::2], row[1::2], strict=True):
            kind, _, name = item.decode().partition(":")
            if kind in _KINDS:
                found[name] = int(float(score))
    return found


def _held(client: redis.Redis, every: Sequence[Keys]) -> set[str]:
    rows = ask_all(client, [("SMEMBERS", keys.sweeps) for keys in every])
    return {name.decode() for row in rows for name in row}


def _out(client: redis.Redis, every: Sequence[Keys], now: int) -> set[str]:
    rows = ask_all(client, [("ZRANGEBYSCORE", keys.flights, now, "+inf") for keys in every])
    return {name.decode() for row in rows for name in row}
