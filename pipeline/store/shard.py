"""A shard's state: one key that is absent (idle), `rung`, or `draining:<token>` (the lease)."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from pipeline.errors import Unavailable
from pipeline.store.intake import RUNG_MS
from pipeline.store.keys import Keys
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
        return int(run(self._client, "release", [self.keys.state, self.keys.ready], [self.token, RUNG_MS])) == 1

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

    The caller releases it (only it knows whether to ring); a block that fails leaves it to expire.
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
