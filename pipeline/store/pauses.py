"""Pauses: an operator stops everything, an organisation or a connection, and lets it go on again.

Intake goes on; nothing of who is paused is delivered, and Paragon is asked for nothing. What revokes is never paused:
effects, Paragon's metadata, the purge after a disconnect. Scopes are `all`, `org:<id>` and `<user>/<org>`; each shard
keeps those that concern it, so that a pause is read, and ended, within one hash slot.
"""

import redis

from pipeline.connection import split_connection
from pipeline.errors import Rejected, Unavailable
from pipeline.store import audit
from pipeline.store.client import ask, ask_all, clock
from pipeline.store.keys import Keys, Shards
from pipeline.store.scripts import Changes

ALL = "all"
_ORG = "org:"
_LOOK_AGAIN_SECONDS = 300.0


class PausedError(Unavailable):
    """An operator holds it back: it waits, and a resume un-parks it before its time."""

    def __init__(self) -> None:
        super().__init__("paused", retry_after=_LOOK_AGAIN_SECONDS)


class Pauses:
    """Who is paused."""

    def __init__(self, client: redis.Redis, shards: Shards) -> None:
        self._client, self._shards = client, shards

    def of(self, connection: str) -> list[str]:
        """The scopes that hold this connection back; none: it is not paused."""
        scopes = [ALL, _ORG + split_connection(connection)[1], connection]
        found = ask(self._client, "HMGET", self._shards.of(connection).paused, *scopes)
        return [scope for scope, since in zip(scopes, found, strict=True) if since is not None]

    def listing(self) -> dict[str, int]:
        """Scope → since when (microseconds)."""
        rows = ask_all(self._client, [("HGETALL", keys.paused) for keys in self._shards.all()])
        return {scope.decode(): int(since) for row in reversed(rows) for scope, since in sorted(row.items())}

    def shards_of(self, scope: str) -> list[Keys]:
        """The shards that a scope concerns. Raises `Rejected("bad_scope")` for what is none."""
        org = scope.removeprefix(_ORG)
        if scope == ALL:
            return self._shards.all()
        if "/" not in scope and org not in ("", scope):
            return [self._shards.of_org(org)]
        try:
            return [self._shards.of(scope)]
        except Rejected:
            raise Rejected("bad_scope") from None

    def pause(self, scope: str, *, by: str) -> int:
        """Pause it, if it is not; how many connections it holds back. Safe to repeat. Raises `Rejected("bad_scope")`.

        What is on its way to the mesh at this moment ends with the mesh batch that it is in.
        """
        held, now, shards = 0, clock(self._client), self.shards_of(scope)
        for keys in shards:
            changes = Changes().expect("", "HGET", keys.paused, scope).do("HSET", keys.paused, scope, now)
            if keys is shards[0]:
                audit.note(changes, keys, "paused", scope, by, now)
            changes.commit(self._client)
            held += len(self._members(keys, scope))
        return held

    def resume(self, scope: str, *, by: str) -> int | None:
        """End this pause, due at once; how many connections it held back, None where there was no such pause.

        Another pause that holds them back as well stays. Raises `Rejected("bad_scope")`.
        """
        freed: int | None = None
        now, shards = clock(self._client), self.shards_of(scope)
        for keys in shards:
            since = ask(self._client, "HGET", keys.paused, scope)
            if since is None:
                continue
            changes = Changes().expect(since, "HGET", keys.paused, scope).do("HDEL", keys.paused, scope)
            members = self._members(keys, scope)
            for member in members:
                _unpark(changes, keys, member, now)
            if keys is shards[0]:
                audit.note(changes, keys, "resumed", scope, by, now)
            changes.commit(self._client)
            freed = (freed or 0) + len(members)
        return freed

    def parked(self, connection: str) -> None:
        """Called once a paused connection was parked: un-parks it if the pause ended while it was."""
        if not self.of(connection):
            changes = Changes()
            _unpark(changes, self._shards.of(connection), connection, clock(self._client))
            changes.commit(self._client)

    def _members(self, keys: Keys, scope: str) -> list[str]:
        """The connections of one shard that a scope covers."""
        names = [name.decode() for name in ask(self._client, "SMEMBERS", keys.connections)]
        return [name for name in names if scope in (ALL, name, _ORG + split_connection(name)[1])]


def _unpark(changes: Changes, keys: Keys, connection: str, now: int) -> None:
    changes.do("ZADD", keys.ready, "XX", "LT", now, connection).do("HDEL", keys.parked, connection)
    changes.do("ZADD", keys.due, "XX", "LT", now, f"plan:{connection}")
