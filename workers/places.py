"""Which of the windows that are due go now: as many as may be out in all, each connection's in their turn.

A connection with a thousand windows must not keep another's one window waiting, so the first of each goes before the
second of any, and what a connection has no place for waits where it does not come up again and again.
"""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from pipeline.rules.regimes import STANDARD
from pipeline.stages.stores import Stores
from pipeline.store.client import ask_all, clock
from pipeline.store.schedule import Leased

SOON_US: Final = 500_000
_LANDING_US: Final = 2 * 1_000_000
"""About how long the windows that are out take."""
_LONGEST_US: Final = 60 * 1_000_000
LIVE: Final = "trigger"


class Turns(NamedTuple):
    """The windows that go, and the others with when they are due again (microseconds)."""

    go: list[Leased]
    wait: list[tuple[Leased, int]]


class Places:
    """`at_once` windows may be out at a time, of all connections together."""

    def __init__(self, stores: Stores, at_once: int) -> None:
        self._stores, self._at_once = stores, at_once

    def share(self, windows: Sequence[Leased]) -> Turns:
        """Live windows before others, and among these the first of each connection before the second of any."""
        turns = Turns([], [])
        if not windows:
            return turns
        now, connections = clock(self._stores.client), self._connections(windows)
        room, taken = self._room(now), self._out(set(connections.values()), now)
        for turn, one in _in_turn(windows, connections):
            name = connections[one]
            over = taken[name] - STANDARD.flights if name else -1
            if over < 0 and len(turns.go) < room:
                turns.go.append(one)
                taken[name] += 1
            elif over < 0:
                turns.wait.append((one, now + SOON_US))
            else:
                wait = _LANDING_US * (1 + turn // STANDARD.flights)
                turns.wait.append((one, now + int(min(wait, _LONGEST_US) * random.uniform(0.8, 1.2))))
        return turns

    def _connections(self, windows: Sequence[Leased]) -> dict[Leased, str]:
        """Whose each one is; "" for a run that is no more."""
        rows = ask_all(self._stores.client, [("HGET", one.keys.run(one.name), "connection") for one in windows])
        return {one: row.decode() if row else "" for one, row in zip(windows, rows, strict=True)}

    def _room(self, now: int) -> int:
        """How many more may go. What lies further ahead than it can was written by a clock that was set back."""
        shards = self._stores.shards.all()
        out = ask_all(self._stores.client, [("ZCOUNT", keys.flights, now, "+inf") for keys in shards])
        return max(self._at_once - sum(map(int, out)), 0)

    def _out(self, connections: Iterable[str], now: int) -> Counter[str]:
        """How many of each connection are out."""
        names = sorted(filter(None, connections))
        keys = [self._stores.shards.of(name).flights_of(name) for name in names]
        rows = ask_all(self._stores.client, [("ZCOUNT", key, now, "+inf") for key in keys])
        return Counter(dict(zip(names, map(int, rows), strict=True)))


def _in_turn(windows: Sequence[Leased], connections: dict[Leased, str]) -> list[tuple[int, Leased]]:
    """Each with its place among its connection's own; among equals by lot."""
    turns, lots = Counter[str](), list(windows)
    random.shuffle(lots)
    placed = []
    for one in sorted(lots, key=lambda leased: leased.kind != LIVE):
        placed.append((turns[connections[one]], one))
        turns[connections[one]] += 1
    return sorted(placed, key=lambda pair: (pair[1].kind != LIVE, pair[0]))
