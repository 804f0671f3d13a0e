"""A shard's state: one key that is absent (idle), `rung`, or `draining:<token>` (the lease)."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from pipeline.errors import Unavailable
from pipeline.store.client import ask_all, clock
from pipeline.store.intake import RUNG_MS
from pipeline.store.keys import Keys, Shards
from pipeline.store.scripts import run

LEASE_MS = 15_000
_RENEW_EVERY_SECONDS = 4.0


class Lease:
    """The right to drain one shard. `lost` is set when a renewal was refused: from then on nothing is settled."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self.keys, self._client = keys, client
        self.token = f"draining:{secrets.token_hex(16)}"
        self.lost = threading.Event()
        self._stop = threading.Event()

    def take(self) -> bool:
        """Take it over idle or rung; False where another drain has it."""
        return bool(run(self._client, "lease", [self.keys.state], [self.token, LEASE_MS]))

    def renew(self) -> bool:
        """Push the expiry out; False, and `lost`, where it is not ours any more."""
        if not run(self._client, "renew", [self.keys.state], [self.token, LEASE_MS]):
            self.lost.set()
        return not self.lost.is_set()

    def release(self) -> bool:
        """Give it back; True where something is due and a ring is wanted."""
        keys = [self.keys.state, self.keys.ready, self.keys.ready_effects]
        return int(run(self._client, "release", keys, [self.token, RUNG_MS])) == 1

    def keep(self) -> None:
        """Renew until told to stop. A store that is away for a moment is no loss yet; the script decides."""
        while not self._stop.wait(_RENEW_EVERY_SECONDS):
            try:
                if not self.renew():
                    return
            except Unavailable:
                continue

    def stop(self) -> None:
        """End the renewing thread's loop."""
        self._stop.set()


@contextmanager
def leased(client: redis.Redis, keys: Keys) -> Iterator[Lease | None]:
    """The shard's lease, renewed by a thread while the block runs; None where somebody else drains it.

    The caller releases it, for only it knows whether to ring; one that cannot leaves it to expire.
    """
    lease = Lease(client, keys)
    if not lease.take():
        yield None
        return
    keeper = threading.Thread(target=lease.keep, name=f"lease-{keys.shard}", daemon=True)
    keeper.start()
    try:
        yield lease
    finally:
        lease.stop()
        keeper.join()


def late(client: redis.Redis, shards: Shards, by_us: int, *, unrung: bool = False) -> list[Keys]:
    """Shards that nobody drains though something has been due for `by_us` microseconds.

    `rung` protects none, for the ring may be lost; with `unrung` only those that nobody has rung for either.
    """
    every, before = shards.all(), clock(client) - by_us
    states = ask_all(client, [("GET", keys.state) for keys in every])
    ready = ask_all(client, [("ZRANGE", key, 0, 0, "WITHSCORES") for keys in every for key in _sets(keys)])
    lowest = [[float(row[1]) for row in ready[i : i + 2] if row] for i in range(0, len(ready), 2)]
    rows = zip(every, states, lowest, strict=True)
    return [keys for keys, state, scores in rows if scores and min(scores) <= before and _free(state, unrung)]


def _sets(keys: Keys) -> tuple[str, str]:
    return keys.ready, keys.ready_effects


def _free(state: bytes | None, unrung: bool) -> bool:
    return state is None or (state == b"rung" and not unrung)
