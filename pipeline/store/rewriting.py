"""Rewriting the append-only file: what was deleted from the store still lies in it until then.

Sluice asks for a rewrite where something was deleted that has to be gone, one for all that wait, and believes in it
only when the server that was asked has ended one. Managed servers rewrite by their own rules and refuse to be asked.
"""

from typing import Any, Final, Literal

import redis

from pipeline.store.client import ask, clock
from pipeline.store.keys import REWRITE
from pipeline.store.scripts import Changes

EVERY_US: Final = 600 * 1_000_000
"""At most so often is asked: a rewrite reads all of the memory and writes it to the disk."""
Never = Literal["denied", "no_append_only_file"]
_COUNT: Final = "aof_rewrites"
_LATER: Final = ("in progress", "can't execute")
"""What a server says that rewrites at this moment, or that cannot for now: it has no memory to fork, for instance."""


class Rewriting:
    """The append-only file of the store's server; `every_us` is the least time between two wishes."""

    def __init__(self, client: redis.Redis, *, every_us: int = EVERY_US) -> None:
        self._client, self._every_us = client, every_us

    def since(self, at: int) -> bool | Never:
        """Whether a rewrite that began after `at` (microseconds) has ended, or why nobody can tell; asks for one."""
        asked = {k.decode(): int(v) if k != b"server" else v for k, v in ask(self._client, "HGETALL", REWRITE).items()}
        # Before the server is looked at: a rewrite that it has not counted then begins after this.
        now = clock(self._client)
        try:
            info = ask(self._client, "INFO", "persistence")
            server = ask(self._client, "INFO", "server")["run_id"].encode()
        except redis.ResponseError:
            return "denied"
        if not info.get("aof_enabled"):
            return "no_append_only_file"
        if info["aof_rewrite_in_progress"] or info["aof_rewrite_scheduled"]:
            return False
        # A server that was started again has forgotten what it was asked for; a rewrite that is counted has begun.
        ended = asked.get("server") == server and info.get(_COUNT, 1) > asked["rewrites"]
        if ended and asked["at"] > at and info["aof_last_bgrewrite_status"] == "ok":
            return True
        if not asked or not 0 <= now - asked["at"] < self._every_us:
            return self._ask(asked, now, server, info)
        return False

    def _ask(self, asked: dict[str, Any], now: int, server: bytes, info: dict[str, Any]) -> bool | Never:
        """Note the wish before it is made: of two that would make it at once, one does."""
        changes = Changes().expect(asked.get("at", ""), "HGET", REWRITE, "at")
        changes.hset(REWRITE, {"at": now, "server": server, "rewrites": info.get(_COUNT, 0)})
        if changes.commit(self._client):
            return False
        try:
            ask(self._client, "BGREWRITEAOF")
        except redis.ResponseError as error:
            if not any(word in str(error).lower() for word in _LATER):
                ask(self._client, "DEL", REWRITE)  # the next one need not wait to hear the same
                return "denied"
        return False
