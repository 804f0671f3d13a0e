"""What becomes of runs when channels leave a list or a connection ends: they close at once, and their places are free.

Without this a run would keep its place, and its item of the schedule, until it were next due.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import redis

from pipeline.store.client import ask, ask_all
from pipeline.store.keys import Keys, Shards
from pipeline.store.runs import ITEMS, MARKS, Run, Runs
from pipeline.store.scripts import Changes

_AT_ONCE = 500
Piece = TypeVar("Piece", bound=str | bytes)


class RunEnds:
    """Ends of runs, as parts of the changes that end what they were for."""

    def __init__(self, client: redis.Redis, shards: Shards) -> None:
        self._client = client
        self._runs = Runs(client, shards, overdue_us=0)

    def revoke(self, changes: Changes, keys: Keys, connection: str, channels: Sequence[str]) -> None:
        """Close what is asked for of these channels alone, drop what is noted of their threads and of their sweeps.

        The change itself takes away their marks: of a run that asks for others as well, only these are dropped.
        """
        gone = set(channels)
        for found in self._asked_for(keys, connection, channels):
            if found.open and not self._left(keys, found, gone):
                changes.when(self._closed(changes.part(), keys, found))
        for name in ask(self._client, "SMEMBERS", keys.sweeps):
            held = self._runs.get(name.decode())
            if held is not None and held.connection == connection and gone & set(held.channels):
                changes.when(self._unheld(changes.part(), keys, held, gone))
        threads = ask(self._client, "ZRANGE", keys.moved(connection), 0, -1)
        self._remove(changes, keys.moved(connection), [one for one in threads if one.decode().split("|")[0] in gone])

    def _asked_for(self, keys: Keys, connection: str, channels: Sequence[str]) -> Iterator[Run]:
        """The runs that the channels' marks name."""
        names, coverage = set[bytes](), keys.coverage(connection)
        for some in _cut(channels):
            marks = [f"{channel}|{mark}" for channel in some for mark in MARKS.values()]
            names |= {name for name in ask(self._client, "HMGET", coverage, *marks) if name}
        return filter(None, (self._runs.get(name.decode()) for name in sorted(names)))

    def _left(self, keys: Keys, found: Run, gone: set[str]) -> bool:
        """Whether an answer is wanted for other channels still."""
        marks = [f"{channel}|{found.mark}" for channel in found.channels]
        state = ask(self._client, "HMGET", keys.coverage(found.connection), *marks)
        waiting = {one for one, name in zip(found.channels, state, strict=True) if name == found.id.encode()}
        return bool(waiting - gone)

    def _closed(self, part: Changes, keys: Keys, found: Run) -> Changes:
        """As it was read; one that has changed meanwhile is closed when it is next due."""
        part.expect(found.state, "HGET", keys.run(found.id), "state")
        part.expect(found.attempt, "HGET", keys.run(found.id), "attempt")
        part.do("HSET", keys.run(found.id), "state", "cancelled", "reason", "revoked")
        part.do("ZREM", keys.due, f"{found.item}:{found.id}")
        for number in range(1, found.attempt + 1):
            part.do("DEL", keys.facts(found.id, number))
        self._runs.land(part, keys, found)
        return part

    def _unheld(self, part: Changes, keys: Keys, held: Run, gone: set[str]) -> Changes:
        """What a sweep would end of these channels is behind their fence."""
        key, mine = keys.run(held.id), {f"held:{channel}" for channel in held.channels if channel in gone}
        waiting = {name.decode() for name in ask(self._client, "HKEYS", key) if name.startswith(b"held:")}
        part.expect(held.state, "HGET", key, "state").do("HDEL", key, *sorted(mine))
        if waiting <= mine:
            part.do("SREM", keys.sweeps, held.id).do("HSET", key, "state", "cancelled", "reason", "revoked")
            for number in range(1, held.attempt + 1):
                part.do("DEL", keys.facts(held.id, number))
        return part

    def forget(self, changes: Changes, keys: Keys, connection: str) -> None:
        """Drop every run of a connection, with its facts, its place and its items; only if there is no newer one."""
        names = [name.decode() for name in ask(self._client, "ZRANGE", keys.runs(connection), 0, -1)]
        changes.expect(len(names), "ZCARD", keys.runs(connection))
        if names:  # a run that comes may put an old one out, and there are as many as before
            changes.expect(len(names) - 1, "ZRANK", keys.runs(connection), names[-1])
        attempts = ask_all(self._client, [("HGET", keys.run(name), "attempt") for name in names])
        for name, attempt in zip(names, attempts, strict=True):
            changes.do("DEL", keys.run(name))
            for number in range(1, int(attempt or 0) + 1):
                changes.do("DEL", keys.facts(name, number))
        items = [f"{kind}:{name}" for name in names for kind in sorted(set(ITEMS.values()))]
        self._remove(changes, keys.due, items)
        self._remove(changes, keys.tries, items, "HDEL")
        self._remove(changes, keys.flights, names)
        self._remove(changes, keys.sweeps, names, "SREM")
        self._remove(changes, keys.touched, names, "SREM")
        changes.do("DEL", keys.runs(connection)).do("DEL", keys.flights_of(connection))

    @staticmethod
    def _remove(changes: Changes, key: str, members: Iterable[str | bytes], command: str = "ZREM") -> None:
        for some in _cut(list(members)):
            changes.do(command, key, *some)


def _cut(whole: Sequence[Piece]) -> Iterator[Sequence[Piece]]:
    """In pieces that Lua can hand to one command."""
    return (whole[i : i + _AT_ONCE] for i in range(0, len(whole), _AT_ONCE))
